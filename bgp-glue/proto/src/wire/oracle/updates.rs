//! UPDATE: every case of `cases/updates.txt`, any routes in both directions, and damaged cases.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rustbgpd_wire as other;
use rustbgpd_wire::{ErrorDisposition, PathAttribute};

use super::cases::{self, Case, Outcome};
use super::differences::{Compared, DIFFERENCES};
use super::{runner, translate};
use crate::attributes::{AsPath, AsPathBuilder, Attributes, NextHop, SegmentKind};
use crate::prefix::Prefix;
use crate::types::{Families, Family, PeerKind};
use crate::wire::arbitrary::{any_attributes, any_prefix};
use crate::wire::header::{HEADER_LEN, MAX_MESSAGE_LEN};
use crate::wire::pack::{Encoding, Template, push_end_of_rib, push_withdrawal};
use crate::wire::update::{AsWidth, Disposition, Update, UpdateContext};

/// What a codec makes of an UPDATE.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub outcome: Outcome,
    pub withdrawn: BTreeSet<Prefix>,
    pub announced: BTreeMap<Prefix, Attributes>,
}

impl Reading {
    fn reset(code: u8, subcode: u8) -> Self {
        let outcome = Outcome::Reset { code, subcode };
        Self { outcome, withdrawn: BTreeSet::new(), announced: BTreeMap::new() }
    }
}

fn context(session: cases::Session) -> UpdateContext {
    let width = if session.two_octets { AsWidth::Two } else { AsWidth::Four };
    let kind = if session.internal { PeerKind::Internal } else { PeerKind::External };
    UpdateContext::new(width, kind, Families::ALL)
}

/// Neighboring sequences as one: RFC 6793 section 4.2.3 does not say where the segments of a path end that was put
/// together from AS_PATH and AS4_PATH.
fn joined(path: &AsPath) -> AsPath {
    let mut builder = AsPathBuilder::default();
    let mut sequence = Vec::new();
    for segment in path.segments() {
        match segment.kind {
            SegmentKind::Sequence => sequence.extend(segment.asns()),
            SegmentKind::Set => {
                builder.push(SegmentKind::Sequence, &std::mem::take(&mut sequence));
                builder.push(SegmentKind::Set, &segment.asns().collect::<Vec<_>>());
            }
        }
    }
    builder.push(SegmentKind::Sequence, &sequence);
    builder.build()
}

/// A prefix that is withdrawn and announced is announced (RFC 4271 section 4.3).
fn reading(
    worst: Option<Disposition>,
    mut withdrawn: BTreeSet<Prefix>,
    mut announced: BTreeMap<Prefix, Attributes>,
) -> Reading {
    withdrawn.retain(|prefix| !announced.contains_key(prefix));
    for attributes in announced.values_mut() {
        attributes.as_path = joined(&attributes.as_path);
    }
    let outcome = match worst {
        Some(Disposition::TreatAsWithdraw) => Outcome::Withdraw,
        Some(Disposition::AttributeDiscard) => Outcome::Discard,
        None if !announced.is_empty() => Outcome::Announced,
        None if !withdrawn.is_empty() => Outcome::Withdrawn,
        None => Outcome::Ignored,
    };
    Reading { outcome, withdrawn, announced }
}

pub(super) fn by_ours(body: &[u8], session: cases::Session) -> Reading {
    let update = match Update::decode(body, context(session)) {
        Ok(update) => update,
        Err(notification) => return Reading::reset(notification.code, notification.subcode),
    };
    let announced = update
        .announced
        .iter()
        .flat_map(|group| group.prefixes.iter().map(|prefix| (*prefix, group.attributes.clone())))
        .collect();
    let worst = update.faults.iter().map(|fault| fault.disposition).max();
    reading(worst, update.withdrawn.iter().copied().collect(), announced)
}

