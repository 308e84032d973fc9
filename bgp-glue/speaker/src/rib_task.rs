//! The `bgp-rib` thread: what neighbors have told us, and what the owner is told of it.
//!
//! Messages come by a bounded queue. When this thread falls behind, the tasks of the neighbors stop reading their
//! sockets, and TCP slows the neighbors down. Events go out by a bounded queue too: while the owner does not take
//! them, changes gather in the table, where a prefix is one change however often it changes.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bgp_proto::policy::Policy;
use bgp_proto::rib::{Local, Peer, PeerId, Reach, Rib, Route};
use bgp_proto::session::{DownReason, Negotiated};
use bgp_proto::wire::update::Update;
use tokio::sync::{mpsc, oneshot};

use crate::config::NeighborKey;
use crate::event::{BestPath, BestPathChange, Event};
use crate::handle::RouteFilter;
use crate::summary::RouteView;

/// How many messages are worked off before the owner is told of their effect.
const MESSAGES_AT_ONCE: usize = 256;
/// The most prefixes in one event.
const CHANGES_AT_ONCE: usize = 4096;

/// What the tasks of the neighbors tell the table.
pub(crate) enum RibMessage {
    Up {
        id: PeerId,
        neighbor: NeighborKey,
        peer: Peer,
        local: SocketAddr,
        negotiated: Negotiated,
        counts: Arc<RouteCounts>,
    },
    Down {
        id: PeerId,
        neighbor: NeighborKey,
        reason: DownReason,
        was_established: bool,
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
    /// `clear ip bgp A soft in`.
    JudgeAgain(PeerId),
    Local(Local),
    NextHops(Vec<(IpAddr, Reach)>),
    AllNextHops(oneshot::Sender<Vec<IpAddr>>),
    Routes(RouteFilter, oneshot::Sender<Vec<RouteView>>),
}

/// Counts that the table keeps for a neighbor's task to show.
#[derive(Debug, Default)]
pub(crate) struct RouteCounts {
    pub(crate) received: AtomicU64,
    pub(crate) accepted: AtomicU64,
}

pub(crate) struct RibTask {
    rib: Rib,
    neighbors: HashMap<PeerId, (NeighborKey, Arc<RouteCounts>)>,
    /// Events that do not come from the table, in their order.
    pending: VecDeque<Event>,
    /// `None` when the owner does not listen any more.
    events: Option<mpsc::Sender<Event>>,
}

impl RibTask {
    pub(crate) fn new(local: Local, seed: u64, events: mpsc::Sender<Event>) -> Self {
        Self {
            rib: Rib::new(local, seed),
            neighbors: HashMap::new(),
            pending: VecDeque::new(),
            events: Some(events),
        }
    }

    /// From now on next hops have to be told to be reachable.
    pub(crate) fn watch_next_hops(&mut self) {
        self.rib.watch_next_hops();
    }

    /// Runs until every sender of messages is gone.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<RibMessage>) {
        loop {
            let something_to_tell = !self.pending.is_empty() || self.rib.has_changes();
            let message = match self.events.clone().filter(|_| something_to_tell) {
                None => messages.recv().await,
                Some(events) => tokio::select! {
                    biased;
                    room = events.reserve() => {
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
                },
            };
            let Some(message) = message else { break };
            self.take(message);
            for _ in 1..MESSAGES_AT_ONCE {
                let Ok(message) = messages.try_recv() else { break };
                self.take(message);
            }
            let wanted = self.rib.take_unresolved();
            if !wanted.is_empty() {
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
        let changes = self.rib.take_changes(CHANGES_AT_ONCE);
        let changes: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let paths = change.paths.into_iter().filter_map(|(peer, next_hop)| {
                    let (neighbor, _) = self.neighbors.get(&peer)?;
                    Some(BestPath { neighbor: neighbor.clone(), next_hop })
                });
                BestPathChange { prefix: change.prefix, paths: paths.collect() }
            })
            .collect();
        (!changes.is_empty()).then_some(Event::BestPathsChanged(changes))
    }

    fn take(&mut self, message: RibMessage) {
        match message {
            RibMessage::Up { id, neighbor, peer, local, negotiated, counts } => {
                self.rib.peer_up(id, peer);
                self.neighbors.insert(id, (neighbor.clone(), counts));
                self.pending.push_back(Event::NeighborUp {
                    neighbor,
                    local,
                    families: negotiated.families,
                    hold_time: negotiated.hold_time,
                });
                self.publish_counts(id);
            }
            RibMessage::Down { id, neighbor, reason, was_established } => {
                if was_established {
                    self.rib.peer_down(id);
                    self.publish_counts(id);
                    self.neighbors.remove(&id);
                }
                self.pending.push_back(Event::NeighborDown { neighbor, reason, was_established });
            }
            RibMessage::Update { id, update } => {
                self.rib.update(id, update);
                self.publish_counts(id);
            }
            RibMessage::Policy { id, policy, allow_own_as } => {
                self.rib.set_policy(id, policy, allow_own_as);
                self.publish_counts(id);
            }
            RibMessage::JudgeAgain(id) => self.rib.judge_again(id),
            RibMessage::Local(local) => self.rib.set_local(local),
            RibMessage::NextHops(next_hops) => {
                self.rib.set_next_hops(next_hops);
                for id in self.neighbors.keys() {
                    self.publish_counts(*id);
                }
            }
            RibMessage::AllNextHops(answer) => {
                let _ = answer.send(self.rib.next_hops());
            }
            RibMessage::Routes(filter, answer) => {
                let _ = answer.send(self.routes(&filter));
            }
        }
    }

    fn publish_counts(&self, id: PeerId) {
        if let Some((_, published)) = self.neighbors.get(&id) {
            let counts = self.rib.counts(id);
            published.received.store(counts.received, Ordering::Relaxed);
            published.accepted.store(counts.accepted, Ordering::Relaxed);
        }
    }

    fn routes(&self, filter: &RouteFilter) -> Vec<RouteView> {
        let view = |route: Route| {
            let (neighbor, _) = self.neighbors.get(&route.peer)?;
            Some(RouteView {
                prefix: route.prefix,
                neighbor: neighbor.clone(),
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
                .find(|(_, (key, _))| key == neighbor)
                .map(|(id, _)| self.rib.routes_of(*id))
                .unwrap_or_default(),
        };
        routes.into_iter().filter_map(view).collect()
    }
}
