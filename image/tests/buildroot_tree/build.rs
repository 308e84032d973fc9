//! The scripts that Buildroot calls, run as it calls them: on a target folder with programs of this machine in place of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::appliance::LINKS;
use image::bundle::{Version, examine};
use image::signature::{KEYRING, KeyFiles, Keys};
use image::target::APPLETS;

use super::tree;

/// An output folder of Buildroot, as far as the scripts look at it.
struct BuildFolder {
    folder: tempfile::TempDir,
}

impl BuildFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Self { folder };
        for folder in
            ["build", "host/bin", "images", "target/bin", "target/etc/init.d", "target/lib", "target/usr/bin"]
        {
            fs::create_dir_all(made.path(folder)).expect("a folder");
        }
        symlink(env!("CARGO_BIN_EXE_image"), made.path("host/bin/image")).expect("a link");
        fs::copy("/bin/busybox", made.path("target/bin/busybox")).expect("busybox-static");
        for applet in APPLETS {
            symlink("busybox", made.path("target/bin").join(applet)).expect("a link");
        }
        fs::copy(env!("CARGO_BIN_EXE_srp-boot"), made.path("target/usr/bin/srp-boot")).expect("a program");
        for library in ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2"] {
            let from = Path::new("/lib/x86_64-linux-gnu").join(library);
            fs::copy(from, made.path("target/lib").join(library)).expect("a library of this machine");
        }
        fs::write(made.path("target/usr/.crates.toml"), "").expect("written");
        fs::write(made.path("target/etc/init.d/S50dropbear"), "#!/bin/sh\n").expect("written");
        fs::write(made.path("target/etc/init.d/S50srpd"), "#!/bin/sh\n").expect("written");
        fs::write(made.path("images/bzImage"), b"a kernel").expect("written");
        fs::write(made.path("images/rootfs.squashfs"), vec![7; 5000]).expect("written");
        made
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Debian's GRUB where Buildroot's would be.
    fn with_grub(&self) {
        for platform in ["i386-pc", "x86_64-efi"] {
            let folder = self.path("build/grub2-2.14").join(format!("build-{platform}"));
            fs::create_dir_all(&folder).expect("a folder");
            let modules = Path::new("/usr/lib/grub").join(platform);
            assert!(
                modules.is_dir(),
                "{}: install the Debian packages of scripts/setup --tests",
                modules.display()
            );
            symlink(modules, folder.join("grub-core")).expect("a link");
        }
    }

    fn run(&self, script: &str, argument: &str, more: &[(&str, &str)]) -> Output {
        Command::new("sh")
            .arg(tree().join("board/srp/x86_64").join(script))
            .arg(self.path(argument))
            .env("BR2_EXTERNAL_SRP_PATH", tree())
            .env("BR2_VERSION_FULL", "2026.08")
            .env("BINARIES_DIR", self.path("images"))
            .env("BUILD_DIR", self.path("build"))
            .env("HOST_DIR", self.path("host"))
            .env("TARGET_DIR", self.path("target"))
            .envs(more.iter().copied())
            .output()
            .expect("sh")
    }

    fn made(&self, script: &str, argument: &str) {
        let made = self.run(script, argument, &[]);
        assert!(made.status.success(), "{script}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

#[test]
fn the_target_gets_its_folders_its_release_and_the_key_and_loses_what_packages_would_start() {
    let output = BuildFolder::new();
    output.made("post-build.sh", "target");
    assert!(output.path("target/flash").is_dir());
    assert!(!output.path("target/usr/.crates.toml").exists());
    let release = fs::read_to_string(output.path("target/etc/srp-release")).expect("release");
    assert_eq!(
        release,
        format!("NAME=\"srp\"\nVERSION=\"{}\"\nBUILDROOT=\"2026.08\"\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(output.path("target/etc/init.d/S50srpd").exists());
    assert!(!output.path("target/etc/init.d/S50dropbear").exists());
    let keyring = output.path("target").join(KEYRING.trim_start_matches('/'));
    let key = fs::read(&keyring).expect("a key");
    // A second build has the same key: images of the first can be upgraded to it.
    output.made("post-build.sh", "target");
    assert_eq!(fs::read(&keyring).expect("a key"), key);
}

#[test]
fn a_key_that_is_not_there_ends_the_build() {
    let output = BuildFolder::new();
    let refused = output.run("post-build.sh", "target", &[("SRP_IMAGE_KEY", "/nowhere/release.key")]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("SRP_IMAGE_KEY: /nowhere/release.key does not exist"), "{said}");
}

#[test]
fn what_changes_on_the_appliance_is_a_link_to_flash() {
    let output = BuildFolder::new();
    fs::write(output.path("target/etc/shadow"), "root::0\n").expect("written");
    fs::create_dir_all(output.path("target/etc/dropbear")).expect("a folder");
    output.made("post-fakeroot.sh", "target");
    for (path, leads_to) in LINKS {
        let link = fs::read_link(output.path("target").join(path)).expect("a link");
        assert_eq!(link, Path::new(leads_to), "{path}");
    }
    let mode = fs::metadata(output.path("target/root/.ssh")).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn kernel_and_root_become_a_signed_image_and_a_disk() {
    let output = BuildFolder::new();
    output.with_grub();
    output.made("post-build.sh", "target");
    output.made("post-image.sh", "images");
    let image = output.path(&format!("images/srp-appliance-{}.bin", env!("CARGO_PKG_VERSION")));
    let key = KeyFiles::beside(&output.path("images/keys/development.key"));
    let keys = Keys::read(&key.public).expect("a public key");
    let report = examine(&image, &keys, Version::ours());
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    let manifest = report.bundle.expect("an image").manifest;
    assert_eq!(manifest.build, "buildroot 2026.08");
    assert_eq!(manifest.members["rootfs.squashfs"].size, 5000);
    let disk = fs::read(output.path("images/disk.img")).expect("a disk");
    // A boot sector, a partition table, and GRUB's core behind it.
    assert_eq!((&disk[510..512], &disk[512..520]), (&[0x55, 0xaa][..], &b"EFI PART"[..]));
    assert_ne!(&disk[34 * 512..34 * 512 + 4], &[0; 4]);
}

#[test]
fn a_build_without_grub_says_so() {
    let output = BuildFolder::new();
    output.made("post-build.sh", "target");
    let refused = output.run("post-image.sh", "images", &[]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("no GRUB for i386-pc") && said.contains("BR2_TARGET_GRUB2"), "{said}");
}
