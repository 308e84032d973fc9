//! What a route carries besides its prefix: the path attributes, in the compact form in which tables keep them.
//!
//! Invariants: an [`AsPath`] always holds well-formed segments of four-octet numbers in wire form (so that taking one
//! from a four-octet peer is a check and a copy); equal attributes are equal values, octet by octet, so that interning
//! them is exact. Sources: RFC 4271 section 5, RFC 1997, RFC 4360, RFC 4456, RFC 6793, RFC 8092, RFC 9234.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::{Asn, RouterId};

pub use crate::communities::{Community, ExtendedCommunity, LargeCommunity};

/// How the origin AS learned of the prefix (RFC 4271 section 5.1.1). Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Interior to the originating AS.
    Igp,
    /// Learned by EGP.
    Egp,
    /// Learned in some other way.
    Incomplete,
}

impl Origin {
    /// The octet on the wire.
    pub const fn to_wire(self) -> u8 {
        match self {
            Self::Igp => 0,
            Self::Egp => 1,
            Self::Incomplete => 2,
        }
    }

    /// The origin with this octet, if there is one.
    pub const fn from_wire(octet: u8) -> Option<Self> {
        match octet {
            0 => Some(Self::Igp),
            1 => Some(Self::Egp),
            2 => Some(Self::Incomplete),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "IGP",
            Self::Egp => "EGP",
            Self::Incomplete => "incomplete",
        })
    }
}

/// The kinds of AS_PATH segment that are accepted. Confederation segments (RFC 5065) are not: this speaker is in no
/// confederation, and RFC 5065 section 5 has them treated as malformed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// An unordered set of AS numbers.
    Set,
    /// An ordered sequence of AS numbers, nearest first.
    Sequence,
}

impl SegmentKind {
    const fn to_wire(self) -> u8 {
        match self {
            Self::Set => 1,
            Self::Sequence => 2,
        }
    }

    pub(crate) const fn from_wire(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Set),
            2 => Some(Self::Sequence),
            _ => None,
        }
    }
}

/// An AS path: segments of four-octet AS numbers.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct AsPath {
    /// `kind (1) | count (1) | count x AS (4)`, repeated; always well formed, never a count of zero.
    octets: Box<[u8]>,
}

/// One segment of an AS path.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    /// Set or sequence.
    pub kind: SegmentKind,
    octets: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The AS numbers, in wire order.
    pub fn asns(self) -> impl ExactSizeIterator<Item = Asn> + use<'a> {
        let (asns, _) = self.octets.as_chunks();
        asns.iter().map(|asn| Asn(u32::from_be_bytes(*asn)))
    }
}

/// Collects an AS path segment by segment.
#[derive(Debug, Default)]
pub struct AsPathBuilder {
    octets: Vec<u8>,
}

impl AsPathBuilder {
    /// Appends one segment. More than 255 numbers become several segments (RFC 4271 section 5.1.2), none become none.
    pub fn push(&mut self, kind: SegmentKind, asns: &[Asn]) -> &mut Self {
        for chunk in asns.chunks(255) {
            self.octets.extend([kind.to_wire(), u8::try_from(chunk.len()).unwrap_or(u8::MAX)]);
            self.octets.extend(chunk.iter().flat_map(|asn| asn.0.to_be_bytes()));
        }
        self
    }

    /// The finished path.
    pub fn build(self) -> AsPath {
        AsPath { octets: self.octets.into_boxed_slice() }
    }
}

impl AsPath {
    /// A path of one sequence.
    pub fn sequence(asns: &[Asn]) -> Self {
        let mut builder = AsPathBuilder::default();
        builder.push(SegmentKind::Sequence, asns);
        builder.build()
    }

    /// A path that names one AS `count` times, in sequences of at most 255.
    pub fn repeated(asn: Asn, count: usize) -> Self {
        Self::sequence(&vec![asn; count])
    }

    /// The four-octet wire form.
    pub fn as_octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether the path has no segment: the route began in this AS.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Whether any segment is an AS_SET, which RFC 9774 forbids.
    pub fn has_set(&self) -> bool {
        self.segments().any(|segment| segment.kind == SegmentKind::Set)
    }

    /// The segments, nearest first.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let mut rest = &*self.octets;
        std::iter::from_fn(move || {
            let (&[kind, count], tail) = rest.split_first_chunk()?;
            let (octets, tail) = tail.split_at_checked(usize::from(count) * 4)?;
            rest = tail;
            Some(Segment { kind: SegmentKind::from_wire(kind)?, octets })
        })
    }

    /// Every AS number in wire order, whatever its segment.
    pub fn asns(&self) -> impl Iterator<Item = Asn> {
        self.segments().flat_map(Segment::asns)
    }

    /// The length that the decision process compares: a set counts as one (RFC 4271 section 9.1.2.2 a).
    pub fn decision_length(&self) -> usize {
        self.segments()
            .map(|segment| match segment.kind {
                SegmentKind::Set => 1,
                SegmentKind::Sequence => segment.asns().len(),
            })
            .sum()
    }

    /// The AS that the route was heard from: the leftmost of a leading sequence. `None` for an empty path or one that
    /// begins with a set.
    pub fn neighbor_as(&self) -> Option<Asn> {
        let first = self.segments().next()?;
        match first.kind {
            SegmentKind::Sequence => first.asns().next(),
            SegmentKind::Set => None,
        }
    }

    /// How often the AS occurs, in whatever segments.
    pub fn occurrences(&self, asn: Asn) -> usize {
        self.asns().filter(|other| *other == asn).count()
    }
}

