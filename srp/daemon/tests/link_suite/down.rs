//! The link goes down: the peer vanishes, restarts, stops reading, breaks the rules or is told to go.

use std::io::{Read, Write};

use srp_core::types::Span;
use srp_core::wire::{Close, CloseReason, Message, encode};
use srpd::link::{Fault, LinkEvent};

use crate::pair::{Bench, EAST, Keys, WEST, hello, isolate, items, plaintext, raw, settings};

fn why_down(bench: &mut Bench, place: usize) -> Fault {
    loop {
        if let LinkEvent::Down { why, .. } = bench.next_fact(place, "link down") {
            return why;
        }
    }
}

/// East, with a peer made by hand that has greeted.
fn east_and_a_hand_made_peer() -> (Bench, std::net::TcpStream) {
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    let mut stream = raw(WEST, EAST);
    stream.write_all(&encode(&Message::Hello(hello(0, 1)))).expect("greeting");
    bench.await_up(0);
    (bench, stream)
}

#[test]
fn peer_whose_process_dies_is_noticed_without_waiting_for_any_timer() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let mut bench = Bench::pair(
        settings(EAST, WEST, keys.security("east", &["west"])),
        settings(WEST, EAST, keys.security("west", &["east"])),
    );
    bench.both_up();
    bench.kill(1);
    assert!(matches!(why_down(&mut bench, 0), Fault::Vanished(_)));
    assert!(!bench.end(0).link.is_up());
}

#[test]
fn restarted_peer_is_found_again() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let west = settings(WEST, EAST, keys.security("west", &["east"]));
    let mut bench = Bench::pair(settings(EAST, WEST, keys.security("east", &["west"])), west.clone());
    bench.both_up();
    for life in 0..5 {
        bench.kill(1);
        bench.open(1, west.clone(), 300 + life);
        bench.both_up();
    }
}

#[test]
fn peer_that_is_away_is_dialled_until_it_is_there() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    bench.run_until("three dials", |bench| bench.counter(0, "dialled") >= 3);
    let trouble = bench.end(0).link.last_trouble().map(str::to_owned);
    assert!(trouble.as_deref().is_some_and(|text| text.contains("refused")), "{trouble:?}");
    bench.open(1, plaintext(WEST, EAST), 200);
    bench.both_up();
    assert_eq!(bench.end(0).link.last_trouble(), None);
}

#[test]
fn peer_that_stops_reading_is_given_up_before_memory_is() {
    isolate();
    let (mut bench, _stream) = east_and_a_hand_made_peer();
    let mut sent = 0;
    while bench.end(0).link.is_up() {
        bench.send(0, &items(100_000));
        sent += 1;
        assert!(sent < 1_000, "a hundred megabytes wait for nobody");
    }
    assert!(matches!(why_down(&mut bench, 0), Fault::Overflow { .. }));
}

#[test]
fn peer_that_reads_nothing_for_a_while_is_given_up() {
    isolate();
    let (mut bench, _stream) = east_and_a_hand_made_peer();
    // More than the kernel's buffers take, less than we hold.
    while bench.end(0).link.next_deadline().is_none() {
        bench.send(0, &items(100_000));
    }
    bench.skip(Span::secs(1));
    assert!(matches!(why_down(&mut bench, 0), Fault::Stalled { .. }));
}

#[test]
fn peer_whose_kernel_acknowledges_nothing_is_given_up() {
    isolate();
    let (mut bench, stream) = east_and_a_hand_made_peer();
    // A filter that accepts no packet: to the link it looks like a path that was cut.
    let nothing = socket2::SockFilter::new(u16::try_from(libc::BPF_RET).expect("code"), 0, 0, 0);
    socket2::SockRef::from(&stream).attach_filter(&[nothing]).expect("filter");
    bench.say_hello(0);
    let why = why_down(&mut bench, 0);
    assert!(matches!(&why, Fault::Vanished(error) if error.kind() == std::io::ErrorKind::TimedOut), "{why}");
}

#[test]
fn hello_numbers_must_go_up() {
    isolate();
    let (mut bench, mut stream) = east_and_a_hand_made_peer();
    for sequence in [1, 2, 2] {
        stream.write_all(&encode(&Message::Hello(hello(sequence, 1)))).expect("Hello");
    }
    let why = why_down(&mut bench, 0);
    assert!(matches!(why, Fault::Sequence { last: 2, got: 2 }), "{why}");
    assert_eq!(bench.counter(0, "sequence"), 1);
}

#[test]
fn garbage_on_an_established_link_closes_it_with_a_reason() {
    isolate();
    let (mut bench, mut stream) = east_and_a_hand_made_peer();
    stream.write_all(&[0xff; 64]).expect("garbage");
    let why = why_down(&mut bench, 0);
    assert_eq!(why.name(), "oversized", "{why}");
    let mut octets = Vec::new();
    bench.run_until("end of stream", |_| {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => true,
            Ok(n) => {
                octets.extend_from_slice(&chunk[..n]);
                false
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                false
            }
        }
    });
    let close = Message::Close(Close { reason: CloseReason::Protocol, text: why.to_string() });
    assert!(octets.ends_with(&encode(&close)), "the peer is told why");
}

#[test]
fn message_of_an_unknown_type_is_passed_on_and_harms_nothing() {
    isolate();
    let (mut bench, mut stream) = east_and_a_hand_made_peer();
    stream.write_all(&encode(&Message::Unknown(200))).expect("message");
    assert_eq!(bench.await_message(0), Message::Unknown(200));
    assert!(bench.end(0).link.is_up());
}

#[test]
fn link_closed_for_silence_is_dialled_again() {
    isolate();
    let mut bench = Bench::pair(plaintext(EAST, WEST), plaintext(WEST, EAST));
    bench.both_up();
    let now = bench.now();
    bench.end(0).link.close(now, CloseReason::Silent, "no Hello for 300ms");
    assert!(matches!(why_down(&mut bench, 0), Fault::ClosedHere { reason: CloseReason::Silent, .. }));
    let why = why_down(&mut bench, 1);
    assert_eq!(why.to_string(), "the peer closed the link (silent): no Hello for 300ms");
    bench.both_up();
}
