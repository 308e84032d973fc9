//! Loops that do nothing but keep processors busy, beside what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::error::LabError;

/// Busy until it is dropped. The threads run with the priority of every other program, on whatever processor is free.
pub struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    /// Starts `loops` of them.
    pub fn start(loops: usize) -> Result<Self, LabError> {
        let mut busy = Self { stop: Arc::new(AtomicBool::new(false)), threads: Vec::new() };
        for number in 0..loops {
            let stop = Arc::clone(&busy.stop);
            let spin = move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            };
            let thread = std::thread::Builder::new().name(format!("busy-{number}")).spawn(spin);
            busy.threads.push(thread.map_err(|error| LabError::Network {
                doing: "start a busy loop".to_owned(),
                reason: error.to_string(),
            })?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A loop does not panic.
            let _ = thread.join();
        }
    }
}
