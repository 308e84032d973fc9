//! The two messages of the probe, octets in network order.
//!
//! ```text
//! request: magic "SRPB" (4) | run (4) | stream (1) | sequence (4) | sent, ns (8)                      = 21 octets
//! reply:   magic "SRPR" (4) | run (4) | stream (1) | sequence (4) | sent, ns (8)
//!          | reached, ns (8) | name, zero filled (16) | seen (WINDOW / 8)                             = 45 + 128 octets
//! ```
//! `run` tells one life of a sender from the next. Bit `i` of `seen` stands for the packet `sequence - 1 - i`.

use std::fmt;

/// How many packets before the answered one a reply tells about.
pub const WINDOW: usize = 1024;
/// Octets of a responder's name.
pub const NAME: usize = 16;
/// Octets of the header of an ICMP echo.
const ECHO: usize = 8;
const REQUEST: [u8; 4] = *b"SRPB";
const REPLY: [u8; 4] = *b"SRPR";

/// One packet from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Life of the sender.
    pub run: u32,
    /// Number of the stream.
    pub stream: u8,
    /// Counts packets of the stream from 0.
    pub sequence: u32,
    /// When it was sent: nanoseconds of the sender's `CLOCK_MONOTONIC`.
    pub sent_ns: u64,
}

/// Which of the last [`WINDOW`] packets of a stream came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seen([u64; WINDOW / 64]);

/// The answer to a [`Request`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What is answered.
    pub request: Request,
    /// When it came: nanoseconds of the responder's `CLOCK_MONOTONIC`.
    pub reached_ns: u64,
    /// Who answers, filled up with zeros.
    pub name: [u8; NAME],
    /// Which packets before this one reached him.
    pub seen: Seen,
}

impl Request {
    /// Octets of a request.
    pub const LEN: usize = 21;

    /// To octets.
    pub fn encode(&self) -> [u8; Self::LEN] {
        self.encode_with(REQUEST)
    }

    /// From octets; `None` if it is no request.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        (octets.len() == Self::LEN).then_some(())?;
        Self::decode_with(octets, REQUEST)
    }

    /// As an ICMP echo request that carries these octets; number and checksum are the kernel's to put in.
    ///
    /// ```text
    /// type (1) | code (1) | checksum (2) | identifier (2) | sequence (2) | request        RFC 792, RFC 4443 section 4.1
    /// ```
    pub fn encode_echo(&self, v6: bool) -> [u8; ECHO + Self::LEN] {
        let mut octets = [0; ECHO + Self::LEN];
        octets[0] = if v6 { 128 } else { 8 };
        octets[6..8].copy_from_slice(&self.sequence.to_be_bytes()[2..]);
        octets[ECHO..].copy_from_slice(&self.encode());
        octets
    }

    /// From an ICMP echo reply, which brings back what was sent; `None` if it is no such reply.
    pub fn decode_echo(octets: &[u8]) -> Option<Self> {
        let (header, content) = octets.split_first_chunk::<ECHO>()?;
        matches!(header[0], 0 | 129).then(|| Self::decode(content))?
    }

    fn encode_with(&self, magic: [u8; 4]) -> [u8; Self::LEN] {
        let mut octets = [0; Self::LEN];
        octets[0..4].copy_from_slice(&magic);
        octets[4..8].copy_from_slice(&self.run.to_be_bytes());
        octets[8] = self.stream;
        octets[9..13].copy_from_slice(&self.sequence.to_be_bytes());
        octets[13..21].copy_from_slice(&self.sent_ns.to_be_bytes());
        octets
    }

    fn decode_with(octets: &[u8], magic: [u8; 4]) -> Option<Self> {
        (octets.get(0..4)? == magic).then_some(())?;
        Some(Self {
            run: u32::from_be_bytes(octets.get(4..8)?.try_into().ok()?),
            stream: *octets.get(8)?,
            sequence: u32::from_be_bytes(octets.get(9..13)?.try_into().ok()?),
            sent_ns: u64::from_be_bytes(octets.get(13..21)?.try_into().ok()?),
        })
    }
}

impl Reply {
    /// Octets of a reply.
    pub const LEN: usize = Request::LEN + 8 + NAME + WINDOW / 8;

    /// To octets.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut octets = [0; Self::LEN];
        octets[0..21].copy_from_slice(&self.request.encode_with(REPLY));
        octets[21..29].copy_from_slice(&self.reached_ns.to_be_bytes());
        octets[29..45].copy_from_slice(&self.name);
        for (chunk, word) in octets[45..].chunks_exact_mut(8).zip(self.seen.0) {
            chunk.copy_from_slice(&word.to_be_bytes());
        }
        octets
    }

    /// From octets; `None` if it is no reply.
    pub fn decode(octets: &[u8]) -> Option<Self> {
        (octets.len() == Self::LEN).then_some(())?;
        let mut seen = Seen::default();
        for (chunk, word) in octets[45..].chunks_exact(8).zip(&mut seen.0) {
            *word = u64::from_be_bytes(chunk.try_into().ok()?);
        }
        Some(Self {
            request: Request::decode_with(octets, REPLY)?,
            reached_ns: u64::from_be_bytes(octets[21..29].try_into().ok()?),
            name: octets[29..45].try_into().ok()?,
            seen,
        })
    }
}

