//! Our values <-> rtnetlink messages. How ownership is written into the kernel and read back is decided here alone.
//!
//! Routes carry the protocol number in `rtm_protocol`. Addresses carry it in `IFA_PROTO` (kernel 5.18 and later) and,
//! for kernels that do not keep that attribute, a marker in `IFA_RT_PRIORITY` (kernel 4.18 and later), which has no
//! effect on a host address: it would be the metric of a prefix route that a host address does not get.

use std::net::IpAddr;
use std::num::NonZeroU8;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::link::{InfoData, InfoVrf, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop, RouteNextHopFlags,
    RouteProtocol, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::links::Link;
use crate::names::{LinkIndex, Mac, TableId};
use crate::plan::{AddressKey, Held, HeldTarget, Holder, Op, RouteKey};
use crate::prefix::{Prefix, max_len};
use crate::types::{NextHop, NextHops, RouteTarget};

/// The number that marks what is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(pub(crate) u8);

impl Mark {
    /// What `IFA_RT_PRIORITY` of our addresses holds: the letters SRP, then the protocol number.
    pub(crate) fn address_priority(self) -> u32 {
        u32::from_be_bytes([b'S', b'R', b'P', self.0])
    }
}

/// An address found in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundAddress {
    pub(crate) key: AddressKey,
    pub(crate) prefix_len: u8,
    pub(crate) ours: bool,
    protocol: Option<u8>,
}

impl FoundAddress {
    pub(crate) fn held(&self) -> Held<u8> {
        if self.ours { Held::ours(self.prefix_len) } else { Held::foreign(self.holder()) }
    }

    /// How an operator would see it in `ip address show`.
    pub(crate) fn holder(&self) -> Holder {
        // Names from the kernel's if_addr.h.
        let origin = match self.protocol {
            Some(1) => "proto kernel_lo".to_owned(),
            Some(2) => "proto kernel_ra".to_owned(),
            Some(3) => "proto kernel_ll".to_owned(),
            Some(number) => format!("proto {number}"),
            None => "no proto".to_owned(),
        };
        Holder(format!("{}/{} {origin}", self.key.ip, self.prefix_len))
    }
}

/// A route found in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundRoute {
    pub(crate) key: RouteKey,
    pub(crate) target: HeldTarget,
    pub(crate) protocol: u8,
}

impl FoundRoute {
    pub(crate) fn held(self, mark: Mark) -> Held<HeldTarget> {
        if self.protocol == mark.0 {
            Held::ours(self.target)
        } else {
            Held::foreign(Holder(format!("proto {}", protocol_name(self.protocol))))
        }
    }
}

/// The name that `ip route` shows (`/etc/iproute2/rt_protos`), or the number.
pub(crate) fn protocol_name(protocol: u8) -> String {
    const NAMES: [(u8, &str); 29] = [
        (0, "unspec"),
        (1, "redirect"),
        (2, "kernel"),
        (3, "boot"),
        (4, "static"),
        (8, "gated"),
        (9, "ra"),
        (10, "mrt"),
        (11, "zebra"),
        (12, "bird"),
        (14, "xorp"),
        (16, "dhcp"),
        (18, "keepalived"),
        (42, "babel"),
        (84, "ovn"),
        (99, "openr"),
        (186, "bgp"),
        (187, "isis"),
        (188, "ospf"),
        (189, "rip"),
        (190, "ripng"),
        (191, "nhrp"),
        (192, "eigrp"),
        (193, "ldp"),
        (194, "sharp"),
        (195, "pbr"),
        (196, "static (FRR)"),
        (197, "openfabric"),
        (198, "srte"),
    ];
    NAMES
        .iter()
        .find(|(number, _)| *number == protocol)
        .map_or_else(|| protocol.to_string(), |(_, name)| (*name).to_owned())
}

/// The request for an operation, with the flags that go with it (beside `NLM_F_REQUEST`).
pub(crate) fn request(op: &Op, mark: Mark) -> (RouteNetlinkMessage, u16) {
    match op {
        Op::AddAddress(key) => {
            (RouteNetlinkMessage::NewAddress(new_address(*key, mark)), NLM_F_CREATE | NLM_F_EXCL)
        }
        Op::DeleteAddress(key, len) => (RouteNetlinkMessage::DelAddress(bare_address(*key, *len)), 0),
        Op::AddRoute(key, target) => {
            (RouteNetlinkMessage::NewRoute(new_route(*key, target, mark)), NLM_F_CREATE | NLM_F_EXCL)
        }
        // Without NLM_F_CREATE: a replace that finds nothing must say so, not add.
        Op::ReplaceRoute(key, target) => {
            (RouteNetlinkMessage::NewRoute(new_route(*key, target, mark)), NLM_F_REPLACE)
        }
        Op::DeleteRoute(key) => (RouteNetlinkMessage::DelRoute(delete_route(*key, mark)), 0),
    }
}

