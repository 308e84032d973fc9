//! One router, and the BGP speakers that tell it: updates arrive in order, a tick later or two; that they have arrived
//! is known then or, as if other routers were slower, a tick after that.

use std::collections::VecDeque;

use srp_core::chassis::Event;

use super::link::UnderWay;
use super::world::World;

/// A path of one chassis at the router; stale while its sender restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    pub prepends: u16,
    pub stale: bool,
}

/// One chassis' BGP session with the router, from both ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    pub up: bool,
    /// Ticks since it came up, while they matter: the peer's first update may be under way.
    pub age: u8,
    /// What the speaker announces.
    pub rib: Option<u16>,
    /// An announcement or a withdraw was asked for in this life; before, the router is told nothing.
    pub decided: bool,
    pub updates: VecDeque<UnderWay<Option<u16>>>,
    /// The report that the chassis waits for. Due once no update is under way.
    pub report: Option<UnderWay<Event>>,
    /// What the router holds.
    pub path: Option<Path>,
    /// Ticks that a stale path has stood.
    pub stale_for: u8,
    /// The chassis has not yet been told how many neighbours it has.
    pub news: bool,
}

/// A session older than this has passed on what its chassis had said when it came up.
pub const SETTLED: u8 = 3;
/// A stale path stands no longer than this.
pub const STALE: u8 = 4;

impl Session {
    pub fn new() -> Self {
        Self {
            up: false,
            age: 0,
            rib: None,
            decided: false,
            updates: VecDeque::new(),
            report: None,
            path: None,
            stale_for: 0,
            news: false,
        }
    }

    /// The path that the router hears, not one that it keeps for a restart.
    pub fn heard(&self) -> Option<u16> {
        self.path.filter(|path| !path.stale).map(|path| path.prepends)
    }

    pub fn speak(&mut self, rib: Option<u16>, report: Event) {
        self.rib = rib;
        self.decided = true;
        self.report = Some(UnderWay::new(report));
        if self.up {
            self.updates.push_back(UnderWay::new(rib));
        }
    }

    pub fn come_up(&mut self) {
        self.up = true;
        self.age = 0;
        self.news = true;
        if self.decided {
            self.updates.push_back(UnderWay::new(self.rib));
        }
    }

    pub fn go_down(&mut self, stale: bool) {
        if !self.up {
            return;
        }
        self.up = false;
        self.age = 0;
        self.updates.clear();
        self.path = self.path.filter(|_| stale).map(|path| Path { stale: true, ..path });
        self.stale_for = 0;
        self.news = true;
    }

    /// The router takes the next update.
    pub fn learn(&mut self) {
        let Some(update) = self.updates.pop_front() else { return };
        self.path = update.what.map(|prepends| Path { prepends, stale: false });
        if let (true, Some(report)) = (self.updates.is_empty(), self.report.as_mut()) {
            report.go_on();
        }
    }

    pub fn is_stale(&self) -> bool {
        self.path.is_some_and(|path| path.stale)
    }
}

impl World {
    /// The chassis that the router sends traffic to; `None` if there is none, or two that it cannot tell apart.
    pub fn prefers(&self) -> Option<usize> {
        match [0, 1].map(|side: usize| self.nodes[side].session.path) {
            [None, None] => None,
            [Some(_), None] => Some(0),
            [None, Some(_)] => Some(1),
            [Some(a), Some(b)] if a.prepends == b.prepends => None,
            [Some(a), Some(b)] => Some(usize::from(b.prepends < a.prepends)),
        }
    }
}
