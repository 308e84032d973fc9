//! The part of the configuration that both chassis must have in common, and how two such parts differ (CH-12).
//!
//! In: timers and switchover settings, monitors (context and group), contexts with their srp-activated loopbacks and
//! pools, local AS, prepends towards each AS and networks, all in configured order (POOL-2 wants the order of pools
//! equal). Out, because it differs by nature: addresses of the link and of neighbours, mode, priority, MAC, keys,
//! router ids, routing tables, interface names, the host's own settings, and loopbacks and pools that are not
//! srp-activated, which belong to one chassis alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use sha2::{Digest, Sha256};

use super::guard;
use super::model::{BgpConfig, Config, ContextConfig, SrpConfig};
use super::pool::{PoolConfig, PoolKind};
use super::text::action_word;
use crate::chassis::{Guard, Retry};
use crate::types::Span;
use crate::wire::ConfigItem;

impl Config {
    /// The items that must be equal on both chassis, in configured order.
    pub fn comparison_items(&self) -> Vec<ConfigItem> {
        let mut items = srp_items(&self.srp);
        items.extend(self.contexts.iter().flat_map(context_items));
        items
    }
}

/// SHA-256 over the items; equal digests mean equal items in equal order.
pub fn digest(items: &[ConfigItem]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for text in items.iter().flat_map(|item| [&item.key, &item.value]) {
        // The length keeps `ab` + `c` apart from `a` + `bc`.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    hash.finalize().into()
}

/// How the peer's items differ from ours, one line each; empty if they do not.
///
/// The peer's items may be anything that it sent: their text is cut to one printable line.
pub fn differences(ours: &[ConfigItem], theirs: &[ConfigItem]) -> Vec<String> {
    let (here, there) = (by_key(ours), by_key(theirs));
    let mut lines = Vec::new();
    for item in ours {
        match there.get(item.key.as_str()) {
            None => {
                lines.push(format!("{}: {} here, missing on the peer", line(&item.key), line(&item.value)));
            }
            Some(value) if *value != item.value => lines.push(format!(
                "{}: {} here, {} on the peer",
                line(&item.key),
                line(&item.value),
                line(value)
            )),
            Some(_) => {}
        }
    }
    for item in theirs.iter().filter(|item| !here.contains_key(item.key.as_str())) {
        lines.push(format!("{}: missing here, {} on the peer", line(&item.key), line(&item.value)));
    }
    let ordered = |items, other: &BTreeMap<&str, &str>| common_keys(items, other);
    let parting = ordered(ours, &there).into_iter().zip(ordered(theirs, &here)).find(|(a, b)| a != b);
    if let Some((first, second)) = parting {
        lines.push(format!("order: {} before {} here, after it on the peer", line(first), line(second)));
    }
    if lines.is_empty() && ours != theirs {
        lines.push("the same items, some of them more than once".into());
    }
    lines
}

fn srp_items(srp: &SrpConfig) -> Vec<ConfigItem> {
    let mut items = vec![
        item("srp context", &srp.context),
        item("srp hello-interval", srp.hello_interval),
        item("srp dead-interval", srp.dead_interval),
        item("srp delay-interval", srp.delay_interval),
        item("srp configuration-interval", srp.configuration_interval),
        item("srp route-modifier-threshold", srp.route_modifier_threshold),
        item("srp advertise-routes-in-standby-state", srp.advertise_routes_in_standby_state),
        item("srp drain-interval", srp.drain_interval),
        item("srp switchover-timeout", srp.switchover_timeout),
    ];
    // Said only where it is not the default: a release that does not know the key agrees with one that does.
    if srp.delta_route_modifier != 1 {
        items.push(item("srp delta-route-modifier", srp.delta_route_modifier));
    }
    let retry = srp.switchover_retry;
    if retry != Retry::default() {
        let value = format!("{} times every {}", retry.attempts, retry.interval);
        items.push(item("srp internal-switchover-retry", value));
    }
    let guards = guard::named(&srp.guard_timers).into_iter().filter(|(_, guard)| *guard != Guard::default());
    items.extend(guards.map(|(table, guard)| {
        item(table.replace('.', " "), format!("damping {} guard {}", guard.damping, guard.period))
    }));
    // Addresses and paths are the chassis' own; how soon either end gives up is not.
    items.extend(srp.bfd.iter().enumerate().map(|(index, session)| {
        let (interval, multiplier) = (session.timers.interval, session.timers.multiplier);
        item(format!("srp bfd {}", index + 1), format!("interval {interval} multiplier {multiplier}"))
    }));
    if !srp.bfd.is_empty() {
        items.push(item("srp bfd-mon-ignore-dead-interval", srp.bfd_mon_ignore_dead_interval));
    }
    // A monitored neighbour has one address on this chassis and another on the peer: its place in the list counts.
    items.extend(srp.monitor_bgp.iter().enumerate().map(|(index, monitor)| {
        let key = format!("srp monitor bgp {}", index + 1);
        match monitor.group {
            Some(group) => item(key, format!("context {} group {group}", monitor.context)),
            None => item(key, format!("context {}", monitor.context)),
        }
    }));
    let of_group = |group: Option<u32>| group.map_or(String::new(), |group| format!(" group {group}"));
    items.extend(srp.monitor_bfd.iter().enumerate().map(|(index, monitor)| {
        let value = format!("context {}{}", monitor.context, of_group(monitor.group));
        item(format!("srp monitor bfd {}", index + 1), value)
    }));
    // An interface may have another name there.
    items.extend(srp.monitor_interface.iter().enumerate().map(|(index, monitor)| {
        item(format!("srp monitor interface {}", index + 1), format!("watched{}", of_group(monitor.group)))
    }));
    items.extend(probe_items(srp));
    items
}

/// Both chassis ask the same AAA servers, in the same way (CH-15); who asks, and from where, is the chassis' own. A Diameter
/// peer may be another one on each, as a BGP neighbour is.
fn probe_items(srp: &SrpConfig) -> Vec<ConfigItem> {
    let mut items = Vec::new();
    if let Some(probe) = &srp.auth_probe {
        let (interval, retry) = (probe.probe_interval, probe.retry_interval);
        let (mode, retries) = (probe.question.word(), probe.max_retries);
        let value = format!("{mode} probe-interval {interval} retry-interval {retry} max-retries {retries}");
        items.push(item("srp monitor authentication-probe", value));
        items.extend(probe.servers.iter().enumerate().map(|(index, server)| {
            let value = format!("context {} {} port {}", server.context, server.address, server.port);
            item(format!("srp monitor authentication-probe server {}", index + 1), value)
        }));
    }
    items.extend(srp.monitor_diameter.iter().enumerate().map(|(index, peer)| {
        let key = format!("srp monitor diameter {}", index + 1);
        match peer.group {
            Some(group) => item(key, format!("context {} group {group}", peer.context)),
            None => item(key, format!("context {}", peer.context)),
        }
    }));
    items
}

fn context_items(context: &ContextConfig) -> Vec<ConfigItem> {
    let name = &context.name;
    let mut items = vec![item(format!("context {name}"), "configured")];
    for loopback in context.loopbacks.iter().filter(|loopback| loopback.srp_activate) {
        let layer_2 = if loopback.layer_2 { " layer-2" } else { "" };
        let value = format!("{}{layer_2}", loopback.address);
        items.push(item(format!("context {name} loopback {}", loopback.name), value));
    }
    for pool in context.pools.iter().filter(|pool| pool.srp_activate) {
        items.push(item(format!("context {name} pool {}", pool.name), pool_value(pool)));
    }
    if let Some(bgp) = &context.bgp {
        items.push(item(format!("context {name} bgp as"), bgp.local_as));
        items.extend(prepend_items(name, bgp));
        for network in &bgp.networks {
            items.push(item(format!("context {name} bgp network {}", network.prefix), "announced"));
        }
    }
    items
}

/// What a pool is. Only what is not the default is said beyond addresses and action: a release that does not know the keys
/// agrees with one that does.
fn pool_value(pool: &PoolConfig) -> String {
    let mut words: Vec<String> = pool.addresses.iter().map(ToString::to_string).collect();
    words.push(action_word(pool.action).to_owned());
    if pool.kind != PoolKind::default() {
        words.push(pool.kind.word().to_owned());
        words.extend(pool.kind.priority().map(|priority| format!("priority {priority}")));
    }
    words.extend(pool.group_name.iter().map(|group| format!("group {group}")));
    if pool.address_hold_timer != Span::ZERO {
        words.push(format!("hold {}", pool.address_hold_timer));
    }
    words.extend(pool.address_quarantine_timer.map(|timer| format!("quarantine {timer}")));
    words.extend(pool.busyout.then(|| "busyout".to_owned()));
    words.join(" ")
}

/// The tables of prepends that each neighbouring AS sees, where one has any: neighbours have other addresses on the peer, and
/// routers of one AS compare what both chassis say.
fn prepend_items(context: &str, bgp: &BgpConfig) -> Vec<ConfigItem> {
    let mut tables: BTreeMap<u32, BTreeSet<&[u8]>> = BTreeMap::new();
    let named = bgp.neighbors.iter().map(|neighbor| (neighbor.remote_as, neighbor));
    let ranged = bgp.ranges.iter().flat_map(|range| {
        let numbers = std::iter::once(range.session.remote_as).chain(range.alternate_as.iter().copied());
        numbers.map(|number| (number, &range.session))
    });
    for (remote_as, neighbor) in named.chain(ranged) {
        tables.entry(remote_as).or_default().insert(&neighbor.prepends);
    }
    let written = |table: &&[u8]| match table {
        [] => "as the route modifier".to_owned(),
        _ => table.iter().map(u8::to_string).collect::<Vec<_>>().join(" "),
    };
    tables.retain(|_, tables| tables.iter().any(|table| !table.is_empty()));
    let items = tables.into_iter().map(|(remote_as, tables)| {
        let value = tables.iter().map(written).collect::<Vec<_>>().join(", ");
        item(format!("context {context} bgp prepends towards AS {remote_as}"), value)
    });
    items.collect()
}

fn item(key: impl Into<String>, value: impl Display) -> ConfigItem {
    ConfigItem { key: key.into(), value: format!("{value}") }
}

fn by_key(items: &[ConfigItem]) -> BTreeMap<&str, &str> {
    items.iter().map(|item| (item.key.as_str(), item.value.as_str())).collect()
}

fn common_keys<'i>(items: &'i [ConfigItem], other: &BTreeMap<&str, &str>) -> Vec<&'i str> {
    items.iter().map(|item| item.key.as_str()).filter(|key| other.contains_key(key)).collect()
}

