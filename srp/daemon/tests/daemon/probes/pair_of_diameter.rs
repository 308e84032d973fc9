//! A pair whose Diameter peer dies: the switchover, the chassis that stays, and the way out.

use lab::netns::{Netns, next_prefix};
use srp_core::api::{MonitorFailure, Request, Response};
use srp_core::types::ChassisState;

use super::{Server, freediameter, peers, shown};
use crate::support::{Daemon, Keys, Pair, Place};

/// Address of the peer. Each chassis reaches a freeDiameter of its own by it, as two sites of one service would be reached.
const PEER: &str = "10.9.0.1";

/// Failures count at once.
const MONITOR: &str = "
[[srp.monitor.diameter]]
context = \"destination\"
address = \"10.9.0.1\"
host = \"peer.example\"
origin-host = \"gateway.example\"
origin-realm = \"example\"
watchdog-interval = \"6s\"
reconnect-interval = \"1s\"

[srp.guard-timer.diameter-switchover-timers]
guard-period = \"0s\"

[srp.guard-timer.srp-redundancy-timers.diam]
guard-period = \"0s\"
";

/// The site of the service beside one chassis.
fn site(chassis: &Place, name: &'static str) -> Place {
    let netns = Netns::create(format!("{}-{name}", next_prefix())).expect("a namespace (needs root)");
    let lines = [
        "link set lo up".to_owned(),
        format!("addr add {PEER}/32 dev lo"),
        format!("link add wire type veth peer name site netns {}", chassis.netns.name()),
        "addr add 10.9.1.1/30 dev wire".to_owned(),
        "link set wire up".to_owned(),
    ];
    netns.ip(&lines).expect("a site");
    let way = ["addr add 10.9.1.2/30 dev site", "link set site up", "route add 10.9.0.1/32 via 10.9.1.1"];
    chassis.netns.ip(&way.map(str::to_owned)).expect("the way to it");
    Place { netns, folder: chassis.folder.clone(), name }
}

fn start(place: &Place) -> Daemon {
    place.start(&place.configure(&Keys::None, MONITOR))
}

fn failures(daemon: &Daemon) -> Vec<MonitorFailure> {
    match daemon.ask(&Request::ShowSrpMonitor) {
        Ok(Response::Monitors(monitors)) => monitors.failures,
        other => panic!("{other:?}"),
    }
}

#[test]
fn mon_7_a_dead_diameter_peer_switches_over_and_the_new_active_stays_until_it_is_reset() {
    let pair = Pair::new();
    let sites = [site(&pair.east, "peer-e"), site(&pair.west, "peer-w")];
    let freediameter = |site: &Place| -> Server {
        let server = freediameter::at(&pair, site, PEER, "10.9.1.2");
        // Failures are not damped here: an Active that finds nobody would hand over at once.
        freediameter::await_listening(site);
        server
    };
    let [easts, wests] = [&sites[0], &sites[1]].map(freediameter);
    let (east, west) = (start(&pair.east), start(&pair.west));
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind the Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    shown("east's peer is up", || peers(&east), |all| all[0].state == "Up");
    assert_eq!(peers(&west)[0].state, "Unknown", "only the Active is connected");

    // The peer of the Active dies: service moves to where it lives.
    drop(easts);
    let info = west.await_state(ChassisState::Active);
    east.await_state(ChassisState::Standby);
    assert_eq!(info.last_switch.map(|switch| switch.reason), Some(4), "Diameter Failure");
    assert!(pair.west.serves(), "{}", pair.west.kernel());
    shown("west's peer is up", || peers(&west), |all| all[0].state == "Up");

    // West's dies as well. It stays, and says why.
    drop(wests);
    let failed =
        shown("west's failure", || failures(&west), |all| all.iter().any(|one| one.kind == "Diameter"));
    assert!(failed.iter().any(|one| one.kind == "Diameter" && one.disregarded.is_some()), "{failed:?}");
    let still = west.info().expect("it answers");
    assert_eq!((still.chassis_state, still.switchovers), (ChassisState::Active, info.switchovers));

    // East's is back; an operator clears the failure, and the next one counts.
    let _easts = freediameter(&sites[0]);
    let Ok(Response::MonitorReset(reset)) = west.ask(&Request::ResetDiameterFail) else { panic!("a reset") };
    assert!(reset.was_disregarded);
    let info = east.await_state(ChassisState::Active);
    assert_eq!(info.last_switch.map(|switch| switch.reason), Some(4));
    west.await_state(ChassisState::Standby);
    shown("east's peer is up again", || peers(&east), |all| all[0].state == "Up");
}
