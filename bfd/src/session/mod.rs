//! One session with one remote system: events in, actions out, time as an argument.
//!
//! ```text
//!  Event ──► Session ──► Action       Down ──hears Down──► Init ──hears Init, Up──► Up
//!   time        │                      │ └───────hears Init──────────────────────►│
//!               ▼                      └◄──silence, hears Down, AdminDown, path failed
//!          next_deadline
//! ```
//!
//! What always holds:
//! - [`Action::Up`] and [`Action::Down`] alternate, `Up` first. The state changes before the packet that tells of it.
//! - What is known of the remote system has been heard within the last detection time; else nothing is known.
//! - Two periodic packets are 75 to 100 % of the transmit interval apart, 75 to 90 % with a multiplier of 1 (section
//!   6.8.7). A packet whose content is new goes out at once.
//! - After [`Event::DeadlineReached`] at or after [`Session::next_deadline`], the next deadline is later.
//! - No packet makes it panic.
//!
//! Sources: RFC 5880 sections 6.2 (states), 6.5 (Poll Sequence), 6.6 (Demand mode of the remote system), 6.8.

mod negotiation;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::num::NonZeroU8;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::packet::{Discard, Packet, Received};
use crate::types::{Diagnostic, Discriminator, Interval, Span, State, Time, Timers};

use negotiation::Negotiation;

/// The most actions that one event causes: a change of state, its packet and an answer to a Poll.
const MOST_ACTIONS: usize = 4;

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A packet that belongs to this session.
    Received(Received),
    /// The time of [`Session::next_deadline`] has come.
    DeadlineReached,
    /// Something else than BFD says that the path is down: the link lost its carrier, or its address.
    PathFailed,
    /// An operator takes the session down and holds it down.
    Disable,
    /// An operator lets the session come up again.
    Enable,
    /// An operator wants other timers.
    SetTimers(Timers),
}

/// What the driver has to do, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send a packet to the remote system.
    Send(Packet),
    /// The session is Up.
    Up,
    /// The session was Up and is not any more.
    Down(DownCause),
    /// The packet was not taken: count it.
    Discarded(Discard),
}

/// Why a session that was Up is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownCause {
    /// No packet within the detection time.
    DetectionTimeExpired {
        /// The detection time.
        after: Span,
    },
    /// The remote system says that the session is down, and why.
    SignaledDown(Diagnostic),
    /// An operator holds the session down at the other end. RFC 5882 section 3.2: that is no failure of the path.
    RemoteAdminDown,
    /// See [`Event::PathFailed`].
    PathFailed,
    /// See [`Event::Disable`].
    Disabled,
}

impl DownCause {
    /// The diagnostic that our packets carry.
    pub const fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::DetectionTimeExpired { .. } => Diagnostic::DetectionTimeExpired,
            Self::SignaledDown(_) | Self::RemoteAdminDown => Diagnostic::NeighborSignaledDown,
            Self::PathFailed => Diagnostic::PathDown,
            Self::Disabled => Diagnostic::AdministrativelyDown,
        }
    }

    /// True if an operator wanted it, at either end: no reason to believe that the path or the remote system failed.
    pub const fn is_intended(&self) -> bool {
        match self {
            Self::RemoteAdminDown | Self::Disabled => true,
            Self::DetectionTimeExpired { .. } | Self::SignaledDown(_) | Self::PathFailed => false,
        }
    }
}

impl std::fmt::Display for DownCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DetectionTimeExpired { after } => write!(f, "no packet for {after}"),
            Self::SignaledDown(why) => write!(f, "the neighbor signaled the session down ({why})"),
            Self::RemoteAdminDown => f.write_str("the neighbor's operator took the session down"),
            Self::PathFailed => f.write_str("the path failed"),
            Self::Disabled => f.write_str("an operator took the session down"),
        }
    }
}

/// What the last packet of the remote system said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// What it calls the session.
    pub discriminator: Discriminator,
    /// Its state.
    pub state: State,
    /// Why it last changed its state.
    pub diagnostic: Diagnostic,
    /// The least interval at which it would send.
    pub desired_min_tx: Interval,
    /// The least interval at which it can receive.
    pub required_min_rx: Interval,
    /// Its multiplier, of which our detection time is made.
    pub detect_mult: NonZeroU8,
    /// It wants no periodic packets while both are Up.
    pub demand: bool,
    /// When that packet came.
    pub heard_at: Time,
}

/// Counts since the session was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets taken.
    pub received: u64,
    /// Packets handed to the driver.
    pub sent: u64,
    /// How many times it came up.
    pub ups: u64,
    /// How many times it went down from Up.
    pub downs: u64,
}

