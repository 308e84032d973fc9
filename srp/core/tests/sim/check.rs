//! What must always hold, asserted after each step.
//!
//! 1. Link up and settled: exactly one Active, the other Standby one step of the modifier behind it. Asserted at the end of each
//!    run, after everything was healed and a bound has passed, and that it stays so.
//! 2. Link down, both Active: the incumbent (Active alone before, or the one that the pair agreed upon) has the smaller modifier. If it has
//!    restarted, was suspended or was cut off since the pair last agreed, and the other has not, the other has.
//! 3. A router that hears both never holds a path of a Standby that is as good as that of an Active one. Not claimed
//!    until the pair agrees again of an Active that has stepped back (suspended, cut off), nor of one that started,
//!    met nobody and serves alone (S5) while its Standby is suspended.
//! 4. Both Standby for no longer than one dead-interval while the link is up, both run and no kernel refuses.
//! 5. Announced only what is installed; removed only what no router holds; no router prefers a chassis whose kernel
//!    holds nothing.
//! 7. The same events at the same times give the same actions: a recorded life is handled again.
//!
//! With BFD between the two: a Standby takes over unasked only if two Hellos are overdue; because of BFD only if no
//! session is Up; and with `bfd-mon-ignore-dead-interval` not from an Active while one is (`paths`).
//!
//! Beside them: a chassis that steps down withdraws only what routers have from the other (make before break); no
//! Pending state lasts longer than switchover-timeout + dead-interval; every operator is answered once; an orderly stop
//! ends; the deadline moves; a wake-up before it changes nothing; a quiet pair sends no more Hellos than its interval
//! says.

use std::collections::BTreeSet;

use srp_core::chassis::{Chassis, Event};
use srp_core::types::{ChassisState, Span, SwitchReason, Time};

use super::bgp::{Choice, PREFIXES, name};
use super::node::{Node, Record};
use super::router::Router;
use super::world::{NAMES, World};

/// A timer is never later than this.
const LATE: Span = Span::millis(25);

/// From, to and why.
pub type Change = (ChassisState, ChassisState, SwitchReason);

/// What the invariants need to remember.
#[derive(Debug, Default)]
pub struct Check {
    /// The first invariant that did not hold.
    pub broken: Option<String>,
    /// Has restarted since the pair last agreed.
    restarted: [bool; 2],
    /// Says that it has given up its claim since the pair last agreed: suspended, cut off, or could not take over.
    stood_back: [bool; 2],
    /// Was suspended in service, or cut off while the other served, since the pair last agreed: as the world saw it.
    missed: [bool; 2],
    /// Became Active without having met anybody.
    alone: [bool; 2],
    incumbent: Option<usize>,
    /// Active without link and routers while the other serves, since then.
    cut_off_since: [Option<Time>; 2],
    both_standby_since: Option<Time>,
    pending_since: [Option<(ChassisState, Time)>; 2],
    looked: u64,
    /// Every change of state that the cores recorded.
    pub changes: BTreeSet<Change>,
    /// Steps at which the router invariants were looked at with both chassis heard.
    pub heard_both: u64,
    /// Steps at which BFD alone kept a Standby from taking over.
    pub vouched_for: u64,
    /// Steps with two Active chassis.
    pub dual_active: u64,
}

impl Check {
    pub fn fail(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    pub fn started(&mut self, side: usize) {
        self.restarted[side] = true;
        self.alone[side] = false;
        self.pending_since[side] = None;
    }

    pub fn ended(&mut self, side: usize) {
        self.pending_since[side] = None;
    }

    pub fn stood_back(&mut self, side: usize) {
        self.stood_back[side] = true;
    }

    /// The core is about to run after more than a dead-interval.
    pub fn was_suspended(&mut self, side: usize, state: ChassisState) {
        self.pending_since[side] = None;
        match state {
            ChassisState::Active | ChassisState::PendingActive | ChassisState::PendingStandby => {
                self.missed[side] = true;
            }
            ChassisState::Init | ChassisState::Standby => {}
        }
    }

    pub fn serves_alone(&mut self, side: usize) {
        self.alone[side] = true;
    }

    /// Elected, or vouched for by its peer: it takes over with a value that the pair agreed upon.
    pub fn agreed(&mut self, side: usize) {
        self.restarted[side] = false;
        self.incumbent = Some(side);
    }

    /// Has every claim to stand better than the other one.
    fn holds_its_claim(&self, side: usize) -> bool {
        !self.restarted[side] && !self.stood_back[side] && !self.missed[side]
    }

    /// Invariant 7, for one life.
    pub fn replay(&mut self, side: usize, node: &mut Node) {
        let Some(Record { born: mut chassis, heard, did }) = node.record.take() else { return };
        let mut again = Vec::with_capacity(did.len());
        for (time, event) in heard {
            chassis.handle(time, event);
            while let Some(action) = chassis.poll_action() {
                again.push(action);
            }
        }
        if again != did {
            self.fail(format!("{}: invariant 7: the same events gave other actions", NAMES[side]));
        }
    }
}

impl World {
    fn state(&self, side: usize) -> Option<ChassisState> {
        self.nodes[side].chassis.as_ref().map(Chassis::state)
    }

