//! What neighbours are told about restarts of ours, and what of the kernel allows to say so.

use std::time::Duration;

use bgp_speaker::{Families, Family, LongLived, Offer, RestartOffer, Restarted};
use srp_core::config::{BgpConfig, ContextConfig, PoolConfig, RestartConfig, RestartMode};
use srp_core::types::Span;

/// Enters into an offer what the instance has configured.
pub(crate) fn offer(config: &RestartConfig, offer: &mut Offer) {
    let (families, time) = match config.mode {
        RestartMode::Off => return,
        // The capability without a family: we keep the neighbour's routes, and have none to be kept (RFC 4724 section 3).
        RestartMode::Aware => (Families::NONE, Span::ZERO),
        RestartMode::On => (Families::ALL, config.time),
    };
    offer.graceful_restart = Some(RestartOffer {
        time_secs: u16::try_from(time.as_secs()).unwrap_or(u16::MAX),
        notification: config.over_notification,
        families,
        restarted_until: None,
        forwarding: Families::NONE,
    });
    let stale = u32::try_from(config.long_lived.as_secs()).unwrap_or(u32::MAX);
    offer.long_lived = (stale > 0).then_some(LongLived {
        ipv4_secs: Some(stale),
        ipv6_secs: Some(stale),
        forwarding: Families::NONE,
    });
}

/// What an earlier life of the process left in the kernel, of one context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Loopbacks and pools.
    pub own: std::collections::BTreeSet<ipnetwork::IpNetwork>,
    /// How many routes that BGP had learned.
    pub learned: usize,
}

/// Whether a context's speaker was killed and is started again, and of which families everything is still forwarded.
///
/// RFC 4724 section 4.1: the Forwarding State bit says that the state "has indeed been preserved". A family of which the
/// kernel lacks one loopback or pool has not, and a Standby, which had none of the srp-activated ones, says nothing of
/// the sort; its neighbours lose nothing but its networks until they hear them again.
pub fn restarted(context: &ContextConfig, left: &Left) -> Option<Restarted> {
    let BgpConfig { restart, .. } = context.bgp.as_ref()?;
    if restart.mode != RestartMode::On || left.own.is_empty() && left.learned == 0 {
        return None;
    }
    let loopbacks = context.loopbacks.iter().filter(|loopback| !loopback.layer_2);
    let wanted: Vec<_> = loopbacks
        .map(|loopback| loopback.address)
        .chain(context.pools.iter().flat_map(PoolConfig::prefixes))
        .collect();
    let survived = |family: &Family| {
        let mut of_family =
            wanted.iter().filter(|prefix| prefix.is_ipv4() == (*family == Family::Ipv4Unicast));
        of_family.all(|prefix| left.own.contains(prefix))
    };
    Some(Restarted {
        forwarding: Family::ALL.into_iter().filter(survived).collect(),
        window: Duration::from_secs(restart.time.as_secs()),
    })
}

#[cfg(test)]
mod tests {
    use srp_core::config::ContextTable;

    use super::*;

    fn config(mode: RestartMode) -> RestartConfig {
        RestartConfig { mode, ..RestartConfig::default() }
    }

    fn offered(config: RestartConfig) -> Offer {
        let mut offer = Offer::default();
        super::offer(&config, &mut offer);
        offer
    }

    fn context(mode: RestartMode, pools: &[&str]) -> ContextConfig {
        let pool = |prefix: &&str| PoolConfig {
            srp_activate: true,
            ..PoolConfig::new(*prefix, prefix.parse().expect("a prefix"))
        };
        ContextConfig {
            name: "destination".into(),
            table: ContextTable::MAIN,
            interfaces: Vec::new(),
            loopbacks: Vec::new(),
            pools: pools.iter().map(pool).collect(),
            bgp: Some(BgpConfig { restart: config(mode), ..BgpConfig::new(65_001, [192, 0, 2, 1].into()) }),
        }
    }

    fn left(own: &[&str], learned: usize) -> Left {
        Left { own: own.iter().map(|prefix| prefix.parse().expect("a prefix")).collect(), learned }
    }

    #[test]
    fn aware_keeps_the_neighbours_routes_and_asks_for_nothing() {
        assert_eq!(offered(config(RestartMode::Off)), Offer::default());
        let aware = offered(config(RestartMode::Aware)).graceful_restart.expect("offered");
        assert_eq!((aware.families, aware.time_secs), (Families::NONE, 0));
        let on = offered(RestartConfig { long_lived: Span::secs(9), ..config(RestartMode::On) });
        assert_eq!(on.graceful_restart.map(|on| (on.families, on.time_secs)), Some((Families::ALL, 30)));
        assert_eq!(on.long_lived.and_then(|long| long.ipv6_secs), Some(9));
    }

    #[test]
    fn a_family_survives_if_all_of_it_does() {
        let context = context(RestartMode::On, &["10.0.0.0/8", "172.16.0.0/12", "2001:db8::/32"]);
        let survived =
            |own: &[&str]| restarted(&context, &left(own, 1)).map(|restarted| restarted.forwarding);
        let all = ["10.0.0.0/8", "172.16.0.0/12", "2001:db8::/32"];
        assert_eq!(survived(&all), Some(Families::ALL));
        let v6 = Families::NONE.with(Family::Ipv6Unicast);
        assert_eq!(survived(&all[1..]), Some(v6), "one pool is missing");
        assert_eq!(survived(&[]), Some(Families::NONE), "a Standby, or a kernel that lost them");
    }

    #[test]
    fn a_machine_that_was_switched_on_has_not_restarted() {
        let on = context(RestartMode::On, &["10.0.0.0/8"]);
        assert_eq!(restarted(&on, &left(&[], 0)), None);
        let aware = context(RestartMode::Aware, &["10.0.0.0/8"]);
        assert_eq!(restarted(&aware, &left(&["10.0.0.0/8"], 1)), None);
    }
}
