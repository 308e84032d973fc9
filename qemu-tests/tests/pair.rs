//! The pair in its lab: the scenario of the demonstration, as a test. What must hold is checked; no time is.

mod support;

use std::path::Path;

use lab::clock::Time;
use lab::lab::Machines;
use lab::machines::{Built, repository};
use lab::node::Job;
use lab::probe::gaps::Outcome;
use lab::routing::Software;
use lab::scenario::stage::{LIMIT, Stage};
use lab::scenario::{measure, steps};
use lab::topology::Topology;
use lab::vm::Factory;
use lab::{machines, report, scenario};
use srp_core::types::ChassisState;
use support::build;

fn demonstrate(topology: Topology, machines: Option<&dyn Machines>) {
    demonstrate_only(&steps::ALL, topology, machines);
}

fn demonstrate_only(acts: &[steps::Act], topology: Topology, machines: Option<&dyn Machines>) {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(topology, out.path(), machines);
    let mut number = 0;
    let report = scenario::demo(&lab, settings, acts, &mut |_, step| {
        number += 1;
        print!("{}", report::text::step(number, step));
    })
    .expect("runs");
    report::json::write(&report, &out.path().join("report.json")).expect("writes");
    report::svg::write(&report, out.path()).expect("draws");
    assert!(report.passed, "{}", report::text::verdict(&report));
}

#[test]
fn the_whole_demonstration_passes_on_namespaces() {
    demonstrate(Topology::pair(), None);
}

#[test]
fn the_whole_demonstration_passes_with_routers_that_run_bird() {
    demonstrate(Topology::pair().with_routers(Software::Bird), None);
}

#[test]
fn the_whole_demonstration_passes_with_routers_that_run_gobgp() {
    demonstrate(Topology::pair().with_routers(Software::GoBgp), None);
}

#[test]
fn the_whole_demonstration_passes_on_machines() {
    let built = Built::anew(repository()).unwrap_or_else(|error| panic!("{error}"));
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pair-image");
    let (factory, said) = machines::factory(&built, &image).expect("the image is built");
    println!("{said}");
    demonstrate(Topology::pair(), Some(&factory));
}

#[test]
fn switchovers_and_a_power_cut_pass_with_routers_on_machines() {
    let built = Built::anew(repository()).unwrap_or_else(|error| panic!("{error}"));
    let image = Path::new(env!("CARGO_TARGET_TMPDIR")).join("router-image");
    let parts = machines::router(&built, &image).expect("the image is built");
    println!("{}", parts.choice);
    // An emulated vtysh takes its time: what needs many questions is for the others.
    demonstrate_only(&steps::ALL[..4], Topology::pair(), Some(&Factory::of_routers(parts)));
}

#[test]
fn an_active_that_is_told_to_stop_hands_over_without_loss() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair(), out.path(), None);
    let mut stage = Stage::new(&lab, settings).expect("a stage");
    let started = steps::start(&mut stage).expect("starts");
    assert!(started.passed, "{}", report::text::step(1, &started));

    let measured =
        measure::step(&mut stage, "stop", "SIGTERM of the Active", "SIGTERM", |stage, notes, probe| {
            let zero = Time::now();
            notes.did(zero, "srpd-stopped", "east");
            stage.srpd("east")?.terminate()?;
            stage.until_routes_lead_to("west")?;
            stage.srpd("east")?.stop()?;
            stage.forget("east");
            probe.flows(500, Some("west"), LIMIT)?;
            Ok(zero)
        })
        .expect("is measured");
    let text = report::text::step(2, &measured.step);
    let lost: usize = measured.outcomes.iter().map(Outcome::lost).sum();
    // The host may drop some, when something else fills its queues.
    assert!(u64::try_from(lost).is_ok_and(|lost| lost <= measured.step.host_dropped), "{lost} lost: {text}");
    assert_eq!(measured.views["west"].state, ChassisState::Active, "{text}");

    // What is ours is gone from the kernel of the chassis that stopped.
    let east = lab.chassis("east").expect("is there");
    for words in [&["address", "show", "dev", "lo"][..], &["route", "show", "table", "all"]] {
        for family in ["-4", "-6"] {
            let args = [&[family], words].concat();
            let text = east.run_ok(&Job::new("ip", args), LIMIT).expect("ip runs").text();
            for service in &lab.topology.services {
                assert!(!text.contains(&service.ip().to_string()), "{service} is still there:\n{text}");
            }
        }
    }
}
