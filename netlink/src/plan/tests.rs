//! The rules one by one, then any state against any wish, carried out on a kernel of a few lines.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU8;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

use super::*;

fn link(index: u32) -> LinkIndex {
    LinkIndex::new(index).unwrap()
}

fn hop(gateway: &str, on: Option<u32>) -> NextHop {
    let gateway = gateway.parse().unwrap();
    on.map_or_else(|| NextHop::via(gateway).unwrap(), |index| NextHop::via_link(gateway, link(index)))
}

fn via(hops: impl IntoIterator<Item = NextHop>) -> RouteTarget {
    RouteTarget::Via(NextHops::new(hops).unwrap())
}

fn route_key(prefix: &str) -> RouteKey {
    RouteKey { table: TableId::MAIN, prefix: prefix.parse().unwrap(), metric: 8 }
}

fn address_key(ip: &str) -> AddressKey {
    AddressKey { link: link(1), ip: ip.parse().unwrap() }
}

fn somebody() -> Holder {
    Holder("proto static".to_owned())
}

fn both<T>(ours: T) -> Held<T> {
    Held { ours: Some(ours), copies: 0, foreign: Some(somebody()) }
}

#[test]
fn each_meeting_of_a_wanted_route_and_what_is_there_has_its_answer() {
    let key = route_key("10.10.0.0/16");
    let [hole, other] = [RouteTarget::Blackhole, RouteTarget::Unreachable];
    let add = || Op::AddRoute(key, hole.clone());
    let delete = || Op::DeleteRoute(key);
    let copies = |ours: &RouteTarget| Held { ours: Some(Some(ours.clone())), copies: 1, foreign: None };
    // name, held, operations, kept, refused
    let rows = [
        ("nothing there", None, vec![add()], 0, 0),
        ("ours as wanted", Some(Held::ours(Some(hole.clone()))), vec![], 1, 0),
        (
            "ours going elsewhere",
            Some(Held::ours(Some(other.clone()))),
            vec![Op::ReplaceRoute(key, hole.clone())],
            0,
            0,
        ),
        (
            "ours of a kind we never make",
            Some(Held::ours(None)),
            vec![Op::ReplaceRoute(key, hole.clone())],
            0,
            0,
        ),
        ("somebody else's", Some(Held::foreign(somebody())), vec![], 0, 1),
        ("ours as wanted, and somebody else's", Some(both(Some(hole.clone()))), vec![], 1, 0),
        ("ours going elsewhere, and somebody else's", Some(both(Some(other.clone()))), vec![delete()], 0, 1),
        ("two of ours", Some(copies(&hole)), vec![delete(), delete(), add()], 0, 0),
    ];
    for (name, held, ops, kept, refused) in rows {
        let plan = plan_route(key, Some(&hole), held.as_ref());
        assert_eq!((plan.ops, plan.kept, plan.refused.len()), (ops, kept, refused), "{name}");
    }
}

#[test]
fn each_meeting_of_a_wanted_address_and_what_is_there_has_its_answer() {
    let key = address_key("198.51.100.7");
    let rows = [
        ("nothing there", None, vec![Op::AddAddress(key)], 0, 0),
        ("ours", Some(Held::ours(32)), vec![], 1, 0),
        (
            "ours with another prefix length",
            Some(Held::ours(24)),
            vec![Op::DeleteAddress(key, 24), Op::AddAddress(key)],
            0,
            0,
        ),
        ("somebody else's", Some(Held::foreign(somebody())), vec![], 0, 1),
        ("ours, and somebody else's with another prefix length", Some(both(32)), vec![], 1, 0),
    ];
    for (name, held, ops, kept, refused) in rows {
        let want = Want { addresses: [key].into(), ..Want::default() };
        let have = Have { addresses: held.map(|held| (key, held)).into_iter().collect(), ..Have::default() };
        let plan = plan(&want, &have);
        assert_eq!((plan.ops, plan.kept, plan.refused.len()), (ops, kept, refused), "{name}");
    }
}

#[test]
fn what_nobody_wants_goes_only_if_it_is_ours() {
    let (ours, theirs, mixed) =
        (route_key("10.1.0.0/16"), route_key("10.2.0.0/16"), route_key("10.3.0.0/16"));
    let have = Have {
        addresses: [
            (address_key("198.51.100.1"), Held::ours(32)),
            (address_key("127.0.0.1"), Held::foreign(somebody())),
        ]
        .into(),
        routes: [
            (ours, Held::ours(Some(RouteTarget::Blackhole))),
            (theirs, Held::foreign(somebody())),
            (mixed, both(None)),
        ]
        .into(),
    };
    let plan = plan(&Want::default(), &have);
    let gone = Op::DeleteAddress(address_key("198.51.100.1"), 32);
    assert_eq!(plan.ops, [Op::DeleteRoute(ours), Op::DeleteRoute(mixed), gone]);
    assert_eq!((plan.kept, plan.refused), (0, vec![]));
}

