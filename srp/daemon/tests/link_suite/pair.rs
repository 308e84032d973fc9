//! Two links in one thread, over the loopback of a network namespace that dies with the tests.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll};
use nix::sched::{CloneFlags, setns, unshare};
use srp_core::config::Security;
use srp_core::types::{BootId, ChassisMode, ChassisState, Mac, Priority, RouteModifier, Span, Time};
use srp_core::wire::{ConfigItem, ConfigItems, Hello, Message};
use srpd::link::{Link, LinkError, LinkEvent, LinkSettings, TOKENS};

/// No test waits longer than this for an event.
const PATIENCE: Duration = Duration::from_mins(1);

pub const EAST: &str = "127.0.0.1";
pub const WEST: &str = "127.0.0.2";

/// The namespace of all tests: made once, before any of them has a socket, since a child process that is being started
/// holds copies of the sockets of its parent for a moment. It goes with the process.
static NAMESPACE: LazyLock<File> = LazyLock::new(|| {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace of one's own needs root");
    for arguments in ["link set lo up", "-6 addr add fd00::1/128 dev lo", "-6 addr add fd00::2/128 dev lo"] {
        let status =
            Command::new("ip").args(arguments.split(' ')).status().expect("`ip` of iproute2 is needed");
        assert!(status.success(), "ip {arguments}");
    }
    File::open("/proc/thread-self/ns/net").expect("namespace")
});

