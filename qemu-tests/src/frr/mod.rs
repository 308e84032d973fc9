//! FRR 8.4 as the routers of a lab: `zebra` and `bgpd` in a node's namespace, as foreground children that the lab owns.
//!
//! Configuration, sockets, process ids and logs all live in the node's folder. They are given by relative names, because a
//! Unix socket's path may not exceed 107 octets and an output folder may be deep. The daemons run as root in FRR's own
//! group, so that they reach that folder wherever it is.
//!
//! The routers run at real-time priority 10: a lab measures how long routing takes, not how long a router waits for the
//! processor behind a compiler. Reports say so.

pub mod config;
pub mod log;
pub mod show;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::node::{Job, Node, ProcessId};
use crate::vm::carry;
use crate::wait::{self, Seen};
use log::Loss;
use show::{BfdCounters, BfdPeer, Paths, Summary};

/// Where Debian's package puts the daemons.
const DAEMONS: &str = "/usr/lib/frr";
/// What a router runs.
const PROGRAMS: [&str; 4] =
    ["/usr/lib/frr/zebra", "/usr/lib/frr/bgpd", "/usr/lib/frr/bfdd", "/usr/bin/vtysh"];
/// Real-time priority (round robin) of the daemons.
pub const PRIORITY: u8 = 10;
/// What gives a daemon its priority.
const CHRT: &str = "/usr/bin/chrt";
/// What lets everybody in, and that it does so: in the machine is nobody but the lab.
const PAM_MODULE: &str = "/lib/x86_64-linux-gnu/security/pam_permit.so";
const PAM: &[u8] = b"auth required pam_permit.so\naccount required pam_permit.so\n";
/// bgpd's log with microseconds, in the node's folder.
const SESSIONS_LOG: &str = "sessions.log";
const ANSWER: Duration = Duration::from_secs(30);
/// Also of an emulated machine.
const START: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// What the daemons of a router are configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// `bgpd.conf`.
    pub bgpd: String,
    /// `bfdd.conf`; without it bfdd does not run.
    pub bfdd: Option<String>,
}

/// A running FRR.
pub struct Frr {
    node: Arc<dyn Node>,
    watches: bool,
}

