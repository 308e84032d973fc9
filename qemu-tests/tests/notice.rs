//! A planned hand-over as routers hear it: before the old Active withdraws its routes it announces them as the last choice,
//! with `GRACEFUL_SHUTDOWN` (RFC 8326 section 4.1). Read from the routers' own tables.

mod support;

use std::time::Duration;

use lab::error::LabError;
use lab::frr::show::Path;
use lab::lab::{Lab, Router};
use lab::routing::Software;
use lab::scenario::stage::LIMIT;
use lab::topology::Topology;
use lab::wait::{self, Seen};
use support::{build, start};

/// How often tables are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a router has of `chassis`: the path to each service.
fn paths_from(lab: &Lab, router: &Router, chassis: &str) -> Result<Vec<Path>, LabError> {
    let neighbors = lab.topology.neighbors(router.node.name());
    let of_chassis: Vec<_> = neighbors
        .iter()
        .filter(|neighbor| neighbor.node == chassis)
        .map(|neighbor| neighbor.address)
        .collect();
    let mut found = Vec::new();
    for service in &lab.topology.services {
        let paths = router.routing.paths(service)?;
        found.extend(paths.0.into_iter().filter(|path| of_chassis.contains(&path.peer)));
    }
    Ok(found)
}

/// Hands over from east to west, and waits until every router has the old Active's paths marked, and `ranked` as it should.
fn hand_over(routers: Software, ranked: fn(&Path) -> bool) {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, mut settings) = build(Topology::pair().with_routers(routers), out.path(), None);
    for text in settings.configurations.values_mut() {
        // Long enough to be seen by commands.
        *text = text.replace("[context.bgp]\n", "[context.bgp]\ngraceful-shutdown = \"5s\"\n");
    }
    let stage = start(&lab, settings);
    for router in &lab.routers {
        let before = paths_from(&lab, router, "east").expect("answers");
        assert_eq!(before.len(), lab.topology.services.len());
        assert!(before.iter().all(|path| !path.graceful_shutdown), "{before:?}");
    }
    std::thread::scope(|scope| {
        let order = scope.spawn(|| stage.srpd("east").expect("runs").initiate_switchover().expect("is done"));
        for router in &lab.routers {
            let warned = wait::until("the old Active's warning", LIMIT, LOOK, || {
                let paths = paths_from(&lab, router, "east")?;
                let warned = paths.iter().filter(|path| path.graceful_shutdown && ranked(path)).count();
                Ok(if warned == lab.topology.services.len() {
                    Seen::Done(())
                } else {
                    Seen::NotYet(format!("{paths:?}"))
                })
            });
            warned.expect("is heard");
        }
        order.join().expect("no panic");
    });
    stage.until_routes_lead_to("west").expect("routers follow");
    for router in &lab.routers {
        wait::until_true("the old Active's routes are gone", LIMIT, LOOK, || {
            Ok(paths_from(&lab, router, "east")?.is_empty())
        })
        .expect("they go");
    }
}

#[test]
fn frr_hears_the_warning_and_ranks_the_old_active_last() {
    hand_over(Software::Frr, |path| path.local_pref == Some(0) && !path.best);
}

#[test]
fn bird_hears_the_warning() {
    hand_over(Software::Bird, |_| true);
}

#[test]
fn gobgp_hears_the_warning() {
    hand_over(Software::GoBgp, |_| true);
}
