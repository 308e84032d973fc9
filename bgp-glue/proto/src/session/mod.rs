//! The session with one neighbor: events in, actions out, time as an argument.
//!
//! RFC 4271 section 8 has one state machine per connection and leaves open who owns the neighbor. Here the neighbor is
//! the object, and it owns up to two connections, one that we opened and one that the neighbor opened. So the
//! collision rule of section 6.8 is a decision inside of one value.
//!
//! ```text
//!   Event ──► Session ──► Action          Stopped ──Start──► Running ──error──► HeldDown ──time──► Running
//!                │                                              │
//!                └── outgoing, incoming: OpenSent ─OPEN─► Opened ─KEEPALIVE─► Established (one of them)
//! ```
//!
//! What always holds: nothing but a NOTIFICATION is taken from a neighbor before its OPEN; at most one connection is
//! Established, and then there is no other; every [`Action::Up`] is followed by exactly one [`Action::Down`] with
//! `was_established` before the next; no octets make it panic.
//!
//! Collisions. Both sides know from the OPENs which connection section 6.8 keeps: that of the speaker with the higher
//! identifier. Three things make both come to the same end, however packets and processes fall:
//!
//! - While there are two connections, none is confirmed by our KEEPALIVE before both have brought an OPEN or one second
//!   has passed. A connection of ours waits 50 ms for one of the neighbor's that crosses it. Otherwise
//!   one side could finish the connection that the other side closes; FRR 8.4 even closes the right one when its own
//!   attempt gets through at the moment at which ours becomes Established.
//! - A loser is closed at once only if it is not confirmed. A confirmed one may be Established for the neighbor, who
//!   then closes the winner (section 6.8: an Established connection stays). It is kept until the neighbor has decided.
//! - The connection that would lose goes on when the one that would win dies or says nothing for a second.
//!
//! Sources: RFC 4271 sections 6 and 8, RFC 6286, RFC 6608, RFC 4486, RFC 4724, RFC 8538, RFC 9687.

pub(crate) mod backoff;
#[cfg(test)]
mod bar_tests;
mod config;
mod connection;
mod counters;
mod down;
mod ending;
mod message;
mod offer;
#[cfg(test)]
mod offer_tests;
#[cfg(test)]
mod tests;
mod timers;

use std::collections::VecDeque;

use crate::types::{Families, Family, Millis, Time};
use crate::wire::header::{Kind, push_keepalive, push_notification};
use crate::wire::notification::{Notification, reason};
use crate::wire::open::Open;
use crate::wire::refresh::RouteRefresh;
use crate::wire::update::Update;

use backoff::{Backoff, Random};
pub use config::SessionConfig;
use connection::{Connection, Progress};
pub use connection::{Negotiated, PeerRestart, Side};
pub use counters::{Counters, Messages, Notifications};
pub use down::{DownReason, State};
pub use offer::{Offer, RestartOffer};

/// How long an attempt to connect may take.
const CONNECT_TIMEOUT: Millis = Millis::from_secs(5);
/// How long the neighbor's OPEN may take. RFC 4271 section 8.2.2 suggests four minutes; a neighbor that listens and
/// says nothing for half of one is not coming.
const OPEN_WAIT: Millis = Millis::from_secs(30);
/// How long a connection waits for the other one to bring an OPEN, so that the collision can be judged.
const COLLISION_WAIT: Millis = Millis::from_secs(1);
/// How long a connection of ours that has brought an OPEN waits for one of the neighbor's that crosses it.
const CROSSING_WAIT: Millis = Millis::new(50);

/// What happens to a session.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The session is wanted.
    Start,
    /// The session is not wanted any more; the neighbor is told this.
    Stop(Notification),
    /// The session is to end and begin anew; the neighbor is told this.
    Reset(Notification),
    /// The session is to end and to stay down until [`Event::Reset`], or only for so long; the neighbor is told this.
    Bar(Notification, Option<Millis>),
    /// The connection that [`Action::Connect`] asked for is there.
    Connected,
    /// The connection that [`Action::Connect`] asked for did not come about.
    ConnectFailed(String),
    /// The neighbor has opened a connection. The answer is [`Action::Adopt`] or [`Action::Refuse`].
    Accepted,
    /// Octets from the neighbor, cut in any way.
    Received(Side, &'a [u8]),
    /// A connection ended.
    Closed(Side, String),
    /// It is we who do not read what the neighbor sends, so its silence is no sign of death.
    ReadingPaused(Side),
    /// The neighbor took something of what is sent to it; `waits`: something is left for it to take.
    Sent {
        /// The connection.
        side: Side,
        /// Whether octets wait.
        waits: bool,
    },
    /// All routes of these families are wanted again.
    AskRefresh(Families),
    /// The link to the neighbor lost its carrier.
    LinkDown,
    /// There is reason to believe that an attempt would succeed now.
    RetryNow,
    /// The time of [`Session::next_deadline`] has come.
    DeadlineReached,
}

