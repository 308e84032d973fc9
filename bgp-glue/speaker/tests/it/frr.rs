//! Against FRR. Its own show commands give the verdict.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bgp_speaker::{
    Asn, Families, Family, HoldTime, NeighborConfig, NeighborSummary, Originated, SpeakerConfig, State,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::netns::{Daemon, Debian, Netns};
use crate::owner::{Owner, PATIENCE, config, neighbor, route};

/// zebra and bgpd in a namespace, at `192.0.2.2` and `2001:db8::2`.
pub struct Frr<'a> {
    netns: &'a Netns,
    debian: Debian,
    directory: TempDir,
    bgpd: Daemon,
    _zebra: Daemon,
}

impl<'a> Frr<'a> {
    /// `bgp` is what stands under `router bgp`.
    pub fn start(netns: &'a Netns, asn: u32, bgp: &str) -> Self {
        Self::start_of(Debian::Twelve, netns, asn, bgp, "")
    }

    /// `more` is what stands besides.
    pub fn start_of(debian: Debian, netns: &'a Netns, asn: u32, bgp: &str, more: &str) -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("there is a directory for temporary files");
        let defaults = " bgp router-id 192.0.2.2\n no bgp ebgp-requires-policy\n no bgp network import-check\n \
                        no bgp default ipv4-unicast\n";
        std::fs::write(directory.path().join("zebra.conf"), "").unwrap();
        let text = format!("debug bgp neighbor-events\n{more}router bgp {asn}\n{defaults}{bgp}");
        std::fs::write(directory.path().join("bgpd.conf"), text).unwrap();
        let zebra = daemon(netns, debian, directory.path(), "zebra");
        until("zebra listens", || directory.path().join("zserv").exists());
        let bgpd = daemon(netns, debian, directory.path(), "bgpd");
        let frr = Self { netns, debian, directory, bgpd, _zebra: zebra };
        until("bgpd answers", || !frr.show("show bgp summary").is_empty());
        frr
    }

    pub fn show(&self, command: &str) -> String {
        self.vtysh(&[command])
    }

    pub fn vtysh(&self, commands: &[&str]) -> String {
        let mut vtysh = self.netns.program(self.debian, "/usr/bin/vtysh");
        vtysh.arg("--vty_socket").arg(self.directory.path()).args(["-d", "bgpd"]);
        vtysh.args(commands.iter().flat_map(|command| ["-c", command]));
        let output = vtysh.output().expect("`ip` (package iproute2) is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn json(&self, command: &str) -> Value {
        serde_json::from_str(&self.show(command)).unwrap_or(Value::Null)
    }

    /// What bgpd has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("bgpd.log")).unwrap_or_default()
    }

    /// Configures what stands under `router bgp`.
    pub fn configure(&self, lines: &[&str]) {
        let asn = self.json("show bgp summary json")["ipv4Unicast"]["as"].clone();
        let router = format!("router bgp {asn}");
        self.vtysh(&[&["configure terminal", &router], lines].concat());
    }

    /// bgpd ends without a word, as in a crash.
    pub fn end_bgpd(&mut self) {
        self.bgpd.end();
    }

    /// bgpd begins anew.
    pub fn begin_bgpd(&mut self) {
        self.bgpd = daemon(self.netns, self.debian, self.directory.path(), "bgpd");
    }

    /// The AS path that FRR has for a prefix, once it is this one; "none" for no route.
    pub fn until_path(&self, prefix: &str, expected: &str) {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        let mut last = Value::Null;
        let found = try_until(|| {
            last = self.json(&format!("show bgp {family} unicast {prefix} json"));
            let path = &last["paths"][0];
            match path["aspath"]["string"].as_str() {
                Some(string) => string == expected && path["valid"] == true,
                None => expected == "none",
            }
        });
        assert!(found, "{prefix} should have the path {expected:?}: {last:#}");
    }

    pub fn path(&self, prefix: &str) -> Value {
        let family = if prefix.contains(':') { "ipv6" } else { "ipv4" };
        self.json(&format!("show bgp {family} unicast {prefix} json"))["paths"][0].clone()
    }

    pub fn neighbor(&self, address: &str) -> Value {
        self.json(&format!("show bgp neighbors {address} json"))[address].clone()
    }
}

