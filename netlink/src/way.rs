//! How the kernel reaches an address by the routes of others: subnets, static routes, an IGP. Pure.
//!
//! A next hop of BGP need not be on a subnet of ours, and Linux takes no gateway that it could only reach by another one.
//! So the route by which the kernel itself would send to the next hop is looked up, and its gateways are used instead.
//!
//! The table is main, or that of a VRF ([`Where`]).
//!
//! What never counts: a default route (it leads to everything, so it proves nothing), routes of ours (they may be the very
//! ones whose next hop it is), routes in other tables than the one that is asked about, routes that drop, and hops on links without carrier.
//! Sources: RFC 4271 sections 5.1.3 and 9.1.2.1.

use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType};
use nix::errno::Errno;

use crate::codec::{self, Mark};
use crate::names::{LinkIndex, TableId};
use crate::prefix::{Prefix, max_len};
use crate::types::{NextHop, NextHops};
use crate::{Link, Links};

/// The way to an address: the route of somebody else that leads there, without the hops on links that carry nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    prefix: Prefix,
    protocol: u8,
    hops: NextHops,
    metric: u32,
}

impl Way {
    /// The way by a route to `prefix` that carries this protocol number.
    pub fn new(prefix: Prefix, protocol: u8, hops: NextHops, metric: u32) -> Self {
        Self { prefix, protocol, hops, metric }
    }

    /// The destination of the route.
    pub fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Whose route it is, as `ip route` shows it behind `proto`: a name, or a number.
    pub fn protocol(&self) -> String {
        codec::protocol_name(self.protocol)
    }

    /// The metric of the route; 0 for an IPv4 subnet of a link, 256 for an IPv6 one.
    pub fn metric(&self) -> u32 {
        self.metric
    }

    /// Where the route leads.
    pub fn hops(&self) -> &NextHops {
        &self.hops
    }

    /// Whether the route puts the address itself on a link, so that no gateway is between.
    pub fn is_on_link(&self) -> bool {
        self.hops.as_slice().iter().all(|hop| hop.gateway().is_none())
    }

    /// The hops of a route whose next hop is `address`, the one that this is the way to.
    pub fn toward(&self, address: IpAddr) -> impl Iterator<Item = NextHop> {
        self.hops.as_slice().iter().map(move |hop| match (hop.gateway(), hop.link()) {
            (None, Some(link)) => NextHop::via_link(address, link).weighing(hop.weight()),
            (Some(_), _) | (None, None) => *hop,
        })
    }
}

/// Why there is no way to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoWay {
    /// Nothing leads there.
    #[error("no route")]
    NoRoute,
    /// Only a default route does, which leads to everything and proves nothing.
    #[error("no route but a default route")]
    DefaultRoute,
    /// A route drops what is sent there: blackhole, unreachable, prohibit.
    #[error("a route that drops")]
    Drops,
    /// It is an address of this machine, or one for many.
    #[error("not another machine's address")]
    NotAway,
    /// The VRF that was asked about does not exist now.
    #[error("no such VRF")]
    NoVrf,
    /// All links of the route are down or have no carrier.
    #[error("a route by links without carrier")]
    NoCarrier,
    /// The route puts something around the packets: labels, a tunnel header.
    #[error("a route with labels or a tunnel")]
    Wrapped,
}

/// Where is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Where {
    /// The table that counts.
    pub(crate) table: TableId,
    /// The VRF whose table it is.
    pub(crate) vrf: Option<LinkIndex>,
}

impl Where {
    pub(crate) const MAIN: Self = Self { table: TableId::MAIN, vrf: None };
}

/// What one route says about the way to an address that it covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The route is ours or in another table, and hides what others say in the table that counts.
    Hides,
    /// There is this way, or none.
    Others(Result<Way, NoWay>),
}

/// What the kernel's answer says.
pub(crate) fn judge(message: &RouteMessage, mark: Mark, table: TableId, links: &Links) -> Verdict {
    let protocol = u8::from(message.header.protocol);
    let found = codec::found_route(message);
    // What the local table has is nobody's route: it says which addresses are the machine's. A VRF has those of its links in its
    // own table, and the address may be another machine's there.
    match message.header.kind {
        RouteType::Local | RouteType::Broadcast | RouteType::Anycast | RouteType::Multicast => {
            let is_of_it = table == TableId::MAIN || found.is_some_and(|found| found.key.table == table);
            return if is_of_it { Verdict::Others(Err(NoWay::NotAway)) } else { Verdict::Hides };
        }
        _ => {}
    }
    let Some(found) = found else { return Verdict::Hides };
    // A default route hides nothing, since nothing is shorter.
    let is_ours = protocol == mark.0 && found.key.prefix.len() > 0;
    if is_ours || found.key.table != table {
        return Verdict::Hides;
    }
    Verdict::Others(way(message, found.key.prefix, found.key.metric, links))
}

