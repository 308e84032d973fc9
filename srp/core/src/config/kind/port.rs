//! What a port of the machine has: its addresses, and a line of text.

use ipnetwork::IpNetwork;
use toml::de::DeValue;

use super::address::unicast;
use super::{Kind, parse, text};
use crate::config::fault::Fault;
use crate::config::interface::of_a_host;

/// An address of an interface, with the mask of its subnet or alone.
pub(in crate::config) struct InterfaceAddress;

impl Kind for InterfaceAddress {
    type Value = IpNetwork;

    fn wanted(&self) -> String {
        "IPv4 or IPv6 address, with its mask length or alone".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<IpNetwork, Fault> {
        let address: IpNetwork =
            parse(self, value, "an address with its mask", "\"192.0.2.1/30\" or \"2001:db8::1/64\"")?;
        unicast(address.ip())?;
        of_a_host(address)?;
        Ok(address)
    }

    fn write(&self, value: &IpNetwork) -> String {
        format!("\"{value}\"")
    }
}

/// A line of text for people.
pub(in crate::config) struct Text {
    /// Its longest form, octets.
    pub longest: usize,
}

impl Kind for Text {
    type Value = String;

    fn wanted(&self) -> String {
        format!("text: 1 .. {} octets on one line", self.longest)
    }

    fn read(&self, value: &DeValue<'_>) -> Result<String, Fault> {
        let line = text(self, value, "\"to west, port 7\"")?;
        if (1..=self.longest).contains(&line.len()) && !line.chars().any(char::is_control) {
            Ok(line.to_owned())
        } else {
            Err(Fault::OutOfRange { wanted: self.wanted() })
        }
    }

    fn write(&self, value: &String) -> String {
        toml::Value::String(value.clone()).to_string()
    }
}
