//! `lab bench`: what the pair takes, again and again. It prints; it judges nothing.
//!
//! Without a part named all of them run, with few repetitions; a part named runs alone. The long runs behind published
//! figures: `--silent --runs 50`, `--false-alarms --minutes 10`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use lab::bench::{Figures, alarms, proofs, silent, switchovers, text};
use lab::cleanup;
use lab::error::LabError;
use lab::folder;
use lab::interrupt;
use lab::lab::Lab;
use lab::machines::Built;
use lab::node::Kind;
use lab::topology::{Topology, Watch};
use lab::variant::LinkTimers;

use super::demo::Places;

/// Hello, dead interval and BFD with the peer where none is named: the recommended fast setting, the same with BFD as its
/// faster detector, and the setting for machines on which it was measured.
const TIMERS: [(&str, &str, Option<&str>); 3] =
    [("50ms", "150ms", None), ("50ms", "150ms", Some("20ms")), ("10ms", "30ms", None)];
/// Hold time of routers that watch by nothing else, seconds: the least that BGP allows.
const HOLD: u16 = 3;
/// Packets in a row that routers miss before they give a chassis up.
const MULTIPLIER: u8 = 3;

/// Arguments of `lab bench`.
#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part to run, not a state")]
pub struct Bench {
    #[command(flatten)]
    places: Places,
    /// Only: planned switchovers and power cuts, on links that lose their carrier.
    #[arg(long)]
    switchovers: bool,
    /// Only: power cuts in silence, behind bridges.
    #[arg(long)]
    silent: bool,
    /// Only: what happens on a busy machine although nothing happened.
    #[arg(long)]
    false_alarms: bool,
    /// Only: model checker, simulator and stopwatch of the core, run by cargo.
    #[arg(long)]
    proofs: bool,
    /// Planned switchovers.
    #[arg(long, default_value_t = 10)]
    planned: u32,
    /// Power cuts that routers see at once.
    #[arg(long, default_value_t = 10)]
    power: u32,
    /// Power cuts in silence.
    #[arg(long, default_value_t = 20)]
    runs: u32,
    /// Time between Hellos, like 50ms; by default 50ms, and then 10ms.
    #[arg(long, requires = "dead")]
    hello: Option<String>,
    /// Silence after which the peer is dead, like 150ms.
    #[arg(long, requires = "hello")]
    dead: Option<String>,
    /// Time between packets of BFD with the peer chassis, like 20ms, as a faster detector beside the Hellos.
    #[arg(long, requires = "hello")]
    peer_bfd: Option<String>,
    /// How routers notice a silent death.
    #[arg(long, value_enum, default_value_t = By::Bfd)]
    watch: By,
    /// Between two BFD packets, ms, both ways; 3 in a row may be missing.
    #[arg(long, default_value_t = 50)]
    bfd_interval: u16,
    /// How long to wait for false alarms, for each pair of timers.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Busy loops beside the wait for false alarms.
    #[arg(long, default_value_t = 4)]
    busy: usize,
    /// Cuts of the SRP link to measure the dead timer by, idle and again busy.
    #[arg(long, default_value_t = 20)]
    cuts: u32,
}

/// How routers watch the chassis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// BFD.
    Bfd,
    /// BGP's hold time of 3 s.
    HoldTime,
}

/// Runs the benchmark.
pub fn run(arguments: &Bench) -> Result<ExitCode, LabError> {
    interrupt::install();
    cleanup::on_abort();
    let out = arguments.places.out();
    let _claim = folder::claim(out)?;
    let mut figures = Figures::none();
    let measured = measure(arguments, out, &mut figures);
    // What was found before something failed is worth as much as without the failure.
    print!("\n{}", text::table(&figures));
    write(&figures, out)?;
    measured.map(|()| ExitCode::SUCCESS)
}