fn way(message: &RouteMessage, prefix: Prefix, metric: u32, links: &Links) -> Result<Way, NoWay> {
    if message.header.kind != RouteType::Unicast {
        return Err(NoWay::Drops);
    }
    if prefix.len() == 0 {
        return Err(NoWay::DefaultRoute);
    }
    let has_carrier = |hop: &NextHop| {
        let link = hop.link().and_then(|index| links.by_index(index));
        link.is_some_and(Link::is_up)
    };
    let hops = codec::usable_hops(message).ok_or(NoWay::Wrapped)?;
    let hops = NextHops::new(hops.as_slice().iter().copied().filter(has_carrier)).ok_or(NoWay::NoCarrier)?;
    Ok(Way { prefix, protocol: u8::from(message.header.protocol), hops, metric })
}

/// What the kernel's refusal of an answer says: it has no route, or one that drops, and tells which by the number.
pub(crate) fn refused(errno: Errno) -> NoWay {
    match errno {
        Errno::EINVAL | Errno::EACCES | Errno::EHOSTUNREACH => NoWay::Drops,
        _ => NoWay::NoRoute,
    }
}

/// Asks which route the kernel would take, not where that leads (`RTM_F_FIB_MATCH`), and from which table: unasked, it says
/// main of every one.
pub(crate) fn question(address: IpAddr, vrf: Option<LinkIndex>) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = codec::family(address);
    message.header.destination_prefix_length = max_len(address);
    message.header.flags = RouteFlags::FibMatch | RouteFlags::LookupTable;
    message.attributes = vec![RouteAttribute::Destination(RouteAddress::from(address))];
    // The kernel looks into the table of a VRF for what would leave by it.
    message.attributes.extend(vrf.map(|vrf| RouteAttribute::Oif(vrf.get())));
    RouteNetlinkMessage::GetRoute(message)
}

/// The search for the routes of others that ours hide: the best seen so far for each address.
#[derive(Debug)]
pub(crate) struct Search {
    table: TableId,
    wanted: Vec<(IpAddr, Option<Candidate>)>,
}

#[derive(Debug)]
struct Candidate {
    prefix: Prefix,
    metric: u32,
    way: Result<Way, NoWay>,
}

impl Search {
    pub(crate) fn new(table: TableId, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { table, wanted: addresses.into_iter().map(|address| (address, None)).collect() }
    }

    /// The table to look through.
    pub(crate) fn table(&self) -> TableId {
        self.table
    }

    /// Looks at a route of the table: the longest prefix counts, of one prefix the lowest metric.
    pub(crate) fn see(&mut self, message: &RouteMessage, mark: Mark, links: &Links) {
        let Some(found) = codec::found_route(message) else { return };
        let (prefix, metric) = (found.key.prefix, found.key.metric);
        for (address, best) in &mut self.wanted {
            let is_better = |best: &Candidate| (prefix.len(), best.metric) > (best.prefix.len(), metric);
            if prefix.contains(*address) && best.as_ref().is_none_or(is_better) {
                let Verdict::Others(way) = judge(message, mark, self.table, links) else { return };
                *best = Some(Candidate { prefix, metric, way });
            }
        }
    }

    /// What was found.
    pub(crate) fn ways(self) -> impl Iterator<Item = (IpAddr, Result<Way, NoWay>)> {
        let found = |best: Option<Candidate>| best.map_or(Err(NoWay::NoRoute), |best| best.way);
        self.wanted.into_iter().map(move |(address, best)| (address, found(best)))
    }
}

