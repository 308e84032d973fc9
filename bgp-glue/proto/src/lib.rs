//! BGP-4 without I/O: message codec, session state machine, RIBs, best path, policy.

pub mod attributes;
pub mod decision;
pub mod originate;
pub mod policy;
pub mod prefix;
pub mod session;
pub mod types;
pub mod wire;
