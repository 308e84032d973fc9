//! A router's `bgpd.conf` from the topology. Pure text.
//!
//! Policy is written out instead of switched off: a router takes exactly the pair's services from the chassis and gives
//! them exactly its own client networks, so that no route of one chassis ever comes back by way of a router.

use std::fmt::Write;

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::topology::{Neighbor, Role, Topology, Watch};

/// Hold time beside BFD, seconds: that of the example configurations of the chassis.
const HOLD_BESIDE_BFD: u16 = 9;
/// Name of the timers of bfdd.
const PROFILE: &str = "chassis";
/// Seconds between attempts to connect; FRR's own 120 s would make a lab wait for a returned chassis.
const CONNECT: u8 = 1;

/// `bgpd.conf` of `router`.
pub fn bgpd(topology: &Topology, router: &str) -> Result<String, LabError> {
    let Role::Router { asn, router_id, announces } = &topology.node(router)?.role else {
        let reason = format!("{router} is no router");
        return Err(LabError::Topology { topology: topology.name.clone(), reason });
    };
    let neighbors = topology.neighbors(router);
    let (hold, bfd) = match topology.watch {
        Watch::HoldTime { seconds } => (seconds, false),
        Watch::Bfd { .. } => (HOLD_BESIDE_BFD, true),
    };
    // A log of its own says when a session was lost: the one on the command line knows no microseconds.
    let mut text = format!(
        "hostname {router}\nlog timestamp precision 6\nlog file {} informational\n",
        super::SESSIONS_LOG
    );
    // Policy comes before its use, and takes hold at once: bgpd denies everything to a neighbour whose route-map is not
    // there yet, and looks again only after 5 s.
    text.push_str("bgp route-map delay-timer 0\n");
    prefix_list(&mut text, "PAIR-SERVICES", &topology.services);
    prefix_list(&mut text, "OWN-NETWORKS", announces);
    text.push_str("route-map FROM-PAIR permit 10\nexit\nroute-map TO-PAIR permit 10\nexit\n");
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    line(format!("router bgp {asn}"));
    line(format!(" bgp router-id {router_id}"));
    line(" bgp log-neighbor-changes".to_owned());
    line(" no bgp default ipv4-unicast".to_owned());
    // A client network is announced whole although only the client's segment of it is connected.
    line(" no bgp network import-check".to_owned());
    for Neighbor { node, address, asn, .. } in &neighbors {
        line(format!(" neighbor {address} remote-as {asn}"));
        line(format!(" neighbor {address} description {node}"));
        line(format!(" neighbor {address} timers {} {hold}", hold / 3));
        line(format!(" neighbor {address} timers connect {CONNECT}"));
        if bfd {
            line(format!(" neighbor {address} bfd"));
            line(format!(" neighbor {address} bfd profile {PROFILE}"));
        }
    }
    for v6 in [false, true] {
        line(format!(" address-family {} unicast", family(v6)));
        for network in announces.iter().filter(|network| network.is_ipv6() == v6) {
            line(format!("  network {network}"));
        }
        for Neighbor { address, .. } in neighbors.iter().filter(|neighbor| neighbor.address.is_ipv6() == v6) {
            line(format!("  neighbor {address} activate"));
            line(format!("  neighbor {address} prefix-list PAIR-SERVICES-{} in", version(v6)));
            line(format!("  neighbor {address} prefix-list OWN-NETWORKS-{} out", version(v6)));
            line(format!("  neighbor {address} route-map FROM-PAIR in"));
            line(format!("  neighbor {address} route-map TO-PAIR out"));
        }
        line(" exit-address-family".to_owned());
    }
    line("exit".to_owned());
    Ok(text)
}

/// `bfdd.conf` of `router`, if it watches the chassis by BFD: bgpd names the peers, this their timers.
pub fn bfdd(topology: &Topology, router: &str) -> Option<String> {
    match topology.watch {
        Watch::HoldTime { .. } => None,
        Watch::Bfd { interval_ms, multiplier } => Some(format!(
            "hostname {router}\nbfd\n profile {PROFILE}\n  detect-multiplier {multiplier}\n  receive-interval {interval_ms}\n  \
             transmit-interval {interval_ms}\n exit\nexit\n"
        )),
    }
}