/// A session. It begins in Down, in the active role (RFC 5881 section 3: both sides "MUST take" it).
#[derive(Clone, Debug)]
pub struct Session {
    local: Discriminator,
    state: State,
    diagnostic: Diagnostic,
    since: Time,
    negotiation: Negotiation,
    remote: Option<Remote>,
    last_sent: Option<Packet>,
    /// When the interval to the next periodic packet began.
    sent_at: Time,
    /// What jitter takes from that interval, in 1/65536.
    shortening: u64,
    random: SplitMix64,
    counters: Counters,
    out: VecDeque<Action>,
}

impl Session {
    /// A session whose first packet is due now. The seed makes its jitter: different for every session.
    pub fn new(now: Time, local: Discriminator, timers: Timers, seed: u64) -> Self {
        Self {
            local,
            state: State::Down,
            diagnostic: Diagnostic::None,
            since: now,
            negotiation: Negotiation::new(timers),
            remote: None,
            last_sent: None,
            sent_at: now,
            shortening: 0,
            random: SplitMix64::seed_from_u64(seed),
            counters: Counters::default(),
            out: VecDeque::with_capacity(MOST_ACTIONS),
        }
    }

    /// The only way in.
    pub fn handle(&mut self, now: Time, event: Event) {
        let mut answer_poll = false;
        match event {
            Event::Received(received) => match received.authentication {
                Some(kind) => return self.out.push_back(Action::Discarded(Discard::Authentication(kind))),
                None => answer_poll = self.receive(now, received.packet),
            },
            Event::DeadlineReached => {
                if self.silence_is_over_at().is_some_and(|at| at <= now) {
                    self.forget_remote(now);
                }
            }
            Event::PathFailed => match self.state {
                State::Init | State::Up => self.go_down(now, DownCause::PathFailed),
                State::AdminDown | State::Down => {}
            },
            Event::Disable => {
                if self.state != State::AdminDown {
                    self.go_down(now, DownCause::Disabled);
                    self.enter(now, State::AdminDown);
                }
            }
            Event::Enable => {
                if self.state == State::AdminDown {
                    self.enter(now, State::Down);
                }
            }
            Event::SetTimers(timers) => self.negotiation.want(timers, self.state == State::Up),
        }
        if answer_poll {
            self.send(true);
        }
        self.send_if_due(now);
    }

    /// The only way out.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// The earliest time that changes anything. `None`: nothing happens until an event does.
    pub fn next_deadline(&self) -> Option<Time> {
        [self.periodic_packet_at(), self.silence_is_over_at()].into_iter().flatten().min()
    }

