//! What the speaker sends, as tshark reads it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use bgp_speaker::{Families, NeighborConfig, Offer, RestartOffer, Role, SpeakerConfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::frr::{Frr, activated, until};
use crate::netns::{Daemon, Netns};
use crate::owner::{Owner, config, neighbor, route};

/// Records what passes on the link, from the moment at which this returns.
fn capture(netns: &Netns, file: &Path) -> Daemon {
    let mut tshark = netns.command("tshark");
    tshark.args(["-i", "v0", "-f", "tcp port 179", "-w"]).arg(file).stderr(Stdio::piped());
    let mut child = tshark.stdout(Stdio::null()).spawn().expect("tshark (package tshark) is installed");
    let said = BufReader::new(child.stderr.take().expect("it is piped"));
    let begins = said.lines().map_while(Result::ok).any(|line| line.contains("Capture started"));
    assert!(begins, "tshark captures on v0");
    Daemon(child)
}

/// One field of every message that passes the filter.
pub fn fields(file: &Path, filter: &str, field: &str) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-Y", filter, "-T", "fields", "-e", field]);
    let output = tshark.stderr(Stdio::null()).output().expect("tshark (package tshark) is installed");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// What tshark has to find fault with in the messages that pass the filter.
pub fn malformed(file: &Path, filter: &str) -> Vec<String> {
    let bad = format!("({filter}) && (_ws.malformed || _ws.expert.severity >= error)");
    fields(file, &bad, "_ws.expert.message")
}

#[test]
fn tshark_reads_everything_that_is_sent_without_a_malformed_mark() {
    let (here, there) = Netns::pair();
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 4_200_000_001, ""));
    let directory = tempfile::tempdir().expect("there is a directory for temporary files");
    let file = directory.path().join("session.pcapng");
    let capturing = capture(&there, &file);
    let restart = RestartOffer {
        time_secs: 120,
        notification: true,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::ALL,
    };
    let offer = Offer {
        // tshark 4.0 does not know RFC 8654, and FRR does.
        extended_message: false,
        extended_next_hop: Families::ALL,
        add_path_receive: Families::ALL,
        role: Some(Role::Customer),
        graceful_restart: Some(restart),
        ..Offer::default()
    };
    let neighbor = NeighborConfig { offer, ..neighbor("192.0.2.2", 65001) };
    let mut owner =
        Owner::start(&here, SpeakerConfig { neighbors: vec![neighbor], ..config(4_200_000_001, 1) });
    let some = |prepend| {
        let v4 = (0..3000_u32).map(|n| format!("10.{}.{}.0/24", n >> 8, n & 255));
        let v6 = (0..3000_u32).map(|n| format!("2001:db8:{n:x}::/48"));
        v4.chain(v6).map(|prefix| route(&prefix, prepend)).collect::<Vec<_>>()
    };
    owner.originate(some(2));
    owner.until_up();
    until("FRR agrees", || frr.neighbor("192.0.2.1")["bgpState"] == "Established");
    owner.originate(some(5));
    frr.vtysh(&["clear bgp * soft in"]);
    owner.originate(Vec::new());
    owner.answer(owner.handle.shutdown("maintenance until noon"));
    let ours = "ip.src == 192.0.2.1 && bgp";
    until("the capture has the end of the session", || {
        !fields(&file, &format!("{ours}.type == 3"), "frame.number").is_empty()
    });
    let pid = Pid::from_raw(capturing.0.id().try_into().expect("a process id"));
    kill(pid, Signal::SIGINT).expect("the test may interrupt its own process");
    let types = fields(&file, ours, "bgp.type").join(",");
    for kind in ["1", "2", "3", "4"] {
        assert!(types.split(',').any(|found| found == kind), "no message of type {kind} in {types}");
    }
    assert_eq!(malformed(&file, ours), Vec::<String>::new());
}
