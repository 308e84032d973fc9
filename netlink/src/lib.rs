//! Keeps the kernel as the product wants it: loopback addresses, pool routes, learned routes; and watches links.
//!
//! What always holds:
//! - What is ours carries our mark (route protocol, address protocol), so a new life knows it. What does not is never
//!   deleted, replaced or merged into; where it is in the way, the wanted object is refused and the holder named.
//! - Two owners share the crate: the SRP section (addresses and pools, set as a whole) and the learned routes (changed
//!   one by one). Each has its own metric and book; neither can disturb the other, and the SRP section overtakes.
//! - Somebody else's change of an object of ours is noticed, by event or by the periodic comparison, repaired, told.
//! - The kernel's refusals are values with object and reason, in the answer or in an event, not only log lines.
//!
//! | Message | From | To |
//! |---|---|---|
//! | [`Section`], [`RouteChange`] | owner, through [`Kernel`] | worker: [`plan`], then the kernel |
//! | [`Report`] with [`Refused`] | worker | owner, as the answer |
//! | notification (rtnetlink groups link, address, route) | kernel, past a filter | worker: picture of links, comparison |
//! | [`KernelEvent`] | worker | [`EventReceiver`] |
//! | [`Way`] or [`NoWay`] | worker, from the kernel | owner, as the answer |
//! | [`Links`] | worker | anybody, as a snapshot |
//!
//! Read first: `plan.rs` (the rules), `ledger.rs` with its two books, `worker.rs` (the loop), `apply.rs`, `socket.rs`.
//! `docs/decisions/0004-kernel-ownership.md` says why the mark, the metrics and the own writer are as they are.
//!
//! Beside them, the links that the configuration names ([`Ports`]): addresses with a mark of their own, MTU, speed, up or
//! down, description. They are made at a start and at a reload, not watched.
//!
//! Everything happens in the network namespace of the thread that calls [`Kernel::start`]. Left out: nexthop objects,
//! policy rules, neighbour entries. Next hops that are not directly connected are resolved by [`Kernel::ways`] first.

mod apply;
mod codec;
mod compare;
mod ethtool;
mod filter;
mod frame;
mod gratuitous;
mod job;
mod kernel;
mod learned_book;
mod ledger;
mod left_over;
mod links;
mod lookup;
mod names;
pub mod plan;
mod port;
mod port_hands;
mod prefix;
mod report;
mod settings;
mod socket;
mod srp_book;
mod types;
mod watch;
mod way;
mod worker;

pub use gratuitous::{Gratuitous, GratuitousError};
pub use kernel::{EventReceiver, Kernel, RequestError, StartError};
pub use left_over::LeftOver;
pub use links::{Link, LinkAddress, Links};
pub use names::{LinkIndex, LinkName, LinkNameError, Mac, TableId};
pub use port::{Counts, FoundPort, Port, PortAddress, PortError, PortOp, PortReason, Speed, Traffic};
pub use port_hands::{Done, Ports};
pub use prefix::{Prefix, PrefixError};
pub use report::{CompareCause, KernelEvent, LinkDownCause, Object, RefuseReason, Refused, Report};
pub use settings::{Settings, SettingsError};
pub use types::{
    Address, AddressError, NextHop, NextHops, Route, RouteChange, RouteError, RouteTarget, Section,
};
pub use way::{NoWay, Way};
