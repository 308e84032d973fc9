//! UPDATE, as it is sent: as many prefixes of one attribute set in a message as the neighbor's limit allows.
//!
//! RFC 7606 section 5.1 tells senders how to be robust, and that is the only form written here: MP_REACH_NLRI and
//! MP_UNREACH_NLRI come first, and a message has one kind of content: withdrawals, or routes of one family.

use std::net::Ipv6Addr;

use super::as_path::AsWidth;
use super::attribute::{self, MP_REACH, MP_UNREACH, OPTIONAL};
use super::header::{HEADER_LEN, Kind, push_message};
use super::nlri::{self, PATH_ID_LEN};
use super::path_ids::OUR_PATH;
use crate::attributes::{Attributes, NextHop};
use crate::prefix::Prefix;
use crate::types::{Families, Family, PeerKind};

/// The two length fields of an UPDATE.
const LENGTHS: usize = 4;
/// Flags, type and two octets of length.
const ATTRIBUTE_HEADER: usize = 4;

/// How a neighbor wants attributes written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// How wide AS numbers are.
    pub as_width: AsWidth,
    /// Internal or external.
    pub kind: PeerKind,
    /// The families whose prefixes carry path identifiers (RFC 7911).
    pub add_path: Families,
}

impl Encoding {
    /// Without path identifiers.
    pub const fn new(as_width: AsWidth, kind: PeerKind) -> Self {
        Self { as_width, kind, add_path: Families::NONE }
    }

    const fn path_id(self, family: Family) -> Option<u32> {
        if self.add_path.contains(family) { Some(OUR_PATH) } else { None }
    }
}

/// The part that all UPDATEs of one attribute set share, encoded once.
#[derive(Clone, Debug)]
pub struct Template {
    family: Family,
    /// Family, next hop and the reserved octet of MP_REACH_NLRI; `None` for IPv4 in the classic field.
    mp_header: Option<Vec<u8>>,
    attributes: Vec<u8>,
    path_id: Option<u32>,
}

impl Template {
    /// Encodes the attributes for routes of a family. `None` when the next hop cannot be said for that family: IPv6
    /// routes never have an IPv4 one. IPv4 routes with an IPv6 next hop are for neighbors that have agreed to RFC 8950.
    pub fn new(attributes: &Attributes, family: Family, encoding: Encoding) -> Option<Self> {
        let mp_header = match (family, attributes.next_hop) {
            (Family::Ipv4Unicast, NextHop::V4(_)) => None,
            (Family::Ipv4Unicast | Family::Ipv6Unicast, NextHop::V6 { address, link_local }) => {
                let mut header = family.afi().to_be_bytes().to_vec();
                header.push(family.safi());
                header.push(if link_local.is_some() { 32 } else { 16 });
                header.extend_from_slice(&address.octets());
                header.extend(link_local.iter().flat_map(Ipv6Addr::octets));
                header.push(0);
                Some(header)
            }
            (Family::Ipv6Unicast, NextHop::V4(_)) => return None,
        };
        let mut octets = Vec::with_capacity(64);
        attribute::push_all(&mut octets, attributes, mp_header.is_none(), encoding.as_width, encoding.kind);
        Some(Self { family, mp_header, attributes: octets, path_id: encoding.path_id(family) })
    }

    /// The same with another path identifier in front of every prefix, or with none.
    #[must_use]
    pub fn of_path(self, path_id: Option<u32>) -> Self {
        Self { path_id, ..self }
    }

