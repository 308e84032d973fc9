//! The pair as one of its chassis sees it, in the control API.

use serde::{Deserialize, Serialize};

use super::Counter;
use crate::types::{ChassisMode, ChassisState};

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
    /// The VRF that it is in.
    pub vrf: Option<String>,
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
