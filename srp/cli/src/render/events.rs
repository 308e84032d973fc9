//! `show events` and `show snmp trap history`: a line for each, so that `grep` finds all of it.

use srp_core::api::EventRecord;

use super::clean;
use super::table::{Edge, table};
use super::time::{ctime, wall};

/// Events as a table, oldest first.
pub fn events(all: &[EventRecord]) -> String {
    if all.is_empty() {
        return "No event of this kind since srpd started.\n".into();
    }
    let header = [
        ("No", Edge::Right),
        ("Time", Edge::Left),
        ("Severity", Edge::Left),
        ("Event", Edge::Left),
        ("Detail", Edge::Left),
    ];
    let rows: Vec<_> = all
        .iter()
        .map(|event| {
            let severity = event.severity.to_string();
            vec![event.sequence.to_string(), wall(event.at_us), severity, event.name.clone(), detail(event)]
        })
        .collect();
    table(&header, &rows)
}

/// Events that have a public number, as a history of traps. The name is the whole one, so that those who look for
/// `starSRPAAAUnreachable` and those who look for `SRPAAAUnreachable` both find it.
pub fn traps(all: &[EventRecord], verbose: bool) -> String {
    let line = |event: &EventRecord| {
        let number = event.trap.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let end = if verbose {
            let (at, severity) = (event.at_us % 1_000_000, event.severity);
            format!(" severity {severity} microsecond {at:06} sequence {}", event.sequence)
        } else {
            String::new()
        };
        let (when, name) = (ctime(event.at_us), &event.name);
        format!("{when} Internal trap notification {number} ({name}) {}{end}\n", detail(event))
    };
    all.iter().map(line).collect()
}

/// The fields, on one line.
fn detail(event: &EventRecord) -> String {
    let reason = event.reason_text.as_ref().zip(event.reason);
    let fields = [
        ("context", event.context.clone()),
        ("address", event.srp_address.clone()),
        ("port", event.port.map(|port| port.to_string())),
        ("peer", event.peer.clone()),
        ("reason", reason.map(|(text, number)| format!("{number} ({text})"))),
    ];
    let named = fields.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    let all: Vec<String> = named.chain(event.detail.clone()).collect();
    clean(&all.join(" "))
}

#[cfg(test)]
mod tests {
    use srp_core::events::Severity;

    use super::*;

    fn unreachable() -> EventRecord {
        EventRecord {
            sequence: 12,
            at_us: 1_660_124_704_000_021,
            monotonic_us: 0,
            name: "starSRPAAAUnreachable".into(),
            trap: Some(125),
            severity: Severity::Major,
            context: Some("srp".into()),
            srp_address: Some("192.0.2.1".into()),
            port: Some(4493),
            peer: None,
            reason: None,
            reason_text: None,
            detail: Some("10.0.0.9 does\nnot answer".into()),
        }
    }

    #[test]
    fn ops_6_a_trap_is_found_with_and_without_its_star() {
        let line = traps(&[unreachable()], false);
        let expected = "Wed Aug 10 09:45:04 2022 Internal trap notification 125 (starSRPAAAUnreachable) \
                        context srp address 192.0.2.1 port 4493 10.0.0.9 does?not answer\n";
        assert_eq!(line, expected);
        for wanted in ["starSRPAAAUnreachable", "SRPAAAUnreachable"] {
            assert!(line.contains(wanted));
        }
        assert!(traps(&[unreachable()], true).contains(" severity major microsecond 000021 sequence 12"));
    }

    #[test]
    fn no_trap_prints_nothing_as_scripts_expect() {
        assert_eq!(traps(&[], true), "");
    }

    #[test]
    fn events_are_a_table_with_all_fields_in_a_line() {
        let expected = "\
No  Time                            Severity  Event                  Detail
12  2022-08-10 09:45:04.000021 UTC  major     starSRPAAAUnreachable  context srp address 192.0.2.1 port 4493 10.0.0.9 does?not answer
";
        assert_eq!(events(&[unreachable()]), expected);
    }
}
