//! The running configuration as text: every key with the value in force, defaults included.

mod outlet;
mod probe;

use std::fmt::{Display, Write};
use std::net::SocketAddr;
use std::path::Path;

use toml::Value;

use super::interface::{InterfaceConfig, LinkSpeed};
use super::model::{
    Action, BfdConfig, BfdTimers, BgpConfig, Config, ContextConfig, LogFormat, MonitorBgp, NeighborConfig,
    PolicyRule, Security, SrpConfig,
};
use super::pool::{PoolConfig, PoolRange};
use super::range::RangeConfig;
use super::table::ContextTable;
use super::{guard, watched};
use crate::types::{ChassisMode, Span};

impl Config {
    /// The configuration as TOML. It names key files and holds nothing of their contents.
    ///
    /// [`Config::from_toml`] makes an equal configuration of it, with a `file` that has no folder.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for table in tables(self) {
            let (open, close) = if table.label.is_some() { ("[[", "]]") } else { ("[", "]") };
            let gap = if text.is_empty() { "" } else { "\n" };
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{gap}{open}{}{close}", table.header);
            for (key, value) in &table.entries {
                let _ = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}

/// One table of a configuration file.
#[derive(Debug)]
pub(super) struct Table {
    /// Header, such as `context.pool`.
    pub header: &'static str,
    /// What tells it from others under the same header, for `[[arrays]]`.
    pub label: Option<String>,
    /// Path of the table around it, such as `context[destination]`; empty at the top.
    pub parent: String,
    /// Keys and values in the order of the reference page.
    pub entries: Vec<(&'static str, String)>,
}

impl Table {
    pub(super) fn new(header: &'static str) -> Self {
        Self { header, label: None, parent: String::new(), entries: Vec::new() }
    }

    pub(super) fn element(header: &'static str, label: impl Display, parent: &str) -> Self {
        Self { label: Some(label.to_string()), parent: parent.to_owned(), ..Self::new(header) }
    }

    /// Path such as `context[destination].pool[subscribers]`.
    pub fn path(&self) -> String {
        let (dot, name) = if self.parent.is_empty() {
            ("", self.header)
        } else {
            (".", self.header.rsplit('.').next().unwrap_or(self.header))
        };
        match &self.label {
            Some(label) => format!("{}{dot}{name}[{label}]", self.parent),
            None => format!("{}{dot}{name}", self.parent),
        }
    }

    pub(super) fn text(mut self, key: &'static str, value: impl Display) -> Self {
        self.entries.push((key, Value::String(value.to_string()).to_string()));
        self
    }

    fn bare(mut self, key: &'static str, value: impl Display) -> Self {
        self.entries.push((key, value.to_string()));
        self
    }

    pub(super) fn span(self, key: &'static str, value: Span) -> Self {
        self.text(key, value)
    }

    /// One prefix stands alone.
    fn pool_addresses(self, pool: &PoolConfig) -> Self {
        match pool.addresses.as_slice() {
            [PoolRange::Prefix(prefix)] => self.text("prefix", prefix),
            addresses => {
                let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                self.bare("prefixes", Value::from(addresses))
            }
        }
    }

    pub(super) fn maybe_bare<T: Display>(self, key: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.bare(key, value),
            None => self,
        }
    }

