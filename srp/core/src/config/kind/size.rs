//! Sizes, which always carry their unit.

use toml::de::DeValue;

use super::{Kind, text};
use crate::config::fault::Fault;
use crate::config::model::Octets;

/// A size with its unit, such as `"16MiB"`.
pub(in crate::config) struct Size {
    pub min: Octets,
    pub max: Octets,
}

impl Kind for Size {
    type Value = Octets;

    fn wanted(&self) -> String {
        format!("size \"{}\" .. \"{}\"", self.min, self.max)
    }

    fn read(&self, value: &DeValue<'_>) -> Result<Octets, Fault> {
        const EXAMPLE: &str = "\"16MiB\" (units: KiB, MiB, GiB)";
        let malformed = || Fault::Malformed { what: "a size", example: EXAMPLE };
        let text = text(self, value, EXAMPLE)?;
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| malformed())?;
        let size = match unit {
            "KiB" => Octets::kib(number),
            "MiB" => Octets::mib(number),
            "GiB" => Octets::gib(number),
            _ => return Err(malformed()),
        };
        if size < self.min || size > self.max {
            return Err(Fault::OutOfRange { wanted: self.wanted() });
        }
        Ok(size)
    }

    fn write(&self, value: &Octets) -> String {
        format!("\"{value}\"")
    }
}
