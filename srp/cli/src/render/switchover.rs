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
    let newest_first = switchovers.iter().enumerate();
    newest_first.map(|(at, switchover)| timeline(switchover, at == 0)).collect::<Vec<_>>().join("\n")
}

/// It has not ended, and nothing says that it will not: the old Active forwards for `drain-interval`, for one.
fn is_under_way(switchover: &Switchover, newest: bool) -> bool {
    let failed = |step: &str| matches!(step, "aborted" | "stop-unanswered");
    newest && !switchover.completed && !switchover.steps.iter().any(|step| failed(&step.step))
}

/// One switchover with its steps: milliseconds from the cause, and from the step before.
fn timeline(switchover: &Switchover, newest: bool) -> String {
    let outcome = match switchover.completed {
        true => "completed",
        false if is_under_way(switchover, newest) => "under way, last step",
        false => "NOT completed",
    };
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
        .enumerate()
        .map(|(at, switchover)| {
            let completed = match switchover.completed {
                true => "yes",
                false if is_under_way(switchover, at == 0) => "under way",
                false => "NO",
            };
            vec![
                switchover.number.to_string(),
                wall(switchover.began_us),
                switchover.from.to_string(),
                switchover.to.to_string(),
                format!("{} ({})", switchover.reason_text, switchover.reason),
                format!("{:.3}", switchover.took_ms),
                completed.to_owned(),
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
        assert_eq!(timeline(&example(), true), expected);
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

    #[test]
    fn what_has_not_ended_is_under_way_unless_it_was_called_off_or_another_one_came() {
        let begun = Switchover { completed: false, ..example() };
        assert!(timeline(&begun, true).contains("under way, last step in 11.250 ms"));
        assert!(timeline(&begun, false).contains("NOT completed"));
        assert!(list(std::slice::from_ref(&begun)).contains("under way"));
        let mut aborted = begun;
        aborted.steps[2].step = "aborted".into();
        assert!(timeline(&aborted, true).contains("NOT completed"));
    }
}
