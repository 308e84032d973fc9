//! The wait of a restarted speaker for its neighbors before it decides on routes (RFC 4724 section 4.1).
//!
//! The kernel still forwards as it did before the restart. Deciding on what the first neighbor says would move traffic
//! to it that the next neighbor takes back, so nothing is decided until every neighbor that restarts gracefully has
//! said End-of-RIB, or the time is over. Neighbors that do not, and those that have restarted as well, are not waited
//! for. Pure: told the time, holds no timer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_proto::session::Negotiated;
use bgp_proto::types::{Families, Family};
use tokio::time::Instant;

use crate::config::NeighborKey;

/// The wait. It ends once, and is then dropped.
#[derive(Debug)]
pub(crate) struct Deferral {
    /// Neighbors that have not said everything.
    silent: BTreeMap<NeighborKey, Silent>,
    /// Next hops of which it is not known yet whether they can be reached: their routes cannot be decided on either.
    asked: BTreeSet<IpAddr>,
    until: Instant,
}

/// What a neighbor has not said yet.
#[derive(Clone, Copy, Debug)]
struct Silent {
    families: Families,
    /// The decision waits for it.
    awaited: bool,
}

impl Deferral {
    /// Waits for these neighbors, until then at the latest.
    pub(crate) fn new(neighbors: impl Iterator<Item = (NeighborKey, Families)>, until: Instant) -> Self {
        let silent = neighbors.map(|(key, families)| (key, Silent { families, awaited: true })).collect();
        Self { silent, asked: BTreeSet::new(), until }
    }

    /// The neighbor is here.
    pub(crate) fn up(&mut self, neighbor: &NeighborKey, negotiated: &Negotiated) {
        let awaited = negotiated.restart.is_some_and(|restart| !restart.restarted);
        self.silent.insert(neighbor.clone(), Silent { families: negotiated.families, awaited });
    }

    /// The neighbor has told all of the family.
    pub(crate) fn told(&mut self, neighbor: &NeighborKey, family: Family) {
        if let Some(silent) = self.silent.get_mut(neighbor) {
            silent.families = silent.families.iter().filter(|other| *other != family).collect();
            if silent.families.is_empty() {
                self.silent.remove(neighbor);
            }
        }
    }

    /// The neighbor is not one any more.
    pub(crate) fn gone(&mut self, neighbor: &NeighborKey) {
        self.silent.remove(neighbor);
    }

    /// Routes lead to these next hops, and the owner was asked about them.
    pub(crate) fn asked(&mut self, next_hops: &[IpAddr]) {
        self.asked.extend(next_hops);
    }

    /// The owner has answered.
    pub(crate) fn answered(&mut self, next_hops: impl Iterator<Item = IpAddr>) {
        for next_hop in next_hops {
            self.asked.remove(&next_hop);
        }
    }

    /// The latest end.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// Whether routes may be decided on.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let all = !self.silent.values().any(|silent| silent.awaited) && self.asked.is_empty();
        all || now >= self.until
    }

    /// Whether every neighbor has told everything: what is not known by now is gone.
    pub(crate) fn is_complete(&self) -> bool {
        self.silent.is_empty() && self.asked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bgp_proto::session::PeerRestart;
    use bgp_proto::types::{Asn, HoldTime, Millis, PeerKind};
    use bgp_proto::wire::update::AsWidth;

    use super::*;

    fn key(last: u8) -> NeighborKey {
        IpAddr::from([192, 0, 2, last]).into()
    }

    /// A session of both families; `restarted` of a neighbor that restarts gracefully.
    fn negotiated(restarted: Option<bool>) -> Negotiated {
        Negotiated {
            remote_as: Asn(65001),
            router_id: std::net::Ipv4Addr::new(192, 0, 2, 9).try_into().unwrap(),
            hold_time: HoldTime::DEFAULT,
            families: Families::ALL,
            as_width: AsWidth::Four,
            kind: PeerKind::External,
            route_refresh: true,
            enhanced_refresh: true,
            send_limit: 4096,
            receive_limit: 4096,
            extended_next_hop: Families::NONE,
            add_path_receive: Families::NONE,
            add_path_send: Families::NONE,
            role: None,
            remote_role: None,
            restart: restarted.map(|restarted| PeerRestart {
                restarted,
                notification: false,
                time: Millis::from_secs(30),
                families: Families::NONE,
                forwarding: Families::NONE,
            }),
            long_lived: None,
        }
    }

    fn deferral(neighbors: &[u8]) -> (Deferral, Instant) {
        let now = Instant::now();
        let neighbors = neighbors.iter().map(|last| (key(*last), Families::ALL));
        (Deferral::new(neighbors, now + Duration::from_secs(30)), now)
    }

    #[test]
    fn waits_for_the_end_of_rib_of_every_family_of_every_neighbor() {
        let (mut wait, now) = deferral(&[1, 2]);
        assert!(!wait.is_over(now), "before anybody is here");
        for neighbor in [key(1), key(2)] {
            assert!(!wait.is_over(now));
            wait.up(&neighbor, &negotiated(Some(false)));
            wait.told(&neighbor, Family::Ipv4Unicast);
            assert!(!wait.is_over(now));
            wait.told(&neighbor, Family::Ipv6Unicast);
        }
        assert!(wait.is_over(now) && wait.is_complete());
    }

    #[test]
    fn waits_neither_for_one_that_cannot_say_it_nor_for_one_that_waits_for_us() {
        for restart in [None, Some(true)] {
            let (mut wait, now) = deferral(&[1]);
            wait.up(&key(1), &negotiated(restart));
            assert!(wait.is_over(now) && !wait.is_complete());
        }
    }

    #[test]
    fn session_that_is_lost_again_is_told_anew() {
        let (mut wait, now) = deferral(&[1]);
        wait.up(&key(1), &negotiated(Some(false)));
        wait.told(&key(1), Family::Ipv4Unicast);
        wait.up(&key(1), &negotiated(Some(false)));
        wait.told(&key(1), Family::Ipv6Unicast);
        assert!(!wait.is_over(now));
        wait.gone(&key(1));
        assert!(wait.is_over(now) && wait.is_complete());
    }

    #[test]
    fn next_hop_that_nobody_has_looked_at_is_waited_for() {
        let (mut wait, now) = deferral(&[]);
        let next_hop = IpAddr::from([10, 0, 0, 1]);
        wait.asked(&[next_hop]);
        assert!(!wait.is_over(now));
        wait.answered([next_hop].into_iter());
        assert!(wait.is_over(now) && wait.is_complete());
    }

    #[test]
    fn the_wait_has_an_end() {
        let (wait, now) = deferral(&[1]);
        assert!(wait.is_over(wait.until()) && !wait.is_over(now) && !wait.is_complete());
    }
}
