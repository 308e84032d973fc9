//! What neighbors have told us: the Adj-RIBs-In and the Loc-RIB, as one table.
//!
//! For each prefix the table holds the paths of all neighbors, the best one first. A path is a reference to interned
//! attributes and the number of its neighbor: sixteen octets. Paths that may not be used (policy, loop) stay in the
//! table, marked, so that a new policy needs no refresh from the neighbor.
//!
//! ```text
//!   Update ──► paths of a prefix ──decide──► dirty ──take_changes──► Change (prefix, best path or gone)
//! ```
//!
//! What always holds: `paths[0]` is the best path whenever any path is usable; a prefix is reported only when its best
//! path's neighbor or next hop differs from what was reported last; after a neighbor went down no path of it is left.
//! Sources: RFC 4271 sections 3.2, 9.1 and 9.1.2.

mod intern;
mod paths;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::attributes::{Attributes, NextHop};
use crate::decision::{self, Candidate, Source, Why};
use crate::policy::ImportPolicy;
use crate::prefix::Prefix;
use crate::types::{Asn, PeerKind, RouterId};
use crate::wire::update::Update;

use intern::Interner;
use paths::Path;
use table::Table;

/// A neighbor, by the number that its owner gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// What the table has to know about an Established neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Internal or external.
    pub kind: PeerKind,
    /// Its identifier.
    pub router_id: RouterId,
    /// Its address.
    pub address: IpAddr,
    /// Our addresses that a route of this neighbor may not have as its next hop.
    pub own_addresses: Vec<IpAddr>,
    /// What may be used of its routes.
    pub policy: Arc<ImportPolicy>,
}

/// How many routes a neighbor has announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Routes in its Adj-RIB-In.
    pub received: u64,
    /// Those of them that may be used.
    pub accepted: u64,
}

/// The new state of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The prefix.
    pub prefix: Prefix,
    /// The neighbor and the next hop of the best path; `None` when no path is left.
    pub best: Option<(PeerId, NextHop)>,
}

/// One path as an operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub prefix: Prefix,
    /// Who announced it.
    pub peer: PeerId,
    /// Its attributes.
    pub attributes: Arc<Attributes>,
    /// What the decision made of it.
    pub why: Why,
}

/// The table.
#[derive(Debug)]
pub struct Rib {
    local_as: Asn,
    peers: BTreeMap<PeerId, (Peer, Counts)>,
    table: Table,
    interner: Interner,
    dirty: Vec<Prefix>,
}

impl Rib {
    /// An empty table. The seed is for its hashes; one that neighbors cannot know keeps them from choosing collisions.
    pub fn new(local_as: Asn, seed: u64) -> Self {
        Self {
            local_as,
            peers: BTreeMap::new(),
            table: Table::new(seed),
            interner: Interner::new(seed),
            dirty: Vec::new(),
        }
    }

    /// Our AS changed. Paths that are in the table keep their judgement: their sessions end with the change.
    pub const fn set_local_as(&mut self, local_as: Asn) {
        self.local_as = local_as;
    }

    /// A session is Established.
    pub fn peer_up(&mut self, id: PeerId, peer: Peer) {
        self.peer_down(id);
        self.peers.insert(id, (peer, Counts::default()));
    }

    /// A session ended: every route of the neighbor goes (RFC 4271 section 6).
    pub fn peer_down(&mut self, id: PeerId) {
        if self.peers.get(&id).is_some_and(|(_, counts)| counts.received > 0) {
            let Self { peers, table, dirty, .. } = self;
            table.for_each_mut(|prefix, entry| {
                if entry.paths.remove(id).is_some() {
                    entry.decide(peers);
                    entry.mark(prefix, dirty);
                }
            });
            self.interner.sweep();
        }
        self.peers.remove(&id);
    }

    /// Takes in what a neighbor said. Withdrawals come before announcements: a prefix in both is announced.
    pub fn update(&mut self, id: PeerId, update: Update) {
        if !self.peers.contains_key(&id) {
            return;
        }
        for prefix in update.withdrawn {
            self.withdraw(id, prefix);
        }
        for announcement in update.announced {
            let attributes = self.interner.intern(announcement.attributes);
            for prefix in announcement.prefixes {
                self.announce(id, prefix, Arc::clone(&attributes));
            }
        }
    }

