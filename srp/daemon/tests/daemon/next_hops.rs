//! Next hops that are routers away: an internal neighbour behind two ways, and the operator's routes to it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lab::netns::{Netns, next_prefix};
use srp_core::api::{Request, Response};

use crate::support::{Daemon, Keys, Pair};

/// The chassis is 10.8.8.8, the neighbour 10.9.9.9, and two routers stand between them.
const CHASSIS: &str = r#"
[context.bgp]
as = 65001
router-id = "10.8.8.8"

[[context.bgp.neighbor]]
address = "10.9.9.9"
local-address = "10.8.8.8"
remote-as = 65001
hold-time = "180s"
ipv6 = true
next-hop-ipv6 = "2001:db8:8::8"
import = ["any"]
"#;

/// The border's part of it. IPv6 routes have the next hop of a third party.
const BGP: &str = "\
protocol static {
  ipv4;
  route 172.20.0.0/16 blackhole;
}
protocol static {
  ipv6;
  route 2001:db8:20::/48 blackhole;
}
protocol bgp {
  local 10.9.9.9 as 65001;
  neighbor 10.8.8.8 as 65001;
  multihop;
  hold time 180;
  connect retry time 1;
  ipv4 { import all; export all; next hop self; };
  ipv6 { import all; export all; next hop address 2001:db8:9::99; };
}
";

const LEARNED: &str = "172.20.0.0/16";
const LEARNED_V6: &str = "2001:db8:20::/48";

/// A BIRD, ended with the test.
struct Bird(Child);

impl Drop for Bird {
    fn drop(&mut self) {
        let _ = self.0.kill(); // may have ended
        let _ = self.0.wait();
    }
}

/// Whose routes lead from end to end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Routing {
    /// The operator's own, by hand.
    Static,
    /// OSPF, by a BIRD everywhere; the southern way costs more.
    Ospf,
}

struct Scene {
    pair: Pair,
    north: Netns,
    _south: Netns,
    _border: Netns,
    _birds: Vec<Bird>,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(routing: Routing) -> Self {
        let pair = Pair::new();
        let prefix = next_prefix();
        let place = |name: &str| Netns::create(format!("{prefix}-{name}")).expect("a namespace (needs root)");
        let (north, south, border) = (place("north"), place("south"), place("border"));
        let east = &pair.east.netns;
        ip(east, &["addr add 10.8.8.8/32 dev lo"]);
        ip(&border, &["addr add 10.9.9.9/32 dev lo", "link set lo up"]);
        for (number, name, router) in [(1, "north", &north), (2, "south", &south)] {
            router.sysctl(&[("ipv4/ip_forward", "1")]).expect("a router forwards");
            for (net, netns, port) in [(1, east, "chassis"), (2, &border, "border")] {
                ip(
                    router,
                    &[
                        &format!("link add {port} type veth peer name {name} netns {}", netns.name()),
                        &format!("addr add 10.{net}.{number}.2/24 dev {port}"),
                        &format!("link set {port} up"),
                    ],
                );
                ip(
                    netns,
                    &[&format!("addr add 10.{net}.{number}.1/24 dev {name}"), &format!("link set {name} up")],
                );
            }
        }
        let folder = tempfile::tempdir().expect("a folder for BIRD");
        let bird = |name: &str, netns: &Netns, configuration: String| {
            let file = |ending: &str| folder.path().join(format!("{name}.{ending}"));
            std::fs::write(file("conf"), configuration).expect("bird.conf");
            let mut command = Command::new("ip");
            command.args(["netns", "exec", netns.name(), "bird", "-f"]);
            command.arg("-c").arg(file("conf")).arg("-s").arg(file("ctl")).arg("-P").arg(file("pid"));
            command.stdout(Stdio::null()).stderr(Stdio::null());
            Bird(command.spawn().expect("BIRD (package bird2) is installed"))
        };
        let birds = match routing {
            Routing::Static => {
                for (number, router) in [(1, &north), (2, &south)] {
                    ip(
                        router,
                        &[
                            &format!("route add 10.8.8.8/32 via 10.1.{number}.1"),
                            &format!("route add 10.9.9.9/32 via 10.2.{number}.1"),
                        ],
                    );
                }
                ip(&border, &["route add 10.8.8.8/32 via 10.2.1.2"]);
                // By the default route alone the session would stand, and its routes would prove nothing.
                ip(
                    east,
                    &[
                        "route add default via 10.1.1.2",
                        "route add 10.9.9.9/32 via 10.1.1.2 proto static metric 20",
                    ],
                );
                vec![bird("border", &border, format!("router id 10.9.9.9;\nprotocol device {{}}\n{BGP}"))]
            }
            Routing::Ospf => {
                let end = [("north", 10), ("south", 50)];
                let router = [("chassis", 10), ("border", 10)];
                vec![
                    bird("east", east, ospf("10.8.8.8", true, end)),
                    bird("north", &north, ospf("10.1.1.2", false, router)),
                    bird("south", &south, ospf("10.1.2.2", false, router)),
                    bird("border", &border, ospf("10.9.9.9", true, end) + BGP),
                ]
            }
        };
        Self { pair, north, _south: south, _border: border, _birds: birds, _folder: folder }
    }

