//! The steps of the demonstration, each with what must hold after it.

use std::collections::BTreeMap;

use srp_core::types::ChassisState;

use super::collect::{Before, Measured, Notes, collect};
use super::measure::{self, STEADY};
use super::phases;
use super::stage::{self, LIMIT, Stage, View};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::Kind;
use crate::probe::record::Record;
use crate::report::{Probe, Step, Timers};

/// A step: takes the pair from one settled state to the next.
#[derive(Clone, Copy)]
pub struct Act {
    /// Stable name in kebab case.
    pub id: &'static str,
    /// Runs it.
    pub run: for<'a, 'b> fn(&'b mut Stage<'a>) -> Result<Step, LabError>,
}

/// All steps, in order.
pub const ALL: [Act; 7] = [
    Act { id: "start", run: start },
    Act { id: PLANNED, run: planned_there },
    Act { id: PLANNED_BACK, run: planned_back },
    Act { id: "power-off", run: power_off },
    Act { id: "power-on", run: power_on },
    Act { id: "cut-srp-link", run: cut_srp_link },
    Act { id: "heal-srp-link", run: heal_srp_link },
];

/// The id of a planned switchover.
pub const PLANNED: &str = "planned-switchover";
const PLANNED_BACK: &str = "planned-switchover-back";
/// Longest gap of a planned switchover that we aim for.
const PLANNED_GAP_MS: f64 = 5.0;
/// Traffic after a power cut that we aim for, with a dead interval of 150 ms.
const TRAFFIC_BACK_MS: f64 = 300.0;
/// Longer than an emulated guest was seen to be starved on two busy processors; shorter than any fault of the scenario.
const STARVED_MS: f64 = 1000.0;

/// Both chassis start; the primary becomes Active, or of appliances whichever is there first by more than a dead interval; the
/// routers hold everything.
pub fn start(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let [first, second] = stage.names();
    let before = Before::now(stage)?;
    let mut notes = Notes::default();
    let zero = Time::now();
    for chassis in [&first, &second] {
        stage.start(chassis)?;
        notes.did(Time::now(), "srpd-started", chassis.clone());
    }
    let info = stage.srpd(&first)?.answers()?;
    stage.srpd(&second)?.answers()?;
    stage.timers = Some(Timers { hello_ms: info.hello_interval_ms, dead_ms: info.dead_interval_ms });
    let active = match stage.lab.chassis(&first)?.kind() {
        Kind::Namespace | Kind::Machine => first.clone(),
        Kind::Appliance => stage.until_one_serves()?,
    };
    let standby = stage.peer_of(&active);
    stage.until_settled(&active)?;
    notes.did(Time::now(), "settled", format!("{active} Active, {standby} Standby, by both"));
    stage.until_routes_lead_to(&active)?;
    for chassis in [&first, &second] {
        stage.until_bgp_established(chassis)?;
        notes.did(Time::now(), "bgp-established", format!("{chassis} with all its neighbours"));
    }
    for chassis in [&first, &second] {
        stage.until_routes_learnt(chassis)?;
        // Most of this time is the routers': FRR gathers neighbours for a second before it announces anything.
        notes.did(Time::now(), "routes-learnt", format!("{chassis} from all its neighbours"));
    }
    let Measured { mut step, views, .. } = collect(stage, &before, zero, notes, &Record::default())?;
    "start".clone_into(&mut step.id);
    "srpd is started on both".clone_into(&mut step.zero);
    step.title = format!("start of both chassis: {active} becomes Active, {standby} Standby");
    roles(&mut step, &active, &standby, &views);
    routers_prefer(stage, &mut step, &active, &views);
    Ok(judged(step))
}

/// Planned switchover from the chassis that is Active.
fn planned_there(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let from = active(stage)?;
    planned(stage, PLANNED, &from, &stage.peer_of(&from))
}

/// Planned switchover back.
fn planned_back(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let from = active(stage)?;
    planned(stage, PLANNED_BACK, &from, &stage.peer_of(&from))
}

/// Planned switchover from the chassis that is Active to the other one.
pub fn planned_now(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let from = active(stage)?;
    let to = stage.peer_of(&from);
    planned(stage, PLANNED, &from, &to)
}

