//! Daemons that do not run for a while: what has arrived goes before the clock, and who was away steps behind.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use srp_core::api::{Request, Response, SrpStatistics};
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair};

fn running(pair: &Pair) -> (Daemon, Daemon) {
    let [east, west] = [&pair.east, &pair.west].map(|place| {
        let record = format!("\n[record]\nfile = \"{}.trace\"\n", place.name);
        place.start(&place.configure(&Keys::None, &record))
    });
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind it", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 2
    });
    (east, west)
}

fn statistics(daemon: &Daemon) -> SrpStatistics {
    match daemon.ask(&Request::ShowSrpStatistics).expect("an answer") {
        Response::SrpStatistics(statistics) => *statistics,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ch_5_a_standby_that_was_stopped_hears_what_has_arrived_before_it_judges() {
    let pair = Pair::new();
    let (east, west) = running(&pair);
    west.signal(Signal::SIGSTOP);
    // The Active finds its peer silent for a dead-interval: so long has the Standby been stopped, and longer.
    east.await_info("the Standby is silent", |info| info.peer.is_none());
    west.signal(Signal::SIGCONT);
    west.await_info("heard again", |info| info.peer.is_some() && info.route_modifier == 2);
    east.await_info("heard again", |info| info.peer.is_some());
    let told = statistics(&west);
    assert_eq!((told.suspensions, told.switchovers), (1, 0), "{told:?}");
    assert_eq!(west.info().expect("info").chassis_state, ChassisState::Standby);
    let info = east.info().expect("info");
    assert_eq!((info.chassis_state, info.route_modifier), (ChassisState::Active, 1), "{info:?}");
}

#[test]
fn ch_7_an_active_that_was_stopped_steps_behind_the_one_that_took_over() {
    let pair = Pair::new();
    let (east, west) = running(&pair);
    east.signal(Signal::SIGSTOP);
    let info = west.await_state(ChassisState::Active);
    assert_eq!(info.route_modifier, 2);
    east.signal(Signal::SIGCONT);
    east.await_info("Standby behind the new Active", |info| {
        info.chassis_state == ChassisState::Standby && info.route_modifier == 3
    });
    let info = west.info().expect("info");
    assert_eq!((info.chassis_state, info.switchovers), (ChassisState::Active, 1), "{info:?}");
    assert_eq!(statistics(&east).suspensions, 1);
    // Whatever the stopped one announced after it woke up was worse than what the new one had announced.
    let told = pair.file("east.trace");
    pair.east.await_that("its record is written", |_| {
        fs::read_to_string(&told)
            .is_ok_and(|text| text.contains("\"suspended\"") && text.contains("dual-active"))
    });
    let record = fs::read_to_string(&told).expect("a record");
    let (_, awake) = record.split_once("\"suspended\"").expect("it says that it was suspended");
    let modifiers: Vec<u16> = awake
        .split("{\"announce\":")
        .skip(1)
        .filter_map(|announce| announce.split("\"modifier\":").nth(1)?.split('}').next()?.parse().ok())
        .collect();
    assert!(!modifiers.is_empty() && modifiers.iter().all(|modifier| *modifier > 2), "{modifiers:?}");
}

/// Puts the wall clock of a process a day ahead while a file is there. Nobody may set that of this machine, and a time
/// namespace has none of its own.
const JUMP: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    const char *jumped = getenv("SRP_TEST_JUMPED");
    if (clock == CLOCK_REALTIME && jumped && access(jumped, F_OK) == 0) at->tv_sec += 86400;
    return result;
}
"#;

#[test]
fn ch_5_jumps_of_the_wall_clock_move_nothing_but_what_people_read() {
    let pair = Pair::new();
    let (source, library, jumped) = (pair.file("jump.c"), pair.file("jump.so"), pair.file("jumped"));
    fs::write(&source, JUMP).expect("a file");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(made.expect("cc (package gcc) is installed").success());
    let environment = [("LD_PRELOAD", library.as_path()), ("SRP_TEST_JUMPED", jumped.as_path())];
    let [east, west] =
        [&pair.east, &pair.west].map(|place| place.start_in(&place.configure(&Keys::None, ""), &environment));
    east.await_state(ChassisState::Active);
    west.await_info("Standby behind it", |info| info.route_modifier == 2);

    let wall_us = || match east.ask(&Request::ShowSrpDetails).expect("an answer") {
        Response::SrpDetails(details) => details.at_us,
        other => panic!("{other:?}"),
    };
    let day_us = 86_400_000_000;
    let before = wall_us();
    let heard = |hellos: u64| {
        let from = west.info().expect("info").hellos_received;
        west.await_info("some dead-intervals more", |info| info.hellos_received >= from + hellos);
    };
    for _ in 0..3 {
        fs::write(&jumped, "").expect("a file");
        assert!(wall_us() >= before + day_us, "the wall clock has jumped");
        heard(15);
        fs::remove_file(&jumped).expect("the file");
        assert!(wall_us() < before + day_us, "and back");
        heard(15);
    }
    for (daemon, switchovers) in [(&east, 1), (&west, 0)] {
        let told = statistics(daemon);
        assert_eq!((told.switchovers, told.suspensions, told.link_downs), (switchovers, 0, 0), "{told:?}");
    }
}
