use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::types::{Asn, RouterId};
use crate::wire::header::{Kind, first_frame, push_message};
use crate::wire::open::Open;

pub(super) struct Bench {
    pub(super) session: Session,
    pub(super) now: Time,
}

pub(super) fn router_id(last: u8) -> RouterId {
    Ipv4Addr::new(192, 0, 2, last).try_into().unwrap()
}

pub(super) fn config() -> SessionConfig {
    SessionConfig::new(Asn(65000), router_id(5), Asn(65001), 1)
}

pub(super) fn open_of(asn: u32, hold_secs: u16, id: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    Open::ours(Asn(asn), hold_secs.try_into().unwrap(), router_id(id), Families::ALL).push(&mut octets);
    octets
}

pub(super) fn keepalive() -> Vec<u8> {
    let mut octets = Vec::new();
    push_keepalive(&mut octets);
    octets
}

pub(super) fn notification(reason: (u8, u8)) -> Vec<u8> {
    let mut octets = Vec::new();
    push_notification(&mut octets, &Notification::new(reason));
    octets
}

fn end_of_rib() -> Vec<u8> {
    let mut octets = Vec::new();
    push_message(&mut octets, Kind::Update, |body| body.extend([0; 4]));
    octets
}

/// An action as a test reads it: messages by kind, notifications by code.
fn told(action: &Action) -> String {
    match action {
        Action::Connect => "connect".into(),
        Action::AbandonConnect => "abandon".into(),
        Action::Adopt => "adopt".into(),
        Action::Refuse(octets) => format!("refuse {}", message(octets)),
        Action::Send(side, octets) => format!("{} {}", short(*side), message(octets)),
        Action::Close(side) => format!("{} close", short(*side)),
        Action::Up(side, _) => format!("{} up", short(*side)),
        Action::Down { reason: DownReason::NotificationSent(n), was_established, .. } => {
            format!("down sent {}/{} {was_established}", n.code, n.subcode)
        }
        Action::Down { reason: DownReason::NotificationReceived(n), was_established, .. } => {
            format!("down received {}/{} {was_established}", n.code, n.subcode)
        }
        Action::Down { reason, was_established, .. } => format!("down {reason} {was_established}"),
        Action::Update(_) => "update".into(),
        Action::Refresh(family) => format!("refresh {family}"),
        Action::RefreshMark { family, ends } => {
            format!("refresh of {family} {}", if *ends { "ends" } else { "begins" })
        }
    }
}

fn short(side: Side) -> &'static str {
    match side {
        Side::Outgoing => "out",
        Side::Incoming => "in",
    }
}

fn message(octets: &[u8]) -> String {
    match first_frame(octets, 4096) {
        Ok(Some(frame)) => match (frame.kind, Notification::decode(frame.body)) {
            (Kind::Notification, Some(n)) => format!("NOTIFICATION {}/{}", n.code, n.subcode),
            (kind, _) => format!("{kind:?}"),
        },
        Ok(None) => "nothing".into(),
        Err(error) => panic!("we sent {error}"),
    }
}

impl Bench {
    pub(super) fn new(config: SessionConfig) -> Self {
        Self { session: Session::new(config), now: Time::from_millis(1000) }
    }

    pub(super) fn event(&mut self, event: Event<'_>) -> Vec<String> {
        self.session.handle(self.now, event);
        std::iter::from_fn(|| self.session.poll_action()).map(|action| told(&action)).collect()
    }

    pub(super) fn hear(&mut self, side: Side, octets: &[u8]) -> Vec<String> {
        self.event(Event::Received(side, octets))
    }

    /// Hears an OPEN on our own connection, and waits for one of the neighbor's that might cross it.
    pub(super) fn hear_open(&mut self, octets: &[u8]) -> Vec<String> {
        let mut actions = self.hear(Side::Outgoing, octets);
        if actions.is_empty() {
            actions = self.wait(CROSSING_WAIT);
        }
        actions
    }

    /// Lets time pass until something happens or the span is over.
    pub(super) fn wait(&mut self, span: Millis) -> Vec<String> {
        let end = self.now + span;
        while let Some(at) = self.session.next_deadline().filter(|at| *at <= end) {
            assert!(at >= self.now, "a deadline in the past would make the driver spin");
            self.now = at;
            let actions = self.event(Event::DeadlineReached);
            assert!(self.session.next_deadline().is_none_or(|next| next > at), "the deadline did not move");
            if !actions.is_empty() {
                return actions;
            }
        }
        self.now = end;
        Vec::new()
    }

