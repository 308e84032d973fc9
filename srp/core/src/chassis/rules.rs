//! The rules: what follows from our role, the peer's last Hello and the time.

use super::presence::Target;
use super::role::{HandOver, Role, TakeOver};
use super::{Action, Chassis, Fact};
use crate::types::{ChassisState, Rank, RouteModifier, Span, SwitchReason, Time};
use crate::wire::{CloseReason, Hello, PeerView};

/// Each pass changes the role or finds nothing to do; no chain of rules is longer than the roles are many.
const PASSES: usize = 8;

impl Chassis {
    pub(super) fn apply_rules(&mut self, now: Time) {
        let step = self.presence.advance(now);
        self.take(step);
        let settled = (0..PASSES).any(|_| !self.apply_rule(now));
        debug_assert!(settled, "two rules undo each other in {}", self.state());
    }

    /// Applies the first rule that changes something.
    fn apply_rule(&mut self, now: Time) -> bool {
        if self.link.is_some() {
            let dead = self.role == Role::Standby && !self.stopping && self.peer_is_dead(now).is_some();
            let why = match (now >= self.dead_at(), dead) {
                (true, _) => Some("no Hello within the dead-interval"),
                (false, true) => Some("BFD has failed and Hellos are overdue"),
                (false, false) => None,
            };
            if let Some(why) = why {
                self.out.push_back(Action::CloseLink(CloseReason::Silent, why));
                self.lose_link(now);
                return true;
            }
        }
        match self.role {
            Role::Init => self.decide(now),
            Role::Standby => self.stand_by(now),
            Role::PendingActive { until, take_over } => self.become_active(now, until, take_over),
            Role::Active => self.stay_or_step_down(now),
            Role::PendingStandby { until, reason, step } => self.become_standby(now, until, reason, step),
        }
    }

    /// Init: S1 .. S5.
    fn decide(&mut self, now: Time) -> bool {
        if self.stopping {
            self.enter_standby(now, SwitchReason::ForceStateChange);
            return true;
        }
        let Some(peer) = self.peer().cloned() else {
            // S5: nobody is there. The initial modifier loses against any chassis that serves unseen.
            if now < self.dead_at() {
                return false;
            }
            self.take_over(now, TakeOver::Unplanned(SwitchReason::DeadTimerExpiry));
            return true;
        };
        match peer.state {
            // S4: a returning chassis does not pre-empt, whatever its mode (CH-11).
            ChassisState::Active | ChassisState::PendingActive | ChassisState::PendingStandby => {
                self.enter_standby(now, SwitchReason::NotDefined);
                true
            }
            ChassisState::Init | ChassisState::Standby if !self.knows_our_standing(&peer) => false,
            ChassisState::Standby if vouches(peer.view, peer.modifier) => {
                // The peer vouches: our earlier life served, and nobody has taken over since; unless it said so too
                // long ago.
                if now < self.lease {
                    let modifier = peer.view.map_or(self.modifier, |view| view.modifier);
                    self.set_modifier(modifier, "the peer vouches for our earlier life");
                    self.take_over(now, TakeOver::Unplanned(SwitchReason::NotDefined));
                } else {
                    self.enter_standby(now, SwitchReason::NotDefined);
                }
                true
            }
            ChassisState::Init | ChassisState::Standby => {
                if self.wins_election(&peer) {
                    self.win_election(now);
                } else {
                    self.enter_standby(now, SwitchReason::NotDefined);
                }
                true
            }
        }
    }

    /// Standby: S6, S14, and the election against a chassis that has just started.
    fn stand_by(&mut self, now: Time) -> bool {
        if self.stopping {
            return self.finish_stopping(now);
        }
        let Some(peer) = self.peer().cloned() else {
            let Some(reason) = self.peer_is_dead(now) else { return false };
            self.take_over(now, TakeOver::Unplanned(reason));
            return true;
        };
        match peer.state {
            ChassisState::Active => self.follow(now, &peer),
            // It is being decided, and bounded there.
            ChassisState::PendingActive | ChassisState::PendingStandby => false,
            ChassisState::Init | ChassisState::Standby
                if !self.knows_our_standing(&peer) || now < self.rests_until =>
            {
                false
            }
            ChassisState::Standby => {
                let ours = Rank::contest(self.modifier(), &self.settings.identity);
                if ours > Rank::contest(peer.modifier, &peer.identity()) {
                    return false;
                }
                // As in a first agreement: nobody serves, and a Standby that announces must not tie with us.
                self.set_modifier(RouteModifier::FIRST, "both stood by: the pair starts again");
                self.take_over(now, TakeOver::Unplanned(SwitchReason::DualStandby));
                true
            }
            ChassisState::Init => {
                // Its earlier life served: our Hello says so, and it resumes.
                if vouches(self.view, self.modifier()) || !self.wins_election(&peer) {
                    return false;
                }
                self.win_election(now);
                true
            }
        }
    }

