//! `docs/control-api.md` has every request, answer and field of the code, and no other.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const PAGE: &str = include_str!("../../../../docs/control-api.md");

/// One of each request, with its heading and whether its answer is listed field by field.
fn requests() -> Vec<(Request, &'static str, Depth)> {
    let all = [
        Request::ShowSrpInfo,
        Request::ShowSrpStatistics,
        Request::ShowSrpDetails,
        Request::ShowSrpMonitor,
        Request::ShowSrpMonitorAuthenticationProbe,
        Request::ShowSrpMonitorDiameter,
        Request::ShowBgpSummary,
        Request::ShowBgpNeighbors { neighbor: Some("10.2.1.2".into()) },
        Request::ShowBgpRoutes { to: Some("10.9.0.0/16".into()) },
        Request::ShowBgpReceived { neighbor: "10.2.1.2".into() },
        Request::ShowBgpAdvertised { neighbor: "10.2.1.2".into() },
        Request::ClearBgp { neighbor: "10.2.1.2".into(), what: ClearBgp::SoftIn },
        Request::DumpBgp { context: "destination".into(), file: "/tmp/table.mrt".into() },
        Request::ShowInterfaces { context: None, name: Some("eth0".into()) },
        Request::ShowSwitchover { last: 1 },
        Request::ShowEvents { severity: Severity::Info, last: 2, traps: false },
        Request::ShowConfiguration,
        Request::Reload,
        Request::InitiateSwitchover { force: false },
        Request::ValidateSwitchover,
        Request::ValidateConfiguration,
        Request::TerminatePostProcess,
        Request::ResetAuthProbeFail,
        Request::ResetDiameterFail,
    ];
    let described = |request: &Request| match request {
        Request::ShowSrpInfo => ("show-srp-info", Depth::Leaves),
        Request::ShowSrpStatistics => ("show-srp-statistics", Depth::Leaves),
        Request::ShowSrpDetails => ("show-srp-details", Depth::One),
        Request::ShowSrpMonitor => ("show-srp-monitor", Depth::Leaves),
        Request::ShowSrpMonitorAuthenticationProbe => {
            ("show-srp-monitor-authentication-probe", Depth::Leaves)
        }
        Request::ShowSrpMonitorDiameter => ("show-srp-monitor-diameter", Depth::Leaves),
        Request::ShowBgpSummary => ("show-bgp-summary", Depth::Leaves),
        Request::ShowBgpNeighbors { .. } => ("show-bgp-neighbors", Depth::Leaves),
        Request::ShowBgpRoutes { .. } => ("show-bgp-routes", Depth::Leaves),
        Request::ShowBgpReceived { .. } => ("show-bgp-received", Depth::Leaves),
        Request::ShowBgpAdvertised { .. } => ("show-bgp-advertised", Depth::Leaves),
        Request::ClearBgp { .. } => ("clear-bgp", Depth::Leaves),
        Request::DumpBgp { .. } => ("dump-bgp", Depth::Leaves),
        Request::ShowInterfaces { .. } => ("show-interfaces", Depth::Leaves),
        Request::ShowSwitchover { .. } => ("show-switchover", Depth::Leaves),
        Request::ShowEvents { .. } => ("show-events", Depth::Leaves),
        Request::ShowConfiguration => ("show-configuration", Depth::Leaves),
        Request::Reload => ("reload", Depth::Leaves),
        Request::InitiateSwitchover { .. } => ("initiate-switchover", Depth::Leaves),
        Request::ValidateSwitchover => ("validate-switchover", Depth::Leaves),
        Request::ValidateConfiguration => ("validate-configuration", Depth::Leaves),
        Request::TerminatePostProcess => ("terminate-post-process", Depth::Leaves),
        Request::ResetAuthProbeFail => ("reset-auth-probe-fail", Depth::Leaves),
        Request::ResetDiameterFail => ("reset-diameter-fail", Depth::Leaves),
    };
    all.into_iter()
        .map(|request| {
            let (heading, depth) = described(&request);
            (request, heading, depth)
        })
        .collect()
}

/// How deep the table of a section goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    One,
    Leaves,
}

/// The text under a heading.
fn section(heading: &str) -> &'static str {
    let (_, rest) = PAGE
        .split_once(&format!("\n## `{heading}`\n"))
        .unwrap_or_else(|| panic!("docs/control-api.md has no section {heading}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

/// The JSON examples of a section.
fn examples(section: &str) -> Vec<Value> {
    section
        .split("```json\n")
        .skip(1)
        .filter_map(|block| block.split("```").next())
        .map(|block| serde_json::from_str(block).unwrap_or_else(|error| panic!("{error} in {block}")))
        .collect()
}

/// Fields of a value as the page names them.
fn paths(value: &Value, path: &str, depth: Depth, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if depth == Depth::Leaves || path.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            for (name, value) in fields {
                paths(value, &format!("{path}{dot}{name}"), depth, found);
            }
        }
        Value::Array(elements) if depth == Depth::Leaves || path.is_empty() => {
            for element in elements {
                paths(element, &format!("{path}[]"), depth, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn documented(section: &str) -> BTreeSet<String> {
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn every_request_and_answer_has_its_example_and_every_field_its_row() {
    for (request, heading, depth) in requests() {
        let section = section(heading);
        let examples = examples(section);
        let [question, answer] = examples.as_slice() else { panic!("{heading}: a request and an answer") };
        let read: Request = serde_json::from_value(question.clone()).expect(heading);
        assert_eq!(read, request, "{heading}");
        assert_eq!(serde_json::to_value(&request).expect("JSON"), *question, "{heading}");

        let read: Response = serde_json::from_value(answer.clone()).expect(heading);
        assert_eq!(
            serde_json::to_value(&read).expect("JSON"),
            *answer,
            "{heading}: left the code, right the page"
        );
        let mut fields = BTreeSet::new();
        paths(&answer["body"], "", depth, &mut fields);
        assert_eq!(documented(section), fields, "{heading}: left the table, right the example");
    }
}

#[test]
fn a_refusal_has_its_example() {
    let [example] = examples(section("error")).try_into().expect("one example");
    let read: Response = serde_json::from_value(example).expect("a refusal");
    assert!(matches!(read, Response::Error { reasons } if reasons.len() == 1));
}

#[test]
fn the_page_has_no_other_sections() {
    let headings =
        PAGE.lines().filter_map(|line| line.strip_prefix("## `")).map(|line| line.trim_end_matches('`'));
    let known: Vec<_> = requests().into_iter().map(|(_, heading, _)| heading).chain(["error"]).collect();
    assert_eq!(headings.collect::<Vec<_>>(), known);
}
