//! A context's BGP configuration as its speaker wants it.

use std::net::IpAddr;

use bgp_speaker::{
    Asn, BadHoldTime, BadRule, Families, Family, HoldTime, ImportPolicy, ImportRule, NeighborConfig,
    SpeakerConfig, Verdict,
};
use srp_core::config::{self, BgpConfig};
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
    /// Not an import rule.
    #[error("bgp.neighbor {neighbor}: {source}")]
    Import {
        /// The neighbour.
        neighbor: IpAddr,
        /// Why.
        source: BadRule,
    },
}

/// The speaker of one context.
pub fn speaker_config(bgp: &BgpConfig) -> Result<SpeakerConfig, SettingsError> {
    let router_id = bgp.router_id.try_into().map_err(|_| SettingsError::RouterId(bgp.router_id))?;
    let mut speaker = SpeakerConfig::new(Asn(bgp.local_as), router_id);
    speaker.port = bgp.port;
    speaker.neighbors = bgp.neighbors.iter().map(neighbor_config).collect::<Result<_, _>>()?;
    Ok(speaker)
}

fn neighbor_config(config: &config::NeighborConfig) -> Result<NeighborConfig, SettingsError> {
    let neighbor = config.address;
    let seconds = u16::try_from(config.hold_time.0 / Span::secs(1).0).unwrap_or(u16::MAX);
    let hold_time =
        HoldTime::try_from(seconds).map_err(|source| SettingsError::HoldTime { neighbor, source })?;
    let import = config.import.iter().map(|rule| {
        ImportRule::new(rule.prefix.into(), Some(rule.ge), Some(rule.le), Verdict::Accept)
            .map_err(|source| SettingsError::Import { neighbor, source })
    });
    let families = [(config.ipv4, Family::Ipv4Unicast), (config.ipv6, Family::Ipv6Unicast)];
    Ok(NeighborConfig {
        interface: config.interface.as_deref().map(Into::into),
        local_address: config.local_address,
        port: config.port,
        hold_time,
        passive: config.passive,
        families: families.into_iter().filter_map(|(on, family)| on.then_some(family)).collect::<Families>(),
        next_hop_v4: config.next_hop_ipv4,
        next_hop_v6: config.next_hop_ipv6,
        import: import.collect::<Result<ImportPolicy, _>>()?,
        ..NeighborConfig::new(config.address, Asn(config.remote_as))
    })
}
