//! Files onto `/flash`, so that the loader sees them after the next power cut.
//!
//! What holds:
//! - A file appears under its name as a whole, and only once the disk has been read back and has what was written.
//! - GRUB reads ext4 without its journal. Until the whole file system was synchronised, a file that was synchronised and renamed is
//!   not there for it, or is the old one. So `syncfs` comes before anything that leads the loader to a file.
//! - The boot stack names an image only after that, and after the image was found sound on the disk.
//! - One command at a time: [`Flash::hold`] takes a lock, and what a command that was cut off left in `boot/incoming` goes.
//!
//! How data moves: [`Flash::copy_in`] (or somebody who writes to [`Flash::incoming`] and calls [`Flash::settle`]) brings files,
//! [`Flash::enter`] judges an image and writes the boot stack. Each says where it is through [`Step`]: a power cut after any
//! of them leaves a box that boots.
//!
//! Sources: Linux `Documentation/filesystems/ext4/journal.rst`; GRUB 2.06 `grub-core/fs/ext2.c`, which knows no journal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, PosixFadviseAdvice, posix_fadvise};
use nix::sys::statvfs::statvfs;
use sha2::{Digest, Sha256};

use crate::boot::file::{self, remedy};
use crate::boot::{BootFile, FileError, FlashPath, Priority, StackError};
use crate::bundle::{BundleError, Manifest, Version, examine, signature_of};
use crate::digest::in_pieces;
use crate::signature::Keys;

/// Octets that are left free for the boot stack, folders and the journal.
const RESERVE: u64 = 256 * 1024;

/// Why nothing was brought to `/flash`, or nothing was entered. What was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// There is no such folder.
    #[error("{} is no folder: mount the data partition there, or name another place with --flash DIR", .root.display())]
    NotThere {
        /// Where it should be.
        root: PathBuf,
    },
    /// Another command holds the lock.
    #[error("another command is writing to {}: wait until it has ended", .root.display())]
    Busy {
        /// The data partition.
        root: PathBuf,
    },
    /// It does not fit.
    #[error(
        "{} needs {need} octets and {} has {free} free: delete files that are not needed, see `directory /flash`",
        .file.display(), .root.display()
    )]
    Room {
        /// What was to be brought.
        file: PathBuf,
        /// The data partition.
        root: PathBuf,
        /// Octets that it takes, with the reserve.
        need: u64,
        /// Octets that there are.
        free: u64,
    },
    /// A file cannot be read or written.
    #[error("cannot {act} {}: {source}{}", .file.display(), remedy(.source))]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// What was tried.
        act: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The disk does not have what it was given.
    #[error("{} reads back other than it was written: the disk is failing, look for its errors in the log", .file.display())]
    Differs {
        /// The file.
        file: PathBuf,
    },
    /// The boot stack leads to this image.
    #[error("{} is what boot priority {priority} boots: copy to another name, or delete that entry first", .file.display())]
    InUse {
        /// The file.
        file: PathBuf,
        /// The entry that names it.
        priority: Priority,
    },
    /// The configuration is not there.
    #[error("{} is not there: copy the configuration there first", .file.display())]
    NoConfig {
        /// Where it should be.
        file: PathBuf,
    },
    /// The image is not one that can be booted, or should be.
    #[error("{}", lines(.0))]
    Image(Vec<BundleError>),
    /// The boot stack cannot be read or written.
    #[error(transparent)]
    Boot(#[from] FileError),
    /// The boot stack has no place for it.
    #[error(transparent)]
    Stack(#[from] StackError),
}

fn lines(faults: &[BundleError]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl FlashError {
    fn io<E: Into<io::Error>>(file: &Path, act: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Io { file: file.to_owned(), act, source: source.into() }
    }
}

/// What has been done; said when it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The octets are in a temporary file, for Linux.
    Written,
    /// The disk was read back and has them.
    Verified,
    /// The file has its name, for Linux.
    Renamed,
    /// The disk has all of it in its place: the loader sees it.
    Settled,
    /// The boot stack names it.
    Entered,
}

/// Where in the boot stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// This priority; an entry that has it is replaced.
    Priority(Priority),
    /// Before all others.
    First,
}

