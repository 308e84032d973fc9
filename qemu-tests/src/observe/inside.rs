//! Observing inside a machine: this program there writes what the kernel tells into a file, each line with its time by the
//! machine's clock; the lab reads the file.
//!
//! A line comes to the lab up to a look later than it was written, its time does not.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::told::{GROUPS, Told};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::{Job, Node, NodeError, ProcessId, Program, Signal};
use crate::realtime;
use crate::rtnl::Rtnl;
use crate::wait::{self, Seen};

/// The file, in the node's folder.
const FILE: &str = "observe.log";
/// An emulated processor takes its time to start a program.
const START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    /// `CLOCK_MONOTONIC` of the machine, nanoseconds.
    at: u64,
    /// None in the first line, which says that it listens.
    told: Option<Told>,
}

/// Writes what the kernel tells to standard output, until it is ended: `lab observe`.
pub fn tell() -> Result<(), LabError> {
    let broken = |error: io::Error| LabError::Network {
        doing: "observe the kernel".to_owned(),
        reason: error.to_string(),
    };
    // Without the right the stamps are a little later.
    let _ = realtime::fifo(realtime::OBSERVER);
    let rtnl = Rtnl::here(&GROUPS).map_err(broken)?;
    let mut out = io::stdout().lock();
    let mut write = |line: &Line| {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
        out.flush()
    };
    write(&Line { at: Time::now().0, told: None }).map_err(broken)?;
    loop {
        // An overrun loses news; the next ones show where things stand.
        let Ok(messages) = rtnl.receive() else { continue };
        let at = Time::now().0;
        for told in messages.iter().filter_map(Told::of) {
            write(&Line { at, told: Some(told) }).map_err(broken)?;
        }
    }
}

/// What listens inside a node, from outside. It ends with this.
pub struct Inside {
    node: Arc<dyn Node>,
    process: ProcessId,
    /// Octets of the file that were read.
    read: usize,
}

impl Inside {
    /// Starts it; from when this returns nothing is missed.
    pub fn start(node: Arc<dyn Node>) -> Result<Self, LabError> {
        let job = Job::new(node.program(Program::Lab), ["observe"]).logged(FILE);
        let process = node.spawn(&job)?;
        let inside = Self { node, process, read: 0 };
        wait::until(&format!("the observer in {}", inside.node.name()), START, LOOK, || {
            if !inside.node.is_running(process)? {
                return Err(LabError::ended(inside.node.as_ref(), "the observer", FILE));
            }
            let file = inside.node.get_file(Path::new(FILE)).unwrap_or_default();
            Ok(if file.contains(&b'\n') {
                Seen::Done(())
            } else {
                Seen::NotYet("it runs but does not listen yet".to_owned())
            })
        })?;
        Ok(inside)
    }

    /// What was told since the last look, by the host's clock.
    pub fn look(&mut self) -> Result<Vec<(Time, Told)>, NodeError> {
        let file = self.node.get_file(Path::new(FILE))?;
        let new = file.get(self.read..).unwrap_or_default();
        // A line may be in the middle of being written.
        let whole = new.iter().rposition(|octet| *octet == b'\n').map_or(0, |last| last + 1);
        self.read += whole;
        let lines: Vec<Line> = new[..whole]
            .split(|octet| *octet == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .filter(|line: &Line| line.told.is_some())
            .collect();
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        let ahead = self.node.clock_ahead()?;
        let on_host = |at: u64| Time(at.saturating_add_signed(ahead.saturating_neg()));
        Ok(lines.into_iter().filter_map(|line| Some((on_host(line.at), line.told?))).collect())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // It may be gone with its machine.
        let _ = self.node.signal(self.process, Signal::Kill);
    }
}
