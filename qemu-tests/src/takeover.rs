//! An unplanned takeover as the journal of the new Active and the probes have it. Pure.

use srp_core::api::Switchover;

use crate::clock::Time;
use crate::probe::gaps::Outcome;
use crate::timeline::step_time;

/// The steps that every takeover has, and when they were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// The last Hello; none where none was ever heard.
    pub heard: Option<Time>,
    /// The end of the dead-interval; none where BFD was faster.
    pub expired: Option<Time>,
    /// The peer was declared dead.
    pub detected: Time,
    /// Addresses and pools were in the kernel.
    pub installed: Time,
    /// The last UPDATE was handed to TCP.
    pub announced: Time,
}

impl Takeover {
    /// Read from a journal whose clock is `ahead` of ours by so many nanoseconds. The error is the step that is missing.
    pub fn read(journal: &Switchover, ahead: i64) -> Result<Self, &'static str> {
        let times = |name: &'static str| {
            let steps = journal.steps.iter().filter(move |step| step.step == name);
            steps.map(|step| step_time(journal, step.at_ms, ahead))
        };
        let expired = times("dead-timer-expired").min();
        Ok(Self {
            heard: times("last-hello-received").min(),
            expired,
            detected: expired.or_else(|| times("bfd-failed").min()).ok_or("dead-timer-expired")?,
            installed: times("installed").max().ok_or("installed")?,
            announced: times("update-written").max().ok_or("update-written")?,
        })
    }
}

/// When the chassis first answered the stream.
pub fn first_answer(outcome: &Outcome, chassis: &str) -> Option<Time> {
    outcome.answered_by.iter().find(|change| change.to == chassis).map(|change| change.at)
}

/// For tests: the journal of a takeover that began at `began_us` of the monotonic clock, with these steps at these
/// milliseconds from then.
#[cfg(test)]
pub(crate) fn journal(began_us: u64, steps: &[(f64, &str)]) -> Switchover {
    use srp_core::api::SwitchoverStep;
    use srp_core::types::ChassisState;

    let step = |(at_ms, step): &(f64, &str)| SwitchoverStep {
        at_ms: *at_ms,
        step: (*step).to_owned(),
        detail: String::new(),
    };
    Switchover {
        number: 1,
        from: ChassisState::Standby,
        to: ChassisState::Active,
        reason: 9,
        reason_text: "Dead Timer Expiry".to_owned(),
        began_us: 0,
        began_monotonic_us: began_us,
        took_ms: 2.0,
        completed: true,
        steps: steps.iter().map(step).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn bfd_may_be_the_one_that_detects() {
        let steps =
            [(0.0, "bfd-failed"), (1.0, "installed"), (2.0, "update-written"), (3.0, "update-written")];
        let takeover = Takeover::read(&journal(1_000, &steps), 0).expect("complete");
        assert_eq!((takeover.heard, takeover.expired), (None, None));
        assert_eq!(takeover.announced.since(takeover.detected), Duration::from_millis(3));
    }

    #[test]
    fn step_that_is_missing_is_named() {
        let steps = [(0.0, "dead-timer-expired"), (1.0, "installed")];
        assert_eq!(Takeover::read(&journal(1_000, &steps), 0), Err("update-written"));
        assert_eq!(Takeover::read(&journal(1_000, &steps[..1]), 0), Err("installed"));
        assert_eq!(Takeover::read(&journal(1_000, &[]), 0), Err("dead-timer-expired"));
    }
}
