//! What every session has to carry: both families both ways, exactly, until the farewell.

use bgp_speaker::{Originated, RouteView};

use super::peer::Heard;
use super::run::Bout;
use crate::owner::route;

pub const OURS: [&str; 2] = ["10.1.0.0/16", "2001:db8:1::/48"];
pub const THEIRS: [&str; 2] = ["10.9.0.0/16", "2001:db8:9::/48"];
const FAREWELL: &str = "maintenance until noon";

/// Our routes, marked.
pub fn ours(prepend: u8, local_pref: Option<u32>) -> Vec<Originated> {
    let marked = |prefix| Originated {
        med: Some(7),
        local_pref,
        communities: vec!["65000:1".parse().expect("a community")],
        large_communities: vec!["65000:1:2".parse().expect("a community")],
        ..route(prefix, prepend)
    };
    OURS.map(marked).into()
}

/// The same as the peer has to have it.
fn expected(bout: &Bout, prefix: &str, prepend: usize, local_pref: u32) -> Heard {
    let external = bout.session.external();
    Heard {
        as_path: if external { vec![bout.session.our_as; prepend + 1] } else { Vec::new() },
        next_hop: bout.session.our_next_hop(prefix).to_owned(),
        communities: vec!["65000:1".to_owned()],
        large_communities: vec!["65000:1:2".to_owned()],
        med: Some(7),
        local_pref: (!external).then_some(local_pref),
    }
}

fn until_heard(bout: &Bout, prepend: usize, local_pref: u32) {
    for prefix in OURS {
        let expected = expected(bout, prefix, prepend, local_pref);
        let mut last = None;
        bout.until(&format!("{prefix} as {expected:?}"), |peer| {
            last = peer.heard(prefix).map(|heard| Heard {
                // What an external peer prefers is its own affair.
                local_pref: heard.local_pref.filter(|_| !bout.session.external()),
                ..heard
            });
            last.as_ref() == Some(&expected)
        });
    }
}

/// What we have of the peer's routes.
pub fn learned(bout: &mut Bout) {
    for (prefix, next_hop) in THEIRS.into_iter().zip([bout.session.their_next_hop_v4(), "2001:db8::2"]) {
        let found =
            |routes: Vec<RouteView>| routes.into_iter().find(|route| route.prefix.to_string() == prefix);
        let route = loop {
            match found(bout.owner.answer(bout.owner.handle.routes())) {
                Some(route) => break route,
                None => bout.owner.event(),
            };
        };
        let attributes = &route.attributes;
        assert_eq!(attributes.next_hop.to_string().split(' ').next(), Some(next_hop), "next hop of {prefix}");
        let path = if bout.session.external() { bout.session.their_as.to_string() } else { String::new() };
        assert_eq!(attributes.as_path.to_string(), path, "path of {prefix}");
        assert_eq!(format!("{:?}", attributes.communities), "[65001:77]", "communities of {prefix}");
        assert_eq!(format!("{:?}", attributes.large_communities), "[65001:1:2]", "large ones of {prefix}");
        assert_eq!(
            format!("{:?}", attributes.extended_communities),
            "[rt:65001:9]",
            "extended ones of {prefix}"
        );
    }
}

/// A route each way and family: enough to know that the session is a good one.
pub fn briefly(bout: &mut Bout) {
    in_the_end(bout);
    unharmed(bout);
}

/// The same, where the peer may need more than one session.
pub fn in_the_end(bout: &mut Bout) {
    bout.owner.originate(ours(2, None));
    bout.until_up();
    until_heard(bout, 2, 100);
    learned(bout);
}

/// The session is the first one, and nobody complained.
fn unharmed(bout: &Bout) {
    let summary = bout.owner.only_neighbor();
    let found = (summary.malformed_attributes, summary.established_count);
    assert_eq!(found, (0, 1), "{summary:?}\n{}", bout.peer.report());
}

/// Announce, mark, prepend, refresh, withdraw, both ways, and part with words.
pub fn everything(bout: &mut Bout) {
    briefly(bout);
    bout.until("our End-of-RIB of both families", |peer| peer.end_of_rib() != Some(false));
    bout.owner.originate(ours(17, Some(300)));
    until_heard(bout, 17, 300);
    let sent = bout.owner.only_neighbor().updates_out;
    if bout.peer.ask_again() {
        bout.owner.until_summary(|summary| summary.updates_out >= sent + 2);
        until_heard(bout, 17, 300);
    }
    for gone in OURS {
        let left = ours(17, Some(300)).into_iter().filter(|route| route.prefix.to_string() != gone);
        let left = left.filter(|route| gone == OURS[0] || route.prefix.to_string() != OURS[0]);
        bout.owner.originate(left.collect());
        bout.until(&format!("{gone} gone"), |peer| peer.heard(gone).is_none());
    }
    bout.peer.forget();
    while bout.owner.until_route(THEIRS[0]).is_some() {}
    unharmed(bout);
    let (said, heard) =
        if bout.peer.hears_farewells() { (FAREWELL, FAREWELL) } else { ("", "Administrative Shutdown") };
    bout.owner.answer(bout.owner.handle.shutdown(said));
    bout.until("our farewell", |peer| peer.farewell().contains(heard));
}
