//! Waiting for a condition, with a deadline. Nothing in the lab sleeps in the hope that something has happened.
//!
//! A wait polls because what it waits for (the state of a daemon behind a command, a child's exit) offers no event; what
//! is timed for a report comes from events instead ([`crate::observe`]).

use std::time::{Duration, Instant};

use crate::error::LabError;
use crate::interrupt;

/// What one look at a condition found.
#[derive(Debug)]
pub enum Seen<T> {
    /// It holds.
    Done(T),
    /// It does not hold yet; what was seen instead, for the error.
    NotYet(String),
}

/// Looks every `every` until `look` is done, for at most `limit`. The last look happens at or after the deadline, so a
/// condition that holds by then is never missed.
pub fn until<T>(
    what: &str,
    limit: Duration,
    every: Duration,
    mut look: impl FnMut() -> Result<Seen<T>, LabError>,
) -> Result<T, LabError> {
    let deadline = Instant::now() + limit;
    loop {
        interrupt::check()?;
        let late = Instant::now() >= deadline;
        match look()? {
            Seen::Done(value) => return Ok(value),
            Seen::NotYet(last) if late => {
                return Err(LabError::Waited { what: what.to_owned(), limit, last });
            }
            Seen::NotYet(_) => std::thread::sleep(every),
        }
    }
}

/// As [`until`], for a condition without a value.
pub fn until_true(
    what: &str,
    limit: Duration,
    every: Duration,
    mut look: impl FnMut() -> Result<bool, LabError>,
) -> Result<(), LabError> {
    until(what, limit, every, || {
        Ok(if look()? { Seen::Done(()) } else { Seen::NotYet("not yet".to_owned()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_in_vain_names_what_it_waited_for_and_what_it_saw() {
        let error =
            until::<()>("the sun", Duration::ZERO, Duration::ZERO, || Ok(Seen::NotYet("rain".to_owned())))
                .expect_err("never done");
        let text = error.to_string();
        assert!(text.contains("the sun") && text.contains("rain"), "{text}");
    }

    #[test]
    fn a_condition_that_holds_at_the_deadline_is_not_missed() {
        let value = until("one look", Duration::ZERO, Duration::ZERO, || Ok(Seen::Done(7))).expect("holds");
        assert_eq!(value, 7);
    }
}
