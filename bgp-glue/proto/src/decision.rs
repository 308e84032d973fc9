//! Which of several paths is the best one: RFC 4271 section 9.1.2.2, in its order.
//!
//! 0. not stale before stale, where the path is kept beyond its restart time (RFC 9494 section 4.3)
//! 1. highest LOCAL_PREF (100 where none came)
//! 2. shortest AS_PATH
//! 3. lowest ORIGIN
//! 4. lowest MULTI_EXIT_DISC among paths of one neighboring AS (0 where none came)
//! 5. external before internal
//! 6. lowest interior cost of the next hop
//! 7. lowest identifier of the neighbor, or of the originator where the route was reflected (RFC 4456 section 9)
//! 8. shortest CLUSTER_LIST (RFC 4456 section 9)
//! 9. lowest address of the neighbor, then lowest path identifier
//!
//! Step 4 compares only some pairs, so it is no order by itself. It is made one as the standard means it: within each
//! neighboring AS the best path is found by all steps, then the winners are compared without step 4. So the result
//! depends on the set of paths, never on their order of arrival ("deterministic MED").
//!
//! With multipath, paths that are equal to the best one up to step 6 are used beside it. Their AS paths have to be
//! the same, or, if that is relaxed, of the same length.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::net::IpAddr;

use crate::attributes::{Attributes, Origin};
use crate::types::{Asn, PeerKind, RouterId};

/// LOCAL_PREF of a path that came without.
pub const DEFAULT_LOCAL_PREF: u32 = 100;

/// What the decision process made of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The best path; it is in use.
    Best,
    /// As good as the best path up to the tie breaks; it is in use beside it.
    Multipath,
    /// It cannot be used, whatever others there are.
    Unusable(Obstacle),
    /// Another path is better at this step.
    Lost(Step),
}

/// Why a path cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// The import policy does not name the route.
    RefusedByPolicy,
    /// Our own AS is in the path more often than is allowed (RFC 4271 section 9.1.2).
    AsLoop,
    /// The next hop is an address of our own (RFC 4271 section 6.3).
    NextHopIsOurs,
    /// The kernel has no way to the next hop (RFC 4271 section 9.1.2).
    NextHopUnreachable,
    /// We brought the route into our AS ourselves (RFC 4456 section 8).
    OriginatorIsUs,
    /// The neighbor leaks a route of another provider or peer (RFC 9234 section 5).
    RouteLeak,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RefusedByPolicy => "refused by the import policy",
            Self::AsLoop => "our AS is in the path",
            Self::NextHopIsOurs => "the next hop is our own address",
            Self::NextHopUnreachable => "the next hop is unreachable",
            Self::OriginatorIsUs => "the originator is this router",
            Self::RouteLeak => "route leak: Only To Customer from a customer or peer",
        })
    }
}

/// The step at which a path lost, with its own value and that of the path it lost to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The path is kept only for want of a better one.
    Stale,
    /// LOCAL_PREF: higher is better.
    LocalPref(Compared<u32>),
    /// Length of AS_PATH: shorter is better.
    AsPathLength(Compared<u32>),
    /// ORIGIN: lower is better.
    Origin(Compared<Origin>),
    /// MULTI_EXIT_DISC of the same neighboring AS: lower is better.
    Med(Compared<u32>),
    /// The other path is external.
    External,
    /// Cost to the next hop: lower is better.
    InteriorCost(Compared<u32>),
    /// Identifier of the neighbor or originator: lower is better.
    RouterId(Compared<RouterId>),
    /// Length of CLUSTER_LIST: shorter is better.
    ClusterListLength(Compared<u32>),
    /// Address of the neighbor: lower is better.
    Address(Compared<IpAddr>),
    /// Number of the path among those of one neighbor: lower is better.
    PathId(Compared<u32>),
}

