//! `[context.bgp]`: the BGP instance, its neighbours and networks.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::across::{BfdClaim, Claim, ContextClaims, is_link_local};
use super::add_path::AddPath;
use super::bfd;
use super::fault::{Fault, Place};
use super::group::{self, Groups};
use super::instance_fault::InstanceFault;
use super::kind::{
    Address, AddressV4, AddressV6, AsNumber, Choice, Duration, FilePath, Flag, HoldTime, Integer, Interface,
    Prefix, RouterId, Rule,
};
use super::limits;
use super::model::{BgpConfig, BgpRole, NeighborConfig, NetworkConfig, PolicyRule};
use super::onlooker;
use super::reader::{Found, Reported, Section};
use super::unnumbered::{self, LinkClaim};
use super::{listen, prepends, range, restart};
use crate::types::Span;

pub(super) fn read(s: &Section<'_, '_>, claims: &mut ContextClaims) -> Result<BgpConfig, Reported> {
    let local_as = s.required("as", &AsNumber);
    let router_id = s.required("router-id", &RouterId);
    let port = s.or("port", &Integer::<u16>::new(1, 65_535), 179);
    claims.bgp_port = port.clone().ok();
    let listen = listen::read(s, &port, claims);
    let instance = Instance {
        port: port.as_ref().map_or(179, |port| port.value),
        local_as: local_as.as_ref().ok().map(|local_as| local_as.value),
        listen: listen.clone().unwrap_or_default(),
    };
    let multipath = s.or("multipath", &Integer::<u8>::new(1, 64), 1);
    let multipath_relax = s.or("multipath-relax", &Flag, false);
    let mrt = onlooker::read_mrt(s);
    let bmp = onlooker::read_bmp(s);
    let groups = group::read(s, &instance);
    let neighbors = read_neighbors(s, &instance, &groups, claims);
    let ranges = range::read(s, &instance, &groups, claims);
    let restart = restart::read(s);
    let graceful_shutdown =
        s.or("graceful-shutdown", &Duration { min: Span::ZERO, max: Span::secs(10) }, Span::secs(1));
    let networks = read_networks(s, claims);
    Ok(BgpConfig {
        local_as: local_as?.value,
        router_id: router_id?.value,
        port: port?.value,
        listen: listen?,
        multipath: multipath?.value,
        multipath_relax: multipath_relax?.value,
        mrt: mrt?,
        bmp: bmp?,
        groups: groups.configs?,
        restart: restart?,
        graceful_shutdown: graceful_shutdown?.value,
        neighbors: neighbors?,
        ranges: ranges?,
        networks: networks?,
    })
}

/// What neighbours have from their instance.
pub(super) struct Instance {
    pub port: u16,
    /// `None` if it could not be read.
    pub local_as: Option<u32>,
    /// Where it listens; everywhere if empty.
    pub listen: Vec<IpAddr>,
}

const RULES: &str = "[\"10.0.0.0/8 le 24\", \"2001:db8::/32\"]";

fn read_neighbors(
    s: &Section<'_, '_>,
    instance: &Instance,
    groups: &Groups<'_, '_>,
    claims: &mut ContextClaims,
) -> Result<Vec<NeighborConfig>, Reported> {
    let tables = s.tables("neighbor", "address").inspect_err(|_| claims.neighbors_unread = true)?;
    let neighbors: Vec<_> = tables
        .into_iter()
        .map(|neighbor| {
            groups.give(neighbor).read(|neighbor| read_neighbor(neighbor, instance, groups, claims))
        })
        .collect();
    neighbors.into_iter().collect()
}

fn read_neighbor(
    s: &Section<'_, '_>,
    instance: &Instance,
    groups: &Groups<'_, '_>,
    claims: &mut ContextClaims,
) -> Result<NeighborConfig, Reported> {
    let interface = s.optional("interface", &Interface);
    let address = s.optional("address", &Address);
    let unnumbered = matches!(address, Ok(None));
    let address = address.and_then(|address| match address {
        Some(address) => Ok(address),
        None => unnumbered::interface(s, &interface).map(|interface| unnumbered::stand_in(&interface)),
    });
    match &address {
        Ok(_) if unnumbered => {}
        Ok(address) => {
            claims.neighbors.push(address.clone());
            let local = s.peek_address("local-address");
            claims.sessions.push((address.clone(), local));
        }
        Err(_) => claims.neighbors_unread = true,
    }
    let group = groups.name(s);
    if let Ok(address) = &address {
        check_interface(s, address, &interface);
    }
    if let (Ok(Some(interface)), Ok(_)) = (&interface, &address) {
        claims.links.push(LinkClaim { interface: interface.clone(), is_unnumbered: unnumbered });
    }
    let session = read_session(s, &address, &interface, instance, unnumbered, Some(&mut claims.bfd));
    Ok(NeighborConfig { group: group?, ..session? })
}

