//! A peer that answers, refuses, is somebody else, keeps silent, says goodbye, and comes back.

use super::*;

const TW: Duration = Duration::from_secs(6);
const RECONNECT: Duration = Duration::from_secs(5);
/// Tw and its jitter.
const LONGEST_TW: Duration = Duration::from_secs(8);

fn settings() -> Settings {
    Settings {
        origin_host: "gateway.example".into(),
        origin_realm: "example".into(),
        host: Some("pcrf.example".into()),
        application: u32::MAX,
        vendor: None,
        watchdog_interval: TW,
        reconnect_interval: RECONNECT,
    }
}

fn at(seconds: u64) -> Time {
    Time(seconds * 1_000_000)
}

fn started() -> Peer {
    let mut peer = Peer::new(settings(), 1);
    assert_eq!(peer.next_deadline(), None);
    peer.start(at(0));
    assert_eq!(actions(&mut peer), [Done::Connect]);
    peer
}

/// An action with its message read.
#[derive(Debug, PartialEq)]
enum Done {
    Connect,
    Close,
    Send(Message),
}

fn actions(peer: &mut Peer) -> Vec<Done> {
    let read = |action| match action {
        Action::Connect => Done::Connect,
        Action::Close => Done::Close,
        Action::Send(octets) => Done::Send(Message::decode(&octets).expect("what we write can be read")),
    };
    std::iter::from_fn(|| peer.poll_action()).map(read).collect()
}

fn sent(peer: &mut Peer) -> Message {
    let done = <[Done; 1]>::try_from(actions(peer));
    match done {
        Ok([Done::Send(message)]) => message,
        other => panic!("one message, not {other:?}"),
    }
}

fn reply(request: &Message, result: u32, host: &str) -> Vec<u8> {
    let header = Header { flags: 0, ..request.header };
    let avps = vec![
        Avp::number(avp::RESULT_CODE, result),
        Avp::mandatory(avp::ORIGIN_HOST, host.as_bytes()),
        Avp::mandatory(avp::ORIGIN_REALM, *b"example"),
        Avp::mandatory(avp::PRODUCT_NAME, *b"a PCRF"),
    ];
    Message { header, avps }.encode()
}

fn request_of(command: u32, application: u32, avps: Vec<Avp>) -> Vec<u8> {
    let header = Header { flags: REQUEST | 0x40, command, application, hop_by_hop: 900, end_to_end: 901 };
    Message { header, avps }.encode()
}

/// Connected at `now`; returns the Capabilities-Exchange-Request.
fn connect(peer: &mut Peer, now: Time) -> Message {
    peer.connected(now, [10, 0, 0, 1].into());
    sent(peer)
}

fn opened() -> Peer {
    let mut peer = started();
    let request = connect(&mut peer, at(0));
    peer.received(at(0), &reply(&request, SUCCESS, "PCRF.example"));
    assert_eq!(actions(&mut peer), []);
    peer
}

fn expire(peer: &mut Peer) -> Time {
    let now = peer.next_deadline().expect("something is due");
    peer.handle_deadline(now);
    now
}

#[test]
fn mon_7_open_connection_is_up() {
    let mut peer = started();
    assert_eq!(peer.standing().state, State::Unknown);
    let request = connect(&mut peer, at(0));
    assert_eq!(request.header.command, command::CAPABILITIES_EXCHANGE);
    let codes: Vec<_> = request.avps.iter().map(|avp| avp.code).collect();
    assert_eq!(codes, [264, 296, 257, 266, 269, 258]);
    peer.received(at(1), &reply(&request, SUCCESS, "pcrf.example"));
    assert_eq!((peer.standing().state, peer.connection()), (State::Up, "OKAY"));
    assert_eq!(peer.standing().reason, "open to pcrf.example (a PCRF)");
}

#[test]
fn application_of_a_vendor_is_said_with_the_vendor() {
    let settings = Settings { application: 16_777_238, vendor: Some(10_415), ..settings() };
    let mut peer = Peer::new(settings, 1);
    peer.start(at(0));
    actions(&mut peer);
    let request = connect(&mut peer, at(0));
    let parts = grouped(&[Avp::number(266, 10_415), Avp::number(258, 16_777_238)]);
    assert_eq!(request.find(260).map(|avp| avp.data.clone()), Some(parts));
}

