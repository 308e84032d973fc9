//! What each owner wants, what we believe the kernel holds of ours, and which of it was refused. Pure.
//!
//! The SRP section and the learned routes are two books that never meet: the metric of a route tells which book it
//! stands in, and addresses stand in the SRP book alone. Until an owner has spoken for the first time (`set_srp`,
//! `sweep_learned`), what an earlier life left in his book is kept.

use std::collections::BTreeMap;

use crate::links::{LinkAddress, Links};
use crate::plan::{self, AddressKey, Have, Held, HeldTarget, Holder, Key, Op, Plan, RouteKey, Want};
use crate::report::{Object, RefuseReason, Refused};
use crate::settings::Settings;
use crate::types::{LinkName, RouteChange, RouteTarget, Section};

/// Whose book an object stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Book {
    Srp,
    Learned,
}

/// Objects under our mark, one per key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mirror {
    addresses: BTreeMap<AddressKey, u8>,
    routes: BTreeMap<RouteKey, HeldTarget>,
}

impl Mirror {
    fn from_have(have: &Have) -> Self {
        let addresses = have.addresses.iter().filter_map(|(key, held)| Some((*key, held.ours?)));
        let routes = have.routes.iter().filter_map(|(key, held)| Some((*key, held.ours.clone()?)));
        Self { addresses: addresses.collect(), routes: routes.collect() }
    }

    fn have(&self) -> Have {
        Have {
            addresses: self.addresses.iter().map(|(key, len)| (*key, Held::ours(*len))).collect(),
            routes: self.routes.iter().map(|(key, target)| (*key, Held::ours(target.clone()))).collect(),
        }
    }

    fn enter(&mut self, op: &Op) {
        match op {
            Op::AddAddress(key) => drop(self.addresses.insert(*key, crate::prefix::max_len(key.ip))),
            Op::DeleteAddress(key, _) => drop(self.addresses.remove(key)),
            Op::AddRoute(key, target) | Op::ReplaceRoute(key, target) => {
                self.routes.insert(*key, Some(target.clone()));
            }
            Op::DeleteRoute(key) => drop(self.routes.remove(key)),
        }
    }
}

/// The wanted state of one book, as far as it can be said now.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    want: Want,
    /// Objects that cannot even be asked for.
    missing: Vec<Refused>,
}

/// What a whole reading of the kernel calls for.
#[derive(Debug, Default)]
pub(crate) struct PlanAll {
    pub(crate) srp: Plan,
    /// Objects of the SRP section that cannot even be asked for.
    pub(crate) missing: Vec<Refused>,
    pub(crate) learned: Plan,
}

/// Both books.
#[derive(Debug)]
pub(crate) struct Ledger {
    srp_metric: u32,
    learned_metric: u32,
    /// `None` until the SRP side has spoken.
    srp_want: Option<Section>,
    srp: Mirror,
    learned_want: BTreeMap<RouteKey, RouteTarget>,
    learned: Mirror,
    /// Whether routes of an earlier life that nobody set again are to go.
    swept: bool,
    refused: BTreeMap<Object, RefuseReason>,
}

impl Ledger {
    /// Adopts what an earlier life left.
    pub(crate) fn new(settings: &Settings, found: Have) -> Self {
        let mut ledger = Self {
            srp_metric: settings.srp_metric,
            learned_metric: settings.learned_metric,
            srp_want: None,
            srp: Mirror::default(),
            learned_want: BTreeMap::new(),
            learned: Mirror::default(),
            swept: false,
            refused: BTreeMap::new(),
        };
        let (srp, learned) = ledger.split(found);
        ledger.srp = Mirror::from_have(&srp);
        ledger.learned = Mirror::from_have(&learned);
        ledger
    }

    /// Splits what was found under our mark into the two books. A route with neither metric is left over from other
    /// settings: discarding routes were pools, the others were learned.
    fn split(&self, found: Have) -> (Have, Have) {
        let goes_on = |held: &Held<HeldTarget>| matches!(held.ours, Some(Some(RouteTarget::Via(_))));
        let (srp, learned) =
            found.routes.into_iter().partition(|(key, held)| self.book_of(*key, goes_on(held)) == Book::Srp);
        (Have { addresses: found.addresses, routes: srp }, Have { routes: learned, ..Have::default() })
    }

    fn book_of(&self, key: RouteKey, goes_on: bool) -> Book {
        if key.metric == self.srp_metric {
            Book::Srp
        } else if key.metric == self.learned_metric || goes_on {
            Book::Learned
        } else {
            Book::Srp
        }
    }

    pub(crate) fn set_srp_want(&mut self, want: Section) {
        self.srp_want = Some(want);
    }

    pub(crate) fn sweep(&mut self) {
        self.swept = true;
    }

    /// Wants nothing any more, and keeps nothing of an earlier life.
    pub(crate) fn want_nothing(&mut self) {
        self.srp_want = Some(Section::default());
        self.learned_want.clear();
        self.swept = true;
        self.refused.clear();
    }

    /// Takes changes of learned routes in order and returns the keys that they touch.
    pub(crate) fn change_learned(&mut self, changes: impl Iterator<Item = RouteChange>) -> Vec<RouteKey> {
        let metric = self.learned_metric;
        let mut touched = std::collections::BTreeSet::new();
        for change in changes {
            match change {
                RouteChange::Set(route) => {
                    let key = RouteKey { table: route.table(), prefix: route.prefix(), metric };
                    self.learned_want.insert(key, route.target().clone());
                    touched.insert(key);
                }
                RouteChange::Remove { table, prefix } => {
                    let key = RouteKey { table, prefix, metric };
                    self.learned_want.remove(&key);
                    self.forget_refusal(Key::Route(key), None);
                    touched.insert(key);
                }
            }
        }
        touched.into_iter().collect()
    }

