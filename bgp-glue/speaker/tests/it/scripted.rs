//! What the speaker says and does, octet by octet, against a neighbor that follows a script.

use bgp_proto::wire::capability::Capability;
use bgp_proto::wire::notification::reason;
use bgp_proto::wire::refresh::RouteRefresh;
use bgp_speaker::{
    Asn, Event, Families, Family, Link, Millis, NeighborConfig, Obstacle, Offer, Policy, RestartOffer,
    SpeakerConfig, State, Why,
};

use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};
use crate::scripted_peer::{Said, ScriptedPeer, keepalive, listen, open, routes};

pub const PEER: &str = "192.0.2.2";

/// A speaker of AS 65000 at 192.0.2.1 whose neighbor of AS 65001 at 192.0.2.2 is a script.
pub struct Bench {
    here: Netns,
    there: Netns,
}

impl Bench {
    pub fn new() -> Self {
        let (here, there) = Netns::pair();
        Self { here, there }
    }

    /// Where the speaker is.
    pub fn here(&self) -> &Netns {
        &self.here
    }

    pub fn start(&self, neighbor: NeighborConfig) -> Owner {
        Owner::start(&self.here, SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) })
    }

    pub fn connect(&self) -> ScriptedPeer {
        ScriptedPeer::connect(&self.there, "192.0.2.2:0", "192.0.2.1:179")
    }

    /// A session that the speaker waited for, with both End-of-RIB markers heard.
    pub fn established(&self) -> (Owner, ScriptedPeer) {
        self.established_with(|_| ())
    }

    fn established_with(&self, change: impl FnOnce(&mut NeighborConfig)) -> (Owner, ScriptedPeer) {
        let mut neighbor = NeighborConfig { passive: true, ..neighbor(PEER, 65001) };
        change(&mut neighbor);
        let mut owner = self.start(neighbor);
        let mut peer = self.connect();
        peer.establish(&open(65001, 90, 2));
        for family in Family::ALL {
            assert_eq!(peer.hear_update().end_of_rib, Some(family));
        }
        owner.until_up();
        (owner, peer)
    }
}

#[test]
fn speaker_connects_and_announces_what_it_originates() {
    let bench = Bench::new();
    let listener = listen(&bench.there, "192.0.2.2:179");
    let owner = bench.start(neighbor(PEER, 65001));
    let mut peer = ScriptedPeer::accept(&listener);
    let theirs = peer.establish(&open(65001, 90, 2));
    assert_eq!((theirs.asn(), theirs.families(), theirs.route_refresh()), (Asn(65000), Families::ALL, true));
    for family in Family::ALL {
        assert_eq!(peer.hear_update().end_of_rib, Some(family));
    }
    let flushed = owner.originate(vec![
        route("10.1.0.1/32", 2),
        route("10.1.0.2/32", 2),
        route("2001:db8:1::1/128", 2),
    ]);
    assert_eq!(
        (flushed.neighbors_established, flushed.neighbors_acknowledged, flushed.acknowledged),
        (1, 1, true)
    );
    assert!(flushed.written_at <= flushed.acked_at);
    let v4 = peer.hear_update().announced.remove(0);
    assert_eq!((v4.prefixes.len(), v4.attributes.as_path.to_string()), (2, "65000 65000 65000".into()));
    assert_eq!(v4.attributes.next_hop.to_string(), "192.0.2.1");
    let v6 = peer.hear_update().announced.remove(0);
    assert_eq!(v6.attributes.next_hop.to_string(), "2001:db8::1");
    assert_eq!(owner.only_neighbor().prefixes_sent, 3);
}

#[test]
fn routes_that_are_there_before_the_session_come_with_it() {
    let bench = Bench::new();
    let owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let flushed = owner.originate(vec![route("10.1.0.1/32", 0)]);
    assert_eq!((flushed.neighbors_established, flushed.acknowledged, flushed.written_at), (0, true, None));
    let mut peer = bench.connect();
    peer.establish(&open(65001, 90, 2));
    assert_eq!(peer.hear_update().announced[0].prefixes.len(), 1);
    assert_eq!(peer.hear_update().end_of_rib, Some(Family::Ipv4Unicast));
}

