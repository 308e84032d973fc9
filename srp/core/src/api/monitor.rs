//! Monitors in the control API.

use serde::{Deserialize, Serialize};

/// `show srp monitor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitors {
    /// Everything that is watched, as configured.
    pub monitors: Vec<Monitor>,
    /// What has failed.
    pub failures: Vec<MonitorFailure>,
    /// Why this chassis, which is Active, stays although monitors have failed.
    pub stays: Option<String>,
    /// Failures that this chassis had when it was Active last, of what it cannot see now.
    pub past_failures: u32,
    /// Failures of the peer; `None` while it is not heard.
    pub peer_failures: Option<u32>,
    /// Failures that the peer had when it was Active last, of what it cannot see now.
    pub peer_past_failures: u32,
}

/// One thing that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitor {
    /// `AAA`, `BGP`, `BFD`, `Diameter`, `interface`, `kernel` or `announcement`.
    pub kind: String,
    /// Its context; empty for those of the whole chassis.
    pub context: String,
    /// What is watched, such as an address or an interface.
    pub name: String,
    /// Group, if any.
    pub group: Option<u32>,
    /// `Up`, `Down`, or `Unknown` where nobody has looked.
    pub state: String,
    /// Since when.
    pub since_us: u64,
}

/// Everything of a context, of a group, or of a kind is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorFailure {
    /// As of `Monitor`.
    pub kind: String,
    /// In words, such as `BGP context destination group 1`.
    pub what: String,
    /// Since the last of them went down.
    pub since_us: u64,
    /// For how long a guard period still damps it.
    pub damped_ms: Option<u64>,
    /// Why it moves nothing, if it does not.
    pub disregarded: Option<String>,
}

/// `srp reset-auth-probe-fail` or `srp reset-diameter-fail`, done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorReset {
    /// Failures of the kind moved nothing, as this chassis had taken over for one; now they do.
    pub was_disregarded: bool,
}
