//! What went over the connections of a session since its making.

use std::collections::BTreeMap;

use crate::wire::header::Kind;
use crate::wire::notification::Notification;

/// Kinds of NOTIFICATION that are counted apart; a neighbor may send any of 65536.
const KINDS: usize = 64;

/// Messages by their type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// OPEN.
    pub open: u64,
    /// UPDATE.
    pub update: u64,
    /// NOTIFICATION.
    pub notification: u64,
    /// KEEPALIVE.
    pub keepalive: u64,
    /// ROUTE-REFRESH.
    pub route_refresh: u64,
}

impl Messages {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.open + self.update + self.notification + self.keepalive + self.route_refresh
    }

    pub(super) const fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Open => self.open += 1,
            Kind::Update => self.update += 1,
            Kind::Notification => self.notification += 1,
            Kind::Keepalive => self.keepalive += 1,
            Kind::RouteRefresh => self.route_refresh += 1,
        }
    }
}

/// How often each code and subcode of NOTIFICATION came by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications(BTreeMap<(u8, u8), u64>);

impl Notifications {
    /// Each with its count, ordered.
    pub fn iter(&self) -> impl Iterator<Item = ((u8, u8), u64)> {
        self.0.iter().map(|(reason, count)| (*reason, *count))
    }

    pub(super) fn count(&mut self, notification: &Notification) {
        let reason = (notification.code, notification.subcode);
        if self.0.len() < KINDS || self.0.contains_key(&reason) {
            *self.0.entry(reason).or_default() += 1;
        }
    }
}

/// What went over the session's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages received, whole and with a good header.
    pub received: Messages,
    /// Messages that the session sent: all but UPDATEs.
    pub sent: Messages,
    /// NOTIFICATIONs received, by code and subcode; the first 64 kinds.
    pub notifications_received: Notifications,
    /// NOTIFICATIONs sent, by code and subcode.
    pub notifications_sent: Notifications,
    /// Times that the session was Established.
    pub established: u64,
}
