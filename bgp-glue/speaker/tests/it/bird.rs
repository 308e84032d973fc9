//! Against BIRD, what the matrix does not have.

use bgp_speaker::{NeighborConfig, SpeakerConfig};

use crate::frr::until;
use crate::matrix::bird::Bird;
use crate::matrix::peer::{PLAIN, Peer, Release, Session};
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor};

fn speaker(netns: &Netns, local_as: u32, neighbor: NeighborConfig) -> Owner {
    Owner::start(netns, SpeakerConfig { neighbors: vec![neighbor], ..config(local_as, 1) })
}

/// BIRD dials too.
const BOTH: Session = Session { peer_opens: true, ..PLAIN };

#[test]
fn session_comes_back_whenever_both_sides_open_it_at_once() {
    let (here, there) = Netns::pair();
    let bird = Bird::start(Release::Bird2, &there, &BOTH, "error wait time 1, 1;");
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    for _ in 0..5 {
        bird.show("restart b");
        owner.until_up();
        until("BIRD agrees", || bird.established());
    }
}

#[test]
fn silent_neighbor_is_given_up_after_the_hold_time() {
    let (here, there) = Netns::pair();
    let bird = Bird::start(Release::Bird2, &there, &BOTH, "hold time 3;");
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    bird.stop();
    assert_eq!(owner.until_down(), "we sent NOTIFICATION hold timer expired (4/0)");
}
