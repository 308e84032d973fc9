//! OPEN, NOTIFICATION and ROUTE-REFRESH, any of them in both directions.

use std::net::Ipv4Addr;

use proptest::collection::vec;
use proptest::prelude::*;
use rustbgpd_wire as other;
use rustbgpd_wire::Capability as Other;

use super::{runner, translate};
use crate::types::{Asn, Families, Family, HoldTime, RouterId};
use crate::wire::capability::{Capability, GracefulRestart, LongLived, Role};
use crate::wire::header::{HEADER_LEN, push_notification};
use crate::wire::notification::Notification;
use crate::wire::open::Open;
use crate::wire::refresh::RouteRefresh;

fn any_families() -> impl Strategy<Value = Families> {
    (any::<bool>(), any::<bool>()).prop_map(|(v4, v6)| {
        let chosen = [(v4, Family::Ipv4Unicast), (v6, Family::Ipv6Unicast)];
        chosen.into_iter().filter(|(wanted, _)| *wanted).map(|(_, family)| family).collect()
    })
}

/// The other codec takes a capability whose list is empty for an unknown one.
fn some(families: Families) -> bool {
    families.iter().next().is_some()
}

fn any_capability() -> impl Strategy<Value = Capability> {
    let role = prop_oneof![
        Just(Role::Provider),
        Just(Role::RouteServer),
        Just(Role::RouteServerClient),
        Just(Role::Customer),
        Just(Role::Peer),
    ];
    let restart = (any::<bool>(), any::<bool>(), 0..=GracefulRestart::MAX_TIME_SECS, any_families());
    let long_lived = (prop::option::of(0_u32..1 << 24), prop::option::of(0_u32..1 << 24));
    prop_oneof![
        Just(Capability::MultiProtocol { afi: 1, safi: 1 }),
        Just(Capability::MultiProtocol { afi: 2, safi: 1 }),
        Just(Capability::RouteRefresh),
        Just(Capability::ExtendedMessage),
        Just(Capability::EnhancedRouteRefresh),
        any_families()
            .prop_filter("a list", |families| some(*families))
            .prop_map(Capability::ExtendedNextHop),
        role.prop_map(Capability::Role),
        (restart, any_families()).prop_map(|((restarted, notification, time_secs, families), kept)| {
            let forwarding = families.iter().filter(|family| kept.contains(*family)).collect();
            Capability::GracefulRestart(GracefulRestart {
                restarted,
                notification,
                time_secs,
                families,
                forwarding,
            })
        }),
        (long_lived, any::<bool>()).prop_map(|((ipv4_secs, ipv6_secs), kept)| {
            let named = [(ipv4_secs, Family::Ipv4Unicast), (ipv6_secs, Family::Ipv6Unicast)];
            let forwarding = named.into_iter().filter(|(secs, _)| kept && secs.is_some()).map(|row| row.1);
            Capability::LongLived(LongLived { ipv4_secs, ipv6_secs, forwarding: forwarding.collect() })
        }),
        (any_families().prop_filter("a list", |families| some(*families)), any_families())
            .prop_map(|(receive, send)| Capability::AddPath { receive, send }),
        (128..=255_u8, vec(any::<u8>(), 0..9))
            .prop_map(|(code, value)| Capability::Unknown { code, value: value.into() }),
    ]
}

fn any_open() -> impl Strategy<Value = Open> {
    let hold = prop_oneof![Just(0_u16), 3..=u16::MAX];
    // More than a few dozen need the parameters of RFC 9072.
    let capabilities = prop_oneof![vec(any_capability(), 0..12), vec(any_capability(), 60..90)];
    (1_u32.., hold, 1_u32.., capabilities).prop_map(|(asn, hold, id, mut capabilities)| {
        capabilities.push(Capability::FourOctetAs(Asn(asn)));
        Open {
            two_octet_as: Asn(asn).two_octets(),
            hold_time: HoldTime::try_from(hold).expect("neither 1 nor 2"),
            router_id: RouterId::try_from(Ipv4Addr::from_bits(id)).expect("not zero"),
            capabilities,
        }
    })
}

fn families<'a>(entries: impl Iterator<Item = (&'a other::Afi, &'a other::Safi)>) -> Families {
    entries.filter_map(|(afi, safi)| translate::family_of(*afi, *safi)).collect()
}

