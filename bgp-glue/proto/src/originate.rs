//! The routes that begin here, and what becomes of them towards each kind of neighbor.
//!
//! A whole set is one value, shared by all neighbors. What a neighbor has to be told is the difference between the set
//! that it knows and the set that is wanted, seen as that neighbor sees it: a change of the prepend count is no change
//! for an internal neighbor (RFC 4271 section 5.1.2 a), and a change of LOCAL_PREF none for an external one
//! (section 5.1.5). So there are no copies of routes per neighbor, and no UPDATE without a change.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::iter::Peekable;
use std::net::IpAddr;

use crate::attributes::{AsPath, Attributes, Community, LargeCommunity, NextHop};
use crate::hash::Seeded;
use crate::policy::Policy;
use crate::prefix::Prefix;
use crate::prepends::Prepends;
use crate::types::{Asn, Families, Family, PeerKind};

/// One route to announce. The rest of its attributes follows from the neighbor that hears it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Originated {
    /// What is announced.
    pub prefix: Prefix,
    /// How often our own AS is put in front beyond the one time that the protocol asks for. Only external neighbors
    /// see it: RFC 4271 section 5.1.2 leaves AS_PATH alone inside an AS.
    pub prepend: u8,
    /// LOCAL_PREF towards internal neighbors; 100 where nothing is given.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC towards every neighbor.
    pub med: Option<u32>,
    /// COMMUNITIES towards every neighbor.
    pub communities: Vec<Community>,
    /// LARGE_COMMUNITY towards every neighbor.
    pub large_communities: Vec<LargeCommunity>,
    /// The next hop; that of the session where none is given or it is of the other family.
    pub next_hop: Option<IpAddr>,
}

/// LOCAL_PREF where nothing is given: the value that every implementation takes for "no preference".
const DEFAULT_LOCAL_PREF: u32 = 100;

impl Originated {
    /// A plain route: no prepend, no MED, no communities.
    pub const fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            prepend: 0,
            local_pref: None,
            med: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            next_hop: None,
        }
    }
}

/// What routes have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Common {
    prepend: u8,
    local_pref: u32,
    med: Option<u32>,
    communities: Box<[Community]>,
    large_communities: Box<[LargeCommunity]>,
    next_hop: Option<IpAddr>,
}

impl Common {
    fn of(route: Originated) -> Self {
        let mut large_communities = route.large_communities;
        // RFC 8092 section 5: no duplicates are sent.
        large_communities.sort_unstable();
        large_communities.dedup();
        Self {
            prepend: route.prepend,
            local_pref: route.local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
            med: route.med,
            communities: route.communities.into(),
            large_communities: large_communities.into(),
            next_hop: route.next_hop,
        }
    }

    fn route(&self, prefix: Prefix) -> Originated {
        Originated {
            prefix,
            prepend: self.prepend,
            local_pref: Some(self.local_pref),
            med: self.med,
            communities: self.communities.to_vec(),
            large_communities: self.large_communities.to_vec(),
            next_hop: self.next_hop,
        }
    }

    /// Whether a neighbor of this kind can tell the two apart.
    fn looks_like(&self, other: &Self, kind: PeerKind) -> bool {
        let alike = match kind {
            PeerKind::External => self.prepend == other.prepend,
            PeerKind::Internal => self.local_pref == other.local_pref,
        };
        alike
            && self.med == other.med
            && self.communities == other.communities
            && self.large_communities == other.large_communities
            && self.next_hop == other.next_hop
    }

    fn attributes(&self, local_as: Asn, kind: PeerKind, family: Family, next_hop: NextHop) -> Attributes {
        // RFC 4271 section 5.1.2: our own AS, and that several times "under configuration", to the outside; an empty
        // path inside of the AS.
        let (as_path, local_pref) = match kind {
            PeerKind::External => (AsPath::repeated(local_as, 1 + usize::from(self.prepend)), None),
            PeerKind::Internal => (AsPath::default(), Some(self.local_pref)),
        };
        let next_hop = match (next_hop, self.next_hop) {
            // The session's own may be an IPv6 one (RFC 8950); every neighbor takes an IPv4 one for an IPv4 route.
            (_, Some(IpAddr::V4(address))) if family == Family::Ipv4Unicast => NextHop::V4(address),
            (NextHop::V6 { link_local, .. }, Some(IpAddr::V6(address))) => {
                NextHop::V6 { address, link_local: link_local.filter(|other| *other != address) }
            }
            (of_session, Some(_) | None) => of_session,
        };
        Attributes {
            med: self.med,
            local_pref,
            communities: self.communities.clone(),
            large_communities: self.large_communities.clone(),
            ..Attributes::originated(as_path, next_hop)
        }
    }
}

