//! The boot stack beside GRUB's own program for its file, `grub-editenv`, which shares its code with the loader's `save_env`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use image::boot::{BootFile, FlashPath, Priority, Tries, Why, file};

/// Runs `grub-editenv FILE WORDS...`, and fails by name where it is not installed.
fn grub_editenv(file: &Path, words: &[&str]) -> String {
    let output = Command::new("grub-editenv").arg(file).args(words).output();
    let output = output.expect("grub-editenv runs: install the Debian package grub-common");
    assert!(output.status.success(), "grub-editenv {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn path(name: &str) -> FlashPath {
    FlashPath::new(name).expect("a path")
}

/// Ten entries with long names; priorities 91 to 100.
fn fill(flash: &Path) {
    file::change::<_, file::FileError>(flash, |block| {
        for number in 91..=100 {
            let image = path(&format!("/images/{}-{number}.bin", "x".repeat(90)));
            let config = path(&format!("/{number}.toml"));
            block.stack.put(Priority::new(number).expect("1 to 100"), image, config).expect("there is room");
        }
        Ok(())
    })
    .expect("written");
}

#[test]
fn img_3_grub_reads_every_value_of_ten_long_entries() {
    let flash = tempfile::tempdir().expect("a folder");
    fill(flash.path());
    let listed = grub_editenv(&BootFile::path(flash.path()), &["list"]);
    let listed: BTreeMap<_, _> = listed.lines().filter_map(|line| line.split_once('=')).collect();
    let block = BootFile::read(flash.path()).expect("a boot stack");
    for (slot, entry) in (1..).zip(block.stack.entries()) {
        let of = |field: &str| listed[format!("s{slot}_{field}").as_str()];
        assert_eq!(of("prio"), entry.priority.to_string());
        assert_eq!((of("img"), of("cfg")), (entry.image.as_str(), entry.config.as_str()));
        assert_eq!((of("tries"), of("ok"), of("why")), ("3", "0", ""));
    }
    assert_eq!(listed.len(), 60);
}

#[test]
fn what_grub_writes_is_read_and_the_file_keeps_its_size() {
    let flash = tempfile::tempdir().expect("a folder");
    fill(flash.path());
    let file = BootFile::path(flash.path());
    // What the loader does: a try less, and why it passed over.
    grub_editenv(&file, &["set", "s1_tries=0", "s1_why=tries"]);
    grub_editenv(&file, &["set", "s2_why=signature"]);
    grub_editenv(&file, &["set", "s3_tries=2", "strange=a \\ b"]);
    grub_editenv(&file, &["unset", "s10_why"]);
    assert_eq!(std::fs::metadata(&file).expect("it is there").len(), 4096);

    let block = BootFile::read(flash.path()).expect("a boot stack");
    let entries = block.stack.entries();
    assert_eq!((entries[0].tries, &entries[0].why), (Tries::NONE, &Some(Why::Tries)));
    assert_eq!((entries[1].tries, &entries[1].why), (Tries::ALL, &Some(Why::Signature)));
    assert_eq!(entries[2].tries, Tries::new(2).expect("0 to 3"));
    assert_eq!(block.others, BTreeMap::from([("strange".to_owned(), "a \\ b".to_owned())]));
    assert_eq!(block.stack.next_boot().expect("one is left").priority.number(), 92);

    // And back: what we write then is what GRUB reads.
    file::change::<_, file::FileError>(flash.path(), |block| {
        block.stack.remove(Priority::new(91).expect("1 to 100")).expect("there is such an entry");
        Ok(())
    })
    .expect("written");
    let listed = grub_editenv(&file, &["list"]);
    assert!(listed.contains("s1_prio=92\n") && listed.contains("s1_why=signature\n"), "{listed}");
    assert!(listed.contains("s2_tries=2\n") && !listed.contains("s10_"), "{listed}");
    assert!(listed.contains("strange=a \\ b\n"), "{listed}");
}

#[test]
fn a_file_that_grub_made_is_read_once_it_has_our_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("env");
    grub_editenv(&file, &["create"]);
    grub_editenv(&file, &["set", "s1_img=/a.bin", "s1_cfg=/a.toml", "s1_prio=9", "s1_tries=3", "s1_ok=1"]);
    let mut octets = std::fs::read(&file).expect("it is there");
    octets.resize(4096, b'#');
    let block = image::boot::Block::decode(&octets).expect("a boot stack");
    assert!(block.stack.entries()[0].good);
}
