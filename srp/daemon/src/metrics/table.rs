//! The metrics: one table of names, and what each has of the state of the daemon. Pure.

use std::collections::BTreeMap;

use prometheus::{CounterVec, Encoder, GaugeVec, Opts, Registry, TextEncoder};
use srp_core::api::{BgpContext, SrpDetails, SrpInfo, SrpStatistics};
use srp_core::events::Name;
use srp_core::types::ChassisState;

/// What the library refuses. It should never happen: names and labels stand in [`METRICS`].
#[derive(Debug, thiserror::Error)]
#[error("metrics not written: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// A metric.
#[derive(Clone, Copy, Debug)]
struct Metric {
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
}

impl Metric {
    /// By their name, as promtool wants it.
    fn is_counter(self) -> bool {
        self.name.ends_with("_total")
    }
}

macro_rules! metrics {
    ($($name:ident [$($label:literal),*] $help:literal;)*) => {
        /// All metrics; a test holds `docs/metrics.md` against this.
        const METRICS: &[Metric] = &[$(Metric { name: stringify!($name), labels: &[$($label),*], help: $help },)*];
    };
}

metrics! {
    srp_build_info ["version"] "Always 1, with the release of srpd.";
    srp_start_time_seconds [] "When srpd started, since 1970 UTC.";
    srp_chassis_info ["context", "mode", "priority", "mac", "boot_id"] "Always 1, with who this chassis is.";
    srp_chassis_state ["state"] "1 for the state that this chassis is in, 0 for the others.";
    srp_peer_state ["state"] "The same of the peer, as its last Hello said; absent while the link is down.";
    srp_route_modifier [] "Route modifier in force.";
    srp_link_up [] "1 while the SRP link is up.";
    srp_link_ups_total [] "Times that the SRP link came up.";
    srp_link_downs_total [] "Times that the SRP link went down.";
    srp_hellos_sent_total [] "Hellos sent.";
    srp_hellos_received_total [] "Hellos received.";
    srp_hellos_missed_total [] "Hello intervals of an established link in which no Hello came.";
    srp_hello_age_seconds [] "Age of the peer's last Hello; absent while the link is down.";
    srp_round_trip_seconds [] "Last round trip of a Hello; absent until one is known.";
    srp_configuration_in_sync [] "1 if the peer's configuration is ours, 0 if it is not; absent while unknown.";
    srp_switchovers_total ["reason"] "Switchovers that began on this chassis, by public reason.";
    srp_switchovers_aborted_total [] "Planned switchovers that were called off.";
    srp_last_switchover_duration_seconds [] "From the cause of the last switchover to its last step.";
    srp_last_switchover_reason [] "Public number of its reason, 0 .. 12.";
    srp_last_switchover_time_seconds [] "When its cause was seen, since 1970 UTC.";
    srp_state_changes_total [] "Changes of the chassis' state.";
    srp_suspensions_total [] "Times that the machine did not run for longer than the dead-interval.";
    srp_cut_offs_total [] "Times that neither the peer nor any BGP neighbour could be reached.";
    srp_monitor_up ["kind", "context", "monitor", "group"] "1 while what is monitored is up, 0 while it is down; absent while nobody has looked.";
    srp_monitor_failures [] "Sets of monitors of which everything is down.";
    srp_monitor_held [] "1 while this chassis is Active with failed monitors, and stays.";
    srp_bfd_session_up ["watches", "peer"] "1 while a BFD session is up.";
    srp_bgp_neighbors ["context", "state"] "BGP neighbours, by state of their session.";
    srp_bgp_neighbor_prefixes_received ["context", "neighbor"] "Prefixes that a BGP neighbour has told.";
    srp_bgp_neighbor_prefixes_accepted ["context", "neighbor"] "Those of them that policy has let in.";
    srp_bgp_neighbor_prefixes_sent ["context", "neighbor"] "Prefixes that a BGP neighbour was told.";
    srp_bgp_originated_prefixes ["context"] "Prefixes that a context announces by itself.";
    srp_kernel_objects ["context"] "Loopbacks and pools that the kernel holds.";
    srp_kernel_refused_objects [] "Objects that the kernel refused and that are still missing.";
    srp_kernel_refusals_total [] "Objects that the kernel refused.";
    srp_errors_total ["error"] "Connections refused or ended and messages dropped, by name.";
    srp_events_total ["event", "severity"] "Named events, as docs/events.md lists them.";
    srp_events_lost_total [] "Events that were lost before they had a name.";
    srp_event_target_sent_total ["kind", "target"] "Events that a management station or collector was sent.";
    srp_event_target_lost_total ["kind", "target"] "Events that could not be sent to it.";
}

/// What metrics are made of.
pub struct Facts<'a> {
    /// As `show srp details` has it.
    pub details: &'a SrpDetails,
    /// How often each event happened.
    pub events: &'a [(Name, u64)],
    /// Loopbacks and pools in the kernel, by context.
    pub kernel_objects: &'a [(String, usize)],
}