    pub(super) fn established() -> Self {
        let mut bench = Self::new(config());
        assert_eq!(bench.event(Event::Start), ["connect"]);
        assert_eq!(bench.event(Event::Connected), ["out Open"]);
        assert_eq!(bench.hear_open(&open_of(65001, 90, 9)), ["out Keepalive"]);
        assert_eq!(bench.hear(Side::Outgoing, &keepalive()), ["out up"]);
        bench
    }
}

#[test]
fn first_attempt_is_made_at_once_and_ends_established() {
    assert_eq!(Bench::established().session.state(), State::Established);
}

#[test]
fn passive_session_waits_and_is_established_by_the_neighbor() {
    let mut bench = Bench::new(SessionConfig { passive: true, ..config() });
    assert!(bench.event(Event::Start).is_empty());
    assert_eq!((bench.session.state(), bench.session.next_deadline()), (State::Active, None));
    assert_eq!(bench.event(Event::Accepted), ["adopt", "in Open"]);
    assert_eq!(bench.hear(Side::Incoming, &open_of(65001, 90, 9)), ["in Keepalive"]);
    assert_eq!(bench.hear(Side::Incoming, &keepalive()), ["in up"]);
}

#[test]
fn messages_may_come_in_any_pieces() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    let in_pieces = |bench: &mut Bench, octets: &[u8]| -> Vec<_> {
        octets.iter().flat_map(|octet| bench.hear(Side::Outgoing, &[*octet])).collect()
    };
    assert!(in_pieces(&mut bench, &open_of(65001, 90, 9)).is_empty());
    assert_eq!(bench.wait(CROSSING_WAIT), ["out Keepalive"]);
    let rest = [keepalive(), end_of_rib()].concat();
    assert_eq!(in_pieces(&mut bench, &rest), ["out up", "update"]);
}

#[test]
fn nothing_is_accepted_before_open() {
    let update = end_of_rib();
    for (name, octets) in [("KEEPALIVE", keepalive()), ("UPDATE", update)] {
        let mut bench = Bench::new(config());
        bench.event(Event::Start);
        bench.event(Event::Connected);
        let actions = bench.hear(Side::Outgoing, &octets);
        assert_eq!(actions, ["out NOTIFICATION 5/1", "out close", "down sent 5/1 false"], "{name}");
    }
}

#[test]
fn second_open_and_early_update_are_state_machine_errors() {
    let mut bench = Bench::established();
    let actions = bench.hear_open(&open_of(65001, 90, 9));
    assert_eq!(actions[..2], ["out NOTIFICATION 5/3", "out close"]);
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    bench.hear_open(&open_of(65001, 90, 9));
    assert_eq!(bench.hear(Side::Outgoing, &end_of_rib())[..2], ["out NOTIFICATION 5/2", "out close"]);
}

#[test]
fn wrong_open_is_answered_with_its_own_error() {
    let internal = SessionConfig { remote_as: Asn(65000), ..config() };
    let only6 = SessionConfig { families: Families::from_iter([Family::Ipv6Unicast]), ..config() };
    let plain = [&[0xff; 16][..], &[0, 29, 1, 4, 0xfd, 0xe9, 0, 90, 192, 0, 2, 9, 0]].concat();
    let mut hold2 = open_of(65001, 90, 9);
    hold2[23] = 2;
    let rows = [
        ("wrong AS", config(), open_of(65002, 90, 9), "2/2"),
        ("our AS", config(), open_of(65000, 90, 9), "2/2"),
        ("our identifier inside our AS", internal, open_of(65000, 90, 5), "2/3"),
        ("no family in common", only6, plain, "2/7"),
        ("hold time of 2 s", config(), hold2, "2/6"),
    ];
    for (name, config, octets, code) in rows {
        let mut bench = Bench::new(config);
        bench.event(Event::Start);
        bench.event(Event::Connected);
        let actions = bench.hear(Side::Outgoing, &octets);
        let expected =
            [format!("out NOTIFICATION {code}"), "out close".into(), format!("down sent {code} false")];
        assert_eq!(actions, expected, "{name}");
    }
}

