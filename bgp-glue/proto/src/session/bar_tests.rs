//! A session that is down by an order that only time or an operator lifts.

use super::tests::{Bench, config, keepalive, open_of, router_id};
use super::*;
use crate::types::{Asn, HoldTime};
use crate::wire::capability::{Capability, GracefulRestart};
use crate::wire::open::Open;

fn too_many() -> Notification {
    Notification::maximum_prefixes(Family::Ipv4Unicast, 10)
}

fn established() -> Bench {
    let mut bench = Bench::new(config());
    bench.event(Event::Start);
    bench.event(Event::Connected);
    bench.hear_open(&open_of(65001, 0, 9));
    assert_eq!(bench.hear(Side::Outgoing, &keepalive()), ["out up"]);
    bench
}

fn barred(time: Option<Millis>) -> Bench {
    let mut bench = established();
    let actions = bench.event(Event::Bar(too_many(), time));
    assert_eq!(actions, ["out NOTIFICATION 6/1", "out close", "down sent 6/1 true"]);
    assert_eq!(bench.session.state(), State::Idle);
    bench
}

#[test]
fn neither_links_nor_connections_nor_time_lift_a_bar_without_an_end() {
    let mut bench = barred(None);
    assert_eq!(bench.event(Event::LinkDown), [""; 0]);
    assert_eq!(bench.event(Event::RetryNow), [""; 0]);
    assert_eq!(bench.event(Event::Start), [""; 0]);
    assert_eq!(bench.event(Event::Accepted), ["refuse nothing"]);
    assert_eq!(bench.session.next_deadline(), None);
    let again = bench.event(Event::Reset(Notification::new(reason::ADMINISTRATIVE_RESET)));
    assert_eq!(again, ["connect"], "an operator does");
}

#[test]
fn bar_with_an_end_is_over_then() {
    let mut bench = barred(Some(Millis::from_secs(30)));
    assert_eq!(bench.wait(Millis::from_secs(29)), [""; 0]);
    assert_eq!(bench.wait(Millis::from_secs(2)), ["connect"]);
}

#[test]
fn barred_session_can_be_stopped() {
    let mut bench = barred(Some(Millis::from_secs(30)));
    bench.event(Event::Stop(Notification::new(reason::PEER_DECONFIGURED)));
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn neighbor_that_keeps_routes_over_a_notification_hears_a_hard_reset() {
    let restart = RestartOffer {
        time_secs: 90,
        notification: true,
        families: Families::ALL,
        restarted_until: None,
        forwarding: Families::ALL,
    };
    let offer = Offer { graceful_restart: Some(restart), ..Offer::default() };
    let mut bench = Bench::new(SessionConfig { offer, ..config() });
    bench.event(Event::Start);
    bench.event(Event::Connected);
    let mut open = Open::ours(Asn(65001), HoldTime::DEFAULT, router_id(9), Families::ALL);
    open.capabilities.push(Capability::GracefulRestart(GracefulRestart {
        restarted: false,
        notification: true,
        time_secs: 120,
        families: Families::ALL,
        forwarding: Families::ALL,
    }));
    let mut octets = Vec::new();
    open.push(&mut octets);
    bench.hear_open(&octets);
    bench.hear(Side::Outgoing, &keepalive());
    bench.session.handle(bench.now, Event::Bar(too_many(), None));
    let down = std::iter::from_fn(|| bench.session.poll_action()).find_map(|action| match action {
        Action::Down { reason: DownReason::NotificationSent(sent), retained, .. } => Some((sent, retained)),
        _ => None,
    });
    let (sent, retained) = down.expect("it is down");
    assert_eq!((sent.hard_reset_for(), retained), (Some(too_many()), None));
}
