//! A server that answers, rejects, keeps silent, answers late, and is somebody else.

use super::super::packet::tests::answer;
use super::*;

const PROBE: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(3);

fn secret() -> Secret {
    Secret::new(b"testing123".to_vec())
}

fn settings(max_retries: u16) -> Settings {
    Settings {
        question: Question::StatusServer,
        nas: Nas { identifier: "east".into(), address: None },
        secret: secret(),
        probe_interval: PROBE,
        retry_interval: RETRY,
        max_retries,
        require_message_authenticator: Requirement::Yes,
    }
}

fn at(seconds: u64) -> Time {
    Time(seconds * 1_000_000)
}

/// Started at 0, first identifier 0.
fn prober(max_retries: u16) -> Prober {
    let mut prober = Prober::new(settings(max_retries), 0);
    assert_eq!(prober.next_deadline(), None);
    prober.start(at(0));
    prober
}

/// What goes out when the next deadline comes, with the time of that.
fn next(prober: &mut Prober) -> (Time, Option<Request>) {
    let now = prober.next_deadline().expect("it is probed");
    let authenticator = now.0.to_be_bytes().repeat(2).try_into().expect("16 octets");
    let sent = prober.handle_deadline(now, authenticator);
    (now, sent.map(|packet| Request { identifier: packet[1], authenticator }))
}

fn ask(prober: &mut Prober) -> (Time, Request) {
    let (now, sent) = next(prober);
    (now, sent.expect("a request"))
}

#[test]
fn mon_1_any_proved_answer_is_up_also_a_reject() {
    for (code, text) in [(2, "Access-Accept"), (3, "Access-Reject"), (11, "Access-Challenge")] {
        let mut prober = prober(5);
        assert_eq!(prober.standing().state, State::Unknown);
        let (now, request) = ask(&mut prober);
        assert_eq!(now, at(0));
        let heard = now + Duration::from_millis(7);
        assert!(prober.receive(heard, &answer(code, &request, &secret(), false)).is_ok());
        assert_eq!(prober.standing().state, State::Up);
        assert_eq!(prober.standing().reason, format!("answers with {text}"));
        assert_eq!(prober.round_trip(), Some(Duration::from_millis(7)));
        assert_eq!(prober.next_deadline(), Some(at(10)), "the next round");
        assert!(prober.take_change() && !prober.take_change());
    }
}

#[test]
fn mon_2_down_once_max_retries_repeats_are_not_answered_either() {
    for retries in [0, 1, 5] {
        let mut prober = prober(retries);
        for attempt in 0..=u64::from(retries) {
            let (now, request) = ask(&mut prober);
            assert_eq!((now, u64::from(request.identifier)), (at(attempt * 3), attempt));
            assert_eq!(prober.standing().state, State::Unknown);
        }
        let (now, sent) = next(&mut prober);
        assert_eq!(now, at(3 * (u64::from(retries) + 1)));
        assert_eq!(prober.standing().state, State::Down, "after {retries} retries");
        assert_eq!((prober.counters().downs, prober.failures()), (1, u32::from(retries) + 1));
        // Down, it is asked once a round: at once where the round has taken longer than the interval.
        assert_eq!(sent.is_some(), now >= at(10));
        if sent.is_none() {
            assert_eq!(prober.next_deadline(), Some(at(10)));
            ask(&mut prober);
        }
        let (_, request) = (next(&mut prober), ask(&mut prober).1);
        assert_eq!(prober.standing().state, State::Down);
        assert!(prober.receive(at(99), &answer(3, &request, &secret(), false)).is_ok());
        assert_eq!((prober.standing().state, prober.failures()), (State::Up, 0));
    }
}

#[test]
fn one_answer_among_the_repeats_keeps_it_up() {
    let mut prober = prober(2);
    ask(&mut prober);
    ask(&mut prober);
    let (now, request) = ask(&mut prober);
    assert!(prober.receive(now, &answer(2, &request, &secret(), false)).is_ok());
    assert_eq!((prober.standing().state, prober.counters().timeouts), (State::Up, 2));
}

