//! Tells the hosts of a link, unasked, that an address is here now: gratuitous ARP and unsolicited Neighbor Advertisement.
//!
//! Hosts keep the MAC address of a service for minutes. When the service moves to another chassis of the same subnet, they
//! go on sending to the old one until they are told. One frame to everybody on the link does that:
//! - IPv4: an ARP announcement, which is a request for the own address (RFC 5227 section 3);
//! - IPv6: a Neighbor Advertisement to all nodes, Override set (RFC 4861 section 7.2.6).
//!
//! A frame can be lost and nobody acknowledges it: repeating is the caller's.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::links::Links;
use crate::names::{LinkIndex, LinkName, Mac};
use crate::types::Address;

const BROADCAST: [u8; 6] = [0xff; 6];
/// 33:33 and the last four octets of `ff02::1` (RFC 2464 section 7).
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;
#[allow(clippy::cast_possible_truncation, reason = "17, in the width that the kernel wants")]
const AF_PACKET: u16 = libc::AF_PACKET as u16;
#[allow(clippy::cast_possible_truncation, reason = "20, in the width that the kernel wants")]
const SOCKADDR_LL_LEN: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// Why the hosts of a link were not told.
#[derive(Debug, thiserror::Error)]
pub enum GratuitousError {
    /// The link does not exist.
    #[error("{ip}: there is no link {link}, so no host on it was told: create the link")]
    NoLink {
        /// The address.
        ip: IpAddr,
        /// The link that it is to be on.
        link: LinkName,
    },
    /// The link has no MAC address, so no host on it looks for one.
    #[error("{ip}: {link} has no MAC address, and nobody on it to tell: use an Ethernet link")]
    NoMac {
        /// The address.
        ip: IpAddr,
        /// The link that it is to be on.
        link: LinkName,
    },
    /// The frame could not be sent.
    #[error("{ip}: cannot tell the hosts on {link}: {source}")]
    Send {
        /// The address.
        ip: IpAddr,
        /// The link that it is on.
        link: LinkName,
        /// What the system said.
        source: io::Error,
    },
}

/// The sender, in the network namespace of the thread that opened it. Needs `CAP_NET_RAW`.
#[derive(Debug)]
pub struct Gratuitous {
    socket: Socket,
}

impl Gratuitous {
    /// Opens the socket. It receives nothing.
    pub fn open() -> io::Result<Self> {
        // Protocol 0: no frame is ever queued for us.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        Ok(Self { socket })
    }

    /// Tells everybody on the address's link, once. Does not wait: a full queue is an error.
    pub fn announce(&self, links: &Links, address: &Address) -> Result<(), GratuitousError> {
        let (ip, name) = (address.ip(), address.link());
        let Some(link) = links.by_name(name) else {
            return Err(GratuitousError::NoLink { ip, link: name.clone() });
        };
        let Some(mac) = link.mac else { return Err(GratuitousError::NoMac { ip, link: name.clone() }) };
        let frame = match ip {
            IpAddr::V4(v4) => arp_announcement(mac, v4).to_vec(),
            IpAddr::V6(v6) => neighbor_advertisement(mac, v6, forwards(name)).to_vec(),
        };
        self.send(link.index, &frame).map_err(|source| GratuitousError::Send {
            ip,
            link: name.clone(),
            source,
        })
    }

    fn send(&self, link: LinkIndex, frame: &[u8]) -> io::Result<()> {
        let index = i32::try_from(link.get()).map_err(io::Error::other)?;
        // SAFETY: the storage is larger than any kind of address and aligned for it; a `sockaddr_ll` is plain numbers, written
        // whole, and the length is its own.
        let ((), to) = unsafe {
            SockAddr::try_init(|storage, len| {
                let to = libc::sockaddr_ll {
                    sll_family: AF_PACKET,
                    sll_protocol: 0,
                    sll_ifindex: index,
                    sll_hatype: 0,
                    sll_pkttype: 0,
                    sll_halen: 0,
                    sll_addr: [0; 8],
                };
                storage.cast::<libc::sockaddr_ll>().write(to);
                *len = SOCKADDR_LL_LEN;
                Ok(())
            })
        }?;
        self.socket.send_to_with_flags(frame, &to, libc::MSG_DONTWAIT).map(|_| ())
    }
}

