//! Names of events, and of an SNMP engine.

use toml::de::DeValue;

use super::super::fault::Fault;
use super::super::outlet::EngineId;
use super::{Kind, text};
use crate::events;

/// Name of an event.
pub(in crate::config) struct EventName;

impl Kind for EventName {
    type Value = events::Name;

    fn wanted(&self) -> String {
        "name of an event, see events.md".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<events::Name, Fault> {
        let words = || events::Name::ALL.iter().map(|name| name.text()).collect();
        text(self, value, "\"starSRPSwitchoverOccured\"")?
            .parse()
            .map_err(|events::UnknownName| Fault::NotAChoice { words: words() })
    }

    fn write(&self, value: &events::Name) -> String {
        format!("\"{value}\"")
    }
}

/// An SNMP engine ID in hexadecimal.
pub(in crate::config) struct EngineIdText;

impl Kind for EngineIdText {
    type Value = EngineId;

    fn wanted(&self) -> String {
        "5 .. 32 octets in hexadecimal".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<EngineId, Fault> {
        const EXAMPLE: &str = "\"80001fe40302005e100001\"";
        let malformed = Fault::Malformed { what: "an SNMP engine ID", example: EXAMPLE };
        let digits = text(self, value, EXAMPLE)?;
        if digits.len() % 2 != 0 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(malformed);
        }
        let octet =
            |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let octets: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(octet).collect();
        // RFC 3411 section 5, SnmpEngineID: "SIZE(5..32)", and neither all zeros nor all ones.
        match octets {
            Some(octets) if !(5..=32).contains(&octets.len()) => {
                Err(Fault::OutOfRange { wanted: self.wanted() })
            }
            Some(octets) if octets.iter().any(|octet| !matches!(octet, 0 | 0xff)) => Ok(EngineId(octets)),
            Some(_) | None => Err(malformed),
        }
    }

    fn write(&self, value: &EngineId) -> String {
        format!("\"{value}\"")
    }
}
