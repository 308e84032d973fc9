//! Writing attributes, in the order of their type codes, which RFC 4271 section 5 recommends to senders.

use std::net::Ipv4Addr;

use super::{
    AGGREGATOR, AS_PATH, AS4_AGGREGATOR, AS4_PATH, ATOMIC_AGGREGATE, CLUSTER_LIST, COMMUNITIES,
    EXTENDED_COMMUNITIES, LARGE_COMMUNITY, LOCAL_PREF, LONG, MED, NEXT_HOP, ONLY_TO_CUSTOMER, OPTIONAL,
    ORIGIN, ORIGINATOR_ID, PARTIAL, TRANSITIVE,
};
use crate::attributes::{Aggregator, Attributes, NextHop, UnknownAttribute};
use crate::types::{Asn, PeerKind};
use crate::wire::as_path::{self, AsWidth};

/// Appends every attribute of a route but MP_REACH_NLRI; NEXT_HOP only for routes in the classic field.
pub(in crate::wire) fn push_all(
    out: &mut Vec<u8>,
    attributes: &Attributes,
    classic: bool,
    width: AsWidth,
    kind: PeerKind,
) {
    push_attribute(out, TRANSITIVE, ORIGIN, |out| out.push(attributes.origin.to_wire()));
    push_attribute(out, TRANSITIVE, AS_PATH, |out| as_path::push(out, &attributes.as_path, width));
    if let (true, NextHop::V4(next_hop)) = (classic, attributes.next_hop) {
        push_attribute(out, TRANSITIVE, NEXT_HOP, |out| out.extend_from_slice(&next_hop.octets()));
    }
    if let Some(med) = attributes.med {
        push_attribute(out, OPTIONAL, MED, |out| out.extend_from_slice(&med.to_be_bytes()));
    }
    // RFC 4271 section 5.1.5: LOCAL_PREF goes to every internal peer and to no external one.
    if let (PeerKind::Internal, Some(local_pref)) = (kind, attributes.local_pref) {
        push_attribute(out, TRANSITIVE, LOCAL_PREF, |out| out.extend_from_slice(&local_pref.to_be_bytes()));
    }
    if attributes.atomic_aggregate {
        push_attribute(out, TRANSITIVE, ATOMIC_AGGREGATE, |_| ());
    }
    if let Some(aggregator) = attributes.aggregator {
        push_attribute(out, OPTIONAL | TRANSITIVE, AGGREGATOR, |out| push_aggregator(out, aggregator, width));
    }
    if !attributes.communities.is_empty() {
        push_attribute(out, OPTIONAL | TRANSITIVE, COMMUNITIES, |out| {
            out.extend(attributes.communities.iter().flat_map(|community| community.0.to_be_bytes()));
        });
    }
    push_reflection(out, attributes, kind);
    if !attributes.extended_communities.is_empty() {
        push_attribute(out, OPTIONAL | TRANSITIVE, EXTENDED_COMMUNITIES, |out| {
            out.extend(attributes.extended_communities.iter().flat_map(|community| community.0));
        });
    }
    push_four_octet_attributes(out, attributes, width);
    if !attributes.large_communities.is_empty() {
        push_attribute(out, OPTIONAL | TRANSITIVE, LARGE_COMMUNITY, |out| {
            let words = attributes.large_communities.iter().flat_map(|community| community.0);
            out.extend(words.flat_map(u32::to_be_bytes));
        });
    }
    if let Some(asn) = attributes.only_to_customer {
        push_attribute(out, OPTIONAL | TRANSITIVE, ONLY_TO_CUSTOMER, |out| {
            out.extend_from_slice(&asn.0.to_be_bytes());
        });
    }
    for UnknownAttribute { type_code, value } in &attributes.unknown {
        push_attribute(out, OPTIONAL | TRANSITIVE | PARTIAL, *type_code, |out| out.extend_from_slice(value));
    }
}

/// RFC 4456 section 8: both attributes are for internal neighbors only.
fn push_reflection(out: &mut Vec<u8>, attributes: &Attributes, kind: PeerKind) {
    if kind == PeerKind::External {
        return;
    }
    if let Some(id) = attributes.originator_id {
        push_attribute(out, OPTIONAL, ORIGINATOR_ID, |out| {
            out.extend_from_slice(&id.to_bits().to_be_bytes());
        });
    }
    if !attributes.cluster_list.is_empty() {
        push_attribute(out, OPTIONAL, CLUSTER_LIST, |out| {
            out.extend(attributes.cluster_list.iter().flat_map(Ipv4Addr::octets));
        });
    }
}

/// What a two-octet speaker is to pass on without understanding it (RFC 6793 section 4.2.2), only where it says more
/// than the two-octet form.
fn push_four_octet_attributes(out: &mut Vec<u8>, attributes: &Attributes, width: AsWidth) {
    if width == AsWidth::Four {
        return;
    }
    if !attributes.as_path.asns().all(Asn::fits_two_octets) {
        push_attribute(out, OPTIONAL | TRANSITIVE, AS4_PATH, |out| {
            as_path::push(out, &attributes.as_path, AsWidth::Four);
        });
    }
    if let Some(aggregator) = attributes.aggregator.filter(|aggregator| !aggregator.asn.fits_two_octets()) {
        push_attribute(out, OPTIONAL | TRANSITIVE, AS4_AGGREGATOR, |out| {
            push_aggregator(out, aggregator, AsWidth::Four);
        });
    }
}

fn push_aggregator(out: &mut Vec<u8>, aggregator: Aggregator, width: AsWidth) {
    match width {
        AsWidth::Two => out.extend_from_slice(&aggregator.asn.two_octets().to_be_bytes()),
        AsWidth::Four => out.extend_from_slice(&aggregator.asn.0.to_be_bytes()),
    }
    out.extend_from_slice(&aggregator.address.octets());
}

/// Appends one attribute whose value `write` appends, with a length of one octet where that is enough. A value above
/// 65535 octets makes the whole message too long, which `pack` notices by its size.
pub(in crate::wire) fn push_attribute(
    out: &mut Vec<u8>,
    flags: u8,
    type_code: u8,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[flags, type_code, 0]);
    write(out);
    let length = out.len() - start - 3;
    if let Ok(short) = u8::try_from(length) {
        out[start + 2] = short;
    } else {
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        out[start] |= LONG;
        out[start + 2] = high;
        out.insert(start + 3, low);
    }
}
