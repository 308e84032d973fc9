//! The owner's end of a running speaker.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bgp_proto::originate::Originated;
use bgp_proto::prefix::Prefix;
use bgp_proto::rib::Reach;
use bgp_proto::types::Families;
use ipnetwork::IpNetwork;
use tokio::sync::{mpsc, oneshot};

use crate::config::{ConfigError, NeighborKey, SpeakerConfig};
use crate::event::Event;
use crate::summary::{RouteView, SpeakerSummary};
use crate::tcp_ao::AoRefused;

/// A BGP speaker. It lives in threads of its own; this type only starts them.
#[derive(Debug)]
pub struct Speaker;

/// Why a speaker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<ConfigError>),
    /// A listener could not be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address and port.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The kernel does not take a TCP-MD5 key.
    #[error("the kernel refuses a TCP-MD5 key: {0}: use a kernel with CONFIG_TCP_MD5SIG, or remove the keys")]
    Key(#[source] io::Error),
    /// The kernel does not take a TCP-AO key.
    #[error(transparent)]
    AoKey(#[from] AoRefused),
    /// A thread or its timers could not be made.
    #[error("cannot start a BGP thread: {0}")]
    Thread(#[source] io::Error),
}

/// The speaker has been shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the BGP speaker is shut down")]
pub struct Gone;

/// How the announcement of a set of routes went. See [`SpeakerHandle::set_originated`].
#[derive(Clone, Debug)]
pub struct Flushed {
    /// How many neighbors were Established when the set was given.
    pub neighbors_established: usize,
    /// How many of them had every UPDATE acknowledged by their TCP in time.
    pub neighbors_acknowledged: usize,
    /// Whether every one that is still Established acknowledged.
    pub acknowledged: bool,
    /// When the last UPDATE was handed to the kernel; `None` when no neighbor was Established.
    pub written_at: Option<Instant>,
    /// When the last acknowledgement was seen; `None` when one is missing.
    pub acked_at: Option<Instant>,
}

/// A link of the machine, as sessions see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The interface. Sessions that are configured by an interface belong to the link of that name, which outlives what the
    /// kernel knows of it.
    pub name: Box<str>,
    /// The subnets of its addresses. Any other session belongs to the link when its neighbor is in one of them.
    pub subnets: Vec<IpNetwork>,
}

/// What a process knows of its earlier life. See [`Speaker::start_again`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// The families of which the kernel kept every route of ours.
    pub forwarding: Families,
    /// How long from now neighbors are told of the restart and waited for.
    pub window: Duration,
}

/// Which paths are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteFilter {
    /// All of them. A full table is a gigabyte of answer; ask for less where less will do.
    All,
    /// Those to one prefix.
    To(Prefix),
    /// Those to the longest prefix that holds the address.
    Toward(IpAddr),
    /// Those of one neighbor.
    Of(NeighborKey),
}

pub(crate) enum Command {
    SetOriginated {
        routes: Vec<Originated>,
        bound: Duration,
        /// Neighbors count as Established that are still expected back after our restart.
        awaits_return: bool,
        done: oneshot::Sender<Flushed>,
    },
    Reload {
        config: SpeakerConfig,
        done: oneshot::Sender<Result<(), StartError>>,
    },
    Clear {
        neighbor: NeighborKey,
        done: oneshot::Sender<bool>,
    },
    BfdDown {
        neighbor: NeighborKey,
    },
    LinkDown {
        link: Link,
    },
    LinkUp {
        link: Link,
    },
    Summary {
        done: oneshot::Sender<SpeakerSummary>,
    },
    Routes {
        filter: RouteFilter,
        done: oneshot::Sender<Vec<RouteView>>,
    },
    Announced {
        neighbor: NeighborKey,
        done: oneshot::Sender<Option<Vec<Originated>>>,
    },
    SoftIn {
        neighbor: NeighborKey,
        done: oneshot::Sender<bool>,
    },
    SoftOut {
        neighbor: NeighborKey,
        done: oneshot::Sender<bool>,
    },
    NextHops(Vec<(IpAddr, Reach)>),
    NextHopsMoved(HashSet<IpAddr>),
    AllNextHops {
        done: oneshot::Sender<Vec<IpAddr>>,
    },
    DumpTable {
        view: String,
        done: oneshot::Sender<Vec<u8>>,
    },
    Shutdown {
        text: String,
        done: oneshot::Sender<()>,
    },
}

/// Orders and questions to a running speaker. Cheap to clone; may be used from any thread.
///
/// No call blocks. Answers come by `oneshot::Receiver`: await it, or `blocking_recv` it in a plain thread. A receiver
/// that yields an error means that the speaker is shut down. When the last handle is dropped, the speaker shuts down.
#[derive(Clone, Debug)]
pub struct SpeakerHandle {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
}

impl SpeakerHandle {
    fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> oneshot::Receiver<T> {
        let (done, answer) = oneshot::channel();
        // A speaker that is gone drops the command and with it `done`, which the receiver reports.
        let _ = self.commands.send(command(done));
        answer
    }

    /// Replaces the whole set of originated routes. Each neighbor is sent the difference to what it has, at once.
    /// Where a prefix occurs twice, the last one counts.
    ///
    /// The answer comes when every UPDATE is acknowledged by the TCP of every neighbor that is Established now, or
    /// those that did not acknowledge are down, or `bound` has passed.
    pub fn set_originated(&self, routes: Vec<Originated>, bound: Duration) -> oneshot::Receiver<Flushed> {
        self.ask(|done| Command::SetOriginated { routes, bound, awaits_return: false, done })
    }

