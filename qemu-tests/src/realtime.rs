//! Precedence over everything that is not a probe: `SCHED_FIFO` and locked memory.

use nix::sys::mman::{MlockAllFlags, mlockall};

/// Priority of the sender; above the responder, so that two of them on one machine never hold up the clock of the stream.
pub const SENDER: i32 = 40;
/// Priority of the responder; above the routers and daemons that it shares the machine with.
pub const RESPONDER: i32 = 30;

/// Priority of the threads that stamp what the routers' kernels do.
pub const OBSERVER: i32 = 25;

/// Gives the calling thread (and threads it starts) `SCHED_FIFO` with `priority`, and locks the process's memory.
/// What was refused comes back in words; the probe works without it, less evenly.
pub fn precede(priority: i32) -> Vec<String> {
    let mut refused: Vec<String> = fifo(priority).err().into_iter().collect();
    if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE) {
        refused.push(format!("locked memory: {error}"));
    }
    refused
}

/// Gives the calling thread `SCHED_FIFO` with `priority`, or says in words why not.
pub fn fifo(priority: i32) -> Result<(), String> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: process id 0 means the calling thread; the kernel only reads the parameters, which live past the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) } == 0 {
        Ok(())
    } else {
        Err(format!("SCHED_FIFO {priority}: {}", std::io::Error::last_os_error()))
    }
}