/// A planned switchover: nothing may be lost.
pub fn planned(stage: &mut Stage<'_>, id: &str, from: &str, to: &str) -> Result<Step, LabError> {
    let title = format!("planned switchover from {from} to {to}");
    let measured =
        measure::step(stage, id, &title, "srpctl srp initiate-switchover", |stage, notes, probe| {
            let zero = Time::now();
            notes.did(zero, "switchover-ordered", format!("srpctl srp initiate-switchover on {from}"));
            stage.srpd(from)?.initiate_switchover()?;
            stage.until_routes_lead_to(to)?;
            stage.until_settled(to)?;
            // The old one forwards for a while after it has withdrawn, and removes its routes only then: stay until it has.
            stage.until_journal_says(from, "removed", zero)?;
            probe.flows(STEADY, Some(to), LIMIT)?;
            Ok(zero)
        })?;
    let Measured { mut step, views, .. } = measured;
    roles(&mut step, to, from, &views);
    routers_prefer(stage, &mut step, to, &views);
    match stage.lab.chassis(to)?.kind() {
        Kind::Namespace | Kind::Machine => nothing_lost(stage, &mut step),
        // What is delivered has to keep what it promises, emulated or not: the order of a switchover is not a matter of speed.
        Kind::Appliance => no_probe_lost(&mut step),
    }
    let gap = step.probes.iter().map(|probe| probe.longest_gap_back_net_ms).fold(0.0, f64::max);
    if stage::kind(stage.lab) == "namespaces" {
        step.target("longest gap of any stream, less the sender's own pauses", PLANNED_GAP_MS, gap);
    }
    Ok(judged(step))
}

/// The Active loses its power: the Standby takes over.
pub fn power_off(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let from = active(stage)?;
    let to = stage.peer_of(&from);
    let title = format!("power cut of {from}, which is Active");
    let zero_is = format!("{from} has no power");
    let measured = measure::step(stage, "power-off", &title, &zero_is, |stage, notes, probe| {
        let zero = stage.lab.chassis(&from)?.power_off()?;
        notes.did(zero, "power-off", from.clone());
        stage.forget(&from);
        stage.until_routes_lead_to(&to)?;
        probe.flows(STEADY, Some(&to), LIMIT)?;
        stage.until_views(&format!("{to} Active"), |views| {
            views.get(&to).is_some_and(|view| view.state == ChassisState::Active)
        })?;
        Ok(zero)
    })?;
    let Measured { mut step, zero, views, outcomes, journals, observations } = measured;
    step.check(
        format!("{to} is Active"),
        views.get(&to).is_some_and(|v| v.state == ChassisState::Active),
        stage::tell(&views),
    );
    routers_prefer(stage, &mut step, &to, &views);
    let ended = outcomes.iter().all(|outcome| outcome.answered_by.last().is_some_and(|last| last.to == to));
    step.check("all streams are answered again", ended, format!("by {to}"));
    let outcomes: Vec<_> = outcomes.iter().collect();
    let ahead = stage.ahead(&to)?;
    step.phases =
        journals.get(&to).and_then(|journal| phases::of(zero, &to, journal, ahead, &observations, &outcomes));
    if let Some(phases) = &step.phases
        && stage.lab.chassis(&to)?.kind() == Kind::Namespace
    {
        let back = phases.traffic_back_ms;
        step.target("traffic back on all streams", TRAFFIC_BACK_MS, back);
    }
    Ok(judged(step))
}

/// The chassis without power comes back: it must not take over.
pub fn power_on(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let active = active(stage)?;
    let returning = stage.peer_of(&active);
    let before = stage.view(&active)?;
    let title = format!("{returning} comes back and must not pre-empt {active}");
    let zero_is = format!("{returning} has power again");
    let measured = measure::step(stage, "power-on", &title, &zero_is, |stage, notes, probe| {
        let zero = Time::now();
        notes.did(zero, "power-on", returning.clone());
        stage.lab.chassis(&returning)?.power_on()?;
        stage.start(&returning)?;
        notes.did(Time::now(), "srpd-started", returning.clone());
        stage.srpd(&returning)?.answers()?;
        stage.until_settled(&active)?;
        notes.did(Time::now(), "settled", format!("{active} Active, {returning} Standby, by both"));
        stage.until_bgp_established(&returning)?;
        notes.did(Time::now(), "bgp-established", format!("{returning} with all its neighbours"));
        stage.until_routes_learnt(&returning)?;
        notes.did(Time::now(), "routes-learnt", format!("{returning} from all its neighbours"));
        probe.flows(2 * STEADY, Some(&active), LIMIT)?;
        Ok(zero)
    })?;
    let Measured { mut step, views, .. } = measured;
    roles(&mut step, &active, &returning, &views);
    let after = views.get(&active).map(|view| view.switchovers);
    step.check(
        format!("{active} was never asked to give up"),
        after == Some(before.switchovers),
        format!("{} switchovers before, {} after", before.switchovers, after.unwrap_or_default()),
    );
    routers_prefer(stage, &mut step, &active, &views);
    nothing_lost(stage, &mut step);
    only_answered_by(&mut step, &active);
    Ok(judged(step))
}

