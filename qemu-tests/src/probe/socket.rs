//! A socket, of UDP or of ICMP echo, whose packets carry the kernel's arrival time.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendto, setsockopt, sockopt::ReceiveTimestampns,
};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, Socket, Type};

/// Receive buffer: enough for what queues up while a reader waits for the processor.
const BUFFER: usize = 4 << 20;

pub struct Datagrams {
    socket: Socket,
}

/// A packet as it came.
pub struct Received {
    pub len: usize,
    pub from: SocketAddr,
    /// When the kernel got it: nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
}

impl Datagrams {
    /// Binds to `address`, which need not be there yet (`IP_FREEBIND`): it may come and go under the socket.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::of(Protocol::UDP, address)
    }

    /// For ICMP echo requests from `source`, and the replies to them alone (icmp(7)): the kernel puts number and checksum in. The
    /// namespace's `ping_group_range` has to allow it.
    pub fn echo(source: IpAddr) -> io::Result<Self> {
        let protocol = if source.is_ipv6() { Protocol::ICMPV6 } else { Protocol::ICMPV4 };
        Self::of(protocol, SocketAddr::new(source, 0))
    }

    fn of(protocol: Protocol, address: SocketAddr) -> io::Result<Self> {
        let domain = if address.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))?;
        match address.ip() {
            IpAddr::V4(_) => socket.set_freebind_v4(true)?,
            IpAddr::V6(_) => socket.set_freebind_v6(true)?,
        }
        socket.set_recv_buffer_size(BUFFER)?;
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self { socket })
    }

    /// Sends one packet; what the network says about earlier packets is no error of this one.
    pub fn send_to(&self, octets: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = SockaddrStorage::from(to);
        sendto(self.socket.as_raw_fd(), octets, &to, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }

    /// Takes one packet; `None` if there is none.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.socket.as_raw_fd();
        let got = match recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut control), MsgFlags::MSG_DONTWAIT)
        {
            Ok(got) => got,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stamp = got.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(stamp) => Some(nanos(stamp)),
            _ => None, // nothing else was asked for
        });
        let (wall, monotonic) = (clock(ClockId::CLOCK_REALTIME)?, clock(ClockId::CLOCK_MONOTONIC)?);
        // The stamp is wall time: its age is the same on both clocks unless the wall clock was set in between.
        let age = stamp.map_or(0, |stamp| wall.saturating_sub(stamp));
        let from = got.address.and_then(|address| socket_address(&address));
        Ok(from.map(|from| Received { len: got.bytes, from, at_ns: monotonic.saturating_sub(age) }))
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn clock(id: ClockId) -> io::Result<u64> {
    Ok(nanos(clock_gettime(id)?))
}

fn nanos(at: TimeSpec) -> u64 {
    let seconds = u64::try_from(at.tv_sec()).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(at.tv_nsec()).unwrap_or(0)
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::new(v6.ip().into(), v6.port()))
}
