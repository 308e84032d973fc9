//! The demonstration pair and its variants.

use ipnetwork::IpNetwork;

use super::{End, Link, NodeSpec, Role, Topology, Watch, Wire};
use crate::routing::Software;

impl Topology {
    /// The demonstration pair: two chassis, two routers, a client with a leg behind each router.
    ///
    /// # Panics
    /// Never: the addresses are constants, and a test renders them.
    pub fn pair() -> Self {
        let link = |a: (&str, &str, &[&str]), b: (&str, &str, &[&str])| {
            let end = |(node, name, addresses): (&str, &str, &[&str])| End {
                node: node.to_owned(),
                name: name.to_owned(),
                addresses: networks(addresses),
            };
            Link { a: end(a), b: end(b), wire: Wire::Cable }
        };
        let router = |name: &str, asn, router_id: [u8; 4], announces: &[&str]| NodeSpec {
            name: name.to_owned(),
            role: Role::Router { asn, router_id: router_id.into(), announces: networks(announces) },
        };
        let chassis = |name: &str| NodeSpec { name: name.to_owned(), role: Role::Chassis { asn: 65001 } };
        Self {
            name: "pair".to_owned(),
            nodes: vec![
                chassis("east"),
                chassis("west"),
                router("r1", 65101, [10, 201, 0, 1], &["10.201.0.0/16", "2001:db8:201::/48"]),
                router("r2", 65102, [10, 202, 0, 1], &["10.202.0.0/16", "2001:db8:202::/48"]),
                NodeSpec { name: "client".to_owned(), role: Role::Client },
            ],
            links: vec![
                link(("east", "srp", &["192.0.2.1/30"]), ("west", "srp", &["192.0.2.2/30"])),
                link(
                    ("east", "r1", &["10.1.1.1/30", "2001:db8:1:1::1/64"]),
                    ("r1", "east", &["10.1.1.2/30", "2001:db8:1:1::2/64"]),
                ),
                link(
                    ("east", "r2", &["10.1.2.1/30", "2001:db8:1:2::1/64"]),
                    ("r2", "east", &["10.1.2.2/30", "2001:db8:1:2::2/64"]),
                ),
                link(
                    ("west", "r1", &["10.2.1.1/30", "2001:db8:2:1::1/64"]),
                    ("r1", "west", &["10.2.1.2/30", "2001:db8:2:1::2/64"]),
                ),
                link(
                    ("west", "r2", &["10.2.2.1/30", "2001:db8:2:2::1/64"]),
                    ("r2", "west", &["10.2.2.2/30", "2001:db8:2:2::2/64"]),
                ),
                link(
                    ("client", "r1", &["10.201.0.10/16", "2001:db8:201::10/64"]),
                    ("r1", "client", &["10.201.0.1/16", "2001:db8:201::1/64"]),
                ),
                link(
                    ("client", "r2", &["10.202.0.10/16", "2001:db8:202::10/64"]),
                    ("r2", "client", &["10.202.0.1/16", "2001:db8:202::1/64"]),
                ),
            ],
            services: networks(&[
                "203.0.113.1/32",
                "172.18.0.0/16",
                "2001:db8:113::1/128",
                "2001:db8:18::/48",
            ]),
            watch: Watch::HoldTime { seconds: 9 },
            software: Software::default(),
        }
    }

    /// The pair with a bridge in every link of a chassis, so that a chassis that loses its power dies in silence.
    pub fn silent_pair(watch: Watch) -> Self {
        let mut silent = Self { name: "silent-pair".to_owned(), watch, ..Self::pair() };
        let chassis: Vec<String> = silent.chassis().into_iter().map(str::to_owned).collect();
        for link in &mut silent.links {
            if chassis.contains(&link.a.node) || chassis.contains(&link.b.node) {
                link.wire = Wire::Bridge;
            }
        }
        silent
    }

    /// The pair with `router` in the autonomous system of the chassis: their sessions with it are internal ones.
    #[must_use]
    pub fn with_internal(mut self, router: &str) -> Self {
        let chassis = self.nodes.iter().find_map(|spec| match spec.role {
            Role::Chassis { asn } => Some(asn),
            Role::Router { .. } | Role::Client | Role::Host { .. } => None,
        });
        for spec in self.nodes.iter_mut().filter(|spec| spec.name == router) {
            if let (Role::Router { asn, .. }, Some(chassis)) = (&mut spec.role, chassis) {
                *asn = chassis;
            }
        }
        self
    }

