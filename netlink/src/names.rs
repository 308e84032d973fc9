//! What the kernel calls things: links by index and name, link-layer addresses, routing tables.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// The kernel's number of a link (`ifindex`); never 0. Valid until the link is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkIndex(NonZeroU32);

impl LinkIndex {
    /// `None` for 0, which the kernel uses for "no link".
    pub fn new(index: u32) -> Option<Self> {
        NonZeroU32::new(index).map(Self)
    }

    /// The number as the kernel counts it.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for LinkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// The name of a link, such as `lo` or `eth0`: 1..=15 octets, no `/`, no white space, neither `.` nor `..`
/// (the kernel's own rule, `dev_valid_name`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkName(String);

/// Why a text is not a [`LinkName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a link name: use 1 to 15 characters without '/', ':' or white space, as `ip link` shows them"
)]
pub struct LinkNameError(String);

impl LinkName {
    /// The loopback link, present in every network namespace.
    pub fn lo() -> Self {
        Self("lo".to_owned())
    }

    /// Stands for the name of a link that is gone, of which only the index is left.
    pub(crate) fn of_index(index: LinkIndex) -> Self {
        Self(format!("link-{}", index.get()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = LinkNameError;

    fn from_str(text: &str) -> Result<Self, LinkNameError> {
        let bad_octet =
            |octet: u8| octet == b'/' || octet == b':' || octet.is_ascii_whitespace() || octet == 0;
        if text.is_empty() || text.len() > 15 || text == "." || text == ".." || text.bytes().any(bad_octet) {
            return Err(LinkNameError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A 48-bit link-layer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, octet) in self.0.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02x}")?;
        }
        Ok(())
    }
}

/// The number of a routing table: 1..=4294967295 without 255, which is the kernel's own `local` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId(u32);

impl TableId {
    /// Table 254, the one `ip route` shows.
    pub const MAIN: Self = Self(254);

    /// `None` for 0 (unspecified) and 255 (the kernel's `local` table).
    pub fn new(table: u32) -> Option<Self> {
        (table != 0 && table != 255).then_some(Self(table))
    }

    /// The number as the kernel counts it.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::MAIN { f.write_str("main") } else { write!(f, "{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names_follow_the_kernel_rule() {
        for good in ["lo", "eth0", "enp0s31f6.100", "a23456789012345", "-"] {
            assert!(good.parse::<LinkName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a:b", "a234567890123456"] {
            assert!(bad.parse::<LinkName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_kernels_own_tables_are_refused() {
        assert_eq!((TableId::new(0), TableId::new(255)), (None, None));
        assert_eq!(TableId::new(254), Some(TableId::MAIN));
    }
}