    fn maybe<T: Display>(self, key: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }
}

/// Every table of the configuration, in the order of the reference page.
pub(super) fn tables(config: &Config) -> Vec<Table> {
    let mut tables = vec![srp(&config.srp)];
    if let Security::Tls { key, certificate, peer_certificate } = &config.srp.security {
        tables.push(
            Table::new("srp.tls")
                .text("key", key.display())
                .text("certificate", certificate.display())
                .text("peer-certificate", peer_certificate.display()),
        );
    }
    tables.extend(guard::tables(&config.srp.guard_timers));
    tables.extend(config.srp.monitor_bgp.iter().map(monitor));
    tables.extend(config.srp.monitor_bfd.iter().map(watched::bfd_table));
    tables.extend(config.srp.monitor_interface.iter().map(watched::interface_table));
    tables.extend(config.srp.auth_probe.iter().flat_map(probe::authentication));
    tables.extend(config.srp.monitor_diameter.iter().map(probe::diameter));
    tables.extend(config.srp.bfd.iter().map(bfd_session));
    let control = &config.control;
    tables.push(
        Table::new("control").text("socket", control.socket.display()).maybe("group", control.group.as_ref()),
    );
    let format = match config.log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    };
    tables.push(Table::new("log").text("level", &config.log.level).text("format", format));
    let kernel = config.kernel;
    tables.push(
        Table::new("kernel")
            .bare("protocol", kernel.protocol)
            .bare("metric", kernel.metric)
            .bare("learned-metric", kernel.learned_metric),
    );
    tables.extend(config.record.iter().map(|record| {
        Table::new("record").text("file", record.file.display()).text("max-size", record.max_size)
    }));
    tables.extend(outlet::tables(&config.outlets));
    tables.extend(
        config
            .metrics
            .iter()
            .map(|metrics| Table::new("metrics").text("address", metrics.address).bare("port", metrics.port)),
    );
    tables.extend(config.bulk_statistics.iter().map(|bulk| {
        Table::new("bulk-statistics")
            .text("folder", bulk.folder.display())
            .span("interval", bulk.interval)
            .bare("keep", bulk.keep)
            .bare("gather-on-standby", bulk.gather_on_standby)
    }));
    tables.extend(config.contexts.iter().flat_map(context));
    tables
}

/// The word of a file for a role.
pub(super) fn mode_word(mode: ChassisMode) -> &'static str {
    match mode {
        ChassisMode::Primary => "primary",
        ChassisMode::Backup => "backup",
    }
}

/// The word of a file for what a pool does.
pub(super) fn action_word(action: Action) -> &'static str {
    match action {
        Action::Blackhole => "blackhole",
        Action::Unreachable => "unreachable",
    }
}

fn srp(srp: &SrpConfig) -> Table {
    let table = Table::new("srp")
        .text("context", &srp.context)
        .text("chassis-mode", mode_word(srp.chassis_mode))
        .bare("priority", srp.priority)
        .text("bind-address", srp.bind_address)
        .text("peer-ip-address", srp.peer_address)
        .bare("port", srp.port)
        .span("hello-interval", srp.hello_interval)
        .span("dead-interval", srp.dead_interval)
        .span("delay-interval", srp.delay_interval)
        .span("configuration-interval", srp.configuration_interval)
        .bare("route-modifier-threshold", srp.route_modifier_threshold)
        .bare("delta-route-modifier", srp.delta_route_modifier)
        .bare("advertise-routes-in-standby-state", srp.advertise_routes_in_standby_state)
        .span("drain-interval", srp.drain_interval)
        .span("switchover-timeout", srp.switchover_timeout)
        .bare("num-internal-switchover-retry", srp.switchover_retry.attempts)
        .span("internal-switchover-retry-interval", srp.switchover_retry.interval)
        .bare("bfd-mon-ignore-dead-interval", srp.bfd_mon_ignore_dead_interval)
        .maybe("mac", srp.mac)
        .text("dscp-control", srp.dscp_control.name());
    match srp.security {
        Security::Plaintext => table.bare("plaintext", true),
        Security::Tls { .. } => table,
    }
}

fn monitor(monitor: &MonitorBgp) -> Table {
    let label = format!("{} {}", monitor.context, monitor.address);
    let table = Table::element("srp.monitor.bgp", label, "")
        .text("context", &monitor.context)
        .text("address", monitor.address);
    match monitor.group {
        Some(group) => table.bare("group", group),
        None => table,
    }
}

fn bfd_session(session: &BfdConfig) -> Table {
    let label = match &session.interface {
        Some(interface) => format!("{}%{interface}", session.peer_address),
        None => session.peer_address.to_string(),
    };
    let table = Table::element("srp.bfd", label, "")
        .text("peer-address", session.peer_address)
        .text("local-address", session.local_address)
        .maybe("interface", session.interface.as_ref());
    bfd_timers(table, session.timers)
}

