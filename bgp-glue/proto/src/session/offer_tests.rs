//! What two OPENs agree on, and what follows from it.

use super::tests::{Bench, config, keepalive, notification, open_of, router_id};
use super::*;
use crate::types::{Asn, HoldTime};
use crate::wire::capability::{Capability, GracefulRestart, Role};
use crate::wire::header::{Kind, push_message};
use crate::wire::open::Open;
use crate::wire::refresh::Subtype;

fn their_open(capabilities: &[Capability]) -> Vec<u8> {
    let mut open = Open::ours(Asn(65001), HoldTime::DEFAULT, router_id(9), Families::ALL);
    open.capabilities.extend_from_slice(capabilities);
    let mut octets = Vec::new();
    open.push(&mut octets);
    octets
}

fn offering(offer: Offer, capabilities: &[Capability]) -> Bench {
    let mut bench = Bench::new(SessionConfig { offer, ..config() });
    bench.event(Event::Start);
    bench.event(Event::Connected);
    bench.hear_open(&their_open(capabilities));
    bench
}

fn established(offer: Offer, capabilities: &[Capability]) -> Bench {
    let mut bench = offering(offer, capabilities);
    assert_eq!(bench.hear(Side::Outgoing, &keepalive()), ["out up"]);
    bench
}

fn negotiated(bench: &Bench) -> Negotiated {
    *bench.session.established().expect("the session is up").1
}

const V6: Families = Families::NONE.with(Family::Ipv6Unicast);

fn restart(notification: bool) -> GracefulRestart {
    GracefulRestart {
        restarted: false,
        notification,
        time_secs: 120,
        families: Families::ALL,
        forwarding: V6,
    }
}

fn restarting(notification: bool) -> Offer {
    let offer = RestartOffer {
        time_secs: 90,
        notification,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::ALL,
    };
    Offer { graceful_restart: Some(offer), ..Offer::default() }
}

fn update_of(length: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    push_message(&mut octets, Kind::Update, |body| {
        let withdrawn = length - 19 - 4;
        body.extend(u16::try_from(withdrawn).unwrap().to_be_bytes());
        // 0.0.0.0/0 as often as it takes.
        body.extend(std::iter::repeat_n(0, withdrawn));
        body.extend([0, 0]);
    });
    octets
}

#[test]
fn capabilities_hold_only_where_both_offer_them() {
    let all = Offer {
        extended_next_hop: Families::ALL,
        add_path_receive: Families::ALL,
        add_path_send: Families::ALL,
        ..restarting(true)
    };
    let theirs = [
        Capability::ExtendedNextHop(Families::NONE.with(Family::Ipv4Unicast)),
        Capability::AddPath { receive: Families::NONE, send: V6 },
        Capability::EnhancedRouteRefresh,
        Capability::GracefulRestart(restart(false)),
    ];
    let agreed = negotiated(&established(all, &theirs));
    assert_eq!(agreed.extended_next_hop, Families::NONE.with(Family::Ipv4Unicast));
    assert_eq!((agreed.add_path_receive, agreed.add_path_send), (V6, Families::NONE));
    assert!(agreed.enhanced_refresh);
    let restart = agreed.restart.unwrap();
    assert_eq!((restart.notification, restart.time), (false, Millis::from_secs(120)));
    assert_eq!((restart.families, restart.forwarding), (Families::ALL, V6));
    let none = Offer { extended_message: false, enhanced_refresh: false, ..Offer::default() };
    let agreed = negotiated(&established(none, &theirs));
    assert!(!agreed.enhanced_refresh && agreed.restart.is_none() && agreed.extended_next_hop.is_empty());
}

#[test]
fn last_of_two_restart_capabilities_counts() {
    let first = Capability::GracefulRestart(GracefulRestart { time_secs: 7, ..restart(true) });
    let second = Capability::GracefulRestart(restart(false));
    let agreed = negotiated(&established(restarting(true), &[first, second]));
    assert_eq!(agreed.restart.unwrap().time, Millis::from_secs(120));
}

#[test]
fn message_may_be_as_long_as_its_receiver_says() {
    let extended = [Capability::ExtendedMessage];
    let limits = |offer, theirs: &[Capability]| {
        let agreed = negotiated(&established(offer, theirs));
        (agreed.receive_limit, agreed.send_limit)
    };
    let without = Offer { extended_message: false, ..Offer::default() };
    assert_eq!(limits(Offer::default(), &extended), (65535, 65535));
    assert_eq!(limits(Offer::default(), &[]), (65535, 4096));
    assert_eq!(limits(without, &extended), (4096, 4096));
    let mut bench = established(Offer::default(), &[]);
    assert_eq!(bench.hear(Side::Outgoing, &update_of(65535)), ["update"]);
    let mut bench = established(without, &extended);
    assert_eq!(bench.hear(Side::Outgoing, &update_of(4097))[0], "out NOTIFICATION 1/2");
}

