//! Prefixes and their paths: one hash table per family, so that an IPv4 key takes 8 octets and not those of IPv6.

use std::collections::HashMap;
use std::sync::Arc;

use super::PeerId;
use super::paths::{Path, Paths};
use crate::attributes::{Attributes, NextHop};
use crate::hash::Seeded;
use crate::prefix::{Prefix, PrefixV4, PrefixV6};

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) paths: Paths,
    /// The paths in use that were told last.
    pub(super) told: Told,
    /// Whether the prefix waits in the list of changes.
    pub(super) dirty: bool,
}

impl Entry {
    /// Puts the prefix into the list of changes, once.
    pub(super) fn mark(&mut self, prefix: Prefix, dirty: &mut Vec<Prefix>) {
        if !std::mem::replace(&mut self.dirty, true) {
            dirty.push(prefix);
        }
    }
}

/// Neighbors and attributes of paths; one without an allocation, since most prefixes have no more.
#[derive(Debug, Default)]
pub(super) enum Told {
    #[default]
    Nothing,
    One(PeerId, Arc<Attributes>),
    Many(Box<ToldMany>),
    /// Something that is not so any more, though neighbors and next hops may be the same.
    Outdated,
}

#[derive(Debug)]
pub(super) struct ToldMany(Vec<(PeerId, Arc<Attributes>)>);

impl Told {
    pub(super) fn new(paths: &[&Path]) -> Self {
        match paths {
            [] => Self::Nothing,
            [one] => Self::One(one.peer, Arc::clone(&one.used)),
            many => {
                let told = many.iter().map(|path| (path.peer, Arc::clone(&path.used)));
                Self::Many(Box::new(ToldMany(told.collect())))
            }
        }
    }

    /// Whether these are the neighbors and next hops.
    pub(super) fn is(&self, paths: &[(PeerId, NextHop)]) -> bool {
        match (self, paths) {
            (Self::Nothing, []) => true,
            (Self::One(peer, attributes), [one]) => (*peer, attributes.next_hop) == *one,
            (Self::Many(told), paths) => {
                told.0.iter().map(|(peer, attributes)| (*peer, attributes.next_hop)).eq(paths.iter().copied())
            }
            (Self::Nothing | Self::One(..) | Self::Outdated, _) => false,
        }
    }

    /// Whether one of the next hops is such a one.
    pub(super) fn leads_by(&self, which: impl Fn(NextHop) -> bool) -> bool {
        match self {
            Self::Nothing | Self::Outdated => false,
            Self::One(_, attributes) => which(attributes.next_hop),
            Self::Many(told) => told.0.iter().any(|(_, attributes)| which(attributes.next_hop)),
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

    pub(super) fn get(&self, prefix: Prefix) -> Option<&Entry> {
        match prefix {
            Prefix::V4(v4) => self.v4.get(&v4),
            Prefix::V6(v6) => self.v6.get(&v6),
        }
    }

    /// Whether the neighbor has this path already.
    pub(super) fn holds(&self, prefix: Prefix, peer: PeerId, path_id: u32) -> bool {
        self.get(prefix).is_some_and(|entry| entry.paths.holds(peer, path_id))
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
