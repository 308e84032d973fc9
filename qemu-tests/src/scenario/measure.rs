//! A step under probes: before it the streams flow, after it they flow again, and what all observers saw in between
//! becomes the step's report.

use super::collect::{self, Before, LEAD, Measured, Notes};
use super::stage::{LIMIT, Stage};
use crate::backlog;
use crate::clock::Time;
use crate::error::LabError;
use crate::probe::run::Running;
use crate::probe::send::Ask;

/// Answers in a row, per stream, before a step and after it.
pub const STEADY: u32 = 500;

/// Runs `act` under probes. It returns the step's zero and must itself wait until what it caused is over.
pub fn step<'a>(
    stage: &mut Stage<'a>,
    id: &str,
    title: &str,
    zero_is: &str,
    act: impl FnOnce(&mut Stage<'a>, &mut Notes, &Running<'a>) -> Result<Time, LabError>,
) -> Result<Measured, LabError> {
    step_asking(Ask::Responder, stage, id, title, zero_is, act)
}

/// The same under probes that `ask` answers.
pub fn step_asking<'a>(
    ask: Ask,
    stage: &mut Stage<'a>,
    id: &str,
    title: &str,
    zero_is: &str,
    act: impl FnOnce(&mut Stage<'a>, &mut Notes, &Running<'a>) -> Result<Time, LabError>,
) -> Result<Measured, LabError> {
    let before = Before::now(stage)?;
    let dropped = backlog::dropped();
    let probe = Running::start(stage.lab, id, ask)?;
    probe.flows(STEADY, None, LIMIT)?;
    let steady = Time::now() - LEAD;
    let mut notes = Notes::default();
    let zero = act(stage, &mut notes, &probe)?;
    let mut record = probe.stop()?;
    record.forget_before(steady);
    let mut measured = collect::collect(stage, &before, zero, notes, &record)?;
    id.clone_into(&mut measured.step.id);
    title.clone_into(&mut measured.step.title);
    zero_is.clone_into(&mut measured.step.zero);
    measured.step.host_dropped = backlog::dropped().saturating_sub(dropped);
    Ok(measured)
}