#[test]
fn roles_have_to_go_together() {
    let with = |role, role_strict| Offer { role: Some(role), role_strict, ..Offer::default() };
    let rows: [(&str, Offer, &[Capability], bool); 8] = [
        ("customer of a provider", with(Role::Customer, true), &[Capability::Role(Role::Provider)], true),
        (
            "client of a server",
            with(Role::RouteServerClient, false),
            &[Capability::Role(Role::RouteServer)],
            true,
        ),
        ("two peers", with(Role::Peer, false), &[Capability::Role(Role::Peer)], true),
        ("two customers", with(Role::Customer, false), &[Capability::Role(Role::Customer)], false),
        (
            "said twice alike",
            with(Role::Peer, false),
            &[Capability::Role(Role::Peer), Capability::Role(Role::Peer)],
            true,
        ),
        (
            "said twice, not alike",
            with(Role::Peer, false),
            &[Capability::Role(Role::Peer), Capability::Role(Role::Provider)],
            false,
        ),
        ("not said", with(Role::Peer, false), &[], true),
        ("not said, but it has to be", with(Role::Peer, true), &[], false),
    ];
    for (name, offer, theirs, good) in rows {
        let mut bench = offering(offer, theirs);
        let actions = bench.hear(Side::Outgoing, &keepalive());
        assert_eq!(actions == ["out up"], good, "{name}: {actions:?}");
    }
    let ours_unsaid = established(Offer::default(), &[Capability::Role(Role::Provider)]);
    assert_eq!(negotiated(&ours_unsaid).remote_role, None, "a role against none of ours says nothing");
}

#[test]
fn we_say_that_we_have_restarted_for_a_while() {
    let said = |at: u64| {
        let restart = RestartOffer {
            time_secs: 90,
            notification: false,
            families: Families::ALL,
            restarted_until: Some(Time::from_millis(90_000)),
            forwarding: V6,
        };
        let config = SessionConfig {
            offer: Offer { graceful_restart: Some(restart), ..Offer::default() },
            ..config()
        };
        let open = config.open(Time::from_millis(at));
        open.capabilities.into_iter().find_map(|capability| match capability {
            Capability::GracefulRestart(said) => Some((said.restarted, said.forwarding)),
            _ => None,
        })
    };
    assert_eq!(said(0), Some((true, V6)));
    assert_eq!(said(90_000), Some((false, Families::NONE)));
}

/// What is said to be kept when the session ends in this way.
fn retained(bench: &mut Bench, event: Event<'_>) -> Option<Millis> {
    bench.session.handle(bench.now, event);
    std::iter::from_fn(|| bench.session.poll_action()).find_map(|action| match action {
        Action::Down { retained, was_established: true, .. } => Some(retained.map(|it| it.time)),
        _ => None,
    })?
}

#[test]
fn routes_of_a_restarting_neighbor_are_kept_as_both_sides_said() {
    let two_minutes = Some(Millis::from_secs(120));
    let lost = || Event::Closed(Side::Outgoing, "reset".into());
    let cease = notification(reason::ADMINISTRATIVE_RESET);
    let hard = notification(reason::HARD_RESET);
    for (ours, theirs, after_loss, after_cease) in [
        (false, false, two_minutes, None),
        (true, false, two_minutes, None),
        (false, true, two_minutes, None),
        (true, true, two_minutes, two_minutes),
    ] {
        let up = || established(restarting(ours), &[Capability::GracefulRestart(restart(theirs))]);
        assert_eq!(retained(&mut up(), lost()), after_loss, "{ours} {theirs}");
        assert_eq!(
            retained(&mut up(), Event::Received(Side::Outgoing, &cease)),
            after_cease,
            "{ours} {theirs}"
        );
        assert_eq!(retained(&mut up(), Event::Received(Side::Outgoing, &hard)), None);
        assert_eq!(retained(&mut up(), Event::LinkDown), None);
    }
    let without = |offer, theirs: &[Capability]| retained(&mut established(offer, theirs), lost());
    assert_eq!(without(restarting(true), &[]), None);
    assert_eq!(without(Offer::default(), &[Capability::GracefulRestart(restart(true))]), None);
}

#[test]
fn stop_is_a_hard_reset_where_routes_would_be_kept() {
    let shutdown = || Event::Stop(Notification::new(reason::ADMINISTRATIVE_SHUTDOWN));
    let mut bench = established(restarting(true), &[Capability::GracefulRestart(restart(true))]);
    assert_eq!(bench.event(shutdown())[0], "out NOTIFICATION 6/9");
    let mut bench = established(restarting(true), &[Capability::GracefulRestart(restart(false))]);
    assert_eq!(bench.event(shutdown())[0], "out NOTIFICATION 6/2");
}

