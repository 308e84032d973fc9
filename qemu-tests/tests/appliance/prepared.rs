//! What all tests boot: kernel, initrd and root of the appliance, a key, a loader. Each test is a process of its own; the first
//! makes these, the others find them.

use std::fs;
use std::ops::Deref;
use std::path::Path;

use image::appliance::Parts;
use image::bundle::{self, Version};
use image::disk::Disk;
use image::signature::{SigningKey, keygen};
use lab::machines::{Built, repository};
use lab::works::Works;

/// Says what went wrong in its own words.
pub fn done<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

pub struct Prepared {
    pub works: Works,
    pub built: Built,
}

impl Deref for Prepared {
    type Target = Works;

    fn deref(&self) -> &Works {
        &self.works
    }
}

impl Prepared {
    pub fn get() -> Self {
        let built = done(Built::anew(repository()));
        let works = done(Works::on(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("appliance"), &built));
        println!("{}", works.choice);
        Self { works, built }
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
