//! `lab run`: one scenario in the lab that is up.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use lab::error::LabError;
use lab::keeper::talk::{self, Request};
use lab::scenario::catalogue;

use super::up::{Folder, show};

/// Arguments of `lab run`.
#[derive(Args)]
pub struct Run {
    /// The scenario's name; `--list` has them.
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// For `upgrade`: an image on this host, signed for the lab's appliances, with its signature beside it [default: the next release,
    /// which the lab has made].
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// List the scenarios.
    #[arg(long)]
    list: bool,
    /// Print each step as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    folder: Folder,
}

/// Runs it.
pub fn run(arguments: &Run) -> Result<ExitCode, LabError> {
    let Some(name) = arguments.scenario.as_ref().filter(|_| !arguments.list) else {
        for scenario in &catalogue::ALL {
            println!("{:<20} {}", scenario.name, scenario.says);
        }
        return Ok(ExitCode::SUCCESS);
    };
    // A name that is wrong is wrong also without a lab.
    catalogue::find(name)?;
    let image =
        arguments.image.as_ref().map(|file| file.canonicalize().map_err(LabError::file("reading", file)));
    let request = Request::Run { scenario: name.clone(), image: image.transpose()? };
    let passed = talk::ask(&arguments.folder.folder, &request, |reply| show(reply, arguments.json))?;
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
