//! Addresses of a pool: a prefix, or a range.

use std::net::IpAddr;

use toml::de::DeValue;

use super::address::{prefix, unicast};
use super::{Kind, text};
use crate::config::fault::Fault;
use crate::config::pool::{PoolFault, PoolRange};

/// A prefix without host bits, or `FIRST-LAST`.
pub(in crate::config) struct PoolAddresses;

/// A range that is no more routes than this is written in good order; a longer one is a slip of the pen.
const MOST_ROUTES: usize = 64;

impl Kind for PoolAddresses {
    type Value = PoolRange;

    fn wanted(&self) -> String {
        "IPv4 or IPv6 prefix, or range FIRST-LAST".into()
    }

    fn read(&self, value: &DeValue<'_>) -> Result<PoolRange, Fault> {
        const EXAMPLE: &str = "\"10.2.0.0/16\" or \"10.2.0.10-10.2.0.99\"";
        let text = text(self, value, EXAMPLE)?;
        let Some((first, last)) = text.split_once('-') else {
            let prefix = prefix(text)?;
            if prefix.prefix() > 0 {
                unicast(prefix.ip())?;
            }
            return Ok(PoolRange::Prefix(prefix));
        };
        let address = |text: &str| {
            let malformed = |_| Fault::Malformed { what: "a range of addresses", example: EXAMPLE };
            text.trim().parse::<IpAddr>().map_err(malformed)
        };
        let (first, last) = (address(first)?, address(last)?);
        if first.is_ipv4() != last.is_ipv4() || first > last {
            return Err(PoolFault::NotARange.into());
        }
        unicast(first)?;
        unicast(last)?;
        let range = PoolRange::Range { first, last };
        let count = range.prefixes().len();
        if count > MOST_ROUTES { Err(PoolFault::TooManyRoutes { count }.into()) } else { Ok(range) }
    }

    fn write(&self, value: &PoolRange) -> String {
        format!("\"{value}\"")
    }
}
