//! What a speaker tells its owner, in the order in which it happened.

use std::net::{IpAddr, SocketAddr};

use bgp_proto::attributes::NextHop;
use bgp_proto::prefix::Prefix;
use bgp_proto::session::DownReason;
use bgp_proto::types::{Families, HoldTime};

use crate::config::NeighborKey;

/// Something that the owner of a speaker has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session is Established. Its routes follow.
    NeighborUp {
        /// The neighbor.
        neighbor: NeighborKey,
        /// Our end of the connection.
        local: SocketAddr,
        /// The families that both sides speak.
        families: Families,
        /// The negotiated hold time.
        hold_time: HoldTime,
    },
    /// A session ended, or an attempt at one failed for a reason that an operator has to know. The loss of its routes
    /// follows.
    NeighborDown {
        /// The neighbor.
        neighbor: NeighborKey,
        /// Why.
        reason: DownReason,
        /// Whether it had been Established. Attempts that fail are told once per reason, not once per attempt.
        was_established: bool,
    },
    /// Best paths of the Loc-RIB changed. A prefix occurs once in a batch; the last state counts.
    BestPathsChanged(Vec<BestPathChange>),
    /// Routes lead to these next hops, and it is not known yet whether they can be reached. Only with
    /// [`crate::SpeakerConfig::watch_next_hops`]; the answer goes to [`crate::SpeakerHandle::set_next_hops`].
    NextHopsWanted(Vec<IpAddr>),
    /// The wait of a restarted speaker is over (see [`crate::Speaker::start_again`]), and every best path of now has been
    /// told. Comes once, and not at all without a restart.
    Converged {
        /// Whether every neighbor has told all of its routes; otherwise time has ended the wait, or a neighbor cannot say it.
        complete: bool,
    },
}

/// The new state of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestPathChange {
    /// The prefix.
    pub prefix: Prefix,
    /// The paths to use, best first; empty when the prefix is gone. One path unless multipath is configured.
    pub paths: Vec<BestPath>,
}

/// One usable path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestPath {
    /// The neighbor that announced it. A link-local next hop is reached by this neighbor's interface.
    pub neighbor: NeighborKey,
    /// Where packets go.
    pub next_hop: NextHop,
}
