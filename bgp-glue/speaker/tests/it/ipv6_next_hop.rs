//! IPv4 routes with IPv6 next hops (RFC 8950), with speakers that have them.

use bgp_speaker::{Families, Family, NeighborConfig, Offer, SpeakerConfig};

use crate::frr::{Frr, activated, until};
use crate::matrix::bird::Bird;
use crate::matrix::peer::Release;
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};

const V4: Families = Families::NONE.with(Family::Ipv4Unicast);

/// Without an IPv4 next hop of its own.
fn extended(address: &str) -> NeighborConfig {
    NeighborConfig {
        offer: Offer { extended_next_hop: V4, ..Offer::default() },
        next_hop_v4: None,
        next_hop_v6: None,
        ..neighbor(address, 65001)
    }
}

fn start(netns: &Netns, neighbor: NeighborConfig) -> Owner {
    Owner::start(netns, SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) })
}

/// A link without IPv4 addresses.
fn ipv6_only() -> (Netns, Netns) {
    let (here, there) = Netns::pair();
    here.ip("addr del 192.0.2.1/24 dev v0");
    there.ip("addr del 192.0.2.2/24 dev v0");
    (here, there)
}

/// Takes the route that came into the kernel as the daemon does, and sends a packet by it.
fn forwards(here: &Netns, there: &Netns, next_hop: &str) {
    let gateway = next_hop.split(' ').next_back().unwrap_or_default().trim_matches(['(', ')']);
    there.ip("addr add 10.9.0.1/32 dev lo");
    here.ip("addr add 10.1.0.1/32 dev lo");
    here.ip(&format!("route add 10.9.0.0/16 via inet6 {gateway} dev v0"));
    let ping = here.command("ping").args(["-c1", "-W5", "-I", "10.1.0.1", "10.9.0.1"]).output();
    let ping = ping.expect("ping (package iputils-ping) is installed");
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
}

/// FRR's route to a prefix of ours: its next hops.
fn frr_next_hops(frr: &Frr) -> String {
    frr.json("show bgp ipv4 unicast 10.1.0.0/16 json")["paths"][0]["nexthops"].to_string()
}

#[test]
fn frr_and_we_exchange_ipv4_routes_over_a_link_without_ipv4() {
    let (here, there) = ipv6_only();
    let more = " neighbor 2001:db8::1 capability extended-nexthop\n";
    let frr = Frr::start(&there, 65001, &activated("2001:db8::1", 65000, more));
    let mut owner = start(&here, extended("2001:db8::2"));
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    let next_hop = owner.until_route("10.9.0.0/16").expect("FRR announces it");
    assert!(next_hop.starts_with("2001:db8::2"), "{next_hop}");
    until("FRR has our route by IPv6", || frr_next_hops(&frr).contains("2001:db8::1"));
    // The way back, in FRR's kernel.
    there.ip("route replace 10.1.0.0/16 via inet6 2001:db8::1 dev v0");
    forwards(&here, &there, "2001:db8::2");
    owner.originate(Vec::new());
    until("FRR has it no more", || frr_next_hops(&frr) == "null");
    assert_eq!(owner.only_neighbor().malformed_attributes, 0);
}

#[test]
fn link_local_session_carries_ipv4_routes() {
    let (here, there) = ipv6_only();
    let more = " neighbor fe80::1 interface v0\n neighbor fe80::1 capability extended-nexthop\n";
    let frr = Frr::start(&there, 65001, &activated("fe80::1", 65000, more));
    let mut owner = start(&here, NeighborConfig { interface: Some("v0".into()), ..extended("fe80::2") });
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    let next_hop = owner.until_route("10.9.0.0/16").expect("FRR announces it");
    assert!(next_hop.contains("fe80::2"), "{next_hop}");
    until("FRR has our route by IPv6", || frr_next_hops(&frr).contains("fe80::1"));
    there.ip("route replace 10.1.0.0/16 via inet6 fe80::1 dev v0");
    forwards(&here, &there, &next_hop);
}

#[test]
fn bird_and_we_exchange_ipv4_routes_over_a_link_without_ipv4() {
    let (here, there) = ipv6_only();
    let bird = Bird::run(
        Release::Bird2,
        &there,
        "router id 192.0.2.2;\nprotocol device {}\nprotocol direct { ipv4; ipv6; }\n\
         protocol static s4 { ipv4; route 10.9.0.0/16 blackhole; }\n\
         protocol bgp p { local 2001:db8::2 as 65001; neighbor 2001:db8::1 as 65000; connect delay time 1; \
         ipv4 { import all; export where source = RTS_STATIC; extended next hop on; next hop self; }; \
         ipv6 { import all; export none; }; }\n",
    );
    let mut owner = start(&here, extended("2001:db8::2"));
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    let next_hop = owner.until_route("10.9.0.0/16").expect("BIRD announces it");
    assert!(next_hop.starts_with("2001:db8::2"), "{next_hop}");
    until("BIRD has our route by IPv6", || {
        bird.show("show route 10.1.0.0/16 all").contains("via 2001:db8::1 on v0")
    });
    owner.originate(Vec::new());
    until("BIRD has it no more", || !bird.show("show route 10.1.0.0/16").contains("unicast"));
}

#[test]
fn neighbor_that_takes_no_ipv6_next_hops_is_told_no_ipv4_routes() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("2001:db8::1", 65000, ""));
    let mut owner = start(&here, extended("2001:db8::2"));
    owner.originate(vec![route("10.1.0.0/16", 1), route("2001:db8:1::/48", 1)]);
    owner.until_up();
    until("FRR has the IPv6 route", || {
        frr.json("show bgp ipv6 unicast 2001:db8:1::/48 json").to_string().contains("65000 65000")
    });
    assert_eq!(frr_next_hops(&frr), "null");
    assert_eq!(owner.only_neighbor().prefixes_sent, 1);
}
