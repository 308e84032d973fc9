//! What BFD is told before it opens, and what can go wrong while it opens.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use bfd::Timers;

/// How many mio tokens BFD asks for in the main network and in each VRF: one for each family and each kind of path.
pub const TOKENS: usize = 4;

/// Everything that BFD needs to know.
#[derive(Clone, Debug)]
pub struct BfdSettings {
    /// The sessions to begin with; they get the ids 0, 1, ... in this order.
    pub sessions: Vec<SessionSettings>,
    /// Seed of discriminators and jitter: another one at every start.
    pub seed: u64,
    /// mio tokens for BFD alone, at least [`TOKENS`] of them and as many for each VRF.
    pub tokens: Range<usize>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// The remote system: the only source that is accepted.
    pub peer: IpAddr,
    /// Our end, in the same family. It may come up later.
    pub local_address: IpAddr,
    /// The only interface that packets leave by and come in by. Needed where the peer is link-local.
    pub interface: Option<String>,
    /// The VRF that it is in; `None` for the main network.
    pub vrf: Option<String>,
    /// What lies between.
    pub hops: Hops,
    /// Intervals and multiplier.
    pub timers: Timers,
    /// Begins held down by the operator.
    pub admin_down: bool,
}

/// What lies between the two systems of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hops {
    /// A link: UDP port 3784, and no packet that a router has passed on (RFC 5881).
    Single,
    /// Routers: UDP port 4784 (RFC 5883).
    Multi {
        /// The least TTL, or hop limit, of a received packet: 255 less the routers between. 1 admits all.
        min_ttl: u8,
    },
}

impl Hops {
    /// The least TTL that is accepted. RFC 5881 section 5: packets "MUST be discarded if the received TTL or Hop Limit
    /// is not equal to 255".
    pub(super) const fn min_ttl(self) -> u8 {
        match self {
            Self::Single => 255,
            Self::Multi { min_ttl } => min_ttl,
        }
    }

    /// The UDP port that both sides receive on.
    pub const fn port(self) -> u16 {
        match self {
            Self::Single => 3784,
            Self::Multi { .. } => 4784,
        }
    }
}

impl SessionSettings {
    /// Refuses what cannot work anywhere.
    pub(super) fn check(&self) -> Result<(), BfdError> {
        let Self { peer, local_address: local, .. } = *self;
        for address in [peer, local] {
            let is_broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
            if address.is_unspecified() || address.is_multicast() || is_broadcast {
                return Err(BfdError::NotUnicast { peer, address });
            }
        }
        if peer.is_ipv4() != local.is_ipv4() {
            return Err(BfdError::Families { peer, local });
        }
        if peer == local {
            return Err(BfdError::Ourselves { peer });
        }
        if is_link_local(peer) || is_link_local(local) {
            if self.hops != Hops::Single {
                return Err(BfdError::MultihopLinkLocal { peer });
            }
            if self.interface.is_none() {
                return Err(BfdError::LinkLocal { peer });
            }
        }
        Ok(())
    }

    /// True if the other is the same session, perhaps with other timers.
    pub(super) fn is_same_session(&self, other: &Self) -> bool {
        self.peer == other.peer
            && self.local_address == other.local_address
            && self.interface == other.interface
            && self.vrf == other.vrf
            && self.hops.port() == other.hops.port()
    }

