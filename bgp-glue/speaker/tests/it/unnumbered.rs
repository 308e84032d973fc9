//! Neighbors that are known by their interface alone.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;

use bgp_speaker::{Asn, Families, Link, NeighborConfig, NeighborKey, NeighborSummary, SpeakerConfig, State};
use socket2::{Domain, Protocol, Socket, Type};

use crate::frr::{Frr, until};
use crate::matrix::bird::Bird;
use crate::matrix::gobgp::GoBgp;
use crate::matrix::peer::{PLAIN, Peer, Release};
use crate::netns::{Debian, Netns};
use crate::owner::{Owner, config, everything, route};

/// Two namespaces with a link `v0` that has link-local addresses alone: `fe80::1` here, `fe80::2` there.
fn link() -> (Netns, Netns) {
    let (here, there) = Netns::pair();
    for (netns, host) in [(&here, 1), (&there, 2)] {
        netns.ip(&format!("addr del 192.0.2.{host}/24 dev v0"));
        netns.ip(&format!("addr del 2001:db8::{host}/64 dev v0"));
    }
    (here, there)
}

fn on_v0() -> NeighborConfig {
    NeighborConfig { import: everything(), ..NeighborConfig::on_link("v0", Asn(65001)) }
}

fn start(netns: &Netns, neighbor: NeighborConfig) -> Owner {
    let owner = Owner::start(netns, SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) });
    owner.originate(vec![route("10.1.0.0/16", 1), route("2001:db8:1::/48", 1)]);
    owner
}

/// What stands under `router bgp`: a neighbor by its interface, as engineers write it.
fn by_interface(more: &str) -> String {
    format!(
        " neighbor v0 interface remote-as external\n neighbor v0 timers connect 1\n{more} \
         address-family ipv4 unicast\n  neighbor v0 activate\n  network 10.9.0.0/16\n exit-address-family\n \
         address-family ipv6 unicast\n  neighbor v0 activate\n  network 2001:db8:9::/48\n exit-address-family\n"
    )
}

/// The next hop of FRR's IPv4 route, once it is there.
fn until_there(owner: &mut Owner) -> String {
    loop {
        if let Some(next_hop) = owner.until_route("10.9.0.0/16") {
            return next_hop;
        }
    }
}

/// A session whose end is soon noticed by whoever is not told of it.
fn short() -> NeighborConfig {
    NeighborConfig { hold_time: 3.try_into().unwrap(), ..on_v0() }
}

/// Both families are there, on both sides, over link-local addresses.
fn until_exchanged(owner: &mut Owner, frr: &Frr<'_>) {
    let next_hop = until_there(owner);
    assert!(next_hop.contains("fe80::2"), "{next_hop}");
    // FRR returns our own routes, too, which are not accepted.
    owner.until_summary(|summary| summary.prefixes_accepted == 2);
    frr.until_path("10.1.0.0/16", "65000 65000");
    frr.until_path("2001:db8:1::/48", "65000 65000");
    let path = frr.path("10.1.0.0/16");
    assert!(path["nexthops"].to_string().contains("fe80::1"), "{path:#}");
}

fn found(address: &str) -> impl Fn(&NeighborSummary) -> bool {
    let address = address.parse().ok();
    move |summary: &NeighborSummary| summary.details.config.address == address
}

fn exchange(debian: Debian) {
    let (here, there) = link();
    let frr = Frr::start_of(debian, &there, 65001, &by_interface(""), "");
    let mut owner = start(&here, on_v0());
    until_exchanged(&mut owner, &frr);
    let summary = owner.only_neighbor();
    assert_eq!(summary.neighbor.to_string(), "v0");
    assert_eq!(summary.details.config.address, "fe80::2".parse().ok());
    assert_eq!((summary.families, summary.malformed_attributes), (Families::ALL, 0));
}

#[test]
fn frr_and_we_find_each_other_and_exchange_both_families() {
    exchange(Debian::Twelve);
}

#[test]
fn frr_10_and_we_find_each_other_and_exchange_both_families() {
    exchange(Debian::Thirteen);
}

