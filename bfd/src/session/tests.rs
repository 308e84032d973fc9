//! The transition table, the timers packet by packet, and random events with the invariants after each.

use proptest::prelude::*;

use super::*;
use crate::packet::AuthenticationType;
use crate::types::SLOW_INTERVAL;

const MS: u64 = 1_000;
const T0: Time = Time(1_000_000);

fn timers(min_tx: u32, min_rx: u32, multiplier: u8) -> Timers {
    Timers::new(Interval::millis(min_tx), Interval::millis(min_rx), multiplier).expect("in range")
}

fn discriminator(value: u32) -> Discriminator {
    Discriminator::new(value).expect("not zero")
}

/// A packet of the remote system: 50 ms both ways, multiplier 3.
fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(3).expect("three"),
        my_discriminator: discriminator(77),
        your_discriminator: Some(discriminator(42)),
        desired_min_tx: Interval::millis(50),
        required_min_rx: Interval::millis(50),
        required_min_echo_rx: Interval::ZERO,
    }
}

struct Bench {
    session: Session,
    now: Time,
}

impl Bench {
    fn new(timers: Timers) -> Self {
        let session = Session::new(T0, discriminator(42), timers, 7);
        Self { session, now: T0 }
    }

    /// In this state; its first packets are sent and forgotten.
    fn in_state(state: State) -> Self {
        let mut bench = Self::new(timers(50, 50, 3));
        bench.event(Event::DeadlineReached);
        match state {
            State::AdminDown => drop(bench.event(Event::Disable)),
            State::Down => {}
            State::Init => drop(bench.hear(packet(State::Down))),
            State::Up => drop(bench.hear(packet(State::Init))),
        }
        assert_eq!(bench.session.state(), state);
        bench
    }

    /// Up, and the Poll Sequence that came with it is over.
    fn settled() -> Self {
        let mut bench = Self::in_state(State::Up);
        bench.hear(Packet { is_final: true, ..packet(State::Up) });
        bench.hear(packet(State::Up));
        bench
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        self.session.handle(self.now, event);
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }

    fn hear(&mut self, packet: Packet) -> Vec<Action> {
        self.event(Event::Received(Received { packet, authentication: None }))
    }

    fn wait(&mut self, ms: u64) -> Vec<Action> {
        self.now = self.now + Span(ms * MS);
        self.event(Event::DeadlineReached)
    }

    /// Goes to the next deadline. Milliseconds waited and what came of it.
    fn next(&mut self) -> (Span, Vec<Action>) {
        let before = self.now;
        self.now = self.session.next_deadline().expect("a deadline").max(self.now);
        (self.now.since(before), self.event(Event::DeadlineReached))
    }
}

fn sent(actions: &[Action]) -> Vec<Packet> {
    let packet = |action: &Action| match action {
        Action::Send(packet) => Some(*packet),
        Action::Up | Action::Down(_) | Action::Discarded(_) => None,
    };
    actions.iter().filter_map(packet).collect()
}

fn only(actions: &[Action]) -> Packet {
    let sent = sent(actions);
    assert_eq!(sent.len(), 1, "{actions:?}");
    sent[0]
}

#[test]
fn transition_table() {
    use State::{AdminDown, Down, Init, Up};
    // in state, hears, becomes, diagnostic, reports
    let signaled = DownCause::SignaledDown(Diagnostic::None);
    let (up, down) = (Some(Action::Up), |cause| Some(Action::Down(cause)));
    let table = [
        (AdminDown, AdminDown, AdminDown, Diagnostic::AdministrativelyDown, None),
        (AdminDown, Down, AdminDown, Diagnostic::AdministrativelyDown, None),
        (AdminDown, Init, AdminDown, Diagnostic::AdministrativelyDown, None),
        (AdminDown, Up, AdminDown, Diagnostic::AdministrativelyDown, None),
        (Down, AdminDown, Down, Diagnostic::None, None),
        (Down, Down, Init, Diagnostic::None, None),
        (Down, Init, Up, Diagnostic::None, up),
        (Down, Up, Down, Diagnostic::None, None),
        (Init, AdminDown, Down, Diagnostic::NeighborSignaledDown, None),
        (Init, Down, Init, Diagnostic::None, None),
        (Init, Init, Up, Diagnostic::None, up),
        (Init, Up, Up, Diagnostic::None, up),
        (Up, AdminDown, Down, Diagnostic::NeighborSignaledDown, down(DownCause::RemoteAdminDown)),
        (Up, Down, Down, Diagnostic::NeighborSignaledDown, down(signaled)),
        (Up, Init, Up, Diagnostic::None, None),
        (Up, Up, Up, Diagnostic::None, None),
    ];
    for (from, heard, to, diagnostic, report) in table {
        let mut bench = Bench::in_state(from);
        let actions = bench.hear(packet(heard));
        assert_eq!(bench.session.state(), to, "{from} hears {heard}");
        assert_eq!(bench.session.diagnostic(), diagnostic, "{from} hears {heard}");
        let reports = actions.iter().copied().filter(|action| !matches!(action, Action::Send(_)));
        assert_eq!(reports.collect::<Vec<_>>(), Vec::from_iter(report), "{from} hears {heard}");
        if from != to {
            let said = only(&actions);
            assert_eq!((said.state, said.diagnostic), (to, diagnostic), "a change is said at once");
        }
    }
}

