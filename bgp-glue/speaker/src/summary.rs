//! Snapshots for operators: neighbors and routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp_proto::attributes::Attributes;
use bgp_proto::prefix::Prefix;
use bgp_proto::session::{DownReason, Messages, Negotiated, Notifications, State};
use bgp_proto::types::{Asn, Families, Family, HoldTime, PeerKind, RouterId};
use bgp_proto::wire::open::Open;

use crate::config::{NeighborConfig, NeighborKey};
use crate::limits::Limits;
use crate::monitor::MonitorSummary;

/// The whole speaker at one instant.
#[derive(Clone, Debug)]
pub struct SpeakerSummary {
    /// Our AS.
    pub local_as: Asn,
    /// Our identifier.
    pub router_id: RouterId,
    /// How many routes we originate.
    pub originated: usize,
    /// Connections that were refused because they came from an address that is no neighbor's.
    pub refused_connections: u64,
    /// Those who look on, in the order of the configuration.
    pub monitors: Vec<MonitorSummary>,
    /// The neighbors, ordered by key.
    pub neighbors: Vec<NeighborSummary>,
}

/// One neighbor at one instant.
#[derive(Clone, Debug)]
pub struct NeighborSummary {
    /// The neighbor.
    pub neighbor: NeighborKey,
    /// Its AS: what it said while Established, else the configured one.
    pub remote_as: Asn,
    /// It came by a range, and is forgotten when it goes.
    pub dynamic: bool,
    /// Internal or external.
    pub kind: PeerKind,
    /// The state of the session.
    pub state: State,
    /// Since when the session is Established, or since when it is not.
    pub since: Instant,
    /// How often the session was Established.
    pub established_count: u64,
    /// The neighbor's identifier, while Established.
    pub router_id: Option<RouterId>,
    /// The negotiated hold time, while Established.
    pub hold_time: Option<HoldTime>,
    /// The families that both sides speak; empty unless Established.
    pub families: Families,
    /// Messages received since the start.
    pub messages_in: u64,
    /// Messages sent since the start.
    pub messages_out: u64,
    /// UPDATE messages received since the start.
    pub updates_in: u64,
    /// UPDATE messages sent since the start.
    pub updates_out: u64,
    /// Received path attributes that were malformed and handled without a reset (RFC 7606).
    pub malformed_attributes: u64,
    /// Routes in the Adj-RIB-In.
    pub prefixes_received: u64,
    /// How many it may announce, and is told at most.
    pub limits: Limits,
    /// How often it came near its limit of prefixes.
    pub limit_warnings: u64,
    /// How often it went beyond its limit of prefixes.
    pub limit_exceeded: u64,
    /// Routes that it is not told because they are more than it is to be told.
    pub prefixes_held_back: u64,
    /// Those in the Adj-RIB-In that the import policy and the loop check let through.
    pub prefixes_accepted: u64,
    /// Routes announced to the neighbor.
    pub prefixes_sent: u64,
    /// Octets that wait for the neighbor to read.
    pub queued_octets: usize,
    /// Why the last session or attempt ended.
    pub last_error: Option<DownReason>,
    /// The rest of it.
    pub details: Box<NeighborDetails>,
}

/// What is of interest when one neighbor is looked at.
#[derive(Clone, Debug)]
pub struct NeighborDetails {
    /// How it is configured.
    pub config: NeighborConfig,
    /// The AS that we are for it.
    pub local_as: Asn,
    /// Our end of the connection, while Established.
    pub local: Option<SocketAddr>,
    /// The neighbor's end.
    pub remote: Option<SocketAddr>,
    /// Whether we opened the connection.
    pub opened_by_us: Option<bool>,
    /// What the two OPENs agree on, while Established.
    pub negotiated: Option<Negotiated>,
    /// Messages received since the start.
    pub received: Messages,
    /// Messages sent since the start.
    pub sent: Messages,
    /// NOTIFICATIONs received since the start.
    pub notifications_received: Notifications,
    /// NOTIFICATIONs sent since the start.
    pub notifications_sent: Notifications,
    /// How often an Established session ended.
    pub lost_count: u64,
    /// Why and when the last one did.
    pub last_loss: Option<(DownReason, Instant)>,
    /// Malformed attributes whose routes were treated as withdrawn; the others were discarded.
    pub treated_as_withdrawn: u64,
    /// What is counted of each family.
    pub families: Vec<FamilyDetails>,
    /// It announced more than it may, and is not tried.
    pub barred: bool,
    /// Until when; until [`crate::SpeakerHandle::clear`] where there is no time.
    pub barred_until: Option<Instant>,
    /// Our OPEN.
    pub our_open: Open,
    /// The neighbor's last OPEN.
    pub their_open: Option<Open>,
}

/// What is counted of one address family of a neighbor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyDetails {
    /// The family.
    pub family: Family,
    /// Routes in the Adj-RIB-In.
    pub received: u64,
    /// Those of them that the import policy and the loop check let through.
    pub accepted: u64,
    /// Routes announced to it.
    pub announced: u64,
    /// Routes that it is not told because they are more than it is to be told.
    pub held_back: u64,
    /// How often it came near its limit.
    pub limit_warnings: u64,
    /// How often it went beyond.
    pub limit_exceeded: u64,
}

/// One path of the Loc-RIB and what the decision process made of it.
#[derive(Clone, Debug)]
pub struct RouteView {
    /// The prefix.
    pub prefix: Prefix,
    /// The neighbor that announced it.
    pub neighbor: NeighborKey,
    /// Tells apart several paths of one neighbor (RFC 7911); 0 without ADD-PATH.
    pub path_id: u32,
    /// Its attributes, as they came.
    pub received: Arc<Attributes>,
    /// Its attributes, as policy has them used.
    pub attributes: Arc<Attributes>,
    /// The neighbor has restarted and not told the route again yet.
    pub stale: bool,
    /// Best, or why not.
    pub why: Why,
}

pub use bgp_proto::decision::Why;
