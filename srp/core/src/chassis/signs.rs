//! Signs of life of the peer: its Hellos, and BFD by another path.
//!
//! | BFD with the peer | `bfd-mon-ignore-dead-interval` | The Standby takes over |
//! |---|---|---|
//! | none, or held down by an operator at either end | any | after the dead-interval (9) |
//! | the last session has just failed | any | as soon as two Hellos are overdue (6), at the latest after the dead-interval |
//! | failed, and a Hello has come since; or never up | no | after the dead-interval (9) |
//! | the same | yes | after the dead-interval (6) |
//! | a session is Up | no | after the dead-interval (9) |
//! | a session is Up, and the peer was Active when last heard | yes | not at all |
//! | the same, after a take-over of ours that failed | yes | after the dead-interval (9) |
//!
//! A Hello that comes after BFD has failed proves that it is the path that failed, not the peer: from then on BFD is no
//! evidence, until it fails again. So a broken path beside a living link makes nobody impatient.
//!
//! Always: what one chassis may conclude from our silence, we know of ourselves ([`Chassis::soonest_take_over`]).

use serde::{Deserialize, Serialize};

use super::role::Role;
use super::{Action, Chassis, Disagreement, Fact};
use crate::types::{ChassisState, Span, SwitchReason, Time};

/// That many Hellos missing are no accident, where BFD has failed as well.
const OVERDUE: u64 = 2;

/// The BFD sessions with the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct PeerBfd {
    /// Those that no operator holds down, at either end.
    configured: u32,
    up: u32,
    /// Those that were Up and failed, and have not been Up since.
    failed: u32,
    /// Nothing was heard of the peer since the last failure.
    unrefuted: bool,
    /// For people.
    failed_at: Option<Time>,
    told: Option<Disagreement>,
}

impl PeerBfd {
    /// All that can be Up has failed, and nothing says otherwise.
    fn has_just_failed(&self) -> bool {
        self.up == 0 && self.failed > 0 && self.unrefuted
    }

    /// The peer was heard: it is the path that has failed.
    pub(super) fn refute(&mut self) {
        self.unrefuted = false;
    }

    /// For comparison alone, see `relative.rs`: when it failed is told to people, and no rule reads it.
    pub(super) fn relative(&self) -> Self {
        Self { failed_at: None, ..*self }
    }
}

impl Chassis {
    /// BFD with the peer has changed.
    pub(super) fn bfd_changed(&mut self, now: Time, configured: u32, up: u32, failed: u32) {
        self.notice_cut_off(now);
        let was = self.peer_bfd;
        let before = self.soonest_take_over();
        let bfd = &mut self.peer_bfd;
        (bfd.configured, bfd.up, bfd.failed) = (configured, up, failed);
        if failed > was.failed {
            (bfd.unrefuted, bfd.failed_at) = (true, Some(now));
        }
        if up > was.up {
            bfd.unrefuted = false;
        }
        // The peer may be quicker to take over than it was when it confirmed our Hellos.
        let sooner = before.0.saturating_sub(self.soonest_take_over().0);
        self.lease = self.lease - Span(sooner);
    }

    /// The peer lives, or is given the time to show it.
    pub(super) fn sign_of_life(&mut self, now: Time) {
        self.alive = self.alive.max(now);
        self.peer_bfd.refute();
    }

    /// When the peer counts as dead if nothing is heard of it until then, and why. `None`: BFD says that it lives.
    pub(super) fn death(&self) -> Option<(Time, SwitchReason)> {
        let dead_at = (self.dead_at(), SwitchReason::DeadTimerExpiry);
        let bfd = &self.peer_bfd;
        let (Role::Standby, Some(settings)) = (&self.role, &self.settings.peer_bfd) else {
            return Some(dead_at);
        };
        if bfd.configured == 0 {
            return Some(dead_at);
        }
        if bfd.has_just_failed() {
            let overdue = self.alive + self.settings.hello_interval.times(OVERDUE);
            return Some((overdue.min(self.dead_at()), SwitchReason::ChassisChassisBfdFailure));
        }
        if !settings.ignore_dead_interval {
            return Some(dead_at);
        }
        // What BFD vouches for is that the peer lives; that it serves is what we knew last.
        let served = self.view.is_some_and(|view| view.state == ChassisState::Active);
        match bfd.up {
            0 => Some((self.dead_at(), SwitchReason::ChassisChassisBfdFailure)),
            _ if served => None,
            _ => Some(dead_at),
        }
    }

    /// Why the peer counts as dead, if it does.
    pub(super) fn peer_is_dead(&self, now: Time) -> Option<SwitchReason> {
        self.death().filter(|(at, _)| now >= *at).map(|(_, reason)| reason)
    }

    /// The peer does not take over earlier than this after the last that it heard of us.
    pub(super) fn soonest_take_over(&self) -> Span {
        let dead_interval = self.settings.dead_interval;
        if self.settings.peer_bfd.is_none() || self.peer_bfd.configured == 0 {
            return dead_interval;
        }
        // Not the detection time of BFD, if that is longer: its path may have failed before ours did.
        self.settings.hello_interval.times(OVERDUE).min(dead_interval)
    }

    /// When BFD with the peer last failed, if that is part of the reason for which we act now.
    pub(super) fn bfd_failed_at(&self) -> Option<Time> {
        self.peer_bfd.failed_at.filter(|_| self.peer_bfd.has_just_failed())
    }

    /// Link and BFD say different things of the peer.
    pub fn disagreement(&self) -> Option<Disagreement> {
        let bfd = &self.peer_bfd;
        match self.peer() {
            None if bfd.up > 0 => Some(Disagreement::BfdAlone),
            Some(_) if bfd.up == 0 && bfd.failed > 0 && !bfd.unrefuted => Some(Disagreement::LinkAlone),
            Some(_) | None => None,
        }
    }

    pub(super) fn note_disagreement(&mut self) {
        let found = self.disagreement();
        if found != self.peer_bfd.told {
            self.peer_bfd.told = found;
            self.out.push_back(Action::Record(Fact::SignsOfLife(found)));
        }
    }
}
