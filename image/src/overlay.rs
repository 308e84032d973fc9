//! What makes one machine out of the image that all machines share: a second archive behind the first.
//!
//! The kernel unpacks archives that follow each other one after the other, so a machine's own files cost no rebuild of the
//! image and no disk. `/etc/srp/links` is read by the guest's first script (`guest/rcS`), `/etc/hostname` too.

use std::fmt;
use std::fmt::Write;

use crate::cpio::Tree;
use crate::error::ImageError;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, octet) in self.0.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

/// One link of a machine, as the guest's first script sets it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The address by which the interface is found.
    pub mac: Mac,
    /// The name it gets.
    pub name: String,
    /// Addresses with prefix lengths, as `ip address add` takes them.
    pub addresses: Vec<String>,
}

/// A machine's own part of its file system.
pub fn overlay(hostname: &str, links: &[Link]) -> Result<Tree, ImageError> {
    let mut lines = String::new();
    for link in links {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{} {} {}", link.mac, link.name, link.addresses.join(" "));
    }
    let mut tree = Tree::new();
    tree.file("etc/hostname", 0o644, format!("{hostname}\n").into_bytes())?;
    tree.file("etc/srp/links", 0o644, lines.into_bytes())?;
    Ok(tree)
}

/// The shared archive with a machine's own behind it: what the machine is started with.
pub fn append(initramfs: &[u8], overlay: &Tree) -> Vec<u8> {
    let own = overlay.to_newc();
    // An archive without compression must begin at a multiple of 4 (Linux init/initramfs.c).
    let start = initramfs.len().next_multiple_of(4);
    let mut whole = Vec::with_capacity(start + own.len());
    whole.extend_from_slice(initramfs);
    whole.resize(start, 0);
    whole.extend_from_slice(&own);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machines_own_archive_begins_at_a_multiple_of_four() {
        let tree = overlay("east", &[]).unwrap();
        let whole = append(&[1, 2, 3, 4, 5], &tree);
        assert_eq!(&whole[..8], [1, 2, 3, 4, 5, 0, 0, 0]);
        assert_eq!(&whole[8..14], b"070701");
    }

    #[test]
    fn links_are_one_a_line() {
        let link = Link {
            mac: Mac([0x52, 0x54, 0, 0x0a, 0, 1]),
            name: "r1".to_owned(),
            addresses: vec!["10.1.1.1/30".to_owned(), "2001:db8:1:1::1/64".to_owned()],
        };
        let archive = String::from_utf8_lossy(&overlay("east", &[link]).unwrap().to_newc()).into_owned();
        assert!(archive.contains("52:54:00:0a:00:01 r1 10.1.1.1/30 2001:db8:1:1::1/64\n"), "{archive}");
    }
}
