//! The SRP side's book: the section that is wanted, and what we believe the kernel holds of it. Pure.

use std::collections::BTreeMap;

use crate::learned_book::usable;
use crate::links::{LinkAddress, Links};
use crate::plan::{self, AddressKey, Have, Held, HeldTarget, Holder, Op, Plan, RouteKey, Want};
use crate::prefix::max_len;
use crate::report::{Object, RefuseReason, Refused};
use crate::types::Section;

/// The SRP section.
#[derive(Debug)]
pub(crate) struct SrpBook {
    metric: u32,
    /// `None` until the SRP side has spoken; till then what an earlier life left is kept.
    want: Option<Section>,
    addresses: BTreeMap<AddressKey, u8>,
    routes: BTreeMap<RouteKey, HeldTarget>,
}

impl SrpBook {
    pub(crate) fn new(metric: u32) -> Self {
        Self { metric, want: None, addresses: BTreeMap::new(), routes: BTreeMap::new() }
    }

    pub(crate) fn set_want(&mut self, want: Section) {
        self.want = Some(want);
    }

    /// Whether an address of ours is there as far as we know.
    pub(crate) fn holds_address(&self, key: AddressKey) -> bool {
        self.addresses.contains_key(&key)
    }

    /// Whether a route of ours is there as far as we know.
    pub(crate) fn holds(&self, key: RouteKey) -> bool {
        self.routes.contains_key(&key)
    }

    /// Sets the book to what was read from the kernel.
    pub(crate) fn adopt(&mut self, have: &Have) {
        self.addresses = have.addresses.iter().filter_map(|(key, held)| Some((*key, held.ours?))).collect();
        self.routes = have.routes.iter().filter_map(|(key, held)| Some((*key, held.ours.clone()?))).collect();
    }

    /// What the section needs as far as we know the kernel, and what of it cannot even be asked for.
    pub(crate) fn plan(&self, links: &Links) -> (Plan, Vec<Refused>) {
        let mut have = Have {
            addresses: self.addresses.iter().map(|(key, len)| (*key, Held::ours(*len))).collect(),
            routes: self.routes.iter().map(|(key, target)| (*key, Held::ours(target.clone()))).collect(),
        };
        let foreign = |address: &&LinkAddress| !address.ours;
        for link in links.iter() {
            for address in link.addresses.iter().filter(foreign) {
                let holder = Holder(format!("{}/{}", address.ip, address.prefix_len));
                have.put_address(AddressKey { link: link.index, ip: address.ip }, Held::foreign(holder));
            }
        }
        self.plan_against(&have, links)
    }

    /// The same against a fresh reading. Nothing before the SRP side has spoken.
    pub(crate) fn plan_against(&self, have: &Have, links: &Links) -> (Plan, Vec<Refused>) {
        let Some(section) = &self.want else { return (Plan::default(), Vec::new()) };
        let (mut want, mut missing) = (Want::default(), Vec::new());
        for address in section.addresses() {
            if let Some(link) = links.by_name(address.link()) {
                want.addresses.insert(AddressKey { link: link.index, ip: address.ip() });
            } else {
                missing.push(Refused {
                    object: Object::Address { ip: address.ip(), link: address.link().clone() },
                    reason: RefuseReason::NoSuchLink(address.link().clone()),
                });
            }
        }
        for ((table, prefix), target) in section.routes() {
            let key = RouteKey { table: *table, prefix: *prefix, metric: self.metric };
            want.routes.insert(key, usable(target, links));
        }
        for ((vrf, prefix), target) in section.vrf_routes() {
            if let Some((_, table)) = links.vrf(vrf) {
                let key = RouteKey { table, prefix: *prefix, metric: self.metric };
                want.routes.insert(key, usable(target, links));
            } else {
                missing.push(Refused {
                    object: Object::RouteOfVrf { vrf: vrf.clone(), prefix: *prefix },
                    reason: RefuseReason::NoSuchVrf(vrf.clone()),
                });
            }
        }
        (plan::plan(&want, have), missing)
    }

    /// Enters an operation that the kernel carried out.
    pub(crate) fn done(&mut self, op: &Op) {
        match op {
            Op::AddAddress(key) => drop(self.addresses.insert(*key, max_len(key.ip))),
            Op::DeleteAddress(key, _) => drop(self.addresses.remove(key)),
            Op::AddRoute(key, target) | Op::ReplaceRoute(key, target) => {
                self.routes.insert(*key, Some(target.clone()));
            }
            Op::DeleteRoute(key) => drop(self.routes.remove(key)),
        }
    }

    /// Enters that no address of ours is there.
    pub(crate) fn address_gone(&mut self, key: AddressKey) {
        self.addresses.remove(&key);
    }

    /// Enters that no route of ours is there.
    pub(crate) fn gone(&mut self, key: RouteKey) {
        self.routes.remove(&key);
    }
}
