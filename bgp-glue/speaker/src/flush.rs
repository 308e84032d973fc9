//! Waiting until announcements have reached the neighbors' kernels.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::handle::Flushed;

/// What one neighbor reports; nothing, by dropping the channel, when its session ended meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Report {
    /// There is no session, so there was nothing to send.
    NotEstablished,
    /// Everything is acknowledged.
    Acknowledged { written_at: Instant, acked_at: Instant },
}

/// One order to tell a neighbor something, until the neighbor's TCP has acknowledged it. Dropped when the session ends,
/// which the other end of the channel sees.
#[derive(Debug)]
pub(crate) struct Waiter {
    report: oneshot::Sender<Report>,
    /// The octet to be acknowledged, once everything is queued.
    target: Option<u64>,
    written_at: Option<Instant>,
}

impl Waiter {
    pub(crate) const fn new(report: oneshot::Sender<Report>) -> Self {
        Self { report, target: None, written_at: None }
    }

    /// Whether only the acknowledgement is missing, which nothing but asking the kernel tells.
    pub(crate) const fn needs_polling(&self) -> bool {
        self.written_at.is_some()
    }

    /// Looks at the connection. `settled`: everything to be told has been queued.
    fn advance(&mut self, connection: &Connection, settled: bool) -> Option<Report> {
        if settled && self.target.is_none() {
            self.target = Some(connection.queued_to());
        }
        let target = self.target?;
        if self.written_at.is_none() {
            self.written_at = connection.written_to(target);
        }
        let written_at = self.written_at?;
        // An error of the socket is the session's business; here it only means that nothing is known.
        let acknowledged = connection.acknowledged_to(target).unwrap_or(false);
        acknowledged.then(|| Report::Acknowledged { written_at, acked_at: Instant::now() })
    }
}

/// Takes every waiter as far as it goes and removes those that are done.
pub(crate) fn advance_all(waiters: &mut Vec<Waiter>, connection: &Connection, settled: bool) {
    let (done, waiting) = std::mem::take(waiters)
        .into_iter()
        .map(|mut waiter| (waiter.advance(connection, settled), waiter))
        .partition::<Vec<_>, _>(|(acknowledged, _)| acknowledged.is_some());
    waiters.extend(waiting.into_iter().map(|(_, waiter)| waiter));
    for (acknowledged, waiter) in done {
        if let Some(acknowledged) = acknowledged {
            // The caller may have lost interest.
            let _ = waiter.report.send(acknowledged);
        }
    }
}

/// Puts the neighbors' reports together. A neighbor whose session ended is not waited for any more.
pub(crate) async fn collect(
    reports: Vec<oneshot::Receiver<Report>>,
    bound: Duration,
    done: oneshot::Sender<Flushed>,
) {
    let deadline = tokio::time::Instant::now() + bound;
    let mut flushed = Flushed {
        neighbors_established: 0,
        neighbors_acknowledged: 0,
        acknowledged: true,
        written_at: None,
        acked_at: None,
    };
    for report in reports {
        match tokio::time::timeout_at(deadline, report).await {
            Ok(Ok(Report::NotEstablished)) => {}
            Ok(Ok(Report::Acknowledged { written_at, acked_at })) => {
                flushed.neighbors_established += 1;
                flushed.neighbors_acknowledged += 1;
                flushed.written_at = flushed.written_at.max(Some(written_at));
                flushed.acked_at = flushed.acked_at.max(Some(acked_at));
            }
            Ok(Err(_session_ended)) => flushed.neighbors_established += 1,
            Err(_bound_passed) => {
                flushed.neighbors_established += 1;
                flushed.acknowledged = false;
            }
        }
    }
    if !flushed.acknowledged {
        flushed.acked_at = None;
    }
    let _ = done.send(flushed);
}
