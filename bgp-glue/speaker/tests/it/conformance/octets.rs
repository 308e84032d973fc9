//! Messages made of octets, right or wrong, as no encoder would make them.

use super::run::{LOCAL_AS, REMOTE_AS};

/// A message under construction.
#[derive(Clone, Debug)]
pub struct Octets(Vec<u8>);

impl From<Octets> for Vec<u8> {
    fn from(octets: Octets) -> Self {
        octets.0
    }
}

/// A message of this type with this body and a right header.
pub fn message(kind: u8, body: &[u8]) -> Octets {
    let length = u16::try_from(19 + body.len()).expect("a message has at most 65535 octets");
    let mut octets = vec![0xff; 16];
    octets.extend(length.to_be_bytes());
    octets.push(kind);
    octets.extend_from_slice(body);
    Octets(octets)
}

/// An OPEN of the external neighbor with these optional parameters, their length included.
pub fn open(parameters: &[u8]) -> Octets {
    open_of(REMOTE_AS, parameters)
}

/// An OPEN of an internal neighbor.
pub fn internal_open(parameters: &[u8]) -> Octets {
    open_of(LOCAL_AS, parameters)
}

fn open_of(asn: u32, parameters: &[u8]) -> Octets {
    let [.., high, low] = asn.to_be_bytes();
    message(1, &[&[4, high, low, 0, 90, 192, 0, 2, 2], parameters].concat())
}

/// Optional parameters: one of type 2 with these capabilities, after the length.
pub fn capabilities(capabilities: &[&[u8]]) -> Vec<u8> {
    let all = capabilities.concat();
    let length = u8::try_from(all.len()).expect("capabilities of the short form");
    [&[length + 2, 2, length][..], &all].concat()
}

/// IPv4 unicast.
pub const IPV4: &[u8] = &[1, 4, 0, 1, 0, 1];
/// IPv6 unicast.
pub const IPV6: &[u8] = &[1, 4, 0, 2, 0, 1];
/// ROUTE-REFRESH.
pub const REFRESH: &[u8] = &[2, 0];
/// Four-octet AS 65001.
pub const AS4: &[u8] = &[65, 4, 0, 0, 0xfd, 0xe9];

pub fn keepalive() -> Octets {
    message(4, &[])
}

pub fn notification(code: u8, subcode: u8, data: &[u8]) -> Octets {
    message(3, &[&[code, subcode], data].concat())
}

pub fn route_refresh(afi: u8, subtype: u8, safi: u8) -> Octets {
    message(5, &[0, afi, subtype, safi])
}

impl Octets {
    /// With these octets from the given one on instead.
    pub fn with(mut self, at: usize, octets: &[u8]) -> Self {
        self.0[at..at + octets.len()].copy_from_slice(octets);
        self
    }

    /// With this in the length field of the header.
    pub fn length(self, length: u16) -> Self {
        self.with(16, &length.to_be_bytes())
    }

    /// Without what comes after so many octets.
    pub fn cut(mut self, count: usize) -> Self {
        self.0.truncate(count);
        self
    }

    /// And then another message.
    pub fn then(mut self, next: impl Into<Vec<u8>>) -> Self {
        self.0.extend(next.into());
        self
    }
}