#[test]
fn only_the_difference_is_sent() {
    let bench = Bench::new();
    let (owner, mut peer) = bench.established();
    owner.originate(vec![route("10.1.0.0/16", 1), route("10.2.0.0/16", 1)]);
    assert_eq!(peer.hear_update().announced[0].prefixes.len(), 2);
    let before = owner.only_neighbor().updates_out;
    assert!(owner.originate(vec![route("10.1.0.0/16", 1), route("10.2.0.0/16", 1)]).acknowledged);
    assert_eq!(owner.only_neighbor().updates_out, before, "no change, no UPDATE");
    owner.originate(vec![route("10.2.0.0/16", 3)]);
    let update = peer.hear_update();
    assert_eq!(update.announced[0].attributes.as_path.decision_length(), 4);
    assert_eq!(update.announced[0].prefixes[0].to_string(), "10.2.0.0/16");
    assert_eq!(peer.hear_update().withdrawn[0].to_string(), "10.1.0.0/16");
}

#[test]
fn learned_routes_come_and_go_with_the_session() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established();
    peer.send(&routes(0));
    assert_eq!(owner.until_route("10.0.0.0/8").as_deref(), Some(PEER));
    let view = owner.answer(owner.handle.routes());
    assert_eq!((view.len(), view[0].why), (1, Why::Best));
    assert_eq!(owner.only_neighbor().prefixes_accepted, 1);
    peer.hang_up();
    assert_eq!(owner.until_down(), "connection lost: closed by the neighbor");
    assert_eq!(owner.until_route("10.0.0.0/8"), None);
}

#[test]
fn nothing_is_learned_without_a_rule_until_a_reload_brings_one() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established_with(|neighbor| neighbor.import = Policy::deny_all());
    peer.send(&routes(0));
    let summary = owner.until_summary(|summary| summary.prefixes_received > 0);
    assert_eq!(summary.prefixes_accepted, 0);
    assert_eq!(owner.answer(owner.handle.routes())[0].why, Why::Unusable(Obstacle::RefusedByPolicy));
    let changed = NeighborConfig { passive: true, ..neighbor(PEER, 65001) };
    let reloaded = SpeakerConfig { neighbors: vec![changed], ..config(65000, 1) };
    owner.answer(owner.handle.reload(reloaded)).expect("the configuration is good");
    assert_eq!(owner.until_route("10.0.0.0/8").as_deref(), Some(PEER));
    assert_eq!(owner.only_neighbor().established_count, 1, "the session stays");
}

#[test]
fn wrong_as_is_refused_in_words() {
    let bench = Bench::new();
    let mut owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let mut peer = bench.connect();
    peer.send_open(&open(65099, 90, 2));
    assert!(peer.hear_the_end().is(reason::BAD_PEER_AS));
    assert_eq!(owner.until_down(), "we sent NOTIFICATION OPEN error: bad peer AS (2/2), data fe4b");
}

#[test]
fn silent_neighbor_is_given_up_after_the_hold_time() {
    let bench = Bench::new();
    let mut owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let mut peer = bench.connect();
    peer.establish(&open(65001, 3, 2));
    assert!(peer.hear_the_end().is(reason::HOLD_TIMER_EXPIRED));
    assert_eq!(owner.until_down(), "we sent NOTIFICATION hold timer expired (4/0)");
}

#[test]
fn stranger_is_hung_up_on_and_counted() {
    let bench = Bench::new();
    bench.there.ip("addr add 192.0.2.99/24 dev v0");
    let owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let mut stranger = ScriptedPeer::connect(&bench.there, "192.0.2.99:0", "192.0.2.1:179");
    assert!(matches!(stranger.hear(), Said::Nothing), "not even an OPEN");
    assert_eq!(owner.summary().refused_connections, 1);
}

#[test]
fn collision_leaves_the_connection_of_the_higher_identifier() {
    for (id, kept_is_theirs) in [(9, true), (0, false)] {
        let bench = Bench::new();
        let listener = listen(&bench.there, "192.0.2.2:179");
        let mut owner = bench.start(neighbor(PEER, 65001));
        let mut outgoing = ScriptedPeer::accept(&listener);
        let mut incoming = bench.connect();
        assert!(matches!(outgoing.hear(), Said::Open(_)));
        assert!(matches!(incoming.hear(), Said::Open(_)));
        outgoing.send_open(&open(65001, 90, id));
        incoming.send_open(&open(65001, 90, id));
        let (mut kept, mut lost) = if kept_is_theirs { (incoming, outgoing) } else { (outgoing, incoming) };
        assert!(lost.hear_the_end().is(reason::COLLISION));
        assert!(matches!(kept.hear(), Said::Keepalive));
        kept.send(&keepalive());
        owner.until_up();
        assert_eq!(owner.only_neighbor().established_count, 1);
    }
}

