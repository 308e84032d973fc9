//! Virtual time: two chassis, the link between them, the routers beside them, and what is under way.

use std::collections::BTreeMap;
use std::fmt::Display;

use srp_core::chassis::{Event, Settings, Ticket};
use srp_core::types::{Span, Time};

use super::chaos::Fault;
use super::check::Check;
use super::net::{Arrival, End, Net};
use super::node::{Node, Parcel};
use super::paths::Paths;
use super::rng::{Range, Rng};
use super::router::Router;
use super::sabotage::Sabotage;

pub const NAMES: [&str; 2] = ["east", "west"];
pub const ROUTERS: usize = 2;
/// When the world begins: not at zero, so that nothing mistakes "never" for "at the start".
pub const BEGIN: Time = Time(1_000_000);

/// How long things take.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Between two attempts to connect.
    pub dial: Range,
    /// One way over the SRP link.
    pub link: Range,
    /// One request to the kernel.
    pub kernel: Range,
    /// From our BGP speaker into a router's table.
    pub learn: Range,
    /// From the router's table to our knowledge of it.
    pub ack: Range,
    /// Until a BGP session is Established.
    pub session: Range,
    /// That long a router keeps the paths of a chassis that may only be restarting.
    pub keep: Range,
    /// After that many of a hundred crashes.
    pub keeps: u64,
    /// From a deadline to its wake-up.
    pub late: Range,
}

/// What is under way.
#[derive(Clone, Debug)]
pub enum Due {
    Arrive {
        to: usize,
        conn: u64,
        what: Arrival,
    },
    Dial,
    Kernel {
        side: usize,
        life: u64,
        ticket: Ticket,
        install: bool,
    },
    Learn {
        side: usize,
        router: usize,
        session: u64,
        octets: Vec<u8>,
        /// The last octets of this announcement or withdraw; `None` in the middle of it.
        op: Option<u64>,
    },
    Ack {
        side: usize,
        life: u64,
        router: Option<usize>,
        op: u64,
    },
    SessionUp {
        side: usize,
        router: usize,
    },
    /// A fault that held a session down is over.
    SessionFree {
        side: usize,
        router: usize,
    },
    Expire {
        side: usize,
        router: usize,
        session: u64,
    },
    Tell {
        side: usize,
        life: u64,
        event: Event,
    },
    Thaw {
        side: usize,
    },
    Boot {
        side: usize,
    },
    KernelWilling {
        side: usize,
    },
    /// A BFD packet.
    Packet {
        to: usize,
        path: usize,
        packet: bfd::Packet,
    },
    /// A timer of BFD.
    PathAlarm {
        side: usize,
        at: Time,
    },
    /// What a monitor watches works again.
    MonitorFree {
        side: usize,
        monitor: usize,
    },
    /// A fault that cut a path of BFD is over.
    PathFree {
        path: usize,
    },
    Fault(Fault),
}

/// The world.
pub struct World {
    pub now: Time,
    pub nodes: [Node; 2],
    pub net: Net,
    pub paths: Paths,
    pub routers: [Router; ROUTERS],
    pub pace: Pace,
    pub rng: Rng,
    pub check: Check,
    pub sabotage: Sabotage,
    /// After an orderly stop, `srpd` is started again this much later.
    pub restart: Option<Span>,
    /// That many of a hundred flushes are never reported done.
    pub never_flushed: u64,
    /// Lines for people; `None` while nobody reads.
    pub trace: Option<Vec<String>>,
    /// Every message and action too, not only what an operator would see.
    pub detail: bool,
    queue: BTreeMap<(Time, u64), Due>,
    scheduled: u64,
}

impl World {
    /// Two chassis that are off; [`Due::Boot`] starts them.
    pub fn new(settings: [Settings; 2], pace: Pace, rng: Rng) -> Self {
        let [east, west] = settings;
        let mut world = Self {
            now: BEGIN,
            nodes: [Node::new(east), Node::new(west)],
            net: Net::default(),
            paths: Paths::default(),
            routers: std::array::from_fn(Router::new),
            pace,
            rng,
            check: Check::default(),
            sabotage: Sabotage::None,
            restart: None,
            never_flushed: 0,
            trace: None,
            detail: false,
            queue: BTreeMap::new(),
            scheduled: 0,
        };
        world.after(Span::ZERO, Due::Dial);
        world
    }

