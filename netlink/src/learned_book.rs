//! The BGP side's book: one entry per learned route, wanted, held, or both. Pure.
//!
//! A full table has a million entries, so nothing here looks at all of them at once: changes, and the judging after
//! a reading of the kernel, go slice by slice. A reading stamps each entry that it meets; what has an older stamp at
//! the end is not in the kernel.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::links::Links;
use crate::names::TableId;
use crate::plan::{self, Held, HeldTarget, Op, Plan, RouteKey};
use crate::types::{Route, RouteChange, RouteTarget};

/// All learned routes.
#[derive(Debug)]
pub(crate) struct LearnedBook {
    metric: u32,
    routes: BTreeMap<RouteKey, Entry>,
    wanted: usize,
    /// Whether routes of an earlier life that nobody set again are to go.
    swept: bool,
    /// The stamp of the latest reading.
    reading: u32,
}

/// A learned route. At least one of the two is there.
#[derive(Debug, Default)]
struct Entry {
    want: Option<RouteTarget>,
    /// What we believe the kernel holds under our mark.
    held: Option<HeldTarget>,
    /// The latest reading that met it.
    met: u32,
}

/// What a reading found beside one route per key, and how far the judging has come.
#[derive(Debug, Default)]
pub(crate) struct Judging {
    /// Keys under which the kernel holds several routes of ours.
    several: BTreeMap<RouteKey, Held<HeldTarget>>,
    cursor: Option<RouteKey>,
}

impl LearnedBook {
    pub(crate) fn new(metric: u32) -> Self {
        Self { metric, routes: BTreeMap::new(), wanted: 0, swept: false, reading: 0 }
    }

