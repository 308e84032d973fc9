//! One clock for everything that a report puts on one line: the host's `CLOCK_MONOTONIC`.
//!
//! Namespaces share it with us. A virtual machine has a clock of its own; its node says by how much that one is ahead
//! ([`crate::node::Node::clock_ahead`]), and whoever reads a time stamp of that node subtracts it once, where he reads it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A point on the host's `CLOCK_MONOTONIC`, in nanoseconds since boot. Never wall time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// The present.
    ///
    /// # Panics
    /// If the kernel has no `CLOCK_MONOTONIC`, which POSIX and Linux rule out.
    pub fn now() -> Self {
        let at = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux kernel has CLOCK_MONOTONIC");
        let seconds = u64::try_from(at.tv_sec()).unwrap_or(0);
        let nanos = u64::try_from(at.tv_nsec()).unwrap_or(0);
        Self(seconds * 1_000_000_000 + nanos)
    }

    /// The point of a wall time of this host (microseconds since 1970), as long as nobody has set the wall clock since.
    pub fn of_wall_us(wall_us: u64) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let age = i128::try_from(wall.as_nanos()).unwrap_or(i128::MAX) - i128::from(wall_us) * 1000;
        Self(u64::try_from(i128::from(Self::now().0) - age).unwrap_or(0))
    }

    /// Milliseconds from `origin` to this point; negative when this point is the earlier one.
    #[expect(clippy::cast_precision_loss, reason = "a lab lasts minutes: far below 2^53 ns")]
    pub fn millis_since(self, origin: Self) -> f64 {
        if self >= origin { (self.0 - origin.0) as f64 / 1e6 } else { -((origin.0 - self.0) as f64 / 1e6) }
    }

    /// The span from `earlier` to this point, or nothing when `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000_000, self.0 / 1000 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_run_backwards() {
        let first = Time::now();
        assert!(Time::now() >= first);
    }

    #[test]
    fn spans_are_signed_in_milliseconds() {
        let (early, late) = (Time(1_000_000), Time(4_500_000));
        assert!((late.millis_since(early) - 3.5).abs() < 1e-9);
        assert!((early.millis_since(late) + 3.5).abs() < 1e-9);
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
