//! One connection, from its first octet to its last.
//!
//! ```text
//! Connecting -> Handshaking -> Greeting -> Established -> Closing
//!  (dialled)     (TLS)         (Hello from who dialled,     (Close flushed, end of
//!                               then from who accepted)      stream awaited)
//! ```
//!
//! The connection moves octets and knows the order of messages; what its events mean for the link is decided in
//! [`Link`](super::Link). Until the peer's Hello has come, a connection holds a few kilobytes and has a time limit.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::Token;
use srp_core::types::{BootId, Span, Time};
use srp_core::wire::{Close, FrameReader, Hello, Message, OLDEST_VERSION, WireError, encode_as};

use super::arbiter::{Candidate, Dialler};
use super::event::{ConnectionId, Fault};
use super::socket;
use super::transport::{ReadOutcome, Transport, WriteOutcome};

/// A dial that is not answered within this is given up; the next one follows at once.
const CONNECT_LIMIT: Span = Span::millis(500);

/// From TCP being up to the peer's Hello.
const HANDSHAKE_LIMIT: Span = Span::secs(2);

/// From the start of a dial to the peer's Hello.
pub(super) const DIAL_LIMIT: Span = Span(CONNECT_LIMIT.0 + HANDSHAKE_LIMIT.0);

/// How long a closing connection waits for the peer to read the reason.
const LINGER_LIMIT: Span = Span::secs(1);

/// Octets within which a peer must have greeted; a Hello takes some two hundred.
const GREETING_LIMIT: usize = 16 * 1024;

/// Shortest time after which a peer that reads nothing is given up.
const SHORTEST_STALL_LIMIT: Span = Span::secs(1);

/// What a connection has come to.
#[derive(Debug)]
pub(super) enum Step {
    /// Our dial has reached the right peer: whoever dials greets first.
    Reached,
    /// The peer's Hello has come, and is kept.
    Heard,
    /// A later message.
    Message(Message),
    /// A closing connection has closed.
    Gone,
}

enum Phase {
    Connecting { until: Time },
    Handshaking { until: Time },
    Greeting { until: Time, said: bool, heard: Option<Box<Hello>> },
    Established { boot: BootId, last_sequence: u64 },
    Closing { until: Time, shut: bool },
}

/// See the module.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) token: Token,
    pub(super) peer: SocketAddr,
    pub(super) dialler: Dialler,
    pub(super) opened: Time,
    transport: Transport,
    frames: FrameReader,
    /// Of what we say: the oldest until the peer has said what it understands.
    version: u8,
    received: usize,
    phase: Phase,
    /// The kernel may have octets for us.
    readable: bool,
    ended: bool,
    /// Writing failed; what the peer said before may still be read and is the better explanation.
    broken: Option<Fault>,
    stall_limit: Span,
    stalled_at: Option<Time>,
}

impl Connection {
    pub(super) fn new(
        now: Time,
        (id, token): (ConnectionId, Token),
        (dialler, peer): (Dialler, SocketAddr),
        transport: Transport,
        dead_interval: Span,
    ) -> Self {
        let phase = match dialler {
            Dialler::Us => Phase::Connecting { until: now + CONNECT_LIMIT },
            Dialler::Peer => Phase::Handshaking { until: now + HANDSHAKE_LIMIT },
        };
        Self {
            id,
            token,
            peer,
            dialler,
            opened: now,
            transport,
            frames: FrameReader::default(),
            version: OLDEST_VERSION,
            received: 0,
            phase,
            readable: false,
            ended: false,
            broken: None,
            stall_limit: dead_interval.max(SHORTEST_STALL_LIMIT),
            stalled_at: None,
        }
    }

    /// Protocol version of what is said on it.
    pub(super) const fn version(&self) -> u8 {
        self.version
    }

    pub(super) fn security_text(&self) -> String {
        self.transport.security_text()
    }

    /// The kernel reported octets, an end or an error.
    pub(super) const fn mark_readable(&mut self) {
        self.readable = true;
    }

