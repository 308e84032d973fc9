//! Measuring again and again. Nothing here judges: figures are printed with the machine that they come from.
//!
//! - [`switchovers`]: the demonstration's planned switchovers and power cuts, repeated
//! - [`silent`]: power cuts that nobody gets a hint of, split ([`split`]) into who spent what
//! - [`alarms`]: what happens on a busy machine although nothing happened; [`dead_timer`]: how exact the dead timer is
//! - [`proofs`]: what the model checker, the simulator and the core's stopwatch print
//! - [`series`], [`text`]: medians and worsts, and how they are shown

pub mod alarms;
pub mod dead_timer;
pub mod proofs;
pub mod series;
pub mod silent;
pub mod split;
pub mod switchovers;
pub mod text;

use serde::Serialize;

use crate::report::Host;

/// Version of the JSON file.
pub const FORMAT: u32 = 2;

/// All figures of one run. The field names are the JSON file's.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Version of this format.
    pub format: u32,
    /// The machine when the run began; parts that take long have their own look at it.
    pub host: Host,
    /// Planned switchovers and power cuts that routers see at once.
    pub switchovers: Option<switchovers::Switchovers>,
    /// Silent power cuts, one entry per pair of timers.
    pub silent: Vec<silent::Silent>,
    /// False alarms, one entry per pair of timers.
    pub alarms: Vec<alarms::Alarms>,
    /// What other programs printed.
    pub proofs: Vec<proofs::Proved>,
}

impl Figures {
    /// Nothing found yet.
    pub fn none() -> Self {
        Self {
            format: FORMAT,
            host: Host::here(),
            switchovers: None,
            silent: Vec::new(),
            alarms: Vec::new(),
            proofs: Vec::new(),
        }
    }
}
