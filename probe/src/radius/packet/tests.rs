//! The example of RFC 2865 section 7.1, answers made as a server makes them, and any octets at all.

use proptest::prelude::*;

use super::*;

const REQUEST: Request = Request {
    identifier: 0,
    authenticator: [
        0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a,
    ],
};

/// RFC 2865 section 7.1, the Access-Accept.
const ACCEPT: [u8; 38] = [
    0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, 0x10, 0x05, 0xf6, 0xbf, 0x9b,
    0x55, 0xe0, 0xb2, 0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00, 0x0e, 0x06,
    0xc0, 0xa8, 0x01, 0x03,
];

fn secret() -> Secret {
    Secret::new(b"xyzzy5461".to_vec())
}

fn nemo() -> Question {
    Question::AccessRequest { user: "nemo".into(), password: Secret::new(b"arctangent".to_vec()) }
}

/// An answer as a server makes it, with a Message-Authenticator unless `plain`.
pub(crate) fn answer(code: u8, request: &Request, secret: &Secret, plain: bool) -> Vec<u8> {
    let mut packet = vec![code, request.identifier, 0, 0];
    packet.extend(request.authenticator);
    put(&mut packet, 18, b"hello");
    let at = packet.len() + 2;
    if !plain {
        put(&mut packet, MESSAGE_AUTHENTICATOR, &[0; 16]);
    }
    let length = u16::try_from(packet.len()).expect("short");
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    if !plain {
        let proof = keyed(secret, &[&packet]).finalize().into_bytes();
        packet[at..at + 16].copy_from_slice(&proof);
    }
    let digest = Md5::new().chain_update(&packet).chain_update(secret.octets()).finalize();
    packet[4..20].copy_from_slice(&digest);
    packet
}

fn judge(octets: &[u8], strict: bool) -> Result<AnswerCode, Bad> {
    decode(octets)?.prove(&REQUEST, &secret(), strict)
}

#[test]
fn password_of_the_example_is_hidden_as_the_rfc_prints_it() {
    let cipher =
        [0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee];
    let password = Secret::new(b"arctangent".to_vec());
    assert_eq!(hidden(&password, &REQUEST.authenticator, &secret()), cipher);
    let lengths = [(0, 16), (16, 16), (17, 32), (128, 128), (500, 128)];
    for (length, hidden_length) in lengths {
        let password = Secret::new(vec![b'a'; length]);
        assert_eq!(hidden(&password, &REQUEST.authenticator, &secret()).len(), hidden_length);
    }
}

#[test]
fn answer_of_the_example_is_proved_and_not_enough_where_a_message_authenticator_is_wanted() {
    assert_eq!(judge(&ACCEPT, false), Ok(AnswerCode::AccessAccept));
    assert_eq!(judge(&ACCEPT, true), Err(Bad::NoMessageAuthenticator));
    let padded = [&ACCEPT[..], &[0; 9]].concat();
    assert_eq!(judge(&padded, false), Ok(AnswerCode::AccessAccept));
}

#[test]
fn requests_begin_with_their_message_authenticator() {
    let address = |text: &str| Some(text.parse().expect("an address"));
    for (question, address, code, kinds) in [
        (nemo(), None, 1, &[80, 1, 2, 6, 32][..]),
        (nemo(), address("203.0.113.1"), 1, &[80, 1, 2, 6, 4, 32][..]),
        (nemo(), address("2001:db8::1"), 1, &[80, 1, 2, 6, 95, 32][..]),
        (Question::StatusServer, None, 12, &[80, 32][..]),
        (Question::StatusServer, address("203.0.113.1"), 12, &[80, 4, 32][..]),
    ] {
        let nas = Nas { identifier: "east".into(), address };
        let packet = encode(&REQUEST, &question, &nas, &secret());
        assert_eq!((packet[0], packet[1]), (code, 0));
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        let (mut at, mut found) = (HEADER, Vec::new());
        while at < packet.len() {
            found.push(packet[at]);
            at += usize::from(packet[at + 1]);
        }
        assert_eq!(found, kinds);
        let mut blank = packet.clone();
        blank[22..38].fill(0);
        assert_eq!(keyed(&secret(), &[&blank]).finalize().into_bytes().as_slice(), &packet[22..38]);
    }
}

#[test]
fn each_kind_of_answer_is_known() {
    for (code, kind) in
        [(2, AnswerCode::AccessAccept), (3, AnswerCode::AccessReject), (11, AnswerCode::AccessChallenge)]
    {
        assert_eq!(judge(&answer(code, &REQUEST, &secret(), false), true), Ok(kind));
    }
}

#[test]
fn what_is_no_answer_is_named() {
    let good = answer(2, &REQUEST, &secret(), false);
    let change = |at: usize, to: u8| {
        let mut octets = good.clone();
        octets[at] = to;
        octets
    };
    // Two Message-Authenticators under a right Response Authenticator.
    let mut twice = good.clone();
    put(&mut twice, MESSAGE_AUTHENTICATOR, &[0; 16]);
    twice[3] = u8::try_from(twice.len()).expect("short");
    twice[4..20].copy_from_slice(&REQUEST.authenticator);
    let digest = Md5::new().chain_update(&twice).chain_update(secret().octets()).finalize();
    twice[4..20].copy_from_slice(&digest);
    // A right Response Authenticator over a wrong Message-Authenticator: what CVE-2024-3596 makes possible.
    let mut forged = change(30, good[30] ^ 1);
    forged[4..20].copy_from_slice(&REQUEST.authenticator);
    let digest = Md5::new().chain_update(&forged).chain_update(secret().octets()).finalize();
    forged[4..20].copy_from_slice(&digest);
    let rows = [
        ("nothing", Vec::new(), Bad::Short { got: 0 }),
        ("half a header", good[..19].to_vec(), Bad::Short { got: 19 }),
        ("cut", good[..30].to_vec(), Bad::Length { stated: 45, got: 30 }),
        ("a length less than the header", change(3, 19), Bad::Length { stated: 19, got: 45 }),
        ("a request", change(0, 1), Bad::Code { code: 1 }),
        ("an attribute of no length", change(21, 0), Bad::Attribute { at: 20 }),
        ("an attribute beyond the end", change(28, 19), Bad::Attribute { at: 27 }),
        ("an octet behind the last attribute", change(28, 17), Bad::Attribute { at: 44 }),
        ("another code", change(0, 3), Bad::ResponseAuthenticator),
        ("another text", change(24, b'x'), Bad::ResponseAuthenticator),
        ("another secret", answer(2, &REQUEST, &Secret::new(vec![1]), false), Bad::ResponseAuthenticator),
        ("two proofs", twice, Bad::MessageAuthenticator),
        ("a forged proof", forged, Bad::MessageAuthenticator),
        ("no proof", answer(2, &REQUEST, &secret(), true), Bad::NoMessageAuthenticator),
    ];
    for (name, octets, bad) in rows {
        assert_eq!(judge(&octets, true), Err(bad), "{name}");
        assert!(Bad::NAMES.contains(&bad.name()));
    }
}

proptest! {
    #[test]
    fn no_octets_make_the_decoder_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(answer) = decode(&octets) {
            prop_assert!(answer.prove(&REQUEST, &secret(), true).is_err());
        }
    }

    #[test]
    fn no_changed_octet_is_taken_for_the_answer(at in 0_usize..45, flip in 1_u8..) {
        let mut octets = answer(2, &REQUEST, &secret(), false);
        octets[at] ^= flip;
        // The identifier is what finds the request.
        prop_assert!(judge(&octets, true).is_err());
    }
}
