//! Long-lived graceful restart (RFC 9494) with real neighbors that are killed and do not come back.

use bgp_speaker::{
    Community, Event, Families, LongLived, NeighborConfig, Offer, Prefix, RestartOffer, RouteView,
    SpeakerConfig,
};

use crate::frr::{Frr, activated, until};
use crate::matrix::bird::Bird;
use crate::matrix::peer::Release;
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor};

/// What both of them announce.
const PREFIX: &str = "10.9.0.0/16";

/// A speaker that keeps its neighbor's routes over a restart, and long after.
fn keeping(here: &Netns, their_as: u32) -> Owner {
    let restart = RestartOffer {
        time_secs: 1,
        notification: false,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::NONE,
    };
    let long_lived = LongLived { ipv4_secs: Some(2), ipv6_secs: Some(2), forwarding: Families::NONE };
    let offer = Offer { graceful_restart: Some(restart), long_lived: Some(long_lived), ..Offer::default() };
    let neighbor = NeighborConfig { offer, ..neighbor("192.0.2.2", their_as) };
    Owner::start(here, SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) })
}

fn view(owner: &Owner) -> Option<RouteView> {
    let prefix: Prefix = PREFIX.parse().unwrap();
    owner.answer(owner.handle.routes()).into_iter().find(|route| route.prefix == prefix)
}

/// The neighbor has been killed: its routes are stale, then marked, then gone.
fn outlives_by_its_long_lived_time(owner: &mut Owner) {
    owner.until_down();
    let kept = view(owner).expect("kept while it restarts");
    assert!(kept.stale && !kept.attributes.communities.contains(&Community::LLGR_STALE), "{kept:?}");
    until("the route is long-lived stale", || {
        view(owner).expect("kept long after").attributes.communities.contains(&Community::LLGR_STALE)
    });
    let prefix: Prefix = PREFIX.parse().unwrap();
    owner.until(|event| match event {
        Event::BestPathsChanged(changes) => {
            changes.iter().any(|change| change.prefix == prefix && change.paths.is_empty()).then_some(())
        }
        Event::NeighborUp { .. }
        | Event::NeighborDown { .. }
        | Event::NextHopsWanted(_)
        | Event::Converged { .. } => None,
    });
    assert!(view(owner).is_none());
}

#[test]
fn routes_of_a_killed_bird_become_the_last_choice_and_end_after_its_time() {
    let (here, there) = Netns::pair();
    let bird = Bird::run(
        Release::Bird2,
        &there,
        "router id 192.0.2.2;\nprotocol device {}\nprotocol direct { ipv4; ipv6; }\n\
         protocol static s4 { ipv4; route 10.9.0.0/16 blackhole; }\n\
         protocol bgp b { local 192.0.2.2 as 65001; neighbor 192.0.2.1 as 65000; connect delay time 1; \
         graceful restart on; graceful restart time 3; \
         long lived graceful restart on; long lived stale time 2; \
         ipv4 { import all; export all; next hop address 192.0.2.2; }; }\n",
    );
    let mut owner = keeping(&here, 65001);
    assert!(owner.until_route(PREFIX).is_some());
    drop(bird);
    outlives_by_its_long_lived_time(&mut owner);
}

#[test]
fn routes_of_a_killed_frr_become_the_last_choice_and_end_after_its_time() {
    let (here, there) = Netns::pair();
    let restarts = " bgp graceful-restart\n bgp graceful-restart restart-time 3\n \
                    bgp long-lived-graceful-restart stale-time 2\n";
    let mut frr = Frr::start(&there, 65001, &format!("{restarts}{}", activated("192.0.2.1", 65000, "")));
    let mut owner = keeping(&here, 65001);
    assert!(owner.until_route(PREFIX).is_some());
    frr.end_bgpd();
    outlives_by_its_long_lived_time(&mut owner);
}
