//! Doing what the session says.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bgp_proto::adj_rib_out::{AdjRibOut, OutContext};
use bgp_proto::discovery;
use bgp_proto::next_hop::ConfiguredNextHops;
use bgp_proto::rib::Peer;
use bgp_proto::session::{Action, DownReason, Event, Negotiated, PeerRestart, Side};
use bgp_proto::types::Family;
use bgp_proto::wire::bmp::BmpPeer;
use bgp_proto::wire::update::{Disposition, Update};
use tracing::{debug, info, warn};

use super::Neighbor;
use crate::connection::Connection;
use crate::monitor::{SessionSeen, wall_time};
use crate::rib_task::{RibMessage, total};
use crate::socket;

impl Neighbor {
    /// Tells the session what happened and does what follows.
    pub(crate) fn handle(&mut self, event: Event<'_>) {
        self.session.handle(self.clock.now(), event);
        while let Some(action) = self.session.poll_action() {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Connect => {
                self.attempt =
                    Some(Box::pin(socket::connect(self.config.clone(), self.kind(), self.device.clone())));
            }
            Action::AbandonConnect => self.attempt = None,
            Action::Adopt => self.incoming = self.accepted.take().map(Connection::new),
            Action::Refuse(octets) => {
                if let Some(stream) = self.accepted.take() {
                    self.farewells.spawn(socket::farewell(stream, octets));
                }
            }
            Action::Send(side, octets) => {
                if let Some(connection) = self.slot(side) {
                    connection.queue(|out| out.extend_from_slice(&octets));
                }
            }
            Action::Close(side) => {
                if let Some(connection) = self.slot(side).take() {
                    let (stream, rest) = connection.into_parts();
                    self.farewells.spawn(socket::farewell(stream, rest));
                }
                // Finished ones are cleared away whenever another begins, so that they cannot pile up.
                while self.farewells.try_join_next().is_some() {}
            }
            Action::Up(side, negotiated) => self.up(side, negotiated),
            Action::Down { reason, was_established, retained } => {
                self.down(reason, was_established, retained);
            }
            Action::Update(update) => self.update(update),
            Action::Refresh(family) => {
                if let Some(table) = &mut self.table {
                    table.refresh(family);
                }
            }
            Action::RefreshMark { family, ends } => {
                debug!(neighbor = %self.key, %family, ends, "answer to ROUTE-REFRESH");
                self.backlog.push_back(RibMessage::RefreshMark { id: self.id, family, ends });
            }
        }
    }

    fn up(&mut self, side: Side, negotiated: Negotiated) {
        let stream = self.connection(side).map(Connection::stream);
        let ends = stream.and_then(|stream| Some((stream.local_addr().ok()?, stream.peer_addr().ok()?)));
        // A socket that has lost its address is about to report its end; until then nothing can be announced.
        let Some((local, remote)) = ends else { return };
        let next_hops = ConfiguredNextHops { v4: self.config.next_hop_v4, v6: self.config.next_hop_v6 };
        let context = OutContext {
            local_as: self.local_as,
            encoding: negotiated.encoding(),
            send_limit: negotiated.send_limit,
            families: negotiated.families,
            enhanced_refresh: negotiated.enhanced_refresh,
            role: negotiated.role,
            next_hop_v4: next_hops.choose(Family::Ipv4Unicast, local.ip(), negotiated.extended_next_hop),
            next_hop_v6: next_hops.choose(Family::Ipv6Unicast, local.ip(), negotiated.extended_next_hop),
        };
        info!(neighbor = %self.key, remote_as = %negotiated.remote_as, router_id = %negotiated.router_id,
            %local, hold_time = %negotiated.hold_time, times = self.session.counters().established, "neighbor up");
        for family in negotiated.families.iter() {
            let next_hop = match family {
                Family::Ipv4Unicast => context.next_hop_v4,
                Family::Ipv6Unicast => context.next_hop_v6,
            };
            if next_hop.is_none() {
                warn!(neighbor = %self.key, %family, %local,
                    "family not announced: the session has no address of it, and no next hop is configured");
            }
        }
        let mut own_addresses = vec![local.ip().to_canonical()];
        own_addresses.extend(self.config.next_hop_v4.map(IpAddr::V4));
        own_addresses.extend(self.config.next_hop_v6.map(IpAddr::V6));
        let peer = Peer {
            kind: negotiated.kind,
            remote_as: negotiated.remote_as,
            router_id: negotiated.router_id,
            address: remote.ip(),
            own_addresses,
            policy: self.policy.clone(),
            allow_own_as: self.config.allow_own_as,
            role: negotiated.role,
            limits: self.config.limits.inbound,
        };
        self.since = Instant::now();
        let originated = self.originated.clone();
        self.table = Some(if self.has_originated || !self.config.offer.has_restarted() {
            AdjRibOut::new(context, originated)
        } else {
            AdjRibOut::without_end(context, originated)
        });
        let Some(seen) = self.session_seen(side, &negotiated, local, remote) else { return };
        self.backlog.push_back(RibMessage::Up {
            id: self.id,
            seen: Arc::new(seen),
            neighbor: self.key.clone(),
            peer,
            local,
            negotiated,
            counts: self.counts.clone(),
            session: self.session_number(),
            orders: self.sender.clone(),
        });
        self.search_ends_with(remote.ip());
    }

