//! The journal of switchovers: what happened, when, from cause to last step. Pure; the clock is an argument.
//!
//! The log of events ([`srp_core::events`]) says once that something happened; this says how a switchover went.

use std::collections::VecDeque;

use srp_core::api::{Switchover, SwitchoverStep};
use srp_core::chassis::Fact;
use srp_core::types::{ChassisState, SwitchReason, Time};

use crate::inbox::Noted;

/// That many switchovers are kept.
const KEPT: usize = 64;

/// No switchover has more steps than this; a storm of them must not grow without bound.
const STEPS: usize = 256;

/// Switchovers, newest last.
#[derive(Debug, Default)]
pub struct Journal {
    records: VecDeque<Record>,
    count: u64,
    last_switch: Option<(Time, ChassisState, ChassisState, SwitchReason)>,
    /// The last monitors that failed, for the switchover that may follow.
    failed: Option<Noted>,
}

#[derive(Debug)]
struct Record {
    number: u64,
    began: Time,
    from: ChassisState,
    to: ChassisState,
    reason: SwitchReason,
    completed: bool,
    steps: Vec<Noted>,
}

impl Journal {
    /// Takes a fact of the state machine, which is in `state` now.
    pub fn record(&mut self, now: Time, state: ChassisState, fact: &Fact) {
        match fact {
            Fact::SwitchoverBegan { reason, last_heard, .. } => self.begin(now, state, *reason, *last_heard),
            Fact::State { from, to, reason } => {
                self.last_switch = Some((now, *from, *to, *reason));
                // `SwitchoverBegan` comes first, so the state it leaves is only known here.
                if let Some(record) = self.records.back_mut() {
                    if record.steps.iter().all(|noted| noted.step != "state-changed") {
                        record.from = *from;
                    }
                    record.to = *to;
                    record.completed = settled(*to);
                }
                self.step(Noted {
                    at: now,
                    step: "state-changed",
                    detail: format!("{from} -> {to}: {reason}"),
                });
            }
            Fact::Modifier { from, to, why } => {
                self.step(Noted {
                    at: now,
                    step: "modifier-changed",
                    detail: format!("{from} -> {to}: {why}"),
                });
            }
            Fact::Aborted { why } => {
                self.step(Noted { at: now, step: "aborted", detail: why.clone() });
                if let Some(record) = self.records.back_mut() {
                    record.completed = false;
                    record.to = state;
                }
            }
            Fact::KernelRefused { refused } => {
                self.step(Noted { at: now, step: "kernel-refused", detail: format!("{refused} objects") });
            }
            Fact::Suspended { gap } => {
                self.step(Noted { at: now, step: "suspended", detail: format!("did not run for {gap}") });
            }
            Fact::CutOff => {
                self.step(Noted { at: now, step: "cut-off", detail: "no peer and no BGP neighbour".into() });
            }
            Fact::MonitorFailed(failure) => {
                self.failed =
                    Some(Noted { at: failure.since, step: "monitor-failed", detail: failure.what.clone() });
            }
            Fact::PeerRestarted
            | Fact::Twins
            | Fact::ConfigInSync(_)
            | Fact::SignsOfLife(_)
            | Fact::MonitorBack { .. }
            | Fact::FailoverHeld(_) => {}
            Fact::StopUnanswered => {
                self.step(Noted { at: now, step: "stop-unanswered", detail: String::new() });
            }
        }
    }

    fn begin(&mut self, now: Time, state: ChassisState, reason: SwitchReason, last_heard: Option<Time>) {
        self.count += 1;
        let mut steps = Vec::new();
        if let Some(at) = last_heard {
            steps.push(Noted { at, step: "last-hello-received", detail: String::new() });
        }
        let cause = match reason {
            SwitchReason::DeadTimerExpiry => "dead-timer-expired",
            SwitchReason::ChassisChassisBfdFailure => "bfd-failed",
            SwitchReason::ManualSwitchover => "switchover-requested",
            _ => "switchover-began",
        };
        // An Active that begins by itself does it for a monitor.
        let asked = matches!(reason, SwitchReason::ManualSwitchover | SwitchReason::ForceStateChange);
        let failed = self.failed.take();
        steps.extend(failed.filter(|_| state == ChassisState::PendingStandby && !asked));
        steps.push(Noted { at: now, step: cause, detail: reason.to_string() });
        if self.records.len() == KEPT {
            self.records.pop_front();
        }
        let state = ChassisState::Init;
        self.records.push_back(Record {
            number: self.count,
            began: now,
            from: state,
            to: state,
            reason,
            completed: false,
            steps,
        });
    }

