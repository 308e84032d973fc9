//! The network of a context: the one outside of all VRFs, which contexts share, or a VRF.

use std::net::IpAddr;

use netlink::{Link, LinkName, Links, TableId};
use srp_core::config::{ContextConfig, ContextTable};

/// Where the routes and the sockets of a context are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextNetwork {
    /// The network outside of all VRFs, routes in this table.
    Main(TableId),
    /// This VRF, routes in its table.
    Vrf(LinkName),
}

impl ContextNetwork {
    /// That of a context. The configuration has refused names and numbers that cannot be.
    pub fn of(context: &ContextConfig) -> Self {
        match &context.table {
            ContextTable::Number(table) => Self::Main(TableId::new(*table).unwrap_or(TableId::MAIN)),
            ContextTable::Vrf(name) => name.parse().map_or(Self::Main(TableId::MAIN), Self::Vrf),
        }
    }

    /// The name of the VRF, if it is one.
    pub fn vrf(&self) -> Option<&LinkName> {
        match self {
            Self::Main(_) => None,
            Self::Vrf(name) => Some(name),
        }
    }

    /// The table as it is now; `None` for a VRF that is not there.
    pub fn table(&self, links: &Links) -> Option<TableId> {
        match self {
            Self::Main(table) => Some(*table),
            Self::Vrf(name) => links.vrf(name).map(|(_, table)| table),
        }
    }
}

/// The links of a VRF, the device itself among them, or of the main network.
pub fn in_network<'l>(links: &'l Links, vrf: Option<&'l LinkName>) -> impl Iterator<Item = &'l Link> {
    links.iter().filter(move |link| links.vrf_of(link).map(|vrf| &vrf.name) == vrf)
}

/// Whether some link of the network has the address.
pub fn is_here(links: &Links, vrf: Option<&LinkName>, ip: IpAddr) -> bool {
    in_network(links, vrf).flat_map(|link| &link.addresses).any(|address| address.ip == ip)
}
