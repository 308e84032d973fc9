//! Both chassis as `srpctl` sees them: this one through a program of its own, the peer through ssh.
//!
//! What holds: every question has a time limit, and the answer is what `srpctl --json` prints there. The client is OpenSSH's, or
//! dropbear's on the appliance; both take the keys and known hosts of whoever runs `srpctl`, and no password here.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::iter;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::unistd::setsid;
use serde_json::Value;
use upgrade::{Pair, Side, State, Trouble};

use super::program::{Ended, EndedError, ended};
use super::store::{By, Store};
use crate::args::Args;
use crate::transfer::{PlaceError, authority};

/// Most questions; a switchover has a bound of its own.
const ANSWER: Duration = Duration::from_mins(2);
/// An image over a slow link.
const COPY: Duration = Duration::from_mins(30);
/// The operator's test calls.
const TEST: Duration = Duration::from_mins(10);
/// What dbclient and ssh say of a host whose key they do not know.
const STRANGERS: [&str; 2] = ["is not in the trusted hosts file", "Host key verification failed"];

/// The peer, as ssh is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    host: String,
    user: Option<String>,
    port: Option<u16>,
}

impl Remote {
    /// Reads `ssh://[USER@]HOST[:PORT]`, or the same without `ssh://`.
    pub fn read(text: &str) -> Result<Self, PlaceError> {
        let (user, host, port) =
            authority(text.strip_prefix("ssh://").unwrap_or(text), text, "ssh://[USER@]ADDRESS[:PORT]")?;
        Ok(Self { host: host.to_owned(), user: user.map(str::to_owned), port })
    }

    /// `program` with what it needs to run `line` there.
    fn command(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(program);
        if program == "ssh" {
            for option in
                ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=4"]
            {
                command.args(["-o", option]);
            }
        } else {
            command.args(["-K", "5", "-T"]);
        }
        if let Some(port) = self.port {
            command.args(["-p", &port.to_string()]);
        }
        if let Some(user) = &self.user {
            command.args(["-l", user]);
        }
        command.arg(&self.host).arg(line);
        command
    }

    /// Starts `line` there, by the client that is here.
    fn spawn(&self, line: &str, stdin: impl Fn() -> io::Result<Stdio>) -> io::Result<Child> {
        for program in ["ssh", "dbclient"] {
            let mut command = self.command(program, line);
            command.stdin(stdin()?).stdout(Stdio::piped()).stderr(Stdio::piped());
            // Without a terminal it cannot ask a question there that nobody sees, about a host that it does not know.
            // SAFETY: setsid is async-signal-safe and touches nothing of the parent's memory.
            unsafe {
                command.pre_exec(|| Ok(setsid().map(drop)?));
            }
            match command.spawn() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                spawned => return spawned,
            }
        }
        let lacks = "neither ssh nor dbclient is on this machine: install openssh-client or dropbear-bin";
        Err(io::Error::new(io::ErrorKind::NotFound, lacks))
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What of a command line a program of our own is started with: where things are.
pub fn handed_on(args: &Args) -> impl Iterator<Item = OsString> {
    let folders = [("--flash", &args.flash), ("--keys", &args.keys), ("--command-line", &args.command_line)];
    let socket = ["--socket".into(), args.socket().into()];
    folders.into_iter().flat_map(|(name, value)| [name.into(), value.into()]).chain(socket)
}

/// Both, for whoever carries an upgrade out.
pub struct Machines {
    own: Vec<OsString>,
    peer: Remote,
    store: Store,
    /// It did not answer the last time: it is not told what it would not hear.
    peer_is_gone: bool,
    /// Whether questions are answered although somebody asked to stop.
    deaf: bool,
}

impl Machines {
    /// Those of a command line.
    pub fn new(args: &Args, peer: Remote) -> Self {
        let own = iter::once("--json".into()).chain(handed_on(args)).collect();
        Self { own, peer, store: Store::new(&args.flash), peer_is_gone: false, deaf: false }
    }

    /// Tells the peer how it stands; it refuses if it has another one in hand.
    pub fn tell_peer(&mut self, state: &State) -> Result<(), Trouble> {
        let what = "upgrade hold";
        let text =
            serde_json::to_vec(&state.seen_by_peer()).map_err(|error| Trouble::Kept(error.to_string()))?;
        let file = || -> io::Result<Stdio> {
            let mut file = tempfile::tempfile()?;
            io::Write::write_all(&mut file, &text)?;
            io::Seek::rewind(&mut file)?;
            Ok(file.into())
        };
        self.over_there(&["upgrade", "hold"], what, file, ANSWER).map(drop)
    }

