//! What AAA servers and Diameter peers send: the decoders, and a peer that is told it.

use std::net::IpAddr;

use ::probe::diameter::{Action, Message, Peer, Settings};
use ::probe::radius::packet::decode;
use ::probe::radius::{Bad, Request};
use ::probe::{Secret, Time};

use super::Target;
use crate::feedback::Features;

pub(super) const TARGETS: [Target; 2] = [
    Target { name: "radius", seeds: answers, run: answer },
    Target { name: "diameter", seeds: streams, run: stream },
];

/// RFC 2865 section 7.1: its Access-Accept, for this request.
fn answers() -> Vec<Vec<u8>> {
    let head = [2, 0, 0, 38];
    let proof = 0x86fe_220e_7624_ba2a_1005_f6bf_9b55_e0b2_u128.to_be_bytes();
    let attributes = [6, 6, 0, 0, 0, 1, 15, 6, 0, 0, 0, 0, 14, 6, 192, 168, 1, 3];
    let with_proof =
        [&[3, 0, 0, 44][..], &[0; 16], &[80, 18], &[7; 16], &[18, 6, b'b', b'a', b'd', b'!']].concat();
    vec![[&head[..], &proof, &attributes].concat(), with_proof]
}

fn answer(octets: &[u8], features: &mut Features) {
    let authenticator = 0x0f40_3f94_7397_8057_bd83_d5cb_98f4_227a_u128.to_be_bytes();
    match decode(octets) {
        Ok(answer) => {
            let request = Request { identifier: answer.identifier(), authenticator };
            let secret = Secret::new(b"xyzzy5461".to_vec());
            let lax = answer.prove(&request, &secret, false);
            features.meet((lax.ok(), lax.err().map(|bad| bad.name())));
            let strict = answer.prove(&request, &secret, true);
            assert!(strict.is_err() || strict == lax, "what is proved strictly is proved");
        }
        Err(bad) => {
            assert!(Bad::NAMES.contains(&bad.name()), "it is counted");
            features.meet(bad.name());
        }
    }
}

/// An answer that opens the connection, a watchdog, a goodbye, and a request for an application.
fn streams() -> Vec<Vec<u8>> {
    let message = |flags: u8, command: u32, ids: [u8; 8], avps: &[&[u8]]| {
        let avps = avps.concat();
        let length = u32::try_from(20 + avps.len()).unwrap_or_default();
        let words = [1 << 24 | length, u32::from(flags) << 24 | command, 0];
        let head: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        [&head[..], &ids, &avps].concat()
    };
    let result = [&[0, 0, 1, 12, 0x40, 0, 0, 12][..], &2001_u32.to_be_bytes()].concat();
    let host = [&[0, 0, 1, 8, 0x40, 0, 0, 11][..], b"b.x\0"].concat();
    let identifiers = |peer: Peer| first_identifiers(peer).unwrap_or_default();
    let opens = message(0, 257, identifiers(peer()), &[&result, &host]);
    let watchdog = message(0x80, 280, [1; 8], &[&host]);
    let goodbye = message(0x80, 282, [2; 8], &[&host, &[0, 0, 1, 17, 0x40, 0, 0, 12, 0, 0, 0, 0]]);
    let other = message(0xc0, 258, [3; 8], &[&[0, 0, 1, 7, 0x40, 0, 0, 11], b"a;1\0"]);
    vec![opens.clone(), [opens.clone(), watchdog, goodbye].concat(), [opens, other].concat()]
}

fn peer() -> Peer {
    let second = std::time::Duration::from_secs(1);
    let mut peer = Peer::new(
        Settings {
            origin_host: "a.x".into(),
            origin_realm: "x".into(),
            host: None,
            application: u32::MAX,
            vendor: None,
            watchdog_interval: second * 6,
            reconnect_interval: second,
        },
        1,
    );
    peer.start(Time(0));
    peer.connected(Time(0), IpAddr::from([10, 0, 0, 1]));
    peer
}

/// Identifiers of the Capabilities-Exchange-Request: the same seed makes the same ones.
fn first_identifiers(mut peer: Peer) -> Option<[u8; 8]> {
    std::iter::from_fn(|| peer.poll_action()).find_map(|action| match action {
        Action::Send(octets) => octets.get(12..20)?.first_chunk().copied(),
        Action::Connect | Action::Close => None,
    })
}

fn stream(octets: &[u8], features: &mut Features) {
    let mut peer = peer();
    let (first, second) = octets.split_at(octets.len() / 2);
    for (now, part) in [(1, first), (2, second)] {
        peer.received(Time(now), part);
    }
    while let Some(action) = peer.poll_action() {
        match action {
            Action::Send(sent) => {
                let message = Message::decode(&sent).expect("what we write can be read");
                let header = message.header;
                features.meet((header.application == 0, header.flags & 0xa0, message.avps.len()));
            }
            Action::Connect => features.meet("connect"),
            Action::Close => features.meet("close"),
        }
    }
    features.meet((peer.connection(), peer.counters().malformed > 0, peer.counters().unexpected > 0));
    if let Ok(message) = Message::decode(octets) {
        assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
        features.meet(("decodes", message.avps.len().min(5)));
    }
}
