//! The SRP link as TCP gives it, as in `sim/net.rs`: in order or not at all, kept back where a direction is cut, and an
//! end that each side learns of in its own time. One connection at a time; a new one forgets what was under way.

use std::collections::VecDeque;

use srp_core::chassis::Event;
use srp_core::wire::Message;

use super::world::World;

/// What comes out of the network at one side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Arrival {
    Up,
    Message(Message),
    Down,
}

/// How one side's end of the present connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Opening,
    Open,
    Closed,
}

/// What a chassis believes of its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linked {
    No,
    /// It has not noticed that this connection is gone.
    ToTheOld,
    Yes,
}

/// Something under way: it arrives after one tick, unless it is delayed by another one or kept back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnderWay<T> {
    pub what: T,
    pub pace: Pace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Sent in this tick.
    Sent,
    /// Arrives in this tick.
    Here,
    /// Was to arrive in this tick, and does so in the next.
    Delayed,
    /// Arrives in this tick, and not later.
    HereAtLast,
}

impl<T> UnderWay<T> {
    pub fn new(what: T) -> Self {
        Self { what, pace: Pace::Sent }
    }

    /// Arrives in this tick.
    pub fn is_here(&self) -> bool {
        match self.pace {
            Pace::Sent | Pace::Delayed => false,
            Pace::Here | Pace::HereAtLast => true,
        }
    }

    pub fn may_be_delayed(&self) -> bool {
        self.pace == Pace::Here
    }

    pub fn delay(&mut self) {
        self.pace = Pace::Delayed;
    }

    pub fn go_on(&mut self) {
        self.pace = match self.pace {
            Pace::Sent | Pace::Here => Pace::Here,
            Pace::Delayed | Pace::HereAtLast => Pace::HereAtLast,
        };
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// `cut[to]`: nothing arrives at that side.
    pub cut: [bool; 2],
    pub ends: [End; 2],
    pub to: [VecDeque<UnderWay<Arrival>>; 2],
    /// A tick has passed since a side wanted another connection.
    pub dial_due: bool,
}

impl Link {
    pub fn new() -> Self {
        Self {
            cut: [false; 2],
            ends: [End::Closed; 2],
            to: [VecDeque::new(), VecDeque::new()],
            dial_due: false,
        }
    }

    /// Both sides see the same connection.
    pub fn is_up(&self) -> bool {
        self.ends == [End::Open; 2]
    }

    pub fn is_cut(&self) -> bool {
        self.cut != [false; 2]
    }

    pub fn transmit(&mut self, to: usize, what: Arrival) {
        if self.ends[to] != End::Closed {
            self.to[to].push_back(UnderWay::new(what));
        }
    }

    /// This side of the connection is gone.
    pub fn close(&mut self, side: usize) {
        self.ends[side] = End::Closed;
        self.to[side].clear();
    }
}

impl World {
    /// One side sees no connection, none is being made, and both can make one.
    pub fn can_dial(&self) -> bool {
        self.link.ends.contains(&End::Closed)
            && !self.link.is_cut()
            && self.nodes.iter().all(|node| node.chassis.is_some() && !node.frozen)
    }

    pub fn dial(&mut self) {
        self.link.dial_due = false;
        for side in [0, 1] {
            if self.nodes[side].linked == Linked::Yes {
                self.nodes[side].linked = Linked::ToTheOld;
            }
            self.link.ends[side] = End::Opening;
            self.link.to[side].clear();
            self.link.transmit(side, Arrival::Up);
        }
    }

    /// The first thing under way to `side` arrives.
    pub fn deliver(&mut self, side: usize) {
        let Some(arrival) = self.link.to[side].pop_front() else { return };
        match arrival.what {
            Arrival::Up => {
                self.link.ends[side] = End::Open;
                self.nodes[side].linked = Linked::Yes;
                self.nodes[1 - side].last_life = None;
                self.feed(side, Event::LinkUp);
            }
            Arrival::Message(message) => {
                if self.nodes[side].linked == Linked::Yes {
                    self.feed(side, Event::Received(message));
                }
            }
            Arrival::Down => {
                self.link.close(side);
                if self.nodes[side].linked == Linked::Yes {
                    self.nodes[side].linked = Linked::No;
                    self.feed(side, Event::LinkDown);
                }
            }
        }
    }
}
