//! What a configuration asks to watch, as the chassis knows it: the monitors that it names, and two that every chassis has.

use std::net::{IpAddr, SocketAddr};

use super::model::{Config, MonitorBgp};
use super::probe::{AuthServerConfig, DiameterConfig};
use crate::chassis::{MonitorId, MonitorKind, Monitored};

impl Config {
    /// All monitors: those of `[srp.monitor]` in configured order, then the chassis' own, which are the kernel that takes
    /// what it has to install and, where BGP is configured, somebody who hears what it announces.
    pub fn monitored(&self) -> Vec<Monitored> {
        let srp = &self.srp;
        let mut all: Vec<Monitored> =
            srp.monitor_bgp.iter().map(|bgp| Monitored { id: bgp.id(), group: bgp.group }).collect();
        all.extend(
            srp.monitor_bfd
                .iter()
                .map(|bfd| Monitored { id: bfd_monitor(&bfd.context, bfd.address), group: bfd.group }),
        );
        all.extend(
            srp.monitor_interface.iter().map(|interface| Monitored {
                id: interface_monitor(&interface.name),
                group: interface.group,
            }),
        );
        let servers = srp.auth_probe.iter().flat_map(|probe| &probe.servers);
        all.extend(servers.map(|server| Monitored { id: server.id(), group: None }));
        all.extend(srp.monitor_diameter.iter().map(|peer| Monitored { id: peer.id(), group: peer.group }));
        all.push(Monitored { id: kernel_monitor(), group: None });
        let instances = self.contexts.iter().filter_map(|context| context.bgp.as_ref());
        if instances.into_iter().any(|bgp| !(bgp.neighbors.is_empty() && bgp.ranges.is_empty())) {
            all.push(Monitored { id: announcement_monitor(), group: None });
        }
        all
    }
}

impl MonitorBgp {
    /// How the chassis knows it.
    pub fn id(&self) -> MonitorId {
        of(MonitorKind::Bgp, &self.context, &self.address)
    }
}

/// How the chassis knows a BFD session with a BGP neighbour.
pub fn bfd_monitor(context: &str, address: IpAddr) -> MonitorId {
    of(MonitorKind::Bfd, context, &address)
}

/// How the chassis knows an interface.
pub fn interface_monitor(name: &str) -> MonitorId {
    of(MonitorKind::Interface, "", name)
}

impl AuthServerConfig {
    /// How the chassis knows it.
    pub fn id(&self) -> MonitorId {
        of(MonitorKind::Aaa, &self.context, &SocketAddr::new(self.address, self.port))
    }
}

impl DiameterConfig {
    /// How the chassis knows it.
    pub fn id(&self) -> MonitorId {
        of(MonitorKind::Diameter, &self.context, &SocketAddr::new(self.address, self.port))
    }
}

/// How the chassis knows that the kernel takes what it has to install.
pub fn kernel_monitor() -> MonitorId {
    of(MonitorKind::Kernel, "", "objects")
}

/// How the chassis knows that a neighbour of any context hears it.
pub fn announcement_monitor() -> MonitorId {
    of(MonitorKind::Announcement, "", "BGP neighbours")
}

fn of(kind: MonitorKind, context: &str, name: &(impl ToString + ?Sized)) -> MonitorId {
    MonitorId { kind, context: context.to_owned(), name: name.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chassis::{Chassis, Event, MonitorState, Settings};
    use crate::config::tests::parse;
    use crate::types::{BootId, ChassisMode, Identity, Mac, Priority, Time};

    /// The source's sample: six neighbours of one context in three groups.
    const SAMPLE: &str = r#"
        [srp]
        bind-address = "192.0.2.1"
        peer-ip-address = "192.0.2.2"
        plaintext = true
        [srp.monitor]
        bgp = [
            { context = "PGWin", address = "10.1.1.16", group = 1 },
            { context = "PGWin", address = "10.1.1.17", group = 1 },
            { context = "PGWin", address = "69.2.215.0", group = 2 },
            { context = "PGWin", address = "69.2.215.1", group = 2 },
            { context = "PGWin", address = "2001:4333:201:1102:103:2a1::", group = 3 },
            { context = "PGWin", address = "2001:4333:201:1102:103:2a1:0:1", group = 3 },
        ]
        [[context]]
        name = "PGWin"
        [context.bgp]
        as = 65001
        router-id = "192.0.2.1"
        neighbor = [
            { address = "10.1.1.16", remote-as = 65101 },
            { address = "10.1.1.17", remote-as = 65101 },
            { address = "69.2.215.0", remote-as = 65101 },
            { address = "69.2.215.1", remote-as = 65101 },
            { address = "2001:4333:201:1102:103:2a1::", remote-as = 65101 },
            { address = "2001:4333:201:1102:103:2a1:0:1", remote-as = 65101 },
        ]
    "#;

    #[test]
    fn mon_6_both_neighbours_of_any_group_of_the_sample_are_a_failure() {
        let config = parse(SAMPLE);
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let identity = Identity { mode: ChassisMode::Primary, priority: Priority(1), mac, boot: BootId(1) };
        let settings = Settings { monitors: config.monitored(), ..Settings::new(identity) };
        let neighbors: Vec<MonitorId> = config.srp.monitor_bgp.iter().map(MonitorBgp::id).collect();
        for down in 0_u32..1 << neighbors.len() {
            let mut chassis = Chassis::new(Time(0), settings.clone());
            for (index, monitor) in neighbors.iter().enumerate() {
                let state = if down >> index & 1 == 1 { MonitorState::Down } else { MonitorState::Up };
                chassis.handle(Time(1), Event::Monitor { monitor: monitor.clone(), state });
            }
            let failed: Vec<String> =
                chassis.monitoring(Time(2)).failures.into_iter().map(|failure| failure.what).collect();
            let groups = (0..3).filter(|group| down >> (2 * group) & 0b11 == 0b11);
            let expected: Vec<String> =
                groups.map(|group| format!("BGP context PGWin group {}", group + 1)).collect();
            assert_eq!(failed, expected, "{down:06b}");
        }
    }
}