fn bfd_timers(table: Table, timers: BfdTimers) -> Table {
    let table = table
        .span("interval", timers.interval)
        .bare("multiplier", timers.multiplier)
        .bare("multihop", timers.multihop.is_some());
    match timers.multihop {
        Some(least_ttl) => table.bare("least-ttl", least_ttl),
        None => table,
    }
}

fn context(context: &ContextConfig) -> Vec<Table> {
    let head = Table::element("context", &context.name, "").text("name", &context.name);
    let head = match &context.table {
        ContextTable::Number(table) => head.bare("table", *table),
        ContextTable::Vrf(name) => head.text("vrf", name),
    };
    let path = head.path();
    let mut tables = vec![head];
    tables.extend(context.interfaces.iter().map(|config| interface(config, &path)));
    tables.extend(context.loopbacks.iter().map(|loopback| {
        Table::element("context.loopback", &loopback.name, &path)
            .text("name", &loopback.name)
            .text("address", loopback.address)
            .text("interface", &loopback.interface)
            .bare("srp-activate", loopback.srp_activate)
            .bare("layer-2", loopback.layer_2)
    }));
    tables.extend(context.pools.iter().map(|pool| {
        Table::element("context.pool", &pool.name, &path)
            .text("name", &pool.name)
            .pool_addresses(pool)
            .text("action", action_word(pool.action))
            .bare("srp-activate", pool.srp_activate)
            .text("kind", pool.kind.word())
            .maybe_bare("priority", pool.kind.priority())
            .maybe("group-name", pool.group_name.as_ref())
            .span("address-hold-timer", pool.address_hold_timer)
            .maybe("address-quarantine-timer", pool.address_quarantine_timer)
            .bare("busyout", pool.busyout)
    }));
    tables.extend(context.bgp.iter().flat_map(|instance| bgp(instance, &path)));
    tables
}

fn interface(interface: &InterfaceConfig, context: &str) -> Table {
    let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
    let table = Table::element("context.interface", &interface.name, context)
        .text("name", &interface.name)
        .bare("addresses", Value::from(addresses))
        .maybe_bare("mtu", interface.mtu);
    let table = match interface.speed {
        None => table,
        Some(LinkSpeed::Auto) => table.text("speed", "auto"),
        Some(LinkSpeed::Fixed { megabits, duplex }) => table.text("speed", megabits).text("duplex", duplex),
    };
    table.bare("shutdown", interface.shutdown).maybe("description", interface.description.as_ref())
}

fn bgp(bgp: &BgpConfig, context: &str) -> Vec<Table> {
    let head = Table { parent: context.to_owned(), ..Table::new("context.bgp") }
        .bare("as", bgp.local_as)
        .text("router-id", bgp.router_id)
        .bare("port", bgp.port)
        .bare("listen", Value::from(bgp.listen.iter().map(ToString::to_string).collect::<Vec<_>>()))
        .bare("multipath", bgp.multipath)
        .bare("multipath-relax", bgp.multipath_relax)
        .text("graceful-restart", bgp.restart.mode)
        .span("restart-time", bgp.restart.time)
        .bare("restart-over-notification", bgp.restart.over_notification)
        .span("long-lived-time", bgp.restart.long_lived)
        .span("graceful-shutdown", bgp.graceful_shutdown);
    let path = head.path();
    let mut tables = vec![head];
    let table = |header| Table { parent: path.clone(), ..Table::new(header) };
    tables.extend(bgp.mrt.iter().map(|mrt| {
        table("context.bgp.mrt")
            .text("file", mrt.file.display())
            .text("max-size", mrt.max_size)
            .bare("keep", mrt.keep)
    }));
    tables.extend(bgp.bmp.iter().map(|station| {
        Table::element("context.bgp.bmp", SocketAddr::new(station.address, station.port), &path)
            .text("address", station.address)
            .bare("port", station.port)
            .span("statistics-interval", station.statistics_interval)
    }));
    tables.extend(
        bgp.groups
            .iter()
            .map(|group| Table::element("context.bgp.group", &group.name, &path).text("name", &group.name)),
    );
    for config in &bgp.neighbors {
        let head = neighbor(config, &path);
        let parent = head.path();
        tables.push(head);
        tables.extend(
            config
                .bfd
                .map(|timers| bfd_timers(Table { parent, ..Table::new("context.bgp.neighbor.bfd") }, timers)),
        );
    }
    tables.extend(bgp.ranges.iter().map(|config| range(config, &path)));
    tables.extend(bgp.networks.iter().map(|network| {
        Table::element("context.bgp.network", network.prefix, &path).text("prefix", network.prefix)
    }));
    tables
}

