//! One peer: a connection that is made, opened by Capabilities-Exchange, watched, and made again.
//!
//! ```text
//!   Closed ─Connect─► Connecting ─CER─► Exchanging ─CEA─► Open (watchdog) ─DPR─► Leaving
//!     ▲                  │                 │                │                     │
//!     └──────────────────┴── refused, lost, silent: Close ──┴─────────────────────┘
//! ```
//!
//! We dial and are never dialled, so there is no election (RFC 6733 section 5.6.4). Down is whatever RFC 3539 fails over
//! for: no connection, a refusal, a watchdog that is not answered; and a connection that was lost is Up again only after
//! three answered watchdogs. Requests for applications are refused by name: this node has none.

mod open;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::answer::{
    APPLICATION_UNSUPPORTED, COMMAND_UNSUPPORTED, SUCCESS, disconnect_cause, read_capabilities,
};
use super::framing::Framer;
use super::packet::{Avp, ERROR, Header, Message, REQUEST, avp, command, grouped};
use super::watchdog::Watchdog;
use crate::types::{Standing, State, Time, span};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// `DO_NOT_WANT_TO_TALK_TO_YOU`: no messages are to come (RFC 6733 section 5.4.3).
const NOTHING_TO_COME: u32 = 2;

const PRODUCT: &str = "srpd";

/// How a peer is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Our DiameterIdentity.
    pub origin_host: String,
    /// Our realm.
    pub origin_realm: String,
    /// The identity that the peer has to have, if it matters.
    pub host: Option<String>,
    /// The application that we say we have; 4294967295 is that of relays, which everybody has in common.
    pub application: u32,
    /// Vendor of the application, where it is a vendor's (Vendor-Specific-Application-Id).
    pub vendor: Option<u32>,
    /// Tw of RFC 3539; 6 s or more.
    pub watchdog_interval: Duration,
    /// From a connection that was lost or refused to the next attempt, and how long an attempt may take; not zero.
    pub reconnect_interval: Duration,
}

/// What the driver has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a connection; its end is told by [`Peer::connected`] or [`Peer::disconnected`].
    Connect,
    /// Send on the connection.
    Send(Vec<u8>),
    /// Close the connection, or give up making it. Not told back.
    Close,
}

/// What happened since the peer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Attempts to connect.
    pub attempts: u64,
    /// Connections that were opened by Capabilities-Exchange.
    pub opened: u64,
    /// Device-Watchdog-Requests of ours.
    pub watchdogs_sent: u64,
    /// Answers to them.
    pub watchdogs_answered: u64,
    /// Those that were not answered within Tw.
    pub watchdogs_missed: u64,
    /// Device-Watchdog-Requests of the peer, all answered.
    pub watchdogs_received: u64,
    /// Requests for applications, refused.
    pub requests_refused: u64,
    /// Answers to nothing that was asked, and messages before their time: ignored.
    pub unexpected: u64,
    /// Octets that are no Diameter; each ended its connection.
    pub malformed: u64,
    /// Times that the peer became Down.
    pub downs: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nobody wants it.
    Stopped,
    Closed,
    Connecting,
    /// Capabilities-Exchange-Request is out.
    Exchanging {
        hop_by_hop: u32,
    },
    Open(Watchdog),
    /// Disconnect-Peer-Request is out, and nobody wants the peer any more.
    Leaving {
        hop_by_hop: u32,
    },
}

/// One peer.
#[derive(Clone, Debug)]
pub struct Peer {
    settings: Settings,
    phase: Phase,
    framer: Framer,
    /// When something is due by itself.
    deadline: Option<Time>,
    /// An open connection was lost before: RFC 3539's DOWN, not INITIAL.
    was_open: bool,
    asked: Option<(u32, Time)>,
    who: String,
    random: SplitMix64,
    hop_by_hop: u32,
    end_to_end: u32,
    actions: VecDeque<Action>,
    standing: Standing,
    changed: bool,
    counters: Counters,
    round_trip: Option<Duration>,
}

