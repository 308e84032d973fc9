//! What the product wants the kernel to hold, as checked values.
//!
//! An [`Address`] is a loopback address on a named link; a [`Route`] is a prefix of one routing table and where its
//! packets go. The route metric is not part of a route here: it is constant per owner (see [`crate::Settings`]),
//! so that the metric of a route of ours never changes while it exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;

use crate::names::{LinkIndex, LinkName, TableId};
use crate::prefix::{Prefix, max_len};

/// A wanted loopback address: always a host address (/32 or /128), on an existing link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    link: LinkName,
    ip: IpAddr,
}

/// Why an IP address cannot be a loopback address of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} cannot be put on a link: use a unicast address that is neither unspecified, 127.0.0.0/8, ::1 nor link-local"
)]
pub struct AddressError(IpAddr);

impl Address {
    /// Refuses addresses that are unspecified, multicast, broadcast, loopback (127.0.0.0/8, `::1`) or IPv6 link-local.
    pub fn new(ip: IpAddr, link: LinkName) -> Result<Self, AddressError> {
        let unusable = match ip {
            IpAddr::V4(v4) => v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
        };
        if unusable || ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
            return Err(AddressError(ip));
        }
        Ok(Self { link, ip })
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The link it is to be on.
    pub fn link(&self) -> &LinkName {
        &self.link
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} on {}", self.ip, max_len(self.ip), self.link)
    }
}

/// One way out of a route: a gateway, a link, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    gateway: Option<IpAddr>,
    link: Option<LinkIndex>,
    onlink: bool,
    weight: NonZeroU8,
}

impl NextHop {
    /// Through a gateway on a directly connected network; the kernel finds the link.
    /// `None` for an IPv6 link-local gateway, which means nothing without its link.
    pub fn via(gateway: IpAddr) -> Option<Self> {
        let link_local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
        (!link_local).then_some(Self {
            gateway: Some(gateway),
            link: None,
            onlink: false,
            weight: NonZeroU8::MIN,
        })
    }

    /// Through a gateway on the given link. An IPv6 gateway is allowed for an IPv4 route (RFC 8950).
    pub fn via_link(gateway: IpAddr, link: LinkIndex) -> Self {
        Self { gateway: Some(gateway), link: Some(link), onlink: false, weight: NonZeroU8::MIN }
    }

    /// Straight onto a link, without a gateway.
    pub fn direct(link: LinkIndex) -> Self {
        Self { gateway: None, link: Some(link), onlink: false, weight: NonZeroU8::MIN }
    }

    /// The same next hop, reachable on its link even where no connected network covers the gateway.
    /// Without effect when there is no link.
    #[must_use]
    pub fn onlink(self) -> Self {
        Self { onlink: self.link.is_some(), ..self }
    }

    /// The same next hop with its share of the traffic among the hops of one route (1..=255, default 1).
    #[must_use]
    pub fn weighing(self, weight: NonZeroU8) -> Self {
        Self { weight, ..self }
    }

    /// The gateway, if any.
    pub fn gateway(&self) -> Option<IpAddr> {
        self.gateway
    }

    /// The link, if known.
    pub fn link(&self) -> Option<LinkIndex> {
        self.link
    }

    /// Whether the kernel is told not to check that the gateway is on a connected network.
    pub fn is_onlink(&self) -> bool {
        self.onlink
    }

    /// Its share of the traffic.
    pub fn weight(&self) -> NonZeroU8 {
        self.weight
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.gateway, self.link) {
            (Some(gateway), Some(link)) => write!(f, "via {gateway} on {link}"),
            (Some(gateway), None) => write!(f, "via {gateway}"),
            (None, Some(link)) => write!(f, "on {link}"),
            (None, None) => f.write_str("nowhere"),
        }?;
        if self.weight.get() == 1 { Ok(()) } else { write!(f, " weight {}", self.weight) }
    }
}

/// The next hops of a route: at least one, sorted, each once. More than one is equal-cost multipath.
/// Cheap to clone, and meant to be shared by all the routes of one set of next hops.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHops(Arc<[NextHop]>);

impl NextHops {
    /// `None` when there is not a single hop.
    pub fn new(hops: impl IntoIterator<Item = NextHop>) -> Option<Self> {
        let sorted: BTreeSet<NextHop> = hops.into_iter().collect();
        (!sorted.is_empty()).then(|| Self(sorted.into_iter().collect()))
    }

    /// The hops, sorted.
    pub fn as_slice(&self) -> &[NextHop] {
        &self.0
    }
}

impl From<NextHop> for NextHops {
    fn from(hop: NextHop) -> Self {
        Self(Arc::new([hop]))
    }
}

impl fmt::Display for NextHops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, hop) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{hop}")?;
        }
        Ok(())
    }
}

/// Where the packets of a route go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteTarget {
    /// Dropped without a word: a pool whose addresses have no lease.
    Blackhole,
    /// Dropped, and the sender is told by ICMP "host unreachable".
    Unreachable,
    /// Sent on.
    Via(NextHops),
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blackhole => f.write_str("blackhole"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Via(hops) => hops.fmt(f),
        }
    }
}

