//! Rules between sections: what one section claims and another must not, or must, have.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::fault::{Fault, Place};
use super::interface;
use super::listen::{self, Listens};
use super::model::BfdConfig;
use super::probe::{self, Probed};
use super::reader::{Found, Reader, Section};
use super::table::ContextTable;
use super::unnumbered::{self, LinkClaim};
use super::watched;
use crate::types::Span;

/// What the sections claim, in the order of the file. Holds only values that are good in themselves.
#[derive(Default)]
pub(super) struct Ledger {
    pub bind_address: Option<Found<IpAddr>>,
    pub peer_address: Option<Found<IpAddr>>,
    pub link_port: Option<Found<u16>>,
    /// `srp.context`.
    pub redundancy_context: Option<Found<String>>,
    /// Where the Standby is told to announce too.
    pub advertise_in_standby: Option<Place>,
    /// Hello-interval and dead-interval.
    pub timers: Option<(Found<Span>, Found<Span>)>,
    /// Threshold and step of the route modifier.
    pub modifiers: Option<(Found<u16>, Found<u16>)>,
    pub contexts: Vec<ContextClaims>,
    /// The contexts could not all be read: a name that is missing here may be in the file.
    pub contexts_unread: bool,
    /// Context and neighbour of each monitor.
    pub monitors: Vec<(Found<String>, Found<IpAddr>)>,
    /// Context and neighbour of each monitor by BFD.
    pub monitored_bfd: Vec<(Found<String>, Found<IpAddr>)>,
    /// AAA servers and Diameter peers.
    pub probed: Vec<Probed>,
    /// Sessions with the peer chassis.
    pub bfd: Vec<BfdClaim>,
}

/// What one context claims.
#[derive(Default)]
pub(super) struct ContextClaims {
    pub name: Option<Found<String>>,
    pub table: ContextTable,
    /// Where `vrf` or `table` stands.
    pub table_at: Option<Place>,
    pub prefixes: Vec<Claim>,
    /// Names of interfaces.
    pub interfaces: Vec<Found<String>>,
    /// Their addresses.
    pub addresses: Vec<Found<IpNetwork>>,
    /// Not every interface could be read: an address that is missing here may be in the file.
    pub interfaces_unread: bool,
    pub neighbors: Vec<Found<IpAddr>>,
    /// Where others may come from.
    pub ranges: Vec<Found<IpNetwork>>,
    /// Not every neighbour could be read: an address that is missing here may be in the file.
    pub neighbors_unread: bool,
    pub bgp_port: Option<Found<u16>>,
    pub listens: Option<Listens>,
    /// Each neighbour with our end of the session, where that is configured.
    pub sessions: Vec<(Found<IpAddr>, Option<IpAddr>)>,
    /// Each `layer-2 = true`.
    pub layer_2: Vec<Place>,
    pub bfd: Vec<BfdClaim>,
    /// Neighbours on links.
    pub links: Vec<LinkClaim>,
}

impl ContextClaims {
    /// The network that its addresses and sockets are in.
    pub fn vrf(&self) -> Option<&str> {
        self.table.vrf()
    }
}

/// A BFD session.
pub(super) struct BfdClaim {
    peer: IpAddr,
    local: IpAddr,
    interface: Option<String>,
    is_multihop: bool,
    at: Place,
}

impl BfdClaim {
    pub fn new(config: &BfdConfig, at: Place) -> Self {
        Self {
            peer: config.peer_address,
            local: config.local_address,
            interface: config.interface.clone(),
            is_multihop: config.timers.multihop.is_some(),
            at,
        }
    }

    /// It is with this neighbour.
    pub fn is_with(&self, peer: IpAddr) -> bool {
        self.peer == peer
    }

    /// In one network, a packet that does not name its session could belong to both (RFC 5881 section 3, RFC 5883 section 3).
    fn collides(&self, other: &Self) -> bool {
        let one_path = if self.is_multihop {
            self.local == other.local
        } else {
            self.interface == other.interface || self.interface.is_none() || other.interface.is_none()
        };
        self.peer == other.peer && self.is_multihop == other.is_multihop && one_path
    }
}

/// A prefix that is originated.
pub(super) struct Claim {
    pub prefix: IpNetwork,
    pub is_loopback: bool,
    pub at: Place,
}

