//! The little of ELF that an image builder reads: what a module or program says about itself.
//!
//! Files come from packages and from our own build, yet nothing here trusts them: every offset is checked, and a file cut
//! short is an error, not a panic. Source: System V ABI, "Object Files" and "Dynamic Linking"; ELF-64 object file format.

use std::str::Utf8Error;

/// What is wrong with an ELF file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// The magic number, class or octet order is not that of an x86-64 ELF file.
    #[error("not a 64-bit little-endian ELF file")]
    NotElf,
    /// A table or section reaches beyond the end of the file.
    #[error("ELF file ends at octet {length}, but {what} reaches to octet {end}")]
    Short {
        /// What was to be read.
        what: &'static str,
        /// Where it would end.
        end: u64,
        /// The file's length.
        length: usize,
    },
    /// A name in the file is not UTF-8.
    #[error("a name in the ELF file is not text: {0}")]
    Name(#[from] Utf8Error),
}

/// A 64-bit little-endian ELF file in memory.
#[derive(Clone, Copy, Debug)]
pub struct Elf<'a> {
    octets: &'a [u8],
}

/// Program header types and dynamic tags.
const PT_DYNAMIC: u32 = 2;
const PT_LOAD: u32 = 1;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

impl<'a> Elf<'a> {
    /// Looks at the first octets only; the rest is checked as it is read.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ElfError> {
        // Magic, class 64-bit, little-endian.
        if octets.get(..6) == Some(b"\x7fELF\x02\x01") { Ok(Self { octets }) } else { Err(ElfError::NotElf) }
    }

    /// The contents of the section `name`, if there is one.
    pub fn section(&self, name: &str) -> Result<Option<&'a [u8]>, ElfError> {
        let table = self.u64(0x28, "the file header")?;
        let size = u64::from(self.u16(0x3a, "the file header")?);
        let count = u64::from(self.u16(0x3c, "the file header")?);
        let names_at = u64::from(self.u16(0x3e, "the file header")?);
        let header = |index: u64| table.saturating_add(index.saturating_mul(size));
        let extent = |at: u64| -> Result<&'a [u8], ElfError> {
            let offset = self.u64(at.saturating_add(0x18), "a section header")?;
            let length = self.u64(at.saturating_add(0x20), "a section header")?;
            self.slice(offset, length, "a section")
        };
        if count == 0 {
            return Ok(None);
        }
        let names = extent(header(names_at))?;
        for index in 0..count {
            let at = header(index);
            let name_offset = self.u32(at, "a section header")?;
            if text_at(names, u64::from(name_offset))? == name {
                return extent(at).map(Some);
            }
        }
        Ok(None)
    }

    /// The values of `key` in a kernel module's `.modinfo` section, in the file's order.
    pub fn module_info(&self, key: &str) -> Result<Vec<&'a str>, ElfError> {
        let Some(info) = self.section(".modinfo")? else { return Ok(Vec::new()) };
        let mut values = Vec::new();
        for line in info.split(|octet| *octet == 0) {
            // Other keys may hold octets that are no text (authors' names in old encodings).
            if let Some(value) = line.strip_prefix(key.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
                values.push(std::str::from_utf8(value)?);
            }
        }
        Ok(values)
    }

    /// The shared libraries that the dynamic loader must find first; none for a static file.
    pub fn needed(&self) -> Result<Vec<&'a str>, ElfError> {
        let (mut offsets, mut strings) = (Vec::new(), None);
        let Some(dynamic) = self.segments()?.into_iter().find(|segment| segment.kind == PT_DYNAMIC) else {
            return Ok(Vec::new());
        };
        for at in (dynamic.offset..dynamic.offset.saturating_add(dynamic.length)).step_by(16) {
            let value = self.u64(at.saturating_add(8), "the dynamic section")?;
            match self.u64(at, "the dynamic section")? {
                DT_NULL => break,
                DT_NEEDED => offsets.push(value),
                DT_STRTAB => strings = Some(value),
                // Every other tag is for the loader.
                _ => {}
            }
        }
        let Some(strings) = strings else { return Ok(Vec::new()) };
        let start = self.file_offset(strings)?;
        let table = usize::try_from(start).ok().and_then(|start| self.octets.get(start..));
        let table = table.ok_or(ElfError::Short {
            what: "the dynamic strings",
            end: start,
            length: self.octets.len(),
        })?;
        offsets.into_iter().map(|offset| text_at(table, offset)).collect()
    }

    /// Where in the file the octet stands that is loaded at `address`.
    fn file_offset(&self, address: u64) -> Result<u64, ElfError> {
        let loaded = self.segments()?.into_iter().find(|segment| {
            segment.kind == PT_LOAD
                && address.checked_sub(segment.address).is_some_and(|by| by < segment.length)
        });
        match loaded {
            Some(segment) => Ok(segment.offset.saturating_add(address - segment.address)),
            None => {
                Err(ElfError::Short { what: "the dynamic strings", end: address, length: self.octets.len() })
            }
        }
    }

    fn segments(&self) -> Result<Vec<Segment>, ElfError> {
        let table = self.u64(0x20, "the file header")?;
        let size = u64::from(self.u16(0x36, "the file header")?);
        let count = u64::from(self.u16(0x38, "the file header")?);
        (0..count)
            .map(|index| {
                let at = table.saturating_add(index.saturating_mul(size));
                Ok(Segment {
                    kind: self.u32(at, "a program header")?,
                    offset: self.u64(at.saturating_add(0x08), "a program header")?,
                    address: self.u64(at.saturating_add(0x10), "a program header")?,
                    length: self.u64(at.saturating_add(0x20), "a program header")?,
                })
            })
            .collect()
    }

    fn slice(&self, offset: u64, length: u64, what: &'static str) -> Result<&'a [u8], ElfError> {
        let end = offset.saturating_add(length);
        let range = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        range.and_then(|(offset, end)| self.octets.get(offset..end)).ok_or(ElfError::Short {
            what,
            end,
            length: self.octets.len(),
        })
    }

    fn array<const N: usize>(&self, offset: u64, what: &'static str) -> Result<[u8; N], ElfError> {
        let octets = self.slice(offset, N as u64, what)?;
        octets.try_into().map_err(|_| ElfError::Short { what, end: offset, length: self.octets.len() })
    }

    fn u16(&self, offset: u64, what: &'static str) -> Result<u16, ElfError> {
        self.array(offset, what).map(u16::from_le_bytes)
    }

    fn u32(&self, offset: u64, what: &'static str) -> Result<u32, ElfError> {
        self.array(offset, what).map(u32::from_le_bytes)
    }

    fn u64(&self, offset: u64, what: &'static str) -> Result<u64, ElfError> {
        self.array(offset, what).map(u64::from_le_bytes)
    }
}

