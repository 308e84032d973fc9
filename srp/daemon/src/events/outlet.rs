//! Those who are told of events: a queue and a task for each, so that one who cannot be reached delays nobody.
//!
//! A datagram that the system refuses to send is counted as lost. A collector by TCP is called again and again while up to
//! [`QUEUE`] events wait for it; what finds the queue full is counted as lost.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use srp_core::api::EventTarget;
use srp_core::config::{EventFilter, Inform};
use srp_core::events::Entry;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::acknowledged;
use super::snmp::Asker;
use crate::watch::lock;

/// So many events wait for one who is slow.
const QUEUE: usize = 1_024;

/// How long a collector gets to accept a connection or a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two calls of a collector that does not answer: from this, twice as long each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// See [`FIRST_PAUSE`].
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What goes over the network for an event; nothing for one that this kind of target has no form for.
pub type Form = Box<dyn FnMut(&Entry) -> Option<Vec<u8>> + Send>;

/// Where, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// `snmp-2c`, `snmp-3`, the same with `-inform`, `syslog-udp` or `syslog-tcp`.
    pub kind: &'static str,
    /// Whom.
    pub target: SocketAddr,
    /// Our end.
    pub source: Option<IpAddr>,
    /// A stream, not datagrams.
    pub is_stream: bool,
    /// It acknowledges what it is told.
    pub acknowledges: bool,
}

/// One who is told.
pub struct Outlet {
    filter: EventFilter,
    queue: mpsc::Sender<Entry>,
    tally: Arc<Tally>,
}

/// What became of what one is told.
pub struct Tally {
    way: Way,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    lost: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Outlet {
    /// Starts its task.
    pub fn start(way: Way, filter: EventFilter, form: Form, tasks: &mut JoinSet<()>) -> Self {
        let (queue, events) = mpsc::channel(QUEUE);
        let tally = Tally::new(way);
        let task = Task { form, events, tally: Arc::clone(&tally) };
        if way.is_stream {
            tasks.spawn(task.stream());
        } else {
            tasks.spawn(task.datagrams());
        }
        Self { filter, queue, tally }
    }

    /// Starts the task of a station that acknowledges.
    pub fn start_asking(
        way: Way,
        filter: EventFilter,
        asker: Asker,
        inform: Inform,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        let (queue, events) = mpsc::channel(QUEUE);
        let tally = Tally::new(way);
        tasks.spawn(acknowledged::run(asker, events, Arc::clone(&tally), inform));
        Self { filter, queue, tally }
    }

    /// Tells it, if it wants to know. Never waits.
    pub fn hand(&self, entry: &Entry) {
        if self.filter.takes(&entry.occurrence) && self.queue.try_send(entry.clone()).is_err() {
            self.tally.lost("more events wait for it than there is room for");
        }
    }

    /// What became of what it was told.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }
}

impl Tally {
    fn new(way: Way) -> Arc<Self> {
        let trouble = Mutex::new(None);
        Arc::new(Self {
            way,
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            trouble,
        })
    }

    /// Where, and how.
    pub fn way(&self) -> Way {
        self.way
    }

    /// For `show`.
    pub fn show(&self) -> EventTarget {
        EventTarget {
            kind: self.way.kind.to_owned(),
            target: self.way.target.to_string(),
            sent: self.sent.load(Ordering::Relaxed),
            acknowledged: self.way.acknowledges.then(|| self.acknowledged.load(Ordering::Relaxed)),
            lost: self.lost.load(Ordering::Relaxed),
            trouble: lock(&self.trouble).clone(),
        }
    }

    fn sent(&self) {
        self.sent_once();
        self.well();
    }

    /// One more was sent; whether it arrived is not known.
    pub fn sent_once(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// One was acknowledged.
    pub fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        self.well();
    }

    fn well(&self) {
        if lock(&self.trouble).take().is_some() {
            info!(kind = self.way.kind, target = %self.way.target, "told of events again");
        }
    }

    /// One did not arrive.
    pub fn lost(&self, why: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.trouble(why);
    }

    /// One line when it begins.
    fn trouble(&self, why: &str) {
        let mut trouble = lock(&self.trouble);
        if trouble.replace(why.to_owned()).is_none() {
            warn!(kind = self.way.kind, target = %self.way.target, why, "cannot be told of events");
        }
    }
}

struct Task {
    form: Form,
    events: mpsc::Receiver<Entry>,
    tally: Arc<Tally>,
}

impl Task {
    async fn datagrams(mut self) {
        let mut socket = None;
        while let Some(entry) = self.events.recv().await {
            let Some(octets) = (self.form)(&entry) else { continue };
            match send(&mut socket, self.tally.way, &octets).await {
                Ok(()) => self.tally.sent(),
                Err(error) => {
                    socket = None;
                    self.tally.lost(&error.to_string());
                }
            }
        }
    }

    async fn stream(mut self) {
        let mut stream = None;
        while let Some(entry) = self.events.recv().await {
            let Some(octets) = (self.form)(&entry) else { continue };
            let mut pause = FIRST_PAUSE;
            while let Err(error) = write(&mut stream, self.tally.way, &octets).await {
                stream = None;
                self.tally.trouble(&error.to_string());
                if self.events.is_closed() {
                    // Nobody will wait for a collector that does not answer now.
                    self.tally.lost(&error.to_string());
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            self.tally.sent();
        }
    }
}

/// The end that we bind.
pub fn our_end(way: Way) -> SocketAddr {
    let any = match way.target {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(way.source.unwrap_or(any), 0)
}

async fn send(socket: &mut Option<UdpSocket>, way: Way, octets: &[u8]) -> io::Result<()> {
    if socket.is_none() {
        let new = UdpSocket::bind(our_end(way)).await?;
        new.connect(way.target).await?;
        *socket = Some(new);
    }
    let Some(socket) = socket else { return Ok(()) };
    match socket.send(octets).await {
        // This is what became of the datagram before, and this one was not sent.
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => socket.send(octets).await,
        result => result,
    }
    .map(drop)
}

async fn write(stream: &mut Option<TcpStream>, way: Way, octets: &[u8]) -> io::Result<()> {
    if stream.is_none() {
        *stream = Some(tokio::time::timeout(PATIENCE, call(way)).await??);
    }
    let Some(stream) = stream else { return Ok(()) };
    // A collector says nothing: what can be read is the end of the connection, and what is written then is lost.
    match stream.try_read(&mut [0; 64]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    tokio::time::timeout(PATIENCE, stream.write_all(octets)).await?
}

async fn call(way: Way) -> io::Result<TcpStream> {
    let socket = if way.target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if way.source.is_some() {
        socket.bind(our_end(way))?;
    }
    socket.connect(way.target).await
}