#[test]
fn first_packet_goes_out_at_once_and_knows_nobody() {
    let mut bench = Bench::new(timers(50, 40, 5));
    assert_eq!(bench.session.next_deadline(), Some(T0));
    let first = only(&bench.event(Event::DeadlineReached));
    assert_eq!(first.state, State::Down);
    assert_eq!(first.my_discriminator, discriminator(42));
    assert_eq!(first.your_discriminator, None);
    assert_eq!(first.detect_mult.get(), 5);
    assert_eq!(first.desired_min_tx, SLOW_INTERVAL);
    assert_eq!(first.required_min_rx, Interval::millis(40));
    assert_eq!(first.required_min_echo_rx, Interval::ZERO);
    assert!(!first.poll && !first.is_final && !first.demand && !first.control_plane_independent);
}

#[test]
fn packets_are_a_second_apart_until_the_session_is_up() {
    for multiplier in [1, 3] {
        let mut bench = Bench::new(timers(10, 10, multiplier));
        bench.next();
        for _ in 0..1_000 {
            let (waited, actions) = bench.next();
            only(&actions);
            let longest = if multiplier == 1 { 900 } else { 1_000 };
            assert!((750 * MS..=longest * MS).contains(&waited.0), "{waited}");
        }
    }
}

#[test]
fn jitter_takes_up_to_a_quarter_and_at_least_a_tenth_with_multiplier_1() {
    for (multiplier, longest) in [(3, 100), (1, 90)] {
        let mut bench = Bench::new(timers(100, 100, multiplier));
        bench.event(Event::DeadlineReached);
        bench.hear(packet(State::Init));
        let mut waits = Vec::new();
        for _ in 0..2_000 {
            bench.hear(packet(State::Up)); // keeps the session Up
            let (waited, actions) = bench.next();
            only(&actions);
            waits.push(waited.0);
        }
        let (least, most) = (waits.iter().min().copied(), waits.iter().max().copied());
        assert!(least.is_some_and(|least| (75 * MS..76 * MS).contains(&least)), "{least:?}");
        let most = most.unwrap_or(0);
        assert!(((longest - 1) * MS..=longest * MS).contains(&most), "{most}");
    }
}

#[test]
fn the_slower_of_the_two_systems_decides_the_interval() {
    // our min-tx, remote min-rx, interval between our packets
    for (min_tx, required_min_rx, interval) in [(50, 20, 50), (20, 50, 50), (20, 10_000, 10_000)] {
        let mut bench = Bench::new(timers(min_tx, 50, 3));
        let remote = Packet { required_min_rx: Interval::millis(required_min_rx), ..packet(State::Init) };
        bench.hear(remote);
        assert_eq!(bench.session.transmit_interval(), Some(Interval::millis(interval)));
    }
}

#[test]
fn detection_time_is_the_remote_multiplier_times_the_slower_side() {
    // our min-rx, remote min-tx, remote multiplier, milliseconds
    for (min_rx, desired_min_tx, multiplier, expected) in
        [(50, 20, 3, 150), (20, 50, 3, 150), (20, 1_000, 3, 3_000), (10, 10, 255, 2_550), (50, 50, 1, 50)]
    {
        let mut bench = Bench::new(timers(50, min_rx, 9));
        let detect_mult = NonZeroU8::new(multiplier).expect("not zero");
        let desired_min_tx = Interval::millis(desired_min_tx);
        bench.hear(Packet { detect_mult, desired_min_tx, ..packet(State::Init) });
        assert_eq!(bench.session.detection_time(), Some(Span(expected * MS)));
    }
}

