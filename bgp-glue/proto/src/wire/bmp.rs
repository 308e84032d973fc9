//! BMP messages (RFC 7854): what a monitoring station is told of the neighbors of this speaker.
//!
//! ```text
//! message:      version 3 (1) | length (4) | type (1) | body
//! per peer:     type 0 (1) | flags (1) | distinguisher (8) | address (16) | AS (4) | identifier (4) | time (8)
//! ```
//!
//! The routes are those of the Adj-RIB-In before policy, always with four-octet AS numbers, so that of the flags only V
//! (the address is IPv6) is ever set.

use std::net::{IpAddr, SocketAddr};

use super::mrt::WallTime;
use super::notification::Notification;
use crate::session::DownReason;
use crate::types::{Asn, RouterId};
use crate::wire::header::push_notification;

const VERSION: u8 = 3;
const ROUTE_MONITORING: u8 = 0;
const STATISTICS_REPORT: u8 = 1;
const PEER_DOWN: u8 = 2;
const PEER_UP: u8 = 3;
const INITIATION: u8 = 4;
const TERMINATION: u8 = 5;

/// Event 18 of RFC 4271 section 8.1: the connection failed.
const TCP_CONNECTION_FAILS: [u8; 2] = [0, 18];

/// The neighbor that a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BmpPeer {
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: Asn,
    /// Its identifier.
    pub router_id: RouterId,
}

/// Appends what a station is told first (section 4.3).
pub fn push_initiation(out: &mut Vec<u8>, name: &str, description: &str) {
    push(out, INITIATION, |out| {
        push_tlv(out, 2, name.as_bytes());
        push_tlv(out, 1, description.as_bytes());
    });
}

/// Appends what a station is told last (section 4.5): we close because we were told to.
pub fn push_termination(out: &mut Vec<u8>) {
    push(out, TERMINATION, |out| push_tlv(out, 1, &[0, 0]));
}

/// Appends a session that came up (section 4.10), with both ends of its connection and the OPEN messages, headers included.
pub fn push_peer_up(
    out: &mut Vec<u8>,
    peer: BmpPeer,
    since: WallTime,
    (local, remote): (SocketAddr, SocketAddr),
    (sent, received): (&[u8], &[u8]),
) {
    push(out, PEER_UP, |out| {
        push_peer(out, peer, since);
        push_address(out, local.ip());
        out.extend_from_slice(&local.port().to_be_bytes());
        out.extend_from_slice(&remote.port().to_be_bytes());
        out.extend_from_slice(sent);
        out.extend_from_slice(received);
    });
}

/// Appends a session that ended, and why (section 4.9).
pub fn push_peer_down(out: &mut Vec<u8>, peer: BmpPeer, now: WallTime, reason: &DownReason) {
    let mut told = |code: u8, notification: Option<&Notification>, event: &[u8]| {
        push(out, PEER_DOWN, |out| {
            push_peer(out, peer, now);
            out.push(code);
            out.extend_from_slice(event);
            if let Some(notification) = notification {
                push_notification(out, notification);
            }
        });
    };
    match reason {
        DownReason::NotificationSent(notification) => told(1, Some(notification), &[]),
        DownReason::LinkDown => told(2, None, &TCP_CONNECTION_FAILS),
        DownReason::NotificationReceived(notification) => told(3, Some(notification), &[]),
        DownReason::ConnectFailed(_) | DownReason::ConnectionLost(_) => told(4, None, &[]),
    }
}

/// Appends one UPDATE, header included (section 4.6).
pub fn push_route_monitoring(out: &mut Vec<u8>, peer: BmpPeer, now: WallTime, update: &[u8]) {
    push(out, ROUTE_MONITORING, |out| {
        push_peer(out, peer, now);
        out.extend_from_slice(update);
    });
}

/// What is counted of a neighbor (section 4.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BmpCounts {
    /// Routes in its Adj-RIB-In (statistic 7).
    pub routes: u64,
    /// UPDATE messages of this session that were treated as withdrawals (statistic 11).
    pub treated_as_withdraw: u32,
}

/// Appends counters.
pub fn push_statistics(out: &mut Vec<u8>, peer: BmpPeer, now: WallTime, counts: BmpCounts) {
    push(out, STATISTICS_REPORT, |out| {
        push_peer(out, peer, now);
        out.extend_from_slice(&2_u32.to_be_bytes());
        push_tlv(out, 7, &counts.routes.to_be_bytes());
        push_tlv(out, 11, &counts.treated_as_withdraw.to_be_bytes());
    });
}