/// Reports every rule between sections that does not hold.
pub(super) fn check(reader: &Reader<'_>, ledger: &Ledger) {
    check_timers(reader, ledger);
    check_modifiers(reader, ledger);
    check_names(reader, ledger);
    check_tables(reader, ledger);
    check_addresses(reader, ledger);
    check_layer_2(reader, ledger);
    check_ports(reader, ledger);
    listen::check_contexts(reader, ledger);
    check_monitors(reader, ledger, &ledger.monitors);
    check_monitors(reader, ledger, &ledger.monitored_bfd);
    watched::check_bfd(reader, ledger);
    probe::check(reader, ledger);
    check_bfd(reader, ledger);
    unnumbered::check_links(reader, ledger);
    interface::check(reader, ledger);
}

/// Reports each value that stands earlier in the list as well.
pub(super) fn report_twice<T: Ord>(s: &Section<'_, '_>, what: &'static str, values: &[Found<T>]) {
    for (value, first) in twice(values, |value| &value.value) {
        s.report(&value.at, Fault::Twice { what, first: first.at.clone() });
    }
}

/// RFC 4291 section 2.5.6; IPv4 link-local (RFC 3927) needs no interface to be named.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Each value that has one with an equal key before it, with the first such.
pub(super) fn twice<'v, V, K: Ord>(
    values: impl IntoIterator<Item = &'v V>,
    key: impl Fn(&'v V) -> K,
) -> Vec<(&'v V, &'v V)> {
    let mut firsts = BTreeMap::new();
    let pair = |value| match firsts.entry(key(value)) {
        Entry::Vacant(entry) => {
            entry.insert(value);
            None
        }
        Entry::Occupied(entry) => Some((value, *entry.get())),
    };
    values.into_iter().filter_map(pair).collect()
}

/// Three Hellos fit into the dead-interval (CH-5).
fn check_timers(reader: &Reader<'_>, ledger: &Ledger) {
    let Some((hello, dead)) = &ledger.timers else { return };
    // A default that stands in for a mistyped key is nobody's fault.
    if dead.value >= hello.value.times(3) || reader.is_mistyped(&hello.at) || reader.is_mistyped(&dead.at) {
        return;
    }
    // Said where the operator wrote something, which may be only one of the two.
    let at = if dead.at.written.is_some() { &dead.at } else { &hello.at };
    reader.report(at, Fault::DeadTooShort { hello: hello.value, dead: dead.value });
}

/// The first pair of modifiers, 1 and 1 + delta, is operational (BGP-5).
fn check_modifiers(reader: &Reader<'_>, ledger: &Ledger) {
    let Some((threshold, delta)) = &ledger.modifiers else { return };
    if delta.value < threshold.value || reader.is_mistyped(&threshold.at) || reader.is_mistyped(&delta.at) {
        return;
    }
    // The default fits under every threshold.
    reader.report(&delta.at, Fault::DeltaTooLarge { delta: delta.value, threshold: threshold.value });
}

fn check_names(reader: &Reader<'_>, ledger: &Ledger) {
    let names = ledger.contexts.iter().filter_map(|context| context.name.as_ref());
    for (name, first) in twice(names, |name| &name.value) {
        reader.report(&name.at, Fault::Twice { what: "name", first: first.at.clone() });
    }
}

/// In one routing table a prefix has one route and a neighbour one session.
fn check_tables(reader: &Reader<'_>, ledger: &Ledger) {
    let mut tables: BTreeMap<&ContextTable, Vec<&ContextClaims>> = BTreeMap::new();
    for context in &ledger.contexts {
        tables.entry(&context.table).or_default().push(context);
    }
    for contexts in tables.values() {
        let claims = contexts.iter().flat_map(|context| &context.prefixes);
        for (claim, first) in twice(claims, |claim| claim.prefix) {
            reader.report(&claim.at, Fault::Twice { what: "prefix", first: first.at.clone() });
        }
        let neighbors = contexts.iter().flat_map(|context| &context.neighbors);
        for (neighbor, first) in twice(neighbors, |neighbor| neighbor.value) {
            reader.report(&neighbor.at, Fault::Twice { what: "neighbour", first: first.at.clone() });
        }
    }
}

