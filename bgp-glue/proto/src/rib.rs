//! What neighbors have told us: the Adj-RIBs-In and the Loc-RIB, as one table.
//!
//! For each prefix the table holds the paths of all neighbors. A path is two references to interned attributes (as they
//! came, and as policy has them used; most often the same value) and a few numbers: 32 octets. Paths that may not be
//! used (policy, loop, next hop) stay in the table, marked, so that a new policy or a link that comes back needs no
//! refresh from the neighbor.
//!
//! ```text
//!   Update ──► judge (policy, loop, next hop) ──► paths of a prefix ──► dirty ──take_changes: decide──► Change
//! ```
//!
//! What always holds: a prefix is reported only when the paths in use (their neighbors or next hops) differ from what
//! was reported last, or the owner says that the way to one of their next hops has moved; after [`Rib::peer_down`] no
//! path of the neighbor is left; a stale path is gone at the latest when its owner calls [`Rib::sweep`]. Sources: RFC
//! 4271 sections 3.2, 9.1 and 9.1.2; RFC 4724 section 4.2; RFC 9494.

#[cfg(test)]
mod add_path_tests;
mod intern;
mod judge;
mod limit;
#[cfg(test)]
mod next_hop_tests;
mod next_hops;
mod paths;
mod restart;
mod table;
#[cfg(test)]
mod tests;
mod views;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::attributes::{Attributes, NextHop};
use crate::decision::{self, Candidate, Multipath, Source, Why};
use crate::policy::Policy;
use crate::prefix::Prefix;
use crate::types::{Asn, Family, PeerKind, RouterId};
use crate::wire::capability::Role;
use crate::wire::update::Update;

use intern::Interner;
use limit::Limiter;
use next_hops::NextHops;
use paths::{Path, Staleness};
use table::Table;

pub use limit::{Crossing, Level, PrefixLimits};
pub use next_hops::Reach;

/// A neighbor, by the number that its owner gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u32);

/// What the table has to know about an Established neighbor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Internal or external.
    pub kind: PeerKind,
    /// Its AS.
    pub remote_as: Asn,
    /// Its identifier.
    pub router_id: RouterId,
    /// Its address.
    pub address: IpAddr,
    /// Our addresses that a route of this neighbor may not have as its next hop.
    pub own_addresses: Vec<IpAddr>,
    /// What may be used of its routes.
    pub policy: Arc<Policy>,
    /// How often our own AS may stand in a path of this neighbor (allowas-in); 0 is what RFC 4271 asks for.
    pub allow_own_as: u8,
    /// What we are to the neighbor (RFC 9234).
    pub role: Option<Role>,
    /// How many routes it may announce.
    pub limits: PrefixLimits,
}

/// How many routes a neighbor has announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Routes in its Adj-RIB-In.
    pub received: u64,
    /// Those of them that are IPv6.
    pub received_ipv6: u64,
    /// Those of them that may be used.
    pub accepted: u64,
    /// Those of the latter that are IPv6.
    pub accepted_ipv6: u64,
    /// Those of them that are stale: the neighbor has restarted and not told them again yet.
    pub stale: u64,
}

/// The new state of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The prefix.
    pub prefix: Prefix,
    /// The neighbors and next hops of the paths in use, the best one first; empty when no path is left.
    pub paths: Vec<(PeerId, NextHop)>,
}

/// One path as an operator asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub prefix: Prefix,
    /// Who announced it.
    pub peer: PeerId,
    /// The number that tells apart several paths of one neighbor (RFC 7911); 0 without ADD-PATH.
    pub path_id: u32,
    /// Its attributes, as they came.
    pub received: Arc<Attributes>,
    /// Its attributes, as they are used.
    pub attributes: Arc<Attributes>,
    /// The neighbor has restarted and not told it again yet.
    pub stale: bool,
    /// What the decision made of it.
    pub why: Why,
}

/// The table.
#[derive(Debug)]
pub struct Rib {
    local: Local,
    peers: Peers,
    table: Table,
    interner: Interner,
    next_hops: NextHops,
    limiter: Limiter,
    dirty: Vec<Prefix>,
}

/// What the table has to know about ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Our AS.
    pub asn: Asn,
    /// Our identifier.
    pub router_id: RouterId,
    /// How many paths of a prefix are used.
    pub multipath: Multipath,
}

type Peers = BTreeMap<PeerId, (Peer, Counts)>;

