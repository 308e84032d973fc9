//! What one neighbor has been told, and the UPDATEs that tell it the rest.
//!
//! The neighbor's knowledge is a reference to a whole set of routes, not a copy. When a new set is wanted, the
//! difference is planned as a few jobs, and the jobs are turned into messages only as fast as the neighbor takes them.
//! A set that is replaced before its turn is never sent: however often the routes change while a neighbor does not
//! read, it costs one reference, and at the end the last set counts.
//!
//! Announcements go before withdrawals, so that traffic that a new prefix takes over moves before the old one goes.
//! Source: RFC 4271 section 9.2; RFC 4724 section 2 (End-of-RIB); RFC 2918 (refresh).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::originate::{Group, OriginatedSet};
use crate::prefix::Prefix;
use crate::types::{Asn, Families, Family};
use crate::wire::capability::Role;
use crate::wire::pack::{Encoding, Template, push_end_of_rib, push_withdrawal};
use crate::wire::refresh::{RouteRefresh, Subtype};

use crate::attributes::NextHop;

/// What decides how a neighbor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutContext {
    /// Our AS.
    pub local_as: Asn,
    /// How the neighbor wants attributes written.
    pub encoding: Encoding,
    /// The longest message that it takes, in octets.
    pub send_limit: usize,
    /// The families of the session.
    pub families: Families,
    /// Whether answers to ROUTE-REFRESH are marked (RFC 7313).
    pub enhanced_refresh: bool,
    /// What we are to the neighbor, where it is known (RFC 9234).
    pub role: Option<Role>,
    /// The next hop of IPv4 routes. A family without one is not announced.
    pub next_hop_v4: Option<NextHop>,
    /// The next hop of IPv6 routes. A family without one is not announced.
    pub next_hop_v6: Option<NextHop>,
}

impl OutContext {
    fn next_hop(&self, family: Family) -> Option<NextHop> {
        match family {
            Family::Ipv4Unicast => self.next_hop_v4,
            Family::Ipv6Unicast => self.next_hop_v6,
        }
    }

    /// What Only To Customer says of our routes. RFC 9234 section 5: a route that goes down or sideways is marked.
    fn only_to_customer(&self) -> Option<Asn> {
        match self.role? {
            Role::Provider | Role::RouteServer | Role::Peer => Some(self.local_as),
            Role::RouteServerClient | Role::Customer => None,
        }
    }

    /// The families that can be announced.
    fn announced(&self) -> Families {
        self.families.iter().filter(|family| self.next_hop(*family).is_some()).collect()
    }
}

/// The routes of one Established session, outwards.
#[derive(Debug)]
pub struct AdjRibOut {
    context: OutContext,
    /// What the neighbor knows once all jobs are done.
    told: Arc<OriginatedSet>,
    wanted: Arc<OriginatedSet>,
    refresh: Families,
    jobs: VecDeque<Job>,
    unfit: Vec<Prefix>,
}

#[derive(Debug)]
enum Job {
    Announce { template: Template, prefixes: Vec<Prefix>, done: usize },
    Withdraw { family: Family, prefixes: Vec<Prefix>, done: usize },
    EndOfRib(Family),
    RefreshMark(RouteRefresh),
}

impl AdjRibOut {
    /// A session that has just come up: everything is to be told, then End-of-RIB for each family.
    pub fn new(context: OutContext, wanted: Arc<OriginatedSet>) -> Self {
        let mut table = Self::without_end(context, wanted);
        table.end_of_rib();
        table
    }

    /// The same, but what is wanted is not all yet, so End-of-RIB waits for [`Self::end_of_rib`]. A neighbor that kept
    /// our routes over our restart drops what it has not heard again by then (RFC 4724 section 4.2).
    pub fn without_end(context: OutContext, wanted: Arc<OriginatedSet>) -> Self {
        let mut table = Self {
            context,
            told: Arc::default(),
            wanted,
            refresh: Families::NONE,
            jobs: VecDeque::new(),
            unfit: Vec::new(),
        };
        table.plan();
        table
    }

    /// Everything that was wanted until now is all: tells so for each family.
    pub fn end_of_rib(&mut self) {
        if !Arc::ptr_eq(&self.told, &self.wanted) {
            self.plan();
        }
        self.jobs.extend(self.context.families.iter().map(Job::EndOfRib));
    }

    /// Wants the neighbor to know exactly these routes.
    pub fn want(&mut self, wanted: Arc<OriginatedSet>) {
        self.wanted = wanted;
        if self.jobs.is_empty() {
            self.plan();
        }
    }

    /// The neighbor asked for everything of the family again.
    pub fn refresh(&mut self, family: Family) {
        self.refresh.insert(family);
        if self.jobs.is_empty() {
            self.plan();
        }
    }

