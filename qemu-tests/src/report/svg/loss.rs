//! What was lost in each step, as bars: a group for each step with probes, a bar for each stream. Pure.

use super::canvas::{Anchor, Canvas};
use super::{GREY, INK, LEFT, RED, WIDTH, style};
use crate::report::{Probe, Report};

const BAR: f64 = 18.0;
const GROUP_GAP: f64 = 22.0;
const HEAD: f64 = 54.0;
/// The two columns of bars: where they begin, and how wide they can get.
const LOST: (f64, f64) = (LEFT + 70.0, 400.0);
const GAP: (f64, f64) = (LEFT + 590.0, 330.0);
const AMBER: &str = "#d97706";

/// The picture; `None` for a report without probes.
pub fn picture(report: &Report) -> Option<String> {
    let groups = report.steps.iter().enumerate().filter(|(_, step)| !step.probes.is_empty());
    let groups: Vec<_> = groups.collect();
    let all = || groups.iter().flat_map(|(_, step)| &step.probes);
    let (most, longest) = (
        all().map(|probe| number(lost(probe))).fold(1.0, f64::max),
        all().map(|probe| probe.longest_gap_back_net_ms).fold(1.0, f64::max),
    );
    if groups.is_empty() {
        return None;
    }
    let mut canvas = Canvas::default();
    let title = style(12.0, INK, true, Anchor::Start);
    canvas.text(LOST.0, 20.0, "lost probes, there and back", title);
    canvas.text(GAP.0, 20.0, "longest time without an answer, ms", title);
    let mut y = HEAD;
    for (index, step) in groups {
        canvas.text(
            14.0,
            y - 6.0,
            &format!("{}. {}", index + 1, step.title),
            style(12.0, INK, true, Anchor::Start),
        );
        for probe in &step.probes {
            canvas.text(LOST.0 - 10.0, y + 13.0, &probe.stream, style(11.0, GREY, false, Anchor::End));
            let gap = probe.longest_gap_back_net_ms;
            for ((left, width), share, words, fill) in [
                (LOST, number(lost(probe)) / most, format!("{} of {}", lost(probe), probe.sent), RED),
                (GAP, gap / longest, format!("{gap:.1}"), AMBER),
            ] {
                // What is nothing has no bar; what is something is never too short to be seen.
                let long = if share > 0.0 { (share * width).max(1.5) } else { 0.0 };
                canvas.rect(left, y + 2.0, long, BAR - 4.0, fill);
                canvas.text(left + long + 6.0, y + 13.0, &words, style(11.0, INK, false, Anchor::Start));
            }
            y += BAR;
        }
        y += GROUP_GAP;
    }
    Some(canvas.finish(WIDTH, y))
}

fn lost(probe: &Probe) -> usize {
    probe.lost_there + probe.lost_back
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 packets")]
fn number(count: usize) -> f64 {
    count as f64
}
