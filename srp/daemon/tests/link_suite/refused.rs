//! Who is not the peer, or does not speak as it should, is turned away with a name, a counter and nothing kept.

use std::io::Write;
use std::net::TcpStream;

use srp_core::types::Span;
use srp_core::wire::{Message, encode};
use srpd::link::{Fault, LinkEvent};

use crate::pair::{Bench, EAST, Keys, WEST, hello, isolate, items, plaintext, raw, settings};

fn refusal(bench: &mut Bench, place: usize) -> Fault {
    loop {
        if let LinkEvent::Refused { why, .. } = bench.next_fact(place, "refusal") {
            return why;
        }
    }
}

/// East alone, in plaintext.
fn east() -> Bench {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    bench
}

#[test]
fn first_octets_that_are_no_hello_are_refused_by_name() {
    let mut bench = east();
    let greeting = encode(&Message::Hello(hello(0, 1)));
    let mut other_version = greeting.clone();
    other_version[4] = 9;
    let mut broken_body = greeting.clone();
    broken_body[6] = 0xff;
    let mut endless = encode(&items(100_000));
    endless.truncate(50_000);
    let table: [(&str, &[u8], &str); 7] = [
        ("another version", &other_version, "version"),
        ("a frame too long", &[0x7f, 0xff, 0xff, 0xff], "oversized"),
        ("a greeting too long", &endless, "oversized"),
        ("a broken body", &broken_body, "malformed"),
        ("another message", &encode(&items(1)), "not-hello"),
        ("TLS", &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01], "unexpected-tls"),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n", "oversized"),
    ];
    for (name, octets, counter) in table {
        let before = bench.counter(0, counter);
        let mut stream = raw(WEST, EAST);
        stream.write_all(octets).expect("octets");
        bench.run_until(name, |bench| bench.counter(0, counter) == before + 1);
        assert!(!bench.end(0).link.is_up(), "{name}");
        drop(stream);
        bench.run_until("nothing kept", |bench| bench.end(0).link.connections() == 0);
    }
    let why = refusal(&mut bench, 0);
    assert!(why.to_string().contains("peer speaks SRP version 9"), "{why}");
}

#[test]
fn stream_that_ends_inside_the_first_message_is_refused() {
    let mut bench = east();
    let mut stream = raw(WEST, EAST);
    stream.write_all(&encode(&Message::Hello(hello(0, 1)))[..20]).expect("half a Hello");
    drop(stream);
    assert!(matches!(refusal(&mut bench, 0), Fault::Truncated { received: 20 }));
    assert_eq!(bench.end(0).link.connections(), 0);
}

#[test]
fn stranger_is_turned_away_without_a_word() {
    let mut bench = east();
    let stranger = raw("127.0.0.3", EAST);
    assert!(matches!(refusal(&mut bench, 0), Fault::Stranger));
    assert_eq!(bench.counter(0, "stranger"), 1);
    assert_eq!(bench.end(0).link.connections(), 0);
    drop(stranger);
}

#[test]
fn wrong_key_is_named_on_both_sides_and_is_not_dialled_in_haste() {
    isolate();
    let keys = Keys::new(&["east", "west", "stranger"]);
    let mut bench = Bench::pair(
        settings(EAST, WEST, keys.security("east", &["stranger"])),
        settings(WEST, EAST, keys.security("west", &["east"])),
    );
    let here = refusal(&mut bench, 0);
    assert!(matches!(here, Fault::WrongKey { .. }), "{here}");
    let there = refusal(&mut bench, 1);
    assert!(matches!(there, Fault::OurKeyRefused { .. }), "{there}");
    // Both name the same certificate, and the file that has to be copied.
    let fingerprint =
        |text: &str| text.split(' ').find(|word| word.starts_with("sha256:")).map(str::to_owned);
    let (here, there) = (here.to_string(), there.to_string());
    assert_eq!(
        fingerprint(&here).map(|f| f.trim_end_matches(':').to_owned()),
        fingerprint(&there).map(|f| f.trim_end_matches(':').to_owned()),
    );
    assert!(here.contains("peer-certificate") && there.contains("peer-certificate"), "{here}\n{there}");
    // Twenty seconds of dialling: at first each 100 to 200 ms, then each two seconds.
    for _ in 0..200 {
        bench.skip(Span::millis(100));
        bench.turn(std::time::Duration::ZERO);
    }
    assert!(bench.counter(0, "dialled") < 25, "{}", bench.counter(0, "dialled"));
    assert_eq!(bench.counter(0, "up") + bench.counter(1, "up"), 0);
}

