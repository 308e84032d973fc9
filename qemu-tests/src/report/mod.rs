//! What a run found, as a value: the same for the terminal, the JSON file and the pictures.
//!
//! The field names of these types are the JSON file's and are kept stable; [`FORMAT`] counts up when one changes its meaning.
//! All times of a step are milliseconds after the step's zero (`zero` says what happened then); a negative time is before it.

pub mod html;
pub mod json;
pub mod svg;
pub mod text;

use serde::{Deserialize, Serialize};

/// Version of the JSON file.
pub const FORMAT: u32 = 1;

/// A whole run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// Version of this format.
    pub format: u32,
    /// Name of the topology.
    pub lab: String,
    /// `namespaces` or `machines`: what the chassis are made of.
    pub chassis: String,
    /// The machine that it ran on.
    pub host: Host,
    /// Timers of the pair.
    pub timers: Option<Timers>,
    /// Release of the routers.
    pub routers: String,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Every check of every step passed, and every step was run.
    pub passed: bool,
}

/// The machine under the lab.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Host {
    /// Processors.
    pub cpus: usize,
    /// Their model.
    pub cpu_model: String,
    /// Kernel release.
    pub kernel: String,
    /// Load average over one minute at the start.
    pub load: String,
}

/// Timers of the pair, as `srpctl show srp info` told them.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Timers {
    /// Time between Hellos.
    pub hello_ms: f64,
    /// Silence after which the peer is dead.
    pub dead_ms: f64,
}

/// One step.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Step {
    /// Stable name in kebab case.
    pub id: String,
    /// For people.
    pub title: String,
    /// What happened at time zero.
    pub zero: String,
    /// All checks passed.
    pub passed: bool,
    /// What had to be so.
    pub checks: Vec<Check>,
    /// What ought to be so; a missed target fails nothing, because time on a busy machine proves nothing.
    pub targets: Vec<Target>,
    /// Everything that was seen, in order of time.
    pub events: Vec<Event>,
    /// Rows of the picture, in order.
    pub lanes: Vec<Lane>,
    /// What each lane showed over time.
    pub bands: Vec<Band>,
    /// What became of the probes.
    pub probes: Vec<Probe>,
    /// Packets that the host dropped from full queues meanwhile, of all its namespaces: no doing of the lab's.
    pub host_dropped: u64,
    /// What the routers preferred at the end, as their own software tells it.
    pub preferences: Vec<Preference>,
    /// How an unplanned takeover's time was spent.
    pub phases: Option<Phases>,
}

/// A condition with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Check {
    /// The condition.
    pub name: String,
    /// It held.
    pub passed: bool,
    /// What was found.
    pub found: String,
}

/// A figure with its goal.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Target {
    /// The figure.
    pub name: String,
    /// The goal, in milliseconds: to be below it.
    pub below_ms: f64,
    /// What was measured, in milliseconds.
    pub found_ms: f64,
    /// The goal was reached.
    pub met: bool,
}

/// What a lane stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneKind {
    /// What the lab itself did.
    Lab,
    /// A chassis.
    Chassis,
    /// A router.
    Router,
    /// A stream of probes.
    Probe,
}

/// A row of the picture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Lane {
    /// What it stands for.
    pub kind: LaneKind,
    /// Name of the node or stream.
    pub name: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Event {
    /// When.
    pub at_ms: f64,
    /// Where.
    pub lane: Lane,
    /// What, by a stable name.
    pub event: String,
    /// More, for people.
    pub detail: String,
}

/// A stretch of time in which a lane showed one thing.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Band {
    /// Where.
    pub lane: Lane,
    /// From when.
    pub from_ms: f64,
    /// Until when.
    pub to_ms: f64,
    /// A chassis' state (or `off`); the chassis that a router prefers (or `mixed`, `none`); the chassis that answers a
    /// probe (or `lost`).
    pub what: String,
}

/// One stream of probes over a step.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Probe {
    /// Name of the stream.
    pub stream: String,
    /// Packets sent.
    pub sent: usize,
    /// Lost on the way to the chassis.
    pub lost_there: usize,
    /// Lost on the way back.
    pub lost_back: usize,
    /// Longest time without an arrival at any chassis, ms.
    pub longest_gap_there_ms: f64,
    /// Longest time without an answer at the client, ms.
    pub longest_gap_back_ms: f64,
    /// The same less what the sender itself paused meanwhile, ms: what the network and the pair are answerable for.
    pub longest_gap_back_net_ms: f64,
    /// When the longest gap at the client began and ended.
    pub longest_gap_back: Option<Span>,
    /// The longest run of lost packets; none if none was lost.
    pub outage: Option<Span>,
    /// Longest time that the sender itself let pass, ms.
    pub longest_gap_sender_ms: f64,
    /// Who answered, in order.
    pub answered_by: Vec<String>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Span {
    /// Its start.
    pub from_ms: f64,
    /// Its end.
    pub to_ms: f64,
}

impl Span {
    /// Its length in milliseconds.
    pub fn millis(self) -> f64 {
        self.to_ms - self.from_ms
    }
}

/// What a router prefers for a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Preference {
    /// The router.
    pub router: String,
    /// The service.
    pub prefix: String,
    /// The chassis behind the best path; none if there is no path.
    pub chassis: Option<String>,
    /// The chassis that the route in the router's kernel leads to.
    pub kernel: Option<String>,
    /// AS numbers in the best path.
    pub as_path_length: usize,
    /// Of them, the chassis' own beyond the first.
    pub prepends: usize,
    /// Prepends of the other paths, by chassis.
    pub others: Vec<(String, usize)>,
}

/// An unplanned takeover in its parts, milliseconds. The parts are measured each from the end of the one before.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Phases {
    /// Until the Standby declared the peer dead.
    pub detection_ms: f64,
    /// From there until addresses and pools were in its kernel.
    pub installation_ms: f64,
    /// From there until the last UPDATE was handed to TCP.
    pub announcement_ms: f64,
    /// Per router: from the moment that it had both heard of the loss and of the new Active until its kernel's routes had
    /// all changed.
    pub routers_ms: Vec<(String, f64)>,
    /// Until the first answer from the new Active, over all streams the latest.
    pub traffic_back_ms: f64,
}

impl Step {
    /// Adds a check.
    pub fn check(&mut self, name: impl Into<String>, passed: bool, found: impl Into<String>) {
        self.checks.push(Check { name: name.into(), passed, found: found.into() });
    }

    /// Adds a target.
    pub fn target(&mut self, name: impl Into<String>, below_ms: f64, found_ms: f64) {
        self.targets.push(Target { name: name.into(), below_ms, found_ms, met: found_ms < below_ms });
    }
}

impl Host {
    /// This machine.
    pub fn here() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            cpu_model: model.map_or("unknown", |(_, name)| name.trim()).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}
