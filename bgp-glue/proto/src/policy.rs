//! Policy: ordered rules that say which routes are used or announced, and with what changes.
//!
//! The first rule whose conditions all hold decides; a route that no rule matches is refused. RFC 8212 section 2 asks
//! for that with external neighbors; here it holds for internal ones too: a gateway learns what its configuration asks
//! for and nothing else. A refused route stays in the Adj-RIB-In, so that a later policy can take it up without asking
//! the neighbor again.
//!
//! A policy is data, not a program: it cannot loop, and what it does to a route depends on that route alone.

mod range;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::attributes::{Attributes, NextHop};
use crate::communities::{BadCommunity, Community, LargeCommunity};
use crate::originate::Originated;
use crate::prefix::Prefix;
use crate::types::Asn;

pub use range::{BadRange, PrefixRange};

/// What a rule does with the routes that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The route may be used or announced, with the rule's changes.
    Accept,
    /// The route is kept aside.
    Reject,
}

/// A community of a kind that policies can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AnyCommunity {
    /// RFC 1997.
    Standard(Community),
    /// RFC 8092.
    Large(LargeCommunity),
}

impl fmt::Display for AnyCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(community) => community.fmt(f),
            Self::Large(community) => community.fmt(f),
        }
    }
}

impl FromStr for AnyCommunity {
    type Err = BadCommunity;

    fn from_str(text: &str) -> Result<Self, BadCommunity> {
        match text.matches(':').count() {
            2 => text.parse().map(Self::Large),
            _ => text.parse().map(Self::Standard),
        }
    }
}

/// What has to hold for a rule to match. An empty list asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The prefix is in one of these.
    pub prefixes: Vec<PrefixRange>,
    /// The route carries all of these.
    pub communities: Vec<AnyCommunity>,
    /// The shortest and longest AS path, as the decision process counts.
    pub as_path_length: Option<(u32, u32)>,
    /// The leftmost AS of the path is one of these.
    pub neighbor_as: Vec<Asn>,
    /// The next hop is in one of these.
    pub next_hops: Vec<Prefix>,
}

/// What a rule changes about a route that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// LOCAL_PREF.
    pub preference: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Communities to take away; before `add`.
    pub remove: Vec<AnyCommunity>,
    /// Communities to add.
    pub add: Vec<AnyCommunity>,
    /// How often our own AS is put in front, beyond what the route says. Only for routes to be announced.
    pub prepend: u8,
    /// The next hop. Ignored for routes of the other family.
    pub next_hop: Option<IpAddr>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// When it matches.
    pub conditions: Conditions,
    /// What it does then.
    pub verdict: Verdict,
    /// What it changes when it accepts.
    pub changes: Changes,
}

impl Rule {
    /// Accepts the prefixes of a range as they are.
    pub fn accept(range: PrefixRange) -> Self {
        let conditions = Conditions { prefixes: vec![range], ..Conditions::default() };
        Self { conditions, verdict: Verdict::Accept, changes: Changes::default() }
    }

    /// Refuses the prefixes of a range.
    pub fn reject(range: PrefixRange) -> Self {
        Self { verdict: Verdict::Reject, ..Self::accept(range) }
    }
}

/// Ordered rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The rules in their order.
    pub rules: Vec<Rule>,
}

/// What a policy makes of a received route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It may not be used.
    Refused,
    /// It is used as it came.
    Unchanged,
    /// It is used with these attributes.
    Changed(Box<Attributes>),
}

/// What the conditions look at.
#[derive(Clone, Copy)]
struct Subject<'a> {
    prefix: Prefix,
    communities: &'a [Community],
    large_communities: &'a [LargeCommunity],
    as_path_length: u32,
    neighbor_as: Option<Asn>,
    next_hop: Option<IpAddr>,
}

impl Policy {
    /// Takes nothing.
    pub const fn deny_all() -> Self {
        Self { rules: Vec::new() }
    }

    /// What becomes of a route that a neighbor announced.
    pub fn import(&self, prefix: Prefix, attributes: &Attributes) -> Imported {
        let subject = Subject {
            prefix,
            communities: &attributes.communities,
            large_communities: &attributes.large_communities,
            as_path_length: u32::try_from(attributes.as_path.decision_length()).unwrap_or(u32::MAX),
            neighbor_as: attributes.as_path.neighbor_as(),
            next_hop: Some(attributes.next_hop.address()),
        };
        let Some(changes) = self.judge(subject) else { return Imported::Refused };
        // Most rules change nothing, and every route of a full table comes by here.
        if *changes == Changes::default() {
            return Imported::Unchanged;
        }
        let changed = changes.apply(attributes.clone());
        if changed == *attributes { Imported::Unchanged } else { Imported::Changed(Box::new(changed)) }
    }

