//! The disk: one layout that boots by BIOS and by UEFI, made without root.
//!
//! ```text
//! LBA 0       boot.img, which loads LBA 34     | GPT
//! 17K..1M     core.img (BIOS loader)           partition 1, "BIOS boot"
//! 8 MiB       EFI/BOOT/BOOTX64.EFI (vfat)      partition 2, EFI system partition
//! the rest    /flash (ext4)                    partition 3: images, boot stack, configuration, keys, logs
//! ```
//!
//! The loader knows the third partition of its own disk as `/flash` (`appliance/loader/grub.cfg`). What the build puts there is
//! an image, its signature and a boot stack with one entry; all else is made when the machine first starts.
//!
//! Sources: UEFI 2.10 section 5.3 (GPT) and 3.5.1.1 (`\EFI\BOOT\BOOTX64.EFI`); genimage 16, README.

use std::fs;
use std::path::Path;

use crate::error::ImageError;
use crate::tool::Tool;

mod loader;
mod look;
mod qcow2;

pub use loader::{DEBIAN_MODULES, Loader};
pub use look::{Volume, read_as_loader};
pub use qcow2::write_qcow2;

const GENIMAGE: Tool = Tool::new("genimage", "genimage");

/// Where `/flash` begins on the disk, in octets.
pub const FLASH_OFFSET: u64 = 8 << 20;

/// The least `/flash`: two images, and as much again for what the machine keeps.
pub const LEAST_FLASH_MIB: u32 = 96;

/// What a disk is made of.
#[derive(Clone, Debug)]
pub struct Disk<'a> {
    /// The loader, which has the public key in it.
    pub loader: &'a Loader,
    /// Folder whose contents become `/flash`; owners are kept, so it should be made by whoever is to own it.
    pub flash: &'a Path,
    /// Size of `/flash`.
    pub flash_mib: u32,
}

impl Disk<'_> {
    /// Writes the disk to `out`, a raw image of which only the used parts take room.
    pub fn write(&self, out: &Path) -> Result<(), ImageError> {
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(ImageError::file(folder))?;
        // On the file system of the result: the last step is a rename.
        let scratch =
            tempfile::Builder::new().prefix("disk-").tempdir_in(folder).map_err(ImageError::file(folder))?;
        let place = |name: &str| scratch.path().join(name);
        let input = place("in");
        fs::create_dir(&input).map_err(ImageError::file(&input))?;
        put(&input.join("boot.img"), &self.loader.boot_sector)?;
        put(&input.join("core.img"), &self.loader.bios)?;
        put(&input.join("BOOTX64.EFI"), &self.loader.uefi)?;
        put(&place("genimage.cfg"), self.layout().as_bytes())?;
        let mut command = GENIMAGE.command();
        command.arg("--config").arg(place("genimage.cfg"));
        command.arg("--inputpath").arg(&input).arg("--rootpath").arg(self.flash);
        command.arg("--outputpath").arg(place("out")).arg("--tmppath").arg(place("tmp"));
        GENIMAGE.output(&mut command)?;
        let made = place("out").join("disk.img");
        fs::rename(&made, out).map_err(ImageError::file(out))
    }

    fn layout(&self) -> String {
        include_str!("../../appliance/genimage.cfg").replace("@FLASH_MIB@", &self.flash_mib.to_string())
    }
}

fn put(path: &Path, octets: &[u8]) -> Result<(), ImageError> {
    fs::write(path, octets).map_err(ImageError::file(path))
}
