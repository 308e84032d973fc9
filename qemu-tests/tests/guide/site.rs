//! Two bare machines, a router beside them, and a folder that is what the machine with the toolchain has.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lab::frr::{Files, Frr};
use lab::lab::Machines;
use lab::machines::{AGENT, Built, MEMORY_MIB, parts, repository};
use lab::namespace::{Namespace, Port, Programs};
use lab::netns::{Netns, next_prefix};
use lab::node::{Job, Node, Output};
use lab::topology::{End, Link, Wire};
use lab::vm::machine::Parts;
use lab::vm::{Factory, Machine};
use lab::wait::{Seen, until};
use serde_json::Value;

/// Long enough for an emulated machine on a busy host.
pub const LIMIT: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(50);

/// The folder that the guide installs into, on the machine that builds.
const DESTDIR: &str = "/tmp/srp";

pub struct Site {
    pub east: Machine,
    pub west: Machine,
    router: Arc<dyn Node>,
    frr: Option<Frr>,
    folder: tempfile::TempDir,
}

/// A machine with nothing of ours but the agent through which it is typed on.
fn bare(built: &Built, out: &Path) -> Parts {
    let agent = built.program(AGENT).expect("was built");
    let image = built.image(vec![agent], out).unwrap_or_else(|error| panic!("{error}"));
    let parts = parts(&image, MEMORY_MIB);
    println!("{}", parts.choice);
    parts
}

fn wire(a: (&str, &str), b: (&str, &str), at_b: &[&str]) -> Link {
    let end = |(node, name): (&str, &str), addresses: &[&str]| End {
        node: node.to_owned(),
        name: name.to_owned(),
        addresses: addresses.iter().map(|address| address.parse().expect("an address")).collect(),
    };
    Link { a: end(a, &[]), b: end(b, at_b), wire: Wire::Cable }
}

