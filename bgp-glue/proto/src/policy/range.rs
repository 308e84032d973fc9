//! Prefix ranges, with `ge` and `le` as routers have them.

use std::fmt;

use crate::prefix::Prefix;

/// The prefixes inside `within` whose length lies in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixRange {
    within: Prefix,
    at_least: u8,
    at_most: u8,
}

/// The range lies outside of what the prefix allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {within} ge {at_least} le {at_most}: needs {own} <= ge <= le <= {limit}")]
pub struct BadRange {
    /// The prefix of the rule.
    pub within: Prefix,
    /// Its own length.
    pub own: u8,
    /// The shortest length asked for.
    pub at_least: u8,
    /// The longest length asked for.
    pub at_most: u8,
    /// The longest length of the family.
    pub limit: u8,
}

impl PrefixRange {
    /// Exactly this prefix.
    pub const fn exact(prefix: Prefix) -> Self {
        Self { within: prefix, at_least: prefix.length(), at_most: prefix.length() }
    }

    /// This prefix and every longer one inside of it.
    pub const fn all_within(prefix: Prefix) -> Self {
        Self { within: prefix, at_least: prefix.length(), at_most: limit(prefix) }
    }

    /// Prefixes inside `within`: neither `ge` nor `le` means exactly `within`; `ge` alone means up to the longest
    /// length; `le` alone means from `within`'s own length.
    pub fn new(within: Prefix, ge: Option<u8>, le: Option<u8>) -> Result<Self, BadRange> {
        let (own, limit) = (within.length(), limit(within));
        let at_least = ge.unwrap_or(own);
        let at_most = le.unwrap_or(if ge.is_some() { limit } else { own });
        if own <= at_least && at_least <= at_most && at_most <= limit {
            Ok(Self { within, at_least, at_most })
        } else {
            Err(BadRange { within, own, at_least, at_most, limit })
        }
    }

    /// Whether the prefix is in the range.
    pub fn matches(&self, prefix: Prefix) -> bool {
        self.within.covers(prefix) && (self.at_least..=self.at_most).contains(&prefix.length())
    }
}

const fn limit(prefix: Prefix) -> u8 {
    match prefix {
        Prefix::V4(_) => 32,
        Prefix::V6(_) => 128,
    }
}

impl fmt::Display for PrefixRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ge {} le {}", self.within, self.at_least, self.at_most)
    }
}
