//! What all observers saw of a step, brought together: journals of the chassis, routes and carriers of the routers,
//! probes, and what the lab itself did.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnetwork::IpNetwork;
use srp_core::api::Switchover;

use super::stage::{Stage, View};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::Kind;
use crate::observe::Observation;
use crate::probe::gaps::{Gap, Outcome};
use crate::probe::record::Record;
use crate::report::{Band, Lane, LaneKind, Probe, Span, Step};
use crate::timeline::{self, Moment, lane};

/// How long before a step's zero events belong to it.
pub const LEAD: Duration = Duration::from_millis(400);
/// A state change that is in the journal and in `show srp info` is told with the same time, but for rounding.
const SAME: Duration = Duration::from_millis(2);

/// What the lab notes while a step runs.
#[derive(Default)]
pub struct Notes {
    moments: Vec<Moment>,
}

impl Notes {
    /// Notes something that the lab did or saw at `at`.
    pub fn did(&mut self, at: Time, event: &str, detail: impl Into<String>) {
        let (event, detail) = (event.to_owned(), detail.into());
        self.saw(Moment { at, lane: lane(LaneKind::Lab, "lab"), event, detail });
    }

    /// Notes what a node did.
    pub fn saw(&mut self, moment: Moment) {
        self.moments.push(moment);
    }
}

/// How things stood before a step.
pub struct Before {
    /// Chassis that were at work before the lab asked them anything.
    at_work: Vec<String>,
    views: BTreeMap<String, View>,
    leanings: BTreeMap<String, Vec<(IpNetwork, Option<String>)>>,
}

impl Before {
    /// How things stand now.
    pub fn now(stage: &Stage<'_>) -> Result<Self, LabError> {
        let own = stage.lab.chassis.iter().filter(|node| node.kind() == Kind::Appliance && node.is_on());
        let at_work = own.map(|node| node.name().to_owned()).collect();
        Ok(Self { at_work, views: stage.views()?, leanings: stage.leanings() })
    }
}

/// A step's raw material, for checks that go beyond the report.
pub struct Measured {
    /// The step so far: events, bands, probes, preferences; title and checks are the caller's.
    pub step: Step,
    /// Its zero.
    pub zero: Time,
    /// How things stand after it.
    pub views: BTreeMap<String, View>,
    /// The probes, read.
    pub outcomes: Vec<Outcome>,
    /// The last switchover that began in this step, by chassis.
    pub journals: BTreeMap<String, Switchover>,
    /// What the routers did.
    pub observations: Vec<Observation>,
}

/// Collects everything about the step that began at `zero` and is over now. `record` is empty for a step without probes.
pub fn collect(
    stage: &Stage<'_>,
    before: &Before,
    zero: Time,
    notes: Notes,
    record: &Record,
) -> Result<Measured, LabError> {
    let views = stage.views()?;
    let observations = stage.observer.since(zero - LEAD);
    let journals = journals(stage, zero)?;
    let outcomes: Vec<Outcome> = record.streams.iter().map(|one| Outcome::of(one, record)).collect();
    let mut step = Step { preferences: stage.preferences()?, ..Step::default() };
    let mut moments = notes.moments;
    for (chassis, journal) in &journals {
        moments.extend(timeline::journal(chassis, journal, stage.ahead(chassis)?));
    }
    for chassis in views.keys() {
        let change = unjournaled(stage, chassis, zero, &moments)?;
        moments.extend(change);
    }
    moments.extend(timeline::routers(&observations));
    for (stream, outcome) in record.streams.iter().zip(&outcomes) {
        moments.extend(timeline::probe(stream, outcome));
        step.probes.push(read(&stream.name, outcome, zero));
    }
    let sent = record.streams.iter().flat_map(|stream| &stream.packets).filter_map(|packet| packet.sent);
    let (from, to) = sent.fold((zero, zero), |(first, last), at| (first.min(at), last.max(at)));
    let window = Window { zero, from, to: if to > zero { to } else { Time::now() } };
    bands(&mut step, stage, before, &views, &moments, window);
    for router in &stage.lab.routers {
        let name = router.node.name();
        let start = before.leanings.get(name).map(Vec::as_slice).unwrap_or_default();
        let changes = timeline::leanings(&observations, name, start, from);
        window.fill(&mut step, lane(LaneKind::Router, name), &changes);
    }
    for stream in &record.streams {
        window.fill(&mut step, lane(LaneKind::Probe, &stream.name), &timeline::fates(stream, record));
    }
    step.events = timeline::merge(moments, zero, zero - LEAD);
    Ok(Measured { step, zero, views, outcomes, journals, observations })
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

/// The last change of state of a chassis, if it came after `zero` and is part of no switchover (a chassis that starts
/// and finds an Active). It is told in wall time, which only a namespace shares with us.
fn unjournaled(
    stage: &Stage<'_>,
    chassis: &str,
    zero: Time,
    moments: &[Moment],
) -> Result<Option<Moment>, LabError> {
    let srpd = stage.srpd(chassis)?;
    let Some(last) = srpd.info()?.last_switch else { return Ok(None) };
    if srpd.node().kind() != Kind::Namespace {
        return Ok(None);
    }
    let at = Time::of_wall_us(last.at_us);
    let lane = lane(LaneKind::Chassis, chassis);
    let known = moments.iter().any(|moment| {
        moment.lane == lane
            && moment.event == STATE_CHANGED
            && moment.at.since(at).max(at.since(moment.at)) < SAME
    });
    let detail = format!("{} -> {}: {}", last.from, last.to, last.reason_text);
    let event = STATE_CHANGED.to_owned();
    Ok((at >= zero && !known).then_some(Moment { at, lane, event, detail }))
}

const STATE_CHANGED: &str = "state-changed";

/// The stretch of time that a step's bands fill.
#[derive(Clone, Copy)]
struct Window {
    zero: Time,
    from: Time,
    to: Time,
}

impl Window {
    fn fill(self, step: &mut Step, lane: Lane, changes: &[(Time, String)]) {
        let bands: Vec<Band> = timeline::bands(&lane, changes, self.zero, self.from, self.to);
        step.bands.extend(bands);
        step.lanes.push(lane);
    }
}

/// The chassis' lanes: their states.
fn bands(
    step: &mut Step,
    stage: &Stage<'_>,
    before: &Before,
    after: &BTreeMap<String, View>,
    moments: &[Moment],
    window: Window,
) {
    step.lanes.push(lane(LaneKind::Lab, "lab"));
    for name in stage.names() {
        let shown = |view: &View| view.state.to_string();
        let first = match before.views.get(&name) {
            Some(view) => shown(view),
            None if before.at_work.contains(&name) => {
                let left = first_left(&name, moments).map(str::to_owned);
                left.or_else(|| after.get(&name).map(shown)).unwrap_or_else(|| "off".to_owned())
            }
            None => "off".to_owned(),
        };
        let mut changes = vec![(window.from, first)];
        changes.extend(states(&name, moments));
        changes.sort_by_key(|(at, _)| *at);
        // A machine's last change may be known by its result alone: it is then shown when the lab saw it.
        if let Some(view) = after.get(&name)
            && changes.last().is_none_or(|(_, last)| *last != view.state.to_string())
        {
            let seen =
                moments.iter().filter(|moment| moment.event == "settled").map(|moment| moment.at).max();
            changes.push((seen.unwrap_or(window.zero), view.state.to_string()));
        }
        window.fill(step, lane(LaneKind::Chassis, &name), &changes);
    }
}

/// The state that a chassis was in before its first change.
fn first_left<'a>(chassis: &str, moments: &'a [Moment]) -> Option<&'a str> {
    let own =
        |moment: &&Moment| moment.lane == lane(LaneKind::Chassis, chassis) && moment.event == STATE_CHANGED;
    let first = moments.iter().filter(own).min_by_key(|moment| moment.at)?;
    first.detail.split_once(" -> ").map(|(left, _)| left)
}