#[test]
fn what_is_wanted_comes_before_what_is_to_go() {
    let (old, new) = (route_key("10.1.0.0/16"), route_key("10.2.0.0/16"));
    let (old_ip, new_ip) = (address_key("198.51.100.1"), address_key("198.51.100.2"));
    let want = Want { addresses: [new_ip].into(), routes: [(new, RouteTarget::Blackhole)].into() };
    let have = Have {
        addresses: [(old_ip, Held::ours(32))].into(),
        routes: [(old, Held::ours(Some(RouteTarget::Blackhole)))].into(),
    };
    assert_eq!(
        plan(&want, &have).ops,
        [
            Op::AddAddress(new_ip),
            Op::AddRoute(new, RouteTarget::Blackhole),
            Op::DeleteRoute(old),
            Op::DeleteAddress(old_ip, 32),
        ]
    );
}

#[test]
fn a_held_target_satisfies_a_want_that_leaves_more_open() {
    let weight = |hop: NextHop, weight| hop.weighing(NonZeroU8::new(weight).unwrap());
    let a = |on| hop("192.0.2.1", on);
    let b = |on| hop("192.0.2.2", on);
    // name, held, want, satisfied
    let rows = [
        ("the same", via([a(Some(2))]), via([a(Some(2))]), true),
        ("the link left open", via([a(Some(2))]), via([a(None)]), true),
        ("another link", via([a(Some(2))]), via([a(Some(3))]), false),
        ("another gateway", via([a(Some(2))]), via([b(None)]), false),
        ("one of two", via([a(Some(2))]), via([a(None), b(None)]), false),
        ("two of two", via([a(Some(2)), b(Some(3))]), via([b(None), a(None)]), true),
        ("the same gateway on two links", via([a(Some(2)), a(Some(3))]), via([a(None), a(Some(2))]), true),
        ("weight of a single hop", via([a(Some(2))]), via([weight(a(None), 5)]), true),
        ("weight among several", via([a(Some(2)), b(Some(2))]), via([weight(a(None), 5), b(None)]), false),
        ("onlink or not", via([a(Some(2))]), via([a(Some(2)).onlink()]), false),
        ("a hole for a way", RouteTarget::Blackhole, via([a(None)]), false),
        ("silent for loud", RouteTarget::Blackhole, RouteTarget::Unreachable, false),
        ("a hole", RouteTarget::Blackhole, RouteTarget::Blackhole, true),
    ];
    for (name, held, want, satisfied) in rows {
        assert_eq!(satisfies(&Some(held), &want), satisfied, "{name}");
    }
    assert!(!satisfies(&None, &RouteTarget::Blackhole), "a kind we never make satisfies nothing");
}

#[test]
fn a_multipath_route_lives_on_the_links_that_are_up() {
    let [a, b, c] = [hop("192.0.2.1", Some(2)), hop("198.51.100.1", Some(3)), hop("203.0.113.1", None)];
    let rows = [
        ("all up", via([a, b, c]), vec![2, 3], via([a, b, c])),
        ("one down", via([a, b, c]), vec![3], via([b, c])),
        ("a hop without a link always counts", via([a, b, c]), vec![], via([c])),
        ("none left: for the kernel to judge", via([a, b]), vec![], via([a, b])),
        ("a single hop is all there is", via([a]), vec![], via([a])),
        ("a hole has no links", RouteTarget::Blackhole, vec![], RouteTarget::Blackhole),
    ];
    for (name, target, up, expected) in rows {
        assert_eq!(usable(&target, |index| up.contains(&index.get())), expected, "{name}");
    }
}

/// A kernel of a few lines, which breaks the test on any operation that the real one would refuse, or that would
/// touch what is not ours.
fn carry_out(ops: &[Op], mut have: Have) -> Have {
    fn delete<K: Ord + Copy, T>(table: &mut BTreeMap<K, Held<T>>, key: K) {
        let held = table.get_mut(&key).expect("only what is there is deleted");
        assert!(held.ours.is_some(), "only ours are deleted");
        match held.copies.checked_sub(1) {
            Some(copies) => held.copies = copies,
            None => held.ours = None,
        }
        if held.ours.is_none() && held.foreign.is_none() {
            table.remove(&key);
        }
    }
    for op in ops {
        match op {
            Op::AddAddress(key) => {
                let before = have.addresses.insert(*key, Held::ours(max_len(key.ip)));
                assert!(before.is_none(), "an address is added only where there is none");
            }
            Op::AddRoute(key, target) => {
                let before = have.routes.insert(*key, Held::ours(Some(target.clone())));
                assert!(before.is_none(), "a route is added only where there is none");
            }
            Op::ReplaceRoute(key, target) => {
                let before =
                    have.routes.insert(*key, Held::ours(Some(target.clone()))).expect("replaces something");
                assert!(
                    before.ours.is_some() && before.foreign.is_none() && before.copies == 0,
                    "replaces only ours"
                );
            }
            Op::DeleteAddress(key, _) => delete(&mut have.addresses, *key),
            Op::DeleteRoute(key) => delete(&mut have.routes, *key),
        }
    }
    have
}

