//! What can go wrong while an image is built; each message says what to do.

use std::io;
use std::path::PathBuf;

use crate::elf::ElfError;

/// Why an image was not built.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A tool that the builder calls is not on this machine.
    #[error("{tool} is not installed: install the Debian package {package}")]
    NoTool {
        /// Name of the program.
        tool: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A tool could not be started for another reason, or ended with an error.
    #[error("`{line}` failed: {said}")]
    Tool {
        /// Program and arguments.
        line: String,
        /// What it said on standard error, or why it did not start.
        said: String,
    },
    /// A file or folder could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Debian's package lists do not name a package.
    #[error("package {package} is in no package list: run `apt-get update` (Debian 12, amd64, is expected)")]
    UnknownPackage {
        /// Name of the package.
        package: String,
    },
    /// A package's description lacks a field that we rely on.
    #[error("package {package}: its description has no usable {field} field")]
    Field {
        /// Name of the package.
        package: String,
        /// The field's name.
        field: &'static str,
    },
    /// A downloaded package is not the one that the package lists describe.
    #[error(
        "package {package}: SHA-256 of {path} is {found}, the package lists say {expected}: delete the file and retry"
    )]
    Checksum {
        /// Name of the package.
        package: String,
        /// The downloaded file.
        path: PathBuf,
        /// What the lists say.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The kernel package has a layout that we do not know.
    #[error("{root}: expected exactly one {what}, found {found}")]
    KernelLayout {
        /// The unpacked package.
        root: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// How many there were.
        found: usize,
    },
    /// GRUB's files are not as those of GRUB 2.06.
    #[error("{file}: not laid out as GRUB 2.06 is, from Debian 12's grub-pc-bin")]
    LoaderLayout {
        /// The first sector.
        file: PathBuf,
    },
    /// A module is neither among the kernel's module files nor built into it.
    #[error("kernel module {module} (needed by {needed_by}) is not in the kernel package")]
    NoModule {
        /// The module's name.
        module: String,
        /// The module or list that asks for it.
        needed_by: String,
    },
    /// A program or library needs a shared library that no package of the image brings.
    #[error(
        "{needed_by} needs {library}, which none of the image's packages has: add its package to the image's list"
    )]
    NoLibrary {
        /// The library's file name.
        library: String,
        /// The file that needs it.
        needed_by: String,
    },
    /// A program for the image is not there.
    #[error("{path} does not exist: scripts/build-static makes the static programs")]
    NoProgram {
        /// The program on this machine.
        path: PathBuf,
    },
    /// The busybox of a target cannot do what the first program needs.
    #[error(
        "{target}: busybox has no {applet}, which the initrd needs: switch it on in busybox's configuration"
    )]
    NoApplet {
        /// The target folder.
        target: PathBuf,
        /// What it lacks.
        applet: &'static str,
    },
    /// A program for the image would look for shared libraries that the image does not have.
    #[error("{path} is dynamically linked (it needs {needs}): build it with scripts/build-static")]
    NotStatic {
        /// The program on this machine.
        path: PathBuf,
        /// What it needs.
        needs: String,
    },
    /// A file is not the ELF file that it should be.
    #[error("{path}: {source}")]
    Elf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ElfError,
    },
    /// The same path was put into the tree twice, or below something that is not a folder.
    #[error("the image would hold {path} twice, or below a file: {reason}")]
    Tree {
        /// The path in the image.
        path: String,
        /// Which of the two.
        reason: &'static str,
    },
    /// A file is too large for the archive format.
    #[error("{path} has {octets} octets: a newc archive holds files below 4 GiB")]
    TooLarge {
        /// The path in the image.
        path: String,
        /// Its size.
        octets: usize,
    },
}

impl ImageError {
    /// Makes an error about `path` out of an I/O error, for `map_err`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
