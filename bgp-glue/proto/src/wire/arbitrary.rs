//! Generators for property tests: any attributes and prefixes that can stand on the wire.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::attributes::{
    Aggregator, AsPath, AsPathBuilder, Attributes, Community, ExtendedCommunity, LargeCommunity, NextHop,
    Origin, SegmentKind, UnknownAttribute,
};
use crate::prefix::{Prefix, PrefixV4, PrefixV6};
use crate::types::{Asn, Family};

pub(crate) fn any_prefix(family: Family) -> BoxedStrategy<Prefix> {
    match family {
        Family::Ipv4Unicast => (any::<u32>(), 0..=32_u8)
            .prop_map(|(bits, length)| Prefix::V4(PrefixV4::containing(Ipv4Addr::from_bits(bits), length)))
            .boxed(),
        Family::Ipv6Unicast => (any::<u128>(), 0..=128_u8)
            .prop_map(|(bits, length)| Prefix::V6(PrefixV6::containing(Ipv6Addr::from_bits(bits), length)))
            .boxed(),
    }
}

pub(crate) fn any_as_path() -> impl Strategy<Value = AsPath> {
    // No AS_SET: RFC 9774 has receivers drop such a route.
    vec(vec(1_u32.., 1..6), 0..4).prop_map(|segments| {
        let mut path = AsPathBuilder::default();
        for asns in segments {
            path.push(SegmentKind::Sequence, &asns.into_iter().map(Asn).collect::<Vec<_>>());
        }
        path.build()
    })
}

fn any_next_hop(family: Family) -> BoxedStrategy<NextHop> {
    match family {
        Family::Ipv4Unicast => (1..=126_u8, any::<[u8; 3]>())
            .prop_map(|(a, [b, c, d])| NextHop::V4(Ipv4Addr::new(a, b, c, d)))
            .boxed(),
        Family::Ipv6Unicast => (any::<u64>(), option::of(any::<u64>()))
            .prop_map(|(host, link_local)| NextHop::V6 {
                address: Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(host)),
                link_local: link_local.map(|host| Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(host))),
            })
            .boxed(),
    }
}

/// Attributes as an internal four-octet neighbor may send them.
pub(crate) fn any_attributes(family: Family) -> impl Strategy<Value = Attributes> {
    let origin = prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)];
    let aggregator = (1_u32.., any::<u32>())
        .prop_map(|(asn, address)| Aggregator { asn: Asn(asn), address: Ipv4Addr::from_bits(address) });
    let numbers = (option::of(any::<u32>()), option::of(any::<u32>()), any::<bool>());
    let communities = (vec(any::<u32>(), 0..80), vec(any::<[u32; 3]>(), 0..5));
    let unknown = option::of((100..=254_u8, vec(any::<u8>(), 0..300)));
    let reflected = (option::of(1_u32..), vec(any::<u32>(), 0..3));
    let rest = (vec(any::<[u8; 8]>(), 0..4), option::of(any::<u32>()), reflected);
    (
        origin,
        any_as_path(),
        any_next_hop(family),
        numbers,
        option::of(aggregator),
        communities,
        (unknown, rest),
    )
        .prop_map(
            |(
                origin,
                as_path,
                next_hop,
                (med, local_pref, atomic_aggregate),
                aggregator,
                communities,
                (unknown, (extended, only_to_customer, (originator, clusters))),
            )| {
                let (communities, mut large) = communities;
                large.sort_unstable();
                large.dedup();
                Attributes {
                    med,
                    local_pref,
                    atomic_aggregate,
                    aggregator,
                    communities: communities.into_iter().map(Community).collect(),
                    large_communities: large.into_iter().map(LargeCommunity).collect(),
                    extended_communities: extended.into_iter().map(ExtendedCommunity).collect(),
                    originator_id: originator.and_then(|id| Ipv4Addr::from_bits(id).try_into().ok()),
                    cluster_list: clusters.into_iter().map(Ipv4Addr::from_bits).collect(),
                    only_to_customer: only_to_customer.map(Asn),
                    unknown: unknown
                        .into_iter()
                        .map(|(type_code, value)| UnknownAttribute { type_code, value: value.into() })
                        .collect(),
                    origin,
                    ..Attributes::originated(as_path, next_hop)
                }
            },
        )
}