    /// True if a packet that does not name its session could belong to both.
    pub(super) fn collides(&self, other: &Self) -> bool {
        if self.peer != other.peer || self.vrf != other.vrf || self.hops.port() != other.hops.port() {
            return false;
        }
        match self.hops {
            Hops::Single => {
                self.interface == other.interface || self.interface.is_none() || other.interface.is_none()
            }
            Hops::Multi { .. } => self.local_address == other.local_address,
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Why BFD, or one of its sessions, cannot open.
#[derive(Debug, thiserror::Error)]
pub enum BfdError {
    /// The token range is too small: an error of the caller.
    #[error("BFD was given {given} poll tokens and needs {TOKENS}")]
    Tokens {
        /// Length of the range.
        given: usize,
    },
    /// One end is no address of a single system.
    #[error("BFD peer {peer}: {address} is no unicast address: name one system at each end")]
    NotUnicast {
        /// The session's peer.
        peer: IpAddr,
        /// The address.
        address: IpAddr,
    },
    /// The two ends speak different protocols.
    #[error(
        "BFD peer {peer}: local address {local} is of another family: both ends are IPv4, or both are IPv6"
    )]
    Families {
        /// The session's peer.
        peer: IpAddr,
        /// Our end.
        local: IpAddr,
    },
    /// Both ends are the same address.
    #[error("BFD peer {peer} is our own local address: name the remote system")]
    Ourselves {
        /// The session's peer.
        peer: IpAddr,
    },
    /// A link-local address means nothing without its link.
    #[error("BFD peer {peer}: a link-local address needs the interface of its link")]
    LinkLocal {
        /// The session's peer.
        peer: IpAddr,
    },
    /// A link-local address does not cross routers.
    #[error(
        "BFD peer {peer}: a link-local address cannot be reached over several hops: use global addresses"
    )]
    MultihopLinkLocal {
        /// The session's peer.
        peer: IpAddr,
    },
    /// A packet that does not name its session could belong to either.
    #[error(
        "BFD peer {peer}: there are two sessions with it on the same path; RFC 5881 section 3 allows one"
    )]
    Duplicate {
        /// The peer of both.
        peer: IpAddr,
    },
    /// The interface is not there.
    #[error(
        "BFD peer {peer}: interface \"{interface}\" does not exist on this machine: `ip link` lists those that do"
    )]
    NoInterface {
        /// The session's peer.
        peer: IpAddr,
        /// Its name.
        interface: String,
    },
    /// The VRF is not there.
    #[error(
        "BFD peer {peer}: VRF \"{vrf}\" does not exist on this machine: `ip link add {vrf} type vrf table NUMBER`"
    )]
    NoVrf {
        /// The session's peer.
        peer: IpAddr,
        /// Its name.
        vrf: String,
    },
    /// A receiving socket cannot be had.
    #[error("BFD cannot receive on {address}{}: {source}{}", InVrf(.vrf), ListenHint(.source, .address))]
    Receive {
        /// Address and port.
        address: SocketAddr,
        /// The VRF, where it is in one.
        vrf: Option<String>,
        /// What the kernel said.
        source: io::Error,
    },
    /// A sending socket cannot be had.
    #[error("BFD peer {peer}: cannot send from {local}: {source}")]
    Send {
        /// The session's peer.
        peer: IpAddr,
        /// Our end.
        local: IpAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Says where.
struct InVrf<'a>(&'a Option<String>);

impl fmt::Display for InVrf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |vrf| write!(f, " in VRF {vrf}"))
    }
}

/// The remedy, where the kernel's answer has a usual one.
struct ListenHint<'a>(&'a io::Error, &'a SocketAddr);

impl fmt::Display for ListenHint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                ": does FRR's bfdd, BIRD or another srpd run here? `ss -lunp sport = :{}` shows who holds the port",
                self.1.port()
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bfd::Interval;

    use super::*;

    fn session(peer: &str, local: &str) -> SessionSettings {
        SessionSettings {
            peer: peer.parse().expect("address"),
            local_address: local.parse().expect("address"),
            interface: None,
            vrf: None,
            hops: Hops::Single,
            timers: Timers::new(Interval::millis(50), Interval::millis(50), 3).expect("in range"),
            admin_down: false,
        }
    }

    #[test]
    fn what_cannot_work_is_refused_with_the_reason() {
        let multihop = |session| SessionSettings { hops: Hops::Multi { min_ttl: 250 }, ..session };
        let cases = [
            (session("192.0.2.2", "192.0.2.1"), None),
            (session("2001:db8::2", "2001:db8::1"), None),
            (session("192.0.2.2", "2001:db8::1"), Some("of another family")),
            (session("192.0.2.2", "192.0.2.2"), Some("our own local address")),
            (session("0.0.0.0", "192.0.2.1"), Some("no unicast address")),
            (session("255.255.255.255", "192.0.2.1"), Some("no unicast address")),
            (session("ff02::1", "fe80::1"), Some("no unicast address")),
            (session("192.0.2.2", "0.0.0.0"), Some("no unicast address")),
            (session("fe80::2", "fe80::1"), Some("needs the interface")),
            (multihop(session("fe80::2", "fe80::1")), Some("several hops")),
            (SessionSettings { interface: Some("v0".into()), ..session("fe80::2", "fe80::1") }, None),
        ];
        for (settings, refusal) in cases {
            match (settings.check(), refusal) {
                (Ok(()), None) => {}
                (Err(error), Some(words)) => assert!(error.to_string().contains(words), "{error}"),
                (result, _) => panic!("{settings:?}: {result:?}"),
            }
        }
    }

    #[test]
    fn sessions_collide_where_a_packet_could_belong_to_both() {
        let base = session("192.0.2.2", "192.0.2.1");
        let on = |interface: &str| SessionSettings { interface: Some(interface.into()), ..base.clone() };
        let far =
            |local: &str| SessionSettings { hops: Hops::Multi { min_ttl: 1 }, ..session("192.0.2.2", local) };
        assert!(base.collides(&base));
        assert!(base.collides(&on("a")), "a session without interface takes packets from all of them");
        assert!(!on("a").collides(&on("b")));
        assert!(!base.collides(&far("192.0.2.1")), "other port");
        assert!(!far("192.0.2.1").collides(&far("192.0.2.3")));
        assert!(!base.collides(&session("192.0.2.9", "192.0.2.1")));
        assert!(!base.collides(&SessionSettings { vrf: Some("blue".into()), ..base.clone() }));
    }
}
