//! Paths below `/flash`, as the loader and the kernel command line can carry them.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file below `/flash`, written from the root of that file system: `/x.bin` is what Linux calls `/flash/x.bin`.
///
/// Always: at most [`FlashPath::LONGEST`] octets, one or more names behind a `/` each, none of them `.` or `..`, all of
/// letters, digits and `. _ - + ~ @ ,`. So it means the same to GRUB's shell, on a command line and in the boot stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlashPath(String);

/// Why a path cannot be in the boot stack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is not below `/flash`.
    #[error("{path} is not on {flash}: copy it there first")]
    Outside {
        /// What was named.
        path: String,
        /// Where it has to be.
        flash: String,
    },
    /// It is empty, does not begin with a slash, or has an empty name, `.` or `..` in it.
    #[error("{path:?} is not a plain absolute path: write it without `.`, `..` and `//`")]
    Form {
        /// What was named.
        path: String,
    },
    /// A character that the loader's shell could take for something else.
    #[error(
        "{path:?} has {found:?} in it: the loader takes letters, digits and . _ - + ~ @ , in names; rename the file"
    )]
    Character {
        /// What was named.
        path: String,
        /// The character.
        found: char,
    },
    /// It is longer than ten entries leave room for.
    #[error(
        "{path} has {octets} characters below /flash, the boot stack holds {}: use a shorter name",
        FlashPath::LONGEST
    )]
    Long {
        /// What was named.
        path: String,
        /// How long it is.
        octets: usize,
    },
}

impl FlashPath {
    /// The most octets, the leading slash among them.
    pub const LONGEST: usize = 127;

    /// Takes a path as the loader sees it: `/x.bin`.
    pub fn new(path: impl Into<String>) -> Result<Self, PathError> {
        let path = path.into();
        let plain = |name: &str| !matches!(name, "" | "." | "..");
        match path.strip_prefix('/') {
            Some(names) if names.split('/').all(plain) => {}
            Some(_) | None => return Err(PathError::Form { path }),
        }
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "/._-+~@,".contains(letter);
        if let Some(found) = path.chars().find(|letter| !fits(*letter)) {
            return Err(PathError::Character { path, found });
        }
        if path.len() > Self::LONGEST {
            return Err(PathError::Long { octets: path.len(), path });
        }
        Ok(Self(path))
    }

    /// Takes a path as an operator writes it, `/flash/x.bin`, or `x.bin` alone, where the data partition is mounted on `flash`.
    pub fn of_operator(path: &Path, flash: &Path) -> Result<Self, PathError> {
        let below = if path.is_absolute() { path.strip_prefix(flash).ok() } else { Some(path) };
        let below = below.ok_or_else(|| PathError::Outside {
            path: path.display().to_string(),
            flash: flash.display().to_string(),
        })?;
        Self::new(format!("/{}", below.display()))
    }

    /// Where Linux has it, if the data partition is mounted on `flash`.
    pub fn on(&self, flash: &Path) -> PathBuf {
        flash.join(&self.0[1..])
    }

    /// As the loader sees it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As the loader sees it.
impl fmt::Display for FlashPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operator_and_loader_name_the_same_file() {
        let flash = Path::new("/flash");
        for written in ["/flash/images/a-1.0.bin", "images/a-1.0.bin"] {
            let path = FlashPath::of_operator(Path::new(written), flash).unwrap();
            assert_eq!(path.as_str(), "/images/a-1.0.bin");
            assert_eq!(path.on(flash), Path::new("/flash/images/a-1.0.bin"));
        }
    }

    #[test]
    fn each_path_that_the_loader_could_misread_is_refused_with_what_to_do() {
        let of = |path: &str| {
            FlashPath::of_operator(Path::new(path), Path::new("/flash")).unwrap_err().to_string()
        };
        assert_eq!(of("/tmp/a.bin"), "/tmp/a.bin is not on /flash: copy it there first");
        assert!(of("/flash/../etc/shadow").contains("write it without"));
        assert!(of("/flash").contains("not a plain absolute path"));
        assert!(of("/flash/a b.bin").contains("has ' ' in it"));
        assert!(of("/flash/$x.bin").contains("has '$' in it"));
        assert!(of(&"x".repeat(127)).contains("128 characters"));
        assert!(FlashPath::new("x.bin").is_err());
        assert!(FlashPath::new(format!("/{}", "x".repeat(126))).is_ok());
    }
}