    fn east(&self) -> &Netns {
        &self.pair.east.netns
    }

    fn start(&self) -> Daemon {
        self.pair.east.start(&self.pair.east.configure(&Keys::None, CHASSIS))
    }

    /// Waits until the learned route is this one; none where it is empty.
    fn await_learned(&self, what: &str, wanted: &str) {
        self.pair.east.await_that(what, |place| learned(&place.kernel()) == wanted);
    }
}

/// A BIRD that speaks OSPF on these links at these costs; its router id is an address of its own at the ends.
fn ospf(id: &str, is_end: bool, links: [(&str, u16); 2]) -> String {
    let stub = if is_end { format!("stubnet {id}/32;") } else { String::new() };
    let links = links
        .map(|(name, cost)| format!("interface \"{name}\" {{ type ptp; hello 1; dead 10; cost {cost}; }};"));
    let links = links.join(" ");
    format!(
        "router id {id};
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ import none; export where source ~ [ RTS_OSPF, RTS_OSPF_IA ]; }}; }}
protocol ospf v2 {{ ipv4 {{ import all; export none; }}; area 0 {{ {stub} {links} }}; }}
"
    )
}

fn ip(netns: &Netns, lines: &[&str]) {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    netns.ip(&lines).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
}

fn learned(kernel: &str) -> String {
    let line = kernel.lines().find_map(|line| line.strip_prefix(LEARNED));
    line.map(|line| line.split(" proto").next().unwrap_or_default().trim().to_owned()).unwrap_or_default()
}

/// State and since when.
fn session(daemon: &Daemon) -> (String, u64) {
    match daemon.ask(&Request::ShowBgpSummary).expect("an answer") {
        Response::BgpSummary(contexts) => {
            let neighbor = &contexts[0].neighbors[0];
            (neighbor.state.clone(), neighbor.since_us)
        }
        other => panic!("{other:?}"),
    }
}

/// What is said of the learned route: the verdict, and how its next hop is reached.
fn said(daemon: &Daemon) -> (String, String) {
    said_of(LEARNED, daemon)
}

fn said_of(prefix: &str, daemon: &Daemon) -> (String, String) {
    match daemon.ask(&Request::ShowBgpRoutes { to: Some(prefix.to_owned()) }).expect("an answer") {
        Response::BgpRoutes(tables) => {
            let path = tables[0].paths.first();
            path.map(|path| (path.verdict.clone(), path.reached.clone().unwrap_or_default()))
                .unwrap_or_default()
        }
        other => panic!("{other:?}"),
    }
}

fn is_untouched(daemon: &Daemon, since: u64) {
    let (state, after) = session(daemon);
    assert!(state == "Established" && since.abs_diff(after) < 1_000_000, "the session was never touched");
}

#[test]
fn learned_route_follows_the_operators_route_to_its_next_hop() {
    let scene = Scene::new(Routing::Static);
    let east = scene.start();
    scene.await_learned("learned, by the gateway of the static route", "via 10.1.1.2 dev north");
    let (state, since) = session(&east);
    assert_eq!(state, "Established");
    let by = |gateway: &str| format!("by 10.9.9.9/32 proto static metric 20 via {gateway}");
    assert_eq!(said(&east), ("best".into(), by("10.1.1.2 on north")));

    ip(scene.east(), &["route replace 10.9.9.9/32 via 10.1.2.2 proto static metric 20"]);
    scene.await_learned("moved to the other gateway", "via 10.1.2.2 dev south");
    assert_eq!(said(&east), ("best".into(), by("10.1.2.2 on south")));

    ip(scene.east(), &["route del 10.9.9.9/32 via 10.1.2.2 proto static metric 20"]);
    scene.await_learned("gone: a default route leads to everything", "");
    let unreachable = "unusable: the next hop is unreachable".to_owned();
    assert_eq!(said(&east), (unreachable.clone(), "not reached: no route but a default route".into()));
    ip(scene.east(), &["route add blackhole 10.9.9.0/24"]);
    let drops = (unreachable, "not reached: a route that drops".to_owned());
    east.await_info("another reason", |_| said(&east) == drops);
    ip(scene.east(), &["route del blackhole 10.9.9.0/24"]);

    ip(
        scene.east(),
        &["route add 10.9.9.0/24 proto static metric 20 nexthop via 10.1.1.2 nexthop via 10.1.2.2"],
    );
    let both = |kernel: &str| {
        let route = kernel.split(LEARNED).nth(1).unwrap_or_default();
        let hops: String = route.lines().take(3).collect();
        ["10.1.1.2", "10.1.2.2"].iter().all(|gateway| hops.contains(gateway))
    };
    scene.pair.east.await_that("by both gateways", |place| both(&place.kernel()));

    ip(scene.east(), &["link set south down"]);
    scene.await_learned("by the one that is left", "via 10.1.1.2 dev north");
    is_untouched(&east, since);
}