/// What a neighbour has beside its name; of a group, whose neighbours have addresses of their own, for the faults alone.
/// Without `bfd_claims` it has no BFD, nor has one that is `unnumbered`, whose address stands in for one.
pub(super) fn read_session(
    s: &Section<'_, '_>,
    address: &Result<Found<IpAddr>, Reported>,
    interface: &Result<Option<Found<String>>, Reported>,
    instance: &Instance,
    unnumbered: bool,
    bfd_claims: Option<&mut Vec<BfdClaim>>,
) -> Result<NeighborConfig, Reported> {
    let remote_as = s.required("remote-as", &AsNumber);
    let local_address = s.optional("local-address", &Address);
    let port = s.or_derived("port", &Integer::<u16>::new(1, 65_535), instance.port, "port of the instance");
    let hold_time = s.or("hold-time", &HoldTime, Span::secs(9));
    let send_hold_time =
        s.optional("send-hold-time", &Duration { min: Span::secs(1), max: Span::secs(86_400) });
    let passive = s.or("passive", &Flag, false);
    let delay_open = s.or("delay-open", &Duration { min: Span::ZERO, max: Span::secs(240) }, Span::ZERO);
    let local_as = s.optional("local-as", &AsNumber);
    let multihop = s.optional("multihop", &Integer::<u8>::new(1, 254));
    let ttl_security = s.or("ttl-security", &Flag, false);
    let md5_key_file = s.optional("md5-key-file", &FilePath { base: s.base() });
    let ao_key_file = s.optional("ao-key-file", &FilePath { base: s.base() });
    if let (Ok(Some(md5)), Ok(Some(ao))) = (&md5_key_file, &ao_key_file) {
        s.report(&ao.at, InstanceFault::SignedTwice { other: md5.at.clone() }.into());
    }
    let role = s.optional("role", &Choice(BgpRole::WORDS));
    let role_strict = s.or("role-strict", &Flag, false);
    let families = Families::read(s, address, unnumbered);
    let import = s.list("import", &Rule, RULES);
    let export = s.list("export", &Rule, RULES);
    let ends = [remote_as.as_ref().ok(), local_as.as_ref().ok().and_then(Option::as_ref)];
    let [remote, local] = ends.map(|end| end.map(|end| end.value));
    let prepends = prepends::read(s, instance, remote, local);
    let allow_own_as = s.or("allow-own-as", &Integer::<u8>::new(0, 10), 0);
    let limits = limits::read(s);
    let add_path = s.optional("add-path", &Choice(AddPath::WORDS));
    let bfd = bfd_claims
        .filter(|_| !unnumbered)
        .map(|claims| bfd::read_neighbor(s, address, &local_address, interface, claims))
        .transpose()
        .map(Option::flatten);

    if let Ok(address) = address {
        check_local_address(s, address, &local_address);
        listen::check(s, address, &local_address, instance);
    }
    if let (Ok(families), Ok(import)) = (&families, &import) {
        check_rules(s, families, import, Direction::Import);
    }
    if let (Ok(families), Ok(export)) = (&families, &export) {
        check_rules(s, families, export, Direction::Export);
    }

    let families = families?;
    Ok(NeighborConfig {
        address: Some(address.as_ref().map_err(|reported| *reported)?.value).filter(|_| !unnumbered),
        interface: interface
            .as_ref()
            .map_err(|reported| *reported)?
            .as_ref()
            .map(|interface| interface.value.clone()),
        group: None,
        remote_as: remote_as?.value,
        local_address: local_address?.map(|address| address.value),
        port: port?.value,
        local_as: local_as?.map(|local_as| local_as.value),
        multihop: multihop?.map(|multihop| multihop.value),
        ttl_security: ttl_security?.value,
        md5_key_file: md5_key_file?.map(|file| file.value),
        ao_key_file: ao_key_file?.map(|file| file.value),
        hold_time: hold_time?.value,
        send_hold_time: send_hold_time?.map(|time| time.value),
        delay_open: delay_open?.value,
        passive: passive?.value,
        role: role?.map(|role| role.value),
        role_strict: role_strict?.value,
        ipv4: families.ipv4,
        ipv6: families.ipv6,
        next_hop_ipv4: families.next_hop_ipv4,
        next_hop_ipv6: families.next_hop_ipv6,
        import: effective(s, &families, import?),
        export: effective(s, &families, export?),
        prepends: prepends?,
        allow_own_as: allow_own_as?.value,
        limits: limits?,
        add_path: add_path?.map(|add_path| add_path.value),
        extended_next_hop: families.extended_next_hop,
        bfd: bfd?,
    })
}

