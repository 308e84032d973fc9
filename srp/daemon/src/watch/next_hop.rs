//! How a next hop is reached: what that costs, by which hops its routes go, and how it is told.
//!
//! | next hop | reached | hops of its routes |
//! |---|---|---|
//! | on a subnet of a link of the context's network that carries traffic | at cost 0 | the next hop itself |
//! | put on a link by somebody's route | at cost 0 | the next hop itself, on that link |
//! | elsewhere, for a context in the main table or in a VRF | by somebody's route, at its metric, at least 1 | the gateways of that route |
//! | elsewhere, for a context with a table of its own | not | |
//! | link-local | with its session, nobody looks | the next hop itself, on the neighbour's link |
//!
//! Linux takes no gateway that it could only reach by another gateway, so a learned route gets the gateways of the route
//! to its next hop. Whose routes count is said in `netlink`, `way.rs`. Sources: RFC 4271 sections 5.1.3 and 9.1.2.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU8;

use bgp_glue::speaker::{self, BestPath, Reach};
use netlink::{Link, LinkIndex, Links, NextHop, NextHops, NoWay, TableId, Way};

use crate::context_network::{ContextNetwork, in_network};

/// How a next hop is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is on a subnet of this link, of the main network.
    Connected(LinkIndex),
    /// It is on a subnet of this link, of a VRF.
    ConnectedInVrf(LinkIndex),
    /// Somebody's route leads there.
    By(Way),
    /// Somebody's route leads there from the main table, which is not the context's.
    OfMainTable(Way),
    /// Nothing leads there.
    Nowhere(NoWay),
}

impl Found {
    /// On a subnet of a link that carries traffic, in the network of the context.
    pub(super) fn connected(next_hop: IpAddr, network: &ContextNetwork, links: &Links) -> Option<Self> {
        let vrf = network.vrf();
        let link = in_network(links, vrf).find(|link| link.is_up() && is_on(link, next_hop))?;
        Some(if vrf.is_some() { Self::ConnectedInVrf(link.index) } else { Self::Connected(link.index) })
    }

    /// What the kernel's answer means for a context of that network.
    pub(super) fn by(way: Result<Way, NoWay>, network: &ContextNetwork) -> Self {
        let is_own = match network {
            ContextNetwork::Main(table) => *table == TableId::MAIN,
            ContextNetwork::Vrf(_) => true,
        };
        match way {
            Err(why) => Self::Nowhere(why),
            // The kernel looks for gateways on links whatever the table.
            Ok(way) if is_own || way.is_on_link() => Self::By(way),
            Ok(way) => Self::OfMainTable(way),
        }
    }

    pub(super) fn reach(&self) -> Reach {
        match self {
            Self::Connected(_) | Self::ConnectedInVrf(_) => Reach::Cost(0),
            Self::By(way) if way.is_on_link() => Reach::Cost(0),
            Self::By(way) => Reach::Cost(way.metric().max(1)),
            Self::OfMainTable(_) | Self::Nowhere(_) => Reach::Unreachable,
        }
    }

    /// The hops of a route by this next hop; none where there is no way.
    pub(super) fn hops(&self, next_hop: IpAddr) -> Vec<NextHop> {
        match self {
            Self::Connected(_) => NextHop::via(next_hop).into_iter().collect(),
            // Another network may have the same subnet.
            Self::ConnectedInVrf(link) => vec![NextHop::via_link(next_hop, *link)],
            Self::By(way) => way.toward(next_hop).collect(),
            Self::OfMainTable(_) | Self::Nowhere(_) => Vec::new(),
        }
    }

    /// As `show ip bgp` tells it.
    pub(super) fn shown(&self, links: &Links) -> String {
        match self {
            Self::Connected(link) | Self::ConnectedInVrf(link) => format!("on {}", name(*link, links)),
            Self::By(way) => route(way, links),
            Self::OfMainTable(way) => {
                format!("not reached: {} is of the main table, not of the context's", route(way, links))
            }
            Self::Nowhere(why) => format!("not reached: {why}"),
        }
    }
}

