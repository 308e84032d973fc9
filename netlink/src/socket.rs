//! The netlink sockets: one writes and asks, one dumps, one listens, and one listens to the routes of others once that matters.
//!
//! They are apart so that an overrun of events never swallows an acknowledgement, and a long dump never delays a
//! write. Writing and dumping are synchronous on purpose: the kernel carries a request out within `sendmsg`, and its
//! answer is in the receive buffer before `sendmsg` returns, so there is nothing to wait for except the kernel's own
//! lock. Requests go out many to a message with one acknowledgement at the end (errors always come back).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use socket2::{SockFilter, SockRef};

use crate::filter;
use crate::frame::{NLMSG_DONE, NLMSG_ERROR, Refusal, answer, append, decode, frames};

/// Requests to one `sendmsg`. Their worst case, an error for each, stays far below the receive buffer.
const BATCH: usize = 128;
/// What the kernel fills at most per read of a dump or of a batch of answers.
const READ_BUFFER: usize = 64 << 10;
/// Receive buffer of the writing and the dumping socket.
const ANSWER_BUFFER: usize = 1 << 20;
/// An answer is there when `sendmsg` returns; this only bounds what should never happen.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

fn open() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// Beyond `rmem_max` where the process may (it has `CAP_NET_ADMIN` anyway), up to it otherwise.
fn set_receive_buffer(socket: &Socket, octets: usize) -> io::Result<()> {
    // The kernel doubles what it is given, for its own bookkeeping.
    let half = octets.div_ceil(2);
    setsockopt(socket, RcvBufForce, &half).or_else(|_| setsockopt(socket, RcvBuf, &half))?;
    Ok(())
}

/// Carries out requests.
pub(crate) struct WriteSocket {
    socket: Socket,
    sequence: u32,
    out: Vec<u8>,
    read: Vec<u8>,
}

impl WriteSocket {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = open()?;
        set_receive_buffer(&socket, ANSWER_BUFFER)?;
        SockRef::from(&socket).set_read_timeout(Some(ANSWER_TIMEOUT))?;
        // Old kernels know neither; then refusals carry the number alone.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self {
            socket,
            sequence: 0,
            out: Vec::with_capacity(READ_BUFFER),
            read: Vec::with_capacity(READ_BUFFER),
        })
    }

    /// The port number, which the kernel puts into the notifications that our requests cause.
    pub(crate) fn port(&self) -> io::Result<u32> {
        let mut address = SocketAddr::new(0, 0);
        self.socket.get_address(&mut address)?;
        Ok(address.port_number())
    }

    /// Carries the requests out in order, each whatever became of the one before, and returns one result for each.
    pub(crate) fn carry_out(
        &mut self,
        requests: Vec<(RouteNetlinkMessage, u16)>,
    ) -> io::Result<Vec<Result<(), Refusal>>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter();
        loop {
            let first = self.sequence.wrapping_add(1);
            let mut count = 0;
            self.out.clear();
            let batch = requests.by_ref().take(BATCH);
            let mut batch = batch.peekable();
            while let Some((message, flags)) = batch.next() {
                let ack = if batch.peek().is_none() { NLM_F_ACK } else { 0 };
                self.sequence = self.sequence.wrapping_add(1);
                append(&mut self.out, message, flags | ack, self.sequence);
                count += 1;
            }
            if count == 0 {
                return Ok(results);
            }
            self.socket.send(&self.out, 0)?;
            self.collect(first, count, &mut results)?;
        }
    }

    /// Asks for one object, and returns the kernel's answer.
    pub(crate) fn ask(
        &mut self,
        request: RouteNetlinkMessage,
    ) -> io::Result<Result<RouteNetlinkMessage, Refusal>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.out.clear();
        append(&mut self.out, request, 0, self.sequence);
        self.socket.send(&self.out, 0)?;
        loop {
            self.read.clear();
            self.socket.recv(&mut self.read, 0)?;
            for frame in frames(&self.read).filter(|frame| frame.header.sequence_number == self.sequence) {
                if frame.header.message_type != NLMSG_ERROR {
                    let unread =
                        || io::Error::new(io::ErrorKind::InvalidData, "an answer that cannot be read");
                    return decode(&frame).map(Ok).ok_or_else(unread);
                }
                if let Err(refusal) = answer(&frame) {
                    return Ok(Err(refusal));
                }
            }
        }
    }

    fn collect(
        &mut self,
        first: u32,
        count: usize,
        results: &mut Vec<Result<(), Refusal>>,
    ) -> io::Result<()> {
        let base = results.len();
        results.resize(base + count, Ok(()));
        loop {
            self.read.clear();
            self.socket.recv(&mut self.read, 0)?;
            for frame in frames(&self.read).filter(|frame| frame.header.message_type == NLMSG_ERROR) {
                // An answer to an earlier batch that was given up has another number.
                let offset = frame.header.sequence_number.wrapping_sub(first) as usize;
                if offset >= count {
                    continue;
                }
                results[base + offset] = answer(&frame);
                if offset + 1 == count {
                    return Ok(());
                }
            }
        }
    }
}

/// Reads what the kernel holds.
pub(crate) struct DumpSocket {
    socket: Socket,
    sequence: u32,
    read: Vec<u8>,
}

/// What one step of a dump gave.
pub(crate) enum DumpStep {
    /// Some objects; there may be more.
    Some(Vec<RouteNetlinkMessage>),
    /// The end. `consistent` is false if the kernel's state changed under way, so that objects may be missing.
    End { consistent: bool },
}

