//! What a reload would change, before anything is touched.

use std::collections::BTreeMap;

use super::model::Config;
use super::text::{Table, tables};

/// The difference between the running configuration and a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Each change, in the order of the reference page: removals first.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// In words, such as `srp.hello-interval: "100ms" -> "50ms"`.
    pub what: String,
    /// It takes effect in the running `srpd`; otherwise only in the next one.
    pub live: bool,
}

impl Reload {
    /// The changes that the running `srpd` cannot make.
    pub fn needing_restart(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.live)
    }
}

/// What changes from `old` to `new`, in words.
///
/// Live: timers and switchover settings of `[srp]`, monitors, BFD, the record, who is told of events, and loopbacks, pools, neighbours and
/// networks of a context that stays, and the files of keys and certificates. Everything that makes a chassis who it is
/// (role, priority, link), how it marks its kernel state, and the BGP instances themselves need a new start.
pub fn changes(old: &Config, new: &Config) -> Reload {
    let (before, after) = (by_path(old), by_path(new));
    let mut changes = Vec::new();
    for table in tables(old) {
        let path = table.path();
        if !after.contains_key(&path) {
            let live = is_live_table(&table) && after.contains_key(&table.parent);
            changes.push(Change { what: format!("{path}: removed"), live });
        }
    }
    for table in tables(new) {
        let path = table.path();
        match before.get(&path) {
            None => {
                let live = is_live_table(&table) && before.contains_key(&table.parent);
                let entries: Vec<_> =
                    table.entries.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                changes.push(Change { what: format!("{path}: added ({})", entries.join(", ")), live });
            }
            Some(was) => changes.extend(changed_keys(was, &table)),
        }
    }
    if changes.is_empty() && old != new {
        changes.push(Change { what: "order of tables".into(), live: true });
    }
    Reload { changes }
}

fn by_path(config: &Config) -> BTreeMap<String, Table> {
    let top = (String::new(), Table { header: "", label: None, parent: String::new(), entries: Vec::new() });
    tables(config).into_iter().map(|table| (table.path(), table)).chain([top]).collect()
}

fn changed_keys(was: &Table, is: &Table) -> Vec<Change> {
    let mut keys: Vec<&'static str> = was.entries.iter().map(|(key, _)| *key).collect();
    keys.extend(is.entries.iter().map(|(key, _)| *key).filter(|key| was.value(key).is_none()));
    let change = |key: &'static str| {
        let (old, new) = (was.value(key), is.value(key));
        // Other keys serve new connections; whether there are keys at all cannot change.
        let live = is_live_table(is)
            || is.header == "srp.tls"
            || is.header == "srp" && is_live_key(key)
            || is.header == "context.bgp" && is_live_bgp_key(key);
        let what = |value: Option<&str>| value.map_or_else(|| "(absent)".to_owned(), str::to_owned);
        let what = format!("{}.{key}: {} -> {}", is.path(), what(old), what(new));
        (old != new).then_some(Change { what, live })
    };
    keys.into_iter().filter_map(change).collect()
}

/// Keys of a BGP instance that are not part of who the speaker is.
fn is_live_bgp_key(key: &str) -> bool {
    matches!(
        key,
        "multipath"
            | "multipath-relax"
            | "graceful-restart"
            | "restart-time"
            | "restart-over-notification"
            | "long-lived-time"
            | "graceful-shutdown"
    )
}

/// Tables whose every key, coming and going can change in a running `srpd`.
fn is_live_table(table: &Table) -> bool {
    matches!(
        table.header,
        "srp.monitor.bgp"
            | "srp.monitor.bfd"
            | "srp.monitor.interface"
            | "srp.guard-timer.aaa-switchover-timers"
            | "srp.guard-timer.diameter-switchover-timers"
            | "srp.guard-timer.srp-redundancy-timers.aaa"
            | "srp.guard-timer.srp-redundancy-timers.bgp"
            | "srp.guard-timer.srp-redundancy-timers.diam"
            | "srp.monitor.authentication-probe"
            | "srp.monitor.authentication-probe.server"
            | "srp.monitor.diameter"
            | "srp.bfd"
            | "record"
            | "snmp"
            | "snmp.target"
            | "syslog"
            | "context.interface"
            | "metrics"
            | "bulk-statistics"
            | "context.loopback"
            | "context.pool"
            | "context.bgp.group"
            | "context.bgp.neighbor"
            | "context.bgp.range"
            | "context.bgp.neighbor.bfd"
            | "context.bgp.network"
            | "context.bgp.mrt"
            | "context.bgp.bmp"
    )
}

