//! Tasks that carry facts between BGP, kernel and chassis: learned routes, next hops, links, neighbours.

mod next_hop;
mod resolver;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bgp_glue::Neighbors;
use bgp_glue::speaker::{self, BestPathChange, Event as BgpEvent, NeighborKey, SpeakerHandle};
use ipnetwork::IpNetwork;
use netlink::{
    EventReceiver, Kernel, KernelEvent, Link, LinkAddress, LinkName, Links, Route, RouteChange, RouteTarget,
    TableId,
};
use srp_core::chassis::{Event, MonitorId, MonitorState};
use srp_core::config::{Config, interface_monitor, kernel_monitor};
use srp_core::events::Observation;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::clock;
use crate::context_network::{ContextNetwork, in_network, is_here};
use crate::events::Herald;
use crate::inbox::{Inbox, Input};
use crate::watch::resolver::Resolver;

pub use resolver::Network;

/// The neighbours of all contexts, shared with `show`.
pub type SharedNeighbors = Arc<Mutex<Neighbors>>;

/// Locks it; a panic elsewhere does not make it unreadable.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One speaker, and whom to tell of it.
pub struct Watched {
    /// Its context.
    pub context: String,
    /// The network of its context.
    pub network: ContextNetwork,
    /// Where its routes went last.
    pub table: TableId,
    /// Itself.
    pub speaker: SpeakerHandle,
    /// The kernel.
    pub kernel: Arc<Kernel>,
    /// All neighbours.
    pub neighbors: SharedNeighbors,
    /// The chassis.
    pub inbox: Inbox,
    /// Where events are told.
    pub herald: Herald,
    /// Who sweeps learned routes of an earlier life: told once, after a restart, whether all neighbours told everything.
    pub converged: mpsc::Sender<bool>,
}

impl Watched {
    /// Follows it: neighbours up and down to the chassis, best paths into the kernel, next hops to the speaker.
    pub async fn follow(mut self, mut events: mpsc::Receiver<BgpEvent>, network: Arc<Network>) {
        let mut resolver = network.resolver(&self.context, self.network.clone(), self.speaker.clone());
        loop {
            tokio::select! {
                () = resolver.due() => {
                    self.follow_table().await;
                    resolver.look_again().await;
                }
                event = events.recv() => match event {
                    Some(event) => {
                        self.follow_table().await;
                        self.take(event, &mut resolver).await;
                    }
                    None => return,
                },
            }
        }
    }

    /// A VRF that is made again may have another table. While it is gone, its routes have no other place to be.
    async fn follow_table(&mut self) {
        let Self { context, kernel, network, .. } = &*self;
        let Some(table) = network.table(&kernel.links()).filter(|table| *table != self.table) else { return };
        info!(context, from = %self.table, to = %table, "the VRF has another table: learned routes move");
        if let Err(stopped) = kernel.move_learned(self.table, table).await {
            warn!(context, %stopped, "learned routes not moved");
        }
        self.table = table;
    }

    async fn take(&self, event: BgpEvent, resolver: &mut Resolver) {
        let context = &self.context;
        match &event {
            BgpEvent::NeighborUp { neighbor, local, hold_time, .. } => {
                info!(context, %neighbor, %local, ?hold_time, "BGP neighbour up");
                self.herald.tell(session(context, neighbor, true, String::new()));
            }
            BgpEvent::NeighborDown { neighbor, reason, was_established: true } => {
                warn!(context, %neighbor, %reason, "BGP neighbour down");
                self.herald.tell(session(context, neighbor, false, reason.to_string()));
            }
            BgpEvent::NeighborDown { neighbor, reason, was_established: false } => {
                warn!(context, %neighbor, %reason, "BGP session not established");
            }
            BgpEvent::NextHopsWanted(wanted) => {
                resolver.look(wanted).await;
            }
            BgpEvent::BestPathsChanged(changes) => self.install(changes, resolver).await,
            BgpEvent::Converged { complete } => {
                info!(context, complete, "BGP has converged after the restart");
                // Who sweeps waits for as many as there are contexts that restarted.
                let _ = self.converged.send(*complete).await;
            }
        }
        let mut neighbors = lock(&self.neighbors);
        if let Some(found) = neighbors.note(clock::now(), context, &event) {
            tell_found(&self.inbox, &neighbors, found);
        }
    }

