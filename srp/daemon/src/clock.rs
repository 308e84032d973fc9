//! The one clock: `CLOCK_MONOTONIC` for every decision, wall time only for people.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use srp_core::types::{Span, Time};

/// Now, on the monotonic clock of the machine: two daemons of one machine, and a test beside them, can be compared.
pub fn now() -> Time {
    // Cannot fail: the clock exists on every Linux and the pointer is ours.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Time(0), |at| Time(Span::from(Duration::from(at)).0))
}

/// The same moment on the monotonic clock.
pub fn of_instant(instant: Instant) -> Time {
    match Instant::now().checked_duration_since(instant) {
        Some(ago) => now() - Span::from(ago),
        None => now(),
    }
}

/// A moment of the monotonic clock as wall time now shows it: microseconds since 1970 UTC.
pub fn wall_us(at: Time) -> u64 {
    wall().saturating_sub(now().since(at).0)
}

/// The same of an [`Instant`], past or to come.
pub fn wall_us_of(instant: Instant) -> u64 {
    match instant.checked_duration_since(Instant::now()) {
        Some(left) => wall().saturating_add(Span::from(left).0),
        None => wall_us(of_instant(instant)),
    }
}

fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| Span::from(since).0)
}
