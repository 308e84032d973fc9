//! What leaves our sockets, as a plain socket at the other end sees it.

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bfd::packet::decode;
use bfd::{Packet, State};
use lab::netns::Netns;
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

use crate::bench::{Bench, V4, V6, linked, multihop, session};
use crate::raw::{Raw, down};

/// One packet with what the kernel says of it.
struct Seen {
    packet: Packet,
    octets: usize,
    ttl: i32,
    traffic_class: i32,
    source_port: u16,
}

fn listener(place: &Netns, address: &str, port: u16) -> UdpSocket {
    let socket = place.enter(|| UdpSocket::bind((address, port))).expect("inside").expect("a socket");
    if address.contains(':') {
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true).expect("hop limits");
        socket2::SockRef::from(&socket).set_recv_tclass_v6(true).expect("traffic classes");
    } else {
        setsockopt(&socket, sockopt::Ipv4RecvTtl, &true).expect("TTLs");
        socket2::SockRef::from(&socket).set_recv_tos_v4(true).expect("traffic classes");
    }
    socket.set_nonblocking(true).expect("non-blocking");
    socket
}

fn read(socket: &UdpSocket) -> Option<Seen> {
    let mut octets = [0; 100];
    let mut space = cmsg_space!(libc::c_int, libc::c_int);
    let mut slices = [IoSliceMut::new(&mut octets)];
    let message =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::empty())
            .ok()?;
    let (mut ttl, mut traffic_class) = (0, 0);
    for control in message.cmsgs().expect("room for both") {
        match control {
            ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => ttl = value,
            ControlMessageOwned::Ipv4Tos(value) => traffic_class = value.into(),
            ControlMessageOwned::Ipv6TClass(value) => traffic_class = value,
            other => panic!("{other:?}"),
        }
    }
    let source = message.address.expect("a source");
    let source_port = source.as_sockaddr_in().map_or_else(
        || source.as_sockaddr_in6().map_or(0, nix::sys::socket::SockaddrIn6::port),
        nix::sys::socket::SockaddrIn::port,
    );
    let len = message.bytes;
    let packet = decode(&octets[..len]).expect("a BFD packet").packet;
    Some(Seen { packet, octets: len, ttl, traffic_class, source_port })
}

fn next(bench: &mut Bench, socket: &UdpSocket) -> Seen {
    let mut seen = None;
    bench.run_until("a packet", |_| {
        seen = read(socket);
        seen.is_some()
    });
    seen.expect("there is one")
}

#[test]
fn packets_carry_ttl_255_and_cs6_from_one_port_of_the_dynamic_range() {
    let (here, there) = linked();
    let cases = [
        (session(V4), V4.1, 3784),
        (session(V6), V6.1, 3784),
        (multihop(V4, 1), V4.1, 4784),
        (multihop(V6, 1), V6.1, 4784),
    ];
    for (settings, address, port) in cases {
        let listener = listener(&there, address, port);
        let mut bench = Bench::with(&here, settings);
        let first = next(&mut bench, &listener);
        let second = next(&mut bench, &listener);
        for seen in [&first, &second] {
            assert_eq!((seen.ttl, seen.traffic_class, seen.octets), (255, 0xc0, 24));
            assert!(seen.source_port >= 49_152, "{}", seen.source_port);
            assert_eq!((seen.packet.state, seen.packet.your_discriminator), (State::Down, None));
        }
        assert_eq!(first.source_port, second.source_port, "RFC 5881 section 4: the same for one session");
    }
}

#[test]
fn every_session_has_a_source_port_and_a_discriminator_of_its_own() {
    let (here, there) = linked();
    there.ip(&["addr add 192.0.2.3/24 dev v0".into()]).expect("a second address");
    let (one, other) = (listener(&there, "192.0.2.2", 3784), listener(&there, "192.0.2.3", 3784));
    let mut bench = Bench::new();
    bench.open(0, &here, vec![session(V4), session((V4.0, "192.0.2.3"))]);
    let (one, other) = (next(&mut bench, &one), next(&mut bench, &other));
    assert_ne!(one.source_port, other.source_port);
    assert_ne!(one.packet.my_discriminator, other.packet.my_discriminator);
}

#[test]
fn poll_is_answered_at_once_and_news_is_told_at_once() {
    let (here, there) = linked();
    let listener = listener(&there, V4.1, 3784);
    let mut bench = Bench::with(&here, session(V4));
    next(&mut bench, &listener);
    let raw = Raw::new(&there, V4.1, (V4.0, 3784), 255);
    raw.send(&Packet { poll: true, ..down() }.encode());
    let answer = next(&mut bench, &listener).packet;
    assert!(answer.is_final && !answer.poll);
    assert_eq!(answer.state, State::Init);
    assert_eq!(answer.your_discriminator, Some(down().my_discriminator));
    let up = Packet { state: State::Up, your_discriminator: Some(answer.my_discriminator), ..down() };
    raw.send(&up.encode());
    let told = next(&mut bench, &listener).packet;
    assert_eq!(told.state, State::Up);
    assert!(told.poll, "the new interval is announced");
    assert_eq!(told.desired_min_tx.0, 100_000);
}

#[test]
fn peer_in_demand_mode_hears_nothing_but_answers() {
    let (here, there) = linked();
    let listener = listener(&there, V4.1, 3784);
    let mut bench = Bench::with(&here, session(V4));
    let first = next(&mut bench, &listener).packet;
    let raw = Raw::new(&there, V4.1, (V4.0, 3784), 255);
    let init = Packet { state: State::Init, your_discriminator: Some(first.my_discriminator), ..down() };
    raw.send(&init.encode());
    assert_eq!(next(&mut bench, &listener).packet.state, State::Up);
    let demand = Packet {
        state: State::Up,
        demand: true,
        is_final: true,
        detect_mult: std::num::NonZeroU8::MAX,
        ..init
    };
    raw.send(&demand.encode());
    bench.run_until("it is heard", |bench| bench.view(0).transmit_interval.is_none());
    while read(&listener).is_some() {} // what was still on its way
    bench.run_for(Duration::from_millis(1_500));
    assert!(read(&listener).is_none(), "nothing periodic");
    raw.send(&Packet { poll: true, is_final: false, ..demand }.encode());
    assert!(next(&mut bench, &listener).packet.is_final);
}
