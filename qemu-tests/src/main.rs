//! `lab`: the demonstration, labs that are left up, the benchmark and the probe.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::error::LabError;

/// Labs of the redundancy pair: two chassis, routers, a client, and probes that measure.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start, planned switchover, power cut, return, cut and heal of the SRP link, each measured and judged.
    Demo(cli::demo::Demo),
    /// Switchovers, silent power cuts, false alarms and proofs: measure again and again, and print; judges nothing.
    Bench(cli::bench::Bench),
    /// Bring a lab up from a topology file, and leave it up.
    Up(cli::up::Up),
    /// Run a scenario in the lab that is up, under probes.
    Run(cli::run::Run),
    /// Make a page with pictures of all that was run.
    Report(cli::report::MakeReport),
    /// Say how the lab stands.
    Status(cli::up::Folder),
    /// End the lab that is up.
    Down(cli::up::Folder),
    /// Hold a lab; started by `lab up`.
    #[command(hide = true)]
    Hold(cli::up::Up),
    /// Serve a lab's commands inside a machine, over its serial port; started by the image.
    #[command(hide = true)]
    Agent,
    /// Write what the kernel tells of routes and links; started by the lab in routers that are machines.
    #[command(hide = true)]
    Observe,
    /// Make the kernel of this namespace follow the best paths of its GoBGP; started by the lab.
    #[command(hide = true)]
    FollowGobgp,
    /// The probe by itself: one UDP packet per millisecond each way.
    #[command(subcommand)]
    Probe(cli::probe::Probe),
}

fn agent() -> Result<ExitCode, LabError> {
    lab::vm::agent::serve()
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| LabError::Answer { command: "lab agent".to_owned(), reason: error.to_string() })
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(demo) => cli::demo::run(&demo),
        Command::Bench(bench) => cli::bench::run(&bench),
        Command::Up(up) => cli::up::up(&up),
        Command::Run(run) => cli::run::run(&run),
        Command::Report(report) => cli::report::run(&report),
        Command::Status(folder) => cli::up::status(&folder),
        Command::Down(folder) => cli::up::down(&folder),
        Command::Hold(up) => cli::up::hold(&up),
        Command::Agent => agent(),
        Command::Observe => lab::observe::inside::tell().map(|()| ExitCode::SUCCESS),
        Command::FollowGobgp => lab::gobgp::follow::run().map(|()| ExitCode::SUCCESS),
        Command::Probe(probe) => cli::probe::run(&probe),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::from(2)
        }
    }
}