pub(super) fn by_other(body: &[u8], session: cases::Session) -> Reading {
    let fatal = |error: other::DecodeError| {
        let (code, subcode, _) = error.to_notification();
        Reading::reset(code.as_u8(), subcode)
    };
    let parsed = other::UpdateMessage::decode(&mut &*body, body.len())
        .and_then(|message| message.parse_revised(!session.two_octets, session.internal, false, &[]));
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return fatal(error),
    };
    let attributes = &parsed.update.attributes;
    let mut worst = parsed.malformed.iter().map(|fault| fault.disposition).max();
    let mut withdrawn = translate::prefixes_of_v4(&parsed.update.withdrawn);
    let classic = translate::prefixes_of_v4(&parsed.update.announced);
    let mut routes: Vec<(NextHop, BTreeSet<Prefix>)> = Vec::new();
    for attribute in attributes {
        match attribute {
            PathAttribute::MpReachNlri(reach) if translate::family_of(reach.afi, reach.safi).is_some() => {
                let next_hop = match reach.next_hop {
                    std::net::IpAddr::V4(address) => NextHop::V4(address),
                    std::net::IpAddr::V6(address) => {
                        NextHop::V6 { address, link_local: reach.link_local_next_hop }
                    }
                };
                routes.push((next_hop, translate::prefixes_of(&reach.announced)));
            }
            PathAttribute::MpUnreachNlri(unreach)
                if translate::family_of(unreach.afi, unreach.safi).is_some() =>
            {
                withdrawn.extend(translate::prefixes_of(&unreach.withdrawn));
            }
            PathAttribute::NextHop(address) if !classic.is_empty() => {
                routes.push((NextHop::V4(*address), classic.clone()));
            }
            _ => {}
        }
    }
    let reachable = !classic.is_empty() || routes.iter().any(|(_, prefixes)| !prefixes.is_empty());
    let (has_body, external) = (!classic.is_empty(), !session.internal);
    if let Err(error) = other::validate::validate_update_attributes(attributes, reachable, has_body, external)
    {
        worst = worst.max(Some(error.disposition));
        if error.disposition == ErrorDisposition::SessionReset {
            return Reading::reset(3, error.subcode);
        }
    }
    let announced_prefixes = routes.iter().flat_map(|(_, prefixes)| prefixes).chain(&classic);
    let worst = worst.map(|worst| match worst {
        ErrorDisposition::AttributeDiscard => Disposition::AttributeDiscard,
        ErrorDisposition::TreatAsWithdraw | ErrorDisposition::SessionReset => Disposition::TreatAsWithdraw,
    });
    if worst == Some(Disposition::TreatAsWithdraw) {
        withdrawn.extend(announced_prefixes);
        // RFC 7606 section 5.2 is left to who uses it.
        return if reachable { reading(worst, withdrawn, BTreeMap::new()) } else { Reading::reset(3, 1) };
    }
    let mut announced = BTreeMap::new();
    for (next_hop, prefixes) in routes {
        let Some(values) = translate::attributes_of(attributes, next_hop) else { continue };
        announced.extend(prefixes.into_iter().map(|prefix| (prefix, values.clone())));
    }
    reading(worst, withdrawn, announced)
}

/// Which differences were met, and what no difference explains.
#[derive(Default)]
struct Tally {
    met: BTreeSet<&'static str>,
    unexplained: Vec<String>,
}

impl Tally {
    fn compare(&mut self, case: &Case, body: &[u8]) {
        let session = case.session;
        let (ours, others) = (by_ours(body, session), by_other(body, session));
        if ours == others {
            return;
        }
        let compared = Compared { session, body, ours: &ours, other: &others };
        match DIFFERENCES.iter().find(|difference| (difference.applies)(&compared)) {
            Some(difference) => drop(self.met.insert(difference.name)),
            None => {
                self.unexplained.push(format!("{case}: {body:02x?}\n  ours   {ours:?}\n  other  {others:?}"));
            }
        }
    }
}

#[test]
fn every_case_means_the_same_to_both_or_differs_by_a_named_rule() {
    let mut tally = Tally::default();
    for case in cases::all() {
        tally.compare(&case, &case.body);
    }
    assert!(tally.unexplained.is_empty(), "{}", tally.unexplained.join("\n"));
}

/// Both sides of a session, each of which may know two octets only.
fn any_session() -> impl Strategy<Value = cases::Session> {
    (any::<bool>(), any::<bool>()).prop_map(|(internal, two_octets)| cases::Session { internal, two_octets })
}

fn any_routes(family: Family) -> impl Strategy<Value = (Attributes, BTreeSet<Prefix>, cases::Session)> {
    (any_attributes(family), prop::collection::btree_set(any_prefix(family), 1..20), any_session()).prop_map(
        |(mut attributes, prefixes, session)| {
            if session.internal {
                attributes.local_pref.get_or_insert(100);
            } else {
                // What only internal neighbors are told.
                attributes.local_pref = None;
                attributes.originator_id = None;
                attributes.cluster_list = Box::default();
            }
            // Unassigned numbers: it knows some attributes that we do not.
            attributes.unknown.iter_mut().for_each(|unknown| unknown.type_code = unknown.type_code.max(200));
            (attributes, prefixes, session)
        },
    )
}

/// Neither finds fault, and both read these routes.
fn agree(
    body: &[u8],
    session: cases::Session,
    routes: &BTreeMap<Prefix, Attributes>,
) -> Result<(), TestCaseError> {
    for reading in [by_ours(body, session), by_other(body, session)] {
        prop_assert_eq!(reading.outcome, Outcome::Announced);
        prop_assert_eq!(&reading.announced, routes);
    }
    Ok(())
}

