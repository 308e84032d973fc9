//! The loader: GRUB for BIOS and for UEFI, with its logic and the public key inside.
//!
//! Nothing of it is on a file system that could be changed: `grub.cfg` lies in an archive within the core image ("memdisk"),
//! which GRUB reads without a signature, and modules are linked in.
//!
//! Sources: GRUB 2.06 manual, sections 19.3 (signatures), 5.6 (embedded configuration); `grub-core/boot/i386/pc/boot.S` and
//! `diskboot.S` for the two block lists that tie the BIOS parts together.

use std::fs;
use std::path::Path;

use crate::error::ImageError;
use crate::tool::Tool;

use super::put;

const GRUB_MKIMAGE: Tool = Tool::new("grub-mkimage", "grub-common");
const TAR: Tool = Tool::new("tar", "tar");

/// Where Debian's packages grub-pc-bin and grub-efi-amd64-bin put GRUB's modules, in a folder for each platform.
pub const DEBIAN_MODULES: &str = "/usr/lib/grub";

/// Logic, terminals, disks and file systems, images, signatures.
const MODULES: [&str; 27] = [
    "boot",
    "configfile",
    "echo",
    "eval",
    "ext2",
    "fat",
    "gcry_rsa",
    "gcry_sha256",
    "gcry_sha512",
    "halt",
    "linux",
    "loadenv",
    "loopback",
    "memdisk",
    "normal",
    "part_gpt",
    "pgp",
    "probe",
    "reboot",
    "regexp",
    "search",
    "search_label",
    "serial",
    "sleep",
    "tar",
    "terminal",
    "test",
];

/// First block of the "BIOS boot" partition: 17 KiB, behind the partition table.
const CORE_BLOCK: u64 = 34;
const BLOCK: usize = 512;

/// The parts of the loader as they stand on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// The first sector's code, 440 octets.
    pub boot_sector: Vec<u8>,
    /// What it loads.
    pub bios: Vec<u8>,
    /// The program that UEFI firmware starts.
    pub uefi: Vec<u8>,
}

impl Loader {
    /// Makes both loaders; they boot what the secret half of `public_key` signed and nothing else. `public_key` is a file
    /// with a binary `OpenPGP` public key (RSA), as `image keygen` writes it; `modules` the folder of GRUB's own, with `i386-pc` and
    /// `x86_64-efi` in it.
    pub fn build(public_key: &Path, modules: &Path) -> Result<Self, ImageError> {
        let scratch = tempfile::tempdir().map_err(ImageError::file(std::env::temp_dir()))?;
        let (folder, archive) = (scratch.path().join("boot/grub"), scratch.path().join("memdisk.tar"));
        fs::create_dir_all(&folder).map_err(ImageError::file(&folder))?;
        put(&folder.join("grub.cfg"), include_bytes!("../../appliance/loader/grub.cfg"))?;
        TAR.output(
            TAR.command()
                .args([
                    "--format=ustar",
                    "--sort=name",
                    "--mtime=@0",
                    "--owner=0",
                    "--group=0",
                    "--mode=a=rX",
                ])
                .arg("-C")
                .arg(scratch.path())
                .arg("-cf")
                .arg(&archive)
                .arg("boot"),
        )?;
        let core = |format: &'static str, package: &'static str, more: &[&str]| {
            let modules = modules.join(format);
            if !modules.is_dir() {
                return Err(ImageError::NoTool { tool: format, package });
            }
            let out = scratch.path().join(format);
            let mut command = GRUB_MKIMAGE.command();
            command.args(["-O", format, "-p", "(memdisk)/boot/grub"]);
            command
                .arg("-d")
                .arg(&modules)
                .arg("-k")
                .arg(public_key)
                .arg("-m")
                .arg(&archive)
                .arg("-o")
                .arg(&out);
            GRUB_MKIMAGE.output(command.args(MODULES).args(more))?;
            fs::read(&out).map_err(ImageError::file(&out))
        };
        let bios = core("i386-pc", "grub-pc-bin", &["biosdisk"])?;
        let uefi = core("x86_64-efi", "grub-efi-amd64-bin", &[])?;
        let first = modules.join("i386-pc/boot.img");
        let boot_sector = fs::read(&first).map_err(ImageError::file(&first))?;
        Self::tie(boot_sector, bios, uefi).ok_or(ImageError::LoaderLayout { file: first })
    }

    /// Tells the first sector where the core is, and the core's first sector where the rest of it is.
    fn tie(mut boot_sector: Vec<u8>, mut bios: Vec<u8>, uefi: Vec<u8>) -> Option<Self> {
        /// Of the address of the core's first block in boot.img.
        const KERNEL_SECTOR: usize = 0x5c;
        /// Of the jump that is taken where the firmware does not say which disk it is: two NOPs, to trust it.
        const DRIVE_CHECK: usize = 0x66;
        /// Where the partition table of an MBR begins.
        const CODE: usize = 440;
        let blocks = bios.len().div_ceil(BLOCK);
        bios.resize(blocks * BLOCK, 0);
        boot_sector.get_mut(KERNEL_SECTOR..KERNEL_SECTOR + 8)?.copy_from_slice(&CORE_BLOCK.to_le_bytes());
        boot_sector.get_mut(DRIVE_CHECK..DRIVE_CHECK + 2)?.copy_from_slice(&[0x90, 0x90]);
        boot_sector.truncate(CODE);
        // The last entry of the first block's list: start (8), length in blocks (2), segment (2, as it is).
        bios.get_mut(BLOCK - 12..BLOCK - 4)?.copy_from_slice(&(CORE_BLOCK + 1).to_le_bytes());
        let rest = u16::try_from(blocks - 1).ok()?;
        bios.get_mut(BLOCK - 4..BLOCK - 2)?.copy_from_slice(&rest.to_le_bytes());
        Some(Self { boot_sector, bios, uefi })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_parts_for_bios_find_each_other() {
        let loader = Loader::tie(vec![1; 512], vec![2; 1300], Vec::new()).unwrap();
        assert_eq!(loader.boot_sector.len(), 440);
        assert_eq!(loader.boot_sector[0x5c..0x64], 34_u64.to_le_bytes());
        assert_eq!(loader.bios.len(), 3 * 512);
        assert_eq!(loader.bios[500..508], 35_u64.to_le_bytes());
        assert_eq!(loader.bios[508..510], [2, 0]);
    }

    #[test]
    fn what_is_no_loader_is_refused() {
        assert_eq!(Loader::tie(vec![0; 80], vec![0; 512], Vec::new()), None);
        assert_eq!(Loader::tie(vec![0; 512], Vec::new(), Vec::new()), None);
    }
}
