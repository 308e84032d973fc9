//! The appliance: a root file system that is only read, and the initrd that finds it.
//!
//! What holds:
//! - Nothing that lasts is in either: `/flash` has it, and the paths where programs look for it are links that lead there.
//! - The initrd has the drivers that lead to a disk, the root all others.
//!
//! How data moves: the loader (`appliance/loader/grub.cfg`) starts kernel and initrd out of an image file; the initrd
//! (`appliance/initrd/init`) mounts `/flash`, checks the root's digest, copies the root into memory, mounts it and gives way to
//! it; busybox init runs `appliance/root/etc/init.d`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bundle::{Recipe, Version};
use crate::compress::Compression;
use crate::cpio::Tree;
use crate::development::SETTINGS;
use crate::error::ImageError;
use crate::modules::Kernel;
use crate::packages::Cache;
use crate::root::{self, Program, Selection};
use crate::signature::KEYRING;
use crate::{read, squashfs, write};

/// Beside those of every root, [`root::PACKAGES`]: the SSH and the NTP server.
const PACKAGES: [&str; 6] =
    ["dropbear-bin", "libcrypt1", "libgmp10", "libtomcrypt1", "libtommath1", "openntpd"];

/// Beside [`root::PROGRAMS`].
const PROGRAMS: [&str; 5] =
    ["usr/bin/dbclient", "usr/bin/dropbearkey", "usr/sbin/dropbear", "usr/sbin/ntpctl", "usr/sbin/ntpd"];

/// Beside [`root::MODULES`] and what the initrd has loaded.
const MODULES: [&str; 1] = ["virtio_balloon"];

/// First program of the initrd.
pub(crate) const INIT: &[u8] = include_bytes!("../appliance/initrd/init");

/// What leads to a disk and to a root in a file of it.
const DISK_MODULES: [&str; 6] = ["virtio_pci", "virtio_blk", "virtio_scsi", "sd_mod", "loop", "squashfs"];

/// A file of `appliance/root`, by its path there.
macro_rules! root_file {
    ($path:literal, $permissions:literal) => {
        ($path, $permissions, include_bytes!(concat!("../appliance/root/", $path)))
    };
}

const FILES: [(&str, u32, &[u8]); 23] = [
    root_file!("etc/group", 0o644),
    root_file!("etc/inittab", 0o644),
    root_file!("etc/passwd", 0o644),
    root_file!("etc/profile", 0o644),
    root_file!("etc/services", 0o644),
    root_file!("etc/init.d/S20log", 0o755),
    root_file!("etc/init.d/S25watchdog", 0o755),
    root_file!("etc/init.d/S40links", 0o755),
    root_file!("etc/init.d/S55time", 0o755),
    root_file!("etc/init.d/S60ssh", 0o755),
    root_file!("etc/init.d/S90health", 0o755),
    root_file!("etc/init.d/S95upgrade", 0o755),
    root_file!("etc/init.d/rcS", 0o755),
    root_file!("usr/lib/srp/authorized_keys", 0o644),
    root_file!("usr/lib/srp/first-boot", 0o755),
    root_file!("usr/lib/srp/keep-logs-small", 0o755),
    root_file!("usr/lib/srp/settings", 0o644),
    root_file!("usr/lib/srp/shadow", 0o600),
    root_file!("usr/lib/srp/srpd.toml", 0o644),
    root_file!("usr/lib/srp/system.conf", 0o644),
    ("etc/init.d/rcK", 0o755, include_bytes!("../guest/rcK")),
    ("etc/hosts", 0o644, include_bytes!("../guest/hosts")),
    // As in the Buildroot tree.
    ("etc/init.d/S50srpd", 0o755, include_bytes!("../../buildroot-ext/package/srpd/S50srpd")),
];

/// Paths that programs know, and where on `/flash` their contents are.
pub const LINKS: [(&str, &str); 6] = [
    ("etc/dropbear", "/flash/etc/dropbear"),
    ("etc/resolv.conf", "/flash/etc/resolv.conf"),
    ("etc/shadow", "/flash/etc/shadow"),
    ("root/.ssh/authorized_keys", "/flash/etc/authorized_keys"),
    ("root/.ssh/id_dropbear", "/flash/etc/dropbear/id_dropbear"),
    ("root/.ssh/known_hosts", "/flash/etc/known_hosts"),
];

/// What an image is made of, as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The compressed kernel.
    pub kernel: PathBuf,
    /// The first root, which finds the other one.
    pub initrd: PathBuf,
    /// The root: a squashfs.
    pub root: PathBuf,
}

