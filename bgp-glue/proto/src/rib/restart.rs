//! Neighbors that restart and keep forwarding meanwhile: their routes stay, marked stale, until they are told again.
//!
//! | what happens | call | stale routes |
//! |---|---|---|
//! | the session is lost, graceful restart holds | [`Rib::mark_stale`] | begin; those of an earlier restart end |
//! | its restart time is over, long-lived restart holds | [`Rib::mark_long_lived`] | least preferred, those marked `no-llgr` end |
//! | the session is back, its forwarding state is not | [`Rib::sweep`] | end |
//! | End-of-RIB, or `EoRR` | [`Rib::sweep`] | end |
//! | a timer of the owner's is over | [`Rib::sweep`] | end |
//! | `BoRR` (enhanced refresh) | [`Rib::mark_stale`] | begin |
//!
//! Sources: RFC 4724 section 4.2, RFC 7313 section 4, RFC 8538, RFC 9494 section 4.

use std::sync::Arc;

use super::intern::Interner;
use super::paths::Staleness;
use super::{PeerId, Rib};
use crate::attributes::Attributes;
use crate::communities::Community;
use crate::types::Families;

impl Rib {
    /// Keeps the neighbor's routes of these families, marked stale. Those that are stale already go: RFC 4724 section
    /// 4.2 does not have routes outlive two restarts in a row.
    pub fn mark_stale(&mut self, id: PeerId, families: Families) {
        self.sweep(id, families);
        self.restage(id, families, Staleness::Stale);
    }

    /// The neighbor's stale routes of these families become the last choice. Those marked `no-llgr` go (RFC 9494 section
    /// 4.2).
    pub fn mark_long_lived(&mut self, id: PeerId, families: Families) {
        self.remove_where(id, |prefix, path| {
            path.staleness != Staleness::Fresh
                && families.contains(prefix.family())
                && path.received.communities.contains(&Community::NO_LLGR)
        });
        self.restage(id, families, Staleness::LongLived);
    }

    /// Ends the neighbor's routes of these families that are still stale.
    pub fn sweep(&mut self, id: PeerId, families: Families) {
        if self.counts(id).stale > 0 {
            self.remove_where(id, |prefix, path| {
                path.staleness != Staleness::Fresh && families.contains(prefix.family())
            });
        }
    }

    /// Ends the neighbor's routes of these families, stale or not.
    pub fn remove_families(&mut self, id: PeerId, families: Families) {
        self.remove_where(id, |prefix, _| families.contains(prefix.family()));
    }

    fn restage(&mut self, id: PeerId, families: Families, to: Staleness) {
        let Self { peers, table, interner, dirty, .. } = self;
        let Some((_, counts)) = peers.get_mut(&id) else { return };
        table.for_each_mut(|prefix, entry| {
            if !families.contains(prefix.family()) {
                return;
            }
            let mut touched = false;
            for path in entry.paths.as_mut_slice().iter_mut().filter(|path| path.peer == id) {
                if to == Staleness::LongLived && path.staleness == Staleness::Fresh {
                    continue;
                }
                counts.subtract(prefix, path);
                path.staleness = to;
                counts.add(prefix, path);
                if to == Staleness::LongLived {
                    path.used = long_lived(interner, &path.used);
                    touched = true;
                }
            }
            // A stale path is used as before; only a long-lived one changes the decision.
            if touched {
                entry.mark(prefix, dirty);
            }
        });
    }
}

/// RFC 9494 section 4.2: the community tells everybody behind us.
pub(super) fn long_lived(interner: &mut Interner, used: &Arc<Attributes>) -> Arc<Attributes> {
    if used.communities.contains(&Community::LLGR_STALE) {
        return Arc::clone(used);
    }
    let mut marked = Attributes::clone(used);
    marked.communities = used.communities.iter().copied().chain([Community::LLGR_STALE]).collect();
    interner.intern(marked)
}
