//! Image layout and the builder of the development image.
//!
//! The development image is Debian's cloud kernel and an archive ("initramfs") that is the whole root file system: busybox,
//! iproute2, the kernel modules that srpd and its labs use, and our own static programs. It boots under QEMU with or without
//! KVM; the production image comes from Buildroot (`buildroot-ext/`) and shares the service script with it.
//!
//! What holds:
//! - Building needs no root, installs nothing, and touches only the cache and the output folder.
//! - The same packages and programs give the same octets: paths in order, all times zero, all owners root.
//! - Everything a program in the image is linked with is in the image; a gap is an error of the build, not of the boot.
//!
//! How data moves: [`packages`] fetches and unpacks, [`modules`] and [`elf`] read what the kernel and programs need, `root`
//! puts it in a [`cpio::Tree`], [`compress`] packs it, [`build`] writes it with a manifest. [`overlay`] adds, at the moment
//! a machine is started, what only that machine has.
//!
//! Sources: Linux `Documentation/driver-api/early-userspace/`, `Documentation/filesystems/ramfs-rootfs-initramfs.rst`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

pub mod appliance;
pub mod boot;
pub mod booted;
pub mod bundle;
pub mod compress;
pub mod cpio;
mod development;
mod digest;
pub mod disk;
pub mod elf;
pub mod error;
pub mod flash;
pub mod modules;
pub mod overlay;
pub mod packages;
mod root;
pub mod root_part;
pub mod signature;
mod squashfs;
pub mod target;
mod tool;

pub use compress::Compression;
pub use error::ImageError;
pub use root::Program;

use digest::hex;
use modules::Kernel;
use packages::Cache;

/// What to build an image from, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Static programs of ours. One named `lab` makes the image start `lab agent`, through which a lab commands it.
    pub programs: Vec<Program>,
    /// How the archive is packed.
    pub compression: Compression,
    /// Where packages are kept between builds.
    pub cache: PathBuf,
    /// Where kernel, archive and manifest are written.
    pub out: PathBuf,
}

/// A built image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The kernel, as `qemu -kernel` takes it.
    pub kernel: PathBuf,
    /// The archive, as `qemu -initrd` takes it.
    pub initramfs: PathBuf,
    /// What it consists of.
    pub manifest: Manifest,
}

/// What an image consists of; written beside it as `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Release of the kernel, as `uname -r` says it.
    pub kernel_release: String,
    /// Size and checksum of the kernel.
    pub kernel: FileFacts,
    /// Size and checksum of the archive as it is loaded.
    pub initramfs: FileFacts,
    /// Octets of the archive once unpacked.
    pub unpacked_octets: usize,
    /// Size and checksum of our own programs.
    pub programs: BTreeMap<String, FileFacts>,
    /// Versions of the Debian packages that were used.
    pub packages: BTreeMap<String, String>,
}

/// Size and checksum of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFacts {
    /// Its length.
    pub octets: usize,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl FileFacts {
    fn of(octets: &[u8]) -> Self {
        Self { octets: octets.len(), sha256: hex(&Sha256::digest(octets)) }
    }
}

/// Builds the development image.
pub fn build(recipe: &Recipe) -> Result<Image, ImageError> {
    let cache = Cache::new(&recipe.cache);
    let kernel_package = cache.kernel()?;
    let kernel = Kernel::open(&kernel_package.root)?;
    let (tree, mut packages) = development::assemble(&kernel, &cache, &recipe.programs)?;
    packages.insert(kernel_package.name, kernel_package.version);

    let archive = tree.to_newc();
    let unpacked_octets = archive.len();
    let archive = recipe.compression.pack(archive)?;
    let vmlinuz = read(&kernel.image)?;
    let programs = recipe.programs.iter();
    let programs = programs.map(|program| Ok((program.name.clone(), FileFacts::of(&read(&program.file)?))));
    let manifest = Manifest {
        kernel_release: kernel.release,
        kernel: FileFacts::of(&vmlinuz),
        initramfs: FileFacts::of(&archive),
        unpacked_octets,
        programs: programs.collect::<Result<_, ImageError>>()?,
        packages,
    };

    fs::create_dir_all(&recipe.out).map_err(ImageError::file(&recipe.out))?;
    let image = Image {
        kernel: recipe.out.join("vmlinuz"),
        initramfs: recipe.out.join(format!("initramfs.cpio{}", recipe.compression.suffix())),
        manifest,
    };
    write(&image.kernel, &vmlinuz)?;
    write(&image.initramfs, &archive)?;
    write(&recipe.out.join("manifest.json"), &json(&image.manifest))?;
    Ok(image)
}

fn json(manifest: &impl Serialize) -> Vec<u8> {
    // A tree of texts and numbers with text keys always has a JSON form.
    let mut text = serde_json::to_vec_pretty(manifest).unwrap_or_default();
    text.push(b'\n');
    text
}

fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    fs::read(path).map_err(ImageError::file(path))
}

/// Writes beside the place and renames into it: whoever starts a machine meanwhile sees the old file or the new one.
fn write(path: &Path, octets: &[u8]) -> Result<(), ImageError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(ImageError::file(folder))?;
    std::io::Write::write_all(&mut file, octets).map_err(ImageError::file(path))?;
    file.persist(path).map_err(|error| ImageError::file(path)(error.error))?;
    Ok(())
}
