//! `show srp monitor`.

use srp_core::api::{Monitor, MonitorFailure, MonitorReset, Monitors};

use super::clean;
use super::table::{Edge, table};
use super::time::age;

/// Those of one kind, or of all; the failures and what follows from them are always of all.
pub fn monitors(monitors: &Monitors, kind: Option<&str>, now_us: u64) -> String {
    let shown: Vec<&Monitor> =
        monitors.monitors.iter().filter(|monitor| kind.is_none_or(|kind| monitor.kind == kind)).collect();
    let mut text = if shown.is_empty() {
        kind.map_or("No monitors are configured.\n".to_owned(), |kind| {
            format!("No {kind} monitors are configured.\n")
        })
    } else {
        let up = shown.iter().filter(|monitor| monitor.state == "Up").count();
        format!("{}\nTotal monitors {}, up {up}\n", list(&shown, now_us), shown.len())
    };
    if !monitors.failures.is_empty() {
        text.push_str("\nFailed:\n");
        for failure in &monitors.failures {
            text.push_str(&line(failure, now_us));
        }
    }
    text.push_str(&balance(monitors));
    text
}

/// What an operator's reset did.
pub fn reset(reset: MonitorReset) -> &'static str {
    if reset.was_disregarded {
        "Reset: failures of this kind count again on this chassis.\n"
    } else {
        "Reset: nothing was disregarded; what the peer remembers of its last time as Active does not count.\n"
    }
}

fn list(monitors: &[&Monitor], now_us: u64) -> String {
    let header = [
        ("Type", Edge::Left),
        ("Context", Edge::Left),
        ("Monitored", Edge::Left),
        ("Group", Edge::Right),
        ("State", Edge::Left),
        ("Since", Edge::Right),
    ];
    let rows: Vec<_> = monitors
        .iter()
        .map(|monitor| {
            vec![
                monitor.kind.clone(),
                if monitor.context.is_empty() { "-".into() } else { monitor.context.clone() },
                monitor.name.clone(),
                monitor.group.map_or("-".to_owned(), |group| group.to_string()),
                monitor.state.clone(),
                age(monitor.since_us, now_us),
            ]
        })
        .collect();
    table(&header, &rows)
}

fn line(failure: &MonitorFailure, now_us: u64) -> String {
    let damped = failure.damped_ms.map(|left| format!(", damped for another {} s", left.div_ceil(1_000)));
    let why = failure.disregarded.as_ref().map(|why| format!(", disregarded: {}", clean(why)));
    format!(
        "  {}, since {}{}{}\n",
        clean(&failure.what),
        age(failure.since_us, now_us),
        damped.unwrap_or_default(),
        why.unwrap_or_default()
    )
}

/// Who is better off, and what follows.
fn balance(monitors: &Monitors) -> String {
    let with_past = |now: u32, past: u32| match past {
        0 => now.to_string(),
        _ => format!("{now}, and {past} when it was Active last"),
    };
    let here = u32::try_from(monitors.failures.len()).unwrap_or(u32::MAX);
    let there = monitors
        .peer_failures
        .map_or("not known".to_owned(), |peer| with_past(peer, monitors.peer_past_failures));
    let mut text = format!(
        "\nFailures here:         {}\nFailures on the peer:  {there}\n",
        with_past(here, monitors.past_failures)
    );
    if let Some(stays) = &monitors.stays {
        text.push_str("Stays Active:          ");
        text.push_str(&clean(stays));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(kind: &str, context: &str, name: &str, group: Option<u32>, state: &str) -> Monitor {
        Monitor {
            kind: kind.into(),
            context: context.into(),
            name: name.into(),
            group,
            state: state.into(),
            since_us: 1,
        }
    }

    fn example() -> Monitors {
        Monitors {
            monitors: vec![
                monitor("BGP", "destination", "10.1.1.2", None, "Up"),
                monitor("BGP", "destination", "2001:db8:1:1::1", Some(2), "Down"),
                monitor("interface", "", "eth1", None, "Up"),
            ],
            failures: vec![MonitorFailure {
                kind: "BGP".into(),
                what: "BGP context destination group 2".into(),
                since_us: 1,
                damped_ms: Some(41_001),
                disregarded: None,
            }],
            stays: Some("a guard period damps it".into()),
            past_failures: 0,
            peer_failures: Some(0),
            peer_past_failures: 1,
        }
    }

    #[test]
    fn show_2_monitors_failures_and_why_nothing_follows() {
        let expected = "\
Type       Context      Monitored        Group  State     Since
BGP        destination  10.1.1.2             -  Up     00:00:09
BGP        destination  2001:db8:1:1::1      2  Down   00:00:09
interface  -            eth1                 -  Up     00:00:09

Total monitors 3, up 2

Failed:
  BGP context destination group 2, since 00:00:09, damped for another 42 s

Failures here:         1
Failures on the peer:  0, and 1 when it was Active last
Stays Active:          a guard period damps it
";
        assert_eq!(monitors(&example(), None, 9_000_001), expected);
    }

    #[test]
    fn show_2_monitors_of_one_kind() {
        let text = monitors(&example(), Some("interface"), 9_000_001);
        assert!(text.starts_with("Type       Context  Monitored"), "{text}");
        assert!(text.contains("Total monitors 1, up 1") && !text.contains("10.1.1.2"), "{text}");
        assert!(monitors(&example(), Some("BFD"), 0).starts_with("No BFD monitors are configured.\n"));
    }
}
