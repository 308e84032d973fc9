//! Which of several paths is the best one: RFC 4271 section 9.1.2.2, in its order.
//!
//! 1. highest LOCAL_PREF (100 where none came)
//! 2. shortest AS_PATH
//! 3. lowest ORIGIN
//! 4. lowest MULTI_EXIT_DISC among paths of one neighboring AS (0 where none came)
//! 5. external before internal
//! 6. lowest identifier of the neighbor
//! 7. lowest address of the neighbor
//!
//! Step 4 compares only some pairs, so it is no order by itself. It is made one as the standard means it: within each
//! neighboring AS the best path is found by all steps, then the winners are compared without step 4. So the result
//! depends on the set of paths, never on their order of arrival ("deterministic MED").
//!
//! Left out: the interior cost of next hops (section 9.1.2.2 e): every next hop counts as directly connected.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::attributes::Attributes;
use crate::types::{Asn, PeerKind, RouterId};

/// LOCAL_PREF of a path that came without.
const DEFAULT_LOCAL_PREF: u32 = 100;

/// What the decision process made of a path: the best, or why it cannot be used, or the first step at which it lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The best path; it is in use.
    Best,
    /// The import policy does not name the prefix.
    RefusedByPolicy,
    /// Our own AS is in the path (RFC 4271 section 9.1.2).
    AsLoop,
    /// The next hop is an address of our own (RFC 4271 section 6.3).
    NextHopIsOurs,
    /// Another path has a higher LOCAL_PREF.
    LocalPref,
    /// Another path has a shorter AS_PATH.
    AsPathLength,
    /// Another path has a better ORIGIN.
    Origin,
    /// Another path of the same neighboring AS has a lower MULTI_EXIT_DISC.
    Med,
    /// Another path comes from an external neighbor.
    External,
    /// Another path comes from a neighbor with a lower identifier.
    RouterId,
    /// Another path comes from a neighbor with a lower address.
    Address,
}

/// Who announced a path, as far as the decision is concerned. Ordered as the last step orders.
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
}

/// One usable path.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its attributes.
    pub attributes: &'a Attributes,
    /// Who announced it.
    pub source: Source,
}

/// Which paths the step for MULTI_EXIT_DISC compares.
#[derive(Clone, Copy)]
enum Med {
    Compare,
    Skip,
}

