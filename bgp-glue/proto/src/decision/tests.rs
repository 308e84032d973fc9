use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::attributes::{AsPath, NextHop};

type Change = fn(&mut Offer);

/// One path, owned.
#[derive(Clone, Debug)]
struct Offer {
    attributes: Attributes,
    source: Source,
    cost: u32,
    stale: bool,
}

/// A path by this AS path from neighbor `number`, external, at cost 0.
fn offer(asns: &[u32], number: u8) -> Offer {
    let as_path = AsPath::sequence(&asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>());
    Offer {
        attributes: Attributes::originated(as_path, NextHop::V4(Ipv4Addr::new(192, 0, 2, number))),
        source: Source {
            kind: PeerKind::External,
            router_id: router_id(number),
            address: Ipv4Addr::new(192, 0, 2, number).into(),
            tie_breaker: u32::from(number),
            path_id: 0,
        },
        cost: 0,
        stale: false,
    }
}

fn router_id(number: u8) -> RouterId {
    Ipv4Addr::new(10, 0, 0, number).try_into().unwrap()
}

fn with(mut offer: Offer, change: impl FnOnce(&mut Offer)) -> Offer {
    change(&mut offer);
    offer
}

fn candidates(offers: &[Offer]) -> Vec<Candidate<'_>> {
    let candidate = |offer: &'_ Offer| (offer.source, offer.cost, offer.stale);
    offers
        .iter()
        .map(|offer| {
            let (source, cost, stale) = candidate(offer);
            Candidate { attributes: &offer.attributes, source, cost, stale }
        })
        .collect()
}

fn told(offers: &[Offer], multipath: Multipath) -> Vec<String> {
    explain(&candidates(offers), multipath).iter().map(ToString::to_string).collect()
}

fn decide(offers: &[Offer]) -> Vec<String> {
    told(offers, Multipath::OFF)
}

/// RFC 4271 section 9.1.2.2: the first offer of each row is better at its step and worse at all later ones.
#[test]
fn each_step_decides_when_all_before_it_are_equal() {
    let worst = |number| {
        with(offer(&[1, 2], number), |offer| {
            offer.attributes.origin = Origin::Incomplete;
            offer.attributes.med = Some(9);
            offer.attributes.cluster_list = [Ipv4Addr::LOCALHOST].into();
            offer.source.kind = PeerKind::Internal;
            offer.cost = 20;
            offer.source.path_id = 2;
        })
    };
    let rows: [(Change, Change, &str); 11] = [
        (|_| (), |b| b.stale = true, "stale"),
        (
            |a| (a.attributes.local_pref, a.stale) = (Some(101), false),
            |b| b.attributes.as_path = offer(&[1], 1).attributes.as_path,
            "local preference 100 < 101",
        ),
        (
            |a| a.attributes.as_path = offer(&[1], 1).attributes.as_path,
            |b| b.attributes.origin = Origin::Igp,
            "AS path length 2 > 1",
        ),
        (|a| a.attributes.origin = Origin::Igp, |b| b.attributes.med = None, "origin incomplete > IGP"),
        (|a| a.attributes.med = Some(8), |b| b.source.kind = PeerKind::External, "MED 9 > 8"),
        (|a| a.source.kind = PeerKind::External, |b| b.cost = 0, "internal, the best is external"),
        (|a| a.cost = 10, |b| b.source.router_id = router_id(1), "next hop cost 20 > 10"),
        (
            |a| a.source.router_id = router_id(4),
            |b| b.attributes.cluster_list = [].into(),
            "router id 10.0.0.5 > 10.0.0.4",
        ),
        (
            |a| a.attributes.originator_id = Some(router_id(3)),
            |b| b.attributes.cluster_list = [].into(),
            "router id 10.0.0.5 > 10.0.0.3",
        ),
        (
            |a| a.attributes.cluster_list = [].into(),
            |b| b.source.address = Ipv4Addr::new(192, 0, 2, 1).into(),
            "cluster list length 1 > 0",
        ),
        (
            |a| a.source.address = Ipv4Addr::new(192, 0, 2, 4).into(),
            |b| b.source.path_id = 1,
            "neighbor address 192.0.2.5 > 192.0.2.4",
        ),
    ];
    for (better, worse, step) in rows {
        let (better, worse) = (with(worst(5), better), with(worst(5), worse));
        let lost = format!("lost at step: {step}");
        assert_eq!(decide(&[better.clone(), worse.clone()]), ["best", &lost]);
        assert_eq!(decide(&[worse, better]), [&lost, "best"]);
    }
    let second = with(worst(5), |offer| offer.source.path_id = 3);
    assert_eq!(decide(&[worst(5), second]), ["best", "lost at step: path id 3 > 2"]);
}

#[test]
fn med_counts_only_inside_of_one_neighboring_as() {
    let far = with(offer(&[1, 9], 2), |offer| offer.attributes.med = Some(10));
    assert_eq!(decide(&[offer(&[2, 9], 3), far])[1], "best");
}

#[test]
fn missing_med_is_zero_and_missing_local_pref_is_a_hundred() {
    let some = with(offer(&[1], 1), |offer| offer.attributes.med = Some(1));
    assert_eq!(decide(&[some, offer(&[1], 2)])[0], "lost at step: MED 1 > 0");
    let low = with(offer(&[1], 1), |offer| offer.attributes.local_pref = Some(99));
    assert_eq!(decide(&[low, offer(&[1], 2)])[0], "lost at step: local preference 99 < 100");
}