fn measure(arguments: &Bench, out: &Path, figures: &mut Figures) -> Result<(), LabError> {
    let chosen = [arguments.switchovers, arguments.silent, arguments.false_alarms, arguments.proofs];
    let wanted = |part: usize| chosen.iter().all(|named| !named) || chosen[part];
    let mut said = |line: String| println!("{line}");
    if wanted(0) {
        figures.switchovers = Some(of_switchovers(arguments, out, &mut said)?);
    }
    for timers in arguments.timers() {
        if wanted(1) {
            said(format!("silent power cuts, {timers}"));
            let (lab, settings) = arguments.silent_lab(&out.join(named("silent", &timers)), &timers)?;
            figures.silent.push(silent::run(&lab, settings, &timers, arguments.runs, &mut said)?);
        }
        if wanted(2) {
            said(format!("false alarms, {timers}"));
            let (lab, settings) = arguments.silent_lab(&out.join(named("false-alarms", &timers)), &timers)?;
            let order = alarms::Order {
                time: Duration::from_mins(arguments.minutes),
                busy: arguments.busy,
                cuts: arguments.cuts,
            };
            figures.alarms.push(alarms::run(&lab, settings, &timers, order, &mut said)?);
        }
    }
    if wanted(3) {
        let here = std::env::current_dir().map_err(LabError::file("finding", Path::new(".")))?;
        for proof in &proofs::ALL {
            interrupt::check()?;
            said(proof.command());
            figures.proofs.push(proof.run(&here)?);
        }
    }
    Ok(())
}

impl Bench {
    fn timers(&self) -> Vec<LinkTimers> {
        let timers = |hello: &str, dead: &str, bfd: Option<&str>| {
            let timers = LinkTimers::new(hello, dead);
            bfd.map_or(timers.clone(), |interval| timers.with_bfd(interval))
        };
        match (&self.hello, &self.dead) {
            (Some(hello), Some(dead)) => vec![timers(hello, dead, self.peer_bfd.as_deref())],
            (Some(_) | None, _) => TIMERS.map(|(hello, dead, bfd)| timers(hello, dead, bfd)).to_vec(),
        }
    }

    fn silent_lab(
        &self,
        out: &Path,
        timers: &LinkTimers,
    ) -> Result<(Lab, lab::scenario::stage::Settings), LabError> {
        let watch = match self.watch {
            By::Bfd => Watch::Bfd { interval_ms: self.bfd_interval, multiplier: MULTIPLIER },
            By::HoldTime => Watch::HoldTime { seconds: HOLD },
        };
        let topology = Topology::silent_pair(watch);
        let (plan, settings) = self.places.plan(topology, Kind::Namespace, Some(timers), out)?;
        Ok((Lab::build(plan, None)?, settings))
    }
}

fn of_switchovers(
    arguments: &Bench,
    out: &Path,
    said: &mut dyn FnMut(String),
) -> Result<switchovers::Switchovers, LabError> {
    let out = out.join("switchovers");
    let (plan, settings) = arguments.places.plan(Topology::pair(), Kind::Namespace, None, &out)?;
    let built = Built::of(Path::new("")).program("srpd");
    let srpd = built.map_or_else(|_| plan.programs.srpd.clone(), |program| program.file);
    let lab = Lab::build(plan, None)?;
    switchovers::run(&lab, settings, &srpd, arguments.planned, arguments.power, said)
}

fn named(part: &str, timers: &LinkTimers) -> PathBuf {
    PathBuf::from(format!("{part} {timers}").replace(' ', "-"))
}

fn write(figures: &Figures, out: &Path) -> Result<(), LabError> {
    let path = out.join("bench.json");
    let text = serde_json::to_string_pretty(figures)
        .map_err(|error| LabError::Answer { command: "the figures".to_owned(), reason: error.to_string() })?;
    std::fs::write(&path, text + "\n").map_err(LabError::file("writing", &path))?;
    println!("\nbench.json and all logs are in {}", out.display());
    Ok(())
}
