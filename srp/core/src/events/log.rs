//! The last events, numbered.

use std::collections::{BTreeMap, VecDeque};

use super::{Name, Occurrence, Severity};
use crate::types::Time;

/// That many events are kept; with the longest texts they take some 2 MiB.
pub const KEPT: usize = 1_024;

/// An event in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts up from 1 in the life of a daemon, without gaps.
    pub sequence: u64,
    /// When, on the monotonic clock.
    pub at: Time,
    /// When, microseconds since 1970 UTC, as the clock then was.
    pub wall_us: u64,
    /// What.
    pub occurrence: Occurrence,
}

/// The last events, newest last, and how often each happened.
#[derive(Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    count: u64,
    by_name: BTreeMap<Name, u64>,
}

impl Log {
    /// Adds an event; the oldest makes room.
    pub fn push(&mut self, at: Time, wall_us: u64, occurrence: Occurrence) -> Entry {
        self.count += 1;
        *self.by_name.entry(occurrence.name).or_default() += 1;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        let entry = Entry { sequence: self.count, at, wall_us, occurrence };
        self.entries.push_back(entry.clone());
        entry
    }

    /// The last `last` of those of this severity and worse, and with `traps` only those that have a public number; oldest first.
    pub fn show(&self, least: Severity, traps: bool, last: usize) -> Vec<&Entry> {
        let wanted = |entry: &&Entry| {
            let name = entry.occurrence.name;
            name.weight() >= least && (!traps || name.trap().is_some())
        };
        let mut found: Vec<&Entry> = self.entries.iter().rev().filter(wanted).take(last).collect();
        found.reverse();
        found
    }

    /// How often each event happened; also those that never did.
    pub fn counts(&self) -> impl Iterator<Item = (Name, u64)> {
        Name::ALL.iter().map(|name| (*name, self.by_name.get(name).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(names: &[Name]) -> Log {
        let mut log = Log::default();
        for (second, name) in (1_u64..).zip(names) {
            log.push(Time(second * 1_000_000), second, Occurrence::new(*name));
        }
        log
    }

    fn shown(log: &Log, least: Severity, traps: bool, last: usize) -> Vec<u64> {
        log.show(least, traps, last).iter().map(|entry| entry.sequence).collect()
    }

    #[test]
    fn a_filter_by_severity_keeps_what_clears_what_it_keeps() {
        let log =
            log_of(&[Name::SrpActive, Name::SrpConnDown, Name::PeerRestarted, Name::SrpConnUp, Name::CutOff]);
        assert_eq!(shown(&log, Severity::Major, false, 10), [2, 4, 5]);
        assert_eq!(shown(&log, Severity::Info, true, 10), [1, 2, 4]);
        assert_eq!(shown(&log, Severity::Info, false, 2), [4, 5], "the last ones, oldest first");
    }

    #[test]
    fn old_events_make_room_and_still_count() {
        let log = log_of(&vec![Name::InterfaceDown; KEPT + 5]);
        let all = log.show(Severity::Info, false, usize::MAX);
        assert_eq!((all.len(), all[0].sequence), (KEPT, 6));
        let count = log.counts().find(|(name, _)| *name == Name::InterfaceDown);
        assert_eq!(count, Some((Name::InterfaceDown, KEPT as u64 + 5)));
    }
}
