use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::attributes::Community;
use crate::originate::Originated;
use crate::types::PeerKind;
use crate::wire::header::{MAX_MESSAGE_LEN, first_frame};
use crate::wire::update::{AsWidth, Update, UpdateContext};

fn context() -> OutContext {
    OutContext {
        local_as: Asn(65000),
        encoding: Encoding::new(AsWidth::Four, PeerKind::External),
        send_limit: MAX_MESSAGE_LEN,
        families: Families::ALL,
        enhanced_refresh: false,
        role: None,
        next_hop_v4: Some(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))),
        next_hop_v6: Some(NextHop::V6 { address: "2001:db8::1".parse().unwrap(), link_local: None }),
    }
}

/// A neighbor that believes everything: prefix to length of the AS path.
#[derive(Default)]
struct Neighbor {
    table: BTreeMap<Prefix, usize>,
    updates: usize,
    ends: Vec<Family>,
}

impl Neighbor {
    fn hear(&mut self, mut stream: &[u8]) {
        let context = UpdateContext::new(AsWidth::Four, PeerKind::External, Families::ALL);
        while let Some(frame) = first_frame(stream, MAX_MESSAGE_LEN).unwrap() {
            let update = Update::decode(frame.body, context).unwrap();
            assert!(update.withdrawn.is_empty() || update.announced.is_empty(), "never both in one message");
            self.updates += 1;
            self.ends.extend(update.end_of_rib);
            for prefix in update.withdrawn {
                self.table.remove(&prefix);
            }
            for announcement in update.announced {
                let length = announcement.attributes.as_path.decision_length();
                self.table.extend(announcement.prefixes.into_iter().map(|prefix| (prefix, length)));
            }
            stream = &stream[frame.wire_len()..];
        }
        assert!(stream.is_empty());
    }

    fn drain(&mut self, out: &mut AdjRibOut) {
        let mut octets = Vec::new();
        out.fill(&mut octets, usize::MAX);
        self.hear(&octets);
    }
}

fn set(routes: &[(u8, u8)]) -> Arc<OriginatedSet> {
    Arc::new(
        routes
            .iter()
            .map(|(n, prepend)| Originated {
                prepend: *prepend,
                ..Originated::new(format!("10.{n}.0.0/16").parse().unwrap())
            })
            .collect(),
    )
}

#[test]
fn new_session_is_told_everything_and_then_the_end_of_each_family() {
    let mut neighbor = Neighbor::default();
    neighbor.drain(&mut AdjRibOut::new(context(), set(&[(1, 0), (2, 0), (3, 4)])));
    assert_eq!(neighbor.table.values().copied().collect::<Vec<_>>(), [1, 1, 5]);
    assert_eq!(neighbor.ends, Family::ALL);
    assert_eq!(neighbor.updates, 4, "two attribute sets and two ends");
}

#[test]
fn session_without_routes_is_told_the_end_at_once() {
    let mut neighbor = Neighbor::default();
    neighbor.drain(&mut AdjRibOut::new(context(), Arc::default()));
    assert_eq!((neighbor.updates, neighbor.ends.len()), (2, 2));
}

#[test]
fn same_routes_again_are_no_update() {
    let mut neighbor = Neighbor::default();
    let mut out = AdjRibOut::new(context(), set(&[(1, 0)]));
    neighbor.drain(&mut out);
    let before = neighbor.updates;
    out.want(set(&[(1, 0)]));
    neighbor.drain(&mut out);
    assert!(out.is_settled());
    assert_eq!(neighbor.updates, before);
}

#[test]
fn last_of_many_changes_counts_while_the_neighbor_does_not_read() {
    let mut neighbor = Neighbor::default();
    let mut out = AdjRibOut::new(context(), set(&[(1, 0)]));
    for prepend in 0..100 {
        out.want(set(&[]));
        out.want(set(&[(1, prepend), (2, prepend)]));
    }
    neighbor.drain(&mut out);
    assert_eq!(neighbor.table.values().copied().collect::<Vec<_>>(), [100, 100]);
    assert!(neighbor.updates <= 5, "{} updates", neighbor.updates);
}

