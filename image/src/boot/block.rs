//! The boot stack as the loader reads and writes it: a GRUB environment block of 4096 octets.
//!
//! ```text
//! # GRUB Environment Block\n            the first 25 octets
//! s1_prio=9\n                           slots 1 to 10, in their order and without gaps; a slot is there when its img is
//! s1_img=/images/new.bin\n
//! s1_cfg=/new.cfg\n
//! s1_tries=2\n                          0 to 3; the loader writes it
//! s1_ok=0\n                             1: good, and the loader counts no longer
//! s1_why=\n                             why it was passed over the last time; the loader writes it
//! s2_prio=10\n ...
//! ##########...                         up to octet 4096
//! ```
//!
//! In a value, `\` stands before `\` and before a line feed. GRUB's `save_env` changes a value where it stands or adds a line
//! behind the last, so lines come in any order when it has written; `grub-editenv` adds a comment line. Names that are not ours
//! are kept; unknown fields of a slot are not, as slots move. GRUB reads ten long entries only from a block larger than its own
//! usual 1024 octets, and writes a block of any size back with that size.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use super::{Entry, FlashPath, PathError, Priority, Stack, Tries, Why};

const HEADER: &[u8] = b"# GRUB Environment Block\n";

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// What is booted.
    pub stack: Stack,
    /// Variables of the loader that are no part of the stack.
    pub others: BTreeMap<String, String>,
}

/// What is wrong with the octets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It has another size than it was made with.
    #[error("it has {octets} octets instead of {}", Block::SIZE)]
    Size {
        /// How many there are.
        octets: usize,
    },
    /// It does not begin like a block of GRUB.
    #[error("it does not begin with \"# GRUB Environment Block\"")]
    Header,
    /// A line is not `name=value`, or holds something that is not text.
    #[error("line {line} is not NAME=VALUE: {text:?}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// Its beginning.
        text: String,
    },
    /// The last line has no end, so that GRUB has no room to write.
    #[error("line {line} goes on to the end of the file")]
    NoEnd {
        /// The line, from 1.
        line: usize,
    },
    /// A name stands there twice: GRUB takes the last and changes the first.
    #[error("{name} is there twice, {first:?} and {second:?}")]
    Twice {
        /// The name.
        name: String,
        /// Its first value.
        first: String,
        /// Its second value.
        second: String,
    },
    /// A slot lacks a value, or has one that it cannot have.
    #[error("s{slot}_{field} is {value:?}: {wanted}")]
    Field {
        /// The slot, 1 to 10.
        slot: usize,
        /// The part of the name behind the slot.
        field: &'static str,
        /// What is there; empty if nothing is.
        value: String,
        /// What should be there.
        wanted: &'static str,
    },
    /// A slot names a file that cannot be named.
    #[error("s{slot}_{field}: {source}")]
    Path {
        /// The slot, 1 to 10.
        slot: usize,
        /// The part of the name behind the slot.
        field: &'static str,
        /// What is wrong with it.
        source: PathError,
    },
    /// A slot is used and the one before is not: the loader stops there.
    #[error("slot {slot} is used and slot {} is not", slot - 1)]
    Gap {
        /// The used one.
        slot: usize,
    },
    /// Slots are not in the order of their priorities.
    #[error("slot {slot} has priority {priority}, not above that of the slot before")]
    Order {
        /// The second of the two.
        slot: usize,
        /// Its priority.
        priority: Priority,
    },
    /// All lines together are longer than the block.
    #[error(
        "its lines need {octets} octets and the block has {}: delete boot entries, or variables that are not ours with grub-editenv",
        Block::SIZE
    )]
    Room {
        /// What would be needed.
        octets: usize,
    },
}

impl Block {
    /// Octets of the file, always.
    pub const SIZE: usize = 4096;

    /// The octets of the file. Fails only where variables that are not ours take all the room.
    pub fn encode(&self) -> Result<[u8; Self::SIZE], BlockError> {
        let mut text = HEADER.to_vec();
        let mut line = |name: &str, value: &str| {
            text.extend_from_slice(name.as_bytes());
            text.push(b'=');
            for octet in value.bytes() {
                if matches!(octet, b'\\' | b'\n') {
                    text.push(b'\\');
                }
                text.push(octet);
            }
            text.push(b'\n');
        };
        for (slot, entry) in (1..).zip(self.stack.entries()) {
            line(&format!("s{slot}_prio"), &entry.priority.to_string());
            line(&format!("s{slot}_img"), entry.image.as_str());
            line(&format!("s{slot}_cfg"), entry.config.as_str());
            line(&format!("s{slot}_tries"), &entry.tries.number().to_string());
            line(&format!("s{slot}_ok"), if entry.good { "1" } else { "0" });
            line(&format!("s{slot}_why"), entry.why.as_ref().map_or("", Why::word));
        }
        for (name, value) in &self.others {
            line(name, value);
        }
        let mut block = [b'#'; Self::SIZE];
        block.get_mut(..text.len()).ok_or(BlockError::Room { octets: text.len() })?.copy_from_slice(&text);
        Ok(block)
    }

    /// Reads the octets of the file; the first fault refuses them.
    pub fn decode(octets: &[u8]) -> Result<Self, BlockError> {
        let (block, faults) = Self::salvage(octets);
        faults.into_iter().next().map_or(Ok(block), Err)
    }

