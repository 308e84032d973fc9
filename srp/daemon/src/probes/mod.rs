//! Probes of AAA servers and of Diameter peers: a task for each, on the asynchronous side.
//!
//! ```text
//!  chassis thread ─ state ─► orders ─► a task for each target ─► its slot ─► pump ─► the chassis, which decides
//!  operators ──── resets ────┘               │ UDP, TCP           └────────► show
//! ```
//!
//! Always: only while the chassis is Active is anything sent (MON-1); a task owns its socket and its machine and
//! shares nothing but its slot; a reload leaves targets alone whose settings stay. The chassis thread waits for nothing
//! here: it puts its state into a queue without an end.

mod connection;
mod diameter;
mod radius;
mod settings;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::probe::{Standing, State};
use srp_core::chassis::{Event, MonitorId, MonitorState};
use srp_core::types::ChassisState;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::clock;
use crate::inbox::{Inbox, Input};

pub use diameter::PeerView;
pub use radius::ServerView;
pub use settings::{PeerSettings, SecretError, ServerSettings, Wanted, secret_files, wanted};

/// Why nothing is known on a chassis that is not Active.
const NOT_ACTIVE: &str = "probed on the Active only";

/// The state of one target, told when it is another one than before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Report {
    monitor: MonitorId,
    standing: Standing,
}

/// What the tasks are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Orders {
    /// The chassis is Active.
    active: bool,
    /// How often failures of AAA servers were reset.
    auth_resets: u64,
    /// How often those of Diameter peers were.
    diameter_resets: u64,
}

/// What a task tells of its target.
struct Slot<V> {
    view: Mutex<V>,
    changed: Arc<Notify>,
}

/// A target that is probed; its task ends with it.
struct Running<S, V> {
    settings: S,
    slot: Arc<Slot<V>>,
    task: JoinHandle<()>,
}

/// All probes of the chassis; cheap to clone.
#[derive(Clone)]
pub struct Probes {
    shared: Arc<Shared>,
}

struct Shared {
    orders: watch::Sender<Orders>,
    changed: Arc<Notify>,
    /// All are to be reported, changed or not.
    afresh: AtomicBool,
    targets: Mutex<Targets>,
}

#[derive(Default)]
struct Targets {
    servers: Vec<Running<ServerSettings, ServerView>>,
    peers: Vec<Running<PeerSettings, PeerView>>,
}

impl Probes {
    /// Begins with the targets of a configuration, and reports each change of one to the chassis. States of the chassis go
    /// into what is returned beside it; it ends with that.
    pub fn start(wanted: &Wanted, chassis: Inbox) -> (Self, mpsc::UnboundedSender<ChassisState>) {
        let orders = watch::Sender::new(Orders::default());
        let shared = Shared {
            orders,
            changed: Arc::default(),
            afresh: AtomicBool::default(),
            targets: Mutex::default(),
        };
        let probes = Self { shared: Arc::new(shared) };
        probes.configure(wanted);
        let (states, receiver) = mpsc::unbounded_channel();
        tokio::spawn(probes.clone().run(receiver, chassis));
        (probes, states)
    }

    /// Until the chassis is gone.
    async fn run(self, mut states: mpsc::UnboundedReceiver<ChassisState>, chassis: Inbox) {
        let mut told = Vec::new();
        loop {
            tokio::select! {
                state = states.recv() => match state {
                    Some(state) => self.set_active(state == ChassisState::Active),
                    None => return,
                },
                () = self.shared.changed.notified() => self.tell(&mut told, &chassis),
            }
        }
    }

    /// Reports all of them: the chassis knows another configuration now.
    pub fn report_afresh(&self) {
        self.shared.afresh.store(true, Ordering::Relaxed);
        self.shared.changed.notify_one();
    }

    /// Takes over the targets of a configuration; those that stay are not touched.
    pub fn configure(&self, wanted: &Wanted) {
        let mut targets = self.targets();
        let servers = std::mem::take(&mut targets.servers);
        targets.servers = self.replace(servers, &wanted.servers, radius::run);
        let peers = std::mem::take(&mut targets.peers);
        targets.peers = self.replace(peers, &wanted.peers, diameter::run);
        drop(targets);
        self.shared.changed.notify_one();
    }

    /// `srp reset-auth-probe-fail`: failures of AAA servers count from 0.
    pub fn reset_authentication(&self) {
        self.shared.orders.send_modify(|orders| orders.auth_resets += 1);
    }