/// Nobody is his own neighbour, and a loopback has no address that another machine or the link has. The link is in no VRF.
fn check_addresses(reader: &Reader<'_>, ledger: &Ledger) {
    let ends: Vec<&Found<IpAddr>> = ledger.bind_address.iter().chain(&ledger.peer_address).collect();
    for context in &ledger.contexts {
        let (ends, bind_address) =
            if context.vrf().is_some() { (&[][..], None) } else { (&ends[..], ledger.bind_address.as_ref()) };
        for neighbor in &context.neighbors {
            if let Some(bind) = bind_address.filter(|bind| bind.value == neighbor.value) {
                reader.report(&neighbor.at, Fault::OurOwnAddress { ours: bind.at.clone() });
            }
        }
        for loopback in context.prefixes.iter().filter(|claim| claim.is_loopback) {
            let mut users = ends.iter().copied().chain(&context.neighbors);
            if let Some(user) = users.find(|user| user.value == loopback.prefix.ip()) {
                reader.report(&loopback.at, Fault::AddressInUse { user: user.at.clone() });
            }
        }
    }
}

/// A Standby is silent on the links: two chassis that answer ARP for one address are two that win.
fn check_layer_2(reader: &Reader<'_>, ledger: &Ledger) {
    let Some(advertise) = &ledger.advertise_in_standby else { return };
    for at in ledger.contexts.iter().flat_map(|context| &context.layer_2) {
        reader.report(at, Fault::Layer2InStandby { advertise: advertise.clone() });
    }
}

fn check_ports(reader: &Reader<'_>, ledger: &Ledger) {
    let Some(link) = &ledger.link_port else { return };
    let beside = ledger.contexts.iter().filter(|context| context.vrf().is_none());
    for port in beside.filter_map(|context| context.bgp_port.as_ref()) {
        if port.value == link.value {
            // Both may be defaults, but never the same ones: at least one is written.
            let at = if port.at.written.is_some() { &port.at } else { &link.at };
            reader.report(at, Fault::PortTaken { srp: link.at.clone() });
        }
    }
}

fn check_bfd(reader: &Reader<'_>, ledger: &Ledger) {
    let of_srp = ledger.bfd.iter().map(|claim| (None, claim));
    let of_contexts =
        ledger.contexts.iter().flat_map(|context| context.bfd.iter().map(|claim| (context.vrf(), claim)));
    let claims: Vec<_> = of_srp.chain(of_contexts).collect();
    for (index, (vrf, claim)) in claims.iter().enumerate() {
        let mut before = claims[..index].iter().filter(|(of, _)| of == vrf);
        if let Some((_, first)) = before.find(|(_, first)| first.collides(claim)) {
            reader.report(&claim.at, Fault::Twice { what: "BFD session", first: first.at.clone() });
        }
    }
}

/// Monitored neighbours exist, and each stands once.
fn check_monitors(reader: &Reader<'_>, ledger: &Ledger, monitors: &[(Found<String>, Found<IpAddr>)]) {
    let names_unread = ledger.contexts_unread || ledger.contexts.iter().any(|c| c.name.is_none());
    for (context, address) in monitors {
        let is_named =
            |claims: &&ContextClaims| claims.name.as_ref().is_some_and(|name| name.value == context.value);
        let mut named = ledger.contexts.iter().filter(is_named).peekable();
        if named.peek().is_none() {
            if !names_unread {
                let names = ledger.contexts.iter().filter_map(|claims| claims.name.as_ref());
                let known = names.map(|name| name.value.clone()).collect();
                reader.report(&context.at, Fault::UnknownContext { known });
            }
            continue;
        }
        let mut ranges = named.clone().flat_map(|claims| &claims.ranges);
        if ranges.any(|range| range.value.contains(address.value)) {
            continue;
        }
        let neighbors_unread = named.clone().any(|claims| claims.neighbors_unread);
        let known: Vec<IpAddr> =
            named.flat_map(|claims| &claims.neighbors).map(|neighbor| neighbor.value).collect();
        if !neighbors_unread && !known.contains(&address.value) {
            let fault = Fault::UnknownNeighbor { context: context.value.clone(), known };
            reader.report(&address.at, fault);
        }
    }
    for ((_, address), (_, first)) in twice(monitors, |(context, address)| (&context.value, address.value)) {
        reader.report(&address.at, Fault::Twice { what: "neighbour", first: first.at.clone() });
    }
}
