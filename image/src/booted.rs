//! What this machine was booted with, as the loader says it on the kernel's command line.
//!
//! ```text
//! srp.slot=K          the slot of the boot stack, 0 for an image that none names
//! srp.image=/x.bin    the image, from the root of /flash
//! srp.config=/y.toml  the configuration, from there as well; not there: the machine's own
//! srp.flash=UUID      the file system of /flash
//! srp.uncounted       no slot was left: the last resort
//! ```

use crate::boot::{Entry, Stack};

/// What the loader said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Booted {
    /// The slot, 1 to 10; `None` where the loader took an image that no slot names.
    pub slot: Option<usize>,
    /// The image, from the root of `/flash`.
    pub image: Option<String>,
    /// The configuration, from the root of `/flash`.
    pub config: Option<String>,
    /// Whether it was the last resort, when no slot was left to try.
    pub uncounted: bool,
}

impl Booted {
    /// Reads a kernel command line; words that are not the loader's are passed over.
    pub fn read(command_line: &str) -> Self {
        let mut booted = Self::default();
        for word in command_line.split_whitespace() {
            match word.split_once('=') {
                Some(("srp.slot", slot)) => booted.slot = slot.parse().ok().filter(|slot| *slot > 0),
                Some(("srp.image", image)) => booted.image = Some(image.to_owned()),
                Some(("srp.config", config)) => {
                    booted.config = Some(config.to_owned());
                }
                None if word == "srp.uncounted" => booted.uncounted = true,
                Some(_) | None => {}
            }
        }
        booted
    }

    /// The entry that was booted. An operator may have entered others since, so that its slot is another one now; of several alike,
    /// that of the slot.
    pub fn entry<'a>(&self, stack: &'a Stack) -> Option<&'a Entry> {
        let (image, config) = (self.image.as_deref()?, self.config.as_deref()?);
        let is_own = |entry: &&Entry| entry.image.as_str() == image && entry.config.as_str() == config;
        let by_slot = self.slot.and_then(|slot| stack.entries().get(slot.checked_sub(1)?));
        by_slot.filter(is_own).or_else(|| stack.entries().iter().find(is_own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_words_are_read_and_others_passed_over() {
        let line = "BOOT_IMAGE=(image)/vmlinuz quiet srp.slot=2 srp.image=/a.bin srp.config=/srp/srpd.toml\n";
        let expected = Booted {
            slot: Some(2),
            image: Some("/a.bin".to_owned()),
            config: Some("/srp/srpd.toml".to_owned()),
            uncounted: false,
        };
        assert_eq!(Booted::read(line), expected);
        let last = Booted::read("srp.slot=0 srp.image=/a.bin srp.uncounted");
        assert_eq!((last.slot, last.uncounted), (None, true));
        assert_eq!(Booted::read("quiet srp.slot=x"), Booted::default());
    }
}
