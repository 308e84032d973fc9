//! A file tree as a read-only, compressed file system: squashfs, by Debian's `mksquashfs`.
//!
//! The same tree gives the same octets with the same version of the tool: all owners root, all times zero.

use std::fs;

use crate::cpio::Tree;
use crate::error::ImageError;
use crate::tool::Tool;

const MKSQUASHFS: Tool = Tool::new("mksquashfs", "squashfs-tools");

/// The file system of a tree. Its device nodes are left out: the kernel's devtmpfs has them.
pub(crate) fn pack(tree: &Tree) -> Result<Vec<u8>, ImageError> {
    let scratch = tempfile::tempdir().map_err(ImageError::file(std::env::temp_dir()))?;
    let (root, packed) = (scratch.path().join("root"), scratch.path().join("root.squashfs"));
    tree.write_to(&root)?;
    MKSQUASHFS.output(
        MKSQUASHFS
            .command()
            .args([&root, &packed])
            .args(["-noappend", "-quiet", "-no-progress", "-no-xattrs"])
            .args(["-all-root", "-all-time", "0", "-mkfs-time", "0", "-root-mode", "0755"])
            .args(["-comp", "xz", "-b", "256K"]),
    )?;
    fs::read(&packed).map_err(ImageError::file(&packed))
}
