//! Capabilities: what a speaker says in its OPEN that it can do.
//!
//! ```text
//! capability:  code (1) | length (1) | value                                                          RFC 5492
//!  1  AFI (2) | 0 (1) | SAFI (1)                                                          RFC 4760 section 8
//!  2  nothing                                                                             RFC 2918
//!  5  { AFI (2) | SAFI (2) | AFI of the next hop (2) } ...                                RFC 8950 section 4
//!  6  nothing                                                                             RFC 8654
//!  9  role (1)                                                                            RFC 9234 section 4.1
//! 64  R, N, restart time (2, of which 12 bits) | { AFI (2) | SAFI (1) | F (1) } ...       RFC 4724, 8538
//! 65  AS (4)                                                                              RFC 6793
//! 69  { AFI (2) | SAFI (1) | 1 receive, 2 send, 3 both (1) } ...                          RFC 7911 section 4
//! 70  nothing                                                                             RFC 7313
//! 71  { AFI (2) | SAFI (1) | F (1) | stale time (3) } ...                                 RFC 9494 section 3
//! ```
//!
//! A known code with a value of the wrong length is taken as an unknown one: RFC 5492 has no error for it, and a session
//! without the capability serves better than none. Families that we do not carry are left out when lists are read.

use std::fmt;

use super::reader::Reader;
use crate::types::{Asn, Families, Family};

/// What a speaker says that it can do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Carries routes of this family (code 1).
    MultiProtocol {
        /// The address family identifier.
        afi: u16,
        /// The subsequent address family identifier.
        safi: u8,
    },
    /// Answers ROUTE-REFRESH (code 2).
    RouteRefresh,
    /// Takes IPv6 next hops for routes of these families (code 5). Other next hops are not ours to speak of.
    ExtendedNextHop(Families),
    /// Takes messages of up to 65535 octets (code 6).
    ExtendedMessage,
    /// Has this role (code 9).
    Role(Role),
    /// Can restart without losing its forwarding state, or can wait for one that does (code 64).
    GracefulRestart(GracefulRestart),
    /// Knows AS numbers of four octets, and has this one (code 65).
    FourOctetAs(Asn),
    /// Can receive, send or exchange several paths for a prefix (code 69).
    AddPath {
        /// The families of which it can receive them.
        receive: Families,
        /// The families of which it can send them.
        send: Families,
    },
    /// Marks the beginning and the end of an answer to ROUTE-REFRESH (code 70).
    EnhancedRouteRefresh,
    /// How long it keeps routes after the restart time of code 64 (code 71).
    LongLived(LongLived),
    /// Something else.
    Unknown {
        /// The capability code.
        code: u8,
        /// Its value.
        value: Box<[u8]>,
    },
}

/// What two neighbors are to each other (RFC 9234 section 4.1). The value is that on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sells transit to the neighbor.
    Provider = 0,
    /// Is a route server for the neighbor.
    RouteServer = 1,
    /// Is a client of the neighbor's route server.
    RouteServerClient = 2,
    /// Buys transit from the neighbor.
    Customer = 3,
    /// Neither: exchanges its own and its customers' routes.
    Peer = 4,
}

impl Role {
    /// The role that the neighbor of one with this role has to have.
    #[must_use]
    pub const fn counterpart(self) -> Self {
        match self {
            Self::Provider => Self::Customer,
            Self::Customer => Self::Provider,
            Self::RouteServer => Self::RouteServerClient,
            Self::RouteServerClient => Self::RouteServer,
            Self::Peer => Self::Peer,
        }
    }

    const fn from_wire(octet: u8) -> Option<Self> {
        match octet {
            0 => Some(Self::Provider),
            1 => Some(Self::RouteServer),
            2 => Some(Self::RouteServerClient),
            3 => Some(Self::Customer),
            4 => Some(Self::Peer),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::RouteServer => "route-server",
            Self::RouteServerClient => "route-server-client",
            Self::Customer => "customer",
            Self::Peer => "peer",
        })
    }
}

