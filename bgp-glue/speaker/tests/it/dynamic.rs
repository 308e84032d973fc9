//! Neighbors of a range that may have one of several AS numbers.

use bgp_proto::wire::notification::reason;
use bgp_speaker::{Asn, NeighborConfig, NeighborRange, SpeakerConfig};

use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};
use crate::scripted_peer::{ScriptedPeer, open};

#[test]
fn neighbor_of_a_range_may_have_any_as_of_its_list_and_no_other() {
    let (here, there) = Netns::pair();
    let range = NeighborRange {
        prefix: "192.0.2.0/24".parse().unwrap(),
        limit: 5,
        neighbor: NeighborConfig { alternate_as: vec![Asn(65002)], ..neighbor("192.0.2.0", 65001) },
    };
    let mut owner = Owner::start(&here, SpeakerConfig { ranges: vec![range], ..config(65000, 1) });
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    for asn in [65001, 65002] {
        let mut peer = ScriptedPeer::connect(&there, "192.0.2.2:0", "192.0.2.1:179");
        peer.establish(&open(asn, 90, 2));
        owner.until_up();
        let summary = owner.only_neighbor();
        assert_eq!((summary.remote_as, summary.dynamic), (Asn(asn), true));
        assert_eq!(peer.hear_update().announced[0].attributes.as_path.to_string(), "65000 65000");
        peer.hang_up();
        owner.until_down();
        crate::frr::until("the place is free", || owner.summary().neighbors.is_empty());
    }
    let mut peer = ScriptedPeer::connect(&there, "192.0.2.2:0", "192.0.2.1:179");
    peer.send_open(&open(65003, 90, 2));
    assert!(peer.hear_the_end().is(reason::BAD_PEER_AS));
}