/// The values at the step at which a path lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compared<T> {
    /// That of the path that lost.
    pub this: T,
    /// That of the path that won.
    pub best: T,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale => f.write_str("stale"),
            Self::LocalPref(Compared { this, best }) => write!(f, "local preference {this} < {best}"),
            Self::AsPathLength(Compared { this, best }) => write!(f, "AS path length {this} > {best}"),
            Self::Origin(Compared { this, best }) => write!(f, "origin {this} > {best}"),
            Self::Med(Compared { this, best }) => write!(f, "MED {this} > {best}"),
            Self::External => f.write_str("internal, the best is external"),
            Self::InteriorCost(Compared { this, best }) => write!(f, "next hop cost {this} > {best}"),
            Self::RouterId(Compared { this, best }) => write!(f, "router id {this} > {best}"),
            Self::ClusterListLength(Compared { this, best }) => {
                write!(f, "cluster list length {this} > {best}")
            }
            Self::Address(Compared { this, best }) => write!(f, "neighbor address {this} > {best}"),
            Self::PathId(Compared { this, best }) => write!(f, "path id {this} > {best}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("best"),
            Self::Multipath => f.write_str("multipath"),
            Self::Unusable(obstacle) => write!(f, "unusable: {obstacle}"),
            Self::Lost(step) => write!(f, "lost at step: {step}"),
        }
    }
}

/// Who announced a path, as far as the decision is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    /// Internal or external.
    pub kind: PeerKind,
    /// The neighbor's identifier.
    pub router_id: RouterId,
    /// The neighbor's address.
    pub address: IpAddr,
    /// Tells apart neighbors with one address on two links.
    pub tie_breaker: u32,
    /// Tells apart the paths of one neighbor (RFC 7911); 0 without ADD-PATH.
    pub path_id: u32,
}

/// One usable path.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its attributes.
    pub attributes: &'a Attributes,
    /// Who announced it.
    pub source: Source,
    /// What it costs to reach its next hop; 0 on a connected link.
    pub cost: u32,
    /// Kept beyond the restart time of its neighbor (RFC 9494).
    pub stale: bool,
}

/// How many paths of a prefix are used at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multipath {
    /// The most paths, the best one included; at least 1.
    pub paths: u8,
    /// AS paths need to be of one length only, not the same.
    pub relax: bool,
}

impl Multipath {
    /// The best path alone.
    pub const OFF: Self = Self { paths: 1, relax: false };
}

impl Default for Multipath {
    fn default() -> Self {
        Self::OFF
    }
}

/// Everything that is compared. The order of the fields is the order of the steps, so that it is derived.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    stale: bool,
    local_pref: Reverse<u32>,
    as_path_length: u32,
    origin: Origin,
    med: u32,
    kind: PeerKind,
    cost: u32,
    router_id: RouterId,
    cluster_list_length: u32,
    address: IpAddr,
    tie_breaker: u32,
    path_id: u32,
}

impl Rank {
    fn of(candidate: &Candidate<'_>) -> Self {
        let Candidate { attributes, source, cost, stale } = candidate;
        Self {
            stale: *stale,
            local_pref: Reverse(attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)),
            as_path_length: count(attributes.as_path.decision_length()),
            origin: attributes.origin,
            med: attributes.med.unwrap_or(0),
            kind: source.kind,
            cost: *cost,
            router_id: attributes.originator_id.unwrap_or(source.router_id),
            cluster_list_length: count(attributes.cluster_list.len()),
            address: source.address,
            tie_breaker: source.tie_breaker,
            path_id: source.path_id,
        }
    }

    const fn without_med(self) -> Self {
        Self { med: 0, ..self }
    }

    /// Everything that multipath asks to be equal: the steps before the tie breaks.
    const fn merits(self) -> (bool, Reverse<u32>, u32, Origin, PeerKind, u32) {
        (self.stale, self.local_pref, self.as_path_length, self.origin, self.kind, self.cost)
    }

    /// The first step at which `self` loses to `best`.
    fn loss_to(&self, best: &Self) -> Step {
        if self.stale != best.stale {
            Step::Stale
        } else if self.local_pref != best.local_pref {
            Step::LocalPref(Compared { this: self.local_pref.0, best: best.local_pref.0 })
        } else if self.as_path_length != best.as_path_length {
            Step::AsPathLength(Compared { this: self.as_path_length, best: best.as_path_length })
        } else if self.origin != best.origin {
            Step::Origin(Compared { this: self.origin, best: best.origin })
        } else if self.med != best.med {
            Step::Med(Compared { this: self.med, best: best.med })
        } else if self.kind != best.kind {
            Step::External
        } else if self.cost != best.cost {
            Step::InteriorCost(Compared { this: self.cost, best: best.cost })
        } else if self.router_id != best.router_id {
            Step::RouterId(Compared { this: self.router_id, best: best.router_id })
        } else if self.cluster_list_length != best.cluster_list_length {
            Step::ClusterListLength(Compared {
                this: self.cluster_list_length,
                best: best.cluster_list_length,
            })
        } else if self.address != best.address || self.tie_breaker != best.tie_breaker {
            Step::Address(Compared { this: self.address, best: best.address })
        } else {
            Step::PathId(Compared { this: self.path_id, best: best.path_id })
        }
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The candidates with all that is compared about them.
struct Contest<'a> {
    candidates: &'a [Candidate<'a>],
    ranks: Vec<Rank>,
}