    pub fn at(&mut self, time: Time, due: Due) {
        self.scheduled += 1;
        self.queue.insert((time, self.scheduled), due);
    }

    pub fn after(&mut self, span: Span, due: Due) {
        self.at(self.now + span, due);
    }

    pub fn note(&mut self, side: usize, line: impl Display) {
        if let Some(trace) = &mut self.trace {
            let ms = self.now.since(BEGIN).as_millis_f64();
            trace.push(format!("{ms:>10.3} {} {line}", NAMES[side]));
        }
    }

    pub fn note_all(&mut self, line: impl Display) {
        if let Some(trace) = &mut self.trace {
            let ms = self.now.since(BEGIN).as_millis_f64();
            trace.push(format!("{ms:>10.3} {line}"));
        }
    }

    /// Runs until `end`, or until an invariant is broken.
    pub fn run_until(&mut self, end: Time) {
        while self.check.broken.is_none() && self.step(end) {}
        if self.check.broken.is_none() {
            self.now = end;
        }
    }

    /// The next thing that happens, if it does so before `end`.
    fn step(&mut self, end: Time) -> bool {
        let due_at = self.queue.first_key_value().map(|((time, _), _)| *time);
        let wake = (0..2).filter_map(|side| Some((self.nodes[side].wake_at()?, side))).min();
        let wake_first = wake.is_some_and(|(at, _)| due_at.is_none_or(|due| at < due));
        if let (true, Some((at, side))) = (wake_first, wake) {
            if at > end {
                return false;
            }
            self.now = self.now.max(at);
            self.feed(side, Event::DeadlineReached);
            let next = self.nodes[side].chassis.as_ref().map(srp_core::chassis::Chassis::next_deadline);
            if next.is_some_and(|next| next <= self.now) {
                self.check.fail(format!("{}: the deadline does not move, the driver spins", NAMES[side]));
            }
        } else {
            let Some(entry) = self.queue.first_entry() else { return false };
            if entry.key().0 > end {
                return false;
            }
            self.now = self.now.max(entry.key().0);
            let due = entry.remove();
            self.happen(due);
        }
        self.check_step();
        true
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Arrive { to, conn, what } => {
                if self.net.current(conn).is_none() {
                } else if self.net.cut[to] {
                    self.net.held[to].push((conn, what));
                } else {
                    self.hand_over(to, Parcel::Link(conn, what));
                }
            }
            Due::Dial => {
                let ready = self.nodes.iter().all(|node| node.chassis.is_some() && !node.frozen);
                if ready && self.net.whole() && self.net.wants_dial() {
                    self.net.connect(self.now);
                    self.transmit(0, Arrival::Up);
                    self.transmit(1, Arrival::Up);
                }
                let next = self.rng.span(self.pace.dial);
                self.after(next, Due::Dial);
            }
            Due::Kernel { side, life, ticket, install } => self.kernel_done(side, life, ticket, install),
            Due::Learn { side, router, session, octets, op } => {
                if !self.routers[router].sessions[side].up
                    || self.routers[router].sessions[side].id != session
                {
                    return;
                }
                if let Err(error) = self.routers[router].table.read(side, &octets) {
                    self.check.fail(format!("router {router} cannot read {}: {error}", NAMES[side]));
                }
                if let Some(op) = op {
                    let (ack, life) = (self.rng.span(self.pace.ack), self.nodes[side].life);
                    self.after(ack, Due::Ack { side, life, router: Some(router), op });
                }
            }
            Due::Ack { side, life, router, op } => {
                if self.nodes[side].life == life {
                    self.acknowledged(side, router, op);
                }
            }
            Due::SessionUp { side, router } => self.session_up(side, router),
            Due::SessionFree { side, router } => {
                let session = &mut self.routers[router].sessions[side];
                session.down = session.down.saturating_sub(1);
                let wait = self.rng.span(self.pace.session);
                self.after(wait, Due::SessionUp { side, router });
            }
            Due::Expire { side, router, session } => {
                let router = &mut self.routers[router];
                if router.sessions[side].id == session {
                    router.table.expire(side);
                }
            }
            Due::Tell { side, life, event } => {
                if self.nodes[side].life == life && self.nodes[side].chassis.is_some() {
                    self.hand_over(side, Parcel::Event(event));
                }
            }
            Due::Thaw { side } => self.thaw(side),
            Due::Boot { side } => self.boot(side),
            Due::KernelWilling { side } => self.nodes[side].kernel.refuses = 0,
            Due::Packet { to, path, packet } => self.packet_arrives(to, path, packet),
            Due::PathAlarm { side, at } => self.path_alarm(side, at),
            Due::MonitorFree { side, monitor } => self.surround(side, monitor, false),
            Due::PathFree { path } => self.free_path(path),
            Due::Fault(fault) => self.inflict(fault),
        }
    }

    /// Sends to `to` over the present connection, behind all that is already under way.
    pub fn transmit(&mut self, to: usize, what: Arrival) {
        let delay = self.rng.span(self.pace.link);
        let Some(conn) = &mut self.net.conn else { return };
        let at = (self.now + delay).max(conn.last[to]);
        conn.last[to] = at;
        let conn = conn.id;
        self.at(at, Due::Arrive { to, conn, what });
    }

    /// Octets, in pieces of any size: TCP keeps their order, not the edges of messages.
    pub fn send(&mut self, to: usize, mut octets: Vec<u8>) {
        while octets.len() > 1 && self.rng.chance(10) {
            let rest = octets.split_off(self.rng.cut(octets.len()));
            self.transmit(to, Arrival::Octets(std::mem::replace(&mut octets, rest)));
        }
        self.transmit(to, Arrival::Octets(octets));
    }

    /// Cuts or heals the way to each side; what a cut kept back comes at once.
    pub fn set_cut(&mut self, cut: [bool; 2]) {
        self.net.cut = cut;
        for to in [0, 1] {
            if !cut[to] {
                for (conn, what) in std::mem::take(&mut self.net.held[to]) {
                    self.hand_over(to, Parcel::Link(conn, what));
                }
            }
        }
    }

    /// Something for a node: now, or when it runs again.
    pub fn hand_over(&mut self, to: usize, parcel: Parcel) {
        if self.nodes[to].frozen {
            self.nodes[to].inbox.push(parcel);
            return;
        }
        match parcel {
            Parcel::Event(event) => self.feed(to, event),
            Parcel::Link(conn, what) => self.arrive(to, conn, what),
            Parcel::Path(path, packet) => self.read_packet(to, path, packet),
        }
    }

    fn arrive(&mut self, to: usize, id: u64, what: Arrival) {
        if self.nodes[to].chassis.is_none() || self.net.current(id).is_none() {
            return;
        }
        match what {
            Arrival::Up => {
                if self.net.current(id).is_none_or(|conn| conn.ends[to] != End::Opening) {
                    return;
                }
                // A driver may report the end of the old connection, or let the new one say it.
                if self.nodes[to].linked.take().is_some() && self.rng.chance(50) {
                    self.feed(to, Event::LinkDown);
                }
                if let Some(conn) = self.net.current(id) {
                    conn.ends[to] = End::Open;
                }
                self.nodes[to].linked = Some(id);
                self.nodes[to].reader = srp_core::wire::FrameReader::default();
                self.feed(to, Event::LinkUp);
            }
            Arrival::Octets(octets) => {
                if self.nodes[to].linked != Some(id) {
                    return;
                }
                self.nodes[to].reader.push(&octets);
                // What lies behind a message that made the core close the link is not heard.
                while self.nodes[to].linked == Some(id) {
                    match self.nodes[to].reader.next_message() {
                        Ok(Some(message)) => self.feed(to, Event::Received(message)),
                        Ok(None) => break,
                        Err(error) => {
                            self.check.fail(format!("{}: {error}", NAMES[to]));
                            break;
                        }
                    }
                }
            }
            Arrival::Down => {
                if let Some(conn) = self.net.current(id) {
                    conn.ends[to] = End::Closed;
                }
                if self.nodes[to].linked == Some(id) {
                    self.nodes[to].linked = None;
                    self.feed(to, Event::LinkDown);
                }
            }
        }
    }
}
