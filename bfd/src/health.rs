//! What a session says about its remote system, to someone who acts on failures (RFC 5882 section 3.2).
//!
//! A session that an operator took down, at either end, says nothing: it is *held* and does not count. It counts again when
//! the remote system wants it up, or when it is Up.

use crate::session::DownCause;
use crate::types::State;

/// What is known of a session beyond its present state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Health {
    /// It counts, and has not been Up since it began, or since it was held.
    #[default]
    NeverUp,
    /// Up.
    Up,
    /// It was Up and went down, and no operator wanted it.
    Failed,
    /// Held down by an operator, at either end.
    Held,
}

impl Health {
    /// Of a session that has just gone down.
    pub fn after(cause: DownCause) -> Self {
        if cause.is_intended() { Self::Held } else { Self::Failed }
    }

    /// With what the remote system says of itself now; `None` while it is not heard. One that says `AdminDown` holds the
    /// session, also where it was never Up; one that asks for it does not.
    #[must_use]
    pub fn with_remote(self, remote: Option<State>) -> Self {
        match (self, remote) {
            (Self::NeverUp | Self::Failed, Some(State::AdminDown)) => Self::Held,
            (Self::Held, Some(State::Down | State::Init)) => Self::NeverUp,
            (health, _) => health,
        }
    }
}

/// How many of several sessions count, and what they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Those that no operator holds down.
    pub configured: u32,
    /// Those that are Up.
    pub up: u32,
    /// Those that were Up and have failed.
    pub failed: u32,
}

impl FromIterator<Health> for Tally {
    fn from_iter<I: IntoIterator<Item = Health>>(sessions: I) -> Self {
        sessions.into_iter().fold(Self::default(), |tally, health| {
            let (configured, up, failed) = match health {
                Health::NeverUp => (1, 0, 0),
                Health::Up => (1, 1, 0),
                Health::Failed => (1, 0, 1),
                Health::Held => (0, 0, 0),
            };
            Self {
                configured: tally.configured + configured,
                up: tally.up + up,
                failed: tally.failed + failed,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_wanted_is_no_failure_and_does_not_count() {
        assert_eq!(Health::after(DownCause::RemoteAdminDown), Health::Held);
        assert_eq!(Health::after(DownCause::Disabled), Health::Held);
        assert_eq!(Health::after(DownCause::PathFailed), Health::Failed);
        let sessions = [Health::NeverUp, Health::Up, Health::Failed, Health::Held];
        assert_eq!(sessions.into_iter().collect::<Tally>(), Tally { configured: 3, up: 1, failed: 1 });
    }

    #[test]
    fn held_sessions_count_again_when_the_remote_system_wants_them_up() {
        let (down, admin_down) = (Some(State::Down), Some(State::AdminDown));
        assert_eq!(Health::NeverUp.with_remote(admin_down), Health::Held);
        assert_eq!(Health::Failed.with_remote(admin_down), Health::Held);
        assert_eq!(Health::Held.with_remote(admin_down), Health::Held);
        assert_eq!(Health::Held.with_remote(None), Health::Held);
        assert_eq!(Health::Held.with_remote(down), Health::NeverUp);
        assert_eq!(Health::Up.with_remote(down), Health::Up);
        assert_eq!(Health::Failed.with_remote(down), Health::Failed);
    }
}
