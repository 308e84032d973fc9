//! A context's BGP configuration as its speaker wants it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bgp_speaker::{
    AnyCommunity, AoKeys, Asn, BadAoKeys, BadHoldTime, BadMd5Key, BadRange, Changes, Community, Conditions,
    Families, Family, HoldTime, Hops, LargeCommunity, Limits, Md5Key, Millis, MonitorConfig, MrtConfig,
    Multipath, NeighborConfig, NeighborRange, NotRising, Offer, Policy, PrefixLimits, PrefixRange, Prepends,
    Role, Rule, SpeakerConfig, StationConfig, Verdict,
};
use srp_core::config::{self, AddPath, BgpConfig, BgpRole, LimitAction, PolicyRule, RangeConfig};
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
        neighbor: String,
        /// Why.
        source: BadHoldTime,
    },
    /// The file with a key cannot be read.
    #[error("bgp.neighbor {neighbor}: {key} {file}: {source}: write the key into it, one a line")]
    KeyFile {
        /// The neighbour.
        neighbor: String,
        /// Which key names it.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("bgp.neighbor {neighbor}: md5-key-file: {source}")]
    Key {
        /// The neighbour.
        neighbor: String,
        /// Why.
        source: BadMd5Key,
    },
    /// The file holds no TCP-AO keys.
    #[error("bgp.neighbor {neighbor}: ao-key-file {file}: {source}")]
    AoKeys {
        /// The neighbour.
        neighbor: String,
        /// The file.
        file: PathBuf,
        /// Why.
        source: BadAoKeys,
    },
    /// Not a table of prepends.
    #[error("bgp.neighbor {neighbor}: {source}")]
    Prepends {
        /// The neighbour.
        neighbor: String,
        /// Why.
        source: NotRising,
    },
    /// Not a rule.
    #[error("bgp.neighbor {neighbor}: {source}")]
    Rule {
        /// The neighbour.
        neighbor: String,
        /// Why.
        source: BadRange,
    },
}

/// The speaker of one context.
pub fn speaker_config(bgp: &BgpConfig, vrf: Option<&str>) -> Result<SpeakerConfig, SettingsError> {
    let router_id = bgp.router_id.try_into().map_err(|_| SettingsError::RouterId(bgp.router_id))?;
    let mut speaker = SpeakerConfig::new(Asn(bgp.local_as), router_id);
    speaker.port = bgp.port;
    if !bgp.listen.is_empty() {
        speaker.listen.clone_from(&bgp.listen);
    }
    speaker.watch_next_hops = true;
    speaker.multipath = Multipath { paths: bgp.multipath, relax: bgp.multipath_relax };
    speaker.device = vrf.map(Into::into);
    speaker.monitors = monitors(bgp);
    speaker.neighbors = bgp.neighbors.iter().map(neighbor_config).collect::<Result<_, _>>()?;
    speaker.ranges = bgp.ranges.iter().map(range).collect::<Result<_, _>>()?;
    let ranges = speaker.ranges.iter_mut().map(|range| &mut range.neighbor);
    for neighbor in speaker.neighbors.iter_mut().chain(ranges) {
        crate::restart::offer(&bgp.restart, &mut neighbor.offer);
    }
    Ok(speaker)
}

fn monitors(bgp: &BgpConfig) -> Vec<MonitorConfig> {
    let mrt = bgp.mrt.iter().map(|mrt| {
        MonitorConfig::Mrt(MrtConfig {
            file: mrt.file.clone(),
            size_limit: mrt.max_size.0,
            keep: mrt.keep.into(),
        })
    });
    let stations = bgp.bmp.iter().map(|station| {
        MonitorConfig::Station(StationConfig {
            address: SocketAddr::new(station.address, station.port),
            statistics_interval: station.statistics_interval.into(),
        })
    });
    mrt.chain(stations).collect()
}

fn range(config: &RangeConfig) -> Result<NeighborRange, SettingsError> {
    let neighbor = neighbor_config(&config.session)?;
    Ok(NeighborRange {
        prefix: config.prefix,
        limit: config.limit.into(),
        neighbor: NeighborConfig {
            alternate_as: config.alternate_as.iter().copied().map(Asn).collect(),
            ..neighbor
        },
    })
}

fn millis(span: Span) -> Millis {
    Millis::new(span.as_millis())
}

/// The key in a file: its first line, so that an editor may end it.
fn read_md5_key(neighbor: &str, file: &Path) -> Result<Md5Key, SettingsError> {
    let text = read_keys(neighbor, "md5-key-file", file)?;
    let line = text.lines().next().unwrap_or_default();
    Md5Key::try_from(line).map_err(|source| SettingsError::Key { neighbor: neighbor.to_owned(), source })
}

fn read_ao_keys(neighbor: &str, file: &Path) -> Result<AoKeys, SettingsError> {
    let text = read_keys(neighbor, "ao-key-file", file)?;
    AoKeys::parse(&text).map_err(|source| SettingsError::AoKeys {
        neighbor: neighbor.to_owned(),
        file: file.to_owned(),
        source,
    })
}

fn read_keys(neighbor: &str, key: &'static str, file: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(file).map_err(|source| SettingsError::KeyFile {
        neighbor: neighbor.to_owned(),
        key,
        file: file.to_owned(),
        source,
    })
}

