//! What lies beside the configuration file: the candidate and whose it is, the last ten commits, and a lock.
//!
//! Every file is written beside its place and moved there, so that whoever reads sees the old one or the new one. One command
//! at a time has the lock; between commands the owner of the candidate keeps others out of it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::unistd::{Pid, User, getsid, getuid};
use serde::{Deserialize, Serialize};

use crate::owner;

/// Commits that can be gone back to.
const KEPT: usize = 10;

/// Why something was not done. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another command is at work.
    #[error("another srpctl is changing {} at this moment: try again", .0.display())]
    Busy(PathBuf),
    /// Somebody else has a candidate.
    #[error("{who} has a candidate of {} since {since}: wait, or talk to them; `srpctl configure discard --others` ends it", .file.display())]
    Others {
        /// Who.
        who: String,
        /// Since when, in words.
        since: String,
        /// Of what.
        file: PathBuf,
    },
    /// There is nothing to work on.
    #[error("there is no candidate: `srpctl configure set KEY VALUE`, `edit` or `rollback N` begins one")]
    NoCandidate,
    /// The file is another one by now.
    #[error(
        "{} was changed by somebody else since this candidate was begun: keep a copy of {}, `srpctl configure discard`, and begin anew",
        .0.display(), .1.display()
    )]
    Overtaken(PathBuf, PathBuf),
    /// So many commits ago there was nothing.
    #[error("there are {0} commits to go back: `srpctl configure history` lists them")]
    NotSoFar(usize),
}

/// Whose a candidate is, and what it was begun from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the user.
    pub who: String,
    /// Number of the user.
    pub uid: u32,
    /// The login session; while its leader lives nobody else may work on the candidate.
    pub session: i32,
    /// When it was begun, microseconds since 1970.
    pub since_us: u64,
    /// The file at that moment.
    pub base: String,
}

/// A configuration that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// When, microseconds since 1970.
    pub at_us: u64,
    /// By whom.
    pub by: String,
    /// Why, if they said it.
    pub comment: String,
    /// The file as it was before.
    pub before: String,
}

/// The file and what lies beside it, held by one command.
pub struct Store {
    file: PathBuf,
    _lock: Flock<File>,
}

