//! What a chassis watches beside its peer, and which failures follow from what is down (MON-1 .. MON-8).
//!
//! | Kind | A failure | Reason | Seen by |
//! |---|---|---|---|
//! | AAA | no server answers | 1 | the Active |
//! | BGP, BFD, Diameter | all of a context are down, or all of one of its groups | 2, 3, 4 | both; Diameter: the Active |
//! | announcement | BGP neighbours are configured, and none of any context is Established | 2 | both |
//! | interface | it is down; with a group: all of the group are | 0 | both |
//! | kernel | it refuses objects of the Active | 0 | the Active |
//!
//! A failure is damped where a guard period protects from it (GRD-1 .. GRD-4): it counts once it has lasted for the
//! damping-period without a break. Guard periods begin when the chassis starts or was suspended (`srp-redundancy-timers`),
//! and with a switchover for the same kind of failure (`aaa-switchover-timers`, `diameter-switchover-timers`).
//!
//! A Standby cannot see whether AAA and Diameter would work for it. It remembers what had failed when it was Active last, and
//! a chassis that became Active for such a failure disregards the same kind (MON-3): until it is Active no more, or an
//! operator resets the failure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{Span, SwitchReason, Time};

/// What is watched, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitorKind {
    /// A RADIUS server.
    Aaa,
    /// A BGP neighbour.
    Bgp,
    /// A router, by BFD.
    Bfd,
    /// A Diameter peer.
    Diameter,
    /// A network interface.
    Interface,
    /// The kernel takes what the Active has to install.
    Kernel,
    /// Somebody hears what the chassis announces.
    Announcement,
}

/// One thing that is watched. Names are unique within a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MonitorId {
    /// What it is.
    pub kind: MonitorKind,
    /// Such as `destination 10.1.1.2`, or `eth1`.
    pub name: String,
}

/// A monitor as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Monitored {
    /// Which one.
    pub id: MonitorId,
    /// The context that it serves; empty for those of the whole chassis.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// Those of one context and group fail together (MON-6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u32>,
}

/// What a monitor has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MonitorState {
    /// Nothing yet, or it does not look.
    #[default]
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
}

/// A guard period, and how long a failure inside it must last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Guard {
    /// A failure counts once it has lasted so long: 0 ..= 3600 s.
    pub damping: Span,
    /// Failures that begin so long after the guarded event are damped: 0 ..= 3600 s.
    pub period: Span,
}

/// The five groups of `guard-timer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GuardTimers {
    /// After a switchover for an AAA failure (GRD-1).
    pub aaa_switchover: Guard,
    /// After a switchover for a Diameter failure (GRD-2).
    pub diameter_switchover: Guard,
    /// AAA failures after a local one (GRD-3).
    pub redundancy_aaa: Guard,
    /// BGP and BFD failures after a local one (GRD-3).
    pub redundancy_bgp: Guard,
    /// Diameter failures after a local one (GRD-3).
    pub redundancy_diameter: Guard,
}

/// A failure: everything of a set is down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Failure {
    /// Of what.
    pub kind: MonitorKind,
    /// In words, such as `BGP context destination group 1`.
    pub what: String,
    /// Since the last of them went down.
    pub since: Time,
    /// When it counts; later than `since` where it is damped.
    pub due: Time,
    /// Why it moves nothing, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disregarded: Option<Disregarded>,
}

/// Why a failure moves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disregarded {
    /// This chassis became Active for a failure of this kind (MON-3). It ends when it is Active no more, or an operator
    /// resets the failure.
    TookOverForIt,
    /// An operator forced the switchover to this chassis in spite of it. It ends with the failure.
    Forced,
}

/// A monitor and what it has found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Watched {
    /// As it is configured.
    pub monitored: Monitored,
    /// What it found last.
    pub state: MonitorState,
    /// Since when.
    pub since: Time,
}

