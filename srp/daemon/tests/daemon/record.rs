//! What two daemons did can be replayed from their records: the same events, the same actions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair, Place};

/// Configures a place to be recorded, and gives the file.
fn recorded(place: &Place, more: &str) -> (PathBuf, PathBuf) {
    let trace = place.folder.join(format!("{}.trace", place.name));
    let table = format!("\n[record]\nfile = \"{}\"\n{more}", trace.display());
    (place.configure(&Keys::None, &table), trace)
}

fn replay(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_srpd")).arg("replay").arg(file).output().expect("srpd starts")
}

/// What the replay of a sound record prints.
fn replayed(file: &Path) -> String {
    let output = replay(file);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", file.display());
    String::from_utf8(output.stdout).expect("text")
}

/// Stops it in good order, so that its record is complete.
fn stop(daemon: Daemon) {
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.exit_code(), Some(0));
}

fn behind(daemon: &Daemon, modifier: u16) {
    daemon.await_info("Standby behind the Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == modifier
    });
}

#[test]
fn switchovers_and_a_crash_replay_on_both_chassis() {
    let pair = Pair::new();
    let (east_file, east_trace) = recorded(&pair.east, "");
    let (west_file, west_trace) = recorded(&pair.west, "");
    let (east, west) = (pair.east.start(&east_file), pair.west.start(&west_file));
    east.await_state(ChassisState::Active);
    behind(&west, 2);
    let done = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    assert!(matches!(done, Response::SwitchoverDone { .. }), "{done:?}");
    west.await_state(ChassisState::Active);
    behind(&east, 3);

    // The writer is at most some milliseconds behind.
    pair.west.await_that("west's part in it is written", |_| {
        fs::read_to_string(&west_trace).is_ok_and(|text| text.contains("\"to\":\"Active\""))
    });
    west.signal(Signal::SIGKILL);
    drop(west);
    east.await_state(ChassisState::Active);
    // Recorded on in the same file.
    let west = pair.west.start(&west_file);
    behind(&west, 4);
    stop(west);
    stop(east);

    let east = replayed(&east_trace);
    for part in ["\"initiate-switchover\"", "-> {\"announce\":", "dead-timer-expiry", "1 part(s)", "no gap"] {
        assert!(east.contains(part), "{part} is missing from {east}");
    }
    let west = replayed(&west_trace);
    for part in ["switchover-request", "manual-switchover", "2 part(s)", "no gap", "at the end Standby"] {
        assert!(west.contains(part), "{part} is missing from {west}");
    }
}

#[test]
fn a_record_that_was_changed_ends_the_replay_at_that_line() {
    let pair = Pair::new();
    let (file, trace) = recorded(&pair.east, "");
    let east = pair.east.start(&file);
    east.await_state(ChassisState::Active);
    stop(east);
    let text = fs::read_to_string(&trace).expect("a record");
    let number = 1 + text.lines().position(|line| line.contains("{\"install\":")).expect("an installation");
    let changed = text.replacen("{\"install\":{\"ticket\":1}}", "{\"install\":{\"ticket\":2}}", 1);
    fs::write(&trace, changed).expect("the record");

    let output = replay(&trace);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("line {number}, at ")), "{said}");
    assert!(said.contains("expected: ") && said.contains("got:      "), "{said}");
}

#[test]
fn recording_begins_in_a_running_daemon_and_keeps_its_bound() {
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    behind(&west, 2);
    // Half of 64 KiB is full after some sixty Hellos each way.
    let (file, trace) = recorded(&pair.east, "max-size = \"64KiB\"\n");
    assert_eq!(file, pair.east.folder.join("east.toml"));
    east.signal(Signal::SIGHUP);
    let older = pair.east.folder.join("east.trace.old");
    pair.east.await_that("the first half is full", |_| older.exists());
    let first = fs::read_to_string(&older).expect("the older half");
    assert!(first.lines().nth(1).is_some_and(|line| line.starts_with("{\"resume\":")), "{first}");
    stop(east);
    for half in [&older, &trace] {
        let size = fs::metadata(half).expect("a half").len();
        assert!((1..=32 * 1024).contains(&size), "{}: {size}", half.display());
        assert!(replayed(half).contains("no gap"));
    }
    west.await_state(ChassisState::Active);
}

#[test]
fn a_file_that_is_no_record_is_left_alone_and_the_chassis_serves() {
    let pair = Pair::new();
    let (file, trace) = recorded(&pair.east, "");
    fs::write(&trace, "a letter\n").expect("some file");
    let east = pair.east.start(&file);
    east.await_state(ChassisState::Active);
    stop(east);
    assert_eq!(fs::read_to_string(&trace).expect("the file"), "a letter\n");
    let output = replay(&trace);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a trace"));
}
