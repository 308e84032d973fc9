//! Bidirectional Forwarding Detection without I/O: packet codec and session state machine (RFC 5880, 5881, 5883).
//!
//! No socket, clock or source of randomness is in here: time and seeds are arguments, packets go in and come out.
//!
//! ```text
//!  octets ─► packet ─► Received ─► session ─► Action: Send(Packet), Up, Down, Discarded
//!                                     ▲
//!            time, timers, path failed, disable, enable
//! ```
//!
//! Words, as in RFC 5880: *local* and *remote* are the two systems of a session; the *transmit interval* is what we
//! keep between two packets; the *detection time* is the silence after which the remote system is given up; a *Poll
//! Sequence* carries a change of timers to the remote system and brings back its consent (*Final*).
//!
//! | packet says | we hear | and become |
//! | --- | --- | --- |
//! | Down, your discriminator 0 | Down | Init |
//! | Init | Init | Up |
//! | Up | Up | Up |
//! | AdminDown | AdminDown | Down, and nobody is at fault |
//!
//! Where to begin: [`Session`], then [`packet::decode`]. Asynchronous mode only; what is left out, and why, stands in
//! `docs/decisions/0008-bfd.md`.

pub mod discriminators;
pub mod health;
pub mod packet;
pub mod session;
pub mod types;

pub use discriminators::Discriminators;
pub use health::{Health, Tally};
pub use packet::{AuthenticationType, Discard, Packet, Received};
pub use session::{Action, Counters, DownCause, Event, Remote, Session};
pub use types::{
    Diagnostic, Discriminator, Interval, MAX_INTERVAL, MIN_INTERVAL, SLOW_INTERVAL, Span, State, Time,
    Timers, TimersError,
};
