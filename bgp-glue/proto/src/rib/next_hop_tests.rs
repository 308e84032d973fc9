//! Next hops: asked about once, told by the owner, followed.

use super::tests::{announce, changes, path, peer, prefix, rib};
use super::*;
use crate::decision::Obstacle;

#[test]
fn neighbors_own_address_is_asked_about_like_any_other() {
    let mut rib = rib();
    rib.watch_next_hops();
    rib.peer_up(PeerId(1), peer(1));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001])));
    assert!(changes(&mut rib).is_empty(), "a session over several routers proves no route");
    let asked = rib.take_unresolved();
    assert_eq!(asked, [peer(1).address]);
    rib.set_next_hops([(asked[0], Reach::Cost(0))]);
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.1".into())))]);
}

#[test]
fn next_hop_that_goes_takes_its_routes_along_and_brings_them_back() {
    let mut rib = rib();
    rib.watch_next_hops();
    rib.peer_up(PeerId(1), peer(1));
    rib.peer_up(PeerId(2), peer(2));
    rib.update(PeerId(1), announce(&[1], path(11, &[65001])));
    rib.update(PeerId(2), announce(&[1], path(12, &[65002, 65003])));
    assert!(changes(&mut rib).is_empty(), "nobody has said yet that they can be reached");
    let mut asked = rib.take_unresolved();
    asked.sort();
    let [one, two] = *asked else { panic!("{asked:?}") };
    rib.set_next_hops([(one, Reach::Cost(0)), (two, Reach::Cost(0))]);
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.11".into())))]);
    rib.set_next_hops([(one, Reach::Unreachable)]);
    assert_eq!(changes(&mut rib), [(prefix(1), Some((2, "192.0.2.12".into())))]);
    assert_eq!(rib.routes()[1].why, Why::Unusable(Obstacle::NextHopUnreachable));
    rib.set_next_hops([(one, Reach::Cost(10))]);
    assert_eq!(changes(&mut rib).len(), 1);
    assert!(rib.take_unresolved().is_empty());
    assert_eq!(rib.next_hops().len(), 2);
}

#[test]
fn route_by_a_next_hop_that_moved_is_told_again_and_others_are_not() {
    let mut rib = rib();
    rib.watch_next_hops();
    for number in [1, 2] {
        rib.peer_up(PeerId(number.into()), peer(number));
        rib.update(PeerId(number.into()), announce(&[number], path(10 + number, &[65009])));
    }
    let next_hop = |text: &str| text.parse().unwrap();
    rib.set_next_hops([(next_hop("192.0.2.11"), Reach::Cost(5)), (next_hop("192.0.2.12"), Reach::Cost(5))]);
    assert_eq!(changes(&mut rib).len(), 2);
    rib.set_next_hops([(next_hop("192.0.2.11"), Reach::Cost(5))]);
    assert!(changes(&mut rib).is_empty(), "the same again is no change");
    rib.next_hops_moved(&[next_hop("192.0.2.11")].into());
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.11".into())))]);
    // One that moves and goes at once is still told to be gone.
    rib.next_hops_moved(&[next_hop("192.0.2.12")].into());
    rib.peer_down(PeerId(2));
    assert_eq!(changes(&mut rib), [(prefix(2), None)]);
}

#[test]
fn closer_next_hop_wins_between_equal_internal_paths() {
    let mut rib = rib();
    rib.watch_next_hops();
    for number in [1, 2] {
        rib.peer_up(PeerId(number.into()), Peer { kind: PeerKind::Internal, ..peer(number) });
        rib.update(PeerId(number.into()), announce(&[1], path(10 + number, &[65009])));
    }
    rib.set_next_hops([
        ("192.0.2.11".parse().unwrap(), Reach::Cost(20)),
        ("192.0.2.12".parse().unwrap(), Reach::Cost(10)),
    ]);
    assert_eq!(changes(&mut rib), [(prefix(1), Some((2, "192.0.2.12".into())))]);
    assert_eq!(rib.routes()[1].why.to_string(), "lost at step: next hop cost 20 > 10");
}
