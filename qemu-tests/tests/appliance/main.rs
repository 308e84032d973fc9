//! The appliance's disk in machines of its own: it boots by BIOS and by UEFI, and what is wrong with an image makes the loader
//! or the initrd take the next one.
//!
//! Needs qemu-system-x86_64, ovmf, genimage, mtools, dosfstools, squashfs-tools, grub-pc-bin, grub-efi-amd64-bin and Debian's
//! package lists; fails naming what is missing.

mod first_boot;
mod operator;
mod pair;
mod power;
mod prepared;
mod services;
mod upgrade;
mod upgrade_refusals;
mod verdict;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::appliance::Parts;
use image::boot::{Block, BootFile, Entry, FlashPath, Priority, Stack, Why};
use image::bundle::signature_of;
use image::cpio::Tree;
use image::disk::{FLASH_OFFSET, Volume, read_as_loader};
use lab::netns::Netns;
use lab::vm::appliance::{Appliance, Firmware, Hardware};
use prepared::{Prepared, done, release, strange_key};

/// Longest wait for the next step of a boot, on a host that is busy with something else.
const LIMIT: Duration = Duration::from_secs(150);

/// What the images of most tests say of their build.
const BUILD: &str = "test";

/// One disk, with the folder that it is made from.
struct Bench {
    prepared: Prepared,
    folder: tempfile::TempDir,
    /// Where a machine's writes are logged.
    writes: Option<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("flash/boot")).expect("a folder");
        Self { prepared: Prepared::get(), folder, writes: None }
    }

    fn flash(&self) -> PathBuf {
        self.folder.path().join("flash")
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.img")
    }

    /// The appliance itself, signed, as an image file.
    fn good(&self, name: &str) {
        release(&self.prepared.parts, &self.prepared.key, BUILD, &self.flash().join(name));
    }

    /// Enters images in this order, makes the disk, and switches a machine on.
    fn start(&self, images: &[&str], firmware: Firmware) -> Appliance {
        self.write(&entered(images));
        self.boot(firmware, 256)
    }

    /// Something that is no file system.
    fn some_file(&self) -> PathBuf {
        let path = self.folder.path().join("some-file");
        fs::write(&path, vec![7; 100_000]).expect("written");
        path
    }

    fn write(&self, stack: &Stack) {
        let block = Block { stack: stack.clone(), ..Block::default() };
        fs::write(BootFile::path(&self.flash()), block.encode().expect("it fits")).expect("written");
    }

    fn boot(&self, firmware: Firmware, memory_mib: u32) -> Appliance {
        self.prepared.disk(&self.flash(), &self.disk());
        self.switch_on(firmware, memory_mib, None)
    }

    /// Switches a machine on with the disk as it is.
    fn switch_on(&self, firmware: Firmware, memory_mib: u32, network: Option<&Netns>) -> Appliance {
        let (disk, choice) = (self.disk(), &self.prepared.choice);
        let hardware = Hardware {
            disk: &disk,
            firmware,
            memory_mib,
            choice,
            folder: self.folder.path(),
            direct: None,
            network,
            writes: self.writes.as_deref(),
        };
        done(Appliance::start(&hardware))
    }

    /// The name of the disk's /flash, as the loader tells it to Linux.
    fn uuid(&self) -> String {
        /// Of the superblock of ext4, and of the name in it (Linux Documentation/filesystems/ext4/super.rst).
        const UUID: u64 = 1024 + 0x68;
        let mut octets = [0; 16];
        let disk = File::open(self.disk()).expect("readable");
        disk.read_exact_at(&mut octets, FLASH_OFFSET + UUID).expect("readable");
        let hex: String = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]).map(digit).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// The boot stack as it is on the disk, as the loader reads it.
    fn stack(&self) -> Stack {
        stack_for_the_loader(&self.disk())
    }
}

/// A file on a disk as the loader reads it.
fn for_the_loader(disk: &Path, path: &str) -> Vec<u8> {
    done(read_as_loader(disk, Volume::Flash, path)).unwrap_or_else(|| panic!("GRUB finds no {path}"))
}

/// The boot stack of a disk as the loader reads it.
fn stack_for_the_loader(disk: &Path) -> Stack {
    Block::decode(&for_the_loader(disk, "/boot/boot.sys")).expect("a whole boot stack").stack
}

