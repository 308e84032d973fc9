//! `[[context.interface]]`: links of this machine, and what `srpd` makes of them (CFG-6).
//!
//! They belong to one chassis alone, so none of it is compared with the peer. The interface with `srp.bind-address` is one
//! of the redundancy context, where that has any (CFG-1).

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::across::{ContextClaims, Ledger, twice};
use super::fault::{Fault, Place};
use super::kind::{Choice, Flag, Integer, Interface, InterfaceAddress, Text, word};
use super::reader::{Reader, Reported, Section};

/// A link that is named (CFG-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceConfig {
    /// Its name in the kernel.
    pub name: String,
    /// Addresses, each with the mask of its subnet.
    pub addresses: Vec<IpNetwork>,
    /// The longest packet, 68 ..= 65535 octets; as it is if `None`.
    pub mtu: Option<u16>,
    /// Speed and duplex; as they are if `None`.
    pub speed: Option<LinkSpeed>,
    /// Set down.
    pub shutdown: bool,
    /// What is at the other end, for people; as it is if `None`.
    pub description: Option<String>,
}

/// Speed of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkSpeed {
    /// Both ends agree.
    Auto,
    /// As said.
    Fixed {
        /// Mbit/s: 10, 100 or 1000.
        megabits: u32,
        /// One direction at a time, or both.
        duplex: Duplex,
    },
}

/// Directions at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplex {
    /// Both.
    #[default]
    Full,
    /// One.
    Half,
}

impl Duplex {
    const WORDS: &'static [(&'static str, Self)] = &[("full", Self::Full), ("half", Self::Half)];
}

impl fmt::Display for Duplex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}

/// What is wrong with an interface, or with what refers to one. Displays the reason; [`InterfaceFault::remedy`] says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceFault {
    /// The address of a subnet, or its broadcast address, which no host can have.
    #[error("the {what} of its subnet, which no host can have")]
    NotOfAHost {
        /// `first address` or `broadcast address`.
        what: &'static str,
    },
    /// RFC 8200 section 5: a link with IPv6 carries 1280 octets.
    #[error("IPv6, which {address} needs, does not work on a link with less than 1280 octets")]
    MtuOfIpv6 {
        /// The IPv6 address.
        address: Place,
    },
    /// `lo` is no port.
    #[error("lo is no port: its addresses are loopbacks")]
    Lo,
    /// The redundancy context has interfaces, and none of them has the address of the link.
    #[error("no interface of context {context}, the redundancy context, has this address")]
    BindElsewhere {
        /// Its name.
        context: String,
    },
    /// The redundancy context is in a VRF, and the link never is.
    #[error("this is the redundancy context, and the SRP link is in no VRF")]
    LinkInVrf,
}

impl From<InterfaceFault> for Fault {
    fn from(fault: InterfaceFault) -> Self {
        Self::Interface(fault)
    }
}

impl InterfaceFault {
    /// What to do about it, in one line.
    pub fn remedy(&self) -> String {
        match self {
            Self::NotOfAHost { .. } => "write the address of this machine and the mask of the subnet".into(),
            Self::MtuOfIpv6 { .. } => "write 1280 or more, or remove the address".into(),
            Self::Lo => "write a [[context.loopback]] table for each address".into(),
            Self::BindElsewhere { .. } => {
                "add it, with its mask, to addresses of the interface that leads to the peer".into()
            }
            Self::LinkInVrf => "remove this, or name another context in srp.context".into(),
        }
    }
}

/// The speeds that can be said.
const SPEEDS: Choice<Option<u32>> =
    Choice(&[("auto", None), ("10", Some(10)), ("100", Some(100)), ("1000", Some(1000))]);

pub(super) fn read_all(
    s: &Section<'_, '_>,
    claims: &mut ContextClaims,
) -> Result<Vec<InterfaceConfig>, Reported> {
    let sections = s.tables("interface", "name").inspect_err(|_| claims.interfaces_unread = true)?;
    let interfaces: Vec<_> =
        sections.into_iter().map(|section| section.read(|section| read(section, claims))).collect();
    let interfaces: Result<Vec<_>, _> = interfaces.into_iter().collect();
    claims.interfaces_unread |= interfaces.is_err();
    interfaces
}

