//! What lies under a session: signed segments, hop limits, neighbors that nobody named.

use std::net::IpAddr;

use bgp_proto::wire::notification::reason;
use bgp_speaker::{Asn, Hops, Md5Key, NeighborConfig, NeighborRange, SpeakerConfig, State};

use crate::frr::{Frr, activated, until};
use crate::netns::Netns;
use crate::owner::{Owner, config, neighbor, route};
use crate::scripted_peer::{Said, ScriptedPeer, keepalive, open};
use crate::tcp_auth::set_md5_key;

fn key(text: &str) -> Md5Key {
    Md5Key::try_from(text).expect("a short text")
}

fn speaker(netns: &Netns, neighbor: NeighborConfig) -> Owner {
    Owner::start(netns, with(neighbor))
}

fn with(neighbor: NeighborConfig) -> SpeakerConfig {
    SpeakerConfig { neighbors: vec![neighbor], ..config(65000, 1) }
}

/// A scripted neighbor that signs. The speaker's address has to be that of `key_for`.
fn signing(netns: &Netns, from: &str, text: &str) -> ScriptedPeer {
    let key = crate::tcp_auth::Md5Key::try_from(text).expect("a short text");
    ScriptedPeer::connect_prepared(netns, &format!("{from}:0"), "192.0.2.1:179", |socket| {
        set_md5_key(socket, "192.0.2.1".parse().unwrap(), 32, Some(&key)).expect("the kernel has TCP-MD5");
    })
}

#[test]
fn md5_session_with_frr_over_both_versions_and_by_either_opener() {
    for (ours, theirs) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
        for we_wait in [true, false] {
            let (here, there) = Netns::pair();
            let more = if we_wait { "" } else { " passive" };
            let password = format!(" neighbor {ours} password secret\n");
            let passive = if we_wait { String::new() } else { format!(" neighbor {ours}{more}\n") };
            let _frr = Frr::start(&there, 65001, &activated(ours, 65000, &(password + &passive)));
            let neighbor =
                NeighborConfig { md5_key: Some(key("secret")), passive: we_wait, ..neighbor(theirs, 65001) };
            speaker(&here, neighbor).until_up();
        }
    }
}

#[test]
fn wrong_md5_key_is_silence_until_a_reload_brings_the_right_one() {
    let (here, there) = Netns::pair();
    let more = " neighbor 192.0.2.1 password right\n neighbor 192.0.2.1 passive\n";
    let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, more));
    let of = |text| NeighborConfig { md5_key: Some(key(text)), ..neighbor("192.0.2.2", 65001) };
    let mut owner = speaker(&here, of("wrong"));
    assert!(owner.until_down().starts_with("cannot connect: no answer"));
    owner.answer(owner.handle.reload(with(of("right")))).unwrap();
    owner.until_up();
    until("FRR agrees", || frr.neighbor("192.0.2.1")["bgpState"] == "Established");
}

#[test]
fn md5_key_changes_while_the_session_stays() {
    let (here, there) = Netns::pair();
    let of =
        |text| NeighborConfig { md5_key: Some(key(text)), passive: true, ..neighbor("192.0.2.2", 65001) };
    let mut owner = speaker(&here, of("one"));
    let mut peer = signing(&there, "192.0.2.2", "one");
    peer.establish(&open(65001, 90, 2));
    owner.until_up();
    owner.answer(owner.handle.reload(with(of("two")))).unwrap();
    // What the speaker signs with the new key is dropped until the other end has it too, and then comes again.
    let flushed = owner.handle.set_originated(vec![route("10.1.0.0/16", 0)], crate::owner::PATIENCE);
    let two = crate::tcp_auth::Md5Key::try_from("two").unwrap();
    set_md5_key(peer.stream(), "192.0.2.1".parse().unwrap(), 32, Some(&two)).unwrap();
    while peer.hear_update().announced.is_empty() {}
    assert!(owner.answer(flushed).acknowledged);
    assert_eq!(owner.only_neighbor().established_count, 1);
    // A new connection needs the new key.
    peer.hang_up();
    owner.until_down();
    signing(&there, "192.0.2.2", "two").establish(&open(65001, 90, 2));
    owner.until_up();
}

#[test]
fn ttl_security_with_frr_by_either_opener() {
    for (we_wait, passive) in [(true, ""), (false, " neighbor 192.0.2.1 passive\n")] {
        let (here, there) = Netns::pair();
        let more = format!(" neighbor 192.0.2.1 ttl-security hops 1\n{passive}");
        let frr = Frr::start(&there, 65001, &activated("192.0.2.1", 65000, &more));
        let neighbor =
            NeighborConfig { hops: Hops::Secured(1), passive: we_wait, ..neighbor("192.0.2.2", 65001) };
        let mut owner = speaker(&here, neighbor);
        owner.until_up();
        assert!(owner.until_route("10.9.0.0/16").is_some());
        until("FRR agrees", || frr.neighbor("192.0.2.1")["bgpState"] == "Established");
    }
}

