//! `image build`: makes the development image and says how large it became.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use image::{Compression, Image, ImageError, Program, Recipe};

/// Builder of the development image.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build kernel and initramfs from Debian's packages and our static programs.
    Build {
        /// Folder for vmlinuz, initramfs and manifest.json.
        #[arg(long)]
        out: PathBuf,
        /// The static srpd (see scripts/build-static).
        #[arg(long)]
        srpd: PathBuf,
        /// The static srpctl.
        #[arg(long)]
        srpctl: PathBuf,
        /// The static lab program, for images that a lab commands.
        #[arg(long)]
        lab: Option<PathBuf>,
        /// How the initramfs is packed.
        #[arg(long, value_enum, default_value_t)]
        compression: Compression,
        /// Folder in which packages are kept between builds.
        #[arg(long, default_value = "target/image-cache")]
        cache: PathBuf,
    },
}

fn main() -> ExitCode {
    let Command::Build { out, srpd, srpctl, lab, compression, cache } = Arguments::parse().command;
    let program = |name: &str, file: PathBuf| Program { name: name.to_owned(), file };
    let mut programs = vec![program("srpd", srpd), program("srpctl", srpctl)];
    programs.extend(lab.map(|file| program("lab", file)));
    match image::build(&Recipe { programs, compression, cache, out }) {
        Ok(image) => {
            report(&image);
            ExitCode::SUCCESS
        }
        Err(error) => {
            fail(&error);
            ExitCode::FAILURE
        }
    }
}

fn report(image: &Image) {
    let manifest = &image.manifest;
    println!("kernel {}", manifest.kernel_release);
    let row = |octets: usize, what: &str| println!("{octets:>12}  {what}");
    row(manifest.kernel.octets, &image.kernel.display().to_string());
    row(manifest.initramfs.octets, &image.initramfs.display().to_string());
    row(manifest.unpacked_octets, "the same, unpacked");
    for (name, facts) in &manifest.programs {
        row(facts.octets, &format!("of which {name}"));
    }
}

fn fail(error: &ImageError) {
    eprintln!("image: {error}");
}
