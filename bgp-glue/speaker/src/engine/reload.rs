//! Taking over a new configuration while sessions run.
//!
//! | what changed | what happens |
//! |---|---|
//! | nothing | nothing |
//! | listen addresses or port | listeners open and close, sessions stay |
//! | a neighbor's import policy, allowed own AS | its routes are judged again, the session stays |
//! | a neighbor's export policy, its prepends, how many routes it is told | it is told the difference, the session stays |
//! | how many routes it may announce | those that are there are counted at once |
//! | who looks on (MRT, BMP) | they begin and end, sessions stay |
//! | multipath | all routes are decided again, sessions stay |
//! | anything else of a neighbor | its session ends with Cease/6 and begins anew |
//! | a neighbor's TCP-MD5 key, or TCP-AO keys, for others | segments are signed with them, the session stays |
//! | a neighbor is gone | its session ends with Cease/3 |
//! | our AS or identifier | every session ends with Cease/6 and begins anew |

use std::net::SocketAddr;
use std::sync::Arc;

use bgp_proto::wire::notification::{Notification, reason};

use super::exports::Told;
use super::{Engine, Exports, Running, keys, local};
use crate::config::{NeighborConfig, NeighborKey, NeighborRange, SpeakerConfig};
use crate::handle::StartError;
use crate::peer::Order;
use crate::rib_task::RibMessage;

use tokio::sync::oneshot;

impl Engine {
    /// On error nothing has changed.
    pub(super) fn reload(&mut self, config: SpeakerConfig) -> Result<(), StartError> {
        config.check().map_err(StartError::Config)?;
        config.check_keys()?;
        let opened = self.open_listeners(&config)?;
        let (had, wanted_keys) = (keys::wanted(&self.config), keys::wanted(&config));
        for listener in self.listeners.values() {
            keys::give(&listener.socket, &had, &wanted_keys).map_err(StartError::Key)?;
        }
        let wanted: Vec<_> =
            config.listen.iter().map(|address| SocketAddr::new(*address, config.port)).collect();
        self.listeners.extend(opened);
        self.listeners.retain(|address, _| wanted.contains(address));

        let anew = (config.local_as, config.router_id) != (self.config.local_as, self.config.router_id);
        if local(&config) != local(&self.config) {
            self.tell_table(RibMessage::Local(local(&config)));
        }
        let gone = Notification::new(reason::PEER_DECONFIGURED);
        let keys: Vec<_> = config.neighbors.iter().map(NeighborConfig::key).collect();
        self.forget_transients();
        let stays = |key: &NeighborKey, running: &Running| match running.range {
            None => keys.contains(key),
            Some(prefix) => {
                let same = config.ranges.iter().find(|range| range.prefix == prefix);
                let as_before =
                    |(range, address): (&NeighborRange, _)| range.neighbor_at(address) == running.config;
                !anew && same.zip(key.address).is_some_and(as_before)
            }
        };
        for (_, running) in self.neighbors.extract_if(.., |key, running| !stays(key, running)) {
            running.stop(&gone);
        }
        self.config = config;
        self.start_monitors();
        for neighbor in self.config.neighbors.clone() {
            self.reload_neighbor(neighbor, anew);
        }
        Ok(())
    }

    fn reload_neighbor(&mut self, neighbor: NeighborConfig, anew: bool) {
        match self.neighbors.get_mut(&neighbor.key()) {
            None => self.start_neighbor(neighbor),
            Some(running) if running.config == neighbor && !anew => {}
            Some(running) if with_policies_of(&running.config, &neighbor) == neighbor && !anew => {
                if running.config.limits != neighbor.limits {
                    running.order(Order::Limits(neighbor.limits));
                }
                if Told::of(&running.config) != Told::of(&neighbor) {
                    running.originated = Exports::new(&self.originated).by(&neighbor);
                    let (report, _nobody_waits) = oneshot::channel();
                    let routes = Arc::clone(&running.originated);
                    running.order(Order::Originate { routes, report, awaits_return: false });
                }
                running.order(Order::Policy {
                    policy: Arc::new(neighbor.import.clone()),
                    allow_own_as: neighbor.allow_own_as,
                });
                running.config = neighbor;
            }
            Some(running) if with_key_of(&running.config, &neighbor) == neighbor && !anew => {
                // Both ends change it within the hold time, and TCP bridges what is dropped meanwhile.
                if let Some(key) = &neighbor.md5_key {
                    running.order(Order::Key(key.clone()));
                }
                if let Some(keys) = &neighbor.ao_keys {
                    running.order(Order::AoKeys(keys.clone()));
                }
                running.config = neighbor;
            }
            Some(_) => {
                if let Some(running) = self.neighbors.remove(&neighbor.key()) {
                    running.stop(&Notification::new(reason::OTHER_CONFIGURATION_CHANGE));
                }
                self.start_neighbor(neighbor);
            }
        }
    }
}

fn with_policies_of(config: &NeighborConfig, other: &NeighborConfig) -> NeighborConfig {
    NeighborConfig {
        import: other.import.clone(),
        export: other.export.clone(),
        prepends: other.prepends.clone(),
        allow_own_as: other.allow_own_as,
        limits: other.limits,
        ..config.clone()
    }
}

/// The keys of the other one, if both have some: to begin or to end signing takes a new connection, as does a TCP-AO
/// identifier that gets another meaning.
fn with_key_of(config: &NeighborConfig, other: &NeighborConfig) -> NeighborConfig {
    let key = config.md5_key.as_ref().and(other.md5_key.clone());
    let had = config.ao_keys.as_ref();
    let ao_keys = other.ao_keys.clone().filter(|keys| had.is_some_and(|had| had.can_become(keys)));
    NeighborConfig {
        md5_key: key.or_else(|| config.md5_key.clone()),
        ao_keys: ao_keys.or_else(|| config.ao_keys.clone()),
        ..config.clone()
    }
}
