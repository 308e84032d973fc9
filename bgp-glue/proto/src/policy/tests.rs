use std::net::Ipv4Addr;

use super::*;
use crate::attributes::AsPath;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

fn community(text: &str) -> AnyCommunity {
    text.parse().unwrap()
}

fn attributes() -> Attributes {
    let as_path = AsPath::sequence(&[Asn(65001), Asn(65009)]);
    Attributes {
        communities: [Community(65001 << 16 | 1), Community(65001 << 16 | 2)].into(),
        large_communities: [LargeCommunity([65001, 1, 1])].into(),
        ..Attributes::originated(as_path, NextHop::V4(Ipv4Addr::new(192, 0, 2, 2)))
    }
}

fn rule(conditions: Conditions, changes: Changes) -> Rule {
    Rule { conditions, verdict: Verdict::Accept, changes }
}

#[test]
fn no_rule_means_no_route() {
    assert_eq!(Policy::deny_all().import(prefix("0.0.0.0/0"), &attributes()), Imported::Refused);
    assert_eq!(Policy::deny_all().export(Originated::new(prefix("10.0.0.0/8"))), None);
}

#[test]
fn ranges_match_as_a_table_says() {
    let ten = prefix("10.0.0.0/8");
    let rows = [
        (None, None, "10.0.0.0/8", true),
        (None, None, "10.1.0.0/16", false),
        (Some(16), None, "10.0.0.0/8", false),
        (Some(16), None, "10.1.1.1/32", true),
        (None, Some(24), "10.0.0.0/8", true),
        (None, Some(24), "10.1.1.0/25", false),
        (Some(16), Some(24), "10.2.0.0/15", false),
        (Some(16), Some(24), "10.1.0.0/16", true),
        (None, Some(32), "11.0.0.0/8", false),
        (None, Some(32), "2001:db8::/32", false),
    ];
    for (ge, le, candidate, expected) in rows {
        let range = PrefixRange::new(ten, ge, le).unwrap();
        assert_eq!(range.matches(prefix(candidate)), expected, "ge {ge:?} le {le:?} {candidate}");
    }
}

#[test]
fn range_outside_of_the_prefix_is_refused() {
    for (ge, le) in [(Some(7), None), (None, Some(7)), (Some(24), Some(16)), (None, Some(33))] {
        assert!(PrefixRange::new(prefix("10.0.0.0/8"), ge, le).is_err());
    }
}

#[test]
fn first_matching_rule_decides() {
    let policy = Policy::from_iter([
        Rule::reject(PrefixRange::all_within(prefix("10.9.0.0/16"))),
        Rule::accept(PrefixRange::all_within(prefix("10.0.0.0/8"))),
    ]);
    assert_eq!(policy.import(prefix("10.8.0.0/16"), &attributes()), Imported::Unchanged);
    assert_eq!(policy.import(prefix("10.9.1.0/24"), &attributes()), Imported::Refused);
}

#[test]
fn every_condition_of_a_rule_has_to_hold() {
    let all = Conditions {
        prefixes: vec![PrefixRange::exact(prefix("10.0.0.0/8")), PrefixRange::exact(prefix("10.1.0.0/16"))],
        communities: vec![community("65001:1"), community("65001:1:1")],
        as_path_length: Some((1, 2)),
        neighbor_as: vec![Asn(65001), Asn(65002)],
        next_hops: vec![prefix("192.0.2.0/24")],
    };
    let accepts = |conditions: Conditions| {
        let policy = Policy::from_iter([rule(conditions, Changes::default())]);
        policy.import(prefix("10.1.0.0/16"), &attributes()) == Imported::Unchanged
    };
    assert!(accepts(all.clone()));
    assert!(accepts(Conditions::default()), "nothing asked, everything matched");
    let spoilt: [fn(&mut Conditions); 5] = [
        |all| all.prefixes = vec![PrefixRange::exact(prefix("10.0.0.0/8"))],
        |all| all.communities.push(community("65001:3")),
        |all| all.as_path_length = Some((3, 9)),
        |all| all.neighbor_as = vec![Asn(65009)],
        |all| all.next_hops = vec![prefix("198.51.100.0/24")],
    ];
    for (index, spoil) in spoilt.into_iter().enumerate() {
        let mut conditions = all.clone();
        spoil(&mut conditions);
        assert!(!accepts(conditions), "condition {index}");
    }
}

#[test]
fn changes_are_made_to_the_copy_that_is_used() {
    let changes = Changes {
        preference: Some(200),
        med: Some(5),
        remove: vec![community("65001:1"), community("65001:1:1")],
        add: vec![community("no-export"), community("65001:2"), community("1:2:3")],
        prepend: 0,
        next_hop: Some(Ipv4Addr::new(192, 0, 2, 9).into()),
    };
    let policy = Policy::from_iter([rule(Conditions::default(), changes)]);
    let Imported::Changed(changed) = policy.import(prefix("10.0.0.0/8"), &attributes()) else { panic!() };
    assert_eq!((changed.local_pref, changed.med), (Some(200), Some(5)));
    assert_eq!(changed.communities[..], [Community(65001 << 16 | 2), Community::NO_EXPORT]);
    assert_eq!(changed.large_communities[..], [LargeCommunity([1, 2, 3])]);
    assert_eq!(changed.next_hop.to_string(), "192.0.2.9");
}

#[test]
fn export_adds_to_what_the_route_says() {
    let changes = Changes {
        preference: None,
        med: Some(5),
        add: vec![community("graceful-shutdown")],
        prepend: 2,
        next_hop: Some(Ipv4Addr::new(203, 0, 113, 1).into()),
        ..Changes::default()
    };
    let policy = Policy::from_iter([rule(Conditions::default(), changes)]);
    let route = Originated { prepend: 3, local_pref: Some(7), ..Originated::new(prefix("10.0.0.0/8")) };
    let exported = policy.export(route).unwrap();
    assert_eq!((exported.prepend, exported.local_pref, exported.med), (5, Some(7), Some(5)));
    assert_eq!(exported.communities, [Community::GRACEFUL_SHUTDOWN]);
    assert_eq!(exported.next_hop, Some(Ipv4Addr::new(203, 0, 113, 1).into()));
}
