//! The `bgp-rib` thread: what neighbors have told us, and what the owner is told of it.
//!
//! Messages come by a bounded queue. When this thread falls behind, the tasks of the neighbors stop reading their
//! sockets, and TCP slows the neighbors down. Events go out by a bounded queue too: while the owner does not take
//! them, changes gather in the table, where a prefix is one change however often it changes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bgp_proto::policy::Policy;
use bgp_proto::rib::{Level, Local, Peer, PeerId, PrefixLimits, Reach, Rib, Route};
use bgp_proto::session::{DownReason, Negotiated, PeerRestart};
use bgp_proto::types::Family;
use bgp_proto::wire::capability::LongLived;
use bgp_proto::wire::update::Update;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::config::NeighborKey;
use crate::deferral::Deferral;
use crate::event::{BestPath, BestPathChange, Event};
use crate::handle::RouteFilter;
use crate::limits;
use crate::monitor::{Observer, SessionSeen, Watch, dump};
use crate::peer::Order;
use crate::restarts::Restarts;
use crate::summary::RouteView;

/// How many messages are worked off before the owner is told of their effect.
const MESSAGES_AT_ONCE: usize = 256;
/// The most prefixes in one event.
const CHANGES_AT_ONCE: usize = 4096;

/// What the tasks of the neighbors tell the table.
pub(crate) enum RibMessage {
    Up {
        id: PeerId,
        seen: Arc<SessionSeen>,
        neighbor: NeighborKey,
        peer: Peer,
        local: SocketAddr,
        negotiated: Negotiated,
        counts: Arc<RouteCounts>,
        /// The how many-th session of the neighbor it is.
        session: u64,
        /// Where its task takes orders.
        orders: mpsc::WeakUnboundedSender<Order>,
    },
    Down {
        id: PeerId,
        neighbor: NeighborKey,
        reason: DownReason,
        was_established: bool,
        /// Which of its routes stay, and for how long.
        retained: Option<PeerRestart>,
    },
    /// The neighbor is not one any more.
    Gone {
        id: PeerId,
        neighbor: NeighborKey,
    },
    EndOfRib {
        id: PeerId,
        family: Family,
    },
    /// The neighbor begins or ends to tell the family again (RFC 7313).
    RefreshMark {
        id: PeerId,
        family: Family,
        ends: bool,
    },
    Update {
        id: PeerId,
        update: Update,
    },
    Policy {
        id: PeerId,
        policy: Arc<Policy>,
        allow_own_as: u8,
    },
    Limits {
        id: PeerId,
        limits: PrefixLimits,
    },
    /// `clear ip bgp A soft in`.
    JudgeAgain(PeerId),
    Local(Local),
    NextHops(Vec<(IpAddr, Reach)>),
    NextHopsMoved(HashSet<IpAddr>),
    AllNextHops(oneshot::Sender<Vec<IpAddr>>),
    /// Somebody begins to look on, or ends.
    Watch(Watch),
    Unwatch(u64),
    /// The whole table as an MRT file whose view has this name.
    DumpTable(String, oneshot::Sender<Vec<u8>>),
    Routes(RouteFilter, oneshot::Sender<Vec<RouteView>>),
}

/// Counts that the table keeps for a neighbor's task to show; of each family by its [`position`].
#[derive(Debug, Default)]
pub(crate) struct RouteCounts {
    pub(crate) received: [AtomicU64; 2],
    pub(crate) accepted: [AtomicU64; 2],
    /// How often the neighbor came near its limit, and how often it went beyond.
    pub(crate) limit_warnings: [AtomicU64; 2],
    pub(crate) limit_exceeded: [AtomicU64; 2],
    /// UPDATE messages that were treated as withdrawals.
    pub(crate) treated_as_withdraw: AtomicU32,
}

/// Of all families.
pub(crate) fn total(counts: &[AtomicU64; 2]) -> u64 {
    counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()
}

