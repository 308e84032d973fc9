//! What an earlier life of the process left in the kernel. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::names::{LinkIndex, TableId};
use crate::plan::Have;
use crate::prefix::Prefix;

/// Everything that carried our mark when the kernel was first read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOver {
    /// The addresses, each with its link.
    pub addresses: BTreeSet<(LinkIndex, IpAddr)>,
    /// Routes of the SRP section.
    pub routes: BTreeSet<(TableId, Prefix)>,
    /// How many learned routes a table has.
    pub learned: BTreeMap<TableId, usize>,
}

impl LeftOver {
    pub(crate) fn of(found: &Have, learned_metric: u32) -> Self {
        let mut left = Self::default();
        let ours = found.addresses.iter().filter(|(_, held)| held.ours.is_some());
        left.addresses.extend(ours.map(|(key, _)| (key.link, key.ip)));
        for (key, _) in found.routes.iter().filter(|(_, held)| held.ours.is_some()) {
            if key.metric == learned_metric {
                *left.learned.entry(key.table).or_default() += 1;
            } else {
                left.routes.insert((key.table, key.prefix));
            }
        }
        left
    }

    /// Nothing: the machine has just been switched on, or the last life of the process cleaned up.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
