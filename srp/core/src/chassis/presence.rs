//! What this chassis has in the kernel and in the routing domain, and how it gets from one to the other.
//!
//! Always: announced only what is installed; removed only what is withdrawn (invariant 5). The state machine above says
//! where it wants to be ([`Target`]); this one takes the steps, one at a time, and waits for each to be reported done.
//!
//! ```text
//! Absent -> Installing -> Announcing -> Announced -> Retiring
//!   ^           |                           |           |
//!   |           v                           |           |
//!   +-- Removing <- Draining <- Withdrawing +-----------+
//! ```
//!
//! Retiring (RFC 8326): still announced and still forwarding, but as the last choice, so that routers turn to the other
//! chassis before they lose this one. It lasts its time, answered or not.
//!
//! A withdraw comes before every remove, also where this life has announced nothing: an earlier one may have.

use serde::{Deserialize, Serialize};

use super::relative::Origin;
use crate::types::{RouteModifier, Span, Time};

/// Names one step, so that a late report of an abandoned one is known as such.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

/// Where the chassis wants to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Target {
    /// As it was found at start: after a crash, the kernel may still hold what the chassis served with.
    AsFound,
    /// Installed, and announced with this modifier.
    Present(RouteModifier),
    /// Neither; forwards this long after the withdraw.
    Absent { drain: Span },
}

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Stage {
    AsFound,
    Absent,
    Installing(Ticket),
    Announcing(Ticket, RouteModifier),
    Announced(RouteModifier),
    Retiring { until: Time, modifier: RouteModifier },
    Withdrawing(Ticket),
    Draining { until: Time },
    Removing(Ticket),
}

