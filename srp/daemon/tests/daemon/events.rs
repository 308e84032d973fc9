//! Events of running daemons, as operators and those who listen have them.

use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::api::{EventRecord, Request, Response};
use srp_core::events::Severity;
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, PATIENCE, Pair};

/// The events of a daemon, once they hold.
pub fn await_events(daemon: &Daemon, what: &str, holds: impl Fn(&[EventRecord]) -> bool) -> Vec<EventRecord> {
    let request = Request::ShowEvents { severity: Severity::Info, last: 1_000, traps: false };
    until(what, PATIENCE, Duration::from_millis(5), || {
        Ok(match daemon.ask(&request) {
            Ok(Response::Events(events)) if holds(&events) => Seen::Done(events),
            other => Seen::NotYet(format!("{other:?}")),
        })
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

pub fn has(events: &[EventRecord], name: &str) -> bool {
    events.iter().any(|event| event.name == name)
}

#[test]
fn a_takeover_and_the_peers_return_are_events_in_their_order() {
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    west.await_state(ChassisState::Standby);
    east.signal(Signal::SIGKILL);
    drop(east);
    let seen = await_events(&west, "a takeover", |events| has(events, "starSRPActive"));
    let occured = seen.iter().find(|event| event.name == "starSRPSwitchoverOccured").expect("a switchover");
    assert_eq!((occured.trap, occured.reason), (Some(1278), Some(9)));
    assert_eq!(occured.srp_address.as_deref(), Some("192.0.2.2"));
    assert!(has(&seen, "starSRPConnDown") && !has(&seen, "starSRPConnUp"), "{seen:?}");
    let _east = pair.east.start(&pair.file("east.toml"));
    let seen = await_events(&west, "the link's return", |events| has(events, "starSRPConnUp"));
    let numbers: Vec<u64> = seen.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=seen.len() as u64).collect::<Vec<_>>(), "without gaps");
    assert!(seen.is_sorted_by_key(|event| event.monotonic_us), "{seen:?}");
}
