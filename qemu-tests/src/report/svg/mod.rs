//! Pictures of a run: per step one row for each chassis, router and stream of probes, on a common axis of time.
//!
//! A row's colour is a chassis: the one that is Active, that a router prefers, that answers the probes. Red is a lost
//! probe. Small numbers stand for events, which the list below the rows explains.

pub mod canvas;
pub mod loss;
pub mod scale;

use std::path::Path;

use super::{Band, Event, Lane, LaneKind, Report, Step};
use crate::error::LabError;
use crate::timeline::{ANSWERED, RESTART};
use canvas::{Anchor, Canvas, Style};
use scale::Scale;

/// Width of every picture, pixels.
pub const WIDTH: f64 = 1180.0;
const LEFT: f64 = 110.0;
const PLOT: f64 = 770.0;
const NOTE: f64 = LEFT + PLOT + 14.0;
const ROW: f64 = 40.0;
const BAND: f64 = 20.0;
/// Markers closer than this share a label.
const CLUSTER: f64 = 26.0;
/// Events in the list at most.
const LISTED: usize = 60;
const INK: &str = "#111827";
const GREY: &str = "#6b7280";
const RED: &str = "#dc2626";
/// Strong and pale colour of each chassis, in the order in which they appear.
const CHASSIS: [(&str, &str); 2] = [("#2563eb", "#bfdbfe"), ("#d97706", "#fde68a")];

/// Events that happen long after the switchover is over for the network; they do not stretch the axis.
const AFTERMATH: [&str; 7] =
    ["removing", "removed", "draining", "settled", "bgp-established", "routes-learnt", "both-announce"];

/// Writes a picture per step, and one with all of them, into `folder`.
pub fn write(report: &Report, folder: &Path) -> Result<(), LabError> {
    let mut all = Canvas::default();
    let mut down = 0.0;
    for (number, step) in report.steps.iter().enumerate().filter(|(_, step)| !step.bands.is_empty()) {
        let (picture, height) = draw(step, Some(number + 1));
        let path = folder.join(format!("{}-{}.svg", number + 1, step.id));
        std::fs::write(&path, picture.finish(WIDTH, height)).map_err(LabError::file("writing", &path))?;
        all.place(&picture, down);
        down += height;
    }
    let path = folder.join("report.svg");
    std::fs::write(&path, all.finish(WIDTH, down.max(1.0))).map_err(LabError::file("writing", &path))
}