    /// How many routes are wanted.
    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }

    /// From now on, what nobody wants goes.
    pub(crate) fn sweep(&mut self) {
        self.swept = true;
    }

    /// Wants nothing any more, and keeps nothing of an earlier life.
    /// What brings the wanted routes of one table into another.
    pub(crate) fn moving(&self, from: TableId, to: TableId) -> Vec<RouteChange> {
        let wanted = self.routes.iter().filter(|(key, _)| key.table == from);
        let wanted = wanted.filter_map(|(key, entry)| Some((key.prefix, entry.want.clone()?)));
        let moved = wanted.flat_map(|(prefix, target)| {
            let there = Route::new(to, prefix, target).ok().map(RouteChange::Set);
            [Some(RouteChange::Remove { table: from, prefix }), there]
        });
        moved.flatten().collect()
    }

    pub(crate) fn want_nothing(&mut self) {
        self.swept = true;
        self.wanted = 0;
        self.routes.retain(|_, entry| {
            entry.want = None;
            entry.held.is_some()
        });
    }

    /// Whether a route of ours is there as far as we know.
    pub(crate) fn holds(&self, key: RouteKey) -> bool {
        self.routes.get(&key).is_some_and(|entry| entry.held.is_some())
    }

    /// Takes changes in order; returns the touched keys, each once.
    pub(crate) fn change(&mut self, changes: impl Iterator<Item = RouteChange>) -> Vec<RouteKey> {
        let mut touched: Vec<RouteKey> = changes.map(|change| self.change_one(change)).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    fn change_one(&mut self, change: RouteChange) -> RouteKey {
        match change {
            RouteChange::Set(route) => {
                let key = RouteKey { table: route.table(), prefix: route.prefix(), metric: self.metric };
                let entry = self.routes.entry(key).or_default();
                self.wanted += usize::from(entry.want.is_none());
                entry.want = Some(route.into_target());
                key
            }
            RouteChange::Remove { table, prefix } => {
                let key = RouteKey { table, prefix, metric: self.metric };
                if let Some(entry) = self.routes.get_mut(&key) {
                    self.wanted -= usize::from(entry.want.is_some());
                    entry.want = None;
                    if entry.held.is_none() {
                        self.routes.remove(&key);
                    }
                }
                key
            }
        }
    }

    /// What the touched routes need.
    pub(crate) fn plan(&self, touched: &[RouteKey], links: &Links) -> Plan {
        let mut whole = Plan::default();
        for key in touched {
            let Some(entry) = self.routes.get(key) else { continue };
            let held = entry.held.clone().map(Held::ours);
            add(&mut whole, plan_entry(*key, entry, held.as_ref(), links));
        }
        whole
    }

    /// Deletions of everything that is held and not wanted.
    pub(crate) fn stale(&self) -> Vec<Op> {
        let stale = self.routes.iter().filter(|(_, entry)| entry.want.is_none());
        stale.map(|(key, _)| Op::DeleteRoute(*key)).collect()
    }

    /// Enters an operation that the kernel carried out.
    pub(crate) fn done(&mut self, op: &Op) {
        match op {
            Op::AddRoute(key, target) | Op::ReplaceRoute(key, target) => {
                self.routes.entry(*key).or_default().held = Some(Some(target.clone()));
            }
            Op::DeleteRoute(key) => self.gone(*key),
            Op::AddAddress(_) | Op::DeleteAddress(..) => {}
        }
    }

    /// Enters that no route of ours is there.
    pub(crate) fn gone(&mut self, key: RouteKey) {
        if let Some(entry) = self.routes.get_mut(&key) {
            entry.held = None;
            if entry.want.is_none() {
                self.routes.remove(&key);
            }
        }
    }

    /// Begins a reading of the kernel.
    pub(crate) fn begin_reading(&mut self) {
        self.reading = self.reading.wrapping_add(1);
    }

    /// Enters a route under our mark that the reading met.
    pub(crate) fn met(&mut self, judging: &mut Judging, key: RouteKey, target: HeldTarget) {
        let entry = self.routes.entry(key).or_default();
        if entry.met == self.reading {
            let first = || Held::ours(entry.held.clone().flatten());
            judging.several.entry(key).or_insert_with(first).merge(Held::ours(target));
        } else {
            entry.met = self.reading;
            entry.held = Some(target);
        }
    }

    /// What the next `count` routes need after a whole reading; `None` when there are no more.
    pub(crate) fn judge(&mut self, judging: &mut Judging, count: usize, links: &Links) -> Option<Plan> {
        let from = judging.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut whole, mut empty, mut last) = (Plan::default(), Vec::new(), None);
        for (key, entry) in self.routes.range_mut((from, Bound::Unbounded)).take(count) {
            last = Some(*key);
            if entry.met != self.reading {
                entry.held = None;
            }
            if entry.want.is_none() && (entry.held.is_none() || !self.swept) {
                if entry.held.is_none() {
                    empty.push(*key);
                }
                continue;
            }
            let held = judging.several.remove(key).or_else(|| entry.held.clone().map(Held::ours));
            add(&mut whole, plan_entry(*key, entry, held.as_ref(), links));
        }
        judging.cursor = Some(last?);
        for key in empty {
            self.routes.remove(&key);
        }
        Some(whole)
    }
}

fn plan_entry(key: RouteKey, entry: &Entry, held: Option<&Held<HeldTarget>>, links: &Links) -> Plan {
    let want = entry.want.as_ref().map(|target| usable(target, links));
    plan::plan_route(key, want.as_ref(), held)
}

/// The part of a target that can be installed with the links as they are.
pub(crate) fn usable(target: &RouteTarget, links: &Links) -> RouteTarget {
    plan::usable(target, |index| links.by_index(index).is_some_and(|link| link.admin_up))
}

