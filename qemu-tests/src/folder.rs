//! The folder of a lab: claimed by the one process that has its lab in it, and emptied before, but only if it is one of ours.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::error::LabError;

/// A file of this name says that the folder is a lab's and may be emptied by the next one.
const MARK: &str = ".srp-lab";

/// A folder that is ours while this value lives. The kernel gives it free when the process ends, however it ends.
#[derive(Debug)]
pub struct Claim {
    _lock: Flock<File>,
}

/// Makes `folder`, or empties it if an earlier lab made it, and claims it.
pub fn claim(folder: &Path) -> Result<Claim, LabError> {
    std::fs::create_dir_all(folder).map_err(LabError::file("making", folder))?;
    let claim = lock(folder)?.ok_or_else(|| LabError::Refused {
        reason: format!("a lab is up in {}", folder.display()),
        remedy: format!("`lab down --folder {}` first, or choose another folder", folder.display()),
    })?;
    empty(folder)?;
    Ok(claim)
}

/// Whether a process has its lab in `folder`.
pub fn is_claimed(folder: &Path) -> Result<bool, LabError> {
    Ok(folder.exists() && lock(folder)?.is_none())
}

/// The lock is that of the folder itself, not of a file in it: it stays when the folder is emptied.
fn lock(folder: &Path) -> Result<Option<Claim>, LabError> {
    let opened = File::open(folder).map_err(LabError::file("opening", folder))?;
    match Flock::lock(opened, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(Claim { _lock: lock })),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, error)) => Err(LabError::file("locking", folder)(error.into())),
    }
}

fn empty(folder: &Path) -> Result<(), LabError> {
    let mark = folder.join(MARK);
    let ours = mark.exists();
    let entries = std::fs::read_dir(folder).map_err(LabError::file("reading", folder))?;
    for entry in entries {
        let entry = entry.map_err(LabError::file("reading", folder))?;
        if !ours {
            return Err(LabError::Refused {
                reason: format!("{} is not empty and no lab made it", folder.display()),
                remedy: "choose another folder".to_owned(),
            });
        }
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(LabError::file("removing", &path)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    std::fs::write(&mark, b"This folder is emptied by the next lab that is given it.\n")
        .map_err(LabError::file("writing", &mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_no_lab_made_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let precious = folder.path().join("thesis.tex");
        std::fs::write(&precious, b"years").expect("written");
        let text = claim(folder.path()).expect_err("refused").to_string();
        assert!(text.contains("choose another folder") && precious.exists(), "{text}");
    }

    #[test]
    fn the_folder_of_an_earlier_lab_is_emptied() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("lab");
        drop(claim(&out).expect("made"));
        std::fs::create_dir(out.join("nodes")).expect("made");
        std::fs::write(out.join("report.json"), b"{}").expect("written");
        let _claim = claim(&out).expect("emptied");
        assert!(!out.join("report.json").exists() && !out.join("nodes").exists() && out.join(MARK).exists());
    }

    #[test]
    fn a_folder_has_one_lab_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("lab");
        assert!(!is_claimed(&out).expect("looked"));
        let first = claim(&out).expect("made");
        assert!(is_claimed(&out).expect("looked"));
        std::fs::write(out.join("report.json"), b"{}").expect("written");
        let text = claim(&out).expect_err("taken").to_string();
        assert!(text.contains("lab down --folder") && out.join("report.json").exists(), "{text}");
        drop(first);
        assert!(!is_claimed(&out).expect("looked"));
    }
}
