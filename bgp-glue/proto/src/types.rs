//! The words of the protocol as types: autonomous system numbers, router identifiers, families, instants and spans.
//!
//! Integers with a unit never travel bare. Sources: RFC 6793 (four-octet AS numbers), RFC 6286 (identifiers),
//! RFC 4760 section 3 (families).

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::{Add, Sub};
use std::str::FromStr;

/// An autonomous system number of four octets (RFC 6793), printed as a plain decimal (RFC 5396 "asplain").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl Asn {
    /// The number that stands for a four-octet one towards a speaker that only knows two octets (RFC 6793 section 4.2.2).
    pub const TRANS: Self = Self(23456);

    /// Whether the number can be said in two octets.
    pub const fn fits_two_octets(self) -> bool {
        self.0 <= 0xffff
    }

    /// What stands in a field of two octets: the number itself or [`Asn::TRANS`].
    pub fn two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23456)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not an autonomous system number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an AS number: write a decimal from 1 to 4294967295")]
pub struct BadAsn {
    /// What was given.
    pub text: String,
}

impl FromStr for Asn {
    type Err = BadAsn;

    fn from_str(text: &str) -> Result<Self, BadAsn> {
        match text.parse::<u32>() {
            Ok(number) if number != 0 => Ok(Self(number)),
            Ok(_) | Err(_) => Err(BadAsn { text: text.to_owned() }),
        }
    }
}

/// A BGP identifier: four octets that are never all zero (RFC 6286 section 2.1). Ordered as an unsigned number,
/// which is the order of the collision rule and of the decision process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(u32);

impl RouterId {
    /// The identifier as a number in host order.
    pub const fn to_bits(self) -> u32 {
        self.0
    }
}

/// The identifier 0.0.0.0 was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("router id 0.0.0.0 is not allowed: use an address of this machine")]
pub struct ZeroRouterId;

impl TryFrom<Ipv4Addr> for RouterId {
    type Error = ZeroRouterId;

    fn try_from(address: Ipv4Addr) -> Result<Self, ZeroRouterId> {
        match address.to_bits() {
            0 => Err(ZeroRouterId),
            bits => Ok(Self(bits)),
        }
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ipv4Addr::from_bits(self.0).fmt(f)
    }
}

/// An address family with its subsequent family, as far as this speaker carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4Unicast,
    /// AFI 2, SAFI 1.
    Ipv6Unicast,
}

impl Family {
    /// Every family that this speaker carries, in the order in which it talks about them.
    pub const ALL: [Self; 2] = [Self::Ipv4Unicast, Self::Ipv6Unicast];

    /// The address family identifier on the wire.
    pub const fn afi(self) -> u16 {
        match self {
            Self::Ipv4Unicast => 1,
            Self::Ipv6Unicast => 2,
        }
    }

    /// The subsequent address family identifier on the wire.
    pub const fn safi(self) -> u8 {
        match self {
            Self::Ipv4Unicast | Self::Ipv6Unicast => 1,
        }
    }

    /// The family with these identifiers, if this speaker carries it.
    pub const fn from_wire(afi: u16, safi: u8) -> Option<Self> {
        match (afi, safi) {
            (1, 1) => Some(Self::Ipv4Unicast),
            (2, 1) => Some(Self::Ipv6Unicast),
            (_, _) => None,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Ipv4Unicast => 1,
            Self::Ipv6Unicast => 2,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "ipv4-unicast",
            Self::Ipv6Unicast => "ipv6-unicast",
        })
    }
}

/// A set of families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Families(u8);

impl Families {
    /// No family.
    pub const NONE: Self = Self(0);
    /// Both families.
    pub const ALL: Self = Self(3);

    /// Whether the family is in the set.
    pub const fn contains(self, family: Family) -> bool {
        self.0 & family.bit() != 0
    }

    /// Puts the family into the set.
    pub const fn insert(&mut self, family: Family) {
        self.0 |= family.bit();
    }

    /// The set with the family in it.
    #[must_use]
    pub const fn with(mut self, family: Family) -> Self {
        self.insert(family);
        self
    }

    /// The families that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The families, in the order of [`Family::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().filter(move |family| self.contains(*family))
    }
}

impl FromIterator<Family> for Families {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut set = Self::NONE;
        for family in families {
            set.insert(family);
        }
        set
    }
}

