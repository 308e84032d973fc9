//! Kernel state: links, addresses and routes; a pure plan and its application over rtnetlink.

mod kernel;
mod links;
mod prefix;
mod report;
mod settings;
mod types;
mod worker;

pub use kernel::{EventReceiver, Kernel, StartError, Stopped};
pub use links::{Link, Links};
pub use prefix::{Prefix, PrefixError};
pub use report::{CompareCause, KernelEvent, LinkDownCause, Object, RefuseReason, Refused, Report};
pub use settings::{Settings, SettingsError};
pub use types::{
    Address, AddressError, LinkIndex, LinkName, LinkNameError, Mac, NextHop, NextHops, Route, RouteChange,
    RouteError, RouteTarget, Section, TableId,
};
