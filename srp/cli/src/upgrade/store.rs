//! `/flash/upgrade`: what is remembered of upgrades, and who has one in hand.
//!
//! ```text
//! state.json   of the one that this chassis carries out, or carried out last
//! held.json    of the one that the peer carries out: this chassis begins none meanwhile, and can say how it stands
//! lock         held by the program that carries it out
//! stop         is there when somebody wants it to stop
//! log          what that program said
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use upgrade::State;

use super::UpgradeError;
use crate::configure;

/// The folder.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// Whose upgrade a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// This chassis carries it out.
    Here,
    /// The peer does.
    Peer,
}

impl By {
    fn file(self) -> &'static str {
        match self {
            Self::Here => "state.json",
            Self::Peer => "held.json",
        }
    }
}

impl Store {
    /// That of a data partition.
    pub fn new(flash: &Path) -> Self {
        Self { folder: flash.join("upgrade") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the worker says.
    pub fn log(&self) -> PathBuf {
        self.path("log")
    }

    /// What is remembered; nothing if there was no upgrade yet.
    pub fn read(&self, by: By) -> Result<Option<State>, UpgradeError> {
        let file = self.path(by.file());
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(UpgradeError::file(&file, "read"))?,
        };
        let state = serde_json::from_str(&text);
        state.map(Some).map_err(|error| UpgradeError::Damaged { file, why: error.to_string() })
    }

    /// Writes it whole, and returns when the disk has it.
    pub fn write(&self, by: By, state: &State) -> Result<(), UpgradeError> {
        fs::create_dir_all(&self.folder).map_err(UpgradeError::file(&self.folder, "make"))?;
        let text = crate::render::pretty(state);
        configure::write(&self.path(by.file()), &text, 0o600)
            .map_err(|error| UpgradeError::Store(error.to_string()))
    }

    /// The one to be told about: what is in hand, else what changed last.
    pub fn present(&self) -> Result<Option<(By, State)>, UpgradeError> {
        let own = self.read(By::Here)?.map(|state| (By::Here, state));
        let held = self.read(By::Peer)?.map(|state| (By::Peer, state));
        let rank = |(_, state): &(By, State)| (state.holds(), state.changed_us);
        Ok(own.into_iter().chain(held).max_by_key(rank))
    }

    /// Refuses while an upgrade other than `id` is in hand on either chassis.
    pub fn free_for(&self, id: &str) -> Result<(), UpgradeError> {
        for by in [By::Here, By::Peer] {
            if let Some(state) = self.read(by)?.filter(|state| state.holds() && state.id != id) {
                return Err(UpgradeError::InHand { image: state.image, by });
            }
        }
        Ok(())
    }

    /// The lock, while nobody else carries an upgrade out here.
    pub fn lock(&self) -> Result<Flock<File>, UpgradeError> {
        fs::create_dir_all(&self.folder).map_err(UpgradeError::file(&self.folder, "make"))?;
        let path = self.path("lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(UpgradeError::file(&path, "open"))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => UpgradeError::Works,
            other => UpgradeError::file(&path, "lock")(other.into()),
        })
    }

    /// Whether somebody carries an upgrade out now.
    pub fn works(&self) -> bool {
        self.folder.exists() && matches!(self.lock(), Err(UpgradeError::Works))
    }

    /// Asks whoever carries it out to stop.
    pub fn ask_to_stop(&self) -> Result<(), UpgradeError> {
        let path = self.path("stop");
        File::create(&path).map(drop).map_err(UpgradeError::file(&path, "make"))
    }

    /// Whether somebody has asked.
    pub fn is_asked_to_stop(&self) -> bool {
        self.path("stop").exists()
    }

    /// Forgets that somebody has asked.
    pub fn go_on(&self) {
        let _ = fs::remove_file(self.path("stop")); // it is seldom there
    }
}
