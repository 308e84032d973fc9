//! What makes an input worth keeping: it led to something that none before it did.
//!
//! Without coverage that is what a target says of its outcome: the error, the fault, the step of the state machine. With
//! the feature `coverage` (see [`crate::coverage`]) it is also every piece of code that was run.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Default)]
pub struct Features {
    seen: HashSet<u64>,
    /// Something was met for the first time.
    new: bool,
}

impl Features {
    /// The input led to this.
    pub fn meet(&mut self, feature: impl Hash) {
        // Not seeded: the same input has the same features in every run.
        let mut hasher = DefaultHasher::new();
        feature.hash(&mut hasher);
        self.new |= self.seen.insert(hasher.finish());
    }

    /// Whether something new was met since the last call.
    pub fn take_new(&mut self) -> bool {
        std::mem::take(&mut self.new)
    }

    /// How much was met.
    pub fn len(&self) -> usize {
        self.seen.len()
    }
}
