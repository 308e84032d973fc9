//! Probes of AAA servers and of Diameter peers, without I/O.
//!
//! No socket, clock or source of randomness is in here: time, authenticators and seeds are arguments, octets go in and
//! come out. Each target, a server or a peer, is one machine that says whether the target is [`State::Up`].
//!
//! ```text
//!   start, stop, time ─►  radius::Prober   ─► requests
//!        answers ─► radius::packet ─┘      └► Standing: Unknown, Up, Down, and why
//!
//!   start, stop, time ─►  diameter::Peer   ─► Connect, Send, Close
//!   stream ─► Framer ─► diameter::packet ─┘└► Standing
//! ```
//!
//! | | asks | Up | Down |
//! | --- | --- | --- | --- |
//! | RADIUS | Access-Request (RFC 2865) or Status-Server (RFC 5997) | any answer that is proved to be the server's | `max-retries` repeats are not answered either |
//! | Diameter | Capabilities-Exchange, Device-Watchdog (RFC 6733) | connection open | no connection, refused, or the watchdog of RFC 3539 fails over |
//!
//! Where to begin: [`radius::Prober`], [`diameter::Peer`]. What is left out, and why no crate of others is here:
//! `docs/decisions/0018-probes.md`.

pub mod diameter;
pub mod radius;
mod types;

pub use types::{Secret, Standing, State, Time};
