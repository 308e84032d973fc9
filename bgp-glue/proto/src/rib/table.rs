//! Prefixes and their paths: one hash table per family, so that an IPv4 key takes 8 octets and not those of IPv6.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::paths::{Path, Paths};
use super::{Counts, Peer, PeerId, candidates};
use crate::attributes::Attributes;
use crate::decision;
use crate::hash::Seeded;
use crate::prefix::{Prefix, PrefixV4, PrefixV6};

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) paths: Paths,
    /// The best path that was told last.
    pub(super) told: Option<(PeerId, Arc<Attributes>)>,
    /// Whether the prefix waits in the list of changes.
    pub(super) dirty: bool,
}

impl Entry {
    /// The best path, after [`Entry::decide`].
    pub(super) fn best(&self) -> Option<&Path> {
        self.paths.as_slice().first().filter(|path| path.obstacle.is_none())
    }

    /// Brings the best path to the front.
    pub(super) fn decide(&mut self, peers: &BTreeMap<PeerId, (Peer, Counts)>) {
        let paths = self.paths.as_mut_slice();
        if paths.len() < 2 {
            return;
        }
        let usable: Vec<_> = (0..paths.len()).filter(|index| paths[*index].obstacle.is_none()).collect();
        let candidates = candidates(peers, usable.iter().map(|index| &paths[*index]));
        if let Some(best) = decision::best(&candidates) {
            let best = usable[best];
            paths.swap(0, best);
        }
    }

    /// Puts the prefix into the list of changes, once.
    pub(super) fn mark(&mut self, prefix: Prefix, dirty: &mut Vec<Prefix>) {
        if !std::mem::replace(&mut self.dirty, true) {
            dirty.push(prefix);
        }
    }
}

#[derive(Debug)]
pub(super) struct Table {
    v4: HashMap<PrefixV4, Entry, Seeded>,
    v6: HashMap<PrefixV6, Entry, Seeded>,
}

impl Table {
    pub(super) fn new(seed: u64) -> Self {
        Self { v4: HashMap::with_hasher(Seeded(seed)), v6: HashMap::with_hasher(Seeded(seed)) }
    }

    pub(super) fn entry(&mut self, prefix: Prefix) -> &mut Entry {
        match prefix {
            Prefix::V4(v4) => self.v4.entry(v4).or_default(),
            Prefix::V6(v6) => self.v6.entry(v6).or_default(),
        }
    }

    pub(super) fn get_mut(&mut self, prefix: Prefix) -> Option<&mut Entry> {
        match prefix {
            Prefix::V4(v4) => self.v4.get_mut(&v4),
            Prefix::V6(v6) => self.v6.get_mut(&v6),
        }
    }

    pub(super) fn remove(&mut self, prefix: Prefix) {
        match prefix {
            Prefix::V4(v4) => drop(self.v4.remove(&v4)),
            Prefix::V6(v6) => drop(self.v6.remove(&v6)),
        }
    }

    pub(super) fn for_each(&self, mut visit: impl FnMut(Prefix, &Entry)) {
        self.v4.iter().for_each(|(prefix, entry)| visit(Prefix::V4(*prefix), entry));
        self.v6.iter().for_each(|(prefix, entry)| visit(Prefix::V6(*prefix), entry));
    }

    pub(super) fn for_each_mut(&mut self, mut visit: impl FnMut(Prefix, &mut Entry)) {
        self.v4.iter_mut().for_each(|(prefix, entry)| visit(Prefix::V4(*prefix), entry));
        self.v6.iter_mut().for_each(|(prefix, entry)| visit(Prefix::V6(*prefix), entry));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }
}