fn push(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[VERSION, 0, 0, 0, 0, kind]);
    write(out);
    let length = u32::try_from(out.len() - start).expect("a message of BMP holds two of BGP at most");
    out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
}

fn push_peer(out: &mut Vec<u8>, peer: BmpPeer, time: WallTime) {
    out.extend_from_slice(&[0, if peer.address.is_ipv6() { 0x80 } else { 0 }]);
    out.extend_from_slice(&[0; 8]);
    push_address(out, peer.address);
    out.extend_from_slice(&peer.asn.0.to_be_bytes());
    out.extend_from_slice(&peer.router_id.to_bits().to_be_bytes());
    out.extend_from_slice(&time.secs.to_be_bytes());
    out.extend_from_slice(&time.micros.to_be_bytes());
}

/// In 16 octets, an IPv4 one in the last four of them.
fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            out.extend_from_slice(&[0; 12]);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
    }
}

/// A value beyond 65535 octets is cut off.
fn push_tlv(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::notification::reason;

    const NOW: WallTime = WallTime { secs: 1, micros: 2 };
    const PER_PEER: usize = 42;

    fn peer(address: &str) -> BmpPeer {
        let router_id = std::net::Ipv4Addr::new(192, 0, 2, 9).try_into().unwrap();
        BmpPeer { address: address.parse().unwrap(), asn: Asn(65001), router_id }
    }

    fn told(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(
            (out[0], out[1..5].to_vec()),
            (3, u32::try_from(out.len()).unwrap().to_be_bytes().to_vec())
        );
        out
    }

    #[test]
    fn initiation_names_us_and_termination_says_why() {
        let out = told(|out| push_initiation(out, "east", "srpd"));
        assert_eq!(out[5..], [4, 0, 2, 0, 4, b'e', b'a', b's', b't', 0, 1, 0, 4, b's', b'r', b'p', b'd']);
        assert_eq!(told(push_termination)[5..], [5, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn every_message_about_a_neighbor_names_it() {
        let v4 = told(|out| push_route_monitoring(out, peer("192.0.2.2"), NOW, &[7]));
        assert_eq!(v4[5..8], [0, 0, 0]);
        assert_eq!(v4[16..32], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]);
        assert_eq!(v4[32..], [0, 0, 0xfd, 0xe9, 192, 0, 2, 9, 0, 0, 0, 1, 0, 0, 0, 2, 7]);
        assert_eq!(told(|out| push_route_monitoring(out, peer("2001:db8::2"), NOW, &[]))[7], 0x80);
    }

    #[test]
    fn end_of_a_session_has_the_reason_of_section_4_9() {
        let notification = Notification::new(reason::HOLD_TIMER_EXPIRED);
        let rows = [
            (DownReason::NotificationSent(notification.clone()), 1, 21),
            (DownReason::LinkDown, 2, 2),
            (DownReason::NotificationReceived(notification), 3, 21),
            (DownReason::ConnectionLost("closed".into()), 4, 0),
        ];
        for (reason, code, more) in rows {
            let out = told(|out| push_peer_down(out, peer("192.0.2.2"), NOW, &reason));
            assert_eq!((out[6 + PER_PEER], out.len()), (code, 6 + PER_PEER + 1 + more), "{reason}");
        }
    }

    #[test]
    fn session_that_came_up_carries_both_opens_and_statistics_two_counts() {
        let ends = ("192.0.2.1:179".parse().unwrap(), "192.0.2.2:40000".parse().unwrap());
        let out = told(|out| push_peer_up(out, peer("192.0.2.2"), NOW, ends, (&[1; 29], &[2; 29])));
        assert_eq!(out[6 + PER_PEER + 16..][..4], [0, 179, 0x9c, 0x40]);
        assert_eq!(out.len(), 6 + PER_PEER + 20 + 58);
        let counts = BmpCounts { routes: 258, treated_as_withdraw: 3 };
        let out = told(|out| push_statistics(out, peer("192.0.2.2"), NOW, counts));
        assert_eq!(out[6 + PER_PEER..][..16], [0, 0, 0, 2, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(out[6 + PER_PEER + 16..], [0, 11, 0, 4, 0, 0, 0, 3]);
    }
}
