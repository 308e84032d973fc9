//! What the monitors of a chassis have found, and what of it fails together.
//!
//! A Standby cannot see whether AAA and Diameter would work for it. It remembers what had failed when it was Active last, and
//! a chassis that became Active for such a failure disregards the same kind (MON-3): until it is Active no more, or an
//! operator resets the failure.

use serde::{Deserialize, Serialize};

use super::guard::GuardTimers;
use super::monitor::{
    Disregarded, Failure, MonitorId, MonitorKind, MonitorState, Monitored, Probed, Watched,
};
use crate::types::{Span, SwitchReason, Time};

/// All monitors of a chassis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Monitors {
    watched: Vec<Watched>,
    sets: Vec<Set>,
    /// This chassis became Active for a failure of this kind, and disregards others of it.
    latched: Option<Probed>,
    /// Sets that had failed already when an operator forced the switchover to this chassis.
    accepted: Vec<usize>,
    /// Failures that it had when it was Active last, of what it cannot see as Standby.
    remembered: u32,
    /// When the chassis started, or was suspended.
    local_failure: Time,
    /// Of each kind that is probed.
    past: [Past; 2],
}

/// What fails together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Set {
    kind: MonitorKind,
    what: String,
    members: Vec<usize>,
}

/// What happened to a kind that only the Active sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Past {
    /// The last switchover for it.
    switched: Option<Time>,
    /// What failed before counts as failing since then.
    reset: Option<Time>,
}

impl Monitors {
    pub(super) fn new(now: Time, configured: &[Monitored]) -> Self {
        let mut monitors = Self { local_failure: now, ..Self::default() };
        monitors.configure(now, configured);
        monitors
    }

    /// Those that stay keep what they have found.
    pub(super) fn configure(&mut self, now: Time, configured: &[Monitored]) {
        let found = |monitored: &Monitored| {
            let known = self.watched.iter().find(|watched| watched.monitored.id == monitored.id);
            let (state, since) =
                known.map_or((MonitorState::Unknown, now), |known| (known.state, known.since));
            Watched { monitored: monitored.clone(), state, since }
        };
        self.watched = configured.iter().map(found).collect();
        self.sets = sets(configured);
        self.accepted.clear();
    }

