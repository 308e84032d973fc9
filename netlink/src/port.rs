//! Links that the configuration names: what is wanted of them, what they are, and the difference. Pure.
//!
//! What always holds of a plan:
//! - A link that is not named is not touched, but for addresses under our mark on it: it was named once.
//! - What is not wanted of a named link (no MTU, no speed) stays as it is; addresses of others stay in any case.
//! - An address that is there already, with the wanted mask, is adopted as it is, whoever gave it.
//! - Carrying it out and planning again gives no operation.
//!
//! Addresses of links are marked with the protocol number of the routes, its highest bit turned ([`mark`]), in `IFA_PROTO`
//! (Linux 5.18): so the owner of loopbacks, which has another mark, neither takes them for its own nor sweeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::names::{LinkIndex, LinkName, Mac};

/// What is wanted of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub link: LinkName,
    /// Set up by the administrator.
    pub up: bool,
    /// The longest packet, octets; as it is if `None`.
    pub mtu: Option<u32>,
    /// The description (`ifalias`), up to 255 octets; as it is if `None`.
    pub alias: Option<String>,
    /// Speed and duplex; as they are if `None`.
    pub speed: Option<Speed>,
    /// Its addresses.
    pub addresses: BTreeSet<PortAddress>,
}

/// An address with the mask of its subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortAddress {
    /// The address.
    pub ip: IpAddr,
    /// Prefix length of the subnet, bits.
    pub len: u8,
}

impl fmt::Display for PortAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.len)
    }
}

/// How fast a port is, and how that is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// Both ends agree (auto-negotiation).
    Auto,
    /// As said.
    Fixed {
        /// Mbit/s.
        megabits: u32,
        /// Both directions at once.
        full_duplex: bool,
    },
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed { megabits, full_duplex: true } => write!(f, "{megabits} full"),
            Self::Fixed { megabits, full_duplex: false } => write!(f, "{megabits} half"),
        }
    }
}

/// A link as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPort {
    /// Its index.
    pub index: LinkIndex,
    /// Its name.
    pub name: LinkName,
    /// Set up by the administrator.
    pub up: bool,
    /// Has carrier.
    pub carrier: bool,
    /// The longest packet, octets.
    pub mtu: u32,
    /// The least and the highest MTU that the driver says it takes; 0 where it says nothing.
    pub mtu_bounds: (u32, u32),
    /// The description; empty if there is none.
    pub alias: String,
    /// Speed and duplex; `None` where the driver has none, or the link is down.
    pub speed: Option<Speed>,
    /// Its addresses, each with whether it is under our mark.
    pub addresses: BTreeMap<PortAddress, bool>,
    /// Its hardware address, if it has one.
    pub mac: Option<Mac>,
    /// What has gone through it.
    pub traffic: Traffic,
}

/// What has gone through a link since it is there, or since its driver began to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From others.
    pub received: Counts,
    /// To others.
    pub sent: Counts,
}

/// One direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Octets.
    pub octets: u64,
    /// Packets.
    pub packets: u64,
    /// Packets that were bad, or could not be sent.
    pub errors: u64,
    /// Packets for which there was no room.
    pub dropped: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortOp {
    /// Speed and duplex.
    SetSpeed(Speed),
    /// The longest packet, octets.
    SetMtu(u32),
    /// The description.
    SetAlias(String),
    /// Up or down.
    SetUp(bool),
    /// An address under our mark.
    AddAddress(PortAddress),
    /// An address under our mark goes.
    DeleteAddress(PortAddress),
}

impl fmt::Display for PortOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetSpeed(speed) => write!(f, "speed {speed}"),
            Self::SetMtu(mtu) => write!(f, "mtu {mtu}"),
            Self::SetAlias(alias) => write!(f, "description \"{alias}\""),
            Self::SetUp(true) => f.write_str("up"),
            Self::SetUp(false) => f.write_str("down"),
            Self::AddAddress(address) => write!(f, "address {address}"),
            Self::DeleteAddress(address) => write!(f, "no address {address}"),
        }
    }
}

/// Why a link cannot be as it is wanted. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortReason {
    /// There is no such link.
    #[error("this machine has no such link: `ip link` lists those that it has")]
    NoLink,
    /// The driver takes other sizes.
    #[error("mtu {mtu} is not what its driver takes ({least} .. {most}): write another, or leave mtu out")]
    Mtu {
        /// The wanted MTU.
        mtu: u32,
        /// The least that the driver takes.
        least: u32,
        /// The highest.
        most: u32,
    },
    /// Somebody else gave the link this address with another mask.
    #[error(
        "{wanted} is there as {held}, which is not ours: `ip address del {held} dev ...`, or write {held}"
    )]
    OtherMask {
        /// The wanted address.
        wanted: PortAddress,
        /// As it is.
        held: PortAddress,
    },
    /// The driver has no such setting.
    #[error("its driver does not take speed {0}: leave speed and duplex out")]
    NoSpeed(Speed),
    /// The kernel says no.
    #[error("{op} was refused by the kernel: {said}")]
    Kernel {
        /// To what.
        op: PortOp,
        /// In its words.
        said: String,
    },
    /// The kernel could not be asked.
    #[error("the kernel cannot be asked: {0}")]
    Io(String),
}

