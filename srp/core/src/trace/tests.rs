//! A trace of any history replays, from its start and from any point within it; a trace that was changed does not.

use proptest::prelude::*;

use super::*;
use crate::chassis::{Guard, GuardTimers, MonitorId, MonitorKind, Monitored, PeerBfdSettings, Retry, Ticket};
use crate::types::{
    BootId, ChassisMode, ChassisState, Identity, Mac, Priority, RouteModifier, Span, SwitchReason,
};
use crate::wire::{
    Close, CloseReason, Hello, Message, PeerView, SwitchoverAbort, SwitchoverRequest, TerminatePostProcess,
};

fn settings() -> Settings {
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    Settings {
        identity: Identity {
            mode: ChassisMode::Primary,
            priority: Priority(10),
            mac,
            boot: BootId(u64::MAX),
        },
        release: "0.1.0".into(),
        hello_interval: Span::millis(50),
        dead_interval: Span::millis(150),
        delay_interval: Span::ZERO,
        threshold: 16,
        delta_route_modifier: 1,
        advertise_in_standby: false,
        drain_interval: Span::millis(20),
        graceful_shutdown: Span::ZERO,
        switchover_timeout: Span::millis(500),
        config_digest: [7; 32],
        peer_bfd: Some(PeerBfdSettings { ignore_dead_interval: true }),
        monitors: vec![Monitored {
            id: MonitorId { kind: MonitorKind::Bgp, context: "isp".into(), name: "10.1.1.2".into() },
            group: Some(1),
        }],
        guard_timers: GuardTimers {
            redundancy_bgp: Guard { damping: Span::secs(1), period: Span::secs(2) },
            ..GuardTimers::default()
        },
        switchover_retry: Retry { attempts: 5, interval: Span::secs(1) },
    }
}

/// Writes what a driver would.
struct Writer {
    chassis: Chassis,
    text: Vec<u8>,
    answered: Vec<Action>,
}

impl Writer {
    fn start(settings: Settings) -> Self {
        let mut text = Vec::new();
        head(&mut text, 1);
        start(&mut text, Time(0), &settings);
        Self { chassis: Chassis::new(Time(0), settings), text, answered: Vec::new() }
    }

    fn feed(&mut self, at: Time, event: &Event) {
        self.chassis.handle(at, event.clone());
        self.answered = std::iter::from_fn(|| self.chassis.poll_action()).collect();
        step(&mut self.text, at, event, &self.answered, self.chassis.next_deadline());
    }

    /// Goes on in a file of its own.
    fn resume(&mut self) {
        self.text.clear();
        head(&mut self.text, 2);
        resume(&mut self.text, &self.chassis);
    }

    fn replay(&self) -> Result<Summary, ReplayError> {
        replay(&*self.text, |_| {})
    }
}

/// A chassis that finds nobody and serves.
fn lonely() -> Writer {
    let mut writer = Writer::start(settings());
    writer.feed(Time(0), &Event::BgpNeighbors { configured: 2, established: 1 });
    writer.feed(Time(150_000), &Event::DeadlineReached);
    writer.feed(Time(151_000), &Event::Installed { ticket: Ticket(1), installed: 4, refused: 0 });
    writer.feed(Time(152_000), &Event::Announced { ticket: Ticket(2) });
    assert_eq!(writer.chassis.state(), ChassisState::Active);
    writer
}