/// A wanted route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    table: TableId,
    prefix: Prefix,
    target: RouteTarget,
}

/// Why a route cannot exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{prefix} cannot go via {gateway}: an IPv6 route needs an IPv6 next hop")]
pub struct RouteError {
    /// The prefix of the route.
    pub prefix: Prefix,
    /// The IPv4 gateway that cannot carry it.
    pub gateway: IpAddr,
}

impl Route {
    /// Refuses an IPv4 gateway for an IPv6 prefix.
    pub fn new(table: TableId, prefix: Prefix, target: RouteTarget) -> Result<Self, RouteError> {
        if let (true, RouteTarget::Via(hops)) = (prefix.is_ipv6(), &target) {
            let v4_gateway = hops.as_slice().iter().filter_map(NextHop::gateway).find(IpAddr::is_ipv4);
            if let Some(gateway) = v4_gateway {
                return Err(RouteError { prefix, gateway });
            }
        }
        Ok(Self { table, prefix, target })
    }

    /// A route that drops the packets of a pool silently.
    pub fn blackhole(table: TableId, prefix: Prefix) -> Self {
        Self { table, prefix, target: RouteTarget::Blackhole }
    }

    /// A route that drops the packets of a pool and tells the sender.
    pub fn unreachable(table: TableId, prefix: Prefix) -> Self {
        Self { table, prefix, target: RouteTarget::Unreachable }
    }

    /// The routing table.
    pub fn table(&self) -> TableId {
        self.table
    }

    /// The destination.
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Where its packets go.
    pub fn target(&self) -> &RouteTarget {
        &self.target
    }

    /// Where its packets go, without the rest.
    pub(crate) fn into_target(self) -> RouteTarget {
        self.target
    }
}

/// Everything the SRP side wants in the kernel: the whole set, each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    addresses: BTreeSet<Address>,
    routes: BTreeMap<(TableId, Prefix), RouteTarget>,
    vrf_routes: BTreeMap<(LinkName, Prefix), RouteTarget>,
}

impl Section {
    /// The section with one more loopback address.
    #[must_use]
    pub fn with_address(mut self, address: Address) -> Self {
        self.addresses.insert(address);
        self
    }

    /// The section with one more pool (or host route of a lease); a route of the same table and prefix gives way.
    #[must_use]
    pub fn with_route(mut self, route: Route) -> Self {
        self.routes.insert((route.table, route.prefix), route.target);
        self
    }

    /// The section with one more pool in the table of a VRF, whichever that is and whenever it is made.
    #[must_use]
    pub fn with_vrf_route(mut self, vrf: LinkName, prefix: Prefix, target: RouteTarget) -> Self {
        self.vrf_routes.insert((vrf, prefix), target);
        self
    }

    /// How many objects it has.
    pub fn len(&self) -> usize {
        self.addresses.len() + self.routes.len() + self.vrf_routes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The loopback addresses.
    pub fn addresses(&self) -> &BTreeSet<Address> {
        &self.addresses
    }

    /// The routes, one per table and prefix.
    pub fn routes(&self) -> &BTreeMap<(TableId, Prefix), RouteTarget> {
        &self.routes
    }

    /// The routes whose table is that of a VRF, one per VRF and prefix.
    pub fn vrf_routes(&self) -> &BTreeMap<(LinkName, Prefix), RouteTarget> {
        &self.vrf_routes
    }
}

/// One change of the BGP side's wanted routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteChange {
    /// This is now the best route of its table and prefix.
    Set(Route),
    /// There is no route any more.
    Remove {
        /// The routing table.
        table: TableId,
        /// The destination.
        prefix: Prefix,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_that_no_router_can_reach_are_refused() {
        for bad in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "ff02::1"]
        {
            assert!(Address::new(ip(bad), LinkName::lo()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_local_gateway_needs_its_link() {
        assert_eq!(NextHop::via(ip("fe80::1")), None);
    }

    #[test]
    fn an_ipv6_route_refuses_an_ipv4_gateway_but_not_the_reverse() {
        let link = LinkIndex::new(3).unwrap();
        let via = |gateway| RouteTarget::Via(NextHop::via_link(ip(gateway), link).into());
        let v6 = "2001:db8::/32".parse().unwrap();
        let v4 = "10.0.0.0/8".parse().unwrap();
        assert!(Route::new(TableId::MAIN, v6, via("192.0.2.1")).is_err());
        assert!(Route::new(TableId::MAIN, v4, via("fe80::1")).is_ok());
    }

    #[test]
    fn next_hops_do_not_depend_on_order_or_repetition() {
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|gateway| NextHop::via(ip(gateway)).unwrap());
        assert_eq!(NextHops::new([a, b]), NextHops::new([b, a, b]));
        assert_eq!(NextHops::new([]), None);
    }
}
