//! A pair whose AAA servers die: the switchover, and the chassis that stays.

use lab::netns::{Netns, next_prefix};
use srp_core::api::{MonitorFailure, Request, Response};
use srp_core::types::ChassisState;

use super::freeradius::{ACCESS, freeradius};
use super::{secret, servers, shown};
use crate::support::{Daemon, Keys, Pair, Place};

/// Address of the AAA server, on a loopback of a namespace that each chassis reaches by a wire of its own.
const AAA: &str = "10.9.0.1";

/// Failures count at once.
const UNDAMPED: &str = "
[srp.guard-timer.aaa-switchover-timers]
guard-period = \"0s\"

[srp.guard-timer.srp-redundancy-timers.aaa]
guard-period = \"0s\"
";

/// A pair and a network with the server in it.
struct Scene {
    pair: Pair,
    network: Place,
}

impl Scene {
    fn new() -> Self {
        let pair = Pair::new();
        let netns = Netns::create(format!("{}-aaa", next_prefix())).expect("a namespace (needs root)");
        let network = Place { netns, folder: pair.east.folder.clone(), name: "aaa" };
        network
            .netns
            .ip(&["link set lo up".into(), format!("addr add {AAA}/32 dev lo")])
            .expect("its address");
        for (place, wire, third) in [(&pair.east, "toeast", 1), (&pair.west, "towest", 2)] {
            let lines = [
                format!("link add {wire} type veth peer name aaa netns {}", place.netns.name()),
                format!("addr add 10.9.{third}.1/30 dev {wire}"),
                format!("link set {wire} up"),
            ];
            network.netns.ip(&lines).expect("a wire");
            let lines = [
                format!("addr add 10.9.{third}.2/30 dev aaa"),
                "link set aaa up".into(),
                format!("route add {AAA}/32 via 10.9.{third}.1"),
            ];
            place.netns.ip(&lines).expect("its end");
        }
        for (name, text) in [("password", "hello"), ("secret", "testing123")] {
            secret(&pair.east.folder, name, text);
        }
        Self { pair, network }
    }
}

/// A chassis that does not damp its failures.
fn start(place: &Place) -> Daemon {
    let server = format!(
        "[[srp.monitor.authentication-probe.server]]\ncontext = \"destination\"\naddress = \"{AAA}\"\n\
         secret-file = \"secret\"\n"
    );
    place.start(&place.configure(&Keys::None, &format!("{ACCESS}{server}{UNDAMPED}")))
}

fn failures(daemon: &Daemon) -> Vec<MonitorFailure> {
    match daemon.ask(&Request::ShowSrpMonitor) {
        Ok(Response::Monitors(monitors)) => monitors.failures,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mon_3_aaa_failure_switches_over_once_and_the_new_active_stays_until_it_is_reset() {
    let scene = Scene::new();
    let server = freeradius(&scene.network, 1812, "testing123");
    let (east, west) = (start(&scene.pair.east), start(&scene.pair.west));
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind the Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    shown("east's server is up", || servers(&east), |all| all[0].state == "Up");

    // East alone loses its way to the server.
    scene.network.netns.ip(&["link set toeast down".into()]).expect("the wire");
    let info = west.await_state(ChassisState::Active);
    east.await_state(ChassisState::Standby);
    assert_eq!(info.last_switch.map(|switch| switch.reason), Some(1), "AAA Failure");
    shown("west asks at once, and is answered", || servers(&west), |all| all[0].state == "Up");

    // West loses it too, and stays (non-revertible).
    drop(server);
    let failed = shown("west's failure", || failures(&west), |all| all.iter().any(|one| one.kind == "AAA"));
    assert!(failed.iter().any(|one| one.kind == "AAA" && one.disregarded.is_some()), "{failed:?}");
    assert_eq!(west.info().expect("it answers").chassis_state, ChassisState::Active);

    // One of the three ways out: an operator clears the failure, and the next one counts.
    let Ok(Response::MonitorReset(reset)) = west.ask(&Request::ResetAuthProbeFail) else { panic!("a reset") };
    assert!(reset.was_disregarded);
    let info = east.await_state(ChassisState::Active);
    assert_eq!(info.last_switch.map(|switch| switch.reason), Some(1));
    west.await_state(ChassisState::Standby);
}