    /// Answers questions also while somebody has asked to stop.
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// Whether somebody has asked to stop.
    fn is_told(&self) -> bool {
        !self.deaf && self.store.is_asked_to_stop()
    }

    /// The same, of what can be ended in the middle: a copy takes its place when it is whole. Any other question is short, and
    /// whether it was obeyed has to be known.
    fn is_not_wanted(&self, words: &[&str]) -> bool {
        is_copy(words) && self.is_told()
    }

    fn over_there(
        &mut self,
        words: &[&str],
        what: &str,
        stdin: impl Fn() -> io::Result<Stdio>,
        limit: Duration,
    ) -> Result<Value, Trouble> {
        let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        let line = format!("srpctl --json {}", quoted.join(" "));
        let child = self.peer.spawn(&line, stdin).map_err(EndedError::from);
        let ended = child.and_then(|child| ended(child, limit, || self.is_not_wanted(words)));
        let answer = judged(Side::Peer, what, ended);
        self.peer_is_gone = matches!(answer, Err(Trouble::Unreachable { .. }));
        answer
    }
}

/// The answer, or why there is none.
fn judged(side: Side, what: &str, ended: Result<Ended, EndedError>) -> Result<Value, Trouble> {
    let unreachable = |why: String| Trouble::Unreachable { side, why };
    let ended = ended.map_err(|error| match error {
        EndedError::Told => Trouble::Told,
        EndedError::Io(_) | EndedError::TooLong(_) => unreachable(error.to_string()),
    })?;
    if ended.success {
        return serde_json::from_slice(&ended.output).map_err(|error| {
            let reasons = vec![format!("its answer is not JSON: {error}")];
            Trouble::Refused { side, what: what.to_owned(), reasons }
        });
    }
    // srpctl says each reason with its name before it; what else is said there, ssh or a shell says.
    let reasons: Vec<_> =
        ended.errors.lines().filter_map(|line| line.strip_prefix("srpctl: ")).map(str::to_owned).collect();
    if reasons.is_empty() {
        let last = ended.errors.lines().rev().find(|line| !line.trim().is_empty());
        let mut why = last.unwrap_or("it ended without a word").trim().to_owned();
        if STRANGERS.iter().any(|words| ended.errors.contains(words)) {
            why += "; connect there once by hand, and compare its key";
        }
        return Err(unreachable(why));
    }
    Err(Trouble::Refused { side, what: what.to_owned(), reasons })
}

fn limit(words: &[&str]) -> Duration {
    if is_copy(words) { COPY } else { ANSWER }
}

fn is_copy(words: &[&str]) -> bool {
    words.first() == Some(&"copy")
}

impl Pair for Machines {
    fn ask(&mut self, side: Side, words: &[&str]) -> Result<Value, Trouble> {
        if self.is_told() {
            return Err(Trouble::Told);
        }
        let (what, limit) = (words.join(" "), limit(words));
        match side {
            Side::Peer => self.over_there(words, &what, || Ok(Stdio::null()), limit),
            Side::Here => {
                let child = std::env::current_exe().and_then(|program| {
                    let mut command = Command::new(program);
                    command.args(&self.own).args(words);
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                    command.spawn()
                });
                let child = child.map_err(EndedError::from);
                judged(side, &what, child.and_then(|child| ended(child, limit, || self.is_not_wanted(words))))
            }
        }
    }

    fn send(&mut self, from: &str, to: &str) -> Result<(), Trouble> {
        let what = format!("copy {from} to {to} of the peer");
        let octets = std::fs::metadata(from).map(|facts| facts.len());
        let octets = octets.map_err(|error| Trouble::Refused {
            side: Side::Here,
            what: what.clone(),
            reasons: vec![format!("{from}: {error}")],
        })?;
        let octets = octets.to_string();
        let words = ["copy", "--octets", &octets, "--noconfirm", "-", to];
        self.over_there(&words, &what, || Ok(File::open(from)?.into()), COPY).map(drop)
    }

