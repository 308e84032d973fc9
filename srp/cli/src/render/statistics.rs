//! `show srp statistics`.

use srp_core::api::SrpStatistics;

use super::clean;
use super::table::{Edge, fields, indented, table};
use super::time::{age, wall};

pub fn statistics(statistics: &SrpStatistics, now_us: u64) -> String {
    let since = format!("{} ({})", wall(statistics.since_us), age(statistics.since_us, now_us));
    let sections = [
        fields(&[("Statistics Since", since)]),
        fields(&messages(statistics)),
        by_type(statistics),
        fields(&link(statistics)),
        fields(&switchovers(statistics)),
        by_reason(statistics),
    ];
    let mut text = sections.join("\n");
    if !statistics.event_targets.is_empty() {
        text = text + "\n" + &targets(statistics);
    }
    if !statistics.errors.is_empty() {
        let errors = statistics.errors.iter().map(|error| format!("{:>6}  {}", error.count, error.name));
        text = text + "\nErrors:\n" + &indented("  ", errors);
    }
    text
}

fn lines<const N: usize>(counts: [(&'static str, u64); N]) -> Vec<(&'static str, String)> {
    counts.into_iter().map(|(label, count)| (label, count.to_string())).collect()
}

fn messages(of: &SrpStatistics) -> Vec<(&'static str, String)> {
    lines([
        ("Hello Messages Sent", of.hello_messages_sent),
        ("Hello Messages Received", of.hello_messages_received),
        ("Hello Messages Missed", of.hello_messages_missed),
        ("Configuration Validation Messages Sent", of.configuration_validation_messages_sent),
        ("Configuration Validation Messages Received", of.configuration_validation_messages_received),
        ("Configuration Mismatches", of.configuration_mismatches),
        ("Resource Messages Sent", of.resource_messages_sent),
        ("Resource Messages Received", of.resource_messages_received),
    ])
}

fn by_type(of: &SrpStatistics) -> String {
    let header = [("Message", Edge::Left), ("Sent", Edge::Right), ("Received", Edge::Right)];
    let rows: Vec<_> = of
        .messages
        .iter()
        .map(|count| vec![count.message.clone(), count.sent.to_string(), count.received.to_string()])
        .collect();
    table(&header, &rows)
}

fn link(of: &SrpStatistics) -> Vec<(&'static str, String)> {
    lines([
        ("Link Ups", of.link_ups),
        ("Link Downs", of.link_downs),
        ("Peer Restarts", of.peer_restarts),
        ("Suspensions", of.suspensions),
        ("Cut Offs", of.cut_offs),
        ("Kernel Refusals", of.kernel_refusals),
        ("Recorded Steps", of.recorded_steps),
        ("Recorded Steps Lost", of.record_lost_steps),
        ("Events Lost", of.events_lost),
        ("Bulk Statistics Files", of.bulk_files_written),
        ("Bulk Statistics Failures", of.bulk_write_failures),
    ])
}

fn switchovers(of: &SrpStatistics) -> Vec<(&'static str, String)> {
    lines([
        ("Switchovers", of.switchovers),
        ("Switchovers Aborted", of.switchovers_aborted),
        ("State Changes", of.state_changes),
        ("Route Modifier Changes", of.route_modifier_changes),
        ("Validate Switchover Passed", of.validations_passed),
        ("Validate Switchover Failed", of.validations_failed),
    ])
}

fn targets(of: &SrpStatistics) -> String {
    let header = [
        ("Told Of Events", Edge::Left),
        ("By", Edge::Left),
        ("Sent", Edge::Right),
        ("Acknowledged", Edge::Right),
        ("Lost", Edge::Right),
        ("Trouble", Edge::Left),
    ];
    let rows: Vec<_> = of
        .event_targets
        .iter()
        .map(|told| {
            let (sent, lost) = (told.sent.to_string(), told.lost.to_string());
            let trouble = told.trouble.as_deref().map(clean).unwrap_or_default();
            let acknowledged = told.acknowledged.map_or_else(|| "-".to_owned(), |count| count.to_string());
            vec![told.target.clone(), told.kind.clone(), sent, acknowledged, lost, trouble]
        })
        .collect();
    table(&header, &rows)
}

fn by_reason(of: &SrpStatistics) -> String {
    let header = [("Switchover Reason", Edge::Left), ("No", Edge::Right), ("Switchovers", Edge::Right)];
    let rows: Vec<_> = of
        .switchovers_by_reason
        .iter()
        .map(|count| vec![count.reason_text.clone(), count.reason.to_string(), count.count.to_string()])
        .collect();
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use srp_core::api::{Counter, EventTarget, MessageCount, ReasonCount};

    use super::*;

    #[test]
    fn show_6_statistics_stand_under_the_public_names() {
        let message =
            |message: &str, sent, received| MessageCount { message: message.into(), sent, received };
        let reason = |reason, text: &str, count| ReasonCount { reason, reason_text: text.into(), count };
        let example = SrpStatistics {
            since_us: 1_795_339_800_000_000,
            hello_messages_sent: 840,
            hello_messages_received: 839,
            hello_messages_missed: 1,
            configuration_validation_messages_sent: 1,
            configuration_validation_messages_received: 2,
            configuration_mismatches: 0,
            resource_messages_sent: 3,
            resource_messages_received: 4,
            messages: vec![message("hello", 840, 839), message("switchover-request", 2, 1)],
            link_ups: 2,
            link_downs: 1,
            peer_restarts: 1,
            switchovers: 3,
            switchovers_aborted: 1,
            switchovers_by_reason: vec![
                reason(9, "Dead Timer Expiry", 1),
                reason(11, "Manual Switchover", 2),
            ],
            state_changes: 9,
            route_modifier_changes: 5,
            validations_passed: 1,
            validations_failed: 0,
            kernel_refusals: 0,
            suspensions: 0,
            cut_offs: 0,
            errors: vec![Counter { name: "wrong-key".into(), count: 12 }],
            recorded_steps: 1_000,
            record_lost_steps: 0,
            events_lost: 0,
            bulk_files_written: 7,
            bulk_write_failures: 0,
            event_targets: vec![EventTarget {
                kind: "snmp-3-inform".into(),
                target: "198.51.100.10:162".into(),
                sent: 4,
                acknowledged: Some(3),
                lost: 1,
                trouble: Some("Network is unreachable (os error 101)".into()),
            }],
        };
        let expected = "\
Statistics Since:  2026-11-22 09:30:00.000000 UTC (00:00:42)

Hello Messages Sent:                         840
Hello Messages Received:                     839
Hello Messages Missed:                       1
Configuration Validation Messages Sent:      1
Configuration Validation Messages Received:  2
Configuration Mismatches:                    0
Resource Messages Sent:                      3
Resource Messages Received:                  4

Message             Sent  Received
hello                840       839
switchover-request     2         1

Link Ups:                  2
Link Downs:                1
Peer Restarts:             1
Suspensions:               0
Cut Offs:                  0
Kernel Refusals:           0
Recorded Steps:            1000
Recorded Steps Lost:       0
Events Lost:               0
Bulk Statistics Files:     7
Bulk Statistics Failures:  0

Switchovers:                 3
Switchovers Aborted:         1
State Changes:               9
Route Modifier Changes:      5
Validate Switchover Passed:  1
Validate Switchover Failed:  0

Switchover Reason  No  Switchovers
Dead Timer Expiry   9            1
Manual Switchover  11            2

Told Of Events     By             Sent  Acknowledged  Lost  Trouble
198.51.100.10:162  snmp-3-inform     4             3     1  Network is unreachable (os error 101)

Errors:
      12  wrong-key
";
        assert_eq!(statistics(&example, example.since_us + 42_000_000), expected);
    }
}
