//! The thread that writes the record.
//!
//! It looks for work every [`PERIOD`] instead of being woken: waking takes a lock, and the chassis thread must not wait
//! for one that a writer without a processor holds.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use srp_core::config::RecordConfig;
use srp_core::trace;
use tracing::{error, info, warn};

use super::file::{TraceFile, WriteError};
use super::{Entry, Shared};
use crate::clock;

/// Between two looks at the queue; what was done within it is lost with a SIGKILL.
pub(super) const PERIOD: Duration = Duration::from_millis(20);

/// After a failure the file is opened again this much later.
const RETRY: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    config: RecordConfig,
    shared: Arc<Shared>,
    file: Option<TraceFile>,
    retry_at: Instant,
    /// The failure has been logged.
    failing: bool,
    /// The next step follows the last line of the file.
    synced: bool,
    /// The state was asked for, because the file is nearly full.
    asked: bool,
    /// Steps that the file does not have, and does not say so yet.
    missing: u64,
    /// Steps lost in the queue that are accounted for.
    overflowed: u64,
    text: Vec<u8>,
}

impl Writer {
    pub(super) fn new(config: &RecordConfig, shared: Arc<Shared>) -> Self {
        Self {
            config: config.clone(),
            shared,
            file: None,
            retry_at: Instant::now(),
            failing: false,
            synced: false,
            asked: false,
            missing: 0,
            overflowed: 0,
            text: Vec::new(),
        }
    }

    /// Until the chassis thread lets its end go.
    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        self.open();
        loop {
            match entries.try_recv() {
                Ok(entry) => self.take(entry),
                Err(TryRecvError::Empty) => {
                    self.flush();
                    if self.file.is_none() && Instant::now() >= self.retry_at {
                        self.open();
                    }
                    std::thread::sleep(PERIOD);
                }
                Err(TryRecvError::Disconnected) => return self.finish(),
            }
        }
    }

    pub(super) fn take(&mut self, entry: Entry) {
        self.text.clear();
        match entry {
            Entry::Start { at, settings } => {
                trace::start(&mut self.text, at, &settings);
                self.write_state();
            }
            Entry::Resume { chassis, overflowed } => {
                self.account(overflowed);
                if self.missing > 0 {
                    trace::lost(&mut self.text, self.missing);
                }
                trace::resume(&mut self.text, &chassis);
                self.write_state();
            }
            Entry::Step { at, event, actions, next } => {
                trace::step(&mut self.text, at, &event, &actions, next);
                self.write_step();
            }
        }
    }

    /// A line from which a replay can go on. A new half begins with it, if it is time for one.
    fn write_state(&mut self) {
        self.asked = false;
        self.synced = false;
        if self.file.as_ref().is_some_and(|file| file.is_nearly_full() || !file.has_room(self.text.len())) {
            self.flush();
            if let Some(Err(error)) = self.file.as_mut().map(|file| file.rotate(&self.config)) {
                self.close(&error);
            }
            self.text.splice(..0, head());
        }
        let Some(file) = &mut self.file else { return };
        match file.add(&self.text, 0) {
            Ok(()) => {
                self.missing = 0;
                self.synced = true;
            }
            Err(error) => self.fail(&error),
        }
    }

    fn write_step(&mut self) {
        self.synced &= self.file.as_ref().is_some_and(|file| file.has_room(self.text.len()));
        let Some(file) = self.file.as_mut().filter(|_| self.synced) else {
            self.shared.wants_state.store(true, Relaxed);
            return self.lose(1);
        };
        if let Err(error) = file.add(&self.text, 1) {
            return self.fail(&error);
        }
        if file.is_nearly_full() && !self.asked {
            self.asked = true;
            self.shared.wants_state.store(true, Relaxed);
        }
    }

    pub(super) fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.flush() {
            Ok(steps) => {
                self.shared.written.fetch_add(steps, Relaxed);
            }
            Err(error) => self.fail(&error),
        }
    }

    pub(super) fn finish(mut self) {
        self.account(self.shared.overflowed.load(Relaxed));
        if self.missing > 0
            && let Some(file) = &mut self.file
        {
            self.text.clear();
            trace::lost(&mut self.text, self.missing);
            // It fails only with the flush.
            let _ = file.add(&self.text, 0);
        }
        self.flush();
    }

    pub(super) fn open(&mut self) {
        let opened = TraceFile::open(&self.config).and_then(|mut file| {
            file.add(&head(), 0).map_err(|error| error.source)?;
            file.flush().map_err(|error| error.source)?;
            Ok(file)
        });
        match opened {
            Ok(file) => {
                info!(file = %self.config.file.display(), "recording");
                self.file = Some(file);
                self.failing = false;
            }
            Err(error) => self.close(&error),
        }
    }

    fn fail(&mut self, error: &WriteError) {
        self.lose(error.steps);
        self.close(&error.source);
    }

    fn close(&mut self, error: &io::Error) {
        self.file = None;
        self.synced = false;
        self.retry_at = Instant::now() + RETRY;
        if !self.failing {
            self.failing = true;
            let file = self.config.file.display();
            error!(%file, %error, "nothing is recorded: tried again every {RETRY:?}, or change record.file and reload");
        }
    }

    fn lose(&mut self, steps: u64) {
        self.missing += steps;
        self.shared.unwritten.fetch_add(steps, Relaxed);
    }

    /// Takes over what was lost in the queue.
    fn account(&mut self, overflowed: u64) {
        let new = overflowed.saturating_sub(self.overflowed);
        self.overflowed = self.overflowed.max(overflowed);
        self.missing += new;
        if new > 0 {
            warn!(steps = new, "the record has a gap: its writer was too slow");
        }
    }
}

fn head() -> Vec<u8> {
    let mut text = Vec::new();
    trace::head(&mut text, clock::wall_us(clock::now()));
    text
}
