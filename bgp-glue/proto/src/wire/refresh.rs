//! ROUTE-REFRESH: the neighbour asks for all routes of a family again.
//!
//! ```text
//! +----------------+--------------+-----------+
//! | AFI (2)        | subtype (1)  | SAFI (1)  |
//! +----------------+--------------+-----------+
//! ```
//!
//! Sources: RFC 2918 section 3; RFC 7313 section 3 names the octet that was reserved a subtype, 0 being a request.

use super::header::{Kind, push_message};
use super::reader::Reader;
use crate::types::Family;

/// The body of a ROUTE-REFRESH message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteRefresh {
    /// The address family identifier.
    pub afi: u16,
    /// 0 for a plain request.
    pub subtype: u8,
    /// The subsequent address family identifier.
    pub safi: u8,
}

impl RouteRefresh {
    /// A plain request for one family.
    pub const fn request(family: Family) -> Self {
        Self { afi: family.afi(), subtype: 0, safi: family.safi() }
    }

    /// The family that is asked for; `None` for a family that we do not carry and for subtypes that ask for nothing.
    pub const fn requested(self) -> Option<Family> {
        if self.subtype == 0 { Family::from_wire(self.afi, self.safi) } else { None }
    }

    /// Appends the whole message.
    pub fn push(self, out: &mut Vec<u8>) {
        let [high, low] = self.afi.to_be_bytes();
        push_message(out, Kind::RouteRefresh, |out| {
            out.extend_from_slice(&[high, low, self.subtype, self.safi]);
        });
    }

    /// Reads the body; `None` when it is not of four octets.
    pub fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let refresh = Self { afi: reader.u16()?, subtype: reader.u8()?, safi: reader.u8()? };
        reader.is_empty().then_some(refresh)
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::{Frame, first_frame};
    use super::*;

    #[test]
    fn request_travels() {
        let mut out = Vec::new();
        RouteRefresh::request(Family::Ipv6Unicast).push(&mut out);
        assert_eq!(
            first_frame(&out, 4096),
            Ok(Some(Frame { kind: Kind::RouteRefresh, body: &[0, 2, 0, 1] }))
        );
        assert_eq!(RouteRefresh::decode(&[0, 2, 0, 1]).unwrap().requested(), Some(Family::Ipv6Unicast));
    }

    #[test]
    fn unknown_subtype_or_family_asks_for_nothing() {
        assert_eq!(RouteRefresh::decode(&[0, 1, 1, 1]).unwrap().requested(), None);
        assert_eq!(RouteRefresh::decode(&[0, 25, 0, 70]).unwrap().requested(), None);
        assert_eq!(RouteRefresh::decode(&[0, 1, 0]), None);
    }
}