fn route(way: &Way, links: &Links) -> String {
    let hops = way.hops().as_slice().iter().map(|hop| {
        let link = hop.link().map(|link| format!("on {}", name(link, links)));
        let gateway = hop.gateway().map(|gateway| format!("via {gateway}"));
        [gateway, link].into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let hops = hops.collect::<Vec<_>>().join(", ");
    format!("by {} proto {} metric {} {hops}", way.prefix(), way.protocol(), way.metric())
}

fn name(link: LinkIndex, links: &Links) -> String {
    links.by_index(link).map_or_else(|| link.to_string(), |link| link.name.to_string())
}

fn is_on(link: &Link, next_hop: IpAddr) -> bool {
    super::subnets(&link.addresses).any(|subnet| subnet.contains(next_hop) && subnet.ip() != next_hop)
}

/// The hops that a route by this path has in the kernel; `found` is what is known of its next hop.
pub(super) fn hops(path: &BestPath, found: Option<&Found>, links: &Links) -> Vec<NextHop> {
    let interface = path.neighbor.interface.as_deref().and_then(|name| name.parse().ok());
    let link = interface.and_then(|name| links.by_name(&name)).map(|link| link.index);
    let next_hop = path.next_hop.address();
    match (link, path.next_hop) {
        // RFC 2545 section 3: over a link-local session, the address that is surely on the link.
        (Some(link), speaker::NextHop::V6 { link_local: Some(gateway), .. }) => {
            vec![NextHop::via_link(gateway.into(), link)]
        }
        (Some(link), speaker::NextHop::V6 { address, link_local: None })
            if address.is_unicast_link_local() =>
        {
            vec![NextHop::via_link(next_hop, link)]
        }
        (Some(_) | None, _) => found.map(|found| found.hops(next_hop)).unwrap_or_default(),
    }
}

/// Hops of several paths as one route has them: what several lead to stands once, with the greatest weight.
pub(super) fn merged(hops: impl IntoIterator<Item = NextHop>) -> Option<NextHops> {
    let mut weights: BTreeMap<NextHop, NonZeroU8> = BTreeMap::new();
    for hop in hops {
        let weight = weights.entry(hop.weighing(NonZeroU8::MIN)).or_insert(NonZeroU8::MIN);
        *weight = hop.weight().max(*weight);
    }
    NextHops::new(weights.into_iter().map(|(hop, weight)| hop.weighing(weight)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn link(number: u32) -> LinkIndex {
        LinkIndex::new(number).expect("not zero")
    }

    fn weight(number: u8) -> NonZeroU8 {
        NonZeroU8::new(number).expect("not zero")
    }

    fn way(hops: impl IntoIterator<Item = NextHop>, metric: u32) -> Way {
        let hops = NextHops::new(hops).expect("a hop");
        Way::new("10.9.0.0/16".parse().expect("a prefix"), 188, hops, metric)
    }

    #[test]
    fn way_costs_its_metric_and_a_link_nothing() {
        let gateway = || [NextHop::via_link(ip("192.0.2.2"), link(3))];
        let own = ContextNetwork::Main(TableId::new(100).expect("a table"));
        let (main, blue) =
            (ContextNetwork::Main(TableId::MAIN), ContextNetwork::Vrf("blue".parse().expect("a name")));
        let rows = [
            (Found::Connected(link(3)), Reach::Cost(0), "via 10.9.0.1", "on link 3"),
            (Found::ConnectedInVrf(link(3)), Reach::Cost(0), "via 10.9.0.1 on link 3", "on link 3"),
            (
                Found::by(Ok(way(gateway(), 20)), &blue),
                Reach::Cost(20),
                "via 192.0.2.2 on link 3",
                "by 10.9.0.0/16 proto ospf metric 20 via 192.0.2.2 on link 3",
            ),
            (
                Found::by(Ok(way(gateway(), 20)), &main),
                Reach::Cost(20),
                "via 192.0.2.2 on link 3",
                "by 10.9.0.0/16 proto ospf metric 20 via 192.0.2.2 on link 3",
            ),
            (
                Found::by(Ok(way(gateway(), 0)), &main),
                Reach::Cost(1),
                "via 192.0.2.2 on link 3",
                "by 10.9.0.0/16 proto ospf metric 0 via 192.0.2.2 on link 3",
            ),
            (
                Found::by(Ok(way([NextHop::direct(link(3))], 256)), &own),
                Reach::Cost(0),
                "via 10.9.0.1 on link 3",
                "by 10.9.0.0/16 proto ospf metric 256 on link 3",
            ),
            (
                Found::by(Ok(way(gateway(), 20)), &own),
                Reach::Unreachable,
                "",
                "not reached: by 10.9.0.0/16 proto ospf metric 20 via 192.0.2.2 on link 3 is of the main table, not of \
                 the context's",
            ),
            (
                Found::by(Err(NoWay::DefaultRoute), &main),
                Reach::Unreachable,
                "",
                "not reached: no route but a default route",
            ),
        ];
        for (found, reach, hops, shown) in rows {
            assert_eq!(found.reach(), reach, "{found:?}");
            let by: Vec<String> = found.hops(ip("10.9.0.1")).iter().map(ToString::to_string).collect();
            assert_eq!(by.join(", "), hops);
            assert_eq!(found.shown(&Links::default()), shown);
        }
    }

    #[test]
    fn gateway_of_two_paths_stands_once() {
        let hop = |gateway| NextHop::via_link(ip(gateway), link(3));
        let hops = [hop("192.0.2.2").weighing(weight(2)), hop("192.0.2.3"), hop("192.0.2.2")];
        let merged = merged(hops).expect("hops").to_string();
        assert_eq!(merged, "via 192.0.2.2 on link 3 weight 2, via 192.0.2.3 on link 3");
    }
}