#[test]
fn identifier_like_ours_is_fine_outside_of_our_as() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    assert_eq!(bench.hear_open(&open_of(65001, 90, 5)), ["out Keepalive"]);
}

#[test]
fn smaller_hold_time_holds_and_keepalives_go_every_third_of_it() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    bench.hear_open(&open_of(65001, 9, 9));
    bench.hear(Side::Outgoing, &keepalive());
    let begin = bench.now;
    for _ in 0..3 {
        let before = bench.now;
        assert_eq!(bench.wait(Millis::from_secs(3)), ["out Keepalive"]);
        assert!((bench.now - before).get() >= 2250, "RFC 4271 section 10: jitter of at most a quarter");
    }
    let mut last = Vec::new();
    while last.len() < 2 {
        last = bench.wait(Millis::from_secs(9));
    }
    assert_eq!(last, ["out NOTIFICATION 4/0", "out close", "down sent 4/0 true", "connect"]);
    assert_eq!(bench.now - begin, Millis::from_secs(9));
}

#[test]
fn zero_hold_time_never_expires_and_sends_no_keepalives() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    bench.hear_open(&open_of(65001, 0, 9));
    assert_eq!(bench.hear(Side::Outgoing, &keepalive()), ["out up"]);
    assert!(bench.wait(Millis::from_secs(100_000)).is_empty());
}

#[test]
fn our_own_pause_is_not_the_neighbors_silence() {
    let mut bench = Bench::established();
    for _ in 0..10 {
        bench.now = bench.now + Millis::from_secs(80);
        let actions = bench.event(Event::ReadingPaused(Side::Outgoing));
        assert!(actions.iter().all(|action| action == "out Keepalive"), "{actions:?}");
    }
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn unreachable_neighbor_is_tried_again_soon_and_told_once() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    let refused = || Event::ConnectFailed("refused".into());
    assert_eq!(bench.event(refused()), ["down cannot connect: refused false"]);
    let before = bench.now;
    assert_eq!(bench.wait(Millis::from_secs(9)), ["connect"]);
    assert!(bench.now - before <= Millis::new(250));
    assert!(bench.event(refused()).is_empty());
    assert_eq!(bench.wait(Millis::new(500)), ["connect"]);
}

#[test]
fn attempt_without_an_answer_is_given_up() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    assert_eq!(
        bench.wait(Millis::from_secs(5)),
        ["abandon", "down cannot connect: no answer within 5 s false"]
    );
    assert_eq!(bench.wait(Millis::from_secs(1)), ["connect"]);
}

#[test]
fn bad_open_makes_no_reconnect_storm() {
    let mut bench = Bench::new(config());
    let mut connects = bench.event(Event::Start).len();
    let end = bench.now + Millis::from_secs(60);
    while bench.now < end {
        bench.event(Event::Connected);
        bench.hear_open(&open_of(65002, 90, 9));
        assert_eq!(bench.event(Event::Accepted), ["refuse nothing"], "held down");
        connects += bench.wait(Millis::from_secs(120)).iter().filter(|action| *action == "connect").count();
    }
    assert!(connects <= 9, "{connects} attempts in a minute");
}

#[test]
fn refusal_by_the_neighbor_is_told_once_and_held_down() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    let refusal = notification(reason::BAD_PEER_AS);
    assert_eq!(bench.hear(Side::Outgoing, &refusal), ["out close", "down received 2/2 false"]);
    assert_eq!(bench.wait(Millis::from_secs(1)), ["connect"]);
    bench.event(Event::Connected);
    assert_eq!(bench.hear(Side::Outgoing, &refusal), ["out close"]);
}

#[test]
fn first_loss_of_a_session_is_tried_again_at_once() {
    let mut bench = Bench::established();
    let actions = bench.event(Event::Closed(Side::Outgoing, "reset".into()));
    assert_eq!(actions, ["down connection lost: reset true", "connect"]);
}