/// The states that a chassis took, from its journal and from the lab's power switch.
fn states(chassis: &str, moments: &[Moment]) -> Vec<(Time, String)> {
    let own = |moment: &Moment| moment.lane == lane(LaneKind::Chassis, chassis);
    let state = |moment: &Moment| match moment.event.as_str() {
        "power-off" if moment.detail == chassis => Some("off".to_owned()),
        "srpd-started" if moment.detail == chassis => Some("Init".to_owned()),
        "upgrade-reload" if own(moment) => Some(timeline::RESTART.to_owned()),
        "upgrade-running" if own(moment) => Some("Standby".to_owned()),
        "upgrade-take-over" => Some(if own(moment) { "Active" } else { "Standby" }.to_owned()),
        STATE_CHANGED if own(moment) => {
            // "Standby -> Pending-Active: cause"
            let (_, after) = moment.detail.split_once("-> ")?;
            Some(after.split([':', ' ']).next().unwrap_or(after).to_owned())
        }
        _ => None, // everything else leaves the state as it is
    };
    moments.iter().filter_map(|moment| Some((moment.at, state(moment)?))).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_the_steps_of_an_upgrade() {
        let moment = |at, name: &str, event: &str| Moment {
            at: Time(at),
            lane: lane(LaneKind::Chassis, name),
            event: format!("upgrade-{event}"),
            detail: String::new(),
        };
        let moments =
            [moment(1, "west", "reload"), moment(2, "west", "running"), moment(3, "west", "take-over")];
        let told = |name| states(name, &moments).into_iter().map(|(_, what)| what).collect::<Vec<_>>();
        assert_eq!(
            (told("west").join(" "), told("east").join(" ")),
            ("restart Standby Active".into(), "Standby".into())
        );
    }

    #[test]
    fn states_follow_the_journal_and_the_power_switch() {
        let moment = |at, name: &str, event: &str, detail: &str| Moment {
            at: Time(at),
            lane: lane(if name == "lab" { LaneKind::Lab } else { LaneKind::Chassis }, name),
            event: event.to_owned(),
            detail: detail.to_owned(),
        };
        let moments = [
            moment(1, "lab", "power-off", "east"),
            moment(2, "west", STATE_CHANGED, "Standby -> Pending-Active: Dead Timer Expiry"),
            moment(3, "west", STATE_CHANGED, "Pending-Active -> Active: Dead Timer Expiry"),
            moment(4, "lab", "srpd-started", "east"),
        ];
        let told =
            |name| states(name, &moments).into_iter().map(|(at, what)| (at.0, what)).collect::<Vec<_>>();
        assert_eq!(told("east"), [(1, "off".to_owned()), (4, "Init".to_owned())]);
        assert_eq!(told("west"), [(2, "Pending-Active".to_owned()), (3, "Active".to_owned())]);
        assert_eq!([first_left("west", &moments), first_left("east", &moments)], [Some("Standby"), None]);
    }
}
