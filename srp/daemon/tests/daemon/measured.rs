//! Who reads counts: Prometheus, and those who collect files.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lab::wait::{Seen, until};
use nix::sys::signal::Signal;
use srp_core::types::ChassisState;

use crate::events::{await_events, has};
use crate::support::{Daemon, Keys, PATIENCE, Pair, Place};

/// The answer to one HTTP request from inside the namespace.
fn get(place: &Place, request: &str) -> std::io::Result<String> {
    let inside = || {
        let mut stream = TcpStream::connect("127.0.0.1:4495")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    place.netns.enter(inside).expect("the namespace")
}

fn scrape(place: &Place) -> String {
    let answer = get(place, "GET /metrics HTTP/1.1\r\nHost: srp\r\n\r\n").expect("an answer");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/plain; version=0.0.4"), "{head}");
    page.to_owned()
}

const ENDPOINT: &str = "[metrics]\naddress = \"127.0.0.1\"\n";

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics_of_a_running_chassis() {
    let promtool = Path::new("/usr/bin/promtool");
    assert!(promtool.exists(), "promtool is not installed: run scripts/setup --tests");
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ENDPOINT));
    east.await_state(ChassisState::Active);
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    west.await_state(ChassisState::Standby);
    await_events(&east, "Active", |events| has(events, "starSRPActive"));
    east.await_info("a round trip", |info| info.round_trip_ms.is_some());
    let page = scrape(&pair.east);
    for line in [
        "srp_chassis_state{state=\"Active\"} 1",
        "srp_peer_state{state=\"Standby\"} 1",
        "srp_link_up 1",
        "srp_kernel_objects{context=\"destination\"} 2",
        "srp_events_total{event=\"starSRPActive\",severity=\"info\"} 1",
        "srp_configuration_in_sync 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    check.stdin.take().expect("its input").write_all(page.as_bytes()).expect("it reads");
    let said = check.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&said.stderr) + String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && text.is_empty(), "{text}");

    let other = get(&pair.east, "GET / HTTP/1.1\r\nHost: srp\r\n\r\n").expect("an answer");
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
    let garbage = get(&pair.east, "garbage\r\n\r\n").expect("an answer");
    assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
    assert!(get(&pair.west, "").is_err(), "no port is open unless one is configured");
}

#[test]
fn scrapers_that_hang_delay_no_hello() {
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ENDPOINT));
    east.await_state(ChassisState::Active);
    let west = pair.west.start(&pair.west.configure(&Keys::None, ""));
    west.await_state(ChassisState::Standby);
    let connect = || (0..40).map(|_| TcpStream::connect("127.0.0.1:4495").expect("a connection")).collect();
    let mut hanging: Vec<TcpStream> = pair.east.netns.enter(connect).expect("the namespace");
    for stream in &mut hanging {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost:").expect("half a request");
    }
    let heard = west.await_info("Hellos", |info| info.peer.is_some()).hellos_received;
    west.await_info("a hundred more Hellos", |info| info.hellos_received >= heard + 100);
    let info = west.info().expect("info");
    assert_eq!((info.chassis_state, info.connection_ups), (ChassisState::Standby, 1));
    drop(hanging);
    assert!(scrape(&pair.east).contains("srp_link_up 1"), "and then others are served again");
}

#[test]
fn a_reload_opens_and_closes_the_port() {
    let pair = Pair::new();
    let east = pair.east.start(&pair.east.configure(&Keys::None, ""));
    east.await_state(ChassisState::Active);
    pair.east.configure(&Keys::None, ENDPOINT);
    east.signal(Signal::SIGHUP);
    await_events(&east, "the reload", |events| has(events, "srpConfigurationReloaded"));
    assert!(scrape(&pair.east).contains("srp_route_modifier"));
    pair.east.configure(&Keys::None, "");
    east.signal(Signal::SIGHUP);
    pair.east.await_that("a closed port", |place| get(place, "garbage\r\n\r\n").is_err());
}

