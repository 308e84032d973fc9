//! The neighbours as the pair sees them: up or down, since when.
//!
//! A range counts as one neighbour, which is up while any of those that came by it is: who may come is not known, and a
//! chassis that nobody of a range reaches any more is as cut off as one whose named neighbours are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_speaker::Event;
use ipnetwork::IpNetwork;
use srp_core::chassis::{MonitorId, MonitorState};
use srp_core::config::{ContextConfig, MonitorBgp, announcement_monitor};
use srp_core::types::Time;

/// One neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its session is Established.
    pub up: bool,
    /// Since when it is so.
    pub since: Time,
}

/// How a neighbour is known here: by its address, or by the interface where it is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Address(IpAddr),
    Link(String),
}

impl Name {
    fn new(address: Option<IpAddr>, interface: Option<&str>) -> Self {
        let link = || Self::Link(interface.unwrap_or_default().to_owned());
        address.map_or_else(link, Self::Address)
    }
}

/// All neighbours of all contexts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Neighbors {
    named: BTreeMap<(String, Name), Standing>,
    /// Monitored ones that come by a range.
    monitored: BTreeMap<(String, Name), Standing>,
    /// What is monitored, by where it stands above.
    monitors: Vec<(MonitorId, (String, Name))>,
    /// Who is up of each range.
    ranges: BTreeMap<(String, IpNetwork), BTreeSet<IpAddr>>,
}

impl Neighbors {
    /// The configured ones. Those that were known keep their standing.
    pub fn configure(&mut self, now: Time, contexts: &[ContextConfig], monitors: &[MonitorBgp]) {
        let known = std::mem::take(self);
        let standing = |key: (String, Name)| {
            let known = known.named.get(&key).or(known.monitored.get(&key)).copied();
            (key, known.unwrap_or(Standing { up: false, since: now }))
        };
        for context in contexts {
            let bgp = || context.bgp.iter();
            let named = bgp().flat_map(|bgp| &bgp.neighbors);
            let named = named.map(|named| Name::new(named.address, named.interface.as_deref()));
            self.named.extend(named.map(|name| standing((context.name.clone(), name))));
            self.ranges.extend(bgp().flat_map(|bgp| &bgp.ranges).map(|range| {
                let key = (context.name.clone(), range.prefix);
                let up = known.ranges.get(&key).cloned().unwrap_or_default();
                (key, up)
            }));
        }
        let key = |monitor: &MonitorBgp| (monitor.context.clone(), Name::Address(monitor.address));
        self.monitors = monitors.iter().map(|monitor| (monitor.id(), key(monitor))).collect();
        let by_range = monitors.iter().map(key).filter(|key| !self.named.contains_key(key));
        self.monitored = by_range.map(standing).collect();
    }

    /// Takes an event of a context's speaker. If a standing changed: what the monitors make of it that are concerned.
    pub fn note(
        &mut self,
        now: Time,
        context: &str,
        event: &Event,
    ) -> Option<Vec<(MonitorId, MonitorState)>> {
        let (neighbor, up) = match event {
            Event::NeighborUp { neighbor, .. } => (neighbor, true),
            Event::NeighborDown { neighbor, .. } => (neighbor, false),
            Event::BestPathsChanged(_) | Event::NextHopsWanted(_) | Event::Converged { .. } => return None,
        };
        let key = (context.to_owned(), Name::new(neighbor.address, neighbor.interface.as_deref()));
        self.stand(now, &key, up).then(|| self.found(|of| *of == key))
    }

    /// True if it changed.
    fn stand(&mut self, now: Time, key: &(String, Name), up: bool) -> bool {
        if let Some(standing) = self.named.get_mut(key) {
            return standing.set(now, up);
        }
        // Only those that are named have no address.
        let (context, Name::Address(address)) = key else { return false };
        let monitored = self.monitored.get_mut(key).is_some_and(|standing| standing.set(now, up));
        let holds = |(of, range): &(String, IpNetwork)| of == context && range.contains(*address);
        let ranges = self.ranges.iter_mut().filter(|(key, _)| holds(key));
        let range = ranges.max_by_key(|((_, range), _)| range.prefix());
        let counted = range.is_some_and(
            |(_, members)| {
                if up { members.insert(*address) } else { members.remove(address) }
            },
        );
        monitored || counted
    }

    /// Standing of one neighbour: a named one, or a monitored one that comes by a range.
    pub fn get(&self, context: &str, address: IpAddr) -> Option<Standing> {
        let key = (context.to_owned(), Name::Address(address));
        self.named.get(&key).or(self.monitored.get(&key)).copied()
    }

    /// What monitors find: of each monitored neighbour, and of all together, where there are any (MON-4).
    pub fn monitors(&self) -> Vec<(MonitorId, MonitorState)> {
        self.found(|_| true)
    }

