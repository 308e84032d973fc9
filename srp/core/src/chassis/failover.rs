//! What follows from failed monitors: a switchover to a peer that is better off, or the reason why not.
//!
//! Always: never to a peer that is not better (fewer failures), by what its last Hello said and by what it says itself
//! when it is asked. Whatever changes, on either side, is looked at again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::monitor::{Disregarded, Failure, MonitorId, MonitorState, Probed, Watched};
use super::role::{HandOver, Role};
use super::{Action, Answer, Chassis, Fact};
use crate::types::{ChassisState, SwitchReason, Time};
use crate::wire::SwitchoverRequest;

/// Why an Active with failed monitors stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Held {
    /// None of the failures is to move it.
    Disregarded(Disregarded),
    /// A guard period damps the failure until then.
    Damped {
        /// When it counts.
        until: Time,
    },
    /// There is no Standby to switch to.
    NoStandby,
    /// The peer is not better off.
    PeerNotBetter {
        /// Failures here.
        ours: u32,
        /// Failures there.
        theirs: u32,
    },
    /// The last attempt fell back; the next one is due then.
    Retries {
        /// Attempts that fell back.
        failed: u32,
        /// When the next one is due.
        at: Time,
    },
    /// Every attempt fell back: only a change on either side begins anew.
    GaveUp {
        /// Attempts that fell back.
        failed: u32,
    },
}

/// Attempts that fell back, and what people were told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Failover {
    failed: u32,
    retry_at: Time,
    /// An operator has said that what the peer remembers does not count.
    forgiven: bool,
    /// What was failing, by number of its set, when people were told last.
    told: Vec<usize>,
    told_held: Option<Held>,
    /// Failures in the last Hello.
    pub(super) shown: u32,
    /// Failures in the peer's last Hello.
    theirs: u32,
}

/// What is to follow.
enum Verdict {
    Nothing,
    Stays(Held),
    /// The peer is between two states.
    Waits,
    Goes(SwitchReason),
}

/// For `show srp monitor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// Everything that is watched, as configured.
    pub watched: Vec<Watched>,
    /// What has failed.
    pub failures: Vec<Failure>,
    /// Failures of the peer, as far as it is known.
    pub peer_failures: Option<u32>,
    /// Failures that it had when it was Active last, of what it cannot see now.
    pub peer_past_failures: u32,
    /// The same of this chassis.
    pub past_failures: u32,
    /// Why this chassis, which is Active, stays although monitors have failed.
    pub held: Option<Held>,
}

impl Chassis {
    /// A monitor has found something.
    pub(super) fn monitor_changed(&mut self, now: Time, id: &MonitorId, state: MonitorState) {
        if id.kind.probed().is_some() && !self.serves() {
            return;
        }
        if self.monitors.note(now, id, state) {
            self.failover.failed = 0;
        }
    }

    /// An operator resets failures of a kind (EXEC-3, EXEC-4).
    pub(super) fn reset_monitor(&mut self, now: Time, request: u64, probed: Probed) {
        let was_disregarded = self.monitors.reset(now, probed);
        (self.failover.failed, self.failover.forgiven) = (0, true);
        self.out.push_back(Action::Reply { request, answer: Answer::MonitorReset { was_disregarded } });
    }

    /// Failures here, as the peer is told; `None` if nothing is watched.
    pub(super) fn own_failures(&self) -> Option<u32> {
        (!self.monitors.is_empty()).then(|| self.count_failures())
    }

    fn count_failures(&self) -> u32 {
        u32::try_from(self.monitors.failing(self.serves()).count()).unwrap_or(u32::MAX)
    }

    /// Failures that this chassis had when it was Active last, as the peer is told.
    pub(super) fn own_past_failures(&self) -> Option<u32> {
        (!self.monitors.is_empty()).then(|| self.monitors.remembered())
    }

    /// Serves, and would go on: whoever is leaving does not look any more.
    fn serves(&self) -> bool {
        match self.role {
            Role::Active
            | Role::PendingStandby { step: HandOver::Flushing { .. } | HandOver::Waiting { .. }, .. } => true,
            Role::Init
            | Role::Standby
            | Role::PendingActive { .. }
            | Role::PendingStandby { step: HandOver::Leaving, .. } => false,
        }
    }

