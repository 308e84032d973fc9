//! What all tests boot: kernel, initrd and root of the appliance, a key, a loader. Each test is a process of its own; the first
//! makes these and leaves them in a folder that is named after everything they depend on.

use std::fs::{self, File};
use std::path::Path;

use image::appliance::Parts;
use image::bundle::{self, Version};
use image::disk::{DEBIAN_MODULES, Disk, Loader};
use image::signature::{KeyFiles, SigningKey, keygen};
use lab::machines::Built;
use lab::vm::Choice;
use lab::vm::accelerator;
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// Says what went wrong in its own words.
pub fn done<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

pub struct Prepared {
    pub parts: Parts,
    pub key: SigningKey,
    pub choice: Choice,
    pub loader: Loader,
    pub built: Built,
}

impl Prepared {
    pub fn get() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository");
        let built = done(Built::anew(&root));
        let programs = done(built.programs(["srpd", "srpctl", "srp-boot"]));

        let mut digest = Sha256::new();
        let own = std::env::current_exe().expect("own path");
        for file in programs.iter().map(|program| &program.file).chain([&own]) {
            digest.update(fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())));
        }
        let digest = digest.finalize();
        let name = format!("{:016x}", u64::from_be_bytes(*digest.first_chunk().expect("32 octets")));
        let shelf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("appliance");
        fs::create_dir_all(&shelf).expect("a folder");
        let lock = File::create(shelf.join("lock")).expect("a lock");
        let _held = Flock::lock(lock, FlockArg::LockExclusive).expect("held");
        let folder = shelf.join(&name);
        let files = KeyFiles::beside(&folder.join("test.key"));
        if !folder.join("done").exists() {
            for old in fs::read_dir(&shelf).expect("readable").flatten().filter(|entry| entry.path().is_dir())
            {
                fs::remove_dir_all(old.path()).expect("removed");
            }
            done(keygen(&folder, "test", 1));
            let [srpd, srpctl, srp_boot] = &programs;
            let programs = [srpd.clone(), srpctl.clone()];
            done(Parts::development(&folder, &built.cache(), &programs, srp_boot, &files.public));
            fs::write(folder.join("done"), "").expect("written");
        }
        let parts = Parts::in_folder(&folder);
        let choice = accelerator::choose(&parts.kernel, &parts.initrd);
        println!("{choice}");
        Self {
            parts,
            built,
            key: done(SigningKey::read(&files)),
            choice,
            loader: done(Loader::build(&files.public, Path::new(DEBIAN_MODULES))),
        }
    }

    /// A disk with what is in `flash`.
    pub fn disk(&self, flash: &Path, out: &Path) {
        let files = fs::read_dir(flash).expect("readable").flatten();
        let octets: u64 = files.map(|entry| entry.metadata().expect("readable").len()).sum();
        let flash_mib = u32::try_from(octets >> 20).expect("a small disk") + 64;
        done(Disk { loader: &self.loader, flash, flash_mib }.write(out));
    }
}

/// A key that no loader knows.
pub fn strange_key() -> SigningKey {
    let folder = tempfile::tempdir().expect("a folder");
    done(SigningKey::read(&done(keygen(folder.path(), "strange", 1))))
}

/// Writes an image file of our release, signed, whose build has this name.
pub fn release(parts: &Parts, key: &SigningKey, build: &str, out: &Path) {
    let version = Version::ours();
    done(bundle::write(&parts.recipe(version, version, build), key, out));
}
