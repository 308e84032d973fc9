//! The scenario of the demonstration, on namespaces or machines: start, planned switchover there and back, power cut,
//! return, cut of the SRP link, heal. Each step is measured by a probe stream and judged by what the routers prefer.
//!
//! - [`stage`]: the pair on its nodes and what can be waited for
//! - [`measure`]: a step under probes
//! - [`catalogue`]: the scenarios that a person can ask for, by name
//! - [`collect`]: what all observers saw of it
//! - [`steps`]: the steps themselves
//! - [`faults`]: steps for machines alone: a bad SRP link, a disk that goes
//! - [`hosts`]: what a host on a subnet of the chassis sees of a step
//! - [`judge`]: what must hold after a step
//! - [`upgrade`]: upgrade and way back of two appliances
//! - [`phases`]: how the time of an unplanned takeover was spent

pub mod catalogue;
pub mod collect;
pub mod faults;
pub mod hosts;
pub mod judge;
pub mod measure;
pub mod phases;
pub mod stage;
pub mod steps;
pub mod upgrade;

use crate::clock::Time;
use crate::error::LabError;
use crate::lab::Lab;
use crate::pair;
use crate::report::{FORMAT, Host, Report, Step};
use crate::timeline;
use stage::{Settings, Stage};

/// Runs `acts` on `lab`, the first of which starts the pair, and returns the report; `shown` sees each finished step, and the report so far.
/// A step that fails ends the run: what follows would start from an unknown state.
pub fn demo(
    lab: &Lab,
    settings: Settings,
    acts: &[steps::Act],
    shown: &mut dyn FnMut(&Report, &Step),
) -> Result<Report, LabError> {
    let mut report = begun(lab)?;
    let leave_running = settings.leave_running;
    let mut stage = Stage::new(lab, settings)?;
    for act in acts {
        let done = act.taken(&mut stage)?;
        report.timers = stage.timers;
        shown(&report, &done);
        let passed = done.passed;
        report.steps.push(done);
        if !passed {
            return Ok(report);
        }
    }
    if !leave_running {
        stage.stop()?;
    }
    report.passed = true;
    Ok(report)
}

/// The report of a lab in which nothing has happened yet.
pub fn begun(lab: &Lab) -> Result<Report, LabError> {
    Ok(Report {
        format: FORMAT,
        lab: lab.topology.name.clone(),
        chassis: stage::kind(lab).to_owned(),
        host: Host::here(),
        timers: None,
        routers: stage::routers_release(lab)?,
        steps: Vec::new(),
        passed: false,
    })
}

impl steps::Act {
    /// Takes the step. One that does not come to its end is a step that failed; an interrupt alone is an error.
    pub fn taken(&self, stage: &mut Stage<'_>) -> Result<Step, LabError> {
        let began = Time::now();
        match (self.run)(stage) {
            Ok(step) => Ok(step),
            Err(LabError::Interrupted) => Err(LabError::Interrupted),
            Err(error) => Ok(broken(stage, self.id, began, &error)),
        }
    }
}

/// A step that did not come to its end: why, and what the observers saw until then.
fn broken(stage: &Stage<'_>, id: &str, began: Time, error: &LabError) -> Step {
    let mut step = Step {
        id: id.to_owned(),
        title: format!("{id} did not come to its end"),
        zero: "the step began".to_owned(),
        ..Step::default()
    };
    let mut moments = timeline::routers(&stage.observer.since(began));
    for name in stage.names() {
        let last = stage.srpd(&name).and_then(pair::Srpd::last_switchover);
        if let (Ok(Some(last)), Ok(ahead)) = (last, stage.ahead(&name)) {
            moments.extend(timeline::journal(&name, &last, ahead));
        }
    }
    step.events = timeline::merge(moments, began, began);
    // The routers may be what is broken; then the error says so.
    step.preferences = stage.preferences().unwrap_or_default();
    step.check("the step comes to its end", false, error.to_string());
    step
}
