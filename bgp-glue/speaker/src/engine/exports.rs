//! Our routes as neighbors are told them: one set for all neighbors of one export policy, made when it is needed.

use std::sync::Arc;

use bgp_proto::originate::OriginatedSet;
use bgp_proto::policy::Policy;

pub(super) struct Exports<'a> {
    all: &'a Arc<OriginatedSet>,
    made: Vec<(Policy, Arc<OriginatedSet>)>,
}

impl<'a> Exports<'a> {
    pub(super) const fn new(all: &'a Arc<OriginatedSet>) -> Self {
        Self { all, made: Vec::new() }
    }

    pub(super) fn by(&mut self, policy: Option<&Policy>) -> Arc<OriginatedSet> {
        let Some(policy) = policy else { return Arc::clone(self.all) };
        if let Some((_, made)) = self.made.iter().find(|(other, _)| other == policy) {
            return Arc::clone(made);
        }
        let made = Arc::new(self.all.exported(policy));
        self.made.push((policy.clone(), Arc::clone(&made)));
        made
    }
}
