//! One chassis with the driver and the kernel around it: what goes in, and what is done with what comes out.

use std::collections::VecDeque;

use srp_core::chassis::{Action, Chassis, Counters, Event, Fact, Settings, Ticket};
use srp_core::types::{BootId, ChassisState, Span, SwitchReason, Time};
use srp_core::wire::{Close, CloseReason, Message};

use super::link::{Arrival, End, Linked, UnderWay};
use super::router::Session;
use super::world::{NAMES, World};
use crate::sim::node::Node as SimNode;
use crate::sim::sabotage::Sabotage;

/// Objects that a kernel is asked to hold.
const OBJECTS: u32 = 10;

/// A request to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    pub ticket: Ticket,
    pub install: bool,
}

/// How the kernel answers an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    Done,
    RefusesSome,
    RefusesAll,
}

/// One chassis.
#[derive(Clone, Debug)]
pub struct Node {
    /// `None` while `srpd` does not run.
    pub chassis: Option<Chassis>,
    /// Suspended: nothing is handled, what arrives waits.
    pub frozen: bool,
    pub linked: Linked,
    /// The kernel holds our objects.
    pub holds: bool,
    pub kernel: VecDeque<UnderWay<Request>>,
    pub flush: Option<UnderWay<Ticket>>,
    pub session: Session,
    /// How far its last life had counted, while the peer may still know of that one.
    pub last_life: Option<Counters>,
    /// When it last handled an event.
    pub ran: Time,
    /// Operators that wait for an answer.
    pub requests: u8,
    /// Standing of its last Hello, for those who break rules.
    pub told: u64,
    /// What a broken rule tells the core instead of the truth.
    pub lies: VecDeque<Event>,
}

impl Node {
    pub fn new() -> Self {
        Self {
            chassis: None,
            frozen: false,
            linked: Linked::No,
            holds: false,
            kernel: VecDeque::new(),
            flush: None,
            session: Session::new(),
            last_life: None,
            ran: Time(0),
            requests: 0,
            told: 0,
            lies: VecDeque::new(),
        }
    }

    pub fn runs(&self) -> bool {
        self.chassis.is_some() && !self.frozen
    }
}

impl World {
    fn settings(&self, side: usize) -> Settings {
        self.pair.settings[side].clone()
    }

    /// Starts `srpd`.
    pub fn boot(&mut self, side: usize) {
        let mut settings = self.settings(side);
        self.lives += 1;
        settings.identity.boot = BootId(self.lives);
        let now = self.now;
        let node = &mut self.nodes[side];
        node.chassis = Some(Chassis::new(now, settings));
        node.ran = now;
        node.session.come_up();
        self.check.started(side);
        self.tell_neighbors(side);
    }

    /// How many BGP neighbours there are and work.
    pub fn tell_neighbors(&mut self, side: usize) {
        let session = &mut self.nodes[side].session;
        session.news = false;
        let established = u32::from(session.up);
        self.feed(side, Event::BgpNeighbors { configured: 1, established });
    }

    /// One event into the core, and all that follows from it.
    pub fn feed(&mut self, side: usize, event: Event) {
        let now = self.now;
        let Some(event) = self.twist_event(side, event) else { return };
        let dead_interval = self.pair.settings[side].dead_interval;
        let node = &mut self.nodes[side];
        let Some(chassis) = node.chassis.as_mut() else { return };
        if now.since(node.ran) > dead_interval {
            self.check.was_suspended(side, chassis.state());
        }
        let ran = std::mem::replace(&mut node.ran, now);
        let actions = self.pair.sabotage.live(chassis, (ran, now), dead_interval, event);
        for action in actions {
            let (action, lie) = self.twist_action(side, action);
            match lie {
                Some(lie) => self.nodes[side].lies.push_back(lie),
                None => self.perform(side, action),
            }
        }
    }

    // Broken rules are those of the simulator, and see its kind of node.

    fn as_sim_node(&mut self, side: usize) -> SimNode {
        let mut sim = SimNode::new(self.settings(side));
        let node = &mut self.nodes[side];
        sim.chassis = node.chassis.take();
        sim.told = node.told;
        sim.speaker.rib = node.session.rib;
        sim
    }

    fn twist_event(&mut self, side: usize, mut event: Event) -> Option<Event> {
        if self.pair.sabotage == Sabotage::None {
            return Some(event);
        }
        let mut sim = self.as_sim_node(side);
        let kept = self.pair.sabotage.event(&mut sim, &mut event);
        self.nodes[side].chassis = sim.chassis;
        kept.then_some(event)
    }

    fn twist_action(&mut self, side: usize, mut action: Action) -> (Action, Option<Event>) {
        if self.pair.sabotage == Sabotage::None {
            return (action, None);
        }
        let mut sim = self.as_sim_node(side);
        let lie = self.pair.sabotage.action(&mut sim, &mut action);
        self.nodes[side].chassis = sim.chassis;
        (action, lie)
    }