/// The graceful restart capability (RFC 4724 section 3, RFC 8538 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GracefulRestart {
    /// The R bit: the speaker has restarted, and does not wait for our End-of-RIB before it sends its routes.
    pub restarted: bool,
    /// The N bit: a NOTIFICATION other than a hard reset leaves routes standing.
    pub notification: bool,
    /// How long a restart takes, in seconds; at most [`GracefulRestart::MAX_TIME_SECS`].
    pub time_secs: u16,
    /// The families whose routes are to be kept meanwhile.
    pub families: Families,
    /// Those of them whose forwarding state has survived the last restart: the F bit.
    pub forwarding: Families,
}

impl GracefulRestart {
    /// What twelve bits can say.
    pub const MAX_TIME_SECS: u16 = 4095;
    const RESTARTED: u8 = 0x80;
    const NOTIFICATION: u8 = 0x40;
    const FORWARDING: u8 = 0x80;
}

/// The long-lived graceful restart capability (RFC 9494 section 3): seconds for each family, at most 2^24 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LongLived {
    /// The stale time of IPv4 unicast, in seconds.
    pub ipv4_secs: Option<u32>,
    /// The stale time of IPv6 unicast, in seconds.
    pub ipv6_secs: Option<u32>,
    /// The families whose forwarding state has survived: the F bit.
    pub forwarding: Families,
}

impl LongLived {
    /// The stale time of a family, in seconds; `None` where the capability does not name it.
    pub const fn secs(&self, family: Family) -> Option<u32> {
        match family {
            Family::Ipv4Unicast => self.ipv4_secs,
            Family::Ipv6Unicast => self.ipv6_secs,
        }
    }
}

impl Capability {
    pub(super) fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::MultiProtocol { afi, safi } => {
                let [high, low] = afi.to_be_bytes();
                out.extend_from_slice(&[1, 4, high, low, 0, *safi]);
            }
            Self::RouteRefresh => out.extend_from_slice(&[2, 0]),
            Self::ExtendedNextHop(families) => push_value(out, 5, |out| {
                for family in families.iter() {
                    out.extend_from_slice(&family.afi().to_be_bytes());
                    out.extend_from_slice(&[0, family.safi(), 0, 2]);
                }
            }),
            Self::ExtendedMessage => out.extend_from_slice(&[6, 0]),
            Self::Role(role) => out.extend_from_slice(&[9, 1, *role as u8]),
            Self::GracefulRestart(restart) => push_value(out, 64, |out| restart.push(out)),
            Self::FourOctetAs(asn) => {
                out.extend_from_slice(&[65, 4]);
                out.extend_from_slice(&asn.0.to_be_bytes());
            }
            Self::AddPath { receive, send } => push_value(out, 69, |out| {
                for family in Family::ALL {
                    let direction = u8::from(receive.contains(family)) | u8::from(send.contains(family)) << 1;
                    if direction != 0 {
                        push_entry(out, family, direction);
                    }
                }
            }),
            Self::EnhancedRouteRefresh => out.extend_from_slice(&[70, 0]),
            Self::LongLived(long) => push_value(out, 71, |out| long.push(out)),
            Self::Unknown { code, value } => {
                let value = &value[..value.len().min(255)];
                push_value(out, *code, |out| out.extend_from_slice(value));
            }
        }
    }

    /// `None` when the value overruns the field.
    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let code = reader.u8()?;
        let length = reader.u8()?;
        let value = reader.take(usize::from(length))?;
        let known = match (code, value) {
            (1, &[high, low, _, safi]) => {
                Some(Self::MultiProtocol { afi: u16::from_be_bytes([high, low]), safi })
            }
            (2, &[]) => Some(Self::RouteRefresh),
            (5, _) => extended_next_hop(value).map(Self::ExtendedNextHop),
            (6, &[]) => Some(Self::ExtendedMessage),
            (9, &[role]) => Role::from_wire(role).map(Self::Role),
            (64, _) => GracefulRestart::decode(value).map(Self::GracefulRestart),
            (65, &[a, b, c, d]) => Some(Self::FourOctetAs(Asn(u32::from_be_bytes([a, b, c, d])))),
            (69, _) => add_path(value),
            (70, &[]) => Some(Self::EnhancedRouteRefresh),
            (71, _) => LongLived::decode(value).map(Self::LongLived),
            (_, _) => None,
        };
        Some(known.unwrap_or_else(|| Self::Unknown { code, value: value.into() }))
    }
}