/// A step for the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Install(Ticket),
    Announce(Ticket, RouteModifier),
    /// Not reported: it lasts its time.
    Retire,
    Withdraw(Ticket),
    Remove(Ticket),
}

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Presence {
    stage: Stage,
    target: Target,
    /// The kernel has reported that it holds us, and was not asked to forget since.
    installed: bool,
    /// The modifier that routers may still hold, from the first announcement to the withdraw.
    announced: Option<RouteModifier>,
    last: Ticket,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::AsFound,
            target: Target::AsFound,
            installed: false,
            announced: None,
            last: Ticket::default(),
        }
    }

    /// Changes the target and returns the step to take now, if any.
    pub(super) fn aim(&mut self, now: Time, target: Target) -> Option<Step> {
        self.target = target;
        // A change of mind waits for nothing.
        if let (Stage::Retiring { modifier, .. }, Target::Absent { .. }) = (self.stage, target) {
            self.stage = Stage::Announced(modifier);
        }
        if let (Stage::Retiring { .. }, Target::Present(modifier)) = (self.stage, target) {
            return Some(self.announce(modifier));
        }
        self.advance(now)
    }

    /// The same for one who leaves service while another chassis serves: what is announced is the last choice for so long,
    /// and only then goes, or is announced with its longer path.
    pub(super) fn retire(&mut self, now: Time, time: Span, target: Target) -> Option<Step> {
        match self.stage {
            Stage::Announcing(_, modifier) | Stage::Announced(modifier) if time > Span::ZERO => {
                self.target = target;
                self.stage = Stage::Retiring { until: now + time, modifier };
                Some(Step::Retire)
            }
            _ => self.aim(now, target),
        }
    }

    /// A step was reported done: the next one, if any. `None` also for a report that no longer matters.
    pub(super) fn done(&mut self, now: Time, ticket: Ticket) -> Option<Step> {
        let (stage, drain) = match (self.stage, self.target) {
            (Stage::Announcing(asked, modifier), _) if asked == ticket => {
                self.announced = Some(modifier);
                (Stage::Announced(modifier), Span::ZERO)
            }
            (Stage::Withdrawing(asked), Target::Absent { drain }) if asked == ticket => {
                self.announced = None;
                (Stage::Draining { until: now + drain }, drain)
            }
            (Stage::Removing(asked), _) if asked == ticket => (Stage::Absent, Span::ZERO),
            (Stage::Installing(asked), Target::Present(modifier)) if asked == ticket => {
                self.installed = true;
                return Some(self.announce(modifier));
            }
            _ => return None,
        };
        self.stage = stage;
        if drain > Span::ZERO { None } else { self.advance(now) }
    }

    /// Time has passed: the step that it allows, if any.
    pub(super) fn advance(&mut self, now: Time) -> Option<Step> {
        match (self.target, self.stage) {
            (Target::Present(modifier), Stage::Announcing(_, old) | Stage::Announced(old)) => {
                (old != modifier).then(|| self.announce(modifier))
            }
            (Target::Present(modifier), Stage::Retiring { until, .. }) => {
                (now >= until).then(|| self.announce(modifier))
            }
            (Target::Absent { .. }, Stage::Retiring { until, .. }) if now < until => None,
            // Still installed: announcing again is all it takes.
            (Target::Present(modifier), Stage::Withdrawing(_) | Stage::Draining { .. }) if self.installed => {
                Some(self.announce(modifier))
            }
            (
                Target::Present(_),
                Stage::AsFound
                | Stage::Absent
                | Stage::Withdrawing(_)
                | Stage::Draining { .. }
                | Stage::Removing(_),
            ) => {
                let ticket = self.next_ticket();
                self.stage = Stage::Installing(ticket);
                Some(Step::Install(ticket))
            }
            (
                Target::Absent { .. },
                Stage::AsFound
                | Stage::Installing(_)
                | Stage::Announcing(..)
                | Stage::Announced(_)
                | Stage::Retiring { .. },
            ) => Some(self.withdraw()),
            (Target::Absent { .. }, Stage::Draining { until }) => (now >= until).then(|| self.remove()),
            (Target::Present(_), Stage::Installing(_))
            | (Target::Absent { .. }, Stage::Absent | Stage::Withdrawing(_) | Stage::Removing(_))
            | (Target::AsFound, _) => None,
        }
    }

    /// Ends the drain, or lets it not begin. True if there was one, with the step that this allows: none while the
    /// withdraw is not reported done.
    pub(super) fn end_drain(&mut self) -> (bool, Option<Step>) {
        let (
            Target::Absent { drain },
            Stage::Retiring { .. } | Stage::Withdrawing(_) | Stage::Draining { .. },
        ) = (self.target, self.stage)
        else {
            return (false, None);
        };
        self.target = Target::Absent { drain: Span::ZERO };
        match self.stage {
            Stage::Retiring { .. } => (true, Some(self.withdraw())),
            Stage::Draining { .. } => (true, Some(self.remove())),
            _ => (drain > Span::ZERO, None),
        }
    }

    fn announce(&mut self, modifier: RouteModifier) -> Step {
        let ticket = self.next_ticket();
        self.stage = Stage::Announcing(ticket, modifier);
        // From now on a router may hold either value: the worse one is what we answer for.
        self.announced = Some(self.announced.map_or(modifier, |old| old.max(modifier)));
        Step::Announce(ticket, modifier)
    }

    fn withdraw(&mut self) -> Step {
        let ticket = self.next_ticket();
        self.stage = Stage::Withdrawing(ticket);
        Step::Withdraw(ticket)
    }

    fn remove(&mut self) -> Step {
        let ticket = self.next_ticket();
        self.stage = Stage::Removing(ticket);
        self.installed = false;
        Step::Remove(ticket)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.last.0 += 1;
        self.last
    }

    /// The newest ticket.
    pub(super) fn last_ticket(&self) -> Ticket {
        self.last
    }

    /// For comparison alone, see `relative.rs`.
    pub(super) fn relative(&self, origin: &Origin) -> Self {
        let stage = match self.stage {
            Stage::AsFound | Stage::Absent | Stage::Announced(_) => self.stage,
            Stage::Installing(ticket) => Stage::Installing(origin.ticket(ticket)),
            Stage::Announcing(ticket, modifier) => Stage::Announcing(origin.ticket(ticket), modifier),
            Stage::Retiring { until, modifier } => {
                Stage::Retiring { until: origin.time(until, Span::ZERO), modifier }
            }
            Stage::Withdrawing(ticket) => Stage::Withdrawing(origin.ticket(ticket)),
            Stage::Draining { until } => Stage::Draining { until: origin.time(until, Span::ZERO) },
            Stage::Removing(ticket) => Stage::Removing(origin.ticket(ticket)),
        };
        Self { stage, last: Ticket::default(), ..*self }
    }

    /// Where it was last told to go.
    pub(super) fn target(&self) -> Target {
        self.target
    }

    /// Installed and announced with the wanted modifier, or gone as wanted.
    pub(super) fn reached(&self) -> bool {
        match (self.target, self.stage) {
            (Target::Present(want), Stage::Announced(have)) => want == have,
            (Target::Absent { .. }, Stage::Absent) | (Target::AsFound, Stage::AsFound) => true,
            _ => false,
        }
    }

    /// The worst modifier that a router may hold of us now.
    pub(super) fn announced(&self) -> Option<RouteModifier> {
        self.announced
    }

    /// Neighbours were told the wanted modifier, and may or may not have acknowledged it.
    pub(super) fn announces(&self) -> bool {
        match (self.target, self.stage) {
            (Target::Present(want), Stage::Announcing(_, have) | Stage::Announced(have)) => want == have,
            _ => false,
        }
    }

    /// Waiting for the kernel to install under this ticket.
    pub(super) fn is_installing(&self, ticket: Ticket) -> bool {
        self.stage == Stage::Installing(ticket)
    }

    /// When time alone allows the next step.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        match (self.target, self.stage) {
            (Target::Absent { .. }, Stage::Draining { until }) | (_, Stage::Retiring { until, .. }) => {
                Some(until)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: RouteModifier = RouteModifier(1);
    const HIGH: RouteModifier = RouteModifier(5);
    const DRAIN: Target = Target::Absent { drain: Span::secs(2) };

    fn ticket(step: Option<Step>) -> Ticket {
        match step.expect("a step") {
            Step::Install(t) | Step::Announce(t, _) | Step::Withdraw(t) | Step::Remove(t) => t,
            Step::Retire => panic!("it has no ticket"),
        }
    }

    /// Installed and announced with `modifier`.
    fn present(modifier: RouteModifier) -> Presence {
        let mut presence = Presence::new();
        let install = ticket(presence.aim(Time(0), Target::Present(modifier)));
        let announce = ticket(presence.done(Time(0), install));
        assert_eq!(presence.done(Time(0), announce), None);
        assert!(presence.reached());
        presence
    }

    #[test]
    fn installs_then_announces_and_withdraws_then_drains_then_removes() {
        let mut presence = Presence::new();
        let step = presence.aim(Time(0), Target::Present(LOW));
        assert_eq!(step, Some(Step::Install(Ticket(1))));
        assert_eq!(presence.announced(), None);
        assert_eq!(presence.done(Time(1), Ticket(1)), Some(Step::Announce(Ticket(2), LOW)));
        assert!(!presence.reached());
        assert_eq!(presence.done(Time(2), Ticket(2)), None);
        assert!(presence.reached());
        assert_eq!(presence.aim(Time(3), DRAIN), Some(Step::Withdraw(Ticket(3))));
        assert_eq!(presence.done(Time(4), Ticket(3)), None);
        assert_eq!(presence.next_deadline(), Some(Time(4) + Span::secs(2)));
        assert_eq!(presence.advance(Time(5)), None);
        assert_eq!(presence.advance(Time(4) + Span::secs(2)), Some(Step::Remove(Ticket(4))));
        assert_eq!(presence.done(Time(6), Ticket(4)), None);
        assert!(presence.reached());
    }

    #[test]
    fn what_retires_is_still_announced_until_its_time_is_over_and_then_withdrawn() {
        let second = Span::secs(1);
        let mut presence = present(LOW);
        assert_eq!(presence.retire(Time(3), second, DRAIN), Some(Step::Retire));
        assert_eq!((presence.announced(), presence.reached()), (Some(LOW), false));
        assert_eq!(presence.next_deadline(), Some(Time(3) + second));
        assert_eq!(presence.advance(Time(4)), None);
        assert_eq!(presence.advance(Time(3) + second), Some(Step::Withdraw(Ticket(3))));
        assert_eq!(presence.done(Time(4) + second, Ticket(3)), None);
        assert_eq!(presence.announced(), None);
    }

    #[test]
    fn a_standby_that_announces_retires_before_its_path_gets_longer() {
        let second = Span::secs(1);
        let mut presence = present(LOW);
        assert_eq!(presence.retire(Time(3), second, Target::Present(HIGH)), Some(Step::Retire));
        assert_eq!(presence.advance(Time(4)), None);
        assert_eq!(presence.advance(Time(3) + second), Some(Step::Announce(Ticket(3), HIGH)));
    }

    #[test]
    fn nothing_retires_without_time_or_without_an_announcement() {
        let mut presence = present(LOW);
        assert_eq!(presence.retire(Time(3), Span::ZERO, DRAIN), Some(Step::Withdraw(Ticket(3))));
        let mut presence = Presence::new();
        let target = Target::Absent { drain: Span::ZERO };
        assert_eq!(presence.retire(Time(3), Span::secs(1), target), Some(Step::Withdraw(Ticket(1))));
    }

    #[test]
    fn change_of_mind_or_an_operator_ends_retiring_at_once() {
        let retiring = || {
            let mut presence = present(LOW);
            presence.retire(Time(3), Span::secs(1), DRAIN);
            presence
        };
        let back = retiring().aim(Time(4), Target::Present(LOW));
        assert_eq!(back, Some(Step::Announce(Ticket(3), LOW)), "also with what was announced before");
        let gone = retiring().aim(Time(4), Target::Absent { drain: Span::ZERO });
        assert_eq!(gone, Some(Step::Withdraw(Ticket(3))));
        assert_eq!(retiring().end_drain(), (true, Some(Step::Withdraw(Ticket(3)))));
    }

    #[test]
    fn a_drain_that_is_ended_removes_at_once_but_never_before_the_withdraw_is_done() {
        let mut presence = present(LOW);
        assert_eq!(presence.end_drain(), (false, None));
        let withdraw = ticket(presence.aim(Time(3), DRAIN));
        presence.done(Time(4), withdraw);
        assert_eq!(presence.end_drain(), (true, Some(Step::Remove(Ticket(4)))));
        assert_eq!(presence.end_drain(), (false, None));

        let mut presence = present(LOW);
        let withdraw = ticket(presence.aim(Time(3), DRAIN));
        assert_eq!(presence.end_drain(), (true, None));
        assert_eq!(presence.done(Time(4), withdraw), Some(Step::Remove(Ticket(4))));
    }

    #[test]
    fn late_report_of_an_abandoned_step_changes_nothing() {
        let mut presence = Presence::new();
        let install = ticket(presence.aim(Time(0), Target::Present(LOW)));
        let withdraw = ticket(presence.aim(Time(1), DRAIN));
        let again = ticket(presence.aim(Time(2), Target::Present(LOW)));
        assert_eq!(presence.done(Time(3), install), None);
        assert_eq!(presence.done(Time(3), withdraw), None);
        assert_eq!(presence.done(Time(4), again), Some(Step::Announce(Ticket(4), LOW)));
    }

    #[test]
    fn what_was_never_installed_is_installed_before_it_is_announced_also_after_a_withdraw() {
        let mut presence = Presence::new();
        presence.aim(Time(0), Target::Absent { drain: Span::ZERO });
        assert_eq!(presence.aim(Time(1), Target::Present(LOW)), Some(Step::Install(Ticket(2))));
    }

    #[test]
    fn change_of_mind_while_withdrawing_or_draining_announces_at_once() {
        let mut presence = present(LOW);
        let withdraw = ticket(presence.aim(Time(1), DRAIN));
        assert_eq!(presence.aim(Time(2), Target::Present(HIGH)), Some(Step::Announce(Ticket(4), HIGH)));
        assert_eq!(presence.done(Time(3), withdraw), None);
        presence.done(Time(3), Ticket(4));
        let withdraw = ticket(presence.aim(Time(4), DRAIN));
        presence.done(Time(5), withdraw);
        assert_eq!(presence.aim(Time(6), Target::Present(LOW)), Some(Step::Announce(Ticket(6), LOW)));
    }

    #[test]
    fn answers_for_the_worse_modifier_until_the_better_one_is_known_to_routers() {
        let mut presence = present(HIGH);
        let announce = ticket(presence.aim(Time(1), Target::Present(LOW)));
        assert_eq!(presence.announced(), Some(HIGH));
        presence.done(Time(2), announce);
        assert_eq!(presence.announced(), Some(LOW));
        presence.aim(Time(3), Target::Present(HIGH));
        assert_eq!(presence.announced(), Some(HIGH));
    }

    #[test]
    fn what_a_crash_left_behind_is_withdrawn_before_it_is_removed() {
        let mut presence = Presence::new();
        let withdraw = presence.aim(Time(0), Target::Absent { drain: Span::ZERO });
        assert_eq!(withdraw, Some(Step::Withdraw(Ticket(1))));
        assert_eq!(presence.done(Time(1), Ticket(1)), Some(Step::Remove(Ticket(2))));
    }
}
