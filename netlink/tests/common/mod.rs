//! A fresh network namespace per test, and `ip` as the independent witness of what is in it.
#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use netlink::{
    Address, EventReceiver, Kernel, KernelEvent, LinkName, NextHop, Prefix, Route, RouteChange, RouteTarget,
    Section, Settings, TableId,
};
use nix::sched::{CloneFlags, setns};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// How long any one test may take before it fails by itself.
const LIMIT: Duration = Duration::from_mins(1);

/// A network namespace of this test alone; deleted when dropped, also on panic.
pub struct Namespace {
    pub name: String,
}

impl Namespace {
    /// With `lo` up.
    pub fn new() -> Self {
        let name = format!("nl-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        run("ip", &["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// With a veth pair `east`-`west` beside `lo`, both ends here: `east` has 192.0.2.1/24 and `2001:db8:e::1/64`,
    /// both ends are up.
    pub fn with_veth() -> Self {
        let namespace = Self::new();
        namespace.ip("link add east type veth peer name west");
        namespace.ip("address add 192.0.2.1/24 dev east");
        namespace.ip("address add 2001:db8:e::1/64 dev east nodad");
        namespace.ip("link set west up");
        namespace.ip("link set east up");
        namespace
    }

    /// Waits until both ends of the pair have the link-local address that the kernel gives them a while later, as they have been
    /// through Duplicate Address Detection: from then on the kernel changes nothing of its own.
    pub fn settle(&self) {
        let deadline = Instant::now() + LIMIT;
        while self.lines("-6 -o address show scope link -tentative").len() < 2 {
            assert!(Instant::now() < deadline, "no link-local addresses: {:?}", self.lines("address show"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs `ip -n NAME ...` and returns what it prints; fails the test if it fails.
    pub fn ip(&self, words: &str) -> String {
        let mut all = vec!["-n", &self.name];
        all.extend(words.split_whitespace());
        run("ip", &all)
    }

    /// Runs many commands in one `ip`, which is as fast as the kernel goes.
    pub fn ip_batch(&self, commands: &str) {
        let mut child = Command::new("ip")
            .args(["-n", &self.name, "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the tool `ip` (package iproute2) is needed");
        child.stdin.take().expect("a pipe").write_all(commands.as_bytes()).expect("`ip` reads");
        assert!(child.wait().expect("`ip` ends").success());
    }

    /// Sets a sysctl of this namespace.
    pub fn sysctl(&self, setting: &str) {
        run("ip", &["netns", "exec", &self.name, "sysctl", "-qw", setting]);
    }

    /// Whether `ip -n NAME ...` succeeds.
    pub fn ip_accepts(&self, words: &str) -> bool {
        let output = Command::new("ip").args(["-n", &self.name]).args(words.split_whitespace()).output();
        output.expect("the tool `ip` (package iproute2) is needed").status.success()
    }

    /// The lines that `ip` prints, trimmed and sorted.
    pub fn lines(&self, words: &str) -> Vec<String> {
        let mut lines: Vec<String> = self.ip(words).lines().map(|line| line.trim().to_owned()).collect();
        lines.sort();
        lines
    }

    /// Routes of both families under our mark, in all tables.
    pub fn our_routes(&self) -> Vec<String> {
        let mut lines = self.lines("-4 route show table all proto 83");
        lines.extend(self.lines("-6 route show table all proto 83"));
        lines
    }

    /// Runs the future in this namespace, on a thread and a current-thread runtime of its own.
    pub fn run<F: Future<Output = ()>>(&self, body: impl FnOnce() -> F + Send) {
        let path = format!("/var/run/netns/{}", self.name);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let namespace = File::open(path).expect("the namespace exists");
                setns(namespace, CloneFlags::CLONE_NEWNET).expect("entering a namespace (needs root)");
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    tokio::time::timeout(LIMIT, body()).await.expect("the test ends within its limit");
                });
            });
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

/// Runs a tool and returns its standard output; fails the test, naming the tool, if it is missing or fails.
pub fn run(tool: &str, words: &[&str]) -> String {
    let output =
        Command::new(tool).args(words).output().unwrap_or_else(|error| panic!("{tool} is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {words:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}

/// The kernel side with default settings.
pub fn start() -> (Kernel, EventReceiver) {
    Kernel::start(Settings::default()).expect("the kernel side starts")
}

pub fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

pub fn address(ip: &str) -> Address {
    Address::new(ip.parse().expect("an address"), LinkName::lo()).expect("a usable address")
}

pub fn blackhole(text: &str) -> Route {
    Route::blackhole(TableId::MAIN, prefix(text))
}

/// A change to a route of the main table via one gateway.
pub fn via(text: &str, gateway: &str) -> RouteChange {
    let hop = NextHop::via(gateway.parse().expect("a gateway")).expect("not link-local");
    RouteChange::Set(
        Route::new(TableId::MAIN, prefix(text), RouteTarget::Via(hop.into())).expect("one family"),
    )
}

pub fn removal(text: &str) -> RouteChange {
    RouteChange::Remove { table: TableId::MAIN, prefix: prefix(text) }
}

/// Two loopbacks and two pools, one of each family.
pub fn section() -> Section {
    Section::default()
        .with_address(address("198.51.100.7"))
        .with_address(address("2001:db8:1::7"))
        .with_route(blackhole("10.10.0.0/16"))
        .with_route(Route::unreachable(TableId::MAIN, prefix("2001:db8:1000::/36")))
}

/// The first event that satisfies `wanted`; the others before it are dropped.
pub async fn event(events: &mut EventReceiver, wanted: impl Fn(&KernelEvent) -> bool) -> KernelEvent {
    loop {
        let event = events.recv().await.expect("the kernel side is running");
        if wanted(&event) {
            return event;
        }
    }
}

/// Why the kernel side does not start.
pub fn start_error() -> String {
    match Kernel::start(Settings::default()) {
        Ok(_) => "it started".to_owned(),
        Err(error) => error.to_string(),
    }
}
