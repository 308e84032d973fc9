//! `/flash/boot/boot.sys` itself: one writer at a time, written in place.
//!
//! What holds:
//! - The file is never renamed or made anew. GRUB reads ext4 without its journal: a file that was renamed into its
//!   place is still the old one for it, and its `save_env` would then write into blocks that Linux may have given away. 4096
//!   octets that are overwritten where they are and then synchronised are seen by both.
//! - Who changes it holds a lock on it from reading to writing, so that two changes never lose one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::block::{Block, BlockError};

/// Why the boot stack was not read or not written; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("{} does not exist, so the loader boots the first signed image it finds: enter one with `boot system priority`", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It is there and cannot be read or written.
    #[error("cannot {act} {}: {source}{}", .path.display(), remedy(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Another command is changing it.
    #[error("another command is changing {}: try again", .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// What is in it is no boot stack.
    #[error("{} is damaged: {fault}; `srpctl boot rebuild` keeps the entries that are whole", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that is wrong.
        fault: BlockError,
    },
    /// The new contents have no place in it.
    #[error("{}: {fault}", .path.display())]
    Room {
        /// The file.
        path: PathBuf,
        /// How much is too much.
        fault: BlockError,
    },
}

impl FileError {
    /// Makes an error about `path` out of an I/O error, for `map_err`.
    fn io<E: Into<io::Error>>(path: &Path, act: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { path: path.to_owned(), act, source: source.into() }
    }
}

/// What to do about an error of the file system.
pub(crate) fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            "; remount it with `mount -o remount,rw /flash`, and look for disk errors in the log"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; delete files that are not needed, see `directory /flash`"
        }
        io::ErrorKind::PermissionDenied => "; run it as root",
        _ => "",
    }
}

/// The file, held against other writers.
#[derive(Debug)]
pub struct BootFile {
    file: Flock<File>,
    path: PathBuf,
}

impl BootFile {
    /// Where it is, from the mount point of the data partition.
    pub fn path(flash: &Path) -> PathBuf {
        flash.join("boot/boot.sys")
    }

    /// What it holds now, without holding it. One `read`: a block is seen before or after a change, not between.
    pub fn read(flash: &Path) -> Result<Block, FileError> {
        let path = Self::path(flash);
        let file = File::open(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => FileError::Missing { path: path.clone() },
            _ => FileError::io(&path, "open")(source),
        })?;
        let octets = contents(&file, &path)?;
        Block::decode(&octets).map_err(|fault| FileError::Damaged { path, fault })
    }

    /// Holds it until it is dropped; makes it, with nothing in it, where it is not there.
    pub fn hold(flash: &Path) -> Result<Self, FileError> {
        let path = Self::path(flash);
        let folder = flash.join("boot");
        fs::create_dir_all(&folder).map_err(FileError::io(&folder, "make"))?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = Flock::lock(open.map_err(FileError::io(&path, "open"))?, FlockArg::LockExclusiveNonblock);
        let file = file.map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => FileError::Busy { path: path.clone() },
            other => FileError::io(&path, "lock")(other),
        })?;
        let mut held = Self { file, path };
        if held.octets()? == 0 {
            held.write(&Block::default())?;
        }
        Ok(held)
    }

    /// What it holds.
    pub fn block(&self) -> Result<Block, FileError> {
        let octets = contents(&self.file, &self.path)?;
        Block::decode(&octets).map_err(|fault| FileError::Damaged { path: self.path.clone(), fault })
    }

    /// What is whole of what it holds, and what is not.
    pub fn salvage(&self) -> Result<(Block, Vec<BlockError>), FileError> {
        Ok(Block::salvage(&contents(&self.file, &self.path)?))
    }

    /// Writes all of it in place, and returns when the disk has it.
    pub fn write(&mut self, block: &Block) -> Result<(), FileError> {
        let octets = block.encode().map_err(|fault| FileError::Room { path: self.path.clone(), fault })?;
        let another_size = self.octets()? != octets.len() as u64;
        if another_size {
            self.file.set_len(octets.len() as u64).map_err(FileError::io(&self.path, "size"))?;
        }
        self.file.write_all_at(&octets, 0).map_err(FileError::io(&self.path, "write"))?;
        self.file.sync_all().map_err(FileError::io(&self.path, "synchronise"))?;
        if another_size {
            // A new name, and a new size, are seen by the loader only once the journal has been written back.
            nix::unistd::syncfs(&*self.file)
                .map_err(FileError::io(&self.path, "synchronise the file system of"))?;
        }
        Ok(())
    }

    fn octets(&self) -> Result<u64, FileError> {
        let facts = self.file.metadata().map_err(FileError::io(&self.path, "read"))?;
        Ok(facts.len())
    }
}

