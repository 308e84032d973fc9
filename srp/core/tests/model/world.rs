//! The world between two ticks, and what can happen next in it.
//!
//! A tick begins with the timers whose deadline it is. Then come faults and what ends them: what a fault has taken away
//! (a process, a cable, a BGP session) comes back at any later tick, or never. Then arrives what was sent in the tick before:
//! messages, the kernel's answers, BGP updates and their reports. A story has so many faults, and so many delays by which
//! one of these takes a tick longer, and with it what queues behind it, while everything else goes on.

use std::fmt::Display;
use std::rc::Rc;

use srp_core::chassis::{Chassis, Event, Settings};
use srp_core::types::{ChassisState, Time};

use super::check::Check;
use super::driver::{Node, TICK, Verdict};
use super::faults::Fault;
use super::link::{Link, UnderWay};
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
    /// The faults that a story may have; every one, unless more of a few kinds are tried.
    pub may_happen: fn(Fault) -> bool,
    /// Ticks without a fault after which the pair must have settled.
    pub settles_within: u8,
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
    /// What was to happen next at this side happens a tick later.
    Delay(usize),
    Dial,
    SessionUp(usize),
    Expire(usize),
    Heal,
    Thaw(usize),
    Fault(Fault),
}

/// What may still come in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub faults: u8,
    /// Things that take two ticks instead of one.
    pub delays: u8,
}

/// Within a tick, each thing in its turn: what comes from outside, then one chassis, then the other, in either order.
/// Nothing that one does reaches the other in the same tick, so no other order ends differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    Surroundings,
    First(usize),
    Second(usize),
}

#[derive(Clone, Debug)]
pub struct World {
    pub pair: Rc<Pair>,
    pub now: Time,
    pub nodes: [Node; 2],
    pub link: Link,
    pub turn: Turn,
    pub left: Budget,
    pub check: Check,
    /// Counts starts, for boot ids.
    pub lives: u64,
    /// Lines for people; `None` while nobody reads.
    pub trace: Option<Vec<String>>,
}