/// Where a family is in what is counted of each.
pub(crate) const fn position(family: Family) -> usize {
    match family {
        Family::Ipv4Unicast => 0,
        Family::Ipv6Unicast => 1,
    }
}

/// A neighbor that has routes in the table or is about to.
struct Known {
    key: NeighborKey,
    counts: Arc<RouteCounts>,
    session: u64,
    orders: mpsc::WeakUnboundedSender<Order>,
    /// How long its routes stay beyond a restart.
    long_lived: Option<LongLived>,
}

pub(crate) struct RibTask {
    rib: Rib,
    neighbors: HashMap<PeerId, Known>,
    restarts: Restarts,
    observer: Observer,
    local: Local,
    /// While it lasts, no best path is told.
    deferral: Option<Deferral>,
    /// The deferral has ended, which is told after the best paths; whether it was complete.
    converged: Option<bool>,
    /// Events that do not come from the table, in their order.
    pending: VecDeque<Event>,
    /// `None` when the owner does not listen any more.
    events: Option<mpsc::Sender<Event>>,
}

impl RibTask {
    pub(crate) fn new(local: Local, seed: u64, events: mpsc::Sender<Event>) -> Self {
        Self {
            rib: Rib::new(local, seed),
            local,
            observer: Observer::default(),
            neighbors: HashMap::new(),
            restarts: Restarts::default(),
            deferral: None,
            converged: None,
            pending: VecDeque::new(),
            events: Some(events),
        }
    }

    /// From now on next hops have to be told to be reachable.
    pub(crate) fn watch_next_hops(&mut self) {
        self.rib.watch_next_hops();
    }

    /// This speaker has restarted: no best path is told before the neighbors have said theirs.
    pub(crate) fn defer(&mut self, deferral: Deferral) {
        self.deferral = Some(deferral);
    }

