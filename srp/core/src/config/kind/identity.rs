//! Names that other systems give: domain names, and texts of their protocols.

use toml::de::DeValue;

use super::{Kind, text};
use crate::config::fault::Fault;

/// The longest domain name as text, and the longest value of a RADIUS attribute.
const LONGEST: usize = 253;

/// A domain name, such as a `DiameterIdentity`.
pub(in crate::config) struct DomainName;

impl Kind for DomainName {
    type Value = String;

    fn wanted(&self) -> String {
        "domain name: 1 .. 253 letters, digits, `-`, `_`, `.`".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<String, Fault> {
        let name = text(self, value, "\"gateway.example.net\"")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=LONGEST).contains(&name.len()) && name.chars().all(fits) {
            Ok(name.to_owned())
        } else {
            Err(Fault::OutOfRange { wanted: self.wanted() })
        }
    }

    fn write(&self, value: &String) -> String {
        format!("\"{value}\"")
    }
}

/// A printable text that fits into a RADIUS attribute.
pub(in crate::config) struct AttributeText;

impl Kind for AttributeText {
    type Value = String;

    fn wanted(&self) -> String {
        "text of 1 .. 253 octets, no control characters".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<String, Fault> {
        let words = text(self, value, "\"probe\"")?;
        if (1..=LONGEST).contains(&words.len()) && !words.chars().any(char::is_control) {
            Ok(words.to_owned())
        } else {
            Err(Fault::OutOfRange { wanted: self.wanted() })
        }
    }

    fn write(&self, value: &String) -> String {
        format!("\"{value}\"")
    }
}
