//! A row of bulk statistics: the columns, and their values of the moment. Pure.

use std::path::Path;

use srp_core::api::{BgpNeighbor, SrpDetails};
use srp_core::calendar::date;

/// The columns, in the order of the file; a test holds `docs/bulk-statistics.md` against this. A new one goes to the end.
pub const HEADER: &[&str] = &[
    "time",
    "context",
    "release",
    "chassis_state",
    "route_modifier",
    "peer_state",
    "link_up",
    "link_ups",
    "link_downs",
    "hellos_sent",
    "hellos_received",
    "hellos_missed",
    "round_trip_ms",
    "configuration_state",
    "switchovers",
    "switchovers_aborted",
    "state_changes",
    "last_switchover_reason",
    "last_switchover_ms",
    "monitors",
    "monitors_up",
    "bfd_sessions",
    "bfd_sessions_up",
    "bgp_neighbors",
    "bgp_established",
    "bgp_prefixes_received",
    "bgp_prefixes_accepted",
    "bgp_prefixes_sent",
    "bgp_prefixes_originated",
    "kernel_refused",
    "suspensions",
    "cut_offs",
    "events_lost",
];

/// A row, and when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    wall_us: u64,
    values: Vec<String>,
}

impl Row {
    /// Of what `show srp details` says now.
    pub fn of(details: &SrpDetails) -> Self {
        let (info, statistics) = (&details.info, &details.statistics);
        let last = details.switchovers.first();
        let neighbors = || details.bgp.iter().flat_map(|context| &context.neighbors);
        let sum = |of: fn(&BgpNeighbor) -> u64| neighbors().map(of).sum::<u64>();
        let originated: usize = details.bgp.iter().map(|context| context.originated.len()).sum();
        let maybe = |value: Option<String>| value.unwrap_or_default();
        let values = vec![
            timestamp(details.at_us),
            info.context.clone(),
            info.release.clone(),
            info.chassis_state.to_string(),
            info.route_modifier.to_string(),
            maybe(info.peer.as_ref().map(|peer| peer.state.to_string())),
            u8::from(info.peer.is_some()).to_string(),
            statistics.link_ups.to_string(),
            statistics.link_downs.to_string(),
            statistics.hello_messages_sent.to_string(),
            statistics.hello_messages_received.to_string(),
            statistics.hello_messages_missed.to_string(),
            maybe(info.round_trip_ms.map(|ms| format!("{ms:.3}"))),
            info.configuration_state.clone(),
            statistics.switchovers.to_string(),
            statistics.switchovers_aborted.to_string(),
            statistics.state_changes.to_string(),
            maybe(last.map(|last| last.reason.to_string())),
            maybe(last.map(|last| format!("{:.3}", last.took_ms))),
            details.monitors.monitors.len().to_string(),
            details.monitors.monitors.iter().filter(|monitor| monitor.state == "Up").count().to_string(),
            info.bfd_sessions.len().to_string(),
            info.bfd_sessions.iter().filter(|session| session.state == "Up").count().to_string(),
            neighbors().count().to_string(),
            neighbors().filter(|neighbor| neighbor.state == "Established").count().to_string(),
            sum(|neighbor| neighbor.prefixes_received).to_string(),
            sum(|neighbor| neighbor.prefixes_accepted).to_string(),
            sum(|neighbor| neighbor.prefixes_sent).to_string(),
            originated.to_string(),
            info.kernel_refused.len().to_string(),
            statistics.suspensions.to_string(),
            statistics.cut_offs.to_string(),
            statistics.events_lost.to_string(),
        ];
        Self { wall_us: details.at_us, values }
    }

    /// The file: its header and its one row, quoted as RFC 4180 says, with the line ends of Unix.
    pub fn text(&self) -> String {
        let header = HEADER.join(",");
        let values: Vec<String> = self.values.iter().map(|value| quoted(value)).collect();
        format!("{header}\n{}\n", values.join(","))
    }

    /// `srp-20261122T093000.004Z.csv`: names sort by time.
    pub fn file_name(&self) -> String {
        let compact: String = timestamp(self.wall_us).chars().filter(|c| !matches!(c, '-' | ':')).collect();
        format!("srp-{compact}.csv")
    }
}

/// True for a name that [`Row::file_name`] makes.
pub fn is_file_name(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.strip_prefix("srp-").and_then(|rest| rest.strip_suffix("Z.csv"));
    stem.is_some_and(|stem| stem.chars().all(|c| c.is_ascii_digit() || matches!(c, 'T' | '.')))
}

fn quoted(value: &str) -> String {
    if value.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

/// UTC with milliseconds (RFC 3339).
fn timestamp(us: u64) -> String {
    let (seconds, millis) = (us / 1_000_000, us / 1_000 % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
impl Row {
    /// An empty one.
    pub fn at(wall_us: u64) -> Self {
        Self { wall_us, values: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use srp_core::api::Response;

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/bulk-statistics.md");

    #[test]
    fn bulk_1_docs_bulk_statistics_md_has_every_column_in_its_order() {
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `"));
        let documented: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(documented, HEADER, "left docs/bulk-statistics.md, right the code");
    }

    #[test]
    fn a_row_has_a_value_for_each_column() {
        let page = include_str!("../../../../docs/control-api.md");
        let (_, section) = page.split_once("## `show-srp-details`").expect("a section");
        let answer = section.split("```json").nth(2).and_then(|rest| rest.split("```").next());
        let Response::SrpDetails(details) = serde_json::from_str(answer.expect("an answer")).expect("JSON")
        else {
            panic!("details");
        };
        let text = Row::of(&details).text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((lines.len(), lines[0].len(), lines[1].len()), (2, HEADER.len(), HEADER.len()), "{text}");
    }

    #[test]
    fn values_with_commas_and_quotes_are_quoted() {
        assert_eq!(quoted("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(quoted("In sync"), "In sync");
    }

    #[test]
    fn names_sort_by_time_and_are_known_again() {
        let name = Row::at(1_795_339_800_004_812).file_name();
        assert_eq!(name, "srp-20261122T093000.004Z.csv");
        assert!(is_file_name(Path::new(&name)));
        assert!(!is_file_name(Path::new("srp-notes.csv")));
    }
}