#[test]
fn session_goes_down_when_the_detection_time_has_passed_and_not_before() {
    let mut bench = Bench::settled();
    let reports =
        |actions: Vec<Action>| actions.into_iter().find(|action| !matches!(action, Action::Send(_)));
    bench.now = bench.now + Span(149_999);
    assert_eq!(reports(bench.event(Event::DeadlineReached)), None);
    bench.now = bench.now + Span(1);
    let actions = bench.event(Event::DeadlineReached);
    let cause = DownCause::DetectionTimeExpired { after: Span(150 * MS) };
    assert_eq!(reports(actions.clone()), Some(Action::Down(cause)));
    let said = only(&actions);
    assert_eq!((said.state, said.diagnostic), (State::Down, Diagnostic::DetectionTimeExpired));
    assert_eq!(said.your_discriminator, None, "the remote system is forgotten");
    assert_eq!(said.desired_min_tx, SLOW_INTERVAL);
    assert!(bench.session.remote().is_none());
}

#[test]
fn silence_in_init_ends_in_down_without_a_report() {
    let mut bench = Bench::in_state(State::Init);
    let actions = bench.wait(150);
    assert_eq!(only(&actions).diagnostic, Diagnostic::DetectionTimeExpired);
    assert_eq!(actions.len(), 1);
    assert_eq!(bench.session.state(), State::Down);
}

#[test]
fn a_remote_system_of_which_nothing_is_known_gets_packets_again() {
    let mut bench = Bench::in_state(State::Down);
    bench.hear(Packet { required_min_rx: Interval::ZERO, ..packet(State::Down) });
    assert_eq!(bench.session.transmit_interval(), None);
    bench.wait(150);
    assert_eq!(bench.session.transmit_interval(), Some(SLOW_INTERVAL));
}

#[test]
fn nothing_is_sent_periodically_to_who_wants_none() {
    let quiet: [fn(&mut Packet); 2] =
        [|packet| packet.required_min_rx = Interval::ZERO, |packet| packet.demand = true];
    for change in quiet {
        let mut bench = Bench::settled();
        let mut remote = packet(State::Up);
        change(&mut remote);
        bench.hear(remote);
        assert_eq!(bench.session.transmit_interval(), None);
        assert!(bench.wait(149).is_empty());
        bench.hear(remote);
        assert!(bench.wait(149).is_empty());
        // Polls are answered all the same, and a change of state is said.
        assert!(only(&bench.hear(Packet { poll: true, ..remote })).is_final);
        assert_eq!(only(&bench.wait(150)).state, State::Down);
    }
}

#[test]
fn demand_mode_is_respected_only_while_both_are_up_and_no_poll_runs() {
    let mut bench = Bench::settled();
    bench.hear(Packet { demand: true, ..packet(State::Init) });
    assert!(bench.session.transmit_interval().is_some(), "the remote system is not Up");
    bench.hear(Packet { demand: true, ..packet(State::Up) });
    assert!(bench.session.transmit_interval().is_none());
    let poll = only(&bench.event(Event::SetTimers(timers(100, 50, 3))));
    assert!(poll.poll);
    assert!(bench.session.transmit_interval().is_some(), "a Poll Sequence is sent periodically");
    bench.hear(Packet { demand: true, is_final: true, ..packet(State::Up) });
    assert!(bench.session.transmit_interval().is_none());
}

#[test]
fn coming_up_announces_the_wanted_interval_with_a_poll() {
    let mut bench = Bench::in_state(State::Init);
    let said = only(&bench.hear(packet(State::Up)));
    assert_eq!((said.state, said.desired_min_tx, said.poll), (State::Up, Interval::millis(50), true));
    let (waited, actions) = bench.next();
    assert!(waited.0 <= 50 * MS && only(&actions).poll, "until Final comes");
    bench.hear(Packet { is_final: true, ..packet(State::Up) });
    assert!(!only(&bench.next().1).poll);
}