/// All routes that begin here. Cheap to compare, made once and shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginatedSet {
    /// Ordered by prefix, each once; the number says where in `common`.
    routes: Vec<(Prefix, u32)>,
    common: Vec<Common>,
    counts: [usize; 2],
    held_back: [usize; 2],
}

/// Where a prefix occurs more than once, the last one counts.
impl FromIterator<Originated> for OriginatedSet {
    fn from_iter<I: IntoIterator<Item = Originated>>(routes: I) -> Self {
        let mut numbers: HashMap<Common, u32, Seeded> = HashMap::default();
        let routes = routes.into_iter();
        let mut numbered: Vec<(Prefix, u32)> = Vec::with_capacity(routes.size_hint().0);
        // Most routes look like the one before them: those need no search.
        let mut last: Option<(Common, u32)> = None;
        for route in routes {
            let prefix = route.prefix;
            let common = Common::of(route);
            let number = match &last {
                Some((same, number)) if *same == common => *number,
                _ => {
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    let number = *numbers.entry(common.clone()).or_insert(next);
                    last = Some((common, number));
                    number
                }
            };
            numbered.push((prefix, number));
        }
        // A stable sort keeps the order of equal prefixes, so that of each run the last one is the last given.
        numbered.sort_by_key(|(prefix, _)| *prefix);
        numbered.reverse();
        numbered.dedup_by_key(|(prefix, _)| *prefix);
        numbered.reverse();
        let mut common: Vec<(Common, u32)> = numbers.into_iter().collect();
        common.sort_unstable_by_key(|(_, number)| *number);
        let v4 = numbered.partition_point(|(prefix, _)| prefix.family() == Family::Ipv4Unicast);
        Self {
            counts: [v4, numbered.len() - v4],
            held_back: [0; 2],
            routes: numbered,
            common: common.into_iter().map(|(common, _)| common).collect(),
        }
    }
}

/// What a neighbor of some kind has to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Prefixes to announce, in groups of equal attributes and one family.
    pub announced: Vec<Group>,
    /// Prefixes to withdraw, ordered.
    pub withdrawn: Vec<Prefix>,
}

/// Routes of one family that a neighbor sees with the same attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Their family.
    pub family: Family,
    /// The prefixes, ordered.
    pub prefixes: Vec<Prefix>,
    common: Common,
}

impl Group {
    /// Their attributes, towards a neighbor of this kind.
    pub fn attributes(&self, local_as: Asn, kind: PeerKind, next_hop: NextHop) -> Attributes {
        self.common.attributes(local_as, kind, self.family, next_hop)
    }
}

impl OriginatedSet {
    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// How many routes there are of the family.
    pub const fn count(&self, family: Family) -> usize {
        match family {
            Family::Ipv4Unicast => self.counts[0],
            Family::Ipv6Unicast => self.counts[1],
        }
    }

    /// Every route, ordered by prefix.
    pub fn routes(&self) -> impl Iterator<Item = Originated> {
        self.routes.iter().map(|(prefix, number)| self.common[*number as usize].route(*prefix))
    }

    /// What a neighbor with this export policy is to know. Made once for all neighbors of one policy.
    #[must_use]
    pub fn exported(&self, policy: &Policy) -> Self {
        self.routes().filter_map(|route| policy.export(route)).collect()
    }

    /// The first `most` routes of each family, in the order of their prefixes: what a neighbor is told that takes no
    /// more. By the prefixes alone, so that two speakers with the same routes hold back the same ones.
    #[must_use]
    pub fn limited(&self, most: usize) -> Self {
        let mut left = [most; 2];
        let mut kept: Self = self
            .routes()
            .filter(|route| {
                let left = match route.prefix.family() {
                    Family::Ipv4Unicast => &mut left[0],
                    Family::Ipv6Unicast => &mut left[1],
                };
                let fits = *left > 0;
                *left = left.saturating_sub(1);
                fits
            })
            .collect();
        kept.held_back = [0, 1].map(|family| self.counts[family] - kept.counts[family]);
        kept
    }

    /// How many routes [`Self::limited`] left out.
    pub const fn held_back(&self) -> usize {
        self.held_back[0] + self.held_back[1]
    }

    /// How many of one family.
    pub const fn held_back_of(&self, family: Family) -> usize {
        match family {
            Family::Ipv4Unicast => self.held_back[0],
            Family::Ipv6Unicast => self.held_back[1],
        }
    }

    /// The same routes with the prepend counts of a table.
    #[must_use]
    pub fn prepended(&self, prepends: &Prepends) -> Self {
        self.routes().map(|route| Originated { prepend: prepends.of(route.prepend), ..route }).collect()
    }