#[test]
fn any_routes_are_read_as_they_were_written_both_ways() {
    for family in Family::ALL {
        let test = |(attributes, prefixes, session): (Attributes, BTreeSet<Prefix>, cases::Session)| {
            let prefixes: Vec<_> = prefixes.into_iter().collect();
            let joined = Attributes { as_path: joined(&attributes.as_path), ..attributes.clone() };
            let routes = prefixes.iter().map(|prefix| (*prefix, joined.clone())).collect();

            let context = context(session);
            let encoding = Encoding::new(context.as_width, context.kind);
            let template =
                Template::new(&attributes, family, encoding).expect("the next hop is of the family");
            let mut message = Vec::new();
            let taken = template.push_update(&prefixes, MAX_MESSAGE_LEN, &mut message);
            prop_assert_eq!(taken, prefixes.len());
            agree(&message[HEADER_LEN..], session, &routes)?;

            let classic = family == Family::Ipv4Unicast;
            let mut values = translate::attributes_to_other(&attributes, classic);
            let announced = if classic {
                translate::v4_entries(&prefixes)
            } else {
                values.insert(0, translate::mp_reach(attributes.next_hop, &prefixes, family));
                Vec::new()
            };
            let theirs = other::UpdateMessage::try_build(
                &announced,
                &[],
                &values,
                !session.two_octets,
                false,
                other::Ipv4UnicastMode::Body,
            );
            let mut message = Vec::new();
            theirs.expect("it can be said").encode(&mut message).expect("it fits");
            agree(&message[HEADER_LEN..], session, &routes)
        };
        runner(600).run(&any_routes(family), test).unwrap();
    }
}

#[test]
fn any_withdrawals_are_read_as_they_were_written_both_ways() {
    for family in Family::ALL {
        let any = (prop::collection::btree_set(any_prefix(family), 0..40), any_session());
        let test = |(prefixes, session): (BTreeSet<Prefix>, cases::Session)| {
            let list: Vec<_> = prefixes.iter().copied().collect();
            let mut ours = Vec::new();
            if list.is_empty() {
                push_end_of_rib(family, &mut ours);
            } else {
                let encoding = Encoding::new(AsWidth::Four, PeerKind::External);
                push_withdrawal(family, &list, encoding, MAX_MESSAGE_LEN, &mut ours);
            }
            let classic = family == Family::Ipv4Unicast;
            let withdrawn = if classic { translate::v4_entries(&list) } else { Vec::new() };
            let values = if classic { Vec::new() } else { vec![translate::mp_unreach(&list, family)] };
            let mode = other::Ipv4UnicastMode::Body;
            let theirs = other::UpdateMessage::try_build(&[], &withdrawn, &values, true, false, mode);
            let mut message = Vec::new();
            theirs.expect("it can be said").encode(&mut message).expect("it fits");
            for body in [&ours[HEADER_LEN..], &message[HEADER_LEN..]] {
                for reading in [by_ours(body, session), by_other(body, session)] {
                    prop_assert_eq!(&reading.withdrawn, &prefixes);
                    let due = if list.is_empty() { Outcome::Ignored } else { Outcome::Withdrawn };
                    prop_assert_eq!(reading.outcome, due);
                }
            }
            Ok(())
        };
        runner(200).run(&any, test).unwrap();
    }
}

/// A case with up to three octets changed, or cut.
fn any_damaged_case() -> impl Strategy<Value = (Case, Vec<u8>)> {
    let cases = cases::all();
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    (any::<prop::sample::Index>(), damage, prop::option::of(any::<prop::sample::Index>())).prop_map(
        move |(case, damage, cut)| {
            let case = case.get(&cases).clone();
            let mut body = case.body.clone();
            for (at, octet) in damage {
                let at = at.index(body.len());
                body[at] = octet;
            }
            if let Some(cut) = cut {
                body.truncate(cut.index(body.len() * 4).max(4));
            }
            (case, body)
        },
    )
}

#[test]
fn damaged_cases_mean_the_same_to_both_or_differ_by_a_named_rule() {
    let tally = RefCell::new(Tally::default());
    let test = |(case, body): (Case, Vec<u8>)| {
        tally.borrow_mut().compare(&case, &body);
        Ok(())
    };
    runner(20_000).run(&any_damaged_case(), test).unwrap();
    let Tally { met, unexplained } = tally.into_inner();
    assert!(unexplained.is_empty(), "{} messages\n{}", unexplained.len(), unexplained.join("\n"));
    // So that the table does not outlive its reasons.
    let idle: Vec<_> = DIFFERENCES.iter().map(|row| row.name).filter(|name| !met.contains(name)).collect();
    assert!(idle.is_empty(), "they do not differ by: {idle:#?}");
}
