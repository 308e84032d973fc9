//! The world between two ticks, and what can happen next in it.
//!
//! Whatever is under way happens in this tick or in the next one, in any order with all else; a timer fires in the tick
//! of its deadline, before or after what arrives in that tick. What a fault has taken away (a process, a cable, a BGP
//! session) comes back at any later time, or never.

use std::fmt::Display;
use std::rc::Rc;

use srp_core::chassis::{Chassis, Event, Settings};
use srp_core::types::{ChassisState, Time};

use super::check::Check;
use super::driver::{Node, TICK, Verdict};
use super::faults::Fault;
use super::link::{Late, Link};
use super::router::{SETTLED, STALE};
use crate::sim::sabotage::Sabotage;

pub const NAMES: [&str; 2] = ["east", "west"];
/// Not zero, so that nothing mistakes "never" for "at the start".
const BEGIN: Time = Time(1_000_000);

/// What does not change in a story.
#[derive(Debug)]
pub struct Pair {
    pub settings: [Settings; 2],
    pub sabotage: Sabotage,
    /// Ticks without a fault after which the pair must have settled.
    pub settles_within: u8,
    /// Both are Active and Standby before the first fault comes.
    pub faults_when_settled: bool,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Tick,
    Boot(usize),
    Wake(usize),
    Deliver(usize),
    Kernel(usize),
    Flushed(usize),
    Learn(usize),
    Report(usize),
    News(usize),
    /// A broken rule speaks.
    Lie(usize),
    Dial,
    SessionUp(usize),
    Expire(usize),
    Heal,
    Thaw(usize),
    Fault(Fault),
}

#[derive(Clone, Debug)]
pub struct World {
    pub pair: Rc<Pair>,
    pub now: Time,
    pub nodes: [Node; 2],
    pub link: Link,
    /// Faults that may still come.
    pub faults_left: u8,
    pub check: Check,
    /// Counts starts, for boot ids.
    pub lives: u64,
    /// Lines for people; `None` while nobody reads.
    pub trace: Option<Vec<String>>,
}

impl World {
    /// Two chassis that are off.
    pub fn new(pair: Pair, faults: u8) -> Self {
        Self {
            pair: Rc::new(pair),
            now: BEGIN,
            nodes: [Node::new(), Node::new()],
            link: Link::new(),
            faults_left: faults,
            check: Check::default(),
            lives: 0,
            trace: None,
        }
    }

    pub fn note(&mut self, side: usize, line: impl Display) {
        self.note_all(format_args!("{} {line}", NAMES[side]));
    }

    pub fn note_all(&mut self, line: impl Display) {
        if let Some(trace) = &mut self.trace {
            let ticks = self.now.since(BEGIN).0 / TICK.0;
            trace.push(format!("{ticks:>4} {line}"));
        }
    }

    pub fn state(&self, side: usize) -> Option<ChassisState> {
        self.nodes[side].chassis.as_ref().map(Chassis::state)
    }

    /// All that can happen now.
    pub fn acts(&self, acts: &mut Vec<Act>) {
        for side in [0, 1] {
            self.acts_of(side, acts);
        }
        if self.can_dial() {
            acts.push(Act::Dial);
        }
        if self.link.is_cut() {
            acts.push(Act::Heal);
        }
        if self.faults_left > 0 && (self.check.settled_once || !self.pair.faults_when_settled) {
            self.faults(acts);
        }
        if self.may_tick() {
            acts.push(Act::Tick);
        }
    }

    fn acts_of(&self, side: usize, acts: &mut Vec<Act>) {
        let node = &self.nodes[side];
        if !node.session.updates.is_empty() {
            acts.push(Act::Learn(side));
        }
        if node.session.is_stale() {
            acts.push(Act::Expire(side));
        }
        let Some(chassis) = &node.chassis else {
            acts.push(Act::Boot(side));
            return;
        };
        if node.frozen {
            acts.push(Act::Thaw(side));
            return;
        }
        let mut offer = |possible: bool, act| {
            if possible {
                acts.push(act);
            }
        };
        offer(chassis.next_deadline() <= self.now, Act::Wake(side));
        offer(!self.link.cut[side] && !self.link.to[side].is_empty(), Act::Deliver(side));
        offer(!node.kernel.is_empty(), Act::Kernel(side));
        offer(node.flush.is_some(), Act::Flushed(side));
        offer(node.session.report.is_some() && node.session.updates.is_empty(), Act::Report(side));
        offer(node.session.news, Act::News(side));
        offer(!node.lies.is_empty(), Act::Lie(side));
        offer(!node.session.up, Act::SessionUp(side));
    }

