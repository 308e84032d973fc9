//! Two appliances beside FRR, from the cold start of both at once on: what the demonstration of namespaces shows, shown of the
//! product as it is delivered.

use std::path::Path;
use std::time::Duration;

use lab::appliances;
use lab::error::LabError;
use lab::lab::{Lab, Plan};
use lab::namespace::Programs;
use lab::node::{Job, Kind, Node};
use lab::pair;
use lab::report::{self, Step};
use lab::scenario::stage::{Settings, Stage};
use lab::scenario::{faults, hosts, steps};
use lab::topology::Topology;
use lab::vm::{Factory, Machine};
use serde_json::Value;

use crate::prepared::{Prepared, done};

const LIMIT: Duration = Duration::from_mins(2);
/// On the cards of the SRP link and of the way to r2, on which fewer probes go than to r1.
const SRP_VLAN: u16 = 7;
const ROUTER_VLAN: u16 = 8;

/// A pair that runs.
pub struct Site {
    pub lab: Lab,
    pub settings: Settings,
    factory: Factory,
}

impl Site {
    /// The chassis of `topology` are started.
    pub fn start(out: &Path, topology: Topology) -> Self {
        let prepared = Prepared::get();
        let topology = appliances::topology(topology);
        let configurations = ["east", "west"]
            .map(|name| {
                (name.to_owned(), pair::configuration(name, Kind::Appliance).expect("it is built in"))
            })
            .map(|(name, text)| (name, text.to_owned()))
            .into();
        let (works, built) = (&prepared.works, &prepared.built);
        let (factory, appliances) = done(appliances::pair(works, built, &topology, &configurations, out));
        let [srpd, srpctl] = done(built.programs(["srpd", "srpctl"])).map(|program| program.file);
        let programs = Programs { srpd, srpctl: srpctl.clone(), lab: env!("CARGO_BIN_EXE_lab").into() };
        let settings = Settings { srpctl, configurations, leave_running: true, appliances: Some(appliances) };
        let plan = Plan { topology, out: out.to_owned(), programs };
        let lab = done(Lab::build(plan, Some(&factory)));
        Self { lab, settings, factory }
    }

    pub fn machine(&self, name: &str) -> std::sync::Arc<Machine> {
        self.factory.machine(name).expect("it was made")
    }

    /// Seconds from the start of QEMU to each stage of a chassis' start, by the console and by what `srpd` noted.
    fn print_start(&self, name: &str) {
        let machine = self.machine(name);
        let since = |at| machine.since_start(at).expect("it is on").as_secs_f64();
        let said = |word: &str| since(done(machine.when(word, LIMIT)));
        println!("{name}: seconds after the start of QEMU");
        for word in ["srp: loader", "srp: kernel", "srpd ready after"] {
            println!("  {:6.1}  {word}", said(word));
        }
        let ahead = done(machine.clock_ahead());
        let events = done(machine.run_ok(&Job::new("srpctl", ["--json", "show", "events"]), LIMIT));
        let events: Value = serde_json::from_slice(&events.stdout).expect("JSON");
        for event in events["events"].as_array().or(events.as_array()).expect("events") {
            let nanos = event["monotonic_us"].as_i64().expect("a time") * 1000 - ahead;
            let at = lab::clock::Time(u64::try_from(nanos).expect("since the host's start"));
            println!("  {:6.1}  {} {}", since(at), event["name"], event["text"]);
        }
    }
}

/// One start for everything: the way to r2, the SRP link and the host's subnet each on a card of their own, the first two in a VLAN.
#[test]
fn ch_16_appliances_with_hosts_and_vlans_go_through_every_step() {
    let out = tempfile::tempdir().expect("a folder");
    let topology = Topology::pair().with_host().with_vlan("west", SRP_VLAN).with_vlan("r2", ROUTER_VLAN);
    let site = Site::start(out.path(), topology);
    site.print_start("east");
    site.print_start("west");
    let mut stage = done(Stage::new(&site.lab, site.settings.clone()));
    let mut taken = 0;
    let mut shown = |step: Result<Step, LabError>| {
        let step = done(step);
        taken += 1;
        print!("{}", report::text::step(taken, &step));
        let failed: Vec<_> = step.checks.iter().filter(|check| !check.passed).collect();
        assert!(step.passed, "step {taken}, {}: {failed:?}", step.id);
    };

    for act in steps::ALL {
        let step = match act.id {
            "planned-switchover" | "planned-switchover-back" | "power-off" | "power-on" => {
                hosts::watched(&mut stage, act)
            }
            _ => (act.run)(&mut stage), // before there is an Active, or with two of them
        };
        shown(step);
    }
    stage.names().iter().for_each(|name| in_vlans(&site.machine(name)));
    let bad = faults::Impairment { delay_ms: 100, loss_percent: 5 };
    shown(faults::impaired_srp_link(&mut stage, bad, 60_000));
    shown(steps::planned_now(&mut stage));
    let serving = done(steps::active(&stage));
    shown(faults::disk_pulled(&mut stage, &site.machine(&serving)));
    shown(steps::planned_now(&mut stage));
}

/// The cards have no IPv4 address, the VLANs on them have, and what came in by them came tagged.
fn in_vlans(machine: &Machine) {
    let ip = |words: &str| -> Value {
        let shown = done(machine.run_ok(&Job::new("ip", words.split_whitespace()), LIMIT));
        serde_json::from_slice(&shown.stdout).expect("JSON")
    };
    for (card, id, prefix) in [("eth0", SRP_VLAN, "192.0.2.0/30"), ("eth2", ROUTER_VLAN, "10.0.0.0/8")] {
        let vlan = format!("{card}.{id}");
        let with_address = ip(&format!("-4 -j address show to {prefix}"));
        let names: Vec<_> = with_address
            .as_array()
            .expect("links")
            .iter()
            .filter_map(|link| link["ifname"].as_str())
            .collect();
        assert!(names.contains(&vlan.as_str()) && !names.contains(&card), "{names:?}");
        let link = ip(&format!("-d -s -j link show dev {vlan}"));
        assert_eq!(
            link.pointer("/0/linkinfo/info_data/id").and_then(Value::as_u64),
            Some(id.into()),
            "{link}"
        );
        assert!(link.pointer("/0/stats64/rx/packets").and_then(Value::as_u64) > Some(0), "{link}");
    }
}