#[test]
fn restarting_neighbor_is_taken_up_although_its_old_session_stands() {
    let up = || established(restarting(false), &[Capability::GracefulRestart(restart(false))]);
    let mut bench = up();
    assert_eq!(bench.event(Event::Accepted), ["out Keepalive", "refuse NOTIFICATION 6/7"], "it only crossed");
    let mut bench = up();
    bench.now = bench.now + Millis::from_secs(2);
    let actions = bench.event(Event::Accepted);
    let lost = "down connection lost: the neighbor has opened a new one true";
    assert_eq!(actions, ["out close", lost, "adopt", "in Open"]);
    assert_eq!(bench.hear(Side::Incoming, &their_open(&[])), ["in Keepalive"]);
}

#[test]
fn open_is_delayed_until_its_time_or_the_open_of_the_neighbor() {
    let delayed = || {
        let mut bench = Bench::new(SessionConfig { delay_open: Millis::from_secs(4), ..config() });
        bench.event(Event::Start);
        assert!(bench.event(Event::Connected).is_empty());
        assert_eq!(bench.session.state(), State::Active);
        bench
    };
    assert_eq!(delayed().wait(Millis::from_secs(4)), ["out Open"]);
    assert!(delayed().wait(Millis::new(3999)).is_empty());
    let mut bench = delayed();
    assert_eq!(bench.hear(Side::Outgoing, &open_of(65001, 90, 9)), ["out Open"]);
    assert_eq!(bench.wait(CROSSING_WAIT), ["out Keepalive"]);
    assert_eq!(delayed().hear(Side::Outgoing, &keepalive())[0], "out NOTIFICATION 5/0");
    let lost = delayed().event(Event::Closed(Side::Outgoing, "gone".into()));
    assert_eq!(lost, ["down connection lost: gone false"]);
}

#[test]
fn neighbor_that_takes_nothing_is_given_up_however_much_it_says() {
    for (configured, secs) in [(None, 480), (Some(Millis::from_secs(20)), 20)] {
        let mut bench = Bench::new(SessionConfig { send_hold: configured, ..config() });
        bench.event(Event::Start);
        bench.event(Event::Connected);
        bench.hear_open(&open_of(65001, 90, 9));
        bench.hear(Side::Outgoing, &keepalive());
        bench.event(Event::Sent { side: Side::Outgoing, waits: true });
        let end = bench.now + Millis::from_secs(secs);
        let mut last = Vec::new();
        while bench.session.state() == State::Established {
            bench.hear(Side::Outgoing, &keepalive());
            last = bench.wait(Millis::from_secs(30));
        }
        assert_eq!(last[..2], ["out NOTIFICATION 8/0", "out close"]);
        assert_eq!(bench.now, end);
    }
}

#[test]
fn neighbor_that_takes_something_is_not_given_up() {
    let mut bench = Bench::established();
    for waits in [true, true, false] {
        bench.event(Event::Sent { side: Side::Outgoing, waits });
        for _ in 0..9 {
            bench.now = bench.now + Millis::from_secs(50);
            bench.hear(Side::Outgoing, &keepalive());
        }
        assert_eq!(bench.session.state(), State::Established);
    }
    bench.now = bench.now + Millis::from_secs(80);
    bench.event(Event::DeadlineReached);
    assert_eq!(bench.session.state(), State::Established, "nothing waits");
}

#[test]
fn marked_refresh_is_passed_on_where_it_was_agreed() {
    let mark = |subtype| {
        let mut octets = Vec::new();
        RouteRefresh::new(Family::Ipv4Unicast, subtype).push(&mut octets);
        octets
    };
    let mut bench = established(Offer::default(), &[Capability::EnhancedRouteRefresh]);
    assert_eq!(bench.hear(Side::Outgoing, &mark(Subtype::Begin)), ["refresh of ipv4-unicast begins"]);
    assert_eq!(bench.hear(Side::Outgoing, &mark(Subtype::End)), ["refresh of ipv4-unicast ends"]);
    let mut bench = established(Offer::default(), &[]);
    assert!(bench.hear(Side::Outgoing, &mark(Subtype::Begin)).is_empty());
}

#[test]
fn refresh_is_asked_of_those_who_can() {
    let mut bench = established(Offer::default(), &[]);
    assert_eq!(bench.event(Event::AskRefresh(Families::ALL)), ["out RouteRefresh", "out RouteRefresh"]);
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    let mut open = Open::ours(Asn(65001), HoldTime::DEFAULT, router_id(9), Families::ALL);
    open.capabilities.retain(|capability| *capability != Capability::RouteRefresh);
    let mut octets = Vec::new();
    open.push(&mut octets);
    bench.hear_open(&octets);
    bench.hear(Side::Outgoing, &keepalive());
    assert!(bench.event(Event::AskRefresh(Families::ALL)).is_empty());
}
