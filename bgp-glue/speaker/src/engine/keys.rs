//! The TCP-MD5 keys that a listener has to know: computed whole from the configuration, and given as a difference.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
use tokio::net::TcpListener;

use crate::config::SpeakerConfig;
use crate::handle::StartError;
use crate::tcp_auth::{Md5Key, set_md5_key, supports_md5};

/// Keys by the addresses that they are for.
pub(super) type Keys = BTreeMap<IpNetwork, Md5Key>;

/// What a configuration needs.
pub(super) fn wanted(config: &SpeakerConfig) -> Keys {
    let neighbors = config
        .neighbors
        .iter()
        .filter_map(|neighbor| Some((IpNetwork::from(neighbor.address), neighbor.md5_key.clone()?)));
    let ranges =
        config.ranges.iter().filter_map(|range| Some((range.prefix, range.neighbor.md5_key.clone()?)));
    neighbors.chain(ranges).collect()
}

/// Whether this kernel can do what a configuration asks of it.
pub(super) fn check(config: &SpeakerConfig) -> Result<(), StartError> {
    if wanted(config).is_empty() { Ok(()) } else { supports_md5().map_err(StartError::Key) }
}

/// Brings a listener from one set of keys to another.
pub(super) fn give(listener: &TcpListener, from: &Keys, to: &Keys) -> io::Result<()> {
    let is_v4 = listener.local_addr()?.is_ipv4();
    let ours = |network: &&IpNetwork| network.is_ipv4() == is_v4;
    for gone in from.keys().filter(ours).filter(|network| !to.contains_key(*network)) {
        set(listener, *gone, None)?;
    }
    for (network, key) in to.iter().filter(|(network, _)| ours(network)) {
        if from.get(network) != Some(key) {
            set(listener, *network, Some(key))?;
        }
    }
    Ok(())
}

fn set(listener: &TcpListener, network: IpNetwork, key: Option<&Md5Key>) -> io::Result<()> {
    let address: IpAddr = network.network();
    set_md5_key(listener, address, network.prefix(), key)
}