/// What the driver has to do, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a connection; report [`Event::Connected`] or [`Event::ConnectFailed`].
    Connect,
    /// Give up the attempt to open a connection and report nothing of it.
    AbandonConnect,
    /// Keep the connection that was just accepted as [`Side::Incoming`].
    Adopt,
    /// Close the connection that was just accepted, after these octets.
    Refuse(Vec<u8>),
    /// Send octets.
    Send(Side, Vec<u8>),
    /// Close the connection after everything that was sent on it; report nothing of it.
    Close(Side),
    /// The session is Established by this connection.
    Up(Side, Negotiated),
    /// The session ended, or an attempt failed for another reason than the attempt before it.
    Down {
        /// Why.
        reason: DownReason,
        /// Whether the session was Established.
        was_established: bool,
        /// The neighbor may be restarting: which of its routes are to be kept, and for how long.
        retained: Option<PeerRestart>,
    },
    /// The neighbor's routes changed.
    Update(Update),
    /// The neighbor wants all our routes of the family again.
    Refresh(Family),
    /// The neighbor begins or ends to send all its routes of the family again (RFC 7313).
    RefreshMark {
        /// The family.
        family: Family,
        /// The end: what was not repeated since the beginning is gone.
        ends: bool,
    },
}

/// The session with one neighbor.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    phase: Phase,
    outgoing: Outgoing,
    incoming: Option<Connection>,
    backoff: Backoff,
    random: Random,
    actions: VecDeque<Action>,
    counters: Counters,
    their_open: Option<Open>,
    /// The last reason told, so that a neighbor that is not there is not reported with every attempt.
    told: Option<DownReason>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Stopped,
    HeldDown {
        until: Time,
    },
    /// Down by an order that links and new connections do not lift.
    Barred {
        until: Option<Time>,
    },
    Running {
        retry_at: Option<Time>,
    },
}

#[derive(Debug)]
enum Outgoing {
    None,
    Connecting { give_up_at: Time },
    Open(Connection),
}

/// What follows the end of a session or of an attempt.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Try again at once.
    AtOnce,
    /// Try again after the wait for unreachable neighbors.
    Retry,
    /// Stay down after an error.
    HoldDown,
    /// Stay down for so long, or until an operator says otherwise.
    Bar(Option<Millis>),
    /// Stay down until told otherwise.
    Stop,
}

impl Session {
    /// A session that waits for [`Event::Start`].
    pub fn new(config: SessionConfig) -> Self {
        let random = Random::new(config.seed);
        Self {
            config,
            phase: Phase::Stopped,
            outgoing: Outgoing::None,
            incoming: None,
            backoff: Backoff::new(),
            random,
            actions: VecDeque::new(),
            counters: Counters::default(),
            their_open: None,
            told: None,
        }
    }

    /// The only way in.
    pub fn handle(&mut self, now: Time, event: Event<'_>) {
        match event {
            Event::Start => self.start(now),
            Event::Stop(notification) => self.end_all(now, Some(notification), Next::Stop),
            Event::Reset(notification) => self.end_all(now, Some(notification), Next::AtOnce),
            Event::Bar(notification, time) => self.end_all(now, Some(notification), Next::Bar(time)),
            Event::LinkDown => self.end_all(now, None, Next::Retry),
            Event::Connected => self.connected(now),
            Event::ConnectFailed(error) => self.connect_failed(now, error),
            Event::Accepted => self.accepted(now),
            Event::Received(side, octets) => self.received(now, side, octets),
            Event::Closed(side, error) => self.closed(now, side, error),
            Event::ReadingPaused(side) => {
                if let Some(connection) = self.connection_mut(side) {
                    connection.restart_hold_timer(now);
                }
            }
            Event::Sent { side, waits } => {
                let send_hold = self.config.send_hold;
                if let Some(connection) = self.connection_mut(side) {
                    connection.restart_send_hold_timer(now, waits, send_hold);
                }
            }
            Event::AskRefresh(families) => self.ask_refresh(families),
            Event::RetryNow => self.retry_now(now),
            Event::DeadlineReached => {}
        }
        self.run_timers(now);
    }