fn any_target() -> impl Strategy<Value = RouteTarget> {
    let any_hop = (1..4_u8, prop::option::of(1..4_u32), 1..3_u8).prop_map(|(host, on, weight)| {
        hop(&format!("192.0.2.{host}"), on).weighing(NonZeroU8::new(weight).unwrap())
    });
    prop_oneof![
        Just(RouteTarget::Blackhole),
        Just(RouteTarget::Unreachable),
        btree_set(any_hop, 1..4).prop_map(via),
    ]
}

fn any_held<T: fmt::Debug + Clone>(ours: impl Strategy<Value = T>) -> impl Strategy<Value = Held<T>> {
    (prop::option::of(ours), 0..3_u32, any::<bool>())
        .prop_filter("something is held", |(ours, _, foreign)| ours.is_some() || *foreign)
        .prop_map(|(ours, copies, foreign)| Held {
            copies: if ours.is_some() { copies } else { 0 },
            ours,
            foreign: foreign.then(somebody),
        })
}

/// Few keys, so that want and have meet often.
fn any_route_key() -> impl Strategy<Value = RouteKey> {
    let prefixes =
        prop::sample::select(vec!["0.0.0.0/0", "10.1.0.0/16", "10.2.0.0/16", "::/0", "2001:db8::/32"]);
    (prefixes, prop::sample::select(vec![254_u32, 1000]), 8..10_u32).prop_map(|(prefix, table, metric)| {
        RouteKey { table: TableId::new(table).unwrap(), prefix: prefix.parse().unwrap(), metric }
    })
}

fn any_address_key() -> impl Strategy<Value = AddressKey> {
    let ips = prop::sample::select(vec!["198.51.100.1", "198.51.100.2", "2001:db8::1"]);
    (ips, 1..3_u32).prop_map(|(ip, on)| AddressKey { link: link(on), ip: ip.parse().unwrap() })
}

prop_compose! {
    fn any_want()(
        addresses in btree_set(any_address_key(), 0..5),
        routes in btree_map(any_route_key(), any_target(), 0..8),
    ) -> Want {
        Want { addresses, routes }
    }
}

prop_compose! {
    fn any_have()(
        addresses in btree_map(any_address_key(), any_held(prop::sample::select(vec![24_u8, 32, 128])), 0..5),
        routes in btree_map(any_route_key(), any_held(prop::option::of(any_target())), 0..8),
    ) -> Have {
        Have { addresses, routes }
    }
}

fn foreign_of(have: &Have) -> (Vec<AddressKey>, Vec<RouteKey>) {
    let addresses = have.addresses.iter().filter(|(_, held)| held.foreign.is_some()).map(|(key, _)| *key);
    let routes = have.routes.iter().filter(|(_, held)| held.foreign.is_some()).map(|(key, _)| *key);
    (addresses.collect(), routes.collect())
}

proptest! {
    #[test]
    fn carrying_a_plan_out_gives_what_is_wanted_and_leaves_others_alone(want in any_want(), have in any_have()) {
        let drafted = plan(&want, &have);
        let after = carry_out(&drafted.ops, have.clone());
        prop_assert_eq!(foreign_of(&after), foreign_of(&have));

        let refused: BTreeSet<Key> = drafted.refused.iter().map(|(key, _)| *key).collect();
        for key in &want.addresses {
            let held = after.addresses.get(key).and_then(|held| held.ours);
            prop_assert_eq!(held == Some(max_len(key.ip)), !refused.contains(&Key::Address(*key)));
        }
        for (key, target) in &want.routes {
            let held = after.routes.get(key).and_then(|held| held.ours.as_ref());
            let as_wanted = held.is_some_and(|held| satisfies(held, target));
            prop_assert_eq!(as_wanted, !refused.contains(&Key::Route(*key)));
        }
        let unwanted_routes = after.routes.iter().filter(|(key, _)| !want.routes.contains_key(key));
        prop_assert!(unwanted_routes.into_iter().all(|(_, held)| held.ours.is_none()));
        let unwanted = after.addresses.iter().filter(|(key, _)| !want.addresses.contains(key));
        prop_assert!(unwanted.into_iter().all(|(_, held)| held.ours.is_none()));
    }

    #[test]
    fn planning_again_changes_nothing(want in any_want(), have in any_have()) {
        let first = plan(&want, &have);
        let again = plan(&want, &carry_out(&first.ops, have));
        prop_assert_eq!(again.ops, vec![]);
        prop_assert_eq!(again.kept + again.refused.len(), want.addresses.len() + want.routes.len());
        prop_assert_eq!(again.refused, first.refused);
    }

    #[test]
    fn one_route_alone_is_planned_as_among_others(want in any_want(), have in any_have()) {
        let whole = plan(&want, &have);
        for key in want.routes.keys().chain(have.routes.keys()) {
            let alone = plan_route(*key, want.routes.get(key), have.routes.get(key));
            let among: Vec<&Op> = whole.ops.iter().filter(|op| op.key() == Key::Route(*key)).collect();
            prop_assert_eq!(alone.ops.iter().collect::<Vec<_>>(), among);
        }
    }
}
