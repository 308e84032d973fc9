//! BFD between two real daemons, on a wire of its own: a faster detector, and a second sign of life.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use srp_core::api::{BfdSession, Request, Response, SrpInfo};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair, Place};

/// Not so short that a loaded machine of tests is taken for a dead one.
const TIMERS: &str = "interval = \"50ms\"\nmultiplier = 10\n";

/// A pair with a second wire, on which BFD runs.
fn pair() -> Pair {
    let pair = Pair::new();
    let (east, west) = (&pair.east.netns, &pair.west.netns);
    east.ip(&[format!("link add bfd index 103 type veth peer name bfd index 104 netns {}", west.name())])
        .expect("a second wire");
    for (place, address) in [(east, "10.9.0.1"), (west, "10.9.0.2")] {
        place.ip(&[format!("addr add {address}/30 dev bfd"), "link set bfd up".into()]).expect("its end");
    }
    pair
}

fn session(place: &Place, more: &str) -> String {
    let (local, peer) = match place.name {
        "east" => ("10.9.0.1", "10.9.0.2"),
        _ => ("10.9.0.2", "10.9.0.1"),
    };
    format!(
        "\n[[srp.bfd]]\npeer-address = \"{peer}\"\nlocal-address = \"{local}\"\ninterface = \"bfd\"\n{more}"
    )
}

/// With this dead-interval, and what else `[srp]` says.
fn configure(place: &Place, dead_interval: &str, srp: &str, more: &str) -> PathBuf {
    let file = place.configure(&Keys::None, more);
    let text = fs::read_to_string(&file).expect("the configuration");
    let text =
        text.replace("dead-interval = \"300ms\"", &format!("dead-interval = \"{dead_interval}\"\n{srp}"));
    fs::write(&file, text).expect("the configuration");
    file
}

fn start(pair: &Pair, dead_interval: &str, srp: &str) -> (Daemon, Daemon) {
    let [east, west] = [&pair.east, &pair.west]
        .map(|place| place.start(&configure(place, dead_interval, srp, &session(place, TIMERS))));
    let is_up = |info: &SrpInfo| info.bfd_sessions.iter().all(|session| session.state == "Up");
    east.await_info("Active, BFD up", |info| info.chassis_state == ChassisState::Active && is_up(info));
    west.await_info("Standby behind it, BFD up", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2 && is_up(info)
    });
    (east, west)
}

fn only(info: &SrpInfo) -> &BfdSession {
    let [session] = info.bfd_sessions.as_slice() else { panic!("one session: {info:?}") };
    session
}

fn last_reason(info: &SrpInfo) -> Option<u8> {
    info.last_switch.as_ref().map(|last| last.reason)
}

#[test]
fn ch_5_bfd_takes_over_long_before_the_dead_interval() {
    let pair = pair();
    // Nobody waits for this one.
    let (east, west) = start(&pair, "300s", "");
    assert_eq!(only(&west.info().expect("info")).detection_time_ms, Some(500.0));
    east.signal(Signal::SIGKILL);
    let info = west.await_state(ChassisState::Active);
    assert_eq!(last_reason(&info), Some(6), "{info:?}");
    let down = west.await_info("why BFD is down", |info| only(info).last_down.is_some());
    assert_eq!(only(&down).last_down.as_deref(), Some("no packet for 500ms"));
    let Response::Switchovers(shown) = west.ask(&Request::ShowSwitchover { last: 1 }).expect("an answer")
    else {
        panic!("switchovers")
    };
    let steps: Vec<_> =
        shown[0].steps.iter().map(|step| (step.step.as_str(), step.detail.as_str())).collect();
    assert!(steps.contains(&("bfd-down", "10.9.0.1: no packet for 500ms")), "{steps:?}");
    assert!(steps.iter().any(|(step, _)| *step == "last-hello-received"), "{steps:?}");
}