/// The classic trap: compared pair by pair, the three paths go round in a circle.
#[test]
fn med_makes_no_circle() {
    let a = with(offer(&[1], 3), |offer| offer.attributes.med = Some(0));
    let c = with(offer(&[1], 1), |offer| offer.attributes.med = Some(10));
    assert_eq!(
        decide(&[a, offer(&[2], 2), c]),
        ["lost at step: router id 10.0.0.3 > 10.0.0.2", "best", "lost at step: MED 10 > 0"]
    );
}

#[test]
fn multipath_takes_equal_paths_up_to_its_limit() {
    let three = [offer(&[1, 9], 3), offer(&[1, 9], 1), offer(&[1, 9], 2)];
    let two = Multipath { paths: 2, relax: false };
    assert_eq!(select(&candidates(&three), two), [1, 2]);
    let lost = "lost at step: router id 10.0.0.3 > 10.0.0.1";
    assert_eq!(told(&three, two), [lost, "best", "multipath"]);
    assert_eq!(select(&candidates(&three), Multipath::OFF), [1]);
}

#[test]
fn multipath_over_several_ases_has_to_be_relaxed() {
    let two = [offer(&[1, 9], 1), offer(&[2, 9], 2)];
    let strict = Multipath { paths: 8, relax: false };
    let relaxed = Multipath { paths: 8, relax: true };
    assert_eq!(select(&candidates(&two), strict), [0]);
    assert_eq!(select(&candidates(&two), relaxed), [0, 1]);
    let longer = [offer(&[1, 9], 1), offer(&[2, 3, 9], 2)];
    assert_eq!(select(&candidates(&longer), relaxed), [0]);
    let costly = [offer(&[1, 9], 1), with(offer(&[2, 9], 2), |offer| offer.cost = 1)];
    assert_eq!(select(&candidates(&costly), relaxed), [0]);
}

#[test]
fn path_that_lost_by_its_med_is_not_used_beside_the_best() {
    let offers =
        [offer(&[1, 9], 1), offer(&[2, 9], 2), with(offer(&[2, 9], 3), |o| o.attributes.med = Some(5))];
    assert_eq!(
        told(&offers, Multipath { paths: 8, relax: true }),
        ["best", "multipath", "lost at step: MED 5 > 0"]
    );
}

#[test]
fn one_next_hop_is_used_once() {
    let same =
        with(offer(&[1], 2), |offer| offer.attributes.next_hop = self::offer(&[1], 1).attributes.next_hop);
    assert_eq!(select(&candidates(&[offer(&[1], 1), same]), Multipath { paths: 4, relax: true }), [0]);
}

fn any_offers() -> impl Strategy<Value = Vec<Offer>> {
    let tie_breaks = (any::<bool>(), 1..3_u8, 0..2_u32);
    let one = (1..4_u32, 0..3_usize, 0..2_u32, 0..3_u32, tie_breaks);
    proptest::collection::vec(one, 1..7).prop_map(|rows| {
        rows.into_iter()
            .zip(0_u8..)
            .map(|((asn, more, pref, med, (internal, id, cost)), number)| {
                let mut offer = offer(&[&[asn][..], &[7, 7][..more]].concat(), number);
                offer.attributes.local_pref = Some(100 + pref);
                offer.attributes.med = Some(med);
                offer.source.router_id = router_id(id);
                offer.source.kind = if internal { PeerKind::Internal } else { PeerKind::External };
                offer.cost = cost;
                offer
            })
            .collect()
    })
}

proptest! {
    /// Always deterministic MED: every permutation of the arrivals gives each path the same verdict, and the same
    /// paths in the same order.
    #[test]
    fn result_does_not_depend_on_the_order_of_arrival(
        (offers, shuffled) in any_offers().prop_flat_map(|offers| (Just(offers.clone()), Just(offers).prop_shuffle())),
        paths in 1..4_u8,
        relax: bool,
    ) {
        let multipath = Multipath { paths, relax };
        let outcome = |offers: &[Offer]| {
            let why = explain(&candidates(offers), multipath);
            let mut rows: Vec<_> = offers.iter().map(|offer| offer.source.address).zip(why).collect();
            rows.sort_by_key(|(address, _)| *address);
            let used = select(&candidates(offers), multipath);
            (rows, used.into_iter().map(|index| offers[index].source.address).collect::<Vec<_>>())
        };
        prop_assert_eq!(outcome(&offers), outcome(&shuffled));
    }

    #[test]
    fn explanation_agrees_with_the_selection(offers in any_offers(), paths in 1..4_u8, relax: bool) {
        let multipath = Multipath { paths, relax };
        let used = select(&candidates(&offers), multipath);
        for (index, why) in explain(&candidates(&offers), multipath).into_iter().enumerate() {
            match why {
                Why::Best => prop_assert_eq!(used[0], index),
                Why::Multipath => prop_assert!(used[1..].contains(&index)),
                Why::Lost(_) => prop_assert!(!used.contains(&index)),
                Why::Unusable(_) => prop_assert!(false, "every offer can be used"),
            }
        }
    }

    /// With the losers gone the winner stays, so a chain of withdrawals cannot oscillate.
    #[test]
    fn winner_alone_stays_the_winner(offers in any_offers()) {
        let best = select(&candidates(&offers), Multipath::OFF)[0];
        prop_assert_eq!(decide(&offers[best..=best]), ["best"]);
    }
}
