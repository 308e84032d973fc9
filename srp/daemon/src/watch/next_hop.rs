//! Which next hops the kernel would take: those on a subnet of a link that carries traffic.
//!
//! Linux refuses a gateway that it could only reach by another gateway, so a next hop farther away than that has no use
//! here. What was told is told again whenever a link or an address comes or goes.

use std::net::IpAddr;

use bgp_glue::speaker::{Reach, SpeakerHandle};
use ipnetwork::IpNetwork;
use netlink::{Kernel, Link, Links};

/// Each next hop with whether it can be reached.
pub(super) fn resolve(links: &Links, next_hops: &[IpAddr]) -> Vec<(IpAddr, Reach)> {
    next_hops.iter().map(|next_hop| (*next_hop, reach(links, *next_hop))).collect()
}

/// Tells every speaker about all its next hops. A speaker that is gone needs none.
pub(super) async fn resolve_all(speakers: &[SpeakerHandle], kernel: &Kernel) {
    for speaker in speakers {
        if let Ok(next_hops) = speaker.next_hops().await {
            speaker.set_next_hops(resolve(&kernel.links(), &next_hops));
        }
    }
}

fn reach(links: &Links, next_hop: IpAddr) -> Reach {
    if links.iter().filter(|link| link.is_up()).any(|link| is_on(link, next_hop)) {
        Reach::Cost(0)
    } else {
        Reach::Unreachable
    }
}

fn is_on(link: &Link, next_hop: IpAddr) -> bool {
    let subnets = link.addresses.iter().filter(|address| !address.ours);
    subnets
        .filter_map(|address| IpNetwork::new(address.ip, address.prefix_len).ok())
        .any(|subnet| subnet.contains(next_hop) && subnet.ip() != next_hop)
}
