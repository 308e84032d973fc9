//! What a speaker is told to be. Checked whole before any of it takes effect.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp_proto::decision::Multipath;
use bgp_proto::policy::Policy;
use bgp_proto::prepends::Prepends;
use bgp_proto::session::Offer;
use bgp_proto::types::{Asn, Families, Family, HoldTime, Millis, RouterId};
use ipnetwork::IpNetwork;

use crate::ao_keys::AoKeys;
use crate::limits::Limits;
use crate::monitor::MonitorConfig;
use crate::tcp_auth::Md5Key;

mod error;
mod overlap;

pub use error::ConfigError;

/// The port that BGP listens on (RFC 4271 section 8.2.1).
pub const BGP_PORT: u16 = 179;

/// A speaker with its neighbors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerConfig {
    /// Our AS.
    pub local_as: Asn,
    /// Our identifier; unlike that of every other speaker of our AS.
    pub router_id: RouterId,
    /// The addresses to listen on. Both unspecified addresses, unless told otherwise; empty means to only connect.
    pub listen: Vec<IpAddr>,
    /// The port to listen on, 1 to 65535.
    pub port: u16,
    /// The VRF device that every socket is bound to (`SO_BINDTODEVICE`). It has to be there when the speaker starts; when it goes, all
    /// sessions end, and when one of its name comes up, the speaker listens in that one. Does not change in a reload.
    pub device: Option<Arc<str>>,
    /// How many equal paths to a prefix are used.
    pub multipath: Multipath,
    /// Next hops count as reachable only when [`crate::SpeakerHandle::set_next_hops`] says so; they are asked for by
    /// [`crate::Event::NextHopsWanted`].
    pub watch_next_hops: bool,
    /// Who looks on. Has no bearing on any session.
    pub monitors: Vec<MonitorConfig>,
    /// The neighbors, in any order.
    pub neighbors: Vec<NeighborConfig>,
    /// Where neighbors may come from without being named. Of two ranges that hold an address the longer one counts.
    pub ranges: Vec<NeighborRange>,
}

/// Neighbors that are taken when they connect, and forgotten when they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborRange {
    /// Where they connect from. A named neighbor in it goes before.
    pub prefix: IpNetwork,
    /// How many there may be at once; at least 1.
    pub limit: usize,
    /// What they are like. Its address and `passive` do not matter.
    pub neighbor: NeighborConfig,
}

/// How far away a neighbor may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hops {
    /// As usual: an external neighbor on a connected link (TTL 1), an internal one anywhere.
    #[default]
    Usual,
    /// So many hops at most, 1 to 255: the TTL of what is sent.
    UpTo(u8),
    /// So many hops at most, 1 to 254, and the neighbor's packets have to show it (RFC 5082): what is sent has TTL 255,
    /// and what comes with less than it could have by then is dropped. Both ends have to be configured.
    Secured(u8),
}

impl SpeakerConfig {
    /// A speaker that listens on every address, port 179, and has no neighbors yet.
    pub fn new(local_as: Asn, router_id: RouterId) -> Self {
        Self {
            local_as,
            router_id,
            listen: vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            port: BGP_PORT,
            device: None,
            multipath: Multipath::OFF,
            watch_next_hops: false,
            monitors: Vec::new(),
            neighbors: Vec::new(),
            ranges: Vec::new(),
        }
    }

