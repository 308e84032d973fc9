//! When a row is due, and which rows wait to be written. Pure.
//!
//! The public rule (`no gather-on-standby`): a chassis that becomes Standby transfers what has accumulated at the first
//! opportunity, and then gathers nothing until it is Standby no more. What has accumulated is the interval that was cut
//! short: its row is taken at once.

use std::collections::VecDeque;

use srp_core::config::BulkConfig;
use srp_core::types::{ChassisState, Span, Time};

use super::Row;

/// Whether there is a row to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Now.
    Row,
    /// Later, or never while this state lasts.
    Nothing,
}

/// One configuration at work.
#[derive(Debug)]
pub struct Gatherer {
    interval: Span,
    on_standby: bool,
    most: usize,
    /// End of the present interval; none while silent.
    next_at: Option<Time>,
    pending: VecDeque<Row>,
}

impl Gatherer {
    /// Begins with an interval, unless it has to be silent.
    pub fn new(now: Time, state: ChassisState, config: &BulkConfig) -> Self {
        let silent = state == ChassisState::Standby && !config.gather_on_standby;
        Self {
            interval: config.interval,
            on_standby: config.gather_on_standby,
            most: config.keep.into(),
            next_at: (!silent).then_some(now + config.interval),
            pending: VecDeque::new(),
        }
    }

    /// Whether a row is due, in this state; takes it as done.
    pub fn due(&mut self, now: Time, state: ChassisState) -> Due {
        let silent = state == ChassisState::Standby && !self.on_standby;
        match (self.next_at, silent) {
            (None, true) => Due::Nothing,
            (None, false) => {
                self.next_at = Some(now + self.interval);
                Due::Nothing
            }
            (Some(_), true) => {
                self.next_at = None;
                Due::Row
            }
            (Some(at), false) if now < at => Due::Nothing,
            (Some(at), false) => {
                // Not one for each interval that a stopped machine has missed.
                let next = at + self.interval;
                self.next_at = Some(if next > now { next } else { now + self.interval });
                Due::Row
            }
        }
    }

    /// A row waits to be written; the oldest makes room.
    pub fn add(&mut self, row: Row) {
        if self.pending.len() == self.most {
            self.pending.pop_front();
        }
        self.pending.push_back(row);
    }

    /// Rows that wait, oldest first.
    pub fn pending(&self) -> Vec<Row> {
        self.pending.iter().cloned().collect()
    }

    /// So many of them are written.
    pub fn written(&mut self, rows: usize) {
        self.pending.drain(..rows.min(self.pending.len()));
    }

    /// When the next row is due, or those that wait are tried again; never while silent with nothing to write.
    pub fn next_deadline(&self, now: Time) -> Option<Time> {
        self.next_at.or_else(|| (!self.pending.is_empty()).then_some(now + self.interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(gather_on_standby: bool) -> BulkConfig {
        BulkConfig { folder: "/tmp".into(), interval: Span::secs(10), keep: 3, gather_on_standby }
    }

    fn at(second: u64) -> Time {
        Time(second * 1_000_000)
    }

    #[test]
    fn bulk_1_a_standby_flushes_what_is_pending_once_and_is_silent() {
        let mut gatherer = Gatherer::new(at(0), ChassisState::Active, &config(false));
        assert_eq!(gatherer.due(at(9), ChassisState::Active), Due::Nothing);
        assert_eq!(gatherer.due(at(10), ChassisState::Active), Due::Row);
        assert_eq!(gatherer.due(at(13), ChassisState::Standby), Due::Row, "the interval that was cut short");
        for second in 14..100 {
            assert_eq!(gatherer.due(at(second), ChassisState::Standby), Due::Nothing);
        }
        assert_eq!(gatherer.next_deadline(at(99)), None);
        assert_eq!(gatherer.due(at(100), ChassisState::PendingActive), Due::Nothing);
        assert_eq!(gatherer.next_deadline(at(100)), Some(at(110)), "out of standby a new interval begins");
    }

    #[test]
    fn bulk_1_a_chassis_that_begins_as_standby_is_silent_from_the_start() {
        let mut gatherer = Gatherer::new(at(0), ChassisState::Standby, &config(false));
        assert_eq!(gatherer.due(at(50), ChassisState::Standby), Due::Nothing);
        assert_eq!(gatherer.next_deadline(at(50)), None);
        gatherer.add(Row::at(1));
        assert_eq!(gatherer.next_deadline(at(50)), Some(at(60)), "what the disk refused is tried again");
    }

    #[test]
    fn bulk_1_by_default_a_standby_gathers_like_any_other() {
        let mut gatherer = Gatherer::new(at(0), ChassisState::Standby, &config(true));
        assert_eq!(gatherer.due(at(10), ChassisState::Standby), Due::Row);
        assert_eq!(gatherer.due(at(11), ChassisState::Standby), Due::Nothing);
        assert_eq!(gatherer.due(at(20), ChassisState::Standby), Due::Row);
    }

    #[test]
    fn rows_that_cannot_be_written_wait_but_not_without_bound() {
        let mut gatherer = Gatherer::new(at(0), ChassisState::Active, &config(true));
        (1..=5).for_each(|second| gatherer.add(Row::at(second)));
        assert_eq!(gatherer.pending(), [Row::at(3), Row::at(4), Row::at(5)]);
        gatherer.written(2);
        assert_eq!(gatherer.pending(), [Row::at(5)]);
    }

    #[test]
    fn a_machine_that_was_stopped_does_not_make_up_for_every_interval() {
        let mut gatherer = Gatherer::new(at(0), ChassisState::Active, &config(true));
        assert_eq!(gatherer.due(at(1_000), ChassisState::Active), Due::Row);
        assert_eq!(gatherer.next_deadline(at(1_000)), Some(at(1_010)));
    }
}