/// The link between the chassis is cut: both are Active, and the routers stay with the one that was.
pub fn cut_srp_link(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let former = active(stage)?;
    let other = stage.peer_of(&former);
    let link = stage.lab.topology.srp_link()?.to_owned();
    let title = format!("cut of the SRP link alone: both become Active, routers stay with {former}");
    let zero_is = "the SRP link is cut";
    let measured = measure::step(stage, "cut-srp-link", &title, zero_is, |stage, notes, probe| {
        let zero = Time::now();
        stage.lab.chassis(&other)?.set_link(&link, false)?;
        notes.did(zero, "link-cut", format!("{link}, at {other}"));
        stage.until_views("both chassis Active", |views| {
            views.len() == 2 && views.values().all(|view| view.state == ChassisState::Active)
        })?;
        stage.until_paths_from(&[&former, &other])?;
        notes.did(Time::now(), "both-announce", "every router has a path from either chassis");
        probe.flows(2 * STEADY, Some(&former), LIMIT)?;
        Ok(zero)
    })?;
    let Measured { mut step, views, .. } = measured;
    step.check(
        "both chassis are Active",
        views.values().all(|view| view.state == ChassisState::Active),
        stage::tell(&views),
    );
    routers_prefer(stage, &mut step, &former, &views);
    let longer = step.preferences.iter().all(|p| p.others.iter().all(|(_, prepends)| *prepends > p.prepends));
    step.check(
        format!("{other} announces longer paths than {former}"),
        longer,
        "in both families, on all routers",
    );
    nothing_lost(stage, &mut step);
    only_answered_by(&mut step, &former);
    Ok(judged(step))
}

/// The link is mended: one Active again, the right one.
pub fn heal_srp_link(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let views = stage.views()?;
    let right = views.iter().min_by_key(|(_, view)| view.modifier).map(|(name, _)| name.clone());
    let right = right.unwrap_or_default();
    let other = stage.peer_of(&right);
    let link = stage.lab.topology.srp_link()?.to_owned();
    let title = format!("SRP link mended: {right} stays Active, {other} steps back");
    let measured =
        measure::step(stage, "heal-srp-link", &title, "the SRP link is mended", |stage, notes, probe| {
            let zero = Time::now();
            stage.lab.chassis(&other)?.set_link(&link, true)?;
            notes.did(zero, "link-mended", format!("{link}, at {other}"));
            stage.until_settled(&right)?;
            notes.did(Time::now(), "settled", format!("{right} Active, {other} Standby, by both"));
            stage.until_routes_lead_to(&right)?;
            probe.flows(2 * STEADY, Some(&right), LIMIT)?;
            Ok(zero)
        })?;
    let Measured { mut step, views, .. } = measured;
    roles(&mut step, &right, &other, &views);
    routers_prefer(stage, &mut step, &right, &views);
    nothing_lost(stage, &mut step);
    only_answered_by(&mut step, &right);
    Ok(judged(step))
}

/// The chassis that is Active now.
pub fn active(stage: &Stage<'_>) -> Result<String, LabError> {
    let views = stage.views()?;
    let mut active = views.iter().filter(|(_, view)| view.state == ChassisState::Active);
    match (active.next(), active.next()) {
        (Some((name, _)), None) => Ok(name.clone()),
        _ => Err(LabError::Answer {
            command: "srpctl show srp info on both chassis".to_owned(),
            reason: format!("there must be exactly one Active, but: {}", stage::tell(&views)),
        }),
    }
}