    /// Everything that is wrong with it, at once.
    pub fn check(&self) -> Result<(), Vec<ConfigError>> {
        let mut errors = Vec::new();
        if self.local_as == Asn(0) {
            errors.push(ConfigError::LocalAsZero);
        }
        if self.port == 0 {
            errors.push(ConfigError::ListenPortZero);
        }
        let mut seen = HashSet::new();
        for neighbor in &self.neighbors {
            // Only a link-local address can stand for two neighbors, one on each of two links.
            let interface = neighbor.interface.clone().filter(|_| neighbor.address.is_none_or(is_link_local));
            if !seen.insert((neighbor.address, interface)) {
                errors.push(ConfigError::Duplicate { neighbor: neighbor.key() });
            }
            neighbor.check(&mut errors);
            self.check_link(neighbor, &mut errors);
        }
        for range in &self.ranges {
            range.check(&mut errors);
            if self.ranges.iter().filter(|other| other.prefix == range.prefix).count() > 1 {
                errors.push(ConfigError::DuplicateRange { prefix: range.prefix });
            }
        }
        overlap::check(self, &mut errors);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Whoever is heard on the link of a neighbor without an address is that neighbor.
    fn check_link(&self, neighbor: &NeighborConfig, errors: &mut Vec<ConfigError>) {
        let on_link = |other: &&NeighborConfig| {
            other.interface == neighbor.interface && other.address.is_some_and(is_link_local)
        };
        if neighbor.address.is_none()
            && let Some(other) = self.neighbors.iter().find(on_link)
        {
            errors.push(ConfigError::LinkShared { neighbor: neighbor.key(), other: other.key() });
        }
    }
}

impl NeighborRange {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if self.limit == 0 {
            errors.push(ConfigError::RangeLimit { prefix: self.prefix });
        }
        // Any address of the range would do: the checks of addresses see one that is no neighbor's yet.
        let any = match self.prefix.ip() {
            // The range of all addresses begins with one that is nobody's.
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::new(192, 0, 2, 0).into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        self.neighbor_at(any).check(errors);
    }

    /// The neighbor that connects from this address.
    pub(crate) fn neighbor_at(&self, address: IpAddr) -> NeighborConfig {
        NeighborConfig { address: Some(address), passive: true, ..self.neighbor.clone() }
    }
}

/// One neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighborConfig {
    /// Its address. A link-local one needs `interface`. Where none is given, it is found on `interface` by the Router
    /// Advertisements of the neighbor (RFC 4861), which is sent ours.
    pub address: Option<IpAddr>,
    /// The interface by which a link-local address is reached, or on which it is found.
    pub interface: Option<Arc<str>>,
    /// Its AS; equal to ours for an internal neighbor.
    pub remote_as: Asn,
    /// AS numbers that it may have instead; all of them as external or internal as `remote_as`.
    pub alternate_as: Vec<Asn>,
    /// The AS that we are for this neighbor; that of the speaker where none is given.
    pub local_as: Option<Asn>,
    /// How far away it may be.
    pub hops: Hops,
    /// The secret that signs every segment (RFC 2385).
    pub md5_key: Option<Md5Key>,
    /// The keys that sign every segment instead (RFC 5925).
    pub ao_keys: Option<AoKeys>,
    /// The address to connect from; the kernel chooses where none is given.
    pub local_address: Option<IpAddr>,
    /// The port to connect to, 1 to 65535.
    pub port: u16,
    /// The hold time that we propose; the smaller of both proposals holds.
    pub hold_time: HoldTime,
    /// Never connect, only wait for the neighbor.
    pub passive: bool,
    /// How long our OPEN waits for the neighbor's (RFC 4271 section 8.1.1, `DelayOpenTime`); zero not to wait.
    pub delay_open: Millis,
    /// How long the neighbor may take nothing of what we send; the longer of eight minutes and twice the hold time (RFC
    /// 9687) where none is given.
    pub send_hold: Option<Millis>,
    /// The families that we offer.
    pub families: Families,
    /// What we offer besides.
    pub offer: Offer,
    /// The next hop of our IPv4 routes; the session's own address where none is given and it is an IPv4 session.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// The next hop of our IPv6 routes; the session's own address where none is given and it is an IPv6 session.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// What may be learned from it. Nothing, unless told otherwise.
    pub import: Policy,
    /// What it is told of our routes, and with what changes; everything, as it is, where none is given.
    pub export: Option<Policy>,
    /// What becomes of the prepend counts of our routes, before `export`; empty to leave them as they are.
    pub prepends: Prepends,
    /// How often our own AS may stand in the path of a route that it tells us; 0 unless told otherwise.
    pub allow_own_as: u8,
    /// How many routes it may announce, and is told.
    pub limits: Limits,
}

