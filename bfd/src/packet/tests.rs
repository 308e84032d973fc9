//! Known octets both ways, every check of RFC 5880 section 6.8.6, and any octets at all.

use proptest::prelude::*;

use super::*;

/// State Up, Poll, diagnostic 3, multiplier 5; laid out by hand from the diagram.
const KNOWN: [u8; LEN] = [
    0x23, 0xe0, 0x05, 0x18, //
    0x01, 0x02, 0x03, 0x04, //
    0xa0, 0x0b, 0x0c, 0x0d, //
    0x00, 0x00, 0xc3, 0x50, //
    0x00, 0x0f, 0x42, 0x40, //
    0x00, 0x00, 0x00, 0x07,
];

fn known() -> Packet {
    Packet {
        diagnostic: Diagnostic::NeighborSignaledDown,
        state: State::Up,
        poll: true,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(5).expect("five"),
        my_discriminator: Discriminator::new(0x0102_0304).expect("not zero"),
        your_discriminator: Discriminator::new(0xa00b_0c0d),
        desired_min_tx: Interval::millis(50),
        required_min_rx: Interval::millis(1_000),
        required_min_echo_rx: Interval(7),
    }
}

fn plain(packet: Packet) -> Received {
    Received { packet, authentication: None }
}

#[test]
fn known_octets_both_ways() {
    assert_eq!(known().encode(), KNOWN);
    assert_eq!(decode(&KNOWN), Ok(plain(known())));
}

#[test]
fn each_flag_is_its_bit() {
    let with = |change: fn(&mut Packet)| {
        let mut packet = Packet { poll: false, state: State::AdminDown, ..known() };
        change(&mut packet);
        packet.encode()[1]
    };
    assert_eq!(with(|_| ()), 0);
    assert_eq!(with(|packet| packet.state = State::Down), 0x40);
    assert_eq!(with(|packet| packet.state = State::Init), 0x80);
    assert_eq!(with(|packet| packet.poll = true), 0x20);
    assert_eq!(with(|packet| packet.is_final = true), 0x10);
    assert_eq!(with(|packet| packet.control_plane_independent = true), 0x08);
    assert_eq!(with(|packet| packet.demand = true), 0x02);
}

/// The known octets with some of them changed.
fn but(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut octets = KNOWN.to_vec();
    for (at, value) in changes {
        octets[*at] = *value;
    }
    octets
}

#[test]
fn every_check_has_its_name() {
    let no_your = [(8, 0), (9, 0), (10, 0), (11, 0)];
    let without_your = |flags| but(&[&no_your[..], &[(1, flags)]].concat());
    let cases: [(&str, Vec<u8>, Discard); 14] = [
        ("nothing", Vec::new(), Discard::Short { got: 0 }),
        ("three octets", vec![0x20, 0, 1], Discard::Short { got: 3 }),
        ("version 0", but(&[(0, 0x03)]), Discard::Version { version: 0 }),
        ("version 2", but(&[(0, 0x43)]), Discard::Version { version: 2 }),
        ("length 23", but(&[(3, 23)]), Discard::Length { stated: 23, least: 24 }),
        ("A and length 25", but(&[(1, 0xe4), (3, 25)]), Discard::Length { stated: 25, least: 26 }),
        ("length 25 of 24", but(&[(3, 25)]), Discard::Truncated { stated: 25, got: 24 }),
        ("cut short", KNOWN[..23].to_vec(), Discard::Truncated { stated: 24, got: 23 }),
        ("multiplier 0", but(&[(2, 0)]), Discard::ZeroDetectMult),
        ("multipoint", but(&[(1, 0xe1)]), Discard::Multipoint),
        ("no name", but(&[(4, 0), (5, 0), (6, 0), (7, 0)]), Discard::ZeroMyDiscriminator),
        ("Init knows nobody", without_your(0x80), Discard::NoDiscriminator(State::Init)),
        ("Up knows nobody", without_your(0xc0), Discard::NoDiscriminator(State::Up)),
        ("not IP at all", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), Discard::Version { version: 2 }),
    ];
    for (name, octets, discard) in cases {
        assert_eq!(decode(&octets), Err(discard), "{name}");
        assert!(Discard::NAMES.contains(&discard.name()));
    }
    for flags in [0x00, 0x40] {
        assert!(decode(&without_your(flags)).is_ok(), "AdminDown and Down need not know us");
    }
}

#[test]
fn the_first_check_that_fails_is_the_one_that_is_named() {
    // From the last check to the first, each fault is added to those after it.
    let faults: [(&[(usize, u8)], Discard); 6] = [
        (&[(1, 0xc0), (8, 0), (9, 0), (10, 0), (11, 0)], Discard::NoDiscriminator(State::Up)),
        (&[(4, 0), (5, 0), (6, 0), (7, 0)], Discard::ZeroMyDiscriminator),
        (&[(1, 0xc1)], Discard::Multipoint),
        (&[(2, 0)], Discard::ZeroDetectMult),
        (&[(3, 200)], Discard::Truncated { stated: 200, got: 24 }),
        (&[(0, 0x60)], Discard::Version { version: 3 }),
    ];
    let mut changes = Vec::new();
    for (change, discard) in faults {
        changes.extend_from_slice(change);
        assert_eq!(decode(&but(&changes)), Err(discard));
    }
}

#[test]
fn authentication_is_recognised_by_its_type() {
    for (number, kind) in [
        (1, AuthenticationType::SimplePassword),
        (5, AuthenticationType::MeticulousKeyedSha1),
        (0, AuthenticationType::Reserved(0)),
        (77, AuthenticationType::Reserved(77)),
    ] {
        let mut octets = but(&[(1, 0xe4), (3, 28)]);
        octets.extend([number, 4, 1, b'x']);
        assert_eq!(decode(&octets), Ok(Received { packet: known(), authentication: Some(kind) }));
    }
}

#[test]
fn octets_beyond_the_length_are_not_looked_at() {
    let mut octets = KNOWN.to_vec();
    octets.extend([0xff; 40]);
    assert_eq!(decode(&octets), Ok(plain(known())));
}

fn any_packet() -> impl Strategy<Value = Packet> {
    let names = (1..=u32::MAX, any::<u32>(), 1..=u8::MAX, 0..32_u8, 0..4_u8);
    let rest = (any::<[bool; 4]>(), any::<[u32; 3]>());
    (names, rest).prop_map(|((my, your, detect_mult, diagnostic, state), (flags, intervals))| Packet {
        diagnostic: Diagnostic::from_bits(diagnostic),
        state: State::from_bits(if your == 0 { state & 1 } else { state }),
        poll: flags[0],
        is_final: flags[1],
        control_plane_independent: flags[2],
        demand: flags[3],
        detect_mult: NonZeroU8::new(detect_mult).expect("from 1"),
        my_discriminator: Discriminator::new(my).expect("from 1"),
        your_discriminator: Discriminator::new(your),
        desired_min_tx: Interval(intervals[0]),
        required_min_rx: Interval(intervals[1]),
        required_min_echo_rx: Interval(intervals[2]),
    })
}

proptest! {
    #[test]
    fn decode_undoes_encode(packet in any_packet()) {
        prop_assert_eq!(decode(&packet.encode()), Ok(plain(packet)));
    }

    #[test]
    fn decode_never_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&octets);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_octets(mut octets in any::<[u8; LEN]>()) {
        octets[0] = octets[0] & 31 | 0x20;
        octets[1] &= !(AUTHENTICATION | MULTIPOINT);
        octets[3] = 24;
        if let Ok(received) = decode(&octets) {
            prop_assert_eq!(received.packet.encode(), octets);
        }
    }
}
