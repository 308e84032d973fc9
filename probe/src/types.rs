//! What every probe has: time, a secret, and what is known of its target.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A point on the monotonic clock, microseconds since some start; never wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// How long after `earlier` this is; zero if it is before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// What is known of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing: it is not probed, or has neither answered nor failed yet.
    #[default]
    Unknown,
    /// It answers.
    Up,
    /// It does not answer, or refuses.
    Down,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::Up => "Up",
            Self::Down => "Down",
        })
    }
}

/// The state of a target, since when, and why: one line for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// When it became this.
    pub since: Time,
    /// Why. May hold text of the target, with nothing in it that would steer a terminal.
    pub reason: String,
}

impl Standing {
    /// Takes a new state. True if it is another one; the reason is taken either way.
    pub(crate) fn become_(&mut self, now: Time, state: State, reason: String) -> bool {
        let other = self.state != state;
        if other {
            self.since = now;
            self.state = state;
        }
        self.reason = reason;
        other
    }
}

/// Octets that are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// These octets.
    pub const fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A span as the configuration writes it.
pub(crate) fn span(span: Duration) -> String {
    if span.subsec_millis() == 0 && span.as_secs() > 0 {
        format!("{}s", span.as_secs())
    } else {
        format!("{}ms", span.as_millis())
    }
}

/// One printable line of octets that came from elsewhere.
pub(crate) fn line(octets: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(octets);
    text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", Secret::new(b"testing123".to_vec())), "Secret(..)");
    }

    #[test]
    fn a_state_has_its_age_from_its_first_moment() {
        let mut standing = Standing::default();
        assert!(standing.become_(Time(5), State::Up, "a".into()));
        assert!(!standing.become_(Time(9), State::Up, "b".into()));
        assert_eq!(standing, Standing { state: State::Up, since: Time(5), reason: "b".into() });
    }

    #[test]
    fn what_a_target_says_cannot_steer_a_terminal() {
        assert_eq!(line(b"x\x1b[2J\xff"), "x?[2J\u{fffd}");
        assert_eq!(line(&[b'a'; 500]).len(), 120);
    }
}
