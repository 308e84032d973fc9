//! A hash for tables whose keys come from neighbors: fast on keys of a few octets, and seeded, so that a neighbor
//! cannot choose prefixes that all fall into one bucket.
//!
//! Each word is folded into the state by the two halves of a 128-bit product, which spreads every input bit over the
//! whole word. The seed is an argument, as everything random is: the standard library's `RandomState` would make the
//! order of a table differ from run to run.

use std::hash::{BuildHasher, Hasher};

/// Makes hashers from a seed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seeded(pub u64);

impl BuildHasher for Seeded {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0 ^ 0x243f_6a88_85a3_08d3)
    }
}

/// The state of one hash.
#[derive(Clone, Copy, Debug)]
pub struct Folded(u64);

impl Folded {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15_u128;
        let bytes = product.to_le_bytes();
        let (halves, _) = bytes.as_chunks();
        self.0 = halves.iter().fold(self.0.rotate_left(23), |state, half| state ^ u64::from_le_bytes(*half));
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        let (words, rest) = octets.as_chunks();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.fold(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.fold(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.fold(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.fold(word as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::prefix::PrefixV4;

    #[test]
    fn neighboring_prefixes_spread_over_the_buckets_of_a_table() {
        let hash = Seeded(42);
        // The table takes its bucket from the low bits and its tag from the high ones.
        for shift in [0, 57] {
            let mut load = [0_u32; 128];
            for index in 0..128 * 100_u32 {
                let prefix = PrefixV4::containing(Ipv4Addr::from_bits(index << 8), 24);
                load[usize::try_from(hash.hash_one(prefix) >> shift & 127).unwrap()] += 1;
            }
            assert!(load.iter().all(|load| (50..200).contains(load)), "shift {shift}: {load:?}");
        }
    }

    #[test]
    fn seed_changes_the_hash() {
        let hashes: HashSet<_> = (0..100).map(|seed| Seeded(seed).hash_one(7_u32)).collect();
        assert_eq!(hashes.len(), 100);
    }
}
