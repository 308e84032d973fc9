//! The steps of the demonstration, each with what must hold after it.

use srp_core::types::ChassisState;

use super::collect::{Before, Measured, Notes, collect};
use super::measure::{self, STEADY};
use super::phases;
use super::stage::{self, LIMIT, Stage};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::Kind;
use crate::probe::record::Record;
use crate::report::{Step, Timers};

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

/// Both chassis start; the primary becomes Active, or of appliances whichever is there first by more than a dead interval; the
/// routers hold everything.
pub fn start(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let [first, second] = stage.names();
    let before = Before::now(stage)?;
    let mut notes = Notes::default();
    let of_themselves = stage.lab.chassis(&first)?.kind() == Kind::Appliance;
    let zero = Time::now();
    for chassis in [&first, &second] {
        stage.start(chassis)?;
        notes.did(Time::now(), if of_themselves { "reached" } else { "srpd-started" }, chassis.clone());
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
    let mut measured = collect(stage, &before, zero, notes, &Record::default())?;
    "start".clone_into(&mut measured.step.id);
    let zero_is = if of_themselves { "both have started" } else { "srpd is started on both" };
    zero_is.clone_into(&mut measured.step.zero);
    measured.step.title = format!("start of both chassis: {active} becomes Active, {standby} Standby");
    measured.serves(stage, &active);
    Ok(measured.judged())
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
    let mut measured =
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
    measured.serves(stage, to);
    measured.handed_over(stage);
    let step = &mut measured.step;
    let gap = step.probes.iter().map(|probe| probe.longest_gap_back_net_ms).fold(0.0, f64::max);
    if stage::kind(stage.lab) == "namespaces" {
        step.target("longest gap of any stream, less the sender's own pauses", PLANNED_GAP_MS, gap);
    }
    Ok(measured.judged())
}

/// The Active loses its power: the Standby takes over.
pub fn power_off(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let from = active(stage)?;
    let to = stage.peer_of(&from);
    let title = format!("power cut of {from}, which is Active");
    let zero_is = format!("{from} has no power");
    let mut measured = measure::step(stage, "power-off", &title, &zero_is, |stage, notes, probe| {
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
    let active = measured.views.get(&to).is_some_and(|view| view.state == ChassisState::Active);
    measured.step.check(format!("{to} is Active"), active, stage::tell(&measured.views));
    measured.preferred(stage, &to);
    let Measured { step, zero, outcomes, journals, observations, .. } = &mut measured;
    let ended = outcomes.iter().all(|outcome| outcome.answered_by.last().is_some_and(|last| last.to == to));
    step.check("all streams are answered again", ended, format!("by {to}"));
    let outcomes: Vec<_> = outcomes.iter().collect();
    let ahead = stage.ahead(&to)?;
    step.phases =
        journals.get(&to).and_then(|journal| phases::of(*zero, &to, journal, ahead, observations, &outcomes));
    if let Some(phases) = &step.phases
        && stage.lab.chassis(&to)?.kind() == Kind::Namespace
    {
        let back = phases.traffic_back_ms;
        step.target("traffic back on all streams", TRAFFIC_BACK_MS, back);
    }
    Ok(measured.judged())
}

/// The chassis without power comes back: it must not take over.
pub fn power_on(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let active = active(stage)?;
    let returning = stage.peer_of(&active);
    let before = stage.view(&active)?;
    let title = format!("{returning} comes back and must not pre-empt {active}");
    let zero_is = format!("{returning} has power again");
    let mut measured = measure::step(stage, "power-on", &title, &zero_is, |stage, notes, probe| {
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
    measured.serves(stage, &active);
    measured.not_switched(&active, &before);
    measured.undisturbed(stage, &active);
    Ok(measured.judged())
}

/// The link between the chassis is cut: both are Active, and the routers stay with the one that was.
pub fn cut_srp_link(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let former = active(stage)?;
    let other = stage.peer_of(&former);
    let link = stage.lab.topology.srp_link()?.to_owned();
    let title = format!("cut of the SRP link alone: both become Active, routers stay with {former}");
    let zero_is = "the SRP link is cut";
    let mut measured = measure::step(stage, "cut-srp-link", &title, zero_is, |stage, notes, probe| {
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
    measured.both_active(stage, &former);
    let step = &mut measured.step;
    let longer = step.preferences.iter().all(|p| p.others.iter().all(|(_, prepends)| *prepends > p.prepends));
    step.check(
        format!("{other} announces longer paths than {former}"),
        longer,
        "in both families, on all routers",
    );
    measured.undisturbed(stage, &former);
    Ok(measured.judged())
}

/// The link is mended: one Active again, the right one.
pub fn heal_srp_link(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let views = stage.views()?;
    let right = views.iter().min_by_key(|(_, view)| view.modifier).map(|(name, _)| name.clone());
    let right = right.unwrap_or_default();
    let other = stage.peer_of(&right);
    let link = stage.lab.topology.srp_link()?.to_owned();
    let title = format!("SRP link mended: {right} stays Active, {other} steps back");
    let mut measured =
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
    measured.serves(stage, &right);
    measured.undisturbed(stage, &right);
    Ok(measured.judged())
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
