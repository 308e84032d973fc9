//! An open connection: what its watchdog asks and hears, and what the peer is worth by that (RFC 3539).

use rand_xoshiro::rand_core::Rng;

use super::{Peer, Phase};
use crate::diameter::packet::command;
use crate::diameter::watchdog::{Expiry, Watchdog, jittered};
use crate::types::{State, Time};

impl Peer {
    pub(super) fn open(&mut self, now: Time, who: String) {
        self.counters.opened += 1;
        self.who = who;
        let watchdog = Watchdog::open(self.was_open);
        if !watchdog.is_okay() {
            self.send_watchdog(now);
        }
        self.set_watchdog(now);
        self.judge(now, watchdog);
    }

    pub(super) fn answered(&mut self, now: Time, hop_by_hop: u32) {
        match (self.phase, self.asked) {
            (Phase::Open(mut watchdog), Some((asked, sent))) if asked == hop_by_hop => {
                self.asked = None;
                self.counters.watchdogs_answered += 1;
                self.round_trip = Some(now.since(sent));
                if watchdog.answered() {
                    self.set_watchdog(now);
                }
                self.judge(now, watchdog);
            }
            _ => self.counters.unexpected += 1,
        }
    }

    /// Something else than an answer to the watchdog has come.
    pub(super) fn heard(&mut self, now: Time) {
        if let Phase::Open(mut watchdog) = self.phase {
            if watchdog.heard() {
                self.set_watchdog(now);
            }
            self.judge(now, watchdog);
        }
    }

    /// Tw is over.
    pub(super) fn watch(&mut self, now: Time, mut watchdog: Watchdog) {
        let expiry = watchdog.expired();
        self.phase = Phase::Open(watchdog);
        match expiry {
            Expiry::SendWatchdog => {
                self.send_watchdog(now);
                self.set_watchdog(now);
            }
            Expiry::Wait => {
                self.counters.watchdogs_missed += 1;
                self.set_watchdog(now);
                self.judge(now, watchdog);
            }
            Expiry::Close => {
                self.counters.watchdogs_missed += 1;
                self.give_up(now, "no answer to Device-Watchdog-Requests: connection given up".into());
            }
        }
    }

    fn send_watchdog(&mut self, now: Time) {
        let hop_by_hop = self.request(command::DEVICE_WATCHDOG, Vec::new());
        self.asked = Some((hop_by_hop, now));
        self.counters.watchdogs_sent += 1;
    }

    fn set_watchdog(&mut self, now: Time) {
        self.deadline = Some(now + jittered(self.settings.watchdog_interval, self.random.next_u64()));
    }

    /// What an open connection is worth.
    fn judge(&mut self, now: Time, watchdog: Watchdog) {
        self.phase = Phase::Open(watchdog);
        let who = &self.who;
        let (state, reason) = match watchdog {
            Watchdog::Okay { .. } => (State::Up, format!("open to {who}")),
            Watchdog::Suspect => (State::Down, format!("{who} does not answer Device-Watchdog-Requests")),
            Watchdog::Reopen { answers, .. } => {
                (State::Down, format!("open again to {who}: {answers} of 3 watchdogs answered (RFC 3539)"))
            }
        };
        self.become_(now, state, reason);
    }
}
