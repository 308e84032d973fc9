//! A TCP stream cut into messages (RFC 6733 section 3: Version and Message Length are the first four octets).
//!
//! Never holds more than one message of the longest kind and one read: a length that is out of bounds ends the
//! connection before memory is spent on it.

/// The longest message that is taken. Those of a watchdog have some hundred octets; what is meant for applications is
/// refused whatever it says.
pub const MAX_LEN: usize = 64 * 1024;

/// Octets of the header.
pub const HEADER: usize = 20;

/// Why a stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not Diameter, or not in step.
    #[error("version {0} where version 1 of Diameter is wanted: is another protocol on this port?")]
    Version(u8),
    /// RFC 6733 section 3: the length is a multiple of 4 and holds the header.
    #[error("a message of {0} octets, which is no multiple of 4 from 20 to 65536")]
    Length(usize),
}

/// What has arrived and is not a whole message yet.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    octets: Vec<u8>,
}

impl Framer {
    /// Takes what was read.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.extend(octets);
    }

    /// The next whole message, if it is there. After an error the connection is of no use.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(&version) = self.octets.first() else { return Ok(None) };
        if version != 1 {
            return Err(FrameError::Version(version));
        }
        let Some(&[_, high, middle, low]) = self.octets.first_chunk() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes([0, high, middle, low])).unwrap_or(usize::MAX);
        if !(HEADER..=MAX_LEN).contains(&length) || !length.is_multiple_of(4) {
            return Err(FrameError::Length(length));
        }
        if self.octets.len() < length {
            return Ok(None);
        }
        let rest = self.octets.split_off(length);
        Ok(Some(std::mem::replace(&mut self.octets, rest)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut octets = vec![7; length];
        octets[..4].copy_from_slice(&(1 << 24 | u32::try_from(length).expect("short")).to_be_bytes());
        octets
    }

    #[test]
    fn lengths_and_versions_that_cannot_be_end_the_stream() {
        let rows: [(&[u8], FrameError); 6] = [
            (&[0], FrameError::Version(0)),
            (b"HTTP/1.1 400", FrameError::Version(b'H')),
            (&[1, 0, 0, 0], FrameError::Length(0)),
            (&[1, 0, 0, 16], FrameError::Length(16)),
            (&[1, 0, 0, 22], FrameError::Length(22)),
            (&[1, 0xff, 0xff, 0xfc], FrameError::Length(0xff_fffc)),
        ];
        for (octets, error) in rows {
            let mut framer = Framer::default();
            framer.push(octets);
            assert_eq!(framer.take(), Err(error), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_they_are_cut(
            lengths in proptest::collection::vec(5_usize..64, 0..8),
            piece in 1_usize..97,
        ) {
            let sent: Vec<_> = lengths.iter().map(|words| message(words * 4)).collect();
            let mut framer = Framer::default();
            let mut received = Vec::new();
            for octets in sent.concat().chunks(piece) {
                framer.push(octets);
                while let Some(message) = framer.take().expect("in step") {
                    received.push(message);
                }
            }
            prop_assert_eq!(received, sent);
        }
    }
}