/// RFC 9234 section 5.
#[test]
fn routes_that_go_down_or_sideways_are_marked_only_to_customer() {
    for (role, marked) in [
        (None, None),
        (Some(Role::Provider), Some(Asn(65000))),
        (Some(Role::RouteServer), Some(Asn(65000))),
        (Some(Role::Peer), Some(Asn(65000))),
        (Some(Role::Customer), None),
        (Some(Role::RouteServerClient), None),
    ] {
        let mut octets = Vec::new();
        AdjRibOut::new(OutContext { role, ..context() }, set(&[(1, 0)])).fill(&mut octets, usize::MAX);
        let frame = first_frame(&octets, MAX_MESSAGE_LEN).unwrap().unwrap();
        let update_context = UpdateContext::new(AsWidth::Four, PeerKind::External, Families::ALL);
        let update = Update::decode(frame.body, update_context).unwrap();
        assert_eq!(update.announced[0].attributes.only_to_customer, marked, "{role:?}");
    }
}

#[test]
fn family_without_next_hop_is_not_announced() {
    let mut neighbor = Neighbor::default();
    let mut out = AdjRibOut::new(OutContext { next_hop_v4: None, ..context() }, set(&[(1, 0)]));
    neighbor.drain(&mut out);
    assert!(neighbor.table.is_empty() && out.is_empty());
    assert_eq!(neighbor.ends, Family::ALL);
}

#[test]
fn refresh_tells_everything_of_the_family_again() {
    let mut neighbor = Neighbor::default();
    let mut out = AdjRibOut::new(context(), set(&[(1, 0), (2, 0)]));
    neighbor.drain(&mut out);
    neighbor.table.clear();
    out.refresh(Family::Ipv6Unicast);
    neighbor.drain(&mut out);
    assert!(neighbor.table.is_empty());
    out.refresh(Family::Ipv4Unicast);
    neighbor.drain(&mut out);
    assert_eq!(neighbor.table.len(), 2);
}

#[test]
fn route_that_does_not_fit_is_withdrawn_and_named() {
    let mut neighbor = Neighbor::default();
    let mut out = AdjRibOut::new(context(), set(&[(1, 0), (2, 0)]));
    neighbor.drain(&mut out);
    let prefix = "10.1.0.0/16".parse().unwrap();
    let huge = Originated { communities: vec![Community(1); 2000], ..Originated::new(prefix) };
    out.want(Arc::new([huge, Originated::new("10.2.0.0/16".parse().unwrap())].into_iter().collect()));
    neighbor.drain(&mut out);
    assert_eq!(out.take_unfit(), [prefix]);
    assert_eq!(neighbor.table.len(), 1);
}

#[test]
fn messages_are_handed_out_in_portions() {
    let routes: OriginatedSet = (0..100_000_u32)
        .map(|n| Originated::new(Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + n).into())))
        .collect();
    let mut neighbor = Neighbor::default();
    let mut out = AdjRibOut::new(context(), Arc::new(routes));
    while !out.is_settled() {
        let mut octets = Vec::new();
        out.fill(&mut octets, 16_384);
        assert!(octets.len() < 16_384 + MAX_MESSAGE_LEN);
        neighbor.hear(&octets);
    }
    assert_eq!(neighbor.table.len(), 100_000);
    assert!(neighbor.updates < 100_000 * 5 / 4000 + 5, "{} updates", neighbor.updates);
}

proptest! {
    /// Whatever is wanted and however slowly the neighbor reads, at the end it knows exactly the last set.
    #[test]
    fn neighbor_ends_with_the_last_set(
        steps in proptest::collection::vec((proptest::collection::vec((0..9_u8, 0..4_u8), 0..9), any::<bool>()), 1..12)
    ) {
        let mut neighbor = Neighbor::default();
        let mut out = AdjRibOut::new(context(), Arc::default());
        let mut last = Vec::new();
        for (routes, read) in steps {
            out.want(set(&routes));
            if read {
                let mut octets = Vec::new();
                out.fill(&mut octets, 30);
                neighbor.hear(&octets);
            }
            last = routes;
        }
        neighbor.drain(&mut out);
        let expected: BTreeMap<Prefix, usize> = last
            .into_iter()
            .map(|(n, prepend)| (format!("10.{n}.0.0/16").parse().unwrap(), 1 + usize::from(prepend)))
            .collect();
        prop_assert_eq!(neighbor.table, expected);
        prop_assert!(out.is_settled());
    }
}