impl Parts {
    /// Where they are in a folder.
    pub fn in_folder(folder: &Path) -> Self {
        let file = |name: &str| folder.join(name);
        Self { kernel: file("vmlinuz"), initrd: file("initrd.img"), root: file("rootfs.squashfs") }
    }

    /// What an image of them is written by.
    pub fn recipe(&self, version: Version, minimum_version: Version, build: &str) -> Recipe {
        Recipe {
            kernel: self.kernel.clone(),
            initrd: self.initrd.clone(),
            root: self.root.clone(),
            version,
            minimum_version,
            build: build.to_owned(),
        }
    }

    /// Makes them in `folder` from Debian's kernel and packages, and returns the packages' names and versions. `programs` go
    /// into the root, `srp_boot` into root and initrd; `keys` are the public keys of whoever signs images.
    pub fn development(
        folder: &Path,
        cache: &Path,
        programs: &[Program],
        srp_boot: &Program,
        keys: &Path,
    ) -> Result<(Self, BTreeMap<String, String>), ImageError> {
        fs::create_dir_all(folder).map_err(ImageError::file(folder))?;
        let parts = Self::in_folder(folder);
        let cache = Cache::new(cache);
        let kernel_package = cache.kernel()?;
        let kernel = Kernel::open(&kernel_package.root)?;
        write(&parts.kernel, &read(&kernel.image)?)?;
        let initrd = initrd(&kernel, &cache, srp_boot)?;
        write(&parts.initrd, &Compression::Gzip.pack(initrd.to_newc())?)?;
        let programs = [programs, std::slice::from_ref(srp_boot)].concat();
        let (mut root, mut packages) = root(&kernel, &cache, &programs)?;
        root.file(KEYRING.trim_start_matches('/'), 0o644, read(keys)?)?;
        write(&parts.root, &squashfs::pack(&root)?)?;
        packages.insert(kernel_package.name, kernel_package.version);
        Ok((parts, packages))
    }
}

/// The root, and the names and versions of the packages it was made from.
fn root(
    kernel: &Kernel,
    cache: &Cache,
    programs: &[Program],
) -> Result<(Tree, BTreeMap<String, String>), ImageError> {
    let mut tree = Tree::new();
    for folder in ["dev", "flash", "proc", "run", "sys", "tmp", "var"] {
        tree.folder(folder, 0o755)?;
    }
    tree.folder("root", 0o700)?;
    tree.folder("root/.ssh", 0o700)?;
    for (path, permissions, contents) in FILES {
        tree.file(path, permissions, contents.to_vec())?;
    }
    tree.file("etc/sysctl.d/90-srp.conf", 0o644, SETTINGS.to_vec())?;
    for (path, target) in LINKS {
        tree.symlink(path, target)?;
    }
    let packages = [&root::PACKAGES[..], &PACKAGES[..]].concat();
    let programs_of_packages = [&root::PROGRAMS[..], &PROGRAMS[..]].concat();
    let modules = [&root::MODULES[..], &MODULES[..], &DISK_MODULES[..]].concat();
    let selection = Selection { packages: &packages, programs: &programs_of_packages, modules: &modules };
    let packages = root::fill(&mut tree, kernel, cache, &selection, programs)?;
    for name in ["getty", "init", "reboot"] {
        tree.symlink(&format!("sbin/{name}"), "../bin/busybox")?;
    }
    Ok((tree, packages))
}

/// The initrd: busybox, the drivers of disks, and `srp-boot`.
fn initrd(kernel: &Kernel, cache: &Cache, srp_boot: &Program) -> Result<Tree, ImageError> {
    let mut tree = first_root()?;
    let selection = Selection { packages: &["busybox-static"], programs: &[], modules: &DISK_MODULES };
    root::fill(&mut tree, kernel, cache, &selection, std::slice::from_ref(srp_boot))?;
    Ok(tree)
}

/// What every initrd is, without its programs: folders, the two devices that init needs before devtmpfs is there, and init.
pub(crate) fn first_root() -> Result<Tree, ImageError> {
    let mut tree = Tree::new();
    for folder in ["flash", "newroot", "proc", "run", "sys"] {
        tree.folder(folder, 0o755)?;
    }
    tree.character_device("dev/console", 0o600, 5, 1)?;
    tree.character_device("dev/null", 0o666, 1, 3)?;
    tree.file("init", 0o755, INIT.to_vec())?;
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_root() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("appliance/root");
        let mut open = vec![folder.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            assert!(FILES.iter().any(|(file, ..)| *file == name), "{name} is not in FILES");
        }
    }
}
