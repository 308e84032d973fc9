//! Who spent which part of the time after a silent power cut. Pure.

use serde::Serialize;
use srp_core::api::Switchover;

use crate::clock::Time;
use crate::observe::{News, Observation};
use crate::probe::gaps::Outcome;
use crate::takeover::{Takeover, first_answer};

/// What the observers saw of a cut.
pub struct Cut<'a> {
    /// The cut.
    pub zero: Time,
    /// The chassis that took over.
    pub to: &'a str,
    /// Its dead-interval, ms.
    pub dead_ms: f64,
    /// Its journal of that switchover.
    pub journal: &'a Switchover,
    /// By how many nanoseconds its clock is ahead of ours.
    pub ahead: i64,
    /// When each router had lost the last session with the dead chassis.
    pub lost: &'a [(String, Time)],
    /// What the routers' kernels did.
    pub observations: &'a [Observation],
}

/// The parts, milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Split {
    /// From the cut until the Standby declared the peer dead.
    pub detection_ms: f64,
    /// By how much its dead timer was later than one dead-interval after the last Hello; none where BFD was faster.
    pub dead_timer_late_ms: Option<f64>,
    /// From there until addresses and pools were in its kernel.
    pub unlocking_ms: f64,
    /// From there until the last UPDATE was handed to TCP.
    pub announcement_ms: f64,
    /// What each router did.
    pub routers: Vec<RouterSplit>,
    /// From the cut to the last route of the last router.
    pub routes_ms: f64,
    /// From the cut to the first answer of the new Active, over all streams the latest.
    pub traffic_back_ms: f64,
}

/// A router's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouterSplit {
    /// The router.
    pub router: String,
    /// From the cut until it had lost all sessions with the dead chassis. It runs beside the pair's own time.
    pub noticed_ms: f64,
    /// From when it knew both of the loss and of the new Active until the last route in its kernel had moved.
    pub own_ms: f64,
}

impl Split {
    /// From the cut to the last UPDATE.
    pub fn pair_ms(&self) -> f64 {
        self.detection_ms + self.unlocking_ms + self.announcement_ms
    }
}

/// Splits the time. The error says what is missing.
pub fn of(cut: &Cut<'_>, outcomes: &[Outcome]) -> Result<Split, String> {
    let missing = |name: &str| format!("no `{name}` in the journal of {}: {:?}", cut.to, cut.journal.steps);
    let takeover = Takeover::read(cut.journal, cut.ahead).map_err(missing)?;
    let Takeover { expired, detected, installed, announced, .. } = takeover;
    let heard = takeover.heard.ok_or_else(|| missing("last-hello-received"))?;
    if detected < cut.zero {
        return Err(format!("{} had declared its peer dead before the power was cut", cut.to));
    }
    let mut routers = Vec::new();
    let mut moved = cut.zero;
    for (router, lost) in cut.lost {
        let own = cut.observations.iter().filter(|one| one.router == *router);
        let news = own.filter(|one| matches!(&one.news, News::Route { via: Some(via), .. } if via == cut.to));
        let changed = news.map(|one| one.at).max().ok_or_else(|| format!("no route of {router} moved"))?;
        moved = moved.max(changed);
        routers.push(RouterSplit {
            router: router.clone(),
            noticed_ms: lost.millis_since(cut.zero),
            own_ms: changed.millis_since((*lost).max(announced)),
        });
    }
    if routers.is_empty() {
        return Err("no router lost its sessions".to_owned());
    }
    let back = outcomes.iter().map(|outcome| Some(first_answer(outcome, cut.to)?.millis_since(cut.zero)));
    let back: Option<Vec<f64>> = back.collect();
    let back = back.ok_or_else(|| format!("a stream was never answered by {}", cut.to))?;
    Ok(Split {
        detection_ms: detected.millis_since(cut.zero),
        dead_timer_late_ms: expired.map(|at| at.millis_since(heard) - cut.dead_ms),
        unlocking_ms: installed.millis_since(detected),
        announcement_ms: announced.millis_since(installed),
        routers,
        routes_ms: moved.millis_since(cut.zero),
        traffic_back_ms: back.into_iter().fold(0.0, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::gaps::Change;
    use crate::takeover::journal;

    const MS: u64 = 1_000_000;

    fn moved(at: u64, router: &str) -> Observation {
        let prefix = "203.0.113.1/32".parse().expect("prefix");
        let news = News::Route { prefix, via: Some("west".to_owned()) };
        Observation { at: Time(at * MS), router: router.to_owned(), news }
    }

    const STEPS: [(f64, &str); 4] = [
        (-150.5, "last-hello-received"),
        (0.0, "dead-timer-expired"),
        (1.0, "installed"),
        (1.5, "update-written"),
    ];

    #[test]
    fn each_part_goes_to_who_spent_it() {
        let journal = journal(1_120_500, &STEPS);
        let lost = [("r1".to_owned(), Time(1_140 * MS)), ("r2".to_owned(), Time(1_110 * MS))];
        let observations = [moved(1_145, "r1"), moved(1_123, "r2"), moved(1_124, "r2")];
        let cut = Cut {
            zero: Time(1_000 * MS),
            to: "west",
            dead_ms: 150.0,
            journal: &journal,
            ahead: 0,
            lost: &lost,
            observations: &observations,
        };
        let change = Change { at: Time(1_146 * MS), from: Some("east".to_owned()), to: "west".to_owned() };
        let outcomes = [Outcome { answered_by: vec![change], ..Outcome::default() }];
        let split = of(&cut, &outcomes).expect("complete");
        let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
        let late = split.dead_timer_late_ms.expect("the dead timer it was");
        assert!(close(split.detection_ms, 120.5) && close(late, 0.5), "{split:?}");
        assert!(close(split.pair_ms(), 122.0) && close(split.routes_ms, 145.0), "{split:?}");
        assert!(close(split.traffic_back_ms, 146.0), "{split:?}");
        // r1 noticed after the UPDATE had come, r2 before.
        let own: Vec<f64> = split.routers.iter().map(|router| router.own_ms).collect();
        assert!(close(own[0], 5.0) && close(own[1], 2.0), "{split:?}");
        assert!(close(split.routers[0].noticed_ms, 140.0), "{split:?}");
    }

    #[test]
    fn a_run_that_cannot_be_split_says_what_is_missing() {
        let (whole, part) = (journal(1_120_500, &STEPS), journal(1_120_500, &STEPS[..2]));
        let refused = |journal: &Switchover, zero: u64, lost: &[(String, Time)]| {
            let cut = Cut {
                zero: Time(zero * MS),
                to: "west",
                dead_ms: 150.0,
                journal,
                ahead: 0,
                lost,
                observations: &[],
            };
            of(&cut, &[]).expect_err("cannot be split")
        };
        assert!(refused(&part, 1_000, &[]).contains("`installed`"));
        assert!(refused(&whole, 1_200, &[]).contains("before the power was cut"));
        assert!(refused(&whole, 1_000, &[]).contains("no router lost"));
        assert!(refused(&whole, 1_000, &[("r1".to_owned(), Time(0))]).contains("no route of r1"));
    }
}
