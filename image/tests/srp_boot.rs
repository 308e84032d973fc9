//! `srp-boot`, the part of this crate that images carry: what it writes into the boot stack, and what it says of a root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::appliance::Parts;
use image::boot::{Block, BootFile, FlashPath, Priority, Stack, Why};
use image::bundle::{self, Version};
use image::signature::{SigningKey, keygen};

/// A data partition with two entries, the second of which was booted.
struct Flash {
    folder: tempfile::TempDir,
}

impl Flash {
    fn new() -> Self {
        let flash = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(flash.path().join("boot")).expect("a folder");
        let mut stack = Stack::new();
        for (priority, name) in [(10, "a"), (20, "b")] {
            stack.put(at(priority), path(&format!("/{name}.bin")), path("/c.toml")).expect("entered");
        }
        flash.write(&stack);
        fs::write(flash.command_line(), "quiet srp.slot=2 srp.image=/b.bin srp.config=/c.toml\n")
            .expect("written");
        flash
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command_line(&self) -> PathBuf {
        self.path().join("cmdline")
    }

    fn stack(&self) -> Stack {
        BootFile::read(self.path()).expect("readable").stack
    }

    fn write(&self, stack: &Stack) {
        let block = Block { stack: stack.clone(), ..Block::default() };
        fs::write(BootFile::path(self.path()), block.encode().expect("it fits")).expect("written");
    }

    fn srp_boot(&self, act: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_srp-boot"));
        command
            .args(act.split_whitespace())
            .arg(self.path())
            .arg(self.command_line())
            .output()
            .expect("it starts")
    }
}

fn at(priority: u8) -> Priority {
    Priority::new(priority).expect("a priority")
}

fn path(text: &str) -> FlashPath {
    FlashPath::new(text).expect("a path")
}

#[test]
fn the_booted_entry_is_marked_good_also_after_others_were_entered() {
    let flash = Flash::new();
    assert!(!flash.srp_boot("is-good").status.success());
    let mut stack = flash.stack();
    stack.put_first(path("/new.bin"), path("/c.toml")).expect("entered");
    flash.write(&stack);
    let output = flash.srp_boot("good");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "boot entry 20 (/b.bin)\n");
    let good: Vec<_> = flash.stack().entries().iter().map(|entry| entry.good).collect();
    assert_eq!(good, [false, false, true]);
    assert!(flash.srp_boot("is-good").status.success());
}

#[test]
fn an_entry_without_a_root_or_with_a_configuration_that_is_refused_has_no_tries_left() {
    for (act, why) in [("bad", Why::Root), ("unfit", Why::Configuration)] {
        let flash = Flash::new();
        assert!(flash.srp_boot(act).status.success());
        let stack = flash.stack();
        let entry = &stack.entries()[1];
        assert_eq!((entry.tries.number(), entry.good, entry.why.clone()), (0, false, Some(why)));
    }
}

#[test]
fn what_was_booted_and_is_no_entry_any_longer_is_said() {
    let flash = Flash::new();
    fs::write(flash.command_line(), "srp.slot=1 srp.image=/gone.bin srp.config=/c.toml\n").expect("written");
    let before = flash.stack();
    let said = flash.srp_boot("good");
    assert_eq!(
        String::from_utf8_lossy(&said.stderr),
        "srp-boot: no slot of the boot stack has the booted image /gone.bin\n"
    );
    assert_eq!(flash.stack(), before);
    fs::write(flash.command_line(), "quiet\n").expect("written");
    let said = flash.srp_boot("root /nowhere");
    assert!(String::from_utf8_lossy(&said.stderr).contains("the loader named no image"));
    assert!(String::from_utf8_lossy(&flash.srp_boot("").stderr).contains("usage: srp-boot"));
}

#[test]
fn the_root_is_copied_out_of_the_image_unless_it_is_damaged() {
    let flash = Flash::new();
    let file = |name: &str| flash.path().join(name);
    let parts = Parts::in_folder(flash.path());
    let members = [(&parts.kernel, "kernel"), (&parts.initrd, "initrd"), (&parts.root, "hsqs and more")];
    for (path, text) in members {
        fs::write(path, text).expect("written");
    }
    let key = SigningKey::read(&keygen(flash.path(), "test", 1).expect("a key")).expect("a key");
    let recipe = parts.recipe(Version::ours(), Version::ours(), "test");
    bundle::write(&recipe, &key, &file("b.bin")).expect("written");
    let copy = file("copy");
    let root = format!("root {}", copy.display());
    assert!(flash.srp_boot(&root).status.success());
    assert_eq!(fs::read(&copy).expect("copied"), b"hsqs and more");
    let mut octets = fs::read(file("b.bin")).expect("readable");
    let begin = octets.windows(4).position(|four| four == b"hsqs").expect("a root");
    octets[begin] ^= 1;
    fs::write(file("b.bin"), octets).expect("written");
    let output = flash.srp_boot(&root);
    assert!(!output.status.success() && !copy.exists());
    assert!(String::from_utf8_lossy(&output.stderr).contains("b.bin: its root has SHA-256 "));
}

#[test]
fn every_file_of_the_appliance_passes_the_shells_own_check() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("appliance");
    let services = fs::read_dir(folder.join("root/etc/init.d")).expect("readable");
    let tools = fs::read_dir(folder.join("root/usr/lib/srp")).expect("readable");
    let paths = services.chain(tools).map(|entry| entry.expect("readable").path());
    let scripts = paths.filter(|path| fs::read(path).expect("readable").starts_with(b"#!/bin/sh"));
    let mut checked = 0;
    for script in scripts.chain([folder.join("initrd/init")]) {
        let mut shellcheck = Command::new("shellcheck");
        // busybox's `read` has a time limit; settings are where they are in the appliance.
        shellcheck.args(["--exclude=SC1091,SC3045"]).arg(&script);
        let output =
            shellcheck.output().expect("shellcheck is missing: install the Debian package shellcheck");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        checked += 1;
    }
    assert!(checked >= 8, "{checked}");
    let grub = Command::new("grub-script-check").arg(folder.join("loader/grub.cfg")).output();
    let grub = grub.expect("grub-script-check is missing: install the Debian package grub-common");
    assert!(grub.status.success(), "{}", String::from_utf8_lossy(&grub.stderr));
}
