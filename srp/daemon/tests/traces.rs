//! What two chassis did in the demonstration lab, recorded once, is what they do today: `scripts/record-lab` made the
//! traces, and makes new ones when a rule was meant to change.

use std::collections::BTreeSet;

use srp_core::chassis::{Action, Fact};
use srp_core::trace::{Told, replay};
use srp_core::types::{ChassisState, SwitchReason};

/// Replays a kept trace; the state at its end, and the reasons for which the chassis changed its state.
fn replayed(name: &str, trace: &str) -> (Option<ChassisState>, BTreeSet<SwitchReason>) {
    let mut reasons = BTreeSet::new();
    let summary = replay(trace.as_bytes(), |told| {
        if let Told::Step(_, _, _, actions) = told {
            reasons.extend(actions.iter().filter_map(|action| match action {
                Action::Record(Fact::State { reason, .. }) => Some(*reason),
                _ => None,
            }));
        }
    })
    .unwrap_or_else(|error| {
        panic!("{name}: {error}\nIf that was meant: scripts/record-lab, and read its diff")
    });
    assert!(summary.steps > 50 && summary.gaps == (0, 0), "{name}: {summary:?}");
    (summary.state, reasons)
}

#[test]
fn east_of_the_demonstration_lab_does_as_recorded() {
    let (state, reasons) = replayed("east", include_str!("traces/east.trace"));
    assert_eq!(state, Some(ChassisState::Standby));
    let expected = [SwitchReason::ManualSwitchover, SwitchReason::DualActive];
    assert!(reasons.is_superset(&expected.into()), "{reasons:?}");
}

#[test]
fn west_of_the_demonstration_lab_does_as_recorded() {
    let (state, reasons) = replayed("west", include_str!("traces/west.trace"));
    assert_eq!(state, Some(ChassisState::Standby));
    let expected = [SwitchReason::ManualSwitchover, SwitchReason::DeadTimerExpiry];
    assert!(reasons.is_superset(&expected.into()), "{reasons:?}");
}