    fn is(&self, side: usize, state: ChassisState) -> bool {
        self.state(side) == Some(state)
    }

    /// Its modifier is one of a pair that agrees, not an initial one.
    pub fn is_operational(&self, side: usize) -> bool {
        let chassis = self.nodes[side].chassis.as_ref();
        chassis.is_some_and(|chassis| chassis.modifier().0 <= chassis.settings().threshold)
    }

    /// A core that was left alone has nothing more to do until its deadline.
    pub fn check_node(&mut self, side: usize) {
        self.check.looked += 1;
        if !self.check.looked.is_multiple_of(16) {
            return;
        }
        let Some(chassis) = &self.nodes[side].chassis else { return };
        let deadline = chassis.next_deadline();
        let between = Time(u64::midpoint(self.now.0, deadline.0.max(self.now.0).saturating_sub(1)));
        for at in [self.now, between] {
            let mut copy = chassis.clone();
            copy.handle(at, Event::DeadlineReached);
            if let Some(action) = copy.poll_action()
                && at < deadline
            {
                self.check.fail(format!(
                    "{}: {action:?} was due at {} of {}, the deadline",
                    NAMES[side], at.0, deadline.0
                ));
                return;
            }
        }
    }

    /// Invariants that need both chassis and the routers.
    pub fn check_step(&mut self) {
        if self.check.broken.is_some() {
            return;
        }
        let states = [self.state(0), self.state(1)];
        self.check_agreement();
        self.check_cut_off(states);
        self.check_incumbent(states);
        self.check_routers(states);
        self.check_standby(states);
        self.check_bounds(states);
        self.check.vouched_for += u64::from((0..2).any(|side| self.is_vouched_for(side)));
    }

    /// It is Standby now, if only until the next rule: the one that serves beside it is the incumbent.
    pub fn steps_down(&mut self, side: usize) {
        if self.check.incumbent == Some(side) {
            self.check.incumbent = Some(1 - side).filter(|peer| self.is(*peer, ChassisState::Active));
        }
    }

    /// An agreed pair: what happened before no longer matters.
    fn check_agreement(&mut self) {
        if !self.net.is_up() || self.nodes.iter().any(|node| node.frozen) {
            return;
        }
        for active in [0, 1] {
            let standby = 1 - active;
            if let (Some(a), Some(s)) = (&self.nodes[active].chassis, &self.nodes[standby].chassis)
                && (a.state(), s.state()) == (ChassisState::Active, ChassisState::Standby)
                && s.modifier() == a.modifier().behind(a.settings().delta_route_modifier)
                && a.modifier().0 <= a.settings().threshold
            {
                self.check.restarted = [false; 2];
                self.check.stood_back = [false; 2];
                self.check.missed = [false; 2];
                self.check.alone = [false; 2];
            }
        }
    }

    /// Who is cut off while the other serves must stand back; timers may be a little late.
    fn check_cut_off(&mut self, states: [Option<ChassisState>; 2]) {
        for side in [0, 1] {
            let node = &self.nodes[side];
            let active = states == [Some(ChassisState::Active); 2] && !node.frozen;
            if !active || node.linked.is_some() || self.routers.iter().any(|r| r.sessions[side].up) {
                self.check.cut_off_since[side] = None;
                continue;
            }
            let since = *self.check.cut_off_since[side].get_or_insert(self.now);
            self.check.missed[side] |= self.now.since(since) > LATE;
        }
    }

