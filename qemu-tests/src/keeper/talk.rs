//! What commands and the holder say to each other: a line of JSON each, over a socket in the lab's folder.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::report::{Report, Step};

const SOCKET: &str = "control.sock";

/// What a command asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// How the chassis stand.
    Status,
    /// Run the scenario of this name, an upgrade to this file of the host.
    Run {
        /// Its name.
        scenario: String,
        /// The image, where it is not the lab's own.
        image: Option<PathBuf>,
    },
}

/// What the holder says to it. [`Reply::Done`] and [`Reply::Failed`] are the last words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// What it is at.
    Said(String),
    /// What the report begins with, before its first step.
    Begun(Box<Report>),
    /// A step is over; its number in the report.
    Step(usize, Box<Step>),
    /// All is done; whether all checks passed.
    Done(bool),
    /// It cannot be done, in words.
    Failed(String),
}

/// Opens the holder's end.
pub fn listen(folder: &Path) -> Result<UnixListener, LabError> {
    let (_open, path) = reach(folder)?;
    UnixListener::bind(&path).map_err(LabError::file("making the socket in", folder))
}

/// Asks the holder of the lab in `folder`, and shows each of its words; whether all passed.
pub fn ask(folder: &Path, request: &Request, mut shown: impl FnMut(&Reply)) -> Result<bool, LabError> {
    let (_open, path) = reach(folder)?;
    let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => not_up(folder),
        _ => LabError::file("connecting to the lab in", folder)(error),
    })?;
    say(&mut stream, request).map_err(LabError::file("asking the lab in", folder))?;
    hear(stream, folder, &mut shown)
}

/// Reads what a holder says, up to its last word.
pub fn hear(
    from: impl std::io::Read,
    folder: &Path,
    shown: &mut dyn FnMut(&Reply),
) -> Result<bool, LabError> {
    for line in BufReader::new(from).lines() {
        let line = match line {
            // A holder that is killed before it has read what it was asked.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            line => line.map_err(LabError::file("hearing the lab in", folder))?,
        };
        let reply: Reply = serde_json::from_str(&line).map_err(|error| LabError::Answer {
            command: "the holder of the lab".to_owned(),
            reason: format!("{error} in: {line}"),
        })?;
        match reply {
            Reply::Done(passed) => return Ok(passed),
            Reply::Failed(reason) => {
                let remedy = format!("its log is {}", folder.join(LOG).display());
                return Err(LabError::Refused { reason, remedy });
            }
            Reply::Said(_) | Reply::Begun(_) | Reply::Step(..) => shown(&reply),
        }
    }
    Err(LabError::Refused {
        reason: format!("the holder of the lab in {} has ended", folder.display()),
        remedy: format!("see {}, then `lab down` clears away what is left", folder.join(LOG).display()),
    })
}

/// Name of the holder's log in the folder.
pub const LOG: &str = "holder.log";

/// One line of JSON.
pub fn say(to: &mut impl Write, what: &impl Serialize) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// The error of a command on a folder without a lab.
pub fn not_up(folder: &Path) -> LabError {
    LabError::Refused {
        reason: format!("no lab is up in {}", folder.display()),
        remedy: "`lab up TOPOLOGY.toml` first, or name its folder with --folder".to_owned(),
    }
}

/// The socket by a short way: a path to a socket has at most 107 octets (unix(7)), and one to a folder may be longer.
fn reach(folder: &Path) -> Result<(File, PathBuf), LabError> {
    let open = File::open(folder).map_err(|error| match error.kind() {
        ErrorKind::NotFound => not_up(folder),
        _ => LabError::file("opening", folder)(error),
    })?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(SOCKET);
    Ok((open, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_lab_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("nowhere");
        for folder in [folder.path(), &missing] {
            let error = ask(folder, &Request::Status, |_| ()).expect_err("nobody is there").to_string();
            assert!(error.contains("no lab is up in") && error.contains("lab up"), "{error}");
        }
    }

    #[test]
    fn a_long_way_to_a_folder_is_no_obstacle_and_words_come_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a".repeat(90)).join("b".repeat(90));
        std::fs::create_dir_all(&deep).expect("a folder");
        let listener = listen(&deep).expect("a socket");
        let holder = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut line = String::new();
            BufReader::new(stream.try_clone().expect("a handle")).read_line(&mut line).expect("a line");
            say(&mut stream, &Reply::Said("at it".to_owned())).expect("said");
            say(&mut stream, &Reply::Done(false)).expect("said");
            line
        });
        let mut heard = Vec::new();
        let passed = ask(&deep, &Request::Run { scenario: "demo".to_owned(), image: None }, |reply| {
            heard.push(format!("{reply:?}"));
        });
        assert!(!passed.expect("an answer"));
        assert_eq!(heard, ["Said(\"at it\")"]);
        assert_eq!(holder.join().expect("ends"), "{\"run\":{\"scenario\":\"demo\",\"image\":null}}\n");
    }

    #[test]
    fn a_holder_that_ends_in_the_middle_is_told_as_such() {
        let error =
            hear(&b"{\"said\":\"at it\"}\n"[..], Path::new("out/lab"), &mut |_| ()).expect_err("cut off");
        assert!(error.to_string().contains("has ended"), "{error}");
    }
}
