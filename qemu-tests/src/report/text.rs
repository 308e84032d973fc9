//! The report for a terminal: per step a timeline, the probes, the routers, and what passed.

use std::fmt::Write;

use super::{Lane, LaneKind, Phases, Probe, Report, Step};

/// Lines of a step's timeline at most; a step with more (a chassis that starts) is shortened in the middle.
const LINES: usize = 60;

/// What the run is about, before its first step.
pub fn header(report: &Report) -> String {
    let Report { host, routers, .. } = report;
    let timers = report.timers.map_or_else(String::new, |timers| {
        format!(", hello {} ms, dead after {} ms", timers.hello_ms, timers.dead_ms)
    });
    format!(
        "lab {}: chassis are {}{timers}; routers are {routers}\n\
         on {} processors ({}), Linux {}, load {}\n\
         probes and routers run at real-time priority, so that other work on this machine does not pass for routing\n",
        report.lab, report.chassis, host.cpus, host.cpu_model, host.kernel, host.load
    )
}

/// One step.
pub fn step(number: usize, step: &Step) -> String {
    let mut text = String::new();
    let verdict = if step.passed { "PASS" } else { "FAIL" };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(text, "\n{number}. {}  [{verdict}]", step.title);
    if !step.events.is_empty() {
        let _ = writeln!(text, "   timeline (ms after: {})", step.zero);
    }
    timeline(&mut text, step);
    probes(&mut text, &step.probes);
    if let Some(phases) = &step.phases {
        spent(&mut text, phases);
    }
    preferences(&mut text, step);
    for target in &step.targets {
        let word = if target.met { "target met   " } else { "target missed" };
        let _ = writeln!(
            text,
            "   {word}  {}: {:.1} ms (below {} ms)",
            target.name, target.found_ms, target.below_ms
        );
    }
    for check in &step.checks {
        let word = if check.passed { "pass" } else { "FAIL" };
        let _ = writeln!(text, "   {word}  {}: {}", check.name, check.found);
    }
    text
}

/// The last line.
pub fn verdict(report: &Report) -> String {
    let failed: Vec<&str> = report.steps.iter().filter(|s| !s.passed).map(|s| s.title.as_str()).collect();
    if report.passed {
        format!("\nall {} steps passed\n", report.steps.len())
    } else if failed.is_empty() {
        "\nnot all steps were run\n".to_owned()
    } else {
        format!("\nFAILED: {}\n", failed.join("; "))
    }
}

fn timeline(text: &mut String, step: &Step) {
    let events = &step.events;
    let skipped = events.len().saturating_sub(LINES);
    let width = step.lanes.iter().map(|lane| label(lane).len()).max().unwrap_or(0).max(6);
    for (index, event) in events.iter().enumerate() {
        if skipped > 0 && index == LINES / 2 {
            let _ = writeln!(text, "   {:>10}  ({skipped} more in the JSON file)", "...");
        }
        if skipped > 0 && (LINES / 2..LINES / 2 + skipped).contains(&index) {
            continue;
        }
        let (lane, detail) = (label(&event.lane), &event.detail);
        let separator = if detail.is_empty() { "" } else { ": " };
        let _ =
            writeln!(text, "   {:>+10.1}  {lane:width$}  {}{separator}{detail}", event.at_ms, event.event);
    }
}

fn label(lane: &Lane) -> String {
    match lane.kind {
        LaneKind::Lab | LaneKind::Chassis | LaneKind::Router => lane.name.clone(),
        LaneKind::Probe => format!("probe {}", lane.name),
    }
}

fn probes(text: &mut String, probes: &[Probe]) {
    if probes.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "   probes      sent  lost: there   back  longest gap (ms): there     back  less sender's  answered by"
    );
    for probe in probes {
        let _ = writeln!(
            text,
            "   {:<8} {:>7}  {:>11} {:>6}  {:>23.1} {:>8.1} {:>14.1}  {}",
            probe.stream,
            probe.sent,
            probe.lost_there,
            probe.lost_back,
            probe.longest_gap_there_ms,
            probe.longest_gap_back_ms,
            probe.longest_gap_back_net_ms,
            probe.answered_by.join(", then "),
        );
    }
}

fn spent(text: &mut String, phases: &Phases) {
    let _ = writeln!(text, "   where the time went (ms)");
    let mut row = |name: &str, millis: f64, what: &str| {
        let _ = writeln!(text, "   {name:>14} {millis:>8.1}  {what}");
    };
    row("detection", phases.detection_ms, "until the Standby declared the Active dead");
    row("installation", phases.installation_ms, "until loopbacks and pools were in its kernel");
    row("announcement", phases.announcement_ms, "until its last UPDATE was handed to TCP");
    for (router, millis) in &phases.routers_ms {
        row(router, *millis, "until the router's kernel had changed all routes");
    }
    row("traffic back", phases.traffic_back_ms, "after the power went, on the last stream to recover");
}

fn preferences(text: &mut String, step: &Step) {
    let mut shown: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for preference in &step.preferences {
        let who = match &preference.chassis {
            Some(chassis) => {
                let mut who = format!("{chassis} ({} prepends", preference.prepends);
                for (other, prepends) in &preference.others {
                    let _ = write!(who, "; {other} {prepends}");
                }
                who + ")"
            }
            None => "no path".to_owned(),
        };
        match shown.iter_mut().find(|(router, known, _)| *router == preference.router && *known == who) {
            Some((_, _, prefixes)) => prefixes.push(&preference.prefix),
            None => shown.push((&preference.router, who, vec![&preference.prefix])),
        }
    }
    for (router, who, prefixes) in shown {
        let _ = writeln!(text, "   {router} prefers {who} for {}", prefixes.join(", "));
    }
}
