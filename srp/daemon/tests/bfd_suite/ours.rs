//! Our driver at both ends.

use std::time::Duration;

use bfd::{Diagnostic, DownCause, State};
use lab::netns::Netns;
use srp_core::types::Span;
use srpd::bfd::{Hops, SessionSettings, SessionView};
use srpd::clock;

use crate::bench::{
    Bench, DETECTION, FIRST, LINK, LINK_LOCAL, MULTIPLIER, ROUTED_V4, ROUTED_V6, V4, V6, configure, ip,
    linked, mirrored, multihop, routed, session, since, timers_of, wire,
};

fn comes_up(here: &Netns, there: &Netns, settings: &SessionSettings) {
    let mut bench = Bench::pair(here, there, settings);
    bench.await_both_up();
    for node in [0, 1] {
        let view = bench.view(node);
        assert_eq!((view.state, view.diagnostic), (State::Up, Diagnostic::None));
        assert_eq!(view.transmit_interval, Some(Span::millis(100)));
        assert_eq!(view.detection_time, Some(DETECTION));
        assert_eq!((view.refused, view.send_failures), (0, 0));
    }
    let remote = bench.view(0).remote.expect("heard");
    assert_eq!(remote.discriminator, bench.view(1).local_discriminator);
}

#[test]
fn single_hop_session_comes_up_over_ipv4() {
    let (here, there) = linked();
    comes_up(&here, &there, &session(V4));
}

#[test]
fn single_hop_session_comes_up_over_ipv6() {
    let (here, there) = linked();
    comes_up(&here, &there, &session(V6));
}

#[test]
fn single_hop_session_comes_up_between_link_local_addresses() {
    let (here, there) = linked();
    comes_up(&here, &there, &session(LINK_LOCAL));
}

#[test]
fn single_hop_session_comes_up_without_an_interface() {
    let (here, there) = linked();
    comes_up(&here, &there, &SessionSettings { interface: None, ..session(V4) });
}

#[test]
fn multihop_session_comes_up_over_a_router_ipv4() {
    let (here, _router, there) = routed();
    comes_up(&here, &there, &multihop(ROUTED_V4, 254));
}

#[test]
fn multihop_session_comes_up_over_a_router_ipv6() {
    let (here, _router, there) = routed();
    comes_up(&here, &there, &multihop(ROUTED_V6, 254));
}

#[test]
fn many_sessions_share_their_receivers() {
    let (here, there) = linked();
    let mut bench = Bench::new();
    let all = [session(V4), session(V6), session(LINK_LOCAL), multihop(V4, 255), multihop(V6, 255)];
    bench.open(0, &here, all.to_vec());
    bench.open(1, &there, all.iter().map(mirrored).collect());
    for _ in &all {
        bench.await_up(0);
        bench.await_up(1);
    }
    let views = bench.bfd(0).sessions();
    let ids: Vec<u32> = views.iter().map(|view| view.id.0).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4]);
    assert!(views.iter().all(|view| view.state == State::Up));
}

#[test]
fn killed_peer_is_noticed_after_the_detection_time() {
    let (here, there) = linked();
    let settings = session(V4);
    let mut bench = Bench::pair(&here, &there, &settings);
    bench.await_both_up();
    let killed_at = clock::now();
    bench.kill(1);
    let (at, cause) = bench.await_down(0);
    assert_eq!(cause, DownCause::DetectionTimeExpired { after: bfd::Span(DETECTION.0) });
    println!("{DETECTION}: noticed {:.1} ms after the kill", since(killed_at, at));
    let view = bench.view(0);
    assert_eq!((view.state, view.diagnostic), (State::Down, Diagnostic::DetectionTimeExpired));
    assert!(view.remote.is_none());
    // It comes back with another discriminator, from another port.
    bench.open(1, &there, vec![mirrored(&settings)]);
    bench.await_up(0);
    bench.await_up(1);
}

