//! A chassis as seen from now: times as distances, counters as differences, what no longer matters left out.
//!
//! For those who compare states, such as a model checker: two chassis that are equal here do the same for ever, if the
//! same happens to them. Why each number may go:
//!
//! - Times are only compared with `now` and with each other, and what is past counts as past however long ago: each is a
//!   distance to `now`, down to the distance at which nothing can tell it from an earlier one.
//! - Standings, tickets and numbers of switchovers are only compared for equality, and each new one is the last one plus
//!   one: each is a difference to the newest of the chassis that counts it.
//!   An abort repeats a number of either chassis: whoever compares pairs also compares by how much the two counts differ.
//! - The sequence of Hellos matters only at 0. Boot ids are compared only between twins (`Rank`). When the peer was
//!   heard, how long its Hello was held and when an operator asked are told to people; no rule reads them.

use super::presence::Ticket;
use super::role::{Asked, HandOver, Role, TakeOver};
use super::{Chassis, Link};
use crate::types::{BootId, Span, Time, are_twins};
use crate::wire::{Hello, Message, SwitchoverAbort};

/// Where time is put; any constant larger than every interval will do.
const NOW: u64 = 1 << 40;

/// The newest of each number that a chassis counts up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counters {
    /// Of its standing.
    pub standing: u64,
    /// Of its steps in kernel and routing domain.
    pub ticket: Ticket,
    /// Of its planned switchovers.
    pub switchover: u64,
}

/// From where a chassis is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The present time.
    pub now: Time,
    /// Of the chassis, or of the receiver of a message.
    pub own: Counters,
    /// Of its peer, or of the sender of a message.
    pub peer: Counters,
    /// The dead-interval of the pair.
    pub dead_interval: Span,
    /// Nothing but the boot ids tells the two apart.
    pub twins: bool,
}

impl Chassis {
    /// The newest numbers that it has counted to.
    pub fn counters(&self) -> Counters {
        Counters {
            standing: self.standing,
            ticket: self.presence.last_ticket(),
            switchover: self.next_switchover,
        }
    }

    /// This chassis at `now`, in a form for comparison alone, beside a peer that has counted to `peer`.
    #[must_use]
    pub fn relative(&self, now: Time, peer: Counters) -> Self {
        let own = self.counters();
        let dead_interval = self.settings.dead_interval;
        let longer = Span(dead_interval.0.saturating_add(1));
        let twins = self.peer().is_some_and(|peer| are_twins(&peer.identity(), &self.settings.identity));
        let origin = Origin { now, own, peer, dead_interval, twins };
        let mut settings = self.settings.clone();
        settings.identity.boot = origin.boot(settings.identity.boot);
        let link = self.link.as_ref().map(|link| Link {
            sequence: link.sequence.min(1),
            // Its echo of our clock was read when it arrived.
            peer: link.peer.as_ref().map(|hello| Hello { echo_sent_at: None, ..hello.relative(&origin) }),
            in_sync: link.in_sync,
        });
        Self {
            settings,
            role: self.role.relative(&origin),
            modifier: self.modifier,
            presence: self.presence.relative(&origin),
            standing: 0,
            shown: self.shown,
            link,
            view: self.view,
            heard: None,
            lease: origin.time(self.lease, Span::ZERO),
            // One that is over, but since we last ran, is still to be noticed.
            rests_until: origin.time(self.rests_until.max(self.ran), longer),
            stood_back: self.stood_back,
            alive: origin.time(self.alive, dead_interval),
            hello_at: origin.time(self.hello_at, Span::ZERO),
            ran: origin.time(self.ran, longer),
            bgp: self.bgp,
            session_managers: self.session_managers,
            peer_bfd: self.peer_bfd.relative(),
            monitors: self
                .monitors
                .relative(&self.settings.guard_timers, |time, reach| origin.time(time, reach)),
            failover: self.failover.relative(|time| origin.time(time, Span::ZERO)),
            next_switchover: 0,
            stopping: self.stopping,
            stop_until: self.stop_until.map(|until| origin.time(until, Span::ZERO)),
            stopped: self.stopped,
            out: self.out.clone(),
        }
    }
}

impl Origin {
    /// A time as its distance to now; at most `reach` into the past.
    pub(super) fn time(&self, time: Time, reach: Span) -> Time {
        Time(time.max(self.now - reach).0.wrapping_add(NOW).wrapping_sub(self.now.0))
    }

    /// A step of the chassis itself.
    pub fn ticket(&self, ticket: Ticket) -> Ticket {
        Ticket(ticket.0.wrapping_sub(self.own.ticket.0))
    }

    fn boot(&self, boot: BootId) -> BootId {
        if self.twins { boot } else { BootId(0) }
    }
}

impl Role {
    fn relative(&self, origin: &Origin) -> Self {
        let time = |time| origin.time(time, Span::ZERO);
        match *self {
            Self::Init => Self::Init,
            Self::Standby => Self::Standby,
            Self::PendingActive { until, take_over } => {
                let take_over = match take_over {
                    TakeOver::Unplanned(reason) => TakeOver::Unplanned(reason),
                    TakeOver::Planned { id, force, reason } => {
                        TakeOver::Planned { id: id.wrapping_sub(origin.peer.switchover), force, reason }
                    }
                };
                Self::PendingActive { until: time(until), take_over }
            }
            Self::Active => Self::Active,
            Self::PendingStandby { until, reason, step } => {
                let number = |id: u64| id.wrapping_sub(origin.own.switchover);
                let forget = |asked: Asked| Asked { at: Time(0), ..asked };
                let step = match step {
                    HandOver::Flushing { id, ticket, force, asked } => HandOver::Flushing {
                        id: number(id),
                        ticket: Ticket(number(ticket.0)),
                        force,
                        asked: asked.map(forget),
                    },
                    HandOver::Waiting { id, asked } => {
                        HandOver::Waiting { id: number(id), asked: asked.map(forget) }
                    }
                    HandOver::Leaving => HandOver::Leaving,
                };
                Self::PendingStandby { until: time(until), reason, step }
            }
        }
    }
}

impl Hello {
    fn relative(&self, origin: &Origin) -> Self {
        Self {
            sequence: 0,
            sent_at: origin.time(self.sent_at, origin.dead_interval),
            echo_sent_at: self.echo_sent_at.map(|time| origin.time(time, origin.dead_interval)),
            boot: origin.boot(self.boot),
            standing: self.standing.wrapping_sub(origin.peer.standing),
            echo_standing: self.echo_standing.map(|number| number.wrapping_sub(origin.own.standing)),
            echo_held: None,
            ..self.clone()
        }
    }
}

impl Message {
    /// This message on its way to a chassis, in the same form: `origin` is the receiver's.
    #[must_use]
    pub fn relative(&self, origin: &Origin) -> Self {
        match self {
            Self::Hello(hello) => Self::Hello(hello.relative(origin)),
            Self::SwitchoverRequest(request) => {
                let mut request = request.clone();
                request.id = request.id.wrapping_sub(origin.peer.switchover);
                Self::SwitchoverRequest(request)
            }
            // Whose number it repeats depends on who reads it.
            Self::SwitchoverAbort(abort) => {
                let own = abort.id.wrapping_sub(origin.own.switchover);
                let peer = abort.id.wrapping_sub(origin.peer.switchover);
                Self::SwitchoverAbort(SwitchoverAbort {
                    id: own << 32 | peer & 0xffff_ffff,
                    why: String::new(),
                })
            }
            Self::ConfigItems(_) | Self::TerminatePostProcess(_) | Self::Close(_) | Self::Unknown(_) => {
                self.clone()
            }
        }
    }
}
