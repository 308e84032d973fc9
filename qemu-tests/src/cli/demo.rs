//! `lab demo`: the scenario from start to heal, with its report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use lab::appliances;
use lab::cleanup;
use lab::error::LabError;
use lab::folder;
use lab::interrupt;
use lab::lab::{Lab, Machines, Plan};
use lab::look;
use lab::machines::{self, Built};
use lab::namespace::Programs;
use lab::node::Kind;
use lab::pair;
use lab::report::{self, Report};
use lab::routing::Software;
use lab::scenario::{self, stage::Settings, steps, upgrade};
use lab::topology::Topology;
use lab::variant::{self, LinkTimers};

/// Where the programs and the files of a lab are.
#[derive(Args)]
pub struct Places {
    /// Folder for everything that the lab writes.
    #[arg(long, default_value = "target/lab")]
    out: PathBuf,
    /// `srpd`; by default the one beside this program.
    #[arg(long)]
    srpd: Option<PathBuf>,
    /// `srpctl`; by default the one beside this program.
    #[arg(long)]
    srpctl: Option<PathBuf>,
    /// Folder with a `NAME.toml` per chassis, instead of the built-in ones.
    #[arg(long)]
    configurations: Option<PathBuf>,
}

/// Arguments of `lab demo`.
#[derive(Args)]
pub struct Demo {
    #[command(flatten)]
    places: Places,
    /// Chassis as QEMU machines instead of namespaces.
    #[arg(long)]
    vm: bool,
    /// Chassis as appliances, which start from their own disks: start, upgrade of both to the next release, way back.
    #[arg(long, conflicts_with = "vm")]
    upgrade: bool,
    /// What the routers run.
    #[arg(long, value_enum, default_value_t = Software::Frr)]
    routers: Software,
    /// Leave the lab up at the end, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

impl Places {
    /// Folder for everything that the lab writes.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// The plan of a lab of `topology` in the folder `out`, and what the scenario needs.
    pub fn plan(
        &self,
        topology: Topology,
        kind: Kind,
        timers: Option<&LinkTimers>,
        out: &Path,
    ) -> Result<(Plan, Settings), LabError> {
        let own = std::env::current_exe().map_err(LabError::file("finding", Path::new("lab")))?;
        let programs = Programs {
            srpd: program(self.srpd.as_deref(), &own, "srpd")?,
            srpctl: program(self.srpctl.as_deref(), &own, "srpctl")?,
            lab: own,
        };
        let mut configurations = BTreeMap::new();
        for chassis in topology.chassis() {
            let text = match &self.configurations {
                Some(folder) => {
                    let path = folder.join(format!("{chassis}.toml"));
                    std::fs::read_to_string(&path).map_err(LabError::file("reading", &path))?
                }
                None => pair::configuration(chassis, kind).unwrap_or_default().to_owned(),
            };
            let text = variant::fitted(&text, &topology, timers)?;
            configurations.insert(chassis.to_owned(), text);
        }
        let srpctl = programs.srpctl.clone();
        let settings = Settings { srpctl, configurations, leave_running: false, appliances: None };
        Ok((Plan { topology, out: out.to_owned(), programs }, settings))
    }
}

/// Runs the demonstration.
pub fn run(arguments: &Demo) -> Result<ExitCode, LabError> {
    interrupt::install();
    cleanup::on_abort();
    let topology = Topology::pair().with_routers(arguments.routers);
    let (kind, topology, acts) = match (arguments.vm, arguments.upgrade) {
        (false, false) => (Kind::Namespace, topology, &steps::ALL[..]),
        (true, _) => (Kind::Machine, topology, &steps::ALL[..]),
        (false, true) => (Kind::Appliance, appliances::topology(topology), &upgrade::ALL[..]),
    };
    let places = &arguments.places;
    let (plan, mut settings) = places.plan(topology, kind, None, &places.out)?;
    settings.leave_running = arguments.keep || kind == Kind::Appliance;
    let _claim = folder::claim(&plan.out)?;
    let built = Built::of(Path::new(""));
    let made =
        machines::made(kind, Kind::Namespace, &built, &plan.topology, &settings.configurations, &plan.out)?;
    if let Some(said) = made.said {
        println!("{said}");
    }
    settings.appliances = made.appliances;
    let lab = Lab::build(plan, made.factory.as_ref().map(|factory| factory as &dyn Machines))?;
    let mut number = 0;
    let report = scenario::demo(&lab, settings, acts, &mut |report, step| {
        if number == 0 {
            print!("{}", report::text::header(report));
        }
        number += 1;
        print!("{}", report::text::step(number, step));
    })?;
    write(&report, &lab.out)?;
    print!("{}", report::text::verdict(&report));
    println!("report.html, report.json, a picture per step and all logs are in {}", lab.out.display());
    if arguments.keep {
        look_around(&lab, &report)?;
    }
    Ok(if report.passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the report in all its forms.
pub fn write(report: &Report, out: &Path) -> Result<(), LabError> {
    report::json::write(report, &out.join("report.json"))?;
    let page = out.join("report.html");
    std::fs::write(&page, report::html::page(report)).map_err(LabError::file("writing", &page))?;
    report::svg::write(report, out)
}

/// Tells how to look around, and waits for the interrupt that ends the lab.
fn look_around(lab: &Lab, report: &Report) -> Result<(), LabError> {
    let preferred = report.steps.last().and_then(|step| step.preferences.first()?.chassis.clone());
    let chassis = match preferred {
        Some(active) => lab.chassis(&active)?,
        None => lab.chassis.first().ok_or_else(|| LabError::Topology {
            topology: lab.topology.name.clone(),
            reason: "no chassis to look at".to_owned(),
        })?,
    };
    println!("\nThe lab is up until Ctrl-C. To look around, in another terminal as root:");
    for command in look::commands(lab, chassis.as_ref())? {
        println!("  {command}");
    }
    while !interrupt::came() {
        // A period between looks at the flag; nothing else is waited for.
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// One of our programs: as named, or the one beside our own.
pub fn program(named: Option<&Path>, own: &Path, name: &str) -> Result<PathBuf, LabError> {
    let path = named.map_or_else(|| own.with_file_name(name), Path::to_owned);
    path.canonicalize().map_err(|_| LabError::ToolMissing {
        tool: path.display().to_string(),
        remedy: format!("cargo build -p {name}, or name it with --{name}"),
    })
}
