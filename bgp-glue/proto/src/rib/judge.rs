//! What becomes of a received route before it is compared with others: can it be used, and with which attributes.

use std::net::IpAddr;
use std::sync::Arc;

use super::intern::Interner;
use super::next_hops::{NextHops, Reach};
use super::{Local, Peer};
use crate::attributes::{Attributes, NextHop};
use crate::communities::Community;
use crate::decision::Obstacle;
use crate::policy::Imported;
use crate::prefix::Prefix;
use crate::types::PeerKind;
use crate::wire::capability::Role;

pub(super) struct Judged {
    /// The attributes to use; those that came where nothing changes them.
    pub(super) used: Arc<Attributes>,
    pub(super) obstacle: Option<Obstacle>,
    /// What it costs to reach the next hop.
    pub(super) cost: u32,
}

pub(super) fn judge(
    local: &Local,
    peer: &Peer,
    prefix: Prefix,
    received: &Arc<Attributes>,
    interner: &mut Interner,
    next_hops: &mut NextHops,
) -> Judged {
    let refused = |obstacle| Judged { used: Arc::clone(received), obstacle: Some(obstacle), cost: 0 };
    if let Some(obstacle) = loops(local, peer, received) {
        return refused(obstacle);
    }
    let mut used = match peer.policy.import(prefix, received) {
        Imported::Refused => return refused(Obstacle::RefusedByPolicy),
        Imported::Unchanged => None,
        Imported::Changed(attributes) => Some(*attributes),
    };
    if let Some(marked) = marked(peer, used.as_ref().unwrap_or(received)) {
        used = Some(marked);
    }
    let used = used.map_or_else(|| Arc::clone(received), |attributes| interner.intern(attributes));
    if peer.own_addresses.contains(&used.next_hop.address()) {
        return Judged { used, obstacle: Some(Obstacle::NextHopIsOurs), cost: 0 };
    }
    // The neighbor's own address is no exception: it may be routers away, where a session proves no route to it.
    let next_hop = watched(used.next_hop).filter(|_| !on_link(peer, &used));
    match next_hops.reach(next_hop) {
        Reach::Cost(cost) => Judged { used, obstacle: None, cost },
        Reach::Unreachable => Judged { used, obstacle: Some(Obstacle::NextHopUnreachable), cost: 0 },
    }
}

/// The address that has to be reachable. A link-local one is on the link of the session, and goes with it.
pub(super) fn watched(next_hop: NextHop) -> Option<IpAddr> {
    match next_hop {
        NextHop::V6 { address, .. } if address.is_unicast_link_local() => None,
        NextHop::V4(_) | NextHop::V6 { .. } => Some(next_hop.address()),
    }
}

/// RFC 2545 section 3: who adds a link-local address shares the link. Over a link-local session it is the one to use.
fn on_link(peer: &Peer, used: &Attributes) -> bool {
    let is_link_local = match peer.address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    is_link_local && matches!(used.next_hop, NextHop::V6 { link_local: Some(_), .. })
}

/// What makes a route useless whatever the policy says.
fn loops(local: &Local, peer: &Peer, received: &Attributes) -> Option<Obstacle> {
    // RFC 4271 section 9.1.2: a path with our own AS is a loop, wherever it stands in it.
    if received.as_path.occurrences(local.asn) > usize::from(peer.allow_own_as) {
        return Some(Obstacle::AsLoop);
    }
    // RFC 4456 section 8.
    if received.originator_id == Some(local.router_id) {
        return Some(Obstacle::OriginatorIsUs);
    }
    // RFC 9234 section 5, first procedure: OTC comes from above or from the side only, and from the side with the
    // neighbor's own number.
    let leak = match (peer.role?, received.only_to_customer?) {
        (Role::Provider | Role::RouteServer, _) => true,
        (Role::Peer, asn) => asn != peer.remote_as,
        (Role::Customer | Role::RouteServerClient, _) => false,
    };
    leak.then_some(Obstacle::RouteLeak)
}

/// What other RFCs than that of the policy change about a route; `None` for most routes.
fn marked(peer: &Peer, attributes: &Attributes) -> Option<Attributes> {
    // RFC 8326 section 4.2: of whatever preference it was, it becomes the last choice.
    let shutdown = peer.kind == PeerKind::External
        && attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN)
        && attributes.local_pref != Some(0);
    // RFC 9234 section 5, second procedure.
    let otc = match peer.role {
        Some(Role::Customer | Role::Peer | Role::RouteServerClient) => {
            attributes.only_to_customer.is_none().then_some(peer.remote_as)
        }
        Some(Role::Provider | Role::RouteServer) | None => None,
    };
    if !shutdown && otc.is_none() {
        return None;
    }
    let mut marked = attributes.clone();
    if shutdown {
        marked.local_pref = Some(0);
    }
    marked.only_to_customer = otc.or(marked.only_to_customer);
    Some(marked)
}
