//! A context's BGP configuration as its speaker wants it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bgp_speaker::{
    Asn, BadHoldTime, BadMd5Key, BadRange, Families, Family, HoldTime, Hops, Md5Key, Millis, NeighborConfig,
    Offer, Policy, PrefixRange, Role, Rule, SpeakerConfig,
};
use srp_core::config::{self, BgpConfig, BgpRole};
use srp_core::types::Span;

/// A checked configuration that the speaker would not take: a fault of the checks, told instead of hidden.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not a BGP identifier.
    #[error("bgp.router-id {0} is not a BGP identifier: use an address other than 0.0.0.0")]
    RouterId(std::net::Ipv4Addr),
    /// Not a hold time.
    #[error("bgp.neighbor {neighbor}: {source}")]
    HoldTime {
        /// The neighbour.
        neighbor: IpAddr,
        /// Why.
        source: BadHoldTime,
    },
    /// The file with a key cannot be read.
    #[error("bgp.neighbor {neighbor}: md5-key-file {file}: {source}: write the key into it, one line")]
    KeyFile {
        /// The neighbour.
        neighbor: IpAddr,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("bgp.neighbor {neighbor}: md5-key-file: {source}")]
    Key {
        /// The neighbour.
        neighbor: IpAddr,
        /// Why.
        source: BadMd5Key,
    },
    /// Not an import rule.
    #[error("bgp.neighbor {neighbor}: {source}")]
    Import {
        /// The neighbour.
        neighbor: IpAddr,
        /// Why.
        source: BadRange,
    },
}

/// The speaker of one context.
pub fn speaker_config(bgp: &BgpConfig) -> Result<SpeakerConfig, SettingsError> {
    let router_id = bgp.router_id.try_into().map_err(|_| SettingsError::RouterId(bgp.router_id))?;
    let mut speaker = SpeakerConfig::new(Asn(bgp.local_as), router_id);
    speaker.port = bgp.port;
    speaker.watch_next_hops = true;
    speaker.neighbors = bgp.neighbors.iter().map(neighbor_config).collect::<Result<_, _>>()?;
    Ok(speaker)
}

/// Whole milliseconds of a span.
fn millis(span: Span) -> u64 {
    span.0 / Span::millis(1).0
}

/// The key in a file: its first line, so that an editor may end it.
fn read_key(neighbor: IpAddr, file: &Path) -> Result<Md5Key, SettingsError> {
    let text = std::fs::read_to_string(file).map_err(|source| SettingsError::KeyFile {
        neighbor,
        file: file.to_owned(),
        source,
    })?;
    let line = text.lines().next().unwrap_or_default();
    Md5Key::try_from(line).map_err(|source| SettingsError::Key { neighbor, source })
}

fn neighbor_config(config: &config::NeighborConfig) -> Result<NeighborConfig, SettingsError> {
    let neighbor = config.address;
    let seconds = u16::try_from(config.hold_time.0 / Span::secs(1).0).unwrap_or(u16::MAX);
    let hold_time =
        HoldTime::try_from(seconds).map_err(|source| SettingsError::HoldTime { neighbor, source })?;
    let import = config.import.iter().map(|rule| {
        PrefixRange::new(rule.prefix.into(), Some(rule.ge), Some(rule.le))
            .map(Rule::accept)
            .map_err(|source| SettingsError::Import { neighbor, source })
    });
    let families = [(config.ipv4, Family::Ipv4Unicast), (config.ipv6, Family::Ipv6Unicast)];
    let role = config.role.map(|role| match role {
        BgpRole::Provider => Role::Provider,
        BgpRole::RouteServer => Role::RouteServer,
        BgpRole::RouteServerClient => Role::RouteServerClient,
        BgpRole::Customer => Role::Customer,
        BgpRole::Peer => Role::Peer,
    });
    let hops = match (config.multihop, config.ttl_security) {
        (None, false) => Hops::Usual,
        (Some(hops), false) => Hops::UpTo(hops),
        (hops, true) => Hops::Secured(hops.unwrap_or(1)),
    };
    let md5_key = config.md5_key_file.as_deref().map(|file| read_key(neighbor, file)).transpose()?;
    Ok(NeighborConfig {
        local_as: config.local_as.map(Asn),
        hops,
        md5_key,
        delay_open: Millis::new(millis(config.delay_open)),
        send_hold: config.send_hold_time.map(|time| Millis::new(millis(time))),
        offer: Offer { role, role_strict: config.role_strict, ..Offer::default() },
        interface: config.interface.as_deref().map(Into::into),
        local_address: config.local_address,
        port: config.port,
        hold_time,
        passive: config.passive,
        families: families.into_iter().filter_map(|(on, family)| on.then_some(family)).collect::<Families>(),
        next_hop_v4: config.next_hop_ipv4,
        next_hop_v6: config.next_hop_ipv6,
        import: import.collect::<Result<Policy, _>>()?,
        ..NeighborConfig::new(config.address, Asn(config.remote_as))
    })
}