/// A capability of the other codec in our words.
fn capability_of(capability: &Other) -> Capability {
    match capability {
        Other::MultiProtocol { afi, safi } => {
            Capability::MultiProtocol { afi: *afi as u16, safi: *safi as u8 }
        }
        Other::RouteRefresh => Capability::RouteRefresh,
        Other::EnhancedRouteRefresh => Capability::EnhancedRouteRefresh,
        Other::ExtendedMessage => Capability::ExtendedMessage,
        Other::ExtendedNextHop(entries) => Capability::ExtendedNextHop(families(
            entries.iter().map(|entry| (&entry.nlri_afi, &entry.nlri_safi)),
        )),
        Other::FourOctetAs { asn } => Capability::FourOctetAs(Asn(*asn)),
        Other::Role { role } => Capability::Role(match role {
            other::BgpRole::Provider => Role::Provider,
            other::BgpRole::RouteServer => Role::RouteServer,
            other::BgpRole::RouteServerClient => Role::RouteServerClient,
            other::BgpRole::Customer => Role::Customer,
            other::BgpRole::Peer => Role::Peer,
            role => panic!("{role:?} is a role that we do not know"),
        }),
        Other::GracefulRestart { restart_state, notification, restart_time, families: entries } => {
            let kept = entries.iter().filter(|entry| entry.forwarding_preserved);
            Capability::GracefulRestart(GracefulRestart {
                restarted: *restart_state,
                notification: *notification,
                time_secs: *restart_time,
                families: families(entries.iter().map(|entry| (&entry.afi, &entry.safi))),
                forwarding: families(kept.map(|entry| (&entry.afi, &entry.safi))),
            })
        }
        Other::LongLivedGracefulRestart(entries) => {
            let secs = |family| {
                let mut of = entries
                    .iter()
                    .filter(|entry| translate::family_of(entry.afi, entry.safi) == Some(family));
                of.next().map(|entry| entry.stale_time)
            };
            let kept = entries.iter().filter(|entry| entry.forwarding_preserved);
            Capability::LongLived(LongLived {
                ipv4_secs: secs(Family::Ipv4Unicast),
                ipv6_secs: secs(Family::Ipv6Unicast),
                forwarding: families(kept.map(|entry| (&entry.afi, &entry.safi))),
            })
        }
        Other::AddPath(entries) => {
            let direction = |bit: u8| {
                let those = entries.iter().filter(move |entry| entry.send_receive as u8 & bit != 0);
                families(those.map(|entry| (&entry.afi, &entry.safi)))
            };
            Capability::AddPath { receive: direction(1), send: direction(2) }
        }
        Other::Unknown { code, data } => Capability::Unknown { code: *code, value: data.to_vec().into() },
        known => panic!("{known:?} is a capability that we do not know"),
    }
}

fn open_of(open: &other::OpenMessage) -> Open {
    Open {
        two_octet_as: open.my_as,
        hold_time: HoldTime::try_from(open.hold_time).expect("neither 1 nor 2"),
        router_id: RouterId::try_from(open.bgp_identifier).expect("not zero"),
        capabilities: open.capabilities.iter().map(capability_of).collect(),
    }
}

#[test]
fn any_open_is_read_as_it_was_written_both_ways() {
    let test = |ours: Open| {
        let mut octets = Vec::new();
        ours.push(&mut octets);
        let body = &octets[HEADER_LEN..];
        let theirs = other::OpenMessage::decode(&mut &*body, body.len()).expect("it reads ours");
        prop_assert_eq!(&open_of(&theirs), &ours);
        let mut again = Vec::new();
        theirs.encode(&mut again).expect("it can say what it has read");
        prop_assert_eq!(Open::decode(&again[HEADER_LEN..]), Ok(ours));
        Ok(())
    };
    runner(400).run(&any_open(), test).unwrap();
}

#[test]
fn any_notification_is_read_as_it_was_written_both_ways() {
    let any_notification = (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..600));
    let test = |(code, subcode, data): (u8, u8, Vec<u8>)| {
        let ours = Notification::with_data((code, subcode), &data);
        let mut octets = Vec::new();
        push_notification(&mut octets, &ours);
        let body = &octets[HEADER_LEN..];
        let theirs = other::NotificationMessage::decode(&mut &*body, body.len()).expect("it reads ours");
        prop_assert_eq!((theirs.code.as_u8(), theirs.subcode), (code, subcode));
        prop_assert_eq!(&theirs.data[..], &data[..]);
        let mut again = Vec::new();
        theirs.encode(&mut again).expect("it can say what it has read");
        prop_assert_eq!(Notification::decode(&again[HEADER_LEN..]), Some(ours));
        Ok(())
    };
    runner(200).run(&any_notification, test).unwrap();
}

#[test]
fn any_route_refresh_is_read_as_it_was_written_both_ways() {
    let test = |(afi, subtype, safi): (u16, u8, u8)| {
        let ours = RouteRefresh { afi, subtype, safi };
        let mut octets = Vec::new();
        ours.push(&mut octets);
        let body = &octets[HEADER_LEN..];
        let theirs = other::RouteRefreshMessage::decode(&mut &*body, body.len()).expect("it reads ours");
        prop_assert_eq!((theirs.afi_raw, theirs.subtype_raw, theirs.safi_raw), (afi, subtype, safi));
        let mut again = Vec::new();
        theirs.encode(&mut again).expect("it can say what it has read");
        prop_assert_eq!(RouteRefresh::decode(&again[HEADER_LEN..], true), Ok(ours));
        Ok(())
    };
    runner(200).run(&any::<(u16, u8, u8)>(), test).unwrap();
}
