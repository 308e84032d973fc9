//! Tables of prepends, as a neighbor sees them.

use bgp_speaker::{NeighborConfig, Prepends, SpeakerConfig};

use crate::frr::{Frr, activated};
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};

fn with_table(entries: &[u8]) -> SpeakerConfig {
    let prepends = Prepends::new(entries.to_vec()).expect("it rises");
    SpeakerConfig {
        neighbors: vec![NeighborConfig { prepends, ..neighbor("192.0.2.2", 65001) }],
        ..config(65000, 1)
    }
}

#[test]
fn frr_sees_our_as_as_often_as_its_table_says_and_a_reload_keeps_the_session() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, ""));
    let mut owner = Owner::start(&here, with_table(&[0, 2]));
    owner.until_up();
    for (modifier, path) in
        [(0, "65000"), (1, "65000"), (2, "65000 65000 65000"), (3, "65000 65000 65000 65000")]
    {
        owner.originate(vec![route("10.1.0.1/32", modifier)]);
        frr.until_path("10.1.0.1/32", path);
    }
    owner.answer(owner.handle.reload(with_table(&[]))).expect("the configuration is good");
    owner.originate(vec![route("10.1.0.1/32", 1)]);
    frr.until_path("10.1.0.1/32", "65000 65000");
    owner.answer(owner.handle.reload(with_table(&[4]))).expect("the configuration is good");
    frr.until_path("10.1.0.1/32", "65000 65000 65000 65000 65000");
    assert_eq!(owner.only_neighbor().established_count, 1);
}
