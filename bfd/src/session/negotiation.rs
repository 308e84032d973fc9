//! Our half of the timers: what is wanted, what is announced, what is in force, and the Poll Sequence in between.
//!
//! A change that would make one of the two systems give up the other is announced first and comes into force when the
//! remote system has agreed (RFC 5880 section 6.8.3). All other changes are in force as soon as they are announced.
//! While a Poll Sequence runs on a session that is Up, a further change waits: "the semantics of the returned Final are
//! unclear" otherwise.

use std::num::NonZeroU8;

use crate::types::{Interval, SLOW_INTERVAL, Timers};

/// Always: `announced == in force` while no Poll Sequence runs.
#[derive(Clone, Debug)]
pub(super) struct Negotiation {
    wanted: Timers,
    /// `bfd.DesiredMinTxInterval` as our packets have it.
    pub(super) desired_min_tx: Interval,
    /// `bfd.RequiredMinRxInterval` as our packets have it.
    pub(super) required_min_rx: Interval,
    /// What our transmit interval is made of.
    pub(super) tx_in_force: Interval,
    /// What our detection time is made of.
    pub(super) rx_in_force: Interval,
    poll: Poll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Poll {
    Idle,
    /// Our packets have the Poll bit.
    Running,
    /// Final has come. The next sequence begins only after a packet without Final: one that still answers this
    /// sequence is not taken for an answer to the next.
    Settling,
}

impl Negotiation {
    /// For a session that is not Up.
    pub(super) fn new(wanted: Timers) -> Self {
        let desired_min_tx = wanted.min_tx().max(SLOW_INTERVAL);
        Self {
            wanted,
            desired_min_tx,
            required_min_rx: wanted.min_rx(),
            tx_in_force: desired_min_tx,
            rx_in_force: wanted.min_rx(),
            poll: Poll::Idle,
        }
    }

    /// `bfd.DetectMult`. A change of it takes no Poll Sequence.
    pub(super) fn detect_mult(&self) -> NonZeroU8 {
        self.wanted.multiplier()
    }

    /// What is configured; it may not be announced yet.
    pub(super) fn wanted(&self) -> Timers {
        self.wanted
    }

    /// True while our packets have the Poll bit.
    pub(super) fn is_polling(&self) -> bool {
        self.poll == Poll::Running
    }

    /// The operator wants other timers.
    pub(super) fn want(&mut self, wanted: Timers, is_up: bool) {
        self.wanted = wanted;
        if is_up {
            self.announce_while_up();
        } else {
            self.announce_at_once(wanted.min_tx().max(SLOW_INTERVAL));
        }
    }

    /// The session has come up: the wanted interval replaces the slow one.
    pub(super) fn go_fast(&mut self) {
        self.announce_at_once(self.wanted.min_tx());
    }

    /// The session is not Up any more. RFC 5880 section 6.8.3: "the system MUST set bfd.DesiredMinTxInterval to a value
    /// of not less than one second".
    pub(super) fn go_slow(&mut self) {
        self.announce_at_once(self.wanted.min_tx().max(SLOW_INTERVAL));
    }

    /// A packet has come.
    pub(super) fn heard(&mut self, is_final: bool, is_up: bool) {
        match (self.poll, is_final) {
            (Poll::Running, true) => {
                self.put_in_force();
                self.poll = Poll::Settling;
            }
            (Poll::Settling, false) => {
                self.poll = Poll::Idle;
                if is_up {
                    self.announce_while_up();
                }
            }
            (Poll::Idle, _) | (Poll::Running, false) | (Poll::Settling, true) => {}
        }
    }

    fn announce_at_once(&mut self, min_tx: Interval) {
        let changed = self.replace(min_tx);
        self.put_in_force();
        if changed {
            self.poll = Poll::Running;
        }
    }

    fn announce_while_up(&mut self) {
        if self.poll != Poll::Idle || !self.replace(self.wanted.min_tx()) {
            return;
        }
        // "the actual transmission interval used MUST NOT change until the Poll Sequence described above has
        // terminated" if it is increased; "the previous value of bfd.RequiredMinRxInterval MUST be used when
        // calculating the Detection Time" if it is reduced.
        self.tx_in_force = self.tx_in_force.min(self.desired_min_tx);
        self.rx_in_force = self.rx_in_force.max(self.required_min_rx);
        self.poll = Poll::Running;
    }

