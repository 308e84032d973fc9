//! The initrd out of a target folder that Buildroot has filled: its busybox, its `srp-boot`, and the libraries they need.
//!
//! The kernel of that build has the drivers of disks built in, so there are no modules. Nothing of the target is run: what busybox
//! can do is told by the links to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::appliance::first_root;
use crate::compress::Compression;
use crate::cpio::Tree;
use crate::error::ImageError;
use crate::root::{add_libraries, needed, resolve};
use crate::{read, write};

/// Where a target has programs.
const PROGRAM_FOLDERS: [&str; 4] = ["bin", "sbin", "usr/bin", "usr/sbin"];

/// Where it has libraries.
const LIBRARY_FOLDERS: [&str; 3] = ["lib", "usr/lib", "lib64"];

/// What `appliance/initrd/init` calls.
pub const APPLETS: [&str; 13] = [
    "cat",
    "cttyhack",
    "findfs",
    "grep",
    "losetup",
    "mount",
    "poweroff",
    "reboot",
    "setsid",
    "sh",
    "sleep",
    "switch_root",
    "umount",
];

/// Makes the initrd of a target folder and writes it, packed, to `out`.
pub fn write_initrd(target: &Path, out: &Path) -> Result<(), ImageError> {
    write(out, &Compression::Gzip.pack(initrd(target)?.to_newc())?)
}

fn initrd(target: &Path) -> Result<Tree, ImageError> {
    let mut tree = first_root()?;
    // The loader of programs is asked for in lib64, and looks for libraries in lib.
    tree.folder("lib", 0o755)?;
    tree.symlink("lib64", "lib")?;
    let mut libraries = Vec::new();
    for (name, place) in [("busybox", "bin/busybox"), ("srp-boot", "usr/bin/srp-boot")] {
        let file = target.join(place);
        let contents = read(&file)?;
        libraries.extend(needed(&file, &contents)?.into_iter().map(|library| (library, name.to_owned())));
        tree.file(place, 0o755, contents)?;
    }
    let applets = applets(target)?;
    if let Some(applet) = APPLETS.into_iter().find(|applet| !applets.contains(*applet)) {
        return Err(ImageError::NoApplet { target: target.to_owned(), applet });
    }
    for applet in &applets {
        tree.symlink(&format!("bin/{applet}"), "busybox")?;
    }
    if libraries.is_empty() {
        return Ok(tree);
    }
    let find =
        |library: &str| LIBRARY_FOLDERS.iter().find_map(|folder| resolve(&target.join(folder).join(library)));
    add_libraries(&mut tree, libraries, find, |library| format!("lib/{library}"))?;
    Ok(tree)
}

/// The links to busybox.
fn applets(target: &Path) -> Result<BTreeSet<String>, ImageError> {
    let mut found = BTreeSet::new();
    for folder in PROGRAM_FOLDERS.map(|folder| target.join(folder)) {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(ImageError::file(&folder))? {
            let entry = entry.map_err(ImageError::file(&folder))?;
            let leads_to_it = fs::read_link(entry.path()).is_ok_and(|link| link.ends_with("busybox"));
            if leads_to_it && let Ok(name) = entry.file_name().into_string() {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::appliance::INIT;

    /// A target whose programs are of this machine.
    fn target(applets: &[&str]) -> tempfile::TempDir {
        let target = tempfile::tempdir().expect("a folder");
        for folder in ["bin", "sbin", "usr/bin", "lib"] {
            fs::create_dir_all(target.path().join(folder)).expect("a folder");
        }
        fs::copy("/bin/true", target.path().join("bin/busybox")).expect("a program");
        fs::copy("/bin/ls", target.path().join("usr/bin/srp-boot")).expect("a program");
        for applet in applets {
            symlink("../bin/busybox", target.path().join("sbin").join(applet)).expect("a link");
        }
        target
    }

    #[test]
    fn what_the_first_program_calls_is_looked_for() {
        let script = String::from_utf8_lossy(INIT);
        for applet in APPLETS {
            assert!(
                script.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == applet)
            );
        }
        let without: Vec<_> = APPLETS.into_iter().filter(|applet| *applet != "findfs").collect();
        let error = initrd(target(&without).path()).expect_err("it cannot find the disk").to_string();
        assert!(error.contains("busybox has no findfs"), "{error}");
    }

    #[test]
    fn libraries_come_from_the_target_and_from_nowhere_else() {
        let target = target(&APPLETS);
        let error = initrd(target.path()).expect_err("a library is missing").to_string();
        assert!(error.contains("which none of the image's packages has"), "{error}");
        for library in ["libc.so.6", "ld-linux-x86-64.so.2", "libselinux.so.1", "libpcre2-8.so.0"] {
            fs::copy(
                Path::new("/lib/x86_64-linux-gnu").join(library),
                target.path().join("lib").join(library),
            )
            .expect("a library of this machine");
        }
        let tree = initrd(target.path()).expect("whole");
        for path in
            ["lib/libc.so.6", "lib/ld-linux-x86-64.so.2", "lib64", "bin/findfs", "init", "dev/console"]
        {
            assert!(tree.contains(path), "{path}");
        }
    }
}
