//! The file of a record: two halves, of which the older one goes when the newer one is full.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use srp_core::config::RecordConfig;

/// How every trace begins.
const MAGIC: &[u8] = b"{\"trace\":";

/// Handed to the kernel at least this often, octets.
const BUFFER: usize = 64 * 1024;

/// See the module.
pub(super) struct TraceFile {
    path: PathBuf,
    file: File,
    /// Octets that the file holds.
    size: u64,
    /// Octets that it may hold.
    half: u64,
    pending: Vec<u8>,
    pending_steps: u64,
}

/// What was lost with an error: the steps that the file has not taken.
#[derive(Debug)]
pub(super) struct WriteError {
    pub(super) source: io::Error,
    pub(super) steps: u64,
}

impl TraceFile {
    /// Opens the file for what follows; a trace that is there stays, anything else is refused.
    pub(super) fn open(config: &RecordConfig) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open(&config.file)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() || (metadata.len() > 0 && !begins_as_trace(&mut file)?) {
            return Err(io::Error::other("it exists and is not a trace: nothing of it was changed"));
        }
        let mut size = metadata.len();
        if size > 0 && !ends_with_newline(&mut file)? {
            // Whoever wrote it was killed within a line.
            file.write_all(b"\n")?;
            size += 1;
        }
        let half = config.max_size.0 / 2;
        Ok(Self { path: config.file.clone(), file, size, half, pending: Vec::new(), pending_steps: 0 })
    }

    /// There is room for so many octets.
    pub(super) fn has_room(&self, octets: usize) -> bool {
        self.length() + length(octets) <= self.half
    }

    /// It is time to think of the next half: seven eighths are full.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.length() >= self.half - self.half / 8
    }

    /// Adds text that holds so many steps.
    pub(super) fn add(&mut self, text: &[u8], steps: u64) -> Result<(), WriteError> {
        self.pending.extend_from_slice(text);
        self.pending_steps += steps;
        if self.pending.len() >= BUFFER { self.flush().map(drop) } else { Ok(()) }
    }

    /// Hands what was added to the kernel: the number of steps in it.
    pub(super) fn flush(&mut self) -> Result<u64, WriteError> {
        let steps = std::mem::take(&mut self.pending_steps);
        let written = self.file.write_all(&self.pending);
        match written {
            Ok(()) => self.size += length(self.pending.len()),
            Err(source) => {
                // Half a batch is worth nothing. If the file system refuses even that, the next opening mends it.
                let _ = self.file.set_len(self.size);
                self.pending.clear();
                return Err(WriteError { source, steps });
            }
        }
        self.pending.clear();
        Ok(steps)
    }

    /// Makes this half, which must have been flushed, the older one, and a new one for what follows.
    pub(super) fn rotate(&mut self, config: &RecordConfig) -> io::Result<()> {
        fs::rename(&self.path, older(&self.path))?;
        *self = Self::open(config)?;
        Ok(())
    }

    fn length(&self) -> u64 {
        self.size + length(self.pending.len())
    }
}

/// Name of the older half.
pub(super) fn older(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".old");
    name.into()
}

fn length(octets: usize) -> u64 {
    u64::try_from(octets).unwrap_or(u64::MAX)
}

fn begins_as_trace(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(length(MAGIC.len())).read_to_end(&mut start)?;
    Ok(start == MAGIC)
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}
