//! Machines for a lab: places are wired link by link, then each machine is started in its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::machine::{Machine, Parts};
use super::place::Place;
use crate::cleanup;
use crate::error::LabError;
use crate::lab::Machines;
use crate::namespace::Port;
use crate::netns::{self, Netns};
use crate::node::Node;
use crate::topology::{End, Link, NodeSpec, Topology};

/// Interface indices in places start here, far from those of the namespaces: the kernel reports a lost carrier at once only
/// where the two ends of a wire have different indices.
const FIRST_INDEX: u32 = 1000;

/// A place whose machine is not started yet.
struct Site {
    netns: Netns,
    ports: Vec<Port>,
    number: u8,
}

/// Makes the chassis of a lab as machines.
pub struct Factory {
    parts: Parts,
    prefix: String,
    sites: Mutex<Sites>,
}

#[derive(Default)]
struct Sites {
    open: BTreeMap<String, Site>,
    next_index: u32,
    next_number: u8,
}

impl Factory {
    /// A factory for one lab. Puts up this process's sign of life, without which another lab would take the places for
    /// left behind.
    pub fn new(parts: Parts) -> Self {
        cleanup::sweep();
        let sites = Sites { open: BTreeMap::new(), next_index: FIRST_INDEX, next_number: 1 };
        Self { parts, prefix: netns::next_prefix(), sites: Mutex::new(sites) }
    }

    /// Starts the machine `name`, all of whose links are wired, with `folder` for its console.
    pub fn boot(&self, name: &str, folder: &Path) -> Result<Machine, LabError> {
        let site = self.sites().open.remove(name).ok_or_else(|| LabError::Network {
            doing: format!("start the machine {name}"),
            reason: "no link is plugged into it".to_owned(),
        })?;
        let place = Place::new(site.netns, site.ports, site.number)?;
        Machine::start(name, place, folder.to_owned(), self.parts.clone())
    }

    fn sites(&self) -> MutexGuard<'_, Sites> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machines for Factory {
    fn wire(&self, link: &Link, far: Option<(&Netns, &Port)>) -> Result<(), LabError> {
        let mut sites = self.sites();
        let mut plug = |end| sites.plug(&self.prefix, end);
        let [a, b] = match far {
            // Which end is the far one shows only from what the port was made from.
            Some((netns, port)) if link.a.name == port.name && link.a.addresses == port.addresses => {
                [(netns.name().to_owned(), port.index), plug(&link.b)?]
            }
            Some((netns, port)) => [plug(&link.a)?, (netns.name().to_owned(), port.index)],
            None => [plug(&link.a)?, plug(&link.b)?],
        };
        let end =
            |end: &End, (netns, index): (String, u32)| format!("{} index {index} netns {netns}", end.name);
        let line = format!("link add {} type veth peer name {}", end(&link.a, a), end(&link.b, b));
        netns::batch(None, &[line])
    }

    fn start(&self, _topology: &Topology, spec: &NodeSpec, folder: &Path) -> Result<Arc<dyn Node>, LabError> {
        Ok(Arc::new(self.boot(&spec.name, folder)?))
    }
}

impl Sites {
    /// Notes one more port of the machine at `end`; the name of its namespace and the port's index.
    fn plug(&mut self, prefix: &str, end: &End) -> Result<(String, u32), LabError> {
        if !self.open.contains_key(&end.node) {
            let netns = Netns::create(format!("{prefix}{}", end.node))?;
            let site = Site { netns, ports: Vec::new(), number: self.next_number };
            self.next_number = self.next_number.wrapping_add(1);
            self.open.insert(end.node.clone(), site);
        }
        let index = self.next_index;
        self.next_index += 1;
        let Some(site) = self.open.get_mut(&end.node) else {
            return Err(LabError::Network {
                doing: format!("plug {} in", end.name),
                reason: format!("no {}", end.node),
            });
        };
        site.ports.push(Port { name: end.name.clone(), index, addresses: end.addresses.clone() });
        Ok((site.netns.name().to_owned(), index))
    }
}