/// Reads `change` what the boot stack is, and writes what it made of it. What it refuses changes nothing.
pub fn change<T, E: From<FileError>>(
    flash: &Path,
    change: impl FnOnce(&mut Block) -> Result<T, E>,
) -> Result<T, E> {
    let mut file = BootFile::hold(flash)?;
    let mut block = file.block()?;
    let done = change(&mut block)?;
    file.write(&block)?;
    Ok(done)
}

/// All of it, but never more than a little over what it may be. One `read`, from the beginning each time.
fn contents(file: &File, path: &Path) -> Result<Vec<u8>, FileError> {
    let mut octets = vec![0; Block::SIZE + 1];
    let length = file.read_at(&mut octets, 0).map_err(FileError::io(path, "read"))?;
    octets.truncate(length);
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::boot::{FlashPath, Priority, StackError};

    #[derive(Debug, thiserror::Error)]
    enum Refused {
        #[error(transparent)]
        File(#[from] FileError),
        #[error(transparent)]
        Stack(#[from] StackError),
    }

    fn put(flash: &Path, name: &str) -> Result<Priority, Refused> {
        change(flash, |block| {
            let path = FlashPath::new(name).expect("a path");
            Ok(block.stack.put_first(path.clone(), path)?)
        })
    }

    #[test]
    fn it_is_made_once_and_then_overwritten_where_it_is() {
        let flash = tempfile::tempdir().unwrap();
        let flash = flash.path();
        assert!(matches!(BootFile::read(flash), Err(FileError::Missing { .. })));
        put(flash, "/a").unwrap();
        let before = fs::metadata(BootFile::path(flash)).unwrap();
        put(flash, "/b").unwrap();
        let held = BootFile::hold(flash).unwrap();
        assert_eq!(held.block().unwrap(), held.block().unwrap(), "a second look");
        drop(held);
        let after = fs::metadata(BootFile::path(flash)).unwrap();
        assert_eq!((before.ino(), before.len()), (after.ino(), 4096));
        let images: Vec<_> =
            BootFile::read(flash).unwrap().stack.entries().iter().map(|e| e.image.to_string()).collect();
        assert_eq!(images, ["/b", "/a"]);
    }

    #[test]
    fn a_second_writer_is_told_to_try_again() {
        let flash = tempfile::tempdir().unwrap();
        let first = BootFile::hold(flash.path()).unwrap();
        let refused = put(flash.path(), "/a").unwrap_err().to_string();
        assert!(refused.starts_with("another command is changing "), "{refused}");
        drop(first);
        put(flash.path(), "/a").unwrap();
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let flash = tempfile::tempdir().unwrap();
        put(flash.path(), "/a").unwrap();
        let before = fs::read(BootFile::path(flash.path())).unwrap();
        let refused: Result<(), Refused> = change(flash.path(), |block| {
            block.stack.renumber();
            block.stack.remove(Priority::FIRST)?;
            Ok(())
        });
        assert!(matches!(refused, Err(Refused::Stack(StackError::NoEntry { .. }))));
        assert_eq!(fs::read(BootFile::path(flash.path())).unwrap(), before);
    }

    #[test]
    fn a_damaged_one_says_what_and_what_to_do_and_can_be_built_anew() {
        let flash = tempfile::tempdir().unwrap();
        put(flash.path(), "/a").unwrap();
        put(flash.path(), "/b").unwrap();
        let path = BootFile::path(flash.path());
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole.replace("s1_prio=9", "s1_prio=x")[..2000]).unwrap();
        let refused = put(flash.path(), "/c").unwrap_err().to_string();
        assert!(
            refused.contains("is damaged: it has 2000 octets instead of 4096; `srpctl boot rebuild`"),
            "{refused}"
        );

        let mut file = BootFile::hold(flash.path()).unwrap();
        let (saved, faults) = file.salvage().unwrap();
        assert_eq!((saved.stack.entries().len(), faults.len()), (1, 3));
        file.write(&saved).unwrap();
        drop(file);
        assert_eq!(BootFile::read(flash.path()).unwrap(), saved);
    }
}
