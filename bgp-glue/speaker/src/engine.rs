//! The `bgp-io` thread: it owns the listeners and the tasks of the neighbors, and obeys the handles.

mod exports;
mod keys;
mod links;
mod monitors;
mod reload;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use bgp_proto::originate::OriginatedSet;
use bgp_proto::rib::{Local, PeerId};
use bgp_proto::types::Time;
use bgp_proto::wire::notification::{Notification, reason};
use ipnetwork::IpNetwork;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::config::{NeighborConfig, NeighborKey, NeighborRange, SpeakerConfig};
use crate::deferral::Deferral;
use crate::event::Event;
use crate::flush;
use crate::handle::{Command, Flushed, Restarted, SpeakerHandle, StartError};
use crate::monitor::Monitor;
use crate::peer::{Neighbor, Order, PeerSetup};
use crate::rib_task::{RibMessage, RibTask};
use crate::socket;
use crate::summary::SpeakerSummary;

use exports::Exports;

/// Events that wait for the owner before changes gather in the table.
const EVENT_QUEUE: usize = 64;
/// Messages that wait for the table before neighbors are not read any more.
const RIB_QUEUE: usize = 1024;
/// Accepted connections that wait to be looked at.
const ACCEPT_QUEUE: usize = 16;
/// How long the end of the speaker waits for its connections.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);

pub(crate) fn start(
    config: SpeakerConfig,
    restarted: Option<Restarted>,
) -> Result<(SpeakerHandle, mpsc::Receiver<Event>), StartError> {
    let io = runtime()?;
    let table = runtime()?;
    let (commands, command_receiver) = mpsc::unbounded_channel();
    let (events, event_receiver) = mpsc::channel(EVENT_QUEUE);
    let (rib, rib_receiver) = mpsc::channel(RIB_QUEUE);
    let seed = RandomState::new().hash_one(std::process::id());
    let mut rib_task = RibTask::new(local(&config), seed, events);
    if config.watch_next_hops {
        rib_task.watch_next_hops();
    }

    if let Some(restarted) = restarted {
        let restarts = |neighbor: &&NeighborConfig| neighbor.offer.graceful_restart.is_some();
        let awaited = config.neighbors.iter().filter(restarts);
        let awaited = awaited.map(|neighbor| (neighbor.key(), neighbor.families));
        rib_task.defer(Deferral::new(awaited, Instant::now() + restarted.window));
    }

    let mut engine = {
        let _inside = io.enter();
        Engine::new(config, restarted, seed, rib)?
    };
    spawn("bgp-rib", move || table.block_on(rib_task.run(rib_receiver)))?;
    spawn("bgp-io", move || {
        io.block_on(async move {
            engine.start_monitors();
            engine.start_neighbors();
            engine.run(command_receiver).await;
        });
    })?;
    Ok((SpeakerHandle { commands }, event_receiver))
}

/// What the table has to know about the speaker.
fn local(config: &SpeakerConfig) -> Local {
    Local { asn: config.local_as, router_id: config.router_id, multipath: config.multipath }
}

fn runtime() -> Result<Runtime, StartError> {
    Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map(drop).map_err(StartError::Thread)
}

struct Engine {
    config: SpeakerConfig,
    clock: Clock,
    /// What is known of an earlier life.
    restarted: Option<Restarted>,
    seed: u64,
    next_id: u32,
    listeners: BTreeMap<SocketAddr, Listener>,
    /// Index of the VRF device when the listeners were bound to it.
    device_index: Option<u32>,
    neighbors: BTreeMap<NeighborKey, Running>,
    originated: Arc<OriginatedSet>,
    has_originated: bool,
    rib: mpsc::Sender<RibMessage>,
    /// Before `rib`: they have to know that they are to end when the table does.
    monitors: Vec<Monitor>,
    monitors_started: u64,
    accepted: mpsc::Receiver<(TcpStream, SocketAddr)>,
    accept: mpsc::Sender<(TcpStream, SocketAddr)>,
    refused: u64,
}