impl World {
    /// Two chassis that are off.
    pub fn new(pair: Pair, left: Budget) -> Self {
        Self {
            pair: Rc::new(pair),
            now: BEGIN,
            nodes: [Node::new(), Node::new()],
            link: Link::new(),
            turn: Turn::Surroundings,
            left,
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
        match self.turn {
            Turn::Surroundings => {
                self.surroundings(acts);
                self.acts_of(0, acts);
                self.acts_of(1, acts);
            }
            Turn::First(side) => {
                self.acts_of(side, acts);
                if !self.owes(side) {
                    self.acts_of(1 - side, acts);
                }
            }
            Turn::Second(side) => self.acts_of(side, acts),
        }
        let dials = self.link.dial_due && self.can_dial();
        if !(dials || self.owes(0) || self.owes(1)) {
            acts.push(Act::Tick);
        }
    }

    /// What comes from outside.
    fn surroundings(&self, acts: &mut Vec<Act>) {
        if self.can_dial() {
            acts.push(Act::Dial);
        }
        if self.link.is_cut() {
            acts.push(Act::Heal);
        }
        for side in [0, 1] {
            let node = &self.nodes[side];
            if node.session.is_stale() {
                acts.push(Act::Expire(side));
            }
            if node.chassis.is_none() {
                acts.push(Act::Boot(side));
            } else if node.frozen {
                acts.push(Act::Thaw(side));
            } else if !node.session.up {
                acts.push(Act::SessionUp(side));
            }
        }
        if self.left.faults > 0 {
            self.faults(acts);
        }
    }

    /// What happens next at one chassis or between it and the router, or happens a tick later.
    fn acts_of(&self, side: usize, acts: &mut Vec<Act>) {
        let Some((act, late)) = self.next_of(side) else { return };
        acts.push(act);
        if late.is_some_and(|may_be_delayed| may_be_delayed && self.left.delays > 0) {
            acts.push(Act::Delay(side));
        }
    }

    /// The next thing that is here at one side, and whether it may be delayed.
    fn next_of(&self, side: usize) -> Option<(Act, Option<bool>)> {
        let node = &self.nodes[side];
        let session = &node.session;
        if let Some(may_be_delayed) = here(session.updates.front()) {
            return Some((Act::Learn(side), Some(may_be_delayed)));
        }
        let chassis = node.chassis.as_ref().filter(|_| !node.frozen)?;
        if chassis.next_deadline() <= self.now {
            return Some((Act::Wake(side), None));
        }
        if session.news {
            return Some((Act::News(side), None));
        }
        if !node.lies.is_empty() {
            return Some((Act::Lie(side), None));
        }
        let report = session.report.as_ref().filter(|_| session.updates.is_empty());
        let arrival = self.link.to[side].front().filter(|_| !self.link.cut[side]);
        [
            (Act::Report(side), here(report)),
            (Act::Kernel(side), here(node.kernel.front())),
            (Act::Flushed(side), here(node.flush.as_ref())),
            (Act::Deliver(side), here(arrival)),
        ]
        .into_iter()
        .find(|(_, here)| here.is_some())
    }

    /// What was about to happen at this side does so a tick later.
    fn delay(&mut self, side: usize) {
        let Some((act, _)) = self.next_of(side) else { return };
        self.left.delays -= 1;
        let node = &mut self.nodes[side];
        let (late, what) = match act {
            Act::Learn(_) => (node.session.updates.front_mut().map(UnderWay::delay), "BGP update"),
            Act::Report(_) => (node.session.report.as_mut().map(UnderWay::delay), "routers' acknowledgement"),
            Act::Kernel(_) => (node.kernel.front_mut().map(UnderWay::delay), "kernel's answer"),
            Act::Flushed(_) => (node.flush.as_mut().map(UnderWay::delay), "flush"),
            Act::Deliver(_) => (self.link.to[side].front_mut().map(UnderWay::delay), "next arrival"),
            _ => (None, "nothing"),
        };
        if late.is_some() {
            self.note_all(format_args!("... {what} of {} is a tick late", NAMES[side]));
        }
    }

    /// Something must happen at this side before the next tick.
    fn owes(&self, side: usize) -> bool {
        let session = &self.nodes[side].session;
        self.next_of(side).is_some() || (session.is_stale() && session.stale_for >= STALE)
    }

    /// Whose turn it is after this step.
    fn turn_after(&self, act: Act) -> Turn {
        let (Act::Wake(side)
        | Act::Deliver(side)
        | Act::Kernel(side)
        | Act::Flushed(side)
        | Act::Learn(side)
        | Act::Report(side)
        | Act::News(side)
        | Act::Lie(side)
        | Act::Delay(side)) = act
        else {
            return Turn::Surroundings;
        };
        match self.turn {
            Turn::Surroundings => Turn::First(side),
            Turn::First(first) if first != side => Turn::Second(side),
            Turn::First(_) | Turn::Second(_) => self.turn,
        }
    }

    /// One step.
    pub fn happen(&mut self, act: Act) {
        self.turn = self.turn_after(act);
        match act {
            Act::Tick => self.tick(),
            Act::Boot(side) => {
                self.note(side, "starts");
                self.boot(side);
            }
            Act::Wake(side) => self.wake(side),
            Act::Deliver(side) => self.deliver(side),
            Act::Kernel(side) => self.kernel_done(side, Verdict::Done),
            Act::Flushed(side) => {
                if let Some(UnderWay { what: ticket, .. }) = self.nodes[side].flush.take() {
                    self.feed(side, Event::Flushed { ticket });
                }
            }
            Act::Learn(side) => self.nodes[side].session.learn(),
            Act::Report(side) => {
                if let Some(UnderWay { what: event, .. }) = self.nodes[side].session.report.take() {
                    self.feed(side, event);
                }
            }
            Act::News(side) => self.tell_neighbors(side),
            Act::Lie(side) => {
                if let Some(event) = self.nodes[side].lies.pop_front() {
                    self.feed(side, event);
                }
            }
            Act::Delay(side) => self.delay(side),
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
            queue.iter_mut().for_each(UnderWay::go_on);
        }
        for node in &mut self.nodes {
            node.kernel.iter_mut().for_each(UnderWay::go_on);
            node.flush.iter_mut().for_each(UnderWay::go_on);
            let session = &mut node.session;
            if session.updates.is_empty() {
                session.report.iter_mut().for_each(UnderWay::go_on);
            }
            session.updates.iter_mut().for_each(UnderWay::go_on);
            session.age = if session.up { SETTLED.min(session.age + 1) } else { 0 };
            session.stale_for = if session.is_stale() { STALE.min(session.stale_for + 1) } else { 0 };
        }
        for side in [0, 1] {
            let node = &self.nodes[side];
            let deadline = node.chassis.as_ref().filter(|_| !node.frozen).map(Chassis::next_deadline);
            if deadline.is_some_and(|deadline| deadline <= self.now) {
                self.wake(side);
                self.check_step();
            }
        }
        self.check_tick();
    }

    fn wake(&mut self, side: usize) {
        self.feed(side, Event::DeadlineReached);
        let next = self.nodes[side].chassis.as_ref().map(Chassis::next_deadline);
        if next.is_some_and(|next| next <= self.now) {
            self.check.fail(format!("{}: the deadline does not move, the driver spins", NAMES[side]));
        }
    }
}

/// Whether it may be delayed, if it is here.
fn here<T>(thing: Option<&UnderWay<T>>) -> Option<bool> {
    thing.filter(|thing| thing.is_here()).map(UnderWay::may_be_delayed)
}