#[test]
fn second_connection_to_an_established_session_is_refused() {
    let bench = Bench::new();
    let (owner, mut peer) = bench.established();
    let mut second = bench.connect();
    assert!(second.hear_the_end().is(reason::COLLISION));
    assert!(matches!(peer.hear(), Said::Keepalive), "the first connection is probed");
    assert_eq!(owner.only_neighbor().state, State::Established);
}

#[test]
fn shutdown_tells_the_text_and_closes() {
    let bench = Bench::new();
    let (owner, mut peer) = bench.established();
    let done = owner.handle.shutdown("maintenance until noon");
    let cease = peer.hear_the_end();
    assert!(cease.is(reason::ADMINISTRATIVE_SHUTDOWN));
    assert_eq!(cease.shutdown_text().as_deref(), Some("maintenance until noon"));
    peer.hang_up();
    owner.answer(done);
    assert!(owner.handle.summary().blocking_recv().is_err(), "the speaker is gone");
}

#[test]
fn dropping_the_last_handle_ends_the_sessions() {
    let bench = Bench::new();
    let (owner, mut peer) = bench.established();
    drop(owner);
    assert!(peer.hear_the_end().is(reason::ADMINISTRATIVE_SHUTDOWN));
}

#[test]
fn clear_resets_the_session_and_takes_it_up_again() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established();
    let key = owner.only_neighbor().neighbor;
    assert!(owner.answer(owner.handle.clear(key)));
    assert!(peer.hear_the_end().is(reason::ADMINISTRATIVE_RESET));
    assert!(owner.until_down().contains("administrative reset (6/4)"));
    bench.connect().establish(&open(65001, 90, 2));
    owner.until_up();
    let nobody: std::net::IpAddr = "192.0.2.77".parse().unwrap();
    assert!(!owner.answer(owner.handle.clear(nobody.into())));
}

#[test]
fn failed_bfd_ends_the_session_at_once_and_it_begins_anew() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established();
    let nobody: std::net::IpAddr = "192.0.2.77".parse().unwrap();
    owner.handle.bfd_down(nobody.into());
    owner.handle.bfd_down(owner.only_neighbor().neighbor);
    assert!(peer.hear_the_end().is(reason::BFD_DOWN));
    assert!(owner.until_down().contains("BFD down (6/10)"));
    bench.connect().establish(&open(65001, 90, 2));
    owner.until_up();
}

#[test]
fn identical_reload_touches_nothing_and_a_removed_neighbor_is_told() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established();
    let same = NeighborConfig { passive: true, ..neighbor(PEER, 65001) };
    let same = SpeakerConfig { neighbors: vec![same], ..config(65000, 1) };
    owner.answer(owner.handle.reload(same.clone())).unwrap();
    owner.originate(vec![route("10.1.0.0/16", 0)]);
    assert_eq!(peer.hear_update().announced.len(), 1, "the session lives");
    let bad = SpeakerConfig { local_as: Asn(0), ..same };
    assert!(owner.answer(owner.handle.reload(bad)).is_err());
    assert_eq!(owner.only_neighbor().state, State::Established, "a bad configuration changes nothing");
    owner.answer(owner.handle.reload(config(65000, 1))).unwrap();
    assert!(peer.hear_the_end().is(reason::PEER_DECONFIGURED));
    assert!(owner.until_down().contains("peer de-configured"));
    assert!(owner.summary().neighbors.is_empty());
}

#[test]
fn changed_neighbor_begins_anew() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established();
    let mut changed = NeighborConfig { passive: true, ..neighbor(PEER, 65001) };
    changed.hold_time = 30.try_into().unwrap();
    owner
        .answer(owner.handle.reload(SpeakerConfig { neighbors: vec![changed], ..config(65000, 1) }))
        .unwrap();
    assert!(peer.hear_the_end().is(reason::OTHER_CONFIGURATION_CHANGE));
    let theirs = bench.connect().establish(&open(65001, 90, 2));
    assert_eq!(theirs.hold_time.secs(), 30);
    owner.until_up();
}

#[test]
fn link_down_ends_the_session_at_once() {
    let bench = Bench::new();
    let (mut owner, _peer) = bench.established();
    let subnets = vec!["192.0.2.1/24".parse().unwrap()];
    owner.handle.link_down(Link { name: "v7".into(), subnets: vec!["198.51.100.1/24".parse().unwrap()] });
    assert_eq!(owner.only_neighbor().state, State::Established, "another link");
    owner.handle.link_down(Link { name: "v0".into(), subnets });
    assert_eq!(owner.until_down(), "link down");
}

