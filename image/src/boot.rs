//! The boot stack: which image the box boots with which configuration, in which order, and what the loader made of it.
//!
//! What holds of a [`Stack`], always:
//! - At most [`Stack::MOST`] entries, each with a [`Priority`] of its own; the lowest comes first.
//! - An entry that is not good has tries left, or the loader passes over it.
//! - Paths are as the loader sees them: from the root of the file system that Linux mounts on `/flash`.
//!
//! How data moves: [`file`](self::file) reads the 4096 octets of `/flash/boot/boot.sys`, [`block`] turns them into a [`Stack`] and
//! back, and the operator's commands, the loader, the first program of the image and its health checks each change one
//! thing in it. Whoever writes is: the operator (entries), the loader (a try less, and why it passed over), the first program
//! (`root`), the health checks (good).
//!
//! Sources: the public words on boot stacks in StarOS administration guides (`boot system priority`, at most 10 entries, the
//! lowest number first); GRUB 2.06 `grub-core/lib/envblk.c` for the file's form.

use std::fmt;

pub mod block;
mod fate;
pub mod file;
mod path;

pub use block::{Block, BlockError};
pub use fate::{Fate, fates};
pub use file::{BootFile, FileError};
pub use path::{FlashPath, PathError};

/// Place of an entry in the order: 1 to 100, the lowest is booted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The first of all.
    pub const FIRST: Self = Self(1);
    /// The last of all.
    pub const LAST: Self = Self(100);

    /// `None` outside of 1 to 100.
    pub fn new(number: u8) -> Option<Self> {
        (Self::FIRST.0..=Self::LAST.0).contains(&number).then_some(Self(number))
    }

    /// Its number, 1 to 100.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often the loader still tries an entry that was never found good: 0 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tries(u8);

impl Tries {
    /// What a new entry has.
    pub const ALL: Self = Self(3);
    /// None left: the loader passes over the entry.
    pub const NONE: Self = Self(0);

    /// `None` above 3.
    pub fn new(number: u8) -> Option<Self> {
        (number <= Self::ALL.0).then_some(Self(number))
    }

    /// 0 to 3.
    pub fn number(self) -> u8 {
        self.0
    }

    /// One less, as the loader counts before it boots.
    #[must_use]
    pub fn less_one(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

/// Why an entry was passed over the last time that the loader came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The image file is not there, or is no image.
    Missing,
    /// The image, its kernel or its initrd is not signed by a key of the loader.
    Signature,
    /// The kernel or the initrd could not be loaded.
    Kernel,
    /// It was tried as often as it may be, and nothing ever found it good.
    Tries,
    /// It booted, and its first program could not mount its root file system.
    Root,
    /// It booted, and its daemon does not take the configuration: one of a newer release, most likely.
    Configuration,
    /// What a newer loader wrote.
    Other(String),
}

impl Why {
    /// The word that stands in the file.
    pub fn word(&self) -> &str {
        match self {
            Self::Missing => "missing",
            Self::Signature => "signature",
            Self::Kernel => "kernel",
            Self::Tries => "tries",
            Self::Root => "root",
            Self::Configuration => "config",
            Self::Other(word) => word,
        }
    }

    /// The reason of a word; the empty one is none.
    pub fn of(word: &str) -> Option<Self> {
        let known =
            [Self::Missing, Self::Signature, Self::Kernel, Self::Tries, Self::Root, Self::Configuration];
        if word.is_empty() {
            return None;
        }
        Some(known.into_iter().find(|why| why.word() == word).unwrap_or_else(|| Self::Other(word.to_owned())))
    }
}

/// What a person reads of it, with what to do.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "the image file is missing or is no image: copy it again, then name it again",
            Self::Signature => "bad or missing signature: `show version FILE` says of what; copy the image and its .sig again",
            Self::Kernel => "the loader could not load its kernel: copy the image again, then name it again",
            Self::Tries => "three boots, and its health checks never passed: see the log of those boots",
            Self::Root => "it booted and could not mount its root file system: copy the image again, then name it again",
            Self::Configuration => "its srpd refuses the configuration: name it again with one of its release",
            Self::Other(word) => return write!(f, "the loader says: {word}"),
        })
    }
}

/// One image with one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub priority: Priority,
    /// The image file.
    pub image: FlashPath,
    /// The configuration that it starts with.
    pub config: FlashPath,
    /// Tries left while it is not good.
    pub tries: Tries,
    /// Its health checks passed since it was entered, so that the loader counts no longer.
    pub good: bool,
    /// Why the loader, or the image itself, gave it up the last time; `None` if that did not happen.
    pub why: Option<Why>,
}

impl Entry {
    /// A new one: not good yet, with all tries.
    pub fn new(priority: Priority, image: FlashPath, config: FlashPath) -> Self {
        Self { priority, image, config, tries: Tries::ALL, good: false, why: None }
    }

    /// Whether the loader will try it when it comes to it.
    pub fn will_be_tried(&self) -> bool {
        self.good || self.tries > Tries::NONE
    }
}