#[test]
fn flapping_session_is_held_down_for_longer_each_time() {
    let mut bench = Bench::established();
    let mut waits = Vec::new();
    for _ in 0..5 {
        bench.event(Event::Closed(Side::Outgoing, "reset".into()));
        let lost = bench.now;
        if bench.session.state() != State::Connect {
            assert_eq!(bench.wait(Millis::from_secs(60)), ["connect"]);
        }
        waits.push((bench.now - lost).get());
        bench.event(Event::Connected);
        bench.hear_open(&open_of(65001, 90, 9));
        bench.hear(Side::Outgoing, &keepalive());
    }
    for (wait, longest) in waits.into_iter().zip([0, 1000, 2000, 4000, 8000]) {
        assert!((longest * 3 / 4..=longest).contains(&wait), "{wait} ms of {longest}");
    }
}

#[test]
fn stop_tells_the_neighbor_and_stays_down() {
    let mut bench = Bench::established();
    let cease = Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, "maintenance");
    assert_eq!(bench.event(Event::Stop(cease)), ["out NOTIFICATION 6/2", "out close", "down sent 6/2 true"]);
    assert_eq!((bench.session.state(), bench.session.next_deadline()), (State::Idle, None));
    assert_eq!(bench.event(Event::Accepted), ["refuse nothing"]);
    assert_eq!(bench.event(Event::Start), ["connect"]);
}

#[test]
fn reset_begins_anew_at_once() {
    let mut bench = Bench::established();
    let actions = bench.event(Event::Reset(Notification::new(reason::ADMINISTRATIVE_RESET)));
    assert_eq!(actions, ["out NOTIFICATION 6/4", "out close", "down sent 6/4 true", "connect"]);
}

#[test]
fn link_down_ends_the_session_without_a_word_and_link_up_tries_at_once() {
    let mut bench = Bench::established();
    assert_eq!(bench.event(Event::LinkDown), ["out close", "down link down true"]);
    assert_eq!(bench.event(Event::RetryNow), ["connect"]);
    assert_eq!(bench.event(Event::RetryNow), ["abandon", "connect"], "the old attempt may hang");
}

