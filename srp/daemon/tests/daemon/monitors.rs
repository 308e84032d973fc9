//! Monitors of a real pair: what they find, what follows, and what `show srp monitor` says.

use std::fs;
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::api::{Monitors, Request, Response};
use srp_core::types::ChassisState;

use crate::neighbor_bfd::Router;
use crate::support::{Daemon, Keys, PATIENCE, Pair, Place};

/// No guard period: what fails counts at once.
const AT_ONCE: &str =
    "\n[srp.guard-timer.srp-redundancy-timers.bgp]\ndamping-period = \"0s\"\nguard-period = \"0s\"\n";

pub fn monitors(daemon: &Daemon) -> Monitors {
    match daemon.ask(&Request::ShowSrpMonitor).expect("an answer") {
        Response::Monitors(monitors) => monitors,
        other => panic!("{other:?}"),
    }
}

pub fn state(monitors: &Monitors, kind: &str, name: &str) -> String {
    let found = monitors.monitors.iter().find(|monitor| monitor.kind == kind && monitor.name == name);
    found.map_or("not there".to_owned(), |monitor| monitor.state.clone())
}

pub fn await_monitors(daemon: &Daemon, what: &str, holds: impl Fn(&Monitors) -> bool) -> Monitors {
    until(what, PATIENCE, Duration::from_millis(5), || {
        let seen = monitors(daemon);
        Ok(if holds(&seen) { Seen::Done(seen) } else { Seen::NotYet(format!("{seen:?}")) })
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

fn settled(east: &Daemon) {
    east.await_info("Active beside a Standby", |info| {
        info.chassis_state == ChassisState::Active
            && info
                .peer
                .as_ref()
                .is_some_and(|peer| peer.state == ChassisState::Standby && peer.route_modifier == 2)
    });
}

/// A link of its own in this place.
fn add_link(place: &Place) {
    let link = ["link add watched type veth peer name other", "link set other up", "link set watched up"];
    place.netns.ip(&link.map(String::from)).expect("a link");
}

#[test]
fn mon_5_an_interface_that_goes_down_moves_the_pair() {
    let pair = Pair::new();
    add_link(&pair.east);
    add_link(&pair.west);
    let watched = "\n[[srp.monitor.interface]]\nname = \"watched\"\n";
    let east = pair.east.start(&pair.east.configure(&Keys::None, watched));
    let west = pair.west.start(&pair.west.configure(&Keys::None, watched));
    settled(&east);
    let seen =
        await_monitors(&east, "the interface is up", |seen| state(seen, "interface", "watched") == "Up");
    assert_eq!((seen.failures.len(), seen.peer_failures, seen.stays), (0, Some(0), None));
    assert_eq!(state(&monitors(&east), "kernel", "objects"), "Up");

    // Both lose it, the Standby first: nobody moves.
    pair.west.netns.ip(&["link set watched down".into()]).expect("the link goes down");
    await_monitors(&east, "the peer has failed", |seen| seen.peer_failures == Some(1));
    pair.east.netns.ip(&["link set watched down".into()]).expect("the link goes down");
    let seen = await_monitors(&east, "ours has failed too", |seen| seen.failures.len() == 1);
    assert_eq!(seen.failures[0].what, "interface watched");
    assert_eq!(seen.stays.as_deref(), Some("the peer is not better: 1 failed here, 1 there"));
    assert_eq!(east.info().expect("info").chassis_state, ChassisState::Active);
    let refused = east.ask(&Request::ValidateSwitchover).expect("an answer");
    assert!(matches!(&refused, Response::Validation(checks) if checks.passed()), "{refused:?}");

    // The Standby has it again: now it is better.
    pair.west.netns.ip(&["link set watched up".into()]).expect("the link comes up");
    west.await_state(ChassisState::Active);
    east.await_state(ChassisState::Standby);
    assert!(pair.west.serves());
    let Response::Switchovers(shown) = east.ask(&Request::ShowSwitchover { last: 1 }).expect("an answer")
    else {
        panic!("switchovers")
    };
    let failed = shown[0].steps.iter().find(|step| step.step == "monitor-failed");
    assert_eq!(failed.map(|step| step.detail.as_str()), Some("interface watched"), "{shown:?}");
    assert!(shown[0].completed);
}

#[test]
fn mon_4_neighbours_of_both_families_are_watched() {
    let pair = Pair::new();
    let router = Netns::create(format!("{}-r", next_prefix())).expect("a namespace");
    pair.east
        .netns
        .ip(&[
            format!("link add r1 type veth peer name net netns {}", router.name()),
            "addr add 10.1.0.1/30 dev r1".into(),
            "addr add 2001:db8:7::1/64 dev r1 nodad".into(),
            "link set r1 up".into(),
        ])
        .expect("a wire to the router");
    let ends = ["addr add 10.1.0.2/30 dev net", "addr add 2001:db8:7::2/64 dev net nodad", "link set net up"];
    router.ip(&ends.map(String::from)).expect("the router's end");
    let bgp = |id: u8| {
        format!(
            "\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.{id}\"\n\
             [[context.bgp.neighbor]]\naddress = \"10.1.0.2\"\nremote-as = 65101\n\
             [[context.bgp.neighbor]]\naddress = \"2001:db8:7::2\"\nremote-as = 65101\n\
             [[srp.monitor.bgp]]\ncontext = \"destination\"\naddress = \"10.1.0.2\"\ngroup = 4\n\
             [[srp.monitor.bgp]]\ncontext = \"destination\"\naddress = \"2001:db8:7::2\"\ngroup = 6\n{AT_ONCE}"
        )
    };
    let east = pair.east.start(&pair.east.configure(&Keys::None, &bgp(1)));
    // The peer has no router at all: it is never better.
    let west = pair.west.start(&pair.west.configure(&Keys::None, &bgp(2)));
    let frr = "router bgp 65101\n no bgp ebgp-requires-policy\n neighbor 10.1.0.1 remote-as 65001\n \
               neighbor 10.1.0.1 timers connect 1\n neighbor 2001:db8:7::1 remote-as 65001\n \
               neighbor 2001:db8:7::1 timers connect 1\n address-family ipv6 unicast\n  \
               neighbor 2001:db8:7::1 activate\n exit\nexit\n";
    let mut router = Router::begin(router);
    router.bgpd(frr);
    settled(&east);
    let seen = await_monitors(&east, "both sessions are up", |seen| {
        state(seen, "BGP", "10.1.0.2") == "Up" && state(seen, "BGP", "2001:db8:7::2") == "Up"
    });
    assert_eq!(state(&seen, "announcement", "BGP neighbours"), "Up");
    assert!(seen.failures.is_empty(), "{seen:?}");
    assert_eq!(monitors(&west).failures.len(), 3, "two groups, and nobody hears it");

    drop(router);
    let seen = await_monitors(&east, "the router is gone", |seen| seen.failures.len() == 3);
    let what: Vec<&str> = seen.failures.iter().map(|failure| failure.what.as_str()).collect();
    assert_eq!(
        what,
        ["BGP context destination group 4", "BGP context destination group 6", "BGP, every neighbour"]
    );
    assert_eq!(seen.stays.as_deref(), Some("the peer is not better: 3 failed here, 3 there"));
    assert_eq!(east.info().expect("info").chassis_state, ChassisState::Active);
}

#[test]
fn monitors_that_a_reload_brings_are_looked_at() {
    let pair = Pair::new();
    add_link(&pair.east);
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    let file = pair.east.configure(&Keys::None, "\n[[srp.monitor.interface]]\nname = \"watched\"\n");
    assert!(fs::exists(&file).expect("the file"));
    east.signal(Signal::SIGHUP);
    await_monitors(&east, "the new monitor has looked", |seen| state(seen, "interface", "watched") == "Up");
    pair.east.netns.ip(&["link del watched".into()]).expect("the link goes");
    let seen =
        await_monitors(&east, "the link is gone", |seen| state(seen, "interface", "watched") == "Down");
    assert_eq!(seen.stays.as_deref(), Some("there is no Standby to switch over to"));
}