/// A boot stack with these images in this order.
fn entered(images: &[&str]) -> Stack {
    let mut stack = Stack::new();
    for (priority, image) in (10..).step_by(10).zip(images) {
        let path = |text: &str| FlashPath::new(text).expect("a path");
        let priority = Priority::new(priority).expect("a priority");
        stack.put(priority, path(&format!("/{image}")), path("/srp/srpd.toml")).expect("entered");
    }
    stack
}

/// A first root whose first program says so and starts the machine anew.
fn restless() -> Vec<u8> {
    const INIT: &[u8] = b"#!/bin/busybox sh\necho 'restless: once more' >/dev/console\nbusybox reboot -f\n";
    let busybox = fs::read("/bin/busybox").expect("/bin/busybox: install the Debian package busybox-static");
    let mut tree = Tree::new();
    done(tree.character_device("dev/console", 0o600, 5, 1));
    done(tree.file("bin/busybox", 0o755, busybox));
    done(tree.file("init", 0o755, INIT.to_vec()));
    tree.to_newc()
}

fn hear(machine: &mut Appliance, wanted: &str) -> Duration {
    done(machine.hear(wanted, LIMIT))
}

/// Waits for the machine to serve and to have marked its slot.
fn until_good(machine: &mut Appliance) {
    hear(machine, "srpd ready after");
    hear(machine, "srp-boot: boot entry");
}

/// The same, and switches it off.
fn served(mut machine: Appliance) -> String {
    until_good(&mut machine);
    machine.said().to_owned()
}

/// Hears the first start of the slot `/v1.bin`: it is good once `srpd` answers, and not before.
fn first_start(bench: &Bench, machine: &mut Appliance, firmware: Firmware) {
    let loader = hear(machine, "srp: loader");
    let kernel = hear(machine, "srp: kernel");
    // Before anything of the image runs, the loader has counted.
    assert_eq!(facts(&bench.stack().entries()[0]), (2, false, None));
    let ready = hear(machine, "srpd ready after");
    hear(machine, "srp-boot: boot entry 10 (/v1.bin)");
    assert_eq!(facts(&bench.stack().entries()[0]), (3, true, None));
    println!("{firmware:?}: seconds after the start of QEMU, {}", bench.prepared.choice);
    println!("  loader {loader:.1?}, kernel {kernel:.1?}, srpd ready {ready:.1?}");
}

fn digit(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).expect("four bits")
}

fn facts(entry: &Entry) -> (u8, bool, Option<Why>) {
    (entry.tries.number(), entry.good, entry.why.clone())
}

#[test]
fn without_a_loader_the_same_kernel_and_initrd_find_the_image_on_the_disk() {
    let bench = Bench::new();
    bench.good("v1.bin");
    bench.prepared.disk(&bench.flash(), &bench.disk());
    let line = format!("console=ttyS0 quiet panic=5 srp.slot=0 srp.image=/v1.bin srp.flash={}", bench.uuid());
    let (disk, parts) = (bench.disk(), &bench.prepared.parts);
    let mut machine = done(Appliance::start(&Hardware {
        disk: &disk,
        firmware: Firmware::Bios,
        memory_mib: 256,
        choice: &bench.prepared.choice,
        folder: bench.folder.path(),
        direct: Some((&parts.kernel, &parts.initrd, &line)),
        network: None,
        writes: None,
    }));
    let ready = hear(&mut machine, "srpd ready after");
    println!("direct kernel: srpd ready {ready:.1?} after the start of QEMU, {}", bench.prepared.choice);
}

