//! The keys that a listener has to know, TCP-MD5 and TCP-AO: computed whole from the configuration, and given as a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ipnetwork::IpNetwork;
use tokio::net::TcpListener;

use crate::ao_keys::AoKeys;
use crate::config::{NeighborConfig, SpeakerConfig};
use crate::handle::StartError;
use crate::tcp_ao;
use crate::tcp_auth::{Md5Key, set_md5_key, supports_md5};

/// Keys by the addresses that they are for.
#[derive(Debug, Default)]
pub(super) struct Keys {
    md5: BTreeMap<IpNetwork, Md5Key>,
    ao: BTreeMap<IpNetwork, AoKeys>,
}

/// What a configuration needs.
pub(super) fn wanted(config: &SpeakerConfig) -> Keys {
    Keys {
        md5: all(config, |neighbor| neighbor.md5_key.clone()),
        ao: all(config, |neighbor| neighbor.ao_keys.clone()),
    }
}

fn all<T>(config: &SpeakerConfig, key: impl Fn(&NeighborConfig) -> Option<T>) -> BTreeMap<IpNetwork, T> {
    let neighbors = config.neighbors.iter().filter_map(|one| Some((IpNetwork::from(one.address?), key(one))));
    let ranges = config.ranges.iter().map(|range| (range.prefix, key(&range.neighbor)));
    neighbors.chain(ranges).filter_map(|(peers, key)| Some((peers, key?))).collect()
}

impl SpeakerConfig {
    /// Whether this kernel takes the keys of its neighbors; asked without a trace, whether a speaker runs or not.
    ///
    /// # Errors
    ///
    /// The first key that it does not take.
    pub fn check_keys(&self) -> Result<(), StartError> {
        let wanted = wanted(self);
        if !wanted.md5.is_empty() {
            supports_md5().map_err(StartError::Key)?;
        }
        Ok(tcp_ao::check(wanted.ao.iter().map(|(peers, keys)| (*peers, keys)))?)
    }
}

/// Brings a listener from one set of keys to another.
///
/// The kernel takes no key of one kind beside one of the other for a peer: what goes makes room for what comes.
pub(super) fn give(listener: &TcpListener, from: &Keys, to: &Keys) -> io::Result<()> {
    let is_v4 = listener.local_addr()?.is_ipv4();
    let ours = |network: &&IpNetwork| network.is_ipv4() == is_v4;
    let set_md5 = |peers: &IpNetwork, key| set_md5_key(listener, peers.network(), peers.prefix(), key);
    for gone in from.md5.keys().filter(ours).filter(|peers| !to.md5.contains_key(*peers)) {
        set_md5(gone, None)?;
    }
    let signed: BTreeSet<&IpNetwork> = from.ao.keys().chain(to.ao.keys()).filter(ours).collect();
    for peers in signed {
        tcp_ao::change_on_listener(listener, *peers, from.ao.get(peers), to.ao.get(peers))?;
    }
    for (peers, key) in to.md5.iter().filter(|(peers, _)| ours(peers)) {
        if from.md5.get(peers) != Some(key) {
            set_md5(peers, Some(key))?;
        }
    }
    Ok(())
}
