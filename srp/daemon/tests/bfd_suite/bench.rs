//! Places joined by links, and BFD drivers in them, all driven by the thread of the test. Everything ends with its value.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bfd::{DownCause, Interval, State, Timers};
use lab::netns::Netns;
use mio::{Events, Poll};
use srp_core::types::{Span, Time};
use srpd::bfd::{
    Bfd, BfdError, BfdEvent, BfdSettings, Hops, SessionId, SessionSettings, SessionView, TOKENS,
};
use srpd::clock;

/// No test waits longer than this for an event.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// How often other programs, which tell nothing by themselves, are asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// The interface of a place, and that of the other one.
pub const LINK: &str = "v0";

/// Addresses of two places: ours, theirs.
pub const V4: (&str, &str) = ("192.0.2.1", "192.0.2.2");
pub const V6: (&str, &str) = ("2001:db8::1", "2001:db8::2");
pub const LINK_LOCAL: (&str, &str) = ("fe80::1", "fe80::2");

/// Packets of a session in a row that may be missing, at 100 ms.
pub const MULTIPLIER: u8 = 20;

/// Detection time of a session. Both ends live in the thread of the test, at the priority of every other program: one that
/// has to wait for the processor for less than this is not taken for dead.
pub const DETECTION: Span = Span::millis(2_000);

/// A packet each 100 ms, both ways.
pub fn timers() -> Timers {
    timers_of(100, 100, MULTIPLIER)
}

pub fn timers_of(min_tx: u32, min_rx: u32, multiplier: u8) -> Timers {
    Timers::new(Interval::millis(min_tx), Interval::millis(min_rx), multiplier).expect("in range")
}

/// Namespaces of one more test of this process. Their names are not those of labs: a lab that starts meanwhile removes
/// the ones that it takes for left behind.
fn places<const N: usize>(names: [&str; N]) -> [Netns; N] {
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let (pid, test) = (std::process::id(), TESTS.fetch_add(1, Ordering::Relaxed));
    names.map(|name| Netns::create(format!("bfd-{pid}.{test}-{name}")).expect("a namespace (needs root)"))
}

/// Two places with a link between them.
pub fn linked() -> (Netns, Netns) {
    let [here, there] = places(["here", "there"]);
    wire(&here, LINK, &there, LINK);
    for (place, host) in [(&here, 1), (&there, 2)] {
        configure(place, LINK, &[format!("192.0.2.{host}/24"), format!("2001:db8::{host}/64")], host);
    }
    (here, there)
}

/// Two places and a router between them; see [`ROUTED_V4`] and [`ROUTED_V6`] for their addresses.
pub fn routed() -> (Netns, Netns, Netns) {
    let [here, router, there] = places(["here", "router", "there"]);
    wire(&here, LINK, &router, LINK);
    wire(&router, "v1", &there, LINK);
    configure(&here, LINK, &["192.0.2.1/24".into(), "2001:db8::1/64".into()], 1);
    configure(&router, LINK, &["192.0.2.9/24".into(), "2001:db8::9/64".into()], 9);
    configure(&router, "v1", &["198.51.100.9/24".into(), "2001:db8:1::9/64".into()], 9);
    configure(&there, LINK, &["198.51.100.2/24".into(), "2001:db8:1::2/64".into()], 2);
    router.sysctl(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]).expect("a router");
    for (place, v4, v6) in [(&here, "192.0.2.9", "2001:db8::9"), (&there, "198.51.100.9", "2001:db8:1::9")] {
        place
            .ip(&[format!("route add default via {v4}"), format!("route add ::/0 via {v6}")])
            .expect("routes");
    }
    (here, router, there)
}

pub const ROUTED_V4: (&str, &str) = ("192.0.2.1", "198.51.100.2");
pub const ROUTED_V6: (&str, &str) = ("2001:db8::1", "2001:db8:1::2");

pub fn wire(one: &Netns, its: &str, other: &Netns, the_others: &str) {
    // Made inside, so that no name of the host is in the way.
    let line = format!("link add {its} type veth peer name {the_others} netns {}", other.name());
    one.ip(&[line]).expect("a link");
}

pub fn configure(place: &Netns, link: &str, addresses: &[String], host: u8) {
    let mut lines = vec![format!("link set {link} addrgenmode none")];
    let nodad = |address: &str| if address.contains(':') { " nodad" } else { "" };
    lines.extend(addresses.iter().map(|address| format!("addr add {address} dev {link}{}", nodad(address))));
    lines.push(format!("addr add fe80::{host}/64 dev {link} nodad"));
    lines.push(format!("link set {link} up"));
    place.ip(&lines).expect("addresses");
}

