//! Record and replay: what went into a chassis and when, and what came out, as text, one JSON object a line.
//!
//! Same trace, same actions, byte for byte (invariant 7): [`replay`] feeds the events of a trace to a chassis of its own
//! and compares what comes out with what is written there.
//!
//! | Line | Says |
//! |---|---|
//! | `{"trace":{"version":1,"release":..,"wall-us":..}}` | first line of a file, and of each part of it: `srpd` has opened it again |
//! | `{"start":{"at":..,"settings":{..}}}` | a chassis that has just started |
//! | `{"resume":{..}}` | a running chassis with all that it knows: a trace may begin, or go on after a gap, at any time |
//! | `{"step":{"at":..,"event":..,"actions":[..],"next":..}}` | one event, the actions in their order, the next deadline |
//! | `{"lost":{"steps":..}}` | a gap: that many steps could not be written; a `resume` follows |
//!
//! Times and spans are microseconds of the monotonic clock, `wall-us` microseconds since 1970 UTC. The words for events
//! and actions are those of [`Event`] and [`Action`]; an optional field that is absent reads as nothing.

mod replay;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::chassis::{Action, Chassis, Event, Settings};
use crate::types::Time;

pub use replay::{Part, ReplayError, Summary, Told, replay};

/// Version of the text form; another one is not read.
pub const VERSION: u32 = 1;

/// First line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Head {
    /// [`VERSION`] of whoever wrote it.
    pub version: u32,
    /// Release that wrote it.
    pub release: String,
    /// Wall time of the line, microseconds since 1970 UTC.
    pub wall_us: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Line<'l> {
    Trace(&'l Head),
    Start { at: Time, settings: &'l Settings },
    Resume(&'l Chassis),
    Step { at: Time, event: &'l Event, actions: &'l [Action], next: Time },
    Lost { steps: u64 },
}

/// Appends the first line of a trace, by this release.
pub fn head(text: &mut Vec<u8>, wall_us: u64) {
    let release = env!("CARGO_PKG_VERSION").to_owned();
    put(text, &Line::Trace(&Head { version: VERSION, release, wall_us }));
}

/// Appends the start of a chassis.
pub fn start(text: &mut Vec<u8>, at: Time, settings: &Settings) {
    put(text, &Line::Start { at, settings });
}

/// Appends all that a running chassis knows. Its actions must have been polled.
pub fn resume(text: &mut Vec<u8>, chassis: &Chassis) {
    put(text, &Line::Resume(chassis));
}

/// Appends one event with the `actions` that it led to and the deadline `next` that the chassis has after it.
pub fn step(text: &mut Vec<u8>, at: Time, event: &Event, actions: &[Action], next: Time) {
    put(text, &Line::Step { at, event, actions, next });
}

/// Appends a gap of `steps`; a [`resume`] must follow.
pub fn lost(text: &mut Vec<u8>, steps: u64) {
    put(text, &Line::Lost { steps });
}

fn put(text: &mut Vec<u8>, line: &Line<'_>) {
    // A Vec takes every octet, and no type of a line has a map with keys other than strings.
    let Ok(()) = serde_json::to_writer(&mut *text, line) else { unreachable!("every line has a text form") };
    text.push(b'\n');
}
