//! Against BIRD. Its own show commands give the verdict.

use std::process::Stdio;
use std::time::Instant;

use bgp_speaker::{NeighborConfig, Originated, SpeakerConfig};
use tempfile::TempDir;

use crate::netns::{Daemon, Netns};
use crate::owner::{Owner, PATIENCE, config, neighbor, route};

/// BIRD in a namespace, at `192.0.2.2` and `2001:db8::2`.
struct Bird {
    directory: TempDir,
    daemon: Daemon,
}

impl Bird {
    /// `bgp` is what stands in the protocol besides the addresses.
    fn start(netns: &Netns, asn: u32, our_address: &str, our_as: u32, bgp: &str) -> Self {
        let directory = tempfile::tempdir().expect("there is a directory for temporary files");
        let address = if our_address.contains(':') { "2001:db8::2" } else { "192.0.2.2" };
        let channel = |next_hop: &str| {
            format!("{{ import all; export where source = RTS_STATIC; next hop address {next_hop}; }}")
        };
        std::fs::write(
            directory.path().join("bird.conf"),
            format!(
                "router id 192.0.2.2;\nprotocol device {{}}\nprotocol direct {{ ipv4; ipv6; }}\n\
                 protocol static s4 {{ ipv4; route 10.9.0.0/16 blackhole; }}\n\
                 protocol static s6 {{ ipv6; route 2001:db8:9::/48 blackhole; }}\n\
                 protocol bgp b {{ local {address} as {asn}; neighbor {our_address} as {our_as}; \
                 connect delay time 1; {bgp} ipv4 {}; ipv6 {}; }}\n",
                channel("192.0.2.2"),
                channel("2001:db8::2"),
            ),
        )
        .unwrap();
        let mut command = netns.command("bird");
        command.arg("-f").arg("-c").arg(directory.path().join("bird.conf"));
        command.arg("-s").arg(directory.path().join("ctl")).arg("-P").arg(directory.path().join("pid"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let bird = Self { daemon: Daemon(child.expect("BIRD (package bird2) is installed")), directory };
        bird.until("show status", |text| text.contains("Daemon is up and running"));
        bird
    }

    fn show(&self, command: &str) -> String {
        let mut birdc = std::process::Command::new("birdc");
        birdc.arg("-s").arg(self.directory.path().join("ctl")).args(command.split(' '));
        let output = birdc.output().expect("birdc (package bird2) is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn until(&self, command: &str, wanted: impl Fn(&str) -> bool) {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.show(command);
            if wanted(&text) {
                return;
            }
            assert!(Instant::now() < end, "{command} still says: {text}");
        }
    }

    fn until_path(&self, prefix: &str, path: &str) {
        let line = format!("BGP.as_path: {path}");
        self.until(&format!("show route {prefix} all"), |text| {
            text.lines().any(|found| found.trim() == line.trim())
        });
    }

    fn until_gone(&self, prefix: &str) {
        self.until(&format!("show route {prefix}"), |text| !text.contains("unicast"));
    }
}

fn speaker(netns: &Netns, local_as: u32, neighbor: NeighborConfig) -> Owner {
    Owner::start(netns, SpeakerConfig { neighbors: vec![neighbor], ..config(local_as, 1) })
}

fn exchange(our_address: &str, their_address: &str, our_as: u32, their_as: u32) {
    let (here, there) = Netns::pair();
    let bird = Bird::start(&there, their_as, our_address, our_as, "");
    let mut owner = speaker(&here, our_as, neighbor(their_address, their_as));
    owner.originate(vec![route("10.1.0.0/16", 2), route("2001:db8:1::/48", 2)]);
    owner.until_up();
    assert_eq!(owner.until_route("10.9.0.0/16").as_deref(), Some("192.0.2.2"));
    let external = our_as != their_as;
    let path = |prepend: usize| {
        if external { vec![our_as.to_string(); prepend + 1].join(" ") } else { String::new() }
    };
    bird.until_path("10.1.0.0/16", &path(2));
    bird.until_path("2001:db8:1::/48", &path(2));
    bird.until("show route 2001:db8:1::/48 all", |text| text.contains("BGP.next_hop: 2001:db8::1"));
    if external {
        owner.originate(vec![route("10.1.0.0/16", 17), route("2001:db8:1::/48", 17)]);
        bird.until_path("10.1.0.0/16", &path(17));
        bird.until_path("2001:db8:1::/48", &path(17));
    } else {
        let preferred = Originated { local_pref: Some(300), med: Some(7), ..route("10.1.0.0/16", 0) };
        owner.originate(vec![preferred]);
        bird.until("show route 10.1.0.0/16 all", |text| {
            text.contains("BGP.local_pref: 300") && text.contains("BGP.med: 7")
        });
    }
    owner.originate(Vec::new());
    bird.until_gone("10.1.0.0/16");
    bird.until_gone("2001:db8:1::/48");
    bird.show("disable s4");
    assert_eq!(owner.until_route("10.9.0.0/16"), None);
    let summary = owner.only_neighbor();
    assert_eq!((summary.malformed_attributes, summary.established_count), (0, 1));
}

#[test]
fn external_session_over_ipv4() {
    exchange("192.0.2.1", "192.0.2.2", 65000, 65001);
}

#[test]
fn external_session_over_ipv6() {
    exchange("2001:db8::1", "2001:db8::2", 65000, 65001);
}

#[test]
fn internal_session_over_ipv4() {
    exchange("192.0.2.1", "192.0.2.2", 65000, 65000);
}

#[test]
fn internal_session_over_ipv6() {
    exchange("2001:db8::1", "2001:db8::2", 65000, 65000);
}

#[test]
fn four_octet_as_numbers_on_both_sides() {
    exchange("192.0.2.1", "192.0.2.2", 4_200_000_001, 4_200_000_002);
}

#[test]
fn two_octet_session() {
    let (here, there) = Netns::pair();
    let bird = Bird::start(&there, 65001, "192.0.2.1", 65000, "enable as4 off;");
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.originate(vec![route("10.1.0.0/16", 2)]);
    owner.until_up();
    bird.until_path("10.1.0.0/16", "65000 65000 65000");
    assert_eq!(owner.until_route("10.9.0.0/16").as_deref(), Some("192.0.2.2"));
    assert_eq!(owner.answer(owner.handle.routes())[0].attributes.as_path.to_string(), "65001");
}

#[test]
fn session_comes_back_whenever_both_sides_open_it_at_once() {
    let (here, there) = Netns::pair();
    let bird = Bird::start(&there, 65001, "192.0.2.1", 65000, "error wait time 1, 1;");
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    for _ in 0..5 {
        bird.show("restart b");
        owner.until_up();
        bird.until("show protocols b", |text| text.contains("Established"));
    }
}

#[test]
fn silent_neighbor_is_given_up_after_the_hold_time() {
    use nix::sys::signal::{Signal, kill};
    let (here, there) = Netns::pair();
    let bird = Bird::start(&there, 65001, "192.0.2.1", 65000, "hold time 3;");
    let mut owner = speaker(&here, 65000, neighbor("192.0.2.2", 65001));
    owner.until_up();
    let pid = nix::unistd::Pid::from_raw(bird.daemon.0.id().try_into().unwrap());
    kill(pid, Signal::SIGSTOP).expect("the test may stop its own process");
    assert_eq!(owner.until_down(), "we sent NOTIFICATION hold timer expired (4/0)");
}