#[test]
fn end_of_rib_waits_after_a_restart_until_the_owner_has_originated() {
    let bench = Bench::new();
    let restart = RestartOffer {
        time_secs: 120,
        notification: false,
        families: Families::ALL,
        restarted_until: Some(bgp_proto::types::Time::from_millis(120_000)),
        forwarding: Families::ALL,
    };
    let offer = Offer { graceful_restart: Some(restart), ..Offer::default() };
    let mut owner = bench.start(NeighborConfig { passive: true, offer, ..neighbor(PEER, 65001) });
    let mut peer = bench.connect();
    let theirs = peer.establish(&open(65001, 90, 2));
    let says_so = |capability: &Capability| matches!(capability, Capability::GracefulRestart(said) if said.restarted && said.forwarding == Families::ALL);
    assert!(theirs.capabilities.iter().any(says_so));
    owner.until_up();
    // The first message is the route: there was no End-of-RIB before it.
    owner.originate(vec![route("10.1.0.0/16", 0)]);
    assert_eq!(peer.hear_update().announced.len(), 1);
    for family in Family::ALL {
        assert_eq!(peer.hear_update().end_of_rib, Some(family));
    }
}

#[test]
fn refresh_sends_the_family_again() {
    let bench = Bench::new();
    let (owner, mut peer) = bench.established();
    owner.originate(vec![route("10.1.0.0/16", 0), route("2001:db8:1::/48", 0)]);
    let both = [peer.hear_update(), peer.hear_update()];
    let mut octets = Vec::new();
    RouteRefresh::request(Family::Ipv6Unicast).push(&mut octets);
    peer.send(&octets);
    assert_eq!(peer.hear_update(), both[1]);
}

#[test]
fn malformed_attribute_costs_the_route_and_not_the_session() {
    let bench = Bench::new();
    let (mut owner, mut peer) = bench.established();
    peer.send(&routes(0));
    assert!(owner.until_route("10.0.0.0/8").is_some());
    let mut bad = routes(0);
    bad[26] = 9; // ORIGIN
    peer.send(&bad);
    assert_eq!(owner.until_route("10.0.0.0/8"), None);
    let summary = owner.only_neighbor();
    assert_eq!((summary.state, summary.malformed_attributes), (State::Established, 1));
}

#[test]
fn neighbor_that_does_not_read_costs_bounded_memory_until_its_hold_time_ends_it() {
    let bench = Bench::new();
    let mut owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let all = (0..400_000_u32).map(|n| {
        bgp_speaker::Originated::new(bgp_speaker::Prefix::host(
            std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
        ))
    });
    owner.originate(all.collect());
    let mut peer = bench.connect();
    peer.establish(&open(65001, 3, 2));
    owner.until_up();
    // Neither end says a word that the other could count: the socket buffers are full.
    let queued = owner.only_neighbor().queued_octets;
    assert!(queued < 200_000, "{queued} octets wait in the speaker");
    let flushed = owner.originate(vec![route("10.0.0.0/8", 0)]);
    assert_eq!((flushed.neighbors_established, flushed.neighbors_acknowledged), (1, 0));
    assert!(owner.until_down().contains("hold timer expired"));
}

#[test]
fn neighbor_that_talks_and_does_not_read_is_given_up_by_the_send_hold_timer() {
    let bench = Bench::new();
    let config =
        NeighborConfig { passive: true, send_hold: Some(Millis::from_secs(2)), ..neighbor(PEER, 65001) };
    let mut owner = bench.start(config);
    let all = (0..400_000_u32).map(|n| {
        bgp_speaker::Originated::new(bgp_speaker::Prefix::host(
            std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
        ))
    });
    owner.originate(all.collect());
    let mut peer = bench.connect();
    peer.establish(&open(65001, 90, 2));
    owner.until_up();
    peer.send(&keepalive());
    assert_eq!(owner.until_down(), "we sent NOTIFICATION send hold timer expired (8/0)");
}