/// `bgpd.conf` of a stand-in for a chassis: it announces `services` with `prepends` more of its own AS. With it a lab can
/// be tried without our daemon.
pub fn stand_in(topology: &Topology, chassis: &str, prepends: u16) -> Result<String, LabError> {
    let Role::Chassis { asn } = &topology.node(chassis)?.role else {
        let reason = format!("{chassis} is no chassis");
        return Err(LabError::Topology { topology: topology.name.clone(), reason });
    };
    let mut text = format!("hostname {chassis}\nroute-map PREPEND permit 10\n");
    if prepends > 0 {
        let own = vec![asn.to_string(); usize::from(prepends)].join(" ");
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, " set as-path prepend {own}");
    }
    let _ = writeln!(text, "exit\nrouter bgp {asn}\n no bgp default ipv4-unicast");
    text.push_str(" no bgp ebgp-requires-policy\n no bgp network import-check\n");
    let mut families = [String::new(), String::new()];
    for (own, far) in topology.ends(chassis) {
        let Ok(Role::Router { asn, .. }) = topology.node(&far.node).map(|node| &node.role) else { continue };
        for address in &far.addresses {
            if !own.addresses.iter().any(|local| local.is_ipv6() == address.is_ipv6()) {
                continue;
            }
            let address = (address.ip(), address.is_ipv6());
            let _ = writeln!(text, " neighbor {} remote-as {asn}", address.0);
            let _ = writeln!(text, " neighbor {} timers connect {CONNECT}", address.0);
            let family = &mut families[usize::from(address.1)];
            let _ = writeln!(family, "  neighbor {} activate", address.0);
            let _ = writeln!(family, "  neighbor {} route-map PREPEND out", address.0);
        }
    }
    for (v6, activations) in [false, true].into_iter().zip(families) {
        let _ = writeln!(text, " address-family {} unicast", family(v6));
        for service in topology.services.iter().filter(|service| service.is_ipv6() == v6) {
            let _ = writeln!(text, "  network {service}");
        }
        text.push_str(&activations);
        text.push_str(" exit-address-family\n");
    }
    text.push_str("exit\n");
    Ok(text)
}

fn prefix_list(text: &mut String, name: &str, prefixes: &[IpNetwork]) {
    for (index, prefix) in prefixes.iter().enumerate() {
        let word = if prefix.is_ipv6() { "ipv6" } else { "ip" };
        let (version, sequence) = (version(prefix.is_ipv6()), 10 * (index + 1));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{word} prefix-list {name}-{version} seq {sequence} permit {prefix}");
    }
}

fn family(v6: bool) -> &'static str {
    if v6 { "ipv6" } else { "ipv4" }
}

fn version(v6: bool) -> &'static str {
    if v6 { "V6" } else { "V4" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_knows_its_neighbours_and_its_networks() {
        let text = bgpd(&Topology::pair(), "r1").expect("renders");
        for line in [
            "router bgp 65101",
            " neighbor 10.1.1.1 remote-as 65001",
            " neighbor 10.1.1.1 description east",
            " neighbor 2001:db8:2:1::1 remote-as 65001",
            "  network 10.201.0.0/16",
            "  network 2001:db8:201::/48",
            "  neighbor 10.2.1.1 activate",
            "ip prefix-list PAIR-SERVICES-V4 seq 10 permit 203.0.113.1/32",
            "ipv6 prefix-list PAIR-SERVICES-V6 seq 40 permit 2001:db8:18::/48",
            "ipv6 prefix-list OWN-NETWORKS-V6 seq 20 permit 2001:db8:201::/48",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
        }
        assert!(!text.contains("10.1.2.1"), "a neighbour of r2 in r1:\n{text}");
    }

    #[test]
    fn a_router_that_watches_by_bfd_says_so_of_every_neighbour() {
        let topology = Topology::silent_pair(Watch::Bfd { interval_ms: 50, multiplier: 3 });
        let text = bgpd(&topology, "r1").expect("renders");
        let watched = text.lines().filter(|line| line.ends_with(" bfd profile chassis")).count();
        assert_eq!(watched, 4, "{text}");
        let bfdd_conf = bfdd(&topology, "r1").expect("runs bfdd");
        assert!(
            bfdd_conf.contains("  transmit-interval 50\n") && bfdd_conf.contains("  detect-multiplier 3\n")
        );
    }

    #[test]
    fn a_router_that_watches_by_hold_time_runs_no_bfdd() {
        let topology = Topology::silent_pair(Watch::HoldTime { seconds: 3 });
        assert_eq!(bfdd(&topology, "r1"), None);
        let text = bgpd(&topology, "r1").expect("renders");
        assert!(text.contains(" neighbor 10.1.1.1 timers 1 3\n") && !text.contains(" bfd"), "{text}");
    }

    #[test]
    fn a_chassis_has_no_router_configuration() {
        let text = bgpd(&Topology::pair(), "east").expect_err("no router").to_string();
        assert!(text.contains("east is no router"), "{text}");
    }

    #[test]
    fn a_stand_in_prepends_its_own_as() {
        let text = stand_in(&Topology::pair(), "west", 2).expect("renders");
        assert!(text.contains(" set as-path prepend 65001 65001\n"), "{text}");
        assert!(text.contains(" neighbor 10.2.2.2 remote-as 65102\n"), "{text}");
        assert!(!text.contains("192.0.2."), "the SRP link is no BGP link:\n{text}");
    }
}
