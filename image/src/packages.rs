//! Debian packages as raw material: downloaded and unpacked into a cache folder, never installed.
//!
//! The package lists of the machine (`apt-get update`) say which version, file and SHA-256 a package has; a file in the
//! cache with that SHA-256 is not downloaded again. A package is unpacked beside its place and renamed into it, so that a
//! folder that exists is whole, also when two builders run at once. Nothing here needs root.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::error::ImageError;
use crate::tool::{APT_CACHE, APT_GET, DPKG_DEB};

/// The package that depends on the current kernel's package.
const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";

/// A package, unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The folder that stands for `/`.
    pub root: PathBuf,
}

/// Where packages are kept between builds.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache in `folder`, which is made when it is first needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The kernel's package. `linux-image-cloud-amd64` itself holds nothing but the name of the current one.
    pub fn kernel(&self) -> Result<Unpacked, ImageError> {
        let current = describe(&[KERNEL_PACKAGE])?;
        let depends = current.iter().find_map(|description| description.fields.get("Depends"));
        let real = depends.and_then(|depends| first_dependency(depends, "linux-image-"));
        let real =
            real.ok_or_else(|| ImageError::Field { package: KERNEL_PACKAGE.to_owned(), field: "Depends" })?;
        let unpacked = self.unpack(&[real])?.pop();
        unpacked.ok_or_else(|| ImageError::UnknownPackage { package: real.to_owned() })
    }

    /// Downloads each package that the cache has not in the version of the package lists, and unpacks it. The result is
    /// in the order of `packages`.
    pub fn unpack(&self, packages: &[&str]) -> Result<Vec<Unpacked>, ImageError> {
        describe(packages)?.iter().map(|description| self.unpack_one(description)).collect()
    }

    fn unpack_one(&self, description: &Description) -> Result<Unpacked, ImageError> {
        let (package, version) = (&description.package, description.field("Version")?);
        let expected = description.field("SHA256")?;
        let file = Path::new(description.field("Filename")?)
            .file_name()
            .ok_or_else(|| ImageError::Field { package: package.clone(), field: "Filename" })?;
        // The checksum names the folder: whatever else changes, a folder holds what its name says.
        let short = expected.get(..16).unwrap_or(expected);
        let root = self.folder.join("roots").join(format!("{package}-{short}"));
        if !root.is_dir() {
            let archive = self.folder.join("packages").join(file);
            self.fetch(package, version, &archive, expected)?;
            self.extract(&archive, &root)?;
        }
        Ok(Unpacked { name: package.clone(), version: version.to_owned(), root })
    }

    fn fetch(&self, package: &str, version: &str, archive: &Path, expected: &str) -> Result<(), ImageError> {
        if !archive.is_file() {
            // Own folder per download: apt names the file itself (and writes the colon of an epoch as %3a).
            let scratch = self.scratch()?;
            let spec = format!("{package}={version}");
            APT_GET.output(
                APT_GET
                    .command()
                    .args(["--quiet", "-o", "APT::Sandbox::User=root", "download", &spec])
                    .current_dir(scratch.path()),
            )?;
            let downloaded = only_entry(scratch.path())?;
            let packages = self.folder.join("packages");
            fs::create_dir_all(&packages).map_err(ImageError::file(&packages))?;
            fs::rename(&downloaded, archive).map_err(ImageError::file(archive))?;
        }
        let octets = fs::read(archive).map_err(ImageError::file(archive))?;
        let found = hex(&Sha256::digest(&octets));
        if found == expected {
            return Ok(());
        }
        Err(ImageError::Checksum {
            package: package.to_owned(),
            path: archive.to_owned(),
            expected: expected.to_owned(),
            found,
        })
    }

    fn extract(&self, archive: &Path, root: &Path) -> Result<(), ImageError> {
        let scratch = self.scratch()?;
        let unpacked = scratch.path().join("root");
        DPKG_DEB.output(DPKG_DEB.command().arg("--extract").arg(archive).arg(&unpacked))?;
        let roots = self.folder.join("roots");
        fs::create_dir_all(&roots).map_err(ImageError::file(&roots))?;
        match fs::rename(&unpacked, root) {
            Ok(()) => Ok(()),
            // Another builder was faster; its folder holds the same.
            Err(_) if root.is_dir() => Ok(()),
            Err(error) => Err(ImageError::file(root)(error)),
        }
    }

    /// A folder on the cache's own file system that goes with the value.
    fn scratch(&self) -> Result<tempfile::TempDir, ImageError> {
        fs::create_dir_all(&self.folder).map_err(ImageError::file(&self.folder))?;
        tempfile::Builder::new()
            .prefix("partial-")
            .tempdir_in(&self.folder)
            .map_err(ImageError::file(&self.folder))
    }
}