impl Store {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another command has it, or the folder cannot be written.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let path = beside(file, ".lock");
        let failed = |source| StoreError::Io { doing: "open", path: path.clone(), source };
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock)
            .map_err(|_| StoreError::Busy(file.to_owned()))?;
        Ok(Self { file: file.to_owned(), _lock: lock })
    }

    /// The configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The candidate's file, for an editor.
    pub fn candidate_file(&self) -> PathBuf {
        beside(&self.file, ".candidate")
    }

    fn owner_file(&self) -> PathBuf {
        beside(&self.file, ".candidate.owner")
    }

    fn history_folder(&self) -> PathBuf {
        beside(&self.file, ".history")
    }

    /// The configuration as it is in the file.
    pub fn running(&self) -> Result<String, StoreError> {
        read(&self.file)
    }

    /// The candidate and whose it is, if there is one.
    pub fn candidate(&self) -> Result<Option<(String, Owner)>, StoreError> {
        let owner_file = self.owner_file();
        if !owner_file.exists() {
            return Ok(None);
        }
        let path = owner_file.clone();
        let owner: Owner = serde_json::from_str(&read(&owner_file)?).map_err(|error| StoreError::Io {
            doing: "understand",
            path,
            source: error.into(),
        })?;
        Ok(Some((read(&self.candidate_file())?, owner)))
    }

    /// The candidate of this session; it begins as a copy of the file.
    pub fn begin(&self) -> Result<String, StoreError> {
        if let Some((text, owner)) = self.candidate()? {
            self.is_ours(&owner)?;
            return Ok(text);
        }
        let base = self.running()?;
        self.replace_candidate(&base)?;
        Ok(base)
    }

    /// The candidate of this session, which has to be there.
    pub fn own(&self) -> Result<(String, Owner), StoreError> {
        let (text, owner) = self.candidate()?.ok_or(StoreError::NoCandidate)?;
        self.is_ours(&owner)?;
        Ok((text, owner))
    }

    /// Another session that has ended has no say.
    fn is_ours(&self, owner: &Owner) -> Result<(), StoreError> {
        let lives =
            owner.session > 0 && kill(Pid::from_raw(owner.session), None) != Err(nix::errno::Errno::ESRCH);
        let me = me(String::new());
        if (owner.session, owner.uid) == (me.session, me.uid) || !lives {
            return Ok(());
        }
        let since = crate::render::wall(owner.since_us);
        Err(StoreError::Others { who: owner.who.clone(), since, file: self.file.clone() })
    }

    /// Another text for the candidate of this session, which begins here if there is none.
    pub fn replace_candidate(&self, text: &str) -> Result<(), StoreError> {
        let base = match self.candidate()? {
            Some((_, owner)) => {
                self.is_ours(&owner)?;
                owner.base
            }
            None => self.running()?,
        };
        let owner = serde_json::to_string(&me(base)).unwrap_or_default();
        write(&self.candidate_file(), text, 0o600)?;
        write(&self.owner_file(), &owner, 0o600)
    }

    /// No candidate any more; that of another session only if `others`.
    pub fn discard(&self, others: bool) -> Result<(), StoreError> {
        let (_, owner) = self.candidate()?.ok_or(StoreError::NoCandidate)?;
        if !others {
            self.is_ours(&owner)?;
        }
        // The owner first: a candidate without one is no candidate.
        for path in [self.owner_file(), self.candidate_file()] {
            fs::remove_file(&path).map_err(|source| StoreError::Io { doing: "remove", path, source })?;
        }
        Ok(())
    }

    /// Another text for the file itself.
    pub fn replace_running(&self, text: &str) -> Result<(), StoreError> {
        let mode = fs::metadata(&self.file).map_or(0o640, |old| old.permissions().mode() & 0o777);
        write(&self.file, text, mode)
    }

    /// Remembers what a commit replaced, and forgets the oldest.
    pub fn remember(&self, before: String, comment: String) -> Result<(), StoreError> {
        let folder = self.history_folder();
        fs::create_dir_all(&folder)
            .and_then(|()| fs::set_permissions(&folder, Permissions::from_mode(0o700)))
            .map_err(|source| StoreError::Io { doing: "make", path: folder.clone(), source })?;
        let me = me(String::new());
        let commit = Commit { at_us: me.since_us, by: me.who, comment, before };
        let text = serde_json::to_string(&commit).unwrap_or_default();
        write(&folder.join(format!("{:020}.json", commit.at_us)), &text, 0o600)?;
        for old in self.entries()?.into_iter().skip(KEPT) {
            let _ = fs::remove_file(old); // a newer command forgets it
        }
        Ok(())
    }

    /// The commits, newest first.
    pub fn history(&self) -> Result<Vec<Commit>, StoreError> {
        let entries = self.entries()?.into_iter().take(KEPT);
        let read_one = |path: PathBuf| {
            let text = read(&path)?;
            serde_json::from_str(&text).map_err(|error| StoreError::Io {
                doing: "understand",
                path,
                source: error.into(),
            })
        };
        entries.map(read_one).collect()
    }

    /// Files of the history, newest first.
    fn entries(&self) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.history_folder();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| StoreError::Io { doing: "read", path: folder, source })?,
        };
        let mut paths: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        paths.sort_unstable_by(|a, b| b.cmp(a));
        Ok(paths)
    }
}

