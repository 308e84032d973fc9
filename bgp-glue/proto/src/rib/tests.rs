use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::attributes::AsPath;
use crate::communities::Community;
use crate::decision::Obstacle;
use crate::policy::{Changes, Conditions, PrefixRange, Rule, Verdict};
use crate::types::Families;
use crate::wire::path_ids::PathIds;
use crate::wire::update::Announcement;

pub(super) fn local() -> Local {
    Local {
        asn: Asn(65000),
        router_id: Ipv4Addr::new(10, 0, 0, 100).try_into().unwrap(),
        multipath: Multipath::OFF,
    }
}

pub(super) fn rib() -> Rib {
    Rib::new(local(), 1)
}

pub(super) fn everything() -> Arc<Policy> {
    let rule = |prefix: &str| Rule::accept(PrefixRange::all_within(prefix.parse().unwrap()));
    Arc::new([rule("0.0.0.0/0"), rule("::/0")].into_iter().collect())
}

/// Accepts everything with these changes.
fn changing(changes: Changes) -> Arc<Policy> {
    let rule = Rule { conditions: Conditions::default(), verdict: Verdict::Accept, changes };
    Arc::new([rule].into_iter().collect())
}

pub(super) fn peer(number: u8) -> Peer {
    Peer {
        kind: PeerKind::External,
        remote_as: Asn(65000 + u32::from(number)),
        router_id: Ipv4Addr::new(10, 0, 0, number).try_into().unwrap(),
        address: Ipv4Addr::new(192, 0, 2, number).into(),
        own_addresses: vec![Ipv4Addr::new(192, 0, 2, 100).into()],
        policy: everything(),
        allow_own_as: 0,
        role: None,
        limits: PrefixLimits::default(),
    }
}

pub(super) fn path(next_hop: u8, asns: &[u32]) -> Attributes {
    let as_path = AsPath::sequence(&asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>());
    Attributes::originated(as_path, NextHop::V4(Ipv4Addr::new(192, 0, 2, next_hop)))
}

pub(super) fn prefix(n: u8) -> Prefix {
    format!("10.{n}.0.0/16").parse().unwrap()
}

pub(super) fn announce(prefixes: &[u8], attributes: Attributes) -> Update {
    let prefixes = prefixes.iter().map(|n| prefix(*n)).collect();
    Update {
        announced: vec![Announcement { attributes, prefixes, path_ids: PathIds::default() }],
        ..Update::default()
    }
}

pub(super) fn withdraw(prefixes: &[u8]) -> Update {
    Update { withdrawn: prefixes.iter().map(|n| prefix(*n)).collect(), ..Update::default() }
}

pub(super) fn changes(rib: &mut Rib) -> Vec<(Prefix, Option<(u32, String)>)> {
    let mut changes: Vec<_> = rib
        .take_changes(usize::MAX)
        .into_iter()
        .map(|change| {
            let best = change.paths.first();
            (change.prefix, best.map(|(peer, next_hop)| (peer.0, next_hop.to_string())))
        })
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
    let policy = Arc::new(Policy::from_iter([Rule::accept(PrefixRange::exact(prefix(1)))]));
    rib.peer_up(PeerId(1), Peer { policy, ..peer(1) });
    rib.update(PeerId(1), announce(&[1], path(1, &[65001, 65000, 65002])));
    rib.update(PeerId(1), announce(&[2], path(1, &[65001])));
    assert!(changes(&mut rib).is_empty());
    assert_eq!(rib.counts(PeerId(1)), Counts { received: 2, accepted: 0, ..Counts::default() });
    let why: Vec<_> = rib.routes().into_iter().map(|route| route.why).collect();
    assert_eq!(why, [Why::Unusable(Obstacle::AsLoop), Why::Unusable(Obstacle::RefusedByPolicy)]);
    rib.update(PeerId(1), announce(&[1], path(100, &[65001])));
    assert_eq!(rib.routes()[0].why, Why::Unusable(Obstacle::NextHopIsOurs));
}

#[test]
fn new_policy_takes_up_what_was_refused() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), Peer { policy: Arc::default(), ..peer(1) });
    rib.update(PeerId(1), announce(&[1, 2], path(1, &[65001])));
    assert!(changes(&mut rib).is_empty());
    rib.set_policy(PeerId(1), everything(), 0);
    assert_eq!((changes(&mut rib).len(), rib.counts(PeerId(1)).accepted), (2, 2));
    rib.set_policy(PeerId(1), Arc::default(), 0);
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
    assert!(size_of::<table::Entry>() <= 56, "{}", size_of::<table::Entry>());
    assert!(size_of::<Path>() <= 32, "{}", size_of::<Path>());
}