/// GoBGP advertises nothing. It takes whom its kernel knows on the link at the start, and connects.
#[test]
fn gobgp_is_found_when_it_connects() {
    let (here, there) = link();
    let mut owner = start(&here, on_v0());
    let ping = there.command("ping").args(["-c1", "-W5", "fe80::1%v0"]).output();
    assert!(ping.expect("ping (package iputils-ping) is installed").status.success(), "the link works");
    let family = |name: &str| {
        format!("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{name}\"\n")
    };
    let configuration = format!(
        "[global.config]\nas = 65001\nrouter-id = \"192.0.2.2\"\n[[neighbors]]\n[neighbors.config]\n\
         neighbor-interface = \"v0\"\npeer-as = 65000\n[neighbors.timers.config]\nconnect-retry = 1\n{}{}",
        family("ipv4-unicast"),
        family("ipv6-unicast"),
    );
    let gobgp = GoBgp::run(Debian::Twelve, &there, &PLAIN, &configuration);
    for (family, route) in [("ipv4", "10.9.0.0/16"), ("ipv6", "2001:db8:9::/48")] {
        assert!(gobgp.ask(&["global", "rib", "-a", family, "add", route]).is_some(), "{route}");
    }
    let next_hop = until_there(&mut owner);
    assert!(next_hop.contains("fe80::2"), "{next_hop}");
    owner.until_summary(found("fe80::2"));
    for prefix in ["10.1.0.0/16", "2001:db8:1::/48"] {
        until(prefix, || gobgp.heard(prefix).is_some_and(|heard| heard.next_hop.starts_with("fe80::1")));
    }
}

/// BIRD advertises itself by a protocol of its own, and takes whoever is on the link.
#[test]
fn bird_is_found_by_its_advertisements() {
    let (here, there) = link();
    let bird = Bird::run(
        Release::Bird2,
        &there,
        "router id 192.0.2.2;\nprotocol device {}\nprotocol radv { interface \"v0\" { default lifetime 0; }; }\n\
         protocol static s4 { ipv4; route 10.9.0.0/16 blackhole; }\n\
         protocol static s6 { ipv6; route 2001:db8:9::/48 blackhole; }\n\
         protocol bgp p { local as 65001; neighbor range fe80::/10 as 65000; interface \"v0\"; \
         ipv4 { import all; export where source = RTS_STATIC; extended next hop on; next hop self; }; \
         ipv6 { import all; export where source = RTS_STATIC; next hop self; }; }\n",
    );
    let mut owner = start(&here, on_v0());
    let next_hop = until_there(&mut owner);
    assert!(next_hop.contains("fe80::2"), "{next_hop}");
    for prefix in ["10.1.0.0/16", "2001:db8:1::/48"] {
        until(prefix, || bird.show(&format!("show route {prefix} all")).contains("via fe80::1 on v0"));
    }
}

#[test]
fn frr_that_starts_later_finds_us_without_waiting_for_the_next_advertisement() {
    let (here, there) = link();
    let mut owner = start(&here, on_v0());
    let waiting = owner.until_down();
    assert_eq!(waiting, "cannot connect: no router has advertised itself on v0 yet");
    let frr = Frr::start(&there, 65001, &by_interface(""));
    until_exchanged(&mut owner, &frr);
}

#[test]
fn connection_that_frr_opens_is_taken() {
    let (here, there) = link();
    let frr = Frr::start(&there, 65001, &by_interface(""));
    let mut owner = start(&here, NeighborConfig { passive: true, ..on_v0() });
    until_exchanged(&mut owner, &frr);
    assert_eq!(owner.only_neighbor().details.opened_by_us, Some(false));
}

#[test]
fn frr_that_only_waits_is_connected_to() {
    let (here, there) = link();
    let frr = Frr::start(&there, 65001, &by_interface(" neighbor v0 passive\n"));
    let mut owner = start(&here, on_v0());
    until_exchanged(&mut owner, &frr);
    assert_eq!(owner.only_neighbor().details.opened_by_us, Some(true));
}

#[test]
fn frr_that_dies_and_starts_again_is_back() {
    let (here, there) = link();
    let mut frr = Frr::start(&there, 65001, &by_interface(""));
    let mut owner = start(&here, on_v0());
    until_exchanged(&mut owner, &frr);
    frr.end_bgpd();
    assert_eq!(owner.until_route("10.9.0.0/16"), None);
    frr.begin_bgpd();
    until_exchanged(&mut owner, &frr);
}

#[test]
fn session_ends_with_the_link_and_comes_back_with_it() {
    let (here, there) = link();
    let frr = Frr::start(&there, 65001, &by_interface(""));
    let mut owner = start(&here, on_v0());
    until_exchanged(&mut owner, &frr);
    let link = Link { name: "v0".into(), subnets: Vec::new() };
    there.ip("link set v0 down");
    owner.handle.link_down(link.clone());
    assert_eq!(owner.until_down(), "link down");
    assert_eq!(owner.until_route("10.9.0.0/16"), None);
    assert_eq!(owner.only_neighbor().details.config.address, None);
    there.ip("link set v0 up");
    // The kernel has forgotten it with the link.
    there.ip("addr add fe80::2/64 dev v0 nodad");
    owner.handle.link_up(link);
    until_exchanged(&mut owner, &frr);
}

