//! The scenario of the demonstration, on namespaces or machines: start, planned switchover there and back, power cut,
//! return, cut of the SRP link, heal. Each step is measured by a probe stream and judged by what the routers prefer.
//!
//! - [`stage`]: the pair on its nodes and what can be waited for
//! - [`measure`]: a step under probes, and the collection of what all observers saw
//! - [`steps`]: the steps themselves
//! - [`phases`]: how the time of an unplanned takeover was spent

pub mod measure;
pub mod phases;
pub mod stage;
pub mod steps;

use crate::error::LabError;
use crate::lab::Lab;
use crate::report::{FORMAT, Host, Report, Step};
use stage::{Settings, Stage};

/// Runs all steps on `lab` and returns the report; `shown` sees the report's head first and then each finished step.
/// A step that fails by an error ends the run: what follows would start from an unknown state.
pub fn demo(
    lab: &Lab,
    settings: Settings,
    shown: &mut dyn FnMut(&Report, Option<&Step>),
) -> Result<Report, LabError> {
    let mut report = Report {
        format: FORMAT,
        lab: lab.topology.name.clone(),
        chassis: stage::kind(lab),
        host: Host::here(),
        timers: None,
        routers: stage::routers_release(lab)?,
        steps: Vec::new(),
        passed: false,
    };
    let mut stage = Stage::new(lab, settings)?;
    let started = steps::start(&mut stage)?;
    report.timers = stage.timers;
    shown(&report, None);
    let mut healthy = started.passed;
    shown(&report, Some(&started));
    report.steps.push(started);
    for step in steps::AFTER_START {
        if !healthy {
            break;
        }
        let done = step(&mut stage)?;
        healthy = done.passed;
        shown(&report, Some(&done));
        report.steps.push(done);
    }
    report.passed =
        report.steps.len() == steps::AFTER_START.len() + 1 && report.steps.iter().all(|step| step.passed);
    Ok(report)
}