/// Accepts connections until it is dropped.
struct Listener {
    socket: Arc<TcpListener>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task of a neighbor, from outside.
struct Running {
    id: PeerId,
    config: NeighborConfig,
    /// The range that let it in; `None` for a named neighbor.
    range: Option<IpNetwork>,
    /// What it is told: our routes by its export policy.
    originated: Arc<OriginatedSet>,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<()>,
}

/// How a run ended.
enum End {
    /// No handle is left.
    Dropped,
    /// A handle asked for it.
    Asked { text: String, done: oneshot::Sender<()> },
}

impl Engine {
    fn new(
        config: SpeakerConfig,
        restarted: Option<Restarted>,
        seed: u64,
        rib: mpsc::Sender<RibMessage>,
    ) -> Result<Self, StartError> {
        let (accept, accepted) = mpsc::channel(ACCEPT_QUEUE);
        let mut engine = Self {
            clock: Clock::start(),
            restarted,
            seed,
            next_id: 0,
            listeners: BTreeMap::new(),
            device_index: config.device_index(),
            neighbors: BTreeMap::new(),
            originated: Arc::default(),
            has_originated: false,
            rib,
            monitors: Vec::new(),
            monitors_started: 0,
            accepted,
            accept,
            refused: 0,
            config,
        };
        engine.config.check_keys()?;
        engine.listeners = engine.open_listeners(&engine.config)?;
        Ok(engine)
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let end = loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    None => break End::Dropped,
                    Some(Command::Shutdown { text, done }) => break End::Asked { text, done },
                    Some(command) => self.obey(command),
                },
                // The engine holds a sender, so this never ends.
                Some((stream, from)) = self.accepted.recv() => self.accepted(stream, from),
            }
        };
        self.listeners.clear();
        let (text, done) = match end {
            End::Dropped => (String::new(), None),
            End::Asked { text, done } => (text, Some(done)),
        };
        let cease = Notification::cease_with_text(reason::ADMINISTRATIVE_SHUTDOWN, &text);
        let tasks: Vec<_> =
            std::mem::take(&mut self.neighbors).into_values().map(|running| running.stop(&cease)).collect();
        let all = async {
            for task in tasks {
                // A task that panicked has said so on its own.
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(SHUTDOWN_WAIT, all).await;
        // They see the sessions end before they end themselves.
        self.monitors.clear();
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::SetOriginated { routes, bound, awaits_return, done } => {
                self.originated = Arc::new(routes.into_iter().collect());
                self.has_originated = true;
                self.set_originated(bound, awaits_return, done);
            }
            Command::Reload { config, done } => {
                let _ = done.send(self.reload(config));
            }
            Command::Clear { neighbor, done } => {
                let running = self.neighbors.get(&neighbor);
                if let Some(running) = running {
                    running.order(Order::Clear);
                }
                let _ = done.send(running.is_some());
            }
            Command::BfdDown { neighbor } => {
                if let Some(running) = self.neighbors.get(&neighbor) {
                    running.order(Order::BfdDown);
                }
            }
            Command::LinkDown { link } => self.on_link(&link, || Order::LinkDown),
            Command::LinkUp { link } => {
                self.follow_device(&link);
                self.on_link(&link, || Order::LinkUp);
            }
            Command::Summary { done } => self.summary(done),
            Command::Routes { filter, done } => self.tell_table(RibMessage::Routes(filter, done)),
            Command::Announced { neighbor, done } => {
                let routes =
                    self.neighbors.get(&neighbor).map(|running| running.originated.routes().collect());
                let _ = done.send(routes);
            }
            Command::SoftIn { neighbor, done } => {
                let id = self.neighbors.get(&neighbor).map(|running| running.id);
                if let Some(id) = id {
                    self.tell_table(RibMessage::JudgeAgain(id));
                }
                let _ = done.send(id.is_some());
            }
            Command::SoftOut { neighbor, done } => {
                let running = self.neighbors.get(&neighbor);
                if let Some(running) = running {
                    running.order(Order::TellAgain);
                }
                let _ = done.send(running.is_some());
            }
            Command::NextHops(next_hops) => self.tell_table(RibMessage::NextHops(next_hops)),
            Command::DumpTable { view, done } => self.tell_table(RibMessage::DumpTable(view, done)),
            Command::NextHopsMoved(moved) => self.tell_table(RibMessage::NextHopsMoved(moved)),
            Command::AllNextHops { done } => self.tell_table(RibMessage::AllNextHops(done)),
            Command::Shutdown { done, .. } => drop(done), // taken out by `run`
        }
    }

    /// The table may be busy, and this thread does not wait for it.
    fn tell_table(&self, message: RibMessage) {
        let rib = self.rib.clone();
        tokio::spawn(async move { rib.send(message).await });
    }

    fn set_originated(&mut self, bound: Duration, awaits_return: bool, done: oneshot::Sender<Flushed>) {
        let mut reports = Vec::new();
        let mut exports = Exports::new(&self.originated);
        for running in self.neighbors.values_mut() {
            let (report, receiver) = oneshot::channel();
            running.originated = exports.by(&running.config);
            let routes = Arc::clone(&running.originated);
            running.order(Order::Originate { routes, report, awaits_return });
            reports.push(receiver);
        }
        tokio::spawn(flush::collect(reports, bound, done));
    }

    fn summary(&self, done: oneshot::Sender<SpeakerSummary>) {
        let mut answers = Vec::new();
        for running in self.neighbors.values() {
            let (answer, receiver) = oneshot::channel();
            running.order(Order::Summary(answer));
            answers.push(receiver);
        }
        let mut summary = SpeakerSummary {
            local_as: self.config.local_as,
            router_id: self.config.router_id,
            originated: self.originated.len(),
            refused_connections: self.refused,
            monitors: self.monitors.iter().map(Monitor::summary).collect(),
            neighbors: Vec::new(),
        };
        tokio::spawn(async move {
            for answer in answers {
                summary.neighbors.extend(answer.await.ok());
            }
            done.send(summary)
        });
    }

    fn accepted(&mut self, stream: TcpStream, from: SocketAddr) {
        self.forget_transients();
        let named = self.neighbors.values().find(|running| is_from(from, &running.config));
        let by_link = || self.neighbors.values().find(|running| is_on_link(from, &running.config));
        if let Some(running) = named.or_else(by_link) {
            running.order(Order::Accepted(stream));
            return;
        }
        let holds = |range: &&NeighborRange| range.prefix.contains(from.ip());
        let range = self.config.ranges.iter().filter(holds).max_by_key(|range| range.prefix.prefix());
        let why = match range {
            None => "no neighbor has this address",
            Some(range) if self.count_in(range.prefix) >= range.limit => "the range is full",
            Some(range) => {
                let (config, prefix) = (range.neighbor_at(from.ip()), range.prefix);
                let key = config.key();
                self.start(config, Some(prefix));
                if let Some(running) = self.neighbors.get(&key) {
                    running.order(Order::Accepted(stream));
                }
                return;
            }
        };
        self.refused += 1;
        tracing::info!(%from, "connection refused: {why}");
    }

    fn count_in(&self, prefix: IpNetwork) -> usize {
        self.neighbors.values().filter(|running| running.range == Some(prefix)).count()
    }

    /// Clears away the neighbors of ranges that have gone.
    fn forget_transients(&mut self) {
        self.neighbors.retain(|_, running| running.range.is_none() || !running.task.is_finished());
    }

    /// The neighbor as it is spoken to: it is told of our restart. Not part of what is configured, which a reload compares.
    fn as_restarted(&self, config: &NeighborConfig) -> NeighborConfig {
        let mut config = config.clone();
        if let (Some(offer), Some(restarted)) = (&mut config.offer.graceful_restart, self.restarted) {
            let window = u64::try_from(restarted.window.as_millis()).unwrap_or(u64::MAX);
            offer.restarted_until = Some(Time::from_millis(window));
            offer.forwarding = restarted.forwarding;
            if let Some(long_lived) = &mut config.offer.long_lived {
                long_lived.forwarding = restarted.forwarding;
            }
        }
        config
    }

    fn listen(&self, listener: TcpListener) -> Listener {
        let accept = self.accept.clone();
        let socket = Arc::new(listener);
        let listener = Arc::clone(&socket);
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok(connection) => {
                        if accept.send(connection).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        // Out of descriptors or of memory: neighbors try again, and so does this, a little later.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Listener { socket, task }
    }

    /// Opens the listeners of a configuration that are not open yet.
    fn open_listeners(&self, config: &SpeakerConfig) -> Result<BTreeMap<SocketAddr, Listener>, StartError> {
        let mut opened = BTreeMap::new();
        for address in config.listen.iter().map(|address| SocketAddr::new(*address, config.port)) {
            if !self.listeners.contains_key(&address) && !opened.contains_key(&address) {
                match socket::listen(address, config.device.as_deref()) {
                    Ok(listener) => {
                        // Before anybody can connect unsigned: the queue is not looked at until this thread is free.
                        keys::give(&listener, &keys::Keys::default(), &keys::wanted(config))
                            .map_err(StartError::Key)?;
                        opened.insert(address, self.listen(listener));
                    }
                    // "Every address" means every one that the kernel knows.
                    Err(error) if socket::is_unknown_family(&error) && address.ip().is_unspecified() => {
                        tracing::info!(%address, "not listening: the kernel does not have this IP version");
                    }
                    Err(source) => return Err(StartError::Listen { address, source }),
                }
            }
        }
        Ok(opened)
    }

    fn start_neighbors(&mut self) {
        for neighbor in self.config.neighbors.clone() {
            self.start_neighbor(neighbor);
        }
    }

    fn start_neighbor(&mut self, config: NeighborConfig) {
        self.start(config, None);
    }

    fn start(&mut self, config: NeighborConfig, range: Option<IpNetwork>) {
        let (orders, order_receiver) = mpsc::unbounded_channel();
        self.next_id += 1;
        let id = PeerId(self.next_id);
        let originated = Exports::new(&self.originated).by(&config);
        let neighbor = Neighbor::new(PeerSetup {
            id,
            config: self.as_restarted(&config),
            device: self.config.device.clone(),
            local_as: config.our_as(self.config.local_as),
            router_id: self.config.router_id,
            seed: self.seed.wrapping_add(u64::from(self.next_id)),
            clock: self.clock,
            originated: Arc::clone(&originated),
            has_originated: self.has_originated,
            orders: order_receiver,
            sender: orders.downgrade(),
            rib: self.rib.clone(),
            transient: range.is_some(),
        });
        let task = tokio::spawn(neighbor.run());
        self.neighbors.insert(config.key(), Running { id, config, range, originated, orders, task });
    }
}

impl Running {
    fn order(&self, order: Order) {
        // A task ends only when it was stopped.
        let _ = self.orders.send(order);
    }

    fn stop(self, cease: &Notification) -> JoinHandle<()> {
        self.order(Order::Stop(cease.clone()));
        self.task
    }
}

fn is_from(from: SocketAddr, neighbor: &NeighborConfig) -> bool {
    Some(from.ip()) == neighbor.address
        && match from {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && neighbor.interface.is_some() => {
                is_by_interface(v6, neighbor)
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => true,
        }
}

/// Whether it may be the neighbor that is found on its link. The neighbor's task knows.
fn is_on_link(from: SocketAddr, neighbor: &NeighborConfig) -> bool {
    match from {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
            neighbor.address.is_none() && is_by_interface(v6, neighbor)
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => false,
    }
}

fn is_by_interface(from: SocketAddrV6, neighbor: &NeighborConfig) -> bool {
    let index = neighbor.interface.as_deref().and_then(|name| socket::interface_index(name).ok());
    index == Some(from.scope_id())
}
