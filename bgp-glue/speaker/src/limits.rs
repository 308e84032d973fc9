//! How many routes a neighbor may announce, and how many it is told.

use bgp_proto::rib::{Crossing, Level, PrefixLimits};
use bgp_proto::session::Event;
use bgp_proto::types::Millis;
use bgp_proto::wire::notification::Notification;

use crate::config::NeighborKey;
use crate::peer::Neighbor;

/// The limits of one neighbor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many routes of each family it may announce.
    pub inbound: PrefixLimits,
    /// How long a session that ended for too many routes stays down; until [`crate::SpeakerHandle::clear`] where no
    /// time is given.
    pub idle: Option<Millis>,
    /// How many routes of each family it is told at most. Of more, the first ones by their prefixes; the rest is held
    /// back, and the session stays.
    pub outbound: Option<u32>,
}

impl Neighbor {
    /// The table has refused a route of the session with this number.
    pub(crate) fn exceeded(&mut self, session: u64, crossing: &Crossing) {
        // The order may come late, when a new session is up already.
        if self.session_number() == session && self.is_established() {
            let notification = Notification::maximum_prefixes(crossing.family, crossing.limit);
            self.handle(Event::Bar(notification, self.idle_after_limit()));
        }
    }
}

/// One line for each mark that is passed.
pub(crate) fn log(neighbor: &NeighborKey, crossing: &Crossing) {
    let Crossing { family, received, limit, ends, level, .. } = crossing;
    match level {
        Level::Below => {}
        Level::Near => {
            tracing::warn!(%neighbor, %family, received, limit, "neighbor comes near its limit of prefixes");
        }
        Level::Exceeded if *ends => tracing::warn!(%neighbor, %family, received, limit,
            "neighbor announces more prefixes than it may: no more are taken, and the session ends"),
        Level::Exceeded => tracing::warn!(%neighbor, %family, received, limit,
            "neighbor announces more prefixes than it should; they are taken all the same"),
    }
}

/// One line when routes begin or cease to be held back from a neighbor.
pub(crate) fn log_held_back(neighbor: &NeighborKey, limit: Option<u32>, before: usize, now: usize) {
    let limit = limit.unwrap_or(u32::MAX);
    match (before, now) {
        (0, 1..) => tracing::warn!(%neighbor, limit, routes = now,
            "there are more routes than the neighbor is to be told: the rest is held back"),
        (1.., 0) => tracing::info!(%neighbor, limit, "no route is held back any more"),
        (0, 0) | (1.., 1..) => {}
    }
}
