//! The probe: one UDP packet per millisecond each way between the client and a loopback of the pair.
//!
//! [`send`] runs on the client and sends one packet per stream and millisecond, by absolute deadlines; [`respond`] runs on
//! both chassis, bound to the loopbacks whether they are there or not, and echoes every packet at once. A reply says who
//! answers, when the packet reached him, and which of the packets before it did, so that a packet without a reply can be
//! told to be lost on the way there or on the way back. [`record`] is what a run leaves, one line per packet; [`gaps`]
//! reads loss and gaps out of it.
//!
//! Where nothing of ours can run on a chassis all the time, because it restarts, its kernel answers instead ([`send::Ask`]).
//!
//! Arrival times are the kernel's (`SO_TIMESTAMPNS`), so that a late reader does not look like a slow network. Both
//! programs ask for `SCHED_FIFO` and locked memory; without the right to either they go on and say so.

pub mod gaps;
pub mod packet;
pub mod record;
pub mod respond;
pub mod run;
pub mod send;
mod socket;

use std::time::Duration;

/// UDP port of the responder.
pub const PORT: u16 = 7007;
/// Time between two packets of a stream.
pub const INTERVAL: Duration = Duration::from_millis(1);
/// The same where a kernel answers: it goes on for minutes, while emulated machines copy and verify images.
pub const ECHO_INTERVAL: Duration = Duration::from_millis(5);
