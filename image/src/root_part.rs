//! The root inside an image file: taken out of it into memory, and compared with what the manifest describes.
//!
//! The loader has verified the signature over the whole file before; what is checked here is that Linux, which reads the disk
//! with another driver and after replaying the journal, sees the same octets. What was compared is what is used from then on: no
//! octet is read from the disk a second time, which may be changed, or gone, by then.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::bundle::{self, BundleError, ROOT};
use crate::digest::sha256_of_pieces;

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
    /// There is no room for it, most likely.
    #[error("its copy {}: {source}", .to.display())]
    Copy {
        /// The copy.
        to: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Takes the root out of an image into the file `to`, which is not there afterwards if the root cannot be trusted.
pub fn copy(image: &Path, to: &Path) -> Result<(), RootError> {
    let io = |source| BundleError::Io { file: image.to_owned(), source };
    let bundle = bundle::read(image)?;
    // Both are there: whoever reads a bundle refuses one that lacks a member or does not name it.
    let (Some(place), Some(member)) = (bundle.place(ROOT), bundle.manifest.members.get(ROOT)) else {
        let why = format!("there is no {ROOT} in it");
        return Err(BundleError::NoImage { file: image.to_owned(), why }.into());
    };
    let copy_error = |source| RootError::Copy { to: to.to_owned(), source };
    let mut file = File::create(to).map_err(copy_error)?;
    // The first one; what comes behind it is read for nothing.
    let mut failed = None;
    let copied = |piece: &[u8]| {
        if failed.is_none() {
            failed = file.write_all(piece).err();
        }
    };
    let read = place.content(image).and_then(|content| sha256_of_pieces(content, copied));
    let result = match (read, failed) {
        (_, Some(source)) => Err(copy_error(source)),
        (Err(source), None) => Err(io(source).into()),
        (Ok((_, found)), None) if found != member.sha256 => {
            Err(RootError::Digest { image: image.to_owned(), expected: member.sha256.clone(), found })
        }
        (Ok(_), None) => return Ok(()),
    };
    // What cannot be removed is not mounted either: the caller stops here.
    let _ = fs::remove_file(to);
    result
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::appliance::Parts;
    use crate::bundle::Version;
    use crate::signature::{SigningKey, keygen};

    /// An image in `folder`, and the root that is in it.
    fn signed(folder: &Path) -> (PathBuf, Vec<u8>) {
        let root = vec![7; 100_000];
        let parts = Parts::in_folder(folder);
        let members: [(_, &[u8]); 3] =
            [(&parts.kernel, b"kernel"), (&parts.initrd, b"initrd"), (&parts.root, &root)];
        for (path, octets) in members {
            fs::write(path, octets).unwrap();
        }
        let key = SigningKey::read(&keygen(folder, "test", 1).unwrap()).unwrap();
        let recipe = parts.recipe(Version::ours(), Version::ours(), "test");
        let image = folder.join("v1.bin");
        bundle::write(&recipe, &key, &image).unwrap();
        (image, root)
    }

    #[test]
    fn a_root_is_taken_out_of_its_image_and_a_changed_octet_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (image, root) = signed(folder.path());
        let taken = folder.path().join("taken");
        copy(&image, &taken).unwrap();
        assert_eq!(fs::read(&taken).unwrap(), root);

        let begin = usize::try_from(bundle::read(&image).unwrap().place(ROOT).unwrap().offset).unwrap();
        let mut octets = fs::read(&image).unwrap();
        octets[begin + 50_000] = 8;
        fs::write(&image, &octets).unwrap();
        let refused = copy(&image, &taken).unwrap_err().to_string();
        assert!(refused.contains("v1.bin: its root has SHA-256 "), "{refused}");
        assert!(!taken.exists());
        octets.truncate(begin + 10);
        fs::write(&image, &octets).unwrap();
        assert!(copy(&image, &taken).unwrap_err().to_string().contains("is cut off after"));
    }

    #[test]
    fn a_copy_that_has_no_room_is_no_fault_of_the_image() {
        let folder = tempfile::tempdir().unwrap();
        let (image, _) = signed(folder.path());
        // Not the device itself: what is left of a copy is removed.
        let full = folder.path().join("full");
        symlink("/dev/full", &full).unwrap();
        let refused = copy(&image, &full).unwrap_err().to_string();
        assert!(refused.starts_with("its copy ") && refused.contains("No space left"), "{refused}");
    }
}
