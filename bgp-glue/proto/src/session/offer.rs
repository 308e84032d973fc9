//! What we offer beyond families, and what becomes of it with what the neighbor offers.

use super::connection::{Negotiated, PeerRestart};
use super::{SessionConfig, connection::limit_of};
use crate::types::{Families, Millis, PeerKind, Time};
use crate::wire::capability::{Capability, GracefulRestart, LongLived, Role};
use crate::wire::notification::{Notification, reason};
use crate::wire::open::{Open, bad_peer_as, family_capabilities};
use crate::wire::update::AsWidth;

/// What we offer beyond families, route refresh and four-octet AS numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// To take messages of up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// To mark the answers to ROUTE-REFRESH (RFC 7313).
    pub enhanced_refresh: bool,
    /// To exchange routes of these families with IPv6 next hops (RFC 8950).
    pub extended_next_hop: Families,
    /// To receive several paths for a prefix (RFC 7911).
    pub add_path_receive: Families,
    /// To send several paths for a prefix (RFC 7911).
    pub add_path_send: Families,
    /// What we are to the neighbor (RFC 9234).
    pub role: Option<Role>,
    /// Whether a neighbor that does not say its role is refused.
    pub role_strict: bool,
    /// To wait for the neighbor when it restarts, and to ask the same of it (RFC 4724).
    pub graceful_restart: Option<RestartOffer>,
    /// How long we keep the neighbor's routes after that (RFC 9494).
    pub long_lived: Option<LongLived>,
}

/// How we restart ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartOffer {
    /// How long our restart takes, in seconds; at most [`GracefulRestart::MAX_TIME_SECS`].
    pub time_secs: u16,
    /// Whether a NOTIFICATION leaves routes standing (RFC 8538).
    pub notification: bool,
    /// The families whose routes the neighbor is asked to keep; none from one who only waits for others.
    pub families: Families,
    /// Until when we say that we have restarted; `None` when we have not.
    pub restarted_until: Option<Time>,
    /// The families whose routes the kernel kept meanwhile.
    pub forwarding: Families,
}

impl Offer {
    /// Whether we say, or have said, that we have restarted.
    pub fn has_restarted(&self) -> bool {
        self.graceful_restart.is_some_and(|restart| restart.restarted_until.is_some())
    }
}

impl Default for Offer {
    /// What costs nothing: extended messages and enhanced refresh.
    fn default() -> Self {
        Self {
            extended_message: true,
            enhanced_refresh: true,
            extended_next_hop: Families::NONE,
            add_path_receive: Families::NONE,
            add_path_send: Families::NONE,
            role: None,
            role_strict: false,
            graceful_restart: None,
            long_lived: None,
        }
    }
}

impl SessionConfig {
    fn kind(&self) -> PeerKind {
        PeerKind::between(self.local_as, self.remote_as)
    }

    /// RFC 9234 section 4.1: roles are for external sessions.
    fn role(&self) -> Option<Role> {
        self.offer.role.filter(|_| self.kind() == PeerKind::External)
    }

    /// The OPEN that we send.
    pub(super) fn open(&self, now: Time) -> Open {
        let offer = &self.offer;
        let mut open = Open::ours(self.local_as, self.hold_time, self.router_id, self.families);
        let more = &mut open.capabilities;
        let next_hops = offer.extended_next_hop.intersection(self.families);
        if !next_hops.is_empty() {
            more.push(Capability::ExtendedNextHop(next_hops));
        }
        if offer.extended_message {
            more.push(Capability::ExtendedMessage);
        }
        more.extend(self.role().map(Capability::Role));
        if let Some(restart) = offer.graceful_restart {
            let restarted = restart.restarted_until.is_some_and(|until| now < until);
            more.push(Capability::GracefulRestart(GracefulRestart {
                restarted,
                notification: restart.notification,
                time_secs: restart.time_secs,
                families: restart.families.intersection(self.families),
                forwarding: if restarted {
                    restart.forwarding.intersection(self.families)
                } else {
                    Families::NONE
                },
            }));
        }
        let receive = offer.add_path_receive.intersection(self.families);
        let send = offer.add_path_send.intersection(self.families);
        if !receive.is_empty() || !send.is_empty() {
            more.push(Capability::AddPath { receive, send });
        }
        if offer.enhanced_refresh {
            more.push(Capability::EnhancedRouteRefresh);
        }
        more.extend(offer.long_lived.map(Capability::LongLived));
        open
    }

