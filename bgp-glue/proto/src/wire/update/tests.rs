use proptest::prelude::*;

use super::*;
use crate::types::Asn;
use crate::wire::notification::Reason;

pub(super) const FOUR: UpdateContext = UpdateContext::new(AsWidth::Four, PeerKind::External, Families::ALL);
const TWO: UpdateContext = UpdateContext { as_width: AsWidth::Two, ..FOUR };
const INTERNAL: UpdateContext = UpdateContext { kind: PeerKind::Internal, ..FOUR };

pub(super) const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
pub(super) const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
pub(super) const NEXT_HOP: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
const ROUTE: &[u8] = &[24, 198, 51, 100];
const MP_REACH: &[u8] = &[
    0x80, 14, 30, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 64, 0x20, 1, 0xd,
    0xb8, 0, 1, 0, 0,
];

pub(super) fn body(withdrawn: &[u8], attributes: &[&[u8]], routes: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let mut body = u16::try_from(withdrawn.len()).unwrap().to_be_bytes().to_vec();
    body.extend(withdrawn);
    body.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    body.extend(attributes);
    body.extend(routes);
    body
}

/// A good IPv4 announcement with one more attribute.
fn with(attribute: &[u8], context: UpdateContext) -> Result<Update, Notification> {
    let as_path: &[u8] = match context.as_width {
        AsWidth::Four => AS_PATH,
        AsWidth::Two => &[0x40, 2, 4, 2, 1, 0xfd, 0xe9],
    };
    Update::decode(&body(&[], &[ORIGIN, as_path, NEXT_HOP, attribute], ROUTE), context)
}

fn route() -> Prefix {
    "198.51.100.0/24".parse().unwrap()
}

#[test]
fn captured_announcement_is_read() {
    let update = with(&[], FOUR).unwrap();
    let [announcement] = &*update.announced else { panic!("{update:?}") };
    assert_eq!(announcement.prefixes, [route()]);
    assert_eq!(announcement.attributes.as_path.to_string(), "65001");
    assert_eq!(announcement.attributes.next_hop.to_string(), "192.0.2.1");
    assert!(update.faults.is_empty());
}

#[test]
fn announcement_of_the_other_family_is_read() {
    let update = Update::decode(&body(&[], &[MP_REACH, ORIGIN, AS_PATH], &[]), FOUR).unwrap();
    assert_eq!(update.announced[0].prefixes[0].to_string(), "2001:db8:1::/64");
    assert_eq!(update.announced[0].attributes.next_hop.to_string(), "2001:db8::1");
}

#[test]
fn both_families_in_one_message_are_two_announcements() {
    let update = Update::decode(&body(&[], &[ORIGIN, MP_REACH, NEXT_HOP, AS_PATH], ROUTE), FOUR).unwrap();
    assert_eq!(update.announced.len(), 2);
    assert_eq!(update.announced[1].prefixes, [route()]);
}

#[test]
fn two_addresses_of_a_next_hop_are_global_and_link_local() {
    let global = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let link_local = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
    let reach = |first: [u8; 16], second: [u8; 16]| {
        [&[0x80, 14, 38, 0, 2, 1, 32][..], &first, &second, &[0, 0]].concat()
    };
    for (first, second, expected) in [
        (global, link_local, "2001:db8::1 (fe80::9)"),
        ([0; 16], link_local, "fe80::9"),
        (link_local, link_local, "fe80::9"),
        (global, [0; 16], "2001:db8::1"),
    ] {
        let update =
            Update::decode(&body(&[], &[&reach(first, second), ORIGIN, AS_PATH], &[]), FOUR).unwrap();
        assert_eq!(update.announced[0].attributes.next_hop.to_string(), expected);
    }
    let update = Update::decode(&body(&[], &[&reach([0; 16], global), ORIGIN, AS_PATH], &[]), FOUR).unwrap();
    assert_eq!((update.announced.len(), update.withdrawn.len()), (0, 1), "nowhere to send packets");
}

#[test]
fn end_of_rib_is_known_for_each_family() {
    let update = Update::decode(&body(&[], &[], &[]), FOUR).unwrap();
    assert_eq!(update.end_of_rib, Some(Family::Ipv4Unicast));
    let update = Update::decode(&body(&[], &[&[0x80, 15, 3, 0, 2, 1]], &[]), FOUR).unwrap();
    assert_eq!(update, Update { end_of_rib: Some(Family::Ipv6Unicast), ..Update::default() });
}

#[test]
fn prefix_withdrawn_and_announced_at_once_is_in_both_lists() {
    let update = Update::decode(&body(ROUTE, &[ORIGIN, AS_PATH, NEXT_HOP], ROUTE), FOUR).unwrap();
    assert_eq!((update.withdrawn[0], update.announced[0].prefixes[0]), (route(), route()));
}

