//! What monitors find: the truth of each chassis' surroundings, and what its core was told of it.
//!
//! A monitor tells the core a moment after the truth changed; what only an Active sees, a moment after it became Active.
//! Whether a chassis is better off than the other is counted here once more, from what the cores were told.
//!
//! All chance is drawn here, and none of it from the story's: one without monitors is what it was before there were any.

use std::collections::{BTreeMap, BTreeSet};

use srp_core::chassis::{
    Event, Guard, GuardTimers, MonitorId, MonitorKind, MonitorState, Monitored, Settings,
};
use srp_core::types::{ChassisState, Span, SwitchReason, Time};

use super::chaos::Fault;
use super::rng::Rng;
use super::world::{BEGIN, Due, NAMES, World};

/// How long a monitor needs to find out.
const FINDS: Span = Span::millis(20);

/// What surrounds one chassis.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What does not work, by the number of the monitor.
    pub broken: BTreeMap<usize, u32>,
    /// What the core was told in this life.
    told: BTreeMap<MonitorId, MonitorState>,
    /// Failures when it asked the peer to take over for a monitor.
    asked_with: Option<usize>,
    /// What it does now follows from the peer's request.
    pub asked: bool,
}

/// A monitor of a story.
pub fn monitored(kind: MonitorKind, name: &str, group: Option<u32>) -> Monitored {
    let context = match kind {
        MonitorKind::Bgp | MonitorKind::Bfd | MonitorKind::Diameter => "isp",
        MonitorKind::Aaa | MonitorKind::Interface | MonitorKind::Kernel | MonitorKind::Announcement => "",
    };
    Monitored { id: MonitorId { kind, context: context.into(), name: name.into() }, group }
}

/// In half of the stories: monitors, guard timers, and faults of theirs among the others.
pub fn choose(seed: u64, settings: &mut [Settings; 2], plan: &mut Vec<(Time, Fault)>) {
    let mut rng = Rng::new(seed ^ 0x6d6f_6e69_746f_7273);
    if rng.chance(50) {
        return;
    }
    let all = [
        monitored(MonitorKind::Bgp, "a", Some(1)),
        monitored(MonitorKind::Bgp, "b", Some(1)),
        monitored(MonitorKind::Bgp, "c", None),
        monitored(MonitorKind::Aaa, "radius", None),
        monitored(MonitorKind::Interface, "eth1", None),
        monitored(MonitorKind::Diameter, "pcrf", None),
        monitored(MonitorKind::Bfd, "gateway", None),
    ];
    let kept: Vec<Monitored> = all.into_iter().filter(|_| rng.chance(70)).collect();
    if kept.is_empty() {
        return;
    }
    let mut guard =
        || Guard { damping: Span::millis(rng.below(400)), period: Span::millis(rng.below(2_000)) };
    let guard_timers = GuardTimers {
        aaa_switchover: guard(),
        diameter_switchover: guard(),
        redundancy_aaa: guard(),
        redundancy_bgp: guard(),
        redundancy_diameter: guard(),
    };
    for settings in settings {
        settings.monitors.clone_from(&kept);
        settings.guard_timers = guard_timers;
        settings.switchover_retry.interval = Span::millis(100 + rng.below(500));
    }
    let end = plan.last().map_or(BEGIN, |(at, _)| *at);
    for _ in 0..=rng.below(8) {
        let at = BEGIN + Span(rng.below(end.since(BEGIN).0));
        let span = Span(1_000 + rng.below(2_500_000));
        let monitor = usize::try_from(rng.below(kept.len() as u64)).expect("an index");
        let side = rng.side();
        plan.push((at, Fault::Monitor { side, monitor, span }));
        if rng.chance(40) {
            plan.push((at, Fault::Monitor { side: 1 - side, monitor, span }));
        }
    }
    plan.sort_by_key(|(at, _)| *at);
}

impl World {
    /// Something that a monitor watches breaks, or works again.
    pub fn surround(&mut self, side: usize, monitor: usize, breaks: bool) {
        let node = &mut self.nodes[side];
        let count = node.surroundings.broken.entry(monitor).or_default();
        *count = if breaks { *count + 1 } else { count.saturating_sub(1) };
        self.find(side, |index, _| index == monitor);
    }