    /// Failures that the peer sees. One of an earlier release does not say, but its BGP neighbours are known.
    pub(super) fn peer_failures(&self) -> Option<u32> {
        let peer = self.peer()?;
        let silent = peer.bgp_neighbors > 0 && peer.bgp_established == 0;
        Some(peer.monitors_failed.unwrap_or(u32::from(silent)))
    }

    /// Failures that the peer had when it was Active last.
    fn peer_past_failures(&self) -> u32 {
        self.peer().and_then(|peer| peer.monitors_remembered).unwrap_or(0)
    }

    /// Active: hands over for a failed monitor (S9, S11, S12), if that is better. True if it begins to.
    pub(super) fn fail_over(&mut self, now: Time) -> bool {
        match self.verdict(now) {
            Verdict::Goes(reason) if self.unsettled().is_none() => {
                self.begin_hand_over(now, reason, false, None);
                true
            }
            Verdict::Goes(_) | Verdict::Nothing | Verdict::Stays(_) | Verdict::Waits => false,
        }
    }

    /// What an Active with failures does about them.
    fn verdict(&self, now: Time) -> Verdict {
        if self.role != Role::Active {
            return Verdict::Nothing;
        }
        let Some((due, set)) = self.counting().min() else {
            let disregarded = self.monitors.failing(true).find_map(|set| self.monitors.disregarded(set));
            return disregarded.map_or(Verdict::Nothing, |why| Verdict::Stays(Held::Disregarded(why)));
        };
        if due > now {
            return Verdict::Stays(Held::Damped { until: due });
        }
        let Failover { failed, retry_at, .. } = self.failover;
        if failed > self.settings.switchover_retry.attempts {
            return Verdict::Stays(Held::GaveUp { failed });
        }
        if failed > 0 && now < retry_at {
            return Verdict::Stays(Held::Retries { failed, at: retry_at });
        }
        match self.peer().map(|peer| peer.state) {
            None => return Verdict::Stays(Held::NoStandby),
            Some(ChassisState::Standby) => {}
            Some(
                ChassisState::Init
                | ChassisState::PendingActive
                | ChassisState::Active
                | ChassisState::PendingStandby,
            ) => return Verdict::Waits,
        }
        let past = if self.failover.forgiven { 0 } else { self.peer_past_failures() };
        let (ours, theirs) = (self.count_failures(), self.peer_failures().unwrap_or(0) + past);
        if theirs >= ours {
            return Verdict::Stays(Held::PeerNotBetter { ours, theirs });
        }
        Verdict::Goes(self.monitors.kind(set).reason())
    }

    /// The failures that may move an Active, and when each counts.
    fn counting(&self) -> impl Iterator<Item = (Time, usize)> {
        let counting = self.monitors.failing(true).filter(|set| self.monitors.disregarded(*set).is_none());
        counting.map(|set| (self.monitors.times(set, &self.settings.guard_timers).1, set))
    }

    /// Why an Active with failures stays, if it does.
    fn held(&self, now: Time) -> Option<Held> {
        match self.verdict(now) {
            Verdict::Stays(held) => Some(held),
            Verdict::Waits => self.failover.told_held,
            Verdict::Nothing | Verdict::Goes(_) => None,
        }
    }

    /// When a failure begins to count, or another attempt is due.
    pub(super) fn failover_deadline(&self) -> Option<Time> {
        if self.role != Role::Active || self.monitors.is_empty() {
            return None;
        }
        let retry = (self.failover.failed > 0).then_some(self.failover.retry_at);
        self.counting().map(|(due, _)| due).chain(retry).filter(|at| *at > self.ran).min()
    }

    /// A switchover for a failed monitor has fallen back.
    pub(super) fn failover_fell_back(&mut self, now: Time) {
        self.failover.failed += 1;
        self.failover.retry_at = now + self.settings.switchover_retry.interval;
    }

    /// This chassis serves from now on.
    pub(super) fn begin_to_serve(&mut self, reason: SwitchReason, forced: bool) {
        self.monitors.begin_to_serve(self.ran, reason, forced);
        (self.failover.failed, self.failover.forgiven) = (0, false);
    }

