//! Which next hops can be reached, as whoever watches the kernel says.
//!
//! The table asks about each next hop once, by [`Rib::take_unresolved`], and is told by [`Rib::set_next_hops`], then
//! and whenever a link or route changes. Until it is told, a next hop counts as unreachable: a route that leads nowhere
//! is worse than one that comes a moment later. A table whose owner watches nothing takes every next hop as
//! reachable.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::Rib;
use super::judge::watched;
use super::table::Told;

/// The map is looked through for next hops that nothing uses when it has grown to this, and to twice what was left.
const SMALL: usize = 256;

/// Whether and how far away a next hop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is reached at this cost; 0 on a connected link.
    Cost(u32),
    /// There is no way to it, or none but by the route itself.
    Unreachable,
}

#[derive(Debug, Default)]
pub(super) struct NextHops {
    /// `None`: nobody watches, everything is reachable.
    known: Option<HashMap<IpAddr, Reach>>,
    /// Not asked about yet.
    unresolved: Vec<IpAddr>,
    sweep_at: usize,
}

impl NextHops {
    pub(super) fn reach(&mut self, next_hop: Option<IpAddr>) -> Reach {
        let (Some(known), Some(next_hop)) = (&mut self.known, next_hop) else { return Reach::Cost(0) };
        let unresolved = &mut self.unresolved;
        *known.entry(next_hop).or_insert_with(|| {
            unresolved.push(next_hop);
            Reach::Unreachable
        })
    }
}

impl Rib {
    /// From now on next hops have to be told to be reachable.
    pub fn watch_next_hops(&mut self) {
        if self.next_hops.known.is_none() {
            self.next_hops =
                NextHops { known: Some(HashMap::new()), unresolved: Vec::new(), sweep_at: SMALL };
            self.judge_all(|_, _| true);
        }
    }

    /// Next hops that have come up since the last call.
    pub fn take_unresolved(&mut self) -> Vec<IpAddr> {
        std::mem::take(&mut self.next_hops.unresolved)
    }

    /// Every next hop that is asked about, for one who has to look at all of them again.
    pub fn next_hops(&mut self) -> Vec<IpAddr> {
        self.forget_unused_next_hops();
        self.next_hops.known.iter().flat_map(HashMap::keys).copied().collect()
    }

    /// What became of next hops. Routes by those that changed are judged and decided again, in one pass.
    pub fn set_next_hops(&mut self, told: impl IntoIterator<Item = (IpAddr, Reach)>) {
        let Some(known) = &mut self.next_hops.known else { return };
        let mut changed = HashSet::new();
        for (next_hop, reach) in told {
            if let Some(before) = known.get_mut(&next_hop)
                && *before != reach
            {
                *before = reach;
                changed.insert(next_hop);
            }
        }
        if !changed.is_empty() {
            let of = |path: &super::Path| watched(path.used.next_hop);
            self.judge_all(|_, path| of(path).is_some_and(|next_hop| changed.contains(&next_hop)));
        }
    }

    /// The way to these next hops is another one, at whatever cost: prefixes that were told by them are told again.
    pub fn next_hops_moved(&mut self, moved: &HashSet<IpAddr>) {
        let Self { table, dirty, .. } = self;
        let is_moved = |next_hop| watched(next_hop).is_some_and(|next_hop| moved.contains(&next_hop));
        table.for_each_mut(|prefix, entry| {
            if entry.told.leads_by(is_moved) {
                entry.told = Told::Outdated;
                entry.mark(prefix, dirty);
            }
        });
    }

    fn forget_unused_next_hops(&mut self) {
        let Self { table, next_hops, .. } = self;
        let Some(known) = next_hops.known.as_mut().filter(|known| known.len() > next_hops.sweep_at) else {
            return;
        };
        let mut used = HashMap::new();
        table.for_each(|_, entry| {
            for path in entry.paths.as_slice() {
                if let Some((next_hop, reach)) =
                    watched(path.used.next_hop).and_then(|next_hop| known.get_key_value(&next_hop))
                {
                    used.insert(*next_hop, *reach);
                }
            }
        });
        next_hops.sweep_at = (used.len() * 2).max(SMALL);
        *known = used;
    }
}
