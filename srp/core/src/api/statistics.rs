//! Counts since the start in the control API.

use serde::{Deserialize, Serialize};

use super::{Counter, EventTarget};

/// `show srp statistics`: counts since this `srpd` started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrpStatistics {
    /// When it started.
    pub since_us: u64,
    /// Hellos sent.
    pub hello_messages_sent: u64,
    /// Hellos received.
    pub hello_messages_received: u64,
    /// Hello intervals of an established link in which none came.
    pub hello_messages_missed: u64,
    /// Messages with the configuration to be compared, sent.
    pub configuration_validation_messages_sent: u64,
    /// The same, received.
    pub configuration_validation_messages_received: u64,
    /// Times that the peer's configuration was found to be another one.
    pub configuration_mismatches: u64,
    /// Messages that steer a switchover, sent: requests, aborts, ends of post-processing.
    pub resource_messages_sent: u64,
    /// The same, received.
    pub resource_messages_received: u64,
    /// Messages by type, the link's order of types.
    pub messages: Vec<MessageCount>,
    /// Times that the link came up.
    pub link_ups: u64,
    /// Times that it went down.
    pub link_downs: u64,
    /// Times that the peer was found to be another life of itself.
    pub peer_restarts: u64,
    /// Switchovers that began on this chassis.
    pub switchovers: u64,
    /// Planned ones that were called off, here or by the peer.
    pub switchovers_aborted: u64,
    /// Switchovers by reason, all 13 reasons of the public list.
    pub switchovers_by_reason: Vec<ReasonCount>,
    /// Changes of state.
    pub state_changes: u64,
    /// Changes of the route modifier.
    pub route_modifier_changes: u64,
    /// `srp validate-switchover` that passed.
    pub validations_passed: u64,
    /// `srp validate-switchover` that failed.
    pub validations_failed: u64,
    /// Objects that the kernel refused.
    pub kernel_refusals: u64,
    /// Times that the machine did not run for longer than the dead-interval.
    pub suspensions: u64,
    /// Times that neither the peer nor any BGP neighbour could be reached.
    pub cut_offs: u64,
    /// Why connections were refused or ended, and what was dropped, by name.
    pub errors: Vec<Counter>,
    /// Steps in the record of `[record]`.
    pub recorded_steps: u64,
    /// Steps that it has lost.
    pub record_lost_steps: u64,
    /// Events that were lost before they had a name: more happened at once than there was room for.
    pub events_lost: u64,
    /// Files of bulk statistics that were written.
    pub bulk_files_written: u64,
    /// Times that they could not be written.
    pub bulk_write_failures: u64,
    /// Who is told of events, as configured.
    pub event_targets: Vec<EventTarget>,
}

/// Messages of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCount {
    /// Type: `hello`, `configuration-items`, `switchover-request`, `switchover-abort`, `close`, `terminate-post-process`,
    /// `unknown`.
    pub message: String,
    /// Sent.
    pub sent: u64,
    /// Received.
    pub received: u64,
}

/// Switchovers of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// Public number of the reason.
    pub reason: u8,
    /// Public name of the reason.
    pub reason_text: String,
    /// That many.
    pub count: u64,
}
