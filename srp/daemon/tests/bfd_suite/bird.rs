//! Against BIRD. Its own show command gives the verdict.

use std::process::Stdio;

use bfd::{DownCause, State};
use lab::netns::Netns;
use srp_core::types::Span;
use srpd::bfd::{Refusal, SessionSettings};
use srpd::clock;
use tempfile::TempDir;

use crate::bench::{
    Bench, DETECTION, Daemon, Debian, FIRST, LINK, MULTIPLIER, ROUTED_V4, ROUTED_V6, V4, V6, linked,
    multihop, routed, session, since, timers, timers_of,
};

/// BIRD in a place.
struct Bird<'a> {
    debian: Debian,
    place: &'a Netns,
    folder: TempDir,
    daemon: Option<Daemon>,
    /// Where the session goes, as BIRD's configuration has it.
    neighbor: String,
}

impl<'a> Bird<'a> {
    /// At the other end of our session.
    fn start(debian: Debian, bench: &mut Bench, place: &'a Netns, ours: &SessionSettings) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let (us, them) = (ours.local_address, ours.peer);
        let neighbor = match &ours.interface {
            Some(interface) => format!("neighbor {us} dev \"{interface}\" local {them};"),
            None => format!("neighbor {us} local {them} multihop on;"),
        };
        let mut bird = Self { debian, place, folder, daemon: None, neighbor };
        bird.write("100 ms", "100 ms", MULTIPLIER);
        let file = |name: &str| bird.folder.path().join(name);
        let mut command = debian.command(place, "/usr/sbin/bird");
        command
            .arg("-f")
            .arg("-c")
            .arg(file("bird.conf"))
            .arg("-s")
            .arg(file("ctl"))
            .arg("-P")
            .arg(file("pid"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        bird.daemon = Some(Daemon(child.expect("BIRD (package bird2) is installed")));
        bird.await_that(bench, "show status", |text| text.contains("Daemon is up and running"));
        bird
    }

    /// Its configuration; read at the start and on `configure`.
    fn write(&self, min_tx: &str, min_rx: &str, multiplier: u8) {
        let timers = format!(
            "{{ min tx interval {min_tx}; min rx interval {min_rx}; multiplier {multiplier}; idle tx interval 1 s; }}"
        );
        let text = format!(
            "router id 192.0.2.2;\nprotocol device {{}}\n\
             protocol bfd b {{ interface \"{LINK}\" {timers}; multihop {timers}; {} }}\n",
            self.neighbor
        );
        std::fs::write(self.folder.path().join("bird.conf"), text).expect("bird.conf");
    }

    fn birdc(&self, line: &str) -> String {
        let mut birdc = self.debian.command(self.place, "/usr/sbin/birdc");
        birdc.arg("-s").arg(self.folder.path().join("ctl")).args(line.split(' '));
        let output = birdc.output().expect("birdc (package bird2) is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command of which nothing is to be heard.
    fn tell(&self, bench: &mut Bench, line: &str) {
        bench.meanwhile(|| self.birdc(line));
    }

    fn await_that(&self, bench: &mut Bench, line: &str, wanted: impl Fn(&str) -> bool + Send + Sync) {
        bench.run_until_told(&format!("BIRD's {line}"), || {
            let text = self.birdc(line);
            if wanted(&text) { Ok(()) } else { Err(text) }
        });
    }

    /// State, interval and timeout of the session, as `show bfd sessions` has them.
    fn await_session(&self, bench: &mut Bench, wanted: &[&str]) {
        self.await_that(bench, "show bfd sessions", |text| {
            let columns = |line: &str| wanted.iter().all(|word| line.split_whitespace().any(|w| w == *word));
            text.lines().any(columns)
        });
    }
}

/// Up at both ends, with the timers that both want.
fn up<'a>(here: &Netns, there: &'a Netns, settings: &SessionSettings) -> (Bench, Bird<'a>) {
    up_with(Debian::Twelve, here, there, settings)
}

fn up_with<'a>(
    debian: Debian,
    here: &Netns,
    there: &'a Netns,
    settings: &SessionSettings,
) -> (Bench, Bird<'a>) {
    let mut bench = Bench::with(here, settings.clone());
    let bird = Bird::start(debian, &mut bench, there, settings);
    bench.await_up(0);
    bench.await_agreed(0);
    bird.await_session(&mut bench, &["Up", "0.100", "2.000"]);
    let view = bench.view(0);
    assert_eq!(view.detection_time, Some(DETECTION));
    assert_eq!((view.refused, bench.downs()), (0, 0));
    (bench, bird)
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
fn multihop_over_ipv4() {
    let (here, _router, there) = routed();
    // BIRD sends multihop packets with the system's default TTL.
    up(&here, &there, &multihop(ROUTED_V4, 63));
}

#[test]
fn multihop_over_ipv6() {
    let (here, _router, there) = routed();
    up(&here, &there, &multihop(ROUTED_V6, 63));
}

#[test]
fn multihop_packets_with_the_default_ttl_are_refused_by_a_stricter_session() {
    let (here, _router, there) = routed();
    let settings = multihop(ROUTED_V4, 254);
    let mut bench = Bench::with(&here, settings.clone());
    let _bird = Bird::start(Debian::Twelve, &mut bench, &there, &settings);
    bench.run_until("BIRD's first packet", |bench| bench.counter(0, "ttl") > 0);
    let view = bench.view(0);
    assert_eq!(view.last_refusal, Some(Refusal::Ttl { got: 63, least: 254 }));
    assert_eq!(view.state, State::Down);
}

#[test]
fn killed_bird_is_noticed() {
    let (here, there) = linked();
    let (mut bench, mut bird) = up(&here, &there, &session(V4));
    let killed_at = clock::now();
    bird.daemon = None;
    let (at, cause) = bench.await_down(0);
    assert_eq!(cause, DownCause::DetectionTimeExpired { after: bfd::Span(DETECTION.0) });
    println!("BIRD, {DETECTION}: noticed {:.1} ms after the kill", since(killed_at, at));
}

#[test]
fn our_death_is_noticed_by_bird() {
    let (here, there) = linked();
    let (mut bench, bird) = up(&here, &there, &session(V6));
    bench.kill(0);
    bird.await_session(&mut bench, &["Down"]);
    bench.open(0, &here, vec![session(V6)]);
    bench.await_up(0);
    bird.await_session(&mut bench, &["Up"]);
}

#[test]
fn operator_at_either_end_takes_the_session_down() {
    let (here, there) = linked();
    let (bench, bird) = up(&here, &there, &session(V4));
    taken_down(bench, &bird);
}

/// Every kind of session with BIRD 3.1.
#[test]
fn newer_release_does_the_same() {
    let (here, there) = linked();
    up_with(Debian::Thirteen, &here, &there, &session(V6));
    let (bench, bird) = up_with(Debian::Thirteen, &here, &there, &session(V4));
    taken_down(bench, &bird);
    let (here, _router, there) = routed();
    for settings in [multihop(ROUTED_V4, 63), multihop(ROUTED_V6, 63)] {
        up_with(Debian::Thirteen, &here, &there, &settings);
    }
}

fn taken_down(mut bench: Bench, bird: &Bird<'_>) {
    bench.bfd(0).set_admin_down(clock::now(), FIRST, true);
    assert_eq!(bench.await_down(0).1, DownCause::Disabled);
    bird.await_session(&mut bench, &["Down"]);
    bench.bfd(0).set_admin_down(clock::now(), FIRST, false);
    bench.await_up(0);
    bird.await_session(&mut bench, &["Up"]);
    bird.tell(&mut bench, "disable b");
    let (_, cause) = bench.await_down(0);
    println!("BIRD's `disable`: {cause}");
    bird.tell(&mut bench, "enable b");
    bench.await_up(0);
    bird.await_session(&mut bench, &["Up"]);
}

#[test]
fn timers_change_at_either_end_while_the_session_stays_up() {
    let (here, there) = linked();
    let (mut bench, bird) = up(&here, &there, &session(V4));
    bench.bfd(0).set_timers(clock::now(), FIRST, timers_of(250, 200, 16));
    bird.await_session(&mut bench, &["Up", "0.200", "4.000"]);
    bench.run_until("Final has come", |bench| {
        let view = bench.view(0);
        view.transmit_interval == Some(Span::millis(250)) && view.detection_time == Some(Span::millis(4_000))
    });
    bench.bfd(0).set_timers(clock::now(), FIRST, timers());
    bird.await_session(&mut bench, &["Up", "0.100", "2.000"]);
    bird.write("300 ms", "400 ms", 7);
    bird.tell(&mut bench, "configure");
    bench.run_until("BIRD's new timers", |bench| {
        let view = bench.view(0);
        view.detection_time == Some(Span::millis(2_100)) && view.transmit_interval == Some(Span::millis(400))
    });
    assert_eq!((bench.state(0), bench.downs()), (State::Up, 0));
    bird.await_session(&mut bench, &["Up"]);
}
