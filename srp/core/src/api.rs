//! The control API: one JSON object a line each way over a Unix socket, request then response.
//!
//! `srpctl` renders these types as text and `--json` prints them as they are, so their field names are an interface:
//! `docs/control-api.md` lists them, and a test holds it against this code.
//! Times are wall time, microseconds since 1970 UTC (`*_us`), spans are milliseconds (`*_ms`).

mod bgp;
mod events;
mod monitor;
mod neighbors;
#[cfg(test)]
mod page;
mod probes;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::events::Severity;
use crate::types::{ChassisMode, ChassisState};

pub use bgp::{
    BgpAdvertised, BgpAnnouncement, BgpCleared, BgpContext, BgpDumped, BgpNeighbor, BgpOnlooker, BgpPath,
    BgpTable, OriginatedPrefix,
};
pub use events::{EventRecord, EventTarget};
pub use monitor::{Monitor, MonitorFailure, MonitorReset, Monitors};
pub use neighbors::{
    BgpCapability, BgpFamily, BgpIdle, BgpMessageCount, BgpNeighborDetails, BgpNotificationCount,
};
pub use probes::{AuthServer, DiameterPeer};

/// What an operator can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum Request {
    /// `show srp info`.
    ShowSrpInfo,
    /// `show srp statistics`.
    ShowSrpStatistics,
    /// `show srp details`.
    ShowSrpDetails,
    /// `show srp monitor [all | bgp | ...]`.
    ShowSrpMonitor,
    /// `show srp monitor authentication-probe`.
    ShowSrpMonitorAuthenticationProbe,
    /// `show srp monitor diameter [debug]`.
    ShowSrpMonitorDiameter,
    /// `show ip bgp summary`.
    ShowBgpSummary,
    /// `show ip bgp neighbors [A]`.
    ShowBgpNeighbors {
        /// Its address; all neighbours if absent.
        neighbor: Option<String>,
    },
    /// `show ip bgp [PREFIX | ADDRESS]`.
    ShowBgpRoutes {
        /// A prefix, or an address for the longest prefix that holds it; all routes if absent.
        to: Option<String>,
    },
    /// `show ip bgp neighbors A received-routes`.
    ShowBgpReceived {
        /// Its address.
        neighbor: String,
    },
    /// `show ip bgp neighbors A advertised-routes`.
    ShowBgpAdvertised {
        /// Its address.
        neighbor: String,
    },
    /// `clear ip bgp A [soft in | soft out]`.
    ClearBgp {
        /// Its address.
        neighbor: String,
        /// What of it.
        what: ClearBgp,
    },
    /// `dump bgp CONTEXT FILE`.
    DumpBgp {
        /// Name of the context.
        context: String,
        /// Where srpd writes it; an absolute path.
        file: PathBuf,
    },
    /// `show switchover [last | all]`.
    ShowSwitchover {
        /// How many, newest first.
        last: usize,
    },
    /// `show events [severity S] [last N]` and `show snmp trap history`.
    ShowEvents {
        /// This bad and worse; what clears such an event is among them.
        severity: Severity,
        /// How many, the last ones.
        last: usize,
        /// Only those that have a public number.
        traps: bool,
    },
    /// `show configuration srp`.
    ShowConfiguration,
    /// `configure commit`: the file is read again, as on SIGHUP.
    Reload,
    /// `srp initiate-switchover [force]`.
    InitiateSwitchover {
        /// Skip validation, never ordering.
        force: bool,
    },
    /// `srp validate-switchover`.
    ValidateSwitchover,
    /// `srp validate-configuration`.
    ValidateConfiguration,
    /// `srp terminate-post-process`.
    TerminatePostProcess,
    /// `srp reset-auth-probe-fail`.
    ResetAuthProbeFail,
    /// `srp reset-diameter-fail`.
    ResetDiameterFail,
}

/// What `clear ip bgp` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearBgp {
    /// End the session and begin anew.
    Session,
    /// Judge what the neighbour has told us again; the session stays.
    SoftIn,
    /// Tell the neighbour everything again; the session stays.
    SoftOut,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "response", content = "body")]
