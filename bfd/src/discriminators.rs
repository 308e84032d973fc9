//! Discriminators that nobody guesses and that no two sessions share.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::types::Discriminator;

/// Gives discriminators in an order that only the seed knows.
///
/// RFC 5880 section 6.8.1: the local discriminator "MUST be unique across all BFD sessions on this system, and nonzero.
/// It SHOULD be set to a random (but still unique) value to improve security."
#[derive(Clone, Debug)]
pub struct Discriminators(SplitMix64);

impl Discriminators {
    /// A supply; the seed has to differ from one start of the system to the next.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// The next one for which `taken` says no.
    pub fn next(&mut self, taken: impl Fn(Discriminator) -> bool) -> Discriminator {
        loop {
            let upper = u32::try_from(self.0.next_u64() >> 32).unwrap_or(0); // 32 bits always fit
            if let Some(discriminator) = Discriminator::new(upper).filter(|found| !taken(*found)) {
                return discriminator;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_taken_discriminator_is_not_given_again() {
        let mut taken = HashSet::new();
        for seed in [1, 1, 1, 2] {
            let mut supply = Discriminators::new(seed);
            for _ in 0..100 {
                let next = supply.next(|found| taken.contains(&found));
                assert!(taken.insert(next));
            }
        }
    }
}
