//! The base of Diameter: one peer, a connection to it, and its watchdog.

mod answer;
pub mod framing;
pub mod packet;
mod peer;
mod watchdog;

pub use answer::Refusal;
pub use framing::{FrameError, Framer};
pub use packet::{Avp, Header, Malformed, Message};
pub use peer::{Action, Counters, Peer, Settings};
