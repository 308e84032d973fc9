//! What GoBGP tells in JSON, as types. Pure. Only what a lab judges by is read.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use serde::Deserialize;

use crate::error::LabError;
use crate::frr::show::{Path, Paths, read};

/// Type codes of path attributes (RFC 4271 section 5, RFC 4760 section 3).
const AS_PATH: u8 = 2;
const NEXT_HOP: u8 = 3;
const LOCAL_PREF: u8 = 5;
const COMMUNITIES: u8 = 8;
const MP_REACH_NLRI: u8 = 14;

/// 65535:0 (RFC 8326 section 2).
const GRACEFUL_SHUTDOWN: u32 = 0xffff_0000;

#[derive(Deserialize)]
struct RawPath {
    nlri: RawPrefix,
    #[serde(default)]
    best: bool,
    #[serde(default)]
    withdrawal: bool,
    #[serde(default)]
    attrs: Vec<RawAttribute>,
    #[serde(rename = "neighbor-ip")]
    neighbor: Option<IpAddr>,
}

#[derive(Deserialize)]
struct RawPrefix {
    prefix: String,
}

#[derive(Deserialize)]
struct RawAttribute {
    #[serde(rename = "type")]
    code: u8,
    #[serde(default)]
    as_paths: Vec<RawSegment>,
    nexthop: Option<IpAddr>,
    #[serde(default)]
    communities: Vec<u32>,
    #[serde(default)]
    value: serde_json::Value,
}

#[derive(Deserialize)]
struct RawSegment {
    asns: Vec<u32>,
}

impl RawPath {
    fn attribute(&self, code: u8) -> Option<&RawAttribute> {
        self.attrs.iter().find(|attribute| attribute.code == code)
    }

    fn next_hop(&self) -> Option<IpAddr> {
        self.attribute(MP_REACH_NLRI).or_else(|| self.attribute(NEXT_HOP))?.nexthop
    }
}

/// All paths in the answer to `gobgp global rib PREFIX -j`.
pub fn paths(command: &str, text: &str) -> Result<Paths, LabError> {
    let routes: BTreeMap<String, Vec<RawPath>> = read(command, text)?;
    let path = |raw: RawPath| {
        let segments = raw.attribute(AS_PATH).map(|attribute| &attribute.as_paths);
        let as_path = segments.into_iter().flatten().flat_map(|segment| segment.asns.clone()).collect();
        let local_pref = raw.attribute(LOCAL_PREF).and_then(|attribute| attribute.value.as_u64());
        let communities = raw.attribute(COMMUNITIES).map(|attribute| &attribute.communities);
        let graceful_shutdown = communities.is_some_and(|all| all.contains(&GRACEFUL_SHUTDOWN));
        Some(Path {
            peer: raw.neighbor?,
            as_path,
            local_pref: local_pref.and_then(|value| u32::try_from(value).ok()),
            graceful_shutdown,
            valid: true,
            best: raw.best,
        })
    };
    Ok(Paths(routes.into_values().flatten().filter_map(path).collect()))
}

/// A change of the best path to a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The prefix.
    pub prefix: IpNetwork,
    /// Where packets go now; `None` when there is no path any more.
    pub next_hop: Option<IpAddr>,
}

/// The changes in a line of `gobgp monitor global rib -j`. GoBGP's own routes lead nowhere and are none.
pub fn changes(line: &str) -> Result<Vec<Change>, LabError> {
    let paths: Vec<RawPath> = read("gobgp monitor global rib -j", line)?;
    let change = |raw: &RawPath| {
        let next_hop = raw.next_hop().filter(|next_hop| !next_hop.is_unspecified())?;
        let prefix = raw.nlri.prefix.parse().ok()?;
        Some(Change { prefix, next_hop: (!raw.withdrawal).then_some(next_hop) })
    };
    Ok(paths.iter().filter_map(change).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_monitor_is_a_change() {
        let new = r#"[{"nlri":{"prefix":"2001:db8::/48"},"age":1,"best":false,"attrs":[{"type":1,"value":2},
            {"type":14,"nexthop":"2001:db8::9","afi":2,"safi":1,"value":[{"prefix":"2001:db8::/48"}]}],"stale":false}]"#;
        let gone = r#"[{"nlri":{"prefix":"203.0.113.1/32"},"age":1,"best":false,"attrs":[{"type":1,"value":2},
            {"type":3,"nexthop":"192.0.2.9"}],"stale":false,"withdrawal":true}]"#;
        let own = r#"[{"nlri":{"prefix":"10.201.0.0/16"},"attrs":[{"type":3,"nexthop":"0.0.0.0"}]}]"#;
        let told = |line| {
            let changes = changes(line).expect("is read");
            changes.iter().map(|one| (one.prefix.to_string(), one.next_hop)).collect::<Vec<_>>()
        };
        let there = "2001:db8::9".parse().expect("an address");
        assert_eq!(told(new), [("2001:db8::/48".to_owned(), Some(there))]);
        assert_eq!(told(gone), [("203.0.113.1/32".to_owned(), None)]);
        assert_eq!(told(own), []);
        assert_eq!(told("[]"), []);
    }

    #[test]
    fn a_route_has_all_its_paths_and_their_as_paths() {
        let text = r#"{"203.0.113.1/32":[
            {"nlri":{"prefix":"203.0.113.1/32"},"best":true,"neighbor-ip":"10.1.1.1","attrs":[{"type":1,"value":0},
             {"type":2,"as_paths":[{"segment_type":2,"num":2,"asns":[65001,65001]}]},{"type":3,"nexthop":"10.1.1.1"}]},
            {"nlri":{"prefix":"203.0.113.1/32"},"neighbor-ip":"10.2.1.1","attrs":[
             {"type":2,"as_paths":[{"segment_type":2,"num":3,"asns":[65001,65001,65001]}]}]}]}"#;
        let found = paths("gobgp", text).expect("is read");
        let told: Vec<_> =
            found.0.iter().map(|path| (path.peer.to_string(), path.prepends(), path.best)).collect();
        assert_eq!(told, [("10.1.1.1".to_owned(), 1, true), ("10.2.1.1".to_owned(), 2, false)]);
    }
}