    /// The same, and waits also for neighbors that have not been back since our restart: until then they may hold what
    /// our earlier life announced. Without a restart, it is the same.
    pub fn set_originated_for_all(
        &self,
        routes: Vec<Originated>,
        bound: Duration,
    ) -> oneshot::Receiver<Flushed> {
        self.ask(|done| Command::SetOriginated { routes, bound, awaits_return: true, done })
    }

    /// Takes over a new configuration. Neighbors that did not change keep their sessions; a changed import policy
    /// alone keeps it too. On error nothing changes.
    pub fn reload(&self, config: SpeakerConfig) -> oneshot::Receiver<Result<(), StartError>> {
        self.ask(|done| Command::Reload { config, done })
    }

    /// Ends the session with Cease/Administrative Reset and opens it again. False when there is no such neighbor.
    pub fn clear(&self, neighbor: NeighborKey) -> oneshot::Receiver<bool> {
        self.ask(|done| Command::Clear { neighbor, done })
    }

    /// BFD with the neighbor failed: its session ends at once with Cease/BFD Down (RFC 9384), without waiting for the
    /// hold time, and begins anew. Not for a BFD session that an operator took down, at either end (RFC 5882 section 3.2).
    pub fn bfd_down(&self, neighbor: NeighborKey) {
        let _ = self.commands.send(Command::BfdDown { neighbor });
    }

    /// The link lost its carrier: sessions with neighbors on it end at once, without waiting for the hold time.
    pub fn link_down(&self, link: Link) {
        let _ = self.commands.send(Command::LinkDown { link });
    }

    /// The link has its carrier back: neighbors on it are tried at once.
    pub fn link_up(&self, link: Link) {
        let _ = self.commands.send(Command::LinkUp { link });
    }

    /// The state of every neighbor.
    pub fn summary(&self) -> oneshot::Receiver<SpeakerSummary> {
        self.ask(|done| Command::Summary { done })
    }

    /// Every path of the Loc-RIB with the outcome of the decision process, ordered by prefix, best first.
    pub fn routes(&self) -> oneshot::Receiver<Vec<RouteView>> {
        self.routes_where(RouteFilter::All)
    }

    /// The same, of some paths only.
    pub fn routes_where(&self, filter: RouteFilter) -> oneshot::Receiver<Vec<RouteView>> {
        self.ask(|done| Command::Routes { filter, done })
    }

    /// What a neighbor is told, after its export policy, ordered by prefix; `None` when there is no such neighbor.
    pub fn announced(&self, neighbor: NeighborKey) -> oneshot::Receiver<Option<Vec<Originated>>> {
        self.ask(|done| Command::Announced { neighbor, done })
    }

    /// Judges everything that a neighbor has told us again, by its import policy. False when there is no such neighbor.
    pub fn soft_in(&self, neighbor: NeighborKey) -> oneshot::Receiver<bool> {
        self.ask(|done| Command::SoftIn { neighbor, done })
    }

    /// Tells a neighbor everything again. False when there is no such neighbor.
    pub fn soft_out(&self, neighbor: NeighborKey) -> oneshot::Receiver<bool> {
        self.ask(|done| Command::SoftOut { neighbor, done })
    }

    /// Whether next hops can be reached, for those that were wanted by [`Event::NextHopsWanted`] and whenever it changes.
    pub fn set_next_hops(&self, next_hops: Vec<(IpAddr, Reach)>) {
        let _ = self.commands.send(Command::NextHops(next_hops));
    }

    /// The way to next hops is another one, though they are reached at the same cost: the best paths by them are told
    /// again, for one who installs the way and not the next hop.
    pub fn next_hops_moved(&self, moved: HashSet<IpAddr>) {
        let _ = self.commands.send(Command::NextHopsMoved(moved));
    }

    /// Every next hop that routes lead to, for one who has to look at all of them again.
    pub fn next_hops(&self) -> oneshot::Receiver<Vec<IpAddr>> {
        self.ask(|done| Command::AllNextHops { done })
    }

    /// Every path of every neighbor, as it came, as an MRT file (RFC 6396 section 4.3). `view` is the name that the file gives
    /// the table. A full table is some 80 MB of answer, and about a second of the table's time.
    pub fn dump_table(&self, view: impl Into<String>) -> oneshot::Receiver<Vec<u8>> {
        let view = view.into();
        self.ask(|done| Command::DumpTable { view, done })
    }

    /// Sends Cease/Administrative Shutdown with this text (RFC 9003, at most 255 octets) to every neighbor and ends
    /// the speaker. The answer comes when the connections are closed.
    pub fn shutdown(&self, text: impl Into<String>) -> oneshot::Receiver<()> {
        let text = text.into();
        self.ask(|done| Command::Shutdown { text, done })
    }
}

impl Speaker {
    /// Opens the listeners and starts the speaker's threads, in the network namespace of the calling thread. Needs no
    /// async runtime around it. Sessions are attempted at once.
    pub fn start(config: SpeakerConfig) -> Result<(SpeakerHandle, mpsc::Receiver<Event>), StartError> {
        config.check().map_err(StartError::Config)?;
        crate::engine::start(config, None)
    }

    /// The same, for a process whose earlier life ended without a word while the kernel went on forwarding (RFC 4724
    /// section 4.1). Neighbors with graceful restart are told so; End-of-RIB waits for the first set of routes, and the
    /// decision on theirs for their End-of-RIB: [`Event::Converged`].
    pub fn start_again(
        config: SpeakerConfig,
        restarted: Restarted,
    ) -> Result<(SpeakerHandle, mpsc::Receiver<Event>), StartError> {
        config.check().map_err(StartError::Config)?;
        crate::engine::start(config, Some(restarted))
    }
}
