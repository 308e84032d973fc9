//! Planned switchover and orderly stop: make before break, and back to where it began if a step fails.
//!
//! | Old Active | New Active |
//! |---|---|
//! | validates, Pending-Standby, flushes checkpoints | Standby |
//! | asks (`SwitchoverRequest`), goes on serving | Pending-Active, installs, announces |
//! | hears the Hello that says Active | Active |
//! | takes the next modifier, withdraws | |
//! | Standby; forwards for the drain-interval, removes | |

use super::presence::{Target, Ticket};
use super::role::{Asked, HandOver, Role, TakeOver};
use super::{Action, Answer, Chassis, Fact};
use crate::types::{Span, SwitchReason, Time};
use crate::wire::{CloseReason, Message, SwitchoverAbort, SwitchoverRequest, TerminatePostProcess};

impl Chassis {
    /// An operator wants the peer to be Active (SW-1, SW-2).
    pub(super) fn initiate(&mut self, now: Time, request: u64, force: bool) {
        let mut reasons = self.obstacles(force);
        if reasons.is_empty() {
            reasons.extend(self.unsettled());
        }
        if reasons.is_empty() {
            self.begin_hand_over(
                now,
                SwitchReason::ManualSwitchover,
                force,
                Some(Asked { request, at: now }),
            );
        } else {
            self.out.push_back(Action::Reply { request, answer: Answer::Refused(reasons) });
        }
    }

    pub(super) fn begin_hand_over(
        &mut self,
        now: Time,
        reason: SwitchReason,
        force: bool,
        asked: Option<Asked>,
    ) {
        self.out.push_back(Action::Record(self.switchover_began(reason)));
        let id = self.next_switchover;
        self.next_switchover += 1;
        let ticket = Ticket(id);
        let step = HandOver::Flushing { id, ticket, force, asked };
        let until = now + self.settings.switchover_timeout;
        self.enter(Role::PendingStandby { until, reason, step }, reason);
        self.out.push_back(Action::Flush { ticket });
    }

    /// Critical checkpoints are with the peer: now it may take over (SW-8).
    pub(super) fn flushed(&mut self, done: Ticket) {
        let Role::PendingStandby { until, reason, step: HandOver::Flushing { id, ticket, force, asked } } =
            self.role
        else {
            return;
        };
        if ticket != done {
            return;
        }
        self.role = Role::PendingStandby { until, reason, step: HandOver::Waiting { id, asked } };
        let request = SwitchoverRequest { id, force, reason: reason.number() };
        self.out.push_back(Action::Send(Message::SwitchoverRequest(request)));
    }

    /// The Active asks us to take over.
    pub(super) fn asked_to_take_over(&mut self, now: Time, request: &SwitchoverRequest) {
        let why = match self.role {
            Role::Standby if !self.stopping => {
                if let Some(why) = self.no_better(request) {
                    self.send_abort(request.id, why);
                    return;
                }
                let reason = SwitchReason::from_number(request.reason);
                let take_over = TakeOver::Planned { id: request.id, force: request.force, reason };
                self.take_over(now, take_over);
                return;
            }
            Role::Standby => "the peer is stopping".to_owned(),
            Role::Init | Role::PendingActive { .. } | Role::Active | Role::PendingStandby { .. } => {
                format!("the peer is {}, not Standby", self.state())
            }
        };
        self.send_abort(request.id, why);
    }

    /// The peer gives up a planned switchover, as old or as new Active.
    pub(super) fn called_off(&mut self, now: Time, abort: &SwitchoverAbort) {
        match self.role {
            Role::PendingActive { take_over: TakeOver::Planned { id, .. }, .. } if id == abort.id => {
                self.fall_back(now, &abort.why);
            }
            Role::PendingStandby {
                step: HandOver::Flushing { id, .. } | HandOver::Waiting { id, .. },
                ..
            } if id == abort.id => {
                self.stay_active(now, &abort.why);
            }
            Role::Init
            | Role::Standby
            | Role::PendingActive { .. }
            | Role::Active
            | Role::PendingStandby { .. } => {}
        }
    }

    /// The kernel has answered an installation.
    pub(super) fn installed(&mut self, now: Time, ticket: Ticket, installed: u32, refused: u32) {
        if refused > 0 {
            self.out.push_back(Action::Record(Fact::KernelRefused { refused }));
        }
        // Half a service is better than none, but not better than the whole one that the old Active still gives.
        let unfit = refused > 0
            && match self.role {
                Role::PendingActive { take_over: TakeOver::Planned { force, .. }, .. } => {
                    !force || installed == 0
                }
                Role::Init
                | Role::Standby
                | Role::PendingActive { take_over: TakeOver::Unplanned(_), .. }
                | Role::Active
                | Role::PendingStandby { .. } => installed == 0,
            };
        if unfit && self.presence.is_installing(ticket) {
            self.give_up(now, &format!("the kernel refused {refused} of {} objects", installed + refused));
            return;
        }
        let step = self.presence.done(now, ticket);
        self.take(step);
    }

    /// Cannot install, or not in time. If nobody asked us to take over, whoever else can shall not lose to us. We rest
    /// before we try again of our own accord.
    pub(super) fn give_up(&mut self, now: Time, why: &str) {
        let rested = now + self.settings.dead_interval;
        match self.role {
            Role::PendingActive { take_over: TakeOver::Unplanned(_), .. } => {
                self.rests_until = rested;
                let initial = self.settings.initial_modifier();
                let peers = self.peer().map_or(initial, |peer| self.behind(peer.modifier));
                self.set_modifier(initial.max(peers).max(self.modifier), "could not take over");
                self.fall_back(now, why);
            }
            Role::PendingActive { take_over: TakeOver::Planned { .. }, .. } => self.fall_back(now, why),
            // A Standby that should announce too.
            Role::Init | Role::Standby | Role::Active | Role::PendingStandby { .. } => {
                self.rests_until = rested;
                self.aim(now, Target::Absent { drain: Span::ZERO });
            }
        }
    }

