//! MRT records (RFC 6396): the table at an instant, and messages as they came, for the tools that read such files.
//!
//! ```text
//! record:      seconds (4) | type (2) | subtype (2) | length (4) | body            microseconds (4) begin the body of an _ET
//! table:       PEER_INDEX_TABLE, then one RIB_IPV4_UNICAST or RIB_IPV6_UNICAST for each prefix       section 4.3
//! updates:     BGP4MP_ET: MESSAGE_AS4, MESSAGE_AS4_LOCAL, STATE_CHANGE_AS4                      sections 4.4 and 3
//! ```
//!
//! AS numbers are always four octets wide. A prefix with path identifiers has the subtypes of RFC 8050 section 4.

use std::net::IpAddr;

use super::as_path::AsWidth;
use super::attribute::{self, MP_REACH, OPTIONAL};
use super::nlri;
use crate::attributes::{Attributes, NextHop};
use crate::prefix::Prefix;
use crate::types::{Asn, PeerKind, RouterId};

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP_ET: u16 = 17;

const PEER_INDEX_TABLE: u16 = 1;
const RIB_IPV4_UNICAST: u16 = 2;
const RIB_IPV6_UNICAST: u16 = 4;
/// What RFC 8050 section 4 adds to the numbers of the subtypes: 8 and 10.
const ADD_PATH: u16 = 6;

const MESSAGE_AS4: u16 = 4;
const STATE_CHANGE_AS4: u16 = 5;
const MESSAGE_AS4_LOCAL: u16 = 7;
/// A message whose prefixes carry path identifiers (RFC 8050 section 3).
const MESSAGE_AS4_ADDPATH: u16 = 9;

/// A point of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WallTime {
    /// Seconds since 1970; what 32 bits can say, as in every record.
    pub secs: u32,
    /// Microseconds beyond, below a million.
    pub micros: u32,
}

/// A neighbor in the index of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePeer {
    /// Its identifier.
    pub router_id: RouterId,
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: Asn,
}

/// One path to a prefix.
#[derive(Clone, Copy, Debug)]
pub struct TablePath<'a> {
    /// The place of its neighbor in the index, from 0.
    pub peer: u16,
    /// Since when it is there.
    pub since: WallTime,
    /// Tells apart several paths of one neighbor (RFC 7911); 0 without ADD-PATH.
    pub path_id: u32,
    /// Its attributes.
    pub attributes: &'a Attributes,
}

/// Appends the index of neighbors, which every table begins with. `view` names the table; more than 65535 octets of it,
/// or as many neighbors, are cut off.
pub fn push_peer_index(
    out: &mut Vec<u8>,
    now: WallTime,
    collector: RouterId,
    view: &str,
    peers: &[TablePeer],
) {
    push_record(out, now, TABLE_DUMP_V2, PEER_INDEX_TABLE, |out| {
        out.extend_from_slice(&collector.to_bits().to_be_bytes());
        let view = &view.as_bytes()[..view.len().min(usize::from(u16::MAX))];
        push_u16(out, view.len());
        out.extend_from_slice(view);
        let peers = &peers[..peers.len().min(usize::from(u16::MAX))];
        push_u16(out, peers.len());
        for peer in peers {
            // Bit 0: the address is IPv6. Bit 1: the AS number has four octets.
            out.push(2 | u8::from(peer.address.is_ipv6()));
            out.extend_from_slice(&peer.router_id.to_bits().to_be_bytes());
            push_address(out, peer.address);
            out.extend_from_slice(&peer.asn.0.to_be_bytes());
        }
    });
}