#[test]
fn what_the_loader_cannot_trust_is_passed_over_with_its_reason_and_no_kernel_of_it_runs() {
    let bench = Bench::new();
    let flash = bench.flash();
    // Small ones: nothing of them is looked at before the signature over the whole file.
    let some = || bench.some_file();
    let small = Parts { kernel: some(), initrd: some(), root: some() };
    let key = &bench.prepared.key;
    release(&small, key, BUILD, &flash.join("unsigned.bin"));
    fs::remove_file(signature_of(&flash.join("unsigned.bin"))).expect("removed");
    release(&small, &strange_key(), BUILD, &flash.join("stranger.bin"));
    release(&small, key, BUILD, &flash.join("flipped.bin"));
    flip(&flash.join("flipped.bin"));
    bench.good("good.bin");
    let images = ["absent.bin", "unsigned.bin", "stranger.bin", "flipped.bin", "good.bin"];
    let said = served(bench.start(&images, Firmware::Bios));
    assert_eq!(said.matches("srp: kernel").count(), 1, "{said}");
    let stack = bench.stack();
    let why: Vec<_> = stack.entries().iter().map(|entry| entry.why.clone()).collect();
    let signature = Some(Why::Signature);
    assert_eq!(why, [Some(Why::Missing), signature.clone(), signature.clone(), signature, None]);
    assert!(stack.entries()[4].good);
}

/// Changes one bit near the end, in the root: nothing that is executed before the root is mounted.
fn flip(image: &Path) {
    let mut octets = fs::read(image).expect("readable");
    let at = octets.len() - 50_000;
    octets[at] ^= 1;
    fs::write(image, octets).expect("written");
}

/// All of them in one row: each start of a machine takes its time.
#[test]
fn a_slot_that_cannot_serve_is_given_up_with_its_reason_and_the_next_one_is_booted() {
    let bench = Bench::new();
    let (flash, parts, key) = (bench.flash(), &bench.prepared.parts, &bench.prepared.key);
    // The appliance's kernel with a first program that starts over at once: nothing ever marks it good.
    let initrd = bench.folder.path().join("restless.cpio");
    fs::write(&initrd, restless()).expect("written");
    let parts = Parts { root: bench.some_file(), ..parts.clone() };
    release(&Parts { initrd, ..parts.clone() }, key, BUILD, &flash.join("restless.bin"));
    // Signed as it should be, and good so far: but what it has for a root is none.
    release(&parts, key, BUILD, &flash.join("rootless.bin"));
    for name in ["new.bin", "good.bin"] {
        bench.good(name);
    }
    // A configuration of a newer release, which srpd refuses.
    fs::create_dir_all(flash.join("srp")).expect("a folder");
    let newer = "[srp]\nchassis-mode = \"backup\"\nof-a-newer-release = true\n";
    fs::write(flash.join("srp/newer.toml"), newer).expect("written");
    let mut stack = entered(&["restless.bin", "rootless.bin", "new.bin", "good.bin"]);
    let [_, rootless, new, _] = stack.entries() else { panic!("four entries") };
    let (rootless, new) = (rootless.priority, new.priority);
    stack.mark_good(rootless).expect("marked");
    stack.remove(new).expect("there");
    let path = |text: &str| FlashPath::new(text).expect("a path");
    stack.put(new, path("/new.bin"), path("/srp/newer.toml")).expect("entered");
    bench.write(&stack);

    let mut machine = bench.boot(Firmware::Bios, 256);
    for _ in 0..3 {
        hear(&mut machine, "restless: once more");
    }
    hear(&mut machine, "srp: slot 2: /rootless.bin: cannot mount its root");
    hear(&mut machine, "srp: srpd refuses /flash/srp/newer.toml");
    let said = served(machine);
    assert_eq!(said.matches("restless: once more").count(), 3, "{said}");
    assert!(said.contains("of-a-newer-release"), "{said}");
    let stack = bench.stack();
    let found: Vec<_> = stack.entries().iter().map(facts).collect();
    let given_up = |why| (0, false, Some(why));
    let expected = [given_up(Why::Tries), given_up(Why::Root), given_up(Why::Configuration), (3, true, None)];
    assert_eq!(found, expected);
}

#[test]
fn without_a_boot_stack_that_can_be_read_the_first_signed_image_is_booted() {
    let bench = Bench::new();
    fs::write(bench.flash().join("another.bin"), "no image").expect("written");
    bench.good("good.bin");
    fs::write(BootFile::path(&bench.flash()), [0xff; 4096]).expect("written");
    let mut machine = bench.boot(Firmware::Uefi, 256);
    hear(&mut machine, "srp: no slot is left");
    hear(&mut machine, "srpd ready after");
    assert!(machine.said().contains("srp: slot 0: /good.bin"), "{}", machine.said());
}