#[test]
fn poll_is_answered_at_once_with_the_new_state_and_never_with_a_poll() {
    let mut bench = Bench::in_state(State::Init);
    let actions = bench.hear(Packet { poll: true, ..packet(State::Up) });
    assert_eq!(actions[0], Action::Up);
    let answer = sent(&actions)[0];
    assert!(answer.is_final && !answer.poll);
    assert_eq!(answer.state, State::Up);
    let next = only(&bench.next().1);
    assert!(next.poll && !next.is_final, "our own Poll Sequence goes on");
}

#[test]
fn answers_to_polls_do_not_delay_periodic_packets() {
    let mut bench = Bench::settled();
    only(&bench.next().1);
    let due = bench.session.periodic_packet_at();
    bench.now = bench.now + Span(MS);
    assert!(only(&bench.hear(Packet { poll: true, ..packet(State::Up) })).is_final);
    assert_eq!(bench.session.periodic_packet_at(), due);
}

#[test]
fn a_slower_interval_waits_for_final_while_up() {
    let mut bench = Bench::settled();
    let said = only(&bench.event(Event::SetTimers(timers(500, 20, 3))));
    assert!(said.poll);
    assert_eq!((said.desired_min_tx, said.required_min_rx), (Interval::millis(500), Interval::millis(20)));
    assert_eq!(bench.session.transmit_interval(), Some(Interval::millis(50)));
    assert_eq!(bench.session.detection_time(), Some(Span(150 * MS)));
    let faster = Packet { desired_min_tx: Interval::millis(20), ..packet(State::Up) };
    bench.hear(Packet { is_final: true, ..faster });
    assert_eq!(bench.session.transmit_interval(), Some(Interval::millis(500)));
    assert_eq!(bench.session.detection_time(), Some(Span(60 * MS)));
}

#[test]
fn a_faster_remote_receiver_is_served_without_delay() {
    let mut bench = Bench::settled();
    bench.hear(Packet { required_min_rx: Interval::millis(10_000), ..packet(State::Up) });
    bench.wait(100);
    let actions = bench.hear(packet(State::Up));
    only(&actions);
}

#[test]
fn path_failure_is_told_and_the_session_comes_back_by_itself() {
    let mut bench = Bench::settled();
    let actions = bench.event(Event::PathFailed);
    assert_eq!(actions[0], Action::Down(DownCause::PathFailed));
    assert_eq!(only(&actions).diagnostic, Diagnostic::PathDown);
    assert!(bench.event(Event::PathFailed).is_empty());
    assert_eq!(bench.hear(packet(State::Up)), [], "what was still on its way does not bring it back");
    bench.hear(packet(State::Down));
    assert_eq!(bench.hear(packet(State::Up))[0], Action::Up);
    assert_eq!(bench.session.diagnostic(), Diagnostic::None);
}

#[test]
fn disabled_session_says_so_stays_down_and_comes_back_when_enabled() {
    let mut bench = Bench::settled();
    let actions = bench.event(Event::Disable);
    assert_eq!(actions[0], Action::Down(DownCause::Disabled));
    let said = only(&actions);
    assert_eq!((said.state, said.diagnostic), (State::AdminDown, Diagnostic::AdministrativelyDown));
    assert!(bench.event(Event::Disable).is_empty());
    assert!(bench.event(Event::PathFailed).is_empty());
    assert!(bench.hear(Packet { poll: true, ..packet(State::Down) }).is_empty());
    // It goes on to say so, and forgets who is silent.
    assert_eq!(only(&bench.wait(1_000)).state, State::AdminDown);
    assert!(bench.session.remote().is_none());
    assert_eq!(only(&bench.event(Event::Enable)).state, State::Down);
    assert!(bench.event(Event::Enable).is_empty());
    bench.hear(packet(State::Down));
    assert_eq!(bench.hear(packet(State::Up))[0], Action::Up);
}

#[test]
fn causes_that_an_operator_wanted_are_known_as_such() {
    assert!(DownCause::RemoteAdminDown.is_intended() && DownCause::Disabled.is_intended());
    assert!(!DownCause::PathFailed.is_intended());
    assert!(!DownCause::SignaledDown(Diagnostic::DetectionTimeExpired).is_intended());
    let text = DownCause::DetectionTimeExpired { after: Span(150 * MS) }.to_string();
    assert_eq!(text, "no packet for 150ms");
}

