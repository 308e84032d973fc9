//! What is remembered of an upgrade: what it is, what was before it, which steps are done, and how it ended.
//!
//! The state is written whole before each step. It is read by later releases as well: what a chassis finds after its own restart was
//! written by the release before.

use serde::{Deserialize, Serialize};

use crate::facts::{Counts, Release};
use crate::plan::{Side, Step};

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// To the image.
    Upgrade,
    /// Back from the image.
    Rollback,
}

/// A value for each chassis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both<T> {
    /// That of the chassis on which the command was given.
    pub here: T,
    /// That of its peer.
    pub peer: T,
}

impl<T> Both<T> {
    /// That of a side.
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::Here => &self.here,
            Side::Peer => &self.peer,
        }
    }

    /// That of a side, to be changed.
    pub fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Here => &mut self.here,
            Side::Peer => &mut self.peer,
        }
    }
}

/// A chassis before anything was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Where its data partition is.
    pub flash: String,
    /// The image that it ran.
    pub image: String,
    /// Release and build of it.
    pub release: Release,
    /// The configuration that it was booted with.
    pub config: String,
    /// Life of its `srpd`; a new one after each restart.
    pub life: String,
    /// Its neighbours and routes, as Standby or as Active.
    pub counts: Counts,
}

/// A step that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Which.
    #[serde(flatten)]
    pub step: Step,
    /// When, microseconds since 1970 by the clock of the chassis that carries it out.
    pub at_us: u64,
    /// How long it took, milliseconds by the same clock.
    pub took_ms: u64,
    /// What was found or done.
    pub found: String,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// A next step is to be done, now or after a restart.
    Running,
    /// The next step was not done, and why.
    Stopped {
        /// A line each.
        reasons: Vec<String>,
    },
    /// All steps are done.
    Done,
    /// An operator gave it up.
    Aborted,
}

/// An upgrade or a way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Tells it from others.
    pub id: String,
    /// What kind.
    pub kind: Kind,
    /// The other chassis, as ssh is asked for it.
    pub peer: String,
    /// The image as the operator named it.
    pub source: String,
    /// Name of the image on `/flash`.
    pub image: String,
    /// What the image is; known once it is verified.
    pub release: Option<Release>,
    /// Octets that it needs on `/flash`; known with `release`, unless a release wrote this that did not ask.
    #[serde(default)]
    pub octets: Option<u64>,
    /// Command for test calls.
    pub test: Option<String>,
    /// An older release was asked for.
    #[serde(default)]
    pub older: bool,
    /// Which chassis was Standby at the beginning.
    pub first: Side,
    /// What was before.
    pub before: Both<Before>,
    /// All steps in their order.
    pub steps: Vec<Step>,
    /// Those that are done, in the same order.
    pub done: Vec<Done>,
    /// What the next step waits for.
    #[serde(default)]
    pub waiting: Option<String>,
    /// When it began, microseconds since 1970.
    pub began_us: u64,
    /// When this was written.
    pub changed_us: u64,
    /// How it stands.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl State {
    /// The step that is to be done; `None` if all are.
    pub fn next(&self) -> Option<Step> {
        self.steps.get(self.done.len()).copied()
    }

    /// Whether somebody has it in hand: neither done nor given up.
    pub fn holds(&self) -> bool {
        match self.outcome {
            Outcome::Running | Outcome::Stopped { .. } => true,
            Outcome::Done | Outcome::Aborted => false,
        }
    }

    /// The image that a chassis runs once it has restarted.
    pub fn target(&self, side: Side) -> String {
        match self.kind {
            Kind::Upgrade => self.on_flash(side),
            Kind::Rollback => self.before.of(side).image.clone(),
        }
    }

    /// The image of the upgrade, as an operator of that chassis writes it.
    pub fn on_flash(&self, side: Side) -> String {
        format!("{}/{}", self.before.of(side).flash, self.image)
    }

    /// The same, as the other chassis sees it.
    #[must_use]
    pub fn seen_by_peer(&self) -> Self {
        let turned = |step: Step| Step { side: step.side.other(), ..step };
        Self {
            first: self.first.other(),
            before: Both { here: self.before.peer.clone(), peer: self.before.here.clone() },
            steps: self.steps.iter().map(|step| turned(*step)).collect(),
            done: self.done.iter().map(|done| Done { step: turned(done.step), ..done.clone() }).collect(),
            ..self.clone()
        }
    }
}
