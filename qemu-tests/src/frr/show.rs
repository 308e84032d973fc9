//! What FRR says in JSON, as types. Only the members that a lab judges by are read; FRR may add others as it likes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use crate::error::LabError;

/// A path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The neighbour that it came from.
    pub peer: IpAddr,
    /// The AS path, first hop first.
    pub as_path: Vec<u32>,
    /// LOCAL_PREF; from an internal neighbour it is what that one sent.
    pub local_pref: Option<u32>,
    /// It carries `GRACEFUL_SHUTDOWN` (RFC 8326).
    pub graceful_shutdown: bool,
    /// FRR counts it as usable.
    pub valid: bool,
    /// FRR prefers it to all others.
    pub best: bool,
}

impl Path {
    /// How often the neighbour's AS stands at the head of the path beyond the once that is normal.
    pub fn prepends(&self) -> usize {
        let first = self.as_path.first();
        self.as_path.iter().take_while(|asn| Some(*asn) == first).count().saturating_sub(1)
    }
}

/// All paths to one prefix; none if FRR does not know the prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(pub Vec<Path>);

impl Paths {
    /// Reads the answer to `show bgp ipv4|ipv6 unicast PREFIX json`.
    pub fn parse(command: &str, text: &str) -> Result<Self, LabError> {
        let raw: RawRoute = read(command, text)?;
        let path = |raw: RawPath| {
            let as_path = raw.aspath.segments.into_iter().flat_map(|segment| segment.list).collect();
            Path {
                peer: raw.peer.peer_id,
                as_path,
                local_pref: raw.loc_prf,
                graceful_shutdown: raw.community.list.iter().any(|name| name == "gracefulShutdown"),
                valid: raw.valid,
                best: raw.bestpath.overall,
            }
        };
        Ok(Self(raw.paths.into_iter().map(path).collect()))
    }

    /// The preferred path.
    pub fn best(&self) -> Option<&Path> {
        self.0.iter().find(|path| path.best)
    }

    /// The path that came from `peer`.
    pub fn from(&self, peer: IpAddr) -> Option<&Path> {
        self.0.iter().find(|path| path.peer == peer)
    }
}

/// A BGP session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Session {
    /// `Established`, or how far it is.
    pub state: String,
    /// Times that it was lost since bgpd started.
    #[serde(rename = "connectionsDropped", default)]
    pub dropped: u64,
}

/// Every session by the neighbour's address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary(pub BTreeMap<IpAddr, Session>);

/// A peer of bfdd, of `show bfd peers json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BfdPeer {
    /// Its address.
    pub peer: IpAddr,
    /// `up`, `down`, `init` or `shutdown`.
    pub status: String,
    /// What it says of its own transmit interval, ms.
    #[serde(rename = "remote-transmit-interval", default)]
    pub remote_transmit_ms: u64,
}

/// Counts of a peer of bfdd, of `show bfd peers counters json`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BfdCounters {
    /// Its address.
    pub peer: IpAddr,
    /// Times that the session went down.
    #[serde(rename = "session-down")]
    pub downs: u64,
}

impl Summary {
    /// Reads the answer to `show bgp summary json`.
    pub fn parse(command: &str, text: &str) -> Result<Self, LabError> {
        let families: BTreeMap<String, serde_json::Value> = read(command, text)?;
        let mut peers = BTreeMap::new();
        for family in families.into_values() {
            let raw: RawFamily = serde_json::from_value(family).map_err(|error| LabError::Answer {
                command: command.to_owned(),
                reason: error.to_string(),
            })?;
            peers.extend(raw.peers);
        }
        Ok(Self(peers))
    }

    /// Neighbours whose session is not Established.
    pub fn not_established(&self) -> Vec<String> {
        let down = self.0.iter().filter(|(_, session)| session.state != "Established");
        down.map(|(address, session)| format!("{address} {}", session.state)).collect()
    }
}

#[derive(Deserialize)]
struct RawRoute {
    #[serde(default)]
    paths: Vec<RawPath>,
}

#[derive(Deserialize)]
struct RawPath {
    aspath: RawAsPath,
    #[serde(rename = "locPrf")]
    loc_prf: Option<u32>,
    #[serde(default)]
    valid: bool,
    #[serde(default)]
    community: RawCommunity,
    #[serde(default)]
    bestpath: RawBest,
    peer: RawPeer,
}

#[derive(Deserialize)]
struct RawAsPath {
    #[serde(default)]
    segments: Vec<RawSegment>,
}

#[derive(Deserialize)]
struct RawSegment {
    list: Vec<u32>,
}

/// Well-known ones by name.
#[derive(Default, Deserialize)]
struct RawCommunity {
    #[serde(default)]
    list: Vec<String>,
}

#[derive(Default, Deserialize)]
struct RawBest {
    #[serde(default)]
    overall: bool,
}

#[derive(Deserialize)]
struct RawPeer {
    #[serde(rename = "peerId")]
    peer_id: IpAddr,
}

#[derive(Deserialize)]
struct RawFamily {
    #[serde(default)]
    peers: BTreeMap<IpAddr, Session>,
}

/// Reads `text`, the answer to `command`.
pub(crate) fn read<T: serde::de::DeserializeOwned>(command: &str, text: &str) -> Result<T, LabError> {
    serde_json::from_str(text).map_err(|error| LabError::Answer {
        command: command.to_owned(),
        reason: format!("{error} in: {text}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Taken from bgpd 8.4.4 between two stand-ins with 1 and 2 prepends.
    const ROUTE_V4: &str = include_str!("testdata/route-v4.json");
    const ROUTE_V6: &str = include_str!("testdata/route-v6.json");
    const UNKNOWN: &str = include_str!("testdata/route-unknown.json");
    const SUMMARY: &str = include_str!("testdata/summary.json");

    #[test]
    fn the_best_path_and_its_prepends_are_read() {
        let paths = Paths::parse("v4", ROUTE_V4).expect("reads");
        let best = paths.best().expect("has a best path");
        assert_eq!((best.peer.to_string().as_str(), best.prepends()), ("10.1.2.1", 1));
        let other = paths.from("10.2.2.1".parse().expect("address")).expect("has the other");
        assert_eq!((other.best, other.valid, other.prepends()), (false, true, 2));
    }

    #[test]
    fn an_ipv6_path_is_known_by_its_neighbour() {
        let best = Paths::parse("v6", ROUTE_V6).expect("reads").best().cloned().expect("has a best path");
        assert_eq!(best.peer.to_string(), "2001:db8:1:2::1");
        assert_eq!(best.as_path, [65001, 65001]);
    }

    #[test]
    fn an_unknown_prefix_has_no_paths() {
        assert_eq!(Paths::parse("unknown", UNKNOWN).expect("reads"), Paths::default());
    }

    #[test]
    fn all_sessions_of_both_families_are_in_the_summary() {
        let summary = Summary::parse("summary", SUMMARY).expect("reads");
        assert_eq!(summary.0.len(), 4);
        assert_eq!(summary.not_established(), Vec::<String>::new());
    }

    #[test]
    fn text_that_is_no_json_is_an_error_with_the_command() {
        let text = Paths::parse("show bgp", "% Unknown command").expect_err("no JSON").to_string();
        assert!(text.contains("show bgp") && text.contains("% Unknown"), "{text}");
    }
}