#[test]
fn interface_that_comes_later_is_waited_for() {
    let (here, there) = (Netns::new(), Netns::new());
    let mut owner = start(&here, short());
    assert_eq!(owner.until_down(), "cannot connect: no router has advertised itself on v0 yet");
    let frr = Frr::start(&there, 65001, &by_interface(""));
    Netns::join(&here, &there);
    until_exchanged(&mut owner, &frr);
    // And under another index.
    here.ip("link del v0");
    assert_eq!(owner.until_route("10.9.0.0/16"), None);
    Netns::join(&here, &there);
    until_exchanged(&mut owner, &frr);
}

/// Advertises a router from an address of the namespace's `v0`, which has this link-layer address.
fn advertise(netns: &Netns, from: &str, link_layer: u8, hop_limit: u32) {
    let from: Ipv6Addr = from.parse().unwrap();
    netns.run(|| {
        let index = nix::net::if_::if_nametoindex("v0").expect("it is there");
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)).expect("root may");
        socket.bind_device_by_index_v6(NonZeroU32::new(index)).unwrap();
        socket.set_multicast_hops_v6(hop_limit).unwrap();
        socket.bind(&SocketAddrV6::new(from, 0, 0, index).into()).unwrap();
        let octets =
            [&[134, 0, 0, 0, 64, 0, 0, 30][..], &[0; 8], &[1, 1, 2, 0, 0, 0, 0, link_layer]].concat();
        let all_nodes = SocketAddrV6::new("ff02::1".parse().unwrap(), 0, 0, index);
        socket.send_to(&octets, &all_nodes.into()).expect("the address is on the link");
    });
}

#[test]
fn advertisement_that_came_through_a_router_is_none() {
    let (here, there) = link();
    there.ip("addr add fe80::22/64 dev v0 nodad");
    let owner = start(&here, on_v0());
    // The socket is open once the neighbor has been looked for.
    until("the link is looked at", || {
        advertise(&there, "fe80::22", 1, 254);
        advertise(&there, "fe80::2", 2, 255);
        owner.only_neighbor().details.config.address.is_some()
    });
    assert!(found("fe80::2")(&owner.only_neighbor()));
}

#[test]
fn first_router_stays_the_neighbor_and_its_new_address_is_followed() {
    let (here, there) = link();
    there.ip("addr add fe80::22/64 dev v0 nodad");
    there.ip("addr add fe80::33/64 dev v0 nodad");
    let owner = start(&here, on_v0());
    until("the first router", || {
        advertise(&there, "fe80::2", 2, 255);
        owner.only_neighbor().details.config.address.is_some()
    });
    advertise(&there, "fe80::33", 3, 255);
    advertise(&there, "fe80::22", 2, 255);
    owner.until_summary(found("fe80::22"));
}

#[test]
fn session_follows_frr_to_its_new_address() {
    let (here, there) = link();
    let frr = Frr::start(&there, 65001, &by_interface(""));
    // FRR does not notice that its own end has lost its address, and refuses another connection until the hold time is over.
    let mut owner = start(&here, short());
    until_exchanged(&mut owner, &frr);
    there.ip("addr add fe80::22/64 dev v0 nodad");
    there.ip("addr del fe80::2/64 dev v0");
    assert_eq!(owner.until_route("10.9.0.0/16"), None);
    let next_hop = until_there(&mut owner);
    assert!(next_hop.contains("fe80::22"), "{next_hop}");
    frr.until_path("10.1.0.0/16", "65000 65000");
}

#[test]
fn neighbor_is_cleared_by_its_interface_and_an_identical_reload_touches_nothing() {
    let (here, there) = link();
    let frr = Frr::start(&there, 65001, &by_interface(""));
    let mut owner = start(&here, on_v0());
    until_exchanged(&mut owner, &frr);
    let same = SpeakerConfig { neighbors: vec![on_v0()], ..config(65000, 1) };
    owner.answer(owner.handle.reload(same)).expect("it is the same");
    assert_eq!(
        (owner.only_neighbor().state, owner.only_neighbor().established_count),
        (State::Established, 1)
    );
    let key = NeighborKey { address: None, interface: Some("v0".into()) };
    assert!(owner.answer(owner.handle.clear(key)));
    assert!(owner.until_down().contains("administrative reset"), "it was cleared");
    until_exchanged(&mut owner, &frr);
}

#[test]
fn packets_with_all_hops_left_are_enough_for_ttl_security() {
    let (here, there) = link();
    let frr = Frr::start(&there, 65001, &by_interface(" neighbor v0 ttl-security hops 1\n"));
    let mut owner = start(&here, NeighborConfig { hops: bgp_speaker::Hops::Secured(1), ..on_v0() });
    until_exchanged(&mut owner, &frr);
}
