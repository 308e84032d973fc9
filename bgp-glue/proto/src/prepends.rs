//! How often our AS stands in front of a route, where a neighbor's domain wants other numbers than the owner gives.
//!
//! What always holds: of two counts the higher one stays the higher one, up to 255. Whoever ranks two speakers by the
//! length of their paths, as a pair of chassis does, is understood whatever table a neighbor has.

/// A table of prepend counts: the n-th entry is what a route with a count of n gets. A count of 0 stays 0, and each one
/// behind the end of the table gets one more than the one before it. Empty: every count stays what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prepends(Vec<u8>);

/// Two counts that would look alike, or the wrong way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("prepends {second} behind {first}: each entry has to be higher than the one before it")]
pub struct NotRising {
    /// The entry before.
    pub first: u8,
    /// The entry that is not higher.
    pub second: u8,
}

impl Prepends {
    /// A table of these entries.
    pub fn new(entries: Vec<u8>) -> Result<Self, NotRising> {
        let wrong = entries.windows(2).find_map(|pair| match pair {
            [first, second] if first >= second => Some(NotRising { first: *first, second: *second }),
            _ => None,
        });
        wrong.map_or(Ok(Self(entries)), Err)
    }

    /// Whether every count stays what it is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a route with this count gets.
    pub fn of(&self, count: u8) -> u8 {
        let Some(place) = count.checked_sub(1) else { return 0 };
        match (self.0.get(usize::from(place)), self.0.last()) {
            (Some(entry), _) => *entry,
            (None, Some(last)) => {
                // At most 255 entries fit below each other.
                let beyond = usize::from(count) - self.0.len();
                last.saturating_add(u8::try_from(beyond).unwrap_or(u8::MAX))
            }
            (None, None) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_then_one_more_for_each() {
        let table = Prepends::new(vec![0, 2, 5]).expect("rising");
        assert_eq!([0, 1, 2, 3, 4, 5, 65].map(|count| table.of(count)), [0, 0, 2, 5, 6, 7, 67]);
        assert_eq!([0, 1, 65].map(|count| Prepends::default().of(count)), [0, 1, 65]);
    }

    #[test]
    fn table_that_does_not_rise_is_refused() {
        assert_eq!(Prepends::new(vec![1, 2, 2]), Err(NotRising { first: 2, second: 2 }));
        assert_eq!(Prepends::new(vec![3, 1]), Err(NotRising { first: 3, second: 1 }));
    }

    proptest! {
        #[test]
        fn higher_count_stays_the_higher_one(entries in btree_set(0_u8..=100, 0..40)) {
            let table = Prepends::new(entries.into_iter().collect()).expect("a set is in order");
            for count in 1..=65 {
                prop_assert!(table.of(count) < table.of(count + 1));
            }
        }
    }
}
