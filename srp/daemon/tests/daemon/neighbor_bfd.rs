//! BFD with a BGP neighbour: FRR's bgpd and bfdd behind a switch that can swallow every packet without a link going down.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::netns::{Netns, next_prefix};
use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use nix::unistd::{User, chown};
use serde_json::Value;
use srp_core::api::{BfdSession, BgpNeighbor, Request, Response};
use srp_core::types::ChassisState;

use crate::monitors::{monitors, state};
use crate::support::{Daemon, Keys, PATIENCE, Pair};

/// Nobody waits for this hold time: what is noticed in a test, BFD has noticed.
const BGPD: &str = "\
hostname router
router bgp 65101
 bgp router-id 10.1.0.2
 no bgp ebgp-requires-policy
 neighbor 10.1.0.1 remote-as 65001
 neighbor 10.1.0.1 timers 60 180
 neighbor 10.1.0.1 timers connect 1
 neighbor 10.1.0.1 bfd
 neighbor 10.1.0.1 bfd profile pair
exit
";

const BFDD: &str = "\
bfd
 profile pair
  detect-multiplier 10
  receive-interval 50
  transmit-interval 50
 exit
exit
";

const CHASSIS: &str = r#"
[context.bgp]
as = 65001
router-id = "10.1.0.1"

[[context.bgp.neighbor]]
address = "10.1.0.2"
local-address = "10.1.0.1"
remote-as = 65101
hold-time = "180s"

[context.bgp.neighbor.bfd]
interval = "50ms"
multiplier = 10

[[srp.monitor.bfd]]
context = "destination"
address = "10.1.0.2"
"#;

/// East, a switch and a router, one behind the other.
struct Scene {
    pair: Pair,
    switch: Netns,
    router: Router,
}

/// FRR in a namespace.
pub struct Router {
    pub netns: Netns,
    folder: tempfile::TempDir,
    daemons: Vec<Child>,
}

impl Drop for Router {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill(); // may have ended
            let _ = daemon.wait();
        }
    }
}

impl Scene {
    fn new() -> Self {
        let pair = Pair::new();
        let prefix = next_prefix();
        let place = |name: &str| Netns::create(format!("{prefix}-{name}")).expect("a namespace (needs root)");
        let (switch, router) = (place("switch"), place("router"));
        switch.ip(&["link add br0 type bridge".into(), "link set br0 up".into()]).expect("a bridge");
        for (port, netns, address) in [("p1", &pair.east.netns, "10.1.0.1"), ("p2", &router, "10.1.0.2")] {
            let peer = netns.name();
            let lines = [
                format!("link add {port} type veth peer name net netns {peer}"),
                format!("link set {port} master br0"),
                format!("link set {port} up"),
            ];
            switch.ip(&lines).expect("a port of the switch");
            let lines =
                [format!("addr add {address}/24 dev net"), "link set net up".into(), "link set lo up".into()];
            netns.ip(&lines).expect("its other end");
        }
        let router = Router::start(router);
        Self { pair, switch, router }
    }

    /// From here on nothing gets through, and nobody is told.
    fn cut(&self) {
        self.switch.ip(&["link set p2 nomaster".into()]).expect("the switch forgets a port");
    }

    fn heal(&self) {
        self.switch.ip(&["link set p2 master br0".into()]).expect("the switch has the port again");
    }

    /// The Active, with everything up between it and the router.
    fn active(&self) -> Daemon {
        let east = self.pair.east.start(&self.pair.east.configure(&Keys::None, CHASSIS));
        east.await_state(ChassisState::Active);
        self.router
            .await_that("the route is there, BFD is up", |router| router.has_route() && router.bfd_is_up());
        east.await_info("BFD up", |info| info.bfd_sessions[0].state == "Up");
        east
    }
}

impl Router {
    fn start(netns: Netns) -> Self {
        let mut router = Self::begin(netns);
        let control = router.folder.path().join("bfdd.sock").display().to_string();
        router.daemon("bfdd", BFDD, &["--bfdctl", &control]);
        router.await_that("bfdd answers", |router| router.asks("bfdd", "show bfd peers json").is_some());
        router.bgpd(BGPD);
        router
    }

