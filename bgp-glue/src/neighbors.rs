//! The neighbours as the pair sees them: up or down, since when.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_speaker::Event;
use srp_core::config::ContextConfig;
use srp_core::types::Time;

/// One neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its session is Established.
    pub up: bool,
    /// Since when it is so.
    pub since: Time,
}

/// All neighbours of all contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbors {
    known: BTreeMap<(String, IpAddr), Standing>,
}

impl Neighbors {
    /// The configured ones. Those that were known keep their standing.
    pub fn configure(&mut self, now: Time, contexts: &[ContextConfig]) {
        let mut known = BTreeMap::new();
        for context in contexts {
            for neighbor in context.bgp.iter().flat_map(|bgp| &bgp.neighbors) {
                let key = (context.name.clone(), neighbor.address);
                let standing = self.known.get(&key).copied().unwrap_or(Standing { up: false, since: now });
                known.insert(key, standing);
            }
        }
        self.known = known;
    }

    /// Takes an event of a context's speaker; true if a standing changed.
    pub fn note(&mut self, now: Time, context: &str, event: &Event) -> bool {
        let (neighbor, up) = match event {
            Event::NeighborUp { neighbor, .. } => (neighbor, true),
            Event::NeighborDown { neighbor, .. } => (neighbor, false),
            Event::BestPathsChanged(_) | Event::NextHopsWanted(_) => return false,
        };
        match self.known.get_mut(&(context.to_owned(), neighbor.address)) {
            Some(standing) if standing.up != up => {
                *standing = Standing { up, since: now };
                true
            }
            Some(_) | None => false,
        }
    }

    /// Standing of one neighbour.
    pub fn get(&self, context: &str, address: IpAddr) -> Option<Standing> {
        self.known.get(&(context.to_owned(), address)).copied()
    }

    /// Configured and Established ones.
    pub fn count(&self) -> (u32, u32) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (count(self.known.len()), count(self.known.values().filter(|standing| standing.up).count()))
    }
}