    /// What the two OPENs agree on, or why they cannot (RFC 4271 section 6.2).
    pub(super) fn judge(&self, body: &[u8]) -> Result<Negotiated, Notification> {
        let open = Open::decode(body)?;
        if open.asn() != self.remote_as && !self.alternate_as.contains(&open.asn()) {
            return Err(bad_peer_as(open.asn()));
        }
        let kind = self.kind();
        // RFC 6286 section 2.2: identifiers are unique inside an AS, not beyond it.
        if kind == PeerKind::Internal && open.router_id == self.router_id {
            let identifier = open.router_id.to_bits().to_be_bytes();
            return Err(Notification::with_data(reason::BAD_IDENTIFIER, &identifier));
        }
        let families = open.families().intersection(self.families);
        if families.is_empty() {
            // RFC 5492 section 3: the data lists the capabilities that are missing.
            let missing = family_capabilities(self.families);
            return Err(Notification::with_data(reason::UNSUPPORTED_CAPABILITY, &missing));
        }
        let remote_role = self.judge_role(&open)?;
        let mut negotiated = Negotiated {
            remote_as: open.asn(),
            router_id: open.router_id,
            hold_time: open.hold_time.min(self.hold_time),
            families,
            as_width: if open.four_octet_as().is_some() { AsWidth::Four } else { AsWidth::Two },
            kind,
            route_refresh: open.route_refresh(),
            enhanced_refresh: false,
            send_limit: limit_of(false),
            receive_limit: limit_of(self.offer.extended_message),
            extended_next_hop: Families::NONE,
            add_path_receive: Families::NONE,
            add_path_send: Families::NONE,
            role: self.role(),
            remote_role,
            restart: None,
            long_lived: None,
        };
        for capability in &open.capabilities {
            self.agree(&mut negotiated, capability);
        }
        Ok(negotiated)
    }

    /// Takes in one capability. Of those that come twice the last counts (RFC 4724 section 3, RFC 5492 section 4).
    fn agree(&self, negotiated: &mut Negotiated, capability: &Capability) {
        let (offer, families) = (&self.offer, negotiated.families);
        match capability {
            Capability::ExtendedNextHop(theirs) => {
                negotiated.extended_next_hop =
                    theirs.intersection(offer.extended_next_hop).intersection(families);
            }
            // RFC 8654 section 4: each side says what it takes. FRR 8.4 takes long messages only from those who take them
            // too, and resets the session otherwise.
            Capability::ExtendedMessage => negotiated.send_limit = limit_of(offer.extended_message),
            Capability::GracefulRestart(theirs) => {
                let ours = offer.graceful_restart;
                negotiated.restart = ours.map(|ours| PeerRestart {
                    restarted: theirs.restarted,
                    notification: ours.notification && theirs.notification,
                    time: Millis::from_secs(u64::from(theirs.time_secs)),
                    families: theirs.families.intersection(families),
                    forwarding: theirs.forwarding.intersection(families),
                });
            }
            Capability::AddPath { receive, send } => {
                negotiated.add_path_receive =
                    send.intersection(offer.add_path_receive).intersection(families);
                negotiated.add_path_send = receive.intersection(offer.add_path_send).intersection(families);
            }
            Capability::EnhancedRouteRefresh => negotiated.enhanced_refresh = offer.enhanced_refresh,
            Capability::LongLived(theirs) => {
                negotiated.long_lived = offer.long_lived.map(|_| *theirs);
            }
            Capability::MultiProtocol { .. }
            | Capability::RouteRefresh
            | Capability::Role(_)
            | Capability::FourOctetAs(_)
            | Capability::Unknown { .. } => {}
        }
    }

    /// RFC 9234 section 4.2: the neighbor's role, where both have one.
    fn judge_role(&self, open: &Open) -> Result<Option<Role>, Notification> {
        let mismatch = || Notification::new(reason::ROLE_MISMATCH);
        let Some(ours) = self.role() else { return Ok(None) };
        let role_of = |capability: &Capability| {
            if let Capability::Role(role) = capability { Some(*role) } else { None }
        };
        let mut theirs = open.capabilities.iter().filter_map(role_of);
        match theirs.next() {
            None if self.offer.role_strict => Err(mismatch()),
            None => Ok(None),
            // "If multiple BGP Role Capabilities are received and not all of them have the same value": a mismatch.
            Some(role) if role == ours.counterpart() && theirs.all(|other| other == role) => Ok(Some(role)),
            Some(_) => Err(mismatch()),
        }
    }
}
