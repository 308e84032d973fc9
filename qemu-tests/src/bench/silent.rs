//! Silent power cuts again and again: nobody gets a hint from a link, and every part of the time until traffic flows again
//! is measured by whoever spent it.
//!
//! The chassis' links lead through bridges ([`crate::bridge`]), so that the Standby has its dead-interval and the routers
//! have BFD (or the hold time of BGP) and nothing else. Both clocks run side by side from the moment of the cut; routers move
//! their routes when they have lost the dead chassis' sessions *and* hold the new one's paths.
//!
//! The lab is built once. After each cut the dead chassis is powered on again, and the next cut, of the other one, waits for
//! what a pair at rest is: Active and Standby by both words, all sessions up, all routes learnt.

use serde::Serialize;
use srp_core::types::ChassisState;

use super::series::Collected;
use super::split::{self, Cut, Split};
use crate::clock::Time;
use crate::error::LabError;
use crate::lab::Lab;
use crate::probe::gaps::Outcome;
use crate::probe::run::Running;
use crate::probe::send::Ask;
use crate::report::Host;
use crate::scenario::stage::{self, LIMIT, Settings, Stage};
use crate::scenario::steps;
use crate::topology::Watch;
use crate::variant::LinkTimers;

/// Answers in a row, per stream, before a cut and after it.
const STEADY: u32 = 100;

/// What was found with one pair of timers.
#[derive(Clone, Debug, Serialize)]
pub struct Silent {
    /// Time between Hellos, ms.
    pub hello_ms: f64,
    /// Silence after which the peer is dead, ms.
    pub dead_ms: f64,
    /// The same with what else watches the peer, for people.
    pub timers: String,
    /// How the routers watch the chassis.
    pub watch: String,
    /// Release of the routers.
    pub routers: String,
    /// The machine when the runs began.
    pub host: Host,
    /// The quantities.
    pub series: Collected,
    /// Runs in which a part of the time could not be told apart, with the reason.
    pub untold: Vec<String>,
}

/// Cuts the power `runs` times on `lab`, whose links lead through bridges; tells each run to `said`.
pub fn run(
    lab: &Lab,
    settings: Settings,
    timers: &LinkTimers,
    runs: u32,
    said: &mut dyn FnMut(String),
) -> Result<Silent, LabError> {
    let host = Host::here();
    let mut stage = Stage::new(lab, settings)?;
    steps::start(&mut stage)?;
    stage.until_watched()?;
    let (hello_ms, dead_ms) = stage.timers.map_or((0.0, 0.0), |timers| (timers.hello_ms, timers.dead_ms));
    let (mut series, mut untold) = (Collected::default(), Vec::new());
    let mut from = steps::active(&stage)?;
    for number in 1..=runs {
        let to = stage.peer_of(&from);
        match cut(&mut stage, number, &from, &to, dead_ms)? {
            Ok(split) => {
                said(format!("{number}: {}", told(&split)));
                collect(&mut series, &split);
            }
            Err(reason) => {
                said(format!("{number}: {reason}"));
                untold.push(format!("{number}: {reason}"));
            }
        }
        power_on(&mut stage, &from, &to)?;
        from = to;
    }
    stage.stop()?;
    let routers = stage::routers_release(lab)?;
    let timers = timers.to_string();
    Ok(Silent {
        hello_ms,
        dead_ms,
        timers,
        watch: lab.topology.watch.to_string(),
        routers,
        host,
        series,
        untold,
    })
}

