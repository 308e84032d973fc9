//! One TCP connection with a neighbor, and the octets that wait to go out on it.

use std::io::{self, ErrorKind};
use std::time::Instant;

use bgp_proto::wire::header::MAX_MESSAGE_LEN;
use tokio::net::TcpStream;

use crate::outq;

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What waits, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// Octets ever put into `out` and ever handed to the kernel.
    total_queued: u64,
    total_written: u64,
    last_write: Option<Instant>,
    /// `total_written` and whether octets waited, when [`Connection::sending`] was last asked.
    told: (u64, bool),
    /// The first message of either side, header included: its OPEN, as far as it is there.
    sent_open: Vec<u8>,
    received_open: Vec<u8>,
    /// Writing failed. What the neighbor said before is still read, and then the error is.
    broken: bool,
}

/// What came of reading.
pub(crate) enum Input {
    /// So many octets are in the buffer.
    Octets(usize),
    /// Nothing there.
    Nothing,
    /// The connection ended.
    Closed(String),
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            out: Vec::new(),
            written: 0,
            total_queued: 0,
            total_written: 0,
            last_write: None,
            told: (0, false),
            sent_open: Vec::new(),
            received_open: Vec::new(),
            broken: false,
        }
    }

    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Octets that wait for the kernel to take them.
    pub(crate) fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Whether it is worth waiting for room in the kernel.
    pub(crate) fn wants_to_write(&self) -> bool {
        self.waiting() > 0 && !self.broken
    }

    /// Whether octets wait for the neighbor to take them, if it took some since the last call or some have begun to wait.
    pub(crate) fn sending(&mut self) -> Option<bool> {
        let now = (self.total_written, self.waiting() > 0);
        (std::mem::replace(&mut self.told, now) != now).then_some(now.1)
    }

    /// Lets `write` append octets, and returns what it returns.
    pub(crate) fn queue<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        // What went out is cut off only here, and only when it is the larger part: each octet is moved at most once.
        if self.written > self.waiting() {
            self.out.drain(..self.written);
            self.written = 0;
        }
        let before = self.out.len();
        let result = write(&mut self.out);
        self.total_queued += (self.out.len() - before) as u64;
        gather_first(&mut self.sent_open, &self.out[before..]);
        result
    }

    /// Hands as much to the kernel as it takes now.
    pub(crate) fn flush(&mut self) {
        while self.wants_to_write() {
            match self.stream.try_write(&self.out[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.total_written += count as u64;
                    self.last_write = Some(Instant::now());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.broken = true,
            }
        }
        if self.waiting() == 0 {
            self.out.clear();
            self.written = 0;
        }
    }

    /// The OPEN messages that were sent and received, headers included.
    pub(crate) fn opens(&self) -> (&[u8], &[u8]) {
        (&self.sent_open, &self.received_open)
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Input {
        match self.stream.try_read(buffer) {
            Ok(0) => Input::Closed("closed by the neighbor".to_owned()),
            Ok(count) => {
                gather_first(&mut self.received_open, &buffer[..count]);
                Input::Octets(count)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Input::Nothing,
            Err(error) => Input::Closed(error.to_string()),
        }
    }

    /// The number that [`Connection::written_to`] and [`Connection::acknowledged_to`] reach when everything queued so far
    /// has gone out.
    pub(crate) const fn queued_to(&self) -> u64 {
        self.total_queued
    }

    /// When the kernel got the octet with this number; `None` when it has not.
    pub(crate) fn written_to(&self, octet: u64) -> Option<Instant> {
        if self.total_written >= octet { Some(self.last_write.unwrap_or_else(Instant::now)) } else { None }
    }

    /// Whether the neighbor's TCP has acknowledged the octet with this number.
    pub(crate) fn acknowledged_to(&self, octet: u64) -> io::Result<bool> {
        let unacknowledged = outq::unacknowledged(&self.stream)?;
        Ok(self.total_written.saturating_sub(unacknowledged) >= octet)
    }

    /// The socket and what still has to go out on it.
    pub(crate) fn into_parts(mut self) -> (TcpStream, Vec<u8>) {
        self.out.drain(..self.written);
        (self.stream, self.out)
    }
}

/// Takes what the first message lacks from the octets that follow. A message that is none ends where its length says.
fn gather_first(first: &mut Vec<u8>, octets: &[u8]) {
    let mut rest = octets;
    while !rest.is_empty() {
        let due = match first.get(16..18) {
            Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])).min(MAX_MESSAGE_LEN),
            None => 18,
        };
        let Some(lacking) = due.checked_sub(first.len()).filter(|lacking| *lacking > 0) else { return };
        let (more, after) = rest.split_at(lacking.min(rest.len()));
        first.extend_from_slice(more);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_message_is_gathered_whatever_the_pieces() {
        let mut stream = vec![0xff; 16];
        stream.extend([0, 30, 1]);
        stream.extend([7; 11]);
        stream.extend([0xff; 40]);
        for piece in 1..70 {
            let mut first = Vec::new();
            stream.chunks(piece).for_each(|piece| gather_first(&mut first, piece));
            assert_eq!(first, stream[..30], "pieces of {piece}");
        }
        let mut nonsense = Vec::new();
        gather_first(&mut nonsense, &[0; 100]);
        assert_eq!(nonsense.len(), 18);
    }
}