    /// Stays behind the Active: `delta-route-modifier` more prepends than it (BGP-4). Not while it serves with more
    /// than an operational value: it starts again at the first one as soon as it sees us here, and values do not climb
    /// without bound.
    fn follow(&mut self, now: Time, active: &Hello) -> bool {
        if active.modifier.0 > self.settings.threshold {
            return false;
        }
        let behind = self.behind(active.modifier);
        let changed = self.modifier != behind;
        self.set_modifier(behind, "stays behind the Active");
        let moves = match self.presence.target() {
            Target::Present(have) => have != behind || !self.settings.advertise_in_standby,
            Target::Absent { .. } | Target::AsFound => {
                self.settings.advertise_in_standby && now >= self.rests_until
            }
        };
        if moves {
            self.aim(now, self.standby_target(self.settings.drain_interval));
        }
        changed || moves
    }

    /// Pending-Active: S17, and S18 does not happen.
    fn become_active(&mut self, now: Time, until: Time, take_over: TakeOver) -> bool {
        if self.stopping {
            self.fall_back(now, "this chassis is stopping");
            return true;
        }
        if self.presence.reached() {
            self.enter(Role::Active, take_over.reason());
            return true;
        }
        if matches!(take_over, TakeOver::Unplanned(_)) && self.loses_to_active() {
            self.fall_back(now, "the Active was heard again");
            return true;
        }
        if now >= until {
            // Nobody else is there: a neighbour that does not acknowledge shall not take the only path from the others.
            if matches!(take_over, TakeOver::Unplanned(_))
                && self.peer().is_none()
                && self.presence.announces()
            {
                self.enter(Role::Active, take_over.reason());
                return true;
            }
            self.give_up(now, "installation and announcement took longer than the switchover-timeout");
            return true;
        }
        false
    }

    /// Active: S13, cut off, and the reset of the modifiers.
    fn stay_or_step_down(&mut self, now: Time) -> bool {
        if self.stopping {
            self.leave_service(now);
            return true;
        }
        if self.notice_cut_off(now) {
            return true;
        }
        let Some(peer) = self.peer().cloned() else { return false };
        if !self.knows_our_standing(&peer) {
            return false;
        }
        match peer.state {
            ChassisState::Active if self.loses_to_active() => {
                let drain = self.settings.drain_interval;
                self.step_down(now, SwitchReason::DualActive, self.behind(peer.modifier), drain);
                true
            }
            // BGP-5: the next value would pass the threshold. Lowering the Active's is safe at any time; the Standby
            // follows when our Hello names the new value, which is when routers have it.
            ChassisState::Standby if self.behind(self.modifier).0 > self.settings.threshold => {
                self.set_modifier(RouteModifier::FIRST, "the pair starts again below the threshold");
                self.aim(now, Target::Present(self.modifier));
                true
            }
            ChassisState::Standby => self.fail_over(now),
            ChassisState::Init
            | ChassisState::PendingActive
            | ChassisState::Active
            | ChassisState::PendingStandby => false,
        }
    }

    /// Steps back if we are cut off. Asked also before an event that ends it: the timer may be late.
    pub(super) fn notice_cut_off(&mut self, now: Time) -> bool {
        let cut_off = self.cut_off_at().is_some_and(|at| now >= at);
        if cut_off {
            self.out.push_back(Action::Record(Fact::CutOff));
            self.stand_back(now, "cut off from the peer and from every BGP neighbour");
        }
        cut_off
    }

    /// Active and no neighbour can be reached: cut off, once the peer may have taken over. With BFD beside it that is sooner
    /// than a silent link is given up.
    pub(super) fn cut_off_at(&self) -> Option<Time> {
        let alone =
            self.role == Role::Active && self.bgp.all > 0 && self.bgp.working == 0 && !self.stood_back;
        let silent = self.link.as_ref().map(|_| self.alive + self.soonest_take_over());
        alone.then(|| silent.map_or(self.lease, |silent| silent.max(self.lease)))
    }

    /// Pending-Standby: S8, S16.
    fn become_standby(&mut self, now: Time, until: Time, reason: SwitchReason, step: HandOver) -> bool {
        match step {
            HandOver::Flushing { .. } | HandOver::Waiting { .. } => {
                // The new Active says Active only once it is installed and announced.
                if let (HandOver::Waiting { asked, .. }, Some(peer)) = (step, self.peer())
                    && peer.state == ChassisState::Active
                {
                    let behind = self.behind(peer.modifier);
                    self.confirm(now, asked);
                    self.step_down(now, reason, behind, self.settings.drain_interval);
                    return true;
                }
                if now < until {
                    return false;
                }
                self.stay_active(now, "the peer did not take over within the switchover-timeout");
                true
            }
            HandOver::Leaving => {
                let left = match self.presence.target() {
                    Target::Present(_) => self.presence.reached(),
                    Target::Absent { .. } | Target::AsFound => self.presence.announced().is_none(),
                };
                if !left && now < until {
                    return false;
                }
                self.enter(Role::Standby, reason);
                true
            }
        }
    }