/// Keys of `[srp]` that are not part of who the chassis is or of how its link is made.
fn is_live_key(key: &str) -> bool {
    matches!(
        key,
        "hello-interval"
            | "dead-interval"
            | "delay-interval"
            | "configuration-interval"
            | "route-modifier-threshold"
            | "delta-route-modifier"
            | "advertise-routes-in-standby-state"
            | "drain-interval"
            | "switchover-timeout"
            | "num-internal-switchover-retry"
            | "internal-switchover-retry-interval"
            | "bfd-mon-ignore-dead-interval"
    )
}

impl Table {
    fn value(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{FULL, parse};

    /// Changes from the full example to the same text with `from` replaced, as lines; `!` marks a restart.
    fn lines(from: &str, to: &str) -> Vec<String> {
        assert!(FULL.contains(from), "the example has no {from:?}");
        let new = parse(&FULL.replacen(from, to, 1));
        let mark = |change: &Change| format!("{}{}", if change.live { "" } else { "! " }, change.what);
        changes(&parse(FULL), &new).changes.iter().map(mark).collect()
    }

    #[test]
    fn timers_change_in_the_running_daemon() {
        assert_eq!(
            lines("hello-interval = \"50ms\"", "hello-interval = \"20ms\""),
            ["srp.hello-interval: \"50ms\" -> \"20ms\""]
        );
    }

    #[test]
    fn who_the_chassis_is_needs_a_restart() {
        assert_eq!(lines("priority = 10", "priority = 11"), ["! srp.priority: 10 -> 11"]);
        assert_eq!(
            lines("mac = \"02:00:5e:10:00:01\"", ""),
            ["! srp.mac: \"02:00:5e:10:00:01\" -> (absent)"]
        );
        assert_eq!(lines("as = 65001", "as = 65002"), ["! context[destination].bgp.as: 65001 -> 65002"]);
    }

    #[test]
    fn other_key_files_serve_in_the_running_daemon_but_no_keys_at_all_need_a_restart() {
        assert_eq!(
            lines("/srv/east.crt", "/srv/new.crt"),
            ["srp.tls.certificate: \"/srv/east.crt\" -> \"/srv/new.crt\""]
        );
        let tls = FULL.find("[srp.tls]").and_then(|at| FULL[at..].split("\n\n").next()).expect("a table");
        let plain = FULL.replace(tls, "").replace("plaintext = false", "plaintext = true");
        assert_eq!(changes(&parse(FULL), &parse(&plain)).needing_restart().count(), 2);
    }

    #[test]
    fn a_pool_that_changes_is_named_with_what_changes() {
        assert_eq!(
            lines("prefix = \"172.18.0.0/16\"", "prefix = \"172.18.0.0/15\""),
            ["context[destination].pool[subscribers].prefix: \"172.18.0.0/16\" -> \"172.18.0.0/15\""]
        );
    }

    #[test]
    fn a_pool_under_another_name_is_another_pool() {
        let expected = [
            "context[destination].pool[subscribers]: removed",
            "context[destination].pool[clients]: added (name = \"clients\", prefix = \"172.18.0.0/16\", \
             action = \"blackhole\", srp-activate = true, kind = \"private\", priority = 0, \
             address-hold-timer = \"0s\", busyout = false)",
        ];
        assert_eq!(lines("name = \"subscribers\"", "name = \"clients\""), expected);
    }

    #[test]
    fn what_belongs_to_a_new_context_comes_with_the_restart() {
        let new = parse(&format!(
            "{FULL}\n[[context]]\nname = \"voice\"\ntable = 300\n\
             [[context.pool]]\nname = \"v\"\nprefix = \"10.9.0.0/16\"\n"
        ));
        let reload = changes(&parse(FULL), &new);
        assert_eq!(reload.changes.len(), 2);
        assert_eq!(reload.needing_restart().count(), 2);
    }

    #[test]
    fn recording_begins_and_ends_in_the_running_daemon() {
        let expected = ["record: removed"];
        assert_eq!(lines("[record]\nfile = \"run/east.trace\"\nmax-size = \"32MiB\"\n", ""), expected);
        assert_eq!(lines("\"32MiB\"", "\"1GiB\""), ["record.max-size: \"32MiB\" -> \"1GiB\""]);
    }

    #[test]
    fn the_same_configuration_changes_nothing() {
        assert_eq!(changes(&parse(FULL), &parse(FULL)), Reload::default());
    }
}
