//! How long the core takes: nanoseconds from an event to its last action, and simulated stories per second.
//!
//! `cargo run --release -p srp-core --example core_time`

use std::time::Instant;

use srp_core::chassis::{Chassis, Event};

#[allow(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../tests/sim/mod.rs"]
mod sim;

use sim::sabotage::Sabotage;
use sim::story::Story;

/// What kind of work an event is, for a line of the report.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::DeadlineReached => "deadline",
        Event::Received(_) => "message",
        Event::LinkUp | Event::LinkDown => "link",
        Event::Installed { .. }
        | Event::Announced { .. }
        | Event::Withdrawn { .. }
        | Event::Removed { .. }
        | Event::Flushed { .. } => "report of a step",
        Event::BgpNeighbors { .. }
        | Event::SessionManagers { .. }
        | Event::InitiateSwitchover { .. }
        | Event::ValidateSwitchover { .. }
        | Event::TerminatePostProcess { .. }
        | Event::Stop
        | Event::Reconfigured(_) => "other",
    }
}

/// Handles the recorded lives of some stories again and times each event.
fn time_events(stories: u64) -> Vec<(&'static str, u64)> {
    let mut times = Vec::new();
    for seed in 0..stories {
        for node in Story::of_seed(seed).tell(Sabotage::None, false, true).nodes {
            let Some(record) = node.record else { continue };
            let mut chassis: Chassis = record.born;
            for (time, event) in record.heard {
                let kind = kind(&event);
                let begin = Instant::now();
                chassis.handle(time, event);
                while let Some(action) = chassis.poll_action() {
                    std::hint::black_box(action);
                }
                times.push((kind, u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)));
            }
        }
    }
    times
}

fn report(name: &str, mut times: Vec<u64>) {
    times.sort_unstable();
    let part = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let worst = times.last().copied().unwrap_or_default();
    println!(
        "{name:<18} {:>9} events  p50 {:>6} ns  p99 {:>6} ns  worst {worst:>8} ns",
        times.len(),
        part(50),
        part(99)
    );
}

fn main() {
    let times = time_events(500);
    for name in ["deadline", "message", "link", "report of a step", "other"] {
        report(name, times.iter().filter(|(kind, _)| *kind == name).map(|(_, time)| *time).collect());
    }
    report("all", times.into_iter().map(|(_, time)| time).collect());

    let (stories, begin) = (2_000_u32, Instant::now());
    let broken = (0..stories).filter(|seed| {
        Story::of_seed(u64::from(*seed)).tell(Sabotage::None, false, false).check.broken.is_some()
    });
    let broken = broken.count();
    let took = begin.elapsed().as_secs_f64();
    println!("{:.0} stories per second on one core, {broken} broken", f64::from(stories) / took);
}