fn neighbor(neighbor: &NeighborConfig, bgp: &str) -> Table {
    let label = neighbor.address.map(|address| address.to_string()).or_else(|| neighbor.interface.clone());
    let table = Table::element("context.bgp.neighbor", label.unwrap_or_default(), bgp)
        .maybe("address", neighbor.address)
        .maybe("interface", neighbor.interface.as_ref());
    session(table, neighbor)
}

/// A range has the keys of a neighbour, but for what only a named one has.
fn range(range: &RangeConfig, bgp: &str) -> Table {
    let alternate_as: Vec<_> = range.alternate_as.iter().map(|number| i64::from(*number)).collect();
    let table = Table::element("context.bgp.range", range.prefix, bgp)
        .text("prefix", range.prefix)
        .bare("limit", range.limit)
        .bare("alternate-as", Value::from(alternate_as));
    let mut table = session(table, &range.session);
    table.entries.retain(|(key, _)| !matches!(*key, "passive" | "port"));
    table
}

fn session(table: Table, neighbor: &NeighborConfig) -> Table {
    let rules = |rules: &[PolicyRule]| {
        Value::Array(rules.iter().map(|rule| Value::String(rule.to_string())).collect())
    };
    table
        .maybe("group", neighbor.group.as_ref())
        .bare("remote-as", neighbor.remote_as)
        .maybe("local-address", neighbor.local_address)
        .bare("port", neighbor.port)
        .span("hold-time", neighbor.hold_time)
        .maybe("send-hold-time", neighbor.send_hold_time)
        .bare("passive", neighbor.passive)
        .span("delay-open", neighbor.delay_open)
        .maybe_bare("local-as", neighbor.local_as)
        .maybe_bare("multihop", neighbor.multihop)
        .bare("ttl-security", neighbor.ttl_security)
        .maybe("md5-key-file", neighbor.md5_key_file.as_deref().map(Path::display))
        .maybe("ao-key-file", neighbor.ao_key_file.as_deref().map(Path::display))
        .maybe("role", neighbor.role)
        .bare("role-strict", neighbor.role_strict)
        .bare("ipv4", neighbor.ipv4)
        .bare("ipv6", neighbor.ipv6)
        .maybe("next-hop-ipv4", neighbor.next_hop_ipv4)
        .maybe("next-hop-ipv6", neighbor.next_hop_ipv6)
        .bare("import", rules(&neighbor.import))
        .bare("export", rules(&neighbor.export))
        .bare("prepends", Value::from(neighbor.prepends.iter().map(|n| i64::from(*n)).collect::<Vec<_>>()))
        .bare("allow-own-as", neighbor.allow_own_as)
        .maybe_bare("maximum-prefixes", neighbor.limits.most)
        .maybe_bare("maximum-prefixes-ipv6", neighbor.limits.most_ipv6)
        .bare("maximum-prefixes-warning", neighbor.limits.warning)
        .text("maximum-prefixes-action", neighbor.limits.action)
        .maybe("maximum-prefixes-restart", neighbor.limits.restart)
        .maybe_bare("maximum-prefixes-out", neighbor.limits.out)
        .maybe("add-path", neighbor.add_path)
        .bare("extended-next-hop", neighbor.extended_next_hop)
}
