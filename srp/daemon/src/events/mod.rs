//! Events of this daemon: any thread tells what it saw and waits for nobody; a thread of its own names it, logs it and hands
//! it on.
//!
//! What is told goes through a queue of [`QUEUE`] observations; one that finds it full is lost and counted, so a storm of
//! events costs the chassis thread nothing but the attempt.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use srp_core::api::EventRecord;
use srp_core::config::Config;
use srp_core::events::{Entry, Log, Observation, Observer, Severity, Whereabouts};
use srp_core::types::Time;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::clock;
use crate::watch::lock;

/// So many observations wait for the thread at the most.
const QUEUE: usize = 4_096;

/// Where events are told, and read.
#[derive(Clone)]
pub struct Herald {
    told: mpsc::Sender<Told>,
    lost: Arc<AtomicU64>,
    log: SharedLog,
}

type SharedLog = Arc<Mutex<Log>>;

enum Told {
    Seen(Time, Observation),
    End(oneshot::Sender<()>),
}

impl Herald {
    /// Starts the thread. An error is one of the system: no thread, or no descriptor for its loop.
    pub fn start(here: Whereabouts) -> io::Result<Self> {
        let (told, inbox) = mpsc::channel(QUEUE);
        let herald = Self { told, lost: Arc::default(), log: SharedLog::default() };
        let desk = Desk { observer: Observer::new(here), log: Arc::clone(&herald.log) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("srpd-events".into())
            .spawn(move || runtime.block_on(desk.run(inbox)))?;
        Ok(herald)
    }

    /// Tells what was seen now. Never waits.
    pub fn tell(&self, observation: Observation) {
        self.tell_at(clock::now(), observation);
    }

    /// Tells what was seen then. Never waits.
    pub fn tell_at(&self, at: Time, observation: Observation) {
        if self.told.try_send(Told::Seen(at, observation)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The last events, oldest first.
    pub fn show(&self, least: Severity, traps: bool, last: usize) -> Vec<EventRecord> {
        lock(&self.log).show(least, traps, last).into_iter().map(EventRecord::from).collect()
    }

    /// Observations that found the queue full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything that was told is handed on, but no longer than this.
    pub async fn finish(&self, within: Duration) {
        let (done, finished) = oneshot::channel();
        let all = async {
            if self.told.send(Told::End(done)).await.is_ok() {
                let _ = finished.await; // a thread that is gone has nothing more to hand on
            }
        };
        if tokio::time::timeout(within, all).await.is_err() {
            warn!("the last events are not handed on: not waited for");
        }
    }
}

/// What events say of this chassis.
pub fn whereabouts(config: &Config) -> Whereabouts {
    let srp = &config.srp;
    Whereabouts {
        context: srp.context.clone(),
        srp_address: srp.bind_address,
        port: srp.port,
        peer: srp.peer_address,
    }
}

/// The thread.
struct Desk {
    observer: Observer,
    log: SharedLog,
}

impl Desk {
    async fn run(mut self, mut inbox: mpsc::Receiver<Told>) {
        while let Some(told) = inbox.recv().await {
            match told {
                Told::Seen(at, observation) => self.hand_on(at, &observation),
                Told::End(done) => {
                    let _ = done.send(()); // whoever waited may have lost patience
                    return;
                }
            }
        }
    }

    fn hand_on(&mut self, at: Time, observation: &Observation) {
        for occurrence in self.observer.note(observation) {
            let _entry: Entry = lock(&self.log).push(at, clock::wall_us(at), occurrence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Whereabouts {
        Whereabouts {
            context: "srp".into(),
            srp_address: [192, 0, 2, 1].into(),
            port: 4493,
            peer: [192, 0, 2, 2].into(),
        }
    }

    #[tokio::test]
    async fn what_any_thread_tells_is_logged_in_order() {
        let events = Herald::start(here()).expect("a thread");
        let elsewhere = events.clone();
        std::thread::spawn(move || elsewhere.tell(Observation::LinkDown { why: "silent".into() }))
            .join()
            .expect("told");
        events.tell(Observation::LinkUp);
        events.finish(Duration::from_mins(1)).await;
        let names: Vec<_> =
            events.show(Severity::Info, true, 10).into_iter().map(|event| event.name).collect();
        assert_eq!(names, ["starSRPConnDown", "starSRPConnUp"]);
    }

    #[tokio::test]
    async fn what_finds_nobody_is_counted() {
        let events = Herald::start(here()).expect("a thread");
        events.finish(Duration::from_mins(1)).await;
        events.told.closed().await;
        events.tell(Observation::Stopping);
        assert_eq!(events.lost(), 1);
    }
}