    /// What the monitors of these neighbours find, and of all together.
    fn found(&self, concerned: impl Fn(&(String, Name)) -> bool) -> Vec<(MonitorId, MonitorState)> {
        let state = |up| if up { MonitorState::Up } else { MonitorState::Down };
        let of = |key: &(String, Name)| {
            let standing = self.named.get(key).or(self.monitored.get(key));
            state(standing.is_some_and(|standing| standing.up))
        };
        let monitors = self.monitors.iter().filter(|(_, key)| concerned(key));
        let mut found: Vec<_> = monitors.map(|(id, key)| (id.clone(), of(key))).collect();
        let (configured, established) = self.count();
        if configured > 0 {
            found.push((announcement_monitor(), state(established > 0)));
        }
        found
    }

    /// Configured and Established ones.
    pub fn count(&self) -> (u32, u32) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let up = self.named.values().filter(|standing| standing.up).count()
            + self.ranges.values().filter(|members| !members.is_empty()).count();
        (count(self.named.len() + self.ranges.len()), count(up))
    }
}

impl Standing {
    /// True if it changed.
    fn set(&mut self, now: Time, up: bool) -> bool {
        let changed = self.up != up;
        if changed {
            *self = Self { up, since: now };
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bgp_speaker::{DownReason, Families, HoldTime};
    use srp_core::config::Config;

    use super::*;

    const TEXT: &str = "[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\nplaintext = true\n\
        [[srp.monitor.bgp]]\ncontext = \"a\"\naddress = \"10.5.0.7\"\n\
        [[context]]\nname = \"a\"\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.1\"\n\
        [[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\n\
        [[context.bgp.range]]\nprefix = \"10.5.0.0/16\"\nremote-as = 65105\n";

    fn event(address: &str, up: bool) -> Event {
        let address: IpAddr = address.parse().expect("an address");
        if up {
            let (local, hold_time) = ("10.5.0.1:179".parse().expect("an address"), HoldTime::DEFAULT);
            Event::NeighborUp { neighbor: address.into(), local, families: Families::ALL, hold_time }
        } else {
            let reason = DownReason::LinkDown;
            Event::NeighborDown { neighbor: address.into(), reason, was_established: true }
        }
    }

    fn neighbors() -> (Config, Neighbors) {
        let config = Config::from_toml(TEXT, Path::new("srp.toml")).expect("it is right");
        let mut neighbors = Neighbors::default();
        neighbors.configure(Time(0), &config.contexts, &config.srp.monitor_bgp);
        (config, neighbors)
    }

    #[test]
    fn range_is_one_neighbour_that_is_up_while_anybody_of_it_is() {
        let (_, mut neighbors) = neighbors();
        assert_eq!(neighbors.count(), (2, 0));
        for (address, up, count) in [
            ("10.5.0.8", true, (2, 1)),
            ("10.5.0.9", true, (2, 1)),
            ("10.1.1.2", true, (2, 2)),
            ("10.5.0.8", false, (2, 2)),
            ("10.5.0.9", false, (2, 1)),
        ] {
            assert!(neighbors.note(Time(0), "a", &event(address, up)).is_some(), "{address}");
            assert_eq!(neighbors.count(), count, "{address}");
        }
        assert_eq!(neighbors.note(Time(0), "b", &event("10.5.0.8", true)), None, "another context");
    }

    #[test]
    fn monitored_neighbour_of_a_range_is_down_until_it_comes_and_a_reload_forgets_nothing() {
        let (config, mut neighbors) = neighbors();
        let address = "10.5.0.7".parse().expect("an address");
        assert_eq!(neighbors.get("a", address).map(|standing| standing.up), Some(false));
        let monitors =
            [(config.srp.monitor_bgp[0].id(), MonitorState::Up), (announcement_monitor(), MonitorState::Up)];
        assert_eq!(neighbors.note(Time(0), "a", &event("10.5.0.7", true)), Some(monitors.into()));
        // Of another neighbour, its own monitor is not told again.
        let monitors = Some(vec![(announcement_monitor(), MonitorState::Up)]);
        assert_eq!(neighbors.note(Time(0), "a", &event("10.1.1.2", true)), monitors);
        assert_eq!(neighbors.note(Time(0), "a", &event("10.1.1.2", false)), monitors);
        neighbors.configure(Time(0), &config.contexts, &config.srp.monitor_bgp);
        assert_eq!(neighbors.get("a", address).map(|standing| standing.up), Some(true));
        assert_eq!(neighbors.count(), (2, 1));
        assert!(neighbors.note(Time(0), "a", &event("10.5.0.7", false)).is_some());
        assert_eq!(neighbors.get("a", address).map(|standing| standing.up), Some(false));
    }
}
