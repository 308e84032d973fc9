//! Rows of the source's feature table that one chassis shows by itself; `docs/coverage.md` says which row is held where.

use std::collections::BTreeSet;

use srp_core::chassis::{Action, Answer, Chassis, Event, Settings, Ticket};
use srp_core::types::{BootId, ChassisMode, ChassisState, Identity, Mac, Priority, Span, Time};
use srp_core::wire::{FrameReader, Hello, Message, encode};

const BEGIN: Time = Time(1_000_000);

fn settings(mode: ChassisMode, last: u8) -> Settings {
    let mac = Mac([2, 0, 0, 0, 0, last]);
    let identity = Identity { mode, priority: Priority(last), mac, boot: BootId(u64::from(last)) };
    Settings {
        release: "2.0".into(),
        drain_interval: Span::ZERO,
        switchover_timeout: Span::secs(1),
        config_digest: [7; 32],
        ..Settings::new(identity)
    }
}

fn handle(chassis: &mut Chassis, now: Time, event: Event) -> Vec<Action> {
    chassis.handle(now, event);
    std::iter::from_fn(|| chassis.poll_action()).collect()
}

/// The Hello among these actions, as the peer reads it from the octets.
fn hello_on_the_wire(actions: &[Action]) -> Hello {
    let mut reader = FrameReader::default();
    for action in actions {
        if let Action::Send(message) = action {
            reader.push(&encode(message));
        }
    }
    match reader.next_message() {
        Ok(Some(Message::Hello(hello))) => hello,
        other => panic!("a Hello first, not {other:?}"),
    }
}

/// A Standby whose peer, as `peer` describes it, is Active.
fn standby(peer: impl FnOnce(&mut Hello)) -> (Chassis, Hello) {
    let active = Chassis::new(BEGIN, settings(ChassisMode::Primary, 1));
    let mut hello = active.greeting(BEGIN);
    (hello.state, hello.modifier.0) = (ChassisState::Active, 1);
    peer(&mut hello);
    let mut chassis = Chassis::new(BEGIN, settings(ChassisMode::Backup, 2));
    handle(&mut chassis, BEGIN, Event::LinkUp);
    for action in handle(&mut chassis, BEGIN, Event::Received(Message::Hello(hello.clone()))) {
        if let Action::Withdraw { ticket } = action {
            handle(&mut chassis, BEGIN, Event::Withdrawn { ticket });
        }
    }
    assert_eq!(chassis.state(), ChassisState::Standby);
    (chassis, hello)
}

#[test]
fn ch_3_a_hello_carries_state_configuration_and_priority() {
    let mut chassis = Chassis::new(BEGIN, settings(ChassisMode::Backup, 9));
    let hello = hello_on_the_wire(&handle(&mut chassis, BEGIN, Event::LinkUp));
    assert_eq!(hello.state, ChassisState::Init);
    assert_eq!(hello.config_digest, [7; 32]);
    assert_eq!((hello.mode, hello.priority), (ChassisMode::Backup, Priority(9)));
    assert_eq!((hello.mac, hello.modifier.0), (Mac([2, 0, 0, 0, 0, 9]), 19));
}

#[test]
fn ch_14_a_take_over_needs_nothing_of_the_dead_active() {
    let (mut chassis, _) = standby(|_| ());
    let actions = handle(&mut chassis, BEGIN + Span::millis(300), Event::DeadlineReached);
    let asked: Vec<&Action> = actions
        .iter()
        .filter(|action| !matches!(action, Action::Record(_) | Action::CloseLink(..)))
        .collect();
    // Nothing is fetched or flushed before: what it serves with is what it already holds.
    assert!(matches!(asked[..], [Action::Install { .. }]), "{asked:?}");
}

#[test]
fn ch_15_another_release_is_known_and_no_obstacle() {
    let (mut chassis, _) = standby(|hello| hello.release = "1.9".into());
    assert_eq!(chassis.peer().map(|peer| peer.release.as_str()), Some("1.9"));
    let validate = Event::ValidateSwitchover { request: 1 };
    let answers = handle(&mut chassis, BEGIN, validate).into_iter().find_map(|action| match action {
        Action::Reply { answer: Answer::Validated(checks), .. } => Some(checks),
        _ => None,
    });
    let checks = answers.expect("an answer");
    assert!(checks.iter().all(|check| check.passed), "{checks:?}");
}

#[test]
fn ch_15_other_services_or_timers_are_a_difference_that_validation_names() {
    let (mut chassis, _) = standby(|hello| hello.config_digest = [8; 32]);
    assert_eq!(chassis.config_in_sync(), Some(false));
    let actions = handle(&mut chassis, BEGIN, Event::ValidateSwitchover { request: 1 });
    let failed: BTreeSet<String> = actions
        .into_iter()
        .filter_map(|action| match action {
            Action::Reply { answer: Answer::Validated(checks), .. } => Some(checks),
            _ => None,
        })
        .flatten()
        .filter(|check| !check.passed)
        .map(|check| check.name)
        .collect();
    assert_eq!(failed, ["Configuration".to_owned()].into());
}

#[test]
fn sw_2_each_session_manager_that_is_not_connected_is_counted() {
    let (mut chassis, mut hello) =
        standby(|hello| (hello.session_managers, hello.session_managers_connected) = (4, 3));
    handle(&mut chassis, BEGIN, Event::SessionManagers { configured: 4, connected: 2 });
    hello.sequence += 1;
    handle(&mut chassis, BEGIN, Event::Received(Message::Hello(hello)));
    let actions = handle(&mut chassis, BEGIN, Event::ValidateSwitchover { request: 1 });
    let said = format!("{actions:?}");
    assert!(said.contains("3 session manager(s) not connected"), "{said}");
}

#[test]
fn sw_1_a_report_of_an_earlier_step_changes_nothing() {
    let (mut chassis, _) = standby(|_| ());
    let before = chassis.clone();
    for event in [
        Event::Installed { ticket: Ticket(99), installed: 1, refused: 0 },
        Event::Announced { ticket: Ticket(99) },
        Event::Removed { ticket: Ticket(99) },
        Event::Flushed { ticket: Ticket(99) },
    ] {
        assert_eq!(handle(&mut chassis, BEGIN, event), []);
        assert_eq!(chassis, before);
    }
}