    /// True if [`Self::step`] would read on at once.
    pub(super) fn has_work(&self) -> bool {
        self.readable
            && match &self.phase {
                Phase::Connecting { .. } => false,
                Phase::Greeting { .. } => self.listens(),
                Phase::Handshaking { .. } | Phase::Established { .. } | Phase::Closing { .. } => true,
            }
    }

    /// Goes on until something is worth telling, or until the kernel or `budget` (octets) has no more.
    pub(super) fn step(&mut self, now: Time, budget: &mut usize) -> Result<Option<Step>, Fault> {
        loop {
            match self.phase {
                Phase::Connecting { .. } => {
                    if !self.connected()? {
                        return Ok(None);
                    }
                    self.phase = Phase::Handshaking { until: now + HANDSHAKE_LIMIT };
                    self.flush(now);
                }
                Phase::Handshaking { until } if self.transport.authenticated() => {
                    self.phase = Phase::Greeting { until, said: false, heard: None };
                    self.flush(now);
                    if self.dialler == Dialler::Us {
                        return Ok(Some(Step::Reached));
                    }
                }
                Phase::Greeting { .. } if !self.listens() => return Ok(None),
                Phase::Greeting { .. } | Phase::Established { .. } => {
                    if let Some(message) = self.next_message()? {
                        return self.admit(message).map(Some);
                    }
                }
                Phase::Closing { .. } => return Ok(self.drain(now, budget)),
                Phase::Handshaking { .. } => {}
            }
            if self.ended {
                return Err(self.broken.take().unwrap_or_else(|| self.end_of_stream()));
            }
            if !self.readable || *budget == 0 {
                break;
            }
            self.read(budget)?;
        }
        if !self.readable
            && let Some(fault) = self.broken.take()
        {
            return Err(fault);
        }
        self.flush(now);
        Ok(None)
    }

    /// Says our Hello.
    pub(super) fn greet(&mut self, now: Time, hello: Hello) -> Result<(), Fault> {
        match &mut self.phase {
            Phase::Greeting { said, .. } if !*said => *said = true,
            Phase::Greeting { .. }
            | Phase::Connecting { .. }
            | Phase::Handshaking { .. }
            | Phase::Established { .. }
            | Phase::Closing { .. } => return Ok(()),
        }
        self.send(now, &encode_as(self.version, &Message::Hello(hello)))
    }

    /// In the greeting: whoever dials speaks first, and nothing after the peer's Hello is read before it was judged.
    fn listens(&self) -> bool {
        match &self.phase {
            Phase::Greeting { said, heard, .. } => {
                heard.is_none() && (*said || self.dialler == Dialler::Peer)
            }
            Phase::Connecting { .. }
            | Phase::Handshaking { .. }
            | Phase::Established { .. }
            | Phase::Closing { .. } => false,
        }
    }