    /// Nothing is left that must happen before the next tick.
    fn may_tick(&self) -> bool {
        let dial = self.link.dial_due && self.can_dial();
        !dial && [0, 1].iter().all(|side| !self.is_owed(*side))
    }

    fn is_owed(&self, side: usize) -> bool {
        let node = &self.nodes[side];
        let session = &node.session;
        if is_late(session.updates.front()) || (session.is_stale() && session.stale_for >= STALE) {
            return true;
        }
        let Some(chassis) = node.chassis.as_ref().filter(|_| !node.frozen) else { return false };
        chassis.next_deadline() <= self.now
            || (!self.link.cut[side] && is_late(self.link.to[side].front()))
            || is_late(node.kernel.front())
            || is_late(node.flush.as_ref())
            || (session.updates.is_empty() && is_late(session.report.as_ref()))
            || session.news
            || !node.lies.is_empty()
    }

    /// One step.
    pub fn happen(&mut self, act: Act) {
        match act {
            Act::Tick => self.tick(),
            Act::Boot(side) => {
                self.note(side, "starts");
                self.boot(side);
            }
            Act::Wake(side) => {
                self.feed(side, Event::DeadlineReached);
                let next = self.nodes[side].chassis.as_ref().map(Chassis::next_deadline);
                if next.is_some_and(|next| next <= self.now) {
                    self.check.fail(format!("{}: the deadline does not move, the driver spins", NAMES[side]));
                }
            }
            Act::Deliver(side) => self.deliver(side),
            Act::Kernel(side) => self.kernel_done(side, Verdict::Done),
            Act::Flushed(side) => {
                if let Some(Late { what: ticket, .. }) = self.nodes[side].flush.take() {
                    self.feed(side, Event::Flushed { ticket });
                }
            }
            Act::Learn(side) => self.nodes[side].session.learn(),
            Act::Report(side) => {
                if let Some(Late { what: event, .. }) = self.nodes[side].session.report.take() {
                    self.feed(side, event);
                }
            }
            Act::News(side) => self.tell_neighbors(side),
            Act::Lie(side) => {
                if let Some(event) = self.nodes[side].lies.pop_front() {
                    self.feed(side, event);
                }
            }
            Act::Dial => self.dial(),
            Act::SessionUp(side) => {
                self.note(side, "BGP session is up");
                self.nodes[side].session.come_up();
                self.tell_neighbors(side);
            }
            Act::Expire(side) => self.nodes[side].session.path = None,
            Act::Heal => {
                self.note_all("--- SRP link healed");
                self.link.cut = [false; 2];
            }
            Act::Thaw(side) => {
                self.note(side, "runs again");
                self.nodes[side].frozen = false;
            }
            Act::Fault(fault) => self.inflict(fault),
        }
        self.check_step();
    }

    fn tick(&mut self) {
        self.link.dial_due = self.can_dial();
        self.now = self.now + TICK;
        for queue in &mut self.link.to {
            queue.iter_mut().for_each(make_late);
        }
        for node in &mut self.nodes {
            node.kernel.iter_mut().for_each(make_late);
            node.flush.iter_mut().for_each(make_late);
            let session = &mut node.session;
            session.updates.iter_mut().for_each(make_late);
            if session.updates.iter().all(|update| !update.late) {
                session.report.iter_mut().for_each(make_late);
            }
            session.age = if session.up { SETTLED.min(session.age + 1) } else { 0 };
            session.stale_for = if session.is_stale() { session.stale_for + 1 } else { 0 };
        }
        self.check_tick();
    }
}

fn make_late<T>(thing: &mut Late<T>) {
    thing.late = true;
}

fn is_late<T>(thing: Option<&Late<T>>) -> bool {
    thing.is_some_and(|thing| thing.late)
}
