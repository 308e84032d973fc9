//! The routes that begin here, and what becomes of them towards each kind of neighbour.

use crate::attributes::{Community, LargeCommunity};
use crate::prefix::Prefix;

/// One route to announce. The rest of its attributes follows from the neighbour that hears it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Originated {
    /// What is announced.
    pub prefix: Prefix,
    /// How often our own AS is put in front beyond the one time that the protocol asks for. Only external neighbours
    /// see it: RFC 4271 section 5.1.2 leaves AS_PATH alone inside an AS.
    pub prepend: u8,
    /// LOCAL_PREF towards internal neighbours; 100 where nothing is given.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC towards every neighbour.
    pub med: Option<u32>,
    /// COMMUNITIES towards every neighbour.
    pub communities: Vec<Community>,
    /// LARGE_COMMUNITY towards every neighbour.
    pub large_communities: Vec<LargeCommunity>,
}

impl Originated {
    /// A plain route: no prepend, no MED, no communities.
    pub const fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            prepend: 0,
            local_pref: None,
            med: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
        }
    }
}
