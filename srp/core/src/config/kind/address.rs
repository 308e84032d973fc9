//! Addresses and prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnetwork::IpNetwork;
use toml::de::DeValue;

use super::{Kind, parse, text};
use crate::config::fault::Fault;

/// A unicast address.
pub(in crate::config) struct Address;

impl Kind for Address {
    type Value = IpAddr;

    fn wanted(&self) -> String {
        "IPv4 or IPv6 address".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<IpAddr, Fault> {
        let address = parse(self, value, "an address", "\"192.0.2.1\" or \"2001:db8::1\"")?;
        unicast(address)?;
        Ok(address)
    }

    fn write(&self, value: &IpAddr) -> String {
        format!("\"{value}\"")
    }
}

/// A unicast IPv4 address.
pub(in crate::config) struct AddressV4;

impl Kind for AddressV4 {
    type Value = Ipv4Addr;

    fn wanted(&self) -> String {
        "IPv4 address".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Ipv4Addr, Fault> {
        let address = parse(self, value, "an IPv4 address", "\"192.0.2.1\"")?;
        unicast(IpAddr::V4(address))?;
        Ok(address)
    }

    fn write(&self, value: &Ipv4Addr) -> String {
        format!("\"{value}\"")
    }
}

/// A unicast IPv6 address.
pub(in crate::config) struct AddressV6;

impl Kind for AddressV6 {
    type Value = Ipv6Addr;

    fn wanted(&self) -> String {
        "IPv6 address".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Ipv6Addr, Fault> {
        let address = parse(self, value, "an IPv6 address", "\"2001:db8::1\"")?;
        unicast(IpAddr::V6(address))?;
        Ok(address)
    }

    fn write(&self, value: &Ipv6Addr) -> String {
        format!("\"{value}\"")
    }
}

/// A BGP identifier. RFC 6286: any four octets but zero.
pub(in crate::config) struct RouterId;

impl Kind for RouterId {
    type Value = Ipv4Addr;

    fn wanted(&self) -> String {
        "IPv4 address, not 0.0.0.0".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Ipv4Addr, Fault> {
        let id: Ipv4Addr = parse(self, value, "a BGP identifier", "\"192.0.2.1\"")?;
        if id.is_unspecified() { Err(Fault::ZeroRouterId) } else { Ok(id) }
    }

    fn write(&self, value: &Ipv4Addr) -> String {
        format!("\"{value}\"")
    }
}

/// A unicast prefix without host bits.
pub(in crate::config) struct Prefix;

impl Kind for Prefix {
    type Value = IpNetwork;

    fn wanted(&self) -> String {
        "IPv4 or IPv6 prefix, host bits zero".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<IpNetwork, Fault> {
        let prefix = prefix(text(self, value, PREFIX)?)?;
        // The default route is a prefix that can be originated; its address is no host.
        if prefix.prefix() > 0 {
            unicast(prefix.ip())?;
        }
        Ok(prefix)
    }

    fn write(&self, value: &IpNetwork) -> String {
        format!("\"{value}\"")
    }
}

/// The address of a loopback: /32 or /128.
pub(in crate::config) struct HostAddress;

impl Kind for HostAddress {
    type Value = IpNetwork;

    fn wanted(&self) -> String {
        "IPv4 address/32 or IPv6 address/128".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<IpNetwork, Fault> {
        let host: IpNetwork = parse(self, value, "a host address", "\"203.0.113.1/32\"")?;
        if host.prefix() != longest(host) {
            return Err(Fault::NotHost { corrected: host.ip().into() });
        }
        unicast(host.ip())?;
        Ok(host)
    }

    fn write(&self, value: &IpNetwork) -> String {
        format!("\"{value}\"")
    }
}

const PREFIX: &str = "\"172.18.0.0/16\"";

/// Mask length of a host of the prefix' family.
pub(in crate::config) fn longest(prefix: IpNetwork) -> u8 {
    match prefix {
        IpNetwork::V4(_) => 32,
        IpNetwork::V6(_) => 128,
    }
}

pub(super) fn prefix(text: &str) -> Result<IpNetwork, Fault> {
    let prefix: IpNetwork =
        text.parse().map_err(|_| Fault::Malformed { what: "a prefix", example: PREFIX })?;
    if !text.contains('/') {
        return Err(Fault::NoMask { host: prefix });
    }
    match IpNetwork::new(prefix.network(), prefix.prefix()) {
        Ok(corrected) if corrected == prefix => Ok(prefix),
        Ok(corrected) => Err(Fault::HostBits { corrected }),
        Err(_) => Err(Fault::Malformed { what: "a prefix", example: PREFIX }),
    }
}

pub(super) fn unicast(address: IpAddr) -> Result<(), Fault> {
    let what = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "an IPv4 address in IPv6 form",
        IpAddr::V4(_) | IpAddr::V6(_) => return Ok(()),
    };
    Err(Fault::NotUsable { address, what })
}
