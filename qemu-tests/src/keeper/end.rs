//! The end of a lab that was left up, also of one whose holder was killed.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::state::State;
use crate::error::LabError;
use crate::{cleanup, folder, wait};

/// Time for a holder to take its lab down in good order; it may be in the middle of a command on a machine.
const ORDERLY: Duration = Duration::from_secs(40);
/// Time for the kernel to end a process that was killed.
const KILLED: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// How a lab ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// None was up.
    Nothing,
    /// Its holder took it down.
    Orderly(String),
    /// Its holder had to be killed, or was; what it left was removed: these namespaces.
    Cleared(String, Vec<String>),
}

/// Ends the lab in `folder`. Logs and report stay.
pub fn down(folder: &Path) -> Result<Ended, LabError> {
    let Some(state) = State::read(folder)? else { return Ok(Ended::Nothing) };
    let claimed = || folder::is_claimed(folder);
    let gone = |limit| {
        let what = format!("the end of the lab's holder, process {}", state.pid);
        wait::until_true(&what, limit, LOOK, || Ok(!(state.is_running() && claimed()?)))
    };
    if state.is_running() && claimed()? {
        signal(&state, Signal::SIGTERM);
        match gone(ORDERLY) {
            Ok(()) if State::read(folder)?.is_none() => return Ok(Ended::Orderly(state.lab)),
            Ok(()) | Err(LabError::Waited { .. }) => {}
            Err(error) => return Err(error),
        }
        if state.is_running() {
            signal(&state, Signal::SIGKILL);
            gone(KILLED)?;
        }
    }
    let removed = cleanup::sweep_of(state.pid);
    State::remove(folder)?;
    Ok(Ended::Cleared(state.lab, removed))
}

fn signal(state: &State, signal: Signal) {
    if let Ok(pid) = i32::try_from(state.pid) {
        // Gone already is what we want.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}
