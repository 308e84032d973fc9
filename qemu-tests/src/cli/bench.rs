//! `lab bench`: planned switchovers and power cuts again and again, and what they took. It prints; it judges nothing.

use std::process::ExitCode;

use clap::Args;
use lab::cleanup;
use lab::error::LabError;
use lab::interrupt;
use lab::lab::Lab;
use lab::machines;
use lab::scenario::bench::{self, Figures};

use super::demo::{Places, target};
use super::folder;

/// Arguments of `lab bench`.
#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    places: Places,
    /// Planned switchovers.
    #[arg(long, default_value_t = 20)]
    planned: u32,
    /// Power cuts.
    #[arg(long, default_value_t = 20)]
    power: u32,
}

/// Runs the benchmark.
pub fn run(arguments: &Bench) -> Result<ExitCode, LabError> {
    interrupt::install();
    cleanup::on_abort();
    let (plan, settings) = arguments.places.plan(false)?;
    folder::empty(&plan.out)?;
    let built = target().join(machines::STATIC).join("srpd");
    let srpd = if built.exists() { built } else { plan.programs.srpd.clone() };
    let lab = Lab::build(plan, None)?;
    let figures = bench::run(&lab, settings, &srpd, arguments.planned, arguments.power, &mut |line| {
        println!("{line}");
    })?;
    print!("\n{}", figures.table());
    write(&figures, &lab)?;
    Ok(ExitCode::SUCCESS)
}

fn write(figures: &Figures, lab: &Lab) -> Result<(), LabError> {
    let path = lab.out.join("bench.json");
    let text = serde_json::to_string_pretty(figures)
        .map_err(|error| LabError::Answer { command: "the figures".to_owned(), reason: error.to_string() })?;
    std::fs::write(&path, text + "\n").map_err(LabError::file("writing", &path))?;
    println!("bench.json and all logs are in {}", lab.out.display());
    Ok(())
}