#[test]
fn second_connection_of_an_established_neighbor_is_refused_but_the_first_is_probed() {
    let mut bench = Bench::established();
    assert_eq!(bench.event(Event::Accepted), ["out Keepalive", "refuse NOTIFICATION 6/7"]);
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn newer_connection_of_the_neighbor_replaces_its_older_one() {
    let mut bench = Bench::new(SessionConfig { passive: true, ..config() });
    bench.event(Event::Start);
    bench.event(Event::Accepted);
    assert_eq!(bench.event(Event::Accepted), ["in NOTIFICATION 6/7", "in close", "adopt", "in Open"]);
}

/// Both connections are open; the neighbor's identifier decides.
fn collided() -> Bench {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    assert_eq!(bench.event(Event::Accepted), ["adopt", "in Open"]);
    bench
}

#[test]
fn collision_keeps_the_connection_of_the_higher_identifier() {
    let mut bench = collided();
    assert!(bench.hear(Side::Outgoing, &open_of(65001, 90, 9)).is_empty(), "it would lose, so it waits");
    let actions = bench.hear(Side::Incoming, &open_of(65001, 90, 9));
    assert_eq!(actions, ["out NOTIFICATION 6/7", "out close", "in Keepalive"]);
    let mut bench = collided();
    assert!(bench.hear(Side::Outgoing, &open_of(65001, 90, 1)).is_empty(), "it waits to judge the collision");
    let actions = bench.hear(Side::Incoming, &open_of(65001, 90, 1));
    assert_eq!(actions, ["in NOTIFICATION 6/7", "in close"]);
    assert_eq!(bench.wait(CROSSING_WAIT), ["out Keepalive"]);
}

#[test]
fn equal_identifiers_collide_by_as_number() {
    let mut bench = collided();
    bench.hear(Side::Outgoing, &open_of(65001, 90, 5));
    let actions = bench.hear(Side::Incoming, &open_of(65001, 90, 5));
    assert_eq!(actions[..2], ["out NOTIFICATION 6/7", "out close"], "65001 is above 65000");
}

#[test]
fn connection_that_would_lose_goes_on_when_the_other_one_dies_or_stays_silent() {
    let mut bench = collided();
    bench.hear(Side::Outgoing, &open_of(65001, 90, 9));
    assert!(bench.hear(Side::Outgoing, &keepalive()).is_empty());
    assert!(bench.event(Event::Closed(Side::Incoming, "gone".into())).is_empty());
    assert_eq!(bench.wait(CROSSING_WAIT), ["out Keepalive", "out up"]);
    let mut bench = collided();
    bench.hear(Side::Outgoing, &open_of(65001, 90, 9));
    assert_eq!(bench.wait(Millis::from_secs(1)), ["out Keepalive"]);
    let actions = bench.hear(Side::Outgoing, &keepalive());
    assert_eq!(actions, ["in NOTIFICATION 6/7", "in close", "out up"]);
}

/// Our KEEPALIVE had gone on our own connection before that of the neighbor, which would win, was there.
fn collided_after_confirmation() -> Bench {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    assert_eq!(bench.hear_open(&open_of(65001, 90, 9)), ["out Keepalive"]);
    assert_eq!(bench.event(Event::Accepted), ["adopt", "in Open"]);
    assert_eq!(bench.hear(Side::Incoming, &open_of(65001, 90, 9)), ["in Keepalive"], "both stay");
    bench
}

#[test]
fn confirmed_loser_is_kept_until_the_neighbor_has_taken_the_winner() {
    let mut bench = collided_after_confirmation();
    assert!(bench.hear(Side::Outgoing, &keepalive()).is_empty(), "it would lose");
    let actions = bench.hear(Side::Incoming, &keepalive());
    assert_eq!(actions, ["out NOTIFICATION 6/7", "out close", "in up"]);
}

#[test]
fn confirmed_loser_is_taken_when_it_is_the_winner_that_the_neighbor_closes() {
    let mut bench = collided_after_confirmation();
    assert!(bench.hear(Side::Outgoing, &keepalive()).is_empty());
    assert_eq!(bench.hear(Side::Incoming, &notification(reason::COLLISION)), ["in close", "out up"]);
}

#[test]
fn losing_a_collision_is_not_told_as_a_loss() {
    let mut bench = collided();
    assert_eq!(bench.hear(Side::Outgoing, &notification(reason::COLLISION)), ["out close"]);
    assert_eq!(bench.hear(Side::Incoming, &open_of(65001, 90, 9)), ["in Keepalive"]);
}

#[test]
fn attempt_is_abandoned_once_the_neighbor_has_said_open() {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Accepted);
    assert_eq!(bench.hear(Side::Incoming, &open_of(65001, 90, 1)), ["abandon", "in Keepalive"]);
    assert!(bench.event(Event::Connected).is_empty(), "too late");
}

#[test]
fn refresh_of_a_negotiated_family_is_passed_on() {
    let mut bench = Bench::established();
    let mut octets = Vec::new();
    RouteRefresh::request(Family::Ipv6Unicast).push(&mut octets);
    assert_eq!(bench.hear(Side::Outgoing, &octets), ["refresh ipv6-unicast"]);
}

#[test]
fn broken_framing_ends_an_established_session_with_its_code() {
    for (octets, code) in [
        ([&[0; 16][..], &[0, 19, 4]].concat(), "1/1"),
        ([&[0xff; 16][..], &[0, 18, 4]].concat(), "1/2"),
        ([&[0xff; 16][..], &[0, 19, 9]].concat(), "1/3"),
    ] {
        let mut bench = Bench::established();
        assert_eq!(bench.hear(Side::Outgoing, &octets)[0], format!("out NOTIFICATION {code}"));
    }
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Outgoing), Just(Side::Incoming)]
}

#[derive(Clone, Debug)]
enum Step {
    Plain(u8),
    Hear(Side, Vec<u8>),
    Closed(Side),
    Wait(u64),
}

/// An OPEN of a neighbor that can restart and takes long messages.
fn restarting_open(id: u8) -> Vec<u8> {
    use crate::wire::capability::{Capability, GracefulRestart};
    let mut open = Open::ours(Asn(65001), 9.try_into().unwrap(), router_id(id), Families::ALL);
    open.capabilities.extend([
        Capability::ExtendedMessage,
        Capability::EnhancedRouteRefresh,
        Capability::GracefulRestart(GracefulRestart {
            restarted: id & 1 != 0,
            notification: id & 2 != 0,
            time_secs: 9,
            families: Families::ALL,
            forwarding: Families::ALL,
        }),
    ]);
    let mut octets = Vec::new();
    open.push(&mut octets);
    octets
}

