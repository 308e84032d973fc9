//! Messages of Diameter (RFC 6733 sections 3 and 4): octets to value and back.
//!
//! ```text
//!   0                   1                   2                   3
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!  +---------------+-----------------------------------------------+
//!  |    Version    |                 Message Length                |
//!  +---------------+-----------------------------------------------+
//!  |R|P|E|T|       |                  Command Code                 |
//!  +---------------+-----------------------------------------------+
//!  |                         Application-ID                        |
//!  |                      Hop-by-Hop Identifier                    |
//!  |                      End-to-End Identifier                    |
//!  +---------------------------------------------------------------+
//!  |                            AVP Code                           |   AVPs
//!  +---------------+-----------------------------------------------+
//!  |V|M|P|         |                   AVP Length                  |
//!  +---------------+-----------------------------------------------+
//!  |                        Vendor-ID, if V                        |
//!  |    Data ..., and zeros up to a multiple of four octets        |
//! ```

use super::framing::HEADER;

/// The message is a request.
pub const REQUEST: u8 = 0x80;
/// The answer is an error of the protocol.
pub const ERROR: u8 = 0x20;

/// The receiver has to know this AVP.
pub const MANDATORY: u8 = 0x40;
const VENDOR: u8 = 0x80;

/// Command codes of the base protocol.
pub mod command {
    /// Capabilities-Exchange.
    pub const CAPABILITIES_EXCHANGE: u32 = 257;
    /// Device-Watchdog.
    pub const DEVICE_WATCHDOG: u32 = 280;
    /// Disconnect-Peer.
    pub const DISCONNECT_PEER: u32 = 282;
}

/// Codes of the AVPs that are written or read here.
pub mod avp {
    /// Address.
    pub const HOST_IP_ADDRESS: u32 = 257;
    /// `Unsigned32`.
    pub const AUTH_APPLICATION_ID: u32 = 258;
    /// Grouped.
    pub const VENDOR_SPECIFIC_APPLICATION_ID: u32 = 260;
    /// UTF-8.
    pub const SESSION_ID: u32 = 263;
    /// Identity.
    pub const ORIGIN_HOST: u32 = 264;
    /// `Unsigned32`.
    pub const VENDOR_ID: u32 = 266;
    /// `Unsigned32`.
    pub const RESULT_CODE: u32 = 268;
    /// UTF-8.
    pub const PRODUCT_NAME: u32 = 269;
    /// `Enumerated`.
    pub const DISCONNECT_CAUSE: u32 = 273;
    /// UTF-8.
    pub const ERROR_MESSAGE: u32 = 281;
    /// Identity.
    pub const ORIGIN_REALM: u32 = 296;
}

/// The fixed part of a message; version and length are what they have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// R, P, E, T and four bits that are reserved.
    pub flags: u8,
    /// Command code, 24 bits.
    pub command: u32,
    /// Application-ID; 0 for what concerns the peers themselves.
    pub application: u32,
    /// Brings an answer back to its request on this connection.
    pub hop_by_hop: u32,
    /// Tells duplicates.
    pub end_to_end: u32,
}

impl Header {
    /// Whether it is a request.
    pub const fn is_request(&self) -> bool {
        self.flags & REQUEST != 0
    }
}

/// One attribute and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Avp {
    /// AVP Code.
    pub code: u32,
    /// M, P and five bits that are reserved; V stands in `vendor`.
    pub flags: u8,
    /// Vendor-ID, where V is set.
    pub vendor: Option<u32>,
    /// The data, without padding.
    pub data: Vec<u8>,
}

impl Avp {
    /// One of the base protocol that the receiver has to know.
    pub fn mandatory(code: u32, data: impl Into<Vec<u8>>) -> Self {
        Self { code, flags: MANDATORY, vendor: None, data: data.into() }
    }

    /// The same with a number of 32 bits.
    pub fn number(code: u32, value: u32) -> Self {
        Self::mandatory(code, value.to_be_bytes())
    }

    /// The data as a number of 32 bits, if it has four octets.
    pub fn as_number(&self) -> Option<u32> {
        self.data.as_slice().try_into().ok().map(u32::from_be_bytes)
    }

