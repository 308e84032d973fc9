//! When to dial. Pure: told the time, seeded.
//!
//! While the link is down there is a dial every 100 to 200 ms: cheap on the short path between two chassis, and the
//! jitter keeps two that started together from colliding for ever. Where only an operator can help (wrong key, wrong
//! version), the pause doubles up to about two seconds, so that neither log nor peer is flooded.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use srp_core::types::{Span, Time};

/// Shortest pause between two dials.
const PAUSE: Span = Span::millis(100);

/// Most that jitter adds to a pause.
const JITTER: Span = Span::millis(100);

/// Longest addition to a pause after refusals.
const LONGEST_PENALTY: Span = Span::millis(1_800);

/// A link that was up for this long is dialled again at once: it did not fall to its own greeting.
const PROVEN: Span = Span::secs(1);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Redial {
    random: SplitMix64,
    due: Time,
    penalty: Span,
}

impl Redial {
    /// Due at once.
    pub(super) fn new(seed: u64) -> Self {
        Self { random: SplitMix64::seed_from_u64(seed), due: Time(0), penalty: Span::ZERO }
    }

    /// Time of the next dial, if there is reason to dial then.
    pub(super) const fn due(&self) -> Time {
        self.due
    }

    /// A dial begins.
    pub(super) fn dialled(&mut self, now: Time) {
        let jitter = self.jitter();
        self.due = now + PAUSE + jitter + self.penalty;
    }

    /// A dial ended in a way that only an operator can mend.
    pub(super) fn refused(&mut self, now: Time) {
        self.penalty = Span((self.penalty.0 * 2).clamp(PAUSE.0, LONGEST_PENALTY.0));
        self.dialled(now);
    }

    /// The link is up.
    pub(super) const fn up(&mut self) {
        self.penalty = Span::ZERO;
    }

    /// The link went down after it had been up for `lasted`.
    pub(super) fn lost(&mut self, now: Time, lasted: Span) {
        if lasted >= PROVEN {
            self.due = now;
        } else {
            self.dialled(now);
        }
    }

    /// Zero to [`JITTER`].
    fn jitter(&mut self) -> Span {
        Span(self.random.next_u64() % JITTER.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(redial: &mut Redial, times: usize, refused: bool) -> Vec<u64> {
        let mut now = redial.due();
        (0..times)
            .map(|_| {
                redial.dialled(now);
                if refused {
                    redial.refused(now);
                }
                let pause = redial.due().since(now).0 / 1_000;
                now = redial.due();
                pause
            })
            .collect()
    }

    #[test]
    fn the_first_dial_is_due_at_once_and_the_next_ones_after_100_to_200_ms() {
        let mut redial = Redial::new(1);
        assert_eq!(redial.due(), Time(0));
        let pauses = pauses(&mut redial, 100, false);
        assert!(pauses.iter().all(|pause| (100..200).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().max() > pauses.iter().min());
    }

    #[test]
    fn refusals_slow_it_to_two_seconds_and_a_link_that_comes_up_forgives_them() {
        let mut redial = Redial::new(2);
        let slow = pauses(&mut redial, 8, true);
        assert!(slow.iter().zip(slow.iter().skip(1)).take(3).all(|(a, b)| a < b), "{slow:?}");
        assert!((1_800..2_000).contains(slow.last().expect("eight")), "{slow:?}");
        redial.up();
        assert!(pauses(&mut redial, 1, false).iter().all(|pause| *pause < 200));
    }

    #[test]
    fn a_link_that_had_proved_itself_is_dialled_again_at_once() {
        let mut redial = Redial::new(3);
        redial.lost(Time(5_000_000), Span::secs(2));
        assert_eq!(redial.due(), Time(5_000_000));
        redial.lost(Time(5_000_000), Span::millis(3));
        assert!(redial.due() > Time(5_000_000));
    }

    #[test]
    fn two_seeds_do_not_dial_in_step() {
        assert_ne!(pauses(&mut Redial::new(4), 9, false), pauses(&mut Redial::new(5), 9, false));
    }
}
