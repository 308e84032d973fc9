//! `add-path` of `[[context.bgp.neighbor]]`: several paths to a prefix (RFC 7911).

use std::fmt;

use super::kind::word;

/// In which direction path identifiers are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddPath {
    /// The neighbour may announce several paths.
    Receive,
    /// What it is told carries identifiers.
    Send,
    /// Both.
    Both,
}

impl AddPath {
    /// Each with its word in the configuration.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("receive", Self::Receive), ("send", Self::Send), ("both", Self::Both)];

    /// Whether the neighbour may announce several paths.
    pub const fn receives(self) -> bool {
        match self {
            Self::Receive | Self::Both => true,
            Self::Send => false,
        }
    }

    /// Whether what it is told carries identifiers.
    pub const fn sends(self) -> bool {
        match self {
            Self::Send | Self::Both => true,
            Self::Receive => false,
        }
    }
}

impl fmt::Display for AddPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(Self::WORDS, self))
    }
}
