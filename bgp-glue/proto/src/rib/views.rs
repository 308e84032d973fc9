//! What an operator asks the table.

use std::net::IpAddr;
use std::sync::Arc;

use super::table::Entry;
use super::{Peer, PeerId, Rib, Route, Staleness, candidate};
use crate::attributes::Attributes;
use crate::decision::{self, Why};
use crate::prefix::Prefix;

impl Rib {
    /// Every path, ordered by prefix, the best one first.
    pub fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        self.table.for_each(|prefix, entry| self.explain(prefix, entry, &mut routes));
        sort(&mut routes);
        routes
    }

    /// The paths of one prefix, the best one first.
    pub fn routes_to(&self, prefix: Prefix) -> Vec<Route> {
        let mut routes = Vec::new();
        if let Some(entry) = self.table.get(prefix) {
            self.explain(prefix, entry, &mut routes);
        }
        sort(&mut routes);
        routes
    }

    /// The paths of the longest prefix that holds the address.
    pub fn routes_toward(&self, address: IpAddr) -> Vec<Route> {
        let lengths = if address.is_ipv4() { 0..=32_u8 } else { 0..=128 };
        let prefixes = lengths.rev().filter_map(|length| Prefix::containing(address, length));
        prefixes.map(|prefix| self.routes_to(prefix)).find(|routes| !routes.is_empty()).unwrap_or_default()
    }

    /// The paths of one neighbor, ordered by prefix.
    pub fn routes_of(&self, peer: PeerId) -> Vec<Route> {
        let mut routes = Vec::new();
        self.table.for_each(|prefix, entry| {
            if entry.paths.as_slice().iter().any(|path| path.peer == peer) {
                self.explain(prefix, entry, &mut routes);
            }
        });
        routes.retain(|route| route.peer == peer);
        sort(&mut routes);
        routes
    }

    /// Hands every path to the function, as it came, in no order: prefix, neighbor, path identifier and attributes.
    pub fn visit(&self, mut path: impl FnMut(Prefix, PeerId, u32, &Arc<Attributes>)) {
        self.table.for_each(|prefix, entry| {
            entry.paths.as_slice().iter().for_each(|one| path(prefix, one.peer, one.id, &one.received));
        });
    }

    /// The neighbors that have routes, or may have, in their order.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.peers.iter().map(|(id, (peer, _))| (*id, peer))
    }

    fn explain(&self, prefix: Prefix, entry: &Entry, routes: &mut Vec<Route>) {
        let paths = entry.paths.as_slice();
        let candidates: Vec<_> = paths
            .iter()
            .filter(|path| path.obstacle.is_none())
            .filter_map(|path| candidate(&self.peers, path))
            .collect();
        let mut explained = decision::explain(&candidates, self.local.multipath).into_iter();
        for path in paths {
            let why = match path.obstacle {
                Some(obstacle) => Some(Why::Unusable(obstacle)),
                None => explained.next(),
            };
            routes.extend(why.map(|why| Route {
                prefix,
                peer: path.peer,
                path_id: path.id,
                received: Arc::clone(&path.received),
                attributes: Arc::clone(&path.used),
                stale: path.staleness != Staleness::Fresh,
                why,
            }));
        }
    }
}

fn sort(routes: &mut [Route]) {
    let place = |why: Why| match why {
        Why::Best => 0,
        Why::Multipath => 1,
        Why::Lost(_) => 2,
        Why::Unusable(_) => 3,
    };
    routes.sort_by_key(|route| (route.prefix, place(route.why), route.peer, route.path_id));
}