/// One step and the height of its picture, with a title where it has a number.
pub fn draw(step: &Step, number: Option<usize>) -> (Canvas, f64) {
    let mut canvas = Canvas::default();
    let scale = focus(step);
    let lanes: Vec<&Lane> = step.lanes.iter().filter(|lane| lane.kind != LaneKind::Lab).collect();
    let mut top = 32.0;
    if let Some(number) = number {
        let verdict = if step.passed { ("PASS", "#15803d") } else { ("FAIL", RED) };
        canvas.text(14.0, 30.0, &format!("{number}. {}", step.title), style(17.0, INK, true, Anchor::Start));
        canvas.text(WIDTH - 14.0, 30.0, verdict.0, style(17.0, verdict.1, true, Anchor::End));
        top += 30.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    let bottom = top + ROW * lanes.len() as f64;
    axis(&mut canvas, scale, step, top, bottom);
    let listed = listed(step);
    let mut y = top;
    for lane in lanes {
        row(&mut canvas, scale, step, lane, &listed, y);
        y += ROW;
    }
    y = spent(&mut canvas, scale, step, bottom + 32.0);
    y = legend(&mut canvas, step, y);
    let height = list(&mut canvas, &listed, step.events.len(), y);
    (canvas, height)
}

/// The stretch of time that a reader wants to see: from a little before zero to the last thing that mattered.
fn focus(step: &Step) -> Scale {
    let shown = |event: &&Event| !AFTERMATH.contains(&event.event.as_str());
    let changes = step.bands.iter().map(|band| band.from_ms);
    let mut last =
        step.events.iter().filter(shown).map(|event| event.at_ms).chain(changes).fold(0.0, f64::max);
    if last < 1.0 {
        last = step.events.iter().map(|event| event.at_ms).fold(20.0, f64::max);
    }
    let first = step.events.iter().map(|event| event.at_ms).fold(0.0, f64::min);
    let margin = (last - first) * 0.08 + 1.0;
    Scale::new(first.max(-last) - margin, last + margin, LEFT, PLOT)
}

fn axis(canvas: &mut Canvas, scale: Scale, step: &Step, top: f64, bottom: f64) {
    let span = scale.to_ms - scale.from_ms;
    for mark in scale.marks() {
        let x = scale.x(mark);
        canvas.line((x, top), (x, bottom), "#e5e7eb", 1.0, "");
        canvas.text(x, bottom + 14.0, &scale::label(mark, span), style(10.0, GREY, false, Anchor::Middle));
    }
    let zero = scale.x(0.0);
    canvas.line((zero, top - 6.0), (zero, bottom), INK, 1.2, "4 3");
    canvas.text(zero, top - 11.0, &format!("0 = {}", step.zero), style(11.0, INK, false, Anchor::Start));
}

fn row(canvas: &mut Canvas, scale: Scale, step: &Step, lane: &Lane, listed: &[(usize, &Event)], y: f64) {
    let name = match lane.kind {
        LaneKind::Lab | LaneKind::Chassis => lane.name.clone(),
        LaneKind::Router => format!("router {}", lane.name),
        LaneKind::Probe => format!("probe {}", lane.name),
    };
    let base = y + ROW - BAND - 2.0;
    canvas.text(LEFT - 10.0, base + 14.0, &name, style(12.0, INK, true, Anchor::End));
    for band in step.bands.iter().filter(|band| band.lane == *lane) {
        draw_band(canvas, scale, step, band, base);
    }
    for (x, label) in clusters(scale, listed.iter().filter(|(_, event)| event.lane == *lane)) {
        canvas.line((x, base - 3.0), (x, base + BAND), INK, 1.0, "");
        canvas.text(x, base - 5.0, &label, style(9.5, INK, false, Anchor::Middle));
    }
    let preferred = step.preferences.iter().find(|found| found.router == lane.name);
    let note = match lane.kind {
        LaneKind::Probe => step.probes.iter().find(|probe| probe.stream == lane.name).map(|probe| {
            let lost = probe.lost_there + probe.lost_back;
            format!("{lost} of {} lost, longest gap {:.1} ms", probe.sent, probe.longest_gap_back_net_ms)
        }),
        LaneKind::Router => preferred.and_then(|found| {
            let chassis = found.chassis.as_ref()?;
            Some(format!("ends on {chassis}, {} prepends", found.prepends))
        }),
        LaneKind::Chassis => {
            let last = step.bands.iter().rfind(|band| band.lane == *lane);
            last.map(|band| format!("ends {}", band.what))
        }
        LaneKind::Lab => None,
    };
    let lossy = step.probes.iter().any(|probe| probe.stream == lane.name && probe.outage.is_some());
    let ink = if lossy { RED } else { INK };
    canvas.text(NOTE, base + 14.0, &note.unwrap_or_default(), style(11.0, ink, false, Anchor::Start));
}

fn draw_band(canvas: &mut Canvas, scale: Scale, step: &Step, band: &Band, y: f64) {
    if band.to_ms < scale.from_ms || band.from_ms > scale.to_ms {
        return;
    }
    let (from, to) = (scale.x(band.from_ms), scale.x(band.to_ms));
    let (fill, ink) = paint(step, band);
    // What happened is never too short to be seen.
    let width = (to - from).max(1.5);
    canvas.rect(from, y, width, BAND, fill);
    #[expect(clippy::cast_precision_loss, reason = "a word")]
    let needed = band.what.len() as f64 * 7.0 + 8.0;
    if width > needed {
        canvas.text(from + 5.0, y + 14.0, &band.what, style(11.0, ink, false, Anchor::Start));
    }
}

/// Colour of a band and of the text on it.
fn paint(step: &Step, band: &Band) -> (&'static str, &'static str) {
    let colours = |name: &str| {
        let chassis = step.lanes.iter().filter(|lane| lane.kind == LaneKind::Chassis);
        let index = chassis.map(|lane| lane.name.as_str()).position(|known| known == name);
        CHASSIS[index.unwrap_or(0) % CHASSIS.len()]
    };
    match (band.lane.kind, band.what.as_str()) {
        (_, "lost") => (RED, "#ffffff"),
        (_, "off" | RESTART) => ("url(#off)", INK),
        (LaneKind::Probe, ANSWERED) => ("#0d9488", "#ffffff"),
        (_, "none" | "mixed" | "Init") => ("#d1d5db", INK),
        (LaneKind::Chassis, "Active") => (colours(&band.lane.name).0, "#ffffff"),
        (LaneKind::Chassis, "Standby") => (colours(&band.lane.name).1, INK),
        (LaneKind::Chassis, _) => ("#a78bfa", INK),
        (LaneKind::Lab | LaneKind::Router | LaneKind::Probe, chassis) => (colours(chassis).0, "#ffffff"),
    }
}

/// The events that get a number, in order: those of the rows' own, not the lab's.
fn listed(step: &Step) -> Vec<(usize, &Event)> {
    let middle = |index: &usize| {
        let skipped = step.events.len().saturating_sub(LISTED);
        skipped > 0 && (LISTED / 2..LISTED / 2 + skipped).contains(index)
    };
    let kept = step.events.iter().enumerate().filter(|(index, _)| !middle(index));
    kept.enumerate().map(|(number, (_, event))| (number + 1, event)).collect()
}

/// Marker positions with their labels; neighbours too close to be read apart share one.
fn clusters<'a>(scale: Scale, events: impl Iterator<Item = &'a (usize, &'a Event)>) -> Vec<(f64, String)> {
    let mut clusters: Vec<(f64, f64, Vec<usize>)> = Vec::new();
    for (number, event) in events.filter(|(_, event)| scale.shows(event.at_ms)) {
        let x = scale.x(event.at_ms);
        match clusters.last_mut() {
            Some((_, last, numbers)) if x - *last < CLUSTER => {
                *last = x;
                numbers.push(*number);
            }
            Some(_) | None => clusters.push((x, x, vec![*number])),
        }
    }
    let label = |numbers: &[usize]| match numbers {
        [one] => one.to_string(),
        [first, .., last] if last - first + 1 == numbers.len() && numbers.len() > 2 => {
            format!("{first}-{last}")
        }
        more if more.len() <= 3 => more.iter().map(usize::to_string).collect::<Vec<_>>().join(","),
        [first, second, .., last] => format!("{first},{second}..{last}"),
        _ => String::new(), // a cluster has at least one number
    };
    clusters.into_iter().map(|(first, _, numbers)| (first, label(&numbers))).collect()
}

/// Where the time of a takeover went, as a bar on the same axis. Returns the next free line.
fn spent(canvas: &mut Canvas, scale: Scale, step: &Step, y: f64) -> f64 {
    let Some(phases) = &step.phases else { return y };
    let installed = phases.detection_ms + phases.installation_ms;
    let announced = installed + phases.announcement_ms;
    let parts = [
        ("detection", 0.0, phases.detection_ms, "#475569"),
        ("installation", phases.detection_ms, installed, "#0d9488"),
        ("announcement", installed, announced, "#7c3aed"),
        ("router and way back", announced, phases.traffic_back_ms, "#be123c"),
    ];
    canvas.text(LEFT - 10.0, y + 14.0, "time spent", style(12.0, INK, true, Anchor::End));
    let mut x = LEFT;
    for (name, from, to, fill) in parts {
        let (left, right) = (scale.x(from), scale.x(to.max(from)));
        canvas.rect(left, y, (right - left).max(1.5), 18.0, fill);
        canvas.rect(x, y + 25.0, 10.0, 10.0, fill);
        let text = format!("{name} {:.1} ms", to - from);
        canvas.text(x + 15.0, y + 34.0, &text, style(11.0, INK, false, Anchor::Start));
        #[expect(clippy::cast_precision_loss, reason = "a few words")]
        let advance = text.len() as f64 * 6.6 + 34.0;
        x += advance;
    }
    canvas.text(
        NOTE,
        y + 14.0,
        &format!("traffic back after {:.1} ms", phases.traffic_back_ms),
        style(11.0, INK, true, Anchor::Start),
    );
    y + 54.0
}

fn legend(canvas: &mut Canvas, step: &Step, y: f64) -> f64 {
    let mut x = LEFT;
    let mut entry = |text: String, fill: &str| {
        canvas.frame(x, y - 9.0, 11.0, 11.0, fill, "#9ca3af");
        canvas.text(x + 16.0, y, &text, style(10.5, GREY, false, Anchor::Start));
        #[expect(clippy::cast_precision_loss, reason = "a few words")]
        let advance = text.len() as f64 * 6.2 + 34.0;
        x += advance;
    };
    let chassis = step.lanes.iter().filter(|lane| lane.kind == LaneKind::Chassis);
    for (lane, (strong, pale)) in chassis.zip(CHASSIS) {
        entry(format!("{0} Active, preferred, answering", lane.name), strong);
        entry(format!("{} Standby", lane.name), pale);
    }
    let shown = |what: &str| step.bands.iter().any(|band| band.what == what);
    if step.bands.iter().any(|band| band.what.starts_with("Pending")) {
        entry("Pending".to_owned(), "#a78bfa");
    }
    if shown("off") || shown(RESTART) {
        entry("off, or on its way up".to_owned(), "url(#off)");
    }
    if shown(ANSWERED) {
        entry("answered by a kernel".to_owned(), "#0d9488");
    }
    entry("probe lost".to_owned(), RED);
    y + 14.0
}

fn list(canvas: &mut Canvas, listed: &[(usize, &Event)], all: usize, y: f64) -> f64 {
    let mut y = y + 12.0;
    for (number, event) in listed {
        let lane = match event.lane.kind {
            LaneKind::Lab | LaneKind::Chassis | LaneKind::Router => event.lane.name.clone(),
            LaneKind::Probe => format!("probe {}", event.lane.name),
        };
        canvas.text(40.0, y, &number.to_string(), style(11.0, GREY, false, Anchor::End));
        let at = format!("{:+.1} ms", event.at_ms);
        canvas.text(LEFT + 14.0, y, &at, style(11.0, INK, false, Anchor::End));
        canvas.text(LEFT + 28.0, y, &lane, style(11.0, INK, true, Anchor::Start));
        canvas.text(LEFT + 120.0, y, &event.event, style(11.0, INK, false, Anchor::Start));
        let detail: String = event.detail.chars().take(120).collect();
        canvas.text(LEFT + 290.0, y, &detail, style(11.0, GREY, false, Anchor::Start));
        y += 16.0;
    }
    if all > listed.len() {
        let text = format!("{} more events are in report.json", all - listed.len());
        canvas.text(LEFT + 28.0, y, &text, style(11.0, GREY, false, Anchor::Start));
        y += 16.0;
    }
    y + 18.0
}

fn style(size: f64, fill: &'static str, bold: bool, anchor: Anchor) -> Style {
    Style { size, fill, bold, anchor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Phases, Probe, Span};

    fn lane(kind: LaneKind, name: &str) -> Lane {
        Lane { kind, name: name.to_owned() }
    }

    fn step() -> Step {
        let (east, west) = (lane(LaneKind::Chassis, "east"), lane(LaneKind::Chassis, "west"));
        let probe = lane(LaneKind::Probe, "r1-v4");
        let band = |lane: &Lane, from_ms, to_ms, what: &str| Band {
            lane: lane.clone(),
            from_ms,
            to_ms,
            what: what.to_owned(),
        };
        let event = |at_ms, lane: &Lane, event: &str| Event {
            at_ms,
            lane: lane.clone(),
            event: event.to_owned(),
            detail: "a < b".to_owned(),
        };
        Step {
            id: "power-off".to_owned(),
            title: "power cut of east".to_owned(),
            zero: "no power".to_owned(),
            passed: true,
            bands: vec![
                band(&east, -500.0, 0.0, "Active"),
                band(&east, 0.0, 900.0, "off"),
                band(&west, -500.0, 151.0, "Standby"),
                band(&west, 151.0, 900.0, "Active"),
                band(&probe, -500.0, 0.0, "east"),
                band(&probe, 0.0, 240.0, "lost"),
                band(&probe, 240.0, 900.0, "west"),
            ],
            events: vec![
                event(150.0, &west, "dead-timer-expired"),
                event(151.0, &west, "installed"),
                event(240.0, &probe, "answered-by-west"),
            ],
            lanes: vec![lane(LaneKind::Lab, "lab"), east, west, probe],
            probes: vec![Probe {
                stream: "r1-v4".to_owned(),
                sent: 1000,
                lost_there: 240,
                lost_back: 0,
                longest_gap_there_ms: 240.0,
                longest_gap_back_ms: 240.0,
                longest_gap_back_net_ms: 240.0,
                longest_gap_back: None,
                outage: Some(Span { from_ms: 0.0, to_ms: 240.0 }),
                longest_gap_sender_ms: 1.2,
                answered_by: vec!["east".to_owned(), "west".to_owned()],
            }],
            phases: Some(Phases {
                detection_ms: 150.0,
                installation_ms: 1.0,
                announcement_ms: 1.0,
                routers_ms: Vec::new(),
                traffic_back_ms: 240.0,
            }),
            ..Step::default()
        }
    }

    #[test]
    fn a_step_is_drawn_with_its_rows_losses_and_parts() {
        let (canvas, height) = draw(&step(), Some(3));
        let text = canvas.finish(WIDTH, height);
        for part in
            ["3. power cut of east", "240 of 1000 lost", "detection 150.0 ms", "a &lt; b", RED, "url(#off)"]
        {
            assert!(text.contains(part), "no {part:?} in the picture");
        }
        assert_eq!(text.matches("<svg").count(), 1);
        assert_eq!(text.matches("<text").count(), text.matches("</text>").count());
    }

    #[test]
    fn the_axis_ends_soon_after_the_last_thing_that_mattered() {
        let mut step = step();
        step.events.push(Event {
            at_ms: 5200.0,
            lane: lane(LaneKind::Chassis, "east"),
            event: "removed".to_owned(),
            detail: String::new(),
        });
        let scale = focus(&step);
        assert!(scale.from_ms < 0.0 && (240.0..400.0).contains(&scale.to_ms), "{scale:?}");
    }

    #[test]
    fn events_too_close_to_read_apart_share_a_label() {
        let lane = lane(LaneKind::Chassis, "west");
        let event = |at_ms| Event { at_ms, lane: lane.clone(), event: String::new(), detail: String::new() };
        let events = [event(0.0), event(0.1), event(0.2), event(500.0)];
        let numbered: Vec<(usize, &Event)> = events.iter().enumerate().map(|(i, e)| (i + 1, e)).collect();
        let clusters = clusters(Scale::new(0.0, 1000.0, 0.0, 800.0), numbered.iter());
        let labels: Vec<&str> = clusters.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["1-3", "4"]);
    }
}