    /// `srp reset-diameter-fail`: failures of Diameter peers count from 0.
    pub fn reset_diameter(&self) {
        self.shared.orders.send_modify(|orders| orders.diameter_resets += 1);
    }

    /// What is known of the AAA servers, in configured order.
    pub fn servers(&self) -> Vec<(ServerSettings, ServerView)> {
        views(&self.targets().servers)
    }

    /// What is known of the Diameter peers, in configured order.
    pub fn peers(&self) -> Vec<(PeerSettings, PeerView)> {
        views(&self.targets().peers)
    }

    fn set_active(&self, active: bool) {
        self.shared.orders.send_if_modified(|orders| {
            let other = orders.active != active;
            orders.active = active;
            other
        });
    }

    fn targets(&self) -> MutexGuard<'_, Targets> {
        self.shared.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what runs with the same settings, ends the rest, and begins what is new.
    fn replace<S, V, F>(
        &self,
        mut running: Vec<Running<S, V>>,
        wanted: &[S],
        run: impl Fn(S, Arc<Slot<V>>, watch::Receiver<Orders>) -> F,
    ) -> Vec<Running<S, V>>
    where
        S: Clone + PartialEq,
        V: Default,
        F: Future<Output = ()> + Send + 'static,
    {
        let mut find = |settings: &S| {
            let at = running.iter().position(|old| old.settings == *settings)?;
            Some(running.swap_remove(at))
        };
        let begin = |settings: &S| {
            let changed = Arc::clone(&self.shared.changed);
            let slot = Arc::new(Slot { view: Mutex::default(), changed });
            let orders = self.shared.orders.subscribe();
            let task = tokio::spawn(run(settings.clone(), Arc::clone(&slot), orders));
            Running { settings: settings.clone(), slot, task }
        };
        wanted.iter().map(|settings| find(settings).unwrap_or_else(|| begin(settings))).collect()
    }

    /// Reports what is another state than was `told`, or all.
    fn tell(&self, told: &mut Vec<Report>, chassis: &Inbox) {
        let afresh = self.shared.afresh.swap(false, Ordering::Relaxed);
        let now = self.reports();
        for news in &now {
            let before = told.iter().find(|old| old.monitor == news.monitor).map(|old| &old.standing);
            let changed = before.map_or(State::Unknown, |old| old.state) != news.standing.state;
            if changed {
                log(news);
            }
            if changed || before.is_none() || afresh {
                let (monitor, state) = (news.monitor.clone(), state_of(news.standing.state));
                let event = Event::Monitor { monitor, state };
                if let Err(error) = chassis.send(Input::Event(event, Vec::new())) {
                    warn!(%error, "chassis not told");
                }
            }
        }
        *told = now;
    }

    fn reports(&self) -> Vec<Report> {
        let servers = self.servers().into_iter().map(|(server, view)| (server.monitor, view.standing));
        let peers = self.peers().into_iter().map(|(peer, view)| (peer.monitor, view.standing));
        servers.chain(peers).map(|(monitor, standing)| Report { monitor, standing }).collect()
    }
}

impl<S, V> Drop for Running<S, V> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<V> Slot<V> {
    fn lock(&self) -> MutexGuard<'_, V> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what is known now; `changed` if it is news.
    fn publish(&self, view: V, changed: bool) {
        *self.lock() = view;
        if changed {
            self.changed.notify_one();
        }
    }
}

fn views<S: Clone, V: Clone>(running: &[Running<S, V>]) -> Vec<(S, V)> {
    running.iter().map(|target| (target.settings.clone(), target.slot.lock().clone())).collect()
}

/// One line for each change that concerns service.
fn log(Report { monitor, standing: Standing { state, reason, .. } }: &Report) {
    match state {
        State::Up => info!(%monitor, reason, "monitor up"),
        State::Down => warn!(%monitor, reason, "monitor down"),
        State::Unknown => info!(%monitor, reason, "monitor unknown"),
    }
}

/// In the words of the chassis.
fn state_of(state: State) -> MonitorState {
    match state {
        State::Unknown => MonitorState::Unknown,
        State::Up => MonitorState::Up,
        State::Down => MonitorState::Down,
    }
}

/// The present, as the machines count it.
fn now() -> ::probe::Time {
    ::probe::Time(clock::now().0)
}

/// Returns at the deadline, or never.
async fn until(deadline: Option<::probe::Time>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline.since(now())).await,
        None => std::future::pending().await,
    }
}

/// How long a small message may wait for the peer's TCP.
const WRITE_WITHIN: Duration = Duration::from_secs(1);
