//! UDP sockets of BFD: one receiver for each family and each kind of path, in each network; one sender for each session.
//!
//! Receivers are bound to no address, so they outlive every address, and learn from the kernel by which interface, to
//! which address and with which TTL a packet came. Senders are not connected: the ICMP error that a dead peer's kernel
//! returns is forgeable, and on a connected socket it would eat the next packet. No packet allocates memory.
//! Sources: RFC 5881 section 4 (ports), section 5 (TTL), RFC 5883 section 5; ip(7), ipv6(7), socket(7).

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;

use bfd::packet::{LEN, MAX_LEN};
use mio::net::UdpSocket;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::settings::{Hops, SessionSettings};

/// RFC 5881 section 4: "The source port MUST be in the range 49152 through 65535."
const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49_152..=65_535;

/// RFC 5881 section 5. RFC 5883 leaves it open; a peer that checks (FRR's minimum-ttl) needs the most there is.
const SENT_TTL: u32 = 255;

/// CS6, network control (RFC 4594 section 3.2), as a traffic class octet.
const TRAFFIC_CLASS: u32 = 48 << 2;

/// The first band of the kernel's default queue: before everything that waits there. Higher ones need a privilege.
const PRIORITY: i32 = 6;

/// A packet that has come, octets aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Index of the interface that it came in by.
    pub(super) interface: u32,
    /// TTL or hop limit; 0 if the kernel did not say, so that no check lets it pass.
    pub(super) ttl: u8,
    pub(super) len: usize,
}

/// Where packets of one family and one kind of path come in, in one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) is_ipv4: bool,
    pub(super) port: u16,
    /// Index of the VRF.
    pub(super) vrf: Option<NonZeroU32>,
}

impl Place {
    /// That of a session, whose VRF has this index.
    pub(super) fn of(settings: &SessionSettings, vrf: Option<NonZeroU32>) -> Self {
        Self { is_ipv4: settings.peer.is_ipv4(), port: settings.hops.port(), vrf }
    }

    /// The address that its receiver is bound to.
    pub(super) fn address(self) -> SocketAddr {
        let any: IpAddr =
            if self.is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        (any, self.port).into()
    }
}

/// What hears the packets of a place.
pub(super) struct Receiver {
    pub(super) socket: UdpSocket,
    pub(super) place: Place,
    octets: [u8; MAX_LEN],
    /// Room for a TTL and a packet info of either family.
    control: Vec<u8>,
}

impl Receiver {
    /// Opens it. One of the main network and those of VRFs (`SO_BINDTODEVICE`) do not hear each other's packets, and yet the kernel lets
    /// them bind to one port only if all say that they share it: `beside` are those of the port that are open. Said for no longer than
    /// that takes, or other programs could come in as well.
    pub(super) fn open(place: Place, beside: &[&Self]) -> io::Result<Self> {
        let socket = udp(place.is_ipv4)?;
        if place.is_ipv4 {
            socket.bind_device_by_index_v4(place.vrf)?;
            setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            socket.bind_device_by_index_v6(place.vrf)?;
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        let share = |share: bool| {
            let others = beside.iter().map(|other| SockRef::from(&other.socket).set_reuse_address(share));
            others.chain([socket.set_reuse_address(share)]).collect::<io::Result<Vec<()>>>()
        };
        if !beside.is_empty() {
            share(true)?;
        }
        let bound = socket.bind(&place.address().into());
        if !beside.is_empty() {
            share(false)?;
        }
        bound?;
        let socket = UdpSocket::from_std(socket.into());
        let control = cmsg_space!(libc::c_int, libc::in6_pktinfo);
        Ok(Self { socket, place, octets: [0; MAX_LEN], control })
    }

    /// The next packet, if one has come.
    pub(super) fn read(&mut self) -> io::Result<Option<Arrival>> {
        let fd = self.socket.as_raw_fd();
        let mut octets = [IoSliceMut::new(&mut self.octets)];
        let message = loop {
            let control = Some(&mut self.control[..]);
            match recvmsg::<SockaddrStorage>(fd, &mut octets, control, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                result => break result?,
            }
        };
        let source = message.address.and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
        });
        let unknown = self.place.address().ip();
        let mut arrival = Arrival {
            source: source.unwrap_or(unknown),
            destination: unknown,
            interface: 0,
            ttl: 0,
            len: message.bytes,
        };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                    arrival.ttl = u8::try_from(ttl).unwrap_or(0);
                }
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    arrival.destination = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into();
                    arrival.interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    arrival.destination = Ipv6Addr::from(info.ipi6_addr.s6_addr).into();
                    arrival.interface = info.ipi6_ifindex;
                }
                _ => {} // the kernel's own list, and it grows
            }
        }
        Ok(Some(arrival))
    }

    /// The octets of the packet that was read last.
    pub(super) fn octets(&self, arrival: Arrival) -> &[u8] {
        &self.octets[..arrival.len.min(MAX_LEN)]
    }
}

