//! Events of this daemon: any thread tells what it saw and waits for nobody; a thread of its own names it, logs it and hands
//! it on.
//!
//! What is told goes through a queue of [`QUEUE`] observations; one that finds it full is lost and counted, so a storm of
//! events costs the chassis thread nothing but the attempt.

mod acknowledged;
mod outlet;
pub mod snmp;
mod syslog;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use srp_core::api::{EventRecord, EventTarget};
use srp_core::chassis::Fact;
use srp_core::config::{Config, EventFilter, OutletConfig, SnmpSecurity, SyslogTransport};
use srp_core::events::{Entry, Log, Name, Observation, Observer, Severity, Whereabouts};
use srp_core::types::{ChassisState, Mac, Time};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::clock;
use crate::start::random;
use crate::watch::lock;
use outlet::{Outlet, Tally, Way};
use snmp::{Asker, Credentials, SnmpError, Speaker};

/// So many observations wait for the thread at the most.
const QUEUE: usize = 4_096;

/// Where events are told, and read.
#[derive(Clone)]
pub struct Herald {
    told: mpsc::Sender<Told>,
    lost: Arc<AtomicU64>,
    log: SharedLog,
    tallies: SharedTallies,
    states: watch::Sender<ChassisState>,
    bulk: Arc<(AtomicU64, AtomicU64)>,
}

type SharedTallies = Arc<Mutex<Vec<Arc<Tally>>>>;

type SharedLog = Arc<Mutex<Log>>;

enum Told {
    Seen(Time, Observation),
    Outlets(Box<Outlets>, Mac),
    End(oneshot::Sender<()>),
}

