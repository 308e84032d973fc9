//! Routers that learn late: what each holds from each chassis, and which one it prefers.
//!
//! A router hears a chassis over one BGP session; updates arrive in order, some time after they were sent. It prefers
//! the shorter AS path, that is the smaller route modifier. A path kept over a restart of its sender (graceful restart)
//! is stale: the router does not hear that chassis now.

use srp_core::types::Time;

/// A path of one chassis at one router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub prepends: u16,
    pub stale: bool,
}

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
    pub paths: [Option<Path>; 2],
    pub sessions: [Session; 2],
}

impl Router {
    pub fn new() -> Self {
        let session = Session { up: false, since: Time(0), id: 0, last: Time(0), down: 0 };
        Self { paths: [None; 2], sessions: [session; 2] }
    }

    /// The path that it hears from a chassis.
    pub fn heard(&self, node: usize) -> Option<u16> {
        self.paths[node].filter(|path| !path.stale).map(|path| path.prepends)
    }

    /// The chassis that it sends traffic to; `None` if there is none, or two that it cannot tell apart.
    pub fn prefers(&self) -> Option<usize> {
        match self.paths {
            [None, None] => None,
            [Some(_), None] => Some(0),
            [None, Some(_)] => Some(1),
            [Some(a), Some(b)] if a.prepends == b.prepends => None,
            [Some(a), Some(b)] => Some(usize::from(b.prepends < a.prepends)),
        }
    }
}
