//! When the routes of neighbors that are away, or came back without them, end: the timers beside the table.
//!
//! | stage | begins | ends |
//! |---|---|---|
//! | restarting | the session is lost and graceful restart holds | after the neighbor's restart time |
//! | long-lived | the restart time is over and RFC 9494 was agreed on | after the neighbor's long-lived stale time |
//! | returned | the session is back | End-of-RIB, or [`RETURNED_LIMIT`]: a neighbor that never says it keeps nothing |
//! | refreshing | a beginning mark (RFC 7313) | the ending mark, or [`RETURNED_LIMIT`] |
//!
//! Stale routes always end: every stage has a time, and the last one sweeps. Sources: RFC 4724 section 4.2, RFC 9494.

use std::time::Duration;

use bgp_proto::rib::{PeerId, Rib};
use bgp_proto::session::PeerRestart;
use bgp_proto::types::{Families, Family};
use bgp_proto::wire::capability::LongLived;
use tokio::time::Instant;

/// RFC 4724 section 4.2: a neighbor that is back and does not say End-of-RIB is not waited for for ever.
const RETURNED_LIMIT: Duration = Duration::from_mins(6);

/// What is due at some time.
#[derive(Debug)]
struct Due {
    at: Instant,
    peer: PeerId,
    family: Family,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The stale routes become the last choice, for so long.
    LongLived(Duration),
    Sweep,
}

/// The timers of all neighbors; few, so a list.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    due: Vec<Due>,
}

impl Restarts {
    /// The session is lost. Keeps what is to be kept and ends the rest.
    pub(crate) fn lost(
        &mut self,
        rib: &mut Rib,
        peer: PeerId,
        retained: PeerRestart,
        long_lived: Option<LongLived>,
        now: Instant,
    ) {
        self.forget(peer);
        let end = now + Duration::from_millis(retained.time.get());
        for family in Families::ALL.iter() {
            let only = Families::NONE.with(family);
            if !retained.families.contains(family) {
                rib.remove_families(peer, only);
                continue;
            }
            rib.mark_stale(peer, only);
            let step = match long_lived.and_then(|long_lived| long_lived.secs(family)) {
                Some(seconds @ 1..) => Step::LongLived(Duration::from_secs(u64::from(seconds))),
                Some(0) | None => Step::Sweep,
            };
            self.due.push(Due { at: end, peer, family, step });
        }
    }

    /// The session is back, with these families. Only what the neighbor still forwards may stay.
    pub(crate) fn returned(
        &mut self,
        rib: &mut Rib,
        peer: PeerId,
        families: Families,
        restart: Option<PeerRestart>,
        now: Instant,
    ) {
        self.forget(peer);
        let kept = restart.map_or(Families::NONE, |restart| restart.forwarding).intersection(families);
        for family in Families::ALL.iter() {
            if kept.contains(family) {
                self.until_end_of_rib(peer, family, now);
            } else {
                rib.sweep(peer, Families::NONE.with(family));
            }
        }
    }

    /// The neighbor begins to tell all of the family again.
    pub(crate) fn refreshing(&mut self, rib: &mut Rib, peer: PeerId, family: Family, now: Instant) {
        rib.mark_stale(peer, Families::NONE.with(family));
        self.due.retain(|due| (due.peer, due.family) != (peer, family));
        self.until_end_of_rib(peer, family, now);
    }

    /// The neighbor has told all of the family.
    pub(crate) fn told(&mut self, rib: &mut Rib, peer: PeerId, family: Family) {
        self.due.retain(|due| (due.peer, due.family) != (peer, family));
        rib.sweep(peer, Families::NONE.with(family));
    }

    /// The neighbor's routes are gone, by whatever way.
    pub(crate) fn forget(&mut self, peer: PeerId) {
        self.due.retain(|due| due.peer != peer);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.due.iter().map(|due| due.at).min()
    }

    /// Does what is due, and returns whose routes changed.
    pub(crate) fn run(&mut self, rib: &mut Rib, now: Instant) -> Vec<PeerId> {
        let due: Vec<_> = self.due.extract_if(.., |due| due.at <= now).collect();
        for Due { at, peer, family, step } in &due {
            let only = Families::NONE.with(*family);
            match step {
                Step::LongLived(time) => {
                    rib.mark_long_lived(*peer, only);
                    let (at, peer, family) = (*at + *time, *peer, *family);
                    self.due.push(Due { at, peer, family, step: Step::Sweep });
                }
                Step::Sweep => rib.sweep(*peer, only),
            }
        }
        due.into_iter().map(|due| due.peer).collect()
    }

    fn until_end_of_rib(&mut self, peer: PeerId, family: Family, now: Instant) {
        self.due.push(Due { at: now + RETURNED_LIMIT, peer, family, step: Step::Sweep });
    }
}