/// A dump under way. Only one at a time per socket.
pub(crate) struct Dump {
    sequence: u32,
    consistent: bool,
}

impl DumpSocket {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = open()?;
        set_receive_buffer(&socket, ANSWER_BUFFER)?;
        SockRef::from(&socket).set_read_timeout(Some(ANSWER_TIMEOUT))?;
        // Lets the kernel filter routes by protocol and table (4.20 and later); elsewhere we filter alone.
        let _ = socket.set_netlink_get_strict_chk(true);
        Ok(Self { socket, sequence: 0, read: Vec::with_capacity(READ_BUFFER) })
    }

    /// Asks for a dump; what an earlier one left unread is skipped.
    pub(crate) fn start(&mut self, request: RouteNetlinkMessage) -> io::Result<Dump> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut out = Vec::with_capacity(128);
        append(&mut out, request, NLM_F_DUMP, self.sequence);
        loop {
            match self.socket.send(&out, 0) {
                // An abandoned dump is still running on this socket: read it to its end.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                    self.read.clear();
                    self.socket.recv(&mut self.read, 0)?;
                }
                Err(error) => return Err(error),
                Ok(_) => return Ok(Dump { sequence: self.sequence, consistent: true }),
            }
        }
    }

    /// Reads the next part: at most 32 KiB, some hundreds of routes.
    pub(crate) fn next(&mut self, dump: &mut Dump) -> io::Result<DumpStep> {
        self.read.clear();
        self.socket.recv(&mut self.read, 0)?;
        let mut found = Vec::new();
        for frame in frames(&self.read).filter(|frame| frame.header.sequence_number == dump.sequence) {
            dump.consistent &= frame.header.flags & NLM_F_DUMP_INTR == 0;
            match frame.header.message_type {
                NLMSG_DONE => return Ok(DumpStep::End { consistent: dump.consistent }),
                NLMSG_ERROR => match answer(&frame) {
                    Err(refusal) => return Err(io::Error::from_raw_os_error(refusal.errno as i32)),
                    Ok(()) => return Ok(DumpStep::End { consistent: dump.consistent }),
                },
                _ => found.extend(decode(&frame)),
            }
        }
        Ok(DumpStep::Some(found))
    }

    /// A whole dump at once, repeated while the kernel's state changes under it (three times at most).
    /// False if it still did, so that objects may be missing.
    pub(crate) fn all(
        &mut self,
        request: &RouteNetlinkMessage,
    ) -> io::Result<(Vec<RouteNetlinkMessage>, bool)> {
        let mut tries = 0;
        loop {
            let mut dump = self.start(request.clone())?;
            let mut found = Vec::new();
            let consistent = loop {
                match self.next(&mut dump)? {
                    DumpStep::Some(part) => found.extend(part),
                    DumpStep::End { consistent } => break consistent,
                }
            };
            tries += 1;
            if consistent || tries == 3 {
                return Ok((found, consistent));
            }
        }
    }
}

/// Hears of links, addresses and routes.
pub(crate) struct EventSocket {
    socket: Socket,
    read: Vec<u8>,
}

/// What one read of the event socket gave.
pub(crate) enum Heard {
    /// Messages with their header flags, in the kernel's order.
    Messages(Vec<(RouteNetlinkMessage, u16)>),
    /// The receive buffer overflowed: events are lost, and more will be, without another word, until everything
    /// that is waiting has been read (`NETLINK_S_CONGESTED`).
    Overrun,
    /// Nothing more for now.
    Nothing,
}

impl EventSocket {
    /// Hears from now on; `own_port` is the writing socket's, whose echoes the kernel filters out.
    pub(crate) fn open(buffer: usize, own_port: u32, protocol: u8) -> io::Result<Self> {
        let groups = [
            libc::RTNLGRP_LINK,
            libc::RTNLGRP_IPV4_IFADDR,
            libc::RTNLGRP_IPV6_IFADDR,
            libc::RTNLGRP_IPV4_ROUTE,
            libc::RTNLGRP_IPV6_ROUTE,
        ];
        Self::listen(buffer, &filter::program(own_port, protocol), &groups)
    }

    /// Hears of the routes of others, and nothing else.
    pub(crate) fn open_for_routes(buffer: usize, own_port: u32, protocol: u8) -> io::Result<Self> {
        let groups = [libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE];
        Self::listen(buffer, &filter::routes_of_others(own_port, protocol), &groups)
    }

    fn listen(buffer: usize, filter: &[SockFilter], groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        SockRef::from(&socket).attach_filter(filter)?;
        setsockopt(&socket, RcvBufForce, &(buffer / 2))
            .or_else(|_| setsockopt(&socket, RcvBuf, &(buffer / 2)))?;
        socket.set_non_blocking(true)?;
        socket.bind_auto()?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        Ok(Self { socket, read: Vec::with_capacity(READ_BUFFER) })
    }

    pub(crate) fn hear(&mut self) -> io::Result<Heard> {
        self.read.clear();
        match self.socket.recv(&mut self.read, 0) {
            Ok(_) => {
                let messages = frames(&self.read)
                    .filter_map(|frame| decode(&frame).map(|message| (message, frame.header.flags)));
                Ok(Heard::Messages(messages.collect()))
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => Ok(Heard::Overrun),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Heard::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Heard::Nothing),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for EventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