pub(crate) fn family(ip: IpAddr) -> AddressFamily {
    match ip {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn bare_address(key: AddressKey, prefix_len: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: family(key.ip),
        prefix_len,
        scope: AddressScope::Universe,
        index: key.link.get(),
        ..AddressHeader::default()
    };
    message.attributes = vec![AddressAttribute::Local(key.ip), AddressAttribute::Address(key.ip)];
    message
}

fn new_address(key: AddressKey, mark: Mark) -> AddressMessage {
    let mut message = bare_address(key, max_len(key.ip));
    if key.ip.is_ipv6() {
        // Usable at once: no duplicate address detection, and no prefix route that would outlive its use.
        message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Noprefixroute));
    }
    message.attributes.push(AddressAttribute::RoutePriority(mark.address_priority()));
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(mark.0)));
    message
}

fn bare_route(key: RouteKey, mark: Mark) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(key.prefix.network()),
        destination_prefix_length: key.prefix.len(),
        protocol: RouteProtocol::from(mark.0),
        // RT_TABLE_UNSPEC: the attribute, which holds any table number, is what counts.
        table: RouteHeader::RT_TABLE_UNSPEC,
        ..RouteHeader::default()
    };
    message.attributes = vec![RouteAttribute::Table(key.table.get()), RouteAttribute::Priority(key.metric)];
    if key.prefix.len() > 0 {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::from(key.prefix.network())));
    }
    message
}

fn new_route(key: RouteKey, target: &RouteTarget, mark: Mark) -> RouteMessage {
    let mut message = bare_route(key, mark);
    message.header.scope = RouteScope::Universe;
    match target {
        RouteTarget::Blackhole => message.header.kind = RouteType::BlackHole,
        RouteTarget::Unreachable => message.header.kind = RouteType::Unreachable,
        RouteTarget::Via(hops) => {
            message.header.kind = RouteType::Unicast;
            if hops.as_slice().iter().all(|hop| hop.gateway().is_none()) {
                message.header.scope = RouteScope::Link;
            }
            push_hops(&mut message, key.prefix, hops.as_slice());
        }
    }
    message
}

fn push_hops(message: &mut RouteMessage, prefix: Prefix, hops: &[NextHop]) {
    if let [hop] = hops {
        message.attributes.extend(hop.gateway().map(|gateway| gateway_attribute(prefix, gateway)));
        message.attributes.extend(hop.link().map(|link| RouteAttribute::Oif(link.get())));
        if hop.is_onlink() {
            message.header.flags = RouteFlags::Onlink;
        }
        return;
    }
    let several = hops.iter().map(|hop| {
        let mut one = RouteNextHop::default();
        one.hops = hop.weight().get() - 1;
        one.interface_index = hop.link().map_or(0, LinkIndex::get);
        one.attributes =
            hop.gateway().map(|gateway| gateway_attribute(prefix, gateway)).into_iter().collect();
        if hop.is_onlink() {
            one.flags = RouteNextHopFlags::Onlink;
        }
        one
    });
    message.attributes.push(RouteAttribute::MultiPath(several.collect()));
}

/// RFC 8950: an IPv4 route may have an IPv6 next hop, which rtnetlink carries in `RTA_VIA`.
fn gateway_attribute(prefix: Prefix, gateway: IpAddr) -> RouteAttribute {
    if prefix.is_ipv6() == gateway.is_ipv6() {
        RouteAttribute::Gateway(RouteAddress::from(gateway))
    } else {
        RouteAttribute::Via(RouteVia::from(gateway))
    }
}

/// Protocol, metric and table are all given, so that nothing but ours can match.
fn delete_route(key: RouteKey, mark: Mark) -> RouteMessage {
    let mut message = bare_route(key, mark);
    message.header.scope = RouteScope::NoWhere;
    message.header.kind = RouteType::Unspec;
    message
}

/// `None` for what is not an IPv4 or IPv6 unicast address on a link.
pub(crate) fn found_address(message: &AddressMessage, mark: Mark) -> Option<FoundAddress> {
    let (mut local, mut peer, mut protocol, mut priority) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => peer = Some(*ip),
            AddressAttribute::Protocol(value) => protocol = Some(u8::from(*value)),
            AddressAttribute::RoutePriority(value) => priority = Some(*value),
            _ => {}
        }
    }
    let key = AddressKey { link: LinkIndex::new(message.header.index)?, ip: local.or(peer)? };
    let ours = match protocol {
        Some(number) => number == mark.0,
        None => priority == Some(mark.address_priority()),
    };
    Some(FoundAddress { key, prefix_len: message.header.prefix_len, ours, protocol })
}