impl Site {
    /// Cables and power, and nothing else: no address, no program.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let built = Built::anew(repository()).unwrap_or_else(|error| panic!("{error}"));
        let factory = Factory::new(bare(&built, &folder.path().join("image")));
        let netns =
            Netns::create(format!("{}r1", next_prefix())).expect("a namespace; tests of machines need root");
        let links = [
            wire(("east", "eth0"), ("west", "eth0"), &[]),
            wire(("east", "eth1"), ("r1", "east"), &["10.1.1.2/30"]),
            wire(("west", "eth1"), ("r1", "west"), &["10.1.2.2/30"]),
        ];
        let mut ports = Vec::new();
        for (link, index) in links.iter().zip(100..) {
            let port = Port { name: link.b.name.clone(), index, addresses: link.b.addresses.clone() };
            let at_router = link.b.node == "r1";
            factory.wire(link, at_router.then_some((&netns, &port))).expect("wired");
            ports.extend(at_router.then_some(port));
        }
        let none = PathBuf::new;
        let programs = Programs { srpd: none(), srpctl: none(), lab: none() };
        let at = folder.path().join("r1");
        let router = Arc::new(Namespace::new("r1", netns, ports, at, programs).expect("a router"));
        let boot = |name: &str| factory.boot(name, &folder.path().join(name)).expect("the machine starts");
        Self { east: boot("east"), west: boot("west"), router, frr: None, folder }
    }

    pub fn chassis(&self) -> [&Machine; 2] {
        [&self.east, &self.west]
    }

    pub fn named(&self, name: &str) -> &Machine {
        if name == "east" { &self.east } else { &self.west }
    }

    /// What the guide's lines say of the machine that builds, said of the test's folder.
    fn here(&self, text: &str) -> String {
        text.replace(DESTDIR, &self.folder.path().join("destdir").display().to_string())
    }

    /// Types `line` in the repository of a machine whose programs are built: those that the image has too, which need no
    /// library, in the place of those of `cargo build --release`.
    pub fn build(&self, line: &str) {
        let folder = self.folder.path().join("repository");
        fs::create_dir_all(folder.join("target/release")).expect("a folder");
        for name in ["Makefile", "srp", "scripts"] {
            symlink(repository().join(name), folder.join(name)).expect("a link");
        }
        let programs = Built::of(repository()).programs(["srpd", "srpctl"]).expect("were built");
        for program in programs {
            symlink(&program.file, folder.join("target/release").join(&program.name)).expect("a link");
        }
        let line = format!("{} CARGO=true", self.here(line));
        let output = Command::new("sh").args(["-e", "-c", &line]).current_dir(&folder).output();
        let output = output.expect("a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Does what an `scp` line says: these machines have no SSH. Where the line names an address, it has to answer.
    pub fn carry(&self, from: Option<&Machine>, line: &str) {
        let line = self.here(line);
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "-r").collect();
        let ["scp", source, destination] = words[..] else { panic!("not a line of scp: {line}") };
        let (host, path) = destination.strip_prefix("root@").and_then(|to| to.split_once(':')).expect(source);
        let to = match host {
            "east" | "192.0.2.1" => &self.east,
            "west" | "192.0.2.2" => &self.west,
            other => panic!("who is {other}?"),
        };
        match (from, source.strip_suffix("/*")) {
            (Some(from), None) => {
                Self::typed(from, &format!("ping -c 1 -W 10 {host} >/dev/null"));
                let contents = from.get_file(Path::new(source)).expect("the file is there");
                put(to, &placed(source, path), &contents, 0o644);
            }
            (None, None) => {
                let contents = fs::read(repository().join(source)).expect("the file is there");
                put(to, &placed(source, path), &contents, 0o644);
            }
            (None, Some(folder)) => put_all(to, Path::new(folder), Path::new(path)),
            (Some(_), Some(_)) => panic!("no such line: {line}"),
        }
    }

    /// Types lines on a machine; each has to succeed. What they print.
    pub fn typed(machine: &Machine, text: &str) -> String {
        let output = Self::tried(machine, text);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.code, 0, "on {}: {text}\n{said}{}", machine.name(), output.text());
        output.text()
    }

    fn tried(machine: &Machine, text: &str) -> Output {
        // A login shell, as an operator has: with its search path.
        let shell = Job::new("/bin/sh", ["-l", "-e", "-c", text]);
        machine.run(&shell, LIMIT).unwrap_or_else(|error| panic!("{error}{}", Self::log(machine)))
    }

    /// Starts FRR with these lines.
    pub fn route(&mut self, configuration: &str) {
        Frr::check_installed().unwrap_or_else(|error| panic!("{error}"));
        let files = Files { bgpd: configuration.to_owned(), bfdd: None };
        let frr = Frr::start(Arc::clone(&self.router), &files);
        self.frr = Some(frr.unwrap_or_else(|error| panic!("{error}")));
    }

    /// The AS path of the best path to `prefix` and who told it, as FRR has it.
    pub fn best(&self, prefix: &str) -> Option<(String, usize)> {
        let prefix = prefix.parse().expect("a prefix");
        let paths = self.frr.as_ref()?.paths(&prefix).unwrap_or_else(|error| panic!("{error}"));
        paths.best().map(|path| (path.peer.to_string(), path.as_path.len()))
    }

    /// `show srp info` as data; null while srpd does not answer.
    pub fn info(machine: &Machine) -> Value {
        let output = Self::tried(machine, "srpctl --json show srp info || true");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    pub fn await_that(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        until(what, LIMIT, LOOK, || {
            Ok(if holds(self) { Seen::Done(()) } else { Seen::NotYet(String::new()) })
        })
        .unwrap_or_else(|error| panic!("{error}{}{}", Self::log(&self.east), Self::log(&self.west)));
    }

    /// The one in this state.
    pub fn in_state(&self, state: &str) -> &Machine {
        let found = self.chassis().into_iter().find(|machine| Self::info(machine)["chassis_state"] == state);
        found.unwrap_or_else(|| panic!("nobody is {state}"))
    }

    fn log(machine: &Machine) -> String {
        let log = machine.get_file(Path::new("/var/log/srpd.log")).unwrap_or_default();
        format!("\n{}: srpd says:\n{}", machine.name(), String::from_utf8_lossy(&log))
    }
}

/// Where scp puts `source`.
fn placed(source: &str, path: &str) -> PathBuf {
    let name = Path::new(source).file_name().unwrap_or(OsStr::new(source));
    if path.ends_with('/') { Path::new(path).join(name) } else { PathBuf::from(path) }
}

fn put(to: &Machine, path: &Path, contents: &[u8], mode: u32) {
    to.put_file(path, contents, mode).unwrap_or_else(|error| panic!("{error}"));
}

/// A folder at once: a round trip for each manual page takes an emulated machine a while.
fn put_all(to: &Machine, folder: &Path, path: &Path) {
    let packed = Command::new("tar").arg("-cz").arg("-C").arg(folder).arg(".").output().expect("tar");
    assert!(packed.status.success(), "tar: {}", String::from_utf8_lossy(&packed.stderr));
    put(to, Path::new("/tmp/carried.tar.gz"), &packed.stdout, 0o600);
    let unpack = Job::new("tar", ["-xzf", "/tmp/carried.tar.gz", "-C", &path.display().to_string()]);
    to.run_ok(&unpack, LIMIT).unwrap_or_else(|error| panic!("{error}"));
}
