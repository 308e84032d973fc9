//! Several paths of one neighbor to one prefix (RFC 7911).

use super::tests::{announce, local, path, peer, prefix, rib, withdraw};
use super::*;
use crate::decision::Step;
use crate::types::Families;

const ONE: PeerId = PeerId(1);

fn up() -> Rib {
    let mut rib = rib();
    rib.peer_up(ONE, peer(1));
    rib
}

fn announced(id: u32, attributes: Attributes) -> Update {
    let mut update = announce(&[1], attributes);
    update.announced[0].path_ids = vec![id].into();
    update
}

fn withdrawn(id: u32) -> Update {
    Update { withdrawn_ids: vec![id].into(), ..withdraw(&[1]) }
}

fn best(rib: &mut Rib) -> Option<String> {
    let change = rib.take_changes(usize::MAX).pop().expect("something changed");
    change.paths.first().map(|(_, next_hop)| next_hop.to_string())
}

#[test]
fn paths_of_one_neighbor_live_side_by_side_until_each_is_withdrawn() {
    let mut rib = up();
    rib.update(ONE, announced(7, path(7, &[65001, 65002])));
    rib.update(ONE, announced(8, path(8, &[65001])));
    assert_eq!((rib.counts(ONE).received, best(&mut rib)), (2, Some("192.0.2.8".into())));
    rib.update(ONE, announced(8, path(9, &[65001, 65002, 65003])));
    assert_eq!((rib.counts(ONE).received, best(&mut rib)), (2, Some("192.0.2.7".into())), "replaced");
    rib.update(ONE, withdrawn(9));
    assert_eq!(rib.counts(ONE).received, 2, "nobody has a path 9");
    rib.update(ONE, withdrawn(7));
    assert_eq!((rib.counts(ONE).received, best(&mut rib)), (1, Some("192.0.2.9".into())));
    rib.update(ONE, withdrawn(8));
    assert_eq!((rib.counts(ONE).received, best(&mut rib)), (0, None));
}

#[test]
fn equal_paths_of_one_neighbor_are_decided_by_identifier_and_used_together() {
    let mut rib = up();
    rib.update(ONE, announced(9, path(9, &[65001])));
    rib.update(ONE, announced(7, path(7, &[65001])));
    let routes = rib.routes_to(prefix(1));
    assert_eq!(routes.iter().map(|route| route.path_id).collect::<Vec<_>>(), [7, 9]);
    assert!(matches!(routes[1].why, Why::Lost(Step::PathId(_))), "{:?}", routes[1].why);
    rib.set_local(Local { multipath: Multipath { paths: 4, relax: false }, ..local() });
    let change = rib.take_changes(usize::MAX).pop().expect("something changed");
    let next_hops: Vec<_> = change.paths.iter().map(|(_, next_hop)| next_hop.to_string()).collect();
    assert_eq!(next_hops, ["192.0.2.7", "192.0.2.9"]);
}

#[test]
fn each_path_is_stale_until_it_is_told_again() {
    let mut rib = up();
    rib.update(ONE, announced(7, path(7, &[65001])));
    rib.update(ONE, announced(8, path(8, &[65001])));
    rib.mark_stale(ONE, Families::ALL);
    rib.update(ONE, announced(8, path(8, &[65001])));
    assert_eq!(rib.counts(ONE).stale, 1);
    rib.sweep(ONE, Families::ALL);
    assert_eq!(rib.routes_to(prefix(1)).iter().map(|route| route.path_id).collect::<Vec<_>>(), [8]);
}

#[test]
fn each_path_counts_for_the_limit() {
    let mut rib = rib();
    let limits = PrefixLimits { ipv4: Some(2), ipv6: None, warning_percent: 100, ends: true };
    rib.peer_up(ONE, Peer { limits, ..peer(1) });
    for id in [1, 2, 1, 3] {
        rib.update(ONE, announced(id, path(7, &[65001])));
    }
    assert_eq!((rib.counts(ONE).received, rib.take_crossings().len()), (2, 1));
}
