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
mod connection;
mod event;
mod redial;
mod settings;
mod socket;
mod tls;
mod transport;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use srp_core::config::Security;
use srp_core::types::{Span, Time};
use srp_core::wire::{CloseReason, Hello, MAX_FRAME, Message, encode};

use self::arbiter::{Dialler, Verdict};
use self::connection::{Connection, Step};
use self::event::Counters;
use self::redial::Redial;
use self::transport::Transport;

pub use self::event::{ConnectionId, Fault, LinkEvent, REFUSED_EVERY};
pub use self::settings::{DEFAULT_DSCP, LinkError, LinkSettings, TOKENS};
pub use self::tls::{Credentials, CredentialsError, ExposedKey, Fingerprint};

/// Connections held at once, the link itself included.
const MAX_CONNECTIONS: usize = 16;

/// Connections accepted at once; the kernel keeps the others until [`ACCEPT_PAUSE`] has passed.
const ACCEPT_BURST: usize = 8;

/// Pause between two bursts: whoever connects in a flood is not let to delay a Hello.
const ACCEPT_PAUSE: Span = Span::millis(10);

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
    /// Accepted connections that are greeted only if our own dial fails; see [`Link::authenticated`].
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
        self.events.pop_front()
    }

    /// Answers [`LinkEvent::WantsGreeting`] with our Hello, whose sequence number is 0. A connection that has ended
    /// meanwhile is ignored.
    pub fn greet(&mut self, now: Time, connection: ConnectionId, hello: Hello) {
        let Some(greeted) = self.connection(connection) else { return };
        match greeted.greet(now, hello) {
            Ok(()) => self.advance(now, connection),
            Err(fault) => self.end(now, connection, fault),
        }
    }

    /// Sends on the link. While it is down, or if the message is longer than a frame may be, the message is dropped and
    /// counted: every message but the next Hello is sent again by whoever still needs it.
    pub fn send(&mut self, now: Time, message: &Message) {
        let octets = encode(message);
        let up = self.established.and_then(|up| self.connections.iter_mut().find(|c| c.id == up.id));
        let Some(connection) = up else { return self.counters.add("dropped-while-down") };
        if octets.len() > MAX_FRAME {
            tracing::error!(
                octets = octets.len(),
                "message is longer than a frame may be ({MAX_FRAME}): not sent"
            );
            return self.counters.add("dropped-too-long");
        }
        self.counters.add("sent");
        let id = connection.id;
        let sent = connection.send(now, &octets);
        let work = connection.has_work();
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
        if let Some(up) = self.established {
            self.end(now, up.id, Fault::ClosedHere { reason, text: text.into() });
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

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    fn wants_dial(&self) -> bool {
        // One dial at a time: rule b of the arbiter rests on it.
        let dialling = |c: &Connection| c.dialler == Dialler::Us && !c.is_closing();
        !self.stopping && self.established.is_none() && !self.connections.iter().any(dialling)
    }

    fn dial(&mut self, now: Time) {
        self.counters.add("dialled");
        self.redial.dialled(now);
        let peer = SocketAddr::new(self.settings.peer_address, self.settings.port);
        let LinkSettings { bind_address, dscp, dead_interval, .. } = self.settings;
        let opened = socket::dial(bind_address, peer, dscp, dead_interval)
            .map_err(Fault::Unreachable)
            .and_then(|stream| self.adopt(now, stream, Dialler::Us, peer));
        match opened {
            Ok(id) => self.advance(now, id),
            Err(fault) => {
                self.counters.add(fault.name());
                self.last_trouble = Some(fault.to_string());
            }
        }
    }

    fn accept(&mut self, now: Time) {
        self.accept_at = None;
        for _ in 0..ACCEPT_BURST {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, peer)) => self.accepted(now, stream, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    // Such as a connection reset in the queue, or no file descriptor left: neither may become a busy loop.
                    tracing::debug!("accepting on the SRP link: {error}");
                    self.counters.add("accept-failed");
                    break;
                }
            }
        }
        self.accept_at = Some(now + ACCEPT_PAUSE);
    }

    fn accepted(&mut self, now: Time, stream: TcpStream, peer: SocketAddr) {
        self.counters.add("accepted");
        if peer.ip() != self.settings.peer_address {
            socket::discard_on_close(&stream);
            return self.turned_away(now, peer, Fault::Stranger);
        }
        if self.connections.len() >= MAX_CONNECTIONS
            && let Some((_, oldest)) = self.connections.iter().filter_map(Connection::expendable).min()
        {
            let closing = self.connection(oldest).is_some_and(|connection| connection.is_closing());
            if closing { self.forget(oldest) } else { self.end(now, oldest, Fault::Crowded) }
        }
        let LinkSettings { bind_address, dscp, dead_interval, .. } = self.settings;
        let opened = socket::adopt(&stream, bind_address, dscp, dead_interval)
            .map_err(Fault::Vanished)
            .and_then(|()| self.adopt(now, stream, Dialler::Peer, peer));
        match opened {
            Ok(id) => self.advance(now, id),
            Err(fault) => self.turned_away(now, peer, fault),
        }
    }

    /// Makes a connection of a stream.
    fn adopt(
        &mut self,
        now: Time,
        mut stream: TcpStream,
        dialler: Dialler,
        peer: SocketAddr,
    ) -> Result<ConnectionId, Fault> {
        let (id, token) = self.name_connection();
        self.registry
            .register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)
            .map_err(Fault::Vanished)?;
        let transport = match &self.credentials {
            None => Transport::plaintext(stream),
            Some(credentials) => {
                let tls = match dialler {
                    Dialler::Us => credentials.dial(peer.ip()),
                    Dialler::Peer => credentials.accept(),
                };
                Transport::tls(stream, tls.map_err(Fault::Tls)?, credentials.clone())
            }
        };
        let dead_interval = self.settings.dead_interval;
        self.connections.push(Connection::new(now, (id, token), (dialler, peer), transport, dead_interval));
        Ok(id)
    }

    /// A new number, and a token that no living connection uses.
    fn name_connection(&mut self) -> (ConnectionId, Token) {
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        // The longest unused token comes next, so that readiness of a closed connection rarely meets a new one; where it
        // does, the new one finds that there is nothing to read.
        let tokens = self.settings.tokens.clone();
        let rounds = usize::try_from(id.0).unwrap_or(usize::MAX);
        let count = tokens.len() - 1;
        let token = (0..count)
            .map(|step| Token(tokens.start + 1 + rounds.wrapping_add(step) % count))
            .find(|token| self.connections.iter().all(|c| c.token != *token));
        // There are more tokens than connections.
        (id, token.unwrap_or(Token(tokens.end - 1)))
    }

    /// Lets a connection go as far as it can.
    fn advance(&mut self, now: Time, id: ConnectionId) {
        let mut budget = READ_BUDGET;
        loop {
            let Some(connection) = self.connection(id) else { return };
            match connection.step(now, &mut budget) {
                Ok(Some(Step::Authenticated)) => self.authenticated(id),
                Ok(Some(Step::Greeted(hello))) => self.greeted(now, id, hello),
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

    /// The peer is the right one. On the side whose dials are preferred, an accepted connection waits while our own dial
    /// is under way: otherwise two chassis that start together would often agree on the accepted one first, and leave it
    /// for the dialled one a millisecond later.
    fn authenticated(&mut self, id: ConnectionId) {
        let LinkSettings { bind_address, peer_address, .. } = self.settings;
        let preferred = arbiter::preferred_dialler(bind_address, peer_address) == Dialler::Us;
        let accepted = self.connection(id).is_some_and(|connection| connection.dialler == Dialler::Peer);
        if preferred && accepted && self.connections.iter().any(Connection::is_answered_dial) {
            self.held.push(id);
        } else {
            self.events.push_back(LinkEvent::WantsGreeting(id));
        }
    }

    /// Both have greeted on this connection: it becomes the link, unless a better one is.
    fn greeted(&mut self, now: Time, id: ConnectionId, hello: Hello) {
        if let Some((incumbent, challenger)) = self.candidates(id, &hello) {
            let LinkSettings { bind_address, peer_address, .. } = self.settings;
            let preferred = arbiter::preferred_dialler(bind_address, peer_address);
            let fault = match arbiter::judge(&incumbent, &challenger, preferred) {
                Verdict::IncumbentStays => return self.end(now, id, Fault::Collision),
                Verdict::PeerRestarted => Fault::PeerRestarted,
                Verdict::PeerReconnected => Fault::PeerReconnected,
                Verdict::HigherDialled => Fault::Collision,
            };
            self.end(now, incumbent.id, fault);
        }
        let Some(connection) = self.connection(id) else { return };
        connection.establish(&hello);
        let (peer, security) = (connection.peer, connection.security_text());
        self.established = Some(Established { id, since: now });
        self.redial.up();
        self.last_trouble = None;
        self.counters.add("up");
        self.counters.add("received");
        self.events.push_back(LinkEvent::Up { connection: id, security, peer });
        self.events.push_back(LinkEvent::Message(Message::Hello(hello)));
        // What we have not greeted, the peer cannot have built on: our own dial, and what was held for it.
        let dialled = self.connections.iter().filter(|c| c.dialler == Dialler::Us && c.is_ungreeted());
        let needless: Vec<_> = dialled.map(|c| c.id).chain(std::mem::take(&mut self.held)).collect();
        for needless in needless {
            self.end(now, needless, Fault::Collision);
        }
    }

    /// The link and the connection that would replace it, if there is a link.
    fn candidates(
        &self,
        id: ConnectionId,
        hello: &Hello,
    ) -> Option<(arbiter::Candidate, arbiter::Candidate)> {
        let find = |id| self.connections.iter().find(|connection| connection.id == id);
        let incumbent = find(self.established?.id)?;
        Some((incumbent.candidate(incumbent.boot()?), find(id)?.candidate(hello.boot)))
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
        // Our own dial has failed: the peer's may have its turn.
        if !self.connections.iter().any(Connection::is_answered_dial) {
            self.events.extend(self.held.drain(..).map(LinkEvent::WantsGreeting));
        }
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