    /// What the touched learned routes need.
    pub(crate) fn plan_learned(&self, touched: &[RouteKey], links: &Links) -> Plan {
        let mut whole = Plan::default();
        for key in touched {
            let want = self.learned_want.get(key).map(|target| usable(target, links));
            let held = self.learned.routes.get(key).map(|target| Held::ours(target.clone()));
            let part = plan::plan_route(*key, want.as_ref(), held.as_ref());
            whole.ops.extend(part.ops);
            whole.kept += part.kept;
            whole.refused.extend(part.refused);
        }
        whole
    }

    /// What the SRP section needs, as far as we know the kernel. Nothing before the SRP side has spoken.
    pub(crate) fn plan_srp(&self, links: &Links) -> (Plan, Vec<Refused>) {
        let mut have = self.srp.have();
        let foreign = |address: &&LinkAddress| !address.ours;
        for link in links.iter() {
            for address in link.addresses.iter().filter(foreign) {
                let holder = Holder(format!("{}/{}", address.ip, address.prefix_len));
                have.put_address(AddressKey { link: link.index, ip: address.ip }, Held::foreign(holder));
            }
        }
        self.plan_srp_against(&have, links)
    }

    fn plan_srp_against(&self, have: &Have, links: &Links) -> (Plan, Vec<Refused>) {
        let Some(section) = &self.srp_want else { return (Plan::default(), Vec::new()) };
        let resolved = self.resolve(section, links);
        (plan::plan(&resolved.want, have), resolved.missing)
    }

    fn resolve(&self, section: &Section, links: &Links) -> Resolved {
        let mut resolved = Resolved::default();
        for address in section.addresses() {
            if let Some(link) = links.by_name(address.link()) {
                resolved.want.addresses.insert(AddressKey { link: link.index, ip: address.ip() });
            } else {
                resolved.missing.push(Refused {
                    object: Object::Address { ip: address.ip(), link: address.link().clone() },
                    reason: RefuseReason::NoSuchLink(address.link().clone()),
                });
            }
        }
        for ((table, prefix), target) in section.routes() {
            let key = RouteKey { table: *table, prefix: *prefix, metric: self.srp_metric };
            resolved.want.routes.insert(key, usable(target, links));
        }
        resolved
    }

    /// What a whole reading of the kernel calls for, book by book; the books are set to what was read.
    /// Without `srp`, the SRP section is left out because it changed while the reading was made.
    pub(crate) fn plan_all(&mut self, found: Have, links: &Links, srp: bool) -> PlanAll {
        let (srp_have, mut learned_have) = self.split(found);
        let mut all = PlanAll::default();
        if srp {
            self.srp = Mirror::from_have(&srp_have);
            (all.srp, all.missing) = self.plan_srp_against(&srp_have, links);
        }
        self.learned = Mirror::from_have(&learned_have);
        let wanted = self.learned_want.iter().map(|(key, target)| (*key, usable(target, links)));
        let want = Want { routes: wanted.collect(), ..Want::default() };
        if !self.swept {
            learned_have.routes.retain(|key, _| want.routes.contains_key(key));
        }
        all.learned = plan::plan(&want, &learned_have);
        all
    }

    /// Learned routes in the kernel that nobody wants.
    pub(crate) fn stale_learned(&self) -> Vec<Op> {
        let stale = self.learned.routes.keys().filter(|key| !self.learned_want.contains_key(key));
        stale.map(|key| Op::DeleteRoute(*key)).collect()
    }

    pub(crate) fn learned_wanted(&self) -> usize {
        self.learned_want.len()
    }

    /// Enters an operation that the kernel carried out.
    pub(crate) fn done(&mut self, op: &Op, links: &Links) {
        self.forget_refusal(op.key(), Some(links));
        match self.book_of_op(op) {
            Book::Srp => self.srp.enter(op),
            Book::Learned => self.learned.enter(op),
        }
    }

    fn book_of_op(&self, op: &Op) -> Book {
        match op {
            Op::AddAddress(_) | Op::DeleteAddress(..) => Book::Srp,
            Op::AddRoute(key, target) | Op::ReplaceRoute(key, target) => {
                self.book_of(*key, matches!(target, RouteTarget::Via(_)))
            }
            Op::DeleteRoute(key) => self.book_of(*key, self.learned.routes.contains_key(key)),
        }
    }

    /// Enters an operation that was refused: what could not be added is not ours.
    pub(crate) fn not_done(&mut self, op: &Op) {
        match op {
            Op::AddAddress(key) => drop(self.srp.addresses.remove(key)),
            Op::AddRoute(key, _) => {
                self.srp.routes.remove(key);
                self.learned.routes.remove(key);
            }
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

    fn forget_refusal(&mut self, key: Key, links: Option<&Links>) {
        if !self.refused.is_empty() {
            self.refused.remove(&object(key, links));
        }
    }

    /// Whether the address is ours as far as we know.
    pub(crate) fn holds_address(&self, key: AddressKey) -> bool {
        self.srp.addresses.contains_key(&key)
    }

    /// Whether the route is ours as far as we know.
    pub(crate) fn holds_route(&self, key: RouteKey) -> bool {
        self.srp.routes.contains_key(&key) || self.learned.routes.contains_key(&key)
    }
}

fn book_of_object(object: &Object, learned_metric: u32) -> Book {
    match object {
        Object::Route { metric, .. } if *metric == learned_metric => Book::Learned,
        Object::Route { .. } | Object::Address { .. } => Book::Srp,
    }
}

fn usable(target: &RouteTarget, links: &Links) -> RouteTarget {
    plan::usable(target, |index| links.by_index(index).is_some_and(|link| link.admin_up))
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
