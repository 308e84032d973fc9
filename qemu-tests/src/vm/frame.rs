//! What a lab and the agent in a machine say to each other, and how it is framed.
//!
//! ```text
//! octets of the header, u32 | octets of the body, u32 (both little-endian) | header: JSON [number, message] | body
//! ```
//!
//! The lab asks, the agent answers with the same number, in any order; number 0 is the agent's own first word. Bodies carry
//! what may be large or no text: a file, or standard output followed by standard error.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest header that is read.
const HEADER_LIMIT: u32 = 1 << 20;
/// Longest body that is read: more than any log or program of a lab.
const BODY_LIMIT: u32 = 256 << 20;

/// The number of the agent's first word.
pub const FIRST_WORD: u64 = 0;

/// A program with its surroundings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Path, or name to be found in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables added to the agent's own environment.
    pub env: Vec<(String, String)>,
}

/// What a lab asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Run a task to its end, or kill it after so many milliseconds.
    Run {
        /// What to run.
        task: Task,
        /// The time it is given.
        limit_ms: u64,
    },
    /// Start a task and leave it running.
    Spawn {
        /// What to start.
        task: Task,
        /// File in the agent's folder that takes what it prints, appended.
        log: Option<String>,
    },
    /// Whether a started task still runs.
    IsRunning {
        /// Its process id.
        process: u32,
    },
    /// Send a signal to a started task.
    Signal {
        /// Its process id.
        process: u32,
        /// The signal's number.
        number: i32,
    },
    /// Write the body to a file, making its folders.
    PutFile {
        /// Path; a relative one begins at the agent's folder.
        path: String,
        /// Permission bits.
        mode: u32,
    },
    /// Read a file.
    GetFile {
        /// Path; a relative one begins at the agent's folder.
        path: String,
    },
    /// Read the machine's `CLOCK_MONOTONIC`.
    Clock,
    /// Stop all services in order and turn the power off.
    PowerOff,
}

/// What the agent answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The agent is there: the machine has started and its links are up.
    Ready,
    /// A task ended; the body is its standard output followed by its standard error.
    Ran {
        /// Exit code, or 128 + the signal's number.
        code: i32,
        /// How much of the body is standard output.
        stdout_octets: u64,
    },
    /// A task was killed because its time was up.
    TooLong,
    /// A task was started.
    Spawned {
        /// Its process id.
        process: u32,
    },
    /// Whether a task runs.
    Running(bool),
    /// Done, nothing to say.
    Done,
    /// The body is the file.
    File,
    /// The clock.
    Clock {
        /// Nanoseconds since the machine's start.
        nanos: u64,
        /// Microseconds since 1970.
        wall_us: u64,
    },
    /// It could not be done.
    Failed {
        /// The operating system's error number, where it was the one who refused.
        errno: Option<i32>,
        /// The cause in words.
        reason: String,
    },
}

/// Writes one message.
pub fn write<M: Serialize>(to: &mut impl Write, number: u64, message: &M, body: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(&(number, message))?;
    let length = |octets: usize, limit: u32| match u32::try_from(octets) {
        Ok(octets) if octets <= limit => Ok(octets),
        Ok(_) | Err(_) => Err(too_long(octets as u64, limit)),
    };
    let mut frame = Vec::with_capacity(8 + header.len() + body.len());
    frame.extend_from_slice(&length(header.len(), HEADER_LIMIT)?.to_le_bytes());
    frame.extend_from_slice(&length(body.len(), BODY_LIMIT)?.to_le_bytes());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(body);
    to.write_all(&frame)
}

/// Reads one message; blocks until it is whole.
pub fn read<M: DeserializeOwned>(from: &mut impl Read) -> io::Result<(u64, M, Vec<u8>)> {
    let mut lengths = [[0; 4]; 2];
    for length in &mut lengths {
        from.read_exact(length)?;
    }
    let [header, body] = lengths.map(u32::from_le_bytes);
    let header = read_part(from, header, HEADER_LIMIT)?;
    let body = read_part(from, body, BODY_LIMIT)?;
    let (number, message) = serde_json::from_slice(&header)?;
    Ok((number, message, body))
}

fn read_part(from: &mut impl Read, octets: u32, limit: u32) -> io::Result<Vec<u8>> {
    if octets > limit {
        return Err(too_long(u64::from(octets), limit));
    }
    let mut part = vec![0; octets as usize];
    from.read_exact(&mut part)?;
    Ok(part)
}

fn too_long(octets: u64, limit: u32) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a part of {octets} octets; at most {limit} are taken"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_undoes_writing() {
        let request = Request::PutFile { path: "etc/x".to_owned(), mode: 0o644 };
        let mut wire = Vec::new();
        write(&mut wire, 7, &request, &[0, 255, 10]).expect("writes");
        let (number, found, body) = read::<Request>(&mut wire.as_slice()).expect("reads");
        assert_eq!((number, found, body), (7, request, vec![0, 255, 10]));
    }

    #[test]
    fn a_length_that_no_message_has_is_refused_before_memory_is_taken() {
        let wire = [0xff; 8];
        let error = read::<Reply>(&mut wire.as_slice()).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_message_cut_short_is_an_error() {
        let mut wire = Vec::new();
        write(&mut wire, 1, &Reply::Running(true), b"body").expect("writes");
        for length in 0..wire.len() {
            assert!(read::<Reply>(&mut &wire[..length]).is_err(), "{length}");
        }
    }
}
