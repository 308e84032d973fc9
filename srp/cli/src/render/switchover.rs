//! `show switchover`: one step by step, or a list.

use srp_core::api::Switchover;

use super::clean;
use super::table::{Edge, table};
use super::time::wall;

const NONE: &str = "No switchover since srpd started.\n";

/// Switchovers step by step, one after the other.
pub fn timelines(switchovers: &[Switchover]) -> String {
    if switchovers.is_empty() {
        return NONE.into();
    }
    switchovers.iter().map(timeline).collect::<Vec<_>>().join("\n")
}

/// One switchover with its steps: milliseconds from the cause, and from the step before.
fn timeline(switchover: &Switchover) -> String {
    let outcome = if switchover.completed { "completed" } else { "NOT completed" };
    let head = format!(
        "Switchover {}: {} -> {}, {} ({}), {outcome} in {:.3} ms\nBegan {}, monotonic {}.{:06} s\n\n",
        switchover.number,
        switchover.from,
        switchover.to,
        clean(&switchover.reason_text),
        switchover.reason,
        switchover.took_ms,
        wall(switchover.began_us),
        switchover.began_monotonic_us / 1_000_000,
        switchover.began_monotonic_us % 1_000_000,
    );
    let header = [("ms", Edge::Right), ("+ms", Edge::Right), ("Step", Edge::Left), ("Detail", Edge::Left)];
    let mut before = None;
    let rows: Vec<_> = switchover
        .steps
        .iter()
        .map(|step| {
            let gap = before
                .replace(step.at_ms)
                .map_or(String::new(), |before| format!("{:.3}", step.at_ms - before));
            vec![format!("{:.3}", step.at_ms), gap, step.step.clone(), step.detail.clone()]
        })
        .collect();
    head + &table(&header, &rows)
}

/// A line for each switchover.
pub fn list(switchovers: &[Switchover]) -> String {
    if switchovers.is_empty() {
        return NONE.into();
    }
    let header = [
        ("No", Edge::Right),
        ("Began", Edge::Left),
        ("From", Edge::Left),
        ("To", Edge::Left),
        ("Reason", Edge::Left),
        ("ms", Edge::Right),
        ("Completed", Edge::Left),
    ];
    let rows: Vec<_> = switchovers
        .iter()
        .map(|switchover| {
            vec![
                switchover.number.to_string(),
                wall(switchover.began_us),
                switchover.from.to_string(),
                switchover.to.to_string(),
                format!("{} ({})", switchover.reason_text, switchover.reason),
                format!("{:.3}", switchover.took_ms),
                if switchover.completed { "yes" } else { "NO" }.to_owned(),
            ]
        })
        .collect();
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use srp_core::api::SwitchoverStep;
    use srp_core::types::ChassisState;

    use super::*;

    fn example() -> Switchover {
        let step = |at_ms, step: &str, detail: &str| SwitchoverStep {
            at_ms,
            step: step.into(),
            detail: detail.into(),
        };
        Switchover {
            number: 2,
            from: ChassisState::Standby,
            to: ChassisState::Active,
            reason: 9,
            reason_text: "Dead Timer Expiry".into(),
            began_us: 1_795_339_800_000_000,
            began_monotonic_us: 12_000_345,
            took_ms: 11.25,
            completed: true,
            steps: vec![
                step(-150.02, "last-hello-received", "sequence 443"),
                step(0.0, "dead-timer-expired", ""),
                step(1.5, "installed", "4 objects"),
                step(11.25, "update-acknowledged", "4 neighbours"),
            ],
        }
    }

    #[test]
    fn the_timeline_counts_from_the_cause() {
        let expected = "\
Switchover 2: Standby -> Active, Dead Timer Expiry (9), completed in 11.250 ms
Began 2026-11-22 09:30:00.000000 UTC, monotonic 12.000345 s

      ms      +ms  Step                 Detail
-150.020           last-hello-received  sequence 443
   0.000  150.020  dead-timer-expired
   1.500    1.500  installed            4 objects
  11.250    9.750  update-acknowledged  4 neighbours
";
        assert_eq!(timeline(&example()), expected);
    }

    #[test]
    fn the_list_shows_which_one_failed() {
        let failed = Switchover { number: 1, completed: false, took_ms: 5_000.0, ..example() };
        let expected = "\
No  Began                           From     To      Reason                       ms  Completed
 2  2026-11-22 09:30:00.000000 UTC  Standby  Active  Dead Timer Expiry (9)    11.250  yes
 1  2026-11-22 09:30:00.000000 UTC  Standby  Active  Dead Timer Expiry (9)  5000.000  NO
";
        assert_eq!(list(&[example(), failed]), expected);
    }
}
