//! Known octets both ways, every fault, and any octets at all.

use proptest::prelude::*;

use super::*;

/// A Device-Watchdog-Answer by hand: Result-Code 2001, Origin-Host `b.x` with one octet of padding.
const KNOWN: [u8; 44] = [
    0x01, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x01, 0x18, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 7, //
    0x00, 0x00, 0x01, 0x0c, 0x40, 0x00, 0x00, 0x0c, 0x00, 0x00, 0x07, 0xd1, //
    0x00, 0x00, 0x01, 0x08, 0x40, 0x00, 0x00, 0x0b, b'b', b'.', b'x', 0x00,
];

fn known() -> Message {
    Message {
        header: Header {
            flags: 0,
            command: command::DEVICE_WATCHDOG,
            application: 0,
            hop_by_hop: 9,
            end_to_end: 7,
        },
        avps: vec![Avp::number(avp::RESULT_CODE, 2001), Avp::mandatory(avp::ORIGIN_HOST, *b"b.x")],
    }
}

#[test]
fn known_octets_both_ways() {
    assert_eq!(known().encode(), KNOWN);
    assert_eq!(Message::decode(&KNOWN), Ok(known()));
    assert_eq!(known().find(avp::RESULT_CODE).and_then(Avp::as_number), Some(2001));
    assert!(!known().header.is_request());
}

#[test]
fn what_is_malformed_is_named() {
    let change = |at: usize, to: u8| {
        let mut octets = KNOWN;
        octets[at] = to;
        Message::decode(&octets)
    };
    let rows = [
        ("another version", change(0, 2), Malformed::Header),
        ("another length", change(3, 40), Malformed::Header),
        ("an AVP less than its header", change(27, 7), Malformed::Avp { at: 20 }),
        (
            "an AVP with V and no room for it",
            {
                let mut o = KNOWN;
                o[24] = 0x80;
                o[27] = 11;
                Message::decode(&o)
            },
            Malformed::Avp { at: 20 },
        ),
        ("an AVP beyond the end", change(39, 13), Malformed::Avp { at: 32 }),
        ("half a header", Message::decode(&KNOWN[..19]), Malformed::Header),
        ("nothing", Message::decode(&[]), Malformed::Header),
    ];
    for (name, result, malformed) in rows {
        assert_eq!(result, Err(malformed), "{name}");
    }
}

fn any_avp() -> impl Strategy<Value = Avp> {
    let data = proptest::collection::vec(any::<u8>(), 0..40);
    (any::<u32>(), any::<u8>(), proptest::option::of(any::<u32>()), data)
        .prop_map(|(code, flags, vendor, data)| Avp { code, flags: flags & !VENDOR, vendor, data })
}

proptest! {
    #[test]
    fn decode_undoes_encode(
        flags in any::<u8>(), command in 0_u32..1 << 24, ids in any::<[u32; 3]>(),
        avps in proptest::collection::vec(any_avp(), 0..6),
    ) {
        let [application, hop_by_hop, end_to_end] = ids;
        let message = Message { header: Header { flags, command, application, hop_by_hop, end_to_end }, avps };
        prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn no_octets_make_the_decoder_panic(mut octets in proptest::collection::vec(any::<u8>(), 20..120)) {
        octets[0] = 1;
        let length = u32::try_from(octets.len()).expect("short").to_be_bytes();
        octets[1..4].copy_from_slice(&length[1..]);
        let _ = Message::decode(&octets);
    }
}
