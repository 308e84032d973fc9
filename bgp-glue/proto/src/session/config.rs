//! What is settled before a session begins.

use super::Offer;
use crate::types::{Asn, Families, HoldTime, Millis, RouterId};

/// What the session has to know about both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Our AS.
    pub local_as: Asn,
    /// Our identifier.
    pub router_id: RouterId,
    /// The neighbor's AS.
    pub remote_as: Asn,
    /// AS numbers that it may have instead; all of them as external or internal as `remote_as`.
    pub alternate_as: Vec<Asn>,
    /// The hold time that we propose.
    pub hold_time: HoldTime,
    /// The families that we offer.
    pub families: Families,
    /// Whether we only wait for the neighbor to connect.
    pub passive: bool,
    /// How long our OPEN waits for the neighbor's (RFC 4271 section 8.1.1, `DelayOpenTime`); zero not to wait.
    pub delay_open: Millis,
    /// How long the neighbor may take nothing of what we send; `None` for what RFC 9687 says.
    pub send_hold: Option<Millis>,
    /// What we offer besides families.
    pub offer: Offer,
    /// Where the jitter comes from. Different for every neighbor and every start.
    pub seed: u64,
}

impl SessionConfig {
    /// A session of both families with the usual timers, which either side opens, and nothing beside them.
    pub fn new(local_as: Asn, router_id: RouterId, remote_as: Asn, seed: u64) -> Self {
        Self {
            local_as,
            router_id,
            remote_as,
            alternate_as: Vec::new(),
            hold_time: HoldTime::DEFAULT,
            families: Families::ALL,
            passive: false,
            delay_open: Millis::new(0),
            send_hold: None,
            offer: Offer::default(),
            seed,
        }
    }
}