    /// The only way out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The state as an operator knows it.
    pub fn state(&self) -> State {
        let of = |connection: &Connection| match connection.progress {
            // RFC 4271 section 8.2.2: the delay is spent in Connect or Active, by who opened the connection.
            Progress::Delayed { .. } => State::Active,
            Progress::OpenSent => State::OpenSent,
            Progress::Opened { .. } => State::OpenConfirm,
            Progress::Established { .. } => State::Established,
        };
        let phase = match self.phase {
            Phase::Stopped | Phase::HeldDown { .. } | Phase::Barred { .. } => State::Idle,
            Phase::Running { .. } => State::Active,
        };
        let outgoing = match &self.outgoing {
            Outgoing::None => phase,
            Outgoing::Connecting { .. } => State::Connect,
            Outgoing::Open(connection) => of(connection),
        };
        // `Connect` is less than `Active` in the order of the standard but says more here.
        match self.incoming.as_ref().map(of) {
            Some(incoming) => incoming.max(outgoing),
            None => outgoing,
        }
    }

    /// The connection that is Established and what was negotiated on it.
    pub fn established(&self) -> Option<(Side, &Negotiated)> {
        [Side::Outgoing, Side::Incoming].into_iter().find_map(|side| {
            let connection = self.connection(side).filter(|connection| connection.is_established())?;
            Some((side, connection.negotiated()?))
        })
    }

    /// What went over its connections.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The OPEN that we would send now.
    pub fn our_open(&self, now: Time) -> Open {
        self.config.open(now)
    }

    /// The last OPEN of the neighbor, taken or refused.
    pub const fn their_open(&self) -> Option<&Open> {
        self.their_open.as_ref()
    }

    fn connection(&self, side: Side) -> Option<&Connection> {
        match (side, &self.outgoing) {
            (Side::Incoming, _) => self.incoming.as_ref(),
            (Side::Outgoing, Outgoing::Open(connection)) => Some(connection),
            (Side::Outgoing, Outgoing::None | Outgoing::Connecting { .. }) => None,
        }
    }

    fn connection_mut(&mut self, side: Side) -> Option<&mut Connection> {
        match (side, &mut self.outgoing) {
            (Side::Incoming, _) => self.incoming.as_mut(),
            (Side::Outgoing, Outgoing::Open(connection)) => Some(connection),
            (Side::Outgoing, Outgoing::None | Outgoing::Connecting { .. }) => None,
        }
    }

    fn start(&mut self, now: Time) {
        match self.phase {
            Phase::Stopped => {
                self.backoff = Backoff::new();
                self.told = None;
                self.begin(now, Next::AtOnce);
            }
            Phase::HeldDown { .. } | Phase::Barred { .. } | Phase::Running { .. } => {}
        }
    }

    fn retry_now(&mut self, now: Time) {
        match self.phase {
            Phase::Stopped | Phase::Barred { .. } => {}
            Phase::HeldDown { .. } | Phase::Running { .. } => {
                if matches!(self.outgoing, Outgoing::Connecting { .. }) {
                    // That attempt may hang in the retransmissions of a SYN that was sent into a dead link.
                    self.abandon_connect();
                }
                if !self.has_connection() {
                    self.begin(now, Next::AtOnce);
                }
            }
        }
    }

    /// Enters the phase that follows. Everything of the past is cleared away by now.
    fn begin(&mut self, now: Time, next: Next) {
        self.phase = match next {
            Next::Stop => Phase::Stopped,
            Next::Bar(time) => Phase::Barred { until: time.map(|time| now + time) },
            Next::HoldDown => {
                let wait = self.backoff.after_error();
                Phase::HeldDown { until: now + self.random.jittered(wait) }
            }
            Next::Retry if !self.config.passive => {
                let wait = self.backoff.after_failed_attempt();
                Phase::Running { retry_at: Some(now + self.random.jittered(wait)) }
            }
            Next::AtOnce if !self.config.passive => Phase::Running { retry_at: Some(now) },
            Next::Retry | Next::AtOnce => Phase::Running { retry_at: None },
        };
    }

    fn has_connection(&self) -> bool {
        self.incoming.is_some() || matches!(self.outgoing, Outgoing::Open(_))
    }

    fn connected(&mut self, now: Time) {
        if matches!(self.outgoing, Outgoing::Connecting { .. }) {
            self.outgoing = Outgoing::Open(self.new_connection(now));
            self.begin_open(now, Side::Outgoing);
        }
    }

