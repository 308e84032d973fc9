//! The routing software of a lab's routers, whichever it is: all do the same job, and are asked the same questions.

use std::fmt;
use std::sync::Arc;

use clap::ValueEnum;
use ipnetwork::IpNetwork;

use crate::bird::Bird;
use crate::error::LabError;
use crate::frr::show::Paths;
use crate::frr::{self, Frr};
use crate::gobgp::GoBgp;
use crate::node::Node;
use crate::topology::Topology;

/// Which software.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Software {
    /// FRR: zebra and bgpd, and bfdd where routers watch by BFD.
    #[default]
    Frr,
    /// BIRD.
    Bird,
    /// GoBGP.
    #[value(name = "gobgp")]
    GoBgp,
}

impl fmt::Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frr => "FRR",
            Self::Bird => "BIRD",
            Self::GoBgp => "GoBGP",
        })
    }
}

impl Software {
    /// Says what is missing on this host, if anything is.
    pub fn check_installed(self) -> Result<(), LabError> {
        match self {
            Self::Frr => Frr::check_installed(),
            Self::Bird => Bird::check_installed(),
            Self::GoBgp => GoBgp::check_installed(),
        }
    }
}

/// The software of one router, running.
pub enum Routing {
    /// FRR.
    Frr(Frr),
    /// BIRD.
    Bird(Bird),
    /// GoBGP.
    GoBgp(GoBgp),
}

impl Routing {
    /// Starts what the topology wants on `node`, and waits until it answers. A machine gets this host's FRR before.
    pub fn start(topology: &Topology, node: &Arc<dyn Node>) -> Result<Self, LabError> {
        let name = node.name();
        let on = || Arc::clone(node);
        match (topology.software, node.machine()) {
            (Software::Bird | Software::GoBgp, Some(_)) => {
                let reason = format!("router {name} is a machine: routers that are machines run FRR");
                return Err(LabError::Topology { topology: topology.name.clone(), reason });
            }
            (Software::Frr, Some(_)) => frr::carry(node.as_ref())?,
            (_, None) => {}
        }
        match topology.software {
            Software::Frr => {
                let files = frr::Files {
                    bgpd: frr::config::bgpd(topology, name)?,
                    bfdd: frr::config::bfdd(topology, name),
                };
                Ok(Self::Frr(Frr::start(on(), &files)?))
            }
            Software::Bird => Ok(Self::Bird(Bird::start(on(), topology)?)),
            Software::GoBgp => Ok(Self::GoBgp(GoBgp::start(on(), topology)?)),
        }
    }

    /// All paths to `prefix`, as the software tells them.
    pub fn paths(&self, prefix: &IpNetwork) -> Result<Paths, LabError> {
        match self {
            Self::Frr(frr) => frr.paths(prefix),
            Self::Bird(bird) => bird.paths(prefix),
            Self::GoBgp(gobgp) => gobgp.paths(prefix),
        }
    }

    /// Its name and release.
    pub fn release(&self) -> Result<String, LabError> {
        match self {
            // "FRRouting 8.4.4 (r1) on Linux(...)."
            Self::Frr(frr) => Ok(words(&frr.vtysh("show version")?, 2)),
            // "BIRD 2.0.12 ready."
            Self::Bird(bird) => Ok(words(&bird.ask("show status")?, 2)),
            Self::GoBgp(gobgp) => gobgp.release(),
        }
    }

    /// Two commands for a person: all paths to `prefix` of IPv4, and the state of all sessions. None for a router that is a
    /// machine: what answers is inside it.
    pub fn commands(&self, node: &dyn Node, prefix: &IpNetwork) -> Option<[String; 2]> {
        let folder = node.folder().display();
        let netns = node.namespace()?.netns().name();
        Some(match self {
            Self::Frr(_) => [format!("show bgp ipv4 unicast {prefix}"), "show bgp summary".to_owned()]
                .map(|words| format!("vtysh --vty_socket {folder} -c '{words}'")),
            Self::Bird(_) => [format!("show route {prefix} all"), "show protocols".to_owned()]
                .map(|words| format!("birdc -s {folder}/bird.ctl {words}")),
            Self::GoBgp(_) => [format!("global rib {prefix}"), "neighbor".to_owned()]
                .map(|words| format!("ip netns exec {netns} gobgp {words}")),
        })
    }

    /// FRR, for what only it can tell.
    pub fn frr(&self) -> Result<&Frr, LabError> {
        match self {
            Self::Frr(frr) => Ok(frr),
            Self::Bird(_) | Self::GoBgp(_) => {
                let reason = "routers that watch by BFD or are measured are FRR".to_owned();
                Err(LabError::Topology { topology: "routers".to_owned(), reason })
            }
        }
    }
}

fn words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}