#[test]
fn next_hop_of_a_third_party_is_reached_by_ipv6_routes() {
    let scene = Scene::new(Routing::Static);
    for (number, link) in [(1, "north"), (2, "south")] {
        ip(scene.east(), &[&format!("addr add 2001:db8:{number}::1/64 dev {link} nodad")]);
    }
    let east = scene.start();
    let unreachable = "unusable: the next hop is unreachable".to_owned();
    let nothing = (unreachable, "not reached: no route".to_owned());
    east.await_info("no route", |_| said_of(LEARNED_V6, &east) == nothing);
    let await_hops = |what: &str, wanted: &[&str]| {
        scene.pair.east.await_that(what, |place| {
            let mut command = Command::new("ip");
            command.args(["-n", place.netns.name(), "-6", "route", "show", LEARNED_V6]);
            let shown = String::from_utf8(command.output().expect("ip").stdout).expect("text");
            let hops: Vec<&str> = shown.split_whitespace().filter(|word| word.ends_with("::2")).collect();
            hops == wanted
        });
    };
    ip(scene.east(), &["route add 2001:db8:9::/48 via 2001:db8:1::2 metric 20"]);
    await_hops("by the one gateway", &["2001:db8:1::2"]);
    let by = "by 2001:db8:9::/48 proto boot metric 20 via 2001:db8:1::2 on north";
    assert_eq!(said_of(LEARNED_V6, &east), ("best".into(), by.into()));
    ip(scene.east(), &["route append 2001:db8:9::/48 via 2001:db8:2::2 metric 20"]);
    await_hops("by both", &["2001:db8:1::2", "2001:db8:2::2"]);
    ip(scene.east(), &["link set north down"]);
    await_hops("by the one that is left", &["2001:db8:2::2"]);
    ip(scene.east(), &["route del 2001:db8:9::/48 via 2001:db8:2::2 metric 20"]);
    await_hops("gone", &[]);
}

/// What the kernel tells of routes from now on.
fn monitor(netns: &Netns, file: &Path) -> Bird {
    let file = File::create(file).expect("a file");
    let mut command = Command::new("ip");
    command.args(["-n", netns.name(), "monitor", "route"]);
    Bird(command.stdout(file).spawn().expect("ip"))
}

#[test]
fn learned_route_moves_with_ospf_and_is_never_gone() {
    let scene = Scene::new(Routing::Ospf);
    let east = scene.start();
    scene.await_learned("learned, by the cheaper way", "via 10.1.1.2 dev north");
    let (_, since) = session(&east);
    assert_eq!(said(&east).1, "by 10.9.9.9/32 proto bird metric 32 via 10.1.1.2 on north");
    let told = scene.pair.file("monitor");
    let _monitor = monitor(scene.east(), &told);
    // Two routers away: no link of the chassis changes.
    ip(&scene.north, &["link set border down"]);
    scene.await_learned("by the other way", "via 10.1.2.2 dev south");
    ip(&scene.north, &["link set border up"]);
    scene.await_learned("back again", "via 10.1.1.2 dev north");
    let told = std::fs::read_to_string(told).expect("what ip monitor wrote");
    let learned: Vec<&str> = told.lines().filter(|line| line.contains(LEARNED)).collect();
    assert!(learned.len() >= 2 && !learned.iter().any(|line| line.contains("Deleted")), "{told}");
    is_untouched(&east, since);
}

/// Routes of others that come and go without a meaning for us: a peer that loads a table.
const STRANGERS: u32 = 10_000;

#[test]
fn ten_thousand_routes_of_others_delay_no_hello() {
    let scene = Scene::new(Routing::Static);
    let east = scene.start();
    let west = scene.pair.west.start(&scene.pair.west.configure(&Keys::None, ""));
    scene.await_learned("next hops are watched", "via 10.1.1.2 dev north");
    for chassis in [&east, &west] {
        chassis.await_info("a pair", |info| {
            info.peer.as_ref().is_some_and(|peer| peer.state != info.chassis_state)
        });
    }
    let before = [&east, &west].map(|chassis| chassis.info().expect("info"));
    for action in ["add", "del"] {
        let lines = (0..STRANGERS).map(|number| {
            let [_, high, middle, low] = number.to_be_bytes();
            format!("route {action} 100.{high}.{middle}.{low}/32 via 10.1.1.2 metric 20")
        });
        scene.east().ip(&lines.collect::<Vec<_>>()).expect("a storm");
    }
    // Behind the storm, and seen in spite of it.
    ip(scene.east(), &["route replace 10.9.9.9/32 via 10.1.2.2 proto static metric 20"]);
    scene.await_learned("moved to the other gateway", "via 10.1.2.2 dev south");
    for (was, chassis) in before.iter().zip([&east, &west]) {
        let is = chassis.info().expect("info");
        assert_eq!((is.connection_ups, is.switchovers), (was.connection_ups, was.switchovers), "{is:?}");
        assert_eq!(is.chassis_state, was.chassis_state);
    }
}
