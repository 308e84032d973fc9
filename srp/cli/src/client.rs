//! One question and one answer over the control socket, within a time limit.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use srp_core::api::{Request, Response};

/// Longest answer that is read, octets.
const LONGEST_ANSWER: u64 = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No such file.
    #[error(
        "{socket} does not exist: srpd is not running, or its configuration names another socket \
         (--socket PATH or SRP_SOCKET)"
    )]
    Missing {
        /// The socket.
        socket: PathBuf,
    },
    /// The socket is not ours to use.
    #[error(
        "no permission to use {socket}: run as root, or as a member of the group in [control] of srpd's configuration"
    )]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// A socket file that nobody listens on.
    #[error("nobody listens on {socket}: srpd has stopped without removing it; start srpd")]
    Stale {
        /// The socket.
        socket: PathBuf,
    },
    /// No answer in time.
    #[error(
        "no answer from srpd on {socket} within {} s: it hangs or is very busy; see its log, or wait longer \
         (--timeout SECONDS)", .limit.as_secs()
    )]
    Silent {
        /// The socket.
        socket: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// The other end closed first.
    #[error("srpd on {socket} closed the connection without an answer: see its log")]
    Closed {
        /// The socket.
        socket: PathBuf,
    },
    /// The answer cannot be understood.
    #[error(
        "the answer on {socket} is not one of srpd {release} ({what}): is it srpd, and of the release of this srpctl? \
         It begins: {start}", release = env!("CARGO_PKG_VERSION")
    )]
    Garbage {
        /// The socket.
        socket: PathBuf,
        /// What the decoder says.
        what: String,
        /// Its first characters.
        start: String,
    },
    /// Anything else that the system reports.
    #[error("cannot talk to srpd on {socket}: {source}")]
    Io {
        /// The socket.
        socket: PathBuf,
        /// Its words.
        source: io::Error,
    },
}

/// Asks srpd, and waits for the answer at most `limit`.
pub fn ask(socket: &Path, request: &Request, limit: Duration) -> Result<Response, ClientError> {
    let owned = socket.to_owned();
    let mut question = serde_json::to_vec(request)
        .map_err(|error| ClientError::Io { socket: owned.clone(), source: io::Error::other(error) })?;
    question.push(b'\n');
    let (sender, answer) = mpsc::channel();
    // A thread of its own, because even connecting waits without limit while the backlog of srpd is full.
    thread::spawn(move || {
        // The receiver may have given up, and then nobody wants to know.
        let _ = sender.send(exchange(&owned, &question));
    });
    let silent = |_| ClientError::Silent { socket: socket.to_owned(), limit };
    let line = answer.recv_timeout(limit).map_err(silent)??;
    serde_json::from_str(&line).map_err(|error| ClientError::Garbage {
        socket: socket.to_owned(),
        what: error.to_string(),
        start: line.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect(),
    })
}

/// One line there, one line back.
fn exchange(socket: &Path, question: &[u8]) -> Result<String, ClientError> {
    let failed = |source: io::Error| {
        let socket = socket.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => ClientError::Missing { socket },
            io::ErrorKind::PermissionDenied => ClientError::Denied { socket },
            io::ErrorKind::ConnectionRefused => ClientError::Stale { socket },
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed { socket },
            _ => ClientError::Io { socket, source },
        }
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.write_all(question).map_err(failed)?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST_ANSWER)).read_until(b'\n', &mut line).map_err(failed)?;
    if line.is_empty() {
        return Err(ClientError::Closed { socket: socket.to_owned() });
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
