//! A program that was started: what it said, and how it ended, within a time.

use std::io::{self, Read};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub success: bool,
    pub output: Vec<u8>,
    pub errors: String,
}

/// Why a program did not end by itself, or nobody knows how it ended.
#[derive(Debug, thiserror::Error)]
pub enum EndedError {
    /// It did not start, or cannot be waited for.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It took too long, and was ended.
    #[error("no answer within {} s", .0.as_secs())]
    TooLong(Duration),
    /// Somebody asked to stop, and it was ended.
    #[error("somebody asked to stop")]
    Told,
}

/// Waits for a program, and ends it after `limit`, or as soon as `told` says so.
pub fn ended(mut child: Child, limit: Duration, told: impl Fn() -> bool) -> Result<Ended, EndedError> {
    let (output, errors) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let told = told();
        if told || Instant::now() >= end {
            let _ = child.kill(); // it may end right now
            child.wait()?;
            return Err(if told { EndedError::Told } else { EndedError::TooLong(limit) });
        }
        thread::sleep(LOOK);
    };
    let text = |octets: thread::JoinHandle<Vec<u8>>| octets.join().unwrap_or_default();
    let errors = String::from_utf8_lossy(&text(errors)).into_owned();
    Ok(Ended { success: status.success(), output: text(output), errors })
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut octets = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut octets); // what was read until then is what there is
        }
        octets
    })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn shell(line: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("a shell")
    }

    #[test]
    fn what_it_said_and_how_it_ended_are_told() {
        let line = "echo yes; echo no >&2; exit 3";
        let said = ended(shell(line), Duration::from_mins(1), || false).expect("it ended");
        assert_eq!((said.success, &said.output[..], &*said.errors), (false, &b"yes\n"[..], "no\n"));
    }

    #[test]
    fn one_that_takes_too_long_or_is_not_wanted_any_more_is_ended() {
        let line = "exec sleep 600";
        let late = ended(shell(line), Duration::ZERO, || false).expect_err("it sleeps");
        assert!(matches!(late, EndedError::TooLong(_)), "{late}");
        let told = ended(shell(line), Duration::from_mins(1), || true).expect_err("it sleeps");
        assert!(matches!(told, EndedError::Told), "{told}");
    }
}
