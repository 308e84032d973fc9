//! What is announced: a function of configuration, kernel state and route modifier.

use std::collections::BTreeSet;

use bgp_speaker::{Community, Originated};
use ipnetwork::IpNetwork;
use srp_core::config::ContextConfig;
use srp_core::types::{RouteModifier, Span};

/// LOCAL_PREF of modifier 0; every step costs one. Above the default of 100 for every modifier there is.
const BEST_LOCAL_PREF: u32 = 1_000;

/// What a context may announce now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement<'a> {
    /// Modifier of the srp-activated routes; `None` while they are not announced.
    pub modifier: Option<RouteModifier>,
    /// The other chassis serves, and this one is about to withdraw: its srp-activated routes are the last choice.
    pub retiring: bool,
    /// What the kernel holds: a loopback or pool that it refused is not announced (invariant 5).
    pub installed: &'a BTreeSet<IpNetwork>,
}

/// The whole set that the context's speaker originates.
pub fn announced(context: &ContextConfig, now: &Announcement<'_>) -> Vec<Originated> {
    // The hosts of a layer-2 address find it by themselves, and routers by the route to its subnet.
    let loopbacks = context
        .loopbacks
        .iter()
        .filter(|loopback| !loopback.layer_2)
        .map(|loopback| (loopback.address, loopback.srp_activate));
    let pools =
        context.pools.iter().flat_map(|pool| pool.prefixes().map(|prefix| (prefix, pool.srp_activate)));
    let networks = context.bgp.iter().flat_map(|bgp| &bgp.networks);
    let most = context.loopbacks.len() + context.pools.len() + networks.clone().count();
    let mut routes = Vec::with_capacity(most);
    let gives_notice = context.bgp.as_ref().is_none_or(|bgp| bgp.graceful_shutdown > Span::ZERO);
    let held = loopbacks.chain(pools).filter(|(prefix, _)| now.installed.contains(prefix));
    routes.extend(held.filter_map(|(prefix, srp_activate)| match (srp_activate, now.modifier) {
        (true, Some(modifier)) if now.retiring && gives_notice => {
            Some(as_last_choice(with_modifier(prefix, modifier)))
        }
        (true, Some(modifier)) => Some(with_modifier(prefix, modifier)),
        (true, None) => None,
        (false, _) => Some(Originated::new(prefix.into())),
    }));
    routes.extend(networks.map(|network| Originated::new(network.prefix.into())));
    routes
}

fn with_modifier(prefix: IpNetwork, modifier: RouteModifier) -> Originated {
    Originated {
        // At first at most threshold + delta + 2 = 65; a larger one could only lose, which is what a large one is for.
        prepend: u8::try_from(modifier.0).unwrap_or(u8::MAX),
        local_pref: Some(BEST_LOCAL_PREF.saturating_sub(u32::from(modifier.0))),
        ..Originated::new(prefix.into())
    }
}

/// RFC 8326 section 4.1: the community for neighbours outside, who lower their preference for it, and the lowest preference
/// for those inside, who may not know the community.
fn as_last_choice(route: Originated) -> Originated {
    Originated { local_pref: Some(0), communities: vec![Community::GRACEFUL_SHUTDOWN], ..route }
}

#[cfg(test)]
mod tests {
    use srp_core::config::{BgpConfig, ContextTable, LoopbackConfig, NetworkConfig, PoolConfig};

    use super::*;

    fn net(text: &str) -> IpNetwork {
        text.parse().expect("prefix")
    }

    fn context() -> ContextConfig {
        let loopback = |name: &str, address: &str, srp_activate| LoopbackConfig {
            name: name.into(),
            address: net(address),
            interface: "lo".into(),
            srp_activate,
            layer_2: false,
        };
        ContextConfig {
            name: "destination".into(),
            table: ContextTable::MAIN,
            interfaces: Vec::new(),
            loopbacks: vec![
                loopback("service", "203.0.113.1/32", true),
                loopback("own", "198.51.100.1/32", false),
            ],
            pools: vec![PoolConfig {
                srp_activate: true,
                ..PoolConfig::new("subscribers", net("172.18.0.0/16"))
            }],
            bgp: None,
        }
    }

    fn prefixes(routes: &[Originated]) -> Vec<String> {
        routes.iter().map(|route| format!("{} +{}", IpNetwork::from(route.prefix), route.prepend)).collect()
    }

    #[test]
    fn bgp_2_the_modifier_is_the_prepend_count_of_srp_activated_routes_only() {
        let installed = [net("203.0.113.1/32"), net("198.51.100.1/32"), net("172.18.0.0/16")].into();
        let now = Announcement { modifier: Some(RouteModifier(3)), retiring: false, installed: &installed };
        let routes = announced(&context(), &now);
        assert_eq!(prefixes(&routes), ["203.0.113.1/32 +3", "198.51.100.1/32 +0", "172.18.0.0/16 +3"]);
    }

    #[test]
    fn bgp_1_a_standby_announces_no_srp_activated_route() {
        let installed = [net("198.51.100.1/32")].into();
        let routes =
            announced(&context(), &Announcement { modifier: None, retiring: false, installed: &installed });
        assert_eq!(prefixes(&routes), ["198.51.100.1/32 +0"]);
    }

    #[test]
    fn bgp_8_networks_are_announced_in_every_state_and_without_prepends() {
        let bgp = BgpConfig {
            networks: vec![NetworkConfig { prefix: net("198.51.100.0/24") }],
            ..BgpConfig::new(65_001, [192, 0, 2, 1].into())
        };
        let context = ContextConfig { bgp: Some(bgp), ..context() };
        for modifier in [None, Some(RouteModifier(3))] {
            let routes =
                announced(&context, &Announcement { modifier, retiring: false, installed: &BTreeSet::new() });
            assert_eq!(prefixes(&routes), ["198.51.100.0/24 +0"]);
        }
    }

    #[test]
    fn what_retires_is_the_last_choice_outside_and_inside_and_networks_stay_as_they_are() {
        let installed = [net("203.0.113.1/32"), net("198.51.100.1/32")].into();
        let now = Announcement { modifier: Some(RouteModifier(1)), retiring: true, installed: &installed };
        let routes = announced(&context(), &now);
        let leaving = |route: &Originated| {
            (route.local_pref, route.communities.contains(&Community::GRACEFUL_SHUTDOWN))
        };
        assert_eq!(routes.iter().map(leaving).collect::<Vec<_>>(), [(Some(0), true), (None, false)]);
        assert_eq!(routes[0].prepend, 1, "where nobody knows the community, the path decides as before");
    }

    #[test]
    fn what_the_kernel_refused_is_not_announced() {
        let installed = [net("203.0.113.1/32")].into();
        let now = Announcement { modifier: Some(RouteModifier(1)), retiring: false, installed: &installed };
        assert_eq!(prefixes(&announced(&context(), &now)), ["203.0.113.1/32 +1"]);
    }

    #[test]
    fn local_pref_falls_as_the_modifier_rises_and_stays_above_the_default() {
        let preference = |modifier| with_modifier(net("10.0.0.0/8"), RouteModifier(modifier)).local_pref;
        for modifier in 0..=u16::from(u8::MAX) {
            assert!(preference(modifier) > preference(modifier + 1));
            assert!(preference(modifier) > Some(100));
        }
    }
}
