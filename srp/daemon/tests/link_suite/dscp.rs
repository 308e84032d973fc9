//! Every packet of the control connection carries the DSCP of its sender, as captured on the wire.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, setsockopt, socket, sockopt,
};
use srp_core::config::Dscp;

use crate::pair::{Bench, EAST, WEST, address, isolate, items, plaintext, port};

const TCP: u8 = 6;

/// Everything that crosses the loopback of the namespace.
struct Capture(std::os::fd::OwnedFd);

impl Capture {
    fn new() -> Self {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let packets = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)
            .expect("a packet socket needs root");
        setsockopt(&packets, sockopt::RcvBufForce, &(32 << 20)).expect("room for every packet");
        Self(packets)
    }

    /// Senders and traffic class octets, ECN left out, of the packets from and to this thread's port.
    fn marks(&self) -> BTreeSet<(IpAddr, u8)> {
        let mut marks = BTreeSet::new();
        let mut frame = vec![0; 65_600];
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            marks.extend(mark(&frame[..length]));
        }
        marks
    }
}

/// Sender and DSCP of a frame, if it is one of ours (RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1).
fn mark(frame: &[u8]) -> Option<(IpAddr, u8)> {
    let packet = frame.get(14..)?;
    let (sender, class, tcp): (IpAddr, u8, &[u8]) = match packet.first()? >> 4 {
        4 if packet.get(9) == Some(&TCP) => {
            let header = usize::from(packet[0] & 0xf) * 4;
            (packet.get(12..16)?.first_chunk::<4>().copied()?.into(), *packet.get(1)?, packet.get(header..)?)
        }
        6 if packet.get(6) == Some(&TCP) => {
            let class = u16::from_be_bytes(*packet.first_chunk()?) >> 4;
            let sender = packet.get(8..24)?.first_chunk::<16>().copied()?.into();
            (sender, u8::try_from(class & 0xff).ok()?, packet.get(40..)?)
        }
        _ => return None,
    };
    let ports = [tcp.get(..2)?, tcp.get(2..4)?];
    ports.contains(&port().to_be_bytes().as_slice()).then_some((sender, class >> 2))
}

fn every_name_is_on_the_wire(east: &str, west: &str) {
    isolate();
    let names = Dscp::ALL.iter();
    for ((name, here), (_, there)) in names.clone().zip(names.cycle().skip(1)) {
        let capture = Capture::new();
        let mut settings = [plaintext(east, west), plaintext(west, east)];
        settings[0].dscp = here.value();
        settings[1].dscp = there.value();
        let [ours, theirs] = settings;
        let mut bench = Bench::pair(ours, theirs);
        bench.both_up();
        for (from, to) in [(0, 1), (1, 0)] {
            bench.send(from, &items(5_000));
            assert_eq!(bench.await_message(to), items(5_000));
        }
        let expected = BTreeSet::from([(address(east), here.value()), (address(west), there.value())]);
        assert_eq!(capture.marks(), expected, "{name}");
    }
}

#[test]
fn qos_1_every_name_is_on_every_packet_over_ipv4() {
    every_name_is_on_the_wire(EAST, WEST);
}

#[test]
fn qos_1_every_name_is_on_every_packet_over_ipv6() {
    every_name_is_on_the_wire("fd00::1", "fd00::2");
}
