//! Two contexts in one daemon, each with an AS, an identifier and a routing table of its own and a router behind it.

use std::process::Command;
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::neighbor_bfd::Router;
use crate::support::{Keys, PATIENCE, Pair, Place};

/// `red` and `blue` have the same pool, and both routers tell the same prefix.
fn contexts() -> String {
    let context = |name: &str, number: u32| {
        format!(
            "\n[[context]]\nname = \"{name}\"\ntable = 100{number}\n\
             [[context.pool]]\nname = \"p\"\nprefix = \"172.20.0.0/16\"\n\
             [context.bgp]\nas = 6500{number}\nrouter-id = \"192.0.2.10{number}\"\nlisten = [\"10.{number}.0.1\"]\n\
             [[context.bgp.neighbor]]\naddress = \"10.{number}.0.2\"\nlocal-address = \"10.{number}.0.1\"\n\
             remote-as = 6510{number}\nimport = [\"10.9.0.0/16\"]\n"
        )
    };
    context("red", 1) + &context("blue", 2)
}

/// FRR behind a wire from `east`: 10.N.0.2 of AS 6510N, with one prefix to tell.
pub fn router(east: &Place, number: u32) -> Router {
    let netns = Netns::create(format!("{}-r{number}", next_prefix())).expect("a namespace (needs root)");
    let peer = netns.name();
    let lines = [
        format!("link add r{number} type veth peer name net netns {peer}"),
        format!("addr add 10.{number}.0.1/24 dev r{number}"),
        format!("link set r{number} up"),
    ];
    east.netns.ip(&lines).expect("a wire to the router");
    let lines =
        [format!("addr add 10.{number}.0.2/24 dev net"), "link set net up".into(), "link set lo up".into()];
    netns.ip(&lines).expect("its other end");
    let mut router = Router::begin(netns);
    router.bgpd(&format!(
        "router bgp 6510{number}\n bgp router-id 10.{number}.0.2\n no bgp ebgp-requires-policy\n \
         no bgp network import-check\n neighbor 10.{number}.0.1 remote-as 6500{number}\n \
         neighbor 10.{number}.0.1 timers connect 1\n address-family ipv4 unicast\n  network 10.9.0.0/16\n exit\nexit\n"
    ));
    router
}

fn routes(place: &Place, table: &str) -> String {
    let arguments = ["-n", place.netns.name(), "route", "show", "table", table];
    let output = Command::new("ip").args(arguments).output().expect("ip runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn contexts_of_one_daemon_share_a_port_and_no_routes() {
    let pair = Pair::new();
    let east = &pair.east;
    let routers = [router(east, 1), router(east, 2)];
    let daemon = east.start(&east.configure(&Keys::None, &contexts()));
    daemon.await_state(ChassisState::Active);
    for (number, router) in [1, 2].into_iter().zip(&routers) {
        router.await_that("the pool is there, from the context's own AS", |router| {
            let route = router.asks("bgpd", "show bgp ipv4 unicast 172.20.0.0/16 json");
            route.is_some_and(|route| route["paths"][0]["aspath"]["string"] == format!("6500{number}"))
        });
        let (table, learned) = (format!("100{number}"), format!("10.9.0.0/16 via 10.{number}.0.2"));
        until("the context's table has what its router tells", PATIENCE, Duration::from_millis(20), || {
            let routes = routes(east, &table);
            Ok(if routes.contains(&learned) { Seen::Done(()) } else { Seen::NotYet(routes) })
        })
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(routes(east, &table).matches("10.9.0.0/16").count(), 1);
    }
    let main = routes(east, "main");
    assert!(!main.contains("10.9.0.0/16") && !main.contains("172.20.0.0/16"), "{main}");

    let Ok(Response::BgpNeighbors(all)) = daemon.ask(&Request::ShowBgpNeighbors { neighbor: None }) else {
        panic!("an answer")
    };
    let seen: Vec<_> = all
        .iter()
        .map(|one| (one.context.as_str(), one.local_as, one.address.as_str(), one.state.as_str()))
        .collect();
    assert_eq!(
        seen,
        [("red", 65_001, "10.1.0.2", "Established"), ("blue", 65_002, "10.2.0.2", "Established")]
    );
    let red = &all[0];
    assert!(
        red.messages.iter().all(|count| count.kind != "OPEN" || (count.received > 0 && count.sent > 0)),
        "{red:?}"
    );
    assert!(
        red.capabilities.iter().any(|row| row.name == "route refresh" && row.theirs.is_some()),
        "{red:?}"
    );
    // FRR may tell us our own pool as well, which the AS path keeps out.
    assert_eq!((red.prefixes_accepted, red.families[0].announced), (1, 1), "{red:?}");
    assert_eq!((red.hold_time_ms, red.negotiated_hold_time_ms), (9_000, Some(9_000)));
}
