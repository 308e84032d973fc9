//! Writing an image: the same members and key give the same octets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::{
    ARCHITECTURE, BundleError, FORMAT, INITRD, INITRD_SIGNATURE, KERNEL, KERNEL_SIGNATURE, MANIFEST,
    Manifest, Member, PRODUCT, ROOT, Version, signature_of,
};
use crate::digest::sha256;
use crate::signature::SigningKey;

/// What an image is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The kernel.
    pub kernel: PathBuf,
    /// The first root file system.
    pub initrd: PathBuf,
    /// The real root file system, a squashfs.
    pub root: PathBuf,
    /// Its release.
    pub version: Version,
    /// The oldest release that can be upgraded to it.
    pub minimum_version: Version,
    /// Which build it is.
    pub build: String,
}

/// A member's content: a file that is read when it is needed, or octets.
enum Content<'a> {
    File(&'a Path),
    Octets(Vec<u8>),
}

impl Content<'_> {
    fn facts(&self) -> Result<Member, BundleError> {
        let (size, sha256) = match self {
            Self::File(path) => File::open(path).and_then(sha256).map_err(BundleError::io(*path))?,
            Self::Octets(octets) => sha256(&octets[..]).map_err(BundleError::io(Path::new(MANIFEST)))?,
        };
        Ok(Member { size, sha256 })
    }
}

/// Writes `out` and its signature, and returns its manifest. Both appear whole or not at all.
pub fn write(recipe: &Recipe, key: &SigningKey, out: &Path) -> Result<Manifest, BundleError> {
    let signed = |path: &Path| -> Result<Content<'_>, BundleError> {
        Ok(Content::Octets(key.sign(fs::read(path).map_err(BundleError::io(path))?)?))
    };
    let contents = [
        (KERNEL, Content::File(&recipe.kernel)),
        (KERNEL_SIGNATURE, signed(&recipe.kernel)?),
        (INITRD, Content::File(&recipe.initrd)),
        (INITRD_SIGNATURE, signed(&recipe.initrd)?),
        (ROOT, Content::File(&recipe.root)),
    ];
    let mut members = BTreeMap::new();
    for (name, content) in &contents {
        members.insert((*name).to_owned(), content.facts()?);
    }
    let manifest = Manifest {
        format: FORMAT,
        product: PRODUCT.to_owned(),
        architecture: ARCHITECTURE.to_owned(),
        version: recipe.version,
        build: recipe.build.clone(),
        minimum_version: recipe.minimum_version,
        members,
    };
    let text = crate::json(&manifest);

    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(BundleError::io(folder))?;
    let temporary = || tempfile::NamedTempFile::new_in(folder).map_err(BundleError::io(folder));
    let mut image = temporary()?;
    let mut tape = Builder::new(io::BufWriter::new(image.as_file_mut()));
    let failed = |error| BundleError::io(out)(error);
    append(&mut tape, MANIFEST, text.len() as u64, &text[..]).map_err(failed)?;
    for (name, content) in &contents {
        let size = manifest.members[*name].size;
        match content {
            Content::Octets(octets) => append(&mut tape, name, size, &octets[..]).map_err(failed)?,
            Content::File(path) => {
                let file = File::open(path).map_err(BundleError::io(*path))?;
                append(&mut tape, name, size, file).map_err(failed)?;
            }
        }
    }
    let buffered = tape.into_inner().map_err(failed)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error).map_err(failed)?;

    let mut octets = Vec::new();
    let file = image.as_file_mut();
    file.rewind().and_then(|()| file.read_to_end(&mut octets)).map_err(failed)?;
    let mut signature = temporary()?;
    signature.write_all(&key.sign(octets)?).map_err(failed)?;
    // The signature comes first: an image is never seen without one.
    for (file, place) in [(signature, signature_of(out)), (image, out.to_owned())] {
        let public = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(public).map_err(BundleError::io(&place))?;
        file.as_file().sync_all().map_err(BundleError::io(&place))?;
        file.persist(&place).map_err(|error| BundleError::io(&place)(error.error))?;
    }
    Ok(manifest)
}

/// A member of this size; a file that changed meanwhile is an error.
fn append(tape: &mut Builder<impl Write>, name: &str, size: u64, content: impl Read) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    let mut octets = 0;
    let counted = Counted { content: content.take(size), octets: &mut octets };
    tape.append(&header, counted)?;
    if octets == size {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{name} became shorter while it was read")))
}

struct Counted<'a, R> {
    content: R,
    octets: &'a mut u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        *self.octets += count as u64;
        Ok(count)
    }
}