#[test]
fn keepalives_go_between_the_updates_of_a_large_dump() {
    let bench = Bench::new();
    let owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let all = (0..1_000_000_u32).map(|n| {
        bgp_speaker::Originated::new(bgp_speaker::Prefix::host(
            std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into(),
        ))
    });
    owner.originate(all.collect());
    let mut peer = ScriptedPeer::connect_with_buffer(&bench.there, "192.0.2.2:0", "192.0.2.1:179", 32 * 1024);
    peer.establish(&open(65001, 3, 2));
    let (mut prefixes, mut keepalives) = (0, 0);
    loop {
        match peer.hear() {
            Said::Update(update) if update.end_of_rib.is_some() => break,
            Said::Update(update) => {
                prefixes += update.announced.iter().map(|group| group.prefixes.len()).sum::<usize>();
                // Some 1200 messages: the dump takes longer than the hold time because it is read no faster.
                std::thread::sleep(std::time::Duration::from_millis(4));
            }
            Said::Keepalive => {
                keepalives += 1;
                peer.send(&keepalive());
            }
            other => panic!("the session stays: {other:?}"),
        }
    }
    assert_eq!(prefixes, 1_000_000);
    assert!(keepalives >= 3, "{keepalives} keepalives, and a hold time of 3 s");
}

#[test]
fn answer_to_a_refresh_stands_between_marks_where_both_know_them() {
    let bench = Bench::new();
    let mut owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    owner.originate(vec![route("10.1.0.0/16", 0)]);
    let mut peer = bench.connect();
    let mut theirs = open(65001, 90, 2);
    theirs.capabilities.push(Capability::EnhancedRouteRefresh);
    peer.establish(&theirs);
    owner.until_up();
    for _ in 0..3 {
        peer.hear_update();
    }
    let mut octets = Vec::new();
    RouteRefresh::request(Family::Ipv4Unicast).push(&mut octets);
    peer.send(&octets);
    assert!(matches!(peer.hear(), Said::RouteRefresh), "the beginning");
    assert_eq!(peer.hear_update().announced[0].prefixes.len(), 1);
    assert!(matches!(peer.hear(), Said::RouteRefresh), "the end");
}

#[test]
fn full_table_is_read_while_keepalives_flow_with_the_shortest_hold_time() {
    let bench = Bench::new();
    let mut owner = bench.start(NeighborConfig { passive: true, ..neighbor(PEER, 65001) });
    let mut peer = bench.connect();
    peer.establish(&open(65001, 3, 2));
    owner.until_up();
    // Nothing takes the events meanwhile: changes gather in the table, and nothing else waits for them.
    for n in 0..500_u32 {
        let mut body =
            vec![0, 0, 0, 20, 0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 192, 0, 2, 2];
        for m in 0..800_u32 {
            body.push(32);
            body.extend_from_slice(&(0x0a00_0000 + n * 800 + m).to_be_bytes());
        }
        peer.send(&crate::scripted_peer::update(&body));
    }
    let mut told = 0;
    while told < 400_000 {
        told += owner.until(|event| match event {
            Event::BestPathsChanged(changes) => Some(changes.len()),
            Event::NeighborUp { .. }
            | Event::NeighborDown { .. }
            | Event::NextHopsWanted(_)
            | Event::Converged { .. } => {
                panic!("the session stays: {event:?}")
            }
        });
        peer.send(&keepalive());
    }
    assert_eq!(owner.only_neighbor().state, State::Established);
}

#[test]
fn what_one_neighbor_tells_is_not_passed_on_to_another() {
    let bench = Bench::new();
    bench.there.ip("addr add 192.0.2.3/24 dev v0");
    let waiting = |address, asn| NeighborConfig { passive: true, ..neighbor(address, asn) };
    let neighbors = vec![waiting(PEER, 65001), waiting("192.0.2.3", 65002)];
    let mut owner = Owner::start(&bench.here, SpeakerConfig { neighbors, ..config(65000, 1) });
    let mut teller = bench.connect();
    teller.establish(&open(65001, 90, 2));
    let mut other = ScriptedPeer::connect(&bench.there, "192.0.2.3:0", "192.0.2.1:179");
    other.establish(&open(65002, 90, 3));
    for family in Family::ALL {
        assert_eq!(other.hear_update().end_of_rib, Some(family));
    }
    teller.send(&routes(2));
    assert_eq!(owner.until_route("10.0.0.0/8"), Some("192.0.2.2".into()));
    // What begins here is the next that it hears.
    owner.originate(vec![route("10.1.0.1/32", 0)]);
    let mut heard = other.hear_update();
    let group = heard.announced.remove(0);
    assert_eq!((group.prefixes.len(), group.attributes.as_path.to_string()), (1, "65000".into()));
    assert_eq!(group.prefixes[0].to_string(), "10.1.0.1/32");
    assert!(heard.announced.is_empty() && heard.withdrawn.is_empty());
}