/// This user and session, now.
fn me(base: String) -> Owner {
    let uid = getuid();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    // Who became root says who they are.
    let who = std::env::var("SUDO_USER").ok().or(name).unwrap_or_else(|| uid.to_string());
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Owner {
        who,
        uid: uid.as_raw(),
        session: getsid(None).map_or(0, Pid::as_raw),
        since_us: u64::try_from(since.as_micros()).unwrap_or(u64::MAX),
        base,
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().map_or_else(OsString::new, OsString::from);
    name.push(ending);
    file.with_file_name(name)
}

fn read(path: &Path) -> Result<String, StoreError> {
    fs::read_to_string(path).map_err(|source| StoreError::Io { doing: "read", path: path.to_owned(), source })
}

/// Writes a file as a whole or not at all, also over a crash. It belongs to whom the file before it belonged to, else to the owner
/// of its folder, as far as we may give it away: a daemon that is not root has to be able to read it.
pub fn write(path: &Path, text: &str, mode: u32) -> Result<(), StoreError> {
    let new = beside(path, ".new");
    let failed = |source| StoreError::Io { doing: "write", path: path.to_owned(), source };
    let _ = fs::remove_file(&new); // left by a command that was killed
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        owner::give(&file, if path.exists() { path } else { owner::folder(path) })?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(owner::folder(path))?.sync_all()
    };
    written().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &tempfile::TempDir) -> Store {
        let file = folder.path().join("srp.toml");
        if !file.exists() {
            fs::write(&file, "first\n").expect("a file");
        }
        Store::open(&file).expect("the lock is free")
    }

    #[test]
    fn a_candidate_begins_as_the_file_and_goes_without_a_trace() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        assert!(matches!(store.own(), Err(StoreError::NoCandidate)));
        assert_eq!(store.begin().expect("begun"), "first\n");
        store.replace_candidate("second\n").expect("replaced");
        assert_eq!(store.begin().expect("goes on"), "second\n");
        assert_eq!(store.own().expect("ours").1.base, "first\n");
        store.discard(false).expect("discarded");
        assert!(store.candidate().expect("readable").is_none());
        assert_eq!(store.running().expect("readable"), "first\n");
    }

    #[test]
    fn the_second_of_two_people_is_told_who_the_first_one_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        store.begin().expect("begun");
        // A session that lives and is not ours: that of process 1.
        let other = Owner { who: "anna".into(), session: 1, since_us: 0, ..me("first\n".into()) };
        fs::write(store.owner_file(), serde_json::to_string(&other).expect("JSON")).expect("written");
        for refused in [
            store.begin().map(drop),
            store.own().map(drop),
            store.replace_candidate("x"),
            store.discard(false),
        ] {
            let said = refused.expect_err("hers").to_string();
            assert!(said.starts_with("anna has a candidate of "), "{said}");
        }
        store.discard(true).expect("discarded for her");
        // A session that has ended is in nobody's way.
        let gone = Owner { session: i32::MAX, ..other };
        store.begin().expect("begun");
        fs::write(store.owner_file(), serde_json::to_string(&gone).expect("JSON")).expect("written");
        assert!(store.own().is_ok());
    }

    #[test]
    fn one_command_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = store(&folder);
        assert!(matches!(Store::open(first.file()), Err(StoreError::Busy(_))));
    }

    #[test]
    fn ten_commits_are_kept_the_newest_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        for number in 0..12 {
            store.remember(format!("{number}\n"), format!("commit {number}")).expect("kept");
        }
        let history = store.history().expect("readable");
        let comments: Vec<_> = history.iter().map(|commit| commit.comment.as_str()).collect();
        assert_eq!((comments.len(), comments[0], comments[9]), (10, "commit 11", "commit 2"));
        assert_eq!(history[9].before, "2\n");
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        fs::set_permissions(store.file(), Permissions::from_mode(0o604)).expect("a mode");
        store.replace_running("second\n").expect("replaced");
        let mode = fs::metadata(store.file()).expect("there").permissions().mode();
        assert_eq!((mode & 0o777, store.running().expect("readable")), (0o604, "second\n".to_owned()));
    }
}
