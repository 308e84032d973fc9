//! The lab without our daemon: FRR stands in for the chassis, and addresses are moved by hand. What is tested is the lab
//! itself: its routers, its power switch and its probes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lab::clock::Time;
use lab::frr::{Files, Frr, config};
use lab::lab::{Lab, Plan};
use lab::namespace::Programs;
use lab::node::{Job, Node};
use lab::probe::gaps::Outcome;
use lab::probe::run::{self, Running};
use lab::probe::send::Ask;
use lab::topology::Topology;
use lab::wait::{self, Seen};

const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

fn build(out: &Path) -> Lab {
    let none = PathBuf::from("/nonexistent");
    let programs = Programs { srpd: none.clone(), srpctl: none, lab: env!("CARGO_BIN_EXE_lab").into() };
    let plan = Plan { topology: Topology::pair(), out: out.to_owned(), programs };
    Lab::build(plan, None).expect("the lab comes up")
}

/// An FRR on each chassis that announces all services, and the services themselves where `serving`.
fn stand_in(lab: &Lab, chassis: &Arc<dyn Node>, prepends: u16) -> Frr {
    let bgpd = config::stand_in(&lab.topology, chassis.name(), prepends).expect("renders");
    Frr::start(Arc::clone(chassis), &Files { bgpd, bfdd: None }).expect("FRR starts")
}

fn serve(lab: &Lab, chassis: &dyn Node) {
    for v6 in [false, true] {
        let address = lab.topology.loopback(v6).expect("has one").to_string();
        let args = ["address", "add", &address, "dev", "lo", "nodad"];
        let args = if v6 { &args[..] } else { &args[..5] };
        chassis.run_ok(&Job::new("ip", args.iter().copied()), LIMIT).expect("address is added");
    }
}

fn prefer(lab: &Lab, chassis: &str) {
    for router in &lab.routers {
        let name = router.node.name();
        for service in &lab.topology.services {
            let wanted: Vec<_> =
                lab.topology.neighbors(name).into_iter().filter(|n| n.node == chassis).collect();
            wait::until(&format!("{name} to prefer {chassis} for {service}"), LIMIT, LOOK, || {
                let paths = router.routing.paths(service)?;
                let good = paths.best().is_some_and(|best| wanted.iter().any(|n| n.address == best.peer));
                Ok(if good { Seen::Done(()) } else { Seen::NotYet(format!("{paths:?}")) })
            })
            .expect("prefers");
        }
    }
}

#[test]
fn the_probe_measures_a_takeover_between_two_stand_ins() {
    let out = tempfile::tempdir().expect("a folder");
    let lab = build(out.path());
    let loopbacks = [false, true].map(|v6| lab.topology.loopback(v6).expect("has one"));
    let _frr: Vec<Frr> = lab.chassis.iter().zip([1, 2]).map(|(node, n)| stand_in(&lab, node, n)).collect();
    for node in &lab.chassis {
        run::respond(node.as_ref(), &loopbacks).expect("responds");
        serve(&lab, node.as_ref());
    }
    prefer(&lab, "east");

    let probe = Running::start(&lab, "takeover", Ask::Responder).expect("starts");
    probe.flows(500, Some("east"), LIMIT).expect("flows by east");
    let steady = Time::now();
    let begins = lab.chassis("east").expect("is there").power_off().expect("goes off");
    let off = Time::now();
    probe.flows(500, Some("west"), LIMIT).expect("flows by west");
    prefer(&lab, "west");
    let mut record = probe.stop().expect("leaves a record");
    record.forget_before(steady);

    assert_eq!(record.streams.len(), 3);
    for stream in &record.streams {
        let outcome = Outcome::of(stream, &record);
        println!("{}: {outcome:?}", stream.name);
        let outage = outcome.outage.expect("a power cut loses packets");
        // The links go while `power_off` runs: a packet sent after it began may still get through.
        let around = outage.from <= off && begins <= outage.to;
        assert!(around, "{}: {outage:?} does not meet the power cut, {begins} to {off}", stream.name);
        assert!(outcome.lost() > 0 && outcome.lost() < outcome.sent);
        let who: Vec<_> = outcome.answered_by.iter().map(|change| change.to.as_str()).collect();
        assert_eq!(who, ["east", "west"], "{}", stream.name);
    }
}

#[test]
fn a_chassis_that_comes_back_is_bare() {
    let out = tempfile::tempdir().expect("a folder");
    let lab = build(out.path());
    let east = lab.chassis("east").expect("is there");
    serve(&lab, east.as_ref());
    assert!(addresses(east.as_ref()).contains("203.0.113.1"));
    let sleep = east.spawn(&Job::new("sleep", ["600"])).expect("starts");

    east.power_off().expect("goes off");
    assert!(!east.is_on() && !east.is_running(sleep).expect("is known"));
    let refused = east.run(&Job::new("true", [""; 0]), LIMIT).expect_err("no power").to_string();
    assert!(refused.contains("powered off"), "{refused}");
    east.power_on().expect("comes back");
    let addresses = addresses(east.as_ref());
    assert!(!addresses.contains("203.0.113.1") && !addresses.contains("2001:db8:113::1"), "{addresses}");
    for own in ["192.0.2.1/30", "10.1.1.1/30", "2001:db8:1:1::1/64"] {
        assert!(addresses.contains(own), "no {own} in {addresses}");
    }
}

#[test]
fn nothing_is_left_behind_by_a_panic() {
    let out = tempfile::tempdir().expect("a folder");
    let path = out.path().to_owned();
    let result = std::thread::spawn(move || {
        let lab = build(&path);
        let name = lab.client.netns().name().to_owned();
        std::panic::panic_any(name);
    })
    .join();
    let name = *result.expect_err("panicked").downcast::<String>().expect("the name");
    assert!(!Path::new("/run/netns").join(&name).exists(), "{name} is still there");
}

fn addresses(node: &dyn Node) -> String {
    node.run_ok(&Job::new("ip", ["address"]), LIMIT).expect("ip runs").text()
}
