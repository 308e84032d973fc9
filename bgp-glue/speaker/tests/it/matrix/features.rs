//! The features that a peer has, each on a session of its own.

use bgp_speaker::{Event, Role, State};

use super::crash::{KILLED, comes_back};
use super::exchange::{THEIRS, briefly, everything, in_the_end};
use super::peer::{PLAIN, Release, Session};
use super::run::{Bout, Row};
use crate::owner::{PATIENCE, route};

/// Which rows a feature has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// One: IPv4, we open.
    One,
    /// Either opener.
    Openers,
    /// Either opener on either transport.
    All,
    /// Either opener, on IPv6.
    Ipv6,
    /// As [`Ways::All`], but the peer cannot be the listener.
    PeerOpens,
}

struct Feature {
    name: &'static str,
    ways: Ways,
    session: Session,
    act: fn(&mut Bout),
}

/// The rows of a release.
pub fn of(release: Release) -> Vec<Row> {
    let mut rows = Vec::new();
    for feature in features(release) {
        for (opener, peer_opens) in [("we open", false), ("we listen", true)] {
            for (transport, v6) in [("IPv4", false), ("IPv6", true)] {
                let wanted = match feature.ways {
                    Ways::One => !peer_opens && !v6,
                    Ways::Openers => !v6,
                    Ways::Ipv6 => v6,
                    Ways::All => true,
                    Ways::PeerOpens => peer_opens,
                };
                if wanted {
                    let session = Session { peer_opens, v6, ..feature.session };
                    rows.push(Row::new(
                        &format!("{}, {opener}, {transport}", feature.name),
                        session,
                        feature.act,
                    ));
                }
            }
        }
    }
    rows
}

fn features(release: Release) -> Vec<Feature> {
    let (frr, bird, exabgp) = match release {
        Release::Frr8 | Release::Frr10 => (true, false, false),
        Release::Bird2 | Release::Bird217 | Release::Bird3 => (false, true, false),
        Release::GoBgp310 | Release::GoBgp336 => (false, false, false),
        Release::ExaBgp4221 | Release::ExaBgp4225 => (false, false, true),
    };
    let roles = |ours: Role, theirs: Role| Session { our_role: Some(ours), role: Some(theirs), ..PLAIN };
    let mut all = Vec::new();
    let mut add = |has: bool, name, ways, session, act| {
        if has {
            all.push(Feature { name, ways, session, act });
        }
    };
    add(true, "MD5", Ways::All, Session { key: Some("secret"), ..PLAIN }, briefly);
    // Of connections that it takes, ExaBGP sets the TTL of no packet.
    let ways = if exabgp { Ways::PeerOpens } else { Ways::All };
    // FRR ends such a session that it has accepted until zebra has told it of a way to the neighbor (`show bgp nexthop`).
    let act = if frr { in_the_end } else { briefly };
    add(true, "TTL security", ways, Session { ttl_security: true, ..PLAIN }, act);
    // ExaBGP with a dialler of its own listens to nobody.
    add(!exabgp, "both open", Ways::PeerOpens, Session { both_open: true, ..PLAIN }, collides);
    let far = Session { our_as: 4_200_000_001, their_as: 4_200_000_002, ..PLAIN };
    add(true, "four-octet AS numbers", Ways::Openers, far, everything);
    add(bird || exabgp, "two-octet peer", Ways::Openers, Session { two_octet: true, ..PLAIN }, briefly);
    add(true, "ADD-PATH", Ways::Openers, Session { add_path: true, ..PLAIN }, by_identifier);
    let by_ipv6 = Session { ipv6_next_hops: true, ..PLAIN };
    // GoBGP offers it on unnumbered links alone.
    add(frr || bird || exabgp, "IPv6 next hops of IPv4 routes", Ways::Ipv6, by_ipv6, everything);
    add(true, "thousands of routes", Ways::One, PLAIN, thousands);
    let extended = frr || bird || exabgp;
    add(extended, "extended messages", Ways::One, Session { extended: true, ..PLAIN }, thousands);
    add(true, "helper of a restart", Ways::Openers, Session { restart: true, ..PLAIN }, helps);
    // ExaBGP has no routes to keep.
    add(!exabgp, "helper of ours", Ways::Openers, KILLED, comes_back);
    add(!exabgp, "shutdown by the peer", Ways::Openers, PLAIN, told_to_go);
    add(frr || bird, "customer of the peer", Ways::One, roles(Role::Customer, Role::Provider), from_above);
    add(frr || bird, "provider of the peer", Ways::One, roles(Role::Provider, Role::Customer), briefly);
    add(frr || bird, "on a level with the peer", Ways::One, roles(Role::Peer, Role::Peer), from_above);
    add(frr || bird, "two customers", Ways::Openers, roles(Role::Customer, Role::Customer), mismatched);
    all
}

