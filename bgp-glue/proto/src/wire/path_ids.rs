//! Path identifiers beside prefixes: several paths of one neighbor to one prefix (ADD-PATH).
//!
//! Most sessions have none, and most tables one path for a prefix. So identifiers are no part of a prefix but a list
//! beside the list of prefixes, which is empty where none were negotiated. Source: RFC 7911 sections 2 and 3.

use crate::prefix::Prefix;

/// The identifier of our only path to a prefix. It never changes, so an announcement always replaces the one before it.
pub const OUR_PATH: u32 = 1;

/// The identifiers of the prefixes of a list; each is 0 where none were negotiated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathIds(Vec<u32>);

impl PathIds {
    /// The identifier of the prefix that stands at this place.
    pub fn of(&self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// Each prefix of the list with its identifier.
    pub fn with<'a>(&'a self, prefixes: &'a [Prefix]) -> impl Iterator<Item = (Prefix, u32)> + 'a {
        prefixes.iter().enumerate().map(|(index, prefix)| (*prefix, self.of(index)))
    }
}

impl From<Vec<u32>> for PathIds {
    fn from(ids: Vec<u32>) -> Self {
        Self(ids)
    }
}

/// A list of prefixes with its identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) prefixes: Vec<Prefix>,
    pub(crate) ids: PathIds,
}

impl Paths {
    pub(crate) const fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        if !self.ids.0.is_empty() || !other.ids.0.is_empty() {
            self.ids.0.resize(self.prefixes.len(), 0);
            self.ids.0.extend((0..other.prefixes.len()).map(|index| other.ids.of(index)));
        }
        self.prefixes.extend(other.prefixes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_and_without_identifiers_join() {
        let list = |text: &str, ids: &[u32]| Paths {
            prefixes: vec![text.parse().unwrap(); ids.len().max(1)],
            ids: ids.to_vec().into(),
        };
        let mut plain = list("10.0.0.0/8", &[]);
        plain.extend(list("11.0.0.0/8", &[]));
        assert_eq!(plain.ids, PathIds::default());
        plain.extend(list("2001:db8::/32", &[7, 8]));
        plain.extend(list("12.0.0.0/8", &[]));
        let ids: Vec<_> = plain.ids.with(&plain.prefixes).map(|(_, id)| id).collect();
        assert_eq!(ids, [0, 0, 7, 8, 0]);
    }
}
