//! Which next hop our own routes are announced with.
//!
//! | family of the routes | configured | own address of the session | next hop |
//! |---|---|---|---|
//! | IPv4 | yes | any | the configured one |
//! | IPv4 | no | IPv4 | the session's address |
//! | IPv4 | no | IPv6, RFC 8950 agreed on | as for IPv6 routes |
//! | IPv4 | no | IPv6, not agreed on | none: the family is not announced |
//! | IPv6 | yes | IPv6 link-local | the configured one, with the session's address beside it |
//! | IPv6 | yes | any other | the configured one |
//! | IPv6 | no | IPv6 | the session's address |
//! | IPv6 | no | IPv4 | none: the family is not announced |
//!
//! Never an unspecified address: neighbors take `::` for a route to nowhere, or reset the session. A link-local address
//! goes beside a global one only over a link-local session, which proves that the neighbor shares the link (RFC 2545
//! section 3). Sources: RFC 4271 section 5.1.3, RFC 8950 section 3.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::attributes::NextHop;
use crate::types::{Families, Family};

/// What the configuration says about next hops towards one neighbor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConfiguredNextHops {
    /// For IPv4 routes.
    pub v4: Option<Ipv4Addr>,
    /// For IPv6 routes.
    pub v6: Option<Ipv6Addr>,
}

impl ConfiguredNextHops {
    /// The next hop of routes of the family on a session whose own address is `local`; `None` when there is none to
    /// give. `ipv6_next_hops` are the families that were agreed to have IPv6 ones (RFC 8950).
    pub fn choose(self, family: Family, local: IpAddr, ipv6_next_hops: Families) -> Option<NextHop> {
        let local = local.to_canonical();
        let of_ipv6 = |local: Ipv6Addr| NextHop::V6 {
            address: self.v6.unwrap_or(local),
            link_local: (self.v6.is_some() && local.is_unicast_link_local()).then_some(local),
        };
        let next_hop = match (family, local, self.v4) {
            (Family::Ipv4Unicast, _, Some(configured)) => NextHop::V4(configured),
            (Family::Ipv4Unicast, IpAddr::V4(local), None) => NextHop::V4(local),
            (Family::Ipv4Unicast, IpAddr::V6(local), None) => {
                ipv6_next_hops.contains(family).then(|| of_ipv6(local))?
            }
            (Family::Ipv6Unicast, IpAddr::V4(_), _) => NextHop::V6 { address: self.v6?, link_local: None },
            (Family::Ipv6Unicast, IpAddr::V6(local), _) => of_ipv6(local),
        };
        (!next_hop.address().is_unspecified()).then_some(next_hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_hop_follows_the_table() {
        let configured =
            ConfiguredNextHops { v4: Some(Ipv4Addr::new(203, 0, 113, 1)), v6: "2001:db8::1".parse().ok() };
        let nothing = ConfiguredNextHops::default();
        let (v4, v6) = (Family::Ipv4Unicast, Family::Ipv6Unicast);
        let rows = [
            (v4, configured, "192.0.2.1", Some("203.0.113.1")),
            (v4, configured, "2001:db8:f::1", Some("203.0.113.1")),
            (v4, nothing, "192.0.2.1", Some("192.0.2.1")),
            (v4, nothing, "::ffff:192.0.2.1", Some("192.0.2.1")),
            (v4, nothing, "2001:db8:f::1", None),
            (v4, nothing, "fe80::1", None),
            (v4, nothing, "0.0.0.0", None),
            (v6, configured, "fe80::1", Some("2001:db8::1 (fe80::1)")),
            (v6, configured, "2001:db8:f::1", Some("2001:db8::1")),
            (v6, configured, "192.0.2.1", Some("2001:db8::1")),
            (v6, nothing, "2001:db8:f::1", Some("2001:db8:f::1")),
            (v6, nothing, "fe80::1", Some("fe80::1")),
            (v6, nothing, "192.0.2.1", None),
            (v6, nothing, "::", None),
        ];
        for (family, configured, local, expected) in rows {
            let next_hop = configured.choose(family, local.parse().unwrap(), Families::NONE);
            let found = next_hop.map(|next_hop| next_hop.to_string());
            assert_eq!(found.as_deref(), expected, "{family} over {local}, {configured:?}");
        }
    }

    #[test]
    fn ipv4_routes_have_ipv6_next_hops_where_that_was_agreed_on_and_nothing_else_is_configured() {
        let configured = ConfiguredNextHops { v4: None, v6: "2001:db8::1".parse().ok() };
        let rows = [
            (ConfiguredNextHops::default(), "2001:db8:f::1", "2001:db8:f::1"),
            (ConfiguredNextHops::default(), "fe80::1", "fe80::1"),
            (ConfiguredNextHops::default(), "192.0.2.1", "192.0.2.1"),
            (configured, "2001:db8:f::1", "2001:db8::1"),
            (configured, "fe80::1", "2001:db8::1 (fe80::1)"),
            (
                ConfiguredNextHops { v4: Some(Ipv4Addr::new(203, 0, 113, 1)), v6: None },
                "fe80::1",
                "203.0.113.1",
            ),
        ];
        for (configured, local, expected) in rows {
            let next_hop = configured.choose(Family::Ipv4Unicast, local.parse().unwrap(), Families::ALL);
            assert_eq!(next_hop.map(|next_hop| next_hop.to_string()).as_deref(), Some(expected), "{local}");
        }
    }
}
