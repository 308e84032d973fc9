//! Looks next hops up in the kernel, tells the speaker, and follows what changes.
//!
//! | what changes | looked at again |
//! |---|---|
//! | a link or an address, or events were lost | at once |
//! | a route of somebody else, toward a next hop | after [`SETTLE`]: whoever moves a route may delete and add it |
//!
//! A look takes microseconds for each next hop, but reads the main table where routes of ours hide the way to one. What a
//! change of routes calls for is then spread out, so that the kernel side is never busy with that alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgp_glue::speaker::{BestPath, Reach, SpeakerHandle};
use netlink::{Kernel, KernelEvent, NextHops, RequestError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::lock;
use super::next_hop::{self, Found};
use crate::context_network::ContextNetwork;

/// How long the routes of others may take to settle, from their first change on.
const SETTLE: Duration = Duration::from_millis(20);
/// A look is not repeated for a change of routes before so many times its duration have passed.
const REST: u32 = 4;
/// How soon a look that failed is repeated.
const RETRY: Duration = Duration::from_secs(1);
/// Beyond so many next hops those that no route has any more are forgotten; and then beyond twice those that are left.
const SMALL: usize = 256;

type Table = Arc<Mutex<HashMap<IpAddr, Found>>>;

/// How often something has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Changes {
    links: u64,
    routes: u64,
}

/// The network around the machine, as far as next hops are concerned: of all contexts.
#[derive(Debug)]
pub struct Network {
    kernel: Arc<Kernel>,
    changes: watch::Sender<Changes>,
    tables: Mutex<BTreeMap<String, Table>>,
}

impl Network {
    /// Nothing is looked at yet.
    pub fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel, changes: watch::Sender::default(), tables: Mutex::default() }
    }

    /// How the next hop was reached when it was last looked at; `None` for one that nobody looks at.
    pub fn how(&self, context: &str, next_hop: IpAddr) -> Option<String> {
        let table = lock(&self.tables).get(context).cloned()?;
        let found = lock(&table).get(&next_hop).cloned()?;
        Some(found.shown(&self.kernel.links()))
    }

    /// The kernel that is looked at.
    pub(super) fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Something has happened in the kernel.
    pub(super) fn note(&self, event: &KernelEvent) {
        match event {
            KernelEvent::LinkUp { .. }
            | KernelEvent::LinkDown { .. }
            | KernelEvent::AddressAdded { .. }
            | KernelEvent::AddressRemoved { .. }
            | KernelEvent::Overrun
            | KernelEvent::Missed { .. } => self.changes.send_modify(|changes| changes.links += 1),
            KernelEvent::RoutesChanged => self.changes.send_modify(|changes| changes.routes += 1),
            KernelEvent::Repaired { .. } | KernelEvent::CompareFailed { .. } => {}
        }
    }

    /// Who looks for a context of that network.
    pub(super) fn resolver(
        &self,
        context: &str,
        network: ContextNetwork,
        speaker: SpeakerHandle,
    ) -> Resolver {
        let found = Table::default();
        lock(&self.tables).insert(context.to_owned(), Arc::clone(&found));
        let now = Instant::now();
        Resolver {
            context: context.to_owned(),
            network,
            speaker,
            kernel: Arc::clone(&self.kernel),
            changes: self.changes.subscribe(),
            seen: *self.changes.borrow(),
            look_at: None,
            rest_until: now,
            found,
            sweep_at: SMALL,
        }
    }
}

/// The next hops of one context, as last looked at.
#[derive(Debug)]
pub(super) struct Resolver {
    context: String,
    network: ContextNetwork,
    speaker: SpeakerHandle,
    kernel: Arc<Kernel>,
    changes: watch::Receiver<Changes>,
    seen: Changes,
    /// When to look again; `None` while nothing has changed.
    look_at: Option<Instant>,
    /// No change of routes is looked at before.
    rest_until: Instant,
    found: Table,
    sweep_at: usize,
}