#[test]
fn operator_takes_the_session_down_and_lets_it_come_up_again_at_either_end() {
    let (here, there) = linked();
    let mut bench = Bench::pair(&here, &there, &session(V6));
    bench.await_both_up();
    for (own, other) in [(0, 1), (1, 0)] {
        bench.bfd(own).set_admin_down(clock::now(), FIRST, true);
        assert_eq!(bench.await_down(own).1, DownCause::Disabled);
        let (_, cause) = bench.await_down(other);
        assert_eq!(cause, DownCause::RemoteAdminDown);
        assert!(cause.is_intended());
        assert_eq!((bench.state(own), bench.state(other)), (State::AdminDown, State::Down));
        assert_eq!(bench.view(own).diagnostic, Diagnostic::AdministrativelyDown);
        assert!(bench.view(own).settings.admin_down);
        bench.bfd(own).set_admin_down(clock::now(), FIRST, false);
        bench.await_up(own);
        bench.await_up(other);
    }
}

#[test]
fn session_that_begins_held_down_comes_up_when_it_is_let() {
    let (here, there) = linked();
    let settings = SessionSettings { admin_down: true, ..session(V4) };
    let mut bench = Bench::with(&here, settings);
    bench.open(1, &there, vec![mirrored(&session(V4))]);
    bench.run_until("the peer hears that it is held down", |bench| {
        bench.view(1).remote.is_some_and(|remote| remote.state == State::AdminDown)
    });
    bench.bfd(0).set_admin_down(clock::now(), FIRST, false);
    bench.await_both_up();
}

#[test]
fn timers_change_while_the_session_stays_up() {
    let (here, there) = linked();
    let mut bench = Bench::pair(&here, &there, &session(V4));
    bench.await_both_up();
    // Slower, faster, and the other multiplier; each way is a Poll Sequence.
    for (node, min_tx, min_rx, multiplier) in
        [(0, 300, 100, 20), (1, 100, 200, 16), (0, 100, 100, 25), (1, 50, 50, 40)]
    {
        bench.bfd(node).set_timers(clock::now(), FIRST, timers_of(min_tx, min_rx, multiplier));
        bench.run_until("both ends count with the new timers", |bench| {
            let (one, other) = (bench.view(node), bench.view(1 - node));
            let agreed = |own: &SessionView, others: &SessionView| {
                u64::from(own.settings.timers.min_tx().max(others.settings.timers.min_rx()).0)
            };
            let (out, back) = (agreed(&one, &other), agreed(&other, &one));
            one.transmit_interval == Some(Span(out))
                && other.transmit_interval == Some(Span(back))
                && other.detection_time == Some(Span(out).times(multiplier.into()))
                && one.detection_time
                    == Some(Span(back).times(other.settings.timers.multiplier().get().into()))
        });
    }
    assert_eq!(bench.downs(), 0);
}

#[test]
fn link_that_goes_down_takes_its_sessions_with_it_at_once() {
    let (here, there) = linked();
    for settings in [session(V4), SessionSettings { interface: None, ..session(V4) }] {
        let mut bench = Bench::pair(&here, &there, &settings);
        bench.await_both_up();
        let index = here.enter(|| nix::net::if_::if_nametoindex(LINK)).expect("inside").expect("the link");
        bench.bfd(0).link_down(clock::now(), index + 1);
        assert_eq!(bench.state(0), State::Up, "another link");
        bench.bfd(0).link_down(clock::now(), index);
        assert_eq!(bench.await_down(0).1, DownCause::PathFailed);
        let (_, cause) = bench.await_down(1);
        assert_eq!(cause, DownCause::SignaledDown(Diagnostic::PathDown), "the other direction works");
        bench.await_up(0);
        bench.await_up(1);
    }
}