    /// What those who look on are told of the session; `None` for a socket that is about to report its end.
    fn session_seen(
        &self,
        side: Side,
        negotiated: &Negotiated,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Option<SessionSeen> {
        let (sent, received) = self.connection(side)?.opens();
        Some(SessionSeen {
            peer: BmpPeer {
                address: remote.ip(),
                asn: negotiated.remote_as,
                router_id: negotiated.router_id,
            },
            local_as: self.local_as,
            local,
            remote,
            sent_open: sent.to_vec(),
            received_open: received.to_vec(),
            since: wall_time(),
            add_path: negotiated.add_path_receive,
            counts: Arc::clone(&self.counts),
        })
    }

    fn down(&mut self, reason: DownReason, was_established: bool, retained: Option<PeerRestart>) {
        if was_established {
            let lasted = std::mem::replace(&mut self.since, Instant::now()).elapsed();
            let announced = self.table.take().map_or(0, |table| table.len());
            self.waiters.clear();
            self.last_loss = Some((reason.clone(), self.since));
            warn!(neighbor = %self.key, %reason, was_up_s = lasted.as_secs(), learned = total(&self.counts.received),
                announced, times = self.session.counters().established, "neighbor down");
        } else {
            info!(neighbor = %self.key, %reason, "no session with neighbor");
        }
        // A neighbor that has said why it does not want us often only hangs up from then on.
        let explained = match self.last_error {
            Some(DownReason::NotificationSent(_) | DownReason::NotificationReceived(_)) => true,
            Some(DownReason::ConnectFailed(_) | DownReason::ConnectionLost(_) | DownReason::LinkDown)
            | None => false,
        };
        let says_why = match reason {
            DownReason::NotificationSent(_) | DownReason::NotificationReceived(_) | DownReason::LinkDown => {
                true
            }
            DownReason::ConnectFailed(_) | DownReason::ConnectionLost(_) => was_established,
        };
        if says_why || !explained {
            self.last_error = Some(reason.clone());
        }
        self.stopping |= self.transient;
        if was_established {
            self.search(discovery::Event::SessionDown);
        }
        let neighbor = self.key.clone();
        self.backlog.push_back(RibMessage::Down { id: self.id, neighbor, reason, was_established, retained });
    }

    fn update(&mut self, update: Update) {
        for fault in &update.faults {
            // One line for each would let a neighbor fill the log; the counter has them all.
            if self.malformed == 0 {
                warn!(neighbor = %self.key, %fault, "malformed UPDATE; further ones are only counted");
            } else {
                debug!(neighbor = %self.key, %fault, "malformed UPDATE");
            }
            self.malformed += 1;
            self.withdrawn += u64::from(fault.disposition == Disposition::TreatAsWithdraw);
        }
        if let Some(family) = update.end_of_rib {
            debug!(neighbor = %self.key, %family, "End-of-RIB");
            self.backlog.push_back(RibMessage::EndOfRib { id: self.id, family });
        }
        if !update.withdrawn.is_empty() || !update.announced.is_empty() {
            self.backlog.push_back(RibMessage::Update { id: self.id, update });
        }
    }
}
