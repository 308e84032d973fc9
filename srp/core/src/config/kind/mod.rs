//! Kinds of value: what a TOML value must be, and the typed value that it becomes.

mod address;
mod duration;
mod identity;
mod outlet;
mod pool;
mod port;
mod rule;
mod size;

use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use toml::de::DeValue;

use super::fault::Fault;
use crate::types::Mac;

pub(super) use address::{Address, AddressV4, AddressV6, HostAddress, Prefix, RouterId};
pub(super) use duration::{Duration, HoldTime};
pub(super) use identity::{AttributeText, DomainName};
pub(super) use outlet::{EngineIdText, EventName};
pub(super) use pool::PoolAddresses;
pub(super) use port::{InterfaceAddress, Text};
pub(super) use rule::Rule;
pub(super) use size::Size;

/// A kind of value.
pub(super) trait Kind {
    /// What a checked value becomes.
    type Value;

    /// Type and range in words, for errors and for the reference page.
    fn wanted(&self) -> String;

    /// The same for programs: a JSON Schema of what may stand there.
    fn schema(&self) -> Value {
        json!({"type": "string"})
    }

    /// Checks one value.
    fn read(&self, value: &DeValue<'_>) -> Result<Self::Value, Fault>;

    /// A value as it is written in a file.
    fn write(&self, value: &Self::Value) -> String;
}

/// `true` or `false`.
pub(super) struct Flag;

impl Kind for Flag {
    type Value = bool;

    fn wanted(&self) -> String {
        "true or false".into()
    }

