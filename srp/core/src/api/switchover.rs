//! Switchovers and their validation in the control API.

use serde::{Deserialize, Serialize};

use crate::types::ChassisState;

/// `srp initiate-switchover`, done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwitchoverDone {
    /// From request to confirmation.
    pub took_ms: f64,
}

/// `srp terminate-post-process`, done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostProcessTerminated {
    /// This chassis was forwarding after its withdraw, and no longer does.
    pub here: bool,
    /// This chassis is Active, and has told the Standby to do so.
    pub peer: bool,
}

/// One switchover as this chassis saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switchover {
    /// Counts up from 1.
    pub number: u64,
    /// State before.
    pub from: ChassisState,
    /// State after.
    pub to: ChassisState,
    /// Public number of the reason.
    pub reason: u8,
    /// Public name of the reason.
    pub reason_text: String,
    /// When its cause was seen.
    pub began_us: u64,
    /// `CLOCK_MONOTONIC` microseconds of the same moment, to line up several observers of one machine.
    pub began_monotonic_us: u64,
    /// From the cause to the last step.
    pub took_ms: f64,
    /// It ended as it should.
    pub completed: bool,
    /// The steps, oldest first.
    pub steps: Vec<SwitchoverStep>,
}

/// A step of a switchover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwitchoverStep {
    /// Milliseconds after `began`; negative for what led to it.
    pub at_ms: f64,
    /// Stable name in kebab case, such as `dead-timer-expired`, `installed` or `update-acknowledged`;
    /// `docs/control-api.md` lists them.
    pub step: String,
    /// For people: prefixes, counts, names.
    pub detail: String,
}

/// `srp validate-switchover`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// Every check, passed or not.
    pub checks: Vec<Check>,
}

impl Validation {
    /// A planned switchover would be accepted.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}

/// One check of a validation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// It is as it must be.
    pub passed: bool,
    /// What was found and, where it failed, what to do.
    pub detail: String,
}