impl<'a> Contest<'a> {
    fn new(candidates: &'a [Candidate<'a>]) -> Self {
        Self { candidates, ranks: candidates.iter().map(Rank::of).collect() }
    }

    /// RFC 4271 section 9.1.2.2 c: a path that began inside our AS belongs to our AS, which `None` stands for.
    fn neighboring_as(&self, index: usize) -> Option<Asn> {
        self.candidates[index].attributes.as_path.neighbor_as()
    }

    /// The best path of the same neighboring AS, by all steps.
    fn best_of_group(&self, index: usize) -> usize {
        let group = self.neighboring_as(index);
        let better = (0..self.ranks.len())
            .filter(|other| self.ranks[*other] < self.ranks[index] && self.neighboring_as(*other) == group);
        better.min_by_key(|other| self.ranks[*other]).unwrap_or(index)
    }

    fn best(&self) -> Option<usize> {
        let winners = (0..self.ranks.len()).filter(|index| self.best_of_group(*index) == *index);
        winners.min_by_key(|index| self.ranks[*index].without_med())
    }

    /// Whether a path may be used beside the best one.
    fn equals(&self, best: usize, index: usize, relax: bool) -> bool {
        let path = |index: usize| &self.candidates[index].attributes.as_path;
        // A path that loses by its MED in its own AS is not as good as the best of another one.
        let same_med = self.ranks[self.best_of_group(index)].med == self.ranks[index].med;
        self.ranks[best].merits() == self.ranks[index].merits()
            && same_med
            && (relax || path(best) == path(index))
    }
}

/// The paths to use, as indices, the best one first; empty when there are none. Paths to one next hop count once.
pub fn select(candidates: &[Candidate<'_>], multipath: Multipath) -> Vec<usize> {
    let contest = Contest::new(candidates);
    contest.best().map_or_else(Vec::new, |best| chosen(&contest, best, multipath))
}

fn chosen(contest: &Contest<'_>, best: usize, multipath: Multipath) -> Vec<usize> {
    let mut chosen = vec![best];
    if multipath.paths > 1 {
        let mut equal: Vec<_> = (0..contest.ranks.len())
            .filter(|index| *index != best && contest.equals(best, *index, multipath.relax))
            .collect();
        equal.sort_unstable_by_key(|index| contest.ranks[*index].without_med());
        for index in equal {
            let next_hop = |index: usize| contest.candidates[index].attributes.next_hop;
            if chosen.len() < usize::from(multipath.paths)
                && chosen.iter().all(|other| next_hop(*other) != next_hop(index))
            {
                chosen.push(index);
            }
        }
    }
    chosen
}

/// For each path whether it is used, or the step at which it lost.
pub fn explain(candidates: &[Candidate<'_>], multipath: Multipath) -> Vec<Why> {
    let contest = Contest::new(candidates);
    let Some(best) = contest.best() else { return Vec::new() };
    let chosen = chosen(&contest, best, multipath);
    let why = |index: usize| match chosen.iter().position(|used| *used == index) {
        Some(0) => Why::Best,
        Some(_) => Why::Multipath,
        None => {
            let rank = &contest.ranks[index];
            let rival = contest.best_of_group(index);
            Why::Lost(match rank.cmp(&contest.ranks[rival]) {
                Ordering::Greater => rank.loss_to(&contest.ranks[rival]),
                Ordering::Equal | Ordering::Less => {
                    rank.without_med().loss_to(&contest.ranks[best].without_med())
                }
            })
        }
    };
    (0..candidates.len()).map(why).collect()
}

#[cfg(test)]
mod tests;
