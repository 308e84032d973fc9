//! The root file system of the development image: which packages, which modules, which files.

use std::collections::BTreeMap;

use crate::cpio::Tree;
use crate::error::ImageError;
use crate::modules::Kernel;
use crate::packages::Cache;
use crate::root::{self, Program, Selection};

/// Modules of this image beside those of every root, [`root::MODULES`]: what leads to the lab's disks, and what it looks at links
/// with.
const MODULES: [&str; 5] = ["virtio_pci", "virtio_blk", "af_packet_diag", "loop", "nlmon"];

pub(crate) const SETTINGS: &[u8] =
    include_bytes!("../../buildroot-ext/board/srp/x86_64/rootfs-overlay/etc/sysctl.d/90-srp.conf");

/// Small files of our own: path, permission bits, contents.
const FILES: [(&str, u32, &[u8]); 8] = [
    ("etc/init.d/rcS", 0o755, include_bytes!("../guest/rcS")),
    ("etc/init.d/rcK", 0o755, include_bytes!("../guest/rcK")),
    ("etc/passwd", 0o644, include_bytes!("../guest/passwd")),
    ("etc/group", 0o644, include_bytes!("../guest/group")),
    ("etc/hosts", 0o644, include_bytes!("../guest/hosts")),
    ("etc/profile", 0o644, include_bytes!("../guest/profile")),
    // As in the production image: its service script and its kernel settings.
    ("etc/init.d/S50srpd", 0o755, include_bytes!("../../buildroot-ext/package/srpd/S50srpd")),
    ("etc/sysctl.d/90-srp.conf", 0o644, SETTINGS),
];

/// The tree of the image, and the names and versions of the packages it was made from.
pub(crate) fn assemble(
    kernel: &Kernel,
    cache: &Cache,
    programs: &[Program],
) -> Result<(Tree, BTreeMap<String, String>), ImageError> {
    let mut tree = Tree::new();
    skeleton(&mut tree, programs.iter().any(|program| program.name == "lab"))?;
    let modules = [&root::MODULES[..], &MODULES[..]].concat();
    let selection = Selection { packages: &root::PACKAGES, programs: &root::PROGRAMS, modules: &modules };
    let packages = root::fill(&mut tree, kernel, cache, &selection, programs)?;
    // The kernel starts /init.
    tree.symlink("init", "bin/busybox")?;
    Ok((tree, packages))
}

fn skeleton(tree: &mut Tree, with_agent: bool) -> Result<(), ImageError> {
    for folder in ["dev", "etc/srp", "proc", "root", "run", "sys", "var/lib/srp", "var/log"] {
        tree.folder(folder, 0o755)?;
    }
    tree.folder("tmp", 0o1777)?;
    tree.symlink("var/run", "../run")?;
    // Before devtmpfs is there, init talks to these.
    tree.character_device("dev/console", 0o600, 5, 1)?;
    tree.character_device("dev/null", 0o666, 1, 3)?;
    for (path, permissions, contents) in FILES {
        tree.file(path, permissions, contents.to_vec())?;
    }
    let mut inittab = include_bytes!("../guest/inittab").to_vec();
    if with_agent {
        inittab.extend_from_slice(b"::respawn:/usr/bin/lab agent\n");
    }
    tree.file("etc/inittab", 0o644, inittab)
}
