//! The plug is pulled at every step of an installation, and the machine boots.
//!
//! One machine installs, and QEMU keeps the log of its writes. The disk of each moment is then made of it again, and looked at twice: as
//! the loader sees it, which knows no journal, and as Linux does, which replays the journal. Where the stack changes, a machine is
//! started.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use image::boot::{BootFile, Stack};
use image::bundle::{Version, examine, signature_of};
use image::disk::FLASH_OFFSET;
use image::signature::Keys;
use lab::vm::appliance::Firmware;
use lab::vm::writes::{self, Write};

use crate::first_boot::{log_in, run};
use crate::prepared::{done, release};
use crate::{Bench, entered, for_the_loader, hear, stack_for_the_loader, until_good};

const OLD: &str = "/old.bin";
const NEW: &str = "/images/new.bin";
/// How a boot stack begins.
const BEGIN: &[u8] = b"# GRUB Environment Block\n";

fn images(stack: &Stack) -> Vec<String> {
    stack.entries().iter().map(|entry| entry.image.to_string()).collect()
}

/// What the loader finds in the stack; every image of it has to be whole where the loader looks.
fn entered_for_the_loader(disk: &Path, keys: &Keys) -> Vec<String> {
    let images = images(&stack_for_the_loader(disk));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("image.bin");
    for image in &images {
        for (from, to) in [(image.clone(), file.clone()), (format!("{image}.sig"), signature_of(&file))] {
            fs::write(to, for_the_loader(disk, &from)).expect("written");
        }
        let report = examine(&file, keys, Version::ours());
        assert!(report.loader_boots(), "{image}: {:?}", report.faults);
    }
    images
}

/// What Linux finds there after a replay of the journal; every image has to be there.
fn entered_for_linux(disk: &Path) -> Vec<String> {
    let copy = tempfile::NamedTempFile::new().expect("a file");
    fs::copy(disk, copy.path()).expect("copied");
    let place = tempfile::tempdir().expect("a folder");
    let options = format!("loop,offset={FLASH_OFFSET}");
    let mounted = Command::new("mount").args(["-o", &options]).args([copy.path(), place.path()]).status();
    assert!(mounted.expect("mount").success(), "{} cannot be mounted (needs root)", copy.path().display());
    let found = BootFile::read(place.path()).map(|block| {
        let whole = |entry: &image::boot::Entry| entry.image.on(place.path()).exists();
        (images(&block.stack), block.stack.entries().iter().all(whole))
    });
    let unmounted = Command::new("umount").arg(place.path()).status().expect("umount");
    assert!(unmounted.success(), "umount");
    let (images, whole) = done(found);
    assert!(whole, "{images:?}");
    images
}

#[test]
fn the_plug_is_pulled_at_every_step_of_an_installation_and_what_is_entered_is_whole() {
    let mut bench = Bench::new();
    bench.good("old.bin");
    release(&bench.prepared.parts, &bench.prepared.key, "the-new-one", &bench.flash().join("new.bin"));
    bench.write(&entered(&["old.bin"]));
    bench.prepared.disk(&bench.flash(), &bench.disk());
    let moment = bench.folder.path().join("moment.img");
    fs::copy(bench.disk(), &moment).expect("copied");
    let log = bench.folder.path().join("writes.log");
    bench.writes = Some(log.clone());

    let mut machine = bench.switch_on(Firmware::Bios, 256, None);
    until_good(&mut machine);
    log_in(&mut machine);
    // What the start has written is on the disk.
    run(&mut machine, "sync");
    let begin = done(writes::read(&log)).len();
    let copied = run(&mut machine, "srpctl copy /flash/new.bin /flash/images/new.bin");
    assert!(copied.contains("Its signature came with it"), "{copied}");
    let enter = "srpctl boot system priority next image /flash/images/new.bin config /flash/srp/srpd.toml";
    let said = run(&mut machine, enter);
    assert!(said.contains("Boot priority 9 is /flash/images/new.bin"), "{said}");
    drop(machine);
    bench.writes = None;

    let all = done(writes::read(&log));
    let disk = File::options().write(true).open(&moment).expect("the disk of a moment");
    let repeat = |part: &[Write]| part.iter().for_each(|write| write.repeat(&disk).expect("written"));
    let (before, installation) = all.split_at(begin);
    repeat(before);
    let keys = bench.prepared.key.public();
    let (old, new) = (vec![OLD.to_owned()], vec![NEW.to_owned(), OLD.to_owned()]);
    let mut expected = &old;
    let (mut flushes, mut turns) = (0, 0);
    assert_eq!((&entered_for_the_loader(&moment, &keys), &entered_for_linux(&moment)), (expected, expected));
    for (at, write) in installation.iter().enumerate() {
        let turn = write.data.starts_with(BEGIN);
        if turn {
            boots(&mut bench, &moment, OLD);
        }
        write.repeat(&disk).expect("written");
        if turn {
            boots(&mut bench, &moment, NEW);
            expected = &new;
            turns += 1;
        }
        assert_eq!(
            &entered_for_the_loader(&moment, &keys),
            expected,
            "after write {at} of {}",
            installation.len()
        );
        // At the same moment for both: a stack that only one of them sees is one that the next start takes back.
        if turn || write.flush {
            assert_eq!(&entered_for_linux(&moment), expected, "after write {at} of {}", installation.len());
            flushes += usize::from(turns == 0);
        }
    }
    println!("{} writes of an installation, {flushes} flushes before the entry", installation.len());
    assert!(flushes > 3, "the copy waited for the disk {flushes} times");
    assert_eq!(turns, 1, "the stack is written once");
}

/// Starts a machine with the disk of this moment; it has to serve from this image.
fn boots(bench: &mut Bench, moment: &Path, image: &str) {
    fs::copy(moment, bench.disk()).expect("copied");
    let mut machine = bench.switch_on(Firmware::Bios, 256, None);
    hear(&mut machine, &format!("srp: slot 1: {image}"));
    hear(&mut machine, "srpd ready after");
}
