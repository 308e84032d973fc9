//! Packets that nobody's driver would send: what is refused, and under which name it is counted.

use std::net::UdpSocket;
use std::num::NonZeroU8;

use bfd::{Diagnostic, Discard, Discriminator, Interval, Packet, State};
use lab::netns::Netns;
use srpd::bfd::{Refusal, SessionSettings};

use crate::bench::{Bench, ROUTED_V4, ROUTED_V6, V4, V6, linked, multihop, routed, session};

/// A socket at the peer's end of a session, without any BFD behind it.
pub struct Raw {
    socket: UdpSocket,
    to: (String, u16),
}

impl Raw {
    /// Sends from `from` with this TTL to our end of the session.
    pub fn new(place: &Netns, from: &str, (ours, port): (&str, u16), ttl: u32) -> Self {
        let socket = place.enter(|| UdpSocket::bind((from, 0))).expect("inside").expect("a socket");
        let own = socket2::SockRef::from(&socket);
        if from.contains(':') { own.set_unicast_hops_v6(ttl) } else { own.set_ttl_v4(ttl) }.expect("a TTL");
        Self { socket, to: (ours.to_owned(), port) }
    }

    pub fn send(&self, octets: &[u8]) {
        self.socket.send_to(octets, (self.to.0.as_str(), self.to.1)).expect("the packet leaves");
    }
}

/// A first packet: it knows nobody.
pub fn down() -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state: State::Down,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: NonZeroU8::new(3).expect("three"),
        my_discriminator: Discriminator::new(99).expect("not zero"),
        your_discriminator: None,
        desired_min_tx: Interval::millis(1_000),
        required_min_rx: Interval::millis(1_000),
        required_min_echo_rx: Interval::ZERO,
    }
}

/// Waits until a packet has been counted under this name.
fn await_refusal(bench: &mut Bench, name: &'static str) {
    let before = bench.counter(0, name);
    bench.run_until(name, |bench| bench.counter(0, name) > before);
}

fn refuses_ttl(settings: &SessionSettings, place: &Netns, bench: &mut Bench, refused: u32, accepted: u32) {
    let ours = settings.local_address.to_string();
    let theirs = settings.peer.to_string();
    let port = settings.hops.port();
    let raw = |ttl| Raw::new(place, &theirs, (&ours, port), ttl);
    raw(refused).send(&down().encode());
    await_refusal(bench, "ttl");
    let view = bench.view(0);
    assert_eq!((view.state, view.refused), (State::Down, 1), "it changes nothing");
    assert!(view.remote.is_none());
    let Some(Refusal::Ttl { got, least }) = view.last_refusal else { panic!("{:?}", view.last_refusal) };
    assert!(got < least);
    raw(accepted).send(&down().encode());
    bench.run_until("the packet is taken", |bench| bench.state(0) == State::Init);
    assert_eq!(bench.counter(0, "ttl"), 1);
}

#[test]
fn single_hop_takes_no_packet_with_another_ttl_than_255() {
    let (here, there) = linked();
    for addresses in [V4, V6] {
        for ttl in [254, 64, 1] {
            let settings = session(addresses);
            let mut bench = Bench::with(&here, settings.clone());
            refuses_ttl(&settings, &there, &mut bench, ttl, 255);
        }
    }
}

#[test]
fn multihop_takes_no_packet_below_its_least_ttl() {
    let (here, _router, there) = routed();
    for addresses in [ROUTED_V4, ROUTED_V6] {
        let settings = multihop(addresses, 250);
        let mut bench = Bench::with(&here, settings.clone());
        // The router takes one off.
        refuses_ttl(&settings, &there, &mut bench, 250, 251);
    }
}

