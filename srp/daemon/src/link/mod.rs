//! The SRP link: one authenticated TCP connection to the peer, found, kept and reported.
//!
//! Both chassis listen and dial; whichever connection is first to carry both greetings is the link, and the [`arbiter`]
//! decides when there are two. The driver thread owns a [`mio::Poll`] and nothing here ever blocks, sleeps or asks for
//! the time: readiness and deadlines come in, ordered [`LinkEvent`]s go out.
//!
//! Always: at most one connection is the link. `Up` and `Down` alternate. A message of the peer is reported only while
//! the link is up. A peer that is not the right one costs a counter and at most a report, and leaves nothing behind.
//!
//! ```text
//! loop {
//!     poll until link.next_deadline() or readiness
//!     link.handle(now, event) for each event; link.handle_deadline(now)
//!     while let Some(event) = link.poll_event() { .. link.greet(..), link.send(..) .. }
//! }
//! ```

pub mod arbiter;
mod choose;
mod connection;
mod event;
mod pins;
mod reach;
mod redial;
mod settings;
mod socket;
mod tls;
mod transport;

use std::collections::VecDeque;
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use srp_core::config::Security;
use srp_core::types::Time;
use srp_core::wire::{CloseReason, Hello, MAX_FRAME, Message, OLDEST_VERSION, encode_as};

use self::arbiter::{Dialler, Verdict};
use self::connection::{Connection, Step};
use self::event::Counters;
use self::redial::Redial;

pub use self::event::{ConnectionId, Fault, LinkEvent, REFUSED_EVERY};
pub use self::settings::{LinkError, LinkSettings, TOKENS};
pub use self::tls::{Credentials, CredentialsError, ExposedKey, Fingerprint};

/// Octets read from one connection before the others, and the driver, have their turn.
const READ_BUDGET: usize = 64 * 1024;

/// The link to the peer.
pub struct Link {
    settings: LinkSettings,
    credentials: Option<Credentials>,
    registry: Registry,
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
    established: Option<Established>,
    /// The link as far as the driver has heard of it: behind `established` by the events that it has not polled yet.
    reported: Option<ConnectionId>,
    /// Accepted connections that are greeted only if our own dial fails.
    held: Vec<ConnectionId>,
    redial: Redial,
    events: VecDeque<LinkEvent>,
    counters: Counters,
    next_id: u64,
    accept_at: Option<Time>,
    last_trouble: Option<String>,
    stopping: bool,
}

#[derive(Clone, Copy)]
struct Established {
    id: ConnectionId,
    since: Time,
}

impl Link {
    /// Reads the credentials and starts to listen; the first dial is due at once.
    pub fn open(settings: LinkSettings, registry: &Registry) -> Result<Self, LinkError> {
        if settings.tokens.len() < TOKENS {
            return Err(LinkError::Tokens { given: settings.tokens.len() });
        }
        let credentials = match &settings.security {
            Security::Tls { key, certificate, peer_certificate } => {
                let credentials = Credentials::load(key, certificate, peer_certificate)?;
                if let Some(exposed) = credentials.exposed_key() {
                    tracing::warn!("{exposed}");
                }
                Some(credentials)
            }
            Security::Plaintext => {
                tracing::warn!("the SRP link is PLAINTEXT: whoever reaches it can switch this chassis");
                None
            }
        };
        let address = SocketAddr::new(settings.bind_address, settings.port);
        let listen_error = |source| LinkError::Listen { address, source };
        let mut listener = socket::listen(address, settings.dscp).map_err(listen_error)?;
        let registry = registry.try_clone().map_err(listen_error)?;
        registry
            .register(&mut listener, Token(settings.tokens.start), Interest::READABLE)
            .map_err(listen_error)?;
        Ok(Self {
            credentials,
            registry,
            listener: Some(listener),
            connections: Vec::new(),
            established: None,
            reported: None,
            held: Vec::new(),
            redial: Redial::new(settings.seed),
            events: VecDeque::new(),
            counters: Counters::default(),
            next_id: 1,
            accept_at: None,
            last_trouble: None,
            stopping: false,
            settings,
        })
    }