/// A name as it stands in a reply: cut at [`NAME`] octets, filled up with zeros.
pub fn name_octets(name: &str) -> [u8; NAME] {
    let mut octets = [0; NAME];
    for (to, from) in octets.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    octets
}

/// The name in a reply.
pub fn name_text(octets: &[u8; NAME]) -> String {
    let end = octets.iter().position(|octet| *octet == 0).unwrap_or(NAME);
    String::from_utf8_lossy(&octets[..end]).into_owned()
}

impl Default for Seen {
    fn default() -> Self {
        Self([0; WINDOW / 64])
    }
}

impl Seen {
    /// Whether the packet `back` places before the answered one came; `back` counts from 1.
    pub fn contains(&self, back: u32) -> bool {
        let bit = back.wrapping_sub(1) as usize;
        bit < WINDOW && self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    fn insert(&mut self, back: u32) {
        let bit = back.wrapping_sub(1) as usize;
        if bit < WINDOW {
            self.0[bit / 64] |= 1 << (bit % 64);
        }
    }

    /// All packets become `by` places older.
    fn age(&mut self, by: u32) {
        let (words, bits) = ((by / 64) as usize, by % 64);
        for index in (0..self.0.len()).rev() {
            let from = |index: Option<usize>| index.map_or(0, |index| self.0[index]);
            let high = from(index.checked_sub(words));
            let low = from(index.checked_sub(words + 1));
            self.0[index] = if bits == 0 { high } else { high << bits | low >> (64 - bits) };
        }
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        write!(f, "Seen({count} of {WINDOW})")
    }
}

/// What a responder remembers of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    newest: Option<u32>,
    seen: Seen,
}

impl Memory {
    /// Takes in a packet and returns what to say about those before it.
    pub fn note(&mut self, sequence: u32) -> Seen {
        match self.newest {
            Some(newest) if sequence <= newest => {
                // Late or doubled: it joins those before the newest. Its own answer says nothing about others.
                if sequence < newest {
                    self.seen.insert(newest - sequence);
                }
                Seen::default()
            }
            Some(newest) => {
                let by = sequence - newest;
                self.seen.age(by);
                self.seen.insert(by);
                self.newest = Some(sequence);
                self.seen
            }
            None => {
                self.newest = Some(sequence);
                self.seen
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(sequence: u32) -> Request {
        Request { run: 7, stream: 2, sequence, sent_ns: 1_234_567_890_123 }
    }

    #[test]
    fn decode_undoes_encode() {
        let mut memory = Memory::default();
        memory.note(1);
        memory.note(5);
        let reply =
            Reply { request: request(9), reached_ns: 42, name: name_octets("east"), seen: memory.note(9) };
        assert_eq!(Reply::decode(&reply.encode()), Some(reply));
        assert_eq!(Request::decode(&request(3).encode()), Some(request(3)));
        assert_eq!(name_text(&reply.name), "east");
    }

    #[test]
    fn a_request_is_no_reply_and_a_cut_one_is_neither() {
        let octets = request(3).encode();
        assert_eq!(Reply::decode(&octets), None);
        assert_eq!(Request::decode(&octets[..20]), None);
        assert_eq!(Request::decode(b"SRPR"), None);
    }

    #[test]
    fn an_echo_brings_the_request_back_and_a_request_for_one_is_no_answer() {
        for (v6, answer) in [(false, 0), (true, 129)] {
            let mut octets = request(70_000).encode_echo(v6);
            assert_eq!(octets[6..8], 4464_u16.to_be_bytes());
            assert_eq!(Request::decode_echo(&octets), None);
            octets[0] = answer;
            assert_eq!(Request::decode_echo(&octets), Some(request(70_000)));
            assert_eq!(Request::decode_echo(&octets[..20]), None);
        }
    }

    #[test]
    fn a_reply_tells_which_packets_came_before() {
        let mut memory = Memory::default();
        let came = [0_u32, 1, 2, 5, 70, 200, 1000];
        let mut last = Seen::default();
        for sequence in came {
            last = memory.note(sequence);
        }
        for sequence in 0..1000 {
            assert_eq!(last.contains(1000 - sequence), came.contains(&sequence), "packet {sequence}");
        }
        assert!(!last.contains(0) && !last.contains(5000));
    }

    #[test]
    fn packets_older_than_the_window_are_forgotten() {
        let mut memory = Memory::default();
        memory.note(0);
        assert!(memory.note(1024).contains(1024));
        assert!(!memory.note(1025).contains(1025));
        assert_eq!(memory.note(1_000_000), Seen::default());
    }

    #[test]
    fn a_packet_that_overtook_is_still_seen() {
        let mut memory = Memory::default();
        memory.note(10);
        memory.note(12);
        memory.note(11);
        let seen = memory.note(13);
        assert!((1..=3).all(|back| seen.contains(back)), "{seen:?}");
    }
}
