//! The invariants of `sim/check.rs`, with the same exemptions, asserted after every step; spans in ticks.
//!
//! 1. Whole again for `settles_within` ticks: one Active, the other Standby one modifier behind it, the router with the
//!    Active, every operator answered; and for ever after, until the next fault.
//! 2. Link down, both Active: the incumbent has the smaller modifier; if it restarted, was suspended or was cut off
//!    since the pair last agreed, and the other was not, the other has.
//! 3. A router that hears both holds no path of a Standby that is as good as the Active's. Not claimed until the pair
//!    agrees again of an Active that stood back, nor of one that met nobody.
//! 4. Both Standby for no longer than a dead-interval while the link is up, both run and no kernel has just refused.
//! 5. Announced only what is installed; removed only what no router holds; no router prefers a running chassis whose
//!    kernel holds nothing.
//!
//! And: make before break, no Pending state longer than switchover-timeout + dead-interval, a stop ends, one answer for
//! each operator, deadlines move.

use srp_core::chassis::Chassis;
use srp_core::types::{ChassisState, Span};

use super::driver::TICK;
use super::link::Linked;
use super::router::SETTLED;
use super::world::{NAMES, World};

/// What the invariants need to remember. Part of the state, but for what is broken.
#[derive(Clone, Debug, Default)]
pub struct Check {
    pub broken: Option<String>,
    pub memory: Memory,
    /// Ticks since an orderly stop was asked for.
    pub stopping: [Option<u8>; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Memory {
    /// Since the pair last agreed, each: has restarted.
    restarted: [bool; 2],
    /// Says that it has given up its claim.
    stood_back: [bool; 2],
    /// Was suspended in service, or cut off while the other served.
    missed: [bool; 2],
    /// Became Active without having met anybody.
    alone: [bool; 2],
    incumbent: Option<usize>,
    last_stood_by: Option<usize>,
    /// Active without link and router while the other serves too, over a tick.
    cut_off: [bool; 2],
    both_standby: u8,
    pending: [Option<(ChassisState, u8)>; 2],
    /// Ticks since the last fault, while everything is whole.
    quiet: u8,
}

impl Check {
    pub fn fail(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    pub fn started(&mut self, side: usize) {
        self.memory.restarted[side] = true;
        self.memory.alone[side] = false;
    }

    pub fn ended(&mut self, side: usize) {
        self.memory.pending[side] = None;
        self.stopping[side] = None;
    }

    pub fn stood_back(&mut self, side: usize) {
        self.memory.stood_back[side] = true;
    }

    /// The core is about to run after more than a dead-interval.
    pub fn was_suspended(&mut self, side: usize, state: ChassisState) {
        self.memory.pending[side] = None;
        self.memory.missed[side] |= serves(Some(state));
    }

    pub fn serves_alone(&mut self, side: usize) {
        self.memory.alone[side] = true;
    }

    /// Elected, or vouched for: it takes over with a value that the pair agreed upon.
    pub fn agreed(&mut self, side: usize) {
        self.memory.restarted[side] = false;
        self.memory.incumbent = Some(side);
    }

    /// It serves no more, even if it begins again at once.
    pub fn stands_by(&mut self, side: usize) {
        if self.memory.incumbent == Some(side) {
            self.memory.incumbent = None;
        }
        self.memory.last_stood_by = Some(side);
    }

    pub fn disturbed(&mut self) {
        self.memory.quiet = 0;
    }

    pub fn refused(&mut self) {
        self.memory.both_standby = 0;
    }

    fn holds_its_claim(&self, side: usize) -> bool {
        let memory = &self.memory;
        !memory.restarted[side] && !memory.stood_back[side] && !memory.missed[side]
    }
}

/// Serves, or is about to.
fn serves(state: Option<ChassisState>) -> bool {
    match state {
        Some(ChassisState::Active | ChassisState::PendingStandby | ChassisState::PendingActive) => true,
        Some(ChassisState::Init | ChassisState::Standby) | None => false,
    }
}

impl World {
    fn is(&self, side: usize, state: ChassisState) -> bool {
        self.state(side) == Some(state)
    }

    fn both_active(&self) -> bool {
        (0..2).all(|side| self.is(side, ChassisState::Active))
    }

    /// Its modifier is one of a pair that agrees.
    pub fn is_operational(&self, side: usize) -> bool {
        let chassis = self.nodes[side].chassis.as_ref();
        chassis.is_some_and(|chassis| chassis.modifier().0 <= chassis.settings().threshold)
    }

    /// After every step.
    pub fn check_step(&mut self) {
        self.check_agreement();
        self.check_incumbent();
        self.check_router();
        if self.check.memory.quiet >= self.pair.settles_within {
            self.check_settled();
        }
    }

    /// After every tick: how long things have been as they are.
    pub fn check_tick(&mut self) {
        let states = [self.state(0), self.state(1)];
        for side in [0, 1] {
            let node = &self.nodes[side];
            let isolated =
                node.linked == Linked::No && !node.session.up && !node.frozen && self.both_active();
            // Timers fire within their tick: who has been so for a whole one must have stood back.
            self.check.memory.missed[side] |= isolated && self.check.memory.cut_off[side];
            self.check.memory.cut_off[side] = isolated;
            let pending = states[side].filter(|state| match state {
                ChassisState::PendingActive | ChassisState::PendingStandby => !node.frozen,
                ChassisState::Init | ChassisState::Standby | ChassisState::Active => false,
            });
            let settings = &self.pair.settings[side];
            let bound = in_ticks(settings.switchover_timeout) + in_ticks(settings.dead_interval);
            let ticks = match (pending, self.check.memory.pending[side]) {
                (Some(is), Some((was, ticks))) if is == was => Some((is, ticks + 1)),
                (is, _) => is.map(|is| (is, 1)),
            };
            self.check.memory.pending[side] = ticks;
            if let Some((state, _)) = ticks.filter(|(_, ticks)| *ticks > bound) {
                self.check.fail(format!("{}: {state} for longer than {bound} ticks", NAMES[side]));
            }
            let stop_bound = in_ticks(self.pair.settings[side].switchover_timeout.times(4));
            let frozen = self.nodes[side].frozen;
            if let Some(ticks) = &mut self.check.stopping[side] {
                *ticks = if frozen { 0 } else { *ticks + 1 };
                if *ticks > stop_bound {
                    self.check.fail(format!("{}: an orderly stop takes too long", NAMES[side]));
                }
            }
        }
        self.check_standby();
        let whole = self.is_whole();
        let quiet = &mut self.check.memory.quiet;
        *quiet = if whole { self.pair.settles_within.min(*quiet + 1) } else { 0 };
    }

    /// No fault lasts.
    fn is_whole(&self) -> bool {
        !self.link.is_cut()
            && self.check.stopping == [None; 2]
            && self.nodes.iter().all(|node| node.runs() && node.session.up)
    }

    /// An agreed pair: what happened before no longer matters.
    fn check_agreement(&mut self) {
        if !self.link.is_up() || self.nodes.iter().any(|node| node.frozen) {
            return;
        }
        for active in [0, 1] {
            if self.agrees(active) && self.is_operational(active) {
                let memory = &mut self.check.memory;
                memory.restarted = [false; 2];
                memory.stood_back = [false; 2];
                memory.missed = [false; 2];
                memory.alone = [false; 2];
            }
        }
    }

    /// It is Active, and the other is Standby one modifier behind it.
    fn agrees(&self, active: usize) -> bool {
        let standby = 1 - active;
        let modifier = |side: usize| self.nodes[side].chassis.as_ref().map(Chassis::modifier);
        let delta = self.pair.settings[active].delta_route_modifier;
        self.is(active, ChassisState::Active)
            && self.is(standby, ChassisState::Standby)
            && modifier(active).is_some_and(|value| modifier(standby) == Some(value.behind(delta)))
    }

    /// Invariant 2.
    fn check_incumbent(&mut self) {
        let incumbent = self.check.memory.incumbent.filter(|side| serves(self.state(*side)));
        // Of two that are Active at once, the one that has not just been Standby.
        let order = if self.check.memory.last_stood_by == Some(0) { [1, 0] } else { [0, 1] };
        self.check.memory.incumbent =
            incumbent.or_else(|| order.into_iter().find(|side| self.is(*side, ChassisState::Active)));
        let (Some(first), true) = (self.check.memory.incumbent, self.both_active()) else { return };
        if self.link.is_up() {
            return;
        }
        let second = 1 - first;
        let memory = &self.check.memory;
        let (better, worse) = if self.check.holds_its_claim(first) {
            (first, second)
        } else if self.check.holds_its_claim(second) && (memory.missed[first] || memory.restarted[first]) {
            (second, first)
        } else {
            return;
        };
        let modifier = |side: usize| self.nodes[side].chassis.as_ref().map(Chassis::modifier);
        if modifier(better) >= modifier(worse) {
            let text = format!(
                "invariant 2: both Active, {} should stand better ({:?} against {:?})",
                NAMES[better],
                modifier(better).map(|value| value.0),
                modifier(worse).map(|value| value.0)
            );
            self.check.fail(text);
        }
    }

    /// Invariants 3 and 5, as the router sees them.
    fn check_router(&mut self) {
        let heard = [0, 1].map(|side: usize| self.nodes[side].session.heard());
        for side in [0, 1] {
            let other = 1 - side;
            if self.is(side, ChassisState::Active)
                && self.is(other, ChassisState::Standby)
                && !self.check.memory.stood_back[side]
                && !self.check.memory.alone[side]
                && let (Some(active), Some(standby)) = (heard[side], heard[other])
                && active >= standby
            {
                self.check.fail(format!(
                    "invariant 3: the router holds {standby} prepends of {}, a Standby, and {active} of the Active",
                    NAMES[other]
                ));
            }
        }
        if let Some(best) = self.prefers()
            && heard[best].is_some()
            && self.nodes[best].chassis.is_some()
            && !self.nodes[best].holds
        {
            let name = NAMES[best];
            self.check.fail(format!("invariant 5: the router prefers {name}, whose kernel holds nothing"));
        }
    }

    /// Invariant 4.
    fn check_standby(&mut self) {
        let both = (0..2).all(|side| self.is(side, ChassisState::Standby));
        let fit = self.nodes.iter().all(|node| !node.frozen) && self.check.stopping == [None; 2];
        let ticks = &mut self.check.memory.both_standby;
        *ticks = if both && fit && self.link.is_up() && !self.link.is_cut() { *ticks + 1 } else { 0 };
        if *ticks > in_ticks(self.pair.settings[0].dead_interval) {
            self.check.fail("invariant 4: both Standby for longer than the dead-interval".into());
        }
    }

    /// Make before break: who withdraws for the benefit of the peer leaves no router without a path that the peer could
    /// have given it.
    pub fn check_withdraw(&mut self, side: usize) {
        let peer = 1 - side;
        let steps_down = self.is(side, ChassisState::PendingStandby) && self.check.stopping[side].is_none();
        let relieved = self.is(peer, ChassisState::Active) || self.is(peer, ChassisState::PendingActive);
        if !(steps_down && relieved && self.link.is_up()) {
            return;
        }
        let theirs = &self.nodes[peer].session;
        let settled = theirs.up && theirs.age >= SETTLED;
        if self.nodes[side].session.heard().is_some() && settled && theirs.heard().is_none() {
            self.check.fail(format!(
                "make before break: {} withdraws, and the router has no path of {} yet",
                NAMES[side], NAMES[peer]
            ));
        }
    }

    /// A remove is asked for: no router may hold us any more.
    pub fn check_remove(&mut self, side: usize) {
        let session = &self.nodes[side].session;
        if (session.up && session.heard().is_some()) || session.rib.is_some() {
            self.check.fail(format!("{}: invariant 5: removed before it is withdrawn", NAMES[side]));
        }
    }

    /// Invariant 1.
    fn check_settled(&mut self) {
        let active = (0..2).find(|side| self.agrees(*side));
        let settled = active.is_some() && self.prefers() == active;
        if !settled {
            let shown = self.nodes.iter().map(|node| {
                node.chassis.as_ref().map_or("off".into(), |c| format!("{} {}", c.state(), c.modifier()))
            });
            let shown = shown.collect::<Vec<_>>().join(" / ");
            self.check.fail(format!("invariant 1: whole again and not settled: {shown}"));
        }
        for side in [0, 1] {
            if self.nodes[side].requests > 0 {
                self.check.fail(format!("{}: an operator was never answered", NAMES[side]));
            }
        }
    }
}

fn in_ticks(span: Span) -> u8 {
    u8::try_from(span.0 / TICK.0).unwrap_or(u8::MAX)
}
