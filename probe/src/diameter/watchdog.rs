//! The watchdog of RFC 3539 section 3.4.1 on an open connection, as a table of states.
//!
//! INITIAL and DOWN are the states without a connection; what belongs to them stands in [`super::peer`].

use std::time::Duration;

/// How far Tw may be from its initial value, either way (RFC 3539 section 3.4.1 (1)).
const JITTER: Duration = Duration::from_secs(2);

/// Three answers in a row show that a connection that was lost can be trusted again.
const REOPENING_ANSWERS: u8 = 3;

/// State of an open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watchdog {
    /// In use. `pending`: a request is not answered yet.
    Okay { pending: bool },
    /// A watchdog was not answered within Tw: failed over, and given one more.
    Suspect,
    /// Open again after it was lost; `answers` so far. `late`: one is overdue.
    Reopen { answers: u8, pending: bool, late: bool },
}

/// What follows from an expired Tw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// Ask.
    SendWatchdog,
    /// Wait for one more Tw.
    Wait,
    /// Nobody is there: close the connection.
    Close,
}

impl Watchdog {
    /// Just opened; `again` if an open connection was lost before. Reopened ones are asked at once.
    pub const fn open(again: bool) -> Self {
        if again {
            Self::Reopen { answers: 0, pending: true, late: false }
        } else {
            Self::Okay { pending: false }
        }
    }

    /// Whether the connection may be used.
    pub const fn is_okay(self) -> bool {
        matches!(self, Self::Okay { .. })
    }

    /// A Device-Watchdog-Answer has come. Whether Tw starts anew.
    pub fn answered(&mut self) -> bool {
        match *self {
            Self::Okay { .. } | Self::Suspect => {
                *self = Self::Okay { pending: false };
                true
            }
            // NumDWA was -1, and is 0 now: three answers in a row begin with the next one.
            Self::Reopen { late: true, .. } => {
                *self = Self::Reopen { answers: 0, pending: false, late: false };
                false
            }
            Self::Reopen { answers, .. } if answers + 1 >= REOPENING_ANSWERS => {
                *self = Self::Okay { pending: false };
                true
            }
            Self::Reopen { answers, .. } => {
                *self = Self::Reopen { answers: answers + 1, pending: false, late: false };
                false
            }
        }
    }

    /// Something else has come. Whether Tw starts anew.
    pub fn heard(&mut self) -> bool {
        match *self {
            Self::Okay { .. } => true,
            // The request stays unanswered: one more Tw without anything, and it is suspected again.
            Self::Suspect => {
                *self = Self::Okay { pending: true };
                true
            }
            Self::Reopen { .. } => false,
        }
    }

    /// Tw is over; it starts anew unless the connection is closed.
    pub const fn expired(&mut self) -> Expiry {
        match *self {
            Self::Okay { pending: false } => {
                *self = Self::Okay { pending: true };
                Expiry::SendWatchdog
            }
            Self::Okay { pending: true } => {
                *self = Self::Suspect;
                Expiry::Wait
            }
            Self::Suspect | Self::Reopen { pending: true, late: true, .. } => Expiry::Close,
            Self::Reopen { answers, pending: true, late: false } => {
                *self = Self::Reopen { answers, pending: true, late: true };
                Expiry::Wait
            }
            Self::Reopen { answers, pending: false, .. } => {
                *self = Self::Reopen { answers, pending: true, late: false };
                Expiry::SendWatchdog
            }
        }
    }
}

/// Tw with its jitter: within two seconds of `initial`, by a random number.
pub(super) fn jittered(initial: Duration, random: u64) -> Duration {
    let jitter = Duration::from_millis(random % 4001);
    (initial + jitter).saturating_sub(JITTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OKAY: Watchdog = Watchdog::Okay { pending: false };
    const ASKED: Watchdog = Watchdog::Okay { pending: true };

    fn reopen(answers: u8, pending: bool, late: bool) -> Watchdog {
        Watchdog::Reopen { answers, pending, late }
    }

    #[test]
    fn the_table_of_rfc_3539() {
        let rows = [
            ("OKAY, timer, not pending", OKAY, ASKED, Expiry::SendWatchdog),
            ("OKAY, timer, pending", ASKED, Watchdog::Suspect, Expiry::Wait),
            ("SUSPECT, timer", Watchdog::Suspect, Watchdog::Suspect, Expiry::Close),
            (
                "REOPEN, timer, not pending",
                reopen(1, false, false),
                reopen(1, true, false),
                Expiry::SendWatchdog,
            ),
            ("REOPEN, timer, pending", reopen(0, true, false), reopen(0, true, true), Expiry::Wait),
            ("REOPEN, timer, NumDWA = -1", reopen(0, true, true), reopen(0, true, true), Expiry::Close),
        ];
        for (name, mut state, then, expiry) in rows {
            assert_eq!((state.expired(), state), (expiry, then), "{name}");
        }
        let rows = [
            ("OKAY, DWA", ASKED, OKAY, true),
            ("SUSPECT, DWA", Watchdog::Suspect, OKAY, true),
            ("REOPEN, DWA, NumDWA < 2", reopen(1, true, false), reopen(2, false, false), false),
            ("REOPEN, DWA, NumDWA = -1", reopen(1, true, true), reopen(0, false, false), false),
            ("REOPEN, DWA, NumDWA == 2", reopen(2, true, false), OKAY, true),
        ];
        for (name, mut state, then, sets) in rows {
            assert_eq!((state.answered(), state), (sets, then), "{name}");
        }
        let rows = [
            ("OKAY, other", ASKED, ASKED, true),
            ("SUSPECT, other", Watchdog::Suspect, ASKED, true),
            ("REOPEN, other", reopen(1, true, false), reopen(1, true, false), false),
        ];
        for (name, mut state, then, sets) in rows {
            assert_eq!((state.heard(), state), (sets, then), "{name}");
        }
    }

    #[test]
    fn tw_stays_within_two_seconds_of_its_initial_value() {
        let tw = Duration::from_secs(6);
        assert_eq!(jittered(tw, 0), Duration::from_secs(4));
        assert_eq!(jittered(tw, 4000), Duration::from_secs(8));
        assert_eq!(jittered(tw, 4001), Duration::from_secs(4));
    }
}
