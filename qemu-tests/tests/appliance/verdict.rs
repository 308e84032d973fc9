//! What `show version FILE` says of an image and what the loader does with it are the same.

use std::fs;
use std::path::Path;

use image::appliance::Parts;
use image::boot::Why;
use image::bundle::{self, Version, examine, signature_of};
use lab::vm::appliance::Firmware;

use crate::prepared::release;
use crate::{BUILD, Bench, served};

/// Writes an image and a signature of the right key over it.
fn signed(bench: &Bench, path: &Path, octets: Vec<u8>) {
    fs::write(path, &octets).expect("written");
    fs::write(signature_of(path), bench.prepared.key.sign(octets).expect("signed")).expect("written");
}

#[test]
fn img_2_the_loader_boots_what_is_sound_here_and_nothing_else() {
    let bench = Bench::new();
    let flash = bench.flash();
    bench.good("good.bin");
    // With a small root: the loader does not look at it, and reads the whole file under emulation.
    let (small, parts) = (flash.join("small.bin"), &bench.prepared.parts);
    release(&Parts { root: bench.some_file(), ..parts.clone() }, &bench.prepared.key, BUILD, &small);
    let whole = fs::read(&small).expect("an image");
    let sound = bundle::read(&small).expect("an image");
    // The file is signed as it should be, and what lies in it was changed before that.
    for member in ["vmlinuz", "initrd.img", "vmlinuz.sig"] {
        let place = sound.place(member).expect("a member");
        let mut octets = whole.clone();
        octets[usize::try_from(place.offset + place.size / 2).expect("it fits")] ^= 1;
        signed(&bench, &flash.join(format!("{member}.bin")), octets);
    }
    signed(&bench, &flash.join("short.bin"), whole[..100_000].to_vec());
    fs::write(flash.join("cut.bin"), &whole[..whole.len() / 2]).expect("written");
    fs::rename(signature_of(&small), signature_of(&flash.join("cut.bin"))).expect("renamed");
    fs::remove_file(small).expect("removed");

    let images = ["vmlinuz.bin", "initrd.img.bin", "vmlinuz.sig.bin", "short.bin", "cut.bin", "good.bin"];
    let said = served(bench.start(&images, Firmware::Bios));
    let stack = bench.stack();
    let keys = bench.prepared.key.public();
    for (image, entry) in images.iter().zip(stack.entries()) {
        let report = examine(&flash.join(image), &keys, Version::ours());
        assert_eq!(
            report.loader_boots(),
            entry.good,
            "{image}: {:?}, {:?}\n{said}",
            report.faults,
            entry.why
        );
        let expected = match *image {
            "good.bin" => None,
            "cut.bin" => Some(Why::Signature),
            _ => Some(Why::Kernel),
        };
        assert_eq!(entry.why, expected, "{image}\n{said}");
    }
    assert_eq!(said.matches("srp: kernel").count(), 1, "{said}");
}
