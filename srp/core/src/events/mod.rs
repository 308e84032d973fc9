//! Named events: what an operator, a network management station or a collector is told of.
//!
//! ```text
//!  Observation -> Observer::note -> Occurrence -> Log::push -> Entry -> show, SNMP, syslog, metrics
//!  (what srpd saw)  (pairs, states)  (name, fields)            (number, times)
//! ```
//!
//! Always: an event that clears another one comes only after that one (1038 after 1037, 129 after 128, 124 after 125), and
//! a [`Log`] holds a bounded number of entries of bounded size. The journal of switchovers keeps how each switchover
//! went, step by step; this log has one entry for each thing that happened.
//!
//! Source: names and numbers of the public STARENT-MIB, where a notification has one. Events of our own have no number:
//! enterprise 8164 is not ours to number, so they go everywhere but to SNMP.

mod log;
mod name;
mod observe;
mod occurrence;

pub use log::{Entry, Log};
pub use name::{Name, Severity, UnknownName};
pub use observe::{Observation, Observer, Whereabouts};
pub use occurrence::Occurrence;
