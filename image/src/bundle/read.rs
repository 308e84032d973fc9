//! Reading: headers and the manifest. Contents are somebody else's business.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::{BundleError, MANIFEST, MEMBERS, Manifest};

/// One block of a tar file, octets.
const BLOCK: u64 = SIZE as u64;
const SIZE: usize = 512;
/// The longest manifest that is read, octets.
const LONGEST_MANIFEST: u64 = 64 * 1024;

/// Where a member lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its first octet.
    pub offset: u64,
    /// How many there are.
    pub size: u64,
}

impl Place {
    /// What lies there in an image.
    pub(crate) fn content(self, image: &Path) -> io::Result<Take<File>> {
        let mut file = File::open(image)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.size))
    }

    /// The first octet behind it that can be another header.
    fn end(self) -> u64 {
        self.offset.saturating_add(self.size.next_multiple_of(BLOCK))
    }
}

/// An image, by its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The file that it was read from.
    pub file: PathBuf,
    /// What it is.
    pub manifest: Manifest,
    /// Where the members lie, in the order of [`MEMBERS`].
    places: [Place; MEMBERS.len()],
}

impl Bundle {
    /// Where a member lies; `None` for what is no member.
    pub fn place(&self, member: &str) -> Option<Place> {
        let index = MEMBERS.iter().position(|name| *name == member)?;
        Some(self.places[index])
    }

    /// Members and where they lie, in their order.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, Place)> {
        MEMBERS.into_iter().zip(self.places)
    }
}

/// Opens an image and reads its headers and manifest.
pub fn read(file: &Path) -> Result<Bundle, BundleError> {
    read_from(File::open(file).map_err(BundleError::io(file))?, file)
}

/// Reads headers and manifest out of anything; `file` is for messages.
pub fn read_from(mut from: impl Read + Seek, file: &Path) -> Result<Bundle, BundleError> {
    let octets = from.seek(SeekFrom::End(0)).map_err(BundleError::io(file))?;
    let mut tape = Tape { from, file, octets, at: 0 };
    let mut places = [Place { offset: 0, size: 0 }; MEMBERS.len()];
    for (member, place) in MEMBERS.into_iter().zip(&mut places) {
        *place = tape.member(member)?;
    }
    tape.end()?;
    let manifest = tape.manifest(places[0])?;
    Ok(Bundle { file: file.to_owned(), manifest, places })
}

/// What a later form looks like is not ours to know, so the form is looked at first.
#[derive(serde::Deserialize)]
struct Form {
    format: u32,
}

struct Tape<'a, R> {
    from: R,
    file: &'a Path,
    octets: u64,
    at: u64,
}

impl<R: Read + Seek> Tape<'_, R> {
    fn block(&mut self, within: &str) -> Result<[u8; SIZE], BundleError> {
        if self.at.saturating_add(BLOCK) > self.octets {
            return Err(self.cut(within));
        }
        let mut block = [0; SIZE];
        let read = self.from.seek(SeekFrom::Start(self.at)).and_then(|_| self.from.read_exact(&mut block));
        read.map_err(BundleError::io(self.file))?;
        self.at += BLOCK;
        Ok(block)
    }

    fn cut(&self, within: &str) -> BundleError {
        BundleError::Truncated { file: self.file.to_owned(), octets: self.octets, within: within.to_owned() }
    }

    /// Reads the header of the next member, and goes behind its content.
    fn member(&mut self, name: &str) -> Result<Place, BundleError> {
        let block = self.block(&format!("the header of {name}"))?;
        let header = Header::from_byte_slice(&block);
        let refuse = |why: String| BundleError::NoImage { file: self.file.to_owned(), why };
        let plain = header.as_ustar().is_some() && header.cksum().ok() == Some(checksum(&block));
        if !plain {
            return Err(refuse(format!("octet {} is no header of a ustar file", self.at - BLOCK)));
        }
        let found = header.path_bytes();
        if found != name.as_bytes() || header.entry_type() != EntryType::Regular {
            let found = String::from_utf8_lossy(&found);
            return Err(refuse(format!("its member {found:?} stands where {name} should")));
        }
        let size = header.entry_size().map_err(|error| refuse(format!("size of {name}: {error}")))?;
        let place = Place { offset: self.at, size };
        if place.end() > self.octets {
            return Err(self.cut(name));
        }
        self.at = place.end();
        Ok(place)
    }

    /// Two blocks of zeros, and no more.
    fn end(&mut self) -> Result<(), BundleError> {
        for _ in 0..2 {
            let block = self.block("the two blocks that end it")?;
            if block.iter().any(|octet| *octet != 0) {
                return Err(BundleError::Trailing { file: self.file.to_owned(), end: self.at - BLOCK });
            }
        }
        if self.at == self.octets {
            return Ok(());
        }
        Err(BundleError::Trailing { file: self.file.to_owned(), end: self.at })
    }

    fn manifest(&mut self, place: Place) -> Result<Manifest, BundleError> {
        let refuse = |why: String| BundleError::Manifest { file: self.file.to_owned(), why };
        if place.size > LONGEST_MANIFEST {
            return Err(refuse(format!("{} octets, {LONGEST_MANIFEST} are allowed", place.size)));
        }
        let mut text = Vec::new();
        let read = self.from.seek(SeekFrom::Start(place.offset));
        let read = read.and_then(|_| self.from.by_ref().take(place.size).read_to_end(&mut text));
        read.map_err(BundleError::io(self.file))?;
        let form: Form = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        if form.format != super::FORMAT {
            return Err(BundleError::Format { file: self.file.to_owned(), found: form.format });
        }
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| refuse(error.to_string()))?;
        let named = manifest.members.keys().map(String::as_str);
        let mut expected: Vec<_> = MEMBERS.into_iter().filter(|name| *name != MANIFEST).collect();
        expected.sort_unstable();
        if !named.eq(expected.iter().copied()) {
            return Err(refuse(format!("it has to name the members {}", expected.join(", "))));
        }
        Ok(manifest)
    }
}

/// POSIX ustar: the sum of all octets, with blanks in place of the sum.
fn checksum(block: &[u8; SIZE]) -> u32 {
    let blanks = 8 * u32::from(b' ');
    let outside = |index: &usize| !(148..156).contains(index);
    blanks + (0..block.len()).filter(outside).map(|index| u32::from(block[index])).sum::<u32>()
}
