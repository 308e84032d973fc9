//! A bridge between the two ends of a link, in a namespace of its own; and one in a host, which joins a subnet.
//!
//! Each end of the link is a cable to the bridge. The carrier of a cable goes when *its* other end goes down, so what one
//! node does to its end is seen by the bridge and by nobody behind it: a chassis that dies, dies in silence. The bridge can
//! also be shut ([`Bridge::cut`]), which loses every packet of the link and no carrier.
//!
//! Spanning tree is off, so that a port forwards as soon as it is up, and so is multicast snooping, which would have to
//! learn where neighbour discovery wants to go.

use std::io;

use crate::error::LabError;
use crate::namespace::Port;
use crate::netns::{self, Netns};
use crate::rtnl::Rtnl;

/// What every bridge of a lab is: it forwards at once, and everything.
pub(crate) const KIND: &str = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0";
/// Interface index and name of the bridge in its namespace, and the names of its two ports.
const INDEX: u32 = 100;
const NAME: &str = "bridge";
const PORTS: [&str; 2] = ["left", "right"];

/// The far end of a cable to the bridge: namespace, name and interface index there.
pub struct Plug<'a> {
    /// The namespace of the node.
    pub netns: &'a Netns,
    /// The link's name in it.
    pub name: &'a str,
    /// Its index in it.
    pub index: u32,
}

/// A bridge that runs.
#[derive(Debug)]
pub struct Bridge {
    rtnl: Rtnl,
    _netns: Netns, // after the socket that lives in it
}

impl Bridge {
    /// Makes the namespace `name` with a bridge in it, and cables from there to both plugs, whose ends stay down.
    pub fn between(name: String, plugs: &[Plug<'_>; 2]) -> Result<Self, LabError> {
        let netns = Netns::create(name)?;
        // A bridge needs no addresses; without IPv6 it does not speak on the link either.
        netns.sysctl(&[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
        let mut lines = vec![format!("link add {NAME} index {INDEX} {KIND}")];
        lines.extend(PORTS.map(|port| format!("link set {port} master {NAME} up")));
        lines.push(format!("link set {NAME} up"));
        let cables: Vec<String> = plugs
            .iter()
            .zip(PORTS)
            .zip(INDEX + 1..)
            .map(|((plug, port), index)| {
                format!(
                    "link add {} index {} netns {} type veth peer name {port} index {index} netns {}",
                    plug.name,
                    plug.index,
                    plug.netns.name(),
                    netns.name()
                )
            })
            .collect();
        netns::batch(None, &cables)?;
        netns.ip(&lines)?;
        Ok(Self { rtnl: Rtnl::open(&netns, &[])?, _netns: netns })
    }

    /// Loses every packet from now on; both ends keep their carrier.
    pub fn cut(&self) -> io::Result<()> {
        self.rtnl.set_links(&[INDEX], false)
    }

    /// Carries packets again.
    pub fn mend(&self) -> io::Result<()> {
        self.rtnl.set_links(&[INDEX], true)
    }
}

/// The interface of a host whose links are the ports of a bridge, and its index: below those of a lab's wires.
const SUBNET: &str = "subnet";
const SUBNET_INDEX: u32 = 99;
/// What the host once learnt it believes for half an hour at least, and never asks again: where its tables change, it was told.
const BELIEF: [(&str, &str); 2] = [
    ("ipv4/neigh/subnet/base_reachable_time_ms", "3600000"),
    ("ipv6/neigh/subnet/base_reachable_time_ms", "3600000"),
];

/// Makes the links `ports` of a host, still down, the ports of one bridge: the port that the host has instead, with the addresses of the
/// first of them.
pub fn joined(netns: &Netns, ports: &[Port]) -> Result<Port, LabError> {
    let mut lines = vec![format!("link add {SUBNET} index {SUBNET_INDEX} {KIND}")];
    lines.extend(ports.iter().map(|port| format!("link set {} master {SUBNET} up", port.name)));
    // The host speaks by its bridge alone.
    let silent: Vec<_> =
        ports.iter().map(|port| (format!("ipv6/conf/{}/disable_ipv6", port.name), "1")).collect();
    netns.sysctl(&silent.iter().map(|(key, value)| (key.as_str(), *value)).collect::<Vec<_>>())?;
    netns.ip(&lines)?;
    netns.sysctl(&BELIEF)?;
    let addresses = ports.first().map(|port| port.addresses.clone()).unwrap_or_default();
    Ok(Port { name: SUBNET.to_owned(), index: SUBNET_INDEX, addresses })
}