    fn connect_failed(&mut self, now: Time, error: String) {
        if matches!(self.outgoing, Outgoing::Connecting { .. }) {
            self.outgoing = Outgoing::None;
            if self.incoming.is_none() {
                self.tell_down(DownReason::ConnectFailed(error), false, None);
                self.begin(now, Next::Retry);
            }
        }
    }

    fn accepted(&mut self, now: Time) {
        match self.phase {
            Phase::Stopped | Phase::HeldDown { .. } | Phase::Barred { .. } => {
                self.actions.push_back(Action::Refuse(Vec::new()));
            }
            Phase::Running { .. } => {
                if let Some((side, since, negotiated)) = self.restarting(now) {
                    // RFC 4724 section 4.2: a neighbor that can restart and opens anew has restarted. The old
                    // connection is closed without a word, and its routes are kept.
                    self.drop_connection(side, None);
                    let reason = DownReason::ConnectionLost("the neighbor has opened a new one".to_owned());
                    self.end_session(now, since, &negotiated, reason);
                    self.phase = Phase::Running { retry_at: None };
                } else if let Some((side, _)) = self.established() {
                    // RFC 4271 section 6.8: an Established connection wins. But a neighbor that opens a new one may
                    // have died and come back: the KEEPALIVE finds out, since its kernel would answer with a reset.
                    self.send_keepalive(now, side);
                    let mut octets = Vec::new();
                    push_notification(&mut octets, &Notification::new(reason::COLLISION));
                    return self.actions.push_back(Action::Refuse(octets));
                }
                if self.incoming.is_some() {
                    // The neighbor opens one connection at a time, so the older one is dead for it.
                    self.drop_connection(Side::Incoming, Some(&Notification::new(reason::COLLISION)));
                }
                self.actions.push_back(Action::Adopt);
                self.incoming = Some(self.new_connection(now));
                self.begin_open(now, Side::Incoming);
            }
        }
    }

    /// The Established connection, if a second one would mean that the neighbor has restarted: one that comes soon has
    /// only crossed the first.
    fn restarting(&self, now: Time) -> Option<(Side, Time, Negotiated)> {
        let (side, negotiated) = self.established()?;
        let since = match self.connection(side)?.progress {
            Progress::Established { since, .. } => since,
            Progress::Delayed { .. } | Progress::OpenSent | Progress::Opened { .. } => return None,
        };
        let settled = now - since >= COLLISION_WAIT;
        (negotiated.restart.is_some() && settled).then_some((side, since, *negotiated))
    }

    fn abandon_connect(&mut self) {
        if matches!(self.outgoing, Outgoing::Connecting { .. }) {
            self.outgoing = Outgoing::None;
            self.actions.push_back(Action::AbandonConnect);
        }
    }

    fn send(&mut self, side: Side, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let mut octets = Vec::new();
        write(&mut octets);
        self.counters.sent.count(kind);
        self.actions.push_back(Action::Send(side, octets));
    }

    fn new_connection(&self, now: Time) -> Connection {
        let delay = self.config.delay_open;
        Connection::new(now, OPEN_WAIT, Progress::Delayed { open_at: now + delay })
    }

    fn begin_open(&mut self, now: Time, side: Side) {
        if self.config.delay_open == Millis::new(0) {
            self.open_now(now, side);
        }
    }

    /// Sends our OPEN.
    fn open_now(&mut self, now: Time, side: Side) {
        if let Some(connection) = self.connection_mut(side) {
            connection.progress = Progress::OpenSent;
            connection.hold_at = Some(now + OPEN_WAIT);
            let open = self.config.open(now);
            self.send(side, Kind::Open, |octets| open.push(octets));
        }
    }

    fn ask_refresh(&mut self, families: Families) {
        let Some((side, negotiated)) = self.established() else { return };
        // RFC 2918 section 4: only a neighbor that said so is asked.
        if negotiated.route_refresh {
            for family in families.intersection(negotiated.families).iter() {
                self.send(side, Kind::RouteRefresh, |octets| RouteRefresh::request(family).push(octets));
            }
        }
    }

    fn send_keepalive(&mut self, now: Time, side: Side) {
        let interval = self
            .connection(side)
            .and_then(Connection::negotiated)
            .and_then(|negotiated| negotiated.hold_time.keepalive_interval());
        let next = interval.map(|interval| now + self.random.jittered(interval));
        if let Some(connection) = self.connection_mut(side) {
            connection.keepalive_at = next;
            self.send(side, Kind::Keepalive, push_keepalive);
        }
    }
}
