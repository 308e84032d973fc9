//! Want, have, difference: what must change so that the kernel holds what we want, and nothing of anybody else's
//! is touched. Pure: no socket, no clock.
//!
//! What always holds of a plan:
//! - An object that is not ours is never deleted, replaced, merged into, or added to. Where it holds the key of a
//!   wanted object, the wanted one is refused and the holder named.
//! - Carrying it out and planning again gives no operation: plans are idempotent.
//! - A route of ours that changes is replaced in one step, never deleted first, and always whole (all next hops).
//! - What is wanted comes before what is to go, except where the old object is in the way of the new one.
//!
//! The key of a route is table + prefix + metric: both families of the kernel hold at most one route per key when
//! nobody appends (IPv4 `fib_table_insert`, IPv6 `fib6_add_rt2node` with `NLM_F_EXCL`). The key of an address is
//! link + IP address, whatever its prefix length.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::names::{LinkIndex, TableId};
use crate::prefix::{Prefix, max_len};
use crate::types::{NextHop, NextHops, RouteTarget};

/// What tells one address from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey {
    /// The link it is on.
    pub link: LinkIndex,
    /// The address.
    pub ip: IpAddr,
}

/// What tells one route from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// Its table.
    pub table: TableId,
    /// Its destination.
    pub prefix: Prefix,
    /// Its metric; never 0.
    pub metric: u32,
}

/// Who holds a key, in the kernel's words: `proto static`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder(pub String);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a route found in the kernel goes; `None` for kinds that we never make (prohibit, encapsulation, ...).
pub type HeldTarget = Option<RouteTarget>;

/// What the kernel holds under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held<T> {
    /// The object under our mark.
    pub ours: Option<T>,
    /// Further objects under our mark (somebody appended a copy of ours).
    pub copies: u32,
    /// The first object that is not ours.
    pub foreign: Option<Holder>,
}

impl<T> Held<T> {
    /// Exactly one object, ours.
    pub fn ours(object: T) -> Self {
        Self { ours: Some(object), copies: 0, foreign: None }
    }

    /// Exactly one object, somebody else's.
    pub fn foreign(holder: Holder) -> Self {
        Self { ours: None, copies: 0, foreign: Some(holder) }
    }

    /// Enters one more object found under the same key.
    pub fn merge(&mut self, other: Self) {
        if self.ours.is_some() {
            self.copies += other.copies + u32::from(other.ours.is_some());
        } else {
            self.ours = other.ours;
            self.copies = other.copies;
        }
        if self.foreign.is_none() {
            self.foreign = other.foreign;
        }
    }
}

/// The wanted objects, with their links found and their metrics set. Addresses are host addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The addresses.
    pub addresses: BTreeSet<AddressKey>,
    /// The routes.
    pub routes: BTreeMap<RouteKey, RouteTarget>,
}

/// What the kernel holds, as far as it matters: everything of ours, and whatever has the key of a wanted object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Have {
    /// The addresses, each with its prefix length.
    pub addresses: BTreeMap<AddressKey, Held<u8>>,
    /// The routes.
    pub routes: BTreeMap<RouteKey, Held<HeldTarget>>,
}

impl Have {
    /// Enters an address found in the kernel.
    pub fn put_address(&mut self, key: AddressKey, held: Held<u8>) {
        match self.addresses.get_mut(&key) {
            Some(there) => there.merge(held),
            None => drop(self.addresses.insert(key, held)),
        }
    }

    /// Enters a route found in the kernel.
    pub fn put_route(&mut self, key: RouteKey, held: Held<HeldTarget>) {
        match self.routes.get_mut(&key) {
            Some(there) => there.merge(held),
            None => drop(self.routes.insert(key, held)),
        }
    }
}

/// One change of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Add a host address; fails if the key is held.
    AddAddress(AddressKey),
    /// Delete one address of ours.
    DeleteAddress(AddressKey, u8),
    /// Add a route; fails if the key is held.
    AddRoute(RouteKey, RouteTarget),
    /// Give a route of ours another target in one step; fails if it is not there.
    ReplaceRoute(RouteKey, RouteTarget),
    /// Delete one route of ours.
    DeleteRoute(RouteKey),
}

/// The key of an address or of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An address.
    Address(AddressKey),
    /// A route.
    Route(RouteKey),
}

impl Op {
    /// What it is done to.
    pub fn key(&self) -> Key {
        match self {
            Self::AddAddress(key) | Self::DeleteAddress(key, _) => Key::Address(*key),
            Self::AddRoute(key, _) | Self::ReplaceRoute(key, _) | Self::DeleteRoute(key) => Key::Route(*key),
        }
    }
}

/// The difference between want and have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do, in order.
    pub ops: Vec<Op>,
    /// How many wanted objects are there already.
    pub kept: usize,
    /// Wanted objects whose key somebody else holds.
    pub refused: Vec<(Key, Holder)>,
}

/// What must change so that the kernel (`have`) holds exactly `want` under our mark.
pub fn plan(want: &Want, have: &Have) -> Plan {
    let mut draft = Draft::default();
    for key in &want.addresses {
        draft.want_address(*key, have.addresses.get(key));
    }
    for (key, target) in &want.routes {
        draft.want_route(*key, target, have.routes.get(key));
    }
    for (key, held) in have.routes.iter().filter(|(key, _)| !want.routes.contains_key(key)) {
        draft.last.extend(delete_routes(*key, held));
    }
    // Addresses go after the routes: a route may name one as its source.
    for (key, held) in have.addresses.iter().filter(|(key, _)| !want.addresses.contains(key)) {
        draft.last.extend(delete_addresses(*key, held));
    }
    draft.finish()
}

