//! `lab report`: one page with pictures out of a report.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use lab::error::LabError;
use lab::report;

use super::up::Folder;

/// Arguments of `lab report`.
#[derive(Args)]
pub struct MakeReport {
    #[command(flatten)]
    folder: Folder,
    /// Where to write the page [default: report.html in the folder].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the page. The lab may be up or down; `lab demo --out DIR` leaves such a folder too.
pub fn run(arguments: &MakeReport) -> Result<ExitCode, LabError> {
    let folder = &arguments.folder.folder;
    let path = folder.join("report.json");
    if !path.exists() {
        return Err(LabError::Refused {
            reason: format!("no lab has left a report in {}", folder.display()),
            remedy: "`lab up TOPOLOGY.toml` makes one, `lab run` adds to it".to_owned(),
        });
    }
    let read = report::json::read(&path)?;
    let page = arguments.out.clone().unwrap_or_else(|| folder.join("report.html"));
    std::fs::write(&page, report::html::page(&read)).map_err(LabError::file("writing", &page))?;
    println!("{} steps, {}", read.steps.len(), if read.passed { "all passed" } else { "not all passed" });
    println!("{}", page.display());
    Ok(ExitCode::SUCCESS)
}
