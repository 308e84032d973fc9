//! The archive that the kernel unpacks as its first root: "newc", the new ASCII format of cpio.
//!
//! A [`Tree`] is a value: paths in order, no clock, no owner, no inode of the building machine. The same tree gives the
//! same octets. Sources: Linux `Documentation/driver-api/early-userspace/buffer-format.rst`; cpio(5), "New ASCII Format".
//!
//! ```text
//! "070701" | ino | mode | uid | gid | nlink | mtime | filesize | devmajor | devminor | rdevmajor | rdevminor
//!          | namesize | check (0)      each 8 hexadecimal digits
//! name NUL, padded to 4 | contents, padded to 4 | ... | an entry named "TRAILER!!!"
//! ```

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{self as unix, PermissionsExt};
use std::path::Path;

use crate::error::ImageError;

/// File type bits of `mode`, as in stat(2).
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// What stands at one path of a [`Tree`].
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Folder { permissions: u32 },
    File { permissions: u32, contents: Vec<u8> },
    Symlink { target: String },
    CharacterDevice { permissions: u32, major: u32, minor: u32 },
}

/// A file tree owned by root with all times zero. Paths are relative to its root, without a leading slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder with its missing parents; one that is there already stays, with the new permission bits.
    pub fn folder(&mut self, path: &str, permissions: u32) -> Result<(), ImageError> {
        self.parents(path)?;
        match self.entries.get(path) {
            None | Some(Entry::Folder { .. }) => {
                self.entries.insert(path.to_owned(), Entry::Folder { permissions });
                Ok(())
            }
            Some(Entry::File { .. } | Entry::Symlink { .. } | Entry::CharacterDevice { .. }) => {
                Err(ImageError::Tree { path: path.to_owned(), reason: "it is there and no folder" })
            }
        }
    }

    /// Adds a regular file and its missing parents.
    pub fn file(&mut self, path: &str, permissions: u32, contents: Vec<u8>) -> Result<(), ImageError> {
        if u32::try_from(contents.len()).is_err() {
            return Err(ImageError::TooLarge { path: path.to_owned(), octets: contents.len() });
        }
        self.insert(path, Entry::File { permissions, contents })
    }

    /// Adds a symbolic link and its missing parents.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<(), ImageError> {
        self.insert(path, Entry::Symlink { target: target.to_owned() })
    }

    /// Adds a character device and its missing parents.
    pub fn character_device(
        &mut self,
        path: &str,
        permissions: u32,
        major: u32,
        minor: u32,
    ) -> Result<(), ImageError> {
        self.insert(path, Entry::CharacterDevice { permissions, major, minor })
    }

    /// Whether something stands at `path`.
    pub fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// All paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Octets of all files together, without headers.
    pub fn file_octets(&self) -> usize {
        self.entries
            .values()
            .map(|entry| match entry {
                Entry::File { contents, .. } => contents.len(),
                Entry::Folder { .. } | Entry::Symlink { .. } | Entry::CharacterDevice { .. } => 0,
            })
            .sum()
    }

    /// The archive. Its length is a multiple of 4, so that another archive can follow it, as the kernel allows.
    pub fn to_newc(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.file_octets() + 256 * self.entries.len());
        for (number, (path, entry)) in (1_u32..).zip(&self.entries) {
            let (mode, links, device, contents): (u32, u32, (u32, u32), &[u8]) = match entry {
                Entry::Folder { permissions } => (FOLDER | permissions, 2, (0, 0), &[]),
                Entry::File { permissions, contents } => (FILE | permissions, 1, (0, 0), contents),
                Entry::Symlink { target } => (SYMLINK | 0o777, 1, (0, 0), target.as_bytes()),
                Entry::CharacterDevice { permissions, major, minor } => {
                    (CHARACTER_DEVICE | permissions, 1, (*major, *minor), &[])
                }
            };
            push_entry(&mut out, number, mode, links, device, path, contents);
        }
        push_entry(&mut out, 0, 0, 1, (0, 0), "TRAILER!!!", &[]);
        out
    }

    /// Writes folders, files and links below `folder`, which is made; owners and times are the writer's. Character devices
    /// are left out: they need root.
    pub fn write_to(&self, folder: &Path) -> Result<(), ImageError> {
        fs::create_dir_all(folder).map_err(ImageError::file(folder))?;
        for (path, entry) in &self.entries {
            let place = folder.join(path);
            let permissions = match entry {
                Entry::Folder { permissions } => {
                    fs::create_dir(&place).map_err(ImageError::file(&place))?;
                    *permissions
                }
                Entry::File { permissions, contents } => {
                    fs::write(&place, contents).map_err(ImageError::file(&place))?;
                    *permissions
                }
                Entry::Symlink { target } => {
                    unix::symlink(target, &place).map_err(ImageError::file(&place))?;
                    continue;
                }
                Entry::CharacterDevice { .. } => continue,
            };
            // Not at once, where the umask would take bits away.
            fs::set_permissions(&place, Permissions::from_mode(permissions))
                .map_err(ImageError::file(&place))?;
        }
        Ok(())
    }

    fn insert(&mut self, path: &str, entry: Entry) -> Result<(), ImageError> {
        self.parents(path)?;
        if self.contains(path) {
            return Err(ImageError::Tree { path: path.to_owned(), reason: "it is there already" });
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    fn parents(&mut self, path: &str) -> Result<(), ImageError> {
        for (at, _) in path.match_indices('/') {
            let parent = path.get(..at).unwrap_or_default();
            match self.entries.get(parent) {
                Some(Entry::Folder { .. }) => {}
                None => {
                    self.entries.insert(parent.to_owned(), Entry::Folder { permissions: 0o755 });
                }
                Some(Entry::File { .. } | Entry::Symlink { .. } | Entry::CharacterDevice { .. }) => {
                    return Err(ImageError::Tree {
                        path: path.to_owned(),
                        reason: "its parent is no folder",
                    });
                }
            }
        }
        Ok(())
    }
}

fn push_entry(
    out: &mut Vec<u8>,
    inode: u32,
    mode: u32,
    links: u32,
    (major, minor): (u32, u32),
    path: &str,
    contents: &[u8],
) {
    // `Tree::file` keeps contents below 4 GiB; names and targets are far shorter.
    let size = u32::try_from(contents.len()).unwrap_or(u32::MAX);
    let name_size = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
    out.extend_from_slice(b"070701");
    for field in [inode, mode, 0, 0, links, 0, size, 0, 0, major, minor, name_size, 0] {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(contents);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let mut tree = Tree::new();
        tree.file("etc/motd", 0o644, b"hello".to_vec()).unwrap();
        tree.symlink("init", "bin/busybox").unwrap();
        tree.character_device("dev/console", 0o600, 5, 1).unwrap();
        tree
    }

    #[test]
    fn parents_are_made_and_paths_are_in_order() {
        assert_eq!(
            sample().paths().collect::<Vec<_>>(),
            ["dev", "dev/console", "etc", "etc/motd", "init"],
            "a folder stands before what is in it"
        );
    }

    #[test]
    fn the_first_header_is_as_the_format_says() {
        let archive = sample().to_newc();
        let header = std::str::from_utf8(&archive[..110]).unwrap();
        assert_eq!(
            header,
            concat!(
                "070701", "00000001", "000041ED", "00000000", "00000000", "00000002", "00000000", "00000000",
                "00000000", "00000000", "00000000", "00000000", "00000004", "00000000"
            )
        );
        assert_eq!(&archive[110..116], b"dev\0\0\0");
        assert_eq!(archive.len() % 4, 0);
    }

    #[test]
    fn a_tree_is_written_with_its_links_and_permissions() {
        let mut tree = sample();
        tree.folder("tmp", 0o1777).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        tree.write_to(&root).unwrap();
        assert_eq!(fs::read(root.join("etc/motd")).unwrap(), b"hello");
        assert_eq!(fs::read_link(root.join("init")).unwrap(), Path::new("bin/busybox"));
        let mode = fs::metadata(root.join("tmp")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o1777);
        assert!(!root.join("dev/console").exists());
    }

    #[test]
    fn a_path_is_taken_once() {
        let mut tree = sample();
        assert!(matches!(tree.file("init", 0o755, Vec::new()), Err(ImageError::Tree { .. })));
        assert!(matches!(tree.file("etc/motd/x", 0o755, Vec::new()), Err(ImageError::Tree { .. })));
        assert!(tree.folder("etc", 0o700).is_ok());
    }

    #[test]
    fn the_same_tree_gives_the_same_octets_whatever_the_order_of_adding() {
        let mut other = Tree::new();
        other.character_device("dev/console", 0o600, 5, 1).unwrap();
        other.symlink("init", "bin/busybox").unwrap();
        other.file("etc/motd", 0o644, b"hello".to_vec()).unwrap();
        assert_eq!(other.to_newc(), sample().to_newc());
    }
}
