//! One value for equal attributes, however many routes carry them.

use std::collections::HashSet;
use std::sync::Arc;

use crate::attributes::Attributes;
use crate::hash::Seeded;

/// Sets below this size are never swept.
const SMALL: usize = 1024;

#[derive(Debug)]
pub(super) struct Interner {
    known: HashSet<Arc<Attributes>, Seeded>,
    /// The size at which unused attributes are looked for: twice what was in use the last time, so that the search
    /// costs a constant for each set that was added.
    sweep_at: usize,
}

impl Interner {
    pub(super) fn new(seed: u64) -> Self {
        Self { known: HashSet::with_hasher(Seeded(seed)), sweep_at: SMALL }
    }

    pub(super) fn intern(&mut self, attributes: Attributes) -> Arc<Attributes> {
        if let Some(known) = self.known.get(&attributes) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at {
            self.sweep();
        }
        let new = Arc::new(attributes);
        self.known.insert(Arc::clone(&new));
        new
    }

    /// Forgets attributes that no route carries.
    pub(super) fn sweep(&mut self) {
        self.known.retain(|attributes| Arc::strong_count(attributes) > 1);
        self.sweep_at = (self.known.len() * 2).max(SMALL);
        self.known.shrink_to(self.sweep_at);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}
