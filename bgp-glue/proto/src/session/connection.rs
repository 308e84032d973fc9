//! One of the two connections that a session may have at a time.

use crate::types::{Asn, Families, HoldTime, Millis, PeerKind, RouterId, Time};
use crate::wire::header::MAX_MESSAGE_LEN;
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
    /// The longest message that the neighbor takes, in octets.
    pub send_limit: usize,
}

impl Negotiated {
    pub(super) const SEND_LIMIT: usize = MAX_MESSAGE_LEN;

    /// How to read the neighbor's UPDATEs.
    pub const fn update_context(&self) -> UpdateContext {
        UpdateContext { as_width: self.as_width, kind: self.kind, families: self.families }
    }

    /// How to write UPDATEs for the neighbor.
    pub const fn encoding(&self) -> Encoding {
        Encoding { as_width: self.as_width, kind: self.kind }
    }
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) opened_at: Time,
    /// Octets that do not make a whole message yet; always less than one message.
    pub(super) input: Vec<u8>,
    pub(super) hold_at: Option<Time>,
    pub(super) keepalive_at: Option<Time>,
    pub(super) progress: Progress,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Progress {
    /// Our OPEN is sent.
    OpenSent,
    /// The neighbor's OPEN came too. `confirmed`: our KEEPALIVE is sent. `heard`: the neighbor's came.
    Opened { negotiated: Negotiated, since: Time, confirmed: bool, heard: bool },
    /// Both KEEPALIVEs went.
    Established { negotiated: Negotiated, since: Time },
}

impl Connection {
    pub(super) fn new(now: Time, open_wait: Millis) -> Self {
        Self {
            opened_at: now,
            input: Vec::new(),
            hold_at: Some(now + open_wait),
            keepalive_at: None,
            progress: Progress::OpenSent,
        }
    }

    pub(super) const fn negotiated(&self) -> Option<&Negotiated> {
        match &self.progress {
            Progress::OpenSent => None,
            Progress::Opened { negotiated, .. } | Progress::Established { negotiated, .. } => {
                Some(negotiated)
            }
        }
    }

    pub(super) fn is_established(&self) -> bool {
        match self.progress {
            Progress::OpenSent | Progress::Opened { .. } => false,
            Progress::Established { .. } => true,
        }
    }

    /// Whether our KEEPALIVE has answered the neighbor's OPEN.
    pub(super) fn is_confirmed(&self) -> bool {
        match self.progress {
            Progress::OpenSent => false,
            Progress::Opened { confirmed, .. } => confirmed,
            Progress::Established { .. } => true,
        }
    }

    /// The neighbor showed a sign of life.
    pub(super) fn restart_hold_timer(&mut self, now: Time) {
        if let Some(negotiated) = self.negotiated() {
            self.hold_at = negotiated.hold_time.limit().map(|limit| now + limit);
        }
    }
}
