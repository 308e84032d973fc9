//! Against FRR's bfdd. Its own show command gives the verdict.

use std::path::Path;
use std::process::Stdio;

use bfd::{DownCause, State};
use lab::netns::Netns;
use serde_json::Value;
use srp_core::types::Span;
use srpd::bfd::SessionSettings;
use srpd::clock;
use tempfile::TempDir;

use crate::bench::{
    Bench, DETECTION, Daemon, Debian, FIRST, LINK_LOCAL, MULTIPLIER, ROUTED_V4, ROUTED_V6, V4, V6, linked,
    multihop, routed, session, since, timers, timers_of,
};

/// zebra and bfdd in a place.
struct Frr<'a> {
    debian: Debian,
    place: &'a Netns,
    folder: TempDir,
    bfdd: Option<Daemon>,
    _zebra: Daemon,
    /// The peer as its configuration names it.
    peer: String,
}

impl<'a> Frr<'a> {
    /// At the other end of our session.
    fn start(debian: Debian, bench: &mut Bench, place: &'a Netns, ours: &SessionSettings) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let path = match &ours.interface {
            Some(interface) => format!("local-address {} interface {interface}", ours.peer),
            None => format!("multihop local-address {}", ours.peer),
        };
        let peer = format!("peer {} {path}", ours.local_address);
        let more = if ours.interface.is_none() { "  minimum-ttl 254\n" } else { "" };
        let timers = "  detect-multiplier 20\n  receive-interval 100\n  transmit-interval 100\n";
        let configuration = format!("bfd\n {peer}\n{timers}{more} !\n!\n");
        std::fs::write(folder.path().join("zebra.conf"), "").expect("zebra.conf");
        std::fs::write(folder.path().join("bfdd.conf"), configuration).expect("bfdd.conf");
        let zebra = daemon(debian, place, folder.path(), "zebra", &[]);
        let listens = || folder.path().join("zserv").exists().then_some(()).ok_or_else(|| "no".into());
        bench.run_until_told("zebra listens", listens);
        // FRR 10 has no such socket any more.
        let control = folder.path().join("bfdd.sock").display().to_string();
        let control = ["--bfdctl", &control];
        let control: &[&str] = if debian == Debian::Twelve { &control } else { &[] };
        let bfdd = Some(daemon(debian, place, folder.path(), "bfdd", control));
        let frr = Self { debian, place, folder, bfdd, _zebra: zebra, peer };
        bench.run_until_told("bfdd answers", || frr.ask());
        frr
    }

    /// All that bfdd knows of the session, or what went wrong.
    fn ask(&self) -> Result<Value, String> {
        let text = self.vtysh(&["show bfd peers json"]);
        let peers: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        peers.get(0).cloned().ok_or(text)
    }

    fn await_that(
        &self,
        bench: &mut Bench,
        what: &str,
        holds: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Value {
        bench.run_until_told(what, || {
            let peer = self.ask()?;
            if holds(&peer) { Ok(peer) } else { Err(format!("{peer:#}")) }
        })
    }

    fn await_status(&self, bench: &mut Bench, status: &str) -> Value {
        self.await_that(bench, &format!("bfdd says {status}"), |peer| peer["status"] == status)
    }

    /// Configures the peer anew.
    fn configure(&self, bench: &mut Bench, line: &str) {
        bench.meanwhile(|| self.vtysh(&["configure terminal", "bfd", &self.peer, line]));
    }

    fn vtysh(&self, commands: &[&str]) -> String {
        let mut vtysh = self.debian.command(self.place, "/usr/bin/vtysh");
        vtysh.arg("--vty_socket").arg(self.folder.path()).args(["-d", "bfdd"]);
        vtysh.args(commands.iter().flat_map(|command| ["-c", command]));
        let output = vtysh.output().expect("vtysh (package frr) is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

fn daemon(debian: Debian, place: &Netns, folder: &Path, name: &str, more: &[&str]) -> Daemon {
    let file = |suffix: &str| folder.join(format!("{name}{suffix}"));
    let mut command = debian.command(place, &format!("/usr/lib/frr/{name}"));
    command.args(["-u", "root", "-g", "frrvty"]);
    command.arg("-z").arg(folder.join("zserv")).arg("--vty_socket").arg(folder);
    command.arg("-i").arg(file(".pid")).arg("-f").arg(file(".conf")).args(more);
    command.arg("--log").arg(format!("file:{}", file(".log").display()));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Daemon(child.expect("FRR (package frr) is installed"))
}

/// Up at both ends, with the timers that both want.
fn up<'a>(here: &Netns, there: &'a Netns, settings: &SessionSettings) -> (Bench, Frr<'a>) {
    up_with(Debian::Twelve, here, there, settings)
}

fn up_with<'a>(
    debian: Debian,
    here: &Netns,
    there: &'a Netns,
    settings: &SessionSettings,
) -> (Bench, Frr<'a>) {
    let mut bench = Bench::with(here, settings.clone());
    let frr = Frr::start(debian, &mut bench, there, settings);
    bench.await_up(0);
    bench.await_agreed(0);
    let peer = frr.await_that(&mut bench, "bfdd has our timers", |peer| {
        peer["status"] == "up" && peer["remote-transmit-interval"] == 100
    });
    assert_eq!(peer["remote-receive-interval"], 100, "{peer:#}");
    assert_eq!(peer["remote-detect-multiplier"], MULTIPLIER);
    assert_eq!(peer["remote-id"], bench.view(0).local_discriminator.get());
    let view = bench.view(0);
    assert_eq!(view.detection_time, Some(DETECTION));
    assert_eq!((view.refused, bench.downs()), (0, 0));
    (bench, frr)
}

#[test]
fn single_hop_over_ipv4() {
    let (here, there) = linked();
    up(&here, &there, &session(V4));
}

#[test]
fn single_hop_over_ipv6() {
    let (here, there) = linked();
    up(&here, &there, &session(V6));
}

#[test]
fn single_hop_between_link_local_addresses() {
    let (here, there) = linked();
    up(&here, &there, &session(LINK_LOCAL));
}

#[test]
fn multihop_over_ipv4() {
    let (here, _router, there) = routed();
    up(&here, &there, &multihop(ROUTED_V4, 254));
}

#[test]
fn multihop_over_ipv6() {
    let (here, _router, there) = routed();
    up(&here, &there, &multihop(ROUTED_V6, 254));
}

#[test]
fn killed_bfdd_is_noticed() {
    let (here, there) = linked();
    let (mut bench, mut frr) = up(&here, &there, &session(V4));
    let killed_at = clock::now();
    frr.bfdd = None;
    let (at, cause) = bench.await_down(0);
    assert_eq!(cause, DownCause::DetectionTimeExpired { after: bfd::Span(DETECTION.0) });
    println!("bfdd, {DETECTION}: noticed {:.1} ms after the kill", since(killed_at, at));
}

#[test]
fn our_death_is_noticed_by_bfdd() {
    let (here, there) = linked();
    let (mut bench, frr) = up(&here, &there, &session(V4));
    bench.kill(0);
    let peer = frr.await_status(&mut bench, "down");
    assert_eq!(peer["diagnostic"], "control detection time expired", "{peer:#}");
    // A new life is met.
    bench.open(0, &here, vec![session(V4)]);
    bench.await_up(0);
    frr.await_status(&mut bench, "up");
}

#[test]
fn operator_at_either_end_takes_the_session_down() {
    let (here, there) = linked();
    let (bench, frr) = up(&here, &there, &session(V6));
    taken_down(bench, &frr);
}

/// Every kind of session with FRR 10.3.
#[test]
fn newer_release_does_the_same() {
    let (here, there) = linked();
    for settings in [session(V4), session(LINK_LOCAL)] {
        up_with(Debian::Thirteen, &here, &there, &settings);
    }
    let (bench, frr) = up_with(Debian::Thirteen, &here, &there, &session(V6));
    taken_down(bench, &frr);
    let (here, _router, there) = routed();
    for settings in [multihop(ROUTED_V4, 254), multihop(ROUTED_V6, 254)] {
        up_with(Debian::Thirteen, &here, &there, &settings);
    }
}

fn taken_down(mut bench: Bench, frr: &Frr<'_>) {
    bench.bfd(0).set_admin_down(clock::now(), FIRST, true);
    assert_eq!(bench.await_down(0).1, DownCause::Disabled);
    let peer = frr.await_status(&mut bench, "down");
    assert_eq!(peer["remote-diagnostic"], "administratively down", "{peer:#}");
    bench.bfd(0).set_admin_down(clock::now(), FIRST, false);
    bench.await_up(0);
    frr.await_status(&mut bench, "up");
    frr.configure(&mut bench, "shutdown");
    assert_eq!(bench.await_down(0).1, DownCause::RemoteAdminDown);
    frr.configure(&mut bench, "no shutdown");
    bench.await_up(0);
    frr.await_status(&mut bench, "up");
}

#[test]
fn timers_change_at_either_end_while_the_session_stays_up() {
    let (here, there) = linked();
    let (mut bench, frr) = up(&here, &there, &session(V4));
    bench.bfd(0).set_timers(clock::now(), FIRST, timers_of(250, 200, 16));
    let peer = frr.await_that(&mut bench, "bfdd has our new timers", |peer| {
        peer["remote-transmit-interval"] == 250 && peer["remote-detect-multiplier"] == 16
    });
    assert_eq!(peer["remote-receive-interval"], 200);
    bench.run_until("Final has come", |bench| {
        let view = bench.view(0);
        view.transmit_interval == Some(Span::millis(250)) && view.detection_time == Some(Span::millis(4_000))
    });
    bench.bfd(0).set_timers(clock::now(), FIRST, timers());
    frr.await_that(&mut bench, "bfdd has the old timers again", |peer| {
        peer["remote-transmit-interval"] == 100
    });
    frr.configure(&mut bench, "transmit-interval 300");
    bench.run_until("bfdd's new interval", |bench| bench.view(0).detection_time == Some(Span::millis(6_000)));
    frr.configure(&mut bench, "receive-interval 400");
    bench
        .run_until("bfdd's new interval", |bench| bench.view(0).transmit_interval == Some(Span::millis(400)));
    frr.configure(&mut bench, "detect-multiplier 25");
    bench.run_until("bfdd's new multiplier", |bench| {
        bench.view(0).detection_time == Some(Span::millis(7_500))
    });
    assert_eq!((bench.state(0), bench.downs()), (State::Up, 0));
    assert_eq!(bench.meanwhile(|| frr.ask()).expect("bfdd answers")["status"], "up");
}