fn read(s: &Section<'_, '_>, claims: &mut ContextClaims) -> Result<InterfaceConfig, Reported> {
    let name = s.required("name", &Interface);
    let addresses = s.list("addresses", &InterfaceAddress, "[\"192.0.2.1/30\", \"2001:db8::1/64\"]");
    let mtu = s.optional("mtu", &Integer::<u16>::new(68, 65_535));
    let speed = read_speed(s);
    let shutdown = s.or("shutdown", &Flag, false);
    let description = s.optional("description", &Text { longest: 255 });
    if let Ok(name) = &name {
        if name.value == "lo" {
            s.report(&name.at, InterfaceFault::Lo.into());
        }
        claims.interfaces.push(name.clone());
    }
    if let Ok(addresses) = &addresses {
        claims.addresses.extend(addresses.iter().cloned());
        if let Ok(Some(mtu)) = &mtu
            && mtu.value < 1280
            && let Some(ipv6) = addresses.iter().find(|address| address.value.is_ipv6())
        {
            s.report(&mtu.at, InterfaceFault::MtuOfIpv6 { address: ipv6.at.clone() }.into());
        }
    }
    Ok(InterfaceConfig {
        name: name?.value,
        addresses: addresses?.into_iter().map(|address| address.value).collect(),
        mtu: mtu?.map(|mtu| mtu.value),
        speed: speed?,
        shutdown: shutdown?.value,
        description: description?.map(|text| text.value),
    })
}

fn read_speed(s: &Section<'_, '_>) -> Result<Option<LinkSpeed>, Reported> {
    let speed = s.optional("speed", &SPEEDS);
    let duplex = s.or("duplex", &Choice(Duplex::WORDS), Duplex::default())?;
    let speed = speed?.map(|speed| speed.value);
    if !matches!(speed, Some(Some(_))) && duplex.at.written.is_some() {
        let needs = "speed = \"10\", \"100\" or \"1000\"";
        return Err(s.report(&duplex.at, Fault::WithoutEffect { needs }));
    }
    Ok(speed.map(|speed| match speed {
        None => LinkSpeed::Auto,
        Some(megabits) => LinkSpeed::Fixed { megabits, duplex: duplex.value },
    }))
}

/// Rules between interfaces and everything else that has an address.
pub(super) fn check(reader: &Reader<'_>, ledger: &Ledger) {
    let names = ledger.contexts.iter().flat_map(|context| &context.interfaces);
    for (name, first) in twice(names, |name| &name.value) {
        reader.report(&name.at, Fault::Twice { what: "interface", first: first.at.clone() });
    }
    let networks: BTreeSet<_> = ledger.contexts.iter().map(ContextClaims::vrf).collect();
    for vrf in networks {
        check_addresses(reader, ledger, vrf);
    }
    check_bind(reader, ledger);
}

/// In one network an address stands once.
fn check_addresses(reader: &Reader<'_>, ledger: &Ledger, vrf: Option<&str>) {
    let contexts = || ledger.contexts.iter().filter(|context| context.vrf() == vrf);
    let addresses = || contexts().flat_map(|context| &context.addresses);
    for (address, first) in twice(addresses(), |address| address.value.ip()) {
        reader.report(&address.at, Fault::Twice { what: "address", first: first.at.clone() });
    }
    let loopbacks = contexts().flat_map(|c| &c.prefixes).filter(|claim| claim.is_loopback);
    let neighbors = contexts().flat_map(|context| &context.neighbors);
    let peer = ledger.peer_address.iter().filter(|_| vrf.is_none());
    let others: Vec<(IpAddr, &Place)> = loopbacks
        .map(|claim| (claim.prefix.ip(), &claim.at))
        .chain(neighbors.chain(peer).map(|other| (other.value, &other.at)))
        .collect();
    for address in addresses() {
        if let Some((_, user)) = others.iter().find(|(other, _)| *other == address.value.ip()) {
            reader.report(&address.at, Fault::AddressInUse { user: (*user).clone() });
        }
    }
}

/// The redundancy context may leave its interfaces to the system; where it names one, the link goes over it (CFG-1).
fn check_bind(reader: &Reader<'_>, ledger: &Ledger) {
    let (Some(bind), Some(name)) = (&ledger.bind_address, &ledger.redundancy_context) else { return };
    let is_named = |context: &&ContextClaims| context.name.as_ref().is_some_and(|n| n.value == name.value);
    let Some(context) = ledger.contexts.iter().find(is_named) else { return };
    if let Some(vrf) = context.table_at.as_ref().filter(|_| context.vrf().is_some()) {
        reader.report(vrf, InterfaceFault::LinkInVrf.into());
        return;
    }
    let has_it = context.addresses.iter().any(|address| address.value.ip() == bind.value);
    if !context.interfaces.is_empty() && !context.interfaces_unread && !has_it {
        reader.report(&bind.at, InterfaceFault::BindElsewhere { context: name.value.clone() }.into());
    }
}

/// The address of a subnet itself, or its broadcast address.
pub(super) fn of_a_host(address: IpNetwork) -> Result<(), InterfaceFault> {
    let IpNetwork::V4(v4) = address else { return Ok(()) };
    // RFC 3021: both addresses of a /31 are of hosts.
    if v4.prefix() >= 31 {
        return Ok(());
    }
    let what = match v4.ip() {
        ip if ip == v4.network() => "first address",
        ip if ip == v4.broadcast() => "broadcast address",
        _of_a_host => return Ok(()),
    };
    Err(InterfaceFault::NotOfAHost { what })
}
