//! GoBGP 3.10 as the routers of a lab: `gobgpd` in a node's namespace, and beside it what makes the kernel follow it.
//!
//! GoBGP installs no routes. Its client of zebra cannot read what FRR 8.4's zebra tells it (it panics at the first link), so
//! the kernel follows what `gobgp monitor` tells of best paths ([`follow`]), in a process of its own in the namespace. GoBGP
//! decides, and the time that the kernel takes to follow is in what the probes see. It does not watch the carrier of links:
//! a chassis without power is gone for it when the hold time is over.

pub mod config;
pub mod follow;
pub mod show;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::frr::PRIORITY;
use crate::frr::show::Paths;
use crate::node::{Job, Node, Program};
use crate::topology::Topology;
use crate::wait::{self, Seen};

const DAEMON: &str = "/usr/bin/gobgpd";
const ANSWER: Duration = Duration::from_secs(10);
const START: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// A running GoBGP.
pub struct GoBgp {
    node: Arc<dyn Node>,
}

impl GoBgp {
    /// Says what is missing on this host, if anything is.
    pub fn check_installed() -> Result<(), LabError> {
        if Path::new(DAEMON).exists() {
            return Ok(());
        }
        Err(LabError::ToolMissing { tool: DAEMON.to_owned(), remedy: "apt-get install gobgpd".to_owned() })
    }

    /// Starts it, waits until it answers, has the kernel follow it, and lets it announce the router's networks.
    pub fn start(node: Arc<dyn Node>, topology: &Topology) -> Result<Self, LabError> {
        let text = config::gobgpd(topology, node.name())?;
        node.put_file(Path::new("gobgpd.toml"), text.as_bytes(), 0o644)?;
        let args = ["-r".to_owned(), PRIORITY.to_string(), DAEMON.to_owned()];
        let own = ["-p", "-f", "gobgpd.toml"].map(str::to_owned);
        let process = node.spawn(&Job::new("chrt", args.into_iter().chain(own)).logged("gobgpd.log"))?;
        let gobgp = Self { node };
        let node = &gobgp.node;
        wait::until(&format!("gobgpd of {}", node.name()), START, LOOK, || {
            if !node.is_running(process)? {
                return Err(LabError::ended(node.as_ref(), "gobgpd", "gobgpd.log"));
            }
            match gobgp.ask("global") {
                Ok(_) => Ok(Seen::Done(())),
                Err(LabError::Interrupted) => Err(LabError::Interrupted),
                Err(error) => Ok(Seen::NotYet(error.to_string())),
            }
        })?;
        for network in topology.announced_by(node.name())? {
            gobgp.ask(&format!("global rib -a {} add {network}", config::family(network.is_ipv6())))?;
        }
        let follow = Job::new(node.program(Program::Lab), ["follow-gobgp"]).logged("follow.log");
        node.spawn(&follow)?;
        Ok(gobgp)
    }

    /// All paths to `prefix`, as GoBGP tells them.
    pub fn paths(&self, prefix: &IpNetwork) -> Result<Paths, LabError> {
        let command = format!("global rib -a {} {prefix} -j", config::family(prefix.is_ipv6()));
        let job = Job::new("gobgp", command.split(' '));
        let output = self.node.run(&job, ANSWER)?;
        // Nothing that it knows: "Network not in table".
        if output.code == 0 && output.stdout.starts_with(b"{") {
            show::paths(&job.line(), &output.text())
        } else {
            Ok(Paths::default())
        }
    }

    /// Its name and release.
    pub fn release(&self) -> Result<String, LabError> {
        // "gobgpd version 3.10.0"
        let said = self.node.run_ok(&Job::new(DAEMON, ["--version"]), ANSWER)?.text();
        Ok(format!("GoBGP {}", said.split_whitespace().next_back().unwrap_or_default()))
    }

    fn ask(&self, command: &str) -> Result<String, LabError> {
        Ok(self.node.run_ok(&Job::new("gobgp", command.split(' ')), ANSWER)?.text())
    }
}
