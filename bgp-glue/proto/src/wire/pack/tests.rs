use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::super::arbitrary::{any_attributes, any_prefix};
use super::super::header::{MAX_MESSAGE_LEN, first_frame};
use super::super::update::{Update, UpdateContext};
use super::*;
use crate::attributes::AsPath;
use crate::types::{Asn, Families};

const EXTERNAL: Encoding = Encoding::new(AsWidth::Four, PeerKind::External);

fn updates(mut stream: &[u8], encoding: Encoding) -> Vec<Update> {
    let context = UpdateContext {
        add_path: encoding.add_path,
        ..UpdateContext::new(encoding.as_width, encoding.kind, Families::ALL)
    };
    let mut updates = Vec::new();
    while let Some(frame) = first_frame(stream, MAX_MESSAGE_LEN).unwrap() {
        updates.push(Update::decode(frame.body, context).unwrap());
        stream = &stream[frame.wire_len()..];
    }
    assert!(stream.is_empty());
    updates
}

fn push_all(template: &Template, mut prefixes: &[Prefix]) -> Vec<u8> {
    let mut out = Vec::new();
    while !prefixes.is_empty() {
        let taken = template.push_update(prefixes, MAX_MESSAGE_LEN, &mut out);
        assert!(taken > 0);
        prefixes = &prefixes[taken..];
    }
    out
}

fn many(family: Family, count: u32) -> Vec<Prefix> {
    (0..count)
        .map(|index| match family {
            Family::Ipv4Unicast => Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + index).into()),
            Family::Ipv6Unicast => {
                Prefix::host(Ipv6Addr::from_bits((0x2001_0db8 << 96) + u128::from(index)).into())
            }
        })
        .collect()
}

#[test]
fn loopback_of_an_external_neighbor_is_written_octet_by_octet() {
    let attributes = Attributes::originated(
        AsPath::repeated(Asn(4_200_000_001), 3),
        NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)),
    );
    let mut out = Vec::new();
    let template = Template::new(&attributes, Family::Ipv4Unicast, EXTERNAL).unwrap();
    assert_eq!(template.push_update(&["203.0.113.1/32".parse().unwrap()], MAX_MESSAGE_LEN, &mut out), 1);
    #[rustfmt::skip]
    let expected = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 56, 2,
        0, 0, 0, 28,
        0x40, 1, 1, 0,
        0x40, 2, 14, 2, 3, 0xfa, 0x56, 0xea, 1, 0xfa, 0x56, 0xea, 1, 0xfa, 0x56, 0xea, 1,
        0x40, 3, 4, 192, 0, 2, 1,
        32, 203, 0, 113, 1,
    ];
    assert_eq!(out, expected);
}

#[test]
fn our_path_has_one_identifier_in_announcements_and_withdrawals_alike() {
    let encoding = Encoding { add_path: Families::ALL, ..EXTERNAL };
    let attributes = [
        (Family::Ipv4Unicast, NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))),
        (Family::Ipv6Unicast, NextHop::V6 { address: "2001:db8::1".parse().unwrap(), link_local: None }),
    ];
    for (family, next_hop) in attributes {
        let attributes = Attributes::originated(AsPath::repeated(Asn(65000), 1), next_hop);
        let prefixes = many(family, 3000);
        let mut stream = push_all(&Template::new(&attributes, family, encoding).unwrap(), &prefixes);
        let mut rest = &*prefixes;
        while !rest.is_empty() {
            let before = stream.len();
            rest = &rest[push_withdrawal(family, rest, encoding, MAX_MESSAGE_LEN, &mut stream)..];
            assert!(stream.len() - before <= MAX_MESSAGE_LEN);
        }
        let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
        for update in updates(&stream, encoding) {
            withdrawn.extend(update.withdrawn_ids.with(&update.withdrawn));
            let groups = update.announced.iter();
            announced.extend(groups.flat_map(|group| group.path_ids.with(&group.prefixes)));
        }
        let expected: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, OUR_PATH)).collect();
        assert_eq!((&announced, &withdrawn), (&expected, &expected));
    }
}

#[test]
fn two_octet_neighbor_gets_as_trans_and_as4_path() {
    let attributes = Attributes::originated(
        AsPath::repeated(Asn(4_200_000_001), 3),
        NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)),
    );
    let encoding = Encoding { as_width: AsWidth::Two, ..EXTERNAL };
    let out = push_all(
        &Template::new(&attributes, Family::Ipv4Unicast, encoding).unwrap(),
        &many(Family::Ipv4Unicast, 1),
    );
    let as_path = [0x40, 2, 8, 2, 3, 0x5b, 0xa0, 0x5b, 0xa0, 0x5b, 0xa0];
    assert!(out.windows(as_path.len()).any(|window| window == as_path));
    assert_eq!(updates(&out, encoding)[0].announced[0].attributes, attributes);
    // RFC 6793 section 4.2.2: not where two octets say it all.
    let small = Attributes::originated(AsPath::sequence(&[Asn(65001)]), attributes.next_hop);
    let out = push_all(
        &Template::new(&small, Family::Ipv4Unicast, encoding).unwrap(),
        &many(Family::Ipv4Unicast, 1),
    );
    assert!(!out.windows(2).any(|window| window == [0xc0, 17]));
}