    /// Appends UPDATEs until `out` has grown to `limit` octets or nothing is left to tell, and returns how many.
    pub fn fill(&mut self, out: &mut Vec<u8>, limit: usize) -> u64 {
        let mut messages = 0;
        while out.len() < limit {
            let Some(job) = self.jobs.front_mut() else {
                if self.is_settled() {
                    break;
                }
                self.plan();
                continue;
            };
            let before = out.len();
            if job.step(&self.context, out, &mut self.unfit) {
                self.jobs.pop_front();
            }
            messages += u64::from(out.len() > before);
        }
        messages
    }

    /// Whether everything wanted has been handed out.
    pub fn is_settled(&self) -> bool {
        self.jobs.is_empty() && self.refresh.is_empty() && Arc::ptr_eq(&self.told, &self.wanted)
    }

    /// How many routes the neighbor knows once everything handed out has reached it.
    pub fn len(&self) -> usize {
        self.context.announced().iter().map(|family| self.told.count(family)).sum()
    }

    /// How many of them are of the family.
    pub fn count(&self, family: Family) -> usize {
        if self.context.announced().contains(family) { self.told.count(family) } else { 0 }
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Prefixes whose attributes do not fit into a message since the last call. They were withdrawn instead.
    pub fn take_unfit(&mut self) -> Vec<Prefix> {
        std::mem::take(&mut self.unfit)
    }

    fn plan(&mut self) {
        let families = self.context.announced();
        let kind = self.context.encoding.kind;
        let refresh = std::mem::take(&mut self.refresh).intersection(families);
        for family in refresh.iter() {
            self.mark_refresh(family, Subtype::Begin);
            let only = Families::NONE.with(family);
            let all = OriginatedSet::default().difference(&self.told, kind, only);
            all.announced.into_iter().for_each(|group| self.announce(group));
            self.mark_refresh(family, Subtype::End);
        }
        if Arc::ptr_eq(&self.told, &self.wanted) {
            return;
        }
        let difference = self.told.difference(&self.wanted, kind, families);
        difference.announced.into_iter().for_each(|group| self.announce(group));
        let (v4, v6): (Vec<_>, Vec<_>) =
            difference.withdrawn.into_iter().partition(|prefix| prefix.family() == Family::Ipv4Unicast);
        for (family, prefixes) in [(Family::Ipv4Unicast, v4), (Family::Ipv6Unicast, v6)] {
            if !prefixes.is_empty() {
                self.jobs.push_back(Job::Withdraw { family, prefixes, done: 0 });
            }
        }
        self.told = Arc::clone(&self.wanted);
    }

    /// RFC 7313 section 4.1: the answer stands between two marks. It never comes before the End-of-RIB of the first
    /// dump, since jobs are done in their order.
    fn mark_refresh(&mut self, family: Family, subtype: Subtype) {
        if self.context.enhanced_refresh {
            self.jobs.push_back(Job::RefreshMark(RouteRefresh::new(family, subtype)));
        }
    }

    fn announce(&mut self, group: Group) {
        let Some(next_hop) = self.context.next_hop(group.family) else { return };
        let mut attributes = group.attributes(self.context.local_as, self.context.encoding.kind, next_hop);
        attributes.only_to_customer = self.context.only_to_customer();
        if let Some(template) = Template::new(&attributes, group.family, self.context.encoding) {
            self.jobs.push_back(Job::Announce { template, prefixes: group.prefixes, done: 0 });
        }
    }
}

impl Job {
    /// Appends at most one message; true when the job is done.
    fn step(&mut self, context: &OutContext, out: &mut Vec<u8>, unfit: &mut Vec<Prefix>) -> bool {
        let OutContext { send_limit: limit, encoding, .. } = *context;
        match self {
            Self::Announce { template, prefixes, done } => {
                match template.push_update(&prefixes[*done..], limit, out) {
                    0 => {
                        // The neighbor may know the route with older attributes: better none than a wrong one.
                        let prefixes = prefixes.split_off(*done);
                        unfit.extend_from_slice(&prefixes);
                        let Some(family) = prefixes.first().map(|prefix| prefix.family()) else {
                            return true;
                        };
                        *self = Self::Withdraw { family, prefixes, done: 0 };
                        false
                    }
                    taken => {
                        *done += taken;
                        *done == prefixes.len()
                    }
                }
            }
            Self::Withdraw { family, prefixes, done } => {
                *done += push_withdrawal(*family, &prefixes[*done..], encoding, limit, out);
                *done == prefixes.len()
            }
            Self::EndOfRib(family) => {
                push_end_of_rib(*family, out);
                true
            }
            Self::RefreshMark(mark) => {
                mark.push(out);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests;