#[test]
fn mon_7_refusals_are_down_by_their_name_and_tried_again() {
    let rows = [
        (
            5010,
            "pcrf.example",
            "Capabilities-Exchange refused by pcrf.example: DIAMETER_NO_COMMON_APPLICATION (5010)",
        ),
        (3010, "pcrf.example", "Capabilities-Exchange refused by pcrf.example: DIAMETER_UNKNOWN_PEER (3010)"),
        (5999, "pcrf.example", "Capabilities-Exchange refused by pcrf.example: Result-Code 5999"),
        (
            2001,
            "ocs.example",
            "Origin-Host is ocs.example, not pcrf.example: another peer is at this address, or host is mistyped",
        ),
    ];
    for (result, host, reason) in rows {
        let mut peer = started();
        let request = connect(&mut peer, at(0));
        peer.received(at(1), &reply(&request, result, host));
        assert_eq!(actions(&mut peer), [Done::Close]);
        assert_eq!((peer.standing().state, peer.standing().reason.as_str()), (State::Down, reason));
        assert_eq!(expire(&mut peer), at(1) + RECONNECT);
        assert_eq!(actions(&mut peer), [Done::Connect]);
    }
}

#[test]
fn who_cannot_be_reached_or_says_nothing_is_down() {
    let mut peer = started();
    peer.disconnected(at(1), "Connection refused");
    assert_eq!(peer.standing().reason, "no connection: Connection refused");
    assert_eq!((peer.standing().state, peer.counters().downs), (State::Down, 1));
    expire(&mut peer);
    assert_eq!(actions(&mut peer), [Done::Connect]);
    expire(&mut peer);
    assert_eq!(actions(&mut peer), [Done::Close, Done::Connect]);
    assert_eq!(peer.standing().reason, "no connection within 5s");
    connect(&mut peer, at(20));
    expire(&mut peer);
    assert_eq!(peer.standing().reason, "no Capabilities-Exchange-Answer within 5s");
    assert_eq!((peer.counters().downs, peer.counters().attempts), (1, 4));
}

#[test]
fn mon_7_peer_that_freezes_is_down_after_two_watchdogs_and_closed_after_three() {
    let mut peer = opened();
    let asked = expire(&mut peer);
    assert!(asked <= at(0) + LONGEST_TW);
    assert_eq!(sent(&mut peer).header.command, command::DEVICE_WATCHDOG);
    assert_eq!(peer.standing().state, State::Up);
    let suspected = expire(&mut peer);
    assert!(suspected <= asked + LONGEST_TW);
    assert_eq!((peer.standing().state, peer.connection()), (State::Down, "SUSPECT"));
    assert_eq!(
        peer.standing().reason,
        "pcrf.example (a PCRF) does not answer Device-Watchdog-Requests".replace("pcrf", "PCRF")
    );
    expire(&mut peer);
    assert_eq!(actions(&mut peer), [Done::Close]);
    assert_eq!((peer.standing().state, peer.connection()), (State::Down, "DOWN"));
    assert_eq!(peer.counters().watchdogs_missed, 2);
}

#[test]
fn late_answer_takes_the_suspicion_away() {
    let mut peer = opened();
    expire(&mut peer);
    let request = sent(&mut peer);
    let now = expire(&mut peer);
    assert_eq!(peer.standing().state, State::Down);
    peer.received(now, &reply(&request, SUCCESS, "pcrf.example"));
    assert_eq!((peer.standing().state, peer.connection()), (State::Up, "OKAY"));
    assert!(peer.round_trip().is_some());
}

#[test]
fn connection_that_was_lost_is_up_again_after_three_watchdogs() {
    let mut peer = opened();
    peer.disconnected(at(3), "closed by the peer");
    assert_eq!((peer.standing().state, peer.connection()), (State::Down, "DOWN"));
    let now = expire(&mut peer);
    actions(&mut peer);
    let request = connect(&mut peer, now);
    peer.received(now, &reply(&request, SUCCESS, "pcrf.example"));
    assert_eq!(peer.connection(), "REOPEN");
    for _ in 0..2 {
        let watchdog = sent(&mut peer);
        peer.received(now, &reply(&watchdog, SUCCESS, "pcrf.example"));
        assert_eq!(peer.standing().state, State::Down);
        expire(&mut peer);
    }
    let watchdog = sent(&mut peer);
    peer.received(now, &reply(&watchdog, SUCCESS, "pcrf.example"));
    assert_eq!((peer.standing().state, peer.connection()), (State::Up, "OKAY"));
}

#[test]
fn watchdogs_of_the_peer_are_answered_and_are_a_sign_of_life() {
    let mut peer = opened();
    let before = peer.next_deadline();
    peer.received(at(3), &request_of(command::DEVICE_WATCHDOG, 0, Vec::new()));
    let answer = sent(&mut peer);
    assert_eq!((answer.header.flags, answer.header.hop_by_hop, answer.header.end_to_end), (0x40, 900, 901));
    assert_eq!(answer.find(avp::RESULT_CODE).and_then(Avp::as_number), Some(SUCCESS));
    assert!(peer.next_deadline() > before);
}

