//! Both dial at once, the peer restarts, the peer connects again: exactly one connection stays.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use srp_core::types::Span;
use srp_core::wire::{CloseReason, FrameReader, Message, encode};
use srpd::link::{Fault, LinkEvent};

use crate::pair::{Bench, EAST, Keys, Polling, WEST, hello, isolate, items, plaintext, port, raw, settings};

/// Starts both ends at once `times` times, each time with another order of events. Returns how many links were replaced
/// by a better one after they had come up.
fn start_together(times: u64, mut pair: impl FnMut() -> Bench) -> u64 {
    let mut replaced = 0;
    for round in 0..times {
        let mut bench = pair();
        bench.shuffle = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let one_connection = |bench: &mut Bench| {
            [0, 1].map(|place| bench.end(place).link.connections()) == [1, 1]
                && [0, 1].map(|place| bench.end(place).link.is_up()) == [true, true]
        };
        bench.run_until("exactly one connection", one_connection);
        // The same one at both ends: each sees the other's end of it, and only one end is a listener's.
        let peers = [0, 1].map(|place| bench.last_up(place));
        assert_eq!(peers.iter().filter(|peer| peer.port() == port()).count(), 1, "round {round}: {peers:?}");
        for (from, to) in [(0, 1), (1, 0)] {
            bench.say_hello(from);
            bench.send(from, &items(10));
            bench.run_until("the message", |bench| bench.took_message(to, &items(10)));
        }
        replaced += (bench.counter(0, "up") - 1) + (bench.counter(1, "up") - 1);
    }
    replaced
}

#[test]
fn simultaneous_starts_end_with_exactly_one_connection_under_tls() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let east = settings(EAST, WEST, keys.security("east", &["west"]));
    let west = settings(WEST, EAST, keys.security("west", &["east"]));
    let replaced = start_together(200, || Bench::pair(east.clone(), west.clone()));
    assert_eq!(replaced, 0, "a link that is up is not given up for another one");
}

#[test]
fn simultaneous_starts_end_with_exactly_one_connection_in_plaintext() {
    isolate();
    let replaced = start_together(200, || Bench::pair(plaintext(EAST, WEST), plaintext(WEST, EAST)));
    assert_eq!(replaced, 0, "a link that is up is not given up for another one");
}

#[test]
fn simultaneous_redials_after_a_broken_link_end_with_exactly_one_connection() {
    isolate();
    let mut bench = Bench::pair(plaintext(EAST, WEST), plaintext(WEST, EAST));
    bench.both_up();
    for round in 1..=50 {
        // Both give the link up at the same moment, after it had proved itself: both dial at once.
        bench.skip(Span::secs(2));
        let now = bench.now();
        for place in [0, 1] {
            bench.end(place).link.close(now, CloseReason::Silent, "dead interval");
        }
        bench.run_until("one new link", |bench| {
            [0, 1].iter().all(|place| bench.counter(*place, "up") > round)
                && [0, 1].iter().all(|place| bench.end(*place).link.connections() == 1)
        });
    }
}

/// A peer made by hand greets on a connection that it dialled.
fn dial_and_greet(bench: &mut Bench, boot: u64) -> TcpStream {
    let mut stream = raw(WEST, EAST);
    stream.write_all(&encode(&Message::Hello(hello(0, boot)))).expect("greeting");
    bench.await_up(0);
    stream
}

fn why_down(bench: &mut Bench) -> Fault {
    loop {
        if let LinkEvent::Down { why, .. } = bench.next_fact(0, "link down") {
            return why;
        }
    }
}