#[test]
fn path_reflected_back_to_us_is_not_used() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), Peer { kind: PeerKind::Internal, ..peer(1) });
    let reflected = Attributes { originator_id: Some(local().router_id), ..path(1, &[]) };
    rib.update(PeerId(1), announce(&[1], reflected));
    assert_eq!(rib.routes()[0].why, Why::Unusable(Obstacle::OriginatorIsUs));
}

#[test]
fn own_as_is_allowed_as_often_as_configured() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), Peer { allow_own_as: 1, ..peer(1) });
    rib.update(PeerId(1), announce(&[1], path(1, &[65001, 65000])));
    rib.update(PeerId(1), announce(&[2], path(1, &[65001, 65000, 65000])));
    let why: Vec<_> = rib.routes().into_iter().map(|route| route.why).collect();
    assert_eq!(why, [Why::Best, Why::Unusable(Obstacle::AsLoop)]);
}

#[test]
fn policy_changes_what_is_used_and_keeps_what_came() {
    let mut rib = rib();
    let policy = changing(Changes { preference: Some(200), ..Changes::default() });
    rib.peer_up(PeerId(1), Peer { policy, ..peer(1) });
    rib.peer_up(PeerId(2), peer(2));
    rib.update(PeerId(1), announce(&[1], path(1, &[65001, 65009])));
    rib.update(PeerId(2), announce(&[1], path(2, &[65002])));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.1".into())))]);
    let routes = rib.routes_to(prefix(1));
    assert_eq!((routes[0].attributes.local_pref, routes[0].received.local_pref), (Some(200), None));
    assert_eq!(routes[1].why.to_string(), "lost at step: local preference 100 < 200");
    rib.set_policy(PeerId(1), everything(), 0);
    assert_eq!(changes(&mut rib), [(prefix(1), Some((2, "192.0.2.2".into())))]);
    assert_eq!(rib.routes_of(PeerId(1))[0].why.to_string(), "lost at step: AS path length 2 > 1");
}

#[test]
fn address_is_looked_up_by_its_longest_prefix() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    let prefixes = ["0.0.0.0/0", "10.1.0.0/16"].map(|prefix| prefix.parse().unwrap()).to_vec();
    let announced =
        vec![Announcement { attributes: path(1, &[65001]), prefixes, path_ids: PathIds::default() }];
    rib.update(PeerId(1), Update { announced, ..Update::default() });
    for (address, found) in [("10.1.2.3", "10.1.0.0/16"), ("10.2.0.0", "0.0.0.0/0")] {
        assert_eq!(rib.routes_toward(address.parse().unwrap())[0].prefix.to_string(), found);
    }
    assert!(rib.routes_toward("2001:db8::1".parse().unwrap()).is_empty());
}

/// RFC 8326 section 4.2.
#[test]
fn path_that_announces_its_shutdown_is_the_last_choice() {
    let mut rib = rib();
    rib.peer_up(PeerId(1), peer(1));
    rib.peer_up(PeerId(2), peer(2));
    rib.update(PeerId(2), announce(&[1], path(2, &[65002, 65003, 65004])));
    let leaving = Attributes { communities: [Community::GRACEFUL_SHUTDOWN].into(), ..path(1, &[65001]) };
    rib.update(PeerId(1), announce(&[1], leaving));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((2, "192.0.2.2".into())))]);
    rib.peer_down(PeerId(2));
    assert_eq!(changes(&mut rib), [(prefix(1), Some((1, "192.0.2.1".into())))], "better than none");
}

/// RFC 9234 section 5.
#[test]
fn only_to_customer_is_checked_and_set_by_role() {
    let rows = [
        (Role::Provider, Some(65001), Why::Unusable(Obstacle::RouteLeak), None),
        (Role::RouteServer, Some(65001), Why::Unusable(Obstacle::RouteLeak), None),
        (Role::Provider, None, Why::Best, None),
        (Role::Peer, Some(65009), Why::Unusable(Obstacle::RouteLeak), None),
        (Role::Peer, Some(65001), Why::Best, Some(65001)),
        (Role::Peer, None, Why::Best, Some(65001)),
        (Role::Customer, Some(65009), Why::Best, Some(65009)),
        (Role::Customer, None, Why::Best, Some(65001)),
        (Role::RouteServerClient, None, Why::Best, Some(65001)),
    ];
    for (role, came, why, used) in rows {
        let mut rib = rib();
        rib.peer_up(PeerId(1), Peer { role: Some(role), ..peer(1) });
        let attributes = Attributes { only_to_customer: came.map(Asn), ..path(1, &[65001]) };
        rib.update(PeerId(1), announce(&[1], attributes));
        let route = &rib.routes()[0];
        assert_eq!(route.why, why, "{role:?} {came:?}");
        if why == Why::Best {
            assert_eq!(route.attributes.only_to_customer, used.map(Asn), "{role:?} {came:?}");
        }
    }
}

