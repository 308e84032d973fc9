//! The link comes up, says how it is protected, and carries messages both ways.

use srp_core::wire::{CloseReason, Message};
use srpd::link::{Fault, LinkEvent};

use crate::pair::{Bench, EAST, Keys, WEST, isolate, items, plaintext, settings};

fn carries_messages_both_ways(bench: &mut Bench) {
    for (from, to, size) in [(0, 1, 10), (1, 0, 20), (0, 1, 200_000), (1, 0, 200_000)] {
        bench.say_hello(from);
        bench.send(from, &items(size));
        assert_eq!(bench.await_message(to), items(size));
    }
}

#[test]
fn ch_2_tls_link_comes_up_and_carries_messages_both_ways() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let mut bench = Bench::pair(
        settings(EAST, WEST, keys.security("east", &["west"])),
        settings(WEST, EAST, keys.security("west", &["east"])),
    );
    let (security, peer) = bench.await_up(0);
    assert!(security.starts_with("mutual TLS 1.3, TLS13_"), "{security}");
    assert!(security.contains("peer certificate sha256:"), "{security}");
    assert_eq!(peer.ip().to_string(), WEST);
    bench.await_up(1);
    carries_messages_both_ways(&mut bench);
}

#[test]
fn link_comes_up_over_ipv6() {
    isolate();
    let keys = Keys::new(&["east", "west"]);
    let mut bench = Bench::pair(
        settings("fd00::1", "fd00::2", keys.security("east", &["west"])),
        settings("fd00::2", "fd00::1", keys.security("west", &["east"])),
    );
    assert_eq!(bench.await_up(0).1.ip().to_string(), "fd00::2");
    bench.await_up(1);
    carries_messages_both_ways(&mut bench);
}

#[test]
fn plaintext_link_comes_up_and_says_what_it_is() {
    isolate();
    let mut bench = Bench::pair(plaintext(EAST, WEST), plaintext(WEST, EAST));
    let (security, _) = bench.await_up(0);
    assert!(security.starts_with("PLAINTEXT"), "{security}");
    bench.await_up(1);
    carries_messages_both_ways(&mut bench);
}

#[test]
fn two_pinned_certificates_let_the_peer_change_its_key() {
    isolate();
    let keys = Keys::new(&["east", "west", "west-next"]);
    let mut bench = Bench::pair(
        settings(EAST, WEST, keys.security("east", &["west", "west-next"])),
        settings(WEST, EAST, keys.security("west", &["east"])),
    );
    let (before, _) = bench.await_up(0);
    bench.kill(1);
    bench.open(1, settings(WEST, EAST, keys.security("west-next", &["east"])), 201);
    let (after, _) = bench.await_up(0);
    assert_ne!(before, after, "the certificate that the peer showed is named");
    bench.await_up(1);
}

#[test]
fn orderly_close_reaches_the_peer_with_its_reason_and_then_drains() {
    isolate();
    let mut bench = Bench::pair(plaintext(EAST, WEST), plaintext(WEST, EAST));
    bench.both_up();
    let now = bench.now();
    bench.end(0).link.close(now, CloseReason::Stopping, "srpd stops");
    loop {
        if let LinkEvent::Down { why: Fault::ClosedByPeer { reason, text }, .. } = bench.next_fact(1, "Close")
        {
            assert_eq!((reason, text.as_str()), (CloseReason::Stopping, "srpd stops"));
            break;
        }
    }
    bench.run_until("drained", |bench| bench.end(0).link.is_drained());
    assert!(!bench.end(0).link.is_up());
    assert_eq!(bench.end(0).link.next_deadline(), None, "nothing is left to do");
}

#[test]
fn message_without_a_link_is_dropped_and_counted() {
    isolate();
    let mut bench = Bench::new();
    bench.open(0, plaintext(EAST, WEST), 100);
    bench.send(0, &Message::Unknown(200));
    assert_eq!(bench.counter(0, "dropped-while-down"), 1);
}

#[test]
fn message_longer_than_a_frame_is_not_sent_and_the_link_stays_up() {
    isolate();
    let mut bench = Bench::pair(plaintext(EAST, WEST), plaintext(WEST, EAST));
    bench.both_up();
    bench.send(0, &items(300_000));
    assert_eq!(bench.counter(0, "dropped-too-long"), 1);
    carries_messages_both_ways(&mut bench);
}