pub enum Response {
    /// To `ShowSrpInfo`.
    SrpInfo(Box<SrpInfo>),
    /// To `ShowSrpStatistics`.
    SrpStatistics(Box<SrpStatistics>),
    /// To `ShowSrpDetails`.
    SrpDetails(Box<SrpDetails>),
    /// To `ShowSrpMonitor`.
    Monitors(Monitors),
    /// To `ShowSrpMonitorAuthenticationProbe`.
    AuthServers(Vec<AuthServer>),
    /// To `ShowSrpMonitorDiameter`.
    DiameterPeers(Vec<DiameterPeer>),
    /// To `ShowBgpSummary`.
    BgpSummary(Vec<BgpContext>),
    /// To `ShowBgpNeighbors`.
    BgpNeighbors(Vec<BgpNeighborDetails>),
    /// To `ShowBgpRoutes` and `ShowBgpReceived`.
    BgpRoutes(Vec<BgpTable>),
    /// To `ShowBgpAdvertised`.
    BgpAdvertised(Vec<BgpAdvertised>),
    /// To `ClearBgp`: done.
    BgpCleared(BgpCleared),
    /// To `DumpBgp`: done.
    BgpDumped(BgpDumped),
    /// To `ShowSwitchover`, newest first.
    Switchovers(Vec<Switchover>),
    /// To `ShowEvents`, oldest first.
    Events(Vec<EventRecord>),
    /// To `ShowConfiguration`.
    Configuration(Configuration),
    /// To `Reload`: taken over.
    Reloaded(Reloaded),
    /// To `InitiateSwitchover`: done.
    SwitchoverDone(SwitchoverDone),
    /// To `ValidateSwitchover` and `ValidateConfiguration`.
    Validation(Validation),
    /// To `ResetAuthProbeFail` and `ResetDiameterFail`.
    MonitorReset(MonitorReset),
    /// To `TerminatePostProcess`.
    PostProcessTerminated(PostProcessTerminated),
    /// The request was understood and refused, or failed.
    Error {
        /// One line each: what is in the way and what to do.
        reasons: Vec<String>,
    },
}

/// `show srp info`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SrpInfo {
    /// Name of the redundancy context.
    pub context: String,
    /// Release of this chassis.
    pub release: String,
    /// Present state.
    pub chassis_state: ChassisState,
    /// Configured role.
    pub chassis_mode: ChassisMode,
    /// Configured priority.
    pub chassis_priority: u8,
    /// MAC address used as tie-break.
    pub chassis_mac: String,
    /// Local end of the link.
    pub local_address: String,
    /// Route modifier in force.
    pub route_modifier: u16,
    /// Threshold at which the pair starts again at 1 and 2.
    pub route_modifier_threshold: u16,
    /// Life of this `srpd`.
    pub boot_id: String,
    /// Address of the peer.
    pub peer_address: String,
    /// The peer, as its last Hello of this link said; `None` if the link is down.
    pub peer: Option<PeerInfo>,
    /// `Connected`, `Connecting` or why not.
    pub connection_state: String,
    /// `mutual TLS 1.3, pinned` or `PLAINTEXT, NOT PROTECTED`.
    pub connection_security: String,
    /// Fingerprint of the certificate that this chassis shows to new connections; `None` in plaintext.
    pub certificate: Option<String>,
    /// Fingerprints of the certificates that the peer may show on new connections.
    pub pinned_certificates: Vec<String>,
    /// When the link came up or went down.
    pub connection_since_us: u64,
    /// Times that the link came up.
    pub connection_ups: u64,
    /// Hello period.
    pub hello_interval_ms: f64,
    /// Dead period.
    pub dead_interval_ms: f64,
    /// Hellos sent since start.
    pub hellos_sent: u64,
    /// Hellos received since start.
    pub hellos_received: u64,
    /// Last round trip of a Hello.
    pub round_trip_ms: Option<f64>,
    /// `In sync`, `Out of sync (N differences)` or `Unknown`.
    pub configuration_state: String,
    /// Result of the last `validate-switchover`.
    pub last_validate_switchover_status: String,
    /// Result of the last `validate-configuration`.
    pub last_validate_configuration_status: String,
    /// Why the state last changed, and when.
    pub last_switch: Option<LastSwitch>,
    /// Switchovers since start.
    pub switchovers: u64,
    /// Connections and messages of the link since start, and what was refused, by reason.
    pub link_counters: Vec<Counter>,
    /// Objects that the kernel refused and that are still missing.
    pub kernel_refused: Vec<String>,
    /// BFD sessions: those with the peer first, then those with BGP neighbours.
    pub bfd_sessions: Vec<BfdSession>,
    /// `bfd-mon-ignore-dead-interval`: while a session with the peer is Up, the dead-interval alone takes over nothing.
    pub bfd_ignores_dead_interval: bool,
    /// What link and BFD say of the peer, where they contradict each other.
    pub bfd_disagreement: Option<String>,
}

