//! The values of the other codec as ours, and ours as its.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rustbgpd_wire as other;
use rustbgpd_wire::{AsPathSegment, PathAttribute};

use crate::attributes::{
    Aggregator, AsPath, AsPathBuilder, Attributes, Community, ExtendedCommunity, LargeCommunity, NextHop,
    Origin, SegmentKind, UnknownAttribute,
};
use crate::prefix::Prefix;
use crate::types::{Asn, Family};

/// Flags of an unknown attribute that is passed on: optional, transitive, partial.
const PASSED_ON: u8 = 0xe0;

/// The families, in its words.
pub(super) fn family_to_other(family: Family) -> (other::Afi, other::Safi) {
    match family {
        Family::Ipv4Unicast => (other::Afi::Ipv4, other::Safi::Unicast),
        Family::Ipv6Unicast => (other::Afi::Ipv6, other::Safi::Unicast),
    }
}

/// A family in our words, if we carry it.
pub(super) fn family_of(afi: other::Afi, safi: other::Safi) -> Option<Family> {
    Family::ALL.into_iter().find(|family| family_to_other(*family) == (afi, safi))
}

pub(super) fn v4_entries(prefixes: &[Prefix]) -> Vec<other::Ipv4NlriEntry> {
    let entry = |prefix: &Prefix| match prefix.address() {
        IpAddr::V4(address) => {
            other::Ipv4NlriEntry { path_id: 0, prefix: other::Ipv4Prefix::new(address, prefix.length()) }
        }
        IpAddr::V6(address) => panic!("{address} does not stand in the classic fields"),
    };
    prefixes.iter().map(entry).collect()
}

pub(super) fn entries(prefixes: &[Prefix]) -> Vec<other::NlriEntry> {
    let entry = |prefix: &Prefix| other::NlriEntry {
        path_id: 0,
        prefix: match prefix.address() {
            IpAddr::V4(address) => other::Prefix::V4(other::Ipv4Prefix::new(address, prefix.length())),
            IpAddr::V6(address) => other::Prefix::V6(other::Ipv6Prefix::new(address, prefix.length())),
        },
    };
    prefixes.iter().map(entry).collect()
}

pub(super) fn prefixes_of(entries: &[other::NlriEntry]) -> BTreeSet<Prefix> {
    let prefix = |entry: &other::NlriEntry| match entry.prefix {
        other::Prefix::V4(prefix) => Prefix::containing(prefix.addr.into(), prefix.len),
        other::Prefix::V6(prefix) => Prefix::containing(prefix.addr.into(), prefix.len),
    };
    entries.iter().filter_map(prefix).collect()
}

pub(super) fn prefixes_of_v4(entries: &[other::Ipv4NlriEntry]) -> BTreeSet<Prefix> {
    entries
        .iter()
        .filter_map(|entry| Prefix::containing(entry.prefix.addr.into(), entry.prefix.len))
        .collect()
}

/// MP_REACH_NLRI for these prefixes.
pub(super) fn mp_reach(next_hop: NextHop, prefixes: &[Prefix], family: Family) -> PathAttribute {
    let (afi, safi) = family_to_other(family);
    let link_local = match next_hop {
        NextHop::V4(_) => None,
        NextHop::V6 { link_local, .. } => link_local,
    };
    PathAttribute::MpReachNlri(Box::new(other::MpReachNlri {
        afi,
        safi,
        next_hop: next_hop.address(),
        link_local_next_hop: link_local,
        announced: entries(prefixes),
        flowspec_announced: Vec::new(),
        evpn_announced: Vec::new(),
        bgpls_announced: Vec::new(),
        vpn_announced: Vec::new(),
        labeled_announced: Vec::new(),
        rtc_announced: Vec::new(),
    }))
}

/// MP_UNREACH_NLRI for these prefixes.
pub(super) fn mp_unreach(prefixes: &[Prefix], family: Family) -> PathAttribute {
    let (afi, safi) = family_to_other(family);
    PathAttribute::MpUnreachNlri(Box::new(other::MpUnreachNlri {
        afi,
        safi,
        withdrawn: entries(prefixes),
        flowspec_withdrawn: Vec::new(),
        evpn_withdrawn: Vec::new(),
        bgpls_withdrawn: Vec::new(),
        vpn_withdrawn: Vec::new(),
        labeled_withdrawn: Vec::new(),
        rtc_withdrawn: Vec::new(),
    }))
}

fn path_to_other(path: &AsPath) -> other::AsPath {
    let segment = |segment: crate::attributes::Segment<'_>| {
        let asns = segment.asns().map(|asn| asn.0).collect();
        match segment.kind {
            SegmentKind::Set => AsPathSegment::AsSet(asns),
            SegmentKind::Sequence => AsPathSegment::AsSequence(asns),
        }
    };
    other::AsPath { segments: path.segments().map(segment).collect() }
}

fn path_of(path: &other::AsPath) -> AsPath {
    let mut builder = AsPathBuilder::default();
    for segment in &path.segments {
        let (kind, asns) = match segment {
            AsPathSegment::AsSet(asns) => (SegmentKind::Set, asns),
            AsPathSegment::AsSequence(asns) => (SegmentKind::Sequence, asns),
        };
        builder.push(kind, &asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>());
    }
    builder.build()
}

