//! `srpctl configure ...` and `srpctl save configuration`: a change of the file in steps that can be taken back.
//!
//! A candidate lies beside the file (`store`) and is changed key by key (`key`) or in an editor. `compare` and `check` look at it
//! as `srpd` would; `commit` writes it in the place of the file and has it taken over by a reload, and the old file comes
//! back if that is refused. What each commit replaced is kept, the last ten.

mod done;
mod key;
pub mod store;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Subcommand;
use srp_core::api::{Configuration, Request, Response};
use srp_core::config::{Config, ConfigError, changes};
use toml_edit::DocumentMut;

use crate::client::{self, ClientError};
use crate::transfer::{self, Place as Elsewhere, PlaceError, TransferError};
pub use done::Done;
use done::{Change, Outcome, Past};
use key::{Key, KeyError};
pub use store::write;
use store::{Store, StoreError};

/// How long `srpd` may take for a reload: it tells neighbours and asks the kernel.
const RELOAD: Duration = Duration::from_secs(90);

/// How long it may take to say which file it has.
const QUESTION: Duration = Duration::from_secs(10);

/// `configure ...`.
#[derive(Debug, Subcommand)]
pub enum Configure {
    /// Change the candidate in $VISUAL or $EDITOR, else vi
    Edit,
    /// Give a key of the candidate a value
    Set {
        /// As error messages write it, such as: context[destination].pool[subscribers].prefix
        #[arg(value_name = "KEY")]
        key: String,
        /// As in the file; quotes around a text may be left out
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
    },
    /// Take a key, a table, or one table of several out of the candidate
    Delete {
        /// As error messages write it, such as: context[destination].pool[subscribers]
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Make another file the candidate, such as one that was saved
    Load {
        /// A path, or file://, sftp://, https://, http:// or ftp://
        #[arg(value_name = "PATH|URL")]
        from: String,
    },
    /// Say what a commit would change
    Compare,
    /// Say what is wrong with the candidate
    Check,
    /// Check the candidate, put it in the place of the file, and have srpd take it over
    Commit {
        /// Why, for the history
        #[arg(value_name = "COMMENT")]
        comment: Vec<String>,
    },
    /// Make the configuration of N commits ago the candidate
    Rollback {
        /// 1 is what the last commit replaced
        #[arg(value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
        back: u8,
    },
    /// List the last ten commits, the newest first
    History,
    /// Give the candidate up
    Discard {
        /// Also if it is somebody else's
        #[arg(long)]
        others: bool,
    },
}

/// `save ...`.
#[derive(Debug, Subcommand)]
pub enum Save {
    /// The running configuration: to its file, and to a second place
    Configuration {
        /// The second place: a path, or file://, sftp://, https://, http:// or ftp://
        #[arg(value_name = "PATH|URL")]
        to: Option<String>,
    },
}

/// Why a command failed. Each line says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// The files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// `srpd` does not say which file it has.
    #[error("which file? srpd cannot be asked: {0}; name it with --file PATH")]
    WhichFile(ClientError),
    /// `srpd` answers something else.
    #[error("srpd gave another answer than to `{0}`: is it of the release of this srpctl?")]
    OtherAnswer(&'static str),
    /// The text is not TOML.
    #[error("the candidate is not TOML: {0}; `srpctl configure edit` and correct it, or `discard`")]
    NotToml(#[from] toml_edit::TomlError),
    /// The candidate is wrong.
    #[error("{0}{1} error(s): nothing was changed")]
    Faults(String, usize),
    /// The running `srpd` cannot have it.
    #[error("{0}\nthe file is as it was before, and the candidate is still there")]
    Refused(String),
    /// Nobody knows.
    #[error(
        "{0}\nthe file is as it was before; whether srpd took the new one over, `srpctl show configuration srp` says"
    )]
    Unclear(ClientError),
    /// The second place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The way to it.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The editor.
    #[error("{0}: set VISUAL or EDITOR to an editor that is there")]
    Editor(String),
}

/// Where `srpd` is, and which file.
pub struct Place<'a> {
    /// Its control socket.
    pub socket: &'a Path,
    /// `--file`.
    pub file: Option<&'a Path>,
}

impl Place<'_> {
    fn configuration(&self) -> Result<Configuration, ConfigureError> {
        let answer = client::ask(self.socket, &Request::ShowConfiguration, QUESTION);
        match answer.map_err(ConfigureError::WhichFile)? {
            Response::Configuration(configuration) => Ok(configuration),
            _other => Err(ConfigureError::OtherAnswer("show configuration srp")),
        }
    }

    fn store(&self) -> Result<Store, ConfigureError> {
        let file = match self.file {
            Some(file) => std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            None => self.configuration()?.file,
        };
        Ok(Store::open(&file)?)
    }
}

/// Carries a command out.
///
/// # Errors
/// What is in the way.
pub fn configure(place: &Place<'_>, action: &Configure) -> Result<Done, ConfigureError> {
    let store = place.store()?;
    match action {
        Configure::Edit => edit(&store),
        Configure::Set { key, value } => change(&store, |document| Key::read(key)?.set(document, value)),
        Configure::Delete { key } => change(&store, |document| Key::read(key)?.delete(document)),
        Configure::Load { from } => {
            store.replace_candidate(&fetched(&from.parse()?)?)?;
            Ok(Done::Candidate { candidate: true })
        }
        Configure::Compare => compare(&store),
        Configure::Check => {
            let (text, _) = store.own()?;
            checked(&text, store.file())?;
            Ok(Done::Checked { checked: store.candidate_file() })
        }
        Configure::Commit { comment } => commit(&store, place.socket, comment.join(" ")),
        Configure::Rollback { back } => {
            let history = store.history()?;
            let index = usize::from(*back) - 1;
            let commit = history.get(index).ok_or(StoreError::NotSoFar(history.len()))?;
            store.replace_candidate(&commit.before)?;
            Ok(Done::Taken { rollback: *back })
        }
        Configure::History => Ok(history(store.history()?)),
        Configure::Discard { others } => {
            store.discard(*others)?;
            Ok(Done::Candidate { candidate: false })
        }
    }
}

