//! BGP-4 without I/O: message codec, session state machine, RIBs, best path, policy.
//!
//! No socket, clock, thread or source of randomness is in here: time and seeds are arguments, octets go in and come
//! out. What drives it is the crate `bgp-speaker`.
//!
//! ```text
//!  octets ─► wire ─► session ─┬─► Update ─► rib ─(policy, decision)─► Change
//!                             └─► Send, Up, Down, ...
//!  Originated ─► originate ─► adj_rib_out ─► wire ─► octets
//! ```
//!
//! Where to begin: [`session`] for the state machine, [`wire::update`] for what is made of malformed messages,
//! [`rib`] for learned routes, [`adj_rib_out`] for our own.
//!
//! Words: a *neighbor* is a configured BGP peer; *external* and *internal* say whether its AS is another one or ours;
//! a *path* is one neighbor's route to a prefix; *originated* routes begin here. This speaker passes on nothing that
//! it has learned: it announces originated routes and installs learned ones.
//!
//! Which RFCs are supported, left out or deviated from stands in `docs/compliance.md`.

pub mod adj_rib_out;
pub mod attributes;
pub mod communities;
pub mod decision;
pub mod discovery;
pub mod hash;
pub mod next_hop;
pub mod originate;
pub mod policy;
pub mod prefix;
pub mod prepends;
pub mod rib;
pub mod session;
pub mod types;
pub mod wire;
