//! Every decoder of BGP.

use std::net::Ipv4Addr;

use bgp_proto::types::{Asn, Families, Family, HoldTime, PeerKind, RouterId};
use bgp_proto::wire::capability::{Capability, GracefulRestart, Role};
use bgp_proto::wire::header::{Kind, first_frame, push_keepalive, push_message, push_notification};
use bgp_proto::wire::notification::{Notification, reason};
use bgp_proto::wire::open::Open;
use bgp_proto::wire::refresh::RouteRefresh;
use bgp_proto::wire::update::{AsWidth, Update, UpdateContext};

use super::Target;
use crate::feedback::Features;

#[path = "../../../bgp-glue/proto/tests/cases/mod.rs"]
#[expect(dead_code, reason = "what is due is for the tests of the codec")]
mod cases;

pub(super) const TARGETS: [Target; 5] = [
    Target { name: "framing", seeds: messages, run: framing },
    Target { name: "open", seeds: || vec![body(&open())], run: open_message },
    Target { name: "update", seeds: update_bodies, run: update },
    Target { name: "notification", seeds: || vec![vec![6, 2, 4, b'n', b'o', b'o', b'n']], run: notification },
    Target { name: "refresh", seeds: || vec![vec![0, 1, 0, 1], vec![0, 2, 1, 1]], run: refresh },
];

pub(super) fn router_id(last: u8) -> RouterId {
    Ipv4Addr::new(192, 0, 2, last).try_into().expect("it is not zero")
}

pub(super) fn message(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    push_message(&mut octets, kind, |out| out.extend_from_slice(body));
    octets
}

fn body(message: &[u8]) -> Vec<u8> {
    message[19..].to_vec()
}

/// An OPEN with every capability that we know.
pub(super) fn open() -> Vec<u8> {
    let mut open = Open::ours(Asn(65001), HoldTime::DEFAULT, router_id(9), Families::ALL);
    open.capabilities.extend([
        Capability::ExtendedNextHop(Families::ALL),
        Capability::ExtendedMessage,
        Capability::Role(Role::Customer),
        Capability::GracefulRestart(GracefulRestart {
            restarted: false,
            notification: true,
            time_secs: 120,
            families: Families::ALL,
            forwarding: Families::ALL,
        }),
        Capability::AddPath { receive: Families::ALL, send: Families::ALL },
        Capability::EnhancedRouteRefresh,
    ]);
    let mut octets = Vec::new();
    open.push(&mut octets);
    octets
}

/// Routes, withdrawals and End-of-RIB of both families, with most attributes.
fn updates() -> Vec<Vec<u8>> {
    let v4 = [
        &[0, 0, 0, 51, 0x40, 1, 1, 0, 0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0x5b, 0xa0][..],
        &[0x40, 3, 4, 192, 0, 2, 2, 0x80, 4, 4, 0, 0, 0, 7, 0xc0, 8, 4, 0xfd, 0xe9, 0, 1],
        &[0xc0, 99, 2, 1, 2, 0x40, 6, 0, 0x40, 5, 4, 0, 0, 0, 100, 8, 10, 16, 172, 16],
    ];
    let v6 = [
        &[
            0, 0, 0, 51, 0x90, 14, 0, 0x1c, 0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 2, 0,
        ][..],
        &[48, 0x20, 1, 0x0d, 0xb8, 0, 9, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0xc0, 32, 0],
    ];
    let bodies = [
        v4.concat(),
        v6.concat(),
        vec![0, 2, 8, 10, 0, 0],
        vec![0; 4],
        vec![0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1],
    ];
    bodies.iter().map(|body| message(Kind::Update, body)).collect()
}

pub(super) fn messages() -> Vec<Vec<u8>> {
    let mut messages = updates();
    let mut keepalive = Vec::new();
    push_keepalive(&mut keepalive);
    let mut cease = Vec::new();
    push_notification(&mut cease, &Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, "noon"));
    let mut refresh = Vec::new();
    RouteRefresh::request(Family::Ipv6Unicast).push(&mut refresh);
    messages.extend([open(), keepalive, cease, refresh]);
    messages
}

/// Every case of `updates.txt`, and what is longer than a case.
fn update_bodies() -> Vec<Vec<u8>> {
    let cases = cases::all().into_iter().map(|case| case.body);
    cases.chain(updates().iter().map(|update| body(update))).collect()
}

fn framing(octets: &[u8], features: &mut Features) {
    for limit in [4096, 65535] {
        let mut rest = octets;
        loop {
            match first_frame(rest, limit) {
                Ok(Some(frame)) => {
                    assert!(frame.wire_len() <= limit.min(rest.len()));
                    features.meet(frame.kind);
                    rest = &rest[frame.wire_len()..];
                }
                Ok(None) => break,
                Err(refusal) => return features.meet((refusal.code, refusal.subcode)),
            }
        }
    }
}

fn open_message(octets: &[u8], features: &mut Features) {
    let open = match Open::decode(octets) {
        Ok(open) => open,
        Err(refusal) => return features.meet((refusal.code, refusal.subcode)),
    };
    assert!(open.asn() != Asn(0), "RFC 7607");
    for capability in &open.capabilities {
        features.meet(std::mem::discriminant(capability));
    }
    let mut again = Vec::new();
    open.push(&mut again);
    assert_eq!(Open::decode(&again[19..]).map(|open| open.families()), Ok(open.families()));
}

fn update(octets: &[u8], features: &mut Features) {
    for as_width in [AsWidth::Two, AsWidth::Four] {
        for kind in [PeerKind::Internal, PeerKind::External] {
            let context = UpdateContext::new(as_width, kind, Families::ALL);
            let update = match Update::decode(octets, context) {
                Ok(update) => update,
                Err(refusal) => {
                    features.meet((kind, refusal.code, refusal.subcode));
                    continue;
                }
            };
            // Whatever it is: a prefix costs at least an octet, so nothing grows beyond what came.
            let announced: usize = update.announced.iter().map(|group| group.prefixes.len()).sum();
            assert!(announced + update.withdrawn.len() <= octets.len());
            for fault in &update.faults {
                drop(fault.to_string());
                features.meet((kind, as_width == AsWidth::Two, fault.attribute, fault.what));
            }
            features.meet((update.announced.len(), update.withdrawn.is_empty(), update.end_of_rib));
        }
    }
}

fn notification(octets: &[u8], features: &mut Features) {
    if let Some(notification) = Notification::decode(octets) {
        let text = notification.to_string();
        assert!(!text.chars().any(char::is_control), "it can be logged");
        features.meet((notification.name(), notification.shutdown_text().is_some()));
    }
}

fn refresh(octets: &[u8], features: &mut Features) {
    for enhanced in [false, true] {
        match RouteRefresh::decode(octets, enhanced) {
            Ok(refresh) => {
                assert_eq!(octets.len(), 4);
                features.meet(refresh.meaning());
            }
            Err(refusal) => features.meet((enhanced, refusal.code, refusal.subcode)),
        }
    }
}