impl Peer {
    /// A peer that is not watched yet.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut random = SplitMix64::seed_from_u64(seed);
        let [hop_by_hop, end_to_end] = [(); 2].map(|()| (random.next_u64() >> 32) as u32);
        Self {
            settings,
            phase: Phase::Stopped,
            framer: Framer::default(),
            deadline: None,
            was_open: false,
            asked: None,
            who: String::new(),
            random,
            hop_by_hop,
            end_to_end,
            actions: VecDeque::new(),
            standing: Standing { reason: "not connected yet".into(), ..Standing::default() },
            changed: false,
            counters: Counters::default(),
            round_trip: None,
        }
    }

    /// Watches from now on, over a new connection. What was known before is forgotten.
    pub fn start(&mut self, now: Time) {
        if self.has_connection() {
            self.actions.push_back(Action::Close);
        }
        self.was_open = false;
        self.round_trip = None;
        self.connect(now);
        self.become_(now, State::Unknown, "connecting".into());
    }

    /// Watches no more; says goodbye over an open connection.
    pub fn stop(&mut self, now: Time, reason: &str) {
        match self.phase {
            Phase::Open(_) => {
                let cause = Avp::number(avp::DISCONNECT_CAUSE, NOTHING_TO_COME);
                let hop_by_hop = self.request(command::DISCONNECT_PEER, vec![cause]);
                self.phase = Phase::Leaving { hop_by_hop };
                self.deadline = Some(now + GOODBYE);
            }
            Phase::Connecting | Phase::Exchanging { .. } => {
                self.actions.push_back(Action::Close);
                self.end();
            }
            Phase::Closed => self.end(),
            Phase::Stopped | Phase::Leaving { .. } => {}
        }
        self.become_(now, State::Unknown, reason.to_owned());
    }

    /// Failures are forgotten: the state is Unknown until the next attempt, which is made at once. An open connection
    /// stays.
    pub fn reset(&mut self, now: Time) {
        match self.phase {
            Phase::Stopped | Phase::Leaving { .. } => {}
            Phase::Open(watchdog) if watchdog.is_okay() => {}
            Phase::Closed | Phase::Connecting | Phase::Exchanging { .. } | Phase::Open(_) => self.start(now),
        }
    }

    /// Whether nothing is left to do: no connection, and none wanted.
    pub const fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// When [`handle_deadline`](Self::handle_deadline) is wanted next.
    pub const fn next_deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The connection is made; `local` is our end of it.
    pub fn connected(&mut self, now: Time, local: IpAddr) {
        if self.phase != Phase::Connecting {
            return;
        }
        let Settings { application, vendor, .. } = self.settings;
        let application = match vendor {
            None => Avp::number(avp::AUTH_APPLICATION_ID, application),
            Some(vendor) => {
                let parts =
                    [Avp::number(avp::VENDOR_ID, vendor), Avp::number(avp::AUTH_APPLICATION_ID, application)];
                Avp::mandatory(avp::VENDOR_SPECIFIC_APPLICATION_ID, grouped(&parts))
            }
        };
        let product =
            Avp { code: avp::PRODUCT_NAME, flags: 0, vendor: None, data: PRODUCT.as_bytes().to_vec() };
        let address = Avp::mandatory(avp::HOST_IP_ADDRESS, address(local));
        // Vendor-Id 0: no vendor's own AVPs (RFC 6733 section 5.3.3).
        let avps = vec![address, Avp::number(avp::VENDOR_ID, 0), product, application];
        let hop_by_hop = self.request(command::CAPABILITIES_EXCHANGE, avps);
        self.framer = Framer::default();
        self.phase = Phase::Exchanging { hop_by_hop };
        self.deadline = Some(now + self.settings.reconnect_interval);
    }

    /// There is no connection, or no longer; `why` as the system says it.
    pub fn disconnected(&mut self, now: Time, why: &str) {
        match self.phase {
            Phase::Stopped | Phase::Closed => {}
            Phase::Leaving { .. } => self.end(),
            Phase::Connecting => self.lose(now, format!("no connection: {why}")),
            Phase::Exchanging { .. } => {
                self.lose(now, format!("connection lost before Capabilities-Exchange-Answer: {why}"));
            }
            Phase::Open(_) => self.lose(now, format!("connection lost: {why}")),
        }
    }

    /// Octets of the connection.
    pub fn received(&mut self, now: Time, octets: &[u8]) {
        if !self.has_connection() {
            return;
        }
        self.framer.push(octets);
        while self.has_connection() {
            let message = match self.framer.take() {
                Ok(Some(message)) => Message::decode(&message).map_err(|error| error.to_string()),
                Ok(None) => return,
                Err(error) => Err(error.to_string()),
            };
            match message {
                Ok(message) => self.hear(now, &message),
                Err(error) => {
                    self.counters.malformed += 1;
                    self.give_up(now, error);
                }
            }
        }
    }

    /// The time has come.
    pub fn handle_deadline(&mut self, now: Time) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        let within = span(self.settings.reconnect_interval);
        match self.phase {
            Phase::Stopped => self.deadline = None,
            Phase::Closed => self.connect(now),
            Phase::Connecting => {
                self.give_up(now, format!("no connection within {within}"));
                self.connect(now);
            }
            Phase::Exchanging { .. } => {
                self.give_up(now, format!("no Capabilities-Exchange-Answer within {within}"));
                self.connect(now);
            }
            Phase::Leaving { .. } => {
                self.actions.push_back(Action::Close);
                self.end();
            }
            Phase::Open(watchdog) => self.watch(now, watchdog),
        }
    }

    /// What is known of the peer.
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether the standing has changed since this was asked last.
    pub const fn take_change(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    /// What happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Of the last watchdog.
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// State of the connection, in the words of RFC 3539 where it has one.
    pub const fn connection(&self) -> &'static str {
        match self.phase {
            Phase::Stopped => "none",
            Phase::Closed if self.was_open => "DOWN",
            Phase::Closed => "INITIAL",
            Phase::Connecting => "connecting",
            Phase::Exchanging { .. } => "Capabilities-Exchange",
            Phase::Open(Watchdog::Okay { .. }) => "OKAY",
            Phase::Open(Watchdog::Suspect) => "SUSPECT",
            Phase::Open(Watchdog::Reopen { .. }) => "REOPEN",
            Phase::Leaving { .. } => "Disconnect-Peer",
        }
    }

    const fn has_connection(&self) -> bool {
        match self.phase {
            Phase::Stopped | Phase::Closed => false,
            Phase::Connecting | Phase::Exchanging { .. } | Phase::Open(_) | Phase::Leaving { .. } => true,
        }
    }

    fn connect(&mut self, now: Time) {
        self.phase = Phase::Connecting;
        self.counters.attempts += 1;
        self.deadline = Some(now + self.settings.reconnect_interval);
        self.actions.push_back(Action::Connect);
    }

    /// Nothing is wanted any more.
    fn end(&mut self) {
        self.phase = Phase::Stopped;
        self.deadline = None;
    }

    /// The connection is gone.
    fn lose(&mut self, now: Time, why: String) {
        self.was_open |= matches!(self.phase, Phase::Open(_));
        self.phase = Phase::Closed;
        self.asked = None;
        self.deadline = Some(now + self.settings.reconnect_interval);
        self.become_(now, State::Down, why);
    }

    /// The connection is of no use.
    fn give_up(&mut self, now: Time, why: String) {
        self.actions.push_back(Action::Close);
        match self.phase {
            Phase::Leaving { .. } | Phase::Stopped => self.end(),
            Phase::Closed | Phase::Connecting | Phase::Exchanging { .. } | Phase::Open(_) => {
                self.lose(now, why);
            }
        }
    }

    fn hear(&mut self, now: Time, message: &Message) {
        let header = message.header;
        match (header.is_request(), header.command) {
            (true, command::DEVICE_WATCHDOG) if matches!(self.phase, Phase::Open(_)) => {
                self.counters.watchdogs_received += 1;
                self.answer(message, SUCCESS);
                self.heard(now);
            }
            (true, command::DISCONNECT_PEER) => {
                let cause = disconnect_cause(message);
                self.answer(message, SUCCESS);
                self.give_up(now, format!("the peer disconnects (Disconnect-Peer-Request): {cause}"));
            }
            (true, _) if matches!(self.phase, Phase::Open(_)) => {
                self.counters.requests_refused += 1;
                let is_base = header.application == 0;
                self.answer(message, if is_base { COMMAND_UNSUPPORTED } else { APPLICATION_UNSUPPORTED });
                self.heard(now);
            }
            (false, command::CAPABILITIES_EXCHANGE)
                if self.phase == (Phase::Exchanging { hop_by_hop: header.hop_by_hop }) =>
            {
                match read_capabilities(message, self.settings.host.as_deref()) {
                    Ok(who) => self.open(now, who),
                    Err(refusal) => self.give_up(now, refusal.to_string()),
                }
            }
            (false, command::DEVICE_WATCHDOG) => self.answered(now, header.hop_by_hop),
            (false, command::DISCONNECT_PEER)
                if self.phase == (Phase::Leaving { hop_by_hop: header.hop_by_hop }) =>
            {
                self.actions.push_back(Action::Close);
                self.end();
            }
            (true | false, _) => self.counters.unexpected += 1,
        }
    }

    /// Sends a request with our identity; returns its hop-by-hop identifier.
    fn request(&mut self, command: u32, avps: Vec<Avp>) -> u32 {
        self.hop_by_hop = self.hop_by_hop.wrapping_add(1);
        self.end_to_end = self.end_to_end.wrapping_add(1);
        let (hop_by_hop, end_to_end) = (self.hop_by_hop, self.end_to_end);
        let header = Header { flags: REQUEST, command, application: 0, hop_by_hop, end_to_end };
        let avps = self.identity().into_iter().chain(avps).collect();
        self.actions.push_back(Action::Send(Message { header, avps }.encode()));
        hop_by_hop
    }

    fn answer(&mut self, request: &Message, result: u32) {
        // RFC 6733 section 7.1.3: what begins with 3 is an error of the protocol.
        let error = if result / 1000 == 3 { ERROR } else { 0 };
        let kept = request.header.flags & 0x40;
        let header = Header { flags: kept | error, ..request.header };
        let mut avps: Vec<Avp> = request.find(avp::SESSION_ID).into_iter().cloned().collect();
        avps.push(Avp::number(avp::RESULT_CODE, result));
        avps.extend(self.identity());
        self.actions.push_back(Action::Send(Message { header, avps }.encode()));
    }

    fn identity(&self) -> [Avp; 2] {
        [
            Avp::mandatory(avp::ORIGIN_HOST, self.settings.origin_host.as_bytes()),
            Avp::mandatory(avp::ORIGIN_REALM, self.settings.origin_realm.as_bytes()),
        ]
    }

    fn become_(&mut self, now: Time, state: State, reason: String) {
        let other = self.standing.become_(now, state, reason);
        self.changed |= other;
        if other && state == State::Down {
            self.counters.downs += 1;
        }
    }
}

/// Address (RFC 6733 section 4.3.1): its family by IANA's number, then the address.
fn address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => [&[0, 1][..], &v4.octets()].concat(),
        IpAddr::V6(v6) => [&[0, 2][..], &v6.octets()].concat(),
    }
}

#[cfg(test)]
mod tests;
