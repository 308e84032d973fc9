//! What a session makes of the neighbor's messages: the collision rule, and the way to Established.

use super::connection::{Connection, Negotiated, Progress, Side};
use super::{Action, COLLISION_WAIT, CROSSING_WAIT, DownReason, Next, Session};
use crate::types::Time;
use crate::wire::header::{Frame, Kind, MAX_MESSAGE_LEN, first_frame};
use crate::wire::notification::{Notification, reason};
use crate::wire::open::Open;
use crate::wire::refresh::{RouteRefresh, Subtype};
use crate::wire::update::Update;

impl Session {
    pub(super) fn received(&mut self, now: Time, side: Side, octets: &[u8]) {
        let Some(connection) = self.connection_mut(side) else { return };
        let mut input = std::mem::take(&mut connection.input);
        input.extend_from_slice(octets);
        let mut used = 0;
        loop {
            let limit = self.connection(side).map_or(MAX_MESSAGE_LEN, Connection::receive_limit);
            match first_frame(&input[used..], limit) {
                Ok(Some(frame)) => {
                    used += frame.wire_len();
                    self.counters.received.count(frame.kind);
                    self.on_message(now, side, frame);
                }
                Ok(None) => break,
                Err(notification) => return self.fail(now, side, notification),
            }
            if self.connection(side).is_none() {
                return;
            }
        }
        input.drain(..used);
        if let Some(connection) = self.connection_mut(side) {
            connection.input = input;
        }
    }

    fn on_message(&mut self, now: Time, side: Side, frame: Frame<'_>) {
        let Some(connection) = self.connection_mut(side) else { return };
        match (&mut connection.progress, frame.kind) {
            (_, Kind::Notification) => self.on_notification(now, side, frame.body),
            (Progress::Delayed { .. }, Kind::Open) => {
                // RFC 4271 section 8.2.2, event 20: the neighbor's OPEN ends the delay of ours.
                self.open_now(now, side);
                self.on_message(now, side, frame);
            }
            (Progress::OpenSent, Kind::Open) => {
                self.their_open = Open::decode(frame.body).ok();
                match self.config.judge(frame.body) {
                    Ok(negotiated) => self.on_open(now, side, negotiated),
                    Err(notification) => self.fail(now, side, notification),
                }
            }
            (Progress::Opened { heard, .. }, Kind::Keepalive) => {
                *heard = true;
                connection.restart_hold_timer(now);
                self.advance(now, side);
            }
            (Progress::Established { negotiated, .. }, Kind::Update) => {
                let context = negotiated.update_context();
                connection.restart_hold_timer(now);
                match Update::decode(frame.body, context) {
                    Ok(update) => self.actions.push_back(Action::Update(update)),
                    Err(notification) => self.fail(now, side, notification),
                }
            }
            (Progress::Established { .. }, Kind::Keepalive) => connection.restart_hold_timer(now),
            (Progress::Established { negotiated, .. }, Kind::RouteRefresh) => {
                let Negotiated { families, enhanced_refresh, .. } = *negotiated;
                connection.restart_hold_timer(now);
                match RouteRefresh::decode(frame.body, enhanced_refresh) {
                    Err(notification) => self.fail(now, side, notification),
                    // RFC 2918 section 4: a family that was not negotiated is ignored.
                    Ok(refresh) => match refresh.meaning().filter(|(family, _)| families.contains(*family)) {
                        Some((family, Subtype::Request)) => self.actions.push_back(Action::Refresh(family)),
                        Some((family, subtype @ (Subtype::Begin | Subtype::End))) if enhanced_refresh => {
                            let ends = subtype == Subtype::End;
                            self.actions.push_back(Action::RefreshMark { family, ends });
                        }
                        Some((_, Subtype::Begin | Subtype::End)) | None => {}
                    },
                }
            }
            // RFC 4271 section 8.2.2: a state machine error; RFC 6608 has no subcode for Connect and Active.
            (Progress::Delayed { .. }, Kind::Update | Kind::Keepalive | Kind::RouteRefresh) => {
                self.fail(now, side, Notification::new(reason::UNEXPECTED));
            }
            // RFC 6608: the subcode names the state in which the message has no place.
            (Progress::OpenSent, Kind::Update | Kind::Keepalive | Kind::RouteRefresh) => {
                self.fail(now, side, Notification::new(reason::UNEXPECTED_IN_OPEN_SENT));
            }
            (Progress::Opened { .. }, Kind::Open | Kind::Update | Kind::RouteRefresh) => {
                self.fail(now, side, Notification::new(reason::UNEXPECTED_IN_OPEN_CONFIRM));
            }
            (Progress::Established { .. }, Kind::Open) => {
                self.fail(now, side, Notification::new(reason::UNEXPECTED_IN_ESTABLISHED));
            }
        }
    }