/// A BFD session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BfdSession {
    /// `peer chassis`, or the BGP neighbour and its context.
    pub watches: String,
    /// The other end.
    pub peer_address: String,
    /// Our end.
    pub local_address: String,
    /// The only interface of the session, if it names one.
    pub interface: Option<String>,
    /// Routers are between.
    pub multihop: bool,
    /// `AdminDown`, `Down`, `Init` or `Up`.
    pub state: String,
    /// State at the other end, as its last packet said.
    pub remote_state: Option<String>,
    /// Since when it is in its state.
    pub since_us: u64,
    /// Between our packets.
    pub transmit_interval_ms: Option<f64>,
    /// Silence after which the other end is given up.
    pub detection_time_ms: Option<f64>,
    /// Times that it came up.
    pub ups: u64,
    /// Times that it went down.
    pub downs: u64,
    /// Why it last went down.
    pub last_down: Option<String>,
    /// When that was.
    pub last_down_us: Option<u64>,
}

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

/// `show srp details`: everything at once, for support.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SrpDetails {
    /// When it was put together.
    pub at_us: u64,
    /// As `show srp info`.
    pub info: SrpInfo,
    /// As `show srp statistics`.
    pub statistics: SrpStatistics,
    /// As `show srp monitor`.
    pub monitors: Monitors,
    /// As `show ip bgp summary`.
    pub bgp: Vec<BgpContext>,
    /// As `show switchover all`, newest first.
    pub switchovers: Vec<Switchover>,
    /// As `show configuration srp`.
    pub configuration: Configuration,
}

/// `show configuration srp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The running configuration in TOML, every default filled in; it names key files and holds no keys.
    pub text: String,
    /// What differs from the peer, item by item; `None` while the peer's is not known.
    pub differences: Option<Vec<String>>,
    /// The file that srpd was started with; an absolute path.
    pub file: PathBuf,
}

/// `configure commit`, taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What has changed, one line each; empty if nothing has.
    pub changes: Vec<String>,
}

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

/// A named counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Name.
    pub name: String,
    /// Value since start.
    pub count: u64,
}

/// The peer in `show srp info`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Its state.
    pub state: ChassisState,
    /// Its configured role.
    pub mode: ChassisMode,
    /// Its priority.
    pub priority: u8,
    /// Its MAC address.
    pub mac: String,
    /// Its route modifier.
    pub route_modifier: u16,
    /// Its release.
    pub release: String,
    /// Its life.
    pub boot_id: String,
    /// Its Established BGP neighbours.
    pub bgp_established: u32,
    /// Its configured BGP neighbours.
    pub bgp_neighbors: u32,
    /// Age of its last Hello.
    pub last_hello_ms: f64,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSwitch {
    /// When.
    pub at_us: u64,
    /// State before.
    pub from: ChassisState,
    /// State after.
    pub to: ChassisState,
    /// Public number of the reason, 0 ..= 12.
    pub reason: u8,
    /// Public name of the reason.
    pub reason_text: String,
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
