//! Two daemons, real kernel state, the control socket: what an operator sees and does.

use std::fs;
use std::io::Write;

use crate::support::{Daemon, Keys, Pair};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use srp_core::api::{Request, Response};
use srp_core::types::ChassisState;

fn running(pair: &Pair) -> (Daemon, Daemon) {
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    east.await_info("Active beside a Standby", |info| {
        info.chassis_state == ChassisState::Active
            && info
                .peer
                .as_ref()
                .is_some_and(|peer| peer.state == ChassisState::Standby && peer.route_modifier == 2)
    });
    (east, west)
}

#[test]
fn ch_1_primary_serves_and_backup_stands_by() {
    let pair = Pair::new();
    let (east, west) = running(&pair);
    assert!(pair.east.serves(), "{}", pair.east.kernel());
    assert!(!pair.west.serves(), "{}", pair.west.kernel());
    let info = east.info().expect("info");
    assert_eq!((info.route_modifier, info.configuration_state.as_str()), (1, "In sync"));
    assert_eq!(west.info().expect("info").chassis_state, ChassisState::Standby);
}

#[test]
fn sw_1_planned_switchover_and_back() {
    let pair = Pair::new();
    let (east, west) = running(&pair);
    let done = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    assert!(matches!(done, Response::SwitchoverDone { .. }), "{done:?}");
    west.await_state(ChassisState::Active);
    east.await_info("Standby with the next modifier", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 3
    });
    assert!(pair.west.serves());
    pair.east.await_that("east's loopback is gone", |east| !east.serves());

    let refused = east.ask(&Request::InitiateSwitchover { force: true }).expect("an answer");
    let Response::Error { reasons } = refused else { panic!("{refused:?}") };
    assert_eq!(reasons, ["this chassis is Standby: switch over from the Active chassis"]);

    let Response::Switchovers(shown) = west.ask(&Request::ShowSwitchover { last: 1 }).expect("an answer")
    else {
        panic!("switchovers")
    };
    let steps: Vec<&str> = shown[0].steps.iter().map(|step| step.step.as_str()).collect();
    for step in ["switchover-requested", "installing", "installed", "announcing", "state-changed"] {
        assert!(steps.contains(&step), "{step} is missing from {steps:?}");
    }
    assert!(shown[0].completed, "{shown:?}");
}

#[test]
fn ch_5_killed_active_is_replaced_and_ch_11_does_not_pre_empt_when_it_returns() {
    let pair = Pair::new();
    let (east, west) = running(&pair);
    east.signal(Signal::SIGKILL);
    drop(east);
    west.await_state(ChassisState::Active);
    assert!(pair.west.serves());

    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_info("Standby behind the new Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 3
    });
    // What the killed daemon left in the kernel is gone.
    pair.east.await_that("left-overs are removed", |east| !east.serves());
    assert_eq!(west.info().expect("info").chassis_state, ChassisState::Active);
}

#[test]
fn restarted_active_is_vouched_for_and_never_leaves_the_kernel() {
    let pair = Pair::new();
    // A dead-interval that a restart fits into, also on a machine that is slow to start anything.
    let slow = |file: std::path::PathBuf| {
        let text = fs::read_to_string(&file).expect("configuration").replace("\"300ms\"", "\"60s\"");
        fs::write(&file, text).expect("configuration");
        file
    };
    let east_file = slow(pair.east.configure(&Keys::None, ""));
    let west_file = slow(pair.west.configure(&Keys::None, ""));
    let (east, west) = (pair.east.start(&east_file), pair.west.start(&west_file));
    east.await_state(ChassisState::Active);
    west.await_info("Standby with modifier 2", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    let before = pair.east.kernel();
    east.signal(Signal::SIGKILL);
    drop(east);
    assert_eq!(pair.east.kernel(), before, "a killed daemon leaves the kernel as it is");

    let east = pair.east.start(&east_file);
    let info = east.await_state(ChassisState::Active);
    assert_eq!(info.route_modifier, 1);
    assert_eq!(pair.east.kernel(), before, "adopted, not installed anew");
    assert_eq!(west.info().expect("info").switchovers, 0);
}

#[test]
fn orderly_stop_hands_over_and_leaves_nothing() {
    let pair = Pair::new();
    let before = pair.east.kernel();
    let (east, west) = running(&pair);
    east.signal(Signal::SIGTERM);
    west.await_state(ChassisState::Active);
    assert_eq!(east.exit_code(), Some(0));
    assert_eq!(pair.east.kernel(), before);
    assert!(!pair.east.socket().exists());
    // The last one takes its service with it.
    west.signal(Signal::SIGTERM);
    assert_eq!(west.exit_code(), Some(0));
    assert!(!pair.west.serves());
}

#[test]
fn reload_takes_over_what_changed_and_refuses_what_is_wrong() {
    let pair = Pair::new();
    let (east, _west) = running(&pair);
    let file = pair.east.configure(&Keys::None, "");
    let text = fs::read_to_string(&file).expect("configuration");

    fs::write(&file, text.replace("172.18.0.0/16", "172.18.0.1/16")).expect("a faulty configuration");
    east.signal(Signal::SIGHUP);
    let more = "\n[[context.pool]]\nname = \"more\"\nprefix = \"172.19.0.0/20\"\nsrp-activate = true\n";
    // Signals are taken in order: the second reload is the proof that the first has changed nothing.
    east.await_info("still Active", |info| info.chassis_state == ChassisState::Active);
    fs::write(&file, text + more).expect("a better configuration");
    east.signal(Signal::SIGHUP);
    pair.east.await_that("the new pool is installed", |east| east.kernel().contains("172.19.0.0/20"));
    assert!(pair.east.serves());
    let info = east.await_info("differences known", |info| info.configuration_state.contains("Out of sync"));
    assert_eq!((info.chassis_state, info.switchovers), (ChassisState::Active, 1));
    let refused = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    let Response::Error { reasons } = refused else { panic!("{refused:?}") };
    assert!(reasons[0].starts_with("Configuration: differs"), "{reasons:?}");
}

#[test]
fn a_log_that_nobody_reads_stops_no_chassis() {
    let pair = Pair::new();
    let (reader, log) = std::io::pipe().expect("a pipe");
    fill(&log);
    let east = pair.east.start_logging_to(&pair.east.configure(&Keys::None, ""), log.into());
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    east.await_info("Active beside a Standby", |info| {
        info.chassis_state == ChassisState::Active
            && info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
    });
    let done = east.ask(&Request::InitiateSwitchover { force: false }).expect("an answer");
    assert!(matches!(done, Response::SwitchoverDone { .. }), "{done:?}");
    west.await_state(ChassisState::Active);
    east.signal(Signal::SIGTERM);
    assert_eq!(east.exit_code(), Some(0));
    drop(reader);
}

/// Until not one octet more goes in; whoever writes to it next waits for a reader.
fn fill(log: &std::io::PipeWriter) {
    let mut writer = log;
    let set = |flags| fcntl(log, FcntlArg::F_SETFL(flags)).expect("flags of a pipe");
    set(OFlag::O_NONBLOCK);
    while writer.write(b".").is_ok() {}
    set(OFlag::empty());
}
