//! What the link reports: ordered events, and the named reasons why a connection ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::{fmt, io};

use srp_core::types::{Span, Time};
use srp_core::wire::{Close, CloseReason, Message, WireError};

use super::tls::Fingerprint;

/// One TCP connection; counts up in the order in which this chassis dialled or accepted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A fact about the link. `Up` and `Down` alternate, and every `Message` lies between an `Up` and its `Down`.
#[derive(Debug)]
pub enum LinkEvent {
    /// The peer has proved who it is: answer with [`Link::greet`](super::Link::greet).
    WantsGreeting(ConnectionId),
    /// The link is up; the peer's greeting follows as the first `Message`.
    Up {
        /// The connection that carries the link.
        connection: ConnectionId,
        /// How it is protected, for `show srp info`.
        security: String,
        /// Address and port of the peer's end.
        peer: SocketAddr,
    },
    /// The link is down.
    Down {
        /// Address and port of the peer's end.
        peer: SocketAddr,
        /// Why.
        why: Fault,
    },
    /// A message of the peer, in order. A `Close` is not among them: it is the `why` of a `Down`.
    Message(Message),
    /// Somebody was turned away before the link was up. At most one of a kind each [`REFUSED_EVERY`].
    Refused {
        /// Who it was.
        peer: SocketAddr,
        /// Why.
        why: Fault,
        /// How many of the same kind were counted, but not reported, since the last report.
        unreported: u64,
    },
}

/// The same kind of refusal is reported no more often than this; counters count every one.
pub const REFUSED_EVERY: Span = Span::secs(10);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Dialling failed.
    #[error("cannot connect to the peer: {0}")]
    Unreachable(io::Error),
    /// The connection broke, or ended without a Close.
    #[error("the peer vanished without a Close ({0}): its process ended, or the path to it broke")]
    Vanished(io::Error),
    /// The connection ended inside the first message.
    #[error("the connection ended after {received} octets, before a whole Hello had arrived")]
    Truncated {
        /// Octets received, encryption removed.
        received: usize,
    },
    /// The peer said why it closes.
    #[error("the peer closed the link ({}): {text}", close_text(*.reason))]
    ClosedByPeer {
        /// Its reason.
        reason: CloseReason,
        /// Its particulars.
        text: String,
    },
    /// This chassis closed the link.
    #[error("closed by this chassis ({}): {text}", close_text(*.reason))]
    ClosedHere {
        /// Our reason.
        reason: CloseReason,
        /// Our particulars.
        text: String,
    },
    /// Another connection of the same peer stays.
    #[error("two connections at once: the one that the higher address dialled stays")]
    Collision,
    /// A newer connection comes from a newer life of the peer.
    #[error("the peer has restarted: its new connection stays")]
    PeerRestarted,
    /// A newer connection from the same side.
    #[error("the peer has connected again: its newer connection stays")]
    PeerReconnected,
    /// Not from the peer's address.
    #[error("connection from an address that is not srp.peer-address")]
    Stranger,
    /// Pushed out by newer connections while still unknown.
    #[error("too many connections that have not proved who they are: the oldest was closed")]
    Crowded,
    /// Took too long to prove who it is and to greet.
    #[error("no Hello within {limit} of connecting: closed")]
    HandshakeLimit {
        /// The limit.
        limit: Span,
    },
    /// The peer's certificate is not pinned here.
    #[error(
        "the peer's certificate {shown} is not a pinned one: if the peer is the right one, copy its certificate \
         file to the file of srp.tls.peer-certificate on this chassis"
    )]
    WrongKey {
        /// What the peer showed.
        shown: Fingerprint,
    },
    /// The peer shows no certificate at all.
    #[error("the peer showed no certificate: only the two chassis of a pair may connect")]
    NoKey,
    /// Our certificate is not pinned at the peer.
    #[error(
        "the peer refuses our certificate {ours}: copy the file of srp.tls.certificate on this chassis to the file \
         of srp.tls.peer-certificate on the peer"
    )]
    OurKeyRefused {
        /// What we showed.
        ours: Fingerprint,
    },
    /// The other end does not speak TLS.
    #[error(
        "the other end does not speak TLS: has it `plaintext = true` in [srp]? Both chassis need the same setting"
    )]
    NotTls,
    /// The other end speaks TLS, this one does not.
    #[error(
        "the other end speaks TLS and this chassis has `plaintext = true`: both chassis need the same setting"
    )]
    UnexpectedTls,
    /// Any other failure of TLS.
    #[error("TLS failed: {0}")]
    Tls(rustls::Error),
    /// Octets that are no message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The first message is not a Hello.
    #[error("the first message is of type {kind}, not a Hello: link closed")]
    NotHello {
        /// Its type octet.
        kind: u8,
    },
    /// A greeting that does not end.
    #[error("more than {limit} octets arrived without a whole Hello among them: link closed")]
    LongGreeting {
        /// The limit, octets.
        limit: usize,
    },
    /// Hellos out of order.
    #[error("Hello number {got} came after number {last}: numbers must go up on a connection; link closed")]
    Sequence {
        /// Number of the Hello before.
        last: u64,
        /// Number of this Hello.
        got: u64,
    },
    /// The peer's window stayed shut.
    #[error("the peer has read nothing for {limit} while messages waited for it: link closed")]
    Stalled {
        /// The limit.
        limit: Span,
    },
    /// More waits for the peer than we hold.
    #[error("the peer does not read: more than {limit} octets wait for it; link closed")]
    Overflow {
        /// The limit, octets.
        limit: usize,
    },
}

