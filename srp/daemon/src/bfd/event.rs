//! What BFD reports, refuses and shows.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use bfd::{Counters as SessionCounters, Diagnostic, Discard, Discriminator, DownCause, Remote, State};
use srp_core::types::{Span, Time};

use super::settings::SessionSettings;

/// One session; counts up in the order in which sessions were added, and is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A fact about a session. `Up` and `Down` of one session alternate, `Up` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BfdEvent {
    /// Both systems hear each other.
    Up {
        /// Which session.
        session: SessionId,
        /// Its remote system.
        peer: IpAddr,
    },
    /// They do not any more.
    Down {
        /// Which session.
        session: SessionId,
        /// Its remote system.
        peer: IpAddr,
        /// Why; [`DownCause::diagnostic`] is the diagnostic that our packets carry, and [`DownCause::is_intended`] tells
        /// an operator's wish from a failure.
        cause: DownCause,
    },
}

/// Why a packet was not taken, beyond what its octets say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What RFC 5880 section 6.8.6 discards.
    #[error(transparent)]
    Discarded(#[from] Discard),
    /// It has crossed more routers than its session allows.
    #[error(
        "it came with TTL {got}, and this session takes {least} and more: it was sent from further away than configured"
    )]
    Ttl {
        /// TTL or hop limit of the packet.
        got: u8,
        /// The least that is accepted.
        least: u8,
    },
    /// The discriminator is known and the sender is not the peer.
    #[error("it names a session with another peer")]
    Source,
    /// It came by another interface than the session's.
    #[error("it came in by another interface than that of its session")]
    Interface,
    /// It came to the port of the other kind of path.
    #[error("it came to the port of the other kind of path: is one end multihop and the other is not?")]
    Hops,
}

impl Refusal {
    /// Name of the counter: stable, for metrics and for grep.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Discarded(discard) => discard.name(),
            Self::Ttl { .. } => "ttl",
            Self::Source => "source",
            Self::Interface => "interface",
            Self::Hops => "hops",
        }
    }
}

/// All that `show` can say of a session.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// What is configured; the intervals in force are below.
    pub settings: SessionSettings,
    /// State at our end.
    pub state: State,
    /// Since when.
    pub since: Time,
    /// Why it last went down; nothing once it is Up.
    pub diagnostic: Diagnostic,
    /// What we call the session.
    pub local_discriminator: Discriminator,
    /// What the last packet of the remote system said, if one came within a detection time.
    pub remote: Option<Remote>,
    /// Interval between our packets, without jitter; `None` while the peer wants none.
    pub transmit_interval: Option<Span>,
    /// Silence after which the peer is given up; `None` while nothing is known of it.
    pub detection_time: Option<Span>,
    /// Packets and changes of state.
    pub counters: SessionCounters,
    /// Packets that the kernel did not take.
    pub send_failures: u64,
    /// Packets of this session that were refused, and why the last one was.
    pub refused: u64,
    /// Why the last packet of this session was refused.
    pub last_refusal: Option<Refusal>,
}

/// Counts refused packets of all sessions by name. All names are there from the start: counting allocates nothing.
#[derive(Debug)]
pub(super) struct Counters(BTreeMap<&'static str, u64>);

/// The kernel failed to hand over a packet.
pub(super) const RECEIVE_FAILED: &str = "receive-failed";

impl Counters {
    pub(super) fn new() -> Self {
        let own = ["ttl", "source", "interface", "hops", RECEIVE_FAILED];
        Self(Discard::NAMES.into_iter().chain(own).map(|name| (name, 0)).collect())
    }

    pub(super) fn add(&mut self, name: &'static str) {
        if let Some(count) = self.0.get_mut(name) {
            *count += 1;
        }
    }

    pub(super) fn all(&self) -> Vec<(&'static str, u64)> {
        self.0.iter().map(|(name, count)| (*name, *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_counter() {
        let ttl = Refusal::Ttl { got: 254, least: 255 };
        for refusal in [ttl, Refusal::Source, Refusal::Interface, Refusal::Hops, Discard::Multipoint.into()] {
            let mut counters = Counters::new();
            counters.add(refusal.name());
            let counted: Vec<_> = counters.all().into_iter().filter(|(_, count)| *count == 1).collect();
            assert_eq!(counted, [(refusal.name(), 1)]);
        }
    }
}
