//! A speaker that was killed and started again while the kernel forwarded (RFC 4724 section 4.1).

use std::time::Duration;

use bgp_proto::wire::capability::{Capability, GracefulRestart};
use bgp_speaker::{
    Event, Families, Family, NeighborConfig, Offer, Prefix, RestartOffer, Restarted, SpeakerConfig,
};

use crate::owner::{Owner, PATIENCE, config, neighbor, route};
use crate::scripted::{Bench, PEER};
use crate::scripted_peer::{ScriptedPeer, open, routes, update};

const RESTARTED: Restarted = Restarted { forwarding: Families::ALL, window: PATIENCE };

fn restarting(window: Duration) -> (Bench, Owner) {
    let bench = Bench::new();
    let graceful_restart = Some(RestartOffer {
        time_secs: 30,
        notification: true,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::NONE,
    });
    let offer = Offer { graceful_restart, ..Offer::default() };
    let neighbor = NeighborConfig { passive: true, offer, ..neighbor(PEER, 65001) };
    let config = SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) };
    let owner = Owner::start_again(bench.here(), config, Restarted { window, ..RESTARTED });
    (bench, owner)
}

/// A neighbor that waits for us: graceful restart, and no family that it wants kept for itself.
fn helper(bench: &Bench, owner: &mut Owner) -> (ScriptedPeer, GracefulRestart) {
    let mut peer = bench.connect();
    let mut theirs = open(65001, 90, 2);
    theirs.capabilities.push(Capability::GracefulRestart(GracefulRestart {
        restarted: false,
        notification: true,
        time_secs: 0,
        families: Families::NONE,
        forwarding: Families::NONE,
    }));
    let said = peer.establish(&theirs);
    owner.until_up();
    let said = said.capabilities.iter().find_map(|capability| match capability {
        Capability::GracefulRestart(said) => Some(*said),
        _ => None,
    });
    (peer, said.expect("graceful restart is offered"))
}

/// The prefixes of every change that is told before the wait is over, and whether it was complete.
fn until_converged(owner: &mut Owner) -> (Vec<Prefix>, bool) {
    let mut told = Vec::new();
    let complete = owner.until(|event| match event {
        Event::BestPathsChanged(changes) => {
            told.extend(changes.into_iter().map(|change| change.prefix));
            None
        }
        Event::Converged { complete } => Some(complete),
        Event::NeighborUp { .. } | Event::NeighborDown { .. } | Event::NextHopsWanted(_) => None,
    });
    (told, complete)
}

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// 172.16.0.0/24 is withdrawn.
fn withdrawal() -> Vec<u8> {
    update(&[0, 4, 24, 172, 16, 0, 0, 0])
}

fn end_of_rib(family: Family) -> Vec<u8> {
    match family {
        Family::Ipv4Unicast => update(&[0, 0, 0, 0]),
        Family::Ipv6Unicast => update(&[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]),
    }
}

#[test]
fn nothing_is_decided_before_the_neighbor_has_told_everything() {
    let (bench, mut owner) = restarting(PATIENCE);
    let (mut peer, said) = helper(&bench, &mut owner);
    assert!(said.restarted && said.notification && said.forwarding == Families::ALL, "{said:?}");
    peer.send(&routes(1));
    owner.until_summary(|neighbor| neighbor.prefixes_accepted == 2);
    peer.send(&withdrawal());
    owner.until_summary(|neighbor| neighbor.prefixes_accepted == 1);
    peer.send(&[end_of_rib(Family::Ipv4Unicast), end_of_rib(Family::Ipv6Unicast)].concat());
    // The other prefix came and went while nobody was told anything.
    assert_eq!(until_converged(&mut owner), (vec![prefix("10.0.0.0/8")], true));
    peer.send(&routes(1));
    assert!(owner.until_route("172.16.0.0/24").is_some(), "from now on at once");
}

#[test]
fn neighbor_that_never_says_end_of_rib_is_waited_for_no_longer_than_the_restart_time() {
    let (bench, mut owner) = restarting(Duration::from_secs(1));
    let (mut peer, _) = helper(&bench, &mut owner);
    peer.send(&routes(0));
    assert_eq!(until_converged(&mut owner), (vec![prefix("10.0.0.0/8")], false));
}

#[test]
fn neighbor_without_graceful_restart_is_not_waited_for() {
    let (bench, mut owner) = restarting(PATIENCE);
    let mut peer = bench.connect();
    peer.establish(&open(65001, 90, 2));
    assert_eq!(until_converged(&mut owner), (vec![], false));
}

#[test]
fn what_is_withdrawn_after_a_restart_counts_as_told_only_when_the_neighbor_is_back_and_has_end_of_rib() {
    let (bench, mut owner) = restarting(PATIENCE);
    let mut answer = owner.handle.set_originated_for_all(vec![route("10.1.0.0/16", 0)], PATIENCE);
    // Answered in order: the speaker has seen the set by now.
    assert_eq!(owner.summary().originated, 1);
    assert!(answer.try_recv().is_err(), "the neighbor may hold what was announced before");
    let (mut peer, _) = helper(&bench, &mut owner);
    assert_eq!(peer.hear_update().announced.len(), 1);
    for family in Family::ALL {
        assert_eq!(peer.hear_update().end_of_rib, Some(family));
    }
    let flushed = owner.answer(answer);
    assert_eq!((flushed.neighbors_established, flushed.acknowledged), (1, true));
}

#[test]
fn who_asks_without_the_return_is_answered_at_once() {
    let (_bench, owner) = restarting(PATIENCE);
    let flushed = owner.originate(vec![route("10.1.0.0/16", 0)]);
    assert_eq!((flushed.neighbors_established, flushed.acknowledged), (0, true));
}
