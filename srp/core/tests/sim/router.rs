//! Routers that learn late, each in its own time: the sessions with both chassis and the table that they fill.

use srp_core::types::Time;

use super::bgp::{Choice, PREFIXES, Table, kind_of};

/// One BGP session, as both ends see it.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    pub up: bool,
    pub since: Time,
    /// Counts sessions, so that updates of an earlier one are known as such.
    pub id: u64,
    /// Nothing arrives before this: updates stay in order.
    pub last: Time,
    /// Held down by a fault that many times over.
    pub down: u32,
}

/// One router with its two sessions.
#[derive(Clone, Debug)]
pub struct Router {
    pub table: Table,
    pub sessions: [Session; 2],
}

impl Router {
    pub fn new(number: usize) -> Self {
        let session = Session { up: false, since: Time(0), id: 0, last: Time(0), down: 0 };
        Self { table: Table::new(kind_of(number)), sessions: [session; 2] }
    }

    /// It hears of something behind a chassis now.
    pub fn hears(&self, side: usize) -> bool {
        (0..PREFIXES).any(|number| self.table.hears(number, side))
    }

    /// The chassis that it sends traffic to; `None` if there is none, or two that it cannot tell apart.
    pub fn prefers(&self) -> Option<usize> {
        let chosen = |number| match self.table.choice(number) {
            Choice::Only(side) | Choice::Better(side) => Some(side),
            Choice::Nobody | Choice::Level => None,
        };
        let first = chosen(0)?;
        let agrees = |number| self.table.choice(number) == Choice::Nobody || chosen(number) == Some(first);
        (1..PREFIXES).all(agrees).then_some(first)
    }

    /// Nothing to be preferred.
    pub fn is_empty(&self) -> bool {
        (0..PREFIXES).all(|number| self.table.choice(number) == Choice::Nobody)
    }
}
