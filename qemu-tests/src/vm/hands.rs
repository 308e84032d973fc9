//! What a person can do to an appliance of a lab: at its console, and at its disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::console::{Console, ConsoleError, Ran};
use super::machine::{Boot, Machine};
use super::qemu::{self, DISK};
use crate::clock::Time;
use crate::node::{Node, NodeError};

impl Machine {
    /// Waits until the console has said `wanted` behind what was waited for before; when it did.
    pub fn hear(&self, wanted: &str, limit: Duration) -> Result<Time, NodeError> {
        self.at_console("hear", |console| console.hear(wanted, limit))
    }

    /// When the console first said `wanted` since the machine's start, or will within `limit`.
    pub fn when(&self, wanted: &str, limit: Duration) -> Result<Time, NodeError> {
        self.at_console("hear", |console| console.when(wanted, limit))
    }

    /// Types a line at the console.
    pub fn type_line(&self, line: &str) -> Result<(), NodeError> {
        self.at_console("type", |console| console.type_line(line))
    }

    /// Runs a command in the shell at the console, where root is logged in since the machine's start.
    pub fn run_at_console(&self, command: &str, limit: Duration) -> Result<Ran, NodeError> {
        self.at_console("run a command at the console", |console| console.run(command, limit))
    }

    /// After a restart that the machine made of itself: logs in at the prompt that is next and starts the agent again. What was
    /// started by the agent before is gone.
    pub fn back(&self, limit: Duration) -> Result<(), NodeError> {
        let doing = "come back";
        let Boot::Disk(disk) = &self.parts().boot else {
            return Err(self.error(doing, "it does not start from a disk".to_owned()));
        };
        let first = match self.running().as_ref() {
            Some(running) => running.channel.first_word(),
            None => return Err(self.off(doing)),
        };
        self.at_console(doing, |console| qemu::start_agent(console, disk, limit))?;
        first.wait(limit).map_err(|error| self.error(doing, format!("the agent did not speak: {error}")))
    }

    /// Pulls the disk out. It comes back with the next start.
    pub fn pull_disk(&self) -> Result<Time, NodeError> {
        let doing = "pull the disk out";
        match self.running().as_ref() {
            Some(running) => {
                let pulled = running.qmp.unplug(DISK);
                pulled.map(|()| Time::now()).map_err(|error| self.error(doing, error.to_string()))
            }
            None => Err(self.off(doing)),
        }
    }

    /// How long after the start of QEMU `at` was.
    pub fn since_start(&self, at: Time) -> Option<Duration> {
        self.running().as_ref().map(|running| at.since(running.started))
    }

    fn at_console<T>(
        &self,
        doing: &str,
        act: impl FnOnce(&mut Console) -> Result<T, ConsoleError>,
    ) -> Result<T, NodeError> {
        let console: Arc<Mutex<Console>> = match self.running().as_ref() {
            Some(running) => running.console.clone().ok_or_else(|| {
                self.error(doing, "nobody can type at the console of a development image".to_owned())
            })?,
            None => return Err(self.off(doing)),
        };
        let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut console).map_err(|error| match error {
            ConsoleError::Silent { .. } if !self.is_on() => self.off(doing),
            ConsoleError::Silent { .. } | ConsoleError::Typing { .. } | ConsoleError::Failed { .. } => {
                self.error(doing, error.to_string())
            }
        })
    }
}
