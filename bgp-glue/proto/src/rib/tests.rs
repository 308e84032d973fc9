use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::attributes::AsPath;
use crate::policy::{ImportRule, Verdict};
use crate::wire::update::Announcement;

const LOCAL_AS: Asn = Asn(65000);

fn rib() -> Rib {
    Rib::new(LOCAL_AS, 1)
}

fn everything() -> Arc<ImportPolicy> {
    let rule =
        |prefix: &str| ImportRule::new(prefix.parse().unwrap(), Some(0), None, Verdict::Accept).unwrap();
    Arc::new([rule("0.0.0.0/0"), rule("::/0")].into_iter().collect())
}

fn peer(number: u8) -> Peer {
    Peer {
        kind: PeerKind::External,
        router_id: Ipv4Addr::new(10, 0, 0, number).try_into().unwrap(),
        address: Ipv4Addr::new(192, 0, 2, number).into(),
        own_addresses: vec![Ipv4Addr::new(192, 0, 2, 100).into()],
        policy: everything(),
    }
}

fn path(next_hop: u8, asns: &[u32]) -> Attributes {
    let as_path = AsPath::sequence(&asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>());
    Attributes::originated(as_path, NextHop::V4(Ipv4Addr::new(192, 0, 2, next_hop)))
}

fn prefix(n: u8) -> Prefix {
    format!("10.{n}.0.0/16").parse().unwrap()
}

fn announce(prefixes: &[u8], attributes: Attributes) -> Update {
    let prefixes = prefixes.iter().map(|n| prefix(*n)).collect();
    Update { announced: vec![Announcement { attributes, prefixes }], ..Update::default() }
}

fn withdraw(prefixes: &[u8]) -> Update {
    Update { withdrawn: prefixes.iter().map(|n| prefix(*n)).collect(), ..Update::default() }
}

fn changes(rib: &mut Rib) -> Vec<(Prefix, Option<(u32, String)>)> {
    let mut changes: Vec<_> = rib
        .take_changes(usize::MAX)
        .into_iter()
        .map(|change| (change.prefix, change.best.map(|(peer, next_hop)| (peer.0, next_hop.to_string()))))
        .collect();
    changes.sort();
    changes
}

#[test]
fn route_comes_moves_to_a_better_path_and_goes() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    rib.peer_up(PeerId(2), peer(2));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001, 65009])));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.1".into())))]);
    rib.update(PeerId(2), announce(&[1], path(2, &[65002])));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((2, "192.0.2.2".into())))]);
    rib.peer_down(PeerId(2));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.1".into())))]);
    rib.update(PeerId(1), withdraw(&[1]));
    assert_eq!(changes(&mut rib), [(prefix(1), None)]);
    assert_eq!((rib.table.len(), rib.counts(PeerId(1))), (0, Counts::default()));
}

#[test]
fn worse_path_same_path_and_there_and_back_are_no_change() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    rib.peer_up(PeerId(2), peer(2));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001])));
    changes(&mut rib);
    rib.update(PeerId(2), announce(&[1], path(2, &[65002, 65003])));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001])));
    rib.update(PeerId(1), withdraw(&[1]));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001])));
    assert!(changes(&mut rib).is_empty());
}

#[test]
fn change_of_the_next_hop_alone_is_a_change() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001])));
    changes(&mut rib);
    rib.update(PeerId(1), announce(&[1], path(7, &[65001])));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.7".into())))]);
}

#[test]
fn prefix_withdrawn_and_announced_at_once_is_announced() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    let update = Update { withdrawn: vec![prefix(1)], ..announce(&[1], path(1, &[65001])) };
    rib.update(PeerId(1), update);
    assert_eq!(changes(&mut rib).len(), 1);
}

#[test]
fn path_with_our_as_refused_prefix_and_own_next_hop_are_kept_but_not_used() {
    let mut rib = rib();
    let policy = Arc::new(ImportPolicy::from_iter([ImportRule::exact(prefix(1))]));
    rib.peer_up(PeerId(1), Peer { policy, ..peer(1) });
    rib.update(PeerId(1), announce(&[1], path(1, &[65001, 65000, 65002])));
    rib.update(PeerId(1), announce(&[2], path(1, &[65001])));
    assert!(changes(&mut rib).is_empty());
    assert_eq!(rib.counts(PeerId(1)), Counts { received: 2, accepted: 0 });
    let why: Vec<_> = rib.routes().into_iter().map(|route| route.why).collect();
    assert_eq!(why, [Why::AsLoop, Why::RefusedByPolicy]);
    rib.update(PeerId(1), announce(&[1], path(100, &[65001])));
    assert_eq!(rib.routes()[0].why, Why::NextHopIsOurs);
}

