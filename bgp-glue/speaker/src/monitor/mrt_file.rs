//! The thread that writes what neighbors say into files.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use bgp_proto::wire::header::{MAX_EXTENDED_MESSAGE_LEN, first_frame};
use bgp_proto::wire::mrt::{Author, DumpState, Ends, push_message, push_state_change};

use super::{Begin, MrtConfig, QUEUE, Seen, SessionSeen, Task};

/// Ends when the task is stopped or the disk refuses.
pub(super) fn run(config: &MrtConfig, task: &Task) {
    if let Err(error) = dump(config, task) {
        tracing::error!(file = %config.file.display(), %error,
            "MRT dump stopped: make room or give another file, and reload with a change of [context.bgp.mrt]");
        task.status.is(false, format!("stopped: {error}"));
    }
}

fn dump(config: &MrtConfig, task: &Task) -> io::Result<()> {
    let mut file = Rotated::open(config)?;
    let (sink, seen) = mpsc::sync_channel(QUEUE);
    if !task.watch(sink, Begin::Empty(task.status.clone())) {
        return Ok(());
    }
    task.status.is(true, "writes");
    let mut records = Vec::new();
    while let Ok(seen) = seen.recv() {
        records.clear();
        let count = push(&mut records, &seen);
        file.append(&records)?;
        task.status.change(|summary| summary.written += count);
    }
    Ok(())
}

/// Appends what was seen and returns how many records that are.
fn push(out: &mut Vec<u8>, seen: &Seen) -> u64 {
    match seen {
        Seen::Up(session) => {
            let ends = ends(session);
            push_message(out, session.since, ends, Author::Ourselves, &session.sent_open);
            push_message(out, session.since, ends, Author::Neighbor, &session.received_open);
            push_state_change(out, session.since, ends, DumpState::OpenConfirm, DumpState::Established);
            3
        }
        Seen::Down(session, _, now) => {
            push_state_change(out, *now, ends(session), DumpState::Established, DumpState::Idle);
            1
        }
        Seen::Updates(session, family, octets, now) => {
            let with_paths = session.add_path.contains(*family);
            let author = if with_paths { Author::NeighborWithPaths } else { Author::Neighbor };
            let mut rest = &octets[..];
            let mut count = 0;
            while let Ok(Some(frame)) = first_frame(rest, MAX_EXTENDED_MESSAGE_LEN) {
                let (message, after) = rest.split_at(frame.wire_len());
                push_message(out, *now, ends(session), author, message);
                rest = after;
                count += 1;
            }
            count
        }
    }
}

fn ends(session: &SessionSeen) -> Ends {
    Ends {
        remote_as: session.peer.asn,
        local_as: session.local_as,
        remote: session.remote.ip().to_canonical(),
        local: session.local.ip().to_canonical(),
    }
}

/// A file that gives way to a new one before it is too long.
struct Rotated {
    path: PathBuf,
    size_limit: u64,
    keep: u32,
    file: File,
    size: u64,
}

impl Rotated {
    fn open(config: &MrtConfig) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&config.file)?;
        let size = file.metadata()?.len();
        Ok(Self { path: config.file.clone(), size_limit: config.size_limit, keep: config.keep, file, size })
    }

    /// On error the file ends with the last whole record.
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        let more = records.len() as u64;
        if self.size > 0 && self.size + more > self.size_limit {
            self.rotate()?;
        }
        if let Err(error) = self.file.write_all(records) {
            // A device, say, cannot be cut; then it is no file whose end matters.
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += more;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.keep).rev() {
            rename(&numbered(&self.path, number), &numbered(&self.path, number + 1))?;
        }
        if self.keep == 0 {
            self.file.set_len(0)?;
        } else {
            rename(&self.path, &numbered(&self.path, 1))?;
            self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        }
        self.size = 0;
        Ok(())
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// A file that is not there yet need not be moved.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(file: PathBuf, keep: u32) -> MrtConfig {
        MrtConfig { file, size_limit: 100, keep }
    }

    #[test]
    fn full_file_gives_way_and_only_so_many_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("updates.mrt");
        let mut file = Rotated::open(&config(path.clone(), 2)).unwrap();
        for octet in 0..5 {
            file.append(&[octet; 60]).unwrap();
        }
        let first = |name: &str| fs::read(folder.path().join(name)).unwrap()[0];
        assert_eq!((first("updates.mrt"), first("updates.mrt.1"), first("updates.mrt.2")), (4, 3, 2));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn file_of_an_earlier_run_is_continued() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("updates.mrt");
        for _ in 0..2 {
            Rotated::open(&config(path.clone(), 1)).unwrap().append(&[1; 40]).unwrap();
        }
        assert_eq!(fs::metadata(path).unwrap().len(), 80);
    }

    #[test]
    fn disk_without_room_is_an_error() {
        let mut file = Rotated::open(&config("/dev/full".into(), 0)).unwrap();
        assert_eq!(file.append(&[1]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
