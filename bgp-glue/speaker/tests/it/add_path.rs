//! Several paths of a neighbor to one prefix (RFC 7911), with speakers that have them.

use bgp_proto::types::Asn;
use bgp_speaker::{Families, Multipath, NeighborConfig, Offer, SpeakerConfig, Why};

use crate::frr::{Frr, activated, until};
use crate::matrix::bird::Bird;
use crate::matrix::peer::Release;
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};
use crate::scripted_peer::{ScriptedPeer, open, update};

const THEM: &str = "192.0.2.2";
const TWICE: &str = "10.50.0.0/16";

fn both() -> Offer {
    Offer { add_path_receive: Families::ALL, add_path_send: Families::ALL, ..Offer::default() }
}

fn speaker(offer: Offer, multipath: Multipath) -> SpeakerConfig {
    let neighbor = NeighborConfig { offer, ..neighbor(THEM, 65001) };
    SpeakerConfig { neighbors: vec![neighbor], multipath, ..config(65000, 1) }
}

/// 10.50.0.0/16 by this AS, at 192.0.2.N.
fn route_of(asn: u16, host: u8) -> Vec<u8> {
    let [high, low] = asn.to_be_bytes();
    let mut body = vec![0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, high, low, 0x40, 3, 4];
    body.extend([192, 0, 2, host, 16, 10, 50]);
    update(&body)
}

/// What the table says of the prefix: next hop, and whether it is used.
fn paths(owner: &Owner) -> Vec<(String, bool)> {
    let routes = owner.answer(owner.handle.routes()).into_iter();
    let of_prefix = routes.filter(|route| route.prefix.to_string() == TWICE);
    let used = |why| matches!(why, Why::Best | Why::Multipath);
    let mut paths: Vec<_> =
        of_prefix.map(|route| (route.attributes.next_hop.to_string(), used(route.why))).collect();
    paths.sort_unstable();
    paths
}

fn path(host: u8, used: bool) -> (String, bool) {
    (format!("192.0.2.{host}"), used)
}

#[test]
fn frr_tells_all_its_paths_and_takes_ours_by_identifier() {
    let (here, there) = Netns::pair();
    let mut bgp = activated("192.0.2.1", 65000, "");
    bgp = bgp.replace(
        "  network 10.9.0.0/16\n",
        "  neighbor 192.0.2.1 addpath-tx-all-paths\n  neighbor 192.0.2.11 activate\n  neighbor 192.0.2.12 activate\n",
    );
    let feeders = [(11, 65011_u16), (12, 65012)];
    for (host, asn) in feeders {
        here.ip(&format!("addr add 192.0.2.{host}/24 dev v0"));
        let passive = format!(" neighbor 192.0.2.{host} passive\n");
        bgp = format!(" neighbor 192.0.2.{host} remote-as {asn}\n{passive}{bgp}");
    }
    let frr = Frr::start(&there, 65001, &bgp);
    let mut fed = Vec::new();
    for (host, asn) in feeders {
        let mut peer = ScriptedPeer::connect(&here, &format!("192.0.2.{host}:0"), "192.0.2.2:179");
        peer.establish(&open(asn.into(), 90, host));
        peer.send(&route_of(asn, host));
        fed.push(peer);
    }
    let mut owner = Owner::start(&here, speaker(both(), Multipath { paths: 4, relax: true }));
    owner.originate(vec![route("10.1.0.0/16", 1), route("2001:db8:1::/48", 1)]);
    owner.until_up();
    until("both paths are there and used", || paths(&owner) == [path(11, true), path(12, true)]);
    let routes = owner.answer(owner.handle.routes());
    let ids = routes.iter().filter(|route| route.prefix.to_string() == TWICE).map(|route| route.path_id);
    assert!(ids.clone().all(|id| id != 0), "{:?}", ids.collect::<Vec<_>>());
    until("FRR has our path with its identifier", || {
        let text = frr.json("show bgp ipv4 unicast 10.1.0.0/16 json").to_string();
        text.contains("65000 65000") && text.contains("\"addpathRxId\":1") || text.contains("\"rxId\":1")
    });
    // A change of our path replaces it.
    owner.originate(vec![route("10.1.0.0/16", 2)]);
    until("FRR has one path of ours, the longer one", || {
        let shown = frr.json("show bgp ipv4 unicast 10.1.0.0/16 json");
        let paths = shown["paths"].as_array().cloned().unwrap_or_default();
        paths.len() == 1 && paths[0]["aspath"]["string"] == "65000 65000 65000"
    });
    owner.originate(Vec::new());
    until("FRR has none", || {
        frr.json("show bgp ipv4 unicast 10.1.0.0/16 json")["paths"].as_array().is_none_or(Vec::is_empty)
    });
    // One of the two goes.
    fed.remove(0).hang_up();
    until("one path is left", || paths(&owner) == [path(12, true)]);
    let summary = owner.only_neighbor();
    assert_eq!((summary.malformed_attributes, summary.established_count), (0, 1));
}

#[test]
fn bird_tells_all_its_paths_and_takes_ours() {
    let (here, there) = Netns::pair();
    let bird = Bird::run(
        Release::Bird2,
        &there,
        "router id 192.0.2.2;\nprotocol device {}\nprotocol direct { ipv4; ipv6; }\n\
         protocol static a { ipv4; route 10.50.0.0/16 via 192.0.2.21; }\n\
         protocol static b { ipv4; route 10.50.0.0/16 via 192.0.2.22; }\n\
         protocol bgp p { local 192.0.2.2 as 65001; neighbor 192.0.2.1 as 65000; connect delay time 1; \
         ipv4 { import all; export where source = RTS_STATIC; add paths on; next hop keep; }; \
         ipv6 { import all; export none; next hop address 2001:db8::2; }; }\n",
    );
    let mut owner = Owner::start(&here, speaker(both(), Multipath { paths: 2, relax: false }));
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    owner.until_up();
    until("both paths are there and used", || paths(&owner) == [path(21, true), path(22, true)]);
    until("BIRD has what it should", || {
        let text = bird.show("show route 10.1.0.0/16 all");
        text.contains("BGP.as_path: 65000 65000")
    });
    owner.originate(Vec::new());
    until("BIRD has what it should", || {
        let text = bird.show("show route 10.1.0.0/16");
        !text.contains("unicast")
    });
    bird.show("disable a");
    until("one path is left", || paths(&owner) == [path(22, true)]);
}

#[test]
fn neighbor_without_the_capability_has_one_path_and_no_identifiers() {
    let (here, there) = Netns::pair();
    let bgp = activated("192.0.2.1", 65000, "").replace(
        "  network 10.9.0.0/16\n",
        "  network 10.9.0.0/16\n  neighbor 192.0.2.1 disable-addpath-rx\n",
    );
    let frr = Frr::start(&there, 65001, &bgp);
    let mut owner = Owner::start(&here, speaker(both(), Multipath::OFF));
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    assert_eq!(owner.until_route("10.9.0.0/16").as_deref(), Some(THEM));
    until("FRR has our route", || {
        frr.json("show bgp ipv4 unicast 10.1.0.0/16 json").to_string().contains("65000 65000")
    });
    assert!(owner.answer(owner.handle.routes()).iter().all(|route| route.path_id == 0));
    assert_eq!(owner.only_neighbor().remote_as, Asn(65001));
}