fn any_step() -> impl Strategy<Value = Step> {
    let octets = prop_oneof![
        Just(keepalive()),
        (0..10_u8).prop_map(|id| open_of(65001, 9, id)),
        (0..10_u8).prop_map(restarting_open),
        Just(open_of(65002, 9, 1)),
        Just(end_of_rib()),
        Just(notification(reason::COLLISION)),
        Just(notification(reason::ADMINISTRATIVE_RESET)),
        any::<Vec<u8>>(),
        (1..=5_u8, any::<Vec<u8>>()).prop_map(|(kind, body)| {
            let mut octets = vec![0xff; 16];
            octets.extend(u16::try_from(19 + body.len()).unwrap().to_be_bytes());
            octets.push(kind);
            octets.extend(body);
            octets
        }),
    ];
    prop_oneof![
        2 => (0..10_u8).prop_map(Step::Plain),
        4 => (any_side(), octets).prop_map(|(side, octets)| Step::Hear(side, octets)),
        1 => any_side().prop_map(Step::Closed),
        1 => (0..20_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any events in any order: no panic, no deadline that does not move, Up and Down in turn, and what is kept of a
    /// neighbor's octets stays below one message.
    #[test]
    fn any_octets_in_any_state_keep_the_promises(steps in proptest::collection::vec(any_step(), 0..60), seed: u64) {
        let restart = RestartOffer { time_secs: 9, notification: seed & 8 != 0, families: Families::ALL, restarted_until: None, forwarding: Families::ALL };
        let offer = Offer { graceful_restart: (seed & 4 != 0).then_some(restart), ..Offer::default() };
        let delay_open = Millis::new((seed & 3) * 700);
        let mut session = Session::new(SessionConfig { delay_open, offer, seed, ..config() });
        let mut now = Time::from_millis(0);
        let mut up = false;
        session.handle(now, Event::Start);
        for step in steps {
            match step {
                Step::Plain(0) => session.handle(now, Event::Start),
                Step::Plain(1) => session.handle(now, Event::Stop(Notification::new(reason::ADMINISTRATIVE_SHUTDOWN))),
                Step::Plain(2) => session.handle(now, Event::Reset(Notification::new(reason::ADMINISTRATIVE_RESET))),
                Step::Plain(3) => session.handle(now, Event::Accepted),
                Step::Plain(4) => session.handle(now, Event::LinkDown),
                Step::Plain(5) => session.handle(now, Event::RetryNow),
                Step::Plain(6) => session.handle(now, Event::ConnectFailed("refused".into())),
                Step::Plain(7) => session.handle(now, Event::AskRefresh(Families::ALL)),
                Step::Plain(8) => session.handle(now, Event::Sent { side: Side::Outgoing, waits: seed & 1 != 0 }),
                Step::Plain(_) => session.handle(now, Event::Connected),
                Step::Hear(side, octets) => session.handle(now, Event::Received(side, &octets)),
                Step::Closed(side) => session.handle(now, Event::Closed(side, "closed".into())),
                Step::Wait(millis) => {
                    let end = now + Millis::new(millis);
                    while let Some(at) = session.next_deadline().filter(|at| *at <= end) {
                        prop_assert!(at >= now);
                        now = at;
                        session.handle(now, Event::DeadlineReached);
                        prop_assert!(session.next_deadline().is_none_or(|next| next > now));
                    }
                    now = end;
                }
            }
            while let Some(action) = session.poll_action() {
                match action {
                    Action::Up(..) => {
                        prop_assert!(!up);
                        up = true;
                    }
                    Action::Down { was_established, .. } => {
                        prop_assert_eq!(was_established, up);
                        up = false;
                    }
                    Action::Update(_) | Action::Refresh(_) | Action::RefreshMark { .. } => prop_assert!(up),
                    Action::Connect
                    | Action::AbandonConnect
                    | Action::Adopt
                    | Action::Refuse(_)
                    | Action::Send(..)
                    | Action::Close(_) => {}
                }
            }
            prop_assert_eq!(up, session.state() == State::Established);
            for side in [Side::Outgoing, Side::Incoming] {
                prop_assert!(session.connection(side).is_none_or(|connection| connection.input.len() < 65535));
            }
        }
    }
}