/// A point on the driver's monotonic clock in milliseconds since that clock's start; never wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The instant that lies so many milliseconds after the clock's start.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's start.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(u64);

impl Millis {
    /// A span of so many milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of so many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// The span as a number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Twice the span, at most `limit`.
    #[must_use]
    pub fn doubled(self, limit: Self) -> Self {
        Self(self.0.saturating_mul(2)).min(limit)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl Add<Millis> for Time {
    type Output = Self;

    fn add(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// The span between two instants; zero where the second lies later.
impl Sub for Time {
    type Output = Millis;

    fn sub(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// A hold time in whole seconds: zero (no keepalives, no expiry) or at least three (RFC 4271 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldTime(u16);

/// A hold time of 1 or 2 seconds was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("hold time {secs} s is not allowed: use 0 (never expires) or 3 to 65535")]
pub struct BadHoldTime {
    /// What was given, in seconds.
    pub secs: u16,
}

impl HoldTime {
    /// What RFC 4271 section 10 suggests.
    pub const DEFAULT: Self = Self(90);

    /// The number of seconds.
    pub const fn secs(self) -> u16 {
        self.0
    }

    /// How long the silence may last; `None` for ever.
    pub fn limit(self) -> Option<Millis> {
        (self.0 != 0).then(|| Millis::from_secs(u64::from(self.0)))
    }

    /// The time between keepalives, a third of the hold time (RFC 4271 section 4.4); `None` when none are sent.
    pub fn keepalive_interval(self) -> Option<Millis> {
        self.limit().map(|limit| Millis::new(limit.get() / 3))
    }
}

impl TryFrom<u16> for HoldTime {
    type Error = BadHoldTime;

    fn try_from(secs: u16) -> Result<Self, BadHoldTime> {
        // RFC 4271 section 4.2: "The Hold Time MUST be either zero or at least three seconds."
        if matches!(secs, 1 | 2) { Err(BadHoldTime { secs }) } else { Ok(Self(secs)) }
    }
}

impl fmt::Display for HoldTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

/// Whether the peer is in our own AS. Half of the rules of BGP hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerKind {
    /// The peer is in another AS.
    External,
    /// The peer is in our own AS.
    Internal,
}

impl PeerKind {
    /// The kind of a session between these two.
    pub fn between(local: Asn, remote: Asn) -> Self {
        if local == remote { Self::Internal } else { Self::External }
    }
}

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::External => "eBGP",
            Self::Internal => "iBGP",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asn_prints_and_reads_plain_decimals() {
        assert_eq!(Asn(4_200_000_001).to_string(), "4200000001");
        assert_eq!("4200000001".parse(), Ok(Asn(4_200_000_001)));
        for bad in ["0", "", "1.10", "4294967296", "-1"] {
            assert!(bad.parse::<Asn>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn large_asn_is_as_trans_in_two_octets() {
        assert_eq!(Asn(65_535).two_octets(), 65_535);
        assert_eq!(Asn(65_536).two_octets(), 23_456);
    }

    #[test]
    fn router_id_orders_as_unsigned_and_refuses_zero() {
        let low = RouterId::try_from(Ipv4Addr::new(10, 0, 0, 1)).unwrap();
        let high = RouterId::try_from(Ipv4Addr::new(192, 0, 2, 1)).unwrap();
        assert!(low < high);
        assert_eq!(RouterId::try_from(Ipv4Addr::UNSPECIFIED), Err(ZeroRouterId));
    }

    #[test]
    fn hold_time_of_one_or_two_seconds_is_refused() {
        assert_eq!(HoldTime::try_from(2), Err(BadHoldTime { secs: 2 }));
        assert_eq!(HoldTime::try_from(3).unwrap().keepalive_interval(), Some(Millis::from_secs(1)));
        assert_eq!(HoldTime::try_from(0).unwrap().limit(), None);
    }

    #[test]
    fn families_intersect() {
        let only6 = Families::from_iter([Family::Ipv6Unicast]);
        assert_eq!(only6.intersection(Families::ALL).iter().collect::<Vec<_>>(), [Family::Ipv6Unicast]);
        assert!(Families::NONE.is_empty() && !only6.contains(Family::Ipv4Unicast));
    }
}
