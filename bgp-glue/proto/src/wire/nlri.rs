//! Prefixes as they stand in an UPDATE.
//!
//! ```text
//! +---------------+-----------------------------------------+
//! | length (1)    | prefix: ceil(length / 8) octets          |   repeated
//! +---------------+-----------------------------------------+
//! ```
//!
//! With ADD-PATH, four octets of path identifier stand before each length (RFC 7911 section 3).
//!
//! Source: RFC 4271 section 4.3. Bits behind the length have no meaning and are dropped.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::path_ids::Paths;
use super::reader::Reader;
use crate::prefix::{Prefix, PrefixV4, PrefixV6};
use crate::types::Family;

/// A prefix is longer than its family allows or than what is left of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadNlri;

/// Octets of a path identifier.
pub(crate) const PATH_ID_LEN: usize = 4;

pub(crate) fn decode(field: &[u8], family: Family, add_path: bool) -> Result<Paths, BadNlri> {
    // Most prefixes of a table take four octets here; a wrong guess costs one more allocation at most.
    let mut prefixes = Vec::with_capacity(field.len().div_ceil(4));
    let mut ids = Vec::new();
    let mut reader = Reader::new(field);
    while !reader.is_empty() {
        if add_path {
            ids.push(reader.u32().ok_or(BadNlri)?);
        }
        let length = reader.u8().ok_or(BadNlri)?;
        let octets = reader.take(usize::from(length).div_ceil(8)).ok_or(BadNlri)?;
        prefixes.push(match family {
            Family::Ipv4Unicast => {
                let address = Ipv4Addr::from(padded(octets).ok_or(BadNlri)?);
                Prefix::V4(PrefixV4::containing(address, checked(length, 32)?))
            }
            Family::Ipv6Unicast => {
                let address = Ipv6Addr::from(padded(octets).ok_or(BadNlri)?);
                Prefix::V6(PrefixV6::containing(address, checked(length, 128)?))
            }
        });
    }
    Ok(Paths { prefixes, ids: ids.into() })
}

/// All of them with this path identifier, where the session has such.
pub(crate) fn push_all(out: &mut Vec<u8>, prefixes: &[Prefix], path_id: Option<u32>) {
    for prefix in prefixes {
        out.extend(path_id.map(u32::to_be_bytes).iter().flatten());
        push(out, *prefix);
    }
}

fn push(out: &mut Vec<u8>, prefix: Prefix) {
    out.push(prefix.length());
    let octets = usize::from(prefix.length()).div_ceil(8);
    match prefix {
        Prefix::V4(v4) => out.extend_from_slice(&v4.address().octets()[..octets]),
        Prefix::V6(v6) => out.extend_from_slice(&v6.address().octets()[..octets]),
    }
}

fn checked(length: u8, limit: u8) -> Result<u8, BadNlri> {
    if length <= limit { Ok(length) } else { Err(BadNlri) }
}

fn padded<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut address = [0; N];
    address.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_take_only_the_octets_they_need() {
        let prefixes: Vec<Prefix> = ["0.0.0.0/0", "10.0.0.0/8", "10.128.0.0/9", "192.0.2.1/32"]
            .map(|text| text.parse().unwrap())
            .into();
        let mut field = Vec::new();
        for prefix in &prefixes {
            let before = field.len();
            push(&mut field, *prefix);
            assert_eq!(field.len() - before, prefix.wire_len());
        }
        assert_eq!(field, [0, 8, 10, 9, 10, 128, 32, 192, 0, 2, 1]);
        assert_eq!(decode(&field, Family::Ipv4Unicast, false).unwrap().prefixes, prefixes);
    }

    #[test]
    fn bits_behind_the_length_are_dropped() {
        let decoded = decode(&[9, 10, 255], Family::Ipv4Unicast, false).unwrap();
        assert_eq!(decoded.prefixes[0].to_string(), "10.128.0.0/9");
    }

    #[test]
    fn too_long_or_cut_off_prefix_is_refused() {
        assert_eq!(decode(&[33, 1, 2, 3, 4, 5], Family::Ipv4Unicast, false), Err(BadNlri));
        assert_eq!(decode(&[24, 1, 2], Family::Ipv4Unicast, false), Err(BadNlri));
        assert_eq!(decode(&[129; 18], Family::Ipv6Unicast, false), Err(BadNlri));
        for cut_off in [&[0][..], &[0, 0, 0, 1], &[0, 0, 0, 1, 8], &[0, 0, 0, 1, 0, 0, 0]] {
            assert_eq!(decode(cut_off, Family::Ipv4Unicast, true), Err(BadNlri), "{cut_off:?}");
        }
    }

    #[test]
    fn path_identifiers_stand_before_their_prefixes() {
        let field = [0, 0, 0, 1, 8, 10, 0xff, 0, 0, 2, 8, 10, 0, 0, 0, 3, 0];
        let Paths { prefixes, ids } = decode(&field, Family::Ipv4Unicast, true).unwrap();
        let read: Vec<_> = ids.with(&prefixes).map(|(prefix, id)| format!("{prefix} {id}")).collect();
        assert_eq!(read, ["10.0.0.0/8 1", "10.0.0.0/8 4278190082", "0.0.0.0/0 3"]);
        let mut out = Vec::new();
        push_all(&mut out, &prefixes[..1], Some(1));
        assert_eq!(out, field[..6]);
    }
}
