//! The only source of chance: one seed, one story.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};
use srp_core::types::Span;

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough to choose faults with.
#[derive(Clone, Debug)]
pub struct Rng(SplitMix64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// `0 .. bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Where to cut a thing of this length: neither piece is empty.
    pub fn cut(&mut self, length: usize) -> usize {
        1 + usize::try_from(self.below(length as u64 - 1)).expect("less than a length")
    }

    pub fn side(&mut self) -> usize {
        usize::from(self.chance(50))
    }

    /// Both ends included; no chance is used up where they are equal.
    pub fn span(&mut self, range: Range) -> Span {
        if range.low == range.high {
            return range.low;
        }
        Span(range.low.0 + self.below(range.high.0 - range.low.0 + 1))
    }
}

/// A span of time that is not known better than this.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub low: Span,
    pub high: Span,
}

impl Range {
    pub const fn millis(low: u64, high: u64) -> Self {
        Self { low: Span::millis(low), high: Span::millis(high) }
    }

    pub const fn exactly(span: Span) -> Self {
        Self { low: span, high: span }
    }
}
