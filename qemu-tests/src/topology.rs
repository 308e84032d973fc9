//! A topology as a value: nodes, links with addresses, and what each router announces. No kernel and no file here.
//!
//! A link has two ends; an end is a node, the name of the link inside that node (by convention the neighbour's name), and
//! addresses. Everything else (the routers' neighbours, the client's routing rules, which device leads to which chassis) is
//! derived, so that no fact is written down twice.

mod pair;

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::routing::Software;

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The node this end is plugged into.
    pub node: String,
    /// The link's name inside that node; at most 15 octets (the kernel's limit), unique in the node.
    pub name: String,
    /// Addresses of this end, with their prefix lengths.
    pub addresses: Vec<IpNetwork>,
}

/// What lies between the two ends of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A cable: when one end goes down, the other loses its carrier at once.
    Cable,
    /// A bridge in a namespace of its own: nobody sees a carrier go when the other end does.
    Bridge,
    /// A cable whose frames carry the tag of a VLAN, 1 .. 4094. Machines have a VLAN on their card; namespaces have the untagged end of
    /// a switch ([`crate::vlan`]).
    Vlan(u16),
}

/// Two ends with a wire between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub a: End,
    /// The other.
    pub b: End,
    /// What joins them.
    pub wire: Wire,
}

/// How a router notices that a chassis is gone while the link to it keeps its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// By the hold time of BGP alone.
    HoldTime {
        /// Seconds; 3 or more (RFC 4271 section 4.2).
        seconds: u16,
    },
    /// By BFD (RFC 5880) beside a hold time of 9 s.
    Bfd {
        /// Between two packets, both ways, in milliseconds: 10 .. 60000.
        interval_ms: u16,
        /// Packets in a row that may be missing: 2 .. 255.
        multiplier: u8,
    },
}

/// What a node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A chassis of the redundancy pair.
    Chassis {
        /// Its autonomous system.
        asn: u32,
    },
    /// A router.
    Router {
        /// Its autonomous system.
        asn: u32,
        /// Its BGP identifier.
        router_id: std::net::Ipv4Addr,
        /// What it announces: the networks of the clients behind it.
        announces: Vec<IpNetwork>,
    },
    /// A host behind the routers.
    Client,
    /// A host of a subnet that the chassis are on: its links are the ports of one bridge, which has the addresses that each of
    /// them is given.
    Host {
        /// The layer-2 addresses of the Active in the subnet.
        services: Vec<IpAddr>,
    },
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Unique name, letters and digits.
    pub name: String,
    /// What it does.
    pub role: Role,
}

/// A whole lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Name of the lab.
    pub name: String,
    /// All nodes.
    pub nodes: Vec<NodeSpec>,
    /// All links.
    pub links: Vec<Link>,
    /// What the pair announces while a chassis is Active: loopbacks and pools.
    pub services: Vec<IpNetwork>,
    /// How routers watch the chassis.
    pub watch: Watch,
    /// What the routers run.
    pub software: Software,
}

/// A BGP neighbour of a router, derived from the links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// The chassis.
    pub node: String,
    /// Its address on the link.
    pub address: IpAddr,
    /// Its autonomous system.
    pub asn: u32,
    /// The link's name inside the router.
    pub link: String,
}

/// A way from the client to the services, derived from the links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The router it leads through.
    pub router: String,
    /// The client's address on it.
    pub source: IpNetwork,
    /// The router's address on it.
    pub gateway: IpAddr,
    /// The link's name inside the client.
    pub link: String,
}

