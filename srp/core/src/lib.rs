//! The redundancy pair without sockets, clocks or kernel: what a chassis is, knows, says and decides.
//!
//! | Word | Meaning |
//! |---|---|
//! | chassis | one of the two appliances of a pair |
//! | Active / Standby | the one that serves / the one that waits |
//! | SRP link | the TCP connection between the two, see [`wire`] |
//! | Hello | the message each sends the other every hello-interval |
//! | dead-interval | that long without a Hello, and the Standby takes over |
//! | route modifier | number of AS-path prepends on the chassis' routes; the Active's is always the lower |
//! | srp-activated | a loopback or pool that only the Active installs and announces |
//!
//! Read [`types`] first, then [`chassis`], then one scenario in `tests/scenarios`.

pub mod api;
pub mod calendar;
pub mod chassis;
pub mod config;
pub mod events;
mod hex;
pub mod trace;
pub mod types;
pub mod wire;
