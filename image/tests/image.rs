//! The development image as a whole: the same inputs give the same octets, and other tools can read what we wrote.
//!
//! Needs Debian's package lists (`apt-get update`) and the cpio tool. Stand-in scripts take the place of our programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use image::{Compression, Image, ImageError, Program, Recipe};

fn cache() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("image-cache")
}

fn recipe(folder: &Path, compression: Compression) -> Recipe {
    let program = |name: &str| {
        let file = folder.join(name);
        fs::write(&file, "#!/bin/sh\nexec sleep 1000\n").expect("written");
        Program { name: name.to_owned(), file }
    };
    Recipe {
        programs: vec![program("srpd"), program("srpctl"), program("lab")],
        compression,
        cache: cache(),
        out: folder.join("out"),
    }
}

fn build(folder: &Path, compression: Compression) -> Image {
    image::build(&recipe(folder, compression)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_same_inputs_give_the_same_octets() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let [first, second] = folders.each_ref().map(|folder| {
        let image = build(folder.path(), Compression::Gzip);
        let read = |path: &Path| fs::read(path).expect("readable");
        let manifest = image.initramfs.with_file_name("manifest.json");
        (read(&image.kernel), read(&image.initramfs), read(&manifest))
    });
    assert!(first == second);
}

#[test]
fn cpio_reads_the_archive_and_finds_what_a_boot_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let image = build(folder.path(), Compression::None);
    let archive = fs::read(&image.initramfs).expect("readable");
    assert_eq!(archive.len(), image.manifest.unpacked_octets);
    assert!(archive.len() < 40_000_000, "{} octets", archive.len());
    let mut cpio = Command::new("cpio")
        .args(["--list", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cpio is missing: install the Debian package cpio");
    let mut input = cpio.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(&archive));
    let output = cpio.wait_with_output().expect("cpio ends");
    writer.join().expect("joins").expect("cpio reads all");
    assert!(output.status.success());
    let list = String::from_utf8(output.stdout).expect("text");
    let release = &image.manifest.kernel_release;
    for path in [
        "init",
        "dev/console",
        "etc/inittab",
        "etc/init.d/rcS",
        "usr/bin/srpd",
        "usr/sbin/ip",
        "lib64/ld-linux-x86-64.so.2",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(
        ["modules.dep", "modules.alias", "kernel/drivers/net/dummy.ko", "kernel/net/sched/sch_netem.ko"]
            .map(|file| format!("lib/modules/{release}/{file}")),
    ) {
        assert!(list.lines().any(|line| line == path), "no {path} in the archive");
    }
}

#[test]
fn a_program_that_needs_shared_libraries_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), Compression::None);
    // This test itself is linked dynamically.
    recipe.programs[0].file = std::env::current_exe().expect("own path");
    let error = image::build(&recipe).expect_err("refused");
    assert!(matches!(error, ImageError::NotStatic { .. }), "{error}");
    assert!(error.to_string().contains("scripts/build-static"), "{error}");
}

#[test]
fn a_missing_program_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut recipe = recipe(folder.path(), Compression::None);
    recipe.programs[1].file = folder.path().join("nowhere/srpctl");
    let error = image::build(&recipe).expect_err("missing").to_string();
    assert!(error.contains("nowhere/srpctl") && error.contains("scripts/build-static"), "{error}");
}
