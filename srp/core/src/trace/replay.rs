//! From text back to a chassis.

use std::fmt;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Head, VERSION};
use crate::chassis::{Action, Chassis, Event, Settings};
use crate::types::{ChassisState, Time};

/// What a trace told, line by line (counted from 1).
#[derive(Debug)]
pub enum Told<'t> {
    /// A part begins.
    Head(usize, &'t Head),
    /// A chassis starts.
    Start(usize, Time),
    /// A chassis goes on in this state.
    Resume(usize, ChassisState),
    /// An event, and the actions that it leads to; they are those of the trace.
    Step(usize, Time, &'t Event, &'t [Action]),
    /// That many steps are missing here.
    Lost(usize, u64),
    /// The line is incomplete: `srpd` was killed while it wrote it.
    CutShort(usize),
}

/// What a whole trace came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Steps replayed.
    pub steps: u64,
    /// Parts, each from a first line to the next.
    pub parts: u64,
    /// Gaps, and the steps missing in them.
    pub gaps: (u64, u64),
    /// State at the end.
    pub state: Option<ChassisState>,
}

/// Where a replay did not give what the trace has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The actions of a step.
    Actions,
    /// The deadline after a step, microseconds.
    Deadline,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actions => "actions",
            Self::Deadline => "next deadline",
        })
    }
}

/// Why a trace does not replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The same event did not lead to the same.
    #[error("line {line}, at {} us: other {part} than recorded\n  event:    {event}\n  expected: {expected}\n  got:      {got}", .at.0)]
    Differs {
        /// Line of the step.
        line: usize,
        /// Time of the step.
        at: Time,
        /// Of what.
        part: Part,
        /// The event of the step.
        event: String,
        /// As the trace has it.
        expected: String,
        /// As replayed.
        got: String,
    },
    /// The file does not begin as a trace.
    #[error(
        "this is not a trace: line 1 does not begin with {{\"trace\": (give the file that [record] names)"
    )]
    NotATrace,
    /// Another version of the text form.
    #[error(
        "line {line}: trace of version {theirs}, written by release {release}: replay it with that release"
    )]
    Version {
        /// The line.
        line: usize,
        /// Its version.
        theirs: u32,
        /// The release that wrote it.
        release: String,
    },
    /// A line that cannot be understood.
    #[error("line {line} cannot be read ({what}): replay it with the release that wrote it")]
    Malformed {
        /// The line.
        line: usize,
        /// What the decoder stumbled over.
        what: String,
    },
    /// A step before any state.
    #[error("line {line}: a step without a start or a resume before it: lines are missing")]
    NoState {
        /// The line.
        line: usize,
    },
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Trace(Head),
    Start { at: Time, settings: Box<Settings> },
    Resume(Box<Chassis>),
    Step { at: Time, event: Event, actions: Box<RawValue>, next: Time },
    Lost { steps: u64 },
}

/// Feeds a trace to a chassis of its own and tells each line once it has proved right.
///
/// # Errors
/// The first line that differs, or that cannot be replayed.
pub fn replay(mut trace: impl BufRead, mut told: impl FnMut(Told<'_>)) -> Result<Summary, ReplayError> {
    let mut replay = Replay { chassis: None, summary: Summary::default() };
    let mut unread: Option<(usize, String)> = None;
    let mut octets = Vec::new();
    for line in 1.. {
        octets.clear();
        if trace.read_until(b'\n', &mut octets)? == 0 {
            break;
        }
        let parsed = match serde_json::from_slice::<Line>(&octets) {
            Ok(parsed) => parsed,
            Err(_) if line == 1 => return Err(ReplayError::NotATrace),
            Err(error) => {
                if let Some((line, what)) = unread {
                    return Err(ReplayError::Malformed { line, what });
                }
                unread = Some((line, error.to_string()));
                continue;
            }
        };
        match (unread.take(), &parsed) {
            (None, _) => {}
            (Some((cut, _)), Line::Trace(_)) => told(Told::CutShort(cut)),
            (Some((line, what)), _) => return Err(ReplayError::Malformed { line, what }),
        }
        replay.take(line, parsed, &mut told)?;
    }
    if let Some((cut, _)) = unread {
        told(Told::CutShort(cut));
    }
    if replay.summary.parts == 0 {
        return Err(ReplayError::NotATrace);
    }
    replay.summary.state = replay.chassis.map(|chassis| chassis.state());
    Ok(replay.summary)
}

struct Replay {
    chassis: Option<Chassis>,
    summary: Summary,
}

impl Replay {
    fn take(
        &mut self,
        line: usize,
        parsed: Line,
        told: &mut impl FnMut(Told<'_>),
    ) -> Result<(), ReplayError> {
        match parsed {
            Line::Trace(head) if head.version != VERSION => {
                return Err(ReplayError::Version { line, theirs: head.version, release: head.release });
            }
            Line::Trace(head) => {
                self.chassis = None;
                self.summary.parts += 1;
                told(Told::Head(line, &head));
            }
            _ if self.summary.parts == 0 => return Err(ReplayError::NotATrace),
            Line::Start { at, settings } => {
                self.chassis = Some(Chassis::new(at, *settings));
                told(Told::Start(line, at));
            }
            Line::Resume(chassis) => {
                told(Told::Resume(line, chassis.state()));
                self.chassis = Some(*chassis);
            }
            Line::Step { at, event, actions, next } => {
                let chassis = self.chassis.as_mut().ok_or(ReplayError::NoState { line })?;
                let expected = Expected { actions: actions.get(), next };
                let got = step(chassis, line, at, &event, &expected)?;
                self.summary.steps += 1;
                told(Told::Step(line, at, &event, &got));
            }
            Line::Lost { steps } => {
                // What follows was not made by what we have seen.
                self.chassis = None;
                self.summary.gaps.0 += 1;
                self.summary.gaps.1 += steps;
                told(Told::Lost(line, steps));
            }
        }
        Ok(())
    }
}

/// What the trace has of a step beside its event.
struct Expected<'e> {
    actions: &'e str,
    next: Time,
}

fn step(
    chassis: &mut Chassis,
    line: usize,
    at: Time,
    event: &Event,
    expected: &Expected<'_>,
) -> Result<Vec<Action>, ReplayError> {
    chassis.handle(at, event.clone());
    let actions: Vec<Action> = std::iter::from_fn(|| chassis.poll_action()).collect();
    let differs = |part, expected: String, got| ReplayError::Differs {
        line,
        at,
        part,
        event: serde_json::to_string(event).unwrap_or_default(),
        expected,
        got,
    };
    let got = serde_json::to_string(&actions).unwrap_or_default();
    if got != expected.actions {
        return Err(differs(Part::Actions, expected.actions.to_owned(), got));
    }
    let next = chassis.next_deadline();
    if next != expected.next {
        return Err(differs(Part::Deadline, expected.next.0.to_string(), next.0.to_string()));
    }
    Ok(actions)
}