/// All of it in the text format of Prometheus, version 0.0.4.
pub fn text(facts: &Facts<'_>) -> Result<String, MetricsError> {
    let mut page = Page::default();
    page.chassis(&facts.details.info, &facts.details.statistics)?;
    page.switchovers(facts.details)?;
    page.others(facts.details)?;
    for context in &facts.details.bgp {
        page.bgp(context)?;
    }
    for (context, objects) in facts.kernel_objects {
        page.set("srp_kernel_objects", &[context], count(*objects as u64))?;
    }
    for (name, happened) in facts.events {
        page.set("srp_events_total", &[name.text(), name.severity().word()], count(*happened))?;
    }
    page.finish()
}

/// Every metric, filled for one scrape.
#[derive(Default)]
struct Page {
    registry: Registry,
    families: BTreeMap<&'static str, Family>,
}

enum Family {
    Gauge(GaugeVec),
    Counter(CounterVec),
}

impl Page {
    fn chassis(&mut self, info: &SrpInfo, statistics: &SrpStatistics) -> Result<(), MetricsError> {
        let who = [
            info.context.as_str(),
            &info.chassis_mode.to_string(),
            &info.chassis_priority.to_string(),
            &info.chassis_mac,
            &info.boot_id,
        ];
        self.set("srp_build_info", &[&info.release], 1.0)?;
        self.set("srp_chassis_info", &who, 1.0)?;
        self.set("srp_start_time_seconds", &[], seconds(statistics.since_us))?;
        self.state("srp_chassis_state", info.chassis_state)?;
        self.set("srp_route_modifier", &[], info.route_modifier.into())?;
        self.set("srp_link_up", &[], flag(info.peer.is_some()))?;
        if let Some(peer) = &info.peer {
            self.state("srp_peer_state", peer.state)?;
            self.set("srp_hello_age_seconds", &[], peer.last_hello_ms / 1e3)?;
        }
        if let Some(round_trip) = info.round_trip_ms {
            self.set("srp_round_trip_seconds", &[], round_trip / 1e3)?;
        }
        match info.configuration_state.as_str() {
            "In sync" => self.set("srp_configuration_in_sync", &[], 1.0)?,
            "Unknown" => {}
            _ => self.set("srp_configuration_in_sync", &[], 0.0)?,
        }
        for (name, counted) in [
            ("srp_link_ups_total", statistics.link_ups),
            ("srp_link_downs_total", statistics.link_downs),
            ("srp_hellos_sent_total", statistics.hello_messages_sent),
            ("srp_hellos_received_total", statistics.hello_messages_received),
            ("srp_hellos_missed_total", statistics.hello_messages_missed),
            ("srp_switchovers_aborted_total", statistics.switchovers_aborted),
            ("srp_state_changes_total", statistics.state_changes),
            ("srp_suspensions_total", statistics.suspensions),
            ("srp_cut_offs_total", statistics.cut_offs),
            ("srp_kernel_refusals_total", statistics.kernel_refusals),
            ("srp_events_lost_total", statistics.events_lost),
        ] {
            self.set(name, &[], count(counted))?;
        }
        self.set("srp_kernel_refused_objects", &[], count(info.kernel_refused.len() as u64))
    }

    fn switchovers(&mut self, details: &SrpDetails) -> Result<(), MetricsError> {
        for reason in &details.statistics.switchovers_by_reason {
            self.set("srp_switchovers_total", &[&reason.reason_text], count(reason.count))?;
        }
        let Some(last) = details.switchovers.first() else { return Ok(()) };
        self.set("srp_last_switchover_duration_seconds", &[], last.took_ms / 1e3)?;
        self.set("srp_last_switchover_reason", &[], last.reason.into())?;
        self.set("srp_last_switchover_time_seconds", &[], seconds(last.began_us))
    }

    fn others(&mut self, details: &SrpDetails) -> Result<(), MetricsError> {
        let monitors = &details.monitors;
        for monitor in &monitors.monitors {
            let up = match monitor.state.as_str() {
                "Up" => 1.0,
                "Down" => 0.0,
                _ => continue, // nobody has looked
            };
            let group = monitor.group.map(|group| group.to_string()).unwrap_or_default();
            let labels = [monitor.kind.as_str(), &monitor.context, &monitor.name, &group];
            self.set("srp_monitor_up", &labels, up)?;
        }
        self.set("srp_monitor_failures", &[], count(monitors.failures.len() as u64))?;
        self.set("srp_monitor_held", &[], flag(monitors.stays.is_some()))?;
        for session in &details.info.bfd_sessions {
            let labels = [session.watches.as_str(), &session.peer_address];
            self.set("srp_bfd_session_up", &labels, flag(session.state == "Up"))?;
        }
        for error in &details.statistics.errors {
            self.set("srp_errors_total", &[&error.name], count(error.count))?;
        }
        for told in &details.statistics.event_targets {
            self.set("srp_event_target_sent_total", &[&told.kind, &told.target], count(told.sent))?;
            self.set("srp_event_target_lost_total", &[&told.kind, &told.target], count(told.lost))?;
        }
        Ok(())
    }