    /// Appends one UPDATE with as many of the prefixes, from the front, as fit into `limit` octets, and returns how
    /// many those are. Zero: with these attributes not even the first fits, and nothing is appended. Every prefix has
    /// to be of the template's family.
    pub fn push_update(&self, prefixes: &[Prefix], limit: usize, out: &mut Vec<u8>) -> usize {
        debug_assert!(prefixes.iter().all(|prefix| prefix.family() == self.family));
        let mp = self.mp_header.as_ref().map_or(0, |header| ATTRIBUTE_HEADER + header.len());
        let fixed = HEADER_LEN + LENGTHS + mp + self.attributes.len();
        let taken = fitting(prefixes, self.path_id, limit.saturating_sub(fixed));
        if taken == 0 {
            return 0;
        }
        push_message(out, Kind::Update, |out| {
            out.extend_from_slice(&[0, 0]);
            if let Some(header) = &self.mp_header {
                let start = begin_length(out);
                push_long_attribute(out, MP_REACH, |out| {
                    out.extend_from_slice(header);
                    nlri::push_all(out, &prefixes[..taken], self.path_id);
                });
                out.extend_from_slice(&self.attributes);
                end_length(out, start);
            } else {
                let start = begin_length(out);
                out.extend_from_slice(&self.attributes);
                end_length(out, start);
                nlri::push_all(out, &prefixes[..taken], self.path_id);
            }
        });
        taken
    }
}

/// Appends one UPDATE that withdraws as many of the prefixes, from the front, as fit into `limit` octets, and returns
/// how many those are: at least one with any limit that BGP knows. Every prefix has to be of the family.
pub fn push_withdrawal(
    family: Family,
    prefixes: &[Prefix],
    encoding: Encoding,
    limit: usize,
    out: &mut Vec<u8>,
) -> usize {
    push_withdrawal_of(family, prefixes, encoding.path_id(family), limit, out)
}

/// The same with this path identifier in front of every prefix, or with none.
pub fn push_withdrawal_of(
    family: Family,
    prefixes: &[Prefix],
    path_id: Option<u32>,
    limit: usize,
    out: &mut Vec<u8>,
) -> usize {
    debug_assert!(prefixes.iter().all(|prefix| prefix.family() == family));
    let fixed = match family {
        Family::Ipv4Unicast => HEADER_LEN + LENGTHS,
        Family::Ipv6Unicast => HEADER_LEN + LENGTHS + ATTRIBUTE_HEADER + 3,
    };
    let taken = fitting(prefixes, path_id, limit.saturating_sub(fixed));
    push_unreachable(family, &prefixes[..taken], path_id, out);
    taken
}

/// Appends the End-of-RIB marker of the family (RFC 4724 section 2): an UPDATE that withdraws nothing.
pub fn push_end_of_rib(family: Family, out: &mut Vec<u8>) {
    push_unreachable(family, &[], None, out);
}

fn push_unreachable(family: Family, prefixes: &[Prefix], path_id: Option<u32>, out: &mut Vec<u8>) {
    push_message(out, Kind::Update, |out| match family {
        Family::Ipv4Unicast => {
            let start = begin_length(out);
            nlri::push_all(out, prefixes, path_id);
            end_length(out, start);
            out.extend_from_slice(&[0, 0]);
        }
        Family::Ipv6Unicast => {
            out.extend_from_slice(&[0, 0]);
            let start = begin_length(out);
            push_long_attribute(out, MP_UNREACH, |out| {
                out.extend_from_slice(&family.afi().to_be_bytes());
                out.push(family.safi());
                nlri::push_all(out, prefixes, path_id);
            });
            end_length(out, start);
        }
    });
}

fn fitting(prefixes: &[Prefix], path_id: Option<u32>, room: usize) -> usize {
    let more = path_id.map_or(0, |_| PATH_ID_LEN);
    let mut used = 0;
    let too_many = prefixes.iter().position(|prefix| {
        used += prefix.wire_len() + more;
        used > room
    });
    too_many.unwrap_or(prefixes.len())
}

fn begin_length(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0, 0]);
    out.len()
}

fn end_length(out: &mut [u8], start: usize) {
    let length = u16::try_from(out.len() - start).expect("a field is shorter than the limit of its message");
    out[start - 2..start].copy_from_slice(&length.to_be_bytes());
}

/// Always with two octets of length, so that the room it takes is known before its content.
fn push_long_attribute(out: &mut Vec<u8>, type_code: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[OPTIONAL | attribute::LONG, type_code]);
    let start = begin_length(out);
    write(out);
    end_length(out, start);
}

#[cfg(test)]
mod tests;
