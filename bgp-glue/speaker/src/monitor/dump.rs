//! The table at an instant, as an MRT file.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp_proto::attributes::Attributes;
use bgp_proto::prefix::Prefix;
use bgp_proto::rib::{PeerId, Rib};
use bgp_proto::types::RouterId;
use bgp_proto::wire::mrt::{TablePath, TablePeer, push_peer_index, push_prefix};

use super::{Observer, wall_time};

/// Every path of every neighbor, as it came, ordered by prefix. Paths of a neighbor that is away (RFC 4724) have the time
/// of the dump; the others that of the session, since the table keeps none for a path.
pub(crate) fn table(rib: &Rib, observer: &Observer, collector: RouterId, view: &str) -> Vec<u8> {
    let now = wall_time();
    let mut index = BTreeMap::new();
    let mut peers = Vec::new();
    for (id, peer) in rib.peers() {
        let place = u16::try_from(peers.len()).unwrap_or(u16::MAX);
        let since = observer.session(id).map_or(now, |session| session.since);
        index.insert(id, (place, since));
        peers.push(TablePeer { router_id: peer.router_id, address: peer.address, asn: peer.remote_as });
    }
    let mut prefixes: BTreeMap<Prefix, Vec<(PeerId, u32, Arc<Attributes>)>> = BTreeMap::new();
    rib.visit(|prefix, peer, path_id, attributes| {
        prefixes.entry(prefix).or_default().push((peer, path_id, Arc::clone(attributes)));
    });
    let mut out = Vec::new();
    push_peer_index(&mut out, now, collector, view, &peers);
    for (sequence, (prefix, paths)) in prefixes.iter().enumerate() {
        let paths: Vec<_> = paths
            .iter()
            .filter_map(|(peer, path_id, attributes)| {
                let (peer, since) = *index.get(peer)?;
                Some(TablePath { peer, since, path_id: *path_id, attributes })
            })
            .collect();
        push_prefix(&mut out, now, u32::try_from(sequence).unwrap_or(u32::MAX), *prefix, &paths);
    }
    out
}