#[test]
fn packets_from_afar_do_not_reach_a_session_with_ttl_security() {
    let (here, there) = Netns::pair();
    let neighbor = NeighborConfig { hops: Hops::Secured(1), passive: true, ..neighbor("192.0.2.2", 65001) };
    let owner = speaker(&here, neighbor);
    // TTL 64, as if it were 192 hops away.
    let mut peer = ScriptedPeer::connect(&there, "192.0.2.2:0", "192.0.2.1:179");
    assert!(matches!(peer.hear(), Said::Open(_)));
    peer.send_open(&open(65001, 90, 2));
    until("the neighbor's kernel sends it again", || {
        let sockets = there.command("ss").args(["-tin", "dport", "=", ":179"]).output();
        String::from_utf8_lossy(&sockets.expect("ss (package iproute2) is installed").stdout)
            .contains("retrans:")
    });
    let summary = owner.only_neighbor();
    assert_eq!((summary.state, summary.messages_in), (State::OpenSent, 0));
}

#[test]
fn neighbors_of_a_range_are_taken_up_to_its_limit_and_forgotten_when_they_go() {
    let (here, there) = Netns::pair();
    there.ip("addr add 192.0.2.3/24 dev v0");
    let range = NeighborRange {
        prefix: "192.0.2.0/24".parse().unwrap(),
        limit: 1,
        neighbor: NeighborConfig { md5_key: Some(key("range")), ..neighbor("192.0.2.0", 65001) },
    };
    let mut owner = Owner::start(&here, SpeakerConfig { ranges: vec![range], ..config(65000, 1) });
    assert!(owner.summary().neighbors.is_empty());
    let mut first = signing(&there, "192.0.2.2", "range");
    first.establish(&open(65001, 90, 2));
    owner.until_up();
    assert_eq!(owner.only_neighbor().neighbor.address, "192.0.2.2".parse::<IpAddr>().ok());
    let mut second = signing(&there, "192.0.2.3", "range");
    assert!(matches!(second.hear(), Said::Nothing), "the range is full");
    first.hang_up();
    owner.until_down();
    until("the place is free", || owner.summary().neighbors.is_empty());
    let mut third = signing(&there, "192.0.2.3", "range");
    third.establish(&open(65001, 90, 3));
    owner.until_up();
    assert_eq!(owner.only_neighbor().neighbor.address, "192.0.2.3".parse::<IpAddr>().ok());
    owner.answer(owner.handle.reload(config(65000, 1))).unwrap();
    assert!(owner.until_down().contains("peer de-configured"));
}

#[test]
fn neighbor_may_know_us_by_another_as() {
    let (here, there) = Netns::pair();
    let neighbor =
        NeighborConfig { local_as: Some(Asn(64999)), passive: true, ..neighbor("192.0.2.2", 65001) };
    let owner = speaker(&here, neighbor);
    owner.originate(vec![route("10.1.0.0/16", 1)]);
    let mut peer = ScriptedPeer::connect(&there, "192.0.2.2:0", "192.0.2.1:179");
    assert_eq!(peer.establish(&open(65001, 90, 2)).asn(), Asn(64999));
    assert_eq!(peer.hear_update().announced[0].attributes.as_path.to_string(), "64999 64999");
    peer.send(&keepalive());
}

#[test]
fn neighbor_that_is_of_our_other_as_is_refused() {
    let (here, there) = Netns::pair();
    let neighbor =
        NeighborConfig { local_as: Some(Asn(64999)), passive: true, ..neighbor("192.0.2.2", 65001) };
    let _owner = speaker(&here, neighbor);
    let mut peer = ScriptedPeer::connect(&there, "192.0.2.2:0", "192.0.2.1:179");
    peer.send_open(&open(64999, 90, 2));
    assert!(peer.hear_the_end().is(reason::BAD_PEER_AS));
}

/// Two speakers that take each other up in the same instant, each by a connection of its own.
#[test]
fn simultaneous_opens_end_in_one_session_with_ttl_security_too() {
    const ROUNDS: u32 = 250;
    for hops in [Hops::Usual, Hops::Secured(1)] {
        let (here, there) = Netns::pair();
        let plain = |address: &str, asn| NeighborConfig {
            hops,
            ..NeighborConfig::new(address.parse().expect("an address"), Asn(asn))
        };
        let alone = [config(65000, 1), config(65001, 2)];
        let [mut together_here, mut together_there] = alone.clone();
        together_here.neighbors = vec![plain("192.0.2.2", 65001)];
        together_there.neighbors = vec![plain("192.0.2.1", 65000)];
        let [mut one, mut two] =
            [Owner::start(&here, alone[0].clone()), Owner::start(&there, alone[1].clone())];
        for round in 0..ROUNDS {
            let begun = [one.handle.reload(together_here.clone()), two.handle.reload(together_there.clone())];
            for begun in begun {
                one.answer(begun).expect("the configuration is good");
            }
            one.until_up();
            two.until_up();
            for owner in [&one, &two] {
                let summary = owner.only_neighbor();
                let found = (summary.state, summary.established_count);
                assert_eq!(found, (State::Established, 1), "round {round}: {summary:?}");
            }
            let ended = [one.handle.reload(alone[0].clone()), two.handle.reload(alone[1].clone())];
            for ended in ended {
                one.answer(ended).expect("the configuration is good");
            }
            one.until_down();
            two.until_down();
        }
    }
}
