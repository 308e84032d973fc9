//! A stream of octets to the peer: a TCP stream, under TLS or bare.
//!
//! Never blocks and never holds more than [`TRANSMIT_LIMIT`] octets for a peer that does not read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;

use super::event::Fault;
use super::tls::{self, Credentials};

/// Most octets that wait for the peer, beside the kernel's own buffer.
pub(super) const TRANSMIT_LIMIT: usize = 1024 * 1024;

/// Most octets taken from the kernel at once.
const CHUNK: usize = 16 * 1024;

/// What reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    /// Something was read; octets may have been appended.
    Progress,
    /// Nothing more for now.
    Blocked,
    /// The peer has ended its side.
    Ended,
}

/// What is left after writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// Everything is with the kernel.
    Empty,
    /// The kernel took some of it.
    Progress,
    /// The kernel took none of it.
    Blocked,
}

/// See the module.
pub(super) struct Transport {
    stream: TcpStream,
    protection: Protection,
    ended: bool,
}

enum Protection {
    Tls { tls: Box<rustls::Connection>, credentials: Credentials },
    Plaintext { waiting: Vec<u8> },
}

impl Transport {
    pub(super) fn plaintext(stream: TcpStream) -> Self {
        Self { stream, protection: Protection::Plaintext { waiting: Vec::new() }, ended: false }
    }

    pub(super) fn tls(stream: TcpStream, mut tls: rustls::Connection, credentials: Credentials) -> Self {
        tls.set_buffer_limit(Some(TRANSMIT_LIMIT));
        Self { stream, protection: Protection::Tls { tls: Box::new(tls), credentials }, ended: false }
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// True once the peer has proved who it is; at once if nothing is to be proved.
    pub(super) fn authenticated(&self) -> bool {
        match &self.protection {
            Protection::Tls { tls, .. } => !tls.is_handshaking(),
            Protection::Plaintext { .. } => true,
        }
    }

    /// True if a peer that speaks TLS is not expected.
    pub(super) fn is_plaintext(&self) -> bool {
        matches!(self.protection, Protection::Plaintext { .. })
    }

    /// For `show srp info`.
    pub(super) fn security_text(&self) -> String {
        match &self.protection {
            Protection::Tls { tls, .. } => tls::security_text(tls),
            Protection::Plaintext { .. } => "PLAINTEXT: not encrypted, not authenticated".into(),
        }
    }

    /// Reads once, appending octets of the peer to `octets`.
    pub(super) fn read(&mut self, octets: &mut Vec<u8>) -> Result<ReadOutcome, Fault> {
        if self.ended {
            return Ok(ReadOutcome::Ended);
        }
        let outcome = match &mut self.protection {
            Protection::Plaintext { .. } => {
                let mut chunk = [0; CHUNK];
                outcome(self.stream.read(&mut chunk).inspect(|n| octets.extend_from_slice(&chunk[..*n])))
            }
            Protection::Tls { tls, credentials } => match outcome(tls.read_tls(&mut self.stream)) {
                Ok(ReadOutcome::Progress) => {
                    let handshaking = tls.is_handshaking();
                    tls.process_new_packets().map_err(|error| credentials.fault(error, handshaking))?;
                    decrypted(tls, octets)
                }
                other @ (Ok(ReadOutcome::Blocked | ReadOutcome::Ended) | Err(_)) => other,
            },
        }?;
        if outcome == ReadOutcome::Ended {
            self.ended = true;
        }
        Ok(outcome)
    }

    /// Queues octets for the peer, all or none; [`Self::flush`] sends them.
    pub(super) fn write(&mut self, octets: &[u8]) -> Result<(), Fault> {
        let overflow = || Fault::Overflow { limit: TRANSMIT_LIMIT };
        match &mut self.protection {
            Protection::Plaintext { waiting } => {
                if waiting.len() + octets.len() > TRANSMIT_LIMIT {
                    return Err(overflow());
                }
                waiting.extend_from_slice(octets);
                Ok(())
            }
            // The library takes less than all only at its limit, and the caller then closes the connection.
            Protection::Tls { tls, .. } => match tls.writer().write(octets) {
                Ok(taken) if taken == octets.len() => Ok(()),
                Ok(_) => Err(overflow()),
                Err(error) => Err(Fault::Vanished(error)),
            },
        }
    }

    /// Hands to the kernel what it takes.
    pub(super) fn flush(&mut self) -> Result<WriteOutcome, Fault> {
        let mut progress = false;
        loop {
            let written = match &mut self.protection {
                Protection::Plaintext { waiting } if waiting.is_empty() => return Ok(WriteOutcome::Empty),
                Protection::Plaintext { waiting } => {
                    self.stream.write(waiting).inspect(|n| drop(waiting.drain(..*n)))
                }
                Protection::Tls { tls, .. } if !tls.wants_write() => return Ok(WriteOutcome::Empty),
                Protection::Tls { tls, .. } => tls.write_tls(&mut self.stream),
            };
            match written {
                Ok(_) => progress = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(if progress { WriteOutcome::Progress } else { WriteOutcome::Blocked });
                }
                Err(error) => return Err(Fault::Vanished(error)),
            }
        }
    }

    /// Marks the end of our octets; the peer may still send.
    pub(super) fn finish(&mut self) {
        match &mut self.protection {
            Protection::Tls { tls, .. } => tls.send_close_notify(),
            Protection::Plaintext { .. } => {}
        }
    }

    /// Tells the kernel that nothing follows; only after [`Self::flush`] said `Empty`.
    pub(super) fn shutdown(&mut self) {
        // Fails only on a connection that is gone already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Moves what the library has decrypted to `octets`.
fn decrypted(tls: &mut rustls::Connection, octets: &mut Vec<u8>) -> Result<ReadOutcome, Fault> {
    let mut chunk = [0; CHUNK];
    loop {
        match outcome(tls.reader().read(&mut chunk).inspect(|n| octets.extend_from_slice(&chunk[..*n]))) {
            Ok(ReadOutcome::Progress) => {}
            // The library has no more; the kernel may.
            Ok(ReadOutcome::Blocked) => return Ok(ReadOutcome::Progress),
            // close_notify: what came before it still counts.
            other @ (Ok(ReadOutcome::Ended) | Err(_)) => return other,
        }
    }
}

fn outcome(read: io::Result<usize>) -> Result<ReadOutcome, Fault> {
    match read {
        Ok(0) => Ok(ReadOutcome::Ended),
        Ok(_) => Ok(ReadOutcome::Progress),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(ReadOutcome::Blocked),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(ReadOutcome::Progress),
        Err(error) => Err(Fault::Vanished(error)),
    }
}
