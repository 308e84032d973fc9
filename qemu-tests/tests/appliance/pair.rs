//! Two appliances beside FRR, from the cold start of both at once on: what the demonstration of namespaces shows, shown of the
//! product as it is delivered.

use std::fs;
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
use lab::scenario::{faults, steps};
use lab::topology::Topology;
use lab::vm::{Factory, Machine};
use serde_json::Value;

use crate::prepared::{Prepared, done};

const LIMIT: Duration = Duration::from_mins(2);
/// A VLAN on the card of the SRP link.
const VLAN: &str = "eth0.7";

/// A pair that runs.
pub struct Site {
    pub lab: Lab,
    pub settings: Settings,
    factory: Factory,
}

impl Site {
    pub fn start(out: &Path) -> Self {
        Self::start_with(out, &mut |_, _| Ok(()))
    }

    /// `prepare` as of [`Disks::make`].
    pub fn start_with(out: &Path, prepare: &mut dyn FnMut(&str, &Path) -> Result<(), LabError>) -> Self {
        let prepared = Prepared::get();
        let topology = appliances::topology(Topology::pair());
        let configurations = ["east", "west"]
            .map(|name| {
                (name.to_owned(), pair::configuration(name, Kind::Appliance).expect("it is built in"))
            })
            .map(|(name, text)| (name, text.to_owned()))
            .into();
        let (works, built) = (&prepared.works, &prepared.built);
        let (factory, appliances) =
            done(appliances::pair(works, built, &topology, &configurations, out, prepare));
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

#[test]
fn a_pair_of_appliances_starts_at_once_and_hands_over_without_a_lost_probe() {
    let out = tempfile::tempdir().expect("a folder");
    let site = Site::start(out.path());
    site.print_start("east");
    site.print_start("west");
    let mut stage = done(Stage::new(&site.lab, site.settings.clone()));
    for (number, act) in (1..).zip(steps::ALL) {
        let step = done((act.run)(&mut stage));
        print!("{}", report::text::step(number, &step));
        assert!(step.passed);
    }
}

#[test]
fn a_bad_srp_link_takes_nothing_over_and_a_chassis_whose_disk_goes_serves_on_and_hands_over() {
    let out = tempfile::tempdir().expect("a folder");
    let site = Site::start_with(out.path(), &mut |_, flash| {
        srp_link_in_a_vlan(flash);
        Ok(())
    });
    let mut stage = done(Stage::new(&site.lab, site.settings.clone()));
    let shown = |number, step: Result<Step, LabError>| {
        let step = done(step);
        print!("{}", report::text::step(number, &step));
        assert!(step.passed);
    };
    shown(1, steps::start(&mut stage));
    for name in stage.names() {
        srp_link_is_in_a_vlan(&site.machine(&name));
    }
    let bad = faults::Impairment { delay_ms: 100, loss_percent: 5 };
    shown(2, faults::impaired_srp_link(&mut stage, bad, 60_000));
    let [mut serving, mut waiting] = stage.names();
    let swap = |stage: &mut Stage<'_>, serving: &mut String, waiting: &mut String| {
        let step = steps::planned(stage, "planned-switchover", serving, waiting);
        std::mem::swap(serving, waiting);
        step
    };
    if done(steps::active(&stage)) != serving {
        std::mem::swap(&mut serving, &mut waiting);
    }
    shown(3, swap(&mut stage, &mut serving, &mut waiting));
    shown(4, faults::disk_pulled(&mut stage, &site.machine(&serving)));
    shown(5, swap(&mut stage, &mut serving, &mut waiting));
}

/// Takes the SRP link from the card into a VLAN on it, as an operator does.
fn srp_link_in_a_vlan(flash: &Path) {
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let file = flash.join(file);
        let text = fs::read_to_string(&file).expect("readable");
        let changed = change(text.clone());
        assert_ne!(text, changed);
        fs::write(&file, changed).expect("written");
    };
    change("srp/srpd.toml", &|text| text.replace("name = \"eth0\"", &format!("name = \"{VLAN}\"")));
    change("etc/system.conf", &|text| {
        format!("{text}link = set eth0 up\nlink = add link eth0 name {VLAN} type vlan id 7\n")
    });
}

/// The card has no IPv4 address, the VLAN on it has, and what came in by it came tagged.
fn srp_link_is_in_a_vlan(machine: &Machine) {
    let ip = |words: &str| -> Value {
        let shown = done(machine.run_ok(&Job::new("ip", words.split_whitespace()), LIMIT));
        serde_json::from_slice(&shown.stdout).expect("JSON")
    };
    let with_address = ip("-4 -j address show to 192.0.2.0/30");
    let names: Vec<_> =
        with_address.as_array().expect("links").iter().filter_map(|link| link["ifname"].as_str()).collect();
    assert_eq!(names, [VLAN]);
    let link = ip(&format!("-d -s -j link show dev {VLAN}"));
    assert_eq!(link.pointer("/0/linkinfo/info_data/id").and_then(Value::as_u64), Some(7), "{link}");
    assert!(link.pointer("/0/stats64/rx/packets").and_then(Value::as_u64) > Some(0), "{link}");
}
