//! What ends `srpd` or has it read its file again: signals, and operators over the control socket.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::reload::Outcome;

/// What the system and operators signal.
pub struct Signals {
    /// SIGTERM.
    pub terminate: Signal,
    /// SIGINT.
    pub interrupt: Signal,
    /// SIGHUP.
    pub hangup: Signal,
}

impl Signals {
    /// Listens for them from now on.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// SIGTERM, or SIGINT from a terminal.
pub async fn told_to_stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// SIGHUP, or an operator who waits for the outcome.
pub async fn reload_on_request(
    hangup: &mut Signal,
    asked: &mut mpsc::Receiver<oneshot::Sender<Outcome>>,
) -> Option<oneshot::Sender<Outcome>> {
    tokio::select! {
        _ = hangup.recv() => None,
        // Its sender lives as long as the answers do.
        Some(reply) = asked.recv() => Some(reply),
    }
}
