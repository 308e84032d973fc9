//! How many routes a neighbor may announce (max-prefix), and what becomes of one too many.
//!
//! What is counted are the paths in the Adj-RIB-In, before policy, of each family by itself: stale ones too, and with
//! ADD-PATH each path of a prefix. So the limit bounds what a neighbor costs.
//!
//! Where the limit ends the session, the table takes no path beyond it, not even within one UPDATE, and nothing at all
//! of the neighbor from then on until it is up again: a flood that is under way costs no memory while its session is
//! being ended. Otherwise the limit only tells.
//!
//! | paths of the family | told |
//! |---|---|
//! | more than the warning percentage of the limit | [`Level::Near`], once |
//! | more than the limit | [`Level::Exceeded`], once |
//! | a sixteenth below such a mark, at least one | nothing; from then on its crossing is told again |
//!
//! Source: RFC 4486 section 3 (subcode 1); RFC 4271 section 8.1.2 leaves the rest to implementations.

use std::collections::{BTreeMap, BTreeSet};

use super::{Counts, Peer, PeerId, Rib};
use crate::types::Family;

/// How many routes of each family a neighbor may announce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixLimits {
    /// The most IPv4 routes.
    pub ipv4: Option<u32>,
    /// The most IPv6 routes.
    pub ipv6: Option<u32>,
    /// At how many percent of the limit a warning is due, 1 to 100; 100 for none.
    pub warning_percent: u8,
    /// Whether the session ends beyond the limit; otherwise that is only told.
    pub ends: bool,
}

/// How far a neighbor has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to tell.
    #[default]
    Below,
    /// Beyond the warning percentage.
    Near,
    /// Beyond the limit.
    Exceeded,
}

/// A neighbor has passed a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The neighbor.
    pub peer: PeerId,
    /// The family.
    pub family: Family,
    /// The mark.
    pub level: Level,
    /// The paths of the family that the table holds.
    pub received: u64,
    /// The limit.
    pub limit: u32,
    /// Whether the session has to end for it.
    pub ends: bool,
}

impl PrefixLimits {
    /// The limit of a family.
    pub const fn of(&self, family: Family) -> Option<u32> {
        match family {
            Family::Ipv4Unicast => self.ipv4,
            Family::Ipv6Unicast => self.ipv6,
        }
    }

    /// More routes of a family with this limit than so many bring a warning; `None` where none is wanted.
    pub fn warning_above(&self, most: u32) -> Option<u64> {
        (self.warning_percent < 100).then(|| self.mark(Level::Near, most))
    }

    /// Whether one more route of the family must not be taken.
    pub(super) fn forbids(&self, family: Family, counts: &Counts) -> bool {
        self.ends && self.of(family).is_some_and(|most| counts.received_of(family) >= u64::from(most))
    }

    /// Above how many routes of a family a level begins.
    fn mark(&self, level: Level, most: u32) -> u64 {
        match level {
            Level::Below => 0,
            Level::Near => u64::from(most) * u64::from(self.warning_percent) / 100,
            Level::Exceeded => u64::from(most),
        }
    }

    fn level(&self, received: u64, most: u32) -> Level {
        let passed = |level: &Level| received > self.mark(*level, most);
        [Level::Exceeded, Level::Near].into_iter().find(passed).unwrap_or_default()
    }

    /// The level down to which the count has fallen far enough to forget what was told.
    fn settled(&self, received: u64, most: u32) -> Level {
        let holds = |level: &Level| {
            let mark = self.mark(*level, most);
            received > mark.saturating_sub((mark / 16).max(1))
        };
        [Level::Exceeded, Level::Near].into_iter().find(holds).unwrap_or_default()
    }
}

/// What was told of which neighbor.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    told: BTreeMap<(PeerId, Family), Level>,
    /// Of these nothing is taken any more.
    over: BTreeSet<PeerId>,
    crossings: Vec<Crossing>,
}

impl Limiter {
    pub(super) fn begin(&mut self, id: PeerId) {
        self.over.remove(&id);
    }

    pub(super) fn forget(&mut self, id: PeerId) {
        self.over.remove(&id);
        self.told.retain(|(peer, _), _| *peer != id);
    }

    pub(super) fn is_over(&self, id: PeerId) -> bool {
        self.over.contains(&id)
    }

    /// A route came that must not be taken.
    pub(super) fn exceed(&mut self, id: PeerId, family: Family, peer: &Peer, counts: &Counts) {
        if let (Some(limit), true) = (peer.limits.of(family), self.over.insert(id)) {
            let (received, ends) = (counts.received_of(family), peer.limits.ends);
            let level = Level::Exceeded;
            self.told.insert((id, family), level);
            self.crossings.push(Crossing { peer: id, family, level, received, limit, ends });
        }
    }

    fn check(&mut self, id: PeerId, family: Family, limits: PrefixLimits, received: u64) {
        let Some(limit) = limits.of(family) else { return };
        let level = limits.level(received, limit);
        let told = self.told.entry((id, family)).or_default();
        if level <= *told {
            *told = (*told).min(limits.settled(received, limit));
            return;
        }
        *told = level;
        let ends = limits.ends && level == Level::Exceeded;
        if !ends || self.over.insert(id) {
            self.crossings.push(Crossing { peer: id, family, level, received, limit, ends });
        }
    }
}