thread_local! {
    static PORT: u16 = {
        static NEXT: AtomicU16 = AtomicU16::new(7_000);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

/// Moves this thread to the namespace of all tests.
pub fn isolate() {
    setns(&*NAMESPACE, CloneFlags::CLONE_NEWNET).expect("entering a network namespace needs root");
}

/// TCP port of the link, of this thread's own.
pub fn port() -> u16 {
    PORT.with(|port| *port)
}

/// One end of a pair.
pub struct End {
    pub link: Link,
    pub boot: u64,
    sequence: u64,
    facts: VecDeque<LinkEvent>,
    last_up: Option<SocketAddr>,
}

/// Ends, the poll that drives them, and a clock that can be put forward.
pub struct Bench {
    poll: Poll,
    started: Instant,
    skipped: Span,
    ends: Vec<Option<End>>,
    ready: Vec<Event>,
    /// Seed of the order in which readiness is handled; 0: as it comes.
    pub shuffle: u64,
    pub polling: Polling,
}

/// How the driver polls the link's events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Polling {
    Always,
    /// Until it has answered one greeting, and then not at all.
    UntilGreeting,
    Never,
}

impl Bench {
    pub fn new() -> Self {
        let poll = Poll::new().expect("poll");
        Self {
            poll,
            started: Instant::now(),
            skipped: Span::ZERO,
            ends: Vec::new(),
            ready: Vec::new(),
            shuffle: 0,
            polling: Polling::Always,
        }
    }

    /// East and west, both open.
    pub fn pair(east: LinkSettings, west: LinkSettings) -> Self {
        let mut bench = Self::new();
        bench.open(0, east, 100);
        bench.open(1, west, 200);
        bench
    }

    pub fn now(&self) -> Time {
        Time(0) + Span::from(self.started.elapsed()) + self.skipped
    }

    /// Puts the clock forward.
    pub fn skip(&mut self, span: Span) {
        self.skipped = Span(self.skipped.0 + span.0);
    }

    pub fn try_open(&mut self, place: usize, mut settings: LinkSettings, boot: u64) -> Result<(), LinkError> {
        settings.tokens = place * TOKENS..(place + 1) * TOKENS;
        settings.seed = boot;
        let link = Link::open(settings, self.poll.registry())?;
        self.ends.resize_with(self.ends.len().max(place + 1), || None);
        self.ends[place] = Some(End { link, boot, sequence: 0, facts: VecDeque::new(), last_up: None });
        Ok(())
    }

    pub fn open(&mut self, place: usize, settings: LinkSettings, boot: u64) {
        self.try_open(place, settings, boot).expect("the link opens");
    }

    /// The process of this end dies: its sockets close, nothing is said.
    pub fn kill(&mut self, place: usize) {
        self.ends[place] = None;
    }

    pub fn end(&mut self, place: usize) -> &mut End {
        self.ends[place].as_mut().expect("this end lives")
    }

    pub fn counter(&mut self, place: usize, name: &str) -> u64 {
        let counters = self.end(place).link.counters();
        counters.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }

    pub fn send(&mut self, place: usize, message: &Message) {
        let now = self.now();
        self.end(place).link.send(now, message);
        self.collect();
    }

    pub fn say_hello(&mut self, place: usize) {
        let end = self.end(place);
        end.sequence += 1;
        let message = Message::Hello(hello(end.sequence, end.boot));
        self.send(place, &message);
    }

    /// One turn of what the daemon's thread does for ever. Waits no longer than `longest`.
    pub fn turn(&mut self, longest: Duration) {
        let now = self.now();
        let due = self.ends.iter().flatten().filter_map(|end| end.link.next_deadline()).min();
        let until_due = due.map_or(longest, |due| Duration::from(due.since(now)) + Duration::from_micros(1));
        let wait = if self.ready.is_empty() { until_due.min(longest) } else { Duration::ZERO };
        let mut events = Events::with_capacity(128);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => result.expect("poll"),
        }
        self.ready.extend(events.iter().cloned());
        // With a seed, some of what is ready is handled now and the rest later, in an order of the seed's choice.
        let mut batch = if self.shuffle == 0 { self.ready.len() } else { self.ready.len().min(1) };
        while batch > 0 && !self.ready.is_empty() {
            let chosen = self.draw(self.ready.len());
            let event = self.ready.remove(chosen);
            let now = self.now();
            if let Some(end) = self.ends.get_mut(event.token().0 / TOKENS).and_then(Option::as_mut) {
                end.link.handle(now, &event);
            }
            batch -= 1;
        }
        let now = self.now();
        for end in self.ends.iter_mut().flatten() {
            if end.link.next_deadline().is_some_and(|due| due <= now) {
                end.link.handle_deadline(now);
            }
        }
        self.collect();
    }

    /// Goes on until `done`; fails with everything that happened if it never is.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let patience = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < patience, "waited in vain for: {what}\n{}", self.story());
            self.turn(Duration::from_millis(200));
        }
    }

    /// The next fact of this end, in order.
    pub fn next_fact(&mut self, place: usize, what: &str) -> LinkEvent {
        self.run_until(what, |bench| !bench.end(place).facts.is_empty());
        self.end(place).facts.pop_front().expect("there is one")
    }

    /// Waits until the link of this end is up, and takes the fact and the greeting; what came before is skipped.
    pub fn await_up(&mut self, place: usize) -> (String, SocketAddr) {
        loop {
            if let LinkEvent::Up { security, peer, .. } = self.next_fact(place, "link up") {
                let greeting = self.next_fact(place, "greeting");
                assert!(matches!(greeting, LinkEvent::Message(Message::Hello(_))), "{greeting:?}");
                return (security, peer);
            }
        }
    }

    pub fn both_up(&mut self) {
        self.await_up(0);
        self.await_up(1);
    }

    /// The peer's end of the last connection that came up.
    pub fn last_up(&mut self, place: usize) -> SocketAddr {
        self.end(place).last_up.expect("it was up")
    }

    /// True once this message is among the facts; takes what came before it.
    pub fn took_message(&mut self, place: usize, wanted: &Message) -> bool {
        std::iter::from_fn(|| self.end(place).facts.pop_front())
            .any(|fact| matches!(fact, LinkEvent::Message(message) if message == *wanted))
    }

    /// Waits for a message that is not a Hello.
    pub fn await_message(&mut self, place: usize) -> Message {
        loop {
            match self.next_fact(place, "message") {
                LinkEvent::Message(Message::Hello(_)) => {}
                LinkEvent::Message(message) => return message,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Everything both ends know, for a test that fails.
    fn story(&mut self) -> String {
        let mut story = String::new();
        for (place, end) in self.ends.iter().enumerate() {
            let Some(end) = end else { continue };
            let counters = end.link.counters();
            let _ = writeln!(story, "{place}: {:?}\n   {:?}\n   {counters:?}", end.link, end.facts);
        }
        story
    }

    /// Answers what wants an answer, keeps what tests look at.
    fn collect(&mut self) {
        let now = self.now();
        for end in self.ends.iter_mut().flatten() {
            while self.polling != Polling::Never
                && let Some(event) = end.link.poll_event()
            {
                match event {
                    LinkEvent::WantsGreeting(id) => {
                        end.link.greet(now, id, hello(0, end.boot));
                        if self.polling == Polling::UntilGreeting {
                            self.polling = Polling::Never;
                        }
                    }
                    LinkEvent::Up { peer, .. } => {
                        end.sequence = 0;
                        end.last_up = Some(peer);
                        end.facts.push_back(event);
                    }
                    LinkEvent::Down { .. } | LinkEvent::Message(_) | LinkEvent::Refused { .. } => {
                        end.facts.push_back(event);
                    }
                }
            }
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        if self.shuffle == 0 {
            return 0;
        }
        self.shuffle ^= self.shuffle << 13;
        self.shuffle ^= self.shuffle >> 7;
        self.shuffle ^= self.shuffle << 17;
        usize::try_from(self.shuffle >> 33).expect("31 bits") % below
    }
}

pub fn hello(sequence: u64, boot: u64) -> Hello {
    Hello {
        sequence,
        sent_at: Time(0),
        echo_sent_at: None,
        boot: BootId(boot),
        release: "0.1.0".into(),
        state: ChassisState::Init,
        mode: ChassisMode::Primary,
        priority: Priority(10),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        modifier: RouteModifier(17),
        standing: 1,
        echo_standing: None,
        view: None,
        config_digest: [0; 32],
        session_managers: 0,
        session_managers_connected: 0,
        bgp_neighbors: 0,
        bgp_established: 0,
        capabilities: 0,
        echo_held: None,
        monitors_failed: None,
        monitors_remembered: None,
    }
}

/// A message with a body of the given size.
pub fn items(octets: usize) -> Message {
    let value = "x".repeat(octets);
    Message::ConfigItems(ConfigItems { items: vec![ConfigItem { key: "pool dynamic".into(), value }] })
}

pub fn settings(bind: &str, peer: &str, security: Security) -> LinkSettings {
    LinkSettings {
        bind_address: address(bind),
        peer_address: address(peer),
        port: port(),
        security,
        dead_interval: Span::millis(300),
        dscp: 0,
        seed: 1,
        tokens: 0..TOKENS,
    }
}

pub fn plaintext(bind: &str, peer: &str) -> LinkSettings {
    settings(bind, peer, Security::Plaintext)
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("address")
}

/// A peer made by hand: a plain TCP stream from `from` to the link at `to`.
pub fn raw(from: &str, to: &str) -> TcpStream {
    let local = SocketAddr::new(address(from), 0);
    let domain = socket2::Domain::for_address(local);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).expect("socket");
    socket.bind(&local.into()).expect("bind");
    socket.connect(&SocketAddr::new(address(to), port()).into()).expect("the link listens");
    socket.set_nonblocking(true).expect("nonblocking");
    socket.into()
}

/// Key pairs of chassis, as files.
pub struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    /// Makes a key pair for each name.
    pub fn new(names: &[&str]) -> Self {
        let keys = Self { folder: tempfile::tempdir().expect("folder") };
        for name in names {
            let made = rcgen::generate_simple_self_signed([(*name).to_owned()]).expect("key pair");
            std::fs::write(keys.path(name, "key"), made.signing_key.serialize_pem()).expect("key");
            std::fs::write(keys.path(name, "crt"), made.cert.pem()).expect("certificate");
            let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(keys.path(name, "key"), owner_only).expect("mode");
        }
        keys
    }

    pub fn path(&self, name: &str, suffix: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{suffix}"))
    }

    /// Security of chassis `own` that pins every one of `pinned`.
    pub fn security(&self, own: &str, pinned: &[&str]) -> Security {
        let peer_certificate = self.path(&format!("{own}-pins-{}", pinned.join("-")), "crt");
        let read = |name: &&str| std::fs::read_to_string(self.path(name, "crt")).expect("certificate");
        std::fs::write(&peer_certificate, pinned.iter().map(read).collect::<String>()).expect("pins");
        Security::Tls { key: self.path(own, "key"), certificate: self.path(own, "crt"), peer_certificate }
    }
}
