//! What a machine wrote to its disk, in its order: QEMU keeps the log, and the disk of any moment is made of it again.
//!
//! What holds: a power cut leaves a disk that has some first part of the log, as a disk without a cache does. (What a disk with a cache
//! may reorder between two flushes is not made.)
//!
//! Sources: QEMU's block driver `blklogwrites`; its format is that of Linux's dm-log-writes
//! (`Documentation/admin-guide/device-mapper/log-writes.rst`, `drivers/md/dm-log-writes.c`): little-endian, a sector for the head of
//! the log, then for each write a sector with its head and the data behind.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Octets of a sector, which [`super::appliance`] asks for.
pub const SECTOR: u64 = 512;
/// First octets of a log.
const MAGIC: u64 = 0x006a_7366_7773_6872;
/// Bit of a write that waits until everything before it is on the disk.
const FLUSH: u64 = 1;
/// Bit of a range that has no contents any more; nothing is behind its head.
const DISCARD: u64 = 4;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where on the disk, octets.
    pub offset: u64,
    /// What; nothing for a flush.
    pub data: Vec<u8>,
    /// The machine waited here for the disk.
    pub flush: bool,
}

impl Write {
    /// Does it again on another disk.
    pub fn repeat(&self, disk: &File) -> io::Result<()> {
        disk.write_all_at(&self.data, self.offset)
    }
}

/// All writes of a log so far. QEMU may still be writing: an entry that is not whole ends it.
pub fn read(log: &Path) -> io::Result<Vec<Write>> {
    let mut log = BufReader::new(File::open(log)?);
    if number(&mut log)? != MAGIC {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a log of writes"));
    }
    log.seek(SeekFrom::Start(SECTOR))?;
    let mut writes = Vec::new();
    loop {
        match entry(&mut log) {
            Ok(write) => writes.push(write),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(writes),
            Err(error) => return Err(error),
        }
    }
}

fn entry(log: &mut (impl Read + Seek)) -> io::Result<Write> {
    let [sector, sectors, flags, _] = [number(log)?, number(log)?, number(log)?, number(log)?];
    log.seek_relative(i64::try_from(SECTOR - 32).unwrap_or_default())?;
    let octets = if flags & DISCARD == 0 { sectors * SECTOR } else { 0 };
    let mut data = vec![0; usize::try_from(octets).map_err(io::Error::other)?];
    log.read_exact(&mut data)?;
    Ok(Write { offset: sector * SECTOR, data, flush: flags & FLUSH != 0 })
}

fn number(log: &mut impl Read) -> io::Result<u64> {
    let mut octets = [0; 8];
    log.read_exact(&mut octets)?;
    Ok(u64::from_le_bytes(octets))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sector(numbers: &[u64]) -> Vec<u8> {
        let mut octets: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        octets.resize(512, 0);
        octets
    }

    #[test]
    fn the_disk_of_each_moment_is_made_again_and_what_is_not_whole_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let whole = [
            sector(&[MAGIC, 1, 4]),
            sector(&[2, 1, 0, 0]),
            vec![7; 512],
            sector(&[0, 0, FLUSH, 0]),
            sector(&[1, 9, DISCARD, 0]),
        ]
        .concat();
        fs::write(&log, [whole, sector(&[0, 1, 0, 0]), vec![9; 511]].concat()).expect("written");
        let writes = read(&log).expect("a log");
        assert_eq!(writes.len(), 3, "{writes:?}");
        assert_eq!([writes[0].flush, writes[1].flush], [false, true]);

        let disk = folder.path().join("disk");
        fs::write(&disk, vec![0; 2048]).expect("written");
        let file = File::options().write(true).open(&disk).expect("open");
        writes[0].repeat(&file).expect("written");
        assert_eq!(fs::read(&disk).expect("read"), [vec![0; 1024], vec![7; 512], vec![0; 512]].concat());

        fs::write(&log, vec![0; 4096]).expect("written");
        assert!(read(&log).is_err());
    }
}