    /// A life begins: nothing is known.
    pub fn find_everything(&mut self, side: usize) {
        self.nodes[side].surroundings.told.clear();
        self.nodes[side].surroundings.asked_with = None;
        self.find(side, |_, _| true);
    }

    /// Monitors of this kind find what there is to find.
    fn find(&mut self, side: usize, which: impl Fn(usize, MonitorKind) -> bool) {
        let node = &self.nodes[side];
        let Some(chassis) = &node.chassis else { return };
        let (life, serves) = (node.life, chassis.state() == ChassisState::Active);
        let found: Vec<Event> = node
            .settings
            .monitors
            .iter()
            .enumerate()
            .filter(|(index, one)| which(*index, one.id.kind) && (serves || !one.id.kind.only_on_active()))
            .map(|(index, one)| {
                let broken = node.surroundings.broken.get(&index).is_some_and(|count| *count > 0);
                let state = if broken { MonitorState::Down } else { MonitorState::Up };
                Event::Monitor { monitor: one.id.clone(), state }
            })
            .collect();
        for event in found {
            self.after(FINDS, Due::Tell { side, life, event });
        }
    }

    /// The core was told.
    pub fn was_told(&mut self, side: usize, event: &Event) {
        if let Event::Monitor { monitor, state } = event {
            self.nodes[side].surroundings.told.insert(monitor.clone(), *state);
        }
    }

    /// It asks the peer to take over.
    pub fn asks(&mut self, side: usize) {
        self.nodes[side].surroundings.asked_with = Some(self.failures(side, true));
    }

    /// The core changed its state: what monitors have to do with it.
    pub fn check_failover(
        &mut self,
        side: usize,
        (from, to): (ChassisState, ChassisState),
        why: SwitchReason,
    ) {
        use ChassisState::{Active, PendingActive, PendingStandby, Standby};
        let for_monitor = matches!(
            why,
            SwitchReason::AaaFailure
                | SwitchReason::BgpFailure
                | SwitchReason::BfdFailure
                | SwitchReason::DiameterFailure
        );
        match (from, to) {
            (PendingActive, Active) => {
                let told = &mut self.nodes[side].surroundings.told;
                told.retain(|id, _| !id.kind.only_on_active());
                self.find(side, |_, kind| kind.only_on_active());
            }
            (Active, PendingStandby) if for_monitor && self.failures(side, true) == 0 => {
                self.check.fail(format!("{}: switches over ({why}) and nothing has failed", NAMES[side]));
            }
            (Standby, PendingActive) if for_monitor => {
                let ours = self.failures(side, false);
                let theirs = self.nodes[1 - side].surroundings.asked_with;
                if theirs.is_some_and(|theirs| ours >= theirs) {
                    self.check.fail(format!(
                        "{}: takes over ({why}) with {ours} failures from a chassis with {theirs:?}",
                        NAMES[side]
                    ));
                }
            }
            (_, _) => {}
        }
    }

    /// Failures by the rules of the source, counted from what the core was told; latched kinds count too, which only
    /// makes more of them.
    fn failures(&self, side: usize, serves: bool) -> usize {
        let node = &self.nodes[side];
        let told = &node.surroundings.told;
        let down = |one: &&Monitored| told.get(&one.id) == Some(&MonitorState::Down);
        let all_down = |some: Vec<&Monitored>| !some.is_empty() && some.iter().all(&down);
        let of = |kind: MonitorKind| {
            let some: Vec<_> = node.settings.monitors.iter().filter(|one| one.id.kind == kind).collect();
            if kind.only_on_active() && !serves { Vec::new() } else { some }
        };
        let bgp = of(MonitorKind::Bgp);
        let groups: BTreeSet<u32> = bgp.iter().filter_map(|one| one.group).collect();
        let of_group = |group: u32| bgp.iter().copied().filter(move |one| one.group == Some(group)).collect();
        let grouped = groups.into_iter().filter(|group| all_down(of_group(*group))).count();
        let ungrouped = bgp.iter().any(|one| one.group.is_none());
        grouped
            + usize::from(ungrouped && all_down(bgp))
            + of(MonitorKind::Interface).into_iter().filter(down).count()
            + usize::from(all_down(of(MonitorKind::Aaa)))
            + usize::from(all_down(of(MonitorKind::Diameter)))
            + usize::from(all_down(of(MonitorKind::Bfd)))
    }
}