    /// What is whole in the octets of a damaged file, and everything that is not.
    ///
    /// Entries come in the order of their priorities; of two with the same one, the first is kept.
    pub fn salvage(octets: &[u8]) -> (Self, Vec<BlockError>) {
        let mut faults = Vec::new();
        if octets.len() != Self::SIZE {
            faults.push(BlockError::Size { octets: octets.len() });
        }
        if !octets.starts_with(HEADER) {
            faults.push(BlockError::Header);
        }
        let mut others = variables(octets, &mut faults);
        let slots: Vec<Fields> = (1..=Stack::MOST).map(|slot| Fields::take(slot, &mut others)).collect();
        others.retain(|name, _| !is_of_a_slot(name));

        let mut stack = Stack::new();
        let mut before = None;
        for fields in slots {
            let slot = fields.slot;
            let Some(entry) = fields.entry(&mut faults) else { continue };
            if slot > before.map_or(0, |(slot, _)| slot) + 1 {
                faults.push(BlockError::Gap { slot });
            }
            if before.is_some_and(|(_, priority)| priority >= entry.priority) {
                faults.push(BlockError::Order { slot, priority: entry.priority });
            }
            before = Some((slot, entry.priority));
            if stack.entry(entry.priority).is_none() {
                // Ten slots fill no stack of ten.
                let _ = stack.insert(entry);
            }
        }
        (Self { stack, others }, faults)
    }
}

fn is_of_a_slot(name: &str) -> bool {
    let of = |slot: usize| name.strip_prefix(&format!("s{slot}_")).is_some();
    (1..=Stack::MOST).any(of)
}

/// Every `name=value`, and what is neither that nor a comment.
fn variables(octets: &[u8], faults: &mut Vec<BlockError>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = octets;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        if rest.iter().all(|octet| *octet == b'#') {
            return found; // the padding
        }
        let (line, ended) = take_line(&mut rest);
        if !ended {
            faults.push(BlockError::NoEnd { line: number });
        } else if line.first() != Some(&b'#') {
            let text = String::from_utf8(line);
            let pair = text.as_deref().ok().and_then(|text| text.split_once('='));
            match pair {
                Some((name, value)) if is_name(name) => match found.entry(name.to_owned()) {
                    Place::Vacant(place) => {
                        place.insert(value.to_owned());
                    }
                    Place::Occupied(first) => faults.push(BlockError::Twice {
                        name: name.to_owned(),
                        first: first.get().clone(),
                        second: value.to_owned(),
                    }),
                },
                Some(_) | None => {
                    let text =
                        text.unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
                    faults.push(BlockError::Line { line: number, text: text.chars().take(40).collect() });
                }
            }
        }
    }
    found
}

/// Only values have escapes: a name that would need one comes from damage.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['\\', '\n'])
}

/// Takes the next line without its escapes and its end, and says whether it had an end.
fn take_line(rest: &mut &[u8]) -> (Vec<u8>, bool) {
    let mut line = Vec::new();
    let mut octets = rest.iter().enumerate();
    while let Some((index, octet)) = octets.next() {
        match octet {
            b'\n' => {
                *rest = &rest[index + 1..];
                return (line, true);
            }
            b'\\' => line.extend(octets.next().map(|(_, escaped)| *escaped)),
            other => line.push(*other),
        }
    }
    *rest = &[];
    (line, false)
}

/// The values of one slot, as they stand there.
struct Fields {
    slot: usize,
    priority: Option<String>,
    image: Option<String>,
    config: Option<String>,
    tries: Option<String>,
    good: Option<String>,
    why: Option<String>,
}

impl Fields {
    fn take(slot: usize, variables: &mut BTreeMap<String, String>) -> Self {
        let mut take =
            |field: &str| variables.remove(&format!("s{slot}_{field}")).filter(|value| !value.is_empty());
        Self {
            slot,
            priority: take("prio"),
            image: take("img"),
            config: take("cfg"),
            tries: take("tries"),
            good: take("ok"),
            why: take("why"),
        }
    }

    /// `None` where the slot is not used, or is not whole.
    fn entry(self, faults: &mut Vec<BlockError>) -> Option<Entry> {
        let Self { slot, priority, image, config, tries, good, why } = self;
        let all = [&priority, &image, &config, &tries, &good, &why];
        if all.iter().all(|value| value.is_none()) {
            return None;
        }
        let mut path = |field, value: Option<String>| {
            let path = FlashPath::new(value.unwrap_or_default());
            path.map_err(|source| faults.push(BlockError::Path { slot, field, source })).ok()
        };
        let image = path("img", image);
        let config = path("cfg", config);
        let number = |field, value: Option<String>, wanted| {
            let value = value.unwrap_or_default();
            Number { slot, field, value, wanted }
        };
        let priority = number("prio", priority, "1 to 100 is wanted").check(Priority::new, faults);
        let tries = number("tries", tries, "0 to 3 is wanted").check(Tries::new, faults);
        let truth = |number| (number < 2).then_some(number == 1);
        let good = number("ok", good, "0 or 1 is wanted").check(truth, faults);
        let why = why.and_then(|word| Why::of(&word));
        Some(Entry { priority: priority?, image: image?, config: config?, tries: tries?, good: good?, why })
    }
}

/// A field that has to be a number.
struct Number {
    slot: usize,
    field: &'static str,
    value: String,
    wanted: &'static str,
}

impl Number {
    fn check<T>(self, check: impl Fn(u8) -> Option<T>, faults: &mut Vec<BlockError>) -> Option<T> {
        let Self { slot, field, value, wanted } = self;
        let number = value.parse().ok().and_then(check);
        if number.is_none() {
            faults.push(BlockError::Field { slot, field, value, wanted });
        }
        number
    }
}

#[cfg(test)]
pub(super) mod tests;