    /// Begins to take over with the present modifier.
    pub(super) fn take_over(&mut self, now: Time, take_over: TakeOver) {
        let reason = take_over.reason();
        self.out.push_back(Action::Record(self.switchover_began(reason)));
        // From here on a restarted peer must not believe that it still serves.
        self.view = None;
        let until = now + self.settings.switchover_timeout;
        self.enter(Role::PendingActive { until, take_over }, reason);
        self.aim(now, Target::Present(self.modifier));
    }

    pub(super) fn switchover_began(&self, reason: SwitchReason) -> Fact {
        Fact::SwitchoverBegan { reason, last_heard: self.heard, bfd_failed: self.bfd_failed_at() }
    }

    /// First agreement: the Active takes the first modifier, the Standby follows.
    fn win_election(&mut self, now: Time) {
        self.set_modifier(RouteModifier::FIRST, "first agreement");
        self.take_over(now, TakeOver::Unplanned(SwitchReason::NotDefined));
    }

    fn enter_standby(&mut self, now: Time, reason: SwitchReason) {
        self.enter(Role::Standby, reason);
        self.aim(now, Target::Absent { drain: Span::ZERO });
    }

    /// Leaves service in order: withdraw, forward a while, remove.
    pub(super) fn step_down(
        &mut self,
        now: Time,
        reason: SwitchReason,
        modifier: RouteModifier,
        drain: Span,
    ) {
        if reason == SwitchReason::DualActive {
            self.out.push_back(Action::Record(self.switchover_began(reason)));
        }
        self.set_modifier(modifier, "steps behind the new Active");
        // Where nobody serves instead, there is nobody to turn to.
        let other_serves = self.peer().is_some_and(|peer| peer.state == ChassisState::Active);
        let retires = if other_serves { self.settings.graceful_shutdown } else { Span::ZERO };
        self.leave_after(now, reason, retires, self.standby_target(drain));
    }

    /// Standby as soon as no router holds what a Standby must not announce.
    pub(super) fn leave(&mut self, now: Time, reason: SwitchReason, target: Target) {
        self.leave_after(now, reason, Span::ZERO, target);
    }

    /// The same, as the last choice for so long before.
    fn leave_after(&mut self, now: Time, reason: SwitchReason, retires: Span, target: Target) {
        if self.presence.announced().is_some() {
            // A hand-over has one bound; what is left of it is at least a dead-interval.
            let until = match self.role {
                Role::PendingStandby { until, .. } => until.max(now + self.settings.dead_interval),
                Role::Init | Role::Standby | Role::PendingActive { .. } | Role::Active => {
                    now + self.settings.switchover_timeout
                }
            };
            let until = until + retires;
            self.enter(Role::PendingStandby { until, reason, step: HandOver::Leaving }, reason);
        } else {
            self.enter(Role::Standby, reason);
        }
        if self.presence.target() != target {
            let step = self.presence.retire(now, retires, target);
            self.take(step);
        }
    }

    fn standby_target(&self, drain: Span) -> Target {
        if self.settings.advertise_in_standby && !self.stopping {
            Target::Present(self.modifier)
        } else {
            Target::Absent { drain }
        }
    }

    /// Active against Active: route modifier, priority, MAC (CH-7).
    fn loses_to_active(&self) -> bool {
        self.peer().is_some_and(|peer| {
            peer.state == ChassisState::Active
                && Rank::contest(peer.modifier, &peer.identity())
                    < Rank::contest(self.modifier(), &self.settings.identity)
        })
    }

    /// Nobody is established: mode, priority, MAC (CH-8 .. CH-10).
    fn wins_election(&self, peer: &Hello) -> bool {
        Rank::election(&self.settings.identity) < Rank::election(&peer.identity())
    }

    /// It has seen what we are now: nothing has changed since the standing that it repeats.
    fn knows_our_standing(&self, peer: &Hello) -> bool {
        peer.echo_standing == Some(self.standing) && self.shown == (self.state(), self.modifier())
    }
}

/// A Standby with this modifier knows its peer's earlier life as the Active of the pair: serving, and ahead of it. One
/// that had stood back, or was leaving service, has lost that claim, and the two elect anew.
fn vouches(view: Option<PeerView>, standby: RouteModifier) -> bool {
    view.is_some_and(|view| match view.state {
        ChassisState::Active | ChassisState::PendingStandby => view.modifier < standby,
        ChassisState::Init | ChassisState::Standby | ChassisState::PendingActive => false,
    })
}