    /// Invariant 2.
    fn check_incumbent(&mut self, states: [Option<ChassisState>; 2]) {
        let active = states.map(|state| state == Some(ChassisState::Active));
        let serves = |side: usize| match states[side] {
            Some(ChassisState::Active | ChassisState::PendingStandby | ChassisState::PendingActive) => true,
            Some(ChassisState::Init | ChassisState::Standby) | None => false,
        };
        let incumbent = self.check.incumbent.filter(|side| serves(*side));
        self.check.incumbent = incumbent.or_else(|| (0..2).find(|side| active[*side]));
        let (Some(first), true) = (self.check.incumbent, active == [true; 2]) else { return };
        self.check.dual_active += 1;
        if self.net.is_up() {
            return;
        }
        let second = 1 - first;
        let modifier = |side: usize| self.nodes[side].chassis.as_ref().map(Chassis::modifier);
        let check = &self.check;
        let (better, worse) = if check.holds_its_claim(first) {
            (first, second)
        } else if check.holds_its_claim(second) && (check.missed[first] || check.restarted[first]) {
            (second, first)
        } else {
            return;
        };
        if modifier(better) >= modifier(worse) {
            let text = format!(
                "invariant 2: both Active, {} should stand better ({:?} against {:?})",
                NAMES[better],
                modifier(better),
                modifier(worse)
            );
            self.check.fail(text);
        }
    }

    /// Invariants 3 and 5, as routers see them.
    fn check_routers(&mut self, states: [Option<ChassisState>; 2]) {
        for router in 0..self.routers.len() {
            for number in 0..PREFIXES {
                self.check_route(states, router, number);
            }
        }
    }

    fn check_route(&mut self, states: [Option<ChassisState>; 2], router: usize, number: usize) {
        let table = &self.routers[router].table;
        let (choice, hears) = (table.choice(number), [0, 1].map(|side| table.hears(number, side)));
        self.check.heard_both += u64::from(hears == [true; 2]);
        let active = (0..2).find(|side| {
            states[*side] == Some(ChassisState::Active) && states[1 - side] == Some(ChassisState::Standby)
        });
        if let Some(active) = active.filter(|side| !self.check.stood_back[*side] && !self.check.alone[*side])
            && hears == [true; 2]
            && choice != Choice::Better(active)
        {
            let (serves, stands_by) = (NAMES[active], NAMES[1 - active]);
            let what = name(number);
            self.check.fail(format!(
                "invariant 3: router {router} does not prefer {serves}, Active, to {stands_by}, Standby, for {what}"
            ));
        }
        if let Choice::Only(best) | Choice::Better(best) = choice
            && hears[best]
            && self.nodes[best].chassis.is_some()
            && !self.nodes[best].kernel.holds[number]
        {
            let (who, what) = (NAMES[best], name(number));
            self.check.fail(format!(
                "invariant 5: router {router} prefers {who} for {what}, and its kernel does not hold it"
            ));
        }
    }

    /// It sends to a chassis all that the kernel there holds.
    fn follows(&self, router: &Router, side: usize) -> bool {
        let holds = self.nodes[side].kernel.holds;
        (0..PREFIXES).all(|number| {
            let chosen = [Choice::Only(side), Choice::Better(side)].contains(&router.table.choice(number));
            chosen || !holds[number]
        }) && holds[0]
    }

    /// Invariant 4.
    fn check_standby(&mut self, states: [Option<ChassisState>; 2]) {
        let fit = self.nodes.iter().all(|n| !n.frozen && n.kernel.refuses == 0 && n.stop_asked.is_none());
        let both = states == [Some(ChassisState::Standby); 2];
        if !(both && fit && self.net.is_up() && self.net.whole()) {
            self.check.both_standby_since = None;
            return;
        }
        let since = *self.check.both_standby_since.get_or_insert(self.now);
        if self.now.since(since) > self.nodes[0].settings.dead_interval {
            self.check.fail("invariant 4: both Standby for longer than the dead-interval".into());
        }
    }