    /// Adds a step to the present switchover; steps of no switchover are not kept.
    pub fn step(&mut self, noted: Noted) {
        if let Some(record) = self.records.back_mut()
            && record.steps.len() < STEPS
        {
            record.steps.push(noted);
        }
    }

    /// Switchovers since start.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The last change of state.
    pub fn last_switch(&self) -> Option<(Time, ChassisState, ChassisState, SwitchReason)> {
        self.last_switch
    }

    /// For people and programs, newest first.
    pub fn show(&self, wall_us: impl Fn(Time) -> u64) -> Vec<Switchover> {
        self.records.iter().rev().map(|record| record.show(&wall_us)).collect()
    }
}

impl Record {
    fn show(&self, wall_us: &impl Fn(Time) -> u64) -> Switchover {
        let mut noted: Vec<&Noted> = self.steps.iter().collect();
        noted.sort_by_key(|noted| noted.at); // some steps are reported after later ones
        let last = noted.last().map_or(self.began, |noted| noted.at);
        let steps = noted.into_iter().map(|noted| SwitchoverStep {
            at_ms: noted.at.since(self.began).as_millis_f64() - self.began.since(noted.at).as_millis_f64(),
            step: noted.step.to_owned(),
            detail: noted.detail.clone(),
        });
        Switchover {
            number: self.number,
            from: self.from,
            to: self.to,
            reason: self.reason.number(),
            reason_text: self.reason.to_string(),
            began_us: wall_us(self.began),
            began_monotonic_us: self.began.0,
            took_ms: last.since(self.began).as_millis_f64(),
            completed: self.completed,
            steps: steps.collect(),
        }
    }
}

fn settled(state: ChassisState) -> bool {
    match state {
        ChassisState::Active | ChassisState::Standby => true,
        ChassisState::Init | ChassisState::PendingActive | ChassisState::PendingStandby => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use srp_core::types::Span;

    fn take_over() -> Journal {
        let mut journal = Journal::default();
        let at = |ms| Time(0) + Span::millis(ms);
        let reason = SwitchReason::DeadTimerExpiry;
        let began = Fact::SwitchoverBegan { reason, last_heard: Some(at(850)), bfd_failed: None };
        journal.record(at(1_000), ChassisState::Standby, &began);
        let (from, to) = (ChassisState::Standby, ChassisState::PendingActive);
        journal.record(at(1_000), to, &Fact::State { from, to, reason });
        journal.step(Noted { at: at(1_002), step: "installed", detail: "4 objects".into() });
        let (from, to) = (ChassisState::PendingActive, ChassisState::Active);
        journal.record(at(1_004), to, &Fact::State { from, to, reason });
        journal.step(Noted { at: at(1_003), step: "update-acknowledged", detail: String::new() });
        journal
    }

    #[test]
    fn steps_are_shown_in_order_and_relative_to_the_cause() {
        let shown = take_over().show(|at| at.0).remove(0);
        let steps: Vec<_> = shown.steps.iter().map(|step| (step.at_ms, step.step.as_str())).collect();
        let expected = [
            (-150.0, "last-hello-received"),
            (0.0, "dead-timer-expired"),
            (0.0, "state-changed"),
            (2.0, "installed"),
            (3.0, "update-acknowledged"),
            (4.0, "state-changed"),
        ];
        assert_eq!(steps, expected);
        assert_eq!((shown.from, shown.to), (ChassisState::Standby, ChassisState::Active));
        assert!(shown.completed);
    }

    #[test]
    fn an_aborted_switchover_is_not_completed_and_says_why() {
        let mut journal = take_over();
        let why = "the kernel refused 1 of 4 objects".to_owned();
        journal.record(Time(2_000_000), ChassisState::Standby, &Fact::Aborted { why: why.clone() });
        let shown = journal.show(|at| at.0).remove(0);
        assert!(!shown.completed);
        assert_eq!(shown.steps.last().map(|step| step.detail.clone()), Some(why));
    }

    #[test]
    fn newest_comes_first_and_old_ones_make_room() {
        let mut journal = Journal::default();
        for second in 0..100 {
            let fact = Fact::SwitchoverBegan {
                reason: SwitchReason::ManualSwitchover,
                last_heard: None,
                bfd_failed: None,
            };
            journal.record(Time(0) + Span::secs(second), ChassisState::Active, &fact);
        }
        let shown = journal.show(|at| at.0);
        assert_eq!((shown.len(), shown[0].number, shown[KEPT - 1].number), (KEPT, 100, 37));
    }
}