/// All monitors of a chassis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Monitors {
    watched: Vec<Watched>,
    sets: Vec<Set>,
    /// This chassis became Active for a failure of this kind, and disregards others of it.
    latched: Option<MonitorKind>,
    /// Sets that had failed already when an operator forced the switchover to this chassis.
    accepted: Vec<usize>,
    /// Failures that it had when it was Active last, of what it cannot see as Standby.
    remembered: u32,
    /// When the chassis started, or was suspended.
    local_failure: Time,
    aaa: Past,
    diameter: Past,
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

impl MonitorKind {
    /// Why a switchover for it happens.
    pub const fn reason(self) -> SwitchReason {
        match self {
            Self::Aaa => SwitchReason::AaaFailure,
            Self::Bgp | Self::Announcement => SwitchReason::BgpFailure,
            Self::Bfd => SwitchReason::BfdFailure,
            Self::Diameter => SwitchReason::DiameterFailure,
            // The public list has none for these.
            Self::Interface | Self::Kernel => SwitchReason::NotDefined,
        }
    }

    /// Whether it works is only seen by asking, which the Active does.
    pub(super) const fn is_probed(self) -> bool {
        match self {
            Self::Aaa | Self::Diameter => true,
            Self::Bgp | Self::Bfd | Self::Interface | Self::Kernel | Self::Announcement => false,
        }
    }

    /// A Standby cannot tell.
    pub const fn only_on_active(self) -> bool {
        match self {
            Self::Aaa | Self::Diameter | Self::Kernel => true,
            Self::Bgp | Self::Bfd | Self::Interface | Self::Announcement => false,
        }
    }

    /// A chassis that took over for such a failure disregards the next one (MON-3).
    const fn of_latching(reason: SwitchReason) -> Option<Self> {
        match reason {
            SwitchReason::AaaFailure => Some(Self::Aaa),
            SwitchReason::DiameterFailure => Some(Self::Diameter),
            SwitchReason::NotDefined
            | SwitchReason::BgpFailure
            | SwitchReason::BfdFailure
            | SwitchReason::HsrpSwitchover
            | SwitchReason::ChassisChassisBfdFailure
            | SwitchReason::DualActive
            | SwitchReason::DualStandby
            | SwitchReason::DeadTimerExpiry
            | SwitchReason::ForceStateChange
            | SwitchReason::ManualSwitchover
            | SwitchReason::EgqcFailure => None,
        }
    }
}

impl Monitored {
    /// What fails together with it, in words; two where it counts for its group and for its whole context.
    fn sets(&self, context_has_ungrouped: bool) -> [Option<String>; 2] {
        let Self { id: MonitorId { kind, name }, context, group } = self;
        let grouped = |of: &str| group.map(|group| format!("{kind}{of} group {group}"));
        match kind {
            MonitorKind::Aaa => [Some("AAA, every server".into()), None],
            MonitorKind::Bgp | MonitorKind::Bfd | MonitorKind::Diameter => {
                let of = format!(" context {context}");
                let whole = context_has_ungrouped.then(|| format!("{kind}{of}"));
                [grouped(&of), whole]
            }
            MonitorKind::Interface => [grouped("").or_else(|| Some(format!("interface {name}"))), None],
            MonitorKind::Kernel => [Some("kernel, objects refused".into()), None],
            MonitorKind::Announcement => [Some("BGP, every neighbour".into()), None],
        }
    }
}

impl GuardTimers {
    /// No failure counts later than so long after the guarded event, or after its own beginning.
    fn longest(&self) -> Span {
        let all = [
            self.aaa_switchover,
            self.diameter_switchover,
            self.redundancy_aaa,
            self.redundancy_bgp,
            self.redundancy_diameter,
        ];
        all.iter().map(|guard| Span(guard.damping.0 + guard.period.0)).max().unwrap_or(Span::ZERO)
    }

