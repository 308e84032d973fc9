//! `image keygen`, `image bundle`, `image sign` and `image verify`: what the machine does that makes releases.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use image::bundle::{self, Recipe, Version};
use image::signature::{KeyFiles, Keys, SigningKey, keygen};

/// Commands on images of the appliance.
#[derive(Debug, Subcommand)]
pub enum Release {
    /// Make a key that signs images: NAME.key, to be kept, and NAME.gpg, for the loader and every image
    Keygen {
        /// Folder; made if it does not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Name of the key
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make an image out of kernel, initrd and root file system, and sign it
    Bundle {
        /// The image; its signature is written beside it
        #[arg(long, value_name = "NAME.bin")]
        out: PathBuf,
        /// The kernel
        #[arg(long, value_name = "FILE")]
        kernel: PathBuf,
        /// The first root file system
        #[arg(long, value_name = "FILE")]
        initrd: PathBuf,
        /// The real root file system, a squashfs
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// Private key; its public half is expected beside it, as NAME.gpg
        #[arg(long, value_name = "NAME.key")]
        key: PathBuf,
        /// Release
        #[arg(long, default_value_t = Version::ours())]
        version: Version,
        /// Oldest release that can be upgraded to it [default: the minor before, N-1]
        #[arg(long, value_name = "VERSION")]
        minimum_version: Option<Version>,
        /// Which build, such as what `git describe` says
        #[arg(long, value_name = "TEXT")]
        build: String,
    },
    /// Sign files: a detached signature FILE.sig beside each
    Sign {
        /// Private key; its public half is expected beside it, as NAME.gpg
        #[arg(long, value_name = "NAME.key")]
        key: PathBuf,
        /// What to sign
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Say everything that is wrong with an image, as the box would before it installs it
    Verify {
        /// Public keys, as the loader has them
        #[arg(long, value_name = "NAME.gpg")]
        keys: PathBuf,
        /// The image
        #[arg(value_name = "NAME.bin")]
        file: PathBuf,
    },
}

impl Release {
    /// Does it, and says what was done, or why not.
    pub fn run(self) -> ExitCode {
        match self.done() {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    eprintln!("image: {line}");
                }
                ExitCode::FAILURE
            }
        }
    }

    fn done(self) -> Result<String, Box<dyn Error>> {
        match self {
            Self::Keygen { out, name } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let files = keygen(&out, &name, u32::try_from(now.as_secs()).unwrap_or(u32::MAX))?;
                Ok(format!(
                    "{}: keep it where images are signed, and nowhere else\n{}: goes into the loader and every image",
                    files.private.display(),
                    files.public.display()
                ))
            }
            Self::Bundle { out, kernel, initrd, root, key, version, minimum_version, build } => {
                let key = SigningKey::read(&KeyFiles::beside(&key))?;
                let minimum_version = minimum_version.unwrap_or_else(|| version.oldest_beside());
                let recipe = Recipe { kernel, initrd, root, version, minimum_version, build };
                let manifest = bundle::write(&recipe, &key, &out)?;
                let octets: u64 = manifest.members.values().map(|member| member.size).sum();
                let signature = bundle::signature_of(&out);
                Ok(format!("{} and {}: {octets} octets of members", out.display(), signature.display()))
            }
            Self::Sign { key, files } => {
                let key = SigningKey::read(&KeyFiles::beside(&key))?;
                let mut lines = Vec::new();
                for file in files {
                    let failed = |error| format!("{}: {error}", file.display());
                    let signature = key.sign(std::fs::read(&file).map_err(failed)?)?;
                    let place = bundle::signature_of(&file);
                    std::fs::write(&place, signature).map_err(failed)?;
                    lines.push(place.display().to_string());
                }
                Ok(lines.join("\n"))
            }
            Self::Verify { keys, file } => {
                let report = bundle::examine(&file, &Keys::read(&keys)?, Version::ours());
                let faults: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
                match (report.bundle, report.signer) {
                    (Some(bundle), Some(signer)) if faults.is_empty() => Ok(format!(
                        "{}: {} {} ({}), signed by {signer}, every member as its manifest says",
                        file.display(),
                        bundle.manifest.product,
                        bundle.manifest.version,
                        bundle.manifest.build
                    )),
                    _ => Err(faults.join("\n").into()),
                }
            }
        }
    }
}
