//! Doing the steps, one after the other, through somebody who can ask a chassis.

mod acts;
mod begin;
mod glance;
#[cfg(test)]
mod tests;
mod wait;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::facts;
use crate::plan::{Act, Side, Step};
use crate::progress::{Done, Outcome, State};

pub use begin::{Finding, Wish, back, begin, survey};
pub use glance::Glance;

/// Both chassis, a clock, and a place to write to.
pub trait Pair {
    /// What `srpctl --json` answers to these words on that chassis.
    ///
    /// # Errors
    /// It cannot be reached, or it refuses.
    fn ask(&mut self, side: Side, words: &[&str]) -> Result<Value, Trouble>;

    /// Brings a file of this chassis to the peer: `from` here, `to` there, in the way of `copy`.
    ///
    /// # Errors
    /// It did not arrive whole.
    fn send(&mut self, from: &str, to: &str) -> Result<(), Trouble>;

    /// Runs the operator's command for test calls; `active` serves now.
    ///
    /// # Errors
    /// It said no.
    fn test(&mut self, command: &str, active: Side) -> Result<(), Trouble>;

    /// Writes the state down here, and on the peer if that can be reached.
    ///
    /// # Errors
    /// It cannot be written here.
    fn keep(&mut self, state: &State) -> Result<(), Trouble>;

    /// Wall time, microseconds since 1970.
    fn now_us(&self) -> u64;

    /// Lets time pass, milliseconds.
    ///
    /// # Errors
    /// Somebody asked to stop.
    fn pause(&mut self, span_ms: u64) -> Result<(), Trouble>;
}

/// Why something could not be asked or done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No answer from there.
    Unreachable {
        /// From which chassis.
        side: Side,
        /// Why.
        why: String,
    },
    /// It was understood and refused, or failed.
    Refused {
        /// By which chassis.
        side: Side,
        /// What was asked.
        what: String,
        /// A line each.
        reasons: Vec<String>,
    },
    /// The state cannot be written.
    Kept(String),
    /// Somebody asked to stop.
    Told,
}

impl Trouble {
    /// A line each, for the operator.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Unreachable { side, why } => vec![format!("{side} cannot be reached: {why}")],
            Self::Refused { side, what, reasons } => {
                reasons.iter().map(|reason| format!("{side}, `{what}`: {reason}")).collect()
            }
            Self::Kept(why) => vec![format!("the state cannot be written: {why}")],
            Self::Told => vec!["somebody asked to stop".to_owned()],
        }
    }
}

/// Why a step was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Doubts, a line each.
    Doubts(Vec<String>),
    /// Somebody asked to stop.
    Told,
}

impl Stop {
    fn doubt(line: impl Into<String>) -> Self {
        Self::Doubts(vec![line.into()])
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Told => Self::Told,
            other @ (Trouble::Unreachable { .. } | Trouble::Refused { .. } | Trouble::Kept(_)) => {
                Self::Doubts(other.lines())
            }
        }
    }
}

/// Does all steps that are left, until one has to stop; how that ended stands in the state.
///
/// # Errors
/// The state could not be written: the step that is next was not begun.
pub fn run<P: Pair>(pair: &mut P, state: &mut State) -> Result<(), Trouble> {
    state.outcome = Outcome::Running;
    loop {
        state.waiting = None;
        let Some(step) = state.next() else {
            state.outcome = Outcome::Done;
            return keep(pair, state);
        };
        keep(pair, state)?;
        let began_us = pair.now_us();
        match perform(pair, state, step) {
            Ok(found) => done(pair, state, step, began_us, found),
            Err(stop) => {
                state.waiting = None;
                state.outcome = match stop {
                    Stop::Told => Outcome::Aborted,
                    Stop::Doubts(reasons) => Outcome::Stopped { reasons },
                };
                return keep(pair, state);
            }
        }
    }
}

fn keep<P: Pair>(pair: &mut P, state: &mut State) -> Result<(), Trouble> {
    state.changed_us = pair.now_us();
    pair.keep(state)
}

/// A restart is written down before it begins: who comes back after it goes on behind it.
fn done<P: Pair>(pair: &mut P, state: &mut State, step: Step, began_us: u64, found: String) {
    if step.act != Act::Reload {
        let at_us = pair.now_us();
        let took_ms = at_us.saturating_sub(began_us) / 1000;
        state.done.push(Done { step, at_us, took_ms, found });
    }
}

fn perform<P: Pair>(pair: &mut P, state: &mut State, step: Step) -> Result<String, Stop> {
    let side = step.side;
    match step.act {
        Act::Room => acts::room(pair, state, side),
        Act::Copy => acts::copy(pair, state, side),
        Act::Verify => acts::verify(pair, state, side),
        Act::Save => acts::save(pair, state, side),
        Act::Check => acts::check(pair, side),
        Act::Enter => acts::enter(pair, state, side),
        Act::Remove => acts::remove(pair, state, side),
        Act::Synchronize => acts::synchronize(pair, side),
        Act::Reload => wait::reload(pair, state, side),
        Act::Running => wait::running(pair, state, side),
        Act::Settled => wait::settled(pair, state, side),
        Act::TakeOver => wait::take_over(pair, state, side),
        Act::Aaa => wait::aaa(pair, state, side),
        Act::Test => acts::test(pair, state, side),
    }
}

/// Asks, and reads the answer as `T`.
fn ask<P: Pair, T: DeserializeOwned>(pair: &mut P, side: Side, words: &[&str]) -> Result<T, Trouble> {
    let answer = pair.ask(side, words)?;
    facts::read(answer).map_err(|why| {
        let reasons = vec![format!("its answer cannot be read: {why}; is it of a release that is two away?")];
        Trouble::Refused { side, what: words.join(" "), reasons }
    })
}

const INFO: [&str; 3] = ["show", "srp", "info"];
const MONITORS: [&str; 3] = ["show", "srp", "monitor"];
const BGP: [&str; 4] = ["show", "ip", "bgp", "summary"];
const TRAPS: [&str; 4] = ["show", "snmp", "trap", "history"];
const BOOT: [&str; 2] = ["show", "boot"];
const VERSION: [&str; 2] = ["show", "version"];
const DIRECTORY: [&str; 1] = ["directory"];