fn neighbor_config(config: &config::NeighborConfig) -> Result<NeighborConfig, SettingsError> {
    let named = config.name();
    let neighbor = named.as_str();
    let seconds = u16::try_from(config.hold_time.as_secs()).unwrap_or(u16::MAX);
    let hold_time = HoldTime::try_from(seconds)
        .map_err(|source| SettingsError::HoldTime { neighbor: named.clone(), source })?;
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
    let md5_key = config.md5_key_file.as_deref().map(|file| read_md5_key(neighbor, file)).transpose()?;
    let ao_keys = config.ao_key_file.as_deref().map(|file| read_ao_keys(neighbor, file)).transpose()?;
    let interface = config.interface.as_deref().unwrap_or_default();
    let unset = match config.address {
        Some(address) => NeighborConfig::new(address, Asn(config.remote_as)),
        None => NeighborConfig::on_link(interface, Asn(config.remote_as)),
    };
    Ok(NeighborConfig {
        local_as: config.local_as.map(Asn),
        hops,
        md5_key,
        ao_keys,
        delay_open: millis(config.delay_open),
        send_hold: config.send_hold_time.map(millis),
        offer: offer(config, role),
        interface: config.interface.as_deref().map(Into::into),
        local_address: config.local_address,
        port: config.port,
        hold_time,
        passive: config.passive,
        families: families.into_iter().filter_map(|(on, family)| on.then_some(family)).collect::<Families>(),
        next_hop_v4: config.next_hop_ipv4,
        next_hop_v6: config.next_hop_ipv6,
        import: policy(neighbor, &config.import)?,
        export: if config.export.is_empty() { None } else { Some(policy(neighbor, &config.export)?) },
        prepends: Prepends::new(config.prepends.clone())
            .map_err(|source| SettingsError::Prepends { neighbor: named.clone(), source })?,
        allow_own_as: config.allow_own_as,
        limits: limits(&config.limits),
        ..unset
    })
}

fn offer(config: &config::NeighborConfig, role: Option<Role>) -> Offer {
    let all = |on: bool| if on { Families::ALL } else { Families::NONE };
    Offer {
        role,
        role_strict: config.role_strict,
        extended_next_hop: if config.extended_next_hop {
            Families::NONE.with(Family::Ipv4Unicast)
        } else {
            Families::NONE
        },
        add_path_receive: all(config.add_path.is_some_and(AddPath::receives)),
        add_path_send: all(config.add_path.is_some_and(AddPath::sends)),
        ..Offer::default()
    }
}

fn limits(config: &config::PrefixLimits) -> Limits {
    Limits {
        inbound: PrefixLimits {
            ipv4: config.most,
            ipv6: config.most_ipv6.or(config.most),
            warning_percent: config.warning,
            ends: config.action == LimitAction::End,
        },
        idle: config.restart.map(millis),
        outbound: config.out,
    }
}

fn policy(neighbor: &str, rules: &[PolicyRule]) -> Result<Policy, SettingsError> {
    let rule = |rule| {
        self::rule(rule).map_err(|source| SettingsError::Rule { neighbor: neighbor.to_owned(), source })
    };
    rules.iter().map(rule).collect()
}

fn rule(rule: &PolicyRule) -> Result<Rule, BadRange> {
    let range = |prefix| PrefixRange::new(Into::into(prefix), Some(rule.ge), Some(rule.le));
    let communities = |list: &[config::Community]| list.iter().copied().map(community).collect();
    Ok(Rule {
        conditions: Conditions {
            prefixes: rule.prefix.map(range).transpose()?.into_iter().collect(),
            communities: communities(&rule.communities),
            as_path_length: rule.path_length,
            neighbor_as: rule.from_as.iter().copied().map(Asn).collect(),
            next_hops: rule.via.iter().copied().map(Into::into).collect(),
        },
        verdict: if rule.reject { Verdict::Reject } else { Verdict::Accept },
        changes: Changes {
            preference: rule.preference,
            med: rule.med,
            remove: communities(&rule.remove),
            add: communities(&rule.add),
            prepend: rule.prepend.unwrap_or(0),
            next_hop: rule.next_hop,
        },
    })
}

const fn community(community: config::Community) -> AnyCommunity {
    match community {
        config::Community::Standard(number) => AnyCommunity::Standard(Community(number)),
        config::Community::Large(numbers) => AnyCommunity::Large(LargeCommunity(numbers)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_rule_becomes_the_same_rule_of_the_speaker() {
        let configured = PolicyRule {
            prefix: Some("10.0.0.0/8".parse().expect("a prefix")),
            ge: 16,
            le: 24,
            communities: vec![config::Community::Standard(65001 << 16 | 1)],
            path_length: Some((1, 5)),
            from_as: vec![65001],
            via: vec!["192.0.2.0/24".parse().expect("a prefix")],
            preference: Some(200),
            add: vec![config::Community::Large([1, 2, 3])],
            ..PolicyRule::default()
        };
        let Rule { conditions, verdict, changes } = rule(&configured).expect("it was checked");
        assert_eq!(conditions.prefixes[0].to_string(), "10.0.0.0/8 ge 16 le 24");
        assert_eq!(conditions.communities[0].to_string(), "65001:1");
        assert_eq!((conditions.as_path_length, conditions.neighbor_as), (Some((1, 5)), vec![Asn(65001)]));
        assert_eq!(conditions.next_hops[0].to_string(), "192.0.2.0/24");
        assert_eq!((verdict, changes.preference), (Verdict::Accept, Some(200)));
        assert_eq!(changes.add[0].to_string(), "1:2:3");
        let any = rule(&PolicyRule { reject: true, ..PolicyRule::default() }).expect("it was checked");
        assert!(any.conditions.prefixes.is_empty() && any.verdict == Verdict::Reject);
    }
}
