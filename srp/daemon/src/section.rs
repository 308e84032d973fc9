//! What of the configuration the kernel shall hold, in the kernel's own terms.

use std::collections::BTreeSet;

use ipnetwork::IpNetwork;
use netlink::{Address, LinkName, Links, Object, Prefix, Report, Route, RouteTarget, Section};
use srp_core::config::{self, Action, ContextConfig, PoolConfig};
use tracing::error;

use crate::context_network::ContextNetwork;

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
        let network = ContextNetwork::of(context);
        for loopback in context.loopbacks.iter().filter(|loopback| holding.has(loopback)) {
            match address(loopback) {
                Ok(address) => section = section.with_address(address),
                Err(error) => error!(loopback = loopback.name, "{error}"),
            }
        }
        for pool in context.pools.iter().filter(|pool| holding.has_pool(pool)) {
            for prefix in pool.prefixes() {
                match Prefix::try_from(prefix) {
                    Ok(prefix) => section = with_route(section, &network, prefix, pool.action),
                    Err(error) => error!(pool = pool.name, %prefix, "{error}"),
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

/// The section with the route of one prefix of a pool.
fn with_route(section: Section, network: &ContextNetwork, prefix: Prefix, action: Action) -> Section {
    match (network, action) {
        (ContextNetwork::Main(table), Action::Blackhole) => {
            section.with_route(Route::blackhole(*table, prefix))
        }
        (ContextNetwork::Main(table), Action::Unreachable) => {
            section.with_route(Route::unreachable(*table, prefix))
        }
        (ContextNetwork::Vrf(vrf), Action::Blackhole) => {
            section.with_vrf_route(vrf.clone(), prefix, RouteTarget::Blackhole)
        }
        (ContextNetwork::Vrf(vrf), Action::Unreachable) => {
            section.with_vrf_route(vrf.clone(), prefix, RouteTarget::Unreachable)
        }
    }
}

/// What of a context the kernel holds after `report`.
pub fn held(
    context: &ContextConfig,
    holding: Holding,
    report: &Report,
    links: &Links,
) -> BTreeSet<IpNetwork> {
    let refused =
        |object: &dyn Fn(&Object) -> bool| report.refused.iter().any(|refused| object(&refused.object));
    let network = ContextNetwork::of(context);
    let (vrf, table) = (network.vrf(), network.table(links));
    let loopbacks = context
        .loopbacks
        .iter()
        .filter(|loopback| holding.has(loopback))
        .filter(|loopback| {
            !refused(&|object| {
                matches!(object, Object::Address { ip, link }
                    if *ip == loopback.address.ip() && link.as_str() == loopback.interface)
            })
        })
        .map(|loopback| loopback.address);
    let pools =
        context.pools.iter().filter(|pool| holding.has_pool(pool)).flat_map(PoolConfig::prefixes).filter(
            |wanted| {
                !refused(&|object| {
                    let prefix = match object {
                        Object::Route { table: of, prefix, .. } if Some(*of) == table => *prefix,
                        Object::RouteOfVrf { vrf: of, prefix } if Some(of) == vrf => *prefix,
                        Object::Route { .. } | Object::RouteOfVrf { .. } | Object::Address { .. } => {
                            return false;
                        }
                    };
                    IpNetwork::from(prefix) == *wanted
                })
            },
        );
    loopbacks.chain(pools).collect()
}
