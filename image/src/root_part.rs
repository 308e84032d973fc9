//! The root inside an image file: where it begins, and whether it is the one that the manifest describes.
//!
//! The loader has verified the signature over the whole file before; what is checked here is that Linux, which reads the disk
//! with another driver and after replaying the journal, sees the same octets.

use std::path::{Path, PathBuf};

use crate::bundle::{self, BundleError, Place, ROOT};
use crate::digest::sha256;

/// Why an image has no root that can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// It cannot be read, or is no image.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The root is not the one that the manifest describes.
    #[error("{}: its root has SHA-256 {found}, its manifest says {expected}", .image.display())]
    Digest {
        /// The image.
        image: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What was read.
        found: String,
    },
}

/// Finds the root in an image, and reads all of it.
pub fn check(image: &Path) -> Result<Place, RootError> {
    let io = |source| BundleError::Io { file: image.to_owned(), source };
    let bundle = bundle::read(image)?;
    // Both are there: whoever reads a bundle refuses one that lacks a member or does not name it.
    let (Some(place), Some(member)) = (bundle.place(ROOT), bundle.manifest.members.get(ROOT)) else {
        let why = format!("there is no {ROOT} in it");
        return Err(BundleError::NoImage { file: image.to_owned(), why }.into());
    };
    let (_, found) = place.content(image).and_then(sha256).map_err(io)?;
    if found == member.sha256 {
        return Ok(place);
    }
    Err(RootError::Digest { image: image.to_owned(), expected: member.sha256.clone(), found })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::bundle::{Recipe, Version};
    use crate::signature::{KeyFiles, SigningKey, keygen};

    #[test]
    fn a_root_is_found_where_it_lies_and_a_changed_octet_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["kernel", "initrd"] {
            fs::write(path(name), name).unwrap();
        }
        fs::write(path("root"), vec![7; 100_000]).unwrap();
        let KeyFiles { private, public } = keygen(folder.path(), "test", 1).unwrap();
        let key = SigningKey::read(&KeyFiles { private, public }).unwrap();
        let recipe = Recipe {
            kernel: path("kernel"),
            initrd: path("initrd"),
            root: path("root"),
            version: Version::ours(),
            minimum_version: Version::ours(),
            build: "test".to_owned(),
        };
        let image = path("v1.bin");
        bundle::write(&recipe, &key, &image).unwrap();
        let place = check(&image).unwrap();
        let mut octets = fs::read(&image).unwrap();
        let begin = usize::try_from(place.offset).unwrap();
        assert_eq!(octets[begin..begin + 100_000], vec![7; 100_000]);

        octets[begin + 50_000] = 8;
        fs::write(&image, &octets).unwrap();
        let refused = check(&image).unwrap_err().to_string();
        assert!(refused.contains("v1.bin: its root has SHA-256 "), "{refused}");
        octets.truncate(begin + 10);
        fs::write(&image, &octets).unwrap();
        assert!(check(&image).unwrap_err().to_string().contains("is cut off after"));
    }
}