#[test]
fn both_families_are_packed_up_to_the_limit() {
    let v6 = NextHop::V6 { address: "2001:db8::1".parse().unwrap(), link_local: None };
    for (family, next_hop) in
        [(Family::Ipv4Unicast, NextHop::V4(Ipv4Addr::new(192, 0, 2, 1))), (Family::Ipv6Unicast, v6)]
    {
        let attributes = Attributes::originated(AsPath::sequence(&[Asn(65001)]), next_hop);
        let prefixes = many(family, 10_000);
        let out = push_all(&Template::new(&attributes, family, EXTERNAL).unwrap(), &prefixes);
        let updates = updates(&out, EXTERNAL);
        let capacity = (MAX_MESSAGE_LEN - 80) / prefixes[0].wire_len();
        assert!(updates.len() <= prefixes.len().div_ceil(capacity), "{family}: {}", updates.len());
        let read: Vec<_> =
            updates.into_iter().flat_map(|update| update.announced[0].prefixes.clone()).collect();
        assert_eq!(read, prefixes);
    }
}

#[test]
fn withdrawals_are_packed_and_read_back() {
    for family in Family::ALL {
        let prefixes = many(family, 10_000);
        let (mut out, mut rest) = (Vec::new(), &*prefixes);
        while !rest.is_empty() {
            let taken = push_withdrawal(family, rest, EXTERNAL, MAX_MESSAGE_LEN, &mut out);
            rest = &rest[taken..];
        }
        let updates = updates(&out, EXTERNAL);
        assert!(updates.iter().all(|update| update.announced.is_empty() && update.end_of_rib.is_none()));
        assert_eq!(updates.into_iter().flat_map(|update| update.withdrawn).collect::<Vec<_>>(), prefixes);
    }
}

#[test]
fn end_of_rib_is_read_back() {
    for family in Family::ALL {
        let mut out = Vec::new();
        push_end_of_rib(family, &mut out);
        assert_eq!(updates(&out, EXTERNAL)[0].end_of_rib, Some(family));
    }
}

#[test]
fn attributes_that_do_not_fit_leave_nothing_behind() {
    let mut attributes =
        Attributes::originated(AsPath::sequence(&[Asn(65001)]), NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    attributes.communities = vec![crate::attributes::Community(1); 1100].into();
    let template = Template::new(&attributes, Family::Ipv4Unicast, EXTERNAL).unwrap();
    let mut out = Vec::new();
    assert_eq!(template.push_update(&many(Family::Ipv4Unicast, 1), MAX_MESSAGE_LEN, &mut out), 0);
    assert!(out.is_empty());
}

#[test]
fn next_hop_of_the_wrong_family_has_no_form() {
    let attributes = Attributes::originated(AsPath::default(), NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    assert!(Template::new(&attributes, Family::Ipv6Unicast, EXTERNAL).is_none());
}

fn any_family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4Unicast), Just(Family::Ipv6Unicast)]
}

proptest! {
    #[test]
    fn decode_undoes_encode(
        (family, attributes, prefixes) in any_family().prop_flat_map(|family| {
            (Just(family), any_attributes(family), proptest::collection::vec(any_prefix(family), 1..2000))
        })
    ) {
        let encoding = Encoding::new(AsWidth::Four, PeerKind::Internal);
        let out = push_all(&Template::new(&attributes, family, encoding).unwrap(), &prefixes);
        let mut read = Vec::new();
        for update in updates(&out, encoding) {
            prop_assert!(update.faults.is_empty() && update.withdrawn.is_empty());
            prop_assert_eq!(&update.announced[0].attributes, &attributes);
            read.extend_from_slice(&update.announced[0].prefixes);
        }
        prop_assert_eq!(read, prefixes);
    }

    /// What a two-octet neighbor passes on comes back whole. Sets and split sequences are put together by rule, so
    /// the path is compared number by number.
    #[test]
    fn two_octet_session_loses_no_as_number(attributes in any_attributes(Family::Ipv4Unicast)) {
        let encoding = Encoding::new(AsWidth::Two, PeerKind::Internal);
        let out = push_all(&Template::new(&attributes, Family::Ipv4Unicast, encoding).unwrap(), &many(Family::Ipv4Unicast, 1));
        let read = &updates(&out, encoding)[0].announced[0].attributes;
        prop_assert_eq!(read.as_path.asns().collect::<Vec<_>>(), attributes.as_path.asns().collect::<Vec<_>>());
        prop_assert_eq!(read.aggregator, attributes.aggregator);
    }
}