fn push_value(out: &mut Vec<u8>, code: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[code, 0]);
    let start = out.len();
    write(out);
    out[start - 1] = u8::try_from(out.len() - start).expect("two families fit into a capability");
}

/// What the entries of three lists begin with: AFI, SAFI and an octet.
fn push_entry(out: &mut Vec<u8>, family: Family, octet: u8) {
    out.extend_from_slice(&family.afi().to_be_bytes());
    out.extend_from_slice(&[family.safi(), octet]);
}

/// The same, read; no family where it is one that we do not carry.
fn entry(reader: &mut Reader<'_>) -> Option<(Option<Family>, u8)> {
    Some((Family::from_wire(reader.u16()?, reader.u8()?), reader.u8()?))
}

fn extended_next_hop(value: &[u8]) -> Option<Families> {
    let mut reader = Reader::new(value);
    let mut families = Families::NONE;
    while !reader.is_empty() {
        let (afi, safi, next_hop) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let family = u8::try_from(safi).ok().and_then(|safi| Family::from_wire(afi, safi));
        if let Some(family) = family.filter(|_| next_hop == 2) {
            families.insert(family);
        }
    }
    Some(families)
}

fn add_path(value: &[u8]) -> Option<Capability> {
    let mut reader = Reader::new(value);
    let (mut receive, mut send) = (Families::NONE, Families::NONE);
    while !reader.is_empty() {
        let (family, direction) = entry(&mut reader)?;
        // RFC 7911 section 4: any other value is as if the entry were not there.
        if let Some(family) = family.filter(|_| matches!(direction, 1..=3)) {
            if direction & 1 != 0 {
                receive.insert(family);
            }
            if direction & 2 != 0 {
                send.insert(family);
            }
        }
    }
    Some(Capability::AddPath { receive, send })
}

impl GracefulRestart {
    /// The octet of a family, here and in the long-lived capability.
    fn flags(forwarding: Families, family: Family) -> u8 {
        if forwarding.contains(family) { Self::FORWARDING } else { 0 }
    }

    fn push(self, out: &mut Vec<u8>) {
        let [high, low] = self.time_secs.min(Self::MAX_TIME_SECS).to_be_bytes();
        let restarted = if self.restarted { Self::RESTARTED } else { 0 };
        let notification = if self.notification { Self::NOTIFICATION } else { 0 };
        out.extend_from_slice(&[high | restarted | notification, low]);
        for family in self.families.iter() {
            push_entry(out, family, Self::flags(self.forwarding, family));
        }
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let [high, low] = reader.array()?;
        let mut restart = Self {
            restarted: high & Self::RESTARTED != 0,
            notification: high & Self::NOTIFICATION != 0,
            time_secs: u16::from_be_bytes([high & 0x0f, low]),
            families: Families::NONE,
            forwarding: Families::NONE,
        };
        while !reader.is_empty() {
            let (family, flags) = entry(&mut reader)?;
            if let Some(family) = family {
                restart.families.insert(family);
                if flags & Self::FORWARDING != 0 {
                    restart.forwarding.insert(family);
                }
            }
        }
        Some(restart)
    }
}

