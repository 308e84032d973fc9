//! How many routes a neighbor may announce, and is told (RFC 4486).

use bgp_proto::wire::notification::Notification;
use bgp_speaker::{
    Family, Limits, Millis, NeighborConfig, NeighborSummary, PrefixLimits, SpeakerConfig, State,
};

use crate::frr::{Frr, activated, until};
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};
use crate::scripted::{Bench, PEER};
use crate::scripted_peer::{keepalive, open, routes};

const FRR: &str = "192.0.2.2";

fn limits(ipv4: u32, ends: bool, idle: Option<Millis>) -> Limits {
    let inbound = PrefixLimits { ipv4: Some(ipv4), ipv6: None, warning_percent: 75, ends };
    Limits { inbound, idle, outbound: None }
}

fn speaker(neighbor: NeighborConfig) -> SpeakerConfig {
    SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) }
}

#[test]
fn flood_ends_at_the_limit_and_no_route_beyond_it_is_ever_held() {
    let bench = Bench::new();
    let neighbor = |limits| NeighborConfig { passive: true, limits, ..neighbor(PEER, 65001) };
    let owner = bench.start(neighbor(limits(500, true, None)));
    let mut peer = bench.connect();
    peer.establish(&open(65001, 90, 2));
    // 40,000 prefixes, all of them different, in messages of 400.
    let mut flood = Vec::new();
    for start in (0..40_000_u32).step_by(400) {
        flood.extend(crate::scripted_peer::routes_from(start, 400));
    }
    peer.try_send(&flood);
    assert_eq!(peer.hear_the_end(), Notification::maximum_prefixes(Family::Ipv4Unicast, 500));
    // The table lets go of its routes a moment after the session has ended.
    let gone = |summary: &NeighborSummary| summary.state == State::Idle && summary.prefixes_received == 0;
    let summary = owner.until_summary(gone);
    assert_eq!(summary.limit_exceeded, 1);
    let error = summary.last_error.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.ends_with("maximum number of prefixes reached (6/1), ipv4-unicast, limit 500"), "{error}");
    // Nothing but an operator brings it back.
    let refused = bench.connect().try_hear();
    assert!(refused.is_none(), "{refused:?}");
    assert!(owner.answer(owner.handle.clear(summary.neighbor)));
    bench.connect().establish(&open(65001, 90, 2));
}

#[test]
fn limit_that_only_warns_counts_and_a_lower_one_that_ends_holds_at_once() {
    let bench = Bench::new();
    let neighbor = |limits| NeighborConfig { passive: true, limits, ..neighbor(PEER, 65001) };
    let owner = bench.start(neighbor(limits(10, false, None)));
    let mut peer = bench.connect();
    peer.establish(&open(65001, 90, 2));
    peer.send(&routes(8));
    let warned = owner.until_summary(|summary| summary.limit_warnings == 1);
    assert_eq!((warned.prefixes_received, warned.limit_exceeded), (9, 0));
    peer.send(&routes(30));
    let passed = owner.until_summary(|summary| summary.limit_exceeded == 1);
    assert_eq!((passed.prefixes_received, passed.state), (31, State::Established));
    let raised = limits(100, true, None);
    owner.answer(owner.handle.reload(speaker(neighbor(raised)))).expect("the configuration is good");
    peer.send(&keepalive());
    assert_eq!(owner.until_summary(|summary| summary.limits == raised).state, State::Established);
    let lowered = limits(20, true, Some(Millis::new(100)));
    owner.answer(owner.handle.reload(speaker(neighbor(lowered)))).expect("the configuration is good");
    assert_eq!(peer.hear_the_end(), Notification::maximum_prefixes(Family::Ipv4Unicast, 20));
    // Its idle time is over soon.
    while bench.connect().try_hear().is_none() {}
}

#[test]
fn frr_is_told_why_and_comes_back_after_the_idle_time() {
    let (here, there) = Netns::pair();
    let more = activated("192.0.2.1", 65000, "");
    let frr = Frr::start(
        &there,
        65001,
        &more.replace("  network 10.9.0.0/16\n", "  network 10.9.0.0/16\n  network 10.8.0.0/16\n"),
    );
    let limited =
        NeighborConfig { limits: limits(1, true, Some(Millis::from_secs(1))), ..neighbor(FRR, 65001) };
    let mut owner = Owner::start(&here, speaker(limited));
    owner.until_up();
    assert!(owner.until_down().contains("(6/1)"));
    until("FRR knows why", || {
        let text = frr.neighbor("192.0.2.1").to_string();
        text.contains("Maximum Number of Prefixes Reached")
    });
    frr.vtysh(&[
        "configure terminal",
        "router bgp 65001",
        "address-family ipv4 unicast",
        "no network 10.8.0.0/16",
    ]);
    while owner.only_neighbor().prefixes_received < 2 {
        // Both families: one IPv4 and one IPv6 route.
        owner.until_up();
        owner.until_summary(|summary| summary.state != State::Established || summary.prefixes_received == 2);
    }
}

#[test]
fn frr_with_a_limit_keeps_its_session_when_the_rest_is_held_back() {
    let (here, there) = Netns::pair();
    let more = activated("192.0.2.1", 65000, "")
        .replace("  network 10.9.0.0/16\n", "  network 10.9.0.0/16\n  neighbor 192.0.2.1 maximum-prefix 2\n");
    let frr = Frr::start(&there, 65001, &more);
    let with = |outbound| NeighborConfig {
        limits: Limits { outbound, ..Limits::default() },
        ..neighbor(FRR, 65001)
    };
    let mut owner = Owner::start(&here, speaker(with(Some(2))));
    // FRR 8.4 looks at its limit only when the next route comes.
    owner.originate((0..5).rev().map(|n| route(&format!("10.{n}.0.0/16"), 0)).collect());
    owner.until_up();
    let told =
        || frr.neighbor("192.0.2.1")["addressFamilyInfo"]["ipv4Unicast"]["acceptedPrefixCounter"].clone();
    until("FRR has the first two", || told() == 2);
    let summary = owner.only_neighbor();
    assert_eq!((summary.prefixes_sent, summary.prefixes_held_back), (2, 3));
    owner.answer(owner.handle.reload(speaker(with(None)))).expect("the configuration is good");
    let reason = owner.until_down();
    assert!(
        reason.starts_with("the neighbor sent NOTIFICATION cease: maximum number of prefixes"),
        "{reason}"
    );
}