#[test]
fn link_that_goes_down_leaves_multihop_sessions_to_routing() {
    let (here, _router, there) = routed();
    let mut bench = Bench::pair(&here, &there, &multihop(ROUTED_V4, 254));
    bench.await_both_up();
    let index = here.enter(|| nix::net::if_::if_nametoindex(LINK)).expect("inside").expect("the link");
    bench.bfd(0).link_down(clock::now(), index);
    assert_eq!(bench.state(0), State::Up);
    bench.bfd(0).address_gone(clock::now(), ip(ROUTED_V4.1), None);
    assert_eq!(bench.state(0), State::Up, "the peer's address is not ours");
    bench.bfd(0).address_gone(clock::now(), ip(ROUTED_V4.0), None);
    assert_eq!(bench.await_down(0).1, DownCause::PathFailed);
}

#[test]
fn removed_session_says_goodbye_and_leaves_the_others_alone() {
    let (here, there) = linked();
    let mut bench = Bench::new();
    bench.open(0, &here, vec![session(V4), session(V6)]);
    bench.open(1, &there, vec![mirrored(&session(V4)), mirrored(&session(V6))]);
    for node in [0, 0, 1, 1] {
        bench.await_up(node);
    }
    bench.bfd(0).remove(clock::now(), FIRST);
    assert_eq!(bench.await_down(0).1, DownCause::Disabled);
    assert_eq!(bench.await_down(1).1, DownCause::RemoteAdminDown);
    bench.run_for(Duration::from_millis(1_500));
    let left = bench.bfd(0).sessions();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id.0, left[0].state), (1, State::Up));
    let added = here.enter(|| bench.bfd(0).add(clock::now(), session(V4))).expect("inside");
    assert_eq!(added.expect("a place is free").0, 2, "ids are not used again");
    bench.await_up(0);
    bench.await_up(1);
}

#[test]
fn orderly_stop_is_no_failure_for_the_peer() {
    let (here, there) = linked();
    let mut bench = Bench::pair(&here, &there, &session(V4));
    bench.await_both_up();
    bench.bfd(0).stop(clock::now());
    bench.kill(0);
    assert_eq!(bench.await_down(1).1, DownCause::RemoteAdminDown);
}

#[test]
fn session_survives_its_interface_being_made_anew() {
    let (here, there) = linked();
    let mut bench = Bench::with(&here, session(V4));
    let peer = SessionSettings { interface: None, ..session(V4) };
    bench.open(1, &there, vec![mirrored(&peer)]);
    bench.await_both_up();
    here.ip(&[format!("link del {LINK}")]).expect("the link goes");
    bench.await_down(0);
    bench.await_down(1);
    wire(&here, LINK, &there, LINK);
    for (place, host) in [(&here, 1), (&there, 2)] {
        configure(place, LINK, &[format!("192.0.2.{host}/24")], host);
    }
    // Inside, as the daemon is: the sender is made anew.
    let comes_back = || {
        bench.await_up(0);
        bench.await_up(1);
    };
    here.enter(comes_back).expect("inside");
    assert!(bench.view(0).send_failures > 0, "the old sender was dead");
}