/// `save configuration [PATH|URL]`.
///
/// # Errors
/// What is in the way.
pub fn save(place: &Place<'_>, Save::Configuration { to }: &Save) -> Result<Done, ConfigureError> {
    let to = to.as_deref().map(str::parse::<Elsewhere>).transpose()?;
    let running = place.configuration()?;
    let store = Store::open(&running.file)?;
    let text = store.running()?;
    let is_running = |config: Config| config.to_toml() == running.text;
    let (saved, rewritten) = if Config::from_toml(&text, &running.file).is_ok_and(is_running) {
        (text, None)
    } else {
        // What is written here is what runs, so that nothing has to be reloaded.
        store.remember(text, "save configuration".to_owned())?;
        store.replace_running(&running.text)?;
        (running.text, Some(running.file))
    };
    match &to {
        None => {}
        Some(Elsewhere::File(path)) => write(path, &saved, 0o640)?,
        Some(elsewhere) => send(&saved, elsewhere)?,
    }
    Ok(Done::Saved { rewritten, written: to.map(|place| place.to_string()) })
}

/// The text of a file elsewhere.
fn fetched(from: &Elsewhere) -> Result<String, ConfigureError> {
    let failed = |source| TransferError::Io { doing: "read", path: std::env::temp_dir(), source };
    let folder = tempfile::tempdir().map_err(failed)?;
    let file = folder.path().join("fetched");
    transfer::get(from, &file)?;
    Ok(std::fs::read_to_string(&file).map_err(failed)?)
}

/// From a file that nobody else may read, and that goes afterwards.
fn send(text: &str, to: &Elsewhere) -> Result<(), ConfigureError> {
    let failed = |source| TransferError::Io { doing: "write", path: std::env::temp_dir(), source };
    let mut file = tempfile::NamedTempFile::new().map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(transfer::put(file.path(), to)?)
}

fn change(
    store: &Store,
    change: impl FnOnce(&mut DocumentMut) -> Result<(), KeyError>,
) -> Result<Done, ConfigureError> {
    let mut document: DocumentMut = store.begin()?.parse()?;
    change(&mut document)?;
    store.replace_candidate(&document.to_string())?;
    Ok(Done::Candidate { candidate: true })
}

/// The editor works on the candidate itself, and what it leaves there stays, right or wrong.
fn edit(store: &Store) -> Result<Done, ConfigureError> {
    store.begin()?;
    let editor =
        ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|e| !e.is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let status = Command::new(program).args(words).arg(store.candidate_file()).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => return Err(ConfigureError::Editor(format!("{editor} ended with {status}"))),
        Err(error) => return Err(ConfigureError::Editor(format!("{editor} does not start: {error}"))),
    }
    compare(store)
}

/// What a commit would change.
fn compare(store: &Store) -> Result<Done, ConfigureError> {
    let (text, owner) = store.own()?;
    let (old, new) = (checked(&owner.base, store.file())?, checked(&text, store.file())?);
    let change = |change: srp_core::config::Change| Change { what: change.what, needs_restart: !change.live };
    let changes = changes(&old, &new).changes.into_iter().map(change).collect();
    Ok(Done::Compared { changes, text_differs: text != owner.base })
}

/// Relative paths start at the folder of the file, wherever the candidate is.
fn checked(text: &str, file: &Path) -> Result<Config, ConfigureError> {
    Config::from_toml(text, file).map_err(|faults| {
        let lines: Vec<_> = faults.iter().map(ConfigError::to_string).collect();
        ConfigureError::Faults(lines.join("\n") + "\n", faults.len())
    })
}

fn commit(store: &Store, socket: &Path, comment: String) -> Result<Done, ConfigureError> {
    let (text, owner) = store.own()?;
    let before = store.running()?;
    if before != owner.base {
        let (file, candidate) = (store.file().to_owned(), store.candidate_file());
        return Err(StoreError::Overtaken(file, candidate).into());
    }
    checked(&text, store.file())?;
    if text == before {
        store.discard(false)?;
        return Ok(Done::Committed { changes: Vec::new(), outcome: Outcome::Unchanged });
    }
    store.replace_running(&text)?;
    let (changes, outcome) = match client::ask(socket, &Request::Reload, RELOAD) {
        Ok(Response::Reloaded(reloaded)) => (reloaded.changes, Outcome::TakenOver),
        Err(ClientError::Missing { .. } | ClientError::Stale { .. }) => (Vec::new(), Outcome::AtTheNextStart),
        Ok(Response::Error { reasons }) => {
            store.replace_running(&before)?;
            return Err(ConfigureError::Refused(reasons.join("\n")));
        }
        Ok(_other) => {
            store.replace_running(&before)?;
            return Err(ConfigureError::OtherAnswer("configure commit"));
        }
        Err(error) => {
            store.replace_running(&before)?;
            return Err(ConfigureError::Unclear(error));
        }
    };
    store.remember(before, comment)?;
    store.discard(false)?;
    Ok(Done::Committed { changes, outcome })
}

fn history(commits: Vec<store::Commit>) -> Done {
    let past = |(number, commit): (usize, store::Commit)| Past {
        number,
        at_us: commit.at_us,
        by: commit.by,
        comment: commit.comment,
    };
    Done::History { commits: (1..).zip(commits).map(past).collect() }
}
