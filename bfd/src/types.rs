//! The words of BFD as types: time, intervals, discriminators, states and diagnostics.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::ops::Add;

/// A point on the monotonic clock: microseconds since an arbitrary start. Never wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// A length of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

/// An interval as packets carry it: microseconds in 32 bits, so up to 71 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(pub u32);

/// Shortest interval that can be configured. Below it, an ordinary kernel's scheduling decides what is detected.
pub const MIN_INTERVAL: Interval = Interval::millis(10);

/// Longest interval that can be configured.
pub const MAX_INTERVAL: Interval = Interval::millis(10_000);

/// Least interval between packets of a session that is not Up (RFC 5880 section 6.8.3).
pub const SLOW_INTERVAL: Interval = Interval::millis(1_000);

impl Time {
    /// The time from `earlier` to this point; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Span {
    /// This span `times` over.
    #[must_use]
    pub const fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

impl Interval {
    /// No time at all; as Required Min RX Interval: "do not send to me".
    pub const ZERO: Self = Self(0);

    /// An interval of whole milliseconds, at most 4,294,967 of them.
    pub const fn millis(millis: u32) -> Self {
        Self(millis.saturating_mul(1_000))
    }
}

impl From<Interval> for Span {
    fn from(interval: Interval) -> Self {
        Self(u64::from(interval.0))
    }
}

/// Prints the larger unit where it needs no fraction: `50ms`, `1s`, `12345us`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us % 1_000_000 == 0 => write!(f, "{}s", us / 1_000_000),
            us if us % 1_000 == 0 => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{us}us"),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span::from(*self).fmt(f)
    }
}

/// What one system calls a session; never zero, since zero on the wire says "not known".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Discriminator(NonZeroU32);

impl Discriminator {
    /// `None` for zero.
    pub const fn new(value: u32) -> Option<Self> {
        match NonZeroU32::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Discriminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// State of a session (RFC 5880 section 6.2). The order is the numbering of the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by an operator.
    AdminDown = 0,
    /// Down, or just made.
    #[default]
    Down = 1,
    /// The remote system is heard; it does not hear us yet, as far as we know.
    Init = 2,
    /// Both hear each other.
    Up = 3,
}

impl State {
    /// The state of these two bits; the upper six are ignored.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a system last changed the state of its session (RFC 5880 section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Diagnostic {
    /// 0: nothing is wrong, or was yet.
    #[default]
    None,
    /// 1: no packet within the detection time.
    DetectionTimeExpired,
    /// 2: the Echo function, which we do not use.
    EchoFailed,
    /// 3: the remote system said that the session is down.
    NeighborSignaledDown,
    /// 4: the forwarding plane was reset.
    ForwardingPlaneReset,
    /// 5: something else than BFD says that the path is down.
    PathDown,
    /// 6: a path that this one continues is down.
    ConcatenatedPathDown,
    /// 7: an operator holds the session down.
    AdministrativelyDown,
    /// 8: the path back that this one belongs to is down.
    ReverseConcatenatedPathDown,
    /// 9 ..= 31: reserved by RFC 5880.
    Reserved(u8),
}

impl Diagnostic {
    /// The diagnostic of these five bits; the upper three are ignored.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 31 {
            0 => Self::None,
            1 => Self::DetectionTimeExpired,
            2 => Self::EchoFailed,
            3 => Self::NeighborSignaledDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            reserved => Self::Reserved(reserved),
        }
    }

    /// The number on the wire, 0 ..= 31.
    pub const fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::DetectionTimeExpired => 1,
            Self::EchoFailed => 2,
            Self::NeighborSignaledDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Reserved(number) => number & 31,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no diagnostic",
            Self::DetectionTimeExpired => "control detection time expired",
            Self::EchoFailed => "echo function failed",
            Self::NeighborSignaledDown => "neighbor signaled session down",
            Self::ForwardingPlaneReset => "forwarding plane reset",
            Self::PathDown => "path down",
            Self::ConcatenatedPathDown => "concatenated path down",
            Self::AdministrativelyDown => "administratively down",
            Self::ReverseConcatenatedPathDown => "reverse concatenated path down",
            Self::Reserved(number) => return write!(f, "diagnostic {number}"),
        })
    }
}

/// What is configured of a session's timers. Always: both intervals within [`MIN_INTERVAL`] ..= [`MAX_INTERVAL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    min_tx: Interval,
    min_rx: Interval,
    multiplier: NonZeroU8,
}

/// Timers that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimersError {
    /// An interval is out of range.
    #[error("{name} = {value} is out of range: choose {MIN_INTERVAL} to {MAX_INTERVAL}")]
    Interval {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: Interval,
    },
    /// A multiplier of zero would detect a failure at once and for ever.
    #[error("multiplier = 0: choose 1 to 255")]
    Multiplier,
}

impl Timers {
    /// The least interval between our packets, the least between the remote system's, and how many intervals of ours
    /// the remote system waits in vain before it gives us up.
    pub fn new(min_tx: Interval, min_rx: Interval, multiplier: u8) -> Result<Self, TimersError> {
        for (name, value) in [("min-tx", min_tx), ("min-rx", min_rx)] {
            if !(MIN_INTERVAL..=MAX_INTERVAL).contains(&value) {
                return Err(TimersError::Interval { name, value });
            }
        }
        let multiplier = NonZeroU8::new(multiplier).ok_or(TimersError::Multiplier)?;
        Ok(Self { min_tx, min_rx, multiplier })
    }

    /// The least interval that we want between our own packets (`bfd.DesiredMinTxInterval`) once the session is Up.
    pub const fn min_tx(&self) -> Interval {
        self.min_tx
    }

    /// The least interval between packets that we can take (`bfd.RequiredMinRxInterval`).
    pub const fn min_rx(&self) -> Interval {
        self.min_rx
    }

    /// Detection time of the remote system in our packets (`bfd.DetectMult`).
    pub const fn multiplier(&self) -> NonZeroU8 {
        self.multiplier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_out_of_range_are_refused_with_their_name() {
        let (short, long) = (Interval(9_999), Interval(10_000_001));
        let good = Interval::millis(50);
        let interval = |name, value| Err(TimersError::Interval { name, value });
        assert_eq!(Timers::new(short, good, 3), interval("min-tx", short));
        assert_eq!(Timers::new(good, long, 3), interval("min-rx", long));
        assert_eq!(Timers::new(good, good, 0), Err(TimersError::Multiplier));
        assert!(Timers::new(MIN_INTERVAL, MAX_INTERVAL, 255).is_ok());
        let text = Timers::new(short, good, 3).map_err(|error| error.to_string());
        assert_eq!(text, Err("min-tx = 9999us is out of range: choose 10ms to 10s".into()));
    }

    #[test]
    fn diagnostics_and_states_are_their_numbers() {
        for number in 0..32 {
            assert_eq!(Diagnostic::from_bits(number).number(), number);
        }
        for bits in 0..4 {
            assert_eq!(State::from_bits(bits) as u8, bits);
        }
    }
}
