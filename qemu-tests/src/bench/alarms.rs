//! False alarms: a pair at rest on a busy machine, and everything that it, its routers or its timers did although nothing
//! had happened.

use std::time::Duration;

use serde::Serialize;

use super::dead_timer;
use super::series::{Spread, spread};
use crate::busy::Busy;
use crate::clock::Time;
use crate::error::LabError;
use crate::interrupt;
use crate::lab::Lab;
use crate::observe::News;
use crate::report::Host;
use crate::scenario::stage::{Settings, Stage};
use crate::scenario::steps;
use crate::variant::LinkTimers;

/// Between looks at the clock and at an interrupt.
const LOOK: Duration = Duration::from_millis(200);
/// Between words to whoever waits.
const WORD: Duration = Duration::from_mins(1);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// How long to wait for false alarms.
    pub time: Duration,
    /// Busy loops meanwhile.
    pub busy: usize,
    /// Cuts of the SRP link to measure the dead timer by, before the loops start and again beside them.
    pub cuts: u32,
}

/// Counts that ought to stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Switchovers that began, both chassis.
    pub takeovers: u64,
    /// Changes of state, both chassis.
    pub state_changes: u64,
    /// Times that a chassis found that it had not run for longer than its dead-interval.
    pub suspensions: u64,
    /// Times that the SRP link went down, both chassis.
    pub link_downs: u64,
    /// BFD sessions that went down, all routers.
    pub bfd_downs: u64,
    /// BGP sessions that were lost, all routers.
    pub bgp_losses: u64,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Alarms {
    /// Time between Hellos, ms.
    pub hello_ms: f64,
    /// Silence after which the peer is dead, ms.
    pub dead_ms: f64,
    /// The same with what else watches the peer, for people.
    pub timers: String,
    /// How the routers watch the chassis.
    pub watch: String,
    /// The machine when the wait began.
    pub host: Host,
    /// The same load average when it ended.
    pub load_at_end: String,
    /// Busy loops.
    pub busy: usize,
    /// How long it took.
    pub seconds: f64,
    /// What happened meanwhile.
    pub counts: Counts,
    /// Routes of the routers that changed meanwhile.
    pub route_changes: usize,
    /// Hellos received, both chassis, and how many were due.
    pub hellos: (u64, u64),
    /// By how many ms the dead timer expired later than due, machine idle but for others.
    pub dead_timer_idle: Option<Spread>,
    /// The same beside the busy loops.
    pub dead_timer_busy: Option<Spread>,
}

/// Waits for false alarms on `lab`, whose links lead through bridges.
pub fn run(
    lab: &Lab,
    settings: Settings,
    timers: &LinkTimers,
    order: Order,
    said: &mut dyn FnMut(String),
) -> Result<Alarms, LabError> {
    let mut stage = Stage::new(lab, settings)?;
    steps::start(&mut stage)?;
    stage.until_watched()?;
    // Where BFD is the faster detector, no dead timer ever expires.
    let cuts = if timers.bfd.is_some() { 0 } else { order.cuts };
    let idle = dead_timer::measure(&stage, cuts, said)?;
    let busy = Busy::start(order.busy)?;
    let (hello_ms, dead_ms) = stage.timers.map_or((0.0, 0.0), |timers| (timers.hello_ms, timers.dead_ms));
    let host = Host::here();
    let before = look(&stage)?;
    let began = Time::now();
    wait(order.time, began, said)?;
    let after = look(&stage)?;
    let seconds = Time::now().since(began).as_secs_f64();
    let load_at_end = Host::here().load;
    let moved = |one: &&crate::observe::Observation| matches!(one.news, News::Route { .. });
    let route_changes = stage.observer.since(began).iter().filter(moved).count();
    let beside = dead_timer::measure(&stage, cuts, said)?;
    drop(busy);
    stage.stop()?;
    Ok(Alarms {
        hello_ms,
        dead_ms,
        timers: timers.to_string(),
        watch: lab.topology.watch.to_string(),
        host,
        load_at_end,
        busy: order.busy,
        seconds,
        counts: after.0.since(&before.0),
        route_changes,
        hellos: (after.1 - before.1, due(seconds, hello_ms)),
        dead_timer_idle: spread(&idle),
        dead_timer_busy: spread(&beside),
    })
}

fn wait(time: Duration, began: Time, said: &mut dyn FnMut(String)) -> Result<(), LabError> {
    let mut next = WORD;
    loop {
        interrupt::check()?;
        let passed = Time::now().since(began);
        if passed >= time {
            return Ok(());
        }
        if passed >= next {
            said(format!("{} of {} s", passed.as_secs(), time.as_secs()));
            next += WORD;
        }
        std::thread::sleep(LOOK.min(time.saturating_sub(passed)));
    }
}

/// The counts now, and all Hellos received.
fn look(stage: &Stage<'_>) -> Result<(Counts, u64), LabError> {
    let (mut counts, mut hellos) = (Counts::default(), 0);
    for chassis in stage.names() {
        let statistics = stage.srpd(&chassis)?.statistics()?;
        counts.takeovers += statistics.switchovers;
        counts.state_changes += statistics.state_changes;
        counts.suspensions += statistics.suspensions;
        counts.link_downs += statistics.link_downs;
        hellos += statistics.hello_messages_received;
    }
    for router in &stage.lab.routers {
        let frr = router.routing.frr()?;
        counts.bgp_losses += frr.summary()?.0.values().map(|session| session.dropped).sum::<u64>();
        counts.bfd_downs += frr.bfd_counters()?.iter().map(|peer| peer.downs).sum::<u64>();
    }
    Ok((counts, hellos))
}

/// Hellos that both chassis together receive in `seconds`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive count far below 2^53"
)]
fn due(seconds: f64, hello_ms: f64) -> u64 {
    if hello_ms > 0.0 { (2.0 * seconds * 1000.0 / hello_ms).round() as u64 } else { 0 }
}

impl Counts {
    fn since(&self, before: &Self) -> Self {
        Self {
            takeovers: self.takeovers.saturating_sub(before.takeovers),
            state_changes: self.state_changes.saturating_sub(before.state_changes),
            suspensions: self.suspensions.saturating_sub(before.suspensions),
            link_downs: self.link_downs.saturating_sub(before.link_downs),
            bfd_downs: self.bfd_downs.saturating_sub(before.bfd_downs),
            bgp_losses: self.bgp_losses.saturating_sub(before.bgp_losses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_what_came_since() {
        let before = Counts { takeovers: 1, state_changes: 6, ..Counts::default() };
        let after = Counts { takeovers: 2, state_changes: 8, bfd_downs: 1, ..Counts::default() };
        let expected = Counts { takeovers: 1, state_changes: 2, bfd_downs: 1, ..Counts::default() };
        assert_eq!(after.since(&before), expected);
    }

    #[test]
    fn both_chassis_are_due_a_hello_each_interval() {
        assert_eq!((due(60.0, 50.0), due(60.0, 10.0), due(60.0, 0.0)), (2_400, 12_000, 0));
    }
}