    /// The route as it is to be announced; `None` when it is not to be.
    pub fn export(&self, mut route: Originated) -> Option<Originated> {
        let subject = Subject {
            prefix: route.prefix,
            communities: &route.communities,
            large_communities: &route.large_communities,
            as_path_length: u32::from(route.prepend),
            neighbor_as: None,
            next_hop: None,
        };
        let changes = self.judge(subject)?;
        route.local_pref = changes.preference.or(route.local_pref);
        route.med = changes.med.or(route.med);
        route.prepend = route.prepend.saturating_add(changes.prepend);
        route.next_hop = changes.next_hop.or(route.next_hop);
        route.communities = changes.standard(&route.communities);
        route.large_communities = changes.large(&route.large_communities);
        Some(route)
    }

    fn judge(&self, subject: Subject<'_>) -> Option<&Changes> {
        let rule = self.rules.iter().find(|rule| rule.conditions.hold(subject))?;
        match rule.verdict {
            Verdict::Accept => Some(&rule.changes),
            Verdict::Reject => None,
        }
    }
}

impl FromIterator<Rule> for Policy {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self { rules: rules.into_iter().collect() }
    }
}

impl Conditions {
    fn hold(&self, subject: Subject<'_>) -> bool {
        let carries = |community: &AnyCommunity| match community {
            AnyCommunity::Standard(community) => subject.communities.contains(community),
            AnyCommunity::Large(community) => subject.large_communities.contains(community),
        };
        let one_of = |list: &[Prefix], address: Option<IpAddr>| {
            list.is_empty()
                || address
                    .is_some_and(|address| list.iter().any(|prefix| prefix.covers(Prefix::host(address))))
        };
        (self.prefixes.is_empty() || self.prefixes.iter().any(|range| range.matches(subject.prefix)))
            && self.communities.iter().all(carries)
            && self
                .as_path_length
                .is_none_or(|(least, most)| (least..=most).contains(&subject.as_path_length))
            && (self.neighbor_as.is_empty()
                || subject.neighbor_as.is_some_and(|asn| self.neighbor_as.contains(&asn)))
            && one_of(&self.next_hops, subject.next_hop)
    }
}

impl Changes {
    fn apply(&self, mut attributes: Attributes) -> Attributes {
        attributes.local_pref = self.preference.or(attributes.local_pref);
        attributes.med = self.med.or(attributes.med);
        if !self.remove.is_empty() || !self.add.is_empty() {
            attributes.communities = self.standard(&attributes.communities).into();
            attributes.large_communities = self.large(&attributes.large_communities).into();
        }
        attributes.next_hop = match (attributes.next_hop, self.next_hop) {
            (NextHop::V4(_), Some(IpAddr::V4(address))) => NextHop::V4(address),
            (NextHop::V6 { .. }, Some(IpAddr::V6(address))) => NextHop::V6 { address, link_local: None },
            (came, Some(_) | None) => came,
        };
        attributes
    }

    fn standard(&self, came: &[Community]) -> Vec<Community> {
        let pick = |any: &AnyCommunity| match any {
            AnyCommunity::Standard(community) => Some(*community),
            AnyCommunity::Large(_) => None,
        };
        self.changed(came, pick)
    }

    fn large(&self, came: &[LargeCommunity]) -> Vec<LargeCommunity> {
        let pick = |any: &AnyCommunity| match any {
            AnyCommunity::Standard(_) => None,
            AnyCommunity::Large(community) => Some(*community),
        };
        self.changed(came, pick)
    }

    fn changed<T: Copy + PartialEq>(&self, came: &[T], pick: impl Fn(&AnyCommunity) -> Option<T>) -> Vec<T> {
        let removed: Vec<_> = self.remove.iter().filter_map(&pick).collect();
        let mut kept: Vec<_> =
            came.iter().copied().filter(|community| !removed.contains(community)).collect();
        for added in self.add.iter().filter_map(&pick) {
            if !kept.contains(&added) {
                kept.push(added);
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests;