/// A session from our end of a pair of addresses.
pub fn session((ours, theirs): (&str, &str)) -> SessionSettings {
    SessionSettings {
        peer: theirs.parse().expect("address"),
        local_address: ours.parse().expect("address"),
        interface: Some(LINK.into()),
        vrf: None,
        hops: Hops::Single,
        timers: timers(),
        admin_down: false,
    }
}

/// The same over routers.
pub fn multihop(addresses: (&str, &str), min_ttl: u8) -> SessionSettings {
    SessionSettings { interface: None, hops: Hops::Multi { min_ttl }, ..session(addresses) }
}

/// The same session from the other end.
pub fn mirrored(settings: &SessionSettings) -> SessionSettings {
    let SessionSettings { peer, local_address, .. } = *settings;
    SessionSettings { peer: local_address, local_address: peer, ..settings.clone() }
}

/// The first session of a driver; most have one.
pub const FIRST: SessionId = SessionId(0);

/// Drivers by number, and the poll that drives them.
pub struct Bench {
    poll: Poll,
    nodes: Vec<Option<Node>>,
    story: Vec<(Time, usize, BfdEvent)>,
}

struct Node {
    bfd: Bfd,
    facts: VecDeque<(Time, BfdEvent)>,
}

impl Bench {
    pub fn new() -> Self {
        Self { poll: Poll::new().expect("poll"), nodes: Vec::new(), story: Vec::new() }
    }

    /// One driver with one session.
    pub fn with(place: &Netns, settings: SessionSettings) -> Self {
        let mut bench = Self::new();
        bench.open(0, place, vec![settings]);
        bench
    }

    /// Two drivers at both ends of a session.
    pub fn pair(here: &Netns, there: &Netns, settings: &SessionSettings) -> Self {
        let mut bench = Self::with(here, settings.clone());
        bench.open(1, there, vec![mirrored(settings)]);
        bench
    }

    pub fn open(&mut self, node: usize, place: &Netns, sessions: Vec<SessionSettings>) {
        self.try_open(node, place, sessions).expect("BFD opens");
    }

    pub fn try_open(
        &mut self,
        node: usize,
        place: &Netns,
        sessions: Vec<SessionSettings>,
    ) -> Result<(), BfdError> {
        let now = clock::now();
        let settings = BfdSettings { sessions, seed: now.0, tokens: node * TOKENS..(node + 1) * TOKENS };
        let registry = self.poll.registry();
        let bfd = place.enter(|| Bfd::open(now, settings, registry)).expect("the namespace is there")?;
        self.nodes.resize_with(self.nodes.len().max(node + 1), || None);
        self.nodes[node] = Some(Node { bfd, facts: VecDeque::new() });
        Ok(())
    }

