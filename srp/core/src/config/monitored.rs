//! What a configuration asks to watch, as the chassis knows it: the monitors that it names, and two that every chassis has.

use super::model::{Config, MonitorBgp};
use crate::chassis::{MonitorId, MonitorKind, Monitored};

impl Config {
    /// All monitors: those of `[srp.monitor]` in configured order, then the chassis' own, which are the kernel that takes
    /// what it has to install and, where BGP is configured, somebody who hears what it announces.
    pub fn monitored(&self) -> Vec<Monitored> {
        let mut all: Vec<Monitored> = self.srp.monitor_bgp.iter().map(bgp).collect();
        all.push(own(kernel_monitor()));
        let instances = self.contexts.iter().filter_map(|context| context.bgp.as_ref());
        if instances.into_iter().any(|bgp| !(bgp.neighbors.is_empty() && bgp.ranges.is_empty())) {
            all.push(own(announcement_monitor()));
        }
        all
    }
}

impl MonitorBgp {
    /// How the chassis knows it.
    pub fn id(&self) -> MonitorId {
        MonitorId { kind: MonitorKind::Bgp, name: format!("{} {}", self.context, self.address) }
    }
}

/// How the chassis knows that the kernel takes what it has to install.
pub fn kernel_monitor() -> MonitorId {
    MonitorId { kind: MonitorKind::Kernel, name: "objects".into() }
}

/// How the chassis knows that a neighbour of any context hears it.
pub fn announcement_monitor() -> MonitorId {
    MonitorId { kind: MonitorKind::Announcement, name: "BGP neighbours".into() }
}

fn bgp(monitor: &MonitorBgp) -> Monitored {
    Monitored { id: monitor.id(), context: monitor.context.clone(), group: monitor.group }
}

fn own(id: MonitorId) -> Monitored {
    Monitored { id, context: String::new(), group: None }
}