/// A link that cannot be as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("interface \"{link}\": {reason}")]
pub struct PortError {
    /// The link.
    pub link: LinkName,
    /// Why.
    pub reason: PortReason,
}

/// The protocol number of addresses of links where that of our routes is `protocol`.
pub fn mark(protocol: u8) -> u8 {
    protocol ^ 0x80
}

/// What must change, link by link, so that the named links are as wanted.
///
/// # Errors
/// Everything that can be seen to be impossible; then nothing is to be changed.
pub fn plan(want: &[Port], have: &[FoundPort]) -> Result<Vec<(LinkIndex, PortOp)>, Vec<PortError>> {
    let (mut ops, mut errors) = (Vec::new(), Vec::new());
    for port in want {
        let Some(found) = have.iter().find(|found| found.name == port.link) else {
            errors.push(PortError { link: port.link.clone(), reason: PortReason::NoLink });
            continue;
        };
        errors.extend(refusals(port, found).map(|reason| PortError { link: port.link.clone(), reason }));
        ops.extend(changes(port, found).into_iter().map(|op| (found.index, op)));
    }
    let named = |found: &&FoundPort| want.iter().any(|port| port.link == found.name);
    for found in have.iter().filter(|found| !named(found)) {
        ops.extend(ours(found).map(|address| (found.index, PortOp::DeleteAddress(address))));
    }
    // What a driver may refuse comes first: then nothing else has been touched.
    ops.sort_by_key(|(_, op)| !matches!(op, PortOp::SetSpeed(_)));
    if errors.is_empty() { Ok(ops) } else { Err(errors) }
}

fn refusals<'p>(port: &'p Port, found: &'p FoundPort) -> impl Iterator<Item = PortReason> + 'p {
    let (least, most) = found.mtu_bounds;
    let mtu = port.mtu.filter(|mtu| most > 0 && !(least..=most).contains(mtu)).map(|mtu| PortReason::Mtu {
        mtu,
        least,
        most,
    });
    let masks = port.addresses.iter().filter_map(|wanted| {
        let other = |(held, ours): (&PortAddress, &bool)| (held.ip == wanted.ip && !ours).then_some(*held);
        let held = found.addresses.iter().find_map(other)?;
        (held != *wanted).then_some(PortReason::OtherMask { wanted: *wanted, held })
    });
    mtu.into_iter().chain(masks)
}

fn changes(port: &Port, found: &FoundPort) -> Vec<PortOp> {
    let mut ops = Vec::new();
    ops.extend(port.speed.filter(|speed| found.speed != Some(*speed)).map(PortOp::SetSpeed));
    ops.extend(port.mtu.filter(|mtu| found.mtu != *mtu).map(PortOp::SetMtu));
    ops.extend(port.alias.clone().filter(|alias| found.alias != *alias).map(PortOp::SetAlias));
    // Before the addresses: those of IPv6 go with a link that is set down.
    ops.extend((port.up != found.up).then_some(PortOp::SetUp(port.up)));
    let stale: Vec<_> = ours(found).filter(|address| !port.addresses.contains(address)).collect();
    // One address cannot be there with two masks.
    let (in_the_way, rest): (Vec<_>, Vec<_>) =
        stale.into_iter().partition(|stale| port.addresses.iter().any(|wanted| wanted.ip == stale.ip));
    ops.extend(in_the_way.into_iter().map(PortOp::DeleteAddress));
    let missing = port.addresses.iter().filter(|address| !found.addresses.contains_key(address));
    ops.extend(missing.map(|address| PortOp::AddAddress(*address)));
    ops.extend(rest.into_iter().map(PortOp::DeleteAddress));
    ops
}

fn ours(found: &FoundPort) -> impl Iterator<Item = PortAddress> + '_ {
    found.addresses.iter().filter(|(_, ours)| **ours).map(|(address, _)| *address)
}