/// Why the stack was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// There are 10 entries already.
    #[error(
        "the boot stack is full (10 entries): delete one first, such as the last with `no boot system priority {last}`"
    )]
    Full {
        /// The last entry, which is the usual one to give up.
        last: Priority,
    },
    /// No entry has this priority.
    #[error("no boot entry has priority {wanted}: {}", there_are(.have))]
    NoEntry {
        /// What was asked for.
        wanted: Priority,
        /// What there is.
        have: Vec<Priority>,
    },
    /// It is the only entry, and with none the loader has to guess.
    #[error(
        "priority {only} is the only boot entry: enter another with `boot system priority` before you delete it"
    )]
    Only {
        /// The entry.
        only: Priority,
    },
}

fn there_are(priorities: &[Priority]) -> String {
    if priorities.is_empty() {
        return "the boot stack is empty".to_owned();
    }
    let numbers: Vec<_> = priorities.iter().map(ToString::to_string).collect();
    format!("there are {}", numbers.join(", "))
}

/// Entries, the first to be booted first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    entries: Vec<Entry>,
}

impl Stack {
    /// The most entries that there can be.
    pub const MOST: usize = 10;
    /// Distance between entries that were numbered anew, so that others fit between.
    pub const STEP: u8 = 10;

    /// Nothing to boot yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One entry, as a new machine has it: not good yet, with all tries.
    pub fn of_one(image: FlashPath, config: FlashPath) -> Self {
        Self { entries: vec![Entry::new(Priority(Self::STEP), image, config)] }
    }

    /// In the order in which the loader tries them.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of a priority.
    pub fn entry(&self, priority: Priority) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.priority == priority)
    }

    /// The entry that the loader will try first at the next boot.
    pub fn next_boot(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.will_be_tried())
    }

    /// Enters an image with a configuration, as not good yet; what had this priority is replaced and given back.
    pub fn put(
        &mut self,
        priority: Priority,
        image: FlashPath,
        config: FlashPath,
    ) -> Result<Option<Entry>, StackError> {
        self.insert(Entry::new(priority, image, config))
    }

    fn insert(&mut self, entry: Entry) -> Result<Option<Entry>, StackError> {
        match self.entries.binary_search_by_key(&entry.priority, |other| other.priority) {
            Ok(index) => Ok(Some(std::mem::replace(&mut self.entries[index], entry))),
            Err(_) if self.entries.len() == Self::MOST => {
                Err(StackError::Full { last: self.entries[Self::MOST - 1].priority })
            }
            Err(index) => {
                self.entries.insert(index, entry);
                Ok(None)
            }
        }
    }

    /// Enters an image before all others, at the first priority less one. Where 1 is taken, the others are numbered anew
    /// first. An empty stack begins at [`Stack::STEP`].
    pub fn put_first(&mut self, image: FlashPath, config: FlashPath) -> Result<Priority, StackError> {
        if let [.., last] = &self.entries[..]
            && self.entries.len() == Self::MOST
        {
            return Err(StackError::Full { last: last.priority });
        }
        if self.entries.first().is_some_and(|first| first.priority == Priority::FIRST) {
            self.renumber();
        }
        let priority =
            self.entries.first().map_or(Priority(Self::STEP), |first| Priority(first.priority.0 - 1));
        self.put(priority, image, config)?;
        Ok(priority)
    }

    /// Numbers all entries anew in their order: 10, 20, and so on to 100.
    pub fn renumber(&mut self) {
        for (entry, priority) in self.entries.iter_mut().zip((Self::STEP..).step_by(usize::from(Self::STEP)))
        {
            entry.priority = Priority(priority);
        }
    }

    /// Deletes an entry, but never the only one.
    pub fn remove(&mut self, priority: Priority) -> Result<Entry, StackError> {
        let index = self.index(priority)?;
        if self.entries.len() == 1 {
            return Err(StackError::Only { only: priority });
        }
        Ok(self.entries.remove(index))
    }

    /// The health checks of this entry passed: the loader counts no longer.
    pub fn mark_good(&mut self, priority: Priority) -> Result<(), StackError> {
        let index = self.index(priority)?;
        let entry = &mut self.entries[index];
        (entry.good, entry.tries, entry.why) = (true, Tries::ALL, None);
        Ok(())
    }

    /// This entry must not be tried again until an operator enters it again.
    pub fn mark_bad(&mut self, priority: Priority, why: Why) -> Result<(), StackError> {
        let index = self.index(priority)?;
        let entry = &mut self.entries[index];
        (entry.good, entry.tries, entry.why) = (false, Tries::NONE, Some(why));
        Ok(())
    }

    /// What the loader does before it boots an entry: one that is not good has a try less.
    pub fn take_try(&mut self, priority: Priority) -> Result<(), StackError> {
        let index = self.index(priority)?;
        let entry = &mut self.entries[index];
        if !entry.good {
            entry.tries = entry.tries.less_one();
        }
        Ok(())
    }

    fn index(&self, priority: Priority) -> Result<usize, StackError> {
        self.entries.iter().position(|entry| entry.priority == priority).ok_or_else(|| StackError::NoEntry {
            wanted: priority,
            have: self.entries.iter().map(|entry| entry.priority).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
