//! An image: one file, `NAME.bin`, with its signature beside it, `NAME.bin.sig`.
//!
//! ```text
//! NAME.bin          a plain ustar file; GRUB reads kernel and initrd out of it, the initrd copies the root out of it
//!   manifest.json   what it is, and size and SHA-256 of every other member
//!   vmlinuz         vmlinuz.sig       the kernel, and what the loader checks before it loads it
//!   initrd.img      initrd.img.sig    the first root file system
//!   rootfs.squashfs                   the real one, read-only
//! NAME.bin.sig      over all of it; the loader checks this before it looks into the file
//! ```
//!
//! What holds:
//! - Members are exactly these, in this order; nothing follows them but the two blocks of zeros that end a tar file.
//! - The same members and key give the same octets.
//! - [`examine`] finds an image sound only if the loader will boot it, and if it is for this product, machine and release.
//!
//! How data moves: [`write()`] reads each member once for its digest and once more to write it, and never holds one that is not
//! signed; [`read()`] walks the headers; [`examine`] reads everything in pieces.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

mod error;
mod examine;
mod read;
mod version;
mod write;

pub use error::{BundleError, What};
pub use examine::{Report, examine};
pub use read::{Bundle, Place, read, read_from};
pub use version::{Version, VersionError};
pub use write::{Recipe, write};

/// The product of our images.
pub const PRODUCT: &str = "srp-appliance";
/// The machine of our images.
pub const ARCHITECTURE: &str = "x86_64";
/// The form of the manifest that this release writes and reads.
pub const FORMAT: u32 = 1;

/// Its first member.
pub const MANIFEST: &str = "manifest.json";
/// The kernel.
pub const KERNEL: &str = "vmlinuz";
/// What the loader verifies it by.
const KERNEL_SIGNATURE: &str = "vmlinuz.sig";
/// The first root file system.
pub const INITRD: &str = "initrd.img";
/// What the loader verifies it by.
const INITRD_SIGNATURE: &str = "initrd.img.sig";
/// The real root file system.
pub const ROOT: &str = "rootfs.squashfs";

/// All members, in their order.
pub const MEMBERS: [&str; 6] = [MANIFEST, KERNEL, KERNEL_SIGNATURE, INITRD, INITRD_SIGNATURE, ROOT];

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Form of this text; [`FORMAT`].
    pub format: u32,
    /// Whose image it is; [`PRODUCT`].
    pub product: String,
    /// The machine that it runs on; [`ARCHITECTURE`].
    pub architecture: String,
    /// Its release.
    pub version: Version,
    /// Which build of that release: what `git describe` says, or what the builder was told.
    pub build: String,
    /// The oldest release that can be upgraded to it directly.
    pub minimum_version: Version,
    /// Every other member.
    pub members: BTreeMap<String, Member>,
}

/// Size and checksum of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Octets.
    pub size: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

/// Where the signature of a file is: the same name with `.sig` behind it, as GRUB looks for it.
pub fn signature_of(file: &Path) -> std::path::PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}