/// The rules in force: those that a group has for neighbours of the other family are not among them.
fn effective(s: &Section<'_, '_>, families: &Families, rules: Vec<Found<PolicyRule>>) -> Vec<PolicyRule> {
    let counts = |rule: &Found<PolicyRule>| {
        s.is_own(&rule.at) || rule.value.prefix.is_none_or(|prefix| families.carry(prefix))
    };
    rules.into_iter().filter(counts).map(|rule| rule.value).collect()
}

/// The address families of a session, and the next hops that go with them.
struct Families {
    ipv4: bool,
    ipv6: bool,
    next_hop_ipv4: Option<std::net::Ipv4Addr>,
    next_hop_ipv6: Option<std::net::Ipv6Addr>,
    extended_next_hop: bool,
}

impl Families {
    /// By default a neighbour without an address has both, and IPv4 by IPv6 next hops. Otherwise a session carries the
    /// family that it runs over; the other one needs a next hop of its own, or IPv4 the neighbour's word that it takes
    /// IPv6 ones (RFC 8950).
    fn read(
        s: &Section<'_, '_>,
        neighbor: &Result<Found<IpAddr>, Reported>,
        unnumbered: bool,
    ) -> Result<Self, Reported> {
        let is_v4 = neighbor.as_ref().is_ok_and(|neighbor| neighbor.value.is_ipv4());
        let is_v6 = neighbor.as_ref().is_ok_and(|neighbor| neighbor.value.is_ipv6());
        let ipv4 =
            s.or_derived("ipv4", &Flag, is_v4 || unnumbered, "true if the address is IPv4, or there is none");
        let ipv6 = s.or_derived("ipv6", &Flag, is_v6, "true if the address is IPv6, or there is none");
        let next_hop_ipv4 = s.optional("next-hop-ipv4", &AddressV4);
        let next_hop_ipv6 = s.optional("next-hop-ipv6", &AddressV6);
        let extended = s.or_derived("extended-next-hop", &Flag, unnumbered, "true if there is no address");
        neighbor.as_ref().map_err(|reported| *reported)?;
        let extended = extended?;
        let (ipv4, ipv6, next_hop_ipv4, next_hop_ipv6) = (ipv4?, ipv6?, next_hop_ipv4?, next_hop_ipv6?);
        if !ipv4.value && !ipv6.value {
            return Err(s.report(&ipv4.at, Fault::NoFamily));
        }
        let v4 = next_hop_ipv4.as_ref().map(|next_hop| &next_hop.at);
        let has_next_hop = is_v4 || extended.value;
        check_next_hop(s, &ipv4, has_next_hop, v4, ("IPv4", "ipv4", "next-hop-ipv4"));
        if extended.value && !ipv4.value && s.is_own(&extended.at) {
            s.report(&extended.at, Fault::FamilyUnused { family: "IPv4", key: "ipv4" });
        }
        let v6 = next_hop_ipv6.as_ref().map(|next_hop| &next_hop.at);
        check_next_hop(s, &ipv6, is_v6, v6, ("IPv6", "ipv6", "next-hop-ipv6"));
        Ok(Self {
            ipv4: ipv4.value,
            ipv6: ipv6.value,
            next_hop_ipv4: next_hop_ipv4.filter(|_| ipv4.value).map(|next_hop| next_hop.value),
            next_hop_ipv6: next_hop_ipv6.filter(|_| ipv6.value).map(|next_hop| next_hop.value),
            extended_next_hop: extended.value,
        })
    }

    fn carry(&self, prefix: IpNetwork) -> bool {
        if prefix.is_ipv4() { self.ipv4 } else { self.ipv6 }
    }
}