impl Rib {
    /// An empty table. The seed is for its hashes; one that neighbors cannot know keeps them from choosing collisions.
    pub fn new(local: Local, seed: u64) -> Self {
        Self {
            local,
            peers: BTreeMap::new(),
            table: Table::new(seed),
            interner: Interner::new(seed),
            next_hops: NextHops::default(),
            limiter: Limiter::default(),
            dirty: Vec::new(),
        }
    }

    /// We changed. All paths are judged and decided again.
    pub fn set_local(&mut self, local: Local) {
        if local != self.local {
            self.local = local;
            self.judge_all(|_, _| true);
        }
    }

    /// A session is Established. Stale paths of an earlier session of the neighbor stay.
    pub fn peer_up(&mut self, id: PeerId, peer: Peer) {
        let counts = self.counts(id);
        self.peers.insert(id, (peer, counts));
        self.limiter.begin(id);
    }

    /// A session ended: every route of the neighbor goes (RFC 4271 section 6).
    pub fn peer_down(&mut self, id: PeerId) {
        self.remove_where(id, |_, _| true);
        self.interner.sweep();
        self.peers.remove(&id);
        self.limiter.forget(id);
    }

    /// Takes in what a neighbor said. Withdrawals come before announcements: a prefix in both is announced.
    pub fn update(&mut self, id: PeerId, update: Update) {
        if !self.peers.contains_key(&id) || self.limiter.is_over(id) {
            return;
        }
        for (prefix, path_id) in update.withdrawn_ids.with(&update.withdrawn) {
            self.withdraw(id, prefix, path_id);
        }
        for announcement in update.announced {
            let attributes = self.interner.intern(announcement.attributes);
            for (prefix, path_id) in announcement.path_ids.with(&announcement.prefixes) {
                self.announce(id, prefix, path_id, Arc::clone(&attributes));
            }
        }
        self.check_limits(id);
    }

    /// What may be used of a neighbor's routes changed: they are judged again, from what came (soft reconfiguration).
    pub fn set_policy(&mut self, id: PeerId, policy: Arc<Policy>, allow_own_as: u8) {
        let Some((peer, _)) = self.peers.get_mut(&id) else { return };
        if peer.policy != policy || peer.allow_own_as != allow_own_as {
            (peer.policy, peer.allow_own_as) = (policy, allow_own_as);
            self.judge_all(|_, path| path.peer == id);
        }
    }

    /// Judges all routes of a neighbor again (`clear ip bgp A soft in`).
    pub fn judge_again(&mut self, id: PeerId) {
        self.judge_all(|_, path| path.peer == id);
    }