/// Our attributes in its words; NEXT_HOP only where `classic`.
pub(super) fn attributes_to_other(attributes: &Attributes, classic: bool) -> Vec<PathAttribute> {
    let origin = match attributes.origin {
        Origin::Igp => other::Origin::Igp,
        Origin::Egp => other::Origin::Egp,
        Origin::Incomplete => other::Origin::Incomplete,
    };
    let mut all =
        vec![PathAttribute::Origin(origin), PathAttribute::AsPath(path_to_other(&attributes.as_path))];
    if let (true, NextHop::V4(next_hop)) = (classic, attributes.next_hop) {
        all.push(PathAttribute::NextHop(next_hop));
    }
    all.extend(attributes.med.map(PathAttribute::Med));
    all.extend(attributes.local_pref.map(PathAttribute::LocalPref));
    all.extend(attributes.atomic_aggregate.then_some(PathAttribute::AtomicAggregate));
    all.extend(attributes.aggregator.map(|aggregator| {
        PathAttribute::Aggregator(other::Aggregator {
            asn: aggregator.asn.0,
            router_id: aggregator.address,
            partial: false,
        })
    }));
    let communities: Vec<_> = attributes.communities.iter().map(|community| community.0).collect();
    all.extend((!communities.is_empty()).then_some(PathAttribute::Communities(communities)));
    all.extend(attributes.originator_id.map(|id| PathAttribute::OriginatorId(id.to_bits().into())));
    let clusters = attributes.cluster_list.to_vec();
    all.extend((!clusters.is_empty()).then_some(PathAttribute::ClusterList(clusters)));
    let extended: Vec<_> = attributes
        .extended_communities
        .iter()
        .map(|community| other::ExtendedCommunity::new(u64::from_be_bytes(community.0)))
        .collect();
    all.extend((!extended.is_empty()).then_some(PathAttribute::ExtendedCommunities(extended)));
    let large: Vec<_> = attributes
        .large_communities
        .iter()
        .map(|LargeCommunity([a, b, c])| other::LargeCommunity::new(*a, *b, *c))
        .collect();
    all.extend((!large.is_empty()).then_some(PathAttribute::LargeCommunities(large)));
    all.extend(attributes.only_to_customer.map(|asn| PathAttribute::OnlyToCustomer(asn.0)));
    all.extend(attributes.unknown.iter().map(|unknown| {
        PathAttribute::Unknown(other::RawAttribute {
            flags: PASSED_ON,
            type_code: unknown.type_code,
            data: unknown.value.to_vec().into(),
        })
    }));
    all
}

/// Its attributes in our words, and what they would be with the next hop of MP_REACH_NLRI. `None` where one that every
/// route needs is missing.
pub(super) fn attributes_of(attributes: &[PathAttribute], next_hop: NextHop) -> Option<Attributes> {
    let origin = attributes.iter().find_map(|attribute| match attribute {
        PathAttribute::Origin(other::Origin::Igp) => Some(Origin::Igp),
        PathAttribute::Origin(other::Origin::Egp) => Some(Origin::Egp),
        PathAttribute::Origin(other::Origin::Incomplete) => Some(Origin::Incomplete),
        _ => None,
    })?;
    let as_path = attributes.iter().find_map(|attribute| match attribute {
        PathAttribute::AsPath(path) => Some(path_of(path)),
        _ => None,
    })?;
    let mut ours = Attributes { origin, ..Attributes::originated(as_path, next_hop) };
    let mut unknown = Vec::new();
    for attribute in attributes {
        match attribute {
            PathAttribute::Med(med) => ours.med = Some(*med),
            PathAttribute::LocalPref(local_pref) => ours.local_pref = Some(*local_pref),
            PathAttribute::AtomicAggregate => ours.atomic_aggregate = true,
            PathAttribute::Aggregator(aggregator) => {
                ours.aggregator =
                    Some(Aggregator { asn: Asn(aggregator.asn), address: aggregator.router_id });
            }
            PathAttribute::Communities(all) | PathAttribute::CommunitiesPartial(all) => {
                ours.communities = all.iter().copied().map(Community).collect();
            }
            PathAttribute::ExtendedCommunities(all) | PathAttribute::ExtendedCommunitiesPartial(all) => {
                ours.extended_communities =
                    all.iter().map(|community| ExtendedCommunity(community.as_u64().to_be_bytes())).collect();
            }
            PathAttribute::LargeCommunities(all) | PathAttribute::LargeCommunitiesPartial(all) => {
                ours.large_communities = all
                    .iter()
                    .map(|large| LargeCommunity([large.global_admin, large.local_data1, large.local_data2]))
                    .collect();
            }
            PathAttribute::OriginatorId(id) => ours.originator_id = (*id).try_into().ok(),
            PathAttribute::ClusterList(clusters) => ours.cluster_list = clusters.clone().into(),
            PathAttribute::OnlyToCustomer(asn) | PathAttribute::OnlyToCustomerPartial(asn) => {
                ours.only_to_customer = Some(Asn(*asn));
            }
            // Only transitive ones are kept (RFC 4271 section 5).
            PathAttribute::Unknown(raw) if raw.flags & 0x40 != 0 => {
                unknown.push(UnknownAttribute { type_code: raw.type_code, value: raw.data.to_vec().into() });
            }
            _ => {}
        }
    }
    unknown.sort_by_key(|unknown| unknown.type_code);
    ours.unknown = unknown.into();
    Some(ours)
}