    /// zebra alone.
    pub fn begin(netns: Netns) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the router");
        let user = User::from_name("frr").expect("users can be looked up");
        let user = user.expect("FRR (package frr) is installed");
        chown(folder.path(), Some(user.uid), Some(user.gid)).expect("root may give a folder away");
        let mut router = Self { netns, folder, daemons: Vec::new() };
        router.daemon("zebra", "", &[]);
        let zebra = router.folder.path().join("zserv");
        router.await_that("zebra listens", |_| zebra.exists());
        router
    }

    pub fn bgpd(&mut self, configuration: &str) {
        self.daemon("bgpd", configuration, &["-p", "179"]);
        self.await_that("bgpd answers", |router| router.asks("bgpd", "show bgp summary json").is_some());
    }

    fn daemon(&mut self, name: &str, configuration: &str, more: &[&str]) {
        let folder = self.folder.path();
        let file = |suffix: &str| folder.join(format!("{name}{suffix}"));
        fs::write(file(".conf"), configuration).expect("its configuration");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.netns.name(), &format!("/usr/lib/frr/{name}")]);
        command.arg("-z").arg(folder.join("zserv")).arg("--vty_socket").arg(folder);
        command.arg("-i").arg(file(".pid")).arg("-f").arg(file(".conf")).args(more);
        command.arg("--log").arg(format!("file:{}", file(".log").display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // SAFETY: prctl is async-signal-safe and touches nothing of the parent's memory.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        self.daemons.push(command.spawn().expect("FRR (package frr) is installed"));
    }

    pub fn vtysh(&self, daemon: &str, commands: &[&str]) -> String {
        let mut vtysh = Command::new("vtysh");
        vtysh.arg("--vty_socket").arg(self.folder.path()).args(["-d", daemon]);
        vtysh.args(commands.iter().flat_map(|command| ["-c", command]));
        let output = vtysh.output().expect("vtysh (package frr) is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn asks(&self, daemon: &str, question: &str) -> Option<Value> {
        serde_json::from_str(&self.vtysh(daemon, &[question])).ok()
    }

    fn has_route(&self) -> bool {
        self.asks("bgpd", "show bgp ipv4 unicast 203.0.113.1/32 json")
            .is_some_and(|route| route["paths"].as_array().is_some_and(|paths| !paths.is_empty()))
    }

    fn bfd_is_up(&self) -> bool {
        self.asks("bfdd", "show bfd peers json").is_some_and(|peers| peers[0]["status"] == "up")
    }

    pub fn await_that(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        until(what, PATIENCE, Duration::from_millis(20), || {
            Ok(if holds(self) {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{}\n{}", self.log("bgpd"), self.vtysh("bfdd", &["show bfd peers"])))
            })
        })
        .unwrap_or_else(|error| panic!("{error}"));
    }

    fn log(&self, daemon: &str) -> String {
        let file: &Path = self.folder.path();
        fs::read_to_string(file.join(format!("{daemon}.log"))).unwrap_or_default()
    }
}

fn neighbor(daemon: &Daemon) -> BgpNeighbor {
    match daemon.ask(&Request::ShowBgpSummary).expect("an answer") {
        Response::BgpSummary(contexts) => contexts[0].neighbors[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn bfd_beside(daemon: &Daemon) -> BfdSession {
    daemon.neighbor("10.1.0.2").bfd_session.expect("BFD is configured")
}

fn await_neighbor(daemon: &Daemon, what: &str, holds: impl Fn(&BgpNeighbor) -> bool) -> BgpNeighbor {
    daemon.await_info(what, |_| holds(&neighbor(daemon)));
    neighbor(daemon)
}

#[test]
fn a_router_and_a_chassis_notice_a_silent_cut_by_bfd_and_not_by_the_hold_time() {
    let scene = Scene::new();
    let east = scene.active();
    assert_eq!(neighbor(&east).state, "Established");
    let bfd = bfd_beside(&east);
    assert_eq!((bfd.state.as_str(), bfd.remote_state.as_deref(), bfd.last_down), ("Up", Some("Up"), None));
    assert_eq!(bfd.detection_time_ms, Some(500.0));
    assert_eq!(state(&monitors(&east), "BFD", "10.1.0.2"), "Up");
    scene.cut();
    scene.router.await_that("the router withdraws", |router| !router.has_route());
    let seen = await_neighbor(&east, "the chassis ends the session", |seen| seen.state != "Established");
    assert!(seen.last_error.as_ref().is_some_and(|why| why.contains("BFD down (6/10)")), "{seen:?}");
    let info = east.info().expect("info");
    assert_eq!(info.bfd_sessions[0].last_down.as_deref(), Some("no packet for 500ms"), "{info:?}");
    assert_eq!(info.bfd_sessions[0].watches, "BGP neighbour 10.1.0.2 of destination");
    let bfd = bfd_beside(&east);
    assert_eq!((bfd.state.as_str(), bfd.last_down.as_deref()), ("Down", Some("no packet for 500ms")));
    let seen = monitors(&east);
    assert_eq!(state(&seen, "BFD", "10.1.0.2"), "Down");
    assert!(seen.failures.iter().any(|failure| failure.what == "BFD context destination"), "{seen:?}");

    scene.heal();
    scene.router.await_that("the route is back", Router::has_route);
    await_neighbor(&east, "Established again", |seen| seen.state == "Established");
}

#[test]
fn a_router_notices_a_chassis_that_dies_without_a_word() {
    let scene = Scene::new();
    let east = scene.active();
    // Its kernel would answer for it; behind the cut nothing does, as behind a machine without power.
    east.signal(Signal::SIGSTOP);
    scene.cut();
    scene.router.await_that("the router withdraws", |router| !router.has_route());
}

#[test]
fn bfd_that_the_routers_operator_takes_down_ends_no_bgp_session() {
    let scene = Scene::new();
    let east = scene.active();
    let since = neighbor(&east).since_us;
    scene.router.vtysh("bfdd", &["configure terminal", "bfd", "profile pair", "shutdown"]);
    let info = east.await_info("BFD is taken down", |info| info.bfd_sessions[0].last_down.is_some());
    assert_eq!(state(&monitors(&east), "BFD", "10.1.0.2"), "Unknown");
    let why = info.bfd_sessions[0].last_down.as_deref();
    assert_eq!(why, Some("the neighbor's operator took the session down"), "{info:?}");
    scene.router.vtysh("bfdd", &["configure terminal", "bfd", "profile pair", "no shutdown"]);
    east.await_info("BFD is up again", |info| info.bfd_sessions[0].state == "Up");
    let seen = neighbor(&east);
    // Wall time is read anew for each answer: the same moment differs by microseconds.
    assert!(seen.state == "Established" && seen.since_us.abs_diff(since) < 1_000_000, "{seen:?}");
}