    fn encode(&self, into: &mut Vec<u8>) {
        let head = if self.vendor.is_some() { 12 } else { 8 };
        let flags = self.flags & !VENDOR | if self.vendor.is_some() { VENDOR } else { 0 };
        let length = u32::try_from(head + self.data.len()).unwrap_or(u32::MAX) & 0x00ff_ffff;
        into.extend(self.code.to_be_bytes());
        into.extend((u32::from(flags) << 24 | length).to_be_bytes());
        into.extend(self.vendor.iter().flat_map(|vendor| vendor.to_be_bytes()));
        into.extend(&self.data);
        into.resize(into.len().next_multiple_of(4), 0);
    }
}

/// AVPs as the data of a grouped one, or of a message.
pub fn grouped(avps: &[Avp]) -> Vec<u8> {
    let mut octets = Vec::new();
    for avp in avps {
        avp.encode(&mut octets);
    }
    octets
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// Its AVPs, in their order; grouped ones are not opened.
    pub avps: Vec<Avp>,
}

/// Why the octets of one message are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Too short, of another version, or of another length than it says.
    #[error("no header of Diameter, or one with another length than the message has")]
    Header,
    /// An AVP is shorter than its own header, or ends behind the message.
    #[error("the AVP at octet {at} does not fit into its message")]
    Avp {
        /// Where it begins.
        at: usize,
    },
}

impl Message {
    /// Writes the message. It has to be shorter than 16 MiB.
    pub fn encode(&self) -> Vec<u8> {
        let avps = grouped(&self.avps);
        let length = u32::try_from(HEADER + avps.len()).unwrap_or(u32::MAX) & 0x00ff_ffff;
        let Header { flags, command, application, hop_by_hop, end_to_end } = self.header;
        let words = [
            1 << 24 | length,
            u32::from(flags) << 24 | command & 0x00ff_ffff,
            application,
            hop_by_hop,
            end_to_end,
        ];
        let mut octets: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        octets.extend(avps);
        octets
    }

    /// Reads one whole message.
    pub fn decode(octets: &[u8]) -> Result<Self, Malformed> {
        let word = |at: usize| {
            let word = octets.get(at..at + 4)?.first_chunk()?;
            Some(u32::from_be_bytes(*word))
        };
        let words = (|| Some([word(0)?, word(4)?, word(8)?, word(12)?, word(16)?]))();
        let [first, second, application, hop_by_hop, end_to_end] = words.ok_or(Malformed::Header)?;
        let length = usize::try_from(first & 0x00ff_ffff).ok();
        if first >> 24 != 1 || length != Some(octets.len()) {
            return Err(Malformed::Header);
        }
        let [flags, ..] = second.to_be_bytes();
        let header = Header { flags, command: second & 0x00ff_ffff, application, hop_by_hop, end_to_end };
        let mut avps = Vec::new();
        let mut at = HEADER;
        while at < octets.len() {
            let (avp, length) = read_avp(&octets[at..]).ok_or(Malformed::Avp { at })?;
            avps.push(avp);
            at += length.next_multiple_of(4);
            if at > octets.len() {
                return Err(Malformed::Header); // its padding is missing: the length was no multiple of four
            }
        }
        Ok(Self { header, avps })
    }

    /// The first AVP of the base protocol with this code.
    pub fn find(&self, code: u32) -> Option<&Avp> {
        self.avps.iter().find(|avp| avp.code == code && avp.vendor.is_none())
    }
}

/// An AVP and its length without padding.
fn read_avp(octets: &[u8]) -> Option<(Avp, usize)> {
    let (code, rest) = octets.split_first_chunk::<4>()?;
    let (&[flags, high, middle, low], _) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()?;
    let body = octets.get(8..length)?;
    let (vendor, data) = if flags & VENDOR != 0 {
        let (vendor, data) = body.split_first_chunk::<4>()?;
        (Some(u32::from_be_bytes(*vendor)), data)
    } else {
        (None, body)
    };
    let avp = Avp { code: u32::from_be_bytes(*code), flags: flags & !VENDOR, vendor, data: data.to_vec() };
    Some((avp, length))
}

#[cfg(test)]
mod tests;