impl NeighborConfig {
    /// A neighbor with default timers on port 179 that is offered the family of its address and may tell us nothing.
    pub fn new(address: IpAddr, remote_as: Asn) -> Self {
        let family = if address.is_ipv4() { Family::Ipv4Unicast } else { Family::Ipv6Unicast };
        Self {
            address: Some(address),
            interface: None,
            remote_as,
            alternate_as: Vec::new(),
            local_as: None,
            hops: Hops::Usual,
            md5_key: None,
            ao_keys: None,
            local_address: None,
            port: BGP_PORT,
            hold_time: HoldTime::DEFAULT,
            passive: false,
            delay_open: Millis::new(0),
            send_hold: None,
            families: Families::from_iter([family]),
            offer: Offer::default(),
            next_hop_v4: None,
            next_hop_v6: None,
            import: Policy::deny_all(),
            export: None,
            prepends: Prepends::default(),
            allow_own_as: 0,
            limits: Limits::default(),
        }
    }

    /// A neighbor that is known by its interface alone: both families are offered, IPv4 with IPv6 next hops (RFC 8950), and
    /// it may tell us nothing.
    pub fn on_link(interface: impl Into<Arc<str>>, remote_as: Asn) -> Self {
        Self {
            address: None,
            interface: Some(interface.into()),
            families: Families::ALL,
            offer: Offer { extended_next_hop: Families::NONE.with(Family::Ipv4Unicast), ..Offer::default() },
            ..Self::new(Ipv6Addr::UNSPECIFIED.into(), remote_as)
        }
    }

    /// The AS that we are for it, in a speaker of this AS.
    pub(crate) fn our_as(&self, speaker: Asn) -> Asn {
        self.local_as.unwrap_or(speaker)
    }

    /// The name under which the neighbor is spoken of.
    pub fn key(&self) -> NeighborKey {
        NeighborKey { address: self.address, interface: self.interface.clone() }
    }

    fn check(&self, errors: &mut Vec<ConfigError>) {
        let neighbor = || self.key();
        if self.remote_as == Asn(0) || self.alternate_as.contains(&Asn(0)) {
            errors.push(ConfigError::RemoteAsZero { neighbor: neighbor() });
        }
        if self.port == 0 {
            errors.push(ConfigError::PortZero { neighbor: neighbor() });
        }
        if self.local_as == Some(Asn(0)) {
            errors.push(ConfigError::LocalAsZero);
        }
        if matches!(self.hops, Hops::UpTo(0) | Hops::Secured(0 | 255)) {
            errors.push(ConfigError::Hops { neighbor: neighbor() });
        }
        if self.md5_key.is_some() && self.ao_keys.is_some() {
            errors.push(ConfigError::TwoSignatures { neighbor: neighbor() });
        }
        if self.families.is_empty() {
            errors.push(ConfigError::NoFamily { neighbor: neighbor() });
        }
        if self.address.is_some_and(|address| address.is_unspecified() || address.is_multicast()) {
            errors.push(ConfigError::NotAnAddress { neighbor: neighbor() });
        }
        if self.address.is_none_or(is_link_local) && self.interface.is_none() {
            errors.push(ConfigError::NoInterface { neighbor: neighbor() });
        }
        if self.address.is_none() && (self.md5_key.is_some() || self.ao_keys.is_some()) {
            errors.push(ConfigError::KeyWithoutAddress { neighbor: neighbor() });
        }
        let cannot_reach = |local: &IpAddr| {
            let other = self.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
            *local == other || local.is_ipv4() != other.is_ipv4() || local.is_unspecified()
        };
        if let Some(local) = self.local_address.filter(cannot_reach) {
            errors.push(ConfigError::LocalAddress { neighbor: neighbor(), local });
        }
        let next_hops = [self.next_hop_v4.map(IpAddr::V4), self.next_hop_v6.map(IpAddr::V6)];
        for next_hop in next_hops.into_iter().flatten() {
            if next_hop.is_unspecified() || next_hop.is_multicast() || Some(next_hop) == self.address {
                errors.push(ConfigError::NextHop { neighbor: neighbor(), next_hop });
            }
        }
    }
}

pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// How a neighbor is named: its address, and the interface where the address alone does not tell; or the interface alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeighborKey {
    /// The configured address; `None` for one that is found on its interface.
    pub address: Option<IpAddr>,
    /// The configured interface.
    pub interface: Option<Arc<str>>,
}

impl From<IpAddr> for NeighborKey {
    fn from(address: IpAddr) -> Self {
        Self { address: Some(address), interface: None }
    }
}

impl fmt::Display for NeighborKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, &self.interface) {
            (Some(address), None) => address.fmt(f),
            (Some(address), Some(interface)) => write!(f, "{address}%{interface}"),
            (None, Some(interface)) => f.write_str(interface),
            // No configuration that was checked has one.
            (None, None) => f.write_str("without a name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SpeakerConfig {
        SpeakerConfig::new(Asn(65000), Ipv4Addr::new(192, 0, 2, 1).try_into().unwrap())
    }

    #[test]
    fn every_error_is_reported_at_once() {
        let mut config = config();
        config.local_as = Asn(0);
        let mut neighbor = NeighborConfig::new("fe80::1".parse().unwrap(), Asn(0));
        neighbor.families = Families::NONE;
        neighbor.next_hop_v6 = Some(Ipv6Addr::UNSPECIFIED);
        neighbor.local_address = Some("192.0.2.1".parse().unwrap());
        config.neighbors = vec![neighbor.clone(), neighbor];
        let errors = config.check().unwrap_err();
        assert_eq!(errors.len(), 12, "{errors:#?}");
        assert!(errors.iter().any(|error| matches!(error, ConfigError::Duplicate { .. })));
    }

    #[test]
    fn neighbor_without_an_address_has_its_link_for_itself_and_no_key() {
        let mut config = config();
        let found = NeighborConfig::on_link("eth0", Asn(65001));
        let mut named = NeighborConfig::new("fe80::1".parse().unwrap(), Asn(65001));
        named.interface = Some("eth0".into());
        let elsewhere = NeighborConfig::on_link("eth1", Asn(65001));
        config.neighbors = vec![found.clone(), elsewhere];
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.neighbors[0].key().to_string(), "eth0");
        config.neighbors.push(found.clone());
        config.neighbors.push(named.clone());
        let (key, other) = (found.key(), named.key());
        let shared = ConfigError::LinkShared { neighbor: key.clone(), other };
        let twice = ConfigError::Duplicate { neighbor: key.clone() };
        assert_eq!(config.check(), Err(vec![shared.clone(), twice, shared]));
        let signed = NeighborConfig { md5_key: Some("key".try_into().unwrap()), ..found };
        config.neighbors = vec![NeighborConfig { interface: None, ..signed.clone() }, signed];
        let nowhere = NeighborKey { address: None, interface: None };
        assert_eq!(
            config.check(),
            Err(vec![
                ConfigError::NoInterface { neighbor: nowhere.clone() },
                ConfigError::KeyWithoutAddress { neighbor: nowhere },
                ConfigError::KeyWithoutAddress { neighbor: key },
            ])
        );
    }

    #[test]
    fn plain_neighbors_pass() {
        let mut config = config();
        let mut unnumbered = NeighborConfig::new("fe80::1".parse().unwrap(), Asn(65001));
        unnumbered.interface = Some("eth0".into());
        config.neighbors = vec![NeighborConfig::new("192.0.2.2".parse().unwrap(), Asn(65001)), unnumbered];
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.neighbors[1].key().to_string(), "fe80::1%eth0");
    }
}
