//! `show ip bgp neighbors [A]`: everything about a neighbour.

use serde::{Deserialize, Serialize};

use super::BfdSession;

/// One neighbour of one context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BgpNeighborDetails {
    /// Name of the context.
    pub context: String,
    /// Its address, with the interface where it is link-local, or the interface alone.
    pub address: String,
    /// Where it was found, if it is known by its interface alone.
    #[serde(default)]
    pub found: Option<String>,
    /// It came by a range, and is forgotten when it goes.
    pub dynamic: bool,
    /// The group that it has keys from.
    pub group: Option<String>,
    /// Its AS.
    pub remote_as: u32,
    /// The AS that we are for it.
    pub local_as: u32,
    /// `external` or `internal`.
    pub kind: String,
    /// Session state by its RFC 4271 name.
    pub state: String,
    /// Since when it is in, or out of, Established.
    pub since_us: u64,
    /// Times that the session was Established.
    pub established: u64,
    /// Times that an Established session ended.
    pub lost: u64,
    /// When the last one ended.
    pub last_loss_us: Option<u64>,
    /// Why the last one ended.
    pub last_loss: Option<String>,
    /// Why the last session or attempt ended.
    pub last_error: Option<String>,
    /// Its BGP identifier, while Established.
    pub router_id: Option<String>,
    /// Our end of the connection, while Established.
    pub local: Option<String>,
    /// Its end of the connection.
    pub remote: Option<String>,
    /// Whether we opened the connection.
    pub opened_by_us: Option<bool>,
    /// It is waited for, and not called.
    pub passive: bool,
    /// Hold time that we offer.
    pub hold_time_ms: u64,
    /// Hold time in force, the lower offer of the two; 0 never expires.
    pub negotiated_hold_time_ms: Option<u64>,
    /// Time between KEEPALIVEs, while Established and not 0.
    pub keepalive_ms: Option<u64>,
    /// How long it may take nothing, where that is configured.
    pub send_hold_time_ms: Option<u64>,
    /// How long our OPEN waits for its own.
    pub delay_open_ms: u64,
    /// TTL of what is sent, and the least that is taken.
    pub ttl: String,
    /// Segments are signed (RFC 2385).
    pub md5: bool,
    /// TCP-AO keys that sign segments (RFC 5925), the one to use first: identifiers to send and to receive, and algorithm.
    pub ao_keys: Vec<String>,
    /// BFD beside the session, as configured.
    pub bfd: Option<String>,
    /// The same as it is.
    pub bfd_session: Option<BfdSession>,
    /// Messages by type.
    pub messages: Vec<BgpMessageCount>,
    /// Address families.
    pub families: Vec<BgpFamily>,
    /// Prefixes received.
    pub prefixes_received: u64,
    /// Prefixes accepted by the import rules.
    pub prefixes_accepted: u64,
    /// What comes of more prefixes than it may announce: `end` or `warn`.
    pub limit_action: String,
    /// It announced more than it may, and is not tried.
    pub idle: Option<BgpIdle>,
    /// Capabilities of either side.
    pub capabilities: Vec<BgpCapability>,
    /// Malformed attributes that were discarded (RFC 7606).
    pub attributes_discarded: u64,
    /// Malformed attributes whose routes were treated as withdrawn (RFC 7606).
    pub treated_as_withdrawn: u64,
    /// NOTIFICATIONs, by direction, code and subcode.
    pub notifications: Vec<BgpNotificationCount>,
    /// Octets that wait for it to read.
    pub queued_octets: u64,
}

/// A neighbour that is not tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpIdle {
    /// Until when; until `clear ip bgp` where there is no time.
    pub until_us: Option<u64>,
}

/// Messages of one type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpMessageCount {
    /// Its name.
    pub kind: String,
    /// How many were received.
    pub received: u64,
    /// How many were sent.
    pub sent: u64,
}

/// One address family of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpFamily {
    /// Its name.
    pub family: String,
    /// Both sides exchange it, while Established.
    pub agreed: bool,
    /// Prefixes received.
    pub received: u64,
    /// Prefixes accepted by the import rules.
    pub accepted: u64,
    /// Prefixes announced to the neighbour.
    pub announced: u64,
    /// The most prefixes that it may announce.
    pub limit: Option<u32>,
    /// More than so many bring a warning.
    pub warning_above: Option<u64>,
    /// Times that it came there.
    pub limit_warnings: u64,
    /// Times that it went beyond the limit.
    pub limit_exceeded: u64,
    /// The most prefixes that it is told.
    pub limit_out: Option<u32>,
    /// Prefixes that it is not told for that.
    pub held_back: u64,
}

/// One capability (RFC 5492).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpCapability {
    /// Its name, or its code where it is not known.
    pub name: String,
    /// What we say of it.
    pub ours: Option<String>,
    /// What it said in its last OPEN.
    pub theirs: Option<String>,
}

/// NOTIFICATIONs of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpNotificationCount {
    /// We sent it; otherwise we received it.
    pub sent: bool,
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// Their name.
    pub name: String,
    /// How many.
    pub count: u64,
}
