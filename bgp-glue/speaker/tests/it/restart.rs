//! Routes of a neighbor that restarts, and of one that tells all of them again.

use bgp_proto::wire::capability::{Capability, GracefulRestart};
use bgp_proto::wire::open::Open;
use bgp_speaker::{Families, NeighborConfig, Offer, RestartOffer};

use crate::owner::{Owner, neighbor};
use crate::scripted::{Bench, PEER};
use crate::scripted_peer::{ScriptedPeer, open, routes, update};

/// The neighbor's OPEN, with graceful restart for both families.
fn restarting(restarted: bool, time_secs: u16, forwarding: Families) -> Open {
    let mut open = open(65001, 90, 2);
    open.capabilities.push(Capability::GracefulRestart(GracefulRestart {
        restarted,
        notification: false,
        time_secs,
        families: Families::ALL,
        forwarding,
    }));
    open
}

/// A speaker that waits for its neighbor, and that has told it 10.0.0.0/8 and 172.16.0.0/24.
fn told_two_routes(bench: &Bench, time_secs: u16) -> (Owner, ScriptedPeer) {
    let restart = RestartOffer {
        time_secs: 120,
        notification: false,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::NONE,
    };
    let offer = Offer { graceful_restart: Some(restart), ..Offer::default() };
    let mut owner = bench.start(NeighborConfig { passive: true, offer, ..neighbor(PEER, 65001) });
    let mut peer = bench.connect();
    peer.establish(&restarting(false, time_secs, Families::NONE));
    owner.until_up();
    peer.send(&routes(1));
    assert!(owner.until_route("172.16.0.0/24").is_some());
    (owner, peer)
}

fn stale(owner: &Owner) -> Vec<(String, bool)> {
    let routes = owner.answer(owner.handle.routes());
    routes.into_iter().map(|route| (route.prefix.to_string(), route.stale)).collect()
}

#[test]
fn routes_stay_while_the_neighbor_restarts_and_go_with_its_end_of_rib() {
    let bench = Bench::new();
    let (mut owner, peer) = told_two_routes(&bench, 120);
    peer.hang_up();
    owner.until_down();
    assert_eq!(stale(&owner), [("10.0.0.0/8".into(), true), ("172.16.0.0/24".into(), true)]);
    let mut peer = bench.connect();
    peer.establish(&restarting(true, 120, Families::ALL));
    owner.until_up();
    peer.send(&routes(0));
    peer.send(&update(&[0, 0, 0, 0]));
    assert_eq!(owner.until_route("172.16.0.0/24"), None, "not told again");
    assert_eq!(stale(&owner), [("10.0.0.0/8".into(), false)]);
}

#[test]
fn routes_go_when_the_restart_time_is_over() {
    let bench = Bench::new();
    let (mut owner, peer) = told_two_routes(&bench, 1);
    peer.hang_up();
    owner.until_down();
    assert_eq!(owner.until_route("10.0.0.0/8"), None);
    assert!(stale(&owner).is_empty());
}

#[test]
fn neighbor_that_comes_back_without_its_forwarding_state_begins_anew() {
    let bench = Bench::new();
    let (mut owner, peer) = told_two_routes(&bench, 120);
    peer.hang_up();
    owner.until_down();
    let mut peer = bench.connect();
    peer.establish(&restarting(true, 120, Families::NONE));
    assert_eq!(owner.until_route("10.0.0.0/8"), None);
}

#[test]
fn refresh_between_marks_ends_what_is_not_repeated() {
    let bench = Bench::new();
    let mut owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let mut peer = bench.connect();
    let mut marking = open(65001, 90, 2);
    marking.capabilities.push(Capability::EnhancedRouteRefresh);
    peer.establish(&marking);
    owner.until_up();
    peer.send(&routes(1));
    assert!(owner.until_route("172.16.0.0/24").is_some());
    let mark = |subtype: u8| {
        let mut octets = vec![0xff; 16];
        octets.extend([0, 23, 5, 0, 1, subtype, 1]);
        octets
    };
    peer.send(&[mark(1), routes(0), mark(2)].concat());
    assert_eq!(owner.until_route("172.16.0.0/24"), None);
    assert_eq!(stale(&owner), [("10.0.0.0/8".into(), false)]);
}
