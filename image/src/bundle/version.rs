//! Releases, and which of them may follow which.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A release: `MAJOR.MINOR.PATCH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// Grows where an upgrade needs thought.
    pub major: u32,
    /// The N of "N and N-1 work beside each other".
    pub minor: u32,
    /// Corrections.
    pub patch: u32,
}

/// Not a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no release: MAJOR.MINOR.PATCH is wanted, such as 0.1.0")]
pub struct VersionError {
    text: String,
}

impl Version {
    /// The release of this program.
    pub fn ours() -> Self {
        // Cargo writes three numbers; a test says so.
        env!("CARGO_PKG_VERSION").parse().unwrap_or(Self { major: 0, minor: 0, patch: 0 })
    }

    /// The oldest release that works beside this one: its minor less one.
    #[must_use]
    pub fn oldest_beside(self) -> Self {
        Self { minor: self.minor.saturating_sub(1), patch: 0, ..self }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |part: &str| {
            let plain =
                part.bytes().all(|octet| octet.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            part.parse().ok().filter(|_| plain)
        };
        let mut parts = text.split('.').map(number);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Some(major)), Some(Some(minor)), Some(Some(patch)), None) => {
                Ok(Self { major, minor, patch })
            }
            _ => Err(VersionError { text: text.chars().take(40).collect() }),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_three_numbers_and_compares_as_such() {
        let of = |text: &str| text.parse::<Version>();
        assert!(of("0.9.0").unwrap() < of("0.10.0").unwrap());
        assert_eq!(of("1.2.3").unwrap().to_string(), "1.2.3");
        assert_eq!(of("1.2.3").unwrap().oldest_beside().to_string(), "1.1.0");
        assert_eq!(Version::ours().to_string(), env!("CARGO_PKG_VERSION"));
        for wrong in ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "+1.2.3", "1.2.3-rc1", "1.2.99999999999"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
