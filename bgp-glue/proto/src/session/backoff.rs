//! How long to wait before the next attempt, and the jitter on every timer.
//!
//! Two waits are kept apart. A neighbor that cannot be reached is tried again soon: that costs a packet, and each
//! second counts when it comes back. A session that ends in an error is held down for longer each time (RFC 4271
//! section 8.1.1, `DampPeerOscillations`): otherwise two speakers that disagree would open sessions as fast as the
//! network lets them.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::types::{Millis, Time};

/// The first wait after a connection attempt that failed, and the longest.
const CONNECT_FIRST: Millis = Millis::new(250);
const CONNECT_LIMIT: Millis = Millis::from_secs(5);
/// The first time that a session is held down after an error, and the longest.
const HOLD_DOWN_FIRST: Millis = Millis::from_secs(1);
const HOLD_DOWN_LIMIT: Millis = Millis::from_secs(60);
/// A session that lasted so long clears its record.
const STABLE: Millis = Millis::from_secs(60);

/// Random numbers from a seed: the same seed gives the same session.
#[derive(Clone, Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// A number from 0 up to, and not, `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0.next_u64() % limit
    }

    /// RFC 4271 section 10: the span times a random number from 0.75 to 1.0.
    pub(crate) fn jittered(&mut self, span: Millis) -> Millis {
        let quarter = span.get() / 4;
        Millis::new(span.get() - self.0.next_u64() % (quarter + 1))
    }
}

/// The waits of one neighbor.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    connect: Millis,
    hold_down: Option<Millis>,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { connect: CONNECT_FIRST, hold_down: None }
    }

    /// The wait after an attempt that got no session.
    pub(super) fn after_failed_attempt(&mut self) -> Millis {
        let wait = self.connect;
        self.connect = wait.doubled(CONNECT_LIMIT);
        wait
    }

    /// How long to hold the session down after an error before it was Established.
    pub(super) fn after_error(&mut self) -> Millis {
        let wait = self.hold_down.unwrap_or(HOLD_DOWN_FIRST);
        self.hold_down = Some(wait.doubled(HOLD_DOWN_LIMIT));
        wait
    }

    /// How long to hold the session down after it was Established: not at all the first time.
    pub(super) fn after_session(&mut self, since: Time, now: Time) -> Option<Millis> {
        self.connect = CONNECT_FIRST;
        if now - since >= STABLE {
            self.hold_down = None;
        }
        let wait = self.hold_down;
        self.hold_down = Some(wait.map_or(HOLD_DOWN_FIRST, |wait| wait.doubled(HOLD_DOWN_LIMIT)));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_three_quarters_and_the_whole() {
        let mut random = Random::new(7);
        let spans: Vec<_> = (0..1000).map(|_| random.jittered(Millis::new(1000)).get()).collect();
        assert!(spans.iter().all(|span| (750..=1000).contains(span)));
        assert!(spans.iter().any(|span| *span < 800) && spans.iter().any(|span| *span > 950));
        assert_eq!(random.jittered(Millis::new(0)), Millis::new(0));
    }

    #[test]
    fn errors_are_held_down_longer_each_time_up_to_a_minute() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..8).map(|_| backoff.after_error().get() / 1000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn first_loss_of_a_session_is_not_held_down_and_a_stable_one_clears_the_record() {
        let mut backoff = Backoff::new();
        let at = Time::from_millis;
        assert_eq!(backoff.after_session(at(0), at(10)), None);
        assert_eq!(backoff.after_session(at(10), at(20)), Some(Millis::from_secs(1)));
        assert_eq!(backoff.after_session(at(0), at(70_000)), None);
    }

    #[test]
    fn unreachable_neighbor_is_tried_again_within_a_second_and_then_every_five() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..7).map(|_| backoff.after_failed_attempt().get()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 5000, 5000]);
    }
}
