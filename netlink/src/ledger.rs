//! What each owner wants, what we believe the kernel holds of ours, and which of it was refused. Pure.
//!
//! The SRP section and the learned routes are two books that never meet: the metric of a route tells which book it
//! stands in, and addresses stand in the SRP book alone. Until an owner has spoken for the first time (`set_srp`,
//! `sweep_learned`), what an earlier life left in its book is kept.

use std::collections::BTreeMap;

use crate::learned_book::{Judging, LearnedBook};
use crate::links::Links;
use crate::names::LinkName;
use crate::plan::{self, AddressKey, Have, Held, HeldTarget, Holder, Key, Op, Plan, RouteKey, Want};
use crate::report::{Object, RefuseReason, Refused};
use crate::settings::Settings;
use crate::srp_book::SrpBook;
use crate::types::{RouteChange, RouteTarget, Section};

/// Whose book an object stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Book {
    Srp,
    Learned,
}

/// Both books.
#[derive(Debug)]
pub(crate) struct Ledger {
    srp_metric: u32,
    learned_metric: u32,
    pub(crate) srp: SrpBook,
    pub(crate) learned: LearnedBook,
    refused: BTreeMap<Object, RefuseReason>,
}

impl Ledger {
    /// Adopts what an earlier life left.
    pub(crate) fn new(settings: &Settings, found: Have) -> Self {
        let mut ledger = Self {
            srp_metric: settings.srp_metric,
            learned_metric: settings.learned_metric,
            srp: SrpBook::new(settings.srp_metric),
            learned: LearnedBook::new(settings.learned_metric),
            refused: BTreeMap::new(),
        };
        let mut srp = Have { addresses: found.addresses, ..Have::default() };
        let mut judging = Judging::default();
        ledger.learned.begin_reading();
        for (key, held) in found.routes {
            ledger.met(&mut srp, &mut judging, key, held);
        }
        ledger.srp.adopt(&srp);
        ledger
    }

    /// Enters a route that a reading met into its book: SRP routes are gathered in `srp`.
    pub(crate) fn met(
        &mut self,
        srp: &mut Have,
        judging: &mut Judging,
        key: RouteKey,
        held: Held<HeldTarget>,
    ) {
        let Some(target) = &held.ours else { return };
        match self.book_of(key, target.as_ref()) {
            Book::Srp => srp.put_route(key, held),
            Book::Learned => self.learned.met(judging, key, target.clone()),
        }
    }

    /// A route with neither metric is left over from other settings: those that discard were pools, the others were
    /// learned.
    fn book_of(&self, key: RouteKey, target: Option<&RouteTarget>) -> Book {
        match target {
            _ if key.metric == self.srp_metric => Book::Srp,
            _ if key.metric == self.learned_metric => Book::Learned,
            Some(RouteTarget::Via(_)) => Book::Learned,
            Some(RouteTarget::Blackhole | RouteTarget::Unreachable) | None => Book::Srp,
        }
    }

    /// Wants nothing any more. Returns the deletions of everything of ours in `found`, the SRP section apart.
    pub(crate) fn want_nothing(&mut self, found: &Have) -> (Vec<Op>, Vec<Op>) {
        self.srp.set_want(Section::default());
        self.learned.want_nothing();
        self.refused.clear();
        let deletions = plan::plan(&Want::default(), found).ops;
        deletions.into_iter().partition(|op| match op {
            Op::DeleteRoute(key) => !self.learned.holds(*key),
            Op::AddAddress(_) | Op::DeleteAddress(..) | Op::AddRoute(..) | Op::ReplaceRoute(..) => true,
        })
    }

    /// Takes changes of learned routes in order and returns what they need.
    pub(crate) fn change_learned(
        &mut self,
        changes: impl Iterator<Item = RouteChange>,
        links: &Links,
    ) -> Plan {
        let touched = self.learned.change(changes);
        if !self.refused.is_empty() {
            // Refused anew, or not: the answer comes with this change.
            for key in &touched {
                self.refused.remove(&object(Key::Route(*key), None));
            }
        }
        self.learned.plan(&touched, links)
    }

    /// Enters an operation that the kernel carried out, or had carried out before.
    pub(crate) fn done(&mut self, op: &Op, links: &Links) {
        if !self.refused.is_empty() {
            self.refused.remove(&object(op.key(), Some(links)));
        }
        let book = match op {
            Op::AddRoute(key, target) | Op::ReplaceRoute(key, target) => self.book_of(*key, Some(target)),
            Op::DeleteRoute(key) if self.learned.holds(*key) => Book::Learned,
            Op::DeleteRoute(_) | Op::AddAddress(_) | Op::DeleteAddress(..) => Book::Srp,
        };
        match book {
            Book::Srp => self.srp.done(op),
            Book::Learned => self.learned.done(op),
        }
    }

    /// Enters an operation that was refused: what could not be added is not ours.
    pub(crate) fn not_done(&mut self, op: &Op) {
        match op {
            Op::AddAddress(key) => self.srp.address_gone(*key),
            Op::AddRoute(key, target) => match self.book_of(*key, Some(target)) {
                Book::Srp => self.srp.gone(*key),
                Book::Learned => self.learned.gone(*key),
            },
            Op::ReplaceRoute(..) | Op::DeleteAddress(..) | Op::DeleteRoute(_) => {}
        }
    }

    /// Enters what is refused now in one book, after all of it was tried; returns what is new or refused for
    /// another reason than before.
    pub(crate) fn settle_refusals(&mut self, book: Book, now: &[Refused]) -> Vec<Refused> {
        let new =
            now.iter().filter(|one| self.refused.get(&one.object) != Some(&one.reason)).cloned().collect();
        let learned_metric = self.learned_metric;
        self.refused.retain(|object, _| book_of_object(object, learned_metric) != book);
        self.refused.extend(now.iter().map(|one| (one.object.clone(), one.reason.clone())));
        new
    }

    /// Enters one refusal.
    pub(crate) fn refuse(&mut self, refused: &Refused) {
        self.refused.insert(refused.object.clone(), refused.reason.clone());
    }

    /// Whether the address is ours as far as we know.
    pub(crate) fn holds_address(&self, key: AddressKey) -> bool {
        self.srp.holds_address(key)
    }

    /// Whether the route is ours as far as we know.
    pub(crate) fn holds_route(&self, key: RouteKey) -> bool {
        self.srp.holds(key) || self.learned.holds(key)
    }
}

fn book_of_object(object: &Object, learned_metric: u32) -> Book {
    match object {
        Object::Route { metric, .. } if *metric == learned_metric => Book::Learned,
        Object::Route { .. } | Object::RouteOfVrf { .. } | Object::Address { .. } => Book::Srp,
    }
}

/// What an operator calls it.
pub(crate) fn object(key: Key, links: Option<&Links>) -> Object {
    match key {
        Key::Address(key) => {
            let name = links.and_then(|links| links.by_index(key.link)).map(|link| link.name.clone());
            Object::Address { ip: key.ip, link: name.unwrap_or_else(|| LinkName::of_index(key.link)) }
        }
        Key::Route(RouteKey { table, prefix, metric }) => Object::Route { table, prefix, metric },
    }
}

/// A wanted object whose key somebody else holds.
pub(crate) fn foreign(key: Key, Holder(holder): Holder, links: &Links) -> Refused {
    Refused { object: object(key, Some(links)), reason: RefuseReason::Foreign { holder } }
}