/// Where the packets of one session go out.
pub(super) struct Sender {
    socket: Socket,
    to: SockAddr,
    /// What it is bound to.
    pub(super) bound: Bound,
}

/// Indices of what a session is bound to, as they were when it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// The only interface that packets leave by and come in by.
    pub(super) interface: Option<NonZeroU32>,
    /// The VRF that they are in.
    pub(super) vrf: Option<NonZeroU32>,
}

impl Sender {
    /// A sender from a source port of its own; `ports` counts through them.
    pub(super) fn open(
        local: IpAddr,
        peer: IpAddr,
        hops: Hops,
        bound: Bound,
        ports: &mut SourcePorts,
    ) -> io::Result<Self> {
        let Bound { interface, vrf } = bound;
        let socket = udp(local.is_ipv4())?;
        match local {
            IpAddr::V4(_) => {
                socket.set_ttl_v4(SENT_TTL)?;
                socket.set_tos_v4(TRAFFIC_CLASS)?;
                socket.set_freebind_v4(true)?;
                socket.bind_device_by_index_v4(interface.or(vrf))?;
            }
            IpAddr::V6(_) => {
                socket.set_unicast_hops_v6(SENT_TTL)?;
                socket.set_tclass_v6(TRAFFIC_CLASS)?;
                socket.set_freebind_v6(true)?;
                socket.bind_device_by_index_v6(interface.or(vrf))?;
            }
        }
        // After IP_TOS, which sets a priority of its own.
        setsockopt(&socket, sockopt::Priority, &PRIORITY)?;
        let on_link = |address, port| match address {
            IpAddr::V4(v4) => SocketAddr::from((v4, port)),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, port, 0, interface.map_or(0, NonZeroU32::get)).into(),
        };
        ports.bind(|port| socket.bind(&on_link(local, port).into()))?;
        Ok(Self { socket, to: on_link(peer, hops.port()).into(), bound })
    }

    /// Sends one packet, or says why not. Nothing waits in between.
    pub(super) fn send(&self, octets: &[u8; LEN]) -> io::Result<()> {
        self.socket.send_to(octets, &self.to).map(drop)
    }
}

/// Counts through the source ports. RFC 5881 section 4: "The source port number SHOULD be unique among all BFD sessions
/// on the system."
#[derive(Debug)]
pub(super) struct SourcePorts(u16);

impl SourcePorts {
    /// Begins anywhere in the range, since ports of an earlier run may still be known to firewalls on the path.
    pub(super) fn new(seed: u64) -> Self {
        let size = u64::from(SOURCE_PORTS.end() - SOURCE_PORTS.start()) + 1;
        let offset = u16::try_from(seed % size).unwrap_or(0);
        Self(SOURCE_PORTS.start() + offset)
    }

    /// Tries ports until one is free.
    fn bind(&mut self, try_port: impl Fn(u16) -> io::Result<()>) -> io::Result<()> {
        for _ in SOURCE_PORTS {
            let port = self.0;
            self.0 = if port == *SOURCE_PORTS.end() { *SOURCE_PORTS.start() } else { port + 1 };
            match try_port(port) {
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
        Err(io::Error::new(ErrorKind::AddrInUse, "all source ports from 49152 to 65535 are in use"))
    }
}

fn udp(is_ipv4: bool) -> io::Result<Socket> {
    let domain = if is_ipv4 { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM.nonblocking().cloexec(), Some(Protocol::UDP))?;
    if !is_ipv4 {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn source_ports_stay_in_their_range_and_skip_those_in_use() {
        for seed in [0, 1, 16_383, 16_384, u64::MAX] {
            let mut ports = SourcePorts::new(seed);
            for _ in 0..3 {
                let tried = Cell::new(0);
                let taken = |port| {
                    assert!(SOURCE_PORTS.contains(&port));
                    tried.set(tried.get() + 1);
                    if tried.get() < 16_384 { Err(ErrorKind::AddrInUse.into()) } else { Ok(()) }
                };
                assert!(ports.bind(taken).is_ok(), "the last of all ports is found");
            }
            assert!(ports.bind(|_| Err(ErrorKind::AddrInUse.into())).is_err());
        }
    }
}
