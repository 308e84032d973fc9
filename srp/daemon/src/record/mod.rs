//! The record of the state machine: every event and what it led to, in a bounded file, for `srpd replay`.
//!
//! ```text
//!  chassis thread --- Entry ---> bounded queue ---> srpd-record thread ---> FILE, FILE.old
//!  never waits, never wakes                         formats, writes, rotates
//! ```
//!
//! Always: a step in the file follows the state that the line before it left, or a whole state stands before it. Where a
//! step is lost (the queue is full, the disk is), the file says how many, and goes on with the whole state; so it does
//! where the older half has gone. The text itself is [`srp_core::trace`].

mod file;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use srp_core::chassis::{Action, Chassis, Event, Settings};
use srp_core::config::RecordConfig;
use srp_core::types::Time;
use tracing::{error, warn};

use crate::inbox::{Inbox, Input};

/// Steps that wait for the writer. At a hello-interval of 10 ms it may sleep for 20 seconds before one is lost.
const QUEUE: usize = 4096;

/// How long a writer may take to finish with its file.
const FINISH: Duration = Duration::from_secs(2);

/// The end of the chassis thread.
pub struct Recorder {
    entries: SyncSender<Entry>,
    shared: Arc<Shared>,
    /// A step was lost: none is sent until the whole state was.
    gap: bool,
}

/// For the file, in the order of what happened.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
enum Entry {
    Start {
        at: Time,
        settings: Box<Settings>,
    },
    /// Everything the chassis knows, and how many steps had been lost in the queue until then.
    Resume {
        chassis: Box<Chassis>,
        overflowed: u64,
    },
    Step {
        at: Time,
        event: Event,
        actions: Vec<Action>,
        next: Time,
    },
}

#[derive(Default)]
struct Shared {
    /// The writer needs the whole state.
    wants_state: AtomicBool,
    /// Steps lost because the queue was full.
    overflowed: AtomicU64,
    /// Steps lost because the file could not take them.
    unwritten: AtomicU64,
    /// Steps in the file.
    written: AtomicU64,
}

impl Recorder {
    fn new(entries: SyncSender<Entry>, shared: Arc<Shared>) -> Self {
        Self { entries, shared, gap: true }
    }

    /// A chassis has just started; otherwise the record begins with the state of a running one.
    pub fn start(&mut self, at: Time, settings: &Settings) {
        self.gap = self.entries.try_send(Entry::Start { at, settings: Box::new(settings.clone()) }).is_err();
    }

    /// To be called before the chassis takes an event.
    pub fn before(&mut self, chassis: &Chassis) {
        let wanted = self.shared.wants_state.swap(false, Relaxed);
        if !wanted && !self.gap {
            return;
        }
        let overflowed = self.shared.overflowed.load(Relaxed);
        match self.entries.try_send(Entry::Resume { chassis: Box::new(chassis.clone()), overflowed }) {
            Ok(()) => self.gap = false,
            Err(TrySendError::Full(_)) => self.shared.wants_state.store(true, Relaxed),
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// The event has been taken, and this is what came of it.
    pub fn step(&mut self, at: Time, event: Event, actions: Vec<Action>, next: Time) {
        if self.gap || self.entries.try_send(Entry::Step { at, event, actions, next }).is_err() {
            self.shared.overflowed.fetch_add(1, Relaxed);
            self.gap = true;
        }
    }

    /// Steps written, and steps lost.
    pub fn counters(&self) -> (u64, u64) {
        let lost = self.shared.overflowed.load(Relaxed) + self.shared.unwritten.load(Relaxed);
        (self.shared.written.load(Relaxed), lost)
    }
}

/// The end of those who begin and end it.
#[derive(Default)]
pub struct Recording {
    thread: Option<JoinHandle<()>>,
}

impl Recording {
    /// Begins, if the configuration says so. A file that cannot be had is tried again, and keeps nobody from serving.
    pub fn begin(config: Option<&RecordConfig>) -> std::io::Result<(Self, Option<Recorder>)> {
        let Some(config) = config else { return Ok((Self::default(), None)) };
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let writer = writer::Writer::new(config, Arc::clone(&shared));
        let thread =
            std::thread::Builder::new().name("srpd-record".into()).spawn(move || writer.run(&receiver))?;
        Ok((Self { thread: Some(thread) }, Some(Recorder::new(sender, shared))))
    }

    /// Goes on as the configuration says now.
    pub async fn change(&mut self, inbox: &Inbox, config: Option<&RecordConfig>) {
        if let Err(error) = inbox.send(Input::Record(None)) {
            warn!(%error, "chassis thread not told");
            return;
        }
        // Two writers of one file would write into each other's lines.
        if !self.finish().await {
            error!("the record has not changed: its file is still being written; reload again");
            return;
        }
        match Self::begin(config) {
            Ok((recording, recorder)) => {
                *self = recording;
                if let Err(error) = inbox.send(Input::Record(recorder.map(Box::new))) {
                    warn!(%error, "chassis thread not told");
                }
            }
            Err(error) => error!(%error, "nothing is recorded: reload again"),
        }
    }

    /// Waits until the file is complete, but not for ever. The chassis thread must have let its end go.
    pub async fn finish(&mut self) -> bool {
        let deadline = tokio::time::Instant::now() + FINISH;
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(writer::PERIOD).await;
        }
        self.thread = None;
        true
    }
}
