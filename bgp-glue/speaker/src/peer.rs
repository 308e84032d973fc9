//! The task of one neighbor: it owns the session, its connections, and what the neighbor has been told.
//!
//! The task never waits for anything but its own sockets, orders and timers. What it has for the table goes through a
//! small backlog; while that is not empty, nothing is read, so that memory stays bounded and the neighbor is slowed
//! down by TCP. Sending is bounded as well: routes are turned into messages only while less than [`FILL_BELOW`]
//! octets wait, so a neighbor that does not read costs a fixed amount until its hold time ends it.

mod actions;
mod details;
mod found;
mod keys;
mod wake;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bgp_proto::adj_rib_out::AdjRibOut;
use bgp_proto::discovery;
use bgp_proto::originate::OriginatedSet;
use bgp_proto::policy::Policy;
use bgp_proto::rib::{Crossing, PeerId};
use bgp_proto::session::{DownReason, Event, Session, SessionConfig, Side};
use bgp_proto::types::{Asn, Families, Millis, PeerKind, RouterId};
use bgp_proto::wire::notification::{Notification, reason};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::ao_keys::AoKeys;
use crate::clock::Clock;
use crate::config::{NeighborConfig, NeighborKey};
use crate::connection::{Connection, Input};
use crate::finder::Finder;
use crate::flush::{self, Report, Waiter};
use crate::limits::{self, Limits};
use crate::rib_task::{RibMessage, RouteCounts, total};
use crate::socket;
use crate::summary::NeighborSummary;
use crate::tcp_auth::Md5Key;

use wake::{Attempt, TableGone, Wake};

/// Routes are turned into messages while fewer octets than this wait for the neighbor to read.
const FILL_BELOW: usize = 64 * 1024;
/// How much is read at once.
const READ_BUFFER: usize = 64 * 1024;

/// What the engine tells the task of a neighbor.
pub(crate) enum Order {
    /// The neighbor has opened a connection.
    Accepted(TcpStream),
    /// This is to be announced from now on.
    Originate {
        routes: Arc<OriginatedSet>,
        report: oneshot::Sender<Report>,
        /// A neighbor that is expected back after our restart reports when it is back.
        awaits_return: bool,
    },
    /// What may be learned changed.
    Policy { policy: Arc<Policy>, allow_own_as: u8 },
    /// It may announce, or is told, another number of routes.
    Limits(Limits),
    /// The table has refused a route of this session: it is beyond the limit.
    Exceeded { session: u64, crossing: Crossing },
    /// The neighbor is to be told everything again.
    TellAgain,
    /// Segments are signed with another key from now on.
    Key(Md5Key),
    /// The same with several keys (RFC 5925).
    AoKeys(AoKeys),
    /// The session is to begin anew.
    Clear,
    /// BFD with the neighbor failed.
    BfdDown,
    /// The link went down.
    LinkDown,
    /// The link came up.
    LinkUp,
    /// Somebody wants to know.
    Summary(oneshot::Sender<NeighborSummary>),
    /// The session is to end, and the task with it.
    Stop(Notification),
}

/// What a task is made of.
pub(crate) struct PeerSetup {
    pub(crate) id: PeerId,
    pub(crate) config: NeighborConfig,
    /// The VRF device that connections are bound to.
    pub(crate) device: Option<Arc<str>>,
    pub(crate) local_as: Asn,
    pub(crate) router_id: RouterId,
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) originated: Arc<OriginatedSet>,
    /// Whether the owner has set it yet.
    pub(crate) has_originated: bool,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    /// For those who have an order only as long as somebody else may have one.
    pub(crate) sender: mpsc::WeakUnboundedSender<Order>,
    pub(crate) rib: mpsc::Sender<RibMessage>,
    /// The neighbor is forgotten when it goes.
    pub(crate) transient: bool,
}

