//! `show srp statistics`, `show srp details` and `srp terminate-post-process` on a pair that has switched over.

use std::fs;

use nix::sys::signal::Signal;
use srp_core::api::{PostProcessTerminated, Request, Response, SrpStatistics};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair, Place};

/// A chassis that forwards for a minute after its withdraw.
fn start(place: &Place) -> Daemon {
    let file = place.configure(&Keys::None, "");
    let text = fs::read_to_string(&file).expect("configuration");
    fs::write(&file, text.replace("drain-interval = \"0s\"", "drain-interval = \"60s\"")).expect("the file");
    place.start(&file)
}

/// East has handed over to west, and still forwards.
fn switched_over(pair: &Pair) -> (Daemon, Daemon) {
    let (east, west) = (start(&pair.east), start(&pair.west));
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind the Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    let done = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    assert!(matches!(done, Response::SwitchoverDone(_)), "{done:?}");
    east.await_state(ChassisState::Standby);
    west.await_state(ChassisState::Active);
    (east, west)
}

fn statistics(daemon: &Daemon) -> SrpStatistics {
    match daemon.ask(&Request::ShowSrpStatistics) {
        Ok(Response::SrpStatistics(statistics)) => *statistics,
        other => panic!("{other:?}"),
    }
}

fn terminate(daemon: &Daemon) -> Response {
    daemon.ask(&Request::TerminatePostProcess).expect("an answer")
}

#[test]
fn sw_13_new_active_ends_the_post_processing_of_the_old_one() {
    let pair = Pair::new();
    let (east, west) = switched_over(&pair);
    assert!(pair.east.serves(), "the old Active forwards for a minute");
    let ended = PostProcessTerminated { here: false, peer: true };
    assert_eq!(terminate(&west), Response::PostProcessTerminated(ended));
    pair.east.await_that("the old Active no longer forwards", |east| !east.serves());
    assert_eq!(statistics(&west).resource_messages_sent, 1);
    assert!(pair.west.serves());

    let Response::Error { reasons } = terminate(&east) else { panic!("nothing is left to end") };
    assert_eq!(reasons, ["this chassis is Standby and forwards for nobody: there is nothing to end"]);
}

#[test]
fn sw_13_old_active_ends_its_own_post_processing() {
    let pair = Pair::new();
    let (east, _west) = switched_over(&pair);
    let ended = PostProcessTerminated { here: true, peer: false };
    assert_eq!(terminate(&east), Response::PostProcessTerminated(ended));
    pair.east.await_that("the old Active no longer forwards", |east| !east.serves());
}

#[test]
fn show_6_statistics_count_what_happened() {
    let pair = Pair::new();
    let (east, west) = switched_over(&pair);
    let Ok(Response::Validation(_)) = west.ask(&Request::ValidateSwitchover) else { panic!("a validation") };
    let (east, west) = (statistics(&east), statistics(&west));
    assert!(east.hello_messages_sent > 0 && east.hello_messages_received > 0, "{east:?}");
    assert_eq!((east.resource_messages_sent, east.resource_messages_received), (1, 0));
    assert_eq!((west.resource_messages_sent, west.resource_messages_received), (0, 1));
    assert_eq!((west.link_ups, west.link_downs, west.validations_passed), (1, 0, 1));
    for (chassis, first_election) in [(&east, 1), (&west, 0)] {
        let counts: Vec<_> = chassis.switchovers_by_reason.iter().map(|by| by.count).collect();
        assert_eq!(counts, [first_election, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], "{chassis:?}");
        assert_eq!(chassis.switchovers, first_election + 1);
        let configuration = &chassis.configuration_validation_messages_received;
        assert_eq!((*configuration, chassis.configuration_mismatches), (1, 0));
    }
}

#[test]
fn show_9_details_have_every_part() {
    let pair = Pair::new();
    let (east, _west) = switched_over(&pair);
    let Ok(Response::SrpDetails(details)) = east.ask(&Request::ShowSrpDetails) else { panic!("details") };
    assert_eq!(details.info.chassis_state, ChassisState::Standby);
    assert_eq!(details.statistics.switchovers, 2);
    assert_eq!(details.switchovers.len(), 2);
    assert!(details.configuration.text.contains("drain-interval = \"60s\""));
    assert_eq!(details.configuration.differences, Some(Vec::new()));
}

#[test]
fn exec_2_show_srp_info_remembers_what_the_validation_found() {
    let pair = Pair::new();
    let (east, west) = switched_over(&pair);
    let status = || east.info().expect("info").last_validate_switchover_status;
    assert_eq!(status(), "None");
    let Ok(Response::Validation(found)) = east.ask(&Request::ValidateSwitchover) else {
        panic!("a validation")
    };
    assert!(found.passed(), "{found:?}");
    assert_eq!(status(), "Success");
    west.signal(Signal::SIGKILL);
    east.await_state(ChassisState::Active);
    let Ok(Response::Validation(found)) = east.ask(&Request::ValidateSwitchover) else {
        panic!("a validation")
    };
    assert!(!found.passed(), "{found:?}");
    assert_eq!(status(), "Failed (2 of 2 checks)");
}

#[test]
fn show_11_configurations_are_shown_with_what_differs() {
    let pair = Pair::new();
    pair.make_keys("east");
    pair.make_keys("west");
    let pool = |net: u8| {
        format!("[[context.pool]]\nname = \"static\"\nprefix = \"172.{net}.0.0/20\"\nsrp-activate = true\n")
    };
    let [east_keys, west_keys] =
        [("east", "west"), ("west", "east")].map(|(own, peer)| Keys::Files { own, peer });
    let east = pair.east.start(&pair.east.configure(&east_keys, &pool(19)));
    let west = pair.west.start(&pair.west.configure(&west_keys, &pool(20)));
    east.await_info("a difference", |info| info.configuration_state.starts_with("Out of sync"));
    west.await_info("a difference", |info| info.configuration_state.starts_with("Out of sync"));
    let shown = |daemon: &Daemon| match daemon.ask(&Request::ShowConfiguration) {
        Ok(Response::Configuration(shown)) => shown,
        other => panic!("{other:?}"),
    };
    let (east, west) = (shown(&east), shown(&west));
    let differs = |ours: u8, theirs: u8| {
        Some(vec![format!(
            "context destination pool static: 172.{ours}.0.0/20 blackhole here, 172.{theirs}.0.0/20 blackhole on the peer"
        )])
    };
    assert_eq!((east.differences, west.differences), (differs(19, 20), differs(20, 19)));
    // Files with keys are named, and nothing of them is shown.
    let key = fs::read_to_string(pair.file("east.key")).expect("the key");
    let secret = key.lines().nth(1).expect("a line of the key");
    assert!(east.text.contains("east.key") && !east.text.contains(secret), "{}", east.text);
}