/// Appends the paths of one prefix; `sequence` counts the prefixes of the table from 0.
pub fn push_prefix(out: &mut Vec<u8>, now: WallTime, sequence: u32, prefix: Prefix, paths: &[TablePath<'_>]) {
    let several = paths.iter().any(|path| path.path_id != 0);
    let subtype = match prefix {
        Prefix::V4(_) => RIB_IPV4_UNICAST,
        Prefix::V6(_) => RIB_IPV6_UNICAST,
    } + if several { ADD_PATH } else { 0 };
    push_record(out, now, TABLE_DUMP_V2, subtype, |out| {
        out.extend_from_slice(&sequence.to_be_bytes());
        nlri::push_all(out, &[prefix], None);
        let paths = &paths[..paths.len().min(usize::from(u16::MAX))];
        push_u16(out, paths.len());
        for path in paths {
            out.extend_from_slice(&path.peer.to_be_bytes());
            out.extend_from_slice(&path.since.secs.to_be_bytes());
            if several {
                out.extend_from_slice(&path.path_id.to_be_bytes());
            }
            let attributes = path_attributes(prefix, path.attributes);
            push_u16(out, attributes.len());
            out.extend_from_slice(&attributes);
        }
    });
}

/// Attributes as section 4.3.4 has them: four-octet AS numbers, and of MP_REACH_NLRI only the next hop.
fn path_attributes(prefix: Prefix, attributes: &Attributes) -> Vec<u8> {
    let mut octets = Vec::with_capacity(64);
    let classic = matches!((prefix, attributes.next_hop), (Prefix::V4(_), NextHop::V4(_)));
    attribute::push_all(&mut octets, attributes, classic, AsWidth::Four, PeerKind::Internal);
    if let NextHop::V6 { address, link_local } = attributes.next_hop {
        let mut next_hop = address.octets().to_vec();
        next_hop.extend(link_local.iter().flat_map(std::net::Ipv6Addr::octets));
        let length = if link_local.is_some() { 32 } else { 16 };
        octets.extend_from_slice(&[OPTIONAL, MP_REACH, length + 1, length]);
        octets.extend_from_slice(&next_hop);
    }
    octets
}

/// The two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The neighbor's AS.
    pub remote_as: Asn,
    /// Ours.
    pub local_as: Asn,
    /// The neighbor's address.
    pub remote: IpAddr,
    /// Ours; of the same family.
    pub local: IpAddr,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The neighbor.
    Neighbor,
    /// The neighbor, with path identifiers in front of the prefixes.
    NeighborWithPaths,
    /// We.
    Ourselves,
}

/// The states of a session that a dump tells (RFC 6396 section 4.4.1). The value is that on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpState {
    /// There is no session.
    Idle = 1,
    /// Both sides have agreed and wait for the first KEEPALIVE.
    OpenConfirm = 5,
    /// Routes flow.
    Established = 6,
}

/// Appends one whole message, in four-octet AS numbers, marker included.
pub fn push_message(out: &mut Vec<u8>, now: WallTime, ends: Ends, author: Author, message: &[u8]) {
    let subtype = match author {
        Author::Neighbor => MESSAGE_AS4,
        Author::NeighborWithPaths => MESSAGE_AS4_ADDPATH,
        Author::Ourselves => MESSAGE_AS4_LOCAL,
    };
    push_bgp4mp(out, now, subtype, ends, |out| out.extend_from_slice(message));
}

/// Appends a change of state.
pub fn push_state_change(out: &mut Vec<u8>, now: WallTime, ends: Ends, old: DumpState, new: DumpState) {
    push_bgp4mp(out, now, STATE_CHANGE_AS4, ends, |out| out.extend_from_slice(&[0, old as u8, 0, new as u8]));
}

fn push_bgp4mp(out: &mut Vec<u8>, now: WallTime, subtype: u16, ends: Ends, write: impl FnOnce(&mut Vec<u8>)) {
    push_record(out, now, BGP4MP_ET, subtype, |out| {
        out.extend_from_slice(&now.micros.to_be_bytes());
        out.extend_from_slice(&ends.remote_as.0.to_be_bytes());
        out.extend_from_slice(&ends.local_as.0.to_be_bytes());
        // The index of the interface: not known here.
        out.extend_from_slice(&[0, 0, 0, if ends.remote.is_ipv4() { 1 } else { 2 }]);
        push_address(out, ends.remote);
        push_address(out, ends.local);
        write(out);
    });
}

