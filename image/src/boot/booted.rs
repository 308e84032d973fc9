//! What was booted, and what became of the entries before it.

use super::{Entry, FlashPath, Stack, Why};

/// What the loader said on the kernel's command line: `srp.slot=1 srp.image=/a.bin srp.config=/a.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booted {
    /// The slot at that time, from 1; `None` where the loader found no entry to boot and took an image that it came across.
    pub slot: Option<u8>,
    /// The image.
    pub image: FlashPath,
    /// The configuration that stands with it; `None` where there was no entry.
    pub config: Option<FlashPath>,
}

impl Booted {
    /// `None` where the machine was not booted by our loader.
    pub fn of_command_line(text: &str) -> Option<Self> {
        let value =
            |name: &str| text.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let path = |name| FlashPath::new(value(name)?).ok();
        let slot = value("srp.slot").and_then(|slot| slot.parse().ok()).filter(|slot| *slot > 0);
        Some(Self { slot, image: path("srp.image")?, config: path("srp.config") })
    }

    /// Whether this entry is what was booted. Entries may have moved since, so the slot says nothing.
    pub fn is(&self, entry: &Entry) -> bool {
        entry.image == self.image && self.slot.is_some() && self.config.as_ref() == Some(&entry.config)
    }
}

/// What became of an entry at the last boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Booted,
    /// The loader passed over it, or it gave itself up.
    PassedOver(Why),
    /// Its turn did not come.
    Waiting,
}

/// What became of each entry, in their order.
pub fn fates(stack: &Stack, booted: Option<&Booted>) -> Vec<Fate> {
    let fate = |entry: &Entry| match &entry.why {
        _ if booted.is_some_and(|booted| booted.is(entry)) => Fate::Booted,
        Some(why) => Fate::PassedOver(why.clone()),
        None if !entry.will_be_tried() => Fate::PassedOver(Why::Tries),
        None => Fate::Waiting,
    };
    stack.entries().iter().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::{Priority, Tries};

    fn path(name: &str) -> FlashPath {
        FlashPath::new(name).unwrap()
    }

    #[test]
    fn the_command_line_says_what_was_booted() {
        let line = "console=ttyS0 srp.slot=2 srp.image=/a.bin srp.config=/a.toml panic=5\n";
        let booted = Booted { slot: Some(2), image: path("/a.bin"), config: Some(path("/a.toml")) };
        assert_eq!(Booted::of_command_line(line), Some(booted));
        let last_resort = Booted::of_command_line("srp.image=/a.bin srp.slot=0 srp.config=").unwrap();
        assert_eq!((last_resort.slot, last_resort.config), (None, None));
        assert_eq!(Booted::of_command_line("root=/dev/vda1 quiet"), None);
        assert_eq!(Booted::of_command_line("srp.image=nonsense srp.imagex=/a"), None);
    }

    #[test]
    fn each_entry_has_its_fate_also_after_others_were_entered() {
        let mut stack = Stack::new();
        for number in [9, 10, 11, 12] {
            let name = path(&format!("/{number}"));
            stack.put(Priority::new(number).unwrap(), name.clone(), name).unwrap();
        }
        stack.mark_bad(Priority::new(9).unwrap(), Why::Signature).unwrap();
        for _ in 0..Tries::ALL.number() {
            stack.take_try(Priority::new(10).unwrap()).unwrap();
        }
        let booted = Booted { slot: Some(3), image: path("/11"), config: Some(path("/11")) };
        stack.put_first(path("/new"), path("/new")).unwrap();
        let expected = [
            Fate::Waiting,
            Fate::PassedOver(Why::Signature),
            Fate::PassedOver(Why::Tries),
            Fate::Booted,
            Fate::Waiting,
        ];
        assert_eq!(fates(&stack, Some(&booted)), expected);
    }
}