    async fn install(&self, changes: &[BestPathChange], resolver: &Resolver) {
        let Self { context, table, kernel, .. } = self;
        let changes = changes.iter().filter_map(|change| route_change(*table, change, resolver)).collect();
        match kernel.update_learned(changes).await {
            Ok(report) => {
                for refused in report.refused {
                    warn!(context, object = %refused.object, "learned route not installed: {refused}");
                }
            }
            Err(stopped) => warn!(context, %stopped, "learned routes not installed"),
        }
    }
}

/// Follows the kernel: a link without carrier ends its sessions at once, but for a subnet that another link of its network has, too:
/// who is on it may be on that link, as when a VRF goes and a link comes out of it. Each speaker is told of the links of its VRF, and of
/// the VRF itself.
pub async fn kernel(
    mut events: EventReceiver,
    network: Arc<Network>,
    speakers: Vec<(Option<LinkName>, SpeakerHandle)>,
    inbox: Inbox,
    herald: Herald,
) {
    while let Some(event) = events.recv().await {
        network.note(&event);
        match event {
            KernelEvent::LinkDown { index, name, cause, vrf, addresses } => {
                info!(link = %name, ?cause, "link down");
                herald.tell(Observation::Interface { name: name.to_string(), up: false });
                hand(&inbox, Input::LinkDown { interface: index.get() });
                tell_interface(&inbox, name.as_str(), false);
                let links = network.kernel().links();
                let mut link = speaker_link(&name, &addresses);
                link.subnets.retain(|subnet| {
                    let others = in_network(&links, vrf.as_ref()).filter(|link| link.is_up());
                    !others.flat_map(|link| subnets(&link.addresses)).any(|other| is_same(other, *subnet))
                });
                for (_, speaker) in speakers.iter().filter(|(of, _)| *of == vrf) {
                    speaker.link_down(link.clone());
                }
            }
            KernelEvent::LinkUp { index, name } => {
                info!(link = %name, "link up");
                herald.tell(Observation::Interface { name: name.to_string(), up: true });
                tell_interface(&inbox, name.as_str(), true);
                let links = network.kernel().links();
                let found = links.by_index(index);
                let vrf = found.and_then(|link| links.vrf_of(link)).map(|vrf| vrf.name.clone());
                let addresses = found.map(|link| &link.addresses);
                let link = speaker_link(&name, addresses.into_iter().flatten());
                for (_, speaker) in speakers.iter().filter(|(of, _)| *of == vrf) {
                    speaker.link_up(link.clone());
                }
            }
            KernelEvent::Repaired { cause, restored, removed, refused } => {
                // What is refused again and again has its own event.
                if !restored.is_empty() || !removed.is_empty() {
                    let (restored, removed) = (restored.len(), removed.len());
                    let detail = format!("{cause:?}: {restored} restored, {removed} removed");
                    herald.tell(Observation::KernelRepaired { detail });
                }
                // A comparison that found nothing amiss is not told.
                let state = if refused.is_empty() { MonitorState::Up } else { MonitorState::Down };
                tell(&inbox, Event::Monitor { monitor: kernel_monitor(), state });
                for object in restored {
                    warn!(?cause, %object, "restored in the kernel");
                }
                for object in removed {
                    warn!(?cause, %object, "not wanted, removed from the kernel");
                }
                for refused in refused {
                    warn!(?cause, "{refused}");
                }
            }
            KernelEvent::CompareFailed { cause, error } => warn!(?cause, error, "kernel not compared"),
            KernelEvent::Missed { count } => warn!(count, "kernel events missed"),
            KernelEvent::Overrun => {
                info!("kernel events overran their buffer: everything is compared afresh");
            }
            KernelEvent::AddressRemoved { ip, vrf, .. } => {
                if !is_here(&network.kernel().links(), vrf.as_ref(), ip) {
                    let vrf = vrf.as_ref().map(ToString::to_string);
                    hand(&inbox, Input::AddressGone { address: ip, vrf });
                }
            }
            KernelEvent::AddressAdded { .. } | KernelEvent::RoutesChanged => {}
        }
    }
}

