//! What of the configuration the kernel shall hold, in the kernel's own terms.

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;
use netlink::{Address, LinkName, Object, Report, Route, Section, TableId};
use srp_core::config::{self, ContextConfig, PoolConfig};
use tracing::error;

/// How much of the srp-activated configuration the kernel shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// None of it.
    Nothing,
    /// What still forwards for routers that have not turned away. Hosts turn to the new Active at once, and two chassis that
    /// answer ARP for one address are one too many: the layer-2 addresses are gone.
    Draining,
    /// All of it.
    Everything,
}

impl Holding {
    fn has(self, loopback: &config::LoopbackConfig) -> bool {
        match self {
            Self::Everything => true,
            Self::Draining => !loopback.srp_activate || !loopback.layer_2,
            Self::Nothing => !loopback.srp_activate,
        }
    }

    fn has_pool(self, pool: &PoolConfig) -> bool {
        self != Self::Nothing || !pool.srp_activate
    }
}

/// Everything that a context has for the kernel.
pub fn prefixes(context: &ContextConfig) -> BTreeSet<IpNetwork> {
    let loopbacks = context.loopbacks.iter().map(|loopback| loopback.address);
    loopbacks.chain(context.pools.iter().flat_map(PoolConfig::prefixes)).collect()
}

/// What the kernel shall hold: always what is not srp-activated, of the rest what `holding` says.
pub fn section(contexts: &[ContextConfig], holding: Holding) -> Section {
    let mut section = Section::default();
    for context in contexts {
        for loopback in context.loopbacks.iter().filter(|loopback| holding.has(loopback)) {
            match address(loopback) {
                Ok(address) => section = section.with_address(address),
                Err(error) => error!(loopback = loopback.name, "{error}"),
            }
        }
        for pool in context.pools.iter().filter(|pool| holding.has_pool(pool)) {
            for prefix in pool.prefixes() {
                if let Some(route) = route(context, pool, prefix) {
                    section = section.with_route(route);
                } else {
                    error!(pool = pool.name, %prefix, "table or prefix not usable in the kernel");
                }
            }
        }
    }
    section
}

/// The kernel's form of a loopback. Checked once more when the configuration is read, see `start`.
pub fn address(loopback: &config::LoopbackConfig) -> Result<Address, String> {
    let link: LinkName = loopback.interface.parse().map_err(|error| format!("{error}"))?;
    Address::new(loopback.address.ip(), link).map_err(|error| error.to_string())
}

/// The kernel's form of a prefix of a pool.
pub fn route(context: &ContextConfig, pool: &PoolConfig, prefix: IpNetwork) -> Option<Route> {
    let table = TableId::new(context.table)?;
    let prefix = netlink::Prefix::try_from(prefix).ok()?;
    Some(match pool.action {
        config::Action::Blackhole => Route::blackhole(table, prefix),
        config::Action::Unreachable => Route::unreachable(table, prefix),
    })
}

/// What of a context the kernel holds after `report`.
pub fn held(context: &ContextConfig, holding: Holding, report: &Report) -> BTreeSet<IpNetwork> {
    let refused =
        |object: &dyn Fn(&Object) -> bool| report.refused.iter().any(|refused| object(&refused.object));
    let loopbacks = context
        .loopbacks
        .iter()
        .filter(|loopback| holding.has(loopback))
        .filter(|loopback| {
            !refused(&|object| matches!(object, Object::Address { ip, .. } if *ip == loopback.address.ip()))
        })
        .map(|loopback| loopback.address);
    let pools =
        context.pools.iter().filter(|pool| holding.has_pool(pool)).flat_map(PoolConfig::prefixes).filter(
            |wanted| {
                !refused(&|object| {
                    matches!(object, Object::Route { table, prefix, .. }
                    if table.get() == context.table && IpNetwork::from(*prefix) == *wanted)
                })
            },
        );
    loopbacks.chain(pools).collect()
}