/// One line that a terminal shows as it is, whatever the peer put into it.
fn line(text: &str) -> String {
    const LONGEST: usize = 120;
    text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{FULL, parse};

    fn items(pairs: &[(&str, &str)]) -> Vec<ConfigItem> {
        pairs.iter().map(|(key, value)| item(*key, value)).collect()
    }

    #[test]
    fn the_items_of_an_example_in_configured_order() {
        let expected = items(&[
            ("srp context", "srp"),
            ("srp hello-interval", "50ms"),
            ("srp dead-interval", "150ms"),
            ("srp delay-interval", "10s"),
            ("srp configuration-interval", "3600s"),
            ("srp route-modifier-threshold", "16"),
            ("srp advertise-routes-in-standby-state", "false"),
            ("srp drain-interval", "2s"),
            ("srp switchover-timeout", "5s"),
            ("srp delta-route-modifier", "2"),
            ("srp internal-switchover-retry", "5 times every 20s"),
            ("srp guard-timer srp-redundancy-timers bgp", "damping 5s guard 90s"),
            ("srp bfd 1", "interval 50ms multiplier 3"),
            ("srp bfd 2", "interval 300ms multiplier 3"),
            ("srp bfd-mon-ignore-dead-interval", "false"),
            ("srp monitor bgp 1", "context destination group 1"),
            ("srp monitor bfd 1", "context destination group 2"),
            ("srp monitor interface 1", "watched group 3"),
            (
                "srp monitor authentication-probe",
                "access-request probe-interval 5s retry-interval 1s max-retries 2",
            ),
            ("srp monitor authentication-probe server 1", "context destination 10.9.1.1 port 1812"),
            ("srp monitor authentication-probe server 2", "context destination 2001:db8:9::1 port 1645"),
            ("srp monitor diameter 1", "context destination group 2"),
            ("context destination", "configured"),
            ("context destination loopback gateway", "203.0.113.1/32"),
            ("context destination loopback on-link", "203.0.113.100/32 layer-2"),
            ("context destination pool subscribers", "172.18.0.0/16 blackhole"),
            ("context destination bgp as", "65001"),
            ("context destination bgp prepends towards AS 65103", "0 1 2 4"),
            ("context destination bgp network 198.51.100.0/24", "announced"),
        ]);
        assert_eq!(parse(FULL).comparison_items(), expected);
    }

    #[test]
    fn a_difference_names_both_sides() {
        let ours = items(&[("pool a", "172.18.0.0/16"), ("pool b", "10.0.0.0/8"), ("as", "1")]);
        let theirs = items(&[("pool a", "172.18.0.0/15"), ("as", "1"), ("pool c", "10.0.0.0/8")]);
        assert_eq!(
            differences(&ours, &theirs),
            [
                "pool a: 172.18.0.0/16 here, 172.18.0.0/15 on the peer",
                "pool b: 10.0.0.0/8 here, missing on the peer",
                "pool c: missing here, 10.0.0.0/8 on the peer",
            ]
        );
    }

    #[test]
    fn pool_2_another_order_is_a_difference() {
        let ours = items(&[("pool a", "1"), ("pool b", "2"), ("pool c", "3")]);
        let theirs = items(&[("pool a", "1"), ("pool c", "3"), ("pool b", "2")]);
        assert_eq!(differences(&ours, &theirs), ["order: pool b before pool c here, after it on the peer"]);
        assert_ne!(digest(&ours), digest(&theirs));
    }

    #[test]
    fn equal_items_have_no_difference_and_one_digest() {
        let ours = parse(FULL).comparison_items();
        assert_eq!(differences(&ours, &ours.clone()), Vec::<String>::new());
        assert_eq!(digest(&ours), digest(&ours.clone()));
    }

    #[test]
    fn the_border_between_key_and_value_counts() {
        assert_ne!(digest(&items(&[("ab", "c")])), digest(&items(&[("a", "bc")])));
    }

    #[test]
    fn what_the_peer_sends_cannot_steer_a_terminal() {
        let theirs = items(&[("pool \u{1b}[2J", "x\ny")]);
        assert_eq!(differences(&[], &theirs), ["pool ?[2J: missing here, x?y on the peer"]);
        assert_eq!(
            differences(&items(&[("a", "1")]), &items(&[("a", "1"), ("a", "1")])),
            ["the same items, some of them more than once"]
        );
    }
}