/// One program header: a piece of the file and where it is loaded.
struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    length: u64,
}

/// The text from `offset` to the next NUL.
fn text_at(table: &[u8], offset: u64) -> Result<&str, ElfError> {
    let short = ElfError::Short { what: "a name", end: offset, length: table.len() };
    let rest = usize::try_from(offset).ok().and_then(|offset| table.get(offset..)).ok_or(short)?;
    let end = rest.iter().position(|octet| *octet == 0).unwrap_or(rest.len());
    Ok(std::str::from_utf8(rest.get(..end).unwrap_or_default())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// This test's own program: a real, dynamically linked ELF file.
    fn own_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_dynamic_program_names_its_libraries() {
        let octets = own_program();
        let needed = Elf::parse(&octets).unwrap().needed().unwrap();
        assert!(needed.contains(&"libc.so.6"), "{needed:?}");
    }

    #[test]
    fn sections_are_found_by_name() {
        let octets = own_program();
        let elf = Elf::parse(&octets).unwrap();
        assert!(elf.section(".text").unwrap().is_some_and(|text| !text.is_empty()));
        assert_eq!(elf.section(".no-such-section").unwrap(), None);
        assert_eq!(elf.module_info("depends").unwrap(), Vec::<&str>::new());
    }

    #[test]
    fn text_is_refused() {
        assert_eq!(Elf::parse(b"#!/bin/sh\n").unwrap_err(), ElfError::NotElf);
    }

    proptest! {
        #[test]
        fn reading_never_panics(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            let octets = [b"\x7fELF\x02\x01".as_slice(), &octets].concat();
            let elf = Elf::parse(&octets).unwrap();
            let _ = (elf.needed(), elf.section(".modinfo"), elf.module_info("depends"));
        }
    }

    #[test]
    fn a_file_cut_short_is_an_error_not_a_panic() {
        let octets = own_program();
        for length in [6, 20, 63, 64, 100, 1000, octets.len() / 2] {
            if let Ok(elf) = Elf::parse(&octets[..length]) {
                assert!(elf.section(".text").is_err(), "{length}");
            }
        }
    }
}
