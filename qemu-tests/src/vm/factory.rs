//! Machines for a lab: places are wired link by link, then each machine is started in its place.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::accelerator::Choice;
use super::machine::{Boot, Disk, Machine, Parts};
use super::place::Place;
use crate::cleanup;
use crate::error::LabError;
use crate::lab::Machines;
use crate::namespace::Port;
use crate::netns::{self, Netns};
use crate::node::Node;
use crate::topology::{End, Link, NodeSpec, Role, Topology};

/// Interface indices in places start here, far from those of the namespaces: the kernel reports a lost carrier at once only
/// where the two ends of a wire have different indices.
const FIRST_INDEX: u32 = 1000;

/// A place whose machine is not started yet.
struct Site {
    netns: Netns,
    ports: Vec<Port>,
    number: u8,
}

/// What machines are made of, by their names.
type Recipe = Box<dyn Fn(&str) -> Option<Parts> + Send + Sync>;

/// Makes nodes of a lab as machines: its chassis, its routers, or both.
pub struct Factory {
    /// Of the chassis, where they are machines.
    recipe: Option<Recipe>,
    /// What routers are made of, where they are machines.
    routers: Option<Parts>,
    made: Mutex<BTreeMap<String, Weak<Machine>>>,
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
    /// A factory for one lab, all of whose machines are made of the same. Puts up this process's sign of life, without which
    /// another lab would take the places for left behind.
    pub fn new(parts: Parts) -> Self {
        Self::with(Some(Box::new(move |_| Some(parts.clone()))))
    }

    /// A factory for one lab, whose chassis are no machines.
    pub fn of_routers(parts: Parts) -> Self {
        Self::with(None).with_routers(parts)
    }

    /// The same, whose routers are machines, too.
    #[must_use]
    pub fn with_routers(self, parts: Parts) -> Self {
        Self { routers: Some(parts), ..self }
    }

    /// A factory for one lab, whose machines have a disk each, by their names.
    pub fn of_disks(disks: BTreeMap<String, Disk>, choice: Choice, memory_mib: u32) -> Self {
        Self::with(Some(Box::new(move |name| {
            let boot = Boot::Disk(disks.get(name)?.clone());
            Some(Parts { boot, choice: choice.clone(), memory_mib })
        })))
    }

    fn with(recipe: Option<Recipe>) -> Self {
        cleanup::sweep();
        let sites = Sites { open: BTreeMap::new(), next_index: FIRST_INDEX, next_number: 1 };
        let made = Mutex::default();
        Self { recipe, routers: None, made, prefix: netns::next_prefix(), sites: Mutex::new(sites) }
    }

    /// The machine called `name` that was made for a lab, for as long as that lab is there.
    pub fn machine(&self, name: &str) -> Option<Arc<Machine>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).get(name)?.upgrade()
    }

    /// Starts the machine `name` as a chassis, all of whose links are wired, with `folder` for its console.
    pub fn boot(&self, name: &str, folder: &Path) -> Result<Machine, LabError> {
        self.boot_of(self.recipe.as_ref().and_then(|recipe| recipe(name)), name, folder)
    }

    fn boot_of(&self, parts: Option<Parts>, name: &str, folder: &Path) -> Result<Machine, LabError> {
        let site = self.sites().open.remove(name).ok_or_else(|| LabError::Network {
            doing: format!("start the machine {name}"),
            reason: "no link is plugged into it".to_owned(),
        })?;
        let parts = parts.ok_or_else(|| LabError::Network {
            doing: format!("start the machine {name}"),
            reason: "nothing says what it is made of".to_owned(),
        })?;
        let place = Place::new(site.netns, site.ports, site.number)?;
        Machine::start(name, place, folder.to_owned(), parts)
    }

    fn sites(&self) -> MutexGuard<'_, Sites> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machines for Factory {
    fn makes(&self, spec: &NodeSpec) -> bool {
        match spec.role {
            Role::Chassis { .. } => self.recipe.is_some(),
            Role::Router { .. } => self.routers.is_some(),
            Role::Client | Role::Host { .. } => false,
        }
    }

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
        let machine = match spec.role {
            Role::Router { .. } => self.boot_of(self.routers.clone(), &spec.name, folder)?,
            Role::Chassis { .. } | Role::Client | Role::Host { .. } => self.boot(&spec.name, folder)?,
        };
        let machine = Arc::new(machine);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.insert(spec.name.clone(), Arc::downgrade(&machine));
        Ok(machine)
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