#[test]
fn ch_5_a_cut_link_beside_living_bfd_moves_nothing_where_the_dead_interval_is_ignored() {
    let pair = pair();
    let (east, west) = start(&pair, "300ms", "bfd-mon-ignore-dead-interval = true");
    pair.east.netns.ip(&["link set srp down".into()]).expect("the SRP link is cut");
    let silent_us = 1_500_000;
    let since = west.await_info("the link is down", |info| info.peer.is_none()).connection_since_us;
    let info = west.await_info("five dead-intervals without a Hello", |info| {
        let details = west.ask(&Request::ShowSrpDetails).expect("an answer");
        let Response::SrpDetails(details) = details else { panic!("details") };
        info.peer.is_some() || details.at_us > since + silent_us
    });
    assert_eq!((info.chassis_state, info.switchovers), (ChassisState::Standby, 0), "{info:?}");
    assert_eq!(info.bfd_disagreement.as_deref(), Some("BFD is Up, no Hello comes"));
    east.signal(Signal::SIGKILL);
    let info = west.await_state(ChassisState::Active);
    assert_eq!(last_reason(&info), Some(6), "{info:?}");
}

#[test]
fn ch_5_a_broken_bfd_path_beside_a_living_link_moves_nothing_and_is_shown() {
    let pair = pair();
    let (east, west) = start(&pair, "10s", "");
    pair.east.netns.ip(&["link set bfd down".into()]).expect("the wire of BFD is cut");
    for daemon in [&east, &west] {
        let info = daemon.await_info("link and BFD disagree", |info| info.bfd_disagreement.is_some());
        assert_eq!(info.bfd_disagreement.as_deref(), Some("Hellos come, BFD is Down"));
    }
    pair.east.netns.ip(&["link set bfd up".into()]).expect("the wire of BFD is whole again");
    west.await_info("they agree again", |info| info.bfd_disagreement.is_none() && only(info).state == "Up");
    for (daemon, state) in [(&east, ChassisState::Active), (&west, ChassisState::Standby)] {
        let info = daemon.info().expect("info");
        assert_eq!(info.chassis_state, state, "{info:?}");
    }
    assert_eq!(west.info().expect("info").switchovers, 0);
}

#[test]
fn ch_5_a_chassis_that_stops_on_purpose_takes_its_bfd_down_first() {
    let pair = pair();
    let (east, west) = start(&pair, "300s", "bfd-mon-ignore-dead-interval = true");
    west.signal(Signal::SIGTERM);
    let info = east.await_info("BFD is taken down", |info| only(info).last_down.is_some());
    assert_eq!(only(&info).last_down.as_deref(), Some("the neighbor's operator took the session down"));
    assert_eq!(info.bfd_disagreement, None);
    assert_eq!(west.exit_code(), Some(0));
}

/// The session never noticed. Wall times are told from the monotonic clock each time anew: the last microsecond may differ.
fn assert_unchanged(now: &BfdSession, before: &BfdSession) {
    assert!(now.since_us.abs_diff(before.since_us) < 1_000, "{now:?} was {before:?}");
    assert_eq!(BfdSession { since_us: before.since_us, ..now.clone() }, *before);
}

#[test]
fn a_reload_adds_and_removes_bfd_sessions_without_touching_the_others() {
    let pair = pair();
    for (place, address) in [(&pair.east, "10.9.1.1"), (&pair.west, "10.9.1.2")] {
        place.netns.ip(&[format!("addr add {address}/30 dev bfd")]).expect("a second address");
    }
    let (east, west) = start(&pair, "10s", "");
    let first = only(&east.info().expect("info")).clone();
    let places = [(&pair.east, &east), (&pair.west, &west)];
    let second = |place: &Place| session(place, TIMERS).replace("10.9.0.", "10.9.1.");
    for (place, daemon) in places {
        configure(place, "10s", "", &(session(place, TIMERS) + &second(place)));
        daemon.signal(Signal::SIGHUP);
    }
    let info = east.await_info("both sessions are up", |info| {
        info.bfd_sessions.len() == 2 && info.bfd_sessions.iter().all(|session| session.state == "Up")
    });
    assert_unchanged(&info.bfd_sessions[0], &first);

    // A session on an interface that is not there refuses the whole reload.
    configure(&pair.east, "10s", "", &session(&pair.east, TIMERS).replace("\"bfd\"", "\"nowhere\""));
    east.signal(Signal::SIGHUP);
    // Signals are taken in order: this one is the proof that the one before has changed nothing.
    for (place, daemon) in places {
        configure(place, "10s", "", &session(place, TIMERS));
        daemon.signal(Signal::SIGHUP);
    }
    let info = east.await_info("one session is left", |info| info.bfd_sessions.len() == 1);
    assert_unchanged(&info.bfd_sessions[0], &first);
    assert_eq!((info.chassis_state, info.switchovers), (ChassisState::Active, 1));
}