/// What one wanted route (`None`: not wanted) needs, given what is held under its key.
pub fn plan_route(key: RouteKey, want: Option<&RouteTarget>, held: Option<&Held<HeldTarget>>) -> Plan {
    let mut draft = Draft::default();
    match (want, held) {
        (Some(target), held) => draft.want_route(key, target, held),
        (None, Some(held)) => draft.last.extend(delete_routes(key, held)),
        (None, None) => {}
    }
    draft.finish()
}

/// The part of a wanted target that can be installed now: among several next hops, those on links that are up.
/// The kernel refuses a multipath route as a whole when the link of one hop is down, which would take the living
/// hops down with the dead one. A target without any living hop is returned as it is, for the kernel to judge.
pub fn usable(target: &RouteTarget, is_up: impl Fn(LinkIndex) -> bool) -> RouteTarget {
    match target {
        RouteTarget::Blackhole | RouteTarget::Unreachable => target.clone(),
        RouteTarget::Via(hops) => {
            let dead = |hop: &NextHop| hop.link().is_some_and(|link| !is_up(link));
            if hops.as_slice().len() < 2 || !hops.as_slice().iter().any(dead) {
                return target.clone();
            }
            let living = hops.as_slice().iter().filter(|hop| !dead(hop)).copied();
            NextHops::new(living).map_or_else(|| target.clone(), RouteTarget::Via)
        }
    }
}

/// Whether what the kernel holds is what is wanted. The kernel names the link of every next hop; a wanted hop that
/// left it open accepts any. The weight of a single hop means nothing.
pub fn satisfies(held: &HeldTarget, want: &RouteTarget) -> bool {
    match (held, want) {
        (Some(RouteTarget::Blackhole), RouteTarget::Blackhole)
        | (Some(RouteTarget::Unreachable), RouteTarget::Unreachable) => true,
        (Some(RouteTarget::Via(held)), RouteTarget::Via(want)) => same_hops(held.as_slice(), want.as_slice()),
        (None | Some(RouteTarget::Blackhole | RouteTarget::Unreachable | RouteTarget::Via(_)), _) => false,
    }
}

fn same_hops(held: &[NextHop], want: &[NextHop]) -> bool {
    if held == want {
        return true;
    }
    if held.len() != want.len() {
        return false;
    }
    let single = want.len() == 1;
    let fits = |held: &NextHop, want: &NextHop| {
        held.gateway() == want.gateway()
            && held.is_onlink() == want.is_onlink()
            && (single || held.weight() == want.weight())
            && (want.link().is_none() || held.link() == want.link())
    };
    let mut left: Vec<&NextHop> = held.iter().collect();
    // Hops that name their link choose first; those that do not take what is left.
    let (named, open): (Vec<_>, Vec<_>) = want.iter().partition(|hop| hop.link().is_some());
    named.into_iter().chain(open).all(|want| {
        left.iter().position(|held| fits(held, want)).map(|position| left.swap_remove(position)).is_some()
    })
}

fn delete_routes(key: RouteKey, held: &Held<HeldTarget>) -> impl Iterator<Item = Op> + use<> {
    let count = held.copies + u32::from(held.ours.is_some());
    (0..count).map(move |_| Op::DeleteRoute(key))
}

fn delete_addresses(key: AddressKey, held: &Held<u8>) -> impl Iterator<Item = Op> + use<> {
    let len = held.ours.unwrap_or(max_len(key.ip));
    let count = held.copies + u32::from(held.ours.is_some());
    (0..count).map(move |_| Op::DeleteAddress(key, len))
}

/// A plan in the making: deletions that clear the way, what is wanted, and what goes afterwards.
#[derive(Default)]
struct Draft {
    first: Vec<Op>,
    then: Vec<Op>,
    last: Vec<Op>,
    kept: usize,
    refused: Vec<(Key, Holder)>,
}

impl Draft {
    fn want_address(&mut self, key: AddressKey, held: Option<&Held<u8>>) {
        let Some(held) = held else { return self.then.push(Op::AddAddress(key)) };
        let as_wanted = held.ours == Some(max_len(key.ip)) && held.copies == 0;
        if as_wanted {
            self.kept += 1;
            return;
        }
        // An address cannot change its prefix length in place.
        self.first.extend(delete_addresses(key, held));
        match &held.foreign {
            Some(holder) => self.refused.push((Key::Address(key), holder.clone())),
            None => self.then.push(Op::AddAddress(key)),
        }
    }

    fn want_route(&mut self, key: RouteKey, target: &RouteTarget, held: Option<&Held<HeldTarget>>) {
        let add = || Op::AddRoute(key, target.clone());
        let Some(held) = held else { return self.then.push(add()) };
        let as_wanted = held.ours.as_ref().is_some_and(|ours| satisfies(ours, target));
        match (&held.ours, held.copies, &held.foreign) {
            (Some(_), 0, _) if as_wanted => self.kept += 1,
            (Some(_), 0, None) => self.then.push(Op::ReplaceRoute(key, target.clone())),
            // A replace would hit whichever of them comes first, so ours go and the key is judged anew.
            (Some(_) | None, _, foreign) => {
                self.first.extend(delete_routes(key, held));
                match foreign {
                    Some(holder) => self.refused.push((Key::Route(key), holder.clone())),
                    None => self.then.push(add()),
                }
            }
        }
    }

    fn finish(self) -> Plan {
        let mut ops = self.first;
        ops.extend(self.then);
        ops.extend(self.last);
        Plan { ops, kept: self.kept, refused: self.refused }
    }
}

#[cfg(test)]
mod tests;