    fn schema(&self) -> Value {
        json!({"type": "boolean"})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<bool, Fault> {
        value.as_bool().ok_or_else(|| wrong_type(self, value, "true (without quotes)"))
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// An integer in a range that `T` can hold.
pub(super) struct Integer<T> {
    min: u32,
    max: u32,
    fits: PhantomData<T>,
}

impl<T: TryFrom<u32>> Integer<T> {
    pub fn new(min: u32, max: u32) -> Self {
        Self { min, max, fits: PhantomData }
    }
}

impl<T: TryFrom<u32> + fmt::Display> Kind for Integer<T> {
    type Value = T;

    fn wanted(&self) -> String {
        format!("integer {} .. {}", self.min, self.max)
    }

    fn schema(&self) -> Value {
        json!({"type": "integer", "minimum": self.min, "maximum": self.max})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<T, Fault> {
        let number = value.as_integer().ok_or_else(|| wrong_type(self, value, "10 (without quotes)"))?;
        i128::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (self.min..=self.max).contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| Fault::OutOfRange { wanted: self.wanted() })
    }

    fn write(&self, value: &T) -> String {
        value.to_string()
    }
}

/// A number of an autonomous system that a speaker may use.
pub(super) struct AsNumber;

impl Kind for AsNumber {
    type Value = u32;

    fn wanted(&self) -> String {
        "integer 1 .. 4294967294, not 23456".into()
    }

    fn schema(&self) -> Value {
        json!({"type": "integer", "minimum": 1, "maximum": u32::MAX - 1})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<u32, Fault> {
        const AS_TRANS: u32 = 23456;
        let number =
            value.as_integer().ok_or_else(|| wrong_type(self, value, "65001 (asplain, RFC 5396)"))?;
        match u32::from_str_radix(number.as_str(), number.radix()) {
            Ok(number @ (0 | AS_TRANS | u32::MAX)) => Err(Fault::ReservedAs { number }),
            Ok(number) => Ok(number),
            Err(_) => Err(Fault::OutOfRange { wanted: self.wanted() }),
        }
    }

    fn write(&self, value: &u32) -> String {
        value.to_string()
    }
}

/// One word of a list.
pub(super) struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

/// The word of a value; every value has one.
pub(super) fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

impl<T: Copy + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn wanted(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        words.join(", ")
    }

    fn schema(&self) -> Value {
        json!({"enum": self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>()})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<T, Fault> {
        let example = self.0.first().map_or("", |(word, _)| word);
        let word = value.as_str().ok_or_else(|| wrong_type(self, value, example))?;
        let choice = self.0.iter().find(|(known, _)| *known == word);
        choice
            .map(|(_, value)| *value)
            .ok_or_else(|| Fault::NotAChoice { words: self.0.iter().map(|(word, _)| *word).collect() })
    }

    fn write(&self, value: &T) -> String {
        format!("\"{}\"", word(self.0, value))
    }
}

/// A name of something configured, or of a thing of the kernel.
pub(super) struct Name;

impl Kind for Name {
    type Value = String;

    fn wanted(&self) -> String {
        "name: 1 .. 79 letters, digits, `-`, `_`, `.`".into()
    }

    fn schema(&self) -> Value {
        json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,79}$"})
    }

    fn read(&self, value: &DeValue<'_>) -> Result<String, Fault> {
        let name = text(self, value, "\"destination\"")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=79).contains(&name.len()) && name.chars().all(fits) {
            Ok(name.to_owned())
        } else {
            Err(Fault::OutOfRange { wanted: self.wanted() })
        }
    }

    fn write(&self, value: &String) -> String {
        format!("\"{value}\"")
    }
}

/// Name of a link; Linux allows 15 octets.
pub(super) struct Interface;

impl Kind for Interface {
    type Value = String;

    fn wanted(&self) -> String {
        "interface name: 1 .. 15 characters, no `/`, no blanks".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<String, Fault> {
        let name = text(self, value, "\"eth0\"")?;
        let fits = |c: char| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control();
        if (1..=15).contains(&name.len()) && name.chars().all(fits) && !matches!(name, "." | "..") {
            Ok(name.to_owned())
        } else {
            Err(Fault::OutOfRange { wanted: self.wanted() })
        }
    }

    fn write(&self, value: &String) -> String {
        format!("\"{value}\"")
    }
}

/// Path of a file; a relative one starts at the folder of the configuration file.
pub(super) struct FilePath<'f> {
    pub base: &'f Path,
}

impl Kind for FilePath<'_> {
    type Value = PathBuf;

    fn wanted(&self) -> String {
        "path".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<PathBuf, Fault> {
        let path = text(self, value, "\"/etc/srp/FILE\"")?;
        if path.is_empty() || path.contains('\0') {
            return Err(Fault::Malformed { what: "a path", example: "\"/etc/srp/FILE\"" });
        }
        Ok(self.base.join(path))
    }

    fn write(&self, value: &PathBuf) -> String {
        format!("\"{}\"", value.display())
    }
}

/// The MAC address of one interface.
pub(super) struct MacAddress;

impl Kind for MacAddress {
    type Value = Mac;

    fn wanted(&self) -> String {
        "MAC address".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Mac, Fault> {
        let mac: Mac = parse(self, value, "a MAC address", "\"02:00:5e:10:00:01\"")?;
        let is_group = mac.0[0] & 1 == 1;
        if is_group || mac.0 == [0; 6] { Err(Fault::NotOneMac) } else { Ok(mac) }
    }

    fn write(&self, value: &Mac) -> String {
        format!("\"{value}\"")
    }
}

fn wrong_type<K: Kind + ?Sized>(kind: &K, value: &DeValue<'_>, example: &'static str) -> Fault {
    Fault::WrongType { found: value.type_str(), wanted: kind.wanted(), example }
}

fn text<'v, K: Kind>(kind: &K, value: &'v DeValue<'_>, example: &'static str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| wrong_type(kind, value, example))
}

fn parse<K: Kind, T: std::str::FromStr>(
    kind: &K,
    value: &DeValue<'_>,
    what: &'static str,
    example: &'static str,
) -> Result<T, Fault> {
    text(kind, value, example)?.parse().map_err(|_| Fault::Malformed { what, example })
}