    /// The pair with a subnet of its own on one more link of each chassis, and a host in it. The addresses of the Active there are in
    /// the configuration of appliances ([`crate::appliances::configuration`]) alone.
    ///
    /// # Panics
    /// Never: the addresses are constants, and a test renders them.
    #[must_use]
    pub fn with_host(mut self) -> Self {
        const HOST: &str = "host";
        let services = networks(&["198.51.100.254", "2001:db8:100::fe"]);
        let services = services.iter().map(IpNetwork::ip).collect();
        let names: Vec<String> = self.chassis().into_iter().map(str::to_owned).collect();
        for (name, number) in names.into_iter().zip(1..) {
            let own = [format!("198.51.100.{number}/24"), format!("2001:db8:100::{number}/64")];
            let own = own.each_ref().map(String::as_str);
            let host = ["198.51.100.10/24", "2001:db8:100::10/64"];
            let a = End { node: name.clone(), name: HOST.to_owned(), addresses: networks(&own) };
            let b = End { node: HOST.to_owned(), name, addresses: networks(&host) };
            self.links.push(Link { a, b, wire: Wire::Cable });
        }
        self.nodes.push(NodeSpec { name: HOST.to_owned(), role: Role::Host { services } });
        self
    }

    /// The same with the links between a chassis and `other`, a chassis or not, in VLAN `id`.
    #[must_use]
    pub fn with_vlan(mut self, other: &str, id: u16) -> Self {
        let chassis: Vec<String> = self.chassis().into_iter().map(str::to_owned).collect();
        let joins = |one: &End, far: &End| far.node == other && chassis.contains(&one.node);
        for link in &mut self.links {
            if joins(&link.a, &link.b) || joins(&link.b, &link.a) {
                link.wire = Wire::Vlan(id);
            }
        }
        self
    }

    /// The same with routers that run `software`.
    #[must_use]
    pub fn with_routers(self, software: Software) -> Self {
        Self { software, ..self }
    }
}

fn networks(texts: &[&str]) -> Vec<IpNetwork> {
    texts.iter().map(|text| text.parse().expect("addresses of a built-in topology are well formed")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_is_consistent() {
        Topology::pair().check().expect("consistent");
    }

    #[test]
    fn every_link_of_a_chassis_leads_through_a_bridge_where_death_is_silent() {
        let silent = Topology::silent_pair(Watch::HoldTime { seconds: 3 });
        silent.check().expect("consistent");
        let bridged = |link: &&Link| link.wire == Wire::Bridge;
        assert_eq!((silent.links.iter().filter(bridged).count(), silent.links.len()), (5, 7));
        assert!(silent.ends("client").count() == 2 && silent.links[5..].iter().all(|link| !bridged(&link)));
    }

    #[test]
    fn a_host_is_on_one_subnet_with_both_chassis_and_asks_for_addresses_in_it() {
        let topology = Topology::pair().with_host();
        topology.check().expect("consistent");
        assert_eq!(topology.hosts(), ["host"]);
        assert_eq!(topology.vlan("east", "host"), None);
        let subnet: Vec<_> =
            topology.ends("host").flat_map(|(own, far)| [&own.addresses, &far.addresses]).flatten().collect();
        assert_eq!(subnet.len(), 8);
        for service in topology.layer_2_services("host") {
            assert!(subnet.iter().filter(|own| own.contains(*service)).count() == 4, "{service}");
            assert!(subnet.iter().all(|own| own.ip() != *service), "{service}");
        }
    }

    #[test]
    fn links_of_both_chassis_are_put_into_a_vlan_and_no_others() {
        let topology = Topology::pair().with_vlan("west", 7).with_vlan("r1", 8);
        let vlans: Vec<_> = topology.ends("east").map(|(own, _)| topology.vlan("east", &own.name)).collect();
        assert_eq!(vlans, [Some(7), Some(8), None]);
        assert_eq!(topology.links.iter().filter(|link| link.wire == Wire::Vlan(8)).count(), 2);
        assert_eq!(topology.vlan("r1", "client"), None);
    }

    #[test]
    fn an_internal_router_is_in_the_chassis_autonomous_system() {
        let pair = Topology::pair().with_internal("r1");
        let asn = |name: &str| match pair.node(name).expect("is there").role {
            Role::Chassis { asn } | Role::Router { asn, .. } => asn,
            Role::Client | Role::Host { .. } => 0,
        };
        assert_eq!(["east", "west", "r1", "r2"].map(asn), [65001, 65001, 65001, 65102]);
    }
}