/// RFC 7606 section 7 and the RFCs it names: these cost the routes, never the session.
#[test]
fn malformed_attribute_withdraws_its_routes() {
    let rows: &[(&str, &[u8], UpdateContext)] = &[
        ("MED of 3 octets", &[0x80, 4, 3, 0, 0, 0], FOUR),
        ("MED with the flags of a well-known one", &[0x40, 4, 4, 0, 0, 0, 0], FOUR),
        ("LOCAL_PREF of 5 octets", &[0x40, 5, 5, 0, 0, 0, 0, 0], INTERNAL),
        ("COMMUNITIES of 5 octets", &[0xc0, 8, 5, 0, 0, 0, 0, 0], FOUR),
        ("COMMUNITIES, empty", &[0xc0, 8, 0], FOUR),
        ("LARGE_COMMUNITY of 13 octets", &[0xc0, 32, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], FOUR),
        ("LARGE_COMMUNITY, empty", &[0xc0, 32, 0], FOUR),
        ("LARGE_COMMUNITY not transitive", &[0x80, 32, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], FOUR),
        ("ORIGINATOR_ID of 3 octets", &[0x80, 9, 3, 0, 0, 0], INTERNAL),
        ("CLUSTER_LIST of 5 octets", &[0x80, 10, 5, 0, 0, 0, 0, 0], INTERNAL),
        ("ATOMIC_AGGREGATE with wrong flags", &[0x80, 6, 0], FOUR),
        ("attribute that overruns the field", &[0xc0, 8, 200, 0, 0], FOUR),
        ("two octets left over", &[0xc0, 8], FOUR),
    ];
    for (name, attribute, context) in rows {
        let update = with(attribute, *context).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&*update.withdrawn, update.announced.len()), (&[route()][..], 0), "{name}");
        assert_eq!(update.faults.len(), 1, "{name}: {:?}", update.faults);
    }
}

#[test]
fn malformed_mandatory_attribute_withdraws_its_routes() {
    let rows: &[(&str, [&[u8]; 3])] = &[
        ("ORIGIN 3", [&[0x40, 1, 1, 3], AS_PATH, NEXT_HOP]),
        ("ORIGIN of 2 octets", [&[0x40, 1, 2, 0, 0], AS_PATH, NEXT_HOP]),
        ("ORIGIN optional", [&[0xc0, 1, 1, 0], AS_PATH, NEXT_HOP]),
        ("AS_PATH cut off", [ORIGIN, &[0x40, 2, 5, 2, 1, 0, 0, 0xfd], NEXT_HOP]),
        ("AS_PATH with a confederation", [ORIGIN, &[0x40, 2, 6, 3, 1, 0, 0, 0xfd, 0xe9], NEXT_HOP]),
        ("AS_PATH with AS 0", [ORIGIN, &[0x40, 2, 6, 2, 1, 0, 0, 0, 0], NEXT_HOP]),
        ("NEXT_HOP of 5 octets", [ORIGIN, AS_PATH, &[0x40, 3, 5, 192, 0, 2, 1, 0]]),
        ("NEXT_HOP loopback", [ORIGIN, AS_PATH, &[0x40, 3, 4, 127, 0, 0, 1]]),
        ("NEXT_HOP multicast", [ORIGIN, AS_PATH, &[0x40, 3, 4, 224, 0, 0, 1]]),
        ("NEXT_HOP unspecified", [ORIGIN, AS_PATH, &[0x40, 3, 4, 0, 0, 0, 0]]),
        ("no ORIGIN", [&[], AS_PATH, NEXT_HOP]),
        ("no AS_PATH", [ORIGIN, &[], NEXT_HOP]),
        ("no NEXT_HOP", [ORIGIN, AS_PATH, &[]]),
    ];
    for (name, attributes) in rows {
        let update = Update::decode(&body(&[], attributes, ROUTE), FOUR)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((&*update.withdrawn, update.announced.len()), (&[route()][..], 0), "{name}");
        assert_eq!(update.faults.len(), 1, "{name}: {:?}", update.faults);
    }
}

