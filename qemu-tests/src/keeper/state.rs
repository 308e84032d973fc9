//! What a holder leaves in its folder, by which other commands find it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::LabError;

const FILE: &str = "lab.json";

/// A lab that was started in a folder, and has not been ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Name of the topology.
    pub lab: String,
    /// Its file.
    pub file: PathBuf,
    /// The holder's process id.
    pub pid: u32,
    /// When the kernel started that process, in its own ticks: an id is used again, an id with its start is not.
    pub started_ticks: u64,
    /// When the holder began, seconds since 1970.
    pub since: u64,
    /// Whether the lab has come up; before, its holder is at work on it.
    pub up: bool,
    /// Commands to look around with.
    pub commands: Vec<String>,
}

impl State {
    /// That of this process, before its lab has come up.
    pub fn own(lab: &str, file: &Path) -> Result<Self, LabError> {
        let pid = std::process::id();
        let started_ticks = start_of(pid).ok_or_else(|| LabError::Answer {
            command: format!("/proc/{pid}/stat"),
            reason: "it has no start of this process".to_owned(),
        })?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let (lab, file) = (lab.to_owned(), file.to_owned());
        Ok(Self { lab, file, pid, started_ticks, since, up: false, commands: Vec::new() })
    }

    /// Reads it; `None` if no lab was started in `folder`, or it was ended.
    pub fn read(folder: &Path) -> Result<Option<Self>, LabError> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LabError::file("reading", &path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| LabError::Answer {
            command: path.display().to_string(),
            reason: error.to_string(),
        })
    }

    /// Writes it, so that whoever reads meanwhile sees the old one or the new one.
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        let (path, new) = (folder.join(FILE), folder.join("lab.json.new"));
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        std::fs::write(&new, text).map_err(LabError::file("writing", &new))?;
        std::fs::rename(&new, &path).map_err(LabError::file("renaming", &path))
    }

    /// Takes it away: the lab was ended.
    pub fn remove(folder: &Path) -> Result<(), LabError> {
        let path = folder.join(FILE);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(LabError::file("removing", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether the process with this id is still the holder, and no other that was given its id.
    pub fn is_running(&self) -> bool {
        start_of(self.pid) == Some(self.started_ticks)
    }
}

/// When the kernel started a process, in ticks since it started itself (proc(5), field 22 of `stat`).
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name, in which anything may stand.
    let (_, behind) = stat.rsplit_once(") ")?;
    let mut fields = behind.split(' ');
    if fields.next() == Some("Z") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_known_by_its_id_and_its_start() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(State::read(folder.path()).expect("nothing"), None);
        let own = State::own("pair", Path::new("/labs/pair.toml")).expect("own");
        own.write(folder.path()).expect("written");
        assert_eq!(State::read(folder.path()).expect("read"), Some(own.clone()));
        assert!(own.is_running());
        let other = State { started_ticks: own.started_ticks + 1, ..own };
        assert!(!other.is_running());
        State::remove(folder.path()).expect("removed");
        State::remove(folder.path()).expect("removed twice is no error");
        assert_eq!(State::read(folder.path()).expect("nothing"), None);
    }
}
