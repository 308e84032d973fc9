//! A chassis that has given up root does all that a chassis does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User, chown};
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Keys, Pair, Place};

/// Every Debian has it, and it owns nothing.
const USER: &str = "nobody";

/// A context whose speaker listens where all do.
const BGP: &str = "\n[[context]]\nname = \"red\"\ntable = 1001\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.101\"\n\
    [[context.bgp.neighbor]]\naddress = \"10.1.0.2\"\nremote-as = 65101\nlocal-address = \"10.1.0.1\"\n";

fn own(path: &Path, uid: Uid) {
    chown(path, Some(uid), None).expect("root gives files away");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("readable") {
            own(&entry.expect("an entry").path(), uid);
        }
    }
}

/// A line of `/proc/PID/status`.
fn status(text: &str, key: &str) -> String {
    let line =
        text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key}: {text}"));
    line.trim_start_matches(':').trim().to_owned()
}

fn command(place: &Place, file: &Path) -> Command {
    let mut command = place.command(file);
    command.args(["--user", USER]);
    command
}

#[test]
fn a_pair_without_root_links_serves_switches_over_and_reloads() {
    let pair = Pair::new();
    pair.make_keys("a");
    pair.make_keys("b");
    let record = "\n[record]\nfile = \"east.trace\"\n";
    let east_file = pair.east.configure(&Keys::Files { own: "a", peer: "b" }, &format!("{BGP}{record}"));
    let west_file = pair.west.configure(&Keys::Files { own: "b", peer: "a" }, "");
    pair.east.netns.ip(&["addr add 10.1.0.1/30 dev srp".into()]).expect("an address for BGP");
    let user = User::from_name(USER).expect("a list of users").expect("Debian has it");
    own(&pair.east.folder, user.uid);

    let east = pair.east.started(&mut command(&pair.east, &east_file));
    let west = pair.west.started(&mut command(&pair.west, &west_file));
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind a peer", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    pair.east.await_that("the service is east's", Place::serves);

    let text = fs::read_to_string(format!("/proc/{}/status", east.pid())).expect("root reads it");
    let uid = user.uid.to_string();
    assert_eq!(status(&text, "Uid"), [&*uid; 4].join("\t"));
    // Bits of capability.h: NET_BIND_SERVICE 10, NET_ADMIN 12, NET_RAW 13, IPC_LOCK 14, SYS_NICE 23.
    let kept = format!("{:016x}", [10, 12, 13, 14, 23].map(|bit| 1_u64 << bit).iter().sum::<u64>());
    for set in ["CapPrm", "CapEff", "CapBnd"] {
        assert_eq!(status(&text, set), kept, "{set}");
    }
    for (key, value) in [
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        assert_eq!(status(&text, key), value, "{key}");
    }
    // What the two capabilities without a socket are for.
    assert_ne!(status(&text, "VmLck"), "0 kB");
    let chrt = Command::new("chrt")
        .args(["-a", "-p", &east.pid().to_string()])
        .output()
        .expect("chrt of util-linux");
    assert!(String::from_utf8_lossy(&chrt.stdout).contains("SCHED_FIFO"), "{chrt:?}");
    assert!(pair.file("east.trace").exists());

    let changed =
        fs::read_to_string(&east_file).expect("the configuration").replace("172.18.0.0/16", "172.19.0.0/16");
    fs::write(&east_file, changed).expect("another pool");
    east.signal(Signal::SIGHUP);
    pair.east.await_that("the other pool", |place| place.kernel().contains("172.19.0.0/16"));

    let answer = east.ask(&Request::InitiateSwitchover { force: true }).expect("an answer");
    assert!(matches!(answer, Response::SwitchoverDone { .. }), "{answer:?}");
    west.await_state(ChassisState::Active);
    pair.west.await_that("the service is west's", Place::serves);
    east.await_state(ChassisState::Standby);
}

#[test]
fn a_file_that_the_user_may_not_read_is_named_and_nothing_runs() {
    let pair = Pair::new();
    let file = pair.east.configure(&Keys::None, "");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("root's alone");
    let output =
        command(&pair.east, &file).stderr(std::process::Stdio::piped()).output().expect("srpd starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("east.toml") && said.contains("ermission denied"), "{said}");
}