#[test]
fn late_answers_and_forged_ones_are_counted_and_change_nothing() {
    let mut prober = prober(5);
    let (_, first) = ask(&mut prober);
    let (now, second) = ask(&mut prober);
    let stranger = Secret::new(b"guessed".to_vec());
    assert_eq!(prober.receive(now, &answer(2, &first, &secret(), false)), Err(Bad::Late));
    let forged = prober.receive(now, &answer(2, &second, &stranger, false));
    assert_eq!(forged, Err(Bad::ResponseAuthenticator));
    let unasked = Request { identifier: 77, ..second };
    let unasked = prober.receive(now, &answer(2, &unasked, &secret(), false));
    assert_eq!(unasked, Err(Bad::Identifier { identifier: 77 }));
    assert_eq!(prober.standing().state, State::Unknown);
    assert_eq!(prober.counters().bad, [0, 0, 0, 0, 1, 1, 0, 0, 1]);
    // The one that is out still counts.
    assert!(prober.receive(now, &answer(2, &second, &secret(), false)).is_ok());
    assert_eq!(prober.standing().state, State::Up);
    // A copy of it answers nothing any more.
    let copy = prober.receive(now, &answer(2, &second, &secret(), false));
    assert_eq!(copy, Err(Bad::Identifier { identifier: 1 }));
}

#[test]
fn reason_of_down_says_what_was_wrong_beside_the_silence() {
    let mut prober = prober(0);
    let (now, request) = ask(&mut prober);
    let other = Secret::new(b"other".to_vec());
    assert!(prober.receive(now, &answer(2, &request, &other, false)).is_err());
    next(&mut prober);
    assert_eq!(
        prober.standing().reason,
        "no answer to 1 request within 3s each: the Response Authenticator is wrong: is the secret the same on both ends?"
    );
}

#[test]
fn identifiers_go_round_before_one_is_used_again() {
    let mut prober = prober(u16::MAX);
    let used: Vec<u8> = (0..512).map(|_| ask(&mut prober).1.identifier).collect();
    for window in used.windows(256) {
        let distinct: std::collections::BTreeSet<_> = window.iter().collect();
        assert_eq!(distinct.len(), 256);
    }
}

#[test]
fn mon_1_who_stops_knows_nothing_and_who_starts_again_begins_anew() {
    let mut prober = prober(0);
    ask(&mut prober);
    next(&mut prober);
    assert_eq!(prober.standing().state, State::Down);
    prober.stop(at(50), "probed on the Active only");
    assert_eq!((prober.standing().state, prober.next_deadline()), (State::Unknown, None));
    assert_eq!(prober.handle_deadline(at(60), [0; 16]), None);
    prober.start(at(70));
    assert_eq!((ask(&mut prober).0, prober.failures()), (at(70), 0));
}

#[test]
fn exec_3_a_reset_forgets_failures_and_asks_at_once() {
    let mut prober = prober(0);
    ask(&mut prober);
    next(&mut prober);
    assert_eq!(prober.failures(), 1);
    prober.reset(at(5));
    assert_eq!((prober.standing().state, prober.failures()), (State::Unknown, 0));
    assert_eq!(prober.next_deadline(), Some(at(5)));
    prober.stop(at(6), "stopped");
    prober.reset(at(7));
    assert_eq!(prober.next_deadline(), None, "what is not probed is not begun by a reset");
}

#[test]
fn server_that_has_signed_once_has_to_sign_on_until_a_reset() {
    let auto = Settings { require_message_authenticator: Requirement::Auto, ..settings(5) };
    let mut prober = Prober::new(auto, 0);
    prober.start(at(0));
    let mut judge = |plain| {
        let (now, request) = ask(&mut prober);
        prober.receive(now, &answer(2, &request, &secret(), plain))
    };
    assert!(judge(true).is_ok(), "it has never signed");
    assert!(judge(false).is_ok());
    assert_eq!(judge(true), Err(Bad::NoMessageAuthenticator));
    prober.reset(at(40));
    let (now, request) = ask(&mut prober);
    assert!(prober.receive(now, &answer(2, &request, &secret(), true)).is_ok());
}