/// `None` for what cannot have the key of a route of ours: other families, cached and local routes, routes that
/// depend on source or TOS.
pub(crate) fn found_route(message: &RouteMessage) -> Option<FoundRoute> {
    let header = &message.header;
    let unspecified = match header.address_family {
        AddressFamily::Inet => IpAddr::from([0_u8; 4]),
        AddressFamily::Inet6 => IpAddr::from([0_u8; 16]),
        _ => return None,
    };
    if header.flags.contains(RouteFlags::Cloned) || header.tos != 0 || header.source_prefix_length != 0 {
        return None;
    }
    let (mut network, mut metric, mut table) = (unspecified, 0, u32::from(header.table));
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => network = IpAddr::V4(*ip),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => network = IpAddr::V6(*ip),
            RouteAttribute::Priority(value) => metric = *value,
            RouteAttribute::Table(value) => table = *value,
            _ => {}
        }
    }
    let prefix = Prefix::new(network, header.destination_prefix_length).ok()?;
    let key = RouteKey { table: TableId::new(table)?, prefix, metric };
    Some(FoundRoute { key, target: found_target(message), protocol: u8::from(header.protocol) })
}

fn found_target(message: &RouteMessage) -> HeldTarget {
    match message.header.kind {
        RouteType::BlackHole => Some(RouteTarget::Blackhole),
        RouteType::Unreachable => Some(RouteTarget::Unreachable),
        // What is not ours to make is never what is wanted.
        RouteType::Unicast if has_extras(message) => None,
        RouteType::Unicast => usable_hops(message).map(RouteTarget::Via),
        _ => None,
    }
}

fn has_extras(message: &RouteMessage) -> bool {
    let is_extra = |attribute: &RouteAttribute| {
        matches!(attribute, RouteAttribute::NhId(_) | RouteAttribute::PrefSource(_))
    };
    message.attributes.iter().any(is_extra)
}

/// The hops of a route, whoever made it; `None` where one of them puts something around the packets (labels, tunnels).
pub(crate) fn usable_hops(message: &RouteMessage) -> Option<NextHops> {
    let (mut several, mut link) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::MultiPath(hops) => several = Some(hops),
            RouteAttribute::Oif(index) => link = LinkIndex::new(*index),
            _ => {}
        }
    }
    let Some(several) = several else {
        let onlink = message.header.flags.contains(RouteFlags::Onlink);
        return found_hop(&message.attributes, link, onlink, NonZeroU8::MIN).map(NextHops::from);
    };
    let hops: Option<Vec<NextHop>> = several
        .iter()
        .map(|hop| {
            let weight = NonZeroU8::new(hop.hops.saturating_add(1)).unwrap_or(NonZeroU8::MAX);
            let onlink = hop.flags.contains(RouteNextHopFlags::Onlink);
            found_hop(&hop.attributes, LinkIndex::new(hop.interface_index), onlink, weight)
        })
        .collect();
    NextHops::new(hops?)
}

fn found_hop(
    attributes: &[RouteAttribute],
    link: Option<LinkIndex>,
    onlink: bool,
    weight: NonZeroU8,
) -> Option<NextHop> {
    if attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::Encap(_))) {
        return None;
    }
    let gateway = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(ip)) | RouteAttribute::Via(RouteVia::Inet(ip)) => {
            Some(IpAddr::V4(*ip))
        }
        RouteAttribute::Gateway(RouteAddress::Inet6(ip)) | RouteAttribute::Via(RouteVia::Inet6(ip)) => {
            Some(IpAddr::V6(*ip))
        }
        _ => None,
    });
    let hop = match (gateway, link) {
        (Some(gateway), Some(link)) => NextHop::via_link(gateway, link),
        (Some(gateway), None) => NextHop::via(gateway)?,
        (None, Some(link)) => NextHop::direct(link),
        (None, None) => return None,
    };
    let hop = hop.weighing(weight);
    Some(if onlink { hop.onlink() } else { hop })
}

/// `None` for messages about a link that are not the link itself (bridge ports, `AF_BRIDGE`).
pub(crate) fn found_link(message: &LinkMessage) -> Option<Link> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let (mut name, mut mac, mut master, mut vrf_table) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Controller(index) => master = LinkIndex::new(*index),
            LinkAttribute::LinkInfo(info) => vrf_table = found_vrf_table(info),
            LinkAttribute::IfName(text) => name = text.parse().ok(),
            LinkAttribute::Address(octets) => mac = <[u8; 6]>::try_from(octets.as_slice()).ok(),
            _ => {}
        }
    }
    Some(Link {
        index: LinkIndex::new(message.header.index)?,
        name: name?,
        mac: mac.filter(|octets| *octets != [0; 6]).map(Mac),
        admin_up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        master,
        vrf_table,
        addresses: std::collections::BTreeSet::new(),
    })
}

fn found_vrf_table(info: &[LinkInfo]) -> Option<TableId> {
    info.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vrf(data)) => data.iter().find_map(|data| match data {
            InfoVrf::TableId(table) => TableId::new(*table),
            _ => None,
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
