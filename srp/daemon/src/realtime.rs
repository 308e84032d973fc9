//! Makes the calling thread run when it must, as far as the system permits.

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use tracing::{info, warn};

/// Above every ordinary thread, below the kernel's own (which run at 50 and more).
const PRIORITY: i32 = 20;

/// Asks for `SCHED_FIFO` for this thread and locked memory for the process. Both need a privilege (`CAP_SYS_NICE`,
/// `CAP_IPC_LOCK`); without it the daemon runs all the same, and says what it lacks.
pub fn enter() {
    // On fault: what has been touched stays, and a thread's untouched stack costs nothing.
    let flags = MlockAllFlags::MCL_CURRENT
        | MlockAllFlags::MCL_FUTURE
        | MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    if let Err(errno) = mlockall(flags) {
        warn!(%errno, "memory not locked: give srpd CAP_IPC_LOCK, or Hellos may wait for a page");
    }
    match set_fifo() {
        Ok(()) => info!(priority = PRIORITY, "chassis thread runs under SCHED_FIFO"),
        Err(errno) => {
            warn!(%errno, "chassis thread has no real-time priority: give srpd CAP_SYS_NICE for short dead-intervals");
        }
    }
}

fn set_fifo() -> Result<(), Errno> {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: 0 names the calling thread, and the parameters live until the call returns.
    Errno::result(unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &raw const parameters)
    })
    .map(drop)
}
