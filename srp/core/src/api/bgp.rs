//! `show ip bgp` but for its neighbours in detail, `clear ip bgp` and `dump bgp`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `show ip bgp summary` of one context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpContext {
    /// Name of the context.
    pub context: String,
    /// The VRF that it is in.
    pub vrf: Option<String>,
    /// BGP identifier.
    pub router_id: String,
    /// Own AS.
    pub local_as: u32,
    /// Prefixes originated now, each with its prepend count.
    pub originated: Vec<OriginatedPrefix>,
    /// MRT files and BMP stations in configured order.
    pub onlookers: Vec<BgpOnlooker>,
    /// Neighbours in configured order.
    pub neighbors: Vec<BgpNeighbor>,
}

/// An MRT file or a BMP station in `show ip bgp summary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpOnlooker {
    /// Which one, as `MRT FILE` or `BMP ADDRESS:PORT`.
    pub name: String,
    /// Whether it gets what it should.
    pub works: bool,
    /// The same in words, with the reason.
    pub state: String,
    /// Records or messages that it got.
    pub written: u64,
    /// Records that a file lacks, or how often a station was dropped for being too slow.
    pub lost: u64,
}

/// A prefix that this chassis announces now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginatedPrefix {
    /// The prefix.
    pub prefix: String,
    /// Own AS numbers beyond the first.
    pub prepends: u16,
}

/// A neighbour in `show ip bgp summary`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpNeighbor {
    /// Its address, with the interface where it is link-local, or the interface alone.
    pub address: String,
    /// Where it was found, if it is known by its interface alone.
    #[serde(default)]
    pub found: Option<String>,
    /// Its AS.
    pub remote_as: u32,
    /// It came by a range, and is forgotten when it goes.
    #[serde(default)]
    pub dynamic: bool,
    /// Session state by its RFC 4271 name.
    pub state: String,
    /// Since when it is in, or out of, Established.
    pub since_us: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Prefixes received.
    pub prefixes_received: u64,
    /// Prefixes accepted by the import rules.
    pub prefixes_accepted: u64,
    /// Prefixes announced to it.
    pub prefixes_sent: u64,
    /// Why the session last ended, if it did.
    pub last_error: Option<String>,
}

/// Paths in the BGP table of one context, ordered by prefix, the best one of each first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpTable {
    /// Name of the context.
    pub context: String,
    /// The paths.
    pub paths: Vec<BgpPath>,
}

/// One path to one prefix, as one neighbour announced it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpPath {
    /// The prefix.
    pub prefix: String,
    /// Who announced it.
    pub neighbor: String,
    /// Tells apart several paths of one neighbour (RFC 7911); absent without ADD-PATH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_id: Option<u32>,
    /// Used for forwarding.
    pub used: bool,
    /// `best`, `multipath`, at which step it lost and by which values, or why it is unusable.
    pub verdict: String,
    /// The neighbour has restarted and not told it again yet.
    pub stale: bool,
    /// NEXT_HOP.
    pub next_hop: String,
    /// How the next hop is reached, by which route and gateways, or why it is not; absent where nobody had to look, as
    /// for a link-local one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,
    /// AS_PATH; empty for a route of our own AS.
    pub as_path: String,
    /// ORIGIN.
    pub origin: String,
    /// LOCAL_PREF.
    pub local_preference: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Communities of every kind.
    pub communities: Vec<String>,
    /// Policy changed some attribute; those shown are the ones in use.
    pub changed_by_policy: bool,
}

/// What one neighbour is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpAdvertised {
    /// Name of the context.
    pub context: String,
    /// The neighbour.
    pub neighbor: String,
    /// The routes, ordered by prefix.
    pub routes: Vec<BgpAnnouncement>,
}

/// One route as a neighbour is told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpAnnouncement {
    /// The prefix.
    pub prefix: String,
    /// Own AS numbers beyond the first; seen by external neighbours.
    pub prepends: u16,
    /// LOCAL_PREF, seen by internal neighbours.
    pub local_preference: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Communities of every kind.
    pub communities: Vec<String>,
    /// Next hop, if another than that of the session.
    pub next_hop: Option<String>,
}

/// What `clear ip bgp` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpCleared {
    /// Contexts that have the neighbour.
    pub contexts: Vec<String>,
}

/// A table that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpDumped {
    /// The file.
    pub file: PathBuf,
    /// How long it is, octets.
    pub octets: u64,
}