#[test]
fn each_kind_of_bad_packet_has_its_counter_and_changes_nothing() {
    let (here, there) = linked();
    let settings = session(V4);
    let mut bench = Bench::pair(&here, &there, &settings);
    bench.await_both_up();
    let raw = |from: &str, port| Raw::new(&there, from, (V4.0, port), 255);
    there.ip(&["addr add 192.0.2.3/24 dev v0".into()]).expect("a second address");
    let (own, peer) = (bench.view(0).local_discriminator, bench.view(1).local_discriminator);
    let known =
        Packet { state: State::Down, my_discriminator: peer, your_discriminator: Some(own), ..down() };
    let but = |packet: Packet, at: usize, value: u8| {
        let mut octets = packet.encode().to_vec();
        octets[at] = value;
        octets
    };
    let authenticated = {
        let mut octets = but(known, 1, 0x44);
        octets[3] = 28;
        octets.extend([1, 4, 1, b'x']);
        octets
    };
    let stranger = Packet { your_discriminator: Discriminator::new(own.get() ^ 1), ..known };
    let cases: [(&str, &str, u16, Vec<u8>); 13] = [
        ("short", V4.1, 3784, b"ab".to_vec()),
        ("short", V4.1, 3784, Vec::new()),
        ("version", V4.1, 3784, but(known, 0, 0x40)),
        ("length", V4.1, 3784, but(known, 3, 23)),
        ("truncated", V4.1, 3784, but(known, 3, 255)),
        ("zero-detect-mult", V4.1, 3784, but(known, 2, 0)),
        ("multipoint", V4.1, 3784, but(known, 1, 0x41)),
        ("zero-my-discriminator", V4.1, 3784, [&known.encode()[..4], &[0; 20]].concat()),
        ("unknown-discriminator", V4.1, 3784, stranger.encode().to_vec()),
        ("no-discriminator", V4.1, 3784, but(down(), 1, 0xc0)),
        ("unknown-source", "192.0.2.3", 3784, down().encode().to_vec()),
        ("source", "192.0.2.3", 3784, known.encode().to_vec()),
        ("authentication", V4.1, 3784, authenticated),
    ];
    for (name, from, port, octets) in cases {
        raw(from, port).send(&octets);
        await_refusal(&mut bench, name);
    }
    assert_eq!((bench.state(0), bench.downs()), (State::Up, 0));
    let view = bench.view(0);
    let kind = bfd::AuthenticationType::SimplePassword;
    assert_eq!(view.last_refusal, Some(Discard::Authentication(kind).into()));
}

#[test]
fn packet_at_the_port_of_the_other_kind_of_path_is_refused() {
    let (here, there) = linked();
    let mut bench = Bench::new();
    bench.open(0, &here, vec![session(V4), multihop(V6, 1)]);
    let views = bench.bfd(0).sessions();
    let to = |number: usize| Packet { your_discriminator: Some(views[number].local_discriminator), ..down() };
    Raw::new(&there, V4.1, (V4.0, 3784), 255).send(&to(1).encode());
    await_refusal(&mut bench, "hops");
    // The multihop session exists, and at its port a first packet for a single-hop one finds nobody.
    Raw::new(&there, V6.1, (V6.0, 4784), 255).send(&to(1).encode());
    bench.run_until("the multihop session takes its own", |bench| {
        bench.bfd(0).sessions()[1].state == State::Init
    });
}

#[test]
fn packet_from_another_interface_is_refused() {
    let (here, there) = linked();
    crate::bench::wire(&here, "v9", &there, "v9");
    crate::bench::configure(&here, "v9", &["203.0.113.1/24".into()], 5);
    crate::bench::configure(&there, "v9", &["203.0.113.2/24".into()], 6);
    // Our end of the session is reached over the other link, as its address is ours on every link.
    there
        .ip(&["route add 192.0.2.1/32 dev v9".into(), "route add 203.0.113.0/24 dev v9 table 9".into()])
        .unwrap_or_else(|error| panic!("{error}"));
    here.sysctl(&[("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/v9/rp_filter", "0")]).expect("no filter");
    let mut bench = Bench::with(&here, session(V4));
    let own = bench.view(0).local_discriminator;
    let raw = Raw::new(&there, V4.1, (V4.0, 3784), 255);
    raw.send(&Packet { your_discriminator: Some(own), ..down() }.encode());
    await_refusal(&mut bench, "interface");
    raw.send(&down().encode());
    await_refusal(&mut bench, "unknown-source");
    assert_eq!(bench.state(0), State::Down);
}

#[test]
fn ten_thousand_bad_packets_do_not_take_a_session_down() {
    let (here, there) = linked();
    let mut bench = Bench::pair(&here, &there, &session(V4));
    bench.await_both_up();
    let raw = Raw::new(&there, V4.1, (V4.0, 3784), 64);
    let octets = Packet {
        my_discriminator: bench.view(1).local_discriminator,
        your_discriminator: Some(bench.view(0).local_discriminator),
        ..down()
    }
    .encode();
    for _ in 0..100 {
        (0..100).for_each(|_| raw.send(&octets));
        bench.turn(std::time::Duration::ZERO);
    }
    let refused = bench.counter(0, "ttl");
    println!("{refused} of 10,000 packets with a wrong TTL were read and refused");
    assert!(refused > 0);
    assert_eq!((bench.state(0), bench.downs()), (State::Up, 0));
}
