//! A step under probes: before it the streams flow, after it they flow again, and what all observers saw in between
//! becomes the step's report.

use std::collections::BTreeMap;
use std::time::Duration;

use srp_core::api::Switchover;

use super::stage::{LIMIT, Stage, View};
use crate::clock::Time;
use crate::error::LabError;
use crate::observe::Observation;
use crate::probe::gaps::{Gap, Outcome};
use crate::probe::record::Record;
use crate::probe::run::Running;
use crate::report::{LaneKind, Probe, Span, Step};
use crate::timeline::{self, Moment, lane};

/// Answers in a row, per stream, before a step and after it.
pub const STEADY: u32 = 500;
/// How long before a step's zero events belong to it.
const LEAD: Duration = Duration::from_millis(400);

/// What an act notes while it runs.
#[derive(Default)]
pub struct Notes {
    /// What the lab did, and when.
    pub moments: Vec<Moment>,
}

impl Notes {
    /// Notes something that the lab did at `at`.
    pub fn did(&mut self, at: Time, event: &str, detail: impl Into<String>) {
        self.moments.push(Moment {
            at,
            lane: lane(LaneKind::Lab, "lab"),
            event: event.to_owned(),
            detail: detail.into(),
        });
    }
}

/// A step's raw material, for checks that go beyond the report.
pub struct Measured {
    /// The step so far: events, bands, probes, preferences; checks are the caller's.
    pub step: Step,
    /// Its zero.
    pub zero: Time,
    /// The probes, read.
    pub outcomes: Vec<Outcome>,
    /// The last switchover that began in this step, by chassis.
    pub journals: BTreeMap<String, Switchover>,
    /// What the routers did.
    pub observations: Vec<Observation>,
}

/// Runs `act` under probes. It returns the step's zero and must itself wait until what it caused is over.
pub fn step<'a>(
    stage: &mut Stage<'a>,
    id: &str,
    title: &str,
    zero_is: &str,
    act: impl FnOnce(&mut Stage<'a>, &mut Notes, &Running<'a>) -> Result<Time, LabError>,
) -> Result<Measured, LabError> {
    let before = stage.views()?;
    let leanings = stage.leanings();
    let probe = Running::start(stage.lab, id)?;
    probe.flows(STEADY, None, LIMIT)?;
    let steady = Time::now() - LEAD;
    let mut notes = Notes::default();
    let zero = act(stage, &mut notes, &probe)?;
    probe.flows(STEADY, None, LIMIT)?;
    let mut record = probe.stop()?;
    record.forget_before(steady);

    let observations = stage.observer.since(zero - LEAD);
    let journals = journals(stage, zero)?;
    let outcomes: Vec<Outcome> = record.streams.iter().map(|one| Outcome::of(one, &record)).collect();
    let mut step =
        Step { id: id.to_owned(), title: title.to_owned(), zero: zero_is.to_owned(), ..Step::default() };
    let mut moments = notes.moments;
    for (chassis, journal) in &journals {
        moments.extend(timeline::journal(chassis, journal, stage.ahead(chassis)?));
    }
    moments.extend(timeline::routers(&observations));
    for (stream, outcome) in record.streams.iter().zip(&outcomes) {
        moments.extend(timeline::probe(stream, outcome));
        step.probes.push(read(&stream.name, outcome, zero));
    }
    step.preferences = stage.preferences()?;
    bands(&mut step, stage, &before, &moments, &leanings, &observations, &record, zero);
    step.events = timeline::merge(moments, zero, zero - LEAD);
    Ok(Measured { step, zero, outcomes, journals, observations })
}

/// The last switchover of every chassis that runs, if it belongs to the step that began at `zero`.
fn journals(stage: &Stage<'_>, zero: Time) -> Result<BTreeMap<String, Switchover>, LabError> {
    let mut journals = BTreeMap::new();
    for name in stage.names() {
        let Ok(srpd) = stage.srpd(&name) else { continue };
        let Some(switchover) = srpd.last_switchover()? else { continue };
        if timeline::step_time(&switchover, 0.0, stage.ahead(&name)?) >= zero - LEAD {
            journals.insert(name, switchover);
        }
    }
    Ok(journals)
}

fn read(name: &str, outcome: &Outcome, zero: Time) -> Probe {
    let millis = |gap: Option<Gap>| gap.map_or(0.0, |gap| gap.millis());
    let span = |gap: Gap| Span { from_ms: gap.from.millis_since(zero), to_ms: gap.to.millis_since(zero) };
    Probe {
        stream: name.to_owned(),
        sent: outcome.sent,
        lost_there: outcome.lost_there,
        lost_back: outcome.lost_back,
        longest_gap_there_ms: millis(outcome.gap_there),
        longest_gap_back_ms: millis(outcome.gap_back),
        longest_gap_back_net_ms: outcome.gap_back_net_ms,
        longest_gap_back: outcome.gap_back.map(span),
        outage: outcome.outage.map(span),
        longest_gap_sender_ms: millis(outcome.gap_sender),
        answered_by: outcome.answered_by.iter().map(|change| change.to.clone()).collect(),
    }
}

#[expect(clippy::too_many_arguments, reason = "each is one observer's view of the same step")]
fn bands(
    step: &mut Step,
    stage: &Stage<'_>,
    before: &BTreeMap<String, View>,
    moments: &[Moment],
    leanings: &BTreeMap<String, Vec<(ipnetwork::IpNetwork, Option<String>)>>,
    observations: &[Observation],
    record: &Record,
    zero: Time,
) {
    let sent = record.streams.iter().flat_map(|stream| &stream.packets).filter_map(|packet| packet.sent);
    let (from, to) = sent.fold((zero, zero), |(first, last), at| (first.min(at), last.max(at)));
    step.lanes.push(lane(LaneKind::Lab, "lab"));
    for name in stage.names() {
        let lane = lane(LaneKind::Chassis, &name);
        let first = before.get(&name).map_or_else(|| "off".to_owned(), |view| view.state.to_string());
        let mut changes = vec![(from, first)];
        changes.extend(states(&name, moments));
        changes.sort_by_key(|(at, _)| *at);
        step.bands.extend(timeline::bands(&lane, &changes, zero, from, to));
        step.lanes.push(lane);
    }
    for (router, before) in leanings {
        let lane = lane(LaneKind::Router, router);
        let changes = timeline::leanings(observations, router, before, from);
        step.bands.extend(timeline::bands(&lane, &changes, zero, from, to));
        step.lanes.push(lane);
    }
    for stream in &record.streams {
        let lane = lane(LaneKind::Probe, &stream.name);
        step.bands.extend(timeline::bands(&lane, &timeline::fates(stream, record), zero, from, to));
        step.lanes.push(lane);
    }
}

/// The states that a chassis took, from its journal and from the lab's power switch.
fn states(chassis: &str, moments: &[Moment]) -> Vec<(Time, String)> {
    let state = |moment: &Moment| match moment.event.as_str() {
        "power-off" if moment.detail == chassis => Some("off".to_owned()),
        "power-on" if moment.detail == chassis => Some("Init".to_owned()),
        "state-changed" if moment.lane == lane(LaneKind::Chassis, chassis) => {
            // "Standby -> PendingActive: cause"
            let (_, after) = moment.detail.split_once("-> ")?;
            Some(after.split([':', ' ']).next().unwrap_or(after).to_owned())
        }
        _ => None, // everything else leaves the state as it is
    };
    moments.iter().filter_map(|moment| Some((moment.at, state(moment)?))).collect()
}
