//! A netlink socket that stays in one namespace: flips links in one system call and reports what changes there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::error::LabError;
use crate::netns::Netns;

/// rtnetlink inside one namespace.
#[derive(Debug)]
pub struct Rtnl {
    socket: Socket,
}

impl Rtnl {
    /// Opens a socket inside `netns`, subscribed to `groups` (`RTNLGRP_*` numbers).
    pub fn open(netns: &Netns, groups: &[u32]) -> Result<Self, LabError> {
        netns.enter(|| Self::here(groups))?.map_err(|error| LabError::Network {
            doing: format!("open a netlink socket in {}", netns.name()),
            reason: error.to_string(),
        })
    }

    /// The same where this thread is.
    pub fn here(groups: &[u32]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_rx_buf_sz(4 << 20)?;
        for group in groups {
            socket.add_membership(*group)?;
        }
        Ok(Self { socket })
    }

    /// Sets links (by index) up or down, in order, with a single system call. The first refusal is the error; the links
    /// after it are still set.
    pub fn set_links(&self, indices: &[u32], up: bool) -> io::Result<()> {
        if indices.is_empty() {
            // The kernel refuses a datagram without a message.
            return Ok(());
        }
        let mut octets = Vec::new();
        for index in indices {
            let mut link = LinkMessage::default();
            link.header.index = *index;
            link.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
            link.header.change_mask = LinkFlags::Up;
            append(&mut octets, 0, RouteNetlinkMessage::SetLink(link));
        }
        self.send(&octets, indices.len())
    }

    /// Makes one change; `flags` say what it may find (`NLM_F_CREATE` and the like).
    pub fn change(&self, flags: u16, message: RouteNetlinkMessage) -> io::Result<()> {
        let mut octets = Vec::new();
        append(&mut octets, flags, message);
        self.send(&octets, 1)
    }

    /// Sends `count` messages and takes their answers. The first refusal is the error.
    fn send(&self, octets: &[u8], count: usize) -> io::Result<()> {
        self.socket.send_to(octets, &SocketAddr::new(0, 0), 0)?;
        let mut result = Ok(());
        let mut answered = 0;
        while answered < count {
            for payload in self.payloads()? {
                if let NetlinkPayload::Error(answer) = payload {
                    answered += 1;
                    if answer.code.is_some() && result.is_ok() {
                        result = Err(answer.to_io());
                    }
                }
            }
        }
        result
    }

    /// Takes the messages of one datagram; blocks until there is one.
    pub fn receive(&self) -> io::Result<Vec<RouteNetlinkMessage>> {
        let inner = |payload| match payload {
            NetlinkPayload::InnerMessage(inner) => Some(inner),
            _ => None, // acknowledgements and markers say nothing about links or routes
        };
        Ok(self.payloads()?.into_iter().filter_map(inner).collect())
    }

    fn payloads(&self) -> io::Result<Vec<NetlinkPayload<RouteNetlinkMessage>>> {
        let (octets, _) = self.socket.recv_from_full()?;
        let mut payloads = Vec::new();
        let mut rest = octets.as_slice();
        while rest.len() >= 16 {
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) else { break };
            let length = (message.header.length as usize).next_multiple_of(4).max(16);
            payloads.push(message.payload);
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(payloads)
    }
}

/// Adds a message that is to be acknowledged.
fn append(octets: &mut Vec<u8>, flags: u16, message: RouteNetlinkMessage) {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
    message.finalize();
    let at = octets.len();
    octets.resize(at + message.buffer_len(), 0);
    message.serialize(&mut octets[at..]);
}

impl AsFd for Rtnl {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