    /// How many routes the neighbor has announced.
    pub fn counts(&self, id: PeerId) -> Counts {
        self.peers.get(&id).map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// Whether [`Rib::take_changes`] may have something to tell.
    pub fn has_changes(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Prefixes whose paths in use are others than were told last, at most `limit` of them.
    pub fn take_changes(&mut self, limit: usize) -> Vec<Change> {
        let mut changes = Vec::new();
        while changes.len() < limit {
            let Some(prefix) = self.dirty.pop() else { break };
            let Some(entry) = self.table.get_mut(prefix) else { continue };
            entry.dirty = false;
            let paths = entry.paths.as_slice();
            let chosen = chosen(&self.peers, paths, self.local.multipath);
            let now: Vec<_> = chosen.iter().map(|path| (path.peer, path.used.next_hop)).collect();
            let is_new = !entry.told.is(&now);
            // Kept up in any case, or attributes that nothing uses any more would live on in here.
            entry.told = table::Told::new(&chosen);
            if is_new {
                changes.push(Change { prefix, paths: now });
            }
            if entry.paths.is_empty() {
                self.table.remove(prefix);
            }
        }
        changes
    }

    fn announce(&mut self, id: PeerId, prefix: Prefix, path_id: u32, received: Arc<Attributes>) {
        let Some((peer, counts)) = self.peers.get_mut(&id) else { return };
        if peer.limits.forbids(prefix.family(), counts) && !self.table.holds(prefix, id, path_id) {
            return self.limiter.exceed(id, prefix.family(), peer, counts);
        }
        let judged =
            judge::judge(&self.local, peer, prefix, &received, &mut self.interner, &mut self.next_hops);
        let path = Path {
            received,
            used: judged.used,
            peer: id,
            id: path_id,
            cost: judged.cost,
            obstacle: judged.obstacle,
            staleness: Staleness::Fresh,
        };
        let entry = self.table.entry(prefix);
        counts.add(prefix, &path);
        if let Some(old) = entry.paths.insert(path) {
            counts.subtract(prefix, &old);
        }
        entry.mark(prefix, &mut self.dirty);
    }

    fn withdraw(&mut self, id: PeerId, prefix: Prefix, path_id: u32) {
        let Some(entry) = self.table.get_mut(prefix) else { return };
        let (Some(old), Some((_, counts))) = (entry.paths.remove(id, path_id), self.peers.get_mut(&id))
        else {
            return;
        };
        counts.subtract(prefix, &old);
        entry.mark(prefix, &mut self.dirty);
    }

    /// Removes the paths of a neighbor that the function names.
    fn remove_where(&mut self, id: PeerId, mut which: impl FnMut(Prefix, &Path) -> bool) {
        let Self { peers, table, dirty, .. } = self;
        let Some((_, counts)) = peers.get_mut(&id).filter(|(_, counts)| counts.received > 0) else { return };
        table.for_each_mut(|prefix, entry| {
            let removed = entry.paths.extract(|path| path.peer == id && which(prefix, path));
            for path in &removed {
                counts.subtract(prefix, path);
            }
            if !removed.is_empty() {
                entry.mark(prefix, dirty);
            }
        });
    }

    /// Judges the paths that the function names again. Only what changes by it is marked.
    fn judge_all(&mut self, which: impl Fn(Prefix, &Path) -> bool) {
        let Self { local, peers, table, interner, next_hops, dirty, .. } = self;
        table.for_each_mut(|prefix, entry| {
            let mut touched = false;
            for path in entry.paths.as_mut_slice() {
                if !which(prefix, path) {
                    continue;
                }
                let Some((peer, counts)) = peers.get_mut(&path.peer) else { continue };
                let judged = judge::judge(local, peer, prefix, &path.received, interner, next_hops);
                counts.subtract(prefix, path);
                path.obstacle = judged.obstacle;
                path.cost = judged.cost;
                path.used = match path.staleness {
                    Staleness::Fresh | Staleness::Stale => judged.used,
                    Staleness::LongLived => restart::long_lived(interner, &judged.used),
                };
                counts.add(prefix, path);
                touched = true;
            }
            if touched {
                entry.mark(prefix, dirty);
            }
        });
    }
}

impl Counts {
    /// Received ones of a family.
    pub const fn received_of(&self, family: Family) -> u64 {
        match family {
            Family::Ipv4Unicast => self.received - self.received_ipv6,
            Family::Ipv6Unicast => self.received_ipv6,
        }
    }

    /// Accepted ones of a family.
    pub const fn accepted_of(&self, family: Family) -> u64 {
        match family {
            Family::Ipv4Unicast => self.accepted - self.accepted_ipv6,
            Family::Ipv6Unicast => self.accepted_ipv6,
        }
    }

    fn add(&mut self, prefix: Prefix, path: &Path) {
        self.received += 1;
        self.received_ipv6 += u64::from(prefix.family() == Family::Ipv6Unicast);
        self.accepted += u64::from(path.obstacle.is_none());
        self.accepted_ipv6 += u64::from(path.obstacle.is_none() && prefix.family() == Family::Ipv6Unicast);
        self.stale += u64::from(path.staleness != Staleness::Fresh);
    }

    fn subtract(&mut self, prefix: Prefix, path: &Path) {
        self.received -= 1;
        self.received_ipv6 -= u64::from(prefix.family() == Family::Ipv6Unicast);
        self.accepted -= u64::from(path.obstacle.is_none());
        self.accepted_ipv6 -= u64::from(path.obstacle.is_none() && prefix.family() == Family::Ipv6Unicast);
        self.stale -= u64::from(path.staleness != Staleness::Fresh);
    }
}

/// The paths in use, the best one first.
fn chosen<'a>(peers: &Peers, paths: &'a [Path], multipath: Multipath) -> Vec<&'a Path> {
    let usable: Vec<_> = paths.iter().filter(|path| path.obstacle.is_none()).collect();
    if usable.len() < 2 {
        return usable;
    }
    let candidates: Vec<_> = usable.iter().filter_map(|path| candidate(peers, path)).collect();
    decision::select(&candidates, multipath).into_iter().map(|index| usable[index]).collect()
}

fn candidate<'a>(peers: &Peers, path: &'a Path) -> Option<Candidate<'a>> {
    let (peer, _) = peers.get(&path.peer)?;
    let source = Source {
        kind: peer.kind,
        router_id: peer.router_id,
        address: peer.address,
        tie_breaker: path.peer.0,
        path_id: path.id,
    };
    let stale = path.staleness == Staleness::LongLived;
    Some(Candidate { attributes: &path.used, source, cost: path.cost, stale })
}