    fn bgp(&mut self, context: &BgpContext) -> Result<(), MetricsError> {
        const STATES: [&str; 6] = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"];
        let name = context.context.as_str();
        for state in STATES {
            let in_it = context.neighbors.iter().filter(|neighbor| neighbor.state == state).count();
            self.set("srp_bgp_neighbors", &[name, state], count(in_it as u64))?;
        }
        for neighbor in &context.neighbors {
            let labels = [name, neighbor.address.as_str()];
            for (metric, prefixes) in [
                ("srp_bgp_neighbor_prefixes_received", neighbor.prefixes_received),
                ("srp_bgp_neighbor_prefixes_accepted", neighbor.prefixes_accepted),
                ("srp_bgp_neighbor_prefixes_sent", neighbor.prefixes_sent),
            ] {
                self.set(metric, &labels, count(prefixes))?;
            }
        }
        self.set("srp_bgp_originated_prefixes", &[name], count(context.originated.len() as u64))
    }

    fn state(&mut self, name: &'static str, now: ChassisState) -> Result<(), MetricsError> {
        const ALL: [ChassisState; 5] = [
            ChassisState::Init,
            ChassisState::Standby,
            ChassisState::PendingActive,
            ChassisState::Active,
            ChassisState::PendingStandby,
        ];
        ALL.into_iter().try_for_each(|state| self.set(name, &[&state.to_string()], flag(state == now)))
    }

    /// One value; the family of the metric is made with its first.
    fn set(&mut self, name: &'static str, labels: &[&str], value: f64) -> Result<(), MetricsError> {
        if !self.families.contains_key(name) {
            let metric = METRICS.iter().find(|metric| metric.name == name);
            let unknown = || prometheus::Error::Msg(format!("{name} is not in the table"));
            let family = self.family(*metric.ok_or_else(unknown)?)?;
            self.families.insert(name, family);
        }
        match self.families.get(name) {
            Some(Family::Gauge(gauges)) => gauges.get_metric_with_label_values(labels)?.set(value),
            Some(Family::Counter(counters)) => counters.get_metric_with_label_values(labels)?.inc_by(value),
            None => {}
        }
        Ok(())
    }

    fn family(&self, metric: Metric) -> Result<Family, MetricsError> {
        let options = Opts::new(metric.name, metric.help);
        Ok(if metric.is_counter() {
            let counters = CounterVec::new(options, metric.labels)?;
            self.registry.register(Box::new(counters.clone()))?;
            Family::Counter(counters)
        } else {
            let gauges = GaugeVec::new(options, metric.labels)?;
            self.registry.register(Box::new(gauges.clone()))?;
            Family::Gauge(gauges)
        })
    }

    fn finish(self) -> Result<String, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of one process are far below 2^52")]
fn count(count: u64) -> f64 {
    count as f64
}

/// Microseconds since 1970 as seconds.
fn seconds(us: u64) -> f64 {
    count(us) / 1e6
}

fn flag(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use srp_core::api::Response;

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/metrics.md");

    /// The answer that the reference page of the control API shows.
    fn details() -> SrpDetails {
        let page = include_str!("../../../../docs/control-api.md");
        let (_, section) = page.split_once("## `show-srp-details`").expect("a section");
        let answer = section.split("```json").nth(2).and_then(|rest| rest.split("```").next());
        match serde_json::from_str(answer.expect("an answer")).expect("JSON") {
            Response::SrpDetails(details) => *details,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn docs_metrics_md_has_every_metric_and_no_other() {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `srp_"));
        let documented: Vec<Vec<String>> = rows
            .map(|row| row.split(" | ").map(|cell| cell.trim_matches(['`', ' ', '|']).to_owned()).collect())
            .collect();
        let known: Vec<Vec<String>> = METRICS
            .iter()
            .map(|metric| {
                let kind = if metric.is_counter() { "counter" } else { "gauge" };
                let name = metric.name.trim_start_matches("srp_");
                let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>();
                let labels = labels.join(", ");
                vec![
                    name.into(),
                    kind.into(),
                    if labels.is_empty() { "-".into() } else { labels.trim_matches('`').to_owned() },
                    metric.help.into(),
                ]
            })
            .collect();
        assert_eq!(documented, known, "left docs/metrics.md, right the code");
    }

    #[test]
    fn a_page_has_the_state_the_counts_and_the_events() {
        let details = details();
        let events = [(Name::SrpConnDown, 3)];
        let objects = [("destination".to_owned(), 2)];
        let facts = Facts { details: &details, events: &events, kernel_objects: &objects };
        let text = text(&facts).expect("a page");
        for line in [
            "srp_events_total{event=\"starSRPConnDown\",severity=\"major\"} 3",
            "srp_kernel_objects{context=\"destination\"} 2",
            "# TYPE srp_hellos_sent_total counter",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let active =
            text.lines().filter(|line| line.starts_with("srp_chassis_state{") && line.ends_with(" 1"));
        assert_eq!(active.count(), 1, "{text}");
    }
}
