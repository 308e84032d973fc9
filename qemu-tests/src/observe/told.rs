//! What a kernel tells of routes and links, without what nobody here asks about.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkFlags;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use serde::{Deserialize, Serialize};

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV6_ROUTE` of linux/rtnetlink.h: what tells it.
pub const GROUPS: [u32; 3] = [1, 7, 11];

/// One message. Links are interface indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// There is a route, which leads to a link; of several hops the first.
    Route {
        /// Its destination.
        prefix: IpNetwork,
        /// The link.
        link: u32,
    },
    /// It is gone.
    Gone {
        /// Its destination.
        prefix: IpNetwork,
        /// The link that it led to.
        link: u32,
    },
    /// A link has a carrier or has none.
    Carrier {
        /// The link.
        link: u32,
        /// Whether it has one.
        up: bool,
    },
}

impl Told {
    /// What `message` tells; `None` for other news, and for the default route.
    pub fn of(message: &RouteNetlinkMessage) -> Option<Self> {
        match message {
            RouteNetlinkMessage::NewRoute(route) => {
                route_of(route).map(|(prefix, link)| Self::Route { prefix, link })
            }
            RouteNetlinkMessage::DelRoute(route) => {
                route_of(route).map(|(prefix, link)| Self::Gone { prefix, link })
            }
            RouteNetlinkMessage::NewLink(link) => {
                let up = link.header.flags.contains(LinkFlags::LowerUp);
                Some(Self::Carrier { link: link.header.index, up })
            }
            _ => None, // other news were not asked for
        }
    }
}

/// The destination of a route, and the interface that it leads to.
fn route_of(route: &RouteMessage) -> Option<(IpNetwork, u32)> {
    let address = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None, // gateways, metrics and the like
    })?;
    let prefix = IpNetwork::new(address, route.header.destination_prefix_length).ok()?;
    let link = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        RouteAttribute::MultiPath(hops) => hops.first().map(|hop| hop.interface_index),
        _ => None, // as above
    })?;
    Some((prefix, link))
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::LinkMessage;

    use super::*;

    fn route(address: &str, link: u32) -> RouteMessage {
        let mut route = RouteMessage::default();
        let address: IpAddr = address.parse().expect("address");
        route.header.destination_prefix_length = 32;
        route.attributes = vec![RouteAttribute::Destination(address.into()), RouteAttribute::Oif(link)];
        route
    }

    #[test]
    fn routes_and_carriers_are_told_and_survive_a_line_of_json() {
        let prefix: IpNetwork = "203.0.113.1/32".parse().expect("prefix");
        let mut link = LinkMessage::default();
        link.header.index = 6;
        link.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
        for (message, expected) in [
            (RouteNetlinkMessage::NewRoute(route("203.0.113.1", 5)), Told::Route { prefix, link: 5 }),
            (RouteNetlinkMessage::DelRoute(route("203.0.113.1", 5)), Told::Gone { prefix, link: 5 }),
            (RouteNetlinkMessage::NewLink(link), Told::Carrier { link: 6, up: true }),
        ] {
            let told = Told::of(&message).expect("is told");
            assert_eq!(told, expected);
            let line = serde_json::to_string(&told).expect("is written");
            assert_eq!(serde_json::from_str::<Told>(&line).expect("is read"), expected);
        }
    }

    #[test]
    fn a_default_route_is_not_told() {
        assert_eq!(Told::of(&RouteNetlinkMessage::NewRoute(RouteMessage::default())), None);
    }
}