fn check_next_hop(
    s: &Section<'_, '_>,
    exchanged: &Found<bool>,
    has_one: bool,
    next_hop: Option<&Place>,
    (family, key, next_hop_key): (&'static str, &'static str, &'static str),
) {
    match next_hop {
        Some(at) if !exchanged.value && s.is_own(at) => _ = s.report(at, Fault::FamilyUnused { family, key }),
        None if exchanged.value && !has_one => {
            s.report(&exchanged.at, Fault::NextHopMissing { family, key: next_hop_key });
        }
        Some(_) | None => {}
    }
}

fn check_interface(
    s: &Section<'_, '_>,
    neighbor: &Found<IpAddr>,
    interface: &Result<Option<Found<String>>, Reported>,
) {
    match (is_link_local(neighbor.value), interface) {
        (true, Ok(None)) => _ = s.report(&neighbor.at, Fault::InterfaceMissing),
        (false, Ok(Some(interface))) => {
            s.report(&interface.at, Fault::InterfaceUnused { neighbor: neighbor.value });
        }
        (true | false, _) => {}
    }
}

fn check_local_address(
    s: &Section<'_, '_>,
    neighbor: &Found<IpAddr>,
    local: &Result<Option<Found<IpAddr>>, Reported>,
) {
    let Ok(Some(local)) = local else { return };
    if local.value == neighbor.value {
        s.report(&neighbor.at, Fault::OurOwnAddress { ours: local.at.clone() });
    } else if local.value.is_ipv4() != neighbor.value.is_ipv4() {
        s.report(&local.at, Fault::FamiliesDiffer { other: neighbor.at.clone() });
    }
}

/// Whose routes a rule is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Import,
    Export,
}

/// A rule that can do nothing is a slip, and is told before anything is touched.
fn check_rules(s: &Section<'_, '_>, families: &Families, rules: &[Found<PolicyRule>], direction: Direction) {
    for (index, rule) in rules.iter().enumerate() {
        // A group has rules for neighbours of both families.
        let unused = rule.value.prefix.filter(|prefix| s.is_own(&rule.at) && !families.carry(*prefix));
        if let Some(prefix) = unused {
            let (family, key) = if prefix.is_ipv4() { ("IPv4", "ipv4") } else { ("IPv6", "ipv6") };
            s.report(&rule.at, Fault::FamilyUnused { family, key });
        }
        let unused = match direction {
            Direction::Import => unused_in_import(&rule.value),
            Direction::Export => unused_in_export(&rule.value),
        };
        if let Some((word, why)) = unused {
            s.report(&rule.at, Fault::WordUnused { word, why });
        }
        if let Some(first) = rules[..index].iter().find(|first| first.value == rule.value) {
            s.report(&rule.at, Fault::Twice { what: "rule", first: first.at.clone() });
        } else if let Some(first) = rules[..index].iter().find(|first| first.value.hides(&rule.value)) {
            s.report(&rule.at, Fault::NeverReached { first: first.at.clone() });
        }
    }
}

fn unused_in_import(rule: &PolicyRule) -> Option<(&'static str, &'static str)> {
    rule.prepend.map(|_| ("prepend", "is for export: a received path is not made longer"))
}

/// The routes of an export policy begin here: they have no neighbour, no path and no next hop yet.
fn unused_in_export(rule: &PolicyRule) -> Option<(&'static str, &'static str)> {
    let words = [
        ("path-length", rule.path_length.is_some()),
        ("from-as", !rule.from_as.is_empty()),
        ("via", !rule.via.is_empty()),
    ];
    let word = words.into_iter().find(|(_, used)| *used).map(|(word, _)| word)?;
    Some((word, "is for import, and never matches a route of this chassis"))
}

fn read_networks(s: &Section<'_, '_>, claims: &mut ContextClaims) -> Result<Vec<NetworkConfig>, Reported> {
    let networks: Vec<_> = s
        .tables("network", "prefix")?
        .into_iter()
        .map(|network| {
            network.read(|network| {
                let prefix = network.required("prefix", &Prefix)?;
                claims.prefixes.push(Claim { prefix: prefix.value, is_loopback: false, at: prefix.at });
                Ok(NetworkConfig { prefix: prefix.value })
            })
        })
        .collect();
    networks.into_iter().collect()
}
