//! The raw `ICMPv6` socket of one link: Router Advertisements and Solicitations, and nothing else.
//!
//! The kernel filters: by interface, by type, and by hop limit 255, which no packet has that came through a router (RFC 4861
//! section 6.1). It also writes and checks the checksum (RFC 3542 section 3.1), and chooses our link-local address as the
//! source; while there is none, or while it is still being checked for duplicates, sending fails.

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

use bgp_proto::discovery::wire::{self, LinkLayer, Message};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::socket::interface_index;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// RFC 4861 section 6.1: only a packet that no router has forwarded comes with it.
const HOP_LIMIT: u8 = 255;
/// Where the hop limit is in an IPv6 header.
const HOP_LIMIT_AT: u32 = 7;
/// Longer than any link that carries BGP lets an advertisement be; options beyond it are cut off, which the reader refuses.
const LONGEST: usize = 2048;

pub(super) struct LinkSocket {
    /// A raw one: its datagrams come and go by the same calls as those of UDP, with port 0.
    socket: UdpSocket,
    index: u32,
    link_layer: Option<LinkLayer>,
}

impl LinkSocket {
    /// Opens it on an interface that is there. Needs `CAP_NET_RAW`. The caller is inside of a tokio runtime.
    pub(super) fn open(interface: &str) -> io::Result<Self> {
        let index = interface_index(interface)?;
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6))?;
        // First of all, so that nothing else is ever queued.
        socket.attach_filter(&filter())?;
        socket.bind_device_by_index_v6(NonZeroU32::new(index))?;
        socket.set_multicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_unicast_hops_v6(HOP_LIMIT.into())?;
        socket.set_multicast_loop_v6(false)?;
        // A machine that does not forward is no member of its own accord.
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, index, link_layer: link_layer(interface) })
    }

    /// Waits until something has come, or the socket is broken.
    pub(super) async fn readable(&self) {
        // An error of the wait is found again when the socket is read.
        drop(self.socket.readable().await);
    }

    /// The next message, if one has come. What cannot be read is passed over.
    pub(super) fn receive(&self) -> io::Result<Option<(Ipv6Addr, Message)>> {
        let mut octets = [0; LONGEST];
        loop {
            let (count, from) = match self.socket.try_recv_from(&mut octets) {
                Ok((count, SocketAddr::V6(from))) => (count, from),
                Ok((_, SocketAddr::V4(_))) => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // What was queued before the socket was bound to its interface may be from another.
            let on_link = !from.ip().is_unicast_link_local() || from.scope_id() == self.index;
            match wire::read(*from.ip(), &octets[..count]) {
                Ok(message) if on_link => return Ok(Some((*from.ip(), message))),
                Ok(_) => {}
                Err(ignored) => {
                    tracing::debug!(from = %from.ip(), %ignored, "neighbor discovery: message ignored");
                }
            }
        }
    }

    /// Advertises us to one machine on the link, or to all of them.
    pub(super) fn advertise(&self, to: Option<Ipv6Addr>) -> io::Result<()> {
        self.send(&wire::advertisement(self.link_layer), to.unwrap_or(ALL_NODES))
    }

    /// Asks for routers.
    pub(super) fn solicit(&self) -> io::Result<()> {
        self.send(&wire::solicitation(self.link_layer), ALL_ROUTERS)
    }

    fn send(&self, octets: &[u8], to: Ipv6Addr) -> io::Result<()> {
        let to = SocketAddrV6::new(to, 0, 0, self.index);
        // Not by way of tokio, which would first have to learn that a new socket can be written to.
        SockRef::from(&self.socket).send_to(octets, &to.into()).map(drop)
    }
}

/// Takes advertisements and solicitations with hop limit 255. The packet begins at its `ICMPv6` type.
fn filter() -> [SockFilter; 7] {
    let load = code(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS);
    let equal = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let end = code(libc::BPF_RET | libc::BPF_K);
    let header = libc::SKF_NET_OFF.cast_unsigned();
    [
        SockFilter::new(load, 0, 0, header.wrapping_add(HOP_LIMIT_AT)),
        SockFilter::new(equal, 0, 3, HOP_LIMIT.into()),
        SockFilter::new(load, 0, 0, 0),
        SockFilter::new(equal, 2, 0, wire::ADVERTISEMENT.into()),
        SockFilter::new(equal, 1, 0, wire::SOLICITATION.into()),
        SockFilter::new(end, 0, 0, 0),
        SockFilter::new(end, 0, 0, u32::MAX),
    ]
}

/// Codes of the filter language are sixteen bits wide.
fn code(bits: u32) -> u16 {
    u16::try_from(bits).unwrap_or_default()
}

/// The link-layer address of an interface, if it has one of six octets.
fn link_layer(interface: &str) -> Option<LinkLayer> {
    let addresses = nix::ifaddrs::getifaddrs().ok()?;
    let link_layers = addresses.filter(|address| address.interface_name == interface);
    link_layers.filter_map(|address| address.address?.as_link_addr()?.addr()).find(|octets| *octets != [0; 6])
}