    /// What takes a neighbor of this kind from `self` to `wanted`, as far as these families go.
    pub fn difference(&self, wanted: &Self, kind: PeerKind, families: Families) -> Difference {
        let mut groups = Sorter::new(wanted, kind);
        let mut withdrawn = Vec::new();
        let mut have = self.of_families(families);
        let mut want = wanted.of_families(families);
        loop {
            match next_of_both(&mut have, &mut want) {
                Next::Have((prefix, _)) => withdrawn.push(prefix),
                Next::Want(route) => groups.push(route),
                Next::Both((_, have), (prefix, want)) => {
                    let (have, wanted) = (&self.common[have as usize], &wanted.common[want as usize]);
                    if !have.looks_like(wanted, kind) {
                        groups.push((prefix, want));
                    }
                }
                Next::End => break,
            }
        }
        Difference { announced: groups.groups, withdrawn }
    }

    fn of_families(&self, families: Families) -> Peekable<impl Iterator<Item = (Prefix, u32)>> {
        self.routes.iter().copied().filter(move |(prefix, _)| families.contains(prefix.family())).peekable()
    }
}

enum Next {
    Have((Prefix, u32)),
    Want((Prefix, u32)),
    Both((Prefix, u32), (Prefix, u32)),
    End,
}

fn next_of_both(
    have: &mut Peekable<impl Iterator<Item = (Prefix, u32)>>,
    want: &mut Peekable<impl Iterator<Item = (Prefix, u32)>>,
) -> Next {
    let order = match (have.peek(), want.peek()) {
        (Some(have), Some(want)) => have.0.cmp(&want.0),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => return Next::End,
    };
    match order {
        Ordering::Less => have.next().map_or(Next::End, Next::Have),
        Ordering::Greater => want.next().map_or(Next::End, Next::Want),
        Ordering::Equal => match (have.next(), want.next()) {
            (Some(have), Some(want)) => Next::Both(have, want),
            (_, _) => Next::End,
        },
    }
}

/// Sorts routes into groups that a neighbor of one kind cannot tell apart.
struct Sorter<'a> {
    set: &'a OriginatedSet,
    kind: PeerKind,
    groups: Vec<Group>,
    /// By family and number of the attributes: which group.
    index: [Vec<Option<usize>>; 2],
}

impl<'a> Sorter<'a> {
    fn new(set: &'a OriginatedSet, kind: PeerKind) -> Self {
        let none = vec![None; set.common.len()];
        Self { set, kind, groups: Vec::new(), index: [none.clone(), none] }
    }