pub(super) fn roles(step: &mut Step, active: &str, standby: &str, views: &BTreeMap<String, View>) {
    let is = |name: &str, state| views.get(name).is_some_and(|view| view.state == state);
    let lower = |a: &str, b: &str| match (views.get(a), views.get(b)) {
        (Some(a), Some(b)) => a.modifier < b.modifier,
        (Some(_) | None, None) | (None, Some(_)) => false,
    };
    let good =
        is(active, ChassisState::Active) && is(standby, ChassisState::Standby) && lower(active, standby);
    step.check(
        format!("{active} Active, {standby} Standby, the Active's modifier lower"),
        good,
        stage::tell(views),
    );
}

/// Every router prefers `active` for every service, with as many prepends as its route modifier says.
pub(super) fn routers_prefer(
    stage: &Stage<'_>,
    step: &mut Step,
    active: &str,
    views: &BTreeMap<String, View>,
) {
    let software = stage.lab.topology.software;
    let modifier = views.get(active).map_or(0, |view| usize::from(view.modifier));
    let wrong: Vec<String> = step
        .preferences
        .iter()
        .filter(|found| {
            found.chassis.as_deref() != Some(active)
                || found.kernel.as_deref() != Some(active)
                || found.prepends != modifier
                || found.as_path_length != modifier + 1
        })
        .map(|found| {
            let chassis = found.chassis.as_deref().unwrap_or("nobody");
            let kernel = found.kernel.as_deref().unwrap_or("nobody");
            let (router, prefix, prepends) = (&found.router, &found.prefix, found.prepends);
            format!("{router} {prefix}: {chassis} with {prepends} prepends, kernel to {kernel}")
        })
        .collect();
    let name =
        format!("{software} and kernel of all routers prefer {active}, AS path 1 + modifier {modifier}");
    let found = if wrong.is_empty() {
        format!("{} of {} best paths", step.preferences.len(), step.preferences.len())
    } else {
        wrong.join("; ")
    };
    step.check(name, wrong.is_empty(), found);
}

/// Nothing may be lost. Machines share this
/// host's processors with the probes and with each other's emulation: there a booting neighbour starves a guest until
/// queues overflow, which says nothing of routing. What the scenario must not do to a machine's traffic is interrupt it
/// for longer than a guest can be starved.
pub(super) fn nothing_lost(stage: &Stage<'_>, step: &mut Step) {
    if stage::kind(stage.lab) == "namespaces" {
        no_probe_lost(step);
        return;
    }
    let (sent, lost) = sent_and_lost(step);
    let gap = step.probes.iter().map(|probe| probe.longest_gap_back_ms).fold(0.0, f64::max);
    let name =
        format!("no stream interrupted for {STARVED_MS} ms (machines: single losses are the emulation's)");
    step.check(name, gap < STARVED_MS, format!("{gap:.1} ms at most; {lost} of {sent} lost"));
}

/// No probe may be lost, but what the host itself dropped.
pub(super) fn no_probe_lost(step: &mut Step) {
    let ((sent, lost), host) = (sent_and_lost(step), step.host_dropped);
    let (name, found) = if host == 0 {
        ("no probe lost", format!("{lost} of {sent}"))
    } else {
        ("no more probes lost than the host dropped packets", format!("{lost} of {sent}; {host} dropped"))
    };
    step.check(name, u64::try_from(lost).is_ok_and(|lost| lost <= host), found);
}

fn sent_and_lost(step: &Step) -> (usize, usize) {
    let one = |(sent, lost), probe: &Probe| (sent + probe.sent, lost + probe.lost_there + probe.lost_back);
    step.probes.iter().fold((0, 0), one)
}

pub(super) fn only_answered_by(step: &mut Step, chassis: &str) {
    let strange: Vec<String> = step
        .probes
        .iter()
        .filter(|probe| probe.answered_by != [chassis])
        .map(|probe| format!("{}: {}", probe.stream, probe.answered_by.join(", then ")))
        .collect();
    let found =
        if strange.is_empty() { format!("{} streams", step.probes.len()) } else { strange.join("; ") };
    step.check(format!("all probes answered by {chassis} alone"), strange.is_empty(), found);
}

pub(super) fn judged(mut step: Step) -> Step {
    step.passed = step.checks.iter().all(|check| check.passed);
    step
}