    fn of_local_failure(&self, kind: MonitorKind) -> Option<Guard> {
        match kind {
            MonitorKind::Aaa => Some(self.redundancy_aaa),
            MonitorKind::Bgp | MonitorKind::Bfd | MonitorKind::Announcement => Some(self.redundancy_bgp),
            MonitorKind::Diameter => Some(self.redundancy_diameter),
            // These are local themselves: they need no time to converge.
            MonitorKind::Interface | MonitorKind::Kernel => None,
        }
    }
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
            if watched.monitored.id.kind.is_probed() {
                (watched.state, watched.since) = (MonitorState::Unknown, now);
            }
        }
        self.remembered = 0;
        self.latched = MonitorKind::of_latching(reason);
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
        if let Some(past) = MonitorKind::of_latching(reason).and_then(|kind| self.past_mut(kind)) {
            past.switched = Some(now);
        }
    }

    /// An operator says that failures of this kind count again. True if they did not.
    pub(super) fn reset(&mut self, now: Time, kind: MonitorKind) -> bool {
        if let Some(past) = self.past_mut(kind) {
            past.reset = Some(now);
        }
        self.remembered = 0;
        let was_latched = self.latched == Some(kind);
        if was_latched {
            self.latched = None;
        }
        was_latched
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
        if self.latched == Some(self.sets[set].kind) {
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
        let past = self.past(*kind);
        let down = members.iter().map(|member| self.watched[*member].since);
        let since = down.chain(past.and_then(|past| past.reset)).max().unwrap_or(self.local_failure);
        let local = timers.of_local_failure(*kind).map(|guard| (guard, self.local_failure));
        let switchover = match kind {
            MonitorKind::Aaa => Some(timers.aaa_switchover),
            MonitorKind::Diameter => Some(timers.diameter_switchover),
            MonitorKind::Bgp
            | MonitorKind::Bfd
            | MonitorKind::Interface
            | MonitorKind::Kernel
            | MonitorKind::Announcement => None,
        };
        let switchover = switchover.zip(past.and_then(|past| past.switched));
        let guarding = local.into_iter().chain(switchover);
        let damping = guarding
            .filter(|(guard, began)| since < *began + guard.period)
            .map(|(guard, _)| guard.damping)
            .max();
        (since, since + damping.unwrap_or(Span::ZERO))
    }

    fn past(&self, kind: MonitorKind) -> Option<&Past> {
        match kind {
            MonitorKind::Aaa => Some(&self.aaa),
            MonitorKind::Diameter => Some(&self.diameter),
            MonitorKind::Bgp
            | MonitorKind::Bfd
            | MonitorKind::Interface
            | MonitorKind::Kernel
            | MonitorKind::Announcement => None,
        }
    }

    fn past_mut(&mut self, kind: MonitorKind) -> Option<&mut Past> {
        match kind {
            MonitorKind::Aaa => Some(&mut self.aaa),
            MonitorKind::Diameter => Some(&mut self.diameter),
            MonitorKind::Bgp
            | MonitorKind::Bfd
            | MonitorKind::Interface
            | MonitorKind::Kernel
            | MonitorKind::Announcement => None,
        }
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
            aaa: past(self.aaa),
            diameter: past(self.diameter),
        }
    }
}

/// In the order in which their first members are configured; of one member, its group before its context.
fn sets(configured: &[Monitored]) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    for (index, monitored) in configured.iter().enumerate() {
        let kind = monitored.id.kind;
        let is_alike = |other: &&Monitored| other.id.kind == kind && other.context == monitored.context;
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

impl Default for Guard {
    fn default() -> Self {
        Self { damping: Span::secs(60), period: Span::secs(60) }
    }
}

impl fmt::Display for MonitorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aaa => "AAA",
            Self::Bgp => "BGP",
            Self::Bfd => "BFD",
            Self::Diameter => "Diameter",
            Self::Interface => "interface",
            Self::Kernel => "kernel",
            Self::Announcement => "announcement",
        })
    }
}

impl fmt::Display for Disregarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TookOverForIt => "this chassis took over for such a failure",
            Self::Forced => "an operator forced the switchover in spite of it",
        })
    }
}

impl fmt::Display for MonitorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl fmt::Display for MonitorState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Up => "Up",
            Self::Down => "Down",
        })
    }
}
