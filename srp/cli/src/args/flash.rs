//! The boot stack, images and files: what is done on this machine alone, without srpd.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use image::boot::Priority;
use image::flash::At;

/// `boot ...`.
#[derive(Debug, Subcommand)]
pub enum Boot {
    /// Enter an image with a configuration: boot system priority 9 image /flash/new.bin config /flash/srp.toml
    System {
        /// The word
        #[arg(value_enum)]
        priority: PriorityWord,
        /// 1 to 100, the lowest is booted first; or next, for one below the first
        #[arg(value_name = "N", value_parser = at)]
        at: At,
        /// The word
        #[arg(value_enum)]
        image_word: ImageWord,
        /// The image, on /flash
        #[arg(value_name = "FILE")]
        image: PathBuf,
        /// The word
        #[arg(value_enum)]
        config_word: ConfigWord,
        /// The configuration, on /flash
        #[arg(value_name = "FILE")]
        config: PathBuf,
    },
    /// Write a damaged boot stack anew, with the entries that are whole
    Rebuild,
}

/// `no ...`.
#[derive(Debug, Subcommand)]
pub enum No {
    /// An entry of the boot stack
    #[command(infer_subcommands = true)]
    Boot {
        /// Of what.
        #[command(subcommand)]
        what: NoBoot,
    },
}

/// `no boot ...`.
#[derive(Debug, Subcommand)]
pub enum NoBoot {
    /// Delete an entry: no boot system priority 9
    System {
        /// The word
        #[arg(value_enum)]
        word: PriorityWord,
        /// Its priority
        #[arg(value_name = "N", value_parser = priority)]
        priority: Priority,
    },
}

/// `filesystem ...`.
#[derive(Debug, Subcommand)]
pub enum Filesystem {
    /// Return when the disk has everything, also for the loader
    Synchronize {
        /// The word
        #[arg(value_enum)]
        scope: All,
    },
}

/// The word `priority`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PriorityWord {
    /// Then its number
    Priority,
}

/// The word `image`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ImageWord {
    /// Then the file
    Image,
}

/// The word `config`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ConfigWord {
    /// Then the file
    Config,
}

/// The word `all`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum All {
    /// Everything
    All,
}

fn priority(text: &str) -> Result<Priority, String> {
    let number = text.parse().ok().and_then(Priority::new);
    number.ok_or_else(|| "a number from 1 to 100 is wanted".to_owned())
}

fn at(text: &str) -> Result<At, String> {
    if text == "next" {
        return Ok(At::First);
    }
    priority(text).map(At::Priority).map_err(|wanted| format!("{wanted}, or next, for one below the first"))
}