    /// A neighbor's policy changed: its routes are judged again.
    pub fn set_policy(&mut self, id: PeerId, policy: Arc<ImportPolicy>) {
        let Some((peer, counts)) = self.peers.get_mut(&id) else { return };
        peer.policy = policy;
        counts.accepted = 0;
        let (peer, mut accepted) = (peer.clone(), 0);
        let Self { local_as, peers, table, dirty, .. } = self;
        table.for_each_mut(|prefix, entry| {
            if let Some(path) = entry.paths.get_mut(id) {
                path.obstacle = obstacle(*local_as, &peer, prefix, &path.attributes);
                accepted += u64::from(path.obstacle.is_none());
                entry.decide(peers);
                entry.mark(prefix, dirty);
            }
        });
        if let Some((_, counts)) = self.peers.get_mut(&id) {
            counts.accepted = accepted;
        }
    }

    /// How many routes the neighbor has announced.
    pub fn counts(&self, id: PeerId) -> Counts {
        self.peers.get(&id).map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// Whether [`Rib::take_changes`] may have something to tell.
    pub fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Prefixes whose best path is another than was told last, at most `limit` of them.
    pub fn take_changes(&mut self, limit: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < limit {
            let Some(prefix) = self.dirty.pop() else { break };
            let Some(entry) = self.table.get_mut(prefix) else { continue };
            entry.dirty = false;
            let best = entry.best().map(|path| (path.peer, Arc::clone(&path.attributes)));
            let said = |best: &Option<(PeerId, Arc<Attributes>)>| {
                best.as_ref().map(|(peer, attributes)| (*peer, attributes.next_hop))
            };
            if said(&best) != said(&entry.told) {
                changes.push(Change { prefix, best: said(&best) });
            }
            entry.told = best;
            if entry.paths.is_empty() {
                self.table.remove(prefix);
            }
        }
        changes
    }

    /// Every path, ordered by prefix, the best one first.
    pub fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        self.table.for_each(|prefix, entry| {
            let paths = entry.paths.as_slice();
            let (usable, obstructed): (Vec<_>, Vec<_>) =
                paths.iter().partition(|path| path.obstacle.is_none());
            let candidates = candidates(&self.peers, usable.iter().copied());
            let explained = decision::explain(&candidates);
            let rest = obstructed.into_iter().filter_map(|path| Some((path, path.obstacle?)));
            routes.extend(usable.into_iter().zip(explained).chain(rest).map(|(path, why)| Route {
                prefix,
                peer: path.peer,
                attributes: Arc::clone(&path.attributes),
                why,
            }));
        });
        routes.sort_by_key(|route| (route.prefix, route.why != Why::Best, route.peer));
        routes
    }

    fn announce(&mut self, id: PeerId, prefix: Prefix, attributes: Arc<Attributes>) {
        let Some((peer, counts)) = self.peers.get_mut(&id) else { return };
        let obstacle = obstacle(self.local_as, peer, prefix, &attributes);
        let path = Path { attributes, peer: id, obstacle };
        let entry = self.table.entry(prefix);
        counts.accepted += u64::from(obstacle.is_none());
        match entry.paths.insert(path) {
            None => counts.received += 1,
            Some(old) => counts.accepted -= u64::from(old.obstacle.is_none()),
        }
        entry.decide(&self.peers);
        entry.mark(prefix, &mut self.dirty);
    }

    fn withdraw(&mut self, id: PeerId, prefix: Prefix) {
        let Some(entry) = self.table.get_mut(prefix) else { return };
        let (Some(old), Some((_, counts))) = (entry.paths.remove(id), self.peers.get_mut(&id)) else {
            return;
        };
        counts.received -= 1;
        counts.accepted -= u64::from(old.obstacle.is_none());
        entry.decide(&self.peers);
        entry.mark(prefix, &mut self.dirty);
    }
}

/// Why a path may not be used, if it may not.
fn obstacle(local_as: Asn, peer: &Peer, prefix: Prefix, attributes: &Attributes) -> Option<Why> {
    if !peer.policy.accepts(prefix) {
        Some(Why::RefusedByPolicy)
    } else if attributes.as_path.contains(local_as) {
        // RFC 4271 section 9.1.2: a path with our own AS is a loop, wherever it stands in it.
        Some(Why::AsLoop)
    } else if peer.own_addresses.contains(&attributes.next_hop.address()) {
        Some(Why::NextHopIsOurs)
    } else {
        None
    }
}

fn candidates<'a>(
    peers: &BTreeMap<PeerId, (Peer, Counts)>,
    paths: impl Iterator<Item = &'a Path>,
) -> Vec<Candidate<'a>> {
    let candidate = |path: &'a Path| {
        let (peer, _) = peers.get(&path.peer)?;
        let source = Source {
            kind: peer.kind,
            router_id: peer.router_id,
            address: peer.address,
            tie_breaker: path.peer.0,
        };
        Some(Candidate { attributes: &path.attributes, source })
    };
    paths.filter_map(candidate).collect()
}