#[test]
fn equal_paths_are_used_together_and_told_when_their_set_changes() {
    let multipath = Multipath { paths: 2, relax: true };
    let mut rib = Rib::new(Local { multipath, ..local() }, 1);
    for number in 1..4 {
        rib.peer_up(PeerId(number.into()), peer(number));
        rib.update(PeerId(number.into()), announce(&[1], path(number, &[65000 + u32::from(number)])));
    }
    let used = |rib: &mut Rib| {
        let changes = rib.take_changes(usize::MAX);
        changes
            .into_iter()
            .map(|change| change.paths.iter().map(|(peer, _)| peer.0).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(used(&mut rib), [[1, 2]]);
    rib.peer_down(PeerId(3));
    assert!(used(&mut rib).is_empty(), "it was not in use");
    rib.peer_down(PeerId(1));
    assert_eq!(used(&mut rib), [[2]]);
    rib.set_local(local());
    assert!(used(&mut rib).is_empty());
}

/// RFC 4724 section 4.2.
#[test]
fn routes_outlive_a_restart_until_they_are_told_again_or_end_of_rib_comes() {
    let mut rib = rib();
    let id = PeerId(1);
    rib.peer_up(id, peer(1));
    rib.update(id, announce(&[1, 2], path(1, &[65001])));
    changes(&mut rib);
    rib.mark_stale(id, Families::ALL);
    assert!(changes(&mut rib).is_empty(), "forwarding goes on");
    assert_eq!(rib.counts(id), Counts { received: 2, accepted: 2, stale: 2, ..Counts::default() });
    rib.peer_up(id, peer(1));
    rib.update(id, announce(&[1], path(1, &[65001])));
    assert_eq!(rib.counts(id).stale, 1);
    rib.sweep(id, Families::ALL);
    assert_eq!(changes(&mut rib), [(prefix(2), None)]);
    assert_eq!(rib.counts(id), Counts { received: 1, accepted: 1, ..Counts::default() });
}

#[test]
fn second_restart_in_a_row_ends_what_was_stale_already() {
    let mut rib = rib();
    let id = PeerId(1);
    rib.peer_up(id, peer(1));
    rib.update(id, announce(&[1, 2], path(1, &[65001])));
    rib.mark_stale(id, Families::ALL);
    rib.peer_up(id, peer(1));
    rib.update(id, announce(&[1], path(1, &[65001])));
    changes(&mut rib);
    rib.mark_stale(id, Families::ALL);
    assert_eq!(changes(&mut rib), [(prefix(2), None)]);
    rib.peer_down(id);
    assert_eq!(changes(&mut rib), [(prefix(1), None)]);
    assert_eq!(rib.counts(id), Counts::default());
}

/// RFC 9494 section 4.
#[test]
fn long_lived_stale_route_is_marked_and_loses_to_every_other() {
    let mut rib = rib();
    let id = PeerId(1);
    rib.peer_up(id, peer(1));
    rib.peer_up(PeerId(2), peer(2));
    rib.update(id, announce(&[1], path(1, &[65001])));
    rib.update(
        id,
        announce(&[2], Attributes { communities: [Community::NO_LLGR].into(), ..path(1, &[65001]) }),
    );
    rib.update(PeerId(2), announce(&[1], path(2, &[65002, 65003, 65004])));
    assert_eq!(changes(&mut rib).len(), 2);
    rib.mark_stale(id, Families::ALL);
    rib.mark_long_lived(id, Families::ALL);
    assert_eq!(changes(&mut rib), [(prefix(1), Some((2, "192.0.2.2".into()))), (prefix(2), None)]);
    let routes = rib.routes_to(prefix(1));
    assert_eq!(routes[1].why.to_string(), "lost at step: stale");
    assert_eq!(routes[1].attributes.communities[..], [Community::LLGR_STALE]);
    rib.sweep(id, Families::ALL);
    assert_eq!(rib.routes_to(prefix(1)).len(), 1);
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
                    rib.peer_down(PeerId(p.into()));
                    rib.peer_up(PeerId(p.into()), peer(p));
                }
                Step::Told => {
                    for change in rib.take_changes(usize::MAX) {
                        let now = change.paths.first().copied();
                        let before = match now {
                            Some(best) => owner.insert(change.prefix, best),
                            None => owner.remove(&change.prefix),
                        };
                        prop_assert_ne!(before, now, "told without a change");
                    }
                }
            }
        }
        let mut fresh = Rib::new(local(), 99);
        (1..4).for_each(|p| fresh.peer_up(PeerId(p.into()), peer(p)));
        for ((n, p), attributes) in left.into_iter().rev() {
            fresh.update(PeerId(p.into()), announce(&[n], attributes));
        }
        prop_assert_eq!(fresh.routes(), rib.routes());
        let expected: BTreeMap<_, _> =
            fresh.take_changes(usize::MAX).into_iter().filter_map(|change| Some((change.prefix, *change.paths.first()?))).collect();
        prop_assert_eq!(owner, expected);
    }
}
