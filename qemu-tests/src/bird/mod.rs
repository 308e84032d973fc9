//! BIRD 2.0 as the routers of a lab, one process in a node's namespace; everything else as with FRR ([`crate::frr`]).

pub mod config;
pub mod show;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::error::LabError;
use crate::frr::PRIORITY;
use crate::frr::show::Paths;
use crate::node::{Job, Node};
use crate::topology::{Neighbor, Topology};
use crate::wait::{self, Seen};

const DAEMON: &str = "/usr/sbin/bird";
const ANSWER: Duration = Duration::from_secs(30);
const START: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(20);

/// A running BIRD.
pub struct Bird {
    node: Arc<dyn Node>,
    neighbors: Vec<Neighbor>,
}

impl Bird {
    /// Says what is missing on this host, if anything is.
    pub fn check_installed() -> Result<(), LabError> {
        if Path::new(DAEMON).exists() {
            return Ok(());
        }
        Err(LabError::ToolMissing { tool: DAEMON.to_owned(), remedy: "apt-get install bird2".to_owned() })
    }

    /// Starts it, and waits until it answers.
    pub fn start(node: Arc<dyn Node>, topology: &Topology) -> Result<Self, LabError> {
        let text = config::bird(topology, node.name())?;
        node.put_file(Path::new("bird.conf"), text.as_bytes(), 0o644)?;
        let mut args = vec!["-r".to_owned(), PRIORITY.to_string(), DAEMON.to_owned()];
        args.extend(["-f", "-c", "bird.conf", "-s", "bird.ctl", "-P", "bird.pid"].map(str::to_owned));
        let process = node.spawn(&Job::new("chrt", args).logged("bird.out"))?;
        let bird = Self { neighbors: topology.neighbors(node.name()), node };
        wait::until(&format!("BIRD of {}", bird.node.name()), START, LOOK, || {
            if !bird.node.is_running(process)? {
                return Err(LabError::ended(bird.node.as_ref(), "bird", "bird.out"));
            }
            match bird.ask("show status") {
                Ok(text) if text.contains("up and running") => Ok(Seen::Done(())),
                Ok(text) => Ok(Seen::NotYet(text)),
                Err(LabError::Interrupted) => Err(LabError::Interrupted),
                Err(error) => Ok(Seen::NotYet(error.to_string())),
            }
        })?;
        Ok(bird)
    }

    /// All paths to `prefix`, as BIRD tells them.
    pub fn paths(&self, prefix: &IpNetwork) -> Result<Paths, LabError> {
        let text = self.ask(&format!("show route {prefix} all"))?;
        let peers = self.neighbors.iter().map(|neighbor| (config::protocol(neighbor), neighbor.address));
        Ok(show::paths(&text, &peers.collect()))
    }

    /// Runs one command of BIRD's shell.
    pub fn ask(&self, command: &str) -> Result<String, LabError> {
        let words = ["-s", "bird.ctl"].into_iter().chain(command.split(' '));
        Ok(self.node.run_ok(&Job::new("birdc", words), ANSWER)?.text())
    }
}
