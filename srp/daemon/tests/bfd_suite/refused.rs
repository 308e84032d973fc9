//! What cannot be opened is refused with the reason, and leaves nothing open.

use srpd::bfd::{Hops, SessionSettings};

use crate::bench::{Bench, V4, V6, linked, mirrored, session};

fn refusal(sessions: &[SessionSettings]) -> String {
    let (here, _there) = linked();
    let mut bench = Bench::new();
    bench.try_open(0, &here, sessions.to_vec()).expect_err("it cannot work").to_string()
}

#[test]
fn missing_interface_is_named() {
    let settings = SessionSettings { interface: Some("nowhere0".into()), ..session(V4) };
    let text = refusal(&[settings]);
    assert!(text.contains("\"nowhere0\" does not exist"), "{text}");
    assert!(text.contains("192.0.2.2"), "{text}");
}

#[test]
fn second_session_with_a_peer_is_refused() {
    let text = refusal(&[session(V4), SessionSettings { interface: None, ..session(V4) }]);
    assert!(text.contains("two sessions"), "{text}");
}

#[test]
fn ends_of_two_families_are_refused() {
    let text = refusal(&[session((V4.0, V6.1))]);
    assert!(text.contains("another family"), "{text}");
}

#[test]
fn port_in_use_says_who_may_hold_it_and_is_free_again_afterwards() {
    let (here, there) = linked();
    let mut bench = Bench::with(&here, session(V4));
    let text = bench.try_open(1, &here, vec![session(V4)]).expect_err("the port is taken").to_string();
    assert!(text.contains("0.0.0.0:3784") && text.contains("bfdd") && text.contains("ss -lunp"), "{text}");
    bench.open(1, &here, vec![session(V6)]);
    bench.kill(0);
    bench.kill(1);
    bench.open(0, &here, vec![session(V4)]);
    bench.open(1, &there, vec![mirrored(&session(V4))]);
    bench.await_both_up();
}

#[test]
fn address_that_is_not_there_yet_is_waited_for() {
    let (here, there) = linked();
    let settings = session(("192.0.2.77", V4.1));
    let mut bench = Bench::pair(&here, &there, &settings);
    bench.run_until("the first packet is not sent", |bench| bench.view(0).send_failures > 0);
    here.ip(&["addr add 192.0.2.77/24 dev v0".into()]).expect("the address comes");
    bench.await_up(0);
    bench.await_up(1);
}

#[test]
fn poll_tokens_are_counted() {
    let poll = mio::Poll::new().expect("poll");
    let settings = srpd::bfd::BfdSettings { sessions: Vec::new(), seed: 1, tokens: 0..3 };
    let error = srpd::bfd::Bfd::open(srpd::clock::now(), settings, poll.registry()).expect_err("too few");
    assert!(error.to_string().contains("needs 4"), "{error}");
    assert_eq!(Hops::Single.port(), 3784);
}
