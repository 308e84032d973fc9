//! How connections come about: dialling and accepting.

use std::io::ErrorKind;
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Token};
use srp_core::types::{Span, Time};

use super::arbiter::Dialler;
use super::connection::Connection;
use super::event::{ConnectionId, Fault};
use super::transport::Transport;
use super::{Link, LinkSettings, socket};

/// Connections held at once, the link itself included.
const MAX_CONNECTIONS: usize = 16;

/// Connections accepted at once; the kernel keeps the others until [`ACCEPT_PAUSE`] has passed.
const ACCEPT_BURST: usize = 64;

/// How many of them may be from the peer's address and begin a handshake, which costs more than to turn one away.
const HANDSHAKE_BURST: usize = 8;

/// Pause between two bursts: whoever connects in a flood is not let to delay a Hello.
const ACCEPT_PAUSE: Span = Span::millis(10);

impl Link {
    pub(super) fn wants_dial(&self) -> bool {
        // One dial at a time: rule b of the arbiter rests on it.
        let dialling = |c: &Connection| c.dialler == Dialler::Us && !c.is_closing();
        !self.stopping && self.established.is_none() && !self.connections.iter().any(dialling)
    }

    pub(super) fn dial(&mut self, now: Time) {
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

    pub(super) fn accept(&mut self, now: Time) {
        self.accept_at = None;
        let mut handshakes = 0;
        for _ in 0..ACCEPT_BURST {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, peer)) if peer.ip() == self.settings.peer_address => {
                    self.accepted(now, stream, peer);
                    handshakes += 1;
                    if handshakes == HANDSHAKE_BURST {
                        break;
                    }
                }
                Ok((stream, stranger)) => {
                    self.counters.add("accepted");
                    socket::discard_on_close(&stream);
                    self.turned_away(now, stranger, Fault::Stranger);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    // Such as a connection reset in the queue, or no file descriptor left: neither may become a busy
                    // loop.
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
        // The longest unused token comes next, so that readiness of a closed connection rarely meets a new one; where
        // it does, the new one finds that there is nothing to read.
        let tokens = self.settings.tokens.clone();
        let rounds = usize::try_from(id.0).unwrap_or(usize::MAX);
        let count = tokens.len() - 1;
        let token = (0..count)
            .map(|step| Token(tokens.start + 1 + rounds.wrapping_add(step) % count))
            .find(|token| self.connections.iter().all(|c| c.token != *token));
        // There are more tokens than connections.
        (id, token.unwrap_or(Token(tokens.end - 1)))
    }
}
