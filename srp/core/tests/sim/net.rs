//! The SRP link as TCP gives it: octets in order or not at all, late where a direction is cut, and an end that each
//! side learns of in its own time.
//!
//! The driver's contract that the core relies on is kept here: nothing of a connection is reported before its `LinkUp`
//! or after its `LinkDown` or `CloseLink`, and there is one connection at a time.

use srp_core::types::Time;

/// What comes out of the network at one side.
#[derive(Clone, Debug)]
pub enum Arrival {
    Up,
    Octets(Vec<u8>),
    /// The other side closed, or the connection was reset.
    Down,
}

/// How one side sees a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Opening,
    Open,
    Closed,
}

#[derive(Clone, Debug)]
pub struct Conn {
    pub id: u64,
    pub ends: [End; 2],
    /// Nothing arrives at a side before this: octets stay in order.
    pub last: [Time; 2],
}

#[derive(Clone, Debug, Default)]
pub struct Net {
    /// `cut[to]`: nothing arrives at that side.
    pub cut: [bool; 2],
    pub conn: Option<Conn>,
    /// What a cut keeps back, per receiving side.
    pub held: [Vec<(u64, Arrival)>; 2],
    next_id: u64,
}

impl Net {
    pub fn whole(&self) -> bool {
        self.cut == [false; 2]
    }

    /// A new connection, not yet known to either side. An old one is forgotten with all that was under way.
    pub fn connect(&mut self, now: Time) {
        self.next_id += 1;
        self.held = [Vec::new(), Vec::new()];
        self.conn = Some(Conn { id: self.next_id, ends: [End::Opening; 2], last: [now; 2] });
    }

    pub fn current(&mut self, id: u64) -> Option<&mut Conn> {
        self.conn.as_mut().filter(|conn| conn.id == id)
    }

    /// One side sees no connection, and none is being made.
    pub fn wants_dial(&self) -> bool {
        self.conn.as_ref().is_none_or(|conn| conn.ends.contains(&End::Closed))
    }

    /// Both sides see the same connection.
    pub fn is_up(&self) -> bool {
        self.conn.as_ref().is_some_and(|conn| conn.ends == [End::Open; 2])
    }
}