#[test]
fn reconfiguration_touches_only_what_differs() {
    let (here, there) = linked();
    let mut bench = Bench::new();
    let (first, second, third) = (session(V4), session(V6), multihop(V4, 255));
    bench.open(0, &here, vec![first.clone(), second.clone()]);
    bench.open(1, &there, [&first, &second, &third].map(mirrored).to_vec());
    for node in [0, 0, 1, 1] {
        bench.await_up(node);
    }
    let ids: Vec<_> = bench.bfd(0).sessions().iter().map(|view| view.id).collect();
    let sent = |bench: &mut Bench| -> Vec<u64> {
        bench.bfd(0).sessions().iter().map(|view| view.counters.sent).collect()
    };
    bench.run_until("Poll Sequences are over", |bench| {
        bench.bfd(0).sessions().iter().all(|view| view.detection_time == Some(DETECTION))
    });
    let before = sent(&mut bench);
    let same =
        here.enter(|| bench.bfd(0).reconfigure(clock::now(), &ids, vec![second.clone(), first.clone()]));
    assert_eq!(same.expect("inside").expect("it is the same"), [ids[1], ids[0]]);
    assert_eq!(sent(&mut bench), before, "not a packet");
    // One goes, one changes its timers, one comes.
    let slower = SessionSettings { timers: timers_of(200, 200, MULTIPLIER), ..second.clone() };
    let wanted = vec![slower.clone(), third.clone()];
    let changed = here.enter(|| bench.bfd(0).reconfigure(clock::now(), &ids, wanted)).expect("inside");
    let changed = changed.expect("it can be done");
    assert_eq!(changed[0], ids[1]);
    assert!(!ids.contains(&changed[1]));
    assert_eq!(bench.await_down(0).1, DownCause::Disabled);
    assert_eq!(bench.await_down(1).1, DownCause::RemoteAdminDown);
    bench.await_up(0);
    bench.await_up(1);
    let views = bench.bfd(0).sessions();
    assert_eq!(views.iter().map(|view| view.id).collect::<Vec<_>>(), changed);
    assert_eq!(views[0].settings, slower);
    assert_eq!(views[1].settings.hops, Hops::Multi { min_ttl: 255 });
    // A fault anywhere, and nothing is touched.
    let nowhere = SessionSettings { interface: Some("nowhere0".into()), ..first.clone() };
    for wrong in [vec![nowhere], vec![first.clone(), first], vec![session((V4.0, V6.1))]] {
        let refused = here.enter(|| bench.bfd(0).reconfigure(clock::now(), &changed, wrong)).expect("inside");
        refused.expect_err("it cannot work");
        assert_eq!(bench.bfd(0).sessions().len(), 2);
    }
    assert_eq!(bench.downs(), 2);
}

#[test]
fn five_hundred_sessions_stay_up_in_one_thread() {
    const SESSIONS: u64 = 500;
    let (here, there) = linked();
    let address = |number: u64| format!("203.0.{}.{}", 112 + number / 250, 1 + number % 250);
    let lines: Vec<String> = (0..SESSIONS).map(|n| format!("addr add {}/32 dev v0", address(n))).collect();
    there.ip(&lines).expect("addresses");
    here.ip(&["route add 203.0.112.0/22 dev v0".into()]).expect("a route");
    let settings = |number| SessionSettings {
        timers: timers_of(1_000, 1_000, MULTIPLIER),
        ..multihop((V4.0, &address(number)), 255)
    };
    let all: Vec<_> = (0..SESSIONS).map(settings).collect();
    let mut bench = Bench::new();
    bench.open(0, &here, all.clone());
    bench.open(1, &there, all.iter().map(mirrored).collect());
    for _ in 0..SESSIONS {
        bench.await_up(0);
        bench.await_up(1);
    }
    let packets = |bench: &mut Bench| -> u64 {
        let sent =
            |bench: &mut Bench, node| bench.bfd(node).sessions().iter().map(|view| view.counters.sent).sum();
        let (one, other): (u64, u64) = (sent(bench, 0), sent(bench, 1));
        one + other
    };
    let cpu = || {
        use nix::time::{ClockId, clock_gettime};
        Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock"))
    };
    let (packets_before, cpu_before) = (packets(&mut bench), cpu());
    // Five each on average.
    bench.run_until("all have gone on sending", |bench| packets(bench) >= packets_before + SESSIONS * 2 * 5);
    let used = cpu().saturating_sub(cpu_before);
    let sent = packets(&mut bench) - packets_before;
    let each = used.as_micros() / u128::from(sent.max(1));
    println!("{SESSIONS} sessions, 1 s: {sent} packets, {each} us of processor time for each, both ends");
    assert_eq!(bench.downs(), 0);
}
