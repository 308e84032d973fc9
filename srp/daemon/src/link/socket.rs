//! TCP sockets of the link, and the options that make TCP notice a dead peer in time.
//!
//! The listener takes an address that is not there yet (`IP_FREEBIND`), so the order in which interfaces come up does
//! not matter. A connection gives up when the peer's kernel has acknowledged nothing for about a dead-interval: by
//! then the peer has not heard us either, and a new connection is faster than waiting for TCP's growing
//! retransmission timer. Sources: tcp(7), ip(7), ipv6(7), RFC 5482 (user timeout).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use srp_core::types::Span;

/// Retransmissions start at 200 ms: a shorter user timeout would turn one lost packet into a lost link.
const SHORTEST_USER_TIMEOUT: Span = Span::millis(500);

/// Small, so that a peer that does not read is noticed here and not hidden by the kernel; doubled by the kernel.
const SEND_BUFFER: usize = 128 * 1024;

/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 128;

/// A listener on an address that may come up later.
pub(super) fn listen(address: SocketAddr, dscp: u8) -> io::Result<TcpListener> {
    let socket = socket(address.ip())?;
    socket.set_reuse_address(true)?;
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    mark(&socket, address.ip(), dscp)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Starts to connect from `bind_address`; the outcome shows when the stream turns writable.
pub(super) fn dial(
    bind_address: IpAddr,
    peer: SocketAddr,
    dscp: u8,
    dead_interval: Span,
) -> io::Result<TcpStream> {
    let socket = socket(bind_address)?;
    tune(&socket, bind_address, dscp, dead_interval)?;
    socket.bind(&SocketAddr::new(bind_address, 0).into())?;
    match socket.connect(&peer.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Gives an accepted stream the same options as a dialled one.
pub(super) fn adopt(
    stream: &TcpStream,
    bind_address: IpAddr,
    dscp: u8,
    dead_interval: Span,
) -> io::Result<()> {
    tune(&SockRef::from(stream), bind_address, dscp, dead_interval)
}

/// Makes closing discard what was not sent, so that nothing of a given-up connection reaches the peer later.
pub(super) fn discard_on_close(stream: &TcpStream) {
    // A socket that is broken already has nothing to discard.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn socket(local: IpAddr) -> io::Result<Socket> {
    let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

fn tune(socket: &Socket, local: IpAddr, dscp: u8, dead_interval: Span) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(dead_interval.max(SHORTEST_USER_TIMEOUT).into()))?;
    // Hellos keep a healthy link busy; this finds a peer that died while we had nothing to say.
    let second = Duration::from_secs(1);
    let idle = Duration::from(dead_interval).max(second);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(second).with_retries(3))?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    mark(socket, local, dscp)
}

fn mark(socket: &Socket, local: IpAddr, dscp: u8) -> io::Result<()> {
    // RFC 2474 section 3: the DSCP is the upper six bits of the octet; the lower two are ECN's.
    let octet = u32::from(dscp.min(63)) << 2;
    if local.is_ipv4() { socket.set_tos_v4(octet) } else { socket.set_tclass_v6(octet) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_connection_carries_the_dscp_and_gives_up_within_the_dead_interval() {
        for local in ["192.0.2.1", "fd00::1"] {
            let local: IpAddr = local.parse().expect("address");
            let socket = socket(local).expect("socket");
            tune(&socket, local, 48, Span::secs(2)).expect("options");
            let octet = if local.is_ipv4() { socket.tos_v4() } else { socket.tclass_v6() };
            assert_eq!(octet.expect("DSCP"), 0xc0);
            assert_eq!(socket.tcp_user_timeout().expect("timeout"), Some(Duration::from_secs(2)));
            assert!(socket.tcp_nodelay().expect("nodelay"));
            assert!(socket.keepalive().expect("keepalive"));
            tune(&socket, local, 48, Span::millis(30)).expect("options");
            let at_least = Some(Duration::from(SHORTEST_USER_TIMEOUT));
            assert_eq!(socket.tcp_user_timeout().expect("timeout"), at_least, "one retransmission must fit");
        }
    }
}
