//! The states of RFC 4271 section 8.2.2 and the reasons for which a session ends.

use std::fmt;

use super::connection::{Negotiated, PeerRestart};
use crate::wire::notification::{Notification, reason};

/// The state of a session as an operator knows it. Of two connections the one that is further on counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No connection is wanted or allowed at the moment.
    Idle,
    /// A connection is being opened.
    Connect,
    /// Waiting for the neighbour, or for the next attempt.
    Active,
    /// OPEN is sent, the neighbour's is awaited.
    OpenSent,
    /// OPENs are exchanged, the first KEEPALIVE is awaited.
    OpenConfirm,
    /// Routes are exchanged.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// Why a session or an attempt at one ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// We ended it and said so, be it for an error of the neighbour or by an order of ours.
    NotificationSent(Notification),
    /// The neighbour ended it and said so.
    NotificationReceived(Notification),
    /// No connection came about; with the text of the operating system.
    ConnectFailed(String),
    /// The connection ended without a word; with the text of the operating system.
    ConnectionLost(String),
    /// The link to the neighbour went down.
    LinkDown,
}

impl DownReason {
    /// Whether the neighbor may be restarting, so that its routes are to be kept for a while, and which.
    ///
    /// RFC 4724 section 4.2: when the connection is lost without a NOTIFICATION. RFC 8538 section 4: where both sides
    /// said so, after a NOTIFICATION too, unless it is a hard reset.
    pub fn retains(&self, negotiated: &Negotiated) -> Option<PeerRestart> {
        let restart = negotiated.restart.filter(|restart| !restart.families.is_empty())?;
        let keeps = match self {
            Self::NotificationSent(notification) | Self::NotificationReceived(notification) => {
                restart.notification && !notification.is(reason::HARD_RESET)
            }
            Self::ConnectionLost(_) => true,
            // A link without a carrier forwards nothing, whoever restarts.
            Self::ConnectFailed(_) | Self::LinkDown => false,
        };
        keeps.then_some(restart)
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotificationSent(notification) => write!(f, "we sent NOTIFICATION {notification}"),
            Self::NotificationReceived(notification) => {
                write!(f, "the neighbor sent NOTIFICATION {notification}")
            }
            Self::ConnectFailed(error) => write!(f, "cannot connect: {error}"),
            Self::ConnectionLost(error) => write!(f, "connection lost: {error}"),
            Self::LinkDown => f.write_str("link down"),
        }
    }
}