/// The best of the paths, as an index; `None` when there are none.
pub fn best(candidates: &[Candidate<'_>]) -> Option<usize> {
    let winners = (0..candidates.len()).filter(|index| loss_in_group(candidates, *index).is_none());
    winners.min_by(|a, b| compare(&candidates[*a], &candidates[*b], Med::Skip).0)
}

/// For each path [`Why::Best`] or the step at which it lost.
pub fn explain(candidates: &[Candidate<'_>]) -> Vec<Why> {
    let Some(best) = best(candidates) else { return Vec::new() };
    let why = |index: usize| {
        if index == best {
            Why::Best
        } else if let Some(why) = loss_in_group(candidates, index) {
            why
        } else {
            compare(&candidates[best], &candidates[index], Med::Skip).1
        }
    };
    (0..candidates.len()).map(why).collect()
}

/// Why the path is not the best of its neighboring AS, against the best of that AS.
fn loss_in_group(candidates: &[Candidate<'_>], index: usize) -> Option<Why> {
    let path = &candidates[index];
    let group = candidates.iter().filter(|other| other.neighboring_as() == path.neighboring_as());
    let best = group.min_by(|a, b| compare(a, b, Med::Compare).0)?;
    match compare(best, path, Med::Compare) {
        (Ordering::Less, why) => Some(why),
        (Ordering::Equal | Ordering::Greater, _) => None,
    }
}

impl Candidate<'_> {
    /// RFC 4271 section 9.1.2.2 c: a path that began inside our AS belongs to our AS, which `None` stands for.
    fn neighboring_as(&self) -> Option<Asn> {
        self.attributes.as_path.neighbor_as()
    }

    fn local_pref(&self) -> u32 {
        self.attributes.local_pref.unwrap_or(DEFAULT_LOCAL_PREF)
    }
}

/// `Less` means that `a` is better; with it comes the first step that tells the two apart.
fn compare(a: &Candidate<'_>, b: &Candidate<'_>, med: Med) -> (Ordering, Why) {
    let (of_a, of_b) = (a.attributes, b.attributes);
    let med = match med {
        Med::Compare => of_a.med.unwrap_or(0).cmp(&of_b.med.unwrap_or(0)),
        Med::Skip => Ordering::Equal,
    };
    let steps = [
        (b.local_pref().cmp(&a.local_pref()), Why::LocalPref),
        (of_a.as_path.decision_length().cmp(&of_b.as_path.decision_length()), Why::AsPathLength),
        (of_a.origin.cmp(&of_b.origin), Why::Origin),
        (med, Why::Med),
        (a.source.kind.cmp(&b.source.kind), Why::External),
        (a.source.router_id.cmp(&b.source.router_id), Why::RouterId),
        (a.source.address.cmp(&b.source.address), Why::Address),
        (a.source.tie_breaker.cmp(&b.source.tie_breaker), Why::Address),
    ];
    steps.into_iter().find(|(order, _)| order.is_ne()).unwrap_or((Ordering::Equal, Why::Address))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::attributes::{AsPath, NextHop, Origin};

    fn source(number: u8) -> Source {
        Source {
            kind: PeerKind::External,
            router_id: Ipv4Addr::new(10, 0, 0, number).try_into().unwrap(),
            address: Ipv4Addr::new(192, 0, 2, number).into(),
            tie_breaker: u32::from(number),
        }
    }

    fn path(asns: &[u32]) -> Attributes {
        let as_path = AsPath::sequence(&asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>());
        Attributes::originated(as_path, NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)))
    }

    fn decide(paths: &[(Attributes, Source)]) -> Vec<Why> {
        let candidates: Vec<_> =
            paths.iter().map(|(attributes, source)| Candidate { attributes, source: *source }).collect();
        explain(&candidates)
    }

    #[test]
    fn each_step_decides_when_all_before_it_are_equal() {
        let plain = || (path(&[1, 2]), source(5));
        let with = |change: fn(&mut Attributes, &mut Source)| {
            let (mut attributes, mut source) = plain();
            change(&mut attributes, &mut source);
            (attributes, source)
        };
        // Each row is better by its step and worse by the next one.
        let rows = [
            (with(|a, _| (a.local_pref, a.as_path) = (Some(101), path(&[1, 2, 3]).as_path)), Why::LocalPref),
            (with(|a, _| (a.as_path, a.origin) = (path(&[1]).as_path, Origin::Egp)), Why::AsPathLength),
            (with(|a, _| a.med = Some(0)), Why::Med),
            (with(|_, s| s.router_id = source(4).router_id), Why::RouterId),
            (with(|_, s| s.address = source(4).address), Why::Address),
        ];
        for (better, why) in rows {
            let mut worse = plain();
            match why {
                Why::Med => worse.0.med = Some(1),
                Why::Best
                | Why::RefusedByPolicy
                | Why::AsLoop
                | Why::NextHopIsOurs
                | Why::LocalPref
                | Why::AsPathLength
                | Why::Origin
                | Why::External
                | Why::RouterId
                | Why::Address => {}
            }
            assert_eq!(decide(&[better.clone(), worse.clone()]), [Why::Best, why]);
            assert_eq!(decide(&[worse, better]), [why, Why::Best]);
        }
        let egp = with(|a, _| a.origin = Origin::Egp);
        assert_eq!(decide(&[plain(), egp]), [Why::Best, Why::Origin]);
        let internal = with(|_, s| (s.kind, s.router_id) = (PeerKind::Internal, source(1).router_id));
        assert_eq!(decide(&[internal, plain()]), [Why::External, Why::Best]);
    }

    #[test]
    fn med_counts_only_inside_of_one_neighboring_as() {
        let mut far = (path(&[1, 9]), source(2));
        far.0.med = Some(10);
        let near = (path(&[2, 9]), source(3));
        assert_eq!(decide(&[near, far]), [Why::RouterId, Why::Best]);
    }

    #[test]
    fn missing_med_is_zero_and_missing_local_pref_is_a_hundred() {
        let mut some = (path(&[1]), source(1));
        some.0.med = Some(1);
        assert_eq!(decide(&[some, (path(&[1]), source(2))]), [Why::Med, Why::Best]);
        let mut low = (path(&[1]), source(1));
        low.0.local_pref = Some(99);
        assert_eq!(decide(&[low, (path(&[1]), source(2))]), [Why::LocalPref, Why::Best]);
    }

    /// The classic trap: compared pair by pair, the three paths go round in a circle.
    #[test]
    fn med_makes_no_circle() {
        let mut a = (path(&[1]), source(3));
        a.0.med = Some(0);
        let b = (path(&[2]), source(2));
        let mut c = (path(&[1]), source(1));
        c.0.med = Some(10);
        assert_eq!(decide(&[a, b, c]), [Why::RouterId, Why::Best, Why::Med]);
    }

    fn any_paths() -> impl Strategy<Value = Vec<(Attributes, Source)>> {
        let one = (1..4_u32, 0..3_usize, 0..2_u32, 0..3_u32, any::<bool>(), 1..3_u8);
        proptest::collection::vec(one, 1..7).prop_map(|rows| {
            let path =
                |(index, (asn, more, pref, med, internal, id)): (usize, (u32, usize, u32, u32, bool, u8))| {
                    let mut attributes = path(&[&[asn][..], &[7, 7][..more]].concat());
                    attributes.local_pref = Some(100 + pref);
                    attributes.med = Some(med);
                    let mut source = source(u8::try_from(index).unwrap());
                    source.router_id = Ipv4Addr::new(10, 0, 0, id).try_into().unwrap();
                    source.kind = if internal { PeerKind::Internal } else { PeerKind::External };
                    (attributes, source)
                };
            rows.into_iter().enumerate().map(path).collect()
        })
    }

    proptest! {
        #[test]
        fn result_does_not_depend_on_the_order_of_arrival(
            (paths, shuffled) in any_paths().prop_flat_map(|paths| (Just(paths.clone()), Just(paths).prop_shuffle()))
        ) {
            let outcome = |paths: &[(Attributes, Source)]| {
                let mut rows: Vec<_> = paths.iter().map(|(_, source)| source.address).zip(decide(paths)).collect();
                rows.sort_by_key(|(address, _)| *address);
                rows
            };
            prop_assert_eq!(outcome(&paths), outcome(&shuffled));
        }

        /// Dropping a loser never changes the winner, unless it kept a path of its own AS from winning; so a chain of
        /// withdrawals and announcements cannot oscillate.
        #[test]
        fn dropping_every_loser_keeps_the_winner(paths in any_paths()) {
            let why = decide(&paths);
            let winner = why.iter().position(|why| *why == Why::Best).unwrap();
            prop_assert_eq!(why.iter().filter(|why| **why == Why::Best).count(), 1);
            prop_assert_eq!(decide(&paths[winner..=winner]), [Why::Best]);
        }
    }
}