    /// From here on new connections prove themselves with these keys; the link, and whatever has begun its handshake,
    /// stays as it is. A link in plaintext stays in plaintext.
    pub fn set_credentials(&mut self, credentials: Credentials) {
        if self.credentials.is_some() {
            self.credentials = Some(credentials);
        }
    }

    /// What new connections prove themselves with; `None` in plaintext.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Takes readiness; tokens of others are ignored.
    pub fn handle(&mut self, now: Time, event: &Event) {
        let token = event.token();
        if token.0 == self.settings.tokens.start {
            // A pause between bursts is not cut short by more connections.
            if self.accept_at.is_none() {
                self.accept(now);
            }
            return;
        }
        let Some(connection) = self.connections.iter_mut().find(|c| c.token == token) else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            connection.mark_readable();
        }
        let id = connection.id;
        self.advance(now, id);
    }

    /// The earliest time at which [`Self::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Time> {
        let connections = self.connections.iter().filter_map(|connection| {
            if connection.has_work() { Some(Time(0)) } else { connection.deadline() }
        });
        let dial = self.wants_dial().then(|| self.redial.due());
        connections.chain(dial).chain(self.accept_at).min()
    }

    /// Does what is due: reads on, gives up, accepts, dials.
    pub fn handle_deadline(&mut self, now: Time) {
        let ids: Vec<_> = self.connections.iter().map(|connection| connection.id).collect();
        for id in ids {
            let Some(connection) = self.connection(id) else { continue };
            if connection.has_work() {
                self.advance(now, id);
            }
            let Some(connection) = self.connection(id) else { continue };
            match connection.expired(now) {
                Some(_) if connection.is_closing() => self.forget(id),
                Some(fault) => self.end(now, id, fault),
                None => {}
            }
        }
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept(now);
        }
        if self.wants_dial() && self.redial.due() <= now {
            self.dial(now);
        }
    }

    /// The next fact, in order.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        let event = self.events.pop_front();
        match &event {
            Some(LinkEvent::Up { connection, .. }) => self.reported = Some(*connection),
            Some(LinkEvent::Down { .. }) => self.reported = None,
            Some(LinkEvent::WantsGreeting(_) | LinkEvent::Message(_) | LinkEvent::Refused { .. }) | None => {}
        }
        event
    }

    /// Answers [`LinkEvent::WantsGreeting`] with our Hello, whose sequence number is 0. A connection that has ended or
    /// become needless meanwhile is ignored.
    pub fn greet(&mut self, now: Time, connection: ConnectionId, hello: Hello) {
        if let Some((_, Verdict::IncumbentStays)) = self.verdict(connection) {
            return self.end(now, connection, Fault::Collision);
        }
        let Some(greeted) = self.connection(connection) else { return };
        if let Err(fault) = greeted.greet(now, hello) {
            return self.end(now, connection, fault);
        }
        self.bring_up(now, connection);
        self.advance(now, connection);
    }

    /// Sends on the link of which the driver has polled the `Up`, and on no later one: an answer to a message of the
    /// old link has no place on the new. While that link is down, or if the message is longer than a frame may be,
    /// the message is dropped and counted.
    pub fn send(&mut self, now: Time, message: &Message) {
        let link = self.reported_link();
        let version = link.and_then(|id| self.connection(id)).map_or(OLDEST_VERSION, |link| link.version());
        let octets = encode_as(version, message);
        if octets.len() > MAX_FRAME {
            tracing::error!(
                octets = octets.len(),
                "message is longer than a frame may be ({MAX_FRAME}): not sent"
            );
            return self.counters.add("dropped-too-long");
        }
        let Some(connection) = link.and_then(|id| self.connection(id)) else {
            return self.counters.add("dropped-while-down");
        };
        let id = connection.id;
        let sent = connection.send(now, &octets);
        let work = connection.has_work();
        self.counters.add("sent");
        match sent {
            // Writing may have failed on a connection whose last words are still to be read.
            Ok(()) if work => self.advance(now, id),
            Ok(()) => {}
            Err(fault) => self.end(now, id, fault),
        }
    }

    /// Closes the link in good order: the reason is flushed to the peer, then the stream ends. After
    /// [`CloseReason::Stopping`] nothing is dialled or accepted any more; see [`Self::is_drained`]. After any other
    /// reason the link is sought again.
    pub fn close(&mut self, now: Time, reason: CloseReason, text: &str) {
        let stopping = reason == CloseReason::Stopping;
        let closed = if stopping { self.established.map(|up| up.id) } else { self.reported_link() };
        if let Some(id) = closed {
            self.end(now, id, Fault::ClosedHere { reason, text: text.into() });
        }
        if stopping {
            self.stopping = true;
            self.listener = None;
            self.accept_at = None;
            self.connections.retain(Connection::is_closing);
        }
    }

    /// True once nothing is left to flush after a close for [`CloseReason::Stopping`].
    pub fn is_drained(&self) -> bool {
        self.stopping && self.connections.is_empty()
    }

    /// True while the link is up.
    pub fn is_up(&self) -> bool {
        self.established.is_some()
    }

    /// Number of connections of any kind: 1 on a link at rest.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Why the link is not up, as far as the last attempt knows.
    pub fn last_trouble(&self) -> Option<&str> {
        self.last_trouble.as_deref()
    }

    /// Counts since the link was opened, by name; see [`Fault::name`] for those of ended connections.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counters.all()
    }

    /// The link, if it is the one that the driver has heard of.
    fn reported_link(&self) -> Option<ConnectionId> {
        self.established.map(|up| up.id).filter(|id| self.reported == Some(*id))
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    /// Lets a connection go as far as it can.
    fn advance(&mut self, now: Time, id: ConnectionId) {
        let mut budget = READ_BUDGET;
        loop {
            let Some(connection) = self.connection(id) else { return };
            match connection.step(now, &mut budget) {
                Ok(Some(Step::Reached)) => self.events.push_back(LinkEvent::WantsGreeting(id)),
                Ok(Some(Step::Heard)) => self.heard(now, id),
                Ok(Some(Step::Message(message))) => {
                    self.counters.add("received");
                    self.events.push_back(LinkEvent::Message(message));
                }
                Ok(Some(Step::Gone)) => return self.forget(id),
                Ok(None) => return,
                Err(fault) => return self.end(now, id, fault),
            }
        }
    }

    /// Ends a connection: tells the peer where it can be told, tells the driver where it must be told.
    fn end(&mut self, now: Time, id: ConnectionId, fault: Fault) {
        let Some(connection) = self.connection(id) else { return };
        let (peer, dialler) = (connection.peer, connection.dialler);
        let close = fault.notice();
        if (close.is_some() && connection.can_speak()) || fault.leaves_alert() {
            connection.conclude(now, close);
        } else {
            if !matches!(fault, Fault::Vanished(_) | Fault::ClosedByPeer { .. } | Fault::Truncated { .. }) {
                connection.abort();
            }
            self.forget(id);
        }
        self.held.retain(|held| *held != id);
        self.release_held();
        if let Some(up) = self.established.take_if(|up| up.id == id) {
            self.counters.add("down");
            self.counters.add(fault.name());
            self.redial.lost(now, now.since(up.since));
            self.last_trouble = Some(fault.to_string());
            self.events.push_back(LinkEvent::Down { peer, why: fault });
            return;
        }
        if dialler == Dialler::Us {
            self.last_trouble = Some(fault.to_string());
            if fault.is_refusal() {
                self.redial.refused(now);
            }
        }
        self.turned_away(now, peer, fault);
    }

    /// Counts the end of a connection that never was the link, and reports it now and then.
    fn turned_away(&mut self, now: Time, peer: SocketAddr, fault: Fault) {
        let name = fault.name();
        self.counters.add(name);
        if !fault.is_refusal() {
            return;
        }
        if let Some(unreported) = self.counters.report(now, name) {
            self.events.push_back(LinkEvent::Refused { peer, why: fault, unreported });
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        self.connections.retain(|connection| connection.id != id);
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("settings", &self.settings)
            .field("connections", &self.connections.len())
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}