fn add(whole: &mut Plan, part: Plan) {
    whole.ops.extend(part.ops);
    whole.kept += part.kept;
    whole.refused.extend(part.refused);
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::types::NextHop;

    const METRIC: u32 = 83;

    fn key(n: u8) -> RouteKey {
        RouteKey { table: TableId::MAIN, prefix: format!("10.{n}.0.0/16").parse().unwrap(), metric: METRIC }
    }

    fn target(gateway: u8) -> RouteTarget {
        RouteTarget::Via(NextHop::via(IpAddr::from([192, 0, 2, gateway])).unwrap().into())
    }

    fn set(n: u8, gateway: u8) -> RouteChange {
        RouteChange::Set(Route::new(TableId::MAIN, key(n).prefix, target(gateway)).unwrap())
    }

    /// A book in which routes 1 to 4 are wanted and held, after a reading that met what `met` says.
    fn read(met: &[(u8, u8)], swept: bool) -> (LearnedBook, Plan) {
        let mut book = LearnedBook::new(METRIC);
        let touched = book.change((1..=4).map(|n| set(n, 1)));
        for op in book.plan(&touched, &Links::default()).ops {
            book.done(&op);
        }
        if swept {
            book.sweep();
        }
        let (mut judging, mut whole) = (Judging::default(), Plan::default());
        book.begin_reading();
        for (n, gateway) in met {
            book.met(&mut judging, key(*n), Some(target(*gateway)));
        }
        // One at a time, so that each step has its end.
        while let Some(part) = book.judge(&mut judging, 1, &Links::default()) {
            add(&mut whole, part);
        }
        (book, whole)
    }

    #[test]
    fn a_reading_that_met_everything_calls_for_nothing() {
        let (_, plan) = read(&[(1, 1), (2, 1), (3, 1), (4, 1)], true);
        assert_eq!((plan.ops, plan.kept), (vec![], 4));
    }

    #[test]
    fn what_the_reading_did_not_meet_is_added_and_what_it_met_otherwise_replaced() {
        let (_, plan) = read(&[(1, 1), (2, 9), (4, 1)], true);
        assert_eq!(plan.ops, [Op::ReplaceRoute(key(2), target(1)), Op::AddRoute(key(3), target(1))]);
        assert_eq!(plan.kept, 2);
    }

    #[test]
    fn strays_go_only_after_the_sweep() {
        let met = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1)];
        assert_eq!(read(&met, false).1.ops, []);
        let (book, plan) = read(&met, true);
        assert_eq!(plan.ops, [Op::DeleteRoute(key(5))]);
        assert!(book.holds(key(5)), "until the kernel has carried it out");
    }

    #[test]
    fn several_of_ours_under_one_key_become_one() {
        let (_, plan) = read(&[(1, 1), (1, 1), (1, 9), (2, 1), (3, 1), (4, 1)], true);
        let delete = || Op::DeleteRoute(key(1));
        assert_eq!(plan.ops, [delete(), delete(), delete(), Op::AddRoute(key(1), target(1))]);
    }

    #[test]
    fn routes_of_a_table_move_whole_and_those_of_others_stay() {
        let (book, _) = read(&[(1, 1), (2, 1), (3, 1), (4, 1)], true);
        let to = TableId::new(1001).unwrap();
        let moved = book.moving(TableId::MAIN, to);
        assert_eq!(moved.len(), 8);
        assert_eq!(
            moved[..2],
            [
                RouteChange::Remove { table: TableId::MAIN, prefix: key(1).prefix },
                RouteChange::Set(Route::new(to, key(1).prefix, target(1)).unwrap())
            ]
        );
        assert_eq!(book.moving(to, TableId::MAIN), []);
    }

    #[test]
    fn an_entry_neither_wanted_nor_held_is_forgotten() {
        let (mut book, _) = read(&[(1, 1), (2, 1), (3, 1)], true);
        for n in 1..=4 {
            book.change(std::iter::once(RouteChange::Remove { table: TableId::MAIN, prefix: key(n).prefix }));
        }
        assert_eq!((book.wanted(), book.routes.len()), (0, 3), "the fourth was not in the kernel");
        for op in book.stale() {
            book.done(&op);
        }
        assert_eq!(book.routes.len(), 0);
    }
}
