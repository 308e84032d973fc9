//! When time alone changes a session, and what it changes then (RFC 4271 section 8.1.3).

use super::connection::Progress;
use super::{Action, CONNECT_TIMEOUT, Next, Outgoing, Phase, Session, Side};
use crate::types::Time;
use crate::wire::notification::{Notification, reason};

impl Session {
    /// Whether it stays down for [`super::Event::Bar`]: until [`Self::next_deadline`], or a reset if there is none.
    pub const fn is_barred(&self) -> bool {
        matches!(self.phase, Phase::Barred { .. })
    }

    /// When [`Event::DeadlineReached`] is due; `None` when time alone changes nothing.
    pub fn next_deadline(&self) -> Option<Time> {
        let phase = match self.phase {
            Phase::Stopped => None,
            Phase::HeldDown { until } => Some(until),
            Phase::Barred { until } => until,
            Phase::Running { retry_at } => retry_at,
        };
        let connecting = match &self.outgoing {
            Outgoing::Connecting { give_up_at } => Some(*give_up_at),
            Outgoing::None | Outgoing::Open(_) => None,
        };
        let connections =
            [Side::Outgoing, Side::Incoming].into_iter().filter_map(|side| self.connection(side));
        let timers = connections.flat_map(|connection| {
            let open_at = match connection.progress {
                Progress::Delayed { open_at } => Some(open_at),
                Progress::OpenSent | Progress::Opened { .. } | Progress::Established { .. } => None,
            };
            [connection.hold_at, connection.keepalive_at, connection.send_hold_at, open_at]
        });
        timers.chain([phase, connecting, self.collision_wait_until()]).flatten().min()
    }

    pub(super) fn run_timers(&mut self, now: Time) {
        for side in [Side::Outgoing, Side::Incoming] {
            self.run_connection_timers(now, side);
        }
        if matches!(self.outgoing, Outgoing::Connecting { give_up_at } if give_up_at <= now) {
            self.actions.push_back(Action::AbandonConnect);
            self.connect_failed(now, format!("no answer within {} s", CONNECT_TIMEOUT.get() / 1000));
        }
        let due = match self.phase {
            Phase::HeldDown { until } | Phase::Barred { until: Some(until) } => until <= now,
            Phase::Stopped | Phase::Barred { until: None } | Phase::Running { .. } => false,
        };
        if due {
            self.begin(now, Next::AtOnce);
        }
        if matches!(self.phase, Phase::Running { retry_at: Some(at) } if at <= now) {
            self.phase = Phase::Running { retry_at: None };
            if matches!(self.outgoing, Outgoing::None) && self.incoming.is_none() {
                self.outgoing = Outgoing::Connecting { give_up_at: now + CONNECT_TIMEOUT };
                self.actions.push_back(Action::Connect);
            }
        }
    }

    fn run_connection_timers(&mut self, now: Time, side: Side) {
        let Some(connection) = self.connection(side) else { return };
        if connection.hold_at.is_some_and(|at| at <= now) {
            return self.fail(now, side, Notification::new(reason::HOLD_TIMER_EXPIRED));
        }
        if connection.send_hold_at.is_some_and(|at| at <= now) {
            return self.fail(now, side, Notification::new(reason::SEND_HOLD_TIMER_EXPIRED));
        }
        let keepalive_is_due = connection.keepalive_at.is_some_and(|at| at <= now);
        match connection.progress {
            Progress::Delayed { open_at } if open_at <= now => self.open_now(now, side),
            Progress::Delayed { .. }
            | Progress::OpenSent
            | Progress::Opened { .. }
            | Progress::Established { .. } => {}
        }
        if keepalive_is_due {
            self.send_keepalive(now, side);
        }
        self.advance(now, side);
    }
}
