//! The speaker against every other speaker at hand, at an old and a new release, each feature that it has.
//!
//! A row is a session and what is to happen on it; each runs in namespaces of its own, some at a time. One test per
//! release, so that a report names it; the rows that failed are named by the test. What we have sent in all of them is
//! read by tshark at the end.

pub mod bird;
mod capture;
mod crash;
pub mod exabgp;
mod exchange;
mod features;
mod frr;
pub mod gobgp;
pub mod peer;
mod run;

use peer::{PLAIN, Release, Session};
use run::Row;

/// Both openers, both transports, external and internal: the same exchange on each.
fn exchanges() -> Vec<Row> {
    let mut rows = Vec::new();
    for (opener, peer_opens) in [("we open", false), ("we listen", true)] {
        for (transport, v6) in [("IPv4", false), ("IPv6", true)] {
            for (kind, their_as) in [("external", 65001), ("internal", PLAIN.our_as)] {
                let session = Session { peer_opens, v6, their_as, ..PLAIN };
                rows.push(Row::new(&format!("{opener}, {transport}, {kind}"), session, exchange::everything));
            }
        }
    }
    rows
}

fn rows(release: Release) -> Vec<Row> {
    let mut rows = exchanges();
    rows.extend(features::of(release));
    rows
}

#[test]
fn frr_8_4() {
    run::all(Release::Frr8, rows(Release::Frr8));
}

#[test]
fn frr_10_3() {
    run::all(Release::Frr10, rows(Release::Frr10));
}

#[test]
fn bird_2_0_12() {
    run::all(Release::Bird2, rows(Release::Bird2));
}

#[test]
fn bird_2_17() {
    run::all(Release::Bird217, rows(Release::Bird217));
}

#[test]
fn bird_3_1() {
    run::all(Release::Bird3, rows(Release::Bird3));
}

#[test]
fn gobgp_3_10() {
    run::all(Release::GoBgp310, rows(Release::GoBgp310));
}

#[test]
fn gobgp_3_36() {
    run::all(Release::GoBgp336, rows(Release::GoBgp336));
}

#[test]
fn exabgp_4_2_21() {
    run::all(Release::ExaBgp4221, rows(Release::ExaBgp4221));
}

#[test]
fn exabgp_4_2_25() {
    run::all(Release::ExaBgp4225, rows(Release::ExaBgp4225));
}
