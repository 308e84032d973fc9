//! `[srp.guard-timer]`: what protects from hasty switchovers for monitors (GRD-1 .. GRD-4).

use super::kind::Duration;
use super::reader::{Reported, Section};
use super::text::Table;
use crate::chassis::{Guard, GuardTimers};
use crate::types::Span;

const RANGE: Duration = Duration { min: Span::ZERO, max: Span::secs(3_600) };

/// `[srp.guard-timer]` with its five tables, each of which may be absent.
pub(super) fn read(s: &Section<'_, '_>) -> Result<GuardTimers, Reported> {
    let Some(timers) = s.table("guard-timer")? else { return Ok(GuardTimers::default()) };
    timers.read(|timers| {
        let aaa_switchover = guard(timers, "aaa-switchover-timers");
        let diameter_switchover = guard(timers, "diameter-switchover-timers");
        let redundancy = match timers.table("srp-redundancy-timers")? {
            None => Ok([Guard::default(); 3]),
            Some(redundancy) => redundancy.read(|redundancy| {
                let [aaa, bgp, diameter] = ["aaa", "bgp", "diam"].map(|kind| guard(redundancy, kind));
                Ok([aaa?, bgp?, diameter?])
            }),
        };
        let [redundancy_aaa, redundancy_bgp, redundancy_diameter] = redundancy?;
        Ok(GuardTimers {
            aaa_switchover: aaa_switchover?,
            diameter_switchover: diameter_switchover?,
            redundancy_aaa,
            redundancy_bgp,
            redundancy_diameter,
        })
    })
}

fn guard(s: &Section<'_, '_>, key: &'static str) -> Result<Guard, Reported> {
    let Some(table) = s.table(key)? else { return Ok(Guard::default()) };
    table.read(|table| {
        let default = Guard::default();
        let damping = table.or("damping-period", &RANGE, default.damping);
        let period = table.or("guard-period", &RANGE, default.period);
        Ok(Guard { damping: damping?.value, period: period?.value })
    })
}

/// Each table with its header.
pub(super) fn named(timers: &GuardTimers) -> [(&'static str, Guard); 5] {
    [
        ("srp.guard-timer.aaa-switchover-timers", timers.aaa_switchover),
        ("srp.guard-timer.diameter-switchover-timers", timers.diameter_switchover),
        ("srp.guard-timer.srp-redundancy-timers.aaa", timers.redundancy_aaa),
        ("srp.guard-timer.srp-redundancy-timers.bgp", timers.redundancy_bgp),
        ("srp.guard-timer.srp-redundancy-timers.diam", timers.redundancy_diameter),
    ]
}

/// As text.
pub(super) fn tables(timers: &GuardTimers) -> impl Iterator<Item = Table> {
    named(timers).into_iter().map(|(header, guard)| {
        Table::new(header).span("damping-period", guard.damping).span("guard-period", guard.period)
    })
}
