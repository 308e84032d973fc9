//! Keys of neighbors that are inside of each other's prefixes.
//!
//! The kernel looks for keys by address, and takes those of every prefix that holds it. So a neighbor in a range has the
//! keys of the range too: with TCP-AO its own may not have the same identifiers (RFC 5925 section 3.1), and without it
//! its unsigned segments, or those with TCP-MD5, would be dropped.

use ipnetwork::IpNetwork;

use super::{ConfigError, NeighborConfig, SpeakerConfig};

pub(super) fn check(config: &SpeakerConfig, errors: &mut Vec<ConfigError>) {
    let neighbors = config.neighbors.iter().filter_map(|one| Some((IpNetwork::from(one.address?), one)));
    let ranges = || config.ranges.iter().map(|range| (range.prefix, &range.neighbor));
    for (inner, neighbor) in neighbors.chain(ranges()) {
        let around = ranges().filter(|(outer, _)| holds(*outer, inner));
        errors.extend(
            around
                .filter(|(_, range)| disagree(neighbor, range))
                .map(|(outer, _)| ConfigError::KeysOverlap { inner, outer }),
        );
    }
}

fn holds(outer: IpNetwork, inner: IpNetwork) -> bool {
    outer.prefix() < inner.prefix() && outer.contains(inner.network())
}

fn disagree(inner: &NeighborConfig, outer: &NeighborConfig) -> bool {
    match (&inner.ao_keys, &outer.ao_keys) {
        (Some(ours), Some(theirs)) => ours.overlap(theirs),
        (None, Some(_)) => true,
        (Some(_), None) => outer.md5_key.is_some(),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use bgp_proto::types::Asn;

    use super::*;
    use crate::ao_keys::AoKeys;
    use crate::config::NeighborRange;

    #[test]
    fn keys_of_a_range_hold_for_all_who_are_in_it() {
        let ao = |text: &str| NeighborConfig {
            ao_keys: Some(AoKeys::parse(text).unwrap()),
            ..NeighborConfig::new("10.1.0.1".parse().unwrap(), Asn(65001))
        };
        let (one, two) = (ao("1 1 hmac-sha-1-96 a"), ao("2 2 hmac-sha-1-96 a"));
        let plain = NeighborConfig { ao_keys: None, ..one.clone() };
        let md5 = NeighborConfig { md5_key: Some("a".try_into().unwrap()), ..plain.clone() };
        let rows = [
            ("10.0.0.0/8", &one, &two, true),
            ("10.0.0.0/8", &one, &one, false),
            ("10.0.0.0/8", &plain, &one, false),
            ("10.0.0.0/8", &md5, &one, false),
            ("10.0.0.0/8", &one, &md5, false),
            ("10.0.0.0/8", &one, &plain, true),
            ("10.0.0.0/8", &md5, &md5, true),
            ("10.2.0.0/16", &plain, &one, true),
        ];
        for (prefix, neighbor, range, fine) in rows {
            let prefix: IpNetwork = prefix.parse().unwrap();
            let mut config = SpeakerConfig::new(
                Asn(65000),
                "192.0.2.1".parse::<std::net::Ipv4Addr>().unwrap().try_into().unwrap(),
            );
            config.neighbors = vec![neighbor.clone()];
            config.ranges = vec![NeighborRange { prefix, limit: 1, neighbor: range.clone() }];
            assert_eq!(config.check().is_ok(), fine, "{neighbor:?} in {prefix} with {range:?}");
        }
        let both = NeighborConfig { md5_key: md5.md5_key, ..one };
        let mut config = SpeakerConfig::new(
            Asn(65000),
            "192.0.2.1".parse::<std::net::Ipv4Addr>().unwrap().try_into().unwrap(),
        );
        config.neighbors = vec![both];
        assert!(matches!(config.check().unwrap_err()[..], [ConfigError::TwoSignatures { .. }]));
    }
}