    fn perform(&mut self, side: usize, action: Action) {
        let peer = 1 - side;
        match action {
            Action::Send(message) => {
                if let Message::Hello(hello) = &message {
                    self.nodes[side].told = hello.standing;
                }
                if self.nodes[side].linked == Linked::Yes {
                    self.link.transmit(peer, Arrival::Message(message));
                }
            }
            Action::CloseLink(reason, text) => {
                let linked = std::mem::replace(&mut self.nodes[side].linked, Linked::No);
                if linked == Linked::Yes {
                    let close = Message::Close(Close { reason, text: text.to_owned() });
                    self.link.transmit(peer, Arrival::Message(close));
                    self.hang_up(side);
                }
                self.note(side, format_args!("closes the link: {}", said(reason)));
            }
            Action::Install { ticket } => self.ask_kernel(side, ticket, true),
            Action::Remove { ticket } => {
                self.check_remove(side);
                self.ask_kernel(side, ticket, false);
            }
            Action::Announce { ticket, modifier } => {
                if !self.nodes[side].holds {
                    self.check
                        .fail(format!("{}: invariant 5: announced before it is installed", NAMES[side]));
                }
                self.note(side, format_args!("announces with {modifier}"));
                self.nodes[side].session.speak(Some(modifier.0), Event::Announced { ticket });
            }
            // Routers here do not look at the community, and keep both answers; there are no hosts here.
            Action::Retire | Action::TellHosts => {}
            Action::Withdraw { ticket } => {
                if self.nodes[side].session.rib.is_some() {
                    self.check_withdraw(side);
                    self.note(side, "withdraws");
                }
                self.nodes[side].session.speak(None, Event::Withdrawn { ticket });
            }
            Action::Flush { ticket } => self.nodes[side].flush = Some(UnderWay::new(ticket)),
            Action::Reply { answer, .. } => {
                self.note(side, format_args!("answers: {answer:?}"));
                match self.nodes[side].requests.checked_sub(1) {
                    Some(left) => self.nodes[side].requests = left,
                    None => self.check.fail(format!("{}: an operator is answered twice", NAMES[side])),
                }
            }
            Action::Record(fact) => self.recorded(side, &fact),
            Action::Stopped => {
                self.note(side, "has stopped");
                if self.nodes[side].holds || self.nodes[side].session.rib.is_some() {
                    self.check.fail(format!("{}: stopped, and left something behind", NAMES[side]));
                }
                self.end_life(side, false, false);
            }
        }
    }

    fn recorded(&mut self, side: usize, fact: &Fact) {
        match fact {
            Fact::State { from, to, reason } => {
                match (from, to, reason) {
                    (ChassisState::Init, ChassisState::PendingActive, SwitchReason::DeadTimerExpiry) => {
                        self.check.serves_alone(side);
                    }
                    (_, ChassisState::PendingActive, SwitchReason::NotDefined)
                        if self.is_operational(side) =>
                    {
                        self.check.agreed(side);
                    }
                    (_, ChassisState::Standby, _) => self.check.stands_by(side),
                    _ => {}
                }
                self.note(side, format_args!("{from} -> {to} ({reason})"));
            }
            Fact::Modifier { from, to, why } => {
                if *why == "could not take over" {
                    self.check.stood_back(side);
                }
                self.note(side, format_args!("modifier {from} -> {to} ({why})"));
            }
            Fact::Suspended { gap } => {
                self.check.stood_back(side);
                self.note(side, format_args!("did not run for {gap}"));
            }
            Fact::CutOff => {
                self.check.stood_back(side);
                self.note(side, "is cut off");
            }
            Fact::Aborted { why } => self.note(side, format_args!("called off: {why}")),
            Fact::PeerRestarted => self.note(side, "sees that its peer has restarted"),
            Fact::SwitchoverBegan { .. }
            | Fact::Twins
            | Fact::ConfigInSync(_)
            | Fact::SignsOfLife(_)
            | Fact::StopUnanswered
            | Fact::MonitorFailed(_)
            | Fact::MonitorBack { .. }
            | Fact::FailoverHeld(_)
            | Fact::KernelRefused { .. } => {}
        }
    }

    fn ask_kernel(&mut self, side: usize, ticket: Ticket, install: bool) {
        self.nodes[side].kernel.push_back(UnderWay::new(Request { ticket, install }));
    }

    /// The kernel has done the oldest request, or refuses it.
    pub fn kernel_done(&mut self, side: usize, verdict: Verdict) {
        let node = &mut self.nodes[side];
        let Some(UnderWay { what: Request { ticket, install }, .. }) = node.kernel.pop_front() else {
            return;
        };
        let event = if install {
            let refused = match verdict {
                Verdict::Done => 0,
                Verdict::RefusesSome => 3,
                Verdict::RefusesAll => OBJECTS,
            };
            node.holds |= verdict != Verdict::RefusesAll;
            Event::Installed { ticket, installed: OBJECTS - refused, refused }
        } else {
            node.holds = false;
            Event::Removed { ticket }
        };
        self.feed(side, event);
    }

    // Ends of life.

    /// This side of the connection is gone; the other side will see it.
    pub fn hang_up(&mut self, side: usize) {
        self.link.transmit(1 - side, Arrival::Down);
        self.link.close(side);
    }

    /// `srpd` ends; with `power` gone nobody hears of it. `stale`: the router keeps its path for a while.
    pub fn end_life(&mut self, side: usize, power: bool, stale: bool) {
        if power || self.link.ends[side] == End::Closed {
            self.link.close(side);
        } else {
            self.hang_up(side);
        }
        let node = &mut self.nodes[side];
        node.holds &= !power;
        node.last_life = node.last_life.or(node.chassis.take().map(|chassis| chassis.counters()));
        node.frozen = false;
        node.linked = Linked::No;
        node.kernel.clear();
        node.flush = None;
        node.lies.clear();
        node.requests = 0;
        node.told = 0;
        node.session.go_down(stale);
        node.session.rib = None;
        node.session.decided = false;
        node.session.report = None;
        node.session.news = false;
        // It knows of nobody's last life any more.
        self.nodes[1 - side].last_life = None;
        self.check.ended(side);
    }
}

fn said(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Stopping => "it stops",
        CloseReason::Collision => "a collision",
        CloseReason::Version => "a version",
        CloseReason::Protocol => "not a message",
        CloseReason::Silent => "the peer is silent",
        CloseReason::Reconfigured => "reconfigured",
    }
}

/// The hello-interval, and the unit of time here.
pub const TICK: Span = Span::millis(100);
