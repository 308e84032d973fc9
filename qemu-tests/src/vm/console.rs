//! A serial port with a person at it: what the machine says is waited for, and what it is to do is typed.
//!
//! Everything that was said is kept, and a wait goes on behind what was waited for before: no word is taken twice, and none is
//! missed because it came early.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::clock::Time;

/// Why a console did not do what was expected; the text ends with what it said.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// It did not say what was waited for.
    #[error("the machine did not say {wanted:?} {why}; it said:\n{said}")]
    Silent {
        /// What was waited for.
        wanted: String,
        /// How the wait ended.
        why: String,
        /// All that it said.
        said: String,
    },
    /// Nobody is there to type to.
    #[error("typing {line:?}: {source}")]
    Typing {
        /// What was to be typed.
        line: String,
        /// The cause.
        source: io::Error,
    },
    /// What was typed ended with an exit code other than zero.
    #[error("`{line}` ended with exit code {}: {}", ran.code, ran.text)]
    Failed {
        /// What was typed.
        line: String,
        /// What it left.
        ran: Ran,
    },
}

/// What a command at the console left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed on both outputs, and whatever else the console said meanwhile.
    pub text: String,
}

/// A console.
pub struct Console {
    keyboard: Box<dyn Write + Send>,
    serial: Receiver<(Time, Vec<u8>)>,
    said: String,
    /// How far it had said what came, and when it came.
    arrivals: Vec<(usize, Time)>,
    heard: usize,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("said", &self.said)
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}

impl Console {
    /// A console that reads from `port`, which ends when the machine does, and types on `keyboard`.
    pub fn open(mut port: impl Read + Send + 'static, keyboard: impl Write + Send + 'static) -> Self {
        let (sender, serial) = channel();
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(read @ 1..) = port.read(&mut octets) {
                if sender.send((Time::now(), octets[..read].to_vec())).is_err() {
                    break;
                }
            }
        });
        Self { keyboard: Box::new(keyboard), serial, said: String::new(), arrivals: Vec::new(), heard: 0 }
    }

    /// Waits until the machine has said `wanted` behind what was waited for before; when it said the end of it.
    pub fn hear(&mut self, wanted: &str, limit: Duration) -> Result<Time, ConsoleError> {
        let (to, at) = self.find(self.heard, wanted, limit)?;
        self.heard = to;
        Ok(at)
    }

    /// When the machine first said `wanted`, or will within `limit`. What is waited for next is not changed by it.
    pub fn when(&mut self, wanted: &str, limit: Duration) -> Result<Time, ConsoleError> {
        self.find(0, wanted, limit).map(|(_, at)| at)
    }

    /// Where `wanted` ends, at `from` or behind it, and when it was said.
    fn find(&mut self, from: usize, wanted: &str, limit: Duration) -> Result<(usize, Time), ConsoleError> {
        let end = Time::now() + limit;
        loop {
            if let Some(place) = self.said[from..].find(wanted) {
                let to = from + place + wanted.len();
                let at = self.arrivals.partition_point(|(said, _)| *said < to);
                return Ok((to, self.arrivals.get(at).map_or(end, |(_, at)| *at)));
            }
            let silent = |why: String, said: &str| {
                let (wanted, said) = (wanted.to_owned(), said.to_owned());
                Err(ConsoleError::Silent { wanted, why, said })
            };
            match self.serial.recv_timeout(end.since(Time::now())) {
                Ok((time, octets)) => {
                    self.said.push_str(&String::from_utf8_lossy(&octets));
                    self.arrivals.push((self.said.len(), time));
                }
                Err(RecvTimeoutError::Timeout) => {
                    return silent(format!("within {} s", limit.as_secs()), &self.said);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return silent("before it ended".to_owned(), &self.said);
                }
            }
        }
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) -> Result<(), ConsoleError> {
        let typed = writeln!(self.keyboard, "{line}").and_then(|()| self.keyboard.flush());
        typed.map_err(|source| ConsoleError::Typing { line: line.to_owned(), source })
    }

    /// Logs in as root at the prompt that is next.
    pub fn log_in(&mut self, limit: Duration) -> Result<(), ConsoleError> {
        self.hear("login: ", limit)?;
        self.type_line("root")?;
        self.hear("# ", limit)?;
        Ok(())
    }

    /// Runs a command in the shell that was logged into.
    pub fn run(&mut self, command: &str, limit: Duration) -> Result<Ran, ConsoleError> {
        // The shell echoes what is typed: the marks are other words there than in its output.
        self.type_line(&format!("echo '='begin=; {command}; echo '='end=$?="))?;
        self.hear("=begin=\r\n", limit)?;
        let from = self.heard;
        self.hear("=end=", limit)?;
        let to = self.heard - "=end=".len();
        let code = self.heard;
        self.hear("=\r\n", limit)?;
        let code = self.said[code..self.heard].trim_end_matches("=\r\n").parse().unwrap_or(-1);
        Ok(Ran { code, text: self.said[from..to].replace('\r', "") })
    }

    /// All that it has said and that was waited for.
    pub fn said(&self) -> &str {
        &self.said[..self.heard]
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixStream;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn pair() -> (Console, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("pair");
        (Console::open(ours.try_clone().expect("twice"), ours), theirs)
    }

    #[test]
    fn a_command_leaves_what_it_printed_and_its_code() {
        let (mut console, mut machine) = pair();
        let shell = thread::spawn(move || {
            let mut line = String::new();
            BufReader::new(machine.try_clone().expect("twice")).read_line(&mut line).expect("typed");
            write!(machine, "{}\r\n=begin=\r\none\r\ntwo=end=3=\r\nsrp# ", line.trim_end()).expect("said");
            machine
        });
        let ran = console.run("false", LIMIT).expect("runs");
        assert_eq!(ran, Ran { code: 3, text: "one\ntwo".to_owned() });
        shell.join().expect("ends");
    }

    #[test]
    fn what_was_said_early_is_not_missed_and_looking_back_takes_nothing() {
        let (mut console, mut machine) = pair();
        write!(machine, "srp: loader\r\nsrp: kernel\r\neast login: ").expect("said");
        let login = console.hear("login: ", LIMIT).expect("said");
        assert!(console.when("srp: loader", LIMIT).expect("said") <= login);
        write!(machine, "root\r\n# ").expect("said");
        assert!(console.hear("# ", LIMIT).expect("said") >= login);
    }

    #[test]
    fn a_machine_that_ends_ends_the_wait_and_its_last_words_are_told() {
        let (mut console, mut machine) = pair();
        write!(machine, "srp: loader\r\n").expect("said");
        drop(machine);
        let error = console.hear("login: ", LIMIT).expect_err("is gone").to_string();
        assert!(error.contains("before it ended") && error.contains("srp: loader"), "{error}");
    }
}