/// Hosts drop a default router that says it is none (RFC 4861 section 7.2.5), so the flag has to be the kernel's.
fn forwards(link: &LinkName) -> bool {
    std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{link}/forwarding"))
        .is_ok_and(|text| text.trim() == "1")
}

/// RFC 826 on Ethernet; sender and target protocol address are both `ip`.
fn arp_announcement(mac: Mac, ip: Ipv4Addr) -> [u8; 42] {
    joined([
        &BROADCAST[..],
        &mac.0,
        &[0x08, 0x06],       // ARP
        &[0, 1, 8, 0, 6, 4], // Ethernet, IPv4, and their address lengths
        &[0, 1],             // request
        &mac.0,
        &ip.octets(),
        &[0; 6],
        &ip.octets(),
    ])
}

/// RFC 4861 section 4.4, with the Target Link-Layer Address option.
fn neighbor_advertisement(mac: Mac, ip: Ipv6Addr, is_router: bool) -> [u8; 86] {
    const OVERRIDE: u8 = 0x20;
    const ROUTER: u8 = 0x80;
    let flags = OVERRIDE | if is_router { ROUTER } else { 0 };
    let mut message: [u8; 32] = joined([&[136, 0, 0, 0, flags, 0, 0, 0][..], &ip.octets(), &[2, 1], &mac.0]);
    let checksum = checksum(ip, ALL_NODES, &message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());

    joined([
        &ALL_NODES_MAC[..],
        &mac.0,
        &[0x86, 0xdd],                        // IPv6
        &[0x60, 0, 0, 0, 0, 32, ICMPV6, 255], // version, length, next header, hop limit
        &ip.octets(),
        &ALL_NODES.octets(),
        &message,
    ])
}

/// The parts one behind the other; together they are `N` octets.
fn joined<const N: usize, const PARTS: usize>(parts: [&[u8]; PARTS]) -> [u8; N] {
    let mut whole = [0; N];
    let mut at = 0;
    for part in parts {
        whole[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    whole
}

/// Of an `ICMPv6` message with its pseudo-header (RFC 4443 section 2.3). The message has an even length.
fn checksum(from: Ipv6Addr, to: Ipv6Addr, message: &[u8; 32]) -> u16 {
    let words = |octets: &[u8]| -> u32 {
        octets.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
    };
    let mut sum = words(&from.octets()) + words(&to.octets()) + words(message) + 32 + u32::from(ICMPV6);
    loop {
        match u16::try_from(sum) {
            Ok(folded) => return !folded,
            Err(_) => sum = (sum & 0xffff) + (sum >> 16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x02, 0x11, 0x22, 0x33, 0x44, 0x55]);

    #[test]
    fn arp_announcement_is_a_broadcast_request_for_the_own_address() {
        let frame = arp_announcement(MAC, Ipv4Addr::new(10, 0, 0, 100));
        let wanted = [
            255, 255, 255, 255, 255, 255, 2, 0x11, 0x22, 0x33, 0x44, 0x55, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2,
            0x11, 0x22, 0x33, 0x44, 0x55, 10, 0, 0, 100, 0, 0, 0, 0, 0, 0, 10, 0, 0, 100,
        ];
        assert_eq!(frame, wanted);
    }

    #[test]
    fn neighbor_advertisement_overrides_and_sums_up_to_all_ones() {
        for (is_router, flags) in [(false, 0x20), (true, 0xa0)] {
            let ip: Ipv6Addr = "2001:db8::100".parse().expect("an address");
            let frame = neighbor_advertisement(MAC, ip, is_router);
            assert_eq!(frame[54], 136);
            assert_eq!(frame[58], flags);
            assert_eq!(frame[62..78], ip.octets());
            assert_eq!(frame[78..86], [2, 1, 2, 0x11, 0x22, 0x33, 0x44, 0x55]);
            // A receiver sums the message with its checksum (RFC 1071).
            let message: &[u8; 32] = frame[54..86].try_into().expect("32 octets");
            assert_eq!(checksum(ip, ALL_NODES, message), 0);
        }
    }
}
