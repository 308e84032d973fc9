//! Two real chassis cores, and every story that can happen to them with a few faults.
//!
//! What is real: `Chassis`, unchanged, as the daemon runs it. What is abstract: time goes in ticks of one
//! hello-interval; the SRP link is a queue for each direction (`link`); kernel and BGP speaker are a driver that answers a
//! tick later or two (`driver`); the routers are one router that learns late and is known to have learnt later still, as
//! if others were slower (`router`). `world` lists what can happen next; `search` tries all of it; `faults`
//! are the things of which a story has only so many; `check` states the invariants of `sim/check.rs`; `key` says which
//! states are the same, and `alike` whether that is true; `words` tells a story to people.

pub mod alike;
pub mod check;
pub mod driver;
pub mod faults;
pub mod key;
pub mod link;
pub mod router;
pub mod search;
pub mod words;
pub mod world;
