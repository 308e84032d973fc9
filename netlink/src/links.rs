//! The links of the namespace and the addresses on them, as last told by the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use crate::names::{LinkIndex, LinkName, Mac, TableId};

/// One link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: LinkIndex,
    /// Its name.
    pub name: LinkName,
    /// Its link-layer address; `None` where it has none or all zeros (loopback, tunnels).
    pub mac: Option<Mac>,
    /// Set up by the administrator (`IFF_UP`).
    pub admin_up: bool,
    /// Has carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The link that it belongs to (`IFLA_MASTER`): a VRF, a bridge, a bond.
    pub master: Option<LinkIndex>,
    /// It is a VRF, and this is its routing table (`IFLA_VRF_TABLE`).
    pub vrf_table: Option<TableId>,
    /// The addresses on it, ours among them.
    pub addresses: BTreeSet<LinkAddress>,
}

/// An address on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkAddress {
    /// The address.
    pub ip: IpAddr,
    /// Its prefix length in bits.
    pub prefix_len: u8,
    /// Whether it carries our mark.
    pub ours: bool,
}

impl Link {
    /// Whether it carries traffic.
    pub fn is_up(&self) -> bool {
        self.admin_up && self.carrier
    }
}

/// All links, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    by_index: BTreeMap<LinkIndex, Link>,
}

impl Links {
    /// All links in the order of their index.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.by_index.values()
    }

    /// The link with that index.
    pub fn by_index(&self, index: LinkIndex) -> Option<&Link> {
        self.by_index.get(&index)
    }

    /// The link with that name.
    pub fn by_name(&self, name: &LinkName) -> Option<&Link> {
        self.iter().find(|link| link.name == *name)
    }

    /// The VRF that packets of the link are in: itself, or the link that it belongs to. `None` for the main one.
    pub fn vrf_of(&self, link: &Link) -> Option<&Link> {
        if link.vrf_table.is_some() {
            return self.by_index(link.index);
        }
        self.by_index(link.master?).filter(|master| master.vrf_table.is_some())
    }

    /// Index and routing table of the VRF with that name; `None` where there is no such link or it is none.
    pub fn vrf(&self, name: &LinkName) -> Option<(LinkIndex, TableId)> {
        let link = self.by_name(name)?;
        Some((link.index, link.vrf_table?))
    }

    /// The MAC address of the link outside of VRFs that holds the address.
    pub fn mac_of_address(&self, ip: IpAddr) -> Option<Mac> {
        let mut main = self.iter().filter(|link| self.vrf_of(link).is_none());
        main.find(|link| link.addresses.iter().any(|held| held.ip == ip))?.mac
    }

    /// Enters a link as newly told; its addresses stay. Returns what it was before.
    pub(crate) fn put(&mut self, mut link: Link) -> Option<Link> {
        if let Some(before) = self.by_index.get(&link.index) {
            link.addresses.clone_from(&before.addresses);
        }
        self.by_index.insert(link.index, link)
    }

    /// Enters what a dump told, if it told a link.
    pub(crate) fn put_found(&mut self, found: Option<Link>) {
        if let Some(link) = found {
            self.put(link);
        }
    }

    pub(crate) fn remove(&mut self, index: LinkIndex) -> Option<Link> {
        self.by_index.remove(&index)
    }

    /// True if it was not there before. An address of an unknown link is not kept.
    pub(crate) fn add_address(&mut self, index: LinkIndex, address: LinkAddress) -> bool {
        self.by_index.get_mut(&index).is_some_and(|link| {
            // Marked or unmarked by a replace (`ip address replace`), it is still one address.
            link.addresses.remove(&LinkAddress { ours: !address.ours, ..address });
            link.addresses.insert(address)
        })
    }

    /// True if it was there before.
    pub(crate) fn remove_address(&mut self, index: LinkIndex, address: LinkAddress) -> bool {
        self.by_index.get_mut(&index).is_some_and(|link| link.addresses.remove(&address))
    }
}

/// The snapshot that the worker publishes and everybody may read without waiting for the worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedLinks(Arc<RwLock<Arc<Links>>>);

impl SharedLinks {
    pub(crate) fn snapshot(&self) -> Arc<Links> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn publish(&self, links: &Links) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(links.clone());
    }
}