impl Fault {
    /// Name of the counter: stable, for metrics and for grep.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Vanished(_) => "vanished",
            Self::Truncated { .. } => "truncated",
            Self::ClosedByPeer { .. } => "closed-by-peer",
            Self::ClosedHere { .. } => "closed-here",
            Self::Collision => "collision",
            Self::PeerRestarted => "peer-restarted",
            Self::PeerReconnected => "peer-reconnected",
            Self::Stranger => "stranger",
            Self::Crowded => "crowded",
            Self::HandshakeLimit { .. } => "handshake-limit",
            Self::WrongKey { .. } => "wrong-key",
            Self::NoKey => "no-key",
            Self::OurKeyRefused { .. } => "our-key-refused",
            Self::NotTls => "not-tls",
            Self::UnexpectedTls => "unexpected-tls",
            Self::Tls(_) => "tls",
            Self::Wire(WireError::Version { .. }) => "version",
            Self::Wire(WireError::Length { .. }) | Self::LongGreeting { .. } => "oversized",
            Self::Wire(WireError::Body { .. }) => "malformed",
            Self::NotHello { .. } => "not-hello",
            Self::Sequence { .. } => "sequence",
            Self::Stalled { .. } | Self::Overflow { .. } => "stalled",
        }
    }

    /// What to tell the peer, where it can still hear it.
    pub(super) fn notice(&self) -> Option<Close> {
        let reason = match self {
            Self::ClosedHere { reason, text } => {
                return Some(Close { reason: *reason, text: text.clone() });
            }
            Self::Collision | Self::PeerRestarted | Self::PeerReconnected => CloseReason::Collision,
            Self::Wire(WireError::Version { .. }) => CloseReason::Version,
            Self::HandshakeLimit { .. } => CloseReason::Silent,
            Self::Wire(WireError::Length { .. } | WireError::Body { .. })
            | Self::UnexpectedTls
            | Self::NotHello { .. }
            | Self::LongGreeting { .. }
            | Self::Sequence { .. } => CloseReason::Protocol,
            Self::Unreachable(_)
            | Self::Vanished(_)
            | Self::Truncated { .. }
            | Self::ClosedByPeer { .. }
            | Self::Stranger
            | Self::Crowded
            | Self::WrongKey { .. }
            | Self::NoKey
            | Self::OurKeyRefused { .. }
            | Self::NotTls
            | Self::Tls(_)
            | Self::Stalled { .. }
            | Self::Overflow { .. } => return None,
        };
        Some(Close { reason, text: self.to_string() })
    }

    /// True if TLS has a last alert for the peer, which says what a Close would.
    pub(super) const fn leaves_alert(&self) -> bool {
        matches!(self, Self::WrongKey { .. } | Self::NoKey | Self::NotTls | Self::Tls(_))
    }

    /// True if somebody must be told: it will not pass without an operator, or it should never happen.
    pub(super) const fn is_refusal(&self) -> bool {
        match self {
            Self::ClosedByPeer { reason, .. } => !matches!(reason, CloseReason::Collision),
            Self::Unreachable(_)
            | Self::Vanished(_)
            | Self::ClosedHere { .. }
            | Self::Collision
            | Self::PeerRestarted
            | Self::PeerReconnected => false,
            Self::Truncated { .. }
            | Self::Stranger
            | Self::Crowded
            | Self::HandshakeLimit { .. }
            | Self::WrongKey { .. }
            | Self::NoKey
            | Self::OurKeyRefused { .. }
            | Self::NotTls
            | Self::UnexpectedTls
            | Self::Tls(_)
            | Self::Wire(_)
            | Self::NotHello { .. }
            | Self::LongGreeting { .. }
            | Self::Sequence { .. }
            | Self::Stalled { .. }
            | Self::Overflow { .. } => true,
        }
    }
}

/// Words for the reason of a Close.
fn close_text(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Stopping => "stopping",
        CloseReason::Collision => "collision",
        CloseReason::Version => "version",
        CloseReason::Protocol => "protocol error",
        CloseReason::Silent => "silent",
        CloseReason::Reconfigured => "reconfigured",
    }
}

/// Counts every kind of event by name, and keeps reports of refusals rare.
#[derive(Debug, Default)]
pub(super) struct Counters {
    counts: BTreeMap<&'static str, u64>,
    reported: BTreeMap<&'static str, Reported>,
}

#[derive(Debug)]
struct Reported {
    at: Time,
    unreported: u64,
}

impl Counters {
    pub(super) fn add(&mut self, name: &'static str) {
        *self.counts.entry(name).or_default() += 1;
    }

    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        self.counts.iter().map(|(name, count)| (*name, *count)).collect()
    }

    /// `Some(number of reports left out before)` if a refusal of this name is to be reported now.
    pub(super) fn report(&mut self, now: Time, name: &'static str) -> Option<u64> {
        match self.reported.get_mut(name) {
            Some(last) if now < last.at + REFUSED_EVERY => {
                last.unreported += 1;
                None
            }
            Some(last) => {
                last.at = now;
                Some(std::mem::take(&mut last.unreported))
            }
            None => {
                self.reported.insert(name, Reported { at: now, unreported: 0 });
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_a_kind_are_reported_at_once_and_then_rarely() {
        let mut counters = Counters::default();
        let second = |n: u64| Time(n * 1_000_000);
        assert_eq!(counters.report(second(1), "wrong-key"), Some(0));
        assert_eq!(counters.report(second(2), "wrong-key"), None);
        assert_eq!(counters.report(second(2), "version"), Some(0), "another kind has its own turn");
        assert_eq!(counters.report(second(3), "wrong-key"), None);
        assert_eq!(counters.report(second(11), "wrong-key"), Some(2));
        assert_eq!(counters.report(second(12), "wrong-key"), None);
    }
}
