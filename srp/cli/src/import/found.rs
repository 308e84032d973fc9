//! What a text has that has a place in our configuration, and what it has beside.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The redundancy context, if one has a `service-redundancy-protocol`.
    pub srp: Option<Srp>,
    /// In the order of the text.
    pub contexts: Vec<Context>,
    /// In the order of the text.
    pub ports: Vec<Port>,
    /// `bulkstat mode`.
    pub bulk: Option<Bulk>,
}

/// `bulkstat mode`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bulk {
    /// Where it stands.
    pub line: usize,
    /// Our keys and values, as they are written.
    pub keys: Vec<(&'static str, String)>,
}

/// `service-redundancy-protocol`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Srp {
    /// Its context.
    pub context: String,
    /// Our keys and values, as they are written, in the order of the text; each once.
    pub keys: Vec<(&'static str, String)>,
    /// `monitor bgp`.
    pub monitors: Vec<Monitor>,
    /// `guard-timer`: our tables, with keys and values as they are written.
    pub guards: BTreeMap<&'static str, Vec<(&'static str, String)>>,
}

/// `monitor bgp context NAME ADDRESS [group N]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitor {
    /// Where it stands.
    pub line: usize,
    /// The context.
    pub context: String,
    /// The neighbour.
    pub address: IpAddr,
    /// The group.
    pub group: Option<u32>,
}

/// `context NAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// `interface NAME`.
    pub interfaces: Vec<Interface>,
    /// `ip pool`, `ipv6 pool`.
    pub pools: Vec<Pool>,
    /// `router bgp`.
    pub bgp: Option<Bgp>,
}

/// `interface NAME [loopback]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Where it stands.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// It is a loopback.
    pub loopback: bool,
    /// Its addresses, each with whether it is srp-activated.
    pub addresses: Vec<(IpNetwork, bool)>,
    /// `mtu` of `ip`.
    pub mtu: Option<u16>,
}

/// `ip pool NAME ...`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Our keys and values, as they are written, without the name.
    pub keys: Vec<(&'static str, String)>,
}

/// `router bgp AS`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bgp {
    /// Where it stands.
    pub line: usize,
    /// Its AS.
    pub local_as: u32,
    /// `router-id`.
    pub router_id: Option<Ipv4Addr>,
    /// `timers bgp KEEPALIVE HOLD`: the hold time, seconds.
    pub hold_time: Option<u32>,
    /// `network`, each with its line.
    pub networks: Vec<(usize, IpNetwork)>,
    /// `neighbor`.
    pub neighbors: Vec<Neighbor>,
}

/// `neighbor ADDRESS ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// Where it stands first.
    pub line: usize,
    /// Its address.
    pub address: IpAddr,
    /// Its AS; a neighbour without is left out.
    pub remote_as: Option<u32>,
    /// Our keys and values, as they are written.
    pub keys: Vec<(&'static str, String)>,
}

/// `port ethernet SLOT/PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Where it stands.
    pub line: usize,
    /// `17/1`.
    pub number: String,
    /// For people.
    pub description: Option<String>,
    /// Our keys of speed and duplex.
    pub medium: Vec<(&'static str, String)>,
    /// `no shutdown`.
    pub is_up: bool,
    /// `bind interface NAME CONTEXT`.
    pub bound: Option<(String, String)>,
}

/// Sets a key, or another value for it.
pub fn set(keys: &mut Vec<(&'static str, String)>, key: &'static str, value: String) {
    match keys.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => keys.push((key, value)),
    }
}