#[test]
fn an_address_that_is_not_here_is_refused_before_anything_starts() {
    let pair = Pair::new();
    let endpoint = "[metrics]\naddress = \"198.51.100.9\"\n";
    let (code, said) = pair.east.refusal(&pair.east.configure(&Keys::None, endpoint));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot serve metrics on 198.51.100.9:4495"), "{said}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files
}

/// Column `name` of a file.
fn value(file: &Path, name: &str) -> String {
    let text = fs::read_to_string(file).expect("a whole file");
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let [header, row] = rows.as_slice() else { panic!("a header and a row: {text}") };
    let column = header.iter().position(|column| *column == name).expect("the column");
    row[column].to_owned()
}

fn await_files(folder: &Path, what: &str, holds: impl Fn(&[PathBuf]) -> bool) -> Vec<PathBuf> {
    until(what, PATIENCE, Duration::from_millis(5), || {
        let found = files(folder);
        Ok(if holds(&found) { Seen::Done(found) } else { Seen::NotYet(format!("{found:?}")) })
    })
    .unwrap_or_else(|error| panic!("{error}"))
}

fn bulk(folder: &str, more: &str) -> String {
    format!("[bulk-statistics]\nfolder = \"{folder}\"\ninterval = \"1s\"\n{more}")
}

fn standby_of(pair: &Pair, east: &Daemon) {
    east.await_state(ChassisState::Active);
    east.await_info("the peer", |info| {
        info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
    });
    assert!(pair.file("west.toml").exists());
}

#[test]
fn bulk_1_a_chassis_that_becomes_standby_flushes_once_and_is_silent() {
    let pair = Pair::new();
    let silent = bulk("quiet", "gather-on-standby = false\n");
    let east = pair.east.start(&pair.east.configure(&Keys::None, &silent));
    let west = pair.west.start(&pair.west.configure(&Keys::None, &bulk("west", "keep = 3\n")));
    standby_of(&pair, &east);
    let quiet = pair.file("quiet");
    await_files(&quiet, "a file of the Active", |files| !files.is_empty());
    let switched = east.ask(&srp_core::api::Request::InitiateSwitchover { force: true }).expect("an answer");
    assert!(matches!(switched, srp_core::api::Response::SwitchoverDone(_)), "{switched:?}");
    east.await_state(ChassisState::Standby);
    let flushed = await_files(&quiet, "what was pending", |files| {
        files.iter().filter(|file| value(file, "chassis_state") == "Standby").count() == 1
    });
    // West, which gathers as Standby too, shows that intervals pass.
    let seen = files(&pair.file("west")).last().cloned();
    await_files(&pair.file("west"), "three intervals", |files| {
        files.len() == 3 && files.iter().all(|file| Some(file) > seen.as_ref())
    });
    assert_eq!(files(&quiet), flushed, "silent on Standby");
    assert_eq!(value(&flushed[flushed.len() - 1], "peer_state"), "Active");
    drop(west);
}

#[test]
fn bulk_1_a_disk_that_refuses_is_an_event_and_a_count_and_nothing_is_lost() {
    let pair = Pair::new();
    // A file where the folder should be: no permission stops root.
    fs::write(pair.file("bulk"), "").expect("a file");
    let east = pair.east.start(&pair.east.configure(&Keys::None, &bulk("bulk", "")));
    await_events(&east, "a failure", |events| has(events, "srpBulkStatisticsFailed"));
    east.await_info("Active", |info| info.chassis_state == ChassisState::Active);
    fs::remove_file(pair.file("bulk")).expect("the disk works again");
    await_events(&east, "files", |events| has(events, "srpBulkStatisticsWritten"));
    let written = await_files(&pair.file("bulk"), "both rows", |files| files.len() >= 2);
    assert_eq!(value(&written[0], "context"), "srp");
    let mode = fs::metadata(&written[0]).expect("a file").permissions().mode();
    assert_eq!(mode & 0o022, 0, "nobody else writes it");
    east.signal(Signal::SIGTERM);
    assert_eq!(east.exit_code(), Some(0));
}