    /// Pending-Active, and it shall not be: back to Standby. If nobody serves, the dead-interval starts again.
    pub(super) fn fall_back(&mut self, now: Time, why: &str) {
        let Role::PendingActive { take_over, .. } = self.role else { return };
        self.out.push_back(Action::Record(Fact::Aborted { why: why.to_owned() }));
        if let TakeOver::Planned { id, .. } = take_over {
            self.send_abort(id, why.to_owned());
        }
        self.sign_of_life(now);
        self.leave(now, take_over.reason(), Target::Absent { drain: Span::ZERO });
    }

    /// The planned switchover failed: we never stopped serving, and go on.
    pub(super) fn stay_active(&mut self, now: Time, why: &str) {
        let Role::PendingStandby { reason, step, .. } = self.role else { return };
        let (id, asked) = match step {
            HandOver::Flushing { id, asked, .. } | HandOver::Waiting { id, asked } => (id, asked),
            HandOver::Leaving => return,
        };
        self.out.push_back(Action::Record(Fact::Aborted { why: why.to_owned() }));
        self.send_abort(id, why.to_owned());
        if let Some(Asked { request, .. }) = asked {
            let answer =
                Answer::Refused(vec![format!("switchover failed, this chassis stays Active: {why}")]);
            self.out.push_back(Action::Reply { request, answer });
        }
        if asked.is_none() && !self.stopping {
            self.failover_fell_back(now);
        }
        self.enter(Role::Active, reason);
        self.aim(now, Target::Present(self.modifier));
    }

    /// The new Active serves: the operator's answer.
    pub(super) fn confirm(&mut self, now: Time, asked: Option<Asked>) {
        if let Some(Asked { request, at }) = asked {
            let answer = Answer::Done { took: now.since(at) };
            self.out.push_back(Action::Reply { request, answer });
        }
    }

    fn send_abort(&mut self, id: u64, why: String) {
        if self.link.is_some() {
            self.out.push_back(Action::Send(Message::SwitchoverAbort(SwitchoverAbort { id, why })));
        }
    }

    /// What is left to do after a switchover is the old Active's forwarding for routers that have not yet turned away.
    /// It ends here, and on a Standby that we have a link to; its withdraw is waited for all the same.
    pub(super) fn terminate_post_process(&mut self, request: u64) {
        let here = self.end_drain();
        let peer = self.role == Role::Active && self.link.is_some();
        if peer {
            self.out.push_back(Action::Send(Message::TerminatePostProcess(TerminatePostProcess {})));
        }
        let answer = if here || peer {
            Answer::PostProcessTerminated { here, peer }
        } else {
            Answer::Refused(vec![format!(
                "this chassis is {} and forwards for nobody: there is nothing to end",
                self.state()
            )])
        };
        self.out.push_back(Action::Reply { request, answer });
    }

    /// True if there was a drain to end.
    pub(super) fn end_drain(&mut self) -> bool {
        let (ended, step) = self.presence.end_drain();
        self.take(step);
        ended
    }

    /// Orderly stop: hand over if a healthy Standby is there, else withdraw and remove.
    pub(super) fn stop(&mut self, now: Time) {
        if self.stopping {
            return;
        }
        if self.role == Role::Active && self.obstacles_to_leave().is_empty() {
            self.begin_hand_over(now, SwitchReason::ForceStateChange, false, None);
        }
        // The rules do the rest: in every role they end in `finish_stopping`.
        self.stopping = true;
    }

    /// Stopping, Active, and nobody took over: the peer must not think that we stand better than it does.
    pub(super) fn leave_service(&mut self, now: Time) {
        let modifier = self.settings.initial_modifier().max(self.modifier);
        // Nobody is there for whom we could go on forwarding.
        self.step_down(now, SwitchReason::ForceStateChange, modifier, Span::ZERO);
    }

    /// Stopping, in Standby: says goodbye once nothing of ours is left.
    pub(super) fn finish_stopping(&mut self, now: Time) -> bool {
        if self.stopped {
            return false;
        }
        if !matches!(self.presence.target(), Target::Absent { .. }) {
            self.aim(now, Target::Absent { drain: Span::ZERO });
            return true;
        }
        let bound = now + self.settings.switchover_timeout + self.settings.drain_interval;
        let until = *self.stop_until.get_or_insert(bound);
        if !self.presence.reached() {
            if now < until {
                return false;
            }
            self.out.push_back(Action::Record(Fact::StopUnanswered));
        }
        self.stopped = true;
        if self.link.is_some() {
            self.out.push_back(Action::CloseLink(CloseReason::Stopping, "orderly stop"));
        }
        self.out.push_back(Action::Stopped);
        true
    }

    /// The peer says that it stops and no longer serves.
    pub(super) fn peer_stopped(&mut self, now: Time) {
        match self.role {
            Role::Init | Role::Standby => {
                self.take_over(now, TakeOver::Unplanned(SwitchReason::ForceStateChange));
            }
            Role::PendingActive { .. } | Role::Active | Role::PendingStandby { .. } => {}
        }
    }
}
