//! Nothing waits for ever: every step that kernel, neighbours or peer never answer has its bound.

use srp_core::chassis::{Action, Chassis, Event, Settings};
use srp_core::types::{BootId, ChassisMode, ChassisState, Identity, Mac, Priority, Span, Time};

fn settings() -> Settings {
    let identity = Identity {
        mode: ChassisMode::Primary,
        priority: Priority::default(),
        mac: Mac([2, 0, 0, 0, 0, 1]),
        boot: BootId(1),
    };
    Settings {
        drain_interval: Span::millis(50),
        switchover_timeout: Span::secs(1),
        ..Settings::new(identity)
    }
}

/// A chassis by itself, whose driver answers as long as it is told to.
struct Alone {
    chassis: Chassis,
    now: Time,
    answers: bool,
}

impl Alone {
    fn new(answers: bool) -> Self {
        Self { chassis: Chassis::new(Time(0), settings()), now: Time(0), answers }
    }

    fn active() -> Self {
        let mut alone = Self::new(true);
        alone.run(Span::secs(1), |_| false);
        assert_eq!(alone.chassis.state(), ChassisState::Active);
        alone
    }

    fn feed(&mut self, event: Event) -> Vec<Action> {
        self.chassis.handle(self.now, event);
        let mut done: Vec<Action> = std::iter::from_fn(|| self.chassis.poll_action()).collect();
        for action in done.clone() {
            let answer = match action {
                Action::Install { ticket } => Event::Installed { ticket, installed: 4, refused: 0 },
                Action::Announce { ticket, .. } => Event::Announced { ticket },
                Action::Withdraw { ticket } => Event::Withdrawn { ticket },
                Action::Remove { ticket } => Event::Removed { ticket },
                _ => continue,
            };
            if self.answers {
                done.extend(self.feed(answer));
            }
        }
        done
    }

    /// Runs by its deadlines until `is_it` or for so long; the time that it took.
    fn run(&mut self, longest: Span, is_it: impl Fn(&Action) -> bool) -> Option<Span> {
        let begin = self.now;
        while self.now.since(begin) < longest {
            let next = self.chassis.next_deadline();
            assert!(next > self.now || begin == self.now, "the deadline does not move at {:?}", self.now);
            self.now = self.now.max(next);
            if self.feed(Event::DeadlineReached).iter().any(&is_it) {
                return Some(self.now.since(begin));
            }
        }
        None
    }
}

#[test]
fn ch_1_an_orderly_stop_that_nobody_answers_ends_within_its_bound() {
    let mut alone = Alone::active();
    alone.answers = false;
    let stopped = |action: &Action| *action == Action::Stopped;
    assert!(!alone.feed(Event::Stop).iter().any(stopped));
    // A switchover-timeout for the withdraw, and another with the drain-interval for what is left.
    let took = alone.run(Span::secs(60), stopped).expect("it ends");
    assert_eq!(took, Span::millis(1_000 + 1_000 + 50));
    assert_eq!(alone.run(Span::secs(5), stopped), None, "and it ends once");
}

#[test]
fn ch_1_an_orderly_stop_that_is_answered_waits_for_nothing() {
    let mut alone = Alone::active();
    let stopped = |action: &Action| *action == Action::Stopped;
    let at_once = alone.feed(Event::Stop).iter().any(stopped);
    assert!(at_once || alone.run(Span::secs(1), stopped).is_some_and(|took| took <= Span::millis(50)));
}

#[test]
fn ch_2_a_take_over_that_nobody_answers_falls_back_and_is_tried_again() {
    let mut alone = Alone::new(false);
    let leaves = |action: &Action| matches!(action, Action::Record(srp_core::chassis::Fact::Aborted { .. }));
    assert_eq!(alone.run(Span::secs(60), leaves), Some(Span::millis(1_300)), "dead-interval and timeout");
    assert_eq!(alone.chassis.state(), ChassisState::Standby);
    alone.answers = true;
    alone.run(Span::secs(2), |_| false);
    assert_eq!(alone.chassis.state(), ChassisState::Active);
}
