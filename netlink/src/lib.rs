//! Kernel state: links, addresses and routes; a pure plan and its application over rtnetlink.

mod apply;
mod codec;
mod compare;
mod filter;
mod job;
mod kernel;
mod learned_book;
mod ledger;
mod links;
pub mod plan;
mod prefix;
mod report;
mod settings;
mod socket;
mod srp_book;
mod types;
mod watch;
mod worker;

pub use kernel::{EventReceiver, Kernel, RequestError, StartError};
pub use links::{Link, LinkAddress, Links};
pub use prefix::{Prefix, PrefixError};
pub use report::{CompareCause, KernelEvent, LinkDownCause, Object, RefuseReason, Refused, Report};
pub use settings::{Settings, SettingsError};
pub use types::{
    Address, AddressError, LinkIndex, LinkName, LinkNameError, Mac, NextHop, NextHops, Route, RouteChange,
    RouteError, RouteTarget, Section, TableId,
};