#[test]
fn restarted_remote_system_is_met_anew() {
    let mut bench = Bench::settled();
    let reborn = |state, your| Packet {
        my_discriminator: discriminator(78),
        your_discriminator: your,
        ..packet(state)
    };
    let actions = bench.hear(reborn(State::Down, None));
    assert_eq!(actions[0], Action::Down(DownCause::SignaledDown(Diagnostic::None)));
    assert_eq!(only(&actions).your_discriminator, Some(discriminator(78)));
    assert_eq!(bench.hear(reborn(State::Init, Some(discriminator(42))))[0], Action::Up);
}

#[test]
fn authenticated_packet_is_refused_by_name_and_changes_nothing() {
    let mut bench = Bench::settled();
    let deadline = bench.session.next_deadline();
    let authentication = Some(AuthenticationType::KeyedSha1);
    let event = Event::Received(Received { packet: packet(State::Down), authentication });
    let discard = Discard::Authentication(AuthenticationType::KeyedSha1);
    assert_eq!(bench.event(event), [Action::Discarded(discard)]);
    assert_eq!(discard.name(), "authentication");
    assert_eq!((bench.session.state(), bench.session.next_deadline()), (State::Up, deadline));
}

#[test]
fn counters_count() {
    let mut bench = Bench::settled();
    bench.event(Event::PathFailed);
    let counters = bench.session.counters();
    assert_eq!((counters.received, counters.ups, counters.downs), (3, 1, 1));
    assert_eq!(counters.sent, 3, "Down, Up, Down");
}

fn any_event() -> impl Strategy<Value = Event> {
    let interval = prop_oneof![Just(0), 1..=20_000_000_u32, any::<u32>()];
    let fields = (0..4_u8, any::<[bool; 3]>(), 1..=u8::MAX, 1..4_u32, interval.clone(), interval);
    let received = fields.prop_map(|(state, [poll, is_final, demand], mult, my, tx, rx)| {
        let packet = Packet {
            poll,
            is_final,
            demand,
            detect_mult: NonZeroU8::new(mult).expect("from 1"),
            my_discriminator: discriminator(my),
            desired_min_tx: Interval(tx),
            required_min_rx: Interval(rx),
            ..packet(State::from_bits(state))
        };
        Event::Received(Received { packet, authentication: None })
    });
    let set = (10..=10_000_u32, 10..=10_000_u32, 1..=u8::MAX);
    prop_oneof![
        10 => received,
        4 => Just(Event::DeadlineReached),
        1 => Just(Event::PathFailed),
        1 => Just(Event::Disable),
        1 => Just(Event::Enable),
        2 => set.prop_map(|(tx, rx, multiplier)| Event::SetTimers(timers(tx, rx, multiplier))),
    ]
}

proptest! {
    #[test]
    fn any_events_keep_what_always_holds(
        seed in any::<u64>(),
        events in prop::collection::vec((any_event(), 0..2_000_000_u64), 0..200),
    ) {
        let mut session = Session::new(T0, discriminator(42), timers(50, 50, 3), seed);
        let (mut now, mut is_up) = (T0, false);
        for (event, wait) in events {
            now = now + Span(wait);
            session.handle(now, event);
            let mut actions = 0;
            while let Some(action) = session.poll_action() {
                actions += 1;
                match action {
                    Action::Up => {
                        prop_assert!(!is_up);
                        is_up = true;
                    }
                    Action::Down(_) => {
                        prop_assert!(is_up);
                        is_up = false;
                    }
                    Action::Send(packet) => {
                        prop_assert!(!(packet.poll && packet.is_final));
                        prop_assert!(packet.state == State::Up || packet.desired_min_tx >= SLOW_INTERVAL);
                    }
                    Action::Discarded(_) => prop_assert!(false),
                }
            }
            prop_assert!(actions <= MOST_ACTIONS, "{} actions", actions);
            prop_assert_eq!(session.state() == State::Up, is_up);
            let silence = session.silence_is_over_at();
            if event == Event::DeadlineReached {
                prop_assert!(session.next_deadline().is_none_or(|at| at > now));
                prop_assert!(silence.is_none_or(|at| at > now));
            }
            let last = session.last_sent.expect("the first event brings a packet");
            prop_assert_eq!(last, session.content(), "what is new has been said");
        }
    }
}