/// The prefix that a notification is about, unless it is the default route.
pub(crate) fn concerned(message: &RouteMessage) -> Option<Prefix> {
    if !matches!(message.header.address_family, AddressFamily::Inet | AddressFamily::Inet6) {
        return None;
    }
    message.attributes.iter().find_map(|attribute| {
        let network = match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => IpAddr::V4(*ip),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => IpAddr::V6(*ip),
            _ => return None,
        };
        Prefix::new(network, message.header.destination_prefix_length).ok()
    })
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::route::{RouteHeader, RouteProtocol};

    use super::*;

    const MARK: Mark = Mark(83);
    const OSPF: u8 = 188;

    fn link(index: u32, carrier: bool) -> Link {
        Link {
            index: LinkIndex::new(index).expect("not zero"),
            name: format!("eth{index}").parse().expect("a name"),
            mac: None,
            admin_up: true,
            carrier,
            master: None,
            vrf_table: None,
            addresses: std::collections::BTreeSet::new(),
        }
    }

    fn links() -> Links {
        let mut links = Links::default();
        links.put_found(Some(link(1, true)));
        links.put_found(Some(link(2, false)));
        links
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn route(prefix: &str, protocol: u8, metric: u32, gateway: Option<&str>, link: u32) -> RouteMessage {
        let prefix: Prefix = prefix.parse().expect("a prefix");
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: codec::family(prefix.network()),
            destination_prefix_length: prefix.len(),
            protocol: RouteProtocol::from(protocol),
            table: 254,
            kind: RouteType::Unicast,
            ..RouteHeader::default()
        };
        message.attributes = vec![RouteAttribute::Priority(metric), RouteAttribute::Oif(link)];
        message
            .attributes
            .extend(gateway.map(|ip| RouteAttribute::Gateway(RouteAddress::from(self::ip(ip)))));
        if prefix.len() > 0 {
            message.attributes.push(RouteAttribute::Destination(RouteAddress::from(prefix.network())));
        }
        message
    }

    fn shown(verdict: &Verdict, toward: &str) -> String {
        match verdict {
            Verdict::Hides => "hides".to_owned(),
            Verdict::Others(Err(why)) => why.to_string(),
            Verdict::Others(Ok(way)) => {
                let hops: Vec<String> = way.toward(ip(toward)).map(|hop| hop.to_string()).collect();
                format!("{} proto {} metric {}", hops.join(", "), way.protocol(), way.metric())
            }
        }
    }

    #[test]
    fn gateways_of_others_are_the_way_and_a_subnet_is_one_by_itself() {
        let far = || route("10.9.0.0/16", OSPF, 20, Some("192.0.2.2"), 1);
        let of_kind = |kind| {
            let mut message = far();
            message.header.kind = kind;
            message
        };
        let mut in_another_table = far();
        in_another_table.header.table = 100;
        let rows = [
            (far(), "10.9.0.1", "via 192.0.2.2 on link 1 proto ospf metric 20"),
            (route("10.9.0.0/16", 2, 0, None, 1), "10.9.0.1", "via 10.9.0.1 on link 1 proto kernel metric 0"),
            (
                route("2001:db8::/32", OSPF, 20, Some("fe80::2"), 1),
                "2001:db8::1",
                "via fe80::2 on link 1 proto ospf metric 20",
            ),
            (route("0.0.0.0/0", 3, 0, Some("192.0.2.2"), 1), "10.9.0.1", "no route but a default route"),
            (route("10.9.0.0/16", MARK.0, 83, Some("192.0.2.2"), 1), "10.9.0.1", "hides"),
            (in_another_table, "10.9.0.1", "hides"),
            (
                route("10.9.0.0/16", OSPF, 20, Some("192.0.2.2"), 2),
                "10.9.0.1",
                "a route by links without carrier",
            ),
            (of_kind(RouteType::BlackHole), "10.9.0.1", "a route that drops"),
            (of_kind(RouteType::Unreachable), "10.9.0.1", "a route that drops"),
            (of_kind(RouteType::Local), "10.9.0.1", "not another machine's address"),
        ];
        let of_vrf = judge(&rows[5].0, MARK, TableId::new(100).expect("a table"), &links());
        assert_eq!(shown(&of_vrf, "10.9.0.1"), "via 192.0.2.2 on link 1 proto ospf metric 20");
        for (table, expected) in [(255, "hides"), (100, "not another machine's address")] {
            let mut ours = of_kind(RouteType::Local);
            ours.header.table = table;
            let verdict = judge(&ours, MARK, TableId::new(100).expect("a table"), &links());
            assert_eq!(shown(&verdict, "10.9.0.1"), expected, "local in table {table}, asked about a VRF's");
        }
        for (message, toward, expected) in rows {
            assert_eq!(
                shown(&judge(&message, MARK, TableId::MAIN, &links()), toward),
                expected,
                "{message:?}"
            );
        }
    }

    #[test]
    fn search_looks_below_routes_of_ours_for_the_longest_of_others() {
        let mut search = Search::new(TableId::MAIN, [ip("10.1.0.1"), ip("10.2.0.1"), ip("172.16.0.1")]);
        for message in [
            route("10.0.0.0/8", OSPF, 30, Some("192.0.2.3"), 1),
            route("10.0.0.0/8", OSPF, 20, Some("192.0.2.2"), 1),
            route("10.0.0.0/8", OSPF, 40, Some("192.0.2.4"), 1),
            route("10.1.0.0/16", MARK.0, 83, Some("192.0.2.9"), 1),
            route("10.2.0.0/16", OSPF, 50, Some("192.0.2.5"), 1),
            route("0.0.0.0/0", 3, 0, Some("192.0.2.1"), 1),
        ] {
            search.see(&message, MARK, &links());
        }
        let found: Vec<String> = search
            .ways()
            .map(|(address, way)| format!("{address}: {}", shown(&Verdict::Others(way), "0.0.0.0")))
            .collect();
        assert_eq!(
            found,
            [
                "10.1.0.1: via 192.0.2.2 on link 1 proto ospf metric 20",
                "10.2.0.1: via 192.0.2.5 on link 1 proto ospf metric 50",
                "172.16.0.1: no route but a default route"
            ]
        );
    }

    #[test]
    fn notification_about_the_default_route_concerns_nobody() {
        assert_eq!(concerned(&route("0.0.0.0/0", 3, 0, Some("192.0.2.2"), 1)), None);
        let about = concerned(&route("10.9.0.0/16", OSPF, 20, Some("192.0.2.2"), 1));
        assert_eq!(about.map(|prefix| prefix.to_string()).as_deref(), Some("10.9.0.0/16"));
    }
}
