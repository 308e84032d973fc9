//! What can be wrong with an image; each message names the file, what is wrong with it, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::{ARCHITECTURE, FORMAT, PRODUCT, Version};
use crate::signature::{KeyError, SignatureError};

/// What a signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The image file.
    Image,
    /// A member of it.
    Member(&'static str),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image => f.write_str("the file"),
            Self::Member(name) => f.write_str(name),
        }
    }
}

/// What is wrong with an image, or why one could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be opened, read or written.
    #[error("{}: {source}{}", .file.display(), crate::boot::file::remedy(.source))]
    Io {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is no image: {why}; name a .bin file of a release", .file.display())]
    NoImage {
        /// The file.
        file: PathBuf,
        /// What gave it away.
        why: String,
    },
    /// It ends before it should.
    #[error("{} is cut off after {octets} octets, within {within}: copy it again, in binary mode", .file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Its size.
        octets: u64,
        /// What is not whole.
        within: String,
    },
    /// Something follows where an image ends.
    #[error("{} goes on behind its end at octet {end}: copy it again, in binary mode", .file.display())]
    Trailing {
        /// The file.
        file: PathBuf,
        /// Where it should end.
        end: u64,
    },
    /// The manifest cannot be understood.
    #[error("{}: its manifest.json is no manifest of an image: {why}; copy it again", .file.display())]
    Manifest {
        /// The file.
        file: PathBuf,
        /// What the reader says.
        why: String,
    },
    /// The manifest has a form that came after this release.
    #[error("{}: its manifest has format {found}, this release reads {FORMAT}: upgrade to a release between first", .file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A member is not what the manifest says.
    #[error("{}: {member} is not what its manifest says ({what} {found}, expected {expected}): copy it again, in binary mode", .file.display())]
    Member {
        /// The file.
        file: PathBuf,
        /// The member.
        member: &'static str,
        /// Size or checksum.
        what: &'static str,
        /// What it has.
        found: String,
        /// What the manifest says.
        expected: String,
    },
    /// There is no signature beside it.
    #[error("{} is not signed: {} is missing; copy it there too, the loader boots nothing without it", .file.display(), .signature.display())]
    Unsigned {
        /// The file.
        file: PathBuf,
        /// Where the signature should be.
        signature: PathBuf,
    },
    /// A signature does not hold.
    #[error("{}: the signature of {what} does not hold: {source}; copy image and .sig again from where they were published", .file.display())]
    Signature {
        /// The file.
        file: PathBuf,
        /// What it is over.
        what: What,
        /// Why not.
        source: SignatureError,
    },
    /// It is of another product.
    #[error("{} is an image of {found}, this is {PRODUCT}: name an image of this product", .file.display())]
    Product {
        /// The file.
        file: PathBuf,
        /// The product it is of.
        found: String,
    },
    /// It is for another machine.
    #[error("{} is for {found} machines, this is {ARCHITECTURE}: name the image for {ARCHITECTURE}", .file.display())]
    Architecture {
        /// The file.
        file: PathBuf,
        /// What it is for.
        found: String,
    },
    /// It cannot follow this release.
    #[error("{} is release {version}, too new for {running}: it follows {minimum} and later; upgrade to {minimum} first", .file.display())]
    TooNew {
        /// The file.
        file: PathBuf,
        /// Its release.
        version: Version,
        /// The oldest that it follows.
        minimum: Version,
        /// The release that runs.
        running: Version,
    },
    /// It is older than what may run beside this release.
    #[error("{} is release {version}, too old beside {running}: go back no further than {oldest} at once", .file.display())]
    TooOld {
        /// The file.
        file: PathBuf,
        /// Its release.
        version: Version,
        /// The oldest that may run beside the one that runs.
        oldest: Version,
        /// The release that runs.
        running: Version,
    },
    /// A key to sign with is not usable.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl BundleError {
    /// Makes an error about `file` out of an I/O error, for `map_err`.
    pub(crate) fn io(file: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { file, source }
    }

    /// One word for it, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::NoImage { .. } => "no-image",
            Self::Truncated { .. } => "truncated",
            Self::Trailing { .. } => "trailing",
            Self::Manifest { .. } => "manifest",
            Self::Format { .. } => "format",
            Self::Member { .. } => "member",
            Self::Unsigned { .. } => "unsigned",
            Self::Signature { .. } => "signature",
            Self::Product { .. } => "product",
            Self::Architecture { .. } => "architecture",
            Self::TooNew { .. } => "too-new",
            Self::TooOld { .. } => "too-old",
            Self::Key(_) => "key",
        }
    }
}