impl Frr {
    /// Says what is missing on this host, if anything is.
    pub fn check_installed() -> Result<(), LabError> {
        for program in PROGRAMS {
            if !Path::new(program).exists() {
                return Err(LabError::ToolMissing {
                    tool: program.to_owned(),
                    remedy: "apt-get install frr".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Starts zebra, bfdd if it is configured, and bgpd, and waits until they answer.
    pub fn start(node: Arc<dyn Node>, files: &Files) -> Result<Self, LabError> {
        let zebra_conf = format!("hostname {}\n", node.name());
        node.put_file(Path::new("zebra.conf"), zebra_conf.as_bytes(), 0o644)?;
        node.put_file(Path::new("bgpd.conf"), files.bgpd.as_bytes(), 0o644)?;
        node.put_file(Path::new("vtysh.conf"), b"", 0o644)?;
        let zebra = node.spawn(&daemon("zebra", &[]))?;
        wait::until_true(&format!("zebra of {}", node.name()), START, LOOK, || {
            alive(node.as_ref(), zebra, "zebra")?;
            has_socket(node.as_ref(), "zserv.api")
        })?;
        if let Some(bfdd_conf) = &files.bfdd {
            // Before bgpd: a neighbour that is to be watched by a daemon that is not there is not watched.
            node.put_file(Path::new("bfdd.conf"), bfdd_conf.as_bytes(), 0o644)?;
            let bfdd = node.spawn(&daemon("bfdd", &["--bfdctl", "bfdd.sock"]))?;
            wait::until_true(&format!("bfdd of {}", node.name()), START, LOOK, || {
                alive(node.as_ref(), bfdd, "bfdd")?;
                has_socket(node.as_ref(), "bfdd.vty")
            })?;
        }
        let bgpd = node.spawn(&daemon("bgpd", &["-p", "179"]))?;
        let frr = Self { node, watches: files.bfdd.is_some() };
        wait::until(&format!("bgpd of {}", frr.node.name()), START, LOOK, || {
            alive(frr.node.as_ref(), bgpd, "bgpd")?;
            match frr.vtysh("show bgp summary json") {
                Ok(_) => Ok(Seen::Done(())),
                Err(LabError::Interrupted) => Err(LabError::Interrupted),
                Err(error) => Ok(Seen::NotYet(error.to_string())),
            }
        })?;
        Ok(frr)
    }

    /// All paths to `prefix`, as FRR tells them.
    pub fn paths(&self, prefix: &IpNetwork) -> Result<Paths, LabError> {
        let family = if prefix.is_ipv6() { "ipv6" } else { "ipv4" };
        let command = format!("show bgp {family} unicast {prefix} json");
        Paths::parse(&command, &self.vtysh(&command)?)
    }

    /// State of all sessions, both families.
    pub fn summary(&self) -> Result<Summary, LabError> {
        let command = "show bgp summary json";
        Summary::parse(command, &self.vtysh(command)?)
    }

    /// The peers that bfdd watches; none where it does not run.
    pub fn bfd_peers(&self) -> Result<Vec<BfdPeer>, LabError> {
        self.ask_bfdd("show bfd peers json")
    }

    /// Counts of the peers that bfdd watches; none where it does not run.
    pub fn bfd_counters(&self) -> Result<Vec<BfdCounters>, LabError> {
        self.ask_bfdd("show bfd peers counters json")
    }

    fn ask_bfdd<T: serde::de::DeserializeOwned>(&self, command: &str) -> Result<Vec<T>, LabError> {
        if self.watches { show::read(command, &self.vtysh(command)?) } else { Ok(Vec::new()) }
    }

    /// When bgpd lost its session with each neighbour, in order, and why it says so.
    pub fn losses(&self) -> Result<Vec<Loss>, LabError> {
        let octets = self.node.get_file(Path::new(SESSIONS_LOG))?;
        Ok(log::losses(&String::from_utf8_lossy(&octets)))
    }

    /// Runs one command of FRR's shell.
    pub fn vtysh(&self, command: &str) -> Result<String, LabError> {
        let job = Job::new("vtysh", ["--vty_socket", ".", "--config_dir", ".", "-c", command]);
        Ok(self.node.run_ok(&job, ANSWER)?.text())
    }
}

fn daemon(name: &str, more: &[&str]) -> Job {
    let mut args = vec!["-r".to_owned(), PRIORITY.to_string(), format!("{DAEMONS}/{name}")];
    let common = ["-z", "zserv.api", "--vty_socket", ".", "-P", "0", "-u", "root", "-g", "frrvty"];
    args.extend(common.map(str::to_owned));
    args.extend(["-f".to_owned(), format!("{name}.conf"), "-i".to_owned(), format!("{name}.pid")]);
    args.extend([
        "--log".to_owned(),
        format!("file:{name}.log"),
        "--log-level".to_owned(),
        "informational".to_owned(),
    ]);
    args.extend(more.iter().map(|&arg| arg.to_owned()));
    let mut job = Job::new(CHRT, args).logged(format!("{name}.out"));
    job.env.push(("TZ".to_owned(), "UTC".to_owned())); // of the times in the log
    job
}

/// Puts the FRR of this host into a machine, with the groups that it wants to belong to.
pub fn carry(node: &dyn Node) -> Result<(), LabError> {
    Frr::check_installed()?;
    // busybox has no chrt, and vtysh asks PAM.
    let besides = [CHRT, PAM_MODULE];
    carry::carry(node, PROGRAMS.iter().chain(&besides).map(|path| (Path::new(*path), *path)))?;
    node.put_file(Path::new("/etc/pam.d/frr"), PAM, 0o644)?;
    let group = Path::new("/etc/group");
    let mut groups = node.get_file(group)?;
    groups.extend_from_slice(b"frr:x:109:\nfrrvty:x:108:root\n");
    Ok(node.put_file(group, &groups, 0o644)?)
}

/// Whether a daemon has made a socket in the node's folder.
fn has_socket(node: &dyn Node, name: &str) -> Result<bool, LabError> {
    Ok(node.run(&Job::new("test", ["-S", name]), ANSWER)?.code == 0)
}

fn alive(node: &dyn Node, process: ProcessId, name: &str) -> Result<(), LabError> {
    if node.is_running(process)? {
        return Ok(());
    }
    Err(LabError::ended(node, name, &format!("{name}.out")))
}