impl Topology {
    /// The node called `name`.
    pub fn node(&self, name: &str) -> Result<&NodeSpec, LabError> {
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| self.wrong(format!("no node {name}")))
    }

    /// Names of the chassis, in order.
    pub fn chassis(&self) -> Vec<&str> {
        self.named(|role| matches!(role, Role::Chassis { .. }))
    }

    /// Names of the routers, in order.
    pub fn routers(&self) -> Vec<&str> {
        self.named(|role| matches!(role, Role::Router { .. }))
    }

    /// Names of the clients, in order.
    pub fn clients(&self) -> Vec<&str> {
        self.named(|role| matches!(role, Role::Client))
    }

    /// Names of the hosts on subnets of the chassis, in order.
    pub fn hosts(&self) -> Vec<&str> {
        self.named(|role| matches!(role, Role::Host { .. }))
    }

    /// The layer-2 addresses of the Active in the subnet of `host`; none of another node.
    pub fn layer_2_services(&self, host: &str) -> &[IpAddr] {
        match self.node(host).map(|node| &node.role) {
            Ok(Role::Host { services }) => services,
            Ok(Role::Chassis { .. } | Role::Router { .. } | Role::Client) | Err(_) => &[],
        }
    }

    /// The ends plugged into `node`, each with the other end of its wire.
    pub fn ends<'a>(&'a self, node: &'a str) -> impl Iterator<Item = (&'a End, &'a End)> {
        self.links
            .iter()
            .flat_map(|link| [(&link.a, &link.b), (&link.b, &link.a)])
            .filter(move |(own, _)| own.node == node)
    }

    /// The VLAN of the link that is called `link` on `node`.
    pub fn vlan(&self, node: &str, link: &str) -> Option<u16> {
        let plugged = |end: &End| end.node == node && end.name == link;
        let found = self.links.iter().find(|link| plugged(&link.a) || plugged(&link.b));
        match found?.wire {
            Wire::Vlan(id) => Some(id),
            Wire::Cable | Wire::Bridge => None,
        }
    }

    /// The link that joins two chassis, as its name inside them.
    pub fn srp_link(&self) -> Result<&str, LabError> {
        let chassis = self.chassis();
        self.links
            .iter()
            .find(|link| chassis.contains(&link.a.node.as_str()) && chassis.contains(&link.b.node.as_str()))
            .map(|link| link.a.name.as_str())
            .ok_or_else(|| self.wrong("no link joins two chassis".to_owned()))
    }

    /// BGP neighbours of a router: every address of every chassis on its links.
    pub fn neighbors(&self, router: &str) -> Vec<Neighbor> {
        let mut neighbors = Vec::new();
        for (own, far) in self.ends(router) {
            let Ok(NodeSpec { role: Role::Chassis { asn }, .. }) = self.node(&far.node) else { continue };
            neighbors.extend(far.addresses.iter().map(|address| Neighbor {
                node: far.node.clone(),
                address: address.ip(),
                asn: *asn,
                link: own.name.clone(),
            }));
        }
        neighbors
    }

    /// The networks that a router announces.
    pub fn announced_by(&self, router: &str) -> Result<&[IpNetwork], LabError> {
        match &self.node(router)?.role {
            Role::Router { announces, .. } => Ok(announces),
            Role::Chassis { .. } | Role::Client | Role::Host { .. } => {
                Err(self.wrong(format!("{router} is no router")))
            }
        }
    }

    /// The ways out of a client, one per address.
    pub fn ways(&self, client: &str) -> Vec<Way> {
        let mut ways = Vec::new();
        for (own, far) in self.ends(client) {
            for source in &own.addresses {
                let same_family = |address: &&IpNetwork| address.is_ipv4() == source.is_ipv4();
                if let Some(gateway) = far.addresses.iter().find(same_family) {
                    ways.push(Way {
                        router: far.node.clone(),
                        source: *source,
                        gateway: gateway.ip(),
                        link: own.name.clone(),
                    });
                }
            }
        }
        ways
    }

    /// The loopback (host prefix) of the services in the family of `like`.
    pub fn loopback(&self, v6: bool) -> Result<IpAddr, LabError> {
        self.services
            .iter()
            .find(|prefix| prefix.is_ipv6() == v6 && prefix.prefix() == if v6 { 128 } else { 32 })
            .map(IpNetwork::ip)
            .ok_or_else(|| {
                self.wrong(format!("no {} loopback among the services", if v6 { "IPv6" } else { "IPv4" }))
            })
    }

    /// Says whether names, link names and families fit together.
    pub fn check(&self) -> Result<(), LabError> {
        for link in &self.links {
            for (own, far) in [(&link.a, &link.b), (&link.b, &link.a)] {
                self.node(&own.node)?;
                if own.name.is_empty() || own.name.len() > 15 {
                    return Err(
                        self.wrong(format!("link name {:?} in {} is not 1..=15 octets", own.name, own.node))
                    );
                }
                if self.ends(&own.node).filter(|(end, _)| end.name == own.name).count() != 1 {
                    return Err(self.wrong(format!("link name {} is used twice in {}", own.name, own.node)));
                }
                for address in &own.addresses {
                    if !far.addresses.iter().any(|other| address.contains(other.ip())) {
                        return Err(
                            self.wrong(format!("{address} of {} has no partner on {}", own.node, far.node))
                        );
                    }
                }
            }
        }
        Ok(())
    }

    fn named(&self, wanted: impl Fn(&Role) -> bool) -> Vec<&str> {
        self.nodes.iter().filter(|node| wanted(&node.role)).map(|node| node.name.as_str()).collect()
    }

    fn wrong(&self, reason: String) -> LabError {
        LabError::Topology { topology: self.name.clone(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_neighbours_each_chassis_in_both_families() {
        let pair = Topology::pair();
        let found: Vec<_> =
            pair.neighbors("r2").iter().map(|n| (n.node.clone(), n.address.to_string())).collect();
        let expected = [
            ("east", "10.1.2.1"),
            ("east", "2001:db8:1:2::1"),
            ("west", "10.2.2.1"),
            ("west", "2001:db8:2:2::1"),
        ];
        assert_eq!(found, expected.map(|(node, address)| (node.to_owned(), address.to_owned())));
    }

    #[test]
    fn the_client_has_one_way_per_router_and_family() {
        let ways = Topology::pair().ways("client");
        let found: Vec<_> = ways.iter().map(|way| (way.router.as_str(), way.source.is_ipv6())).collect();
        assert_eq!(found, [("r1", false), ("r1", true), ("r2", false), ("r2", true)]);
    }

    #[test]
    fn the_srp_link_is_the_one_between_the_chassis() {
        assert_eq!(Topology::pair().srp_link().expect("has one"), "srp");
    }

    #[test]
    fn an_address_without_a_partner_is_refused() {
        let mut broken = Topology::pair();
        broken.links[0].b.addresses = vec!["198.51.100.2/30".parse().expect("an address")];
        let text = broken.check().expect_err("no partner").to_string();
        assert!(text.contains("192.0.2.1/30"), "{text}");
    }

    #[test]
    fn a_link_name_used_twice_is_refused() {
        let mut broken = Topology::pair();
        broken.links[2].a.name = "r1".to_owned();
        let text = broken.check().expect_err("twice").to_string();
        assert!(text.contains("used twice in east"), "{text}");
    }
}