fn push_record(out: &mut Vec<u8>, now: WallTime, kind: u16, subtype: u16, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&now.secs.to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&subtype.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    write(out);
    let length = u32::try_from(out.len() - start).expect("a record is far below 4 GiB");
    out[start - 4..start].copy_from_slice(&length.to_be_bytes());
}

fn push_u16(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::AsPath;

    const NOW: WallTime = WallTime { secs: 0x6500_0000, micros: 7 };

    fn router_id() -> RouterId {
        std::net::Ipv4Addr::new(192, 0, 2, 1).try_into().unwrap()
    }

    #[test]
    fn index_of_peers_is_that_of_section_4_3_1() {
        let peers = [
            TablePeer { router_id: router_id(), address: "192.0.2.2".parse().unwrap(), asn: Asn(65001) },
            TablePeer {
                router_id: router_id(),
                address: "2001:db8::2".parse().unwrap(),
                asn: Asn(4_200_000_001),
            },
        ];
        let mut out = Vec::new();
        push_peer_index(&mut out, NOW, router_id(), "ab", &peers);
        assert_eq!(out[..12], [0x65, 0, 0, 0, 0, 13, 0, 1, 0, 0, 0, 10 + 13 + 25]);
        assert_eq!(out[12..22], [192, 0, 2, 1, 0, 2, b'a', b'b', 0, 2]);
        assert_eq!(out[22..35], [2, 192, 0, 2, 1, 192, 0, 2, 2, 0, 0, 0xfd, 0xe9]);
        assert_eq!((out[35], &out[56..60]), (3, &[0xfa, 0x56, 0xea, 1][..]));
    }

    #[test]
    fn prefix_has_its_paths_and_the_next_hop_alone_of_mp_reach() {
        let next_hop = NextHop::V6 { address: "2001:db8::9".parse().unwrap(), link_local: None };
        let attributes = Attributes::originated(AsPath::sequence(&[Asn(65001)]), next_hop);
        let path = TablePath { peer: 1, since: NOW, path_id: 0, attributes: &attributes };
        let mut out = Vec::new();
        push_prefix(&mut out, NOW, 5, "2001:db8:1::/48".parse().unwrap(), &[path]);
        assert_eq!(out[4..8], [0, 13, 0, 4]);
        assert_eq!(out[12..23], [0, 0, 0, 5, 48, 0x20, 1, 0x0d, 0xb8, 0, 1]);
        assert_eq!(out[23..33], [0, 1, 0, 1, 0x65, 0, 0, 0, 0, 33]);
        assert_eq!(out[33..46], [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9]);
        assert_eq!(out[46..50], [0x80, 14, 17, 16]);
        assert_eq!(out.len(), 66);

        let named = TablePath { path_id: 9, ..path };
        let mut out = Vec::new();
        push_prefix(&mut out, NOW, 5, "2001:db8:1::/48".parse().unwrap(), &[named]);
        assert_eq!((out[7], &out[31..35]), (10, &[0, 0, 0, 9][..]));
    }

    #[test]
    fn message_and_state_change_name_both_ends() {
        let ends = Ends {
            remote_as: Asn(65001),
            local_as: Asn(65000),
            remote: "192.0.2.2".parse().unwrap(),
            local: "192.0.2.1".parse().unwrap(),
        };
        let mut out = Vec::new();
        push_state_change(&mut out, NOW, ends, DumpState::OpenConfirm, DumpState::Established);
        assert_eq!(out[4..16], [0, 17, 0, 5, 0, 0, 0, 28, 0, 0, 0, 7]);
        assert_eq!(out[16..28], [0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xe8, 0, 0, 0, 1]);
        assert_eq!(out[28..], [192, 0, 2, 2, 192, 0, 2, 1, 0, 5, 0, 6]);
        let mut out = Vec::new();
        push_message(&mut out, NOW, ends, Author::Ourselves, &[9; 19]);
        assert_eq!((out[7], out[11], out.len()), (7, 43, 55));
    }
}