/// What an entry is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewEntry<'a> {
    /// The image.
    pub image: &'a FlashPath,
    /// Its configuration.
    pub config: &'a FlashPath,
    /// Where it stands.
    pub at: At,
}

/// What was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Where it stands.
    pub priority: Priority,
    /// What the image is.
    pub manifest: Manifest,
}

/// The data partition, held against other commands that write to it.
#[derive(Debug)]
pub struct Flash {
    root: PathBuf,
    lock: Flock<File>,
}

impl Flash {
    /// Takes the lock and removes what a command that was cut off has left.
    pub fn hold(root: &Path) -> Result<Self, FlashError> {
        if !root.is_dir() {
            return Err(FlashError::NotThere { root: root.to_owned() });
        }
        let boot = root.join("boot");
        fs::create_dir_all(&boot).map_err(FlashError::io(&boot, "make"))?;
        let path = boot.join("install.lock");
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(FlashError::io(&path, "open"))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            Errno::EWOULDBLOCK => FlashError::Busy { root: root.to_owned() },
            other => FlashError::io(&path, "lock")(other),
        })?;
        let incoming = root.join("boot/incoming");
        if incoming.exists() {
            fs::remove_dir_all(&incoming).map_err(FlashError::io(&incoming, "clean up"))?;
        }
        Ok(Self { root: root.to_owned(), lock })
    }

    /// Octets that a file may still take.
    pub fn free(&self) -> Result<u64, FlashError> {
        let facts = statvfs(&self.root).map_err(FlashError::io(&self.root, "ask for the room of"))?;
        Ok((facts.blocks_available() * facts.fragment_size()).saturating_sub(RESERVE))
    }

    /// Where a file is written before it has its name.
    pub fn incoming(&self, to: &FlashPath) -> Result<PathBuf, FlashError> {
        let folder = self.root.join("boot/incoming");
        fs::create_dir_all(&folder).map_err(FlashError::io(&folder, "make"))?;
        Ok(folder.join(to.as_str()[1..].replace('/', "~")))
    }

    /// Refuses to replace an image that the boot stack leads to, or its signature: what boots now must go on to.
    pub fn may_replace(&self, to: &FlashPath) -> Result<(), FlashError> {
        let entries = match BootFile::read(&self.root) {
            Ok(block) => block.stack,
            Err(FileError::Missing { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let of_image =
            |image: &FlashPath| image == to || to.as_str().strip_suffix(".sig") == Some(image.as_str());
        match entries.entries().iter().find(|entry| of_image(&entry.image)) {
            None => Ok(()),
            Some(entry) => Err(FlashError::InUse { file: to.on(&self.root), priority: entry.priority }),
        }
    }

    /// Copies a file from elsewhere on this machine, and returns how many octets it has.
    pub fn copy_in(
        &self,
        from: &Path,
        to: &FlashPath,
        mut watch: impl FnMut(Step),
    ) -> Result<u64, FlashError> {
        self.may_replace(to)?;
        let mut source = File::open(from).map_err(FlashError::io(from, "open"))?;
        let facts = source.metadata().map_err(FlashError::io(from, "read"))?;
        if !facts.is_file() {
            let no_file = io::Error::other("it is no plain file");
            return Err(FlashError::io(from, "copy")(no_file));
        }
        let (need, free) = (facts.len(), self.free()?);
        if need > free {
            return Err(FlashError::Room { file: from.to_owned(), root: self.root.clone(), need, free });
        }
        let temporary = self.incoming(to)?;
        let copied = write(&mut source, from, &temporary).and_then(|(octets, digest)| {
            watch(Step::Written);
            self.settle(&temporary, to, Some(&digest), &mut watch)?;
            Ok(octets)
        });
        if copied.is_err() {
            let _ = fs::remove_file(&temporary); // it may never have been made
        }
        copied
    }

    /// Gives a file that was written to [`Flash::incoming`] its name, once the disk has it; `digest` is its SHA-256 as it was written,
    /// where that is known.
    pub fn settle(
        &self,
        temporary: &Path,
        to: &FlashPath,
        digest: Option<&[u8]>,
        mut watch: impl FnMut(Step),
    ) -> Result<(), FlashError> {
        self.may_replace(to)?;
        let file = File::open(temporary).map_err(FlashError::io(temporary, "open"))?;
        file.sync_all().map_err(FlashError::io(temporary, "synchronise"))?;
        forget(&file, temporary)?;
        let mut found = Sha256::new();
        in_pieces(&file, |piece| found.update(piece)).map_err(FlashError::io(temporary, "read back"))?;
        if digest.is_some_and(|digest| digest != found.finalize().as_slice()) {
            return Err(FlashError::Differs { file: temporary.to_owned() });
        }
        watch(Step::Verified);
        let place = to.on(&self.root);
        let folder = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(FlashError::io(folder, "make"))?;
        fs::rename(temporary, &place).map_err(FlashError::io(&place, "rename to"))?;
        watch(Step::Renamed);
        self.synchronise()?;
        watch(Step::Settled);
        Ok(())
    }

    /// Returns when the disk has everything in its place, for readers that know no journal as well.
    pub fn synchronise(&self) -> Result<(), FlashError> {
        nix::unistd::syncfs(&*self.lock).map_err(FlashError::io(&self.root, "synchronise"))
    }

    /// Enters an image, which lies here already, with its configuration into the boot stack, if it is sound on the disk.
    pub fn enter(
        &self,
        new: NewEntry<'_>,
        keys: &Keys,
        running: Version,
        mut watch: impl FnMut(Step),
    ) -> Result<Entered, FlashError> {
        let config = new.config.on(&self.root);
        if !config.is_file() {
            return Err(FlashError::NoConfig { file: config });
        }
        // What was only written is judged as the disk has it.
        self.synchronise()?;
        let image = new.image.on(&self.root);
        for file in [&image, &signature_of(&image)] {
            if let Ok(open) = File::open(file) {
                forget(&open, file)?;
            }
        }
        let report = examine(&image, keys, running);
        let manifest = match report.bundle {
            Some(bundle) if report.faults.is_empty() => bundle.manifest,
            _ => return Err(FlashError::Image(report.faults)),
        };
        watch(Step::Settled);
        let priority = file::change::<_, FlashError>(&self.root, |block| {
            let (image, config) = (new.image.clone(), new.config.clone());
            match new.at {
                At::First => Ok(block.stack.put_first(image, config)?),
                At::Priority(priority) => {
                    block.stack.put(priority, image, config)?;
                    Ok(priority)
                }
            }
        })?;
        watch(Step::Entered);
        Ok(Entered { priority, manifest })
    }
}

/// Writes what can be read to a new file, and returns how much it was and its digest.
fn write(source: &mut File, from: &Path, to: &Path) -> Result<(u64, Vec<u8>), FlashError> {
    let mut target = File::create(to).map_err(FlashError::io(to, "make"))?;
    let mut digest = Sha256::new();
    let mut failed = None;
    let octets = in_pieces(source, |piece| {
        digest.update(piece);
        if failed.is_none() {
            failed = target.write_all(piece).err();
        }
    });
    let octets = octets.map_err(FlashError::io(from, "read"))?;
    failed.map_or(Ok(()), Err).map_err(FlashError::io(to, "write"))?;
    Ok((octets, digest.finalize().to_vec()))
}

/// Has the next reader read from the disk and not from memory, as far as the kernel follows the advice.
fn forget(file: &File, path: &Path) -> Result<(), FlashError> {
    let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
    posix_fadvise(file, 0, 0, advice).map_err(FlashError::io(path, "read"))
}
