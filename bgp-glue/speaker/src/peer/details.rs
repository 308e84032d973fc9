//! Everything about a neighbor that an operator may ask for.

use std::sync::atomic::{AtomicU64, Ordering};

use bgp_proto::session::{Messages, Side};
use bgp_proto::types::Family;

use super::Neighbor;
use crate::connection::Connection;
use crate::rib_task::position;
use crate::summary::{FamilyDetails, NeighborDetails};

impl Neighbor {
    pub(super) fn details(&self) -> NeighborDetails {
        let counters = self.session.counters();
        let established = self.session.established();
        let stream = established.and_then(|(side, _)| self.connection(side)).map(Connection::stream);
        let barred = self.session.is_barred();
        let barred_until = self.session.next_deadline().filter(|_| barred);
        NeighborDetails {
            config: self.config.clone(),
            local_as: self.local_as,
            local: stream.and_then(|stream| stream.local_addr().ok()),
            remote: stream.and_then(|stream| stream.peer_addr().ok()),
            opened_by_us: established.map(|(side, _)| side == Side::Outgoing),
            negotiated: established.map(|(_, negotiated)| *negotiated),
            received: counters.received,
            sent: Messages { update: self.updates_out, ..counters.sent },
            notifications_received: counters.notifications_received.clone(),
            notifications_sent: counters.notifications_sent.clone(),
            lost_count: counters.established - u64::from(established.is_some()),
            last_loss: self.last_loss.clone(),
            treated_as_withdrawn: self.withdrawn,
            families: Family::ALL.map(|family| self.family(family)).to_vec(),
            barred,
            barred_until: barred_until.map(|at| self.clock.instant(at).into_std()),
            our_open: self.session.our_open(self.clock.now()),
            their_open: self.session.their_open().cloned(),
        }
    }

    fn family(&self, family: Family) -> FamilyDetails {
        let counts = &self.counts;
        let of = |counts: &[AtomicU64; 2]| counts[position(family)].load(Ordering::Relaxed);
        FamilyDetails {
            family,
            received: of(&counts.received),
            accepted: of(&counts.accepted),
            announced: self.table.as_ref().map_or(0, |table| table.count(family) as u64),
            held_back: self.originated.held_back_of(family) as u64,
            limit_warnings: of(&counts.limit_warnings),
            limit_exceeded: of(&counts.limit_exceeded),
        }
    }
}
