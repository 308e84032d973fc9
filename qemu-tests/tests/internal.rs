//! A real FRR as an internal neighbour (iBGP) of both chassis. It sees no prepends (RFC 4271 section 5.1.2); the route
//! modifier reaches it as LOCAL_PREF, and it must prefer the right chassis by that alone. Router r1 is the internal
//! one, r2 stays external.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ipnetwork::IpNetwork;
use lab::lab::{Lab, Router};
use lab::scenario::stage::Stage;
use lab::topology::Topology;
use srp_core::types::ChassisState;
use support::{build, start};

/// The internal router.
const INTERNAL: &str = "r1";

/// A path as r1 has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Offer {
    chassis: String,
    local_pref: u32,
    best: bool,
}

fn router(lab: &Lab) -> &Router {
    lab.router(INTERNAL).expect("is there")
}

/// The paths of r1 to `service`. None of them may have an AS in its path: their origin is r1's own.
fn offers(lab: &Lab, service: &IpNetwork) -> Vec<Offer> {
    let paths = router(lab).routing.paths(service).expect("FRR answers");
    let neighbors = lab.topology.neighbors(INTERNAL);
    let offer = |path: lab::frr::show::Path| {
        assert_eq!(path.as_path, [0_u32; 0], "prepends towards an internal neighbour: {path:?}");
        let chassis = neighbors.iter().find(|neighbor| neighbor.address == path.peer);
        Offer {
            chassis: chassis.expect("the path of a chassis").node.clone(),
            local_pref: path.local_pref.expect("an internal path has LOCAL_PREF"),
            best: path.best,
        }
    };
    paths.0.into_iter().map(offer).collect()
}

/// What r1 has of every service.
fn all_offers(lab: &Lab) -> Vec<(IpNetwork, Vec<Offer>)> {
    lab.topology.services.iter().map(|service| (*service, offers(lab, service))).collect()
}

/// Modifier of `chassis` and the `LOCAL_PREF` of its routes, which is one for all of them.
fn rank(stage: &Stage<'_>, chassis: &str) -> (u16, u32) {
    let mut found = Vec::new();
    for (service, offers) in all_offers(stage.lab) {
        let own = offers.into_iter().find(|offer| offer.chassis == chassis);
        found.push(own.unwrap_or_else(|| panic!("no path to {service} from {chassis}")).local_pref);
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 1, "{chassis} has one LOCAL_PREF for all its routes: {found:?}");
    (stage.view(chassis).expect("answers").modifier, found[0])
}

/// r1 prefers `chassis` for every service, in FRR and in its kernel, and holds nothing that stands level with it.
fn prefers(lab: &Lab, chassis: &str) {
    for (service, offers) in all_offers(lab) {
        let best = offers.iter().find(|offer| offer.best).expect("a best path");
        assert_eq!(best.chassis, chassis, "{service}: {offers:?}");
        let others = offers.iter().filter(|offer| !offer.best);
        assert!(others.into_iter().all(|offer| offer.local_pref < best.local_pref), "{service}: {offers:?}");
        let leads = router(lab).leads_to(&lab.topology, &service).expect("the kernel answers");
        assert_eq!(leads.as_deref(), Some(chassis), "{service}");
    }
}

/// Ends the looking also when what is looked at panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Looks at r1 without pause while `act` runs and once more after it; everything that was seen, in order.
fn watched(lab: &Lab, act: impl FnOnce()) -> Vec<(IpNetwork, Vec<Offer>)> {
    let (stop, seen) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let last = stop.load(Ordering::SeqCst);
                let looked = all_offers(lab);
                seen.lock().unwrap_or_else(PoisonError::into_inner).extend(looked);
                if last {
                    break;
                }
            }
        });
        let _stop = Stop(&stop);
        act();
    });
    seen.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn bgp_2_an_internal_router_prefers_the_active_by_local_pref_all_through_planned_switchovers() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair().with_internal(INTERNAL), out.path(), None);
    let stage = start(&lab, settings);
    prefers(&lab, "east");
    let mut ranks = vec![rank(&stage, "east")];

    for (from, to) in [("east", "west"), ("west", "east")] {
        let seen = watched(&lab, || {
            stage.srpd(from).expect("runs").initiate_switchover().expect("is done");
            stage.until_routes_lead_to(to).expect("routers follow");
            stage.until_settled(to).expect("settles");
        });
        for service in &lab.topology.services {
            let looks: Vec<_> =
                seen.iter().filter(|(of, _)| of == service).map(|(_, offers)| offers).collect();
            let mut best: Vec<&str> = Vec::new();
            for offers in looks {
                let preferred = offers.iter().find(|offer| offer.best);
                let preferred = preferred.unwrap_or_else(|| panic!("{service} without a path: {offers:?}"));
                let level = offers.iter().filter(|offer| offer.local_pref == preferred.local_pref).count();
                assert_eq!(level, 1, "{service}: two paths stand level: {offers:?}");
                best.push(&preferred.chassis);
            }
            best.dedup();
            // It may have been looked at too late to be seen with the old one, but it never goes back.
            assert!(best == [from, to] || best == [to], "{service}: {best:?}");
        }
        prefers(&lab, to);
        ranks.push(rank(&stage, to));
    }

    let modifiers: Vec<u16> = ranks.iter().map(|(modifier, _)| *modifier).collect();
    assert_eq!(modifiers, [1, 2, 3]);
    assert!(ranks.windows(2).all(|pair| pair[0].1 > pair[1].1), "modifier and LOCAL_PREF: {ranks:?}");
}

#[test]
fn bgp_6_an_internal_router_stays_with_the_former_active_when_both_are() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(Topology::pair().with_internal(INTERNAL), out.path(), None);
    let stage = start(&lab, settings);
    let link = lab.topology.srp_link().expect("has one");

    let seen = watched(&lab, || {
        lab.chassis("west").expect("is there").set_link(link, false).expect("is cut");
        stage
            .until_views("both chassis Active", |views| {
                views.len() == 2 && views.values().all(|view| view.state == ChassisState::Active)
            })
            .expect("both become Active");
        stage.until_paths_from(&["east", "west"]).expect("both announce");
    });
    for (service, offers) in &seen {
        let best = offers.iter().find(|offer| offer.best).map(|offer| offer.chassis.as_str());
        assert_eq!(best, Some("east"), "{service}: {offers:?}");
    }
    prefers(&lab, "east");
    let (east, west) = (rank(&stage, "east"), rank(&stage, "west"));
    assert!(east.0 < west.0 && east.1 > west.1, "modifier and LOCAL_PREF: {east:?}, {west:?}");

    lab.chassis("west").expect("is there").set_link(link, true).expect("is mended");
    stage.until_settled("east").expect("settles");
    prefers(&lab, "east");
}