    /// True if something changed.
    fn replace(&mut self, min_tx: Interval) -> bool {
        let before = (self.desired_min_tx, self.required_min_rx);
        (self.desired_min_tx, self.required_min_rx) = (min_tx, self.wanted.min_rx());
        before != (self.desired_min_tx, self.required_min_rx)
    }

    fn put_in_force(&mut self) {
        (self.tx_in_force, self.rx_in_force) = (self.desired_min_tx, self.required_min_rx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timers(min_tx: u32, min_rx: u32) -> Timers {
        Timers::new(Interval::millis(min_tx), Interval::millis(min_rx), 3).expect("in range")
    }

    fn up_and_settled(min_tx: u32, min_rx: u32) -> Negotiation {
        let mut negotiation = Negotiation::new(timers(min_tx, min_rx));
        negotiation.go_fast();
        negotiation.heard(true, true);
        negotiation.heard(false, true);
        assert!(!negotiation.is_polling());
        negotiation
    }

    /// Announced (tx, rx) and in force (tx, rx), in milliseconds.
    fn of(negotiation: &Negotiation) -> [u32; 4] {
        [
            negotiation.desired_min_tx,
            negotiation.required_min_rx,
            negotiation.tx_in_force,
            negotiation.rx_in_force,
        ]
        .map(|interval| interval.0 / 1_000)
    }

    #[test]
    fn an_interval_that_could_break_the_session_waits_for_final() {
        // name, from (tx, rx), to (tx, rx), in force until Final
        let cases = [
            ("slower transmission waits", (50, 50), (200, 50), (50, 50)),
            ("faster transmission does not", (50, 50), (20, 50), (20, 50)),
            ("shorter detection waits", (50, 50), (50, 20), (50, 50)),
            ("longer detection does not", (50, 50), (50, 200), (50, 200)),
            ("both wait", (50, 50), (200, 20), (50, 50)),
            ("neither waits", (50, 50), (20, 200), (20, 200)),
        ];
        for (name, from, to, meanwhile) in cases {
            let mut negotiation = up_and_settled(from.0, from.1);
            negotiation.want(timers(to.0, to.1), true);
            assert!(negotiation.is_polling(), "{name}");
            assert_eq!(of(&negotiation), [to.0, to.1, meanwhile.0, meanwhile.1], "{name}");
            negotiation.heard(false, true);
            assert_eq!(of(&negotiation), [to.0, to.1, meanwhile.0, meanwhile.1], "{name}: no Final yet");
            negotiation.heard(true, true);
            assert_eq!(of(&negotiation), [to.0, to.1, to.0, to.1], "{name}");
            assert!(!negotiation.is_polling(), "{name}");
        }
    }

    #[test]
    fn a_change_during_a_poll_sequence_waits_until_finals_cannot_be_confused() {
        let mut negotiation = up_and_settled(50, 50);
        negotiation.want(timers(200, 50), true);
        negotiation.want(timers(300, 50), true);
        assert_eq!(of(&negotiation), [200, 50, 50, 50]);
        negotiation.heard(true, true);
        assert_eq!(of(&negotiation), [200, 50, 200, 50]);
        negotiation.heard(true, true);
        assert!(!negotiation.is_polling(), "a second Final answers the first sequence");
        negotiation.heard(false, true);
        assert!(negotiation.is_polling());
        assert_eq!(of(&negotiation), [300, 50, 200, 50]);
        negotiation.heard(true, true);
        assert_eq!(of(&negotiation), [300, 50, 300, 50]);
    }

    #[test]
    fn nothing_waits_while_the_session_is_not_up() {
        let mut negotiation = Negotiation::new(timers(50, 50));
        assert_eq!(of(&negotiation), [1_000, 50, 1_000, 50]);
        negotiation.want(timers(2_000, 20), false);
        assert_eq!(of(&negotiation), [2_000, 20, 2_000, 20]);
        negotiation.want(timers(40, 30), false);
        assert_eq!(of(&negotiation), [1_000, 30, 1_000, 30]);
        negotiation.go_fast();
        assert_eq!(of(&negotiation), [40, 30, 40, 30]);
        negotiation.go_slow();
        assert_eq!(of(&negotiation), [1_000, 30, 1_000, 30]);
        assert!(negotiation.is_polling());
    }

    #[test]
    fn the_same_timers_once_more_change_nothing() {
        let mut negotiation = up_and_settled(50, 50);
        negotiation.want(timers(50, 50), true);
        assert!(!negotiation.is_polling());
    }
}