    /// The process of this driver dies: its sockets close, nothing is said.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node] = None;
    }

    /// The driver, to be told something now.
    pub fn bfd(&mut self, node: usize) -> &mut Bfd {
        &mut self.nodes[node].as_mut().expect("this driver lives").bfd
    }

    pub fn view(&mut self, node: usize) -> SessionView {
        self.bfd(node).sessions().into_iter().next().expect("a session")
    }

    pub fn state(&mut self, node: usize) -> State {
        self.view(node).state
    }

    pub fn counter(&mut self, node: usize, name: &str) -> u64 {
        let counters = self.bfd(node).counters();
        counters.iter().find(|(known, _)| *known == name).map_or(0, |(_, count)| *count)
    }

    /// One turn of what the daemon's thread does for ever. Waits no longer than `longest`.
    pub fn turn(&mut self, longest: Duration) {
        let now = clock::now();
        let due = self.nodes.iter().flatten().filter_map(|node| node.bfd.next_deadline()).min();
        let wait = due.map_or(longest, |due| Duration::from(due.since(now)).min(longest));
        let mut events = Events::with_capacity(64);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => result.expect("poll"),
        }
        let now = clock::now();
        for node in self.nodes.iter_mut().flatten() {
            events.iter().for_each(|event| node.bfd.handle(now, event));
            node.bfd.handle_deadline(now);
        }
        self.collect(now);
    }

    fn collect(&mut self, now: Time) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let Some(node) = node else { continue };
            while let Some(event) = node.bfd.poll_event() {
                self.story.push((now, number, event));
                node.facts.push_back((now, event));
            }
        }
    }

    /// Goes on until `done`; fails with everything that happened if it never is.
    pub fn run_until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let patience = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < patience, "waited in vain for: {what}\n{}", self.tell());
            self.turn(ASK_EVERY);
        }
    }

    /// Goes on while another thread does what may take its time, as another program does that is asked or told something:
    /// meanwhile we must not fall silent.
    pub fn meanwhile<T: Send>(&mut self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let done = scope.spawn(act);
            while !done.is_finished() {
                self.turn(Duration::from_millis(20));
            }
            done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Goes on until another program says what is wanted; it is asked now and then.
    pub fn run_until_told<T: Send>(
        &mut self,
        what: &str,
        mut ask: impl FnMut() -> Result<T, String> + Send,
    ) -> T {
        let patience = Instant::now() + PATIENCE;
        loop {
            let next = Instant::now() + ASK_EVERY;
            match self.meanwhile(&mut ask) {
                Ok(told) => return told,
                Err(last) => {
                    let late = Instant::now() >= patience;
                    assert!(!late, "waited in vain for: {what}; last: {last}\n{}", self.tell());
                }
            }
            while Instant::now() < next {
                self.turn(Duration::from_millis(20));
            }
        }
    }

    /// Goes on for so long.
    pub fn run_for(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            self.turn(end.saturating_duration_since(Instant::now()));
        }
    }

    /// The next fact of this driver, in order.
    pub fn next_fact(&mut self, node: usize, what: &str) -> (Time, BfdEvent) {
        let facts = |bench: &mut Self| bench.nodes[node].as_mut().and_then(|node| node.facts.pop_front());
        let mut found = None;
        self.run_until(what, |bench| {
            found = facts(bench);
            found.is_some()
        });
        found.expect("there is one")
    }

    pub fn await_up(&mut self, node: usize) {
        let (_, fact) = self.next_fact(node, "a session comes up");
        assert!(matches!(fact, BfdEvent::Up { .. }), "{fact:?}\n{}", self.tell());
    }

    pub fn await_down(&mut self, node: usize) -> (Time, DownCause) {
        match self.next_fact(node, "a session goes down") {
            (at, BfdEvent::Down { cause, .. }) => (at, cause),
            (_, fact @ BfdEvent::Up { .. }) => panic!("{fact:?}\n{}", self.tell()),
        }
    }

    /// Both ends are Up and no Poll Sequence is left.
    pub fn await_both_up(&mut self) {
        self.await_up(0);
        self.await_up(1);
        self.await_agreed(0);
        self.await_agreed(1);
    }

    /// The peer's packets say what it wants in the long run.
    pub fn await_agreed(&mut self, node: usize) {
        self.run_until("timers are agreed on", |bench| {
            // Before that they are a second apart (RFC 5880 section 6.8.3), and three at least may be missing.
            bench.view(node).detection_time.is_some_and(|time| time <= DETECTION)
        });
    }

    /// No session has gone down yet.
    pub fn downs(&self) -> usize {
        self.story.iter().filter(|(_, _, event)| matches!(event, BfdEvent::Down { .. })).count()
    }

    /// Everything that is known, for a test that fails.
    fn tell(&mut self) -> String {
        let mut story = String::new();
        for (at, node, event) in &self.story {
            let _ = writeln!(story, "{} {node}: {event:?}", at.0);
        }
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let _ = writeln!(story, "{number}: {:#?}\n{:?}", node.bfd.sessions(), node.bfd.counters());
        }
        story
    }
}

/// Milliseconds since an earlier moment, for the test's output.
pub fn since(earlier: Time, later: Time) -> f64 {
    later.since(earlier).as_millis_f64()
}

/// A process of another program in a place; ends with its value.
pub struct Daemon(pub Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill(); // may have ended
        let _ = self.0.wait();
    }
}

/// Whose packages a peer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debian {
    /// This machine's: FRR 8.4.4, BIRD 2.0.12.
    Twelve,
    /// Those that `scripts/debian-13-peers` unpacks: FRR 10.3, BIRD 3.1.
    Thirteen,
}

impl Debian {
    /// A command that runs a program of the release in a place. `program` is its absolute path.
    pub fn command(self, place: &Netns, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", place.name()]);
        if self == Self::Thirteen {
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/debian-13-exec"));
        }
        command.arg(program);
        command
    }
}

pub fn ip(address: &str) -> IpAddr {
    address.parse().expect("address")
}