fn hello() -> impl Strategy<Value = Message> {
    let state = prop_oneof![
        Just(ChassisState::Init),
        Just(ChassisState::Standby),
        Just(ChassisState::PendingActive),
        Just(ChassisState::Active),
        Just(ChassisState::PendingStandby)
    ];
    let view = proptest::option::of((state.clone(), 1_u16..20));
    (state, 1_u16..20, 1_u64..4, proptest::option::of(1_u64..12), view, any::<bool>()).prop_map(
        |(state, modifier, standing, echo_standing, view, other_config)| {
            Message::Hello(Hello {
                sequence: standing,
                sent_at: Time(5),
                echo_sent_at: echo_standing.map(|_| Time(4)),
                boot: BootId(9),
                release: "0.1.0 \"quoted\" \u{e9}".into(),
                state,
                mode: ChassisMode::Backup,
                priority: Priority(20),
                mac: Mac([2, 0, 0, 0, 0, 2]),
                modifier: RouteModifier(modifier),
                standing,
                echo_standing,
                view: view.map(|(state, modifier)| PeerView { state, modifier: RouteModifier(modifier) }),
                config_digest: if other_config { [0; 32] } else { [7; 32] },
                session_managers: 0,
                session_managers_connected: 0,
                bgp_neighbors: 2,
                bgp_established: 1,
                capabilities: 0,
                echo_held: Some(Span(3)),
                monitors_failed: None,
                monitors_remembered: None,
            })
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let ticket = (1_u64..8).prop_map(Ticket);
    prop_oneof![
        4 => Just(Event::DeadlineReached),
        2 => Just(Event::LinkUp),
        1 => Just(Event::LinkDown),
        8 => hello().prop_map(Event::Received),
        1 => Just(Event::Received(Message::Unknown(77))),
        1 => (1_u64..4, any::<bool>()).prop_map(|(id, force)| {
            Event::Received(Message::SwitchoverRequest(SwitchoverRequest { id, force, reason: 11 }))
        }),
        1 => (1_u64..4).prop_map(|id| {
            Event::Received(Message::SwitchoverAbort(SwitchoverAbort { id, why: "because".into() }))
        }),
        1 => Just(Event::Received(Message::Close(Close {
            reason: CloseReason::Stopping,
            text: String::new()
        }))),
        4 => (ticket.clone(), 0_u32..3)
            .prop_map(|(ticket, refused)| Event::Installed { ticket, installed: 4 - refused, refused }),
        4 => ticket.clone().prop_map(|ticket| Event::Announced { ticket }),
        2 => ticket.clone().prop_map(|ticket| Event::Withdrawn { ticket }),
        2 => ticket.clone().prop_map(|ticket| Event::Removed { ticket }),
        2 => ticket.prop_map(|ticket| Event::Flushed { ticket }),
        1 => (0_u32..3).prop_map(|established| Event::BgpNeighbors { configured: 2, established }),
        1 => Just(Event::SessionManagers { configured: 1, connected: 0 }),
        2 => (0_u32..3, 0_u32..3, 0_u32..3)
            .prop_map(|(configured, up, failed)| Event::PeerBfd { configured, up, failed }),
        2 => any::<bool>().prop_map(|force| Event::InitiateSwitchover { request: 1, force }),
        1 => Just(Event::ValidateSwitchover { request: 2 }),
        1 => Just(Event::TerminatePostProcess { request: 3 }),
        1 => Just(Event::Received(Message::TerminatePostProcess(TerminatePostProcess {}))),
        1 => Just(Event::Reconfigured(Box::new(Settings { threshold: 4, ..settings() }))),
        1 => Just(Event::Stop),
    ]
}

proptest! {
    #[test]
    fn any_history_replays_also_from_its_middle(
        history in proptest::collection::vec((0_u64..200_000, event()), 1..60),
        middle in 0_usize..60,
    ) {
        let mut writer = Writer::start(settings());
        let mut at = Time(0);
        for (index, (gap, event)) in history.iter().enumerate() {
            if index == middle {
                prop_assert_eq!(writer.replay().expect("same trace, same actions").steps, index as u64);
                writer.resume();
            }
            at = at + Span(*gap);
            writer.feed(at, event);
        }
        let summary = writer.replay().expect("same trace, same actions");
        prop_assert_eq!(summary.state, Some(writer.chassis.state()));
    }
}

#[test]
fn a_difference_is_told_with_its_line_its_time_and_both_versions() {
    let text = String::from_utf8(lonely().text).expect("text");
    let changed = text.replace("{\"install\":{\"ticket\":1}}", "{\"install\":{\"ticket\":9}}");
    assert_ne!(changed, text);
    let error = replay(changed.as_bytes(), |_| {}).expect_err("another ticket");
    let ReplayError::Differs { line: 4, at: Time(150_000), part: Part::Actions, expected, got, .. } = &error
    else {
        panic!("{error}");
    };
    assert!(expected.contains("\"ticket\":9") && got.contains("\"ticket\":1"), "{error}");

    let later = text.replace("\"at\":151000", "\"at\":150999");
    replay(later.as_bytes(), |_| {}).expect("the time of an answer of the kernel is nobody's business");
    let later = text.replace("\"at\":150000", "\"at\":149999");
    assert!(matches!(replay(later.as_bytes(), |_| {}), Err(ReplayError::Differs { line: 4, .. })));
}

#[test]
fn actions_are_told_in_their_order() {
    let mut told = Vec::new();
    replay(&*lonely().text, |part| {
        if let Told::Step(_, at, _, actions) = part {
            told.extend(actions.iter().map(|action| (at.0, action.clone())));
        }
    })
    .expect("a trace");
    let announce = Action::Announce { ticket: Ticket(2), modifier: RouteModifier(18) };
    assert!(told.contains(&(151_000, announce)), "{told:?}");
    let reason = SwitchReason::DeadTimerExpiry;
    let (from, to) = (ChassisState::PendingActive, ChassisState::Active);
    let became_active = Action::Record(crate::chassis::Fact::State { from, to, reason });
    assert_eq!(told.last(), Some(&(152_000, became_active)));
}

#[test]
fn after_a_gap_the_replay_goes_on_from_the_state_that_follows_it() {
    let mut writer = lonely();
    lost(&mut writer.text, 3);
    writer.chassis.handle(Time(200_000), Event::LinkUp); // one that was lost
    while writer.chassis.poll_action().is_some() {}
    resume(&mut writer.text, &writer.chassis);
    writer.feed(Time(250_000), &Event::LinkDown);
    let mut gaps = Vec::new();
    let summary = replay(&*writer.text, |part| {
        if let Told::Lost(line, steps) = part {
            gaps.push((line, steps));
        }
    })
    .expect("a trace with a gap");
    assert_eq!((gaps, summary.gaps, summary.steps), (vec![(7, 3)], (1, 3), 5));

    let text = String::from_utf8(writer.text).expect("text");
    let without: String = text.split_inclusive('\n').filter(|line| !line.contains("\"resume\"")).collect();
    let error = replay(without.as_bytes(), |_| {}).expect_err("nothing to go on from");
    assert!(matches!(error, ReplayError::NoState { line: 8 }), "{error}");
}

#[test]
fn a_line_cut_short_by_a_crash_is_told_and_does_no_harm() {
    let mut text = lonely().text;
    let whole = text.len();
    text.truncate(whole - 20);
    let mut cut = Vec::new();
    let mut note = |part: Told<'_>| {
        if let Told::CutShort(line) = part {
            cut.push(line);
        }
    };
    assert_eq!(replay(&*text, &mut note).expect("a trace").steps, 3);
    text.push(b'\n');
    text.extend(lonely().text);
    assert_eq!(replay(&*text, &mut note).expect("two parts").parts, 2);
    assert_eq!(cut, [6, 6]);

    let error = replay(&*[&text[..], b"{}\n{}\n"].concat(), |_| {}).expect_err("rubbish at the end");
    assert!(matches!(error, ReplayError::Malformed { line: 13, .. }), "{error}");
}

#[test]
fn what_is_no_trace_of_this_version_is_refused_with_the_remedy() {
    for text in ["", "[srp]\n", "{\"lost\":{\"steps\":1}}\n"] {
        assert!(matches!(replay(text.as_bytes(), |_| {}), Err(ReplayError::NotATrace)), "{text}");
    }
    let newer = "{\"trace\":{\"version\":2,\"release\":\"9.9.9\",\"wall-us\":0}}\n";
    let error = replay(newer.as_bytes(), |_| {}).expect_err("a newer trace").to_string();
    assert!(error.contains("replay it with that release") && error.contains("9.9.9"), "{error}");
}
