//! A BGP speaker: sockets, timers and threads around [`bgp_proto`]; usable without SRP.
//!
//! [`Speaker::start`] opens the listeners and starts two threads. `bgp-io` owns every socket, every session and what
//! is announced; `bgp-rib` owns what is learned. So keepalives never wait for a table, and a table never waits for a
//! neighbour that does not read.
//!
//! ```text
//!  caller ── SpeakerHandle ──► bgp-io: one task per neighbor (session, connections, Adj-RIB-Out)
//!                                 │ updates, up, down (bounded: a full queue stops the reading, not the keepalives)
//!                                 ▼
//!  caller ◄── Event ────────── bgp-rib: Adj-RIBs-In, Loc-RIB, best paths
//! ```
//!
//! What always holds: only [`bgp_proto::originate::Originated`] routes are announced, learned ones never are; no
//! timer lies between [`SpeakerHandle::set_originated`] and the socket; an event about a neighbor's routes comes after
//! its [`Event::NeighborUp`], and the loss of its routes after its [`Event::NeighborDown`].

mod ao_keys;
mod clock;
mod config;
mod connection;
mod deferral;
mod engine;
mod event;
mod finder;
mod flush;
mod handle;
mod limits;
mod monitor;
mod outq;
mod peer;
mod restarts;
mod rib_task;
mod socket;
mod summary;
mod tcp_ao;
mod tcp_auth;

pub use bgp_proto::attributes::{
    AsPath, Attributes, Community, ExtendedCommunity, LargeCommunity, NextHop, Origin,
};
pub use bgp_proto::decision::{Multipath, Obstacle, Step};
pub use bgp_proto::originate::Originated;
pub use bgp_proto::policy::{
    AnyCommunity, BadRange, Changes, Conditions, Policy, PrefixRange, Rule, Verdict,
};
pub use bgp_proto::prefix::{BadPrefix, Prefix};
pub use bgp_proto::prepends::{NotRising, Prepends};
pub use bgp_proto::rib::{PrefixLimits, Reach};
pub use bgp_proto::session::{DownReason, Messages, Negotiated, Notifications, Offer, RestartOffer, State};
pub use bgp_proto::types::{Asn, BadHoldTime, Families, Family, HoldTime, Millis, PeerKind, RouterId};
pub use bgp_proto::wire::capability::{Capability, GracefulRestart, LongLived, Role};
pub use bgp_proto::wire::notification::Notification;
pub use bgp_proto::wire::open::Open;

pub use ao_keys::{AoAlgorithm, AoKey, AoKeys, BadAoKeys};
pub use config::{BGP_PORT, ConfigError, Hops, NeighborConfig, NeighborKey, NeighborRange, SpeakerConfig};
pub use event::{BestPath, BestPathChange, Event};
pub use handle::{Flushed, Gone, Link, Restarted, RouteFilter, Speaker, SpeakerHandle, StartError};
pub use limits::Limits;
pub use monitor::{MonitorConfig, MonitorSummary, MrtConfig, StationConfig};
pub use socket::bind_device;
pub use summary::{FamilyDetails, NeighborDetails, NeighborSummary, RouteView, SpeakerSummary, Why};
pub use tcp_ao::AoRefused;
pub use tcp_auth::{BadMd5Key, Md5Key};
