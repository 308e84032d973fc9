//! A router's `bird.conf` from the topology. Pure text. The same policy as FRR's ([`crate::frr::config`]): the pair's services
//! in, the router's own networks out.

use std::fmt::Write;

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::topology::{Neighbor, Role, Topology, Watch};

/// Seconds between attempts to connect, and before the first one.
const CONNECT: u8 = 1;

/// The name of the protocol that speaks with a neighbour.
pub fn protocol(neighbor: &Neighbor) -> String {
    format!("{}{}", neighbor.node, family(neighbor.address.is_ipv6()))
}

/// `bird.conf` of `router`.
pub fn bird(topology: &Topology, router: &str) -> Result<String, LabError> {
    let wrong = |reason: String| LabError::Topology { topology: topology.name.clone(), reason };
    let Role::Router { asn, router_id, announces } = &topology.node(router)?.role else {
        return Err(wrong(format!("{router} is no router")));
    };
    let Watch::HoldTime { seconds } = topology.watch else {
        return Err(wrong("routers that watch by BFD are FRR".to_owned()));
    };
    let mut text =
        format!("log \"bird.log\" all;\nrouter id {router_id};\nprotocol device {{ scan time 1; }}\n");
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for v6 in [false, true] {
        let family = family(v6);
        let own = announces.iter().filter(|network| network.is_ipv6() == v6);
        // A client network is announced whole although only the client's segment of it is connected.
        let routes = own.map(|network| format!("route {network} unreachable;")).collect::<Vec<_>>();
        line(format!("protocol static own{family} {{ {family}; {} }}", routes.join(" ")));
        line(format!("protocol kernel {{ {family} {{ export where source = RTS_BGP; }}; }}"));
    }
    for neighbor in topology.neighbors(router) {
        let v6 = neighbor.address.is_ipv6();
        let mut bgp = format!("protocol bgp {} {{ local as {asn}; ", protocol(&neighbor));
        // Writing to a String cannot fail.
        let _ = write!(
            bgp,
            "neighbor {} as {}; hold time {seconds}; connect delay time {CONNECT}; connect retry time {CONNECT}; \
             error wait time {CONNECT}, {CONNECT}; {} {{ import where net ~ [{}]; \
             export where source = RTS_STATIC; }}; }}",
            neighbor.address,
            neighbor.asn,
            family(v6),
            prefixes(&topology.services, v6),
        );
        line(bgp);
    }
    Ok(text)
}

fn prefixes(all: &[IpNetwork], v6: bool) -> String {
    let some = all.iter().filter(|prefix| prefix.is_ipv6() == v6).map(ToString::to_string);
    some.collect::<Vec<_>>().join(", ")
}

fn family(v6: bool) -> &'static str {
    if v6 { "ipv6" } else { "ipv4" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_knows_its_neighbours_and_its_networks() {
        let text = bird(&Topology::pair(), "r1").expect("renders");
        for part in [
            "router id 10.201.0.1;",
            "protocol bgp eastipv4 { local as 65101; neighbor 10.1.1.1 as 65001; hold time 9;",
            "protocol bgp westipv6 { local as 65101; neighbor 2001:db8:2:1::1 as 65001;",
            "import where net ~ [203.0.113.1/32, 172.18.0.0/16];",
            "protocol static ownipv6 { ipv6; route 2001:db8:201::/48 unreachable; }",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(!text.contains("10.1.2.1"), "a neighbour of r2 in r1:\n{text}");
    }

    #[test]
    fn bird_does_not_watch_by_bfd() {
        let topology = Topology::silent_pair(Watch::Bfd { interval_ms: 50, multiplier: 3 });
        assert!(bird(&topology, "r1").expect_err("refused").to_string().contains("are FRR"));
    }
}