/// What the package lists say of a package's newest version.
struct Description {
    package: String,
    fields: BTreeMap<String, String>,
}

impl Description {
    fn field(&self, name: &'static str) -> Result<&str, ImageError> {
        let field = self.fields.get(name).map(String::as_str);
        field.ok_or_else(|| ImageError::Field { package: self.package.clone(), field: name })
    }
}

/// The descriptions of all `packages`, in their order. One call, because apt reads all its lists each time.
fn describe(packages: &[&str]) -> Result<Vec<Description>, ImageError> {
    let mut command = APT_CACHE.command();
    command.args(["show", "--no-all-versions"]).args(packages);
    let text = match APT_CACHE.output(&mut command) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        // apt-cache ends with status 100 when it knows none of the names.
        Err(ImageError::Tool { said, .. }) if said.contains("No packages found") => String::new(),
        Err(other) => return Err(other),
    };
    let mut known: BTreeMap<String, BTreeMap<String, String>> = text
        .split("\n\n")
        .map(fields)
        .filter_map(|fields| Some((fields.get("Package")?.clone(), fields)))
        .collect();
    let named = packages.iter().map(|package| {
        let package = (*package).to_owned();
        match known.remove(&package) {
            Some(fields) => Ok(Description { package, fields }),
            None => Err(ImageError::UnknownPackage { package }),
        }
    });
    named.collect()
}

/// One paragraph of a Debian control file as fields; lines of continuation are left out.
fn fields(paragraph: &str) -> BTreeMap<String, String> {
    paragraph
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The name of the first dependency that starts with `prefix`, without version and alternatives.
fn first_dependency<'a>(depends: &'a str, prefix: &str) -> Option<&'a str> {
    depends
        .split(',')
        .filter_map(|clause| clause.split('|').next()?.split_whitespace().next())
        .find(|name| name.starts_with(prefix))
}

fn only_entry(folder: &Path) -> Result<PathBuf, ImageError> {
    let mut entries = fs::read_dir(folder).map_err(ImageError::file(folder))?;
    match entries.next() {
        Some(entry) => Ok(entry.map_err(ImageError::file(folder))?.path()),
        None => Err(ImageError::file(folder)(io::Error::new(
            io::ErrorKind::NotFound,
            "apt-get download left no file",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_read_without_its_lines_of_continuation() {
        let fields = fields("Package: a\nVersion: 1:2.3-4\nDescription: short\n more: words\nSHA256: 00\n");
        assert_eq!(fields["Package"], "a");
        assert_eq!(fields["Version"], "1:2.3-4");
        assert_eq!(fields.len(), 4);
    }

    #[test]
    fn a_dependency_is_a_bare_name() {
        let depends = "kmod, linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2) | other, linux-base";
        assert_eq!(first_dependency(depends, "linux-image-"), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(first_dependency(depends, "grub"), None);
    }

    #[test]
    fn a_package_that_no_list_names_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            Cache::new(folder.path()).unpack(&["busybox-static", "no-such-package-here"]).unwrap_err();
        assert!(matches!(error, ImageError::UnknownPackage { .. }), "{error}");
        assert!(error.to_string().contains("apt-get update"), "{error}");
    }
}
