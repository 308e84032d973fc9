//! Our routes as neighbors are told them: one set for all neighbors that are told alike, made when it is needed.

use std::sync::Arc;

use bgp_proto::originate::OriginatedSet;
use bgp_proto::policy::Policy;
use bgp_proto::prepends::Prepends;

use crate::config::NeighborConfig;

pub(super) struct Exports<'a> {
    all: &'a Arc<OriginatedSet>,
    made: Vec<(Told, Arc<OriginatedSet>)>,
}

/// What decides how a neighbor is told.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Told {
    prepends: Prepends,
    policy: Option<Policy>,
    limit: Option<u32>,
}

impl Told {
    pub(super) fn of(neighbor: &NeighborConfig) -> Self {
        let NeighborConfig { prepends, export, limits, .. } = neighbor;
        Self { prepends: prepends.clone(), policy: export.clone(), limit: limits.outbound }
    }
}

impl<'a> Exports<'a> {
    pub(super) const fn new(all: &'a Arc<OriginatedSet>) -> Self {
        Self { all, made: Vec::new() }
    }

    /// What this neighbor is told: prepend counts by its table, all of it by its export policy, and of that as much as it
    /// takes.
    pub(super) fn by(&mut self, neighbor: &NeighborConfig) -> Arc<OriginatedSet> {
        let told = Told::of(neighbor);
        if let Some((_, made)) = self.made.iter().find(|(other, _)| *other == told) {
            return Arc::clone(made);
        }
        let mut made = Arc::clone(self.all);
        if !told.prepends.is_empty() {
            made = Arc::new(made.prepended(&told.prepends));
        }
        if let Some(policy) = &told.policy {
            made = Arc::new(made.exported(policy));
        }
        if let Some(most) =
            told.limit.and_then(|most| usize::try_from(most).ok()).filter(|most| made.len() > *most)
        {
            made = Arc::new(made.limited(most));
        }
        self.made.push((told, Arc::clone(&made)));
        made
    }
}
