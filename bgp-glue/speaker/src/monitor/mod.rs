//! Those who look on: MRT files and BMP stations.
//!
//! ```text
//!  bgp-rib: observer ──(bounded, never waits)──► a thread each: mrt_file (disk), station (TCP)
//! ```
//!
//! What always holds: neither a disk nor a station ever makes a session or the table wait. Whoever is too slow loses: a
//! file is told how many records it lacks, a station is dropped, and takes the whole table again when it is back. What
//! they see is what the table was told, in the table's order, with UPDATEs written anew (RFC 7854 section 5 leaves that
//! open): of a malformed UPDATE they see what it was taken for.
//!
//! Sources: RFC 6396 (MRT), RFC 7854 (BMP).

pub(crate) mod dump;
mod mrt_file;
mod observer;
mod station;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bgp_proto::session::DownReason;
use bgp_proto::types::{Asn, Families, Family};
use bgp_proto::wire::bmp::BmpPeer;
use bgp_proto::wire::mrt::WallTime;
use tokio::sync::mpsc::{Sender, WeakSender};

use crate::rib_task::{RibMessage, RouteCounts};

pub(crate) use observer::Observer;

/// How many updates wait for a disk or a station at most: some 16 MB of those that are as long as most can be.
const QUEUE: usize = 4096;

/// Who is to look on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MonitorConfig {
    /// A file of what neighbors say (RFC 6396, `BGP4MP_ET`).
    Mrt(MrtConfig),
    /// A monitoring station (RFC 7854) that we connect to.
    Station(StationConfig),
}

/// A dump of updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrtConfig {
    /// The file. Older ones are beside it, with `.1` (the youngest of them), `.2` and so on behind the name.
    pub file: PathBuf,
    /// A file ends before it has more octets than this.
    pub size_limit: u64,
    /// How many older files stay.
    pub keep: u32,
}

/// A monitoring station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationConfig {
    /// Where it listens.
    pub address: SocketAddr,
    /// How often it is told counters.
    pub statistics_interval: Duration,
}

impl fmt::Display for MonitorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mrt(mrt) => write!(f, "MRT {}", mrt.file.display()),
            Self::Station(station) => write!(f, "BMP {}", station.address),
        }
    }
}

/// How one who looks on is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorSummary {
    /// Which one, as `MRT FILE` or `BMP ADDRESS:PORT`.
    pub name: String,
    /// Whether it gets what it should.
    pub works: bool,
    /// The same in words, with the reason.
    pub state: String,
    /// Records or messages that it got.
    pub written: u64,
    /// How much it lacks: records that did not go into a file, or how often a station was dropped for being too slow.
    pub lost: u64,
}

/// One who looks on, from outside. Dropping it ends the thread.
pub(crate) struct Monitor {
    pub(crate) config: MonitorConfig,
    id: u64,
    status: Status,
    rib: WeakSender<RibMessage>,
    /// Never used: its end is the sign.
    _stop: mpsc::Sender<()>,
}

/// What a thread says of itself.
#[derive(Clone)]
struct Status(Arc<Mutex<MonitorSummary>>);

impl Status {
    fn change(&self, change: impl FnOnce(&mut MonitorSummary)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn is(&self, works: bool, state: impl Into<String>) {
        let state = state.into();
        self.change(|summary| (summary.works, summary.state) = (works, state));
    }
}

impl Monitor {
    /// Starts the thread, its sockets bound to the VRF `device`. `id` is no other's.
    pub(crate) fn start(
        config: MonitorConfig,
        device: Option<Arc<str>>,
        id: u64,
        rib: &Sender<RibMessage>,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let status = Status(Arc::new(Mutex::new(MonitorSummary {
            name: config.to_string(),
            works: false,
            state: "starts".to_owned(),
            written: 0,
            lost: 0,
        })));
        let task = Task { id, rib: rib.downgrade(), stopped, status: status.clone() };
        let started = match config.clone() {
            MonitorConfig::Mrt(mrt) => spawn("bgp-mrt", move || mrt_file::run(&mrt, &task)),
            MonitorConfig::Station(station) => {
                spawn("bgp-bmp", move || station::run(&station, device.as_deref(), &task))
            }
        };
        if let Err(error) = started {
            tracing::error!(monitor = %config, %error, "cannot start the thread of a monitor");
            status.is(false, format!("has no thread: {error}"));
        }
        Self { config, id, status, rib: rib.downgrade(), _stop: stop }
    }

    pub(crate) fn summary(&self) -> MonitorSummary {
        self.status.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let id = self.id;
        // The table may be busy, and this thread does not wait for it.
        if let (Some(rib), Ok(runtime)) = (self.rib.upgrade(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { rib.send(RibMessage::Unwatch(id)).await });
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// What a thread has.
struct Task {
    id: u64,
    rib: WeakSender<RibMessage>,
    /// Ends when the thread is to end.
    stopped: mpsc::Receiver<()>,
    status: Status,
}

impl Task {
    fn is_stopped(&self) -> bool {
        self.stopped.try_recv() == Err(mpsc::TryRecvError::Disconnected)
    }

    /// Whether the time is over and the thread goes on.
    fn waited(&self, time: Duration) -> bool {
        self.stopped.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout)
    }

    /// From now on what the table is told comes by the receiver. False when there is no table any more.
    fn watch(&self, sink: SyncSender<Seen>, begin: Begin) -> bool {
        let Some(rib) = self.rib.upgrade() else { return false };
        rib.blocking_send(RibMessage::Watch(Watch { id: self.id, sink, begin })).is_ok()
    }
}

/// Somebody begins to look on.
pub(crate) struct Watch {
    id: u64,
    sink: SyncSender<Seen>,
    begin: Begin,
}

/// What there is to see at first, and what is done when the queue is full.
enum Begin {
    /// Nothing; what does not fit is counted.
    Empty(Status),
    /// The sessions and routes that there are, by this channel; the queue ends.
    Table(mpsc::Sender<Vec<Seen>>),
}

/// Something that the table was told.
#[derive(Clone)]
enum Seen {
    Up(Arc<SessionSeen>),
    Down(Arc<SessionSeen>, DownReason, WallTime),
    /// One or several whole UPDATE messages, all about one family.
    Updates(Arc<SessionSeen>, Family, Arc<[u8]>, WallTime),
}

/// A session that is up.
#[derive(Debug)]
pub(crate) struct SessionSeen {
    pub(crate) peer: BmpPeer,
    pub(crate) local_as: Asn,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// The OPEN messages, headers included.
    pub(crate) sent_open: Vec<u8>,
    pub(crate) received_open: Vec<u8>,
    pub(crate) since: WallTime,
    /// The families whose prefixes carry path identifiers in what the neighbor sends.
    pub(crate) add_path: Families,
    pub(crate) counts: Arc<RouteCounts>,
}

/// The time of day.
pub(crate) fn wall_time() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime { secs: u32::try_from(since.as_secs()).unwrap_or(u32::MAX), micros: since.subsec_micros() }
}
