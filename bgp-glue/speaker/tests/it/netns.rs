//! Network namespaces that vanish with the test, also when it fails.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns};

/// A release of Debian, by its routing daemons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debian {
    /// This machine's own packages.
    Twelve,
    /// Those in the folder of `scripts/debian-13-peers`.
    Thirteen,
}

/// A network namespace with its loopback up.
pub struct Netns {
    name: String,
}

impl Netns {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let netns = Self { name: format!("bgp-it-{}-{number}", std::process::id()) };
        ip(&["netns", "add", &netns.name]);
        netns.ip("link set lo up");
        netns
    }

    /// Two namespaces joined by a link `v0`: `192.0.2.1` and `2001:db8::1` here, `.2` and `::2` there.
    pub fn pair() -> (Self, Self) {
        let (here, there) = (Self::new(), Self::new());
        Self::join(&here, &there);
        for (netns, host) in [(&here, 1), (&there, 2)] {
            netns.ip(&format!("addr add 192.0.2.{host}/24 dev v0"));
            netns.ip(&format!("addr add 2001:db8::{host}/64 dev v0 nodad"));
        }
        (here, there)
    }

    /// Joins two namespaces by a link `v0`: `fe80::1` here, `fe80::2` there.
    pub fn join(here: &Self, there: &Self) {
        ip(&[
            "link",
            "add",
            "v0",
            "netns",
            &here.name,
            "type",
            "veth",
            "peer",
            "name",
            "v0",
            "netns",
            &there.name,
        ]);
        for (netns, host) in [(here, 1), (there, 2)] {
            netns.ip("link set v0 addrgenmode none");
            netns.ip(&format!("addr add fe80::{host}/64 dev v0 nodad"));
            netns.ip("link set v0 up");
        }
    }

    /// Runs `ip` inside.
    pub fn ip(&self, arguments: &str) {
        ip(&[&["-n", &self.name][..], &arguments.split(' ').collect::<Vec<_>>()].concat());
    }

    /// A command that runs inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// A command that runs a program of a release inside. `program` is its absolute path there.
    pub fn program(&self, debian: Debian, program: &str) -> Command {
        let root = match debian {
            Debian::Twelve => "",
            Debian::Thirteen => concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/trixie"),
        };
        let path = format!("{root}{program}");
        assert!(Path::new(&path).exists(), "no {path}: run `scripts/setup --tests` as root");
        match debian {
            Debian::Twelve => self.command(program),
            Debian::Thirteen => {
                let mut command =
                    self.command(concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/debian-13-exec"));
                command.arg(program);
                command
            }
        }
    }

    /// Runs a function in a thread inside. Threads that it starts are inside too.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.name)).expect("the namespace exists");
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(file, CloneFlags::CLONE_NEWNET).expect("root may enter a namespace");
                body()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        // A failure here must not hide the failure of the test.
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).stderr(Stdio::null()).status();
    }
}

/// A process that ends with the test.
pub struct Daemon(pub Child);

impl Daemon {
    /// Kills it.
    pub fn end(&mut self) {
        // Both fail only for a process that is gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().expect("`ip` (package iproute2) is installed");
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