pub(crate) struct Neighbor {
    id: PeerId,
    key: NeighborKey,
    /// As it is spoken to: with the address that was found, where it is found.
    config: NeighborConfig,
    /// Where it is found, if it has no address of its own.
    finder: Option<Finder>,
    device: Option<Arc<str>>,
    local_as: Asn,
    clock: Clock,
    session: Session,
    attempt: Option<Attempt>,
    outgoing: Option<Connection>,
    incoming: Option<Connection>,
    /// Accepted, and the session has not said yet what to do with it.
    accepted: Option<TcpStream>,
    originated: Arc<OriginatedSet>,
    table: Option<AdjRibOut>,
    /// The owner has said what is to be announced, so that End-of-RIB means something to a neighbor that kept our routes.
    has_originated: bool,
    waiters: Vec<Waiter>,
    orders: mpsc::UnboundedReceiver<Order>,
    sender: mpsc::WeakUnboundedSender<Order>,
    rib: mpsc::Sender<RibMessage>,
    backlog: VecDeque<RibMessage>,
    policy: Arc<Policy>,
    counts: Arc<RouteCounts>,
    buffer: Box<[u8]>,
    /// Connections that bring out their last words.
    farewells: JoinSet<()>,
    since: Instant,
    last_error: Option<DownReason>,
    updates_out: u64,
    malformed: u64,
    /// Those of them whose routes were treated as withdrawn.
    withdrawn: u64,
    /// Why and when the last Established session ended.
    last_loss: Option<(DownReason, Instant)>,
    stopping: bool,
    transient: bool,
}