    fn push(&mut self, (prefix, number): (Prefix, u32)) {
        let family = prefix.family();
        let number = number as usize;
        let common = &self.set.common[number];
        let index = match family {
            Family::Ipv4Unicast => &mut self.index[0],
            Family::Ipv6Unicast => &mut self.index[1],
        };
        let at = *index[number].get_or_insert_with(|| {
            let same = |group: &Group| group.family == family && group.common.looks_like(common, self.kind);
            self.groups.iter().position(same).unwrap_or_else(|| {
                self.groups.push(Group { family, prefixes: Vec::new(), common: common.clone() });
                self.groups.len() - 1
            })
        });
        self.groups[at].prefixes.push(prefix);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn route(prefix: &str, prepend: u8, local_pref: Option<u32>) -> Originated {
        Originated { prepend, local_pref, ..Originated::new(prefix.parse().unwrap()) }
    }

    fn set(routes: &[(&str, u8, Option<u32>)]) -> OriginatedSet {
        routes.iter().map(|(prefix, prepend, local_pref)| route(prefix, *prepend, *local_pref)).collect()
    }

    #[test]
    fn last_of_equal_prefixes_counts() {
        let twice = set(&[("10.0.0.0/8", 1, None), ("10.0.0.0/8", 3, None)]);
        assert_eq!((twice.len(), twice.count(Family::Ipv4Unicast)), (1, 1));
        let difference = OriginatedSet::default().difference(&twice, PeerKind::External, Families::ALL);
        let next_hop = NextHop::V4([192, 0, 2, 1].into());
        let attributes = difference.announced[0].attributes(Asn(65000), PeerKind::External, next_hop);
        assert_eq!(attributes.as_path.to_string(), "65000 65000 65000 65000");
    }

    #[test]
    fn more_than_a_neighbor_takes_is_held_back_by_prefix_alone() {
        let texts = ["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8", "2001:db8::/32"];
        let up: OriginatedSet = texts.iter().map(|prefix| route(prefix, 1, None)).collect();
        let down: OriginatedSet = texts.iter().rev().map(|prefix| route(prefix, 1, None)).collect();
        let kept = up.limited(2);
        let prefixes: Vec<_> = kept.routes().map(|route| route.prefix.to_string()).collect();
        assert_eq!(prefixes, ["10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"]);
        assert_eq!((kept.held_back(), up.limited(3).held_back(), up.limited(3)), (1, 0, up));
        assert_eq!(down.limited(2), kept, "both chassis hold back the same");
    }

    #[test]
    fn no_change_is_no_difference() {
        let one = set(&[("10.0.0.0/8", 1, None), ("2001:db8::/32", 1, None)]);
        assert_eq!(one.difference(&one.clone(), PeerKind::External, Families::ALL), Difference::default());
    }

    #[test]
    fn prepend_is_no_change_inside_and_local_pref_none_outside() {
        let before = set(&[("10.0.0.0/8", 1, Some(100))]);
        let prepended = set(&[("10.0.0.0/8", 2, None)]);
        let preferred = set(&[("10.0.0.0/8", 1, Some(200))]);
        let changes =
            |after: &OriginatedSet, kind| before.difference(after, kind, Families::ALL).announced.len();
        assert_eq!(changes(&prepended, PeerKind::External), 1);
        assert_eq!(changes(&prepended, PeerKind::Internal), 0);
        assert_eq!(changes(&preferred, PeerKind::External), 0);
        assert_eq!(changes(&preferred, PeerKind::Internal), 1);
    }

    #[test]
    fn routes_that_look_alike_are_one_group() {
        let wanted = set(&[("10.0.0.0/8", 1, None), ("11.0.0.0/8", 2, None), ("2001:db8::/32", 1, None)]);
        let groups = |kind| {
            let difference = OriginatedSet::default().difference(&wanted, kind, Families::ALL);
            difference.announced.iter().map(|group| group.prefixes.len()).collect::<Vec<_>>()
        };
        assert_eq!(groups(PeerKind::External), [1, 1, 1]);
        assert_eq!(groups(PeerKind::Internal), [2, 1]);
    }

    #[test]
    fn internal_neighbor_gets_an_empty_path_and_a_preference() {
        let wanted = set(&[("10.0.0.0/8", 9, None)]);
        let difference = OriginatedSet::default().difference(&wanted, PeerKind::Internal, Families::ALL);
        let next_hop = NextHop::V4([192, 0, 2, 1].into());
        let attributes = difference.announced[0].attributes(Asn(65000), PeerKind::Internal, next_hop);
        assert!(attributes.as_path.is_empty());
        assert_eq!(attributes.local_pref, Some(100));
    }

    #[test]
    fn other_families_are_left_alone() {
        let wanted = set(&[("10.0.0.0/8", 1, None), ("2001:db8::/32", 1, None)]);
        let only6 = Families::from_iter([Family::Ipv6Unicast]);
        let there = OriginatedSet::default().difference(&wanted, PeerKind::External, only6);
        assert_eq!(there.announced.len(), 1);
        let back = wanted.difference(&OriginatedSet::default(), PeerKind::External, only6);
        assert_eq!(back.withdrawn, ["2001:db8::/32".parse().unwrap()]);
    }

    fn any_routes() -> impl Strategy<Value = Vec<Originated>> {
        let prefix = (0..12_u8, any::<bool>())
            .prop_map(|(n, v6)| if v6 { format!("2001:db8:{n}::/48") } else { format!("10.{n}.0.0/16") });
        let one = (prefix, 0..3_u8, proptest::option::of(100..102_u32))
            .prop_map(|(prefix, prepend, local_pref)| route(&prefix, prepend, local_pref));
        proptest::collection::vec(one, 0..20)
    }

    proptest! {
        /// Applying the difference to what a neighbor has gives what it should have, and every change is a real one.
        #[test]
        fn difference_leads_from_have_to_want(have in any_routes(), want in any_routes(), internal: bool) {
            let kind = if internal { PeerKind::Internal } else { PeerKind::External };
            let seen = |routes: &[Originated]| -> BTreeMap<Prefix, u32> {
                let value = |route: &Originated| match kind {
                    PeerKind::External => u32::from(route.prepend),
                    PeerKind::Internal => route.local_pref.unwrap_or(100),
                };
                routes.iter().map(|route| (route.prefix, value(route))).collect()
            };
            let mut table = seen(&have);
            let (have, want_set): (OriginatedSet, OriginatedSet) =
                (have.into_iter().collect(), want.iter().cloned().collect());
            let difference = have.difference(&want_set, kind, Families::ALL);
            for prefix in difference.withdrawn {
                prop_assert!(table.remove(&prefix).is_some());
            }
            for group in difference.announced {
                let value = match kind {
                    PeerKind::External => u32::from(group.common.prepend),
                    PeerKind::Internal => group.common.local_pref,
                };
                for prefix in group.prefixes {
                    prop_assert_ne!(table.insert(prefix, value), Some(value));
                }
            }
            prop_assert_eq!(table, seen(&want));
        }
    }
}