    fn test(&mut self, command: &str, active: Side) -> Result<(), Trouble> {
        let active = match active {
            Side::Here => "here",
            Side::Peer => "peer",
        };
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("SRP_UPGRADE_ACTIVE", active);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let refused =
            |why: String| Trouble::Refused { side: Side::Here, what: command.to_owned(), reasons: vec![why] };
        let child = shell.spawn().map_err(EndedError::from);
        let ended =
            child.and_then(|child| ended(child, TEST, || self.is_told())).map_err(|error| match error {
                EndedError::Told => Trouble::Told,
                EndedError::Io(_) | EndedError::TooLong(_) => refused(error.to_string()),
            })?;
        if ended.success {
            return Ok(());
        }
        let said = format!("{}{}", String::from_utf8_lossy(&ended.output), ended.errors);
        Err(refused(said.lines().last().unwrap_or("it failed without a word").to_owned()))
    }

    fn keep(&mut self, state: &State) -> Result<(), Trouble> {
        self.store.write(By::Here, state).map_err(|error| Trouble::Kept(error.to_string()))?;
        if !self.peer_is_gone {
            // It is for those who look there; what counts is here.
            let _ = self.tell_peer(state);
        }
        Ok(())
    }

    fn now_us(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
    }

    fn pause(&mut self, span_ms: u64) -> Result<(), Trouble> {
        thread::sleep(Duration::from_millis(span_ms));
        if self.is_told() { Err(Trouble::Told) } else { Ok(()) }
    }
}

/// Where a relative path of an operator leads, also for a program in another folder.
pub fn absolute(source: &str) -> String {
    if source.contains("://") {
        return source.to_owned();
    }
    std::path::absolute(Path::new(source))
        .map_or_else(|_| source.to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_written_as_in_a_url_or_as_for_ssh() {
        let remote = |host: &str, user: Option<&str>, port| Remote {
            host: host.into(),
            user: user.map(str::to_owned),
            port,
        };
        for (text, expected) in [
            ("ssh://root@192.0.2.2", remote("192.0.2.2", Some("root"), None)),
            ("root@192.0.2.2:2222", remote("192.0.2.2", Some("root"), Some(2222))),
            ("ssh://[2001:db8::1]:22", remote("2001:db8::1", None, Some(22))),
            ("east.example", remote("east.example", None, None)),
        ] {
            assert_eq!(Remote::read(text).expect("a peer"), expected, "{text}");
        }
        for wrong in ["", "ssh://", "root:secret@192.0.2.2", "-oProxyCommand=x", "a b", "192.0.2.2:x", "x@-y"]
        {
            assert!(Remote::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_word_is_one_word_for_a_shell() {
        assert_eq!(quoted("/flash/srp-0.2.0.bin"), "/flash/srp-0.2.0.bin");
        for (word, expected) in [("a b", "'a b'"), ("$(x)", "'$(x)'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn reasons_of_srpctl_are_refusals_and_everything_else_is_no_connection() {
        let ended = |success, output: &str, errors: &str| {
            Ok(Ended { success, output: output.into(), errors: errors.into() })
        };
        assert_eq!(
            judged(Side::Peer, "x", ended(true, "{\"a\": 1}", "Warning: new host")),
            Ok(serde_json::json!({ "a": 1 }))
        );
        let refused =
            judged(Side::Peer, "x", ended(false, "", "note\nsrpctl: one\nsrpctl: two\n")).unwrap_err();
        assert_eq!(refused.lines(), ["the peer, `x`: one", "the peer, `x`: two"]);
        let gone =
            judged(Side::Peer, "x", ended(false, "", "ssh: connect to host x port 22: No route to host\n"));
        assert_eq!(
            gone.unwrap_err().lines(),
            ["the peer cannot be reached: ssh: connect to host x port 22: No route to host"]
        );
        let stranger = "\nHost 'x' is not in the trusted hosts file.\nDo you want to continue connecting? (y/n) \n\
            dbclient: Connection to root@x:22 exited: Didn't validate host key\n";
        let stranger = judged(Side::Peer, "x", ended(false, "", stranger)).unwrap_err().lines();
        assert!(
            stranger[0].ends_with("host key; connect there once by hand, and compare its key"),
            "{stranger:?}"
        );
        let late = judged(Side::Peer, "x", Err(EndedError::TooLong(Duration::from_secs(5)))).unwrap_err();
        assert_eq!(late.lines(), ["the peer cannot be reached: no answer within 5 s"]);
        assert!(matches!(judged(Side::Here, "x", ended(true, "text", "")), Err(Trouble::Refused { .. })));
    }
}
