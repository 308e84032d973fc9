//! Making sockets: listeners, connections, and their end.
//!
//! Every socket carries the traffic class of network control (RFC 4271 appendix E: precedence 110) and sends at once
//! (`TCP_NODELAY`): a routing message that waits for more to come has missed its point.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use bgp_proto::types::PeerKind;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::config::{Hops, NeighborConfig};
use crate::tcp_ao;
use crate::tcp_auth::{Md5Key, set_least_hop_limit, set_md5_key};

/// Precedence "internetwork control", as routers mark their routing protocols.
const NETWORK_CONTROL: u32 = 0xc0;
const BACKLOG: i32 = 128;
/// As far as a packet can go.
const MOST_HOPS: u8 = 255;
/// The kernel takes no more octets than these ahead of what it can send, so that a keepalive never stands behind
/// megabytes of routes.
const UNSENT: u32 = 128 * 1024;
/// How long a connection may take to bring out its last words.
const FAREWELL: Duration = Duration::from_secs(1);

/// Opens a listener. The caller is inside of a tokio runtime.
pub(crate) fn listen(address: SocketAddr, device: Option<&str>) -> io::Result<TcpListener> {
    let socket = new(address.ip())?;
    bind_device(&socket, device)?;
    // Connections of an earlier run may still be around on the port.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // RFC 5082: neighbors with TTL security drop what comes with less, and that includes the answer to their SYN, which
    // goes out before anything is known of the neighbor.
    set_hop_limit(&socket, address.ip(), MOST_HOPS)?;
    // An address that is not here yet may come: its link may be down, or another chassis may have it.
    if !address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
            SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
        }
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether the kernel was built or booted without the IP version.
pub(crate) fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Opens a connection to a neighbor.
pub(crate) async fn connect(
    neighbor: NeighborConfig,
    kind: PeerKind,
    device: Option<Arc<str>>,
) -> io::Result<TcpStream> {
    let target = target(&neighbor)?;
    let socket = new(target.ip())?;
    bind_device(&socket, device.as_deref())?;
    guard(&socket, &neighbor, kind)?;
    if let Some(key) = &neighbor.md5_key {
        set_key(&socket, target.ip(), Some(key))?;
    }
    if let Some(keys) = &neighbor.ao_keys {
        tcp_ao::sign(&socket, target.ip(), keys)?;
    }
    if let Some(local) = neighbor.local_address {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    let stream = TcpSocket::from_std_stream(socket.into()).connect(target).await?;
    // A listener that went away on our own machine can be answered by our own SYN (simultaneous open with oneself).
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// Prepares a connection that a neighbor opened. It has the keys of its listener already.
pub(crate) fn adopt(stream: &TcpStream, neighbor: &NeighborConfig, kind: PeerKind) -> io::Result<()> {
    let socket = socket2::SockRef::from(stream);
    guard(&socket, neighbor, kind)?;
    prepare(&socket, stream.peer_addr()?.ip())
}

/// Signs with this key from now on.
pub(crate) fn set_key(socket: &impl AsRawFd, peer: IpAddr, key: Option<&Md5Key>) -> io::Result<()> {
    set_md5_key(socket, peer, if peer.is_ipv4() { 32 } else { 128 }, key)
}

/// How far what is sent may go, and what is taken.
fn guard(socket: &Socket, neighbor: &NeighborConfig, kind: PeerKind) -> io::Result<()> {
    // One that is found on its link has an IPv6 address.
    let address = neighbor.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
    match (neighbor.hops, kind) {
        (Hops::Secured(hops), _) => {
            set_hop_limit(socket, address, MOST_HOPS)?;
            // A packet from the next router comes with all 255.
            set_least_hop_limit(socket, address, MOST_HOPS - (hops.max(1) - 1))
        }
        (Hops::UpTo(hops), _) => set_hop_limit(socket, address, hops),
        (Hops::Usual, PeerKind::External) => set_hop_limit(socket, address, 1),
        (Hops::Usual, PeerKind::Internal) => set_hop_limit(socket, address, MOST_HOPS),
    }
}

fn set_hop_limit(socket: &Socket, address: IpAddr, hops: u8) -> io::Result<()> {
    match address {
        IpAddr::V4(_) => socket.set_ttl_v4(u32::from(hops)),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(u32::from(hops)),
    }
}

/// Keeps what the socket does to a VRF, if there is one. Needs no privilege for a socket that is bound to no device yet
/// (Linux 5.7). An error names the VRF.
pub fn bind_device(socket: &Socket, device: Option<&str>) -> io::Result<()> {
    let Some(device) = device else { return Ok(()) };
    let told = |error: io::Error| io::Error::new(error.kind(), format!("VRF {device}: {error}"));
    socket.bind_device(Some(device.as_bytes())).map_err(told)
}

/// The index of an interface by its name.
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    nix::net::if_::if_nametoindex(name).map_err(io::Error::from)
}

/// Writes what is left and closes, in such a way that the neighbor can read it: a socket that is closed with unread
/// input sends a reset, which would overtake our NOTIFICATION.
pub(crate) async fn farewell(mut stream: TcpStream, octets: Vec<u8>) {
    let last_words = async {
        stream.write_all(&octets).await?;
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether they are heard is up to the neighbor; the connection ends in any case.
    let _ = tokio::time::timeout(FAREWELL, last_words).await;
}

fn target(neighbor: &NeighborConfig) -> io::Result<SocketAddr> {
    let address = neighbor.address.ok_or_else(|| {
        let interface = neighbor.interface.as_deref().unwrap_or_default();
        io::Error::new(ErrorKind::NotFound, format!("no router has advertised itself on {interface} yet"))
    })?;
    Ok(match (address, &neighbor.interface) {
        (IpAddr::V6(address), Some(interface)) if address.is_unicast_link_local() => {
            SocketAddrV6::new(address, neighbor.port, 0, interface_index(interface)?).into()
        }
        (address, _) => SocketAddr::new(address, neighbor.port),
    })
}

fn new(address: IpAddr) -> io::Result<Socket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    prepare(&socket, address)?;
    Ok(socket)
}

fn prepare(socket: &Socket, address: IpAddr) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT)?;
    if address.is_ipv4() { socket.set_tos_v4(NETWORK_CONTROL) } else { socket.set_tclass_v6(NETWORK_CONTROL) }
}