impl LongLived {
    fn push(self, out: &mut Vec<u8>) {
        for family in Family::ALL {
            let Some(secs) = self.secs(family) else { continue };
            push_entry(out, family, GracefulRestart::flags(self.forwarding, family));
            let [_, high, middle, low] = secs.min(0x00ff_ffff).to_be_bytes();
            out.extend_from_slice(&[high, middle, low]);
        }
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let mut long = Self::default();
        while !reader.is_empty() {
            let (family, flags) = entry(&mut reader)?;
            let [high, middle, low] = reader.array()?;
            let secs = Some(u32::from_be_bytes([0, high, middle, low]));
            match family {
                Some(Family::Ipv4Unicast) => long.ipv4_secs = secs,
                Some(Family::Ipv6Unicast) => long.ipv6_secs = secs,
                None => continue,
            }
            if let Some(family) = family.filter(|_| flags & GracefulRestart::FORWARDING != 0) {
                long.forwarding.insert(family);
            }
        }
        Some(long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V6: Families = Families::NONE.with(Family::Ipv6Unicast);

    fn read(octets: &[u8]) -> Capability {
        Capability::decode(&mut Reader::new(octets)).expect("it does not overrun")
    }

    #[test]
    fn octets_are_those_of_the_standards() {
        let restart = GracefulRestart {
            restarted: true,
            notification: true,
            time_secs: 120,
            families: Families::ALL,
            forwarding: V6,
        };
        let long = LongLived { ipv4_secs: Some(3600), ipv6_secs: None, forwarding: Families::NONE };
        let rows: [(Capability, &[u8]); 8] = [
            (Capability::ExtendedNextHop(Families::ALL), &[5, 12, 0, 1, 0, 1, 0, 2, 0, 2, 0, 1, 0, 2]),
            (Capability::ExtendedMessage, &[6, 0]),
            (Capability::Role(Role::Customer), &[9, 1, 3]),
            (Capability::GracefulRestart(restart), &[64, 10, 0xc0, 120, 0, 1, 1, 0, 0, 2, 1, 0x80]),
            (Capability::AddPath { receive: Families::ALL, send: V6 }, &[69, 8, 0, 1, 1, 1, 0, 2, 1, 3]),
            (Capability::EnhancedRouteRefresh, &[70, 0]),
            (Capability::LongLived(long), &[71, 7, 0, 1, 1, 0, 0, 14, 16]),
            (Capability::Unknown { code: 99, value: [7].into() }, &[99, 1, 7]),
        ];
        for (capability, octets) in rows {
            let mut out = Vec::new();
            capability.push(&mut out);
            assert_eq!(out, octets, "{capability:?}");
            assert_eq!(read(octets), capability);
        }
    }

    #[test]
    fn families_that_we_do_not_carry_are_left_out() {
        assert_eq!(read(&[5, 6, 0, 1, 0, 128, 0, 2]), Capability::ExtendedNextHop(Families::NONE));
        let none = Capability::AddPath { receive: Families::NONE, send: Families::NONE };
        assert_eq!(read(&[69, 8, 0, 25, 70, 3, 0, 1, 1, 4]), none, "and neither is a direction of 4");
    }

    #[test]
    fn wrong_length_makes_a_capability_unknown() {
        for octets in [
            &[5, 5, 0, 1, 0, 1, 0][..],
            &[6, 1, 0],
            &[9, 2, 0, 0],
            &[9, 1, 5],
            &[64, 1, 0],
            &[64, 5, 0, 0, 0, 1, 1],
            &[65, 2, 0, 1],
            &[69, 3, 0, 1, 1],
            &[70, 1, 0],
            &[71, 6, 0, 1, 1, 0, 0, 0],
        ] {
            assert!(matches!(read(octets), Capability::Unknown { .. }), "{octets:?}");
        }
    }

    #[test]
    fn roles_are_counterparts_of_each_other() {
        for role in (0..=4).filter_map(Role::from_wire) {
            assert_eq!(role.counterpart().counterpart(), role);
        }
        assert_eq!(Role::from_wire(5), None);
    }
}