/// One cut. The inner error is a run that went well but cannot be split.
fn cut(
    stage: &mut Stage<'_>,
    number: u32,
    from: &str,
    to: &str,
    dead_ms: f64,
) -> Result<Result<Split, String>, LabError> {
    let probe = Running::start(stage.lab, &format!("silent-{number}"), Ask::Responder)?;
    probe.flows(STEADY, Some(from), LIMIT)?;
    let zero = stage.lab.chassis(from)?.power_off()?;
    stage.forget(from);
    stage.until_routes_lead_to(to)?;
    probe.flows(STEADY, Some(to), LIMIT)?;
    let record = probe.stop()?;
    stage.until_views(&format!("{to} Active"), |views| {
        views.get(to).is_some_and(|view| view.state == ChassisState::Active)
    })?;
    let Some(journal) = stage.srpd(to)?.last_switchover()? else {
        return Ok(Err(format!("{to} has no switchover in its journal")));
    };
    let observations = stage.observer.since(zero);
    let outcomes: Vec<Outcome> = record.streams.iter().map(|one| Outcome::of(one, &record)).collect();
    let mut lost = Vec::new();
    for router in &stage.lab.routers {
        let name = router.node.name();
        let dead: Vec<_> =
            stage.lab.topology.neighbors(name).into_iter().filter(|one| one.node == from).collect();
        let losses = router.routing.frr()?.losses()?;
        let times = losses
            .iter()
            .filter(|loss| dead.iter().any(|neighbor| neighbor.address == loss.peer))
            .map(|loss| Time::of_wall_us(loss.wall_us))
            .filter(|at| *at >= zero);
        lost.extend(times.max().map(|at| (name.to_owned(), at)));
    }
    let ahead = stage.ahead(to)?;
    let cut = Cut { zero, to, dead_ms, journal: &journal, ahead, lost: &lost, observations: &observations };
    Ok(split::of(&cut, &outcomes))
}

/// Gives the power back and waits until the pair is at rest.
fn power_on(stage: &mut Stage<'_>, returning: &str, active: &str) -> Result<(), LabError> {
    stage.lab.chassis(returning)?.power_on()?;
    stage.start(returning)?;
    stage.srpd(returning)?.answers()?;
    stage.until_settled(active)?;
    stage.until_bgp_established(returning)?;
    stage.until_routes_learnt(returning)?;
    stage.until_watched()
}

/// Names of the quantities, in the order of the table.
pub mod quantity {
    /// Until the Standby decided.
    pub const DETECTION: &str = "detection: power cut to the Standby's decision";
    /// Until it could forward.
    pub const UNLOCKING: &str = "unlocking: until its kernel has it all";
    /// Until the last UPDATE was out.
    pub const ANNOUNCEMENT: &str = "announcement: until the last UPDATE is with TCP";
    /// The three together.
    pub const PAIR: &str = "the pair: power cut to the last UPDATE";
    /// What the routers did meanwhile.
    pub const NOTICED: &str = "router, meanwhile: power cut to the dead sessions' loss";
    /// What they did then.
    pub const ROUTER: &str = "router, then: until its kernel's last route moved";
    /// All routers.
    pub const ROUTES: &str = "power cut to the last route of the last router";
    /// The client.
    pub const TRAFFIC: &str = "power cut to traffic back on the slowest stream";
    /// How late the dead timer was.
    pub const LATE: &str = "of detection: dead timer later than due";
}

fn collect(series: &mut Collected, split: &Split) {
    series.push(quantity::DETECTION, "ms", split.detection_ms);
    if let Some(late) = split.dead_timer_late_ms {
        series.push(quantity::LATE, "ms", late);
    }
    series.push(quantity::UNLOCKING, "ms", split.unlocking_ms);
    series.push(quantity::ANNOUNCEMENT, "ms", split.announcement_ms);
    series.push(quantity::PAIR, "ms", split.pair_ms());
    for router in &split.routers {
        series.push(quantity::NOTICED, "ms", router.noticed_ms);
        series.push(quantity::ROUTER, "ms", router.own_ms);
    }
    series.push(quantity::ROUTES, "ms", split.routes_ms);
    series.push(quantity::TRAFFIC, "ms", split.traffic_back_ms);
}

fn told(split: &Split) -> String {
    let noticed = split.routers.iter().map(|router| router.noticed_ms).fold(0.0, f64::max);
    format!(
        "pair {:.1} ms (detection {:.1}, unlocking {:.1}, announcement {:.1}), routers noticed after {noticed:.1}, \
         routes moved after {:.1}, traffic back after {:.1} ms",
        split.pair_ms(),
        split.detection_ms,
        split.unlocking_ms,
        split.announcement_ms,
        split.routes_ms,
        split.traffic_back_ms
    )
}

impl std::fmt::Display for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::HoldTime { seconds } => write!(f, "hold time of {seconds} s"),
            Self::Bfd { interval_ms, multiplier } => write!(f, "BFD {interval_ms} ms x {multiplier}"),
        }
    }
}