/// As routers print it: numbers from nearest to farthest, a set in braces.
impl fmt::Display for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            let (open, between, close) = match segment.kind {
                SegmentKind::Set => ("{", ",", "}"),
                SegmentKind::Sequence => ("", " ", ""),
            };
            f.write_str(open)?;
            for (index, asn) in segment.asns().enumerate() {
                if index > 0 {
                    f.write_str(between)?;
                }
                write!(f, "{asn}")?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

impl fmt::Debug for AsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// Where packets for a route go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, and the same router's link-local address where it was told (RFC 2545 section 3).
    V6 {
        /// The first address of the field. A peer without a global address puts its link-local one here.
        address: Ipv6Addr,
        /// The second address of the field.
        link_local: Option<Ipv6Addr>,
    },
}

impl NextHop {
    /// The address that the route names.
    pub const fn address(self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(address),
            Self::V6 { address, .. } => IpAddr::V6(address),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6 { address, link_local: None } => address.fmt(f),
            Self::V6 { address, link_local: Some(link_local) } => write!(f, "{address} ({link_local})"),
        }
    }
}

/// The router that formed an aggregate (RFC 4271 section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Aggregator {
    /// Its AS.
    pub asn: Asn,
    /// Its identifier.
    pub address: Ipv4Addr,
}

/// An attribute that this speaker does not know but has to keep (optional, transitive).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownAttribute {
    /// The attribute type code.
    pub type_code: u8,
    /// The value, as it came.
    pub value: Box<[u8]>,
}

/// The attributes of a route. One value is shared by all routes that carry the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, put together with AS4_PATH where the peer knows only two octets.
    pub as_path: AsPath,
    /// NEXT_HOP, or the next hop of MP_REACH_NLRI.
    pub next_hop: NextHop,
    /// MULTI_EXIT_DISC; lower is better.
    pub med: Option<u32>,
    /// LOCAL_PREF; higher is better. Only between internal peers.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, as they came.
    pub communities: Box<[Community]>,
    /// ORIGINATOR_ID: who brought the route into our AS (RFC 4456 section 8). Only between internal peers.
    pub originator_id: Option<RouterId>,
    /// CLUSTER_LIST: the reflectors that the route came through, nearest first. Only between internal peers.
    pub cluster_list: Box<[Ipv4Addr]>,
    /// EXTENDED COMMUNITIES, as they came.
    pub extended_communities: Box<[ExtendedCommunity]>,
    /// LARGE_COMMUNITY, as they came but without repetitions (RFC 8092 section 5).
    pub large_communities: Box<[LargeCommunity]>,
    /// Only To Customer: the AS that sent the route downwards or sideways (RFC 9234 section 5).
    pub only_to_customer: Option<Asn>,
    /// Unknown optional transitive attributes, by type code. They would go on with the Partial bit set.
    pub unknown: Box<[UnknownAttribute]>,
}

impl Attributes {
    /// The attributes of a route that begins here: ORIGIN is IGP, everything optional is absent.
    pub fn originated(as_path: AsPath, next_hop: NextHop) -> Self {
        Self {
            origin: Origin::Igp,
            as_path,
            next_hop,
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Box::default(),
            originator_id: None,
            cluster_list: Box::default(),
            extended_communities: Box::default(),
            large_communities: Box::default(),
            only_to_customer: None,
            unknown: Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_prints_and_counts_as_routers_do() {
        let mut builder = AsPathBuilder::default();
        builder.push(SegmentKind::Sequence, &[Asn(65001), Asn(4_200_000_001)]);
        builder.push(SegmentKind::Set, &[Asn(1), Asn(2), Asn(3)]);
        let path = builder.build();
        assert_eq!(path.to_string(), "65001 4200000001 {1,2,3}");
        assert_eq!(path.decision_length(), 3);
        assert_eq!(path.neighbor_as(), Some(Asn(65001)));
        assert_eq!((path.occurrences(Asn(2)), path.occurrences(Asn(4))), (1, 0));
    }

    #[test]
    fn path_that_begins_with_a_set_has_no_neighbor_as() {
        let mut builder = AsPathBuilder::default();
        builder.push(SegmentKind::Set, &[Asn(1)]);
        assert_eq!(builder.build().neighbor_as(), None);
        assert_eq!(AsPath::default().neighbor_as(), None);
    }

    #[test]
    fn more_than_255_numbers_need_a_second_segment() {
        let path = AsPath::repeated(Asn(65000), 256);
        let lengths: Vec<_> = path.segments().map(|segment| segment.asns().len()).collect();
        assert_eq!(lengths, [255, 1]);
        assert_eq!(path.decision_length(), 256);
    }
}