/// What is told of a BGP session. A neighbour that is found on its interface is found by IPv6.
fn session(context: &str, neighbor: &NeighborKey, up: bool, detail: String) -> Observation {
    let (context, ipv6) = (context.to_owned(), neighbor.address.is_none_or(|address| address.is_ipv6()));
    Observation::Bgp { context, neighbor: neighbor.to_string(), ipv6, up, detail }
}

/// Tells the chassis how its BGP neighbours are, and what all monitors make of that.
pub fn tell_neighbors(inbox: &Inbox, neighbors: &Neighbors) {
    tell_found(inbox, neighbors, neighbors.monitors());
}

fn tell_found(inbox: &Inbox, neighbors: &Neighbors, found: Vec<(MonitorId, MonitorState)>) {
    let (configured, established) = neighbors.count();
    tell(inbox, Event::BgpNeighbors { configured, established });
    for (monitor, state) in found {
        tell(inbox, Event::Monitor { monitor, state });
    }
}

/// Tells the chassis how the interfaces are that it watches; one that does not exist is down.
pub fn tell_interfaces(inbox: &Inbox, config: &Config, links: &Links) {
    for monitor in &config.srp.monitor_interface {
        let link = monitor.name.parse().ok().and_then(|name: LinkName| links.by_name(&name));
        tell_interface(inbox, &monitor.name, link.is_some_and(Link::is_up));
    }
}

fn tell_interface(inbox: &Inbox, name: &str, up: bool) {
    let state = if up { MonitorState::Up } else { MonitorState::Down };
    tell(inbox, Event::Monitor { monitor: interface_monitor(name), state });
}

fn tell(inbox: &Inbox, event: Event) {
    hand(inbox, Input::Event(event, Vec::new()));
}

fn hand(inbox: &Inbox, input: Input) {
    if let Err(error) = inbox.send(input) {
        warn!(%error, "chassis not told");
    }
}

/// A link by its subnets.
fn speaker_link<'a>(name: &LinkName, addresses: impl IntoIterator<Item = &'a LinkAddress>) -> speaker::Link {
    speaker::Link { name: name.as_str().into(), subnets: subnets(addresses).collect() }
}

/// The addresses may be two hosts of it.
fn is_same(one: IpNetwork, other: IpNetwork) -> bool {
    one.network() == other.network() && one.prefix() == other.prefix()
}

/// The subnets of addresses that are not ours.
fn subnets<'a>(addresses: impl IntoIterator<Item = &'a LinkAddress>) -> impl Iterator<Item = IpNetwork> {
    let others = addresses.into_iter().filter(|address| !address.ours);
    others.filter_map(|address| IpNetwork::new(address.ip, address.prefix_len).ok())
}

fn route_change(table: TableId, change: &BestPathChange, resolver: &Resolver) -> Option<RouteChange> {
    let network = IpNetwork::from(change.prefix);
    let prefix = netlink::Prefix::try_from(network)
        .inspect_err(|error| warn!(%network, %error, "learned route not usable"))
        .ok()?;
    Some(match resolver.hops(&change.paths) {
        None => RouteChange::Remove { table, prefix },
        Some(hops) => match Route::new(table, prefix, RouteTarget::Via(hops)) {
            Ok(route) => RouteChange::Set(route),
            Err(error) => {
                warn!(%network, %error, "learned route not usable");
                RouteChange::Remove { table, prefix }
            }
        },
    })
}
