//! A deadline that an epoll loop wakes up for, to the microsecond.
//!
//! The time-out of `epoll_wait`, and so of [`mio::Poll`], counts whole milliseconds and is rounded up: half a millisecond
//! late on average, before anything else is. A timer of the kernel has no such step, and it is not put off by the timer
//! slack of the thread.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use srp_core::types::Time;

/// One deadline. Readiness of its token means that it has come.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    token: Token,
    set_to: Option<Time>,
}

impl Alarm {
    /// An alarm that is not set. An error is one of the system: out of descriptors.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        registry.register(&mut SourceFd(&timer.as_fd().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer, token, set_to: None })
    }

    /// Wakes the loop at this time of [`crate::clock`] and not before; at once if it is past. The last call counts.
    pub fn set(&mut self, at: Time) -> io::Result<()> {
        if self.set_to == Some(at) {
            return Ok(());
        }
        // Zero would disarm it.
        let at_least = Duration::from_micros(at.0.max(1));
        self.timer
            .set(Expiration::OneShot(TimeSpec::from(at_least)), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
        self.set_to = Some(at);
        Ok(())
    }

    /// Takes readiness: true if it is this alarm's. To be woken again, it has to be set again.
    pub fn is_rung_by(&mut self, token: Token) -> bool {
        let rung = token == self.token;
        if rung {
            // Nothing is read: setting the timer again makes it not ready.
            self.set_to = None;
        }
        rung
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};
    use srp_core::types::Span;

    use super::*;
    use crate::clock;

    const ALARM: Token = Token(7);

    fn ring(poll: &mut Poll, alarm: &mut Alarm) {
        let mut events = Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(30))).expect("epoll");
        assert!(events.iter().any(|event| alarm.is_rung_by(event.token())), "the alarm has not rung");
    }

    #[test]
    fn rings_at_its_time_and_again_when_it_is_set_again() {
        let mut poll = Poll::new().expect("epoll");
        let mut alarm = Alarm::new(poll.registry(), ALARM).expect("a timer");
        for _ in 0..3 {
            let at = clock::now() + Span(1_300);
            alarm.set(at).expect("set");
            alarm.set(at).expect("set");
            ring(&mut poll, &mut alarm);
            assert!(clock::now() >= at, "not before its time");
        }
    }

    #[test]
    fn a_time_that_is_past_rings_at_once() {
        let mut poll = Poll::new().expect("epoll");
        let mut alarm = Alarm::new(poll.registry(), ALARM).expect("a timer");
        alarm.set(clock::now() + Span::secs(3_600)).expect("set");
        for past in [Time(0), clock::now()] {
            alarm.set(past).expect("set");
            ring(&mut poll, &mut alarm);
        }
    }
}