impl Resolver {
    /// Waits until all next hops have to be looked at again. Cancel safe.
    pub(super) async fn due(&mut self) {
        loop {
            tokio::select! {
                changed = self.changes.changed() => {
                    if changed.is_err() {
                        return std::future::pending().await; // nobody follows the kernel any more
                    }
                    let seen = std::mem::replace(&mut self.seen, *self.changes.borrow_and_update());
                    if self.seen.links != seen.links {
                        return;
                    }
                    self.look_at.get_or_insert(self.rest_until.max(Instant::now() + SETTLE));
                }
                () = sleep_until(self.look_at.unwrap_or(self.rest_until)), if self.look_at.is_some() => return,
            }
        }
    }

    /// Looks at next hops that are new, and tells the speaker.
    pub(super) async fn look(&mut self, wanted: &[IpAddr]) {
        let known = lock(&self.found).len();
        if known + wanted.len() > self.sweep_at {
            return self.look_again().await;
        }
        self.find(wanted).await;
    }

    /// Looks at all next hops again, and tells the speaker what became of them. A speaker that is gone needs none.
    pub(super) async fn look_again(&mut self) {
        self.look_at = None;
        let Ok(next_hops) = self.speaker.next_hops().await else { return };
        self.find(&next_hops).await;
        let used: HashSet<IpAddr> = next_hops.into_iter().collect();
        lock(&self.found).retain(|next_hop, _| used.contains(next_hop));
        self.sweep_at = (used.len() * 2).max(SMALL);
    }

    /// The hops that a route by these paths has in the kernel.
    pub(super) fn hops(&self, paths: &[BestPath]) -> Option<NextHops> {
        let links = self.kernel.links();
        let found = lock(&self.found);
        next_hop::merged(
            paths.iter().flat_map(|path| next_hop::hops(path, found.get(&path.next_hop.address()), &links)),
        )
    }

    async fn find(&mut self, next_hops: &[IpAddr]) {
        let links = self.kernel.links();
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for next_hop in next_hops {
            match Found::connected(*next_hop, &self.network, &links) {
                Some(found) => near.push((*next_hop, found)),
                None => far.push(*next_hop),
            }
        }
        self.tell(near);
        if far.is_empty() {
            return;
        }
        let begun = Instant::now();
        match self.kernel.ways(self.network.vrf(), &far).await {
            Ok(ways) => {
                let network = self.network.clone();
                let found = far.into_iter().zip(ways);
                self.tell(found.map(|(next_hop, way)| (next_hop, Found::by(way, &network))).collect());
            }
            // What was known stays.
            Err(RequestError::Io { doing, source }) => {
                warn!(context = self.context, error = %source, doing, "next hops not looked up, tried again in a second");
                self.look_at = Some(Instant::now() + RETRY);
            }
            Err(stopped @ RequestError::Stopped) => {
                warn!(context = self.context, %stopped, "next hops not looked up");
            }
        }
        self.rest_until = Instant::now() + begun.elapsed() * REST;
    }

    fn tell(&self, found: Vec<(IpAddr, Found)>) {
        if found.is_empty() {
            return;
        }
        let mut told = Vec::with_capacity(found.len());
        let (mut moved, mut changes) = (HashSet::new(), Vec::new());
        {
            let mut table = lock(&self.found);
            for (next_hop, found) in found {
                told.push((next_hop, found.reach()));
                let Some(before) = table.insert(next_hop, found.clone()) else { continue };
                if before == found {
                    continue;
                }
                if found.reach() != Reach::Unreachable && before.hops(next_hop) != found.hops(next_hop) {
                    moved.insert(next_hop);
                }
                changes.push((next_hop, before, found));
            }
        }
        if let Some((next_hop, before, now)) = changes.first() {
            let (links, others) = (self.kernel.links(), changes.len() - 1);
            let (from, to) = (before.shown(&links), now.shown(&links));
            info!(context = self.context, %next_hop, from, to, others, "next hop moved");
        }
        self.speaker.set_next_hops(told);
        if !moved.is_empty() {
            self.speaker.next_hops_moved(moved);
        }
    }
}