#[test]
fn malformed_attribute_that_can_be_spared_is_discarded() {
    let rows: &[(&str, &[u8], UpdateContext)] = &[
        ("ATOMIC_AGGREGATE with a value", &[0x40, 6, 1, 0], FOUR),
        ("AGGREGATOR of 6 octets on a four-octet session", &[0xc0, 7, 6, 0, 1, 1, 1, 1, 1], FOUR),
        ("AGGREGATOR of 8 octets on a two-octet session", &[0xc0, 7, 8, 0, 0, 0, 1, 1, 1, 1, 1], TWO),
        ("AGGREGATOR of AS 0", &[0xc0, 7, 8, 0, 0, 0, 0, 1, 1, 1, 1], FOUR),
        ("LOCAL_PREF from outside", &[0x40, 5, 4, 0, 0, 0, 200], FOUR),
        ("ORIGINATOR_ID from outside", &[0x80, 9, 4, 1, 1, 1, 1], FOUR),
        ("CLUSTER_LIST from outside", &[0x80, 10, 3, 1, 1, 1], FOUR),
        ("AS4_PATH from a four-octet speaker", &[0xc0, 17, 6, 2, 1, 0, 1, 0, 0], FOUR),
        ("AS4_PATH that is malformed", &[0xc0, 17, 3, 2, 1, 0], TWO),
        ("second ORIGIN", &[0x40, 1, 1, 2], FOUR),
        ("routes of a family that is not negotiated", &[0x80, 14, 5, 0, 25, 70, 0, 0], FOUR),
    ];
    for (name, attribute, context) in rows {
        let update = with(attribute, *context).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(update.announced[0].prefixes, [route()], "{name}");
        let [fault] = &*update.faults else { panic!("{name}: {:?}", update.faults) };
        assert_eq!(fault.disposition, Disposition::AttributeDiscard, "{name}");
        assert_eq!(update.announced[0].attributes.origin, crate::attributes::Origin::Igp, "{name}");
    }
}

#[test]
fn only_what_hides_the_routes_ends_the_session() {
    let rows: &[(&str, Vec<u8>, Reason)] = &[
        ("withdrawn length overruns", vec![0, 9, 24, 1, 1, 1], reason::MALFORMED_ATTRIBUTES),
        ("attribute length overruns", vec![0, 0, 0, 9, 1], reason::MALFORMED_ATTRIBUTES),
        (
            "prefix of 33 bits",
            body(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[33, 1, 1, 1, 1, 1]),
            reason::BAD_NETWORK,
        ),
        ("withdrawn prefix cut off", body(&[24, 1, 1], &[], &[]), reason::BAD_NETWORK),
        (
            "MP_REACH with 15 octets of next hop",
            body(&[], &[&[0x80, 14, 20, 0, 2, 1, 15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], &[]),
            reason::BAD_OPTIONAL_ATTRIBUTE,
        ),
        ("MP_UNREACH of 2 octets", body(&[], &[&[0x80, 15, 2, 0, 2]], &[]), reason::BAD_OPTIONAL_ATTRIBUTE),
        (
            "MP_UNREACH prefix of 129 bits",
            body(&[], &[&[0x80, 15, 4, 0, 2, 1, 129]], &[]),
            reason::BAD_NETWORK,
        ),
        (
            "two MP_REACH",
            body(&[], &[MP_REACH, MP_REACH, ORIGIN, AS_PATH], &[]),
            reason::MALFORMED_ATTRIBUTES,
        ),
        ("bad ORIGIN and no routes", body(&[], &[&[0x40, 1, 1, 9]], &[]), reason::MALFORMED_ATTRIBUTES),
        (
            "unknown well-known attribute",
            body(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &[0x40, 99, 1, 7]], ROUTE),
            reason::UNKNOWN_WELL_KNOWN,
        ),
    ];
    for (name, octets, expected) in rows {
        let error = Update::decode(octets, FOUR).unwrap_err();
        assert!(error.is(*expected), "{name}: {error}");
    }
}

#[test]
fn wrong_flags_of_mp_reach_withdraw_its_routes() {
    let mut flagged = MP_REACH.to_vec();
    flagged[0] = 0xc0;
    let update = Update::decode(&body(&[], &[&flagged, ORIGIN, AS_PATH], &[]), FOUR).unwrap();
    assert_eq!(update.withdrawn[0].to_string(), "2001:db8:1::/64");
}

#[test]
fn strongest_of_two_faults_counts() {
    let update = with(&[0x40, 6, 1, 0, 0x80, 4, 1, 0], FOUR).unwrap();
    assert_eq!((update.faults.len(), update.withdrawn.len(), update.announced.len()), (2, 1, 0));
}

#[test]
fn attributes_come_in_any_order_and_with_needless_length_octets() {
    let long_origin: &[u8] = &[0x50, 1, 0, 1, 0];
    let update = Update::decode(&body(&[], &[NEXT_HOP, AS_PATH, long_origin], ROUTE), FOUR).unwrap();
    assert_eq!(update.announced[0].prefixes, [route()]);
}

