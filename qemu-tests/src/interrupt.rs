//! SIGINT and SIGTERM become a flag that every wait of the lab looks at, so that a lab always ends by its own clean-up.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::error::LabError;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static INSTALL: Once = Once::new();

extern "C" fn note(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// From now on SIGINT and SIGTERM set the flag instead of ending the process.
pub fn install() {
    INSTALL.call_once(|| {
        let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
            if let Err(error) = unsafe { sigaction(signal, &action) } {
                eprintln!(
                    "lab: no handler for {signal}: {error}; an interrupted lab is cleaned up by the next one"
                );
            }
        }
    });
}

/// Whether an interrupt came.
pub fn came() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// An error when an interrupt came.
pub fn check() -> Result<(), LabError> {
    if came() { Err(LabError::Interrupted) } else { Ok(()) }
}
