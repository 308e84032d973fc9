//! The states of RFC 4271 section 8.2.2 and the reasons for which a session ends.

use std::fmt;

use crate::wire::notification::Notification;

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