impl Herald {
    /// Starts the thread. An error is one of the system: no thread, or no descriptor for its loop.
    pub fn start(here: Whereabouts) -> io::Result<Self> {
        let (told, inbox) = mpsc::channel(QUEUE);
        let herald = Self {
            told,
            lost: Arc::default(),
            log: SharedLog::default(),
            tallies: SharedTallies::default(),
            states: watch::Sender::new(ChassisState::Init),
            bulk: Arc::default(),
        };
        let desk = Desk {
            observer: Observer::new(here),
            log: Arc::clone(&herald.log),
            tallies: Arc::clone(&herald.tallies),
            states: herald.states.clone(),
            outlets: Vec::new(),
            tasks: JoinSet::new(),
            started: clock::now(),
        };
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

    /// From here on these are told of events, and no others. What waits for others is still sent.
    pub async fn tell_of_events(&self, outlets: Outlets, mac: Mac) {
        if self.told.send(Told::Outlets(Box::new(outlets), mac)).await.is_err() {
            warn!("nobody is told of events: the thread for that has ended");
        }
    }

    /// Who is told of events, and what became of it.
    pub fn targets(&self) -> Vec<EventTarget> {
        lock(&self.tallies).iter().map(|tally| tally.show()).collect()
    }

    /// How often each event happened.
    pub fn counts(&self) -> Vec<(Name, u64)> {
        lock(&self.log).counts().collect()
    }

    /// The state of the chassis, as events had it last.
    pub fn states(&self) -> watch::Receiver<ChassisState> {
        self.states.subscribe()
    }

    /// Counts files of bulk statistics, and failures to write them.
    pub fn bulk_written(&self, files: u64, failed: bool) {
        self.bulk.0.fetch_add(files, Ordering::Relaxed);
        self.bulk.1.fetch_add(failed.into(), Ordering::Relaxed);
    }

    /// What was counted so.
    pub fn bulk(&self) -> (u64, u64) {
        (self.bulk.0.load(Ordering::Relaxed), self.bulk.1.load(Ordering::Relaxed))
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

/// Who is to be told of events, with the credentials that stand in files.
#[derive(Clone, PartialEq, Eq)]
pub struct Outlets {
    config: OutletConfig,
    credentials: Vec<Credentials>,
}

impl Outlets {
    /// Reads the credentials. An error is a file that cannot be used.
    pub fn load(config: &Config) -> Result<Self, SnmpError> {
        let credentials = config.outlets.snmp.iter().map(Credentials::load).collect::<Result<_, _>>()?;
        Ok(Self { config: config.outlets.clone(), credentials })
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
    states: watch::Sender<ChassisState>,
    log: SharedLog,
    tallies: SharedTallies,
    outlets: Vec<Outlet>,
    tasks: JoinSet<()>,
    started: Time,
}

impl Desk {
    async fn run(mut self, mut inbox: mpsc::Receiver<Told>) {
        while let Some(told) = inbox.recv().await {
            match told {
                Told::Seen(at, observation) => self.hand_on(at, &observation),
                Told::Outlets(outlets, mac) => self.open(&outlets, mac),
                Told::End(done) => {
                    // Their queues end, and with them the tasks, once all is sent.
                    self.outlets.clear();
                    while self.tasks.join_next().await.is_some() {}
                    let _ = done.send(()); // whoever waited may have lost patience
                    return;
                }
            }
        }
    }

    fn hand_on(&mut self, at: Time, observation: &Observation) {
        if let Observation::Fact(Fact::State { to, .. }) = observation {
            self.states.send_replace(*to);
        }
        for occurrence in self.observer.note(observation) {
            let entry = lock(&self.log).push(at, clock::wall_us(at), occurrence);
            self.outlets.iter().for_each(|outlet| outlet.hand(&entry));
        }
    }

    fn open(&mut self, Outlets { config, credentials }: &Outlets, mac: Mac) {
        self.outlets.clear();
        let started = (self.started, clock::wall_us(self.started));
        let engine = snmp::engine_id(config.engine_id.as_ref(), mac);
        if !config.snmp.is_empty() {
            info!(engine_id = %engine, "SNMP notifications");
        }
        for (target, credentials) in config.snmp.iter().zip(credentials) {
            let way = Way {
                kind: match (&target.security, target.inform.is_some()) {
                    (SnmpSecurity::V2c { .. }, false) => "snmp-2c",
                    (SnmpSecurity::V2c { .. }, true) => "snmp-2c-inform",
                    (SnmpSecurity::V3 { .. }, false) => "snmp-3",
                    (SnmpSecurity::V3 { .. }, true) => "snmp-3-inform",
                },
                target: (target.address, target.port).into(),
                source: target.source_address,
                is_stream: false,
                acknowledges: target.inform.is_some(),
            };
            if let Some(inform) = target.inform {
                let asker = Asker::new(credentials, &engine, self.started, random());
                let filter = target.filter.clone();
                let outlet = Outlet::start_asking(way, filter, asker, inform, &mut self.tasks);
                self.outlets.push(outlet);
                continue;
            }
            let mut speaker = Speaker::new(credentials, &engine, started, random());
            let form = move |entry: &Entry| match speaker.datagram(entry) {
                Ok(octets) => octets,
                Err(error) => {
                    warn!(%error, "SNMP");
                    None
                }
            };
            self.add(way, &target.filter, Box::new(form));
        }
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let sender = syslog::Sender::new(&host, std::process::id());
        for collector in &config.syslog {
            let (sender, facility) = (sender.clone(), collector.facility);
            let (kind, is_stream) = match collector.transport {
                SyslogTransport::Udp => ("syslog-udp", false),
                SyslogTransport::Tcp => ("syslog-tcp", true),
            };
            let form = move |entry: &Entry| {
                let message = sender.message(facility, entry);
                Some(if is_stream { syslog::framed(&message) } else { message.into_bytes() })
            };
            let target = (collector.address, collector.port).into();
            let source = collector.source_address;
            let way = Way { kind, target, source, is_stream, acknowledges: false };
            self.add(way, &collector.filter, Box::new(form));
        }
        let tallies = self.outlets.iter().map(Outlet::tally).collect();
        *lock(&self.tallies) = tallies;
    }

    fn add(&mut self, way: Way, filter: &EventFilter, form: outlet::Form) {
        while self.tasks.try_join_next().is_some() {} // those of an earlier configuration
        self.outlets.push(Outlet::start(way, filter.clone(), form, &mut self.tasks));
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