#[test]
fn peer_without_a_certificate_is_refused() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let mut bench = Bench::new();
    bench.open(0, settings(EAST, WEST, keys.security("east", &["west"])), 100);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let east: rustls::pki_types::CertificateDer<'_> =
        rustls::pki_types::pem::PemObject::from_pem_file(keys.path("east", "crt")).expect("certificate");
    roots.add(east).expect("root");
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "east".try_into().expect("name");
    let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).expect("client");
    let mut stream = raw(WEST, EAST);
    bench.run_until("no key", |bench| {
        while tls.wants_write() {
            tls.write_tls(&mut stream).expect("octets");
        }
        if tls.read_tls(&mut stream).is_ok() {
            let _ = tls.process_new_packets();
        }
        bench.counter(0, "no-key") == 1
    });
    assert!(matches!(refusal(&mut bench, 0), Fault::NoKey));
}

#[test]
fn one_end_in_plaintext_and_one_under_tls_both_say_so() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let mut bench =
        Bench::pair(plaintext(EAST, WEST), settings(WEST, EAST, keys.security("west", &["east"])));
    bench.run_until("both notice", |bench| {
        bench.counter(0, "unexpected-tls") > 0 && bench.counter(1, "not-tls") > 0
    });
    assert_eq!(bench.counter(0, "up") + bench.counter(1, "up"), 0);
}

#[test]
fn silent_connections_hold_nothing_up_and_are_closed_in_time() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let mut bench = Bench::new();
    bench.open(0, settings(EAST, WEST, keys.security("east", &["west"])), 100);
    let silent: Vec<TcpStream> = (0..12).map(|_| raw(WEST, EAST)).collect();
    bench.run_until("all accepted", |bench| bench.counter(0, "accepted") == 12);
    let flood: Vec<TcpStream> = (0..12).map(|_| raw(WEST, EAST)).collect();
    bench.run_until("the oldest pushed out", |bench| bench.counter(0, "crowded") > 0);
    assert!(bench.end(0).link.connections() <= 16);
    bench.open(1, settings(WEST, EAST, keys.security("west", &["east"])), 200);
    bench.both_up();
    bench.skip(Span::secs(3));
    bench.run_until("only the link is left", |bench| bench.end(0).link.connections() == 1);
    assert!(bench.end(0).link.is_up());
    drop((silent, flood));
}

#[test]
fn flood_of_strangers_does_not_keep_the_peer_out() {
    let mut bench = east();
    let strangers: Vec<TcpStream> = (0..100).map(|_| raw("127.0.0.3", EAST)).collect();
    bench.open(1, plaintext(WEST, EAST), 200);
    bench.both_up();
    bench.run_until("all turned away", |bench| bench.counter(0, "stranger") == 100);
    bench.run_until("only the link is left", |bench| bench.end(0).link.connections() == 1);
    assert!(bench.end(0).link.is_up());
    drop(strangers);
}

#[test]
fn greeting_octet_by_octet_is_cut_off_in_time() {
    let mut bench = east();
    let mut stream = raw(WEST, EAST);
    for octet in encode(&Message::Hello(hello(0, 1))).into_iter().take(30) {
        // Written or not: at some point the link has closed.
        let _ = stream.write_all(&[octet]);
        bench.skip(Span::millis(100));
        bench.turn(std::time::Duration::ZERO);
    }
    bench.run_until("cut off", |bench| bench.counter(0, "handshake-limit") == 1);
    assert!(matches!(refusal(&mut bench, 0), Fault::HandshakeLimit { .. }));
}

#[test]
fn refusals_of_one_kind_are_counted_each_and_reported_rarely() {
    let mut bench = east();
    for count in 1..=20 {
        let mut stream = raw(WEST, EAST);
        stream.write_all(&[0xff; 8]).expect("octets");
        bench.run_until("counted", |bench| bench.counter(0, "oversized") == count);
    }
    bench.skip(srpd::link::REFUSED_EVERY);
    let mut stream = raw(WEST, EAST);
    stream.write_all(&[0xff; 8]).expect("octets");
    let mut reports = Vec::new();
    while reports.len() < 2 {
        if let LinkEvent::Refused { unreported, .. } = bench.next_fact(0, "report") {
            reports.push(unreported);
        }
    }
    assert_eq!(reports, [0, 19]);
}
