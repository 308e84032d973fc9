//! Our routes as neighbors are told them: one set for all neighbors of one export policy and one limit, made when it is
//! needed.

use std::sync::Arc;

use bgp_proto::originate::OriginatedSet;
use bgp_proto::policy::Policy;

use crate::config::NeighborConfig;

pub(super) struct Exports<'a> {
    all: &'a Arc<OriginatedSet>,
    made: Vec<(Option<Policy>, Option<u32>, Arc<OriginatedSet>)>,
}

impl<'a> Exports<'a> {
    pub(super) const fn new(all: &'a Arc<OriginatedSet>) -> Self {
        Self { all, made: Vec::new() }
    }

    pub(super) fn by(&mut self, neighbor: &NeighborConfig) -> Arc<OriginatedSet> {
        let (policy, limit) = (&neighbor.export, neighbor.limits.outbound);
        if policy.is_none() && limit.is_none() {
            return Arc::clone(self.all);
        }
        if let Some((.., made)) = self.made.iter().find(|(other, most, _)| other == policy && *most == limit)
        {
            return Arc::clone(made);
        }
        let exported = policy.as_ref().map(|policy| Arc::new(self.all.exported(policy)));
        let exported = exported.unwrap_or_else(|| Arc::clone(self.all));
        let made = match limit.and_then(|most| usize::try_from(most).ok()) {
            Some(most) if exported.len() > most => Arc::new(exported.limited(most)),
            Some(_) | None => exported,
        };
        self.made.push((policy.clone(), limit, Arc::clone(&made)));
        made
    }
}