#[test]
fn requests_for_applications_are_refused_by_name_with_their_session() {
    let mut peer = opened();
    let session = Avp::mandatory(avp::SESSION_ID, *b"a;1;2");
    peer.received(at(3), &request_of(258, 16_777_238, vec![session.clone()]));
    let answer = sent(&mut peer);
    assert_eq!(answer.header.flags & ERROR, ERROR);
    assert_eq!(answer.avps.first(), Some(&session));
    assert_eq!(answer.find(avp::RESULT_CODE).and_then(Avp::as_number), Some(APPLICATION_UNSUPPORTED));
    peer.received(at(3), &request_of(999, 0, Vec::new()));
    let answer = sent(&mut peer);
    assert_eq!(answer.find(avp::RESULT_CODE).and_then(Avp::as_number), Some(COMMAND_UNSUPPORTED));
    assert_eq!(peer.counters().requests_refused, 2);
}

#[test]
fn goodbye_of_the_peer_is_answered_and_is_down_with_its_cause() {
    let mut peer = opened();
    let cause = Avp::number(avp::DISCONNECT_CAUSE, 0);
    peer.received(at(3), &request_of(command::DISCONNECT_PEER, 0, vec![cause]));
    let done = actions(&mut peer);
    assert!(
        matches!(&done[..], [Done::Send(answer), Done::Close] if answer.header.command == 282),
        "{done:?}"
    );
    assert_eq!(peer.standing().reason, "the peer disconnects (Disconnect-Peer-Request): REBOOTING");
    assert_eq!(peer.next_deadline(), Some(at(3) + RECONNECT));
}

#[test]
fn goodbye_of_ours_waits_for_its_answer_and_not_for_ever() {
    for answered in [true, false] {
        let mut peer = opened();
        peer.stop(at(3), "watched on the Active only");
        assert_eq!(peer.standing().state, State::Unknown);
        let goodbye = sent(&mut peer);
        assert_eq!(goodbye.find(avp::DISCONNECT_CAUSE).and_then(Avp::as_number), Some(2));
        assert!(!peer.is_stopped());
        if answered {
            peer.received(at(3), &reply(&goodbye, SUCCESS, "pcrf.example"));
        } else {
            assert_eq!(expire(&mut peer), at(3) + GOODBYE);
        }
        assert_eq!(actions(&mut peer), [Done::Close]);
        assert!(peer.is_stopped() && peer.next_deadline().is_none());
        assert_eq!(peer.standing().state, State::Unknown);
    }
}

#[test]
fn who_becomes_active_again_while_it_leaves_connects_anew() {
    let mut peer = opened();
    peer.stop(at(3), "stopped");
    actions(&mut peer);
    peer.start(at(3));
    assert_eq!(actions(&mut peer), [Done::Close, Done::Connect]);
    let request = connect(&mut peer, at(4));
    peer.received(at(4), &reply(&request, SUCCESS, "pcrf.example"));
    assert_eq!(peer.standing().state, State::Up);
}

#[test]
fn answers_to_nothing_are_counted_and_ignored() {
    let mut peer = opened();
    let watchdog = Header { flags: 0, command: 280, application: 0, hop_by_hop: 5, end_to_end: 5 };
    let before = peer.next_deadline();
    peer.received(at(3), &Message { header: watchdog, avps: Vec::new() }.encode());
    let strange = Header { command: 4711, ..watchdog };
    peer.received(at(3), &Message { header: strange, avps: Vec::new() }.encode());
    assert_eq!(peer.counters().unexpected, 2);
    assert_eq!(peer.next_deadline(), before);
}

#[test]
fn octets_that_are_no_diameter_end_the_connection() {
    for octets in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        &[1, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let mut peer = opened();
        peer.received(at(3), octets);
        assert_eq!(actions(&mut peer), [Done::Close]);
        assert_eq!((peer.standing().state, peer.counters().malformed), (State::Down, 1));
    }
}

#[test]
fn exec_4_a_reset_tries_at_once_and_leaves_an_open_connection_alone() {
    let mut peer = opened();
    peer.reset(at(2));
    assert_eq!((actions(&mut peer), peer.standing().state), (vec![], State::Up));
    peer.disconnected(at(3), "closed");
    assert_eq!(peer.standing().state, State::Down);
    peer.reset(at(4));
    assert_eq!((actions(&mut peer), peer.standing().state), (vec![Done::Connect], State::Unknown));
}

#[test]
fn same_seed_same_actions() {
    let run = |seed| {
        let mut peer = Peer::new(settings(), seed);
        peer.start(at(0));
        peer.connected(at(0), [10, 0, 0, 1].into());
        actions(&mut peer)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