/// Both dial at once, so that the first session may be one that loses.
fn collides(bout: &mut Bout) {
    bout.until_up();
    bout.until("the peer has our route", |peer| {
        bout.owner.handle.set_originated(vec![route("10.1.0.0/16", 2)], PATIENCE);
        peer.heard("10.1.0.0/16").is_some()
    });
    let summary = bout.owner.only_neighbor();
    assert_eq!(summary.state, State::Established, "{summary:?}");
    assert!(summary.established_count <= 2, "{summary:?}");
}

/// Every route of either side has an identifier (RFC 7911), and all the same happens.
fn by_identifier(bout: &mut Bout) {
    briefly(bout);
    let routes = bout.owner.answer(bout.owner.handle.routes());
    let without: Vec<_> =
        routes.iter().filter(|route| route.path_id == 0).map(|route| route.prefix).collect();
    assert!(without.is_empty(), "without an identifier: {without:?}");
    everything(bout);
}

/// More than fits into a message, of either family, and all of it gone again.
fn thousands(bout: &mut Bout) {
    const COUNT: u32 = 3000;
    bout.until_up();
    let v4 = (0..COUNT).map(|n| format!("10.{}.{}.0/24", n >> 8, n & 255));
    let v6 = (0..COUNT).map(|n| format!("2001:db8:{n:x}::/48"));
    assert!(bout.owner.originate(v4.chain(v6).map(|prefix| route(&prefix, 5)).collect()).acknowledged);
    for prefix in ["10.0.0.0/24", "10.11.183.0/24", "2001:db8:1::/48", "2001:db8:bb7::/48"] {
        let path = vec![bout.session.our_as; 6];
        bout.until(prefix, |peer| peer.heard(prefix).is_some_and(|heard| heard.as_path == path));
    }
    // Four and seven octets a route. End-of-RIB of both families are UPDATE messages too.
    let updates = bout.owner.only_neighbor().updates_out;
    let fits = if bout.session.extended { 4..=6 } else { 10..=14 };
    assert!(fits.contains(&updates), "{updates} UPDATE messages");
    bout.owner.originate(Vec::new());
    for prefix in ["10.0.0.0/24", "10.11.183.0/24", "2001:db8:1::/48", "2001:db8:bb7::/48"] {
        bout.until(&format!("{prefix} gone"), |peer| peer.heard(prefix).is_none());
    }
    let summary = bout.owner.only_neighbor();
    assert_eq!((summary.malformed_attributes, summary.established_count), (0, 1));
}

/// The peer's process dies and comes back: its routes stay meanwhile, and are as good as new afterwards.
fn helps(bout: &mut Bout) {
    briefly(bout);
    bout.until("our End-of-RIB of both families", |peer| peer.end_of_rib() != Some(false));
    bout.owner.until_summary(|summary| summary.prefixes_accepted == 2);
    bout.peer.die();
    bout.owner.until_summary(|summary| summary.state != State::Established);
    let all = |stale| THEIRS.map(|prefix| (prefix.to_owned(), stale)).to_vec();
    assert_eq!(bout.learned(), all(true), "kept while the peer restarts");
    bout.peer.rise();
    bout.until_up();
    bout.until("all its routes are told again", |_| bout.learned() == all(false));
    // Everything that was told to the owner meanwhile lies before what this causes.
    bout.owner.handle.clear(bout.owner.only_neighbor().neighbor);
    loop {
        match bout.owner.event() {
            Event::NeighborDown { reason, .. } if reason.to_string().starts_with("we sent") => break,
            Event::BestPathsChanged(changes) => {
                let lost = changes.iter().find(|change| change.paths.is_empty());
                assert_eq!(lost, None, "a route was taken away although the peer was only restarting");
            }
            Event::NeighborUp { .. }
            | Event::NeighborDown { .. }
            | Event::NextHopsWanted(_)
            | Event::Converged { .. } => {}
        }
    }
}

/// The peer's operator shuts the session down and says why.
fn told_to_go(bout: &mut Bout) {
    const WHY: &str = "new line cards";
    briefly(bout);
    assert!(bout.peer.shut_down(WHY), "the peer takes the command");
    let reason = bout.owner.until_down();
    assert!(reason.contains("(6/2)") && reason.contains(WHY), "{reason}");
    assert!(bout.learned().is_empty(), "its routes go with it");
}

/// Routes that come from above or from the side carry the mark of their sender (RFC 9234 section 5).
fn from_above(bout: &mut Bout) {
    briefly(bout);
    for route in bout.owner.answer(bout.owner.handle.routes()) {
        let marked = route.attributes.only_to_customer.map(|asn| asn.0);
        assert_eq!(marked, Some(bout.session.their_as), "{}", route.prefix);
    }
}

/// Roles that do not fit (RFC 9234 section 4.2): no session, and both say why.
fn mismatched(bout: &mut Bout) {
    let reason = bout.owner.until_down();
    assert!(reason.contains("(2/11)"), "{reason}");
    assert!(!bout.peer.established());
}
