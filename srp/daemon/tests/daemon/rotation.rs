//! Keys and certificates change while the link stays up, and serve the next one.

use std::fs;

use nix::sys::signal::Signal;
use srp_core::api::SrpInfo;
use srp_core::types::ChassisState;

use crate::support::{Daemon, Keys, Pair};

/// Writes the certificates that a chassis pins.
fn pin(pair: &Pair, file: &str, names: &[&str]) {
    let read = |name: &&str| fs::read_to_string(pair.file(&format!("{name}.crt"))).expect("a certificate");
    fs::write(pair.file(&format!("{file}.crt")), names.iter().map(read).collect::<String>())
        .expect("the pins");
}

/// Both run under TLS; east has pinned west's certificate in `east-pins.crt`.
fn running(pair: &Pair) -> (Daemon, Daemon) {
    for name in ["east", "west", "next"] {
        pair.make_keys(name);
    }
    pin(pair, "east-pins", &["west"]);
    pin(pair, "west-pins", &["east"]);
    let east = pair.east.start(&pair.east.configure(&Keys::Files { own: "east", peer: "east-pins" }, ""));
    let west = pair.west.start(&pair.west.configure(&Keys::Files { own: "west", peer: "west-pins" }, ""));
    east.await_info("Active beside a Standby", |info| {
        info.chassis_state == ChassisState::Active
            && info.peer.as_ref().is_some_and(|peer| peer.state == ChassisState::Standby)
    });
    (east, west)
}

/// The link has not been made anew, and Hellos go on.
fn stays_up(daemon: &Daemon, ups: u64) {
    let before = daemon.info().expect("info");
    assert_eq!((before.connection_state.as_str(), before.connection_ups), ("Connected", ups));
    let now = daemon.await_info("more Hellos", |info| info.hellos_received > before.hellos_received + 2);
    assert_eq!(now.connection_ups, ups);
}

fn certificate(info: &SrpInfo) -> String {
    info.certificate.clone().expect("a link under TLS")
}

#[test]
fn key_is_changed_while_the_link_stays_up_and_proves_the_next_link() {
    let pair = Pair::new();
    let (east, west) = running(&pair);
    let old = certificate(&west.info().expect("info"));

    pin(&pair, "east-pins", &["west", "next"]);
    east.signal(Signal::SIGHUP);
    east.await_info("two certificates pinned", |info| info.pinned_certificates.len() == 2);
    for ending in ["key", "crt"] {
        fs::copy(pair.file(&format!("next.{ending}")), pair.file(&format!("west.{ending}")))
            .expect("a key file");
    }
    west.signal(Signal::SIGHUP);
    let new = certificate(&west.await_info("another certificate", |info| certificate(info) != old));
    for chassis in [&east, &west] {
        stays_up(chassis, 1);
    }
    let info = east.info().expect("info");
    assert!(info.connection_security.contains(&old), "{}: proved by the old key", info.connection_security);

    // No restart: the same daemons find each other again, with the new key.
    pair.east.netns.ip(&["link set srp down".into()]).expect("a cut");
    east.await_info("the link is lost", |info| info.peer.is_none());
    pair.east.netns.ip(&["link set srp up".into()]).expect("a healed link");
    let info = east.await_info("the next link", |info| info.connection_ups == 2 && info.peer.is_some());
    assert!(info.connection_security.contains(&new), "{}", info.connection_security);

    pin(&pair, "east-pins", &["next"]);
    east.signal(Signal::SIGHUP);
    east.await_info("the old certificate is out", |info| info.pinned_certificates == [new.clone()]);
    stays_up(&east, 2);
}

#[test]
fn keys_that_cannot_be_used_refuse_the_whole_reload() {
    let pair = Pair::new();
    let (east, _west) = running(&pair);
    let before = east.info().expect("info");
    let key = fs::read(pair.file("east.key")).expect("the key");
    let more = "\n[[context.pool]]\nname = \"more\"\nprefix = \"172.19.0.0/20\"\nsrp-activate = true\n";
    let names = Keys::Files { own: "east", peer: "east-pins" };
    pair.east.configure(&names, more);
    fs::copy(pair.file("next.key"), pair.file("east.key")).expect("a key of another certificate");
    east.signal(Signal::SIGHUP);
    // Nothing tells that a reload was refused, but that the next one finds everything as it was.
    stays_up(&east, 1);
    assert!(!pair.east.kernel().contains("172.19.0.0/20"));
    fs::write(pair.file("east.key"), key).expect("the key");
    east.signal(Signal::SIGHUP);
    pair.east.await_that("the new pool is installed", |east| east.kernel().contains("172.19.0.0/20"));
    let after = east.info().expect("info");
    assert_eq!((after.certificate, after.connection_ups), (before.certificate, 1));
}