    fn on_notification(&mut self, now: Time, side: Side, body: &[u8]) {
        let Some(notification) = Notification::decode(body) else { return };
        self.counters.notifications_received.count(&notification);
        // RFC 4271 section 6.8: this is how the neighbor says that it kept the other connection.
        let collision = notification.is(reason::COLLISION);
        let reason = DownReason::NotificationReceived(notification);
        match self.drop_connection(side, None).map(|connection| connection.progress) {
            None => {}
            Some(Progress::Established { negotiated, since }) => {
                self.end_session(now, since, &negotiated, reason);
            }
            Some(Progress::Delayed { .. } | Progress::OpenSent | Progress::Opened { .. }) if collision => {
                self.end_attempt(now, reason, Next::Retry);
            }
            Some(Progress::Delayed { .. } | Progress::OpenSent | Progress::Opened { .. }) => {
                self.end_attempt(now, reason, Next::HoldDown);
            }
        }
    }

    fn on_open(&mut self, now: Time, side: Side, negotiated: Negotiated) {
        if let Some(connection) = self.connection_mut(side) {
            connection.progress = Progress::Opened { negotiated, since: now, confirmed: false, heard: false };
            connection.restart_hold_timer(now);
        }
        // One that has said OPEN beats one that is not even there.
        self.abandon_connect();
        let both_opened = self.connection(side.other()).is_some_and(|other| other.negotiated().is_some());
        if both_opened {
            let loser = self.preferred(&negotiated).other();
            // One on which our KEEPALIVE has gone may be Established for the neighbor by now, and then it is the
            // other one that the neighbor closes. So both stay until the neighbor has decided.
            if self.connection(loser).is_some_and(|connection| !connection.is_confirmed()) {
                self.drop_connection(loser, Some(&Notification::new(reason::COLLISION)));
            }
        }
        self.advance(now, Side::Outgoing);
        self.advance(now, Side::Incoming);
    }

    /// The connection that a collision leaves (RFC 4271 section 6.8): the one that the speaker with the higher
    /// identifier opened or, with equal ones, that with the higher AS number (RFC 6286 section 2.3).
    fn preferred(&self, negotiated: &Negotiated) -> Side {
        let ours = (self.config.router_id, self.config.local_as);
        if ours > (negotiated.router_id, negotiated.remote_as) { Side::Outgoing } else { Side::Incoming }
    }

    /// Until when the connection has to wait for the other one: as long as that may still come or has not brought an
    /// OPEN, and after that if it would win a collision.
    fn waits_until(&self, side: Side) -> Option<Time> {
        let (negotiated, heard_open_at) = match &self.connection(side)?.progress {
            Progress::Opened { negotiated, since, .. } => (negotiated, *since),
            Progress::Delayed { .. } | Progress::OpenSent | Progress::Established { .. } => return None,
        };
        match (self.connection(side.other()), side) {
            (None, Side::Outgoing) => Some(heard_open_at + CROSSING_WAIT),
            (None, Side::Incoming) => None,
            (Some(other), Side::Outgoing | Side::Incoming) => {
                let waits = other.negotiated().is_none() || self.preferred(negotiated) == side.other();
                waits.then_some(other.opened_at + COLLISION_WAIT)
            }
        }
    }

    pub(super) fn collision_wait_until(&self) -> Option<Time> {
        let waiting = |side: Side| {
            let ready = match self.connection(side)?.progress {
                Progress::Opened { confirmed, heard, .. } => !confirmed || heard,
                Progress::Delayed { .. } | Progress::OpenSent | Progress::Established { .. } => false,
            };
            if ready { self.waits_until(side) } else { None }
        };
        waiting(Side::Outgoing).into_iter().chain(waiting(Side::Incoming)).min()
    }

    /// Takes a connection as far as it can go now.
    pub(super) fn advance(&mut self, now: Time, side: Side) {
        let waits = self.waits_until(side).is_some_and(|until| now < until);
        let Some(connection) = self.connection_mut(side) else { return };
        let Progress::Opened { negotiated, confirmed, heard, .. } = &mut connection.progress else { return };
        if waits {
            return;
        }
        let negotiated = *negotiated;
        let heard = *heard;
        if !std::mem::replace(confirmed, true) {
            self.send_keepalive(now, side);
        }
        if heard {
            self.establish(now, side, negotiated);
        }
    }

    fn establish(&mut self, now: Time, side: Side, negotiated: Negotiated) {
        self.abandon_connect();
        self.drop_connection(side.other(), Some(&Notification::new(reason::COLLISION)));
        if let Some(connection) = self.connection_mut(side) {
            connection.progress = Progress::Established { negotiated, since: now };
            connection.restart_hold_timer(now);
        }
        self.told = None;
        self.counters.established += 1;
        self.actions.push_back(Action::Up(side, negotiated));
    }
}