    /// True if this is news.
    pub(super) fn note(&mut self, now: Time, id: &MonitorId, state: MonitorState) -> bool {
        let Some(watched) = self.watched.iter_mut().find(|watched| watched.monitored.id == *id) else {
            return false; // of a configuration that is no more
        };
        let changed = watched.state != state;
        if changed {
            (watched.state, watched.since) = (state, now);
            let mut accepted = std::mem::take(&mut self.accepted);
            accepted.retain(|set| self.is_down(*set));
            self.accepted = accepted;
        }
        changed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    pub(super) fn watched(&self) -> &[Watched] {
        &self.watched
    }

    /// Failures that it had when it was Active last, of what it cannot see now.
    pub(super) fn remembered(&self) -> u32 {
        self.remembered
    }

    /// What follows may be the local failure's doing.
    pub(super) fn local_failure(&mut self, now: Time) {
        self.local_failure = now;
    }

    /// This chassis serves from now on, for this reason, or as an operator has `forced`: what only an Active can see is
    /// still to be seen.
    pub(super) fn begin_to_serve(&mut self, now: Time, reason: SwitchReason, forced: bool) {
        for watched in &mut self.watched {
            if watched.monitored.id.kind.probed().is_some() {
                (watched.state, watched.since) = (MonitorState::Unknown, now);
            }
        }
        self.remembered = 0;
        self.latched = Probed::of(reason);
        self.accepted = if forced { self.failing(true).collect() } else { Vec::new() };
        self.switched(now, reason);
    }

    /// It serves no more.
    pub(super) fn end_to_serve(&mut self, now: Time, reason: SwitchReason) {
        let unseen = self.failing(true).filter(|set| self.sets[*set].kind.only_on_active());
        self.remembered = u32::try_from(unseen.count()).unwrap_or(u32::MAX);
        self.latched = None;
        self.accepted.clear();
        self.switched(now, reason);
    }

    fn switched(&mut self, now: Time, reason: SwitchReason) {
        if let Some(probed) = Probed::of(reason) {
            self.past[probed as usize].switched = Some(now);
        }
    }

    /// An operator says that failures of this kind count again. True if they did not.
    pub(super) fn reset(&mut self, now: Time, probed: Probed) -> bool {
        self.past[probed as usize].reset = Some(now);
        self.remembered = 0;
        self.latched.take_if(|latched| *latched == probed).is_some()
    }

    /// The sets of which everything is down, by number.
    pub(super) fn failing(&self, serves: bool) -> impl Iterator<Item = usize> {
        let sees = move |set: &usize| serves || !self.sets[*set].kind.only_on_active();
        (0..self.sets.len()).filter(sees).filter(|set| self.is_down(*set))
    }

    /// Everything of a set is down, as far as anyone has looked.
    pub(super) fn is_down(&self, set: usize) -> bool {
        self.sets[set].members.iter().all(|member| self.watched[*member].state == MonitorState::Down)
    }

    /// Why a failure moves nothing by itself, if it does not.
    pub(super) fn disregarded(&self, set: usize) -> Option<Disregarded> {
        if self.latched.is_some_and(|latched| latched.kind() == self.sets[set].kind) {
            return Some(Disregarded::TookOverForIt);
        }
        self.accepted.contains(&set).then_some(Disregarded::Forced)
    }

    pub(super) fn failure(&self, set: usize, timers: &GuardTimers) -> Failure {
        let (since, due) = self.times(set, timers);
        let Set { kind, what, .. } = &self.sets[set];
        Failure { kind: *kind, what: what.clone(), since, due, disregarded: self.disregarded(set) }
    }

    pub(super) fn kind(&self, set: usize) -> MonitorKind {
        self.sets[set].kind
    }

    /// Since when a set fails, and when that counts.
    pub(super) fn times(&self, set: usize, timers: &GuardTimers) -> (Time, Time) {
        let Set { kind, members, .. } = &self.sets[set];
        let probed = kind.probed().map(|probed| (probed, self.past[probed as usize]));
        let reset = probed.and_then(|(_, past)| past.reset);
        let down = members.iter().map(|member| self.watched[*member].since);
        let since = down.chain(reset).max().unwrap_or(self.local_failure);
        let local = timers.of_local_failure(*kind).map(|guard| (guard, self.local_failure));
        let switchover =
            probed.and_then(|(probed, past)| Some((timers.of_switchover(probed), past.switched?)));
        let guarding = local.into_iter().chain(switchover);
        let damping = guarding
            .filter(|(guard, began)| since < *began + guard.period)
            .map(|(guard, _)| guard.damping)
            .max();
        (since, since + damping.unwrap_or(Span::ZERO))
    }

    /// For comparison alone, see `relative.rs`: with times as `relative` makes them, given how far back they matter.
    pub(super) fn relative(&self, timers: &GuardTimers, relative: impl Fn(Time, Span) -> Time) -> Self {
        if self.is_empty() {
            return Self::default();
        }
        let reach = Span(timers.longest().0.saturating_add(1));
        let time = |time| relative(time, reach);
        let past = |past: Past| Past { switched: past.switched.map(time), reset: past.reset.map(time) };
        let watched = self.watched.iter();
        Self {
            watched: watched.map(|one| Watched { since: time(one.since), ..one.clone() }).collect(),
            sets: self.sets.clone(),
            latched: self.latched,
            accepted: self.accepted.clone(),
            remembered: self.remembered,
            local_failure: time(self.local_failure),
            past: self.past.map(past),
        }
    }
}

/// In the order in which their first members are configured; of one member, its group before its context.
fn sets(configured: &[Monitored]) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for (index, monitored) in configured.iter().enumerate() {
        let kind = monitored.id.kind;
        let is_alike = |other: &&Monitored| other.id.kind == kind && other.id.context == monitored.id.context;
        let has_ungrouped = configured.iter().filter(is_alike).any(|other| other.group.is_none());
        for what in monitored.sets(has_ungrouped).into_iter().flatten() {
            match sets.iter_mut().find(|set| set.kind == kind && set.what == what) {
                Some(set) => set.members.push(index),
                None => sets.push(Set { kind, what, members: vec![index] }),
            }
        }
    }
    sets
}