/// Everything that the link said to a peer made by hand, until it ended the stream.
fn heard(bench: &mut Bench, stream: &mut TcpStream) -> Vec<Message> {
    let mut reader = FrameReader::default();
    let mut messages = Vec::new();
    bench.run_until("end of stream", |_| {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(n) => reader.push(&chunk[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
        while let Some(message) = reader.next_message().expect("message") {
            messages.push(message);
        }
        false
    });
    messages
}

#[test]
fn restarted_peer_is_known_by_its_greeting_while_the_old_connection_still_stands() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    let _old = dial_and_greet(&mut bench, 1);
    let new = raw(WEST, EAST);
    (&new).write_all(&encode(&Message::Hello(hello(0, 2)))).expect("greeting");
    assert!(matches!(why_down(&mut bench), Fault::PeerRestarted));
    bench.await_up(0);
    assert!(bench.end(0).link.is_up());
}

#[test]
fn peer_that_lost_the_connection_gets_the_newer_one() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    let mut old = dial_and_greet(&mut bench, 1);
    let new = raw(WEST, EAST);
    (&new).write_all(&encode(&Message::Hello(hello(0, 1)))).expect("greeting");
    assert!(matches!(why_down(&mut bench), Fault::PeerReconnected));
    bench.await_up(0);
    let said = heard(&mut bench, &mut old);
    let last = said.last().expect("a Close");
    assert!(matches!(last, Message::Close(close) if close.reason == CloseReason::Collision), "{said:?}");
}

#[test]
fn answer_to_a_message_of_the_old_link_does_not_go_to_the_new_one() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    let _old = dial_and_greet(&mut bench, 1);
    let mut new = raw(WEST, EAST);
    new.write_all(&encode(&Message::Hello(hello(0, 2)))).expect("greeting");
    bench.polling = Polling::UntilGreeting;
    bench.run_until("the new link", |bench| bench.counter(0, "up") == 2);
    // The driver has polled neither the Down nor the Up: what it sends now belongs to the old link.
    bench.send(0, &Message::Unknown(77));
    assert_eq!(bench.counter(0, "dropped-while-down"), 1);
    bench.polling = Polling::Always;
    bench.await_up(0);
    bench.send(0, &Message::Unknown(78));
    drop(bench);
    let mut octets = Vec::new();
    new.set_nonblocking(false).expect("blocking");
    new.read_to_end(&mut octets).expect("end of stream");
    let mut reader = FrameReader::default();
    reader.push(&octets);
    assert!(matches!(reader.next_message(), Ok(Some(Message::Hello(_)))));
    assert_eq!(reader.next_message(), Ok(Some(Message::Unknown(78))));
}

/// West, which dials a peer made by hand in the east; what that peer accepted.
fn west_that_dialled() -> (Bench, TcpStream) {
    isolate();
    let listener = TcpListener::bind((EAST, port())).expect("listener");
    let mut bench = Bench::new();
    bench.open(0, plaintext(WEST, EAST), 200);
    bench.run_until("dial", |bench| bench.counter(0, "dialled") == 1);
    let (mut stream, _) = listener.accept().expect("dial");
    stream.set_nonblocking(true).expect("nonblocking");
    stream.write_all(&encode(&Message::Hello(hello(0, 1)))).expect("greeting");
    bench.await_up(0);
    (bench, stream)
}

#[test]
fn lower_side_that_dialled_at_the_same_time_has_to_take_the_other_connection() {
    let (mut bench, _dialled) = west_that_dialled();
    let mut challenger = raw(EAST, WEST);
    challenger.write_all(&encode(&Message::Hello(hello(0, 1)))).expect("greeting");
    let said = heard(&mut bench, &mut challenger);
    assert!(matches!(said.as_slice(), [Message::Close(close)] if close.reason == CloseReason::Collision));
    assert_eq!((bench.counter(0, "up"), bench.counter(0, "down")), (1, 0));
}

#[test]
fn lower_side_that_dials_a_link_of_long_ago_must_have_lost_it() {
    let (mut bench, _dialled) = west_that_dialled();
    bench.skip(Span::secs(3));
    let challenger = raw(EAST, WEST);
    (&challenger).write_all(&encode(&Message::Hello(hello(0, 1)))).expect("greeting");
    assert!(matches!(why_down(&mut bench), Fault::PeerReconnected));
    bench.await_up(0);
}
