//! One of the two connections that a session may have at a time.

use crate::types::{Asn, Families, HoldTime, Millis, PeerKind, RouterId, Time};
use crate::wire::capability::{LongLived, Role};
use crate::wire::header::{MAX_EXTENDED_MESSAGE_LEN, MAX_MESSAGE_LEN};
use crate::wire::pack::Encoding;
use crate::wire::update::{AsWidth, UpdateContext};

/// Who opened a connection. A session has at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// We did.
    Outgoing,
    /// The neighbor did.
    Incoming,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Outgoing => Self::Incoming,
            Self::Incoming => Self::Outgoing,
        }
    }
}

/// What both OPENs agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The neighbor's AS.
    pub remote_as: Asn,
    /// The neighbor's identifier.
    pub router_id: RouterId,
    /// The smaller of both hold times.
    pub hold_time: HoldTime,
    /// The families that both offered.
    pub families: Families,
    /// How wide AS numbers are.
    pub as_width: AsWidth,
    /// Internal or external.
    pub kind: PeerKind,
    /// Whether the neighbor answers ROUTE-REFRESH.
    pub route_refresh: bool,
    /// Whether the answers to ROUTE-REFRESH are marked (RFC 7313).
    pub enhanced_refresh: bool,
    /// The longest message that the neighbor takes, in octets.
    pub send_limit: usize,
    /// The longest message that we take, in octets.
    pub receive_limit: usize,
    /// The families whose routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: Families,
    /// The families in which the neighbor's prefixes carry path identifiers (RFC 7911).
    pub add_path_receive: Families,
    /// The families in which our prefixes carry path identifiers (RFC 7911).
    pub add_path_send: Families,
    /// What we are to the neighbor, where it is configured (RFC 9234).
    pub role: Option<Role>,
    /// What the neighbor says that it is, where we have a role too.
    pub remote_role: Option<Role>,
    /// What the neighbor says of its restarts, where we wait for them (RFC 4724).
    pub restart: Option<PeerRestart>,
    /// How long the neighbor keeps routes beyond a restart, where we do too (RFC 9494).
    pub long_lived: Option<LongLived>,
}

/// A neighbor that can restart (RFC 4724, RFC 8538).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerRestart {
    /// It has just restarted.
    pub restarted: bool,
    /// Both sides keep routes over a NOTIFICATION other than a hard reset.
    pub notification: bool,
    /// How long after the loss of the session it may take to come back.
    pub time: Millis,
    /// The families whose routes are kept meanwhile.
    pub families: Families,
    /// Those of them whose forwarding state has survived: only their stale routes stay when it is back.
    pub forwarding: Families,
}

/// The longest message of a speaker with or without RFC 8654, in octets.
pub(super) const fn limit_of(extended: bool) -> usize {
    if extended { MAX_EXTENDED_MESSAGE_LEN } else { MAX_MESSAGE_LEN }
}

impl Negotiated {
    /// How to read the neighbor's UPDATEs.
    pub const fn update_context(&self) -> UpdateContext {
        UpdateContext {
            as_width: self.as_width,
            kind: self.kind,
            families: self.families,
            add_path: self.add_path_receive,
            ipv6_next_hops: self.extended_next_hop,
        }
    }

    /// How to write UPDATEs for the neighbor.
    pub const fn encoding(&self) -> Encoding {
        Encoding { as_width: self.as_width, kind: self.kind, add_path: self.add_path_send }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) opened_at: Time,
    /// Octets that do not make a whole message yet; always less than one message.
    pub(super) input: Vec<u8>,
    pub(super) hold_at: Option<Time>,
    /// When the neighbor has taken nothing of what we send for too long (RFC 9687).
    pub(super) send_hold_at: Option<Time>,
    pub(super) keepalive_at: Option<Time>,
    pub(super) progress: Progress,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    /// Our OPEN waits for the neighbor's, until this time (RFC 4271 section 8.1.1, `DelayOpen`).
    Delayed { open_at: Time },
    /// Our OPEN is sent.
    OpenSent,
    /// The neighbor's OPEN came too. `confirmed`: our KEEPALIVE is sent. `heard`: the neighbor's came.
    Opened { negotiated: Negotiated, since: Time, confirmed: bool, heard: bool },
    /// Both KEEPALIVEs went.
    Established { negotiated: Negotiated, since: Time },
}

impl Connection {
    pub(super) fn new(now: Time, open_wait: Millis, progress: Progress) -> Self {
        Self {
            opened_at: now,
            input: Vec::new(),
            hold_at: Some(now + open_wait),
            send_hold_at: None,
            keepalive_at: None,
            progress,
        }
    }

    pub(super) const fn negotiated(&self) -> Option<&Negotiated> {
        match &self.progress {
            Progress::Delayed { .. } | Progress::OpenSent => None,
            Progress::Opened { negotiated, .. } | Progress::Established { negotiated, .. } => {
                Some(negotiated)
            }
        }
    }

    pub(super) fn is_established(&self) -> bool {
        match self.progress {
            Progress::Delayed { .. } | Progress::OpenSent | Progress::Opened { .. } => false,
            Progress::Established { .. } => true,
        }
    }

    /// The longest message that is taken now. RFC 8654 section 4: the longer ones come after the OPEN.
    pub(super) fn receive_limit(&self) -> usize {
        self.negotiated().map_or(MAX_MESSAGE_LEN, |negotiated| negotiated.receive_limit)
    }

    /// Whether our KEEPALIVE has answered the neighbor's OPEN.
    pub(super) fn is_confirmed(&self) -> bool {
        match self.progress {
            Progress::Delayed { .. } | Progress::OpenSent => false,
            Progress::Opened { confirmed, .. } => confirmed,
            Progress::Established { .. } => true,
        }
    }

    /// The neighbor has taken something, or there is nothing for it to take. RFC 9687 section 3.2: the longer of eight
    /// minutes and twice the hold time, unless told otherwise; none where there is no hold time.
    pub(super) fn restart_send_hold_timer(&mut self, now: Time, waits: bool, configured: Option<Millis>) {
        const LEAST: Millis = Millis::from_secs(480);
        let hold = self.negotiated().and_then(|negotiated| negotiated.hold_time.limit());
        let usual = hold.map(|hold| hold.doubled(Millis::new(u64::MAX)).max(LEAST));
        self.send_hold_at = configured.or(usual).filter(|_| waits && hold.is_some()).map(|limit| now + limit);
    }

    /// The neighbor showed a sign of life.
    pub(super) fn restart_hold_timer(&mut self, now: Time) {
        if let Some(negotiated) = self.negotiated() {
            self.hold_at = negotiated.hold_time.limit().map(|limit| now + limit);
        }
    }
}