#[test]
fn unknown_optional_attribute_is_kept_only_if_transitive() {
    let kept = with(&[0xc0, 99, 2, 1, 2], FOUR).unwrap();
    assert_eq!(kept.announced[0].attributes.unknown[0].value[..], [1, 2]);
    let dropped = with(&[0x80, 99, 2, 1, 2], FOUR).unwrap();
    assert!(dropped.announced[0].attributes.unknown.is_empty() && dropped.faults.is_empty());
}

#[test]
fn repeated_large_community_is_kept_once() {
    let one = [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    let update = with(&[&[0xc0, 32, 24][..], &one, &one].concat(), FOUR).unwrap();
    assert_eq!(update.announced[0].attributes.large_communities.len(), 1);
}

#[test]
fn four_octet_path_is_restored_from_a_two_octet_speaker() {
    let short: &[u8] = &[0x40, 2, 8, 2, 3, 0xfd, 0xe9, 0x5b, 0xa0, 0x5b, 0xa0];
    let long: &[u8] = &[0xc0, 17, 10, 2, 2, 0xfa, 0x56, 0xea, 1, 0xfa, 0x56, 0xea, 2];
    let aggregators: [(&[u8], &[u8], &str, u32); 2] = [
        (
            &[0xc0, 7, 6, 0x5b, 0xa0, 1, 1, 1, 1],
            &[0xc0, 18, 8, 0xfa, 0x56, 0xea, 1, 2, 2, 2, 2],
            "65001 4200000001 4200000002",
            4_200_000_001,
        ),
        (
            &[0xc0, 7, 6, 0, 7, 1, 1, 1, 1],
            &[0xc0, 18, 8, 0xfa, 0x56, 0xea, 1, 2, 2, 2, 2],
            "65001 23456 23456",
            7,
        ),
    ];
    for (aggregator, as4_aggregator, path, asn) in aggregators {
        let attributes = [ORIGIN, short, NEXT_HOP, aggregator, long, as4_aggregator];
        let update = Update::decode(&body(&[], &attributes, ROUTE), TWO).unwrap();
        let attributes = &update.announced[0].attributes;
        assert_eq!(attributes.as_path.to_string(), path);
        assert_eq!(attributes.aggregator.unwrap().asn, Asn(asn));
    }
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_are_ignored() {
    let only6 = UpdateContext { families: Families::from_iter([Family::Ipv6Unicast]), ..FOUR };
    let update = Update::decode(&body(ROUTE, &[ORIGIN, AS_PATH, NEXT_HOP, MP_REACH], ROUTE), only6).unwrap();
    assert!(update.withdrawn.is_empty());
    assert_eq!(update.announced.len(), 1);
    assert_eq!(update.announced[0].prefixes[0].family(), Family::Ipv6Unicast);
}

fn any_context() -> impl Strategy<Value = UpdateContext> {
    let any_families = || {
        let of = |(v4, v6): (bool, bool)| {
            [(v4, Family::Ipv4Unicast), (v6, Family::Ipv6Unicast)].into_iter().filter(|(on, _)| *on)
        };
        any::<(bool, bool)>().prop_map(move |both| of(both).map(|(_, family)| family).collect::<Families>())
    };
    let families = (any_families(), any_families(), any_families());
    (any::<bool>(), any::<bool>(), families).prop_map(|(wide, internal, (other, paths, next_hops))| {
        UpdateContext {
            as_width: if wide { AsWidth::Four } else { AsWidth::Two },
            kind: if internal { PeerKind::Internal } else { PeerKind::External },
            families: other.with(Family::Ipv4Unicast),
            add_path: paths,
            ipv6_next_hops: next_hops,
        }
    })
}

proptest! {
    #[test]
    fn decode_never_panics(octets: Vec<u8>, context in any_context()) {
        let _ = Update::decode(&octets, context);
    }

    /// Damage in good messages gets deeper than noise does.
    #[test]
    fn damaged_message_never_panics_and_never_announces_a_withdrawn_fault(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        context in any_context(),
    ) {
        let aggregator: &[u8] = &[0xc0, 7, 8, 0, 0, 0, 7, 1, 1, 1, 1];
        let rest: &[u8] = &[0xc0, 8, 4, 0, 1, 0, 2, 0x80, 4, 4, 0, 0, 0, 1, 0x40, 6, 0];
        let mut octets = body(ROUTE, &[MP_REACH, ORIGIN, AS_PATH, NEXT_HOP, aggregator, rest], ROUTE);
        for (at, octet) in damage {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let _ = Update::decode(&octets[..cut.index(octets.len())], context);
        if let Ok(update) = Update::decode(&octets, context) {
            let withdraw = update.faults.iter().any(|fault| fault.disposition == Disposition::TreatAsWithdraw);
            prop_assert!(!withdraw || update.announced.is_empty());
        }
    }
}