    /// Runs until every sender of messages is gone.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<RibMessage>) {
        loop {
            self.end_deferral();
            let something_to_tell = !self.pending.is_empty()
                || self.deferral.is_none() && (self.rib.has_changes() || self.converged.is_some());
            let deferred_until = self.deferral.as_ref().map(Deferral::until);
            let message = tokio::select! {
                biased;
                room = room(self.events.clone().filter(|_| something_to_tell)) => {
                    match room {
                        Ok(room) => {
                            if let Some(event) = self.next_event() {
                                room.send(event);
                            }
                        }
                        Err(_owner_gone) => self.events = None,
                    }
                    continue;
                }
                message = messages.recv() => message,
                () = until(deferred_until) => continue,
                () = until(self.restarts.next_deadline()) => {
                    for id in self.restarts.run(&mut self.rib, Instant::now()) {
                        self.publish_counts(id);
                    }
                    continue;
                }
            };
            let Some(message) = message else { break };
            self.take(message);
            for _ in 1..MESSAGES_AT_ONCE {
                let Ok(message) = messages.try_recv() else { break };
                self.take(message);
            }
            let wanted = self.rib.take_unresolved();
            if !wanted.is_empty() {
                if let Some(deferral) = &mut self.deferral {
                    deferral.asked(&wanted);
                }
                self.pending.push_back(Event::NextHopsWanted(wanted));
            }
            if self.events.is_none() {
                self.pending.clear();
                self.rib.take_changes(usize::MAX);
            }
        }
        // What is left to tell when the speaker ends: the neighbors that went down with it.
        while let Some(event) = self.next_event() {
            let Some(events) = &self.events else { break };
            if events.try_send(event).is_err() {
                break;
            }
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.pending.pop_front() {
            return Some(event);
        }
        if self.deferral.is_some() {
            return None;
        }
        let changes = self.rib.take_changes(CHANGES_AT_ONCE);
        if changes.is_empty() {
            return self.converged.take().map(|complete| Event::Converged { complete });
        }
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let paths = change.paths.into_iter().filter_map(|(peer, next_hop)| {
                    let known = self.neighbors.get(&peer)?;
                    Some(BestPath { neighbor: known.key.clone(), next_hop })
                });
                BestPathChange { prefix: change.prefix, paths: paths.collect() }
            })
            .collect();
        (!changes.is_empty()).then_some(Event::BestPathsChanged(changes))
    }

    fn end_deferral(&mut self) {
        if let Some(over) = self.deferral.take_if(|deferral| deferral.is_over(Instant::now())) {
            self.converged = Some(over.is_complete());
        }
    }

    /// What the deferral has to know of a message.
    fn note(&mut self, message: &RibMessage) {
        let Some(deferral) = &mut self.deferral else { return };
        let key = |id| self.neighbors.get(id).map(|known| &known.key);
        match message {
            RibMessage::Up { neighbor, negotiated, .. } => deferral.up(neighbor, negotiated),
            RibMessage::EndOfRib { id, family } => {
                if let Some(key) = key(id) {
                    deferral.told(key, *family);
                }
            }
            RibMessage::Gone { neighbor, .. } => deferral.gone(neighbor),
            RibMessage::NextHops(next_hops) => {
                deferral.answered(next_hops.iter().map(|(next_hop, _)| *next_hop));
            }
            RibMessage::Down { .. }
            | RibMessage::RefreshMark { .. }
            | RibMessage::Update { .. }
            | RibMessage::Policy { .. }
            | RibMessage::Limits { .. }
            | RibMessage::JudgeAgain(_)
            | RibMessage::Local(_)
            | RibMessage::NextHopsMoved(_)
            | RibMessage::AllNextHops(_)
            | RibMessage::Watch(_)
            | RibMessage::Unwatch(_)
            | RibMessage::DumpTable(..)
            | RibMessage::Routes(..) => {}
        }
    }

    fn take(&mut self, message: RibMessage) {
        self.note(&message);
        match message {
            RibMessage::Up { id, seen, neighbor, peer, local, negotiated, counts, session, orders } => {
                self.observer.up(id, seen);
                self.rib.peer_up(id, peer);
                let Negotiated { families, restart, long_lived, .. } = negotiated;
                self.restarts.returned(&mut self.rib, id, families, restart, Instant::now());
                let known = Known { key: neighbor.clone(), counts, session, orders, long_lived };
                self.neighbors.insert(id, known);
                self.pending.push_back(Event::NeighborUp {
                    neighbor,
                    local,
                    families: negotiated.families,
                    hold_time: negotiated.hold_time,
                });
                self.publish_counts(id);
            }
            RibMessage::Down { id, neighbor, reason, was_established, retained } => {
                self.observer.down(id, &reason);
                match retained {
                    Some(retained) if was_established => {
                        let long_lived = self.neighbors.get(&id).and_then(|known| known.long_lived);
                        let now = Instant::now();
                        self.restarts.lost(&mut self.rib, id, retained, long_lived, now);
                        self.publish_counts(id);
                    }
                    None if was_established => self.remove(id),
                    Some(_) | None => {}
                }
                self.pending.push_back(Event::NeighborDown { neighbor, reason, was_established });
            }
            RibMessage::Gone { id, .. } => self.remove(id),
            RibMessage::EndOfRib { id, family } => {
                self.observer.end_of_rib(id, family);
                self.told(id, family);
            }
            RibMessage::RefreshMark { id, family, ends: true } => self.told(id, family),
            RibMessage::RefreshMark { id, family, ends: false } => {
                self.restarts.refreshing(&mut self.rib, id, family, Instant::now());
            }
            RibMessage::Update { id, update } => {
                self.observer.update(id, &update);
                self.rib.update(id, update);
                self.publish_counts(id);
                self.tell_crossings();
            }
            RibMessage::Policy { id, policy, allow_own_as } => {
                self.rib.set_policy(id, policy, allow_own_as);
                self.publish_counts(id);
            }
            RibMessage::Limits { id, limits } => {
                self.rib.set_limits(id, limits);
                self.tell_crossings();
            }
            RibMessage::JudgeAgain(id) => self.rib.judge_again(id),
            RibMessage::Local(local) => {
                self.local = local;
                self.rib.set_local(local);
            }
            RibMessage::Watch(watch) => self.observer.watch(watch, &self.rib),
            RibMessage::Unwatch(id) => self.observer.unwatch(id),
            RibMessage::DumpTable(view, answer) => {
                let _ = answer.send(dump::table(&self.rib, &self.observer, self.local.router_id, &view));
            }
            RibMessage::NextHops(next_hops) => {
                self.rib.set_next_hops(next_hops);
                for id in self.neighbors.keys() {
                    self.publish_counts(*id);
                }
            }
            RibMessage::NextHopsMoved(moved) => self.rib.next_hops_moved(&moved),
            RibMessage::AllNextHops(answer) => {
                let _ = answer.send(self.rib.next_hops());
            }
            RibMessage::Routes(filter, answer) => {
                let _ = answer.send(self.routes(&filter));
            }
        }
    }

    /// What neighbors have passed of their limits.
    fn tell_crossings(&mut self) {
        for crossing in self.rib.take_crossings() {
            let Some(known) = self.neighbors.get(&crossing.peer) else { continue };
            limits::log(&known.key, &crossing);
            let counter = match crossing.level {
                Level::Below => continue,
                Level::Near => &known.counts.limit_warnings[position(crossing.family)],
                Level::Exceeded => &known.counts.limit_exceeded[position(crossing.family)],
            };
            counter.fetch_add(1, Ordering::Relaxed);
            if let (true, Some(orders)) = (crossing.ends, known.orders.upgrade()) {
                // A task that has ended has no session to end.
                let _ = orders.send(Order::Exceeded { session: known.session, crossing });
            }
        }
    }

    /// The neighbor has told everything of the family.
    fn told(&mut self, id: PeerId, family: Family) {
        self.restarts.told(&mut self.rib, id, family);
        self.publish_counts(id);
    }

    /// Ends every route of a neighbor.
    fn remove(&mut self, id: PeerId) {
        self.restarts.forget(id);
        self.rib.peer_down(id);
        self.publish_counts(id);
        self.neighbors.remove(&id);
    }

    fn publish_counts(&self, id: PeerId) {
        if let Some(Known { counts: published, .. }) = self.neighbors.get(&id) {
            let counts = self.rib.counts(id);
            for family in Family::ALL {
                published.received[position(family)].store(counts.received_of(family), Ordering::Relaxed);
                published.accepted[position(family)].store(counts.accepted_of(family), Ordering::Relaxed);
            }
        }
    }

    fn routes(&self, filter: &RouteFilter) -> Vec<RouteView> {
        let view = |route: Route| {
            let known = self.neighbors.get(&route.peer)?;
            Some(RouteView {
                prefix: route.prefix,
                neighbor: known.key.clone(),
                path_id: route.path_id,
                received: route.received,
                attributes: route.attributes,
                stale: route.stale,
                why: route.why,
            })
        };
        let routes = match filter {
            RouteFilter::All => self.rib.routes(),
            RouteFilter::To(prefix) => self.rib.routes_to(*prefix),
            RouteFilter::Toward(address) => self.rib.routes_toward(*address),
            RouteFilter::Of(neighbor) => self
                .neighbors
                .iter()
                .find(|(_, known)| known.key == *neighbor)
                .map(|(id, _)| self.rib.routes_of(*id))
                .unwrap_or_default(),
        };
        routes.into_iter().filter_map(view).collect()
    }
}

/// Room for an event; never, where there is nobody or nothing to tell.
async fn room(
    events: Option<mpsc::Sender<Event>>,
) -> Result<mpsc::OwnedPermit<Event>, mpsc::error::SendError<()>> {
    match events {
        Some(events) => events.reserve_owned().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
