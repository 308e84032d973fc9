//! What path identifiers (RFC 7911) and IPv6 next hops of IPv4 routes (RFC 8950) change about UPDATE.

use super::tests::{AS_PATH, FOUR, NEXT_HOP, ORIGIN, body};
use super::*;
use crate::wire::attribute::{MP_REACH, MP_UNREACH, OPTIONAL};

const PATHS: UpdateContext = UpdateContext { add_path: Families::ALL, ..FOUR };
const NEXT_HOPS: UpdateContext =
    UpdateContext { ipv6_next_hops: Families::NONE.with(Family::Ipv4Unicast), ..FOUR };
/// 198.51.100.0/24 as path 1 and as path 2.
const TWICE: &[u8] = &[0, 0, 0, 1, 24, 198, 51, 100, 0, 0, 0, 2, 24, 198, 51, 100];

fn read(body: &[u8], context: UpdateContext) -> Update {
    Update::decode(body, context).expect("the session stays")
}

fn told(prefixes: &[Prefix], ids: &PathIds) -> Vec<String> {
    ids.with(prefixes).map(|(prefix, id)| format!("{prefix} {id}")).collect()
}

fn attribute(code: u8, value: &[&[u8]]) -> Vec<u8> {
    let value = value.concat();
    [&[OPTIONAL, code, u8::try_from(value.len()).unwrap()][..], &value].concat()
}

fn v4_reach(next_hop: &[u8]) -> Vec<u8> {
    let length = [u8::try_from(next_hop.len()).unwrap()];
    attribute(MP_REACH, &[&[0, 1, 1], &length, next_hop, &[0, 24, 198, 51, 100]])
}

const GLOBAL: &[u8] = &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const LINK_LOCAL: &[u8] = &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

#[test]
fn paths_of_one_prefix_are_told_apart_in_every_field() {
    let update = read(&body(TWICE, &[ORIGIN, AS_PATH, NEXT_HOP], TWICE), PATHS);
    let both = ["198.51.100.0/24 1", "198.51.100.0/24 2"];
    assert_eq!(told(&update.withdrawn, &update.withdrawn_ids), both);
    assert_eq!(told(&update.announced[0].prefixes, &update.announced[0].path_ids), both);

    let v6: &[u8] = &[0, 0, 0, 9, 32, 0x20, 1, 0xd, 0xb8];
    let reach = attribute(MP_REACH, &[&[0, 2, 1, 16], GLOBAL, &[0], v6]);
    let update = read(&body(&[], &[&reach, ORIGIN, AS_PATH], &[]), PATHS);
    assert_eq!(told(&update.announced[0].prefixes, &update.announced[0].path_ids), ["2001:db8::/32 9"]);
    let unreach = attribute(MP_UNREACH, &[&[0, 2, 1], v6]);
    let update = read(&body(TWICE, &[&unreach], &[]), PATHS);
    assert_eq!(told(&update.withdrawn, &update.withdrawn_ids), [both[0], both[1], "2001:db8::/32 9"]);
}

#[test]
fn one_family_may_have_path_identifiers_and_the_other_none() {
    let context = UpdateContext { add_path: Families::NONE.with(Family::Ipv4Unicast), ..FOUR };
    let unreach = attribute(MP_UNREACH, &[&[0, 2, 1, 32, 0x20, 1, 0xd, 0xb8]]);
    let update = read(&body(&TWICE[..8], &[&unreach], &[]), context);
    assert_eq!(told(&update.withdrawn, &update.withdrawn_ids), ["198.51.100.0/24 1", "2001:db8::/32 0"]);
}

#[test]
fn path_whose_attributes_are_malformed_is_withdrawn_and_no_other_path() {
    let update = read(&body(&[], &[&[0x40, 1, 1, 9], AS_PATH, NEXT_HOP], &TWICE[8..]), PATHS);
    assert_eq!(told(&update.withdrawn, &update.withdrawn_ids), ["198.51.100.0/24 2"]);
    assert!(update.announced.is_empty());
}

#[test]
fn prefixes_that_cannot_be_told_apart_end_the_session() {
    for cut_off in [&TWICE[..3], &TWICE[..7], &[0, 0, 0, 1, 33, 1, 2, 3, 4, 5]] {
        let decoded = Update::decode(&body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], cut_off), PATHS);
        assert!(decoded.is_err_and(|notification| notification.is(reason::BAD_NETWORK)), "{cut_off:?}");
    }
}

#[test]
fn end_of_rib_has_no_path_identifier() {
    assert_eq!(read(&body(&[], &[], &[]), PATHS).end_of_rib, Some(Family::Ipv4Unicast));
    let unreach = attribute(MP_UNREACH, &[&[0, 2, 1]]);
    assert_eq!(read(&body(&[], &[&unreach], &[]), PATHS).end_of_rib, Some(Family::Ipv6Unicast));
}

#[test]
fn ipv4_route_takes_an_ipv6_next_hop_only_where_it_was_agreed_on() {
    let rows: [(&[&[u8]], &str); 4] = [
        (&[GLOBAL], "2001:db8::2"),
        (&[LINK_LOCAL], "fe80::2"),
        (&[GLOBAL, LINK_LOCAL], "2001:db8::2 (fe80::2)"),
        (&[&[0; 16], LINK_LOCAL], "fe80::2"),
    ];
    for (octets, next_hop) in rows {
        let message = body(&[], &[&v4_reach(&octets.concat()), ORIGIN, AS_PATH], &[]);
        let update = read(&message, NEXT_HOPS);
        assert_eq!(update.announced[0].attributes.next_hop.to_string(), next_hop);
        assert_eq!(update.announced[0].prefixes[0].to_string(), "198.51.100.0/24");
        // RFC 7606 section 7.11: another length than was expected.
        let refused = Update::decode(&message, FOUR);
        assert!(refused.is_err_and(|notification| notification.is(reason::BAD_OPTIONAL_ATTRIBUTE)));
    }
}

#[test]
fn ipv4_route_without_a_usable_ipv6_next_hop_is_withdrawn_and_one_of_a_wrong_length_ends_the_session() {
    let update = read(&body(&[], &[&v4_reach(&[0; 16]), ORIGIN, AS_PATH], &[]), NEXT_HOPS);
    assert_eq!((update.announced.len(), update.withdrawn.len()), (0, 1));
    for length in [0, 8, 12, 24, 48] {
        let reach = v4_reach(&vec![0x20; length]);
        let decoded = Update::decode(&body(&[], &[&reach, ORIGIN, AS_PATH], &[]), NEXT_HOPS);
        assert!(decoded.is_err(), "{length} octets");
    }
}