impl Rib {
    /// Another number of routes may be announced from now on.
    pub fn set_limits(&mut self, id: PeerId, limits: PrefixLimits) {
        if let Some((peer, _)) = self.peers.get_mut(&id) {
            peer.limits = limits;
            self.check_limits(id);
        }
    }

    /// Marks that neighbors have passed since the last call.
    pub fn take_crossings(&mut self) -> Vec<Crossing> {
        std::mem::take(&mut self.limiter.crossings)
    }

    pub(super) fn check_limits(&mut self, id: PeerId) {
        let Some((peer, counts)) = self.peers.get(&id) else { return };
        for family in Family::ALL {
            self.limiter.check(id, family, peer.limits, counts.received_of(family));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{announce, path, peer, rib, withdraw};
    use super::*;

    const ONE: PeerId = PeerId(1);

    fn limited(most: u32, warning_percent: u8, ends: bool) -> Rib {
        let mut rib = rib();
        let limits = PrefixLimits { ipv4: Some(most), ipv6: Some(1), warning_percent, ends };
        rib.peer_up(ONE, Peer { limits, ..peer(1) });
        rib
    }

    fn told(rib: &mut Rib) -> Vec<(Level, u64, bool)> {
        rib.take_crossings().iter().map(|it| (it.level, it.received, it.ends)).collect()
    }

    #[test]
    fn table_never_holds_more_than_the_limit_that_ends_the_session() {
        let mut rib = limited(3, 100, true);
        rib.update(ONE, announce(&[1, 2, 3, 4, 5], path(1, &[65001])));
        assert_eq!(rib.counts(ONE).received, 3, "not even within one UPDATE");
        assert_eq!(told(&mut rib), [(Level::Exceeded, 3, true)]);
        rib.update(ONE, withdraw(&[1, 2]));
        rib.update(ONE, announce(&[7], path(1, &[65001])));
        assert_eq!((rib.counts(ONE).received, told(&mut rib)), (3, vec![]), "its session is over");
        rib.peer_down(ONE);
        rib.peer_up(ONE, Peer { limits: PrefixLimits { ipv4: Some(3), ..Default::default() }, ..peer(1) });
        rib.update(ONE, announce(&[1], path(1, &[65001])));
        assert_eq!(rib.counts(ONE).received, 1);
    }

    #[test]
    fn route_that_is_told_again_counts_once() {
        let mut rib = limited(2, 100, true);
        for hop in [1, 3, 1] {
            rib.update(ONE, announce(&[1, 2], path(hop, &[65001])));
        }
        assert_eq!((rib.counts(ONE).received, told(&mut rib)), (2, vec![]));
    }

    #[test]
    fn warning_comes_once_and_again_only_after_the_count_has_fallen() {
        let mut rib = limited(20, 50, false);
        let numbers: Vec<u8> = (0..30).collect();
        let go = |rib: &mut Rib, from: usize, to: usize| {
            if from < to {
                rib.update(ONE, announce(&numbers[from..to], path(1, &[65001])));
            } else {
                rib.update(ONE, withdraw(&numbers[to..from]));
            }
            told(rib)
        };
        assert_eq!(go(&mut rib, 0, 10), []);
        assert_eq!(go(&mut rib, 10, 11), [(Level::Near, 11, false)]);
        assert_eq!(go(&mut rib, 11, 10), [], "flapping at the mark");
        assert_eq!(go(&mut rib, 10, 12), [], "flapping at the mark");
        assert_eq!(go(&mut rib, 12, 25), [(Level::Exceeded, 25, false)]);
        assert_eq!(go(&mut rib, 25, 19), []);
        assert_eq!(go(&mut rib, 19, 21), [(Level::Exceeded, 21, false)]);
        assert_eq!(go(&mut rib, 21, 0), []);
        assert_eq!(go(&mut rib, 0, 11), [(Level::Near, 11, false)]);
    }

    #[test]
    fn lower_limit_holds_at_once_and_each_family_has_its_own() {
        let mut rib = limited(9, 100, true);
        rib.update(ONE, announce(&[1, 2, 3], path(1, &[65001])));
        assert_eq!(told(&mut rib), [], "three IPv4 routes are none of IPv6");
        rib.set_limits(ONE, PrefixLimits { ipv4: Some(2), ipv6: None, warning_percent: 75, ends: true });
        assert_eq!(told(&mut rib), [(Level::Exceeded, 3, true)]);
    }

    #[test]
    fn stale_routes_count() {
        let mut rib = limited(2, 100, true);
        rib.update(ONE, announce(&[1, 2], path(1, &[65001])));
        rib.mark_stale(ONE, crate::types::Families::ALL);
        rib.update(ONE, announce(&[1, 3], path(1, &[65001])));
        assert_eq!(told(&mut rib), [(Level::Exceeded, 2, true)]);
    }
}