fn daemon(netns: &Netns, debian: Debian, directory: &Path, name: &str) -> Daemon {
    let file = |suffix: &str| directory.join(format!("{name}{suffix}"));
    let mut command = netns.program(debian, &format!("/usr/lib/frr/{name}"));
    command.args(["-u", "root", "-g", "frrvty", "-P", "0"]);
    command.arg("-z").arg(directory.join("zserv")).arg("--vty_socket").arg(directory);
    command.arg("-i").arg(file(".pid")).arg("-f").arg(file(".conf"));
    command.arg("--log").arg(format!("file:{}", file(".log").display()));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Daemon(child.expect("`ip` (package iproute2) is installed"))
}

/// Between two questions.
const LOOK: Duration = Duration::from_millis(20);

pub fn try_until(mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if done() {
            return true;
        }
        // Whoever is asked needs the processor for the answer.
        std::thread::sleep(LOOK);
    }
    false
}

/// Other programs tell nothing by themselves, so they are asked until they agree.
pub fn until(what: &str, done: impl FnMut() -> bool) {
    assert!(try_until(done), "in vain: {what}");
}

/// Both families with a neighbor at our address.
pub fn activated(address: &str, remote_as: u32, more: &str) -> String {
    format!(
        " neighbor {address} remote-as {remote_as}\n neighbor {address} timers connect 1\n{more} \
         address-family ipv4 unicast\n  neighbor {address} activate\n  network 10.9.0.0/16\n exit-address-family\n \
         address-family ipv6 unicast\n  neighbor {address} activate\n  network 2001:db8:9::/48\n exit-address-family\n"
    )
}

fn speaker(netns: &Netns, local_as: u32, neighbor: NeighborConfig) -> Owner {
    Owner::start(netns, SpeakerConfig { neighbors: vec![neighbor], ..config(local_as, 1) })
}

fn ours(prepend: u8) -> Vec<Originated> {
    vec![route("10.1.0.1/32", prepend), route("10.2.0.0/16", prepend), route("2001:db8:1::/48", prepend)]
}

#[test]
fn neighbor_without_capabilities_is_an_ipv4_speaker_of_two_octets() {
    let (here, there) = Netns::pair();
    let more = " neighbor 192.0.2.1 dont-capability-negotiate\n";
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 4_200_000_001, more));
    let mut owner = speaker(&here, 4_200_000_001, neighbor("192.0.2.2", 65001));
    owner.originate(ours(1));
    owner.until_up();
    assert_eq!(owner.until_route("10.9.0.0/16").as_deref(), Some("192.0.2.2"));
    assert_eq!(owner.only_neighbor().families, Families::from_iter([Family::Ipv4Unicast]));
    // FRR has seen our capability all the same, takes us for a four-octet speaker, and so ignores AS4_PATH.
    frr.until_path("10.1.0.1/32", "23456 23456");
}

#[test]
fn link_local_session() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("fe80::1", 65000, " neighbor fe80::1 interface v0\n"));
    let mut neighbor = NeighborConfig::new("fe80::2".parse().unwrap(), Asn(65001));
    neighbor.interface = Some("v0".into());
    neighbor.import = crate::owner::everything();
    let mut owner = speaker(&here, 65000, neighbor);
    owner.originate(vec![route("2001:db8:1::/48", 1)]);
    owner.until_up();
    frr.until_path("2001:db8:1::/48", "65000 65000");
    assert!(owner.until_route("2001:db8:9::/48").is_some());
}

#[test]
fn refused_as_is_told_in_words_and_not_tried_in_a_storm() {
    let (here, there) = Netns::pair();
    let _frr = Frr::start(&there, 65001, &activated("192.0.2.1", 64999, ""));
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    let reason = owner.until_down();
    assert!(reason.starts_with("the neighbor sent NOTIFICATION OPEN error: bad peer AS (2/2)"), "{reason}");
    let sent = owner.until_summary(|summary| summary.state == State::Idle).messages_out;
    assert!(sent <= 4, "{sent} messages for one refusal");
}

#[test]
fn session_comes_back_whenever_both_sides_open_it_at_once() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, ""));
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    for round in 1..=5 {
        // FRR dials when it is cleared, and so do we when the session ends.
        frr.vtysh(&["clear bgp *"]);
        owner.until_up();
        until("FRR agrees", || frr.neighbor("192.0.2.1")["bgpState"] == "Established");
        let settled = |summary: &NeighborSummary| summary.state == State::Established;
        assert!(owner.until_summary(settled).established_count > round);
    }
}

