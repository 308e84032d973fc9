//! Prefixes: an address and a length whose host bits are always zero, so that equal prefixes are equal values.
//!
//! Kept apart from `IpNetwork` for two reasons: a table of a million routes wants keys of 8 and 17 octets, and
//! `IpNetwork` keeps host bits, so that 10.0.0.1/8 and 10.0.0.2/8 would be two keys for one route.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::{IpNetwork, Ipv4Network, Ipv6Network};

use crate::types::Family;

/// An IPv4 prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixV4 {
    address: u32,
    length: u8,
}

impl PrefixV4 {
    /// The prefix of `length` bits (at most 32, longer ones are taken as 32) that holds `address`.
    pub fn containing(address: Ipv4Addr, length: u8) -> Self {
        let length = length.min(32);
        Self { address: address.to_bits() & mask_v4(length), length }
    }

    /// The first address.
    pub const fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address)
    }

    /// The number of leading bits that are fixed, 0 to 32.
    pub const fn length(self) -> u8 {
        self.length
    }
}

/// An IPv6 prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PrefixV6 {
    address: [u8; 16],
    length: u8,
}

impl PrefixV6 {
    /// The prefix of `length` bits (at most 128, longer ones are taken as 128) that holds `address`.
    pub fn containing(address: Ipv6Addr, length: u8) -> Self {
        let length = length.min(128);
        let bits = address.to_bits() & mask_v6(length);
        Self { address: bits.to_be_bytes(), length }
    }

    /// The first address.
    pub const fn address(self) -> Ipv6Addr {
        Ipv6Addr::from_bits(u128::from_be_bytes(self.address))
    }

    /// The number of leading bits that are fixed, 0 to 128.
    pub const fn length(self) -> u8 {
        self.length
    }
}

/// A prefix of either family. Ordered by family, address, length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prefix {
    /// An IPv4 prefix.
    V4(PrefixV4),
    /// An IPv6 prefix.
    V6(PrefixV6),
}

impl Prefix {
    /// The prefix of `length` bits that holds `address`; `None` when the length is above the address's own.
    pub fn containing(address: IpAddr, length: u8) -> Option<Self> {
        match address {
            IpAddr::V4(v4) if length <= 32 => Some(Self::V4(PrefixV4::containing(v4, length))),
            IpAddr::V6(v6) if length <= 128 => Some(Self::V6(PrefixV6::containing(v6, length))),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    /// The prefix that holds this one address only.
    pub fn host(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::V4(PrefixV4::containing(v4, 32)),
            IpAddr::V6(v6) => Self::V6(PrefixV6::containing(v6, 128)),
        }
    }

    /// The unicast family that announces it.
    pub const fn family(self) -> Family {
        match self {
            Self::V4(_) => Family::Ipv4Unicast,
            Self::V6(_) => Family::Ipv6Unicast,
        }
    }

    /// The first address.
    pub const fn address(self) -> IpAddr {
        match self {
            Self::V4(prefix) => IpAddr::V4(prefix.address()),
            Self::V6(prefix) => IpAddr::V6(prefix.address()),
        }
    }

    /// The number of leading bits that are fixed.
    pub const fn length(self) -> u8 {
        match self {
            Self::V4(prefix) => prefix.length,
            Self::V6(prefix) => prefix.length,
        }
    }

    /// Whether every address of `other` is also in this prefix.
    pub fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::V4(outer), Self::V4(inner)) => {
                outer.length <= inner.length && inner.address & mask_v4(outer.length) == outer.address
            }
            (Self::V6(outer), Self::V6(inner)) => {
                outer.length <= inner.length
                    && u128::from_be_bytes(inner.address) & mask_v6(outer.length)
                        == u128::from_be_bytes(outer.address)
            }
            (Self::V4(_), Self::V6(_)) | (Self::V6(_), Self::V4(_)) => false,
        }
    }

    /// Room that the prefix takes as NLRI (RFC 4271 section 4.3): one octet of length and the octets that hold it.
    pub const fn wire_len(self) -> usize {
        1 + (self.length() as usize).div_ceil(8)
    }
}

fn mask_v4(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

fn mask_v6(length: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.length())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PrefixV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Prefix::V4(*self), f)
    }
}

impl fmt::Debug for PrefixV6 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Prefix::V6(*self), f)
    }
}

/// Host bits are dropped: 10.0.0.1/8 becomes 10.0.0.0/8.
impl From<IpNetwork> for Prefix {
    fn from(network: IpNetwork) -> Self {
        match network {
            IpNetwork::V4(v4) => Self::V4(PrefixV4::containing(v4.ip(), v4.prefix())),
            IpNetwork::V6(v6) => Self::V6(PrefixV6::containing(v6.ip(), v6.prefix())),
        }
    }
}

impl From<Prefix> for IpNetwork {
    fn from(prefix: Prefix) -> Self {
        match prefix {
            // The length was capped when the prefix was made, so the constructor's only error cannot occur.
            Prefix::V4(v4) => Ipv4Network::new(v4.address(), v4.length)
                .map_or_else(|_| Self::V4(Ipv4Network::from(v4.address())), Self::V4),
            Prefix::V6(v6) => Ipv6Network::new(v6.address(), v6.length)
                .map_or_else(|_| Self::V6(Ipv6Network::from(v6.address())), Self::V6),
        }
    }
}

/// Why a text is not a prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a prefix: write address/length with no bits set behind the length, as in 192.0.2.0/24"
)]
pub struct BadPrefix {
    /// What was given.
    pub text: String,
}

/// Strict, unlike the conversion from `IpNetwork`: set host bits are an error, since a person who writes them
/// meant something else.
impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, BadPrefix> {
        let bad = || BadPrefix { text: text.to_owned() };
        let (address, length) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let length: u8 = length.parse().map_err(|_| bad())?;
        let prefix = Self::containing(address, length).ok_or_else(bad)?;
        if prefix.address() == address { Ok(prefix) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_host_bits_or_bad_length_is_refused() {
        for bad in
            ["10.0.0.1/8", "10.0.0.0/33", "2001:db8::1/64", "2001:db8::/129", "10.0.0.0", "x/8", "10.0.0.0/"]
        {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
        for good in ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"] {
            assert_eq!(good.parse::<Prefix>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn network_with_host_bits_becomes_its_prefix() {
        let network: IpNetwork = "10.1.2.3/8".parse().unwrap();
        assert_eq!(Prefix::from(network).to_string(), "10.0.0.0/8");
        assert_eq!(IpNetwork::from(Prefix::from(network)).to_string(), "10.0.0.0/8");
    }

    #[test]
    fn prefix_covers_itself_and_longer_ones_of_its_family_only() {
        let covers = |outer: &str, inner: &str| {
            outer.parse::<Prefix>().unwrap().covers(inner.parse::<Prefix>().unwrap())
        };
        assert!(covers("0.0.0.0/0", "10.0.0.0/8"));
        assert!(covers("10.0.0.0/8", "10.0.0.0/8"));
        assert!(covers("2001:db8::/32", "2001:db8:1::/48"));
        assert!(!covers("10.0.0.0/8", "0.0.0.0/0"));
        assert!(!covers("10.0.0.0/8", "11.0.0.0/16"));
        assert!(!covers("0.0.0.0/0", "::/0"));
    }

    #[test]
    fn keys_are_small() {
        assert_eq!((size_of::<PrefixV4>(), size_of::<PrefixV6>()), (8, 17));
        assert!(size_of::<Prefix>() <= 20);
    }
}
