//! How the time of an unplanned takeover was spent. Pure.

use srp_core::api::Switchover;

use crate::clock::Time;
use crate::observe::{News, Observation};
use crate::probe::gaps::Outcome;
use crate::report::Phases;
use crate::takeover::{Takeover, first_answer};

/// Splits the time since the power went at `off`. `journal` is that of the chassis `active` that took over, `ahead` its
/// clock's lead. `None` when the journal lacks a step that must be there.
pub fn of(
    off: Time,
    active: &str,
    journal: &Switchover,
    ahead: i64,
    observations: &[Observation],
    outcomes: &[&Outcome],
) -> Option<Phases> {
    let Takeover { detected, installed, announced, .. } = Takeover::read(journal, ahead).ok()?;
    let mut names: Vec<&str> = observations.iter().map(|one| one.router.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let routers_ms = names.into_iter().filter_map(|router| {
        Some((router.to_owned(), router_millis(router, active, announced, observations)?))
    });
    let back = |outcome: &&Outcome| Some(first_answer(outcome, active)?.millis_since(off));
    Some(Phases {
        detection_ms: detected.millis_since(off),
        installation_ms: installed.millis_since(detected),
        announcement_ms: announced.millis_since(installed),
        routers_ms: routers_ms.collect(),
        traffic_back_ms: outcomes.iter().filter_map(back).fold(0.0, f64::max),
    })
}

/// From the moment that a router could know (the loss of the carrier, or the UPDATE if that came later and before its
/// routes changed) to its last changed route.
fn router_millis(router: &str, active: &str, announced: Time, observations: &[Observation]) -> Option<f64> {
    let own = || observations.iter().filter(|one| one.router == router);
    let changed = own()
        .filter(|one| matches!(&one.news, News::Route { via: Some(via), .. } if via == active))
        .map(|one| one.at)
        .max()?;
    let lost = own()
        .filter(|one| matches!(&one.news, News::Carrier { up: false, to } if to != active))
        .map(|one| one.at)
        .min();
    let knew = [lost, Some(announced)].into_iter().flatten().filter(|at| *at <= changed).max()?;
    Some(changed.millis_since(knew))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::gaps::Change;
    use crate::takeover::journal;

    const MS: u64 = 1_000_000;

    fn seen(at: u64, news: News) -> Observation {
        Observation { at: Time(at * MS), router: "r1".to_owned(), news }
    }

    #[test]
    fn each_part_starts_where_the_one_before_ended() {
        let steps = [
            (-148.0, "last-hello-received"),
            (0.0, "dead-timer-expired"),
            (2.0, "installed"),
            (3.0, "update-written"),
            (3.5, "update-written"),
        ];
        let journal = journal(1_150_000, &steps);
        let prefix = "203.0.113.1/32".parse().expect("prefix");
        let observations = [
            seen(1005, News::Carrier { to: "east".to_owned(), up: false }),
            seen(1240, News::Route { prefix, via: Some("west".to_owned()) }),
        ];
        let change = Change { at: Time(1241 * MS), from: Some("east".to_owned()), to: "west".to_owned() };
        let outcome = Outcome { answered_by: vec![change], ..Outcome::default() };
        let phases = of(Time(1000 * MS), "west", &journal, 0, &observations, &[&outcome]).expect("complete");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        assert!(close(phases.detection_ms, 150.0), "{phases:?}");
        assert!(close(phases.installation_ms, 2.0) && close(phases.announcement_ms, 1.5), "{phases:?}");
        assert!(close(phases.routers_ms[0].1, 86.5) && close(phases.traffic_back_ms, 241.0), "{phases:?}");
    }

    #[test]
    fn a_journal_without_installation_has_no_phases() {
        let journal = journal(1_150_000, &[(0.0, "dead-timer-expired")]);
        assert_eq!(of(Time(0), "west", &journal, 0, &[], &[]), None);
    }
}
