//! The report as one page: a table of steps, what was lost in each as a picture, and each step with its timeline. Pure; the page
//! needs nothing beside itself.

use std::fmt::Write;

use super::svg::canvas::escape;
use super::svg::{self, loss};
use super::{Report, Step};

/// The page.
pub fn page(report: &Report) -> String {
    let mut html = String::new();
    let title = format!("lab {}", escape(&report.lab));
    let verdict = if report.passed { "all passed" } else { "not all passed" };
    // Writing to a String cannot fail, here and below.
    let _ = write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{title}: {} steps, {verdict}</h1>\n",
        report.steps.len()
    );
    let timers = report.timers.map_or_else(String::new, |timers| {
        format!(", hello {} ms, dead after {} ms", timers.hello_ms, timers.dead_ms)
    });
    let host = &report.host;
    let about = format!(
        "Chassis are {}{timers}; routers are {}. On {} processors ({}), Linux {}, load {} at the start.",
        report.chassis, report.routers, host.cpus, host.cpu_model, host.kernel, host.load
    );
    let _ = writeln!(html, "<p>{}</p>", escape(&about));
    steps(&mut html, report);
    if let Some(picture) = loss::picture(report) {
        let _ = writeln!(html, "<h2>Lost probes, and the longest gaps</h2>\n{picture}");
    }
    for (number, step) in report.steps.iter().enumerate() {
        one(&mut html, number + 1, step);
    }
    html.push_str("</body>\n</html>\n");
    html
}

const STYLE: &str = "body{font:15px/1.45 DejaVu Sans,Verdana,Helvetica,Arial,sans-serif;color:#111827;max-width:1190px;margin:2em auto;padding:0 1em}\
table{border-collapse:collapse;margin:.6em 0}td,th{text-align:left;padding:.25em .8em .25em 0;border-bottom:1px solid #e5e7eb;vertical-align:top}\
td.n{text-align:right}.pass{color:#15803d}.fail{color:#dc2626;font-weight:bold}svg{max-width:100%;height:auto}h2{margin-top:2em}\
summary{cursor:pointer;color:#374151}";

fn steps(html: &mut String, report: &Report) {
    html.push_str(
        "<table>\n<tr><th>Step</th><th></th><th>Result</th><th>Probes</th><th>Lost there</th><th>Lost back</th><th>Longest gap, ms</th></tr>\n",
    );
    for (number, step) in report.steps.iter().enumerate() {
        let sum = |part: fn(&super::Probe) -> usize| step.probes.iter().map(part).sum::<usize>();
        let gap = step.probes.iter().map(|probe| probe.longest_gap_back_net_ms).fold(0.0, f64::max);
        let figures = if step.probes.is_empty() {
            "<td></td><td></td><td></td><td></td>".to_owned()
        } else {
            format!(
                "<td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{gap:.1}</td>",
                sum(|probe| probe.sent),
                sum(|probe| probe.lost_there),
                sum(|probe| probe.lost_back)
            )
        };
        let _ = writeln!(
            html,
            "<tr><td class=\"n\">{0}</td><td><a href=\"#step-{0}\">{1}</a></td><td>{2}</td>{figures}</tr>",
            number + 1,
            escape(&step.title),
            verdict(step.passed)
        );
    }
    html.push_str("</table>\n");
}

fn verdict(passed: bool) -> &'static str {
    if passed { "<span class=\"pass\">pass</span>" } else { "<span class=\"fail\">FAIL</span>" }
}

fn one(html: &mut String, number: usize, step: &Step) {
    let _ = writeln!(
        html,
        "<h2 id=\"step-{number}\">{number}. {}: {}</h2>",
        escape(&step.title),
        verdict(step.passed)
    );
    if !step.bands.is_empty() {
        let (canvas, height) = svg::draw(step, None);
        html.push_str(&canvas.finish(svg::WIDTH, height));
    }
    html.push_str("<table>\n");
    for check in &step.checks {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            verdict(check.passed),
            escape(&check.name),
            escape(&check.found)
        );
    }
    for target in &step.targets {
        let word = if target.met { "met" } else { "missed" };
        let _ = writeln!(
            html,
            "<tr><td>target {word}</td><td>{}</td><td>{:.1} ms, to be below {} ms</td></tr>",
            escape(&target.name),
            target.found_ms,
            target.below_ms
        );
    }
    html.push_str("</table>\n");
    let _ = writeln!(
        html,
        "<details><summary>{} events, ms after: {}</summary>\n<table>",
        step.events.len(),
        escape(&step.zero)
    );
    for event in &step.events {
        let _ = writeln!(
            html,
            "<tr><td class=\"n\">{:+.1}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            event.at_ms,
            escape(&event.lane.name),
            escape(&event.event),
            escape(&event.detail)
        );
    }
    html.push_str("</table>\n</details>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Check, FORMAT, Host, Probe};

    fn probe(stream: &str, lost_there: usize) -> Probe {
        Probe {
            stream: stream.to_owned(),
            sent: 1000,
            lost_there,
            lost_back: 0,
            longest_gap_there_ms: 1.5,
            longest_gap_back_ms: 1.5,
            longest_gap_back_net_ms: 1.5,
            longest_gap_back: None,
            outage: None,
            longest_gap_sender_ms: 1.0,
            answered_by: vec!["east".to_owned()],
        }
    }

    #[test]
    fn the_page_has_every_step_with_its_losses_and_nothing_of_it_is_markup() {
        let step = |title: &str, probes: Vec<Probe>| Step {
            title: title.to_owned(),
            passed: true,
            probes,
            checks: vec![Check { name: "a < b".to_owned(), passed: true, found: "<script>".to_owned() }],
            ..Step::default()
        };
        let report = Report {
            format: FORMAT,
            lab: "pair".to_owned(),
            chassis: "namespaces".to_owned(),
            host: Host::here(),
            timers: None,
            routers: "FRRouting 8.4.4".to_owned(),
            steps: vec![
                step("start", Vec::new()),
                step("power cut", vec![probe("r1-v4", 240), probe("r2-v4", 12)]),
            ],
            passed: true,
        };
        let html = page(&report);
        for part in [
            "lab pair: 2 steps, all passed",
            "2. power cut",
            "<td class=\"n\">252</td>",
            "a &lt; b",
            "&lt;script&gt;",
        ] {
            assert!(html.contains(part), "no {part:?} in: {html}");
        }
        assert!(!html.contains("<script>"));
        // One picture of losses; these steps have no timeline.
        assert_eq!(html.matches("<svg").count(), 1);
        for tag in ["table", "tr", "td", "svg", "details"] {
            let opened =
                html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