    /// What we call the session.
    pub fn local_discriminator(&self) -> Discriminator {
        self.local
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when the session is in its state.
    pub fn since(&self) -> Time {
        self.since
    }

    /// Why the session last went down; nothing once it is Up.
    pub fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// What is known of the remote system.
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The timers that are configured. Those in force may still be others.
    pub fn timers(&self) -> Timers {
        self.negotiation.wanted()
    }

    /// True while a Poll Sequence of ours waits for its Final.
    pub fn is_polling(&self) -> bool {
        self.negotiation.is_polling()
    }

    /// Interval between our periodic packets, without jitter; `None` while the remote system wants none.
    pub fn transmit_interval(&self) -> Option<Interval> {
        // A remote system that was never heard: bfd.RemoteMinRxInterval "MUST be initialized to 1".
        let Some(remote) = &self.remote else { return Some(self.negotiation.tx_in_force) };
        let in_demand_mode = remote.demand && self.state == State::Up && remote.state == State::Up;
        let unwanted = remote.required_min_rx == Interval::ZERO || in_demand_mode && !self.is_polling();
        (!unwanted).then(|| self.negotiation.tx_in_force.max(remote.required_min_rx))
    }

    /// Silence after which the remote system is given up; `None` while nothing is known of it.
    pub fn detection_time(&self) -> Option<Span> {
        // RFC 5880 section 6.8.4: the remote Detect Mult times the agreed transmit interval of the remote system.
        self.remote.as_ref().map(|remote| {
            let agreed = self.negotiation.rx_in_force.max(remote.desired_min_tx);
            Span::from(agreed).times(u64::from(remote.detect_mult.get()))
        })
    }

    /// Counts since the session was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// RFC 5880 section 6.8.6, from "Set bfd.RemoteDiscr" on. True if the packet wants an answer.
    fn receive(&mut self, now: Time, packet: Packet) -> bool {
        self.counters.received += 1;
        self.remote = Some(Remote {
            discriminator: packet.my_discriminator,
            state: packet.state,
            diagnostic: packet.diagnostic,
            desired_min_tx: packet.desired_min_tx,
            required_min_rx: packet.required_min_rx,
            detect_mult: packet.detect_mult,
            demand: packet.demand,
            heard_at: now,
        });
        self.negotiation.heard(packet.is_final, self.state == State::Up);
        match (self.state, packet.state) {
            // "If bfd.SessionState is AdminDown: discard the packet", a Poll included.
            (State::AdminDown, _) => return false,
            (State::Init | State::Up, State::AdminDown) => self.go_down(now, DownCause::RemoteAdminDown),
            (State::Up, State::Down) => self.go_down(now, DownCause::SignaledDown(packet.diagnostic)),
            (State::Down, State::Down) => self.enter(now, State::Init),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => self.enter(now, State::Up),
            (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up) => {}
        }
        packet.poll
    }

    /// The detection time has passed.
    fn forget_remote(&mut self, now: Time) {
        let after = self.detection_time().unwrap_or_default();
        // "If a period of a Detection Time passes without the receipt of a valid, authenticated BFD packet from the
        // remote system, this variable [bfd.RemoteDiscr] MUST be set to zero." All else that it said is as old.
        self.remote = None;
        match self.state {
            State::Init | State::Up => self.go_down(now, DownCause::DetectionTimeExpired { after }),
            State::AdminDown | State::Down => {}
        }
    }

    fn go_down(&mut self, now: Time, cause: DownCause) {
        self.diagnostic = cause.diagnostic();
        if self.state == State::Up {
            self.counters.downs += 1;
            self.out.push_back(Action::Down(cause));
        }
        self.enter(now, State::Down);
    }

    fn enter(&mut self, now: Time, state: State) {
        let was_up = self.state == State::Up;
        self.state = state;
        self.since = now;
        if state == State::Up {
            self.diagnostic = Diagnostic::None;
            self.negotiation.go_fast();
            self.counters.ups += 1;
            self.out.push_back(Action::Up);
        } else if was_up {
            self.negotiation.go_slow();
        }
    }

    fn silence_is_over_at(&self) -> Option<Time> {
        self.remote.as_ref().zip(self.detection_time()).map(|(remote, silence)| remote.heard_at + silence)
    }

    fn periodic_packet_at(&self) -> Option<Time> {
        let interval = u64::from(self.transmit_interval()?.0);
        if self.last_sent.is_none() {
            return Some(self.sent_at);
        }
        Some(self.sent_at + Span(interval - ((interval * self.shortening) >> 16)))
    }

    fn send_if_due(&mut self, now: Time) {
        // "A BFD Control packet SHOULD be transmitted during the interval between periodic Control packet transmissions
        // when the contents of that packet would differ from that in the previously transmitted packet (other than the
        // Poll and Final bits)".
        let is_new = self.last_sent != Some(self.content());
        let is_due = self.periodic_packet_at().is_some_and(|at| at <= now);
        if is_new || is_due {
            self.send(false);
        }
        // News does not put off the periodic packet: if it is lost, the next is no later than it would have been.
        if is_due {
            self.sent_at = now;
            self.shortening = self.jitter();
        }
    }

    fn send(&mut self, is_final: bool) {
        let content = self.content();
        self.last_sent = Some(content);
        self.counters.sent += 1;
        let poll = self.is_polling() && !is_final;
        self.out.push_back(Action::Send(Packet { poll, is_final, ..content }));
    }

    /// Our next packet, Poll and Final bits aside.
    fn content(&self) -> Packet {
        Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: false,
            is_final: false,
            // Our process is our control plane.
            control_plane_independent: false,
            demand: false,
            detect_mult: self.negotiation.detect_mult(),
            my_discriminator: self.local,
            your_discriminator: self.remote.map(|remote| remote.discriminator),
            desired_min_tx: self.negotiation.desired_min_tx,
            required_min_rx: self.negotiation.required_min_rx,
            required_min_echo_rx: Interval::ZERO,
        }
    }

    /// RFC 5880 section 6.8.7: "reduced by a random value of 0 to 25%"; with a Detect Mult of 1, "no more than 90% of
    /// the negotiated transmission interval, and [...] no less than 75%".
    fn jitter(&mut self) -> u64 {
        const QUARTER: u64 = 65_536 / 4;
        const TENTH: u64 = 65_536 / 10 + 1;
        let least = if self.negotiation.detect_mult().get() == 1 { TENTH } else { 0 };
        least + self.random.next_u64() % (QUARTER - least)
    }
}