impl Neighbor {
    pub(crate) fn new(setup: PeerSetup) -> Self {
        let PeerSetup {
            has_originated,
            id,
            config,
            device,
            local_as,
            router_id,
            seed,
            clock,
            originated,
            orders,
            sender,
            rib,
            transient,
        } = setup;
        let session = Session::new(SessionConfig {
            local_as,
            router_id,
            remote_as: config.remote_as,
            alternate_as: config.alternate_as.clone(),
            hold_time: config.hold_time,
            families: config.families,
            passive: config.passive,
            delay_open: config.delay_open,
            send_hold: config.send_hold,
            offer: config.offer,
            seed,
        });
        let link = config.interface.clone().filter(|_| config.address.is_none());
        Self {
            id,
            key: config.key(),
            finder: link.map(|interface| Finder::new(interface, clock, seed)),
            policy: Arc::new(config.import.clone()),
            config,
            device,
            local_as,
            clock,
            session,
            attempt: None,
            outgoing: None,
            incoming: None,
            accepted: None,
            originated,
            table: None,
            has_originated,
            waiters: Vec::new(),
            orders,
            sender,
            rib,
            backlog: VecDeque::new(),
            counts: Arc::default(),
            buffer: vec![0; READ_BUFFER].into(),
            farewells: JoinSet::new(),
            since: Instant::now(),
            last_error: None,
            updates_out: 0,
            malformed: 0,
            withdrawn: 0,
            last_loss: None,
            stopping: false,
            transient,
        }
    }

    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        limits::log_held_back(&self.key, self.config.limits.outbound, 0, self.originated.held_back());
        self.handle(Event::Start);
        while !self.stopping {
            self.write();
            let wake = self.wait().await;
            self.wake(wake);
        }
        self.backlog.push_back(RibMessage::Gone { id: self.id, neighbor: self.key.clone() });
        for message in std::mem::take(&mut self.backlog) {
            if self.rib.send(message).await.is_err() {
                break;
            }
        }
        while self.farewells.join_next().await.is_some() {}
    }

    fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Order(Some(order)) => self.obey(order),
            Wake::Order(None) => self.obey(Order::Stop(Notification::new(reason::ADMINISTRATIVE_SHUTDOWN))),
            Wake::Connected(Ok(stream)) => {
                self.outgoing = Some(Connection::new(stream));
                self.handle(Event::Connected);
            }
            Wake::Connected(Err(error)) => self.handle(Event::ConnectFailed(error.to_string())),
            Wake::Readable(side) => self.read(side),
            Wake::Finder => self.wake_finder(),
            Wake::Rib(Ok(())) | Wake::Writable | Wake::PollAcknowledgements => {}
            Wake::Rib(Err(TableGone)) => {
                // The speaker is going down, and this thread with it.
                self.backlog.clear();
                self.obey(Order::Stop(Notification::new(reason::ADMINISTRATIVE_SHUTDOWN)));
            }
            Wake::Deadline => {
                // Octets that wait in the kernel are signs of life that we have not looked at yet.
                for side in [Side::Outgoing, Side::Incoming] {
                    if self.reads() {
                        self.read(side);
                    } else {
                        self.handle(Event::ReadingPaused(side));
                    }
                }
                self.handle(Event::DeadlineReached);
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Accepted(stream) => {
                if self.is_from_neighbor(&stream) && socket::adopt(&stream, &self.config, self.kind()).is_ok()
                {
                    self.accepted = Some(stream);
                    self.handle(Event::Accepted);
                }
            }
            Order::Originate { routes, report, awaits_return } => {
                let before = std::mem::replace(&mut self.originated, Arc::clone(&routes)).held_back();
                limits::log_held_back(&self.key, self.config.limits.outbound, before, routes.held_back());
                let is_first = !std::mem::replace(&mut self.has_originated, true);
                if let Some(table) = &mut self.table {
                    table.want(routes);
                    if is_first && self.config.offer.has_restarted() {
                        table.end_of_rib();
                    }
                    self.waiters.push(Waiter::new(report));
                } else if awaits_return && self.is_expected_back() {
                    self.waiters.push(Waiter::new(report));
                } else {
                    let _ = report.send(Report::NotEstablished);
                }
            }
            Order::Policy { policy, allow_own_as } => {
                self.policy = Arc::clone(&policy);
                self.config.allow_own_as = allow_own_as;
                self.backlog.push_back(RibMessage::Policy { id: self.id, policy, allow_own_as });
            }
            Order::Limits(limits) => {
                self.config.limits = limits;
                self.backlog.push_back(RibMessage::Limits { id: self.id, limits: limits.inbound });
            }
            Order::Exceeded { session, crossing } => self.exceeded(session, &crossing),
            Order::TellAgain => {
                if let Some(table) = &mut self.table {
                    Families::ALL.iter().for_each(|family| table.refresh(family));
                }
            }
            Order::Key(key) => self.change_md5_key(key),
            Order::AoKeys(keys) => self.change_ao_keys(keys),
            Order::Clear => self.handle(Event::Reset(Notification::new(reason::ADMINISTRATIVE_RESET))),
            Order::BfdDown => self.handle(Event::Reset(Notification::new(reason::BFD_DOWN))),
            Order::LinkDown => {
                self.search(discovery::Event::LinkDown);
                self.handle(Event::LinkDown);
            }
            Order::LinkUp => {
                self.search(discovery::Event::LinkUp);
                // Otherwise the attempt comes as soon as the neighbor is found.
                if self.config.address.is_some() {
                    self.handle(Event::RetryNow);
                }
            }
            Order::Summary(answer) => {
                let _ = answer.send(self.summary());
            }
            Order::Stop(notification) => {
                self.handle(Event::Stop(notification));
                self.stopping = true;
            }
        }
    }

    /// The how many-th session it is.
    pub(crate) const fn session_number(&self) -> u64 {
        self.session.counters().established
    }

    pub(crate) fn is_established(&self) -> bool {
        self.session.established().is_some()
    }

    pub(crate) const fn idle_after_limit(&self) -> Option<Millis> {
        self.config.limits.idle
    }

    /// We have restarted, and the neighbor may hold what our earlier life announced: it has not been here since.
    fn is_expected_back(&self) -> bool {
        self.config.offer.has_restarted() && self.session.counters().established == 0
    }

    fn kind(&self) -> PeerKind {
        PeerKind::between(self.local_as, self.config.remote_as)
    }

    /// Whether octets are taken from the neighbor at the moment.
    fn reads(&self) -> bool {
        self.backlog.is_empty()
    }

    fn read(&mut self, side: Side) {
        let mut buffer = std::mem::take(&mut self.buffer);
        match self.slot(side).as_mut().map(|connection| connection.read(&mut buffer)) {
            Some(Input::Octets(count)) => self.handle(Event::Received(side, &buffer[..count])),
            Some(Input::Closed(error)) => {
                *self.slot(side) = None;
                self.handle(Event::Closed(side, error));
            }
            Some(Input::Nothing) | None => {}
        }
        self.buffer = buffer;
    }

    /// Brings out as much as the neighbors' sockets take.
    fn write(&mut self) {
        if let Some(side) = self.session.established().map(|(side, _)| side) {
            self.write_routes(side);
        }
        for side in [Side::Outgoing, Side::Incoming] {
            let Some(connection) = self.slot(side) else { continue };
            connection.flush();
            if let Some(waits) = connection.sending() {
                self.handle(Event::Sent { side, waits });
            }
        }
    }

    fn write_routes(&mut self, side: Side) {
        let connection = match side {
            Side::Outgoing => &mut self.outgoing,
            Side::Incoming => &mut self.incoming,
        };
        let (Some(connection), Some(table)) = (connection, &mut self.table) else { return };
        loop {
            let waiting = connection.waiting();
            if waiting < FILL_BELOW && !table.is_settled() {
                self.updates_out += connection.queue(|out| {
                    let limit = out.len() + FILL_BELOW - waiting;
                    table.fill(out, limit)
                });
            }
            connection.flush();
            if table.is_settled() || connection.waiting() > 0 {
                break;
            }
        }
        let unfit = table.take_unfit();
        if let Some(first) = unfit.first() {
            tracing::warn!(neighbor = %self.key, routes = unfit.len(), %first,
                "routes withdrawn: their attributes do not fit into a message");
        }
        flush::advance_all(&mut self.waiters, connection, table.is_settled());
    }

    fn connection(&self, side: Side) -> Option<&Connection> {
        match side {
            Side::Outgoing => self.outgoing.as_ref(),
            Side::Incoming => self.incoming.as_ref(),
        }
    }

    fn slot(&mut self, side: Side) -> &mut Option<Connection> {
        match side {
            Side::Outgoing => &mut self.outgoing,
            Side::Incoming => &mut self.incoming,
        }
    }

    fn summary(&self) -> NeighborSummary {
        let counters = self.session.counters();
        let established = self.session.established().map(|(_, negotiated)| negotiated);
        let waiting = [&self.outgoing, &self.incoming].into_iter().flatten().map(Connection::waiting).sum();
        NeighborSummary {
            neighbor: self.key.clone(),
            remote_as: established.map_or(self.config.remote_as, |negotiated| negotiated.remote_as),
            dynamic: self.transient,
            kind: self.kind(),
            state: self.session.state(),
            since: self.since,
            established_count: counters.established,
            router_id: established.map(|negotiated| negotiated.router_id),
            hold_time: established.map(|negotiated| negotiated.hold_time),
            families: established.map_or(Families::NONE, |negotiated| negotiated.families),
            messages_in: counters.received.total(),
            messages_out: counters.sent.total() + self.updates_out,
            updates_in: counters.received.update,
            updates_out: self.updates_out,
            malformed_attributes: self.malformed,
            prefixes_received: total(&self.counts.received),
            limits: self.config.limits,
            limit_warnings: total(&self.counts.limit_warnings),
            limit_exceeded: total(&self.counts.limit_exceeded),
            prefixes_held_back: self.originated.held_back() as u64,
            prefixes_accepted: total(&self.counts.accepted),
            prefixes_sent: self.table.as_ref().map_or(0, |table| table.len() as u64),
            queued_octets: waiting,
            last_error: self.last_error.clone(),
            details: Box::new(self.details()),
        }
    }
}
