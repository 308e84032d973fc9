//! What happened how often since the start, for `show srp statistics`. Pure.

use std::collections::BTreeMap;

use srp_core::chassis::Fact;
use srp_core::types::{Span, SwitchReason};
use srp_core::wire::Message;

/// The types of messages by name, in the order of their numbers on the wire.
const TYPES: [&str; 7] = [
    "hello",
    "configuration-items",
    "switchover-request",
    "switchover-abort",
    "close",
    "terminate-post-process",
    "unknown",
];

/// Counts of one chassis.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    sent: [u64; TYPES.len()],
    received: [u64; TYPES.len()],
    by_reason: BTreeMap<SwitchReason, u64>,
    /// Hello intervals of an established link in which no Hello came.
    pub hellos_missed: u64,
    /// Times that the link came up.
    pub link_ups: u64,
    /// Times that it went down.
    pub link_downs: u64,
    /// Times that the peer's configuration was found to be another one.
    pub configuration_mismatches: u64,
    /// Times that the peer was found to be another life of itself.
    pub peer_restarts: u64,
    /// Planned switchovers that were called off.
    pub aborted: u64,
    /// Changes of state.
    pub state_changes: u64,
    /// Changes of the route modifier.
    pub modifier_changes: u64,
    /// Validations that passed.
    pub validations_passed: u64,
    /// Validations that failed.
    pub validations_failed: u64,
    /// Objects that the kernel refused.
    pub kernel_refusals: u64,
    /// Times that we did not run for longer than the dead-interval.
    pub suspensions: u64,
    /// Times that nobody could be reached.
    pub cut_offs: u64,
    /// Failures of monitors.
    pub monitor_failures: u64,
}

impl Counts {
    /// A message goes to the peer.
    pub fn sent(&mut self, message: &Message) {
        self.sent[index(message)] += 1;
    }

    /// A message of the peer has come.
    pub fn received(&mut self, message: &Message) {
        self.received[index(message)] += 1;
    }

    /// A Hello has come so long after the one before it on the same link. One that is late by less than an interval is not missed.
    pub fn hello_after(&mut self, gap: Span, interval: Span) {
        self.hellos_missed += (gap.0 / interval.0.max(1)).saturating_sub(1);
    }

    /// A fact of the state machine.
    pub fn fact(&mut self, fact: &Fact) {
        match fact {
            Fact::State { .. } => self.state_changes += 1,
            Fact::Modifier { .. } => self.modifier_changes += 1,
            Fact::SwitchoverBegan { reason, .. } => *self.by_reason.entry(*reason).or_default() += 1,
            Fact::Aborted { .. } => self.aborted += 1,
            Fact::Suspended { .. } => self.suspensions += 1,
            Fact::CutOff => self.cut_offs += 1,
            Fact::PeerRestarted => self.peer_restarts += 1,
            Fact::ConfigInSync(in_sync) => self.configuration_mismatches += u64::from(!in_sync),
            Fact::KernelRefused { refused } => self.kernel_refusals += u64::from(*refused),
            Fact::MonitorFailed(_) => self.monitor_failures += 1,
            Fact::Twins
            | Fact::SignsOfLife(_)
            | Fact::StopUnanswered
            | Fact::MonitorBack { .. }
            | Fact::FailoverHeld(_) => {}
        }
    }

    /// Each type of message with what was sent and received of it.
    pub fn messages(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        TYPES.into_iter().zip(self.sent).zip(self.received).map(|((name, sent), got)| (name, sent, got))
    }

    /// Hellos sent and received.
    pub fn hellos(&self) -> (u64, u64) {
        (self.sent[0], self.received[0])
    }

    /// Configurations to be compared, sent and received.
    pub fn configurations(&self) -> (u64, u64) {
        (self.sent[1], self.received[1])
    }

    /// Messages that steer a switchover, sent and received.
    pub fn resources(&self) -> (u64, u64) {
        let steering = |counts: &[u64; TYPES.len()]| counts[2] + counts[3] + counts[5];
        (steering(&self.sent), steering(&self.received))
    }

    /// Switchovers that began here, of every reason of the public list.
    pub fn switchovers(&self) -> impl Iterator<Item = (SwitchReason, u64)> {
        (0..=12).map(|number| {
            let reason = SwitchReason::from_number(number);
            (reason, self.by_reason.get(&reason).copied().unwrap_or_default())
        })
    }
}

/// Place in [`TYPES`].
fn index(message: &Message) -> usize {
    match message {
        Message::Hello(_) => 0,
        Message::ConfigItems(_) => 1,
        Message::SwitchoverRequest(_) => 2,
        Message::SwitchoverAbort(_) => 3,
        Message::Close(_) => 4,
        Message::TerminatePostProcess(_) => 5,
        Message::Unknown(_) => 6,
    }
}

#[cfg(test)]
mod tests {
    use srp_core::wire::{Close, CloseReason, SwitchoverAbort, SwitchoverRequest, TerminatePostProcess};

    use super::*;

    #[test]
    fn messages_are_counted_by_type_and_by_purpose() {
        let mut counts = Counts::default();
        let request = SwitchoverRequest { id: 1, force: false, reason: 11 };
        let abort = SwitchoverAbort { id: 1, why: String::new() };
        let close = Close { reason: CloseReason::Stopping, text: String::new() };
        for message in [
            Message::SwitchoverRequest(request),
            Message::SwitchoverAbort(abort),
            Message::TerminatePostProcess(TerminatePostProcess {}),
            Message::Close(close),
            Message::Unknown(200),
        ] {
            counts.sent(&message);
            counts.received(&message);
            counts.received(&message);
        }
        assert_eq!((counts.hellos(), counts.configurations(), counts.resources()), ((0, 0), (0, 0), (3, 6)));
        let by_type: Vec<_> =
            counts.messages().filter(|(_, sent, received)| (*sent, *received) == (1, 2)).collect();
        assert_eq!(by_type.len(), 5, "{by_type:?}");
    }

    #[test]
    fn a_hello_is_missed_when_a_whole_interval_went_by_without_it() {
        let mut counts = Counts::default();
        for (gap, missed) in [(100, 0), (199, 0), (200, 1), (450, 4)] {
            counts.hello_after(Span::millis(gap), Span::millis(100));
            assert_eq!(counts.hellos_missed, missed, "after {gap} ms");
        }
    }

    #[test]
    fn every_reason_of_the_public_list_is_shown_also_those_that_never_were() {
        let mut counts = Counts::default();
        let reason = SwitchReason::DeadTimerExpiry;
        counts.fact(&Fact::SwitchoverBegan { reason, last_heard: None, bfd_failed: None });
        let all: Vec<_> = counts.switchovers().collect();
        assert_eq!(all.len(), 13);
        assert_eq!(all[9], (reason, 1));
        assert_eq!(all.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }
}
