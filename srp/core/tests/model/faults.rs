//! What goes wrong, or is asked for: each story has only so many of these.

use srp_core::chassis::Event;
use srp_core::types::ChassisState;

use super::driver::Verdict;
use super::link::{Arrival, End};
use super::world::{Act, NAMES, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing arrives at the sides that are true.
    Cut([bool; 2]),
    /// The connection is reset.
    Reset,
    /// `srpd` dies; the kernel keeps what it holds, the router too if `stale`.
    Crash {
        side: usize,
        stale: bool,
    },
    /// The machine loses power; the router notices later.
    PowerOff(usize),
    /// The process does not run for a while.
    Freeze(usize),
    Switchover {
        side: usize,
        force: bool,
    },
    /// An orderly stop.
    Stop(usize),
    SessionDown(usize),
    /// The kernel refuses an installation, some of it or all.
    Refuse {
        side: usize,
        verdict: Verdict,
    },
    /// Checkpoints never reach the peer.
    LoseFlush(usize),
}

impl World {
    /// All that could go wrong now.
    pub fn faults(&self, acts: &mut Vec<Act>) {
        let mut offer = |fault| {
            if (self.pair.may_happen)(fault) {
                acts.push(Act::Fault(fault));
            }
        };
        if !self.link.is_cut() {
            offer(Fault::Cut([true, true]));
            offer(Fault::Cut([true, false]));
            offer(Fault::Cut([false, true]));
        }
        if self.link.ends.contains(&End::Open) {
            offer(Fault::Reset);
        }
        for side in [0, 1] {
            let node = &self.nodes[side];
            let Some(state) = self.state(side) else { continue };
            offer(Fault::Crash { side, stale: false });
            if node.session.up && node.session.path.is_some() {
                offer(Fault::Crash { side, stale: true });
            }
            offer(Fault::PowerOff(side));
            if node.session.up {
                offer(Fault::SessionDown(side));
            }
            if node.frozen {
                continue;
            }
            offer(Fault::Freeze(side));
            // Any other state refuses without a change.
            if state == ChassisState::Active {
                offer(Fault::Switchover { side, force: false });
                offer(Fault::Switchover { side, force: true });
            }
            if self.check.stopping[side].is_none() {
                offer(Fault::Stop(side));
            }
            if node.kernel.front().is_some_and(|request| request.what.install) {
                offer(Fault::Refuse { side, verdict: Verdict::RefusesSome });
                offer(Fault::Refuse { side, verdict: Verdict::RefusesAll });
            }
            if node.flush.is_some() {
                offer(Fault::LoseFlush(side));
            }
        }
    }

    pub fn inflict(&mut self, fault: Fault) {
        self.left.faults = self.left.faults.saturating_sub(1);
        self.check.disturbed();
        self.note_all(format_args!("--- {}", describe(fault)));
        match fault {
            Fault::Cut(cut) => self.link.cut = cut,
            Fault::Reset => {
                self.link.transmit(0, Arrival::Down);
                self.link.transmit(1, Arrival::Down);
            }
            Fault::Crash { side, stale } => self.end_life(side, false, stale),
            Fault::PowerOff(side) => self.end_life(side, true, true),
            Fault::Freeze(side) => self.nodes[side].frozen = true,
            Fault::Switchover { side, force } => {
                self.nodes[side].requests += 1;
                self.feed(side, Event::InitiateSwitchover { request: 1, force });
            }
            Fault::Stop(side) => {
                self.check.stopping[side] = Some(0);
                self.feed(side, Event::Stop);
            }
            Fault::SessionDown(side) => self.nodes[side].session.go_down(false),
            Fault::Refuse { side, verdict } => {
                self.check.refused();
                self.kernel_done(side, verdict);
            }
            Fault::LoseFlush(side) => self.nodes[side].flush = None,
        }
    }
}

/// In words an operator would use.
fn describe(fault: Fault) -> String {
    match fault {
        Fault::Cut([true, true]) => "SRP link cut".into(),
        Fault::Cut([_, to_west]) => {
            format!("SRP link cut towards {}", NAMES[usize::from(to_west)])
        }
        Fault::Reset => "SRP connection reset".into(),
        Fault::Crash { side, stale } => {
            let kept = if stale { ", the router keeps its path" } else { "" };
            format!("srpd of {} dies{kept}", NAMES[side])
        }
        Fault::PowerOff(side) => format!("{} loses power", NAMES[side]),
        Fault::Freeze(side) => format!("{} is suspended", NAMES[side]),
        Fault::Switchover { side, force } => {
            format!("{}: srp initiate-switchover{}", NAMES[side], if force { " force" } else { "" })
        }
        Fault::Stop(side) => format!("{}: orderly stop", NAMES[side]),
        Fault::SessionDown(side) => format!("BGP of {} goes down", NAMES[side]),
        Fault::Refuse { side, verdict: Verdict::RefusesSome } => {
            format!("kernel of {} refuses some objects", NAMES[side])
        }
        Fault::Refuse { side, .. } => format!("kernel of {} refuses every object", NAMES[side]),
        Fault::LoseFlush(side) => format!("checkpoints of {} get lost", NAMES[side]),
    }
}