    /// The peer has said how it is.
    pub(super) fn peer_failures_heard(&mut self) {
        let theirs = self.peer_failures().unwrap_or(0) + self.peer_past_failures();
        if self.failover.theirs != theirs {
            self.failover.theirs = theirs;
            self.failover.failed = 0;
        }
    }

    /// Standby, asked to take over: why not, where the Active is no worse off. It knows only our last Hello.
    pub(super) fn no_better(&self, request: &SwitchoverRequest) -> Option<String> {
        let reason = SwitchReason::from_number(request.reason);
        if request.force || reason == SwitchReason::ForceStateChange {
            return None;
        }
        let (ours, theirs) = (self.count_failures(), self.peer_failures()?);
        // What was is for the Active to judge, which may have been told otherwise. An operator may want the other one of two that are alike.
        let acceptable =
            if reason == SwitchReason::ManualSwitchover { ours <= theirs } else { ours < theirs };
        (!acceptable).then(|| format!("failed monitors: {ours} on the peer, {theirs} here"))
    }

    /// What failed and what is back: to people.
    pub(super) fn note_failures(&mut self) {
        if self.monitors.failing(self.serves()).eq(self.failover.told.iter().copied()) {
            return;
        }
        let failing: Vec<usize> = self.monitors.failing(self.serves()).collect();
        let told = std::mem::replace(&mut self.failover.told, failing);
        let timers = &self.settings.guard_timers;
        for set in self.failover.told.iter().filter(|set| !told.contains(set)) {
            let failure = self.monitors.failure(*set, timers);
            self.out.push_back(Action::Record(Fact::MonitorFailed(failure)));
        }
        // What a Standby sees no more is not back for that.
        for set in told.into_iter().filter(|set| !self.monitors.is_down(*set)) {
            let Failure { kind, what, .. } = self.monitors.failure(set, timers);
            self.out.push_back(Action::Record(Fact::MonitorBack { kind, what }));
        }
    }

    /// Why nothing follows: to people.
    pub(super) fn note_held(&mut self, now: Time) {
        let held = self.held(now);
        if held != self.failover.told_held {
            self.failover.told_held = held;
            self.out.push_back(Action::Record(Fact::FailoverHeld(held)));
        }
    }

    /// The configuration was reloaded: sets have other numbers.
    pub(super) fn configure_monitors(&mut self, now: Time) {
        self.monitors.configure(now, &self.settings.monitors);
        self.failover =
            Failover { theirs: self.failover.theirs, shown: self.failover.shown, ..Failover::default() };
    }

    /// For `show srp monitor`.
    pub fn monitoring(&self, now: Time) -> Monitoring {
        let failing = self.monitors.failing(self.serves());
        Monitoring {
            watched: self.monitors.watched().to_vec(),
            failures: failing.map(|set| self.monitors.failure(set, &self.settings.guard_timers)).collect(),
            peer_failures: self.peer_failures(),
            peer_past_failures: self.peer_past_failures(),
            past_failures: self.monitors.remembered(),
            held: self.held(now),
        }
    }
}

impl Failover {
    /// For comparison alone, see `relative.rs`.
    pub(super) fn relative(&self, relative: impl Fn(Time) -> Time) -> Self {
        let told_held = self.told_held.map(|held| match held {
            Held::Damped { until } => Held::Damped { until: relative(until) },
            Held::Retries { failed, at } => Held::Retries { failed, at: relative(at) },
            Held::Disregarded(_) | Held::NoStandby | Held::PeerNotBetter { .. } | Held::GaveUp { .. } => held,
        });
        let retry_at = if self.failed > 0 { relative(self.retry_at) } else { Time(0) };
        Self { retry_at, told_held, ..self.clone() }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disregarded(why) => write!(f, "{why}"),
            Self::Damped { .. } => f.write_str("a guard period damps it"),
            Self::NoStandby => f.write_str("there is no Standby to switch over to"),
            Self::PeerNotBetter { ours, theirs } => {
                write!(f, "the peer is not better: {ours} failed here, {theirs} there")
            }
            Self::Retries { failed, .. } => {
                write!(f, "{failed} attempt(s) fell back, and the next one waits for its time")
            }
            Self::GaveUp { failed } => {
                write!(f, "{failed} attempts fell back: a change on either chassis begins anew")
            }
        }
    }
}