    /// Nothing is Pending for ever, and an orderly stop ends.
    fn check_bounds(&mut self, states: [Option<ChassisState>; 2]) {
        for side in [0, 1] {
            let node = &self.nodes[side];
            let pending = states[side].filter(|state| match state {
                ChassisState::PendingActive | ChassisState::PendingStandby => !node.frozen,
                ChassisState::Init | ChassisState::Standby | ChassisState::Active => false,
            });
            let since = match (pending, self.check.pending_since[side]) {
                (Some(is), Some((was, since))) if is == was => Some((is, since)),
                (is, _) => is.map(|is| (is, self.now)),
            };
            self.check.pending_since[side] = since;
            let Some((state, since)) = since else { continue };
            let bound = (since + node.settings.switchover_timeout + node.settings.dead_interval).since(since);
            if self.now.since(since) > Span(bound.0 + LATE.0) {
                self.check.fail(format!("{}: {state} for longer than {bound}", NAMES[side]));
            }
        }
        for side in [0, 1] {
            let node = &mut self.nodes[side];
            let Some(asked) = node.stop_asked else { continue };
            if node.frozen {
                node.stop_asked = Some(self.now);
            }
            let bound = node.settings.switchover_timeout.times(4);
            if self.now.since(asked) > bound {
                self.check.fail(format!("{}: an orderly stop took longer than {bound}", NAMES[side]));
            }
        }
    }

    /// A withdraw for the benefit of the peer: make before break. No router may be left without a path that the peer
    /// could have given it, unless their session is so young that the peer's first update may be under way.
    pub fn check_withdraw(&mut self, side: usize) {
        let peer = 1 - side;
        let steps_down = self.is(side, ChassisState::PendingStandby) && self.nodes[side].stop_asked.is_none();
        let relieved = self.is(peer, ChassisState::Active) || self.is(peer, ChassisState::PendingActive);
        if !(steps_down && relieved && self.net.is_up()) {
            return;
        }
        for (number, router) in self.routers.iter().enumerate() {
            let session = &router.sessions[peer];
            let settled = session.up && self.now.since(session.since) > Span::millis(300);
            // What the new Active's kernel refuses in part is missed, if an operator forced it.
            let held = |prefix: &usize| *prefix == 0 || self.nodes[peer].kernel.holds[*prefix];
            let lost = (0..PREFIXES)
                .filter(held)
                .any(|prefix| router.table.hears(prefix, side) && !router.table.hears(prefix, peer));
            if settled && lost {
                self.check.fail(format!(
                    "make before break: {} withdraws, and router {number} has no path of {} yet",
                    NAMES[side], NAMES[peer]
                ));
            }
        }
    }

    /// A remove is asked for: no router may hold us any more.
    pub fn check_remove(&mut self, side: usize) {
        let held = self.routers.iter().any(|r| r.sessions[side].up && r.hears(side));
        if held || self.nodes[side].speaker.rib.is_some() {
            self.check.fail(format!("{}: invariant 5: removed before it is withdrawn", NAMES[side]));
        }
    }

    /// Invariant 1, and that every operator has an answer.
    pub fn check_settled(&mut self) {
        if self.check.broken.is_some() {
            return;
        }
        let shown: Vec<String> = self
            .nodes
            .iter()
            .map(|node| {
                node.chassis.as_ref().map_or("off".into(), |c| format!("{} {}", c.state(), c.modifier()))
            })
            .collect();
        let active = (0..2).find(|side| self.is(*side, ChassisState::Active));
        let delta = self.nodes[0].settings.delta_route_modifier;
        let settled = active.is_some_and(|active| {
            let standby = 1 - active;
            let modifier = |side: usize| self.nodes[side].chassis.as_ref().map(Chassis::modifier);
            self.is(standby, ChassisState::Standby)
                && modifier(active).is_some_and(|a| modifier(standby) == Some(a.behind(delta)))
                && self.routers.iter().all(|router| self.follows(router, active))
        });
        if !settled {
            self.check.fail(format!("invariant 1: healed and not settled: {}", shown.join(" / ")));
        }
        for side in [0, 1] {
            if !self.nodes[side].requests.is_empty() {
                self.check.fail(format!("{}: an operator was never answered", NAMES[side]));
            }
            let node = &mut self.nodes[side];
            let kept = node.record.clone();
            self.check.replay(side, node);
            node.record = kept;
        }
    }
}
