//! What must hold after a step: who serves, whom the routers prefer, and what probes say of it.
//!
//! A step names what its pair and its probes have to show; [`Measured::judged`] makes the step of it.

use std::collections::BTreeMap;

use srp_core::types::ChassisState;

use super::collect::Measured;
use super::stage::{self, Stage, View};
use crate::node::Kind;
use crate::report::{Probe, Step};

/// Longer than an emulated guest was seen to be starved on two busy processors; shorter than any fault of the scenario.
const STARVED_MS: f64 = 1000.0;

impl Measured {
    /// `active` is Active and its peer Standby, and all routers prefer it.
    pub fn serves(&mut self, stage: &Stage<'_>, active: &str) {
        roles(&mut self.step, active, &stage.peer_of(active), &self.views);
        self.preferred(stage, active);
    }

    /// All routers prefer `active`, with as many prepends as its route modifier says.
    pub fn preferred(&mut self, stage: &Stage<'_>, active: &str) {
        routers_prefer(stage, &mut self.step, active, &self.views);
    }

    /// Both chassis are Active, and all routers prefer `former`.
    pub fn both_active(&mut self, stage: &Stage<'_>, former: &str) {
        let both = self.views.values().all(|view| view.state == ChassisState::Active);
        self.step.check("both chassis are Active", both, stage::tell(&self.views));
        self.preferred(stage, former);
    }

    /// Nothing was lost, and nobody but `by` answered.
    pub fn undisturbed(&mut self, stage: &Stage<'_>, by: &str) {
        nothing_lost(stage, &mut self.step);
        only_answered_by(&mut self.step, by);
    }

    /// Nothing was lost by a switchover that was ordered.
    pub fn handed_over(&mut self, stage: &Stage<'_>) {
        match stage.lab.chassis.first().map(|node| node.kind()) {
            // What is delivered has to keep what it promises, emulated or not: the order of a switchover is not a matter of speed.
            Some(Kind::Appliance) => no_probe_lost(&mut self.step),
            Some(Kind::Namespace | Kind::Machine) | None => nothing_lost(stage, &mut self.step),
        }
    }

    /// `chassis` has switched over as often as `before` says.
    pub fn not_switched(&mut self, chassis: &str, before: &View) {
        let after = self.views.get(chassis).map(|view| view.switchovers);
        let found = format!("{} switchovers before, {} after", before.switchovers, after.unwrap_or_default());
        self.step.check(format!("{chassis} has not switched over"), after == Some(before.switchovers), found);
    }

    /// The step, passed if all its checks are.
    pub fn judged(mut self) -> Step {
        self.step.passed = self.step.checks.iter().all(|check| check.passed);
        self.step
    }
}

fn roles(step: &mut Step, active: &str, standby: &str, views: &BTreeMap<String, View>) {
    let is = |name: &str, state| views.get(name).is_some_and(|view| view.state == state);
    let lower = |a: &str, b: &str| match (views.get(a), views.get(b)) {
        (Some(a), Some(b)) => a.modifier < b.modifier,
        (Some(_) | None, None) | (None, Some(_)) => false,
    };
    let good =
        is(active, ChassisState::Active) && is(standby, ChassisState::Standby) && lower(active, standby);
    step.check(
        format!("{active} Active, {standby} Standby, the Active's modifier lower"),
        good,
        stage::tell(views),
    );
}

/// Every router prefers `active` for every service, with as many prepends as its route modifier says.
fn routers_prefer(stage: &Stage<'_>, step: &mut Step, active: &str, views: &BTreeMap<String, View>) {
    let software = stage.lab.topology.software;
    let modifier = views.get(active).map_or(0, |view| usize::from(view.modifier));
    let wrong: Vec<String> = step
        .preferences
        .iter()
        .filter(|found| {
            found.chassis.as_deref() != Some(active)
                || found.kernel.as_deref() != Some(active)
                || found.prepends != modifier
                || found.as_path_length != modifier + 1
        })
        .map(|found| {
            let chassis = found.chassis.as_deref().unwrap_or("nobody");
            let kernel = found.kernel.as_deref().unwrap_or("nobody");
            let (router, prefix, prepends) = (&found.router, &found.prefix, found.prepends);
            format!("{router} {prefix}: {chassis} with {prepends} prepends, kernel to {kernel}")
        })
        .collect();
    let name =
        format!("{software} and kernel of all routers prefer {active}, AS path 1 + modifier {modifier}");
    let found = if wrong.is_empty() {
        format!("{} of {} best paths", step.preferences.len(), step.preferences.len())
    } else {
        wrong.join("; ")
    };
    step.check(name, wrong.is_empty(), found);
}

/// Nothing may be lost. Machines share this host's processors with the probes and with each other's emulation: there a booting
/// neighbour starves a guest until queues overflow, which says nothing of routing. What the scenario must not do to a machine's
/// traffic is interrupt it for longer than a guest can be starved.
fn nothing_lost(stage: &Stage<'_>, step: &mut Step) {
    if stage::kind(stage.lab) == "namespaces" {
        no_probe_lost(step);
        return;
    }
    let (sent, lost) = sent_and_lost(step);
    let gap = step.probes.iter().map(|probe| probe.longest_gap_back_ms).fold(0.0, f64::max);
    let name =
        format!("no stream interrupted for {STARVED_MS} ms (machines: single losses are the emulation's)");
    step.check(name, gap < STARVED_MS, format!("{gap:.1} ms at most; {lost} of {sent} lost"));
}

/// No probe may be lost, but what the host itself dropped.
fn no_probe_lost(step: &mut Step) {
    let ((sent, lost), host) = (sent_and_lost(step), step.host_dropped);
    let (name, found) = if host == 0 {
        ("no probe lost", format!("{lost} of {sent}"))
    } else {
        ("no more probes lost than the host dropped packets", format!("{lost} of {sent}; {host} dropped"))
    };
    step.check(name, u64::try_from(lost).is_ok_and(|lost| lost <= host), found);
}

fn sent_and_lost(step: &Step) -> (usize, usize) {
    let one = |(sent, lost), probe: &Probe| (sent + probe.sent, lost + probe.lost_there + probe.lost_back);
    step.probes.iter().fold((0, 0), one)
}

fn only_answered_by(step: &mut Step, chassis: &str) {
    let strange: Vec<String> = step
        .probes
        .iter()
        .filter(|probe| probe.answered_by != [chassis])
        .map(|probe| format!("{}: {}", probe.stream, probe.answered_by.join(", then ")))
        .collect();
    let found =
        if strange.is_empty() { format!("{} streams", step.probes.len()) } else { strange.join("; ") };
    step.check(format!("all probes answered by {chassis} alone"), strange.is_empty(), found);
}