/// A chassis returns while FRR dials: bgpd, stopped, finds our connection and its own timer due in one instant.
///
/// FRR 8.4 resets the session when its own attempt gets through at the moment at which ours becomes Established
/// ("`TCP_connection_open` (Established->Clearing)" in its log).
fn returning_at_the_moment_that_frr_dials(our_id: u8) {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, ""));
    let bgpd = Pid::from_raw(frr.bgpd.0.id().try_into().unwrap());
    for round in 0..5 {
        until("FRR waits to dial", || {
            let state = frr.neighbor("192.0.2.1")["bgpState"].clone();
            state == "Active" || state == "Connect"
        });
        kill(bgpd, Signal::SIGSTOP).expect("the test may stop its own process");
        let config = config(65000, our_id);
        let mut owner =
            Owner::start(&here, SpeakerConfig { neighbors: vec![neighbor("192.0.2.2", 65001)], ..config });
        owner.until_summary(|summary| summary.state == State::OpenSent);
        // Nothing tells when the timer of a stopped process is due.
        std::thread::sleep(Duration::from_millis(1000 + 20 * round));
        kill(bgpd, Signal::SIGCONT).expect("the test may continue its own process");
        owner.until_up();
        until("FRR agrees", || frr.neighbor("192.0.2.1")["bgpState"] == "Established");
        let summary = owner.only_neighbor();
        assert_eq!((summary.state, summary.established_count), (State::Established, 1), "round {round}");
        owner.answer(owner.handle.shutdown(""));
    }
}

#[test]
fn chassis_that_returns_while_frr_dials_has_one_session_as_the_lower_identifier() {
    returning_at_the_moment_that_frr_dials(1);
}

#[test]
fn chassis_that_returns_while_frr_dials_has_one_session_as_the_higher_identifier() {
    returning_at_the_moment_that_frr_dials(9);
}

#[test]
fn stopped_neighbor_is_given_up_after_the_hold_time() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, " neighbor 192.0.2.1 timers 1 3\n"));
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    assert!(owner.until_route("10.9.0.0/16").is_some());
    assert_eq!(owner.only_neighbor().hold_time.map(HoldTime::secs), Some(3));
    let bgpd = Pid::from_raw(frr.bgpd.0.id().try_into().unwrap());
    kill(bgpd, Signal::SIGSTOP).expect("the test may stop its own process");
    assert_eq!(owner.until_down(), "we sent NOTIFICATION hold timer expired (4/0)");
    assert_eq!(owner.until_route("10.9.0.0/16"), None);
    kill(bgpd, Signal::SIGCONT).expect("the test may continue its own process");
    owner.until_up();
}

#[test]
fn shutdown_text_arrives() {
    let (here, there) = Netns::pair();
    // One that dials again soon has another reason for being down.
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, " neighbor 192.0.2.1 passive\n"));
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    until("FRR agrees", || frr.neighbor("192.0.2.1")["bgpState"] == "Established");
    owner.answer(owner.handle.shutdown("maintenance until noon"));
    until("the text", || frr.neighbor("192.0.2.1").to_string().contains("maintenance until noon"));
}

#[test]
fn ten_thousand_routes_are_all_there() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, ""));
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    let count = |prepend| -> Vec<Originated> {
        let v4 = (0..10_000_u32).map(|n| format!("10.{}.{}.0/24", n >> 8, n & 255));
        let v6 = (0..10_000_u32).map(|n| format!("2001:db8:{n:x}::/48"));
        v4.chain(v6).map(|prefix| route(&prefix, prepend)).collect()
    };
    assert!(owner.originate(count(0)).acknowledged);
    assert!(owner.originate(count(3)).acknowledged);
    frr.until_path("10.39.15.0/24", "65000 65000 65000 65000");
    frr.until_path("2001:db8:270f::/48", "65000 65000 65000 65000");
    let accepted = |family: &str| {
        frr.neighbor("192.0.2.1")["addressFamilyInfo"][family]["acceptedPrefixCounter"].clone()
    };
    until("all IPv4 routes", || accepted("ipv4Unicast") == 10_000);
    until("all IPv6 routes", || accepted("ipv6Unicast") == 10_000);
    owner.originate(Vec::new());
    until("none is left", || accepted("ipv4Unicast") == 0 && accepted("ipv6Unicast") == 0);
}
