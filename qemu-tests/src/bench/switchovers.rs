//! Planned switchovers and power cuts of the demonstration, repeated. Cables lose their carrier here, so that routers know of
//! a power cut at once.

use std::path::Path;

use serde::Serialize;

use super::series::Collected;
use crate::error::LabError;
use crate::lab::Lab;
use crate::report::{Host, Step};
use crate::scenario::stage::{self, Settings, Stage};
use crate::scenario::steps;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Switchovers {
    /// The machine.
    pub host: Host,
    /// Release of the routers.
    pub routers: String,
    /// Time between Hellos and time to death, ms.
    pub timers_ms: (f64, f64),
    /// The series, in the order in which they are printed.
    pub series: Collected,
    /// Resident memory of an idle `srpd`, KiB.
    pub srpd_rss_kib: u64,
    /// The `srpd` program whose size is given: the static one where it is built.
    pub srpd_program: String,
    /// Its size, octets.
    pub srpd_octets: u64,
}

/// Repeats `planned` planned switchovers, then `power` power cuts with return, on `lab`; tells each run to `said`.
pub fn run(
    lab: &Lab,
    settings: Settings,
    srpd: &Path,
    planned: u32,
    power: u32,
    said: &mut dyn FnMut(String),
) -> Result<Switchovers, LabError> {
    let host = Host::here();
    let mut stage = Stage::new(lab, settings)?;
    let started = steps::start(&mut stage)?;
    said(format!("start: {}", if started.passed { "settled" } else { "not as it should be" }));
    let mut series = Collected::default();
    let idle = stage.names().iter().filter_map(|name| rss_kib(&stage, name)).max().unwrap_or(0);
    for number in 1..=planned {
        let from = steps::active(&stage)?;
        let to = stage.peer_of(&from);
        let step = steps::planned(&mut stage, &format!("planned-{number}"), &from, &to)?;
        series.planned(&step);
        said(format!("planned {number}: {}", told(&step)));
    }
    for number in 1..=power {
        let step = steps::power_off(&mut stage)?;
        series.power(&step);
        said(format!("power cut {number}: {}", told(&step)));
        steps::power_on(&mut stage)?;
    }
    let timers = stage.timers.map_or((0.0, 0.0), |timers| (timers.hello_ms, timers.dead_ms));
    stage.stop()?;
    Ok(Switchovers {
        host,
        routers: stage::routers_release(lab)?,
        timers_ms: timers,
        series,
        srpd_rss_kib: idle,
        srpd_program: srpd.display().to_string(),
        srpd_octets: std::fs::metadata(srpd).map_or(0, |file| file.len()),
    })
}

impl Collected {
    fn planned(&mut self, step: &Step) {
        self.push("planned: probes lost", "packets", lost(step));
        self.push("planned: longest gap at the client", "ms", gap(step));
        let sender = step.probes.iter().map(|probe| probe.longest_gap_sender_ms).fold(0.0, f64::max);
        let net = step.probes.iter().map(|probe| probe.longest_gap_back_net_ms).fold(0.0, f64::max);
        self.push("planned: the same less the sender's own pauses", "ms", net);
        self.push("planned: longest pause of the sender itself", "ms", sender);
    }

    fn power(&mut self, step: &Step) {
        self.push("power cut: probes lost", "packets", lost(step));
        let Some(phases) = &step.phases else { return };
        self.push("power cut: detection", "ms", phases.detection_ms);
        self.push("power cut: installation", "ms", phases.installation_ms);
        self.push("power cut: announcement", "ms", phases.announcement_ms);
        let routers = phases.routers_ms.iter().map(|(_, millis)| *millis).fold(0.0, f64::max);
        self.push("power cut: slowest router", "ms", routers);
        self.push("power cut: traffic back, slowest stream", "ms", phases.traffic_back_ms);
    }
}

#[expect(clippy::cast_precision_loss, reason = "packets of a run: far below 2^53")]
fn lost(step: &Step) -> f64 {
    step.probes.iter().map(|probe| probe.lost_there + probe.lost_back).sum::<usize>() as f64
}

fn gap(step: &Step) -> f64 {
    step.probes.iter().map(|probe| probe.longest_gap_back_ms).fold(0.0, f64::max)
}

fn told(step: &Step) -> String {
    let back =
        step.phases.as_ref().map(|phases| format!(", traffic back after {:.1} ms", phases.traffic_back_ms));
    let failed: Vec<&str> =
        step.checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
    let failed = if failed.is_empty() { String::new() } else { format!("; NOT: {}", failed.join(", ")) };
    format!("{} lost, longest gap {:.1} ms{}{failed}", lost(step), gap(step), back.unwrap_or_default())
}

/// Resident memory of `srpd` on a chassis that is a namespace.
fn rss_kib(stage: &Stage<'_>, chassis: &str) -> Option<u64> {
    let process = stage.srpd(chassis).ok()?.process()?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0)).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok())
}
