//! An IP prefix whose host bits are zero.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnetwork::IpNetwork;

/// An IPv4 or IPv6 prefix, such as `10.10.0.0/16`.
///
/// Always: the bits behind the prefix length are zero, so two prefixes that mean the same compare equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    network: IpAddr,
    len: u8,
}

/// Why something is not a [`Prefix`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// The length is beyond 32 (IPv4) or 128 (IPv6).
    #[error("{address}/{len}: the prefix length must be 0..={max}", max = max_len(*address))]
    Length {
        /// The address as given.
        address: IpAddr,
        /// The length as given, in bits.
        len: u8,
    },
    /// Bits behind the prefix length are set.
    #[error("{address}/{len} has bits set behind the prefix length: write {network}/{len}")]
    HostBits {
        /// The address as given.
        address: IpAddr,
        /// The prefix length, in bits.
        len: u8,
        /// What the network address would be.
        network: IpAddr,
    },
    /// Not of the form `address/length`.
    #[error("\"{0}\" is not a prefix: write address/length, for example 10.10.0.0/16")]
    Syntax(String),
}

impl Prefix {
    /// A prefix of `len` bits (0..=32 for IPv4, 0..=128 for IPv6); refuses set host bits.
    pub fn new(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let prefix = Self::containing(address, len)?;
        if prefix.network == address {
            Ok(prefix)
        } else {
            Err(PrefixError::HostBits { address, len, network: prefix.network })
        }
    }

    /// The prefix of `len` bits that `address` lies in.
    pub fn containing(address: IpAddr, len: u8) -> Result<Self, PrefixError> {
        let whole = IpNetwork::new(address, len).map_err(|_| PrefixError::Length { address, len })?;
        Ok(Self { network: whole.network(), len })
    }

    /// The prefix that holds `address` alone: /32 or /128.
    pub fn host(address: IpAddr) -> Self {
        Self { network: address, len: max_len(address) }
    }

    /// The network address.
    pub fn network(self) -> IpAddr {
        self.network
    }

    /// The prefix length in bits.
    #[allow(clippy::len_without_is_empty, reason = "a prefix length, not a number of items")]
    pub fn len(self) -> u8 {
        self.len
    }

    /// Whether this is an IPv6 prefix.
    pub fn is_ipv6(self) -> bool {
        self.network.is_ipv6()
    }

    /// Whether the address lies in it; never one of the other family.
    pub fn contains(self, address: IpAddr) -> bool {
        IpNetwork::from(self).contains(address)
    }
}

/// 32 for IPv4, 128 for IPv6.
pub(crate) fn max_len(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl TryFrom<IpNetwork> for Prefix {
    type Error = PrefixError;

    fn try_from(network: IpNetwork) -> Result<Self, PrefixError> {
        Self::new(network.ip(), network.prefix())
    }
}

impl From<Prefix> for IpNetwork {
    fn from(prefix: Prefix) -> Self {
        // A Prefix has a valid length by construction; the host network is only there to avoid a panic path.
        IpNetwork::new(prefix.network, prefix.len).unwrap_or_else(|_| prefix.network.into())
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let syntax = || PrefixError::Syntax(text.to_owned());
        let (address, len) = text.split_once('/').ok_or_else(syntax)?;
        Self::new(address.parse().map_err(|_| syntax())?, len.parse().map_err(|_| syntax())?)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_host_bits_are_refused_and_the_remedy_named() {
        let error = "10.10.1.0/16".parse::<Prefix>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "10.10.1.0/16 has bits set behind the prefix length: write 10.10.0.0/16"
        );
    }

    #[test]
    fn lengths_beyond_the_family_are_refused() {
        for text in ["10.0.0.0/33", "2001:db8::/129"] {
            assert!(matches!(text.parse::<Prefix>(), Err(PrefixError::Length { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_prefix_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/", "/8", "ten/8", "10.0.0.0/-1", "10.0.0.0/256"] {
            assert!(matches!(text.parse::<Prefix>(), Err(PrefixError::Syntax(_))), "{text}");
        }
    }

    #[test]
    fn text_and_back_is_the_same_prefix() {
        for text in ["0.0.0.0/0", "10.10.0.0/16", "192.0.2.7/32", "::/0", "2001:db8::/32", "fe80::1/128"] {
            assert_eq!(text.parse::<Prefix>().map(|prefix| prefix.to_string()), Ok(text.to_owned()));
        }
    }
}
