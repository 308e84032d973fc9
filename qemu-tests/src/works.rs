//! What appliances are made of: kernel, initrd and root with the programs that cargo has built, a key that signs images, and a
//! loader that knows it. They are made once and kept on a shelf, under a name that follows from everything that goes into them.

use std::fs::{self, File};
use std::path::Path;

use image::appliance::Parts;
use image::bundle::{self, Version};
use image::disk::{DEBIAN_MODULES, Loader};
use image::signature::{KeyFiles, SigningKey, keygen};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use crate::error::LabError;
use crate::machines::Built;
use crate::vm::Choice;
use crate::vm::accelerator;

/// Name of the key.
const KEY: &str = "lab";

/// What appliances are made of.
pub struct Works {
    /// What images are made of.
    pub parts: Parts,
    /// Signs images.
    pub key: SigningKey,
    /// Boots what this key has signed.
    pub loader: Loader,
    /// What executes a machine.
    pub choice: Choice,
}

impl Works {
    /// Those of `built` that lie on `shelf`, made first if need be; older ones are thrown away.
    pub fn on(shelf: &Path, built: &Built) -> Result<Self, LabError> {
        let programs = built.programs(["srpd", "srpctl", "srp-boot"])?;
        let own = std::env::current_exe().map_err(LabError::file("finding", Path::new("own program")))?;
        let mut digest = Sha256::new();
        for file in programs.iter().map(|program| &program.file).chain([&own]) {
            digest.update(fs::read(file).map_err(LabError::file("reading", file))?);
        }
        let digest = digest.finalize();
        let (first, _) = digest.split_at(8);
        let name = first.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().concat();
        fs::create_dir_all(shelf).map_err(LabError::file("making", shelf))?;
        let lock = shelf.join("lock");
        let file = File::create(&lock).map_err(LabError::file("making", &lock))?;
        let _held = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| LabError::file("locking", &lock)(error.into()))?;
        let folder = shelf.join(&name);
        let (files, done) = (KeyFiles::beside(&folder.join(format!("{KEY}.key"))), folder.join("done"));
        if !done.exists() {
            for old in fs::read_dir(shelf).map_err(LabError::file("reading", shelf))?.flatten() {
                if old.path().is_dir() {
                    fs::remove_dir_all(old.path()).map_err(LabError::file("removing", &old.path()))?;
                }
            }
            keygen(&folder, KEY, 1).map_err(builder)?;
            let [srpd, srpctl, srp_boot] = programs;
            Parts::development(&folder, &built.cache(), &[srpd, srpctl], &srp_boot, &files.public)
                .map_err(builder)?;
            fs::write(&done, "").map_err(LabError::file("writing", &done))?;
        }
        let parts = Parts::in_folder(&folder);
        let choice = accelerator::choose(&parts.kernel, &parts.initrd);
        Ok(Self {
            parts,
            key: SigningKey::read(&files).map_err(builder)?,
            loader: Loader::build(&files.public, Path::new(DEBIAN_MODULES)).map_err(builder)?,
            choice,
        })
    }

    /// Writes an image of them to `out`, signed, with its signature beside it. Any release of ours can be upgraded to it.
    pub fn image(&self, version: Version, build: &str, out: &Path) -> Result<(), LabError> {
        let recipe = self.parts.recipe(version, Version::ours(), build);
        bundle::write(&recipe, &self.key, out).map(|_| ()).map_err(builder)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn builder(error: impl ToString) -> LabError {
    LabError::Answer { command: "the builder of the appliance".to_owned(), reason: error.to_string() }
}