#[test]
fn new_policy_takes_up_what_was_refused() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), Peer { policy: Arc::default(), ..peer(1) });
    rib.update(PeerId(1), announce(&[1, 2], path(1, &[65001])));
    assert!(changes(&mut rib).is_empty());
    rib.set_policy(PeerId(1), everything());
    assert_eq!((changes(&mut rib).len(), rib.counts(PeerId(1)).accepted), (2, 2));
    rib.set_policy(PeerId(1), Arc::default());
    assert_eq!(changes(&mut rib), [(prefix(1), None), (prefix(2), None)]);
}

#[test]
fn equal_attributes_are_one_value_and_are_forgotten_with_their_last_route() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    for n in 0..100 {
        rib.update(PeerId(1), announce(&[n], path(1, &[65001])));
    }
    assert_eq!(rib.interner.len(), 1);
    changes(&mut rib);
    rib.peer_down(PeerId(1));
    changes(&mut rib);
    rib.interner.sweep();
    assert_eq!((rib.interner.len(), rib.table.len()), (0, 0));
}

#[test]
fn neighbor_that_is_not_up_is_not_heard() {
    let mut rib = rib();
    rib.update(PeerId(1), announce(&[1], path(1, &[65001])));
    assert!(!rib.has_changes() && rib.routes().is_empty());
}

#[test]
fn changes_come_in_portions() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    rib.update(PeerId(1), announce(&(0..100).collect::<Vec<_>>(), path(1, &[65001])));
    let mut portions = Vec::new();
    while rib.has_changes() {
        portions.push(rib.take_changes(30).len());
    }
    assert_eq!(portions, [30, 30, 30, 10]);
}

#[test]
fn entry_of_a_table_stays_small() {
    assert!(size_of::<table::Entry>() <= 48, "{}", size_of::<table::Entry>());
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, u8, u8, u32),
    Withdraw(u8, u8),
    Down(u8),
    Up(u8),
    Told,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..4_u8, 0..4_u8, 1..4_u8, 0..3_u32).prop_map(|(p, n, len, med)| Step::Announce(p, n, len, med)),
        3 => (1..4_u8, 0..4_u8).prop_map(|(p, n)| Step::Withdraw(p, n)),
        1 => (1..4_u8).prop_map(Step::Down),
        1 => (1..4_u8).prop_map(Step::Up),
        1 => Just(Step::Told),
    ]
}

proptest! {
    /// After any history the table is what a fresh table would be that hears only what is left, in any order; and the
    /// changes told add up to it.
    #[test]
    fn history_leaves_no_trace(steps in proptest::collection::vec(any_step(), 0..60)) {
        let mut rib = rib();
        let mut left: BTreeMap<(u8, u8), Attributes> = BTreeMap::new();
        let mut up = [false; 4];
        let mut owner: BTreeMap<Prefix, (PeerId, NextHop)> = BTreeMap::new();
        for step in steps.into_iter().chain([Step::Told]) {
            match step {
                Step::Announce(p, n, length, med) if up[usize::from(p)] => {
                    let mut attributes = path(p, &vec![65001; usize::from(length)]);
                    attributes.med = Some(med);
                    left.insert((n, p), attributes.clone());
                    rib.update(PeerId(p.into()), announce(&[n], attributes));
                }
                Step::Announce(..) => {}
                Step::Withdraw(p, n) => {
                    left.remove(&(n, p));
                    rib.update(PeerId(p.into()), withdraw(&[n]));
                }
                Step::Down(p) => {
                    left.retain(|(_, from), _| *from != p);
                    up[usize::from(p)] = false;
                    rib.peer_down(PeerId(p.into()));
                }
                Step::Up(p) => {
                    left.retain(|(_, from), _| *from != p);
                    up[usize::from(p)] = true;
                    rib.peer_up(PeerId(p.into()), peer(p));
                }
                Step::Told => {
                    for change in rib.take_changes(usize::MAX) {
                        let before = match change.best {
                            Some(best) => owner.insert(change.prefix, best),
                            None => owner.remove(&change.prefix),
                        };
                        prop_assert_ne!(before, change.best, "told without a change");
                    }
                }
            }
        }
        let mut fresh = Rib::new(LOCAL_AS, 99);
        (1..4).for_each(|p| fresh.peer_up(PeerId(p.into()), peer(p)));
        for ((n, p), attributes) in left.into_iter().rev() {
            fresh.update(PeerId(p.into()), announce(&[n], attributes));
        }
        prop_assert_eq!(fresh.routes(), rib.routes());
        let expected: BTreeMap<_, _> =
            fresh.take_changes(usize::MAX).into_iter().filter_map(|change| Some((change.prefix, change.best?))).collect();
        prop_assert_eq!(owner, expected);
    }
}
