//! freeDiameter: capabilities, watchdogs, killed and back, frozen, goodbyes, and refusals.

use std::fs;

use nix::sys::signal::Signal;
use srp_core::api::{DiameterPeer, Request, Response};
use srp_core::types::ChassisState;

use super::{Server, needs, peers, shown};
use crate::support::{Daemon, Keys, Pair, Place};

const PROGRAM: &str = "/usr/bin/freeDiameterd";

/// Knows `gateway.example` as a peer without TLS, and cannot connect to it itself. It wants a certificate all the same, of its name.
fn freediameter(pair: &Pair) -> Server {
    at(pair, &pair.west, "192.0.2.2", "192.0.2.1")
}

/// The same in another place, with its own address and where it would find the gateway.
pub(super) fn at(pair: &Pair, place: &Place, own: &str, gateway: &str) -> Server {
    needs(PROGRAM, "freediameterd");
    pair.make_keys("peer.example");
    let file = pair.file(&format!("freediameter-{}.conf", place.name));
    let path = |name: &str| pair.file(name).display().to_string();
    let (certificate, key) = (path("peer.example.crt"), path("peer.example.key"));
    fs::write(
        &file,
        format!(
            "Identity = \"peer.example\";\nRealm = \"example\";\nPort = 3868;\nSecPort = 0;\nNo_SCTP;\nNo_IPv6;\n\
             TwTimer = 30;\nTcTimer = 30;\nTLS_Cred = \"{certificate}\", \"{key}\";\nTLS_CA = \"{certificate}\";\n\
             ListenOn = \"{own}\";\n\
             ConnectPeer = \"gateway.example\" {{ ConnectTo = \"{gateway}\"; No_TLS; port = 9; }};\n"
        ),
    )
    .expect("the configuration of freeDiameter");
    let log = pair.file(&format!("freediameter-{}.log", place.name));
    Server::start(place, PROGRAM, &["-c", file.to_str().expect("a plain path")], &log)
}

/// It takes a while from its start until it can be connected to.
pub(super) fn await_listening(place: &Place) {
    place.await_that("freeDiameter to listen", |place| {
        let listens = std::process::Command::new("ss").args(["-N", place.netns.name(), "-Hltn"]).output();
        listens.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(":3868"))
    });
}

fn config(origin_host: &str, host: &str) -> String {
    format!(
        "[[srp.monitor.diameter]]\ncontext = \"destination\"\naddress = \"192.0.2.2\"\n\
         local-address = \"192.0.2.1\"\nhost = \"{host}\"\norigin-host = \"{origin_host}\"\norigin-realm = \"example\"\n\
         watchdog-interval = \"6s\"\nreconnect-interval = \"1s\"\n"
    )
}

fn chassis(pair: &Pair, more: &str) -> Daemon {
    let daemon = pair.east.start(&pair.east.configure(&Keys::None, more));
    daemon.await_state(ChassisState::Active);
    daemon
}

fn is_up(all: &[DiameterPeer]) -> bool {
    all.iter().all(|peer| peer.state == "Up")
}

#[test]
fn mon_7_freediameter_is_up_while_it_answers() {
    let pair = Pair::new();
    let server = freediameter(&pair);
    let daemon = chassis(&pair, &config("gateway.example", "peer.example"));
    let show = || peers(&daemon);
    let all = shown("open", show, is_up);
    assert!(all[0].reason.starts_with("open to peer.example (freeDiameter"), "{all:?}");
    let all = shown("a watchdog answered", show, |all| all[0].watchdogs_answered > 0);
    assert!(all[0].round_trip_ms.is_some() && is_up(&all), "{all:?}");

    // Frozen: nothing is closed, and only the watchdog tells.
    server.signal(Signal::SIGSTOP);
    let all = shown("frozen", show, |all| all[0].state == "Down");
    assert_eq!(all[0].connection, "SUSPECT");
    assert!(all[0].reason.contains("does not answer Device-Watchdog-Requests"), "{all:?}");
    server.signal(Signal::SIGCONT);
    shown("it goes on", show, |all| is_up(all) && all[0].connection == "OKAY");

    // Killed: the connection is closed by its kernel. Back: three watchdogs before it is trusted.
    drop(server);
    let all = shown("killed", show, |all| all[0].state == "Down");
    assert!(
        all[0].reason.starts_with("connection lost") || all[0].reason.starts_with("no connection"),
        "{all:?}"
    );
    let _server = freediameter(&pair);
    let all = shown("open again", show, |all| all[0].connection == "REOPEN");
    assert_eq!(all[0].state, "Down");
    let all = shown("trusted again", show, is_up);
    assert!(all[0].opened >= 2 && all[0].watchdogs_answered >= 4 && all[0].unexpected == 0, "{all:?}");
}

#[test]
fn mon_7_goodbye_of_freediameter_is_down_with_its_cause() {
    let pair = Pair::new();
    let server = freediameter(&pair);
    let daemon = chassis(&pair, &config("gateway.example", "peer.example"));
    shown("open", || peers(&daemon), is_up);
    server.signal(Signal::SIGTERM);
    let all = shown("gone", || peers(&daemon), |all| all[0].state == "Down");
    assert!(all[0].reason.contains("Disconnect-Peer-Request): REBOOTING"), "{all:?}");
}

#[test]
fn mon_7_wrong_names_are_down_with_their_reason() {
    let pair = Pair::new();
    let _server = freediameter(&pair);
    let daemon = chassis(&pair, &config("gateway.example", "pcrf.example"));
    let show = || peers(&daemon);
    let all = shown("another peer", show, |all| all[0].reason.contains("Origin-Host"));
    assert!(all[0].reason.starts_with("Origin-Host is peer.example, not pcrf.example"), "{all:?}");
    assert_eq!(all[0].state, "Down");

    // A name that it does not know.
    let file = pair.file("east.toml");
    let text = fs::read_to_string(&file).expect("the file");
    let stranger = config("stranger.example", "peer.example");
    fs::write(&file, text.replace(&config("gateway.example", "pcrf.example"), &stranger)).expect("the file");
    daemon.signal(Signal::SIGHUP);
    let all = shown("refused", show, |all| {
        all[0].origin_host == "stranger.example" && all[0].state == "Down" && all[0].attempts > 0
    });
    assert_eq!(all[0].opened, 0, "{all:?}");
}

#[test]
fn exec_4_reset_connects_to_failed_peers_at_once() {
    let pair = Pair::new();
    let slow = config("gateway.example", "peer.example").replace("\"1s\"", "\"300s\"");
    let daemon = chassis(&pair, &slow);
    let show = || peers(&daemon);
    let all = shown("refused", show, |all| all[0].state == "Down");
    assert!(all[0].reason.contains("Connection refused"), "{all:?}");
    let _server = freediameter(&pair);
    await_listening(&pair.west);
    let Ok(Response::MonitorReset(reset)) = daemon.ask(&Request::ResetDiameterFail) else {
        panic!("a reset")
    };
    assert!(!reset.was_disregarded);
    shown("open", show, is_up);
}
