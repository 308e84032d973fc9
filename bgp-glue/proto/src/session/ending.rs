//! How connections, attempts and sessions end, and what follows.

use super::connection::{Connection, Negotiated, PeerRestart, Progress, Side};
use super::{Action, DownReason, Next, Outgoing, Phase, Session};
use crate::types::Time;
use crate::wire::header::{Kind, push_notification};
use crate::wire::notification::Notification;

impl Session {
    pub(super) fn closed(&mut self, now: Time, side: Side, error: String) {
        let Some(connection) = self.take_connection(side) else { return };
        match connection.progress {
            Progress::Established { negotiated, since } => {
                self.end_session(now, since, &negotiated, DownReason::ConnectionLost(error));
            }
            // RFC 4271 section 8.2.2, OpenSent, TcpConnectionFails: back to Active without a penalty.
            Progress::Delayed { .. } | Progress::OpenSent => {
                self.end_attempt(now, DownReason::ConnectionLost(error), Next::Retry);
            }
            Progress::Opened { .. } => {
                self.end_attempt(now, DownReason::ConnectionLost(error), Next::HoldDown);
            }
        }
    }

    /// Ends one connection for an error of the neighbor.
    pub(super) fn fail(&mut self, now: Time, side: Side, notification: Notification) {
        let Some(connection) = self.drop_connection(side, Some(&notification)) else { return };
        let reason = DownReason::NotificationSent(notification);
        match connection.progress {
            Progress::Established { negotiated, since } => {
                self.end_session(now, since, &negotiated, reason);
            }
            Progress::Delayed { .. } | Progress::OpenSent | Progress::Opened { .. } => {
                self.end_attempt(now, reason, Next::HoldDown);
            }
        }
    }

    /// The Established connection is gone.
    pub(super) fn end_session(
        &mut self,
        now: Time,
        since: Time,
        negotiated: &Negotiated,
        reason: DownReason,
    ) {
        self.told = None;
        let retained = reason.retains(negotiated);
        self.tell_down(reason, true, retained);
        match self.backoff.after_session(since, now) {
            None => self.begin(now, Next::AtOnce),
            Some(wait) => self.phase = Phase::HeldDown { until: now + self.random.jittered(wait) },
        }
    }

    /// A connection is gone before it was Established. What is left of the session goes on.
    pub(super) fn end_attempt(&mut self, now: Time, reason: DownReason, next: Next) {
        if self.has_connection() {
            return;
        }
        match (&self.outgoing, next) {
            // Our own attempt may still succeed where the neighbor's failed.
            (Outgoing::Connecting { .. }, Next::Retry) => {}
            (Outgoing::Connecting { .. }, Next::AtOnce | Next::HoldDown | Next::Bar(_) | Next::Stop) => {
                self.abandon_connect();
                self.tell_down(reason, false, None);
                self.begin(now, next);
            }
            (Outgoing::None | Outgoing::Open(_), _) => {
                self.tell_down(reason, false, None);
                self.begin(now, next);
            }
        }
    }

    /// Ends everything by an order of ours.
    pub(super) fn end_all(&mut self, now: Time, notification: Option<Notification>, next: Next) {
        let ignored = match (self.phase, next) {
            // A link that goes down does not lift the bar.
            (Phase::Barred { .. }, Next::Retry | Next::HoldDown)
            | (Phase::Stopped, Next::AtOnce | Next::Retry | Next::HoldDown | Next::Bar(_)) => true,
            (Phase::Barred { .. }, Next::AtOnce | Next::Bar(_) | Next::Stop)
            | (Phase::Stopped, Next::Stop)
            | (Phase::HeldDown { .. } | Phase::Running { .. }, _) => false,
        };
        if ignored {
            return;
        }
        let negotiated = self.established().map(|(_, negotiated)| *negotiated);
        let had_any = self.has_connection() || !matches!(self.outgoing, Outgoing::None);
        // RFC 8538 section 3.1: a neighbor that keeps routes over a NOTIFICATION has to hear that these are not coming
        // back.
        let keeps = negotiated.and_then(|negotiated| negotiated.restart).is_some_and(|it| it.notification);
        let notification = match next {
            Next::Stop | Next::Bar(_) if keeps => notification.map(|notification| notification.hardened()),
            Next::Stop | Next::Bar(_) | Next::AtOnce | Next::Retry | Next::HoldDown => notification,
        };
        self.abandon_connect();
        for side in [Side::Outgoing, Side::Incoming] {
            self.drop_connection(side, notification.as_ref());
        }
        if had_any {
            self.told = None;
            let reason = notification.map_or(DownReason::LinkDown, DownReason::NotificationSent);
            let retained = negotiated.and_then(|negotiated| reason.retains(&negotiated));
            self.tell_down(reason, negotiated.is_some(), retained);
        }
        self.begin(now, next);
    }

    pub(super) fn tell_down(
        &mut self,
        reason: DownReason,
        was_established: bool,
        retained: Option<PeerRestart>,
    ) {
        if self.told.as_ref() != Some(&reason) {
            self.told = Some(reason.clone());
            self.actions.push_back(Action::Down { reason, was_established, retained });
        }
    }

    pub(super) fn take_connection(&mut self, side: Side) -> Option<Connection> {
        match side {
            Side::Incoming => self.incoming.take(),
            Side::Outgoing => match std::mem::replace(&mut self.outgoing, Outgoing::None) {
                Outgoing::Open(connection) => Some(connection),
                other @ (Outgoing::None | Outgoing::Connecting { .. }) => {
                    self.outgoing = other;
                    None
                }
            },
        }
    }

    pub(super) fn drop_connection(
        &mut self,
        side: Side,
        notification: Option<&Notification>,
    ) -> Option<Connection> {
        let connection = self.take_connection(side)?;
        if let Some(notification) = notification {
            self.counters.notifications_sent.count(notification);
            self.send(side, Kind::Notification, |octets| push_notification(octets, notification));
        }
        self.actions.push_back(Action::Close(side));
        Some(connection)
    }
}