    /// What the arbiter compares, once the peer's Hello has come.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        let boot = match &self.phase {
            Phase::Greeting { heard, .. } => heard.as_ref()?.boot,
            Phase::Established { boot, .. } => *boot,
            Phase::Connecting { .. } | Phase::Handshaking { .. } | Phase::Closing { .. } => return None,
        };
        Some(Candidate { id: self.id, dialler: self.dialler, boot })
    }

    /// Makes this connection the link, if both have greeted, and hands out the peer's Hello.
    pub(super) fn establish(&mut self) -> Option<Hello> {
        let Phase::Greeting { said: true, heard, .. } = &mut self.phase else { return None };
        let hello = *heard.take()?;
        self.version = hello.common_version();
        self.phase = Phase::Established { boot: hello.boot, last_sequence: hello.sequence };
        Some(hello)
    }

    /// True while we have said nothing on it that the peer could build on.
    pub(super) const fn is_ungreeted(&self) -> bool {
        matches!(
            self.phase,
            Phase::Connecting { .. } | Phase::Handshaking { .. } | Phase::Greeting { said: false, .. }
        )
    }

    /// True for a dial that the peer's kernel has not answered, as far as we have looked.
    pub(super) const fn is_connecting(&self) -> bool {
        matches!(self.phase, Phase::Connecting { .. })
    }

    /// True for our own dial once the peer's kernel has answered it, until it is the link or has failed.
    pub(super) const fn is_answered_dial(&self) -> bool {
        matches!(self.dialler, Dialler::Us)
            && matches!(self.phase, Phase::Handshaking { .. } | Phase::Greeting { .. })
    }

    /// True where a Close reaches the peer, and nobody else.
    pub(super) const fn can_speak(&self) -> bool {
        matches!(self.phase, Phase::Greeting { .. } | Phase::Established { .. })
    }

    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing { .. })
    }

    /// Which of several connections to give up first, the lowest first; `None`: never.
    pub(super) const fn expendable(&self) -> Option<(u8, ConnectionId)> {
        match (&self.phase, self.dialler) {
            (Phase::Closing { .. }, _) => Some((0, self.id)),
            (Phase::Handshaking { .. }, Dialler::Peer) => Some((1, self.id)),
            (Phase::Greeting { .. }, Dialler::Peer) => Some((2, self.id)),
            (
                Phase::Connecting { .. }
                | Phase::Handshaking { .. }
                | Phase::Greeting { .. }
                | Phase::Established { .. },
                _,
            ) => None,
        }
    }

    /// Queues octets and sends what the kernel takes.
    pub(super) fn send(&mut self, now: Time, octets: &[u8]) -> Result<(), Fault> {
        self.transport.write(octets)?;
        self.flush(now);
        Ok(())
    }

    /// Ends our side in good order, with a Close if the peer can read one. What it still says is no longer heard.
    pub(super) fn conclude(&mut self, now: Time, close: Option<Close>) {
        if let (true, Some(close)) = (self.can_speak(), close) {
            // If it does not fit any more, the end of the stream has to say it all.
            let _ = self.transport.write(&encode_as(self.version, &Message::Close(close)));
        }
        self.transport.finish();
        self.phase = Phase::Closing { until: now + LINGER_LIMIT, shut: false };
        self.flush(now);
    }

    /// Forgets what was not sent: to be dropped at once.
    pub(super) fn abort(&mut self) {
        socket::discard_on_close(self.transport.stream());
    }

    /// The next point in time at which [`Self::expired`] may say something.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Connecting { until }
            | Phase::Handshaking { until }
            | Phase::Greeting { until, .. }
            | Phase::Closing { until, .. } => Some(until),
            Phase::Established { .. } => self.stalled_at,
        }
    }

    /// The fault of a connection that has had its time.
    pub(super) fn expired(&self, now: Time) -> Option<Fault> {
        if now < self.deadline()? {
            return None;
        }
        Some(match self.phase {
            Phase::Connecting { .. } => {
                let text = format!("no answer within {CONNECT_LIMIT}");
                Fault::Unreachable(io::Error::new(ErrorKind::TimedOut, text))
            }
            Phase::Handshaking { .. } | Phase::Greeting { .. } => {
                Fault::HandshakeLimit { limit: HANDSHAKE_LIMIT }
            }
            Phase::Established { .. } | Phase::Closing { .. } => Fault::Stalled { limit: self.stall_limit },
        })
    }

    fn connected(&mut self) -> Result<bool, Fault> {
        let stream = self.transport.stream();
        if let Some(error) = stream.take_error().map_err(Fault::Unreachable)? {
            return Err(Fault::Unreachable(error));
        }
        Ok(stream.peer_addr().is_ok())
    }

    fn read(&mut self, budget: &mut usize) -> Result<(), Fault> {
        let mut octets = Vec::new();
        let outcome = self.transport.read(&mut octets)?;
        // Reading that yields no octets costs as well.
        *budget = budget.saturating_sub(octets.len().max(64));
        self.received = self.received.saturating_add(octets.len());
        self.frames.push(&octets);
        match outcome {
            ReadOutcome::Progress => {}
            ReadOutcome::Blocked => self.readable = false,
            ReadOutcome::Ended => self.ended = true,
        }
        Ok(())
    }

    fn next_message(&mut self) -> Result<Option<Message>, Fault> {
        let message = self.frames.next_message().map_err(|error| self.explain(error))?;
        let greeting = matches!(self.phase, Phase::Greeting { .. });
        if message.is_none() && greeting && self.received > GREETING_LIMIT {
            return Err(Fault::LongGreeting { limit: GREETING_LIMIT });
        }
        Ok(message)
    }

    /// Our length field, read as a TLS record: type 22 (handshake), version 3.x.
    fn explain(&self, error: WireError) -> Fault {
        match error {
            WireError::Length { length } if self.transport.is_plaintext() && length >> 16 == 0x1603 => {
                Fault::UnexpectedTls
            }
            WireError::Length { .. } | WireError::Version { .. } | WireError::Body { .. } => {
                Fault::Wire(error)
            }
        }
    }

    /// Holds a message against the order of messages.
    fn admit(&mut self, message: Message) -> Result<Step, Fault> {
        match (&mut self.phase, message) {
            (_, Message::Close(Close { reason, text })) => Err(Fault::ClosedByPeer { reason, text }),
            (Phase::Established { last_sequence, .. }, Message::Hello(hello)) => {
                if hello.sequence <= *last_sequence {
                    return Err(Fault::Sequence { last: *last_sequence, got: hello.sequence });
                }
                *last_sequence = hello.sequence;
                Ok(Step::Message(Message::Hello(hello)))
            }
            (Phase::Established { .. }, message) => Ok(Step::Message(message)),
            (Phase::Greeting { heard, .. }, Message::Hello(hello)) => {
                *heard = Some(Box::new(hello));
                Ok(Step::Heard)
            }
            (_, message) => Err(Fault::NotHello { kind: type_octet(&message) }),
        }
    }

    fn end_of_stream(&self) -> Fault {
        let unfinished = matches!(self.phase, Phase::Greeting { .. }) && self.received > 0;
        if unfinished {
            return Fault::Truncated { received: self.received };
        }
        Fault::Vanished(io::Error::new(ErrorKind::UnexpectedEof, "end of stream"))
    }

    /// Reads for the end of the stream alone.
    fn drain(&mut self, now: Time, budget: &mut usize) -> Option<Step> {
        self.flush(now);
        let mut discarded = Vec::new();
        while self.readable && *budget > 0 {
            discarded.clear();
            match self.transport.read(&mut discarded) {
                Ok(ReadOutcome::Progress) => *budget = budget.saturating_sub(discarded.len().max(64)),
                Ok(ReadOutcome::Blocked) => self.readable = false,
                Ok(ReadOutcome::Ended) | Err(_) => return Some(Step::Gone),
            }
        }
        self.broken.take().map(|_| Step::Gone)
    }

    fn flush(&mut self, now: Time) {
        if matches!(self.phase, Phase::Connecting { .. }) {
            return;
        }
        match self.transport.flush() {
            Ok(WriteOutcome::Empty) => {
                self.stalled_at = None;
                if let Phase::Closing { shut, .. } = &mut self.phase
                    && !std::mem::replace(shut, true)
                {
                    self.transport.shutdown();
                }
            }
            Ok(WriteOutcome::Progress) => self.stalled_at = Some(now + self.stall_limit),
            Ok(WriteOutcome::Blocked) => {
                self.stalled_at.get_or_insert(now + self.stall_limit);
            }
            Err(fault) => {
                self.broken = Some(fault);
                self.readable = true;
            }
        }
    }
}

fn type_octet(message: &Message) -> u8 {
    encode_as(OLDEST_VERSION, message).get(5).copied().unwrap_or_default()
}
