//! ROUTE-REFRESH: the neighbour asks for all routes of a family again, and is told where the answer begins and ends.
//!
//! ```text
//! +----------------+--------------+-----------+
//! | AFI (2)        | subtype (1)  | SAFI (1)  |
//! +----------------+--------------+-----------+
//! ```
//!
//! Sources: RFC 2918 section 3; RFC 7313 section 3 names the octet that was reserved a subtype, 0 being a request.

use super::header::{HEADER_LEN, Kind, bad_length, push_message};
use super::notification::{Notification, reason};
use crate::types::Family;

/// The body of a ROUTE-REFRESH message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteRefresh {
    /// The address family identifier.
    pub afi: u16,
    /// What is said, see [`Subtype`].
    pub subtype: u8,
    /// The subsequent address family identifier.
    pub safi: u8,
}

/// What a ROUTE-REFRESH says (RFC 7313 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subtype {
    /// All routes are wanted again.
    Request = 0,
    /// All routes follow: what is not repeated before the end is gone (`BoRR`).
    Begin = 1,
    /// That were all (`EoRR`).
    End = 2,
}

impl Subtype {
    const fn from_wire(octet: u8) -> Option<Self> {
        match octet {
            0 => Some(Self::Request),
            1 => Some(Self::Begin),
            2 => Some(Self::End),
            _ => None,
        }
    }
}

impl RouteRefresh {
    /// Something about one family.
    pub const fn new(family: Family, subtype: Subtype) -> Self {
        Self { afi: family.afi(), subtype: subtype as u8, safi: family.safi() }
    }

    /// A plain request for one family.
    pub const fn request(family: Family) -> Self {
        Self::new(family, Subtype::Request)
    }

    /// What is said about which family; `None` for a family that we do not carry and for unknown subtypes, which RFC
    /// 7313 section 5 has us ignore.
    pub fn meaning(self) -> Option<(Family, Subtype)> {
        Family::from_wire(self.afi, self.safi).zip(Subtype::from_wire(self.subtype))
    }

    /// Appends the whole message.
    pub fn push(self, out: &mut Vec<u8>) {
        let [high, low] = self.afi.to_be_bytes();
        push_message(out, Kind::RouteRefresh, |out| {
            out.extend_from_slice(&[high, low, self.subtype, self.safi]);
        });
    }

    /// Reads the body. `enhanced`: RFC 7313 was negotiated, and its subtypes have their own error for a wrong length.
    pub fn decode(body: &[u8], enhanced: bool) -> Result<Self, Notification> {
        match *body {
            [high, low, subtype, safi] => Ok(Self { afi: u16::from_be_bytes([high, low]), subtype, safi }),
            [_, _, 1 | 2, ..] if enhanced => {
                // Section 5: the data is "the complete ROUTE-REFRESH message".
                let mut message = Vec::new();
                push_message(&mut message, Kind::RouteRefresh, |out| out.extend_from_slice(body));
                Err(Notification::with_data(reason::BAD_REFRESH_LENGTH, &message))
            }
            _ => Err(bad_length(HEADER_LEN + body.len())),
        }
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
        let request = RouteRefresh::decode(&[0, 2, 0, 1], false).unwrap();
        assert_eq!(request.meaning(), Some((Family::Ipv6Unicast, Subtype::Request)));
    }

    #[test]
    fn unknown_subtype_or_family_says_nothing() {
        for body in [[0, 1, 3, 1], [0, 1, 255, 1], [0, 25, 0, 70]] {
            assert_eq!(RouteRefresh::decode(&body, true).unwrap().meaning(), None);
        }
    }

    #[test]
    fn wrong_length_has_the_error_of_its_subtype() {
        let error = |body: &[u8], enhanced| RouteRefresh::decode(body, enhanced).unwrap_err();
        assert_eq!(error(&[0, 1, 0], true), bad_length(22));
        assert_eq!(error(&[0, 1, 1, 1, 9], false), bad_length(24));
        let enhanced = error(&[0, 1, 1, 1, 9], true);
        assert!(enhanced.is(reason::BAD_REFRESH_LENGTH));
        assert_eq!(enhanced.data[16..], [0, 24, 5, 0, 1, 1, 1, 9]);
        assert_eq!(error(&[], true), bad_length(19));
    }
}