/// What takes `op` back on a link that was `found`.
pub(crate) fn undone(op: &PortOp, found: &FoundPort) -> Option<PortOp> {
    Some(match op {
        PortOp::SetSpeed(_) => PortOp::SetSpeed(found.speed?),
        PortOp::SetMtu(_) => PortOp::SetMtu(found.mtu),
        PortOp::SetAlias(_) => PortOp::SetAlias(found.alias.clone()),
        PortOp::SetUp(_) => PortOp::SetUp(found.up),
        PortOp::AddAddress(address) => PortOp::DeleteAddress(*address),
        PortOp::DeleteAddress(address) => PortOp::AddAddress(*address),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> PortAddress {
        let (ip, len) = text.split_once('/').expect("a mask");
        PortAddress { ip: ip.parse().expect("an address"), len: len.parse().expect("a length") }
    }

    fn found(name: &str, addresses: &[(&str, bool)]) -> FoundPort {
        FoundPort {
            index: LinkIndex::new(7).expect("not 0"),
            name: name.parse().expect("a name"),
            up: false,
            carrier: false,
            mtu: 1500,
            mtu_bounds: (68, 9000),
            alias: String::new(),
            speed: None,
            addresses: addresses.iter().map(|(text, ours)| (address(text), *ours)).collect(),
            mac: None,
            traffic: Traffic::default(),
        }
    }

    fn port(name: &str, addresses: &[&str]) -> Port {
        Port {
            link: name.parse().expect("a name"),
            up: true,
            mtu: None,
            alias: None,
            speed: None,
            addresses: addresses.iter().map(|text| address(text)).collect(),
        }
    }

    /// The plan in words.
    fn planned(want: &[Port], have: &[FoundPort]) -> Vec<String> {
        match plan(want, have) {
            Ok(ops) => ops.iter().map(|(_, op)| op.to_string()).collect(),
            Err(errors) => errors.iter().map(PortError::to_string).collect(),
        }
    }

    #[test]
    fn cfg_6_a_fresh_link_gets_everything_and_what_a_driver_may_refuse_comes_first() {
        let want = Port {
            mtu: Some(9000),
            alias: Some("to west".to_owned()),
            speed: Some(Speed::Fixed { megabits: 100, full_duplex: true }),
            ..port("eth1", &["192.0.2.1/30", "2001:db8::1/64"])
        };
        assert_eq!(
            planned(&[want], &[found("eth1", &[])]),
            [
                "speed 100 full",
                "mtu 9000",
                "description \"to west\"",
                "up",
                "address 192.0.2.1/30",
                "address 2001:db8::1/64"
            ]
        );
    }

    #[test]
    fn an_address_that_is_there_is_adopted_and_those_of_others_stay() {
        let have =
            FoundPort { up: true, ..found("eth1", &[("192.0.2.1/30", false), ("192.0.2.9/32", false)]) };
        assert_eq!(planned(&[port("eth1", &["192.0.2.1/30"])], &[have]), Vec::<String>::new());
    }

    #[test]
    fn a_mask_of_ours_changes_and_what_is_no_longer_wanted_goes_last() {
        let have = FoundPort { up: true, ..found("eth1", &[("192.0.2.1/30", true), ("192.0.2.5/30", true)]) };
        assert_eq!(
            planned(&[port("eth1", &["192.0.2.1/29", "192.0.2.9/30"])], &[have]),
            [
                "no address 192.0.2.1/30",
                "address 192.0.2.1/29",
                "address 192.0.2.9/30",
                "no address 192.0.2.5/30"
            ]
        );
    }

    #[test]
    fn a_link_that_is_not_named_loses_what_is_ours_and_nothing_else() {
        let have = FoundPort { mtu: 9000, ..found("eth9", &[("192.0.2.1/30", true), ("10.0.0.1/8", false)]) };
        assert_eq!(planned(&[], &[have]), ["no address 192.0.2.1/30"]);
    }

    #[test]
    fn what_cannot_be_is_said_for_all_links_at_once() {
        let want = [port("lost0", &[]), Port { mtu: Some(9001), ..port("eth1", &["192.0.2.1/30"]) }];
        assert_eq!(
            planned(&want, &[found("eth1", &[("192.0.2.1/24", false)])]),
            [
                "interface \"lost0\": this machine has no such link: `ip link` lists those that it has",
                "interface \"eth1\": mtu 9001 is not what its driver takes (68 .. 9000): write another, or leave mtu out",
                "interface \"eth1\": 192.0.2.1/30 is there as 192.0.2.1/24, which is not ours: \
                 `ip address del 192.0.2.1/24 dev ...`, or write 192.0.2.1/24",
            ]
        );
    }

    #[test]
    fn what_was_done_is_undone_by_its_opposite() {
        let have = found("eth1", &[]);
        for (op, back) in [
            (PortOp::SetMtu(9000), Some(PortOp::SetMtu(1500))),
            (PortOp::SetUp(true), Some(PortOp::SetUp(false))),
            (
                PortOp::AddAddress(address("192.0.2.1/30")),
                Some(PortOp::DeleteAddress(address("192.0.2.1/30"))),
            ),
            (PortOp::SetSpeed(Speed::Auto), None),
        ] {
            assert_eq!(undone(&op, &have), back);
        }
    }
}
