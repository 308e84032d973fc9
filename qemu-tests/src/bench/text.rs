//! The figures for a terminal. Pure.

use std::fmt::Write;

use super::Figures;
use super::alarms::Alarms;
use super::proofs::Proved;
use super::series::Spread;
use super::silent::{Silent, quantity};
use super::switchovers::Switchovers;
use crate::report::Host;

/// What the source asks of the pair's own time with 50 ms and 150 ms: median and worst, ms.
const GOAL: (f64, f64) = (100.0, 200.0);
/// Width of the names of quantities.
const NAME: usize = 58;

/// All that was found.
pub fn table(figures: &Figures) -> String {
    let mut text = format!("machine: {}\n", machine(&figures.host));
    if let Some(switchovers) = &figures.switchovers {
        text.push_str(&of_switchovers(switchovers));
    }
    if !figures.silent.is_empty() {
        text.push_str(&of_silent(&figures.silent));
    }
    if !figures.alarms.is_empty() {
        text.push_str(&of_alarms(&figures.alarms));
    }
    for proved in &figures.proofs {
        text.push_str(&of_proof(proved));
    }
    text
}

fn machine(host: &Host) -> String {
    let Host { cpus, cpu_model, kernel, load } = host;
    format!("{cpus} processors ({cpu_model}), Linux {kernel}, load {load}")
}

// Writing to a String cannot fail, here and below.
fn of_switchovers(found: &Switchovers) -> String {
    let (hello, dead) = found.timers_ms;
    let mut text = format!(
        "\nswitchovers, links with a carrier to lose: hello {hello} ms, dead {dead} ms; routers {}; load {}\n{:<NAME$} {:>5} {:>9} {:>9} {:>9}\n",
        found.routers, found.host.load, "", "runs", "least", "median", "worst"
    );
    for series in &found.series.0 {
        let Some(Spread { least, median, worst, .. }) = series.spread() else { continue };
        let name = format!("{} ({})", series.name, series.unit);
        let runs = series.values.len();
        let _ = writeln!(text, "{name:<NAME$} {runs:>5} {least:>9.1} {median:>9.1} {worst:>9.1}");
    }
    #[expect(clippy::cast_precision_loss, reason = "sizes in megabytes, for people")]
    let (rss, size) = (found.srpd_rss_kib as f64 / 1024.0, found.srpd_octets as f64 / 1_048_576.0);
    let _ = writeln!(text, "srpd: {rss:.1} MiB resident when idle; {} is {size:.1} MiB", found.srpd_program);
    text
}

fn of_silent(all: &[Silent]) -> String {
    let mut text = "\nsilent power cuts behind bridges (ms): least, median, 95 of 100, worst\n".to_owned();
    let mut heads = [String::new(), String::new(), String::new()];
    for one in all {
        let runs = one.series.find(quantity::DETECTION).map_or(0, |series| series.values.len());
        let untold =
            if one.untold.is_empty() { String::new() } else { format!(", {} untold", one.untold.len()) };
        let head = [
            one.timers.clone(),
            format!("routers: {}", one.watch),
            format!("{runs} runs{untold}, load {}", one.host.load),
        ];
        for (line, head) in heads.iter_mut().zip(head) {
            let _ = write!(line, " | {head:>34}");
        }
    }
    for line in heads {
        let _ = writeln!(text, "{:<NAME$}{line}", "");
    }
    for name in [
        quantity::DETECTION,
        quantity::LATE,
        quantity::UNLOCKING,
        quantity::ANNOUNCEMENT,
        quantity::PAIR,
        quantity::NOTICED,
        quantity::ROUTER,
        quantity::ROUTES,
        quantity::TRAFFIC,
    ] {
        let mut line = format!("{name:<NAME$}");
        for one in all {
            match one.series.find(name).and_then(super::series::Series::spread) {
                Some(Spread { least, median, p95, worst, .. }) => {
                    let _ = write!(line, " | {least:>7.1} {median:>8.1} {p95:>8.1} {worst:>8.1}");
                }
                None => line.push_str(" |                                  -"),
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "goal for the pair at hello 50 ms, dead 150 ms: median {} ms, worst {} ms; a dead timer takes dead less half a hello on average",
        GOAL.0, GOAL.1
    );
    text
}

fn of_alarms(all: &[Alarms]) -> String {
    let mut text = String::new();
    for one in all {
        let counts = &one.counts;
        let _ = writeln!(
            text,
            "\nfalse alarms in {:.1} minutes with {} busy loops: {}; routers: {}; load {} at the start, {} at the end",
            one.seconds / 60.0,
            one.busy,
            one.timers,
            one.watch,
            one.host.load,
            one.load_at_end
        );
        let _ = writeln!(
            text,
            "  takeovers {} ({:.2} an hour), state changes {}, SRP link losses {}, suspensions {}",
            counts.takeovers,
            hourly(counts.takeovers, one.seconds),
            counts.state_changes,
            counts.link_downs,
            counts.suspensions
        );
        let _ = writeln!(
            text,
            "  routers: BFD downs {}, BGP sessions lost {}, routes changed {}",
            counts.bfd_downs, counts.bgp_losses, one.route_changes
        );
        let _ = writeln!(text, "  Hellos received {} of {} due", one.hellos.0, one.hellos.1);
        for (when, late) in [("idle", one.dead_timer_idle), ("busy", one.dead_timer_busy)] {
            if let Some(Spread { least, median, p99, worst, .. }) = late {
                let _ = writeln!(
                    text,
                    "  dead timer later than due, {when}: least {least:.2}, p50 {median:.2}, p99 {p99:.2}, worst {worst:.2} ms"
                );
            }
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn hourly(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 * 3600.0 / seconds } else { 0.0 }
}

fn of_proof(proved: &Proved) -> String {
    let verdict = if proved.passed { format!("{:.1} s", proved.seconds) } else { "NOT SHOWN".to_owned() };
    let mut text = format!("\n{} ({verdict}): {}\n", proved.title, proved.command);
    for line in &proved.lines {
        let _ = writeln!(text, "  {line}");
    }
    text
}
