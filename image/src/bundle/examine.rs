//! The verdict over an image, before anything is entered into the boot stack.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{
    ARCHITECTURE, Bundle, BundleError, INITRD, INITRD_SIGNATURE, KERNEL, KERNEL_SIGNATURE, MANIFEST, PRODUCT,
    Version, What, read, signature_of,
};
use crate::digest::sha256;
use crate::signature::{KeyId, Keys};

/// The longest signature that is read, octets.
const LONGEST_SIGNATURE: u64 = 16 * 1024;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// Its headers and manifest; `None` if they cannot be read.
    pub bundle: Option<Bundle>,
    /// Who signed the file; `None` if its signature does not hold.
    pub signer: Option<KeyId>,
    /// Everything that is wrong; nothing if it is sound.
    pub faults: Vec<BundleError>,
}

impl Report {
    /// Whether the image may be entered into the boot stack.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether the loader will boot it: its form and its three signatures are all that the loader looks at.
    pub fn loader_boots(&self) -> bool {
        self.faults.iter().all(|fault| match fault {
            BundleError::Product { .. }
            | BundleError::Architecture { .. }
            | BundleError::TooNew { .. }
            | BundleError::TooOld { .. } => true,
            BundleError::Io { .. }
            | BundleError::NoImage { .. }
            | BundleError::Truncated { .. }
            | BundleError::Trailing { .. }
            | BundleError::Manifest { .. }
            | BundleError::Format { .. }
            | BundleError::Member { .. }
            | BundleError::Unsigned { .. }
            | BundleError::Signature { .. }
            | BundleError::Key(_) => false,
        })
    }
}

/// Reads all of an image, and says everything that is wrong with it, beside the release that runs.
pub fn examine(file: &Path, keys: &Keys, running: Version) -> Report {
    let mut report = Report { file: file.to_owned(), bundle: None, signer: None, faults: Vec::new() };
    match signer(file, keys) {
        Ok(signer) => report.signer = Some(signer),
        Err(fault @ BundleError::Io { .. }) => {
            report.faults.push(fault);
            return report;
        }
        Err(fault) => report.faults.push(fault),
    }
    match read(file) {
        Ok(bundle) => {
            members(&bundle, keys, &mut report.faults);
            fitting(&bundle, running, &mut report.faults);
            report.bundle = Some(bundle);
        }
        Err(fault) => report.faults.push(fault),
    }
    report
}

/// Who signed the whole file.
fn signer(file: &Path, keys: &Keys) -> Result<KeyId, BundleError> {
    let image = File::open(file).map_err(BundleError::io(file))?;
    let place = signature_of(file);
    let signature = match File::open(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BundleError::Unsigned { file: file.to_owned(), signature: place });
        }
        opened => opened.map_err(BundleError::io(&place))?,
    };
    let mut octets = Vec::new();
    signature.take(LONGEST_SIGNATURE).read_to_end(&mut octets).map_err(BundleError::io(&place))?;
    keys.verify(image, &octets).map_err(|source| BundleError::Signature {
        file: file.to_owned(),
        what: What::Image,
        source,
    })
}

/// Size and digest of each member, and the signatures of those that the loader checks by themselves.
fn members(bundle: &Bundle, keys: &Keys, faults: &mut Vec<BundleError>) {
    let file = &bundle.file;
    for (member, place) in bundle.places().filter(|(member, _)| *member != MANIFEST) {
        match place.content(file).and_then(sha256) {
            Err(source) => faults.push(BundleError::Io { file: file.clone(), source }),
            Ok((_, sha256)) => {
                let expected = &bundle.manifest.members[member];
                let mut compare = |what, found: String, expected: String| {
                    if found != expected {
                        let file = file.clone();
                        faults.push(BundleError::Member { file, member, what, found, expected });
                    }
                };
                compare("size", place.size.to_string(), expected.size.to_string());
                compare("SHA-256", sha256, expected.sha256.clone());
            }
        }
    }
    for (signed, signature) in [(KERNEL, KERNEL_SIGNATURE), (INITRD, INITRD_SIGNATURE)] {
        let (Some(signed_at), Some(signature_at)) = (bundle.place(signed), bundle.place(signature)) else {
            continue;
        };
        let read = || {
            let mut octets = Vec::new();
            signature_at.content(file)?.read_to_end(&mut octets)?;
            Ok((octets, signed_at.content(file)?))
        };
        match read() {
            Err(source) => faults.push(BundleError::Io { file: file.clone(), source }),
            Ok((octets, content)) => {
                if let Err(source) = keys.verify(content, &octets) {
                    let what = What::Member(signed);
                    faults.push(BundleError::Signature { file: file.clone(), what, source });
                }
            }
        }
    }
}

/// Whether it is for us, and may follow what runs.
fn fitting(bundle: &Bundle, running: Version, faults: &mut Vec<BundleError>) {
    let (file, manifest) = (&bundle.file, &bundle.manifest);
    if manifest.product != PRODUCT {
        faults.push(BundleError::Product { file: file.clone(), found: manifest.product.clone() });
    }
    if manifest.architecture != ARCHITECTURE {
        faults.push(BundleError::Architecture { file: file.clone(), found: manifest.architecture.clone() });
    }
    let (version, minimum) = (manifest.version, manifest.minimum_version);
    // An image says itself what it follows; what it did not know when it was made is what came after it.
    if minimum > running {
        faults.push(BundleError::TooNew { file: file.clone(), version, minimum, running });
    }
    let oldest = running.oldest_beside();
    if version < oldest {
        faults.push(BundleError::TooOld { file: file.clone(), version, oldest, running });
    }
}
