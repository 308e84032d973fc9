//! A neighbour by its interface alone, on a link without any address but the link-local ones: FRR with
//! `neighbor net interface`, routes of both families in both kernels, and packets by them.

use std::process::Command;
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use srp_core::api::{BgpNeighbor, ClearBgp, Request, Response};
use srp_core::types::ChassisState;

use crate::neighbor_bfd::Router;
use crate::support::{Daemon, Keys, PATIENCE, Pair};

const CHASSIS: &str = r#"
[[context.loopback]]
name = "six"
address = "2001:db8:1::1/128"

[context.bgp]
as = 65001
router-id = "10.1.0.1"

[[context.bgp.neighbor]]
interface = "r1"
remote-as = 65101
import = ["10.9.0.0/16", "2001:db8:9::/48"]
"#;

const BGPD: &str = "\
router bgp 65101
 bgp router-id 10.1.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor net interface remote-as external
 neighbor net timers connect 1
 address-family ipv4 unicast
  network 10.9.0.0/16
 exit
 address-family ipv6 unicast
  neighbor net activate
  network 2001:db8:9::/48
 exit
exit
";

fn routes(netns: &Netns, family: &str) -> String {
    let output = Command::new("ip").args(["-n", netns.name(), family, "route"]).output().expect("ip runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn await_route(what: &str, netns: &Netns, family: &str, wanted: impl Fn(&str) -> bool) {
    until(what, PATIENCE, Duration::from_millis(20), || {
        let routes = routes(netns, family);
        Ok(if wanted(&routes) { Seen::Done(()) } else { Seen::NotYet(routes) })
    })
    .unwrap_or_else(|error| panic!("{error}"));
}

fn answers(from: &Netns, source: &str, target: &str) -> bool {
    let ping = ["netns", "exec", from.name(), "ping", "-c1", "-W5", "-I", source, target];
    Command::new("ip").args(ping).output().expect("ping (package iputils-ping) is installed").status.success()
}

fn neighbor(daemon: &Daemon) -> BgpNeighbor {
    match daemon.ask(&Request::ShowBgpSummary).expect("an answer") {
        Response::BgpSummary(contexts) => contexts[0].neighbors[0].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn neighbour_without_an_address_is_found_and_its_routes_forward() {
    let pair = Pair::new();
    let east = &pair.east;
    let daemon = east.start(&east.configure(&Keys::None, CHASSIS));
    daemon.await_state(ChassisState::Active);
    daemon.await_info("the link is waited for", |_| {
        neighbor(&daemon)
            .last_error
            .is_some_and(|error| error.ends_with("no router has advertised itself on r1 yet"))
    });

    let netns = Netns::create(format!("{}-r", next_prefix())).expect("a namespace (needs root)");
    let lines =
        [format!("link add r1 type veth peer name net netns {}", netns.name()), "link set r1 up".into()];
    east.netns.ip(&lines).expect("a wire to the router");
    let lines = [
        "link set net up",
        "link set lo up",
        "addr add 10.9.0.1/32 dev lo",
        "addr add 2001:db8:9::1/128 dev lo",
    ];
    netns.ip(&lines.map(String::from)).expect("its other end");
    let mut router = Router::begin(netns);
    router.bgpd(BGPD);

    let learned = |routes: &str| routes.contains("10.9.0.0/16 via inet6 fe80::");
    await_route("the IPv4 route is in our kernel, by IPv6", &east.netns, "-4", learned);
    await_route("and the IPv6 route", &east.netns, "-6", |routes| {
        routes.contains("2001:db8:9::/48 via fe80::")
    });
    let announced = |routes: &str| routes.contains("203.0.113.1") && routes.contains("via inet6 fe80::");
    await_route("the loopback is in the router's kernel, by IPv6", &router.netns, "-4", announced);
    await_route("and the IPv6 one", &router.netns, "-6", |routes| routes.contains("2001:db8:1::1 "));
    assert!(
        answers(&router.netns, "10.9.0.1", "203.0.113.1"),
        "IPv4 is forwarded by IPv6 next hops, both ways"
    );
    assert!(answers(&router.netns, "2001:db8:9::1", "2001:db8:1::1"), "and IPv6");

    let seen = neighbor(&daemon);
    assert_eq!(
        (seen.address.as_str(), seen.state.as_str(), seen.prefixes_accepted),
        ("r1", "Established", 2)
    );
    assert!(seen.found.is_some_and(|found| found.starts_with("fe80::")));
    let clear = Request::ClearBgp { neighbor: "r1".into(), what: ClearBgp::Session };
    assert!(matches!(daemon.ask(&clear), Ok(Response::BgpCleared(_))));
    daemon.await_info("it was cleared and is back", |_| {
        let seen = daemon.neighbor("r1");
        let cleared = seen.last_loss.is_some_and(|why| why.contains("administrative reset"));
        seen.state == "Established" && seen.established == 2 && cleared
    });
    await_route("with its routes", &east.netns, "-4", learned);

    router.netns.ip(&["link set net down".into()]).expect("a link goes down");
    daemon.await_info("the session ends with the carrier", |_| {
        let seen = neighbor(&daemon);
        seen.state != "Established" && seen.found.is_none()
    });
    await_route("and its routes", &east.netns, "-4", |routes| !learned(routes));
    router.netns.ip(&["link set net up".into()]).expect("it comes back");
    await_route("so does the route", &east.netns, "-4", learned);
}
