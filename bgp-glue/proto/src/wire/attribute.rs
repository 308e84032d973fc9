//! Path attributes as octets.
//!
//! ```text
//! flags (1): 0x80 optional, 0x40 transitive, 0x20 partial, 0x10 length has two octets
//! +-----------+----------+------------------+---------+
//! | flags (1) | type (1) | length (1 or 2)  | value   |   repeated
//! +-----------+----------+------------------+---------+
//! ```
//!
//! A malformed attribute costs as little as RFC 7606 allows: only itself, or the routes of its message, or, where
//! those cannot be told any more, the session. Sources: RFC 4271 sections 4.3 and 6.3, RFC 7606 sections 3 to 7,
//! RFC 4760 sections 3 and 4, RFC 6793 section 6, RFC 1997, RFC 4360, RFC 4456, RFC 8092, RFC 7607, RFC 9234, RFC 9774.

mod push;

use std::net::{Ipv4Addr, Ipv6Addr};

use super::as_path::{self, AsWidth};
use super::nlri;
use super::notification::{Notification, Reason, reason};
use super::path_ids::Paths;
use super::reader::Reader;
use super::update::{Disposition, Fault, UpdateContext};
use crate::attributes::{
    Aggregator, AsPath, Attributes, Community, ExtendedCommunity, LargeCommunity, NextHop, Origin,
    UnknownAttribute,
};
use crate::types::{Asn, Family, PeerKind, RouterId};

pub(super) use push::{push_all, push_attribute};

pub(crate) const OPTIONAL: u8 = 0x80;
const TRANSITIVE: u8 = 0x40;
const PARTIAL: u8 = 0x20;
pub(crate) const LONG: u8 = 0x10;

const ORIGIN: u8 = 1;
const AS_PATH: u8 = 2;
const NEXT_HOP: u8 = 3;
const MED: u8 = 4;
const LOCAL_PREF: u8 = 5;
const ATOMIC_AGGREGATE: u8 = 6;
const AGGREGATOR: u8 = 7;
const COMMUNITIES: u8 = 8;
const ORIGINATOR_ID: u8 = 9;
const CLUSTER_LIST: u8 = 10;
pub(crate) const MP_REACH: u8 = 14;
pub(crate) const MP_UNREACH: u8 = 15;
const EXTENDED_COMMUNITIES: u8 = 16;
const AS4_PATH: u8 = 17;
const AS4_AGGREGATOR: u8 = 18;
const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
const LARGE_COMMUNITY: u8 = 32;
const ONLY_TO_CUSTOMER: u8 = 35;

/// The attributes of one UPDATE as they came, before it is known which routes they are for.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) origin: Option<Origin>,
    pub(crate) as_path: Option<AsPath>,
    pub(crate) next_hop: Option<Ipv4Addr>,
    pub(crate) mp_reach: Option<(NextHop, Paths)>,
    pub(crate) mp_unreach: Option<(Family, Paths)>,
    /// How many attributes there were.
    pub(crate) count: usize,
    pub(crate) faults: Vec<Fault>,
    /// There were routes of a family that was not negotiated.
    pub(crate) foreign: bool,
    next_hop_fault: Option<&'static str>,
    med: Option<u32>,
    local_pref: Option<u32>,
    atomic_aggregate: bool,
    aggregator: Option<Aggregator>,
    communities: Box<[Community]>,
    originator_id: Option<RouterId>,
    cluster_list: Box<[Ipv4Addr]>,
    extended_communities: Box<[ExtendedCommunity]>,
    large_communities: Box<[LargeCommunity]>,
    only_to_customer: Option<Asn>,
    as4_path: Option<AsPath>,
    as4_aggregator: Option<Aggregator>,
    unknown: Vec<UnknownAttribute>,
}

enum Trouble {
    Discard(&'static str),
    Withdraw(&'static str),
    Reset(Notification),
}

use Trouble::{Discard, Withdraw};

impl Collected {
    /// Reads the whole field of attributes. An error ends the session.
    pub(crate) fn decode(field: &[u8], context: UpdateContext) -> Result<Self, Notification> {
        let mut collected = Self::default();
        let mut seen = [false; 256];
        let mut reader = Reader::new(field);
        while !reader.is_empty() {
            let rest = reader.rest();
            let Some((flags, type_code, value)) = next_attribute(&mut reader) else {
                if let [_, MP_REACH | MP_UNREACH, ..] = rest {
                    // RFC 7606 section 3 j: routes that cannot be read cannot be treated as withdrawn either.
                    return Err(Notification::new(reason::BAD_OPTIONAL_ATTRIBUTE));
                }
                // RFC 7606 section 4: the attributes' total length still tells where the routes are.
                collected.fault(None, Disposition::TreatAsWithdraw, "an attribute is longer than its field");
                break;
            };
            collected.count += 1;
            if std::mem::replace(&mut seen[usize::from(type_code)], true) {
                if matches!(type_code, MP_REACH | MP_UNREACH) {
                    // RFC 7606 section 3 g.
                    return Err(Notification::new(reason::MALFORMED_ATTRIBUTES));
                }
                collected.fault(Some(type_code), Disposition::AttributeDiscard, "occurs twice");
                continue;
            }
            let judged = match (check_flags(type_code, flags, value), type_code) {
                (Err(trouble), MP_REACH | MP_UNREACH) => {
                    // Its routes have to be read all the same: they are the ones that are withdrawn.
                    collected.take(type_code, flags, value, context).and(Err(trouble))
                }
                (Err(trouble), _) => Err(trouble),
                (Ok(()), _) => collected.take(type_code, flags, value, context),
            };
            match judged {
                Ok(()) => {}
                Err(Discard(what)) => collected.fault(Some(type_code), Disposition::AttributeDiscard, what),
                Err(Withdraw(what)) => collected.fault(Some(type_code), Disposition::TreatAsWithdraw, what),
                Err(Trouble::Reset(notification)) => return Err(notification),
            }
        }
        Ok(collected)
    }

    pub(crate) fn fault(&mut self, attribute: Option<u8>, disposition: Disposition, what: &'static str) {
        self.faults.push(Fault { attribute, disposition, what });
    }

    /// What has to be there for routes to be announced (RFC 7606 section 3 d).
    pub(crate) fn check_mandatory(&mut self, classic: bool) {
        let missing = "is missing";
        // One that was there and malformed has been told already.
        let told =
            |faults: &[Fault], type_code| faults.iter().any(|fault| fault.attribute == Some(type_code));
        if self.origin.is_none() && !told(&self.faults, ORIGIN) {
            self.fault(Some(ORIGIN), Disposition::TreatAsWithdraw, missing);
        }
        if self.as_path.is_none() && !told(&self.faults, AS_PATH) {
            self.fault(Some(AS_PATH), Disposition::TreatAsWithdraw, missing);
        }
        // RFC 4760 section 3: NEXT_HOP is to be ignored where MP_REACH_NLRI alone announces.
        if classic && self.next_hop.is_none() {
            let what = self.next_hop_fault.unwrap_or(missing);
            self.fault(Some(NEXT_HOP), Disposition::TreatAsWithdraw, what);
        }
    }

    /// The attributes for routes with this next hop.
    pub(crate) fn attributes(&self, origin: Origin, as_path: &AsPath, next_hop: NextHop) -> Attributes {
        Attributes {
            origin,
            as_path: as_path.clone(),
            next_hop,
            med: self.med,
            local_pref: self.local_pref,
            atomic_aggregate: self.atomic_aggregate,
            aggregator: self.aggregator,
            communities: self.communities.clone(),
            originator_id: self.originator_id,
            cluster_list: self.cluster_list.clone(),
            extended_communities: self.extended_communities.clone(),
            large_communities: self.large_communities.clone(),
            only_to_customer: self.only_to_customer,
            unknown: self.unknown.as_slice().into(),
        }
    }

    /// Puts the four-octet attributes of a two-octet speaker into their places (RFC 6793 section 4.2.3).
    pub(crate) fn merge_four_octet_attributes(&mut self) {
        self.unknown.sort_by_key(|attribute| attribute.type_code);
        // "If the AS number in the AGGREGATOR attribute is not AS_TRANS, then the AS4_AGGREGATOR attribute and the
        // AS4_PATH attribute SHALL be ignored".
        if self.aggregator.is_some_and(|aggregator| aggregator.asn != Asn::TRANS)
            && self.as4_aggregator.is_some()
        {
            return;
        }
        if self.aggregator.is_some() && self.as4_aggregator.is_some() {
            self.aggregator = self.as4_aggregator;
        }
        if let Some(as4_path) = self.as4_path.take() {
            self.as_path = self.as_path.take().map(|as_path| as_path::merge(as_path, &as4_path));
        }
    }

    fn foreign_family(&mut self) -> Trouble {
        self.foreign = true;
        Discard("its family was not negotiated")
    }

    fn take(
        &mut self,
        type_code: u8,
        flags: u8,
        value: &[u8],
        context: UpdateContext,
    ) -> Result<(), Trouble> {
        match type_code {
            ORIGIN => {
                let &[octet] = value else { return Err(Withdraw("not one octet")) };
                self.origin = Some(Origin::from_wire(octet).ok_or(Withdraw("unknown value"))?);
            }
            AS_PATH => {
                let as_path = as_path::decode(value, context.as_width).map_err(Withdraw)?;
                let has_set = as_path.has_set();
                // Kept even so: it was there, and what is missing is told apart from what is wrong.
                self.as_path = Some(as_path);
                if has_set {
                    // RFC 9774 section 3: AS_SET is treated as withdrawn.
                    return Err(Withdraw("holds an AS_SET"));
                }
            }
            NEXT_HOP => match next_hop_v4(value) {
                Ok(next_hop) => self.next_hop = Some(next_hop),
                Err(what) => self.next_hop_fault = Some(what),
            },
            MED => self.med = Some(number(value).ok_or(Withdraw("not four octets"))?),
            LOCAL_PREF => match context.kind {
                PeerKind::Internal => {
                    self.local_pref = Some(number(value).ok_or(Withdraw("not four octets"))?);
                }
                PeerKind::External => return Err(Discard("is not for external neighbors")),
            },
            ATOMIC_AGGREGATE => {
                if !value.is_empty() {
                    return Err(Discard("not empty"));
                }
                self.atomic_aggregate = true;
            }
            AGGREGATOR => self.aggregator = Some(aggregator(value, context.as_width).map_err(Discard)?),
            COMMUNITIES => {
                let communities = list::<4>(value, "not a multiple of 4")?;
                self.communities = communities.iter().map(|c| Community(u32::from_be_bytes(*c))).collect();
            }
            EXTENDED_COMMUNITIES => {
                let communities = list::<8>(value, "not a multiple of 8")?;
                self.extended_communities = communities.iter().copied().map(ExtendedCommunity).collect();
            }
            LARGE_COMMUNITY => self.large_communities = large_communities(value)?,
            ONLY_TO_CUSTOMER => {
                self.only_to_customer = Some(Asn(number(value).ok_or(Withdraw("not four octets"))?));
            }
            // RFC 7606 sections 7.9 and 7.10.
            ORIGINATOR_ID | CLUSTER_LIST if context.kind == PeerKind::External => {
                return Err(Discard("is not for external neighbors"));
            }
            ORIGINATOR_ID => {
                let id = number(value).ok_or(Withdraw("not four octets"))?;
                let id = RouterId::try_from(Ipv4Addr::from_bits(id)).map_err(|_| Withdraw("is zero"))?;
                self.originator_id = Some(id);
            }
            CLUSTER_LIST => {
                let clusters = list::<4>(value, "not a multiple of 4")?;
                self.cluster_list = clusters.iter().copied().map(Ipv4Addr::from).collect();
            }
            MP_REACH => match mp_reach(value, context)? {
                Some(reach) => self.mp_reach = Some(reach),
                None => return Err(self.foreign_family()),
            },
            MP_UNREACH => match mp_unreach(value, context)? {
                Some(unreach) => self.mp_unreach = Some(unreach),
                None => return Err(self.foreign_family()),
            },
            AS4_PATH | AS4_AGGREGATOR if context.as_width == AsWidth::Four => {
                // RFC 6793 section 4.1.
                return Err(Discard("comes from a speaker that does not need it"));
            }
            AS4_PATH => {
                let as4_path = as_path::decode(value, AsWidth::Four).map_err(Discard)?;
                if as4_path.has_set() {
                    return Err(Withdraw("holds an AS_SET"));
                }
                self.as4_path = Some(as4_path);
            }
            AS4_AGGREGATOR => {
                self.as4_aggregator = Some(aggregator(value, AsWidth::Four).map_err(Discard)?);
            }
            IPV6_EXTENDED_COMMUNITIES => {
                // RFC 7606 section 7.15. They are kept, not understood.
                list::<20>(value, "not a multiple of 20")?;
                self.unknown.push(UnknownAttribute { type_code, value: value.into() });
            }
            // RFC 4271 section 5: an unknown optional attribute goes on when it is transitive and ends here otherwise.
            _ if flags & TRANSITIVE != 0 => {
                self.unknown.push(UnknownAttribute { type_code, value: value.into() });
            }
            _ => {}
        }
        Ok(())
    }
}

fn next_attribute<'a>(reader: &mut Reader<'a>) -> Option<(u8, u8, &'a [u8])> {
    let flags = reader.u8()?;
    let type_code = reader.u8()?;
    let length = if flags & LONG == 0 { usize::from(reader.u8()?) } else { usize::from(reader.u16()?) };
    Some((flags, type_code, reader.take(length)?))
}

/// RFC 7606 section 3 c: wrong Optional or Transitive flags make an attribute malformed; the other flags do not.
fn check_flags(type_code: u8, flags: u8, value: &[u8]) -> Result<(), Trouble> {
    let expected = match type_code {
        ORIGIN | AS_PATH | NEXT_HOP | LOCAL_PREF | ATOMIC_AGGREGATE => TRANSITIVE,
        MED | ORIGINATOR_ID | CLUSTER_LIST | MP_REACH | MP_UNREACH => OPTIONAL,
        AGGREGATOR
        | COMMUNITIES
        | EXTENDED_COMMUNITIES
        | AS4_PATH
        | AS4_AGGREGATOR
        | IPV6_EXTENDED_COMMUNITIES
        | LARGE_COMMUNITY
        | ONLY_TO_CUSTOMER => OPTIONAL | TRANSITIVE,
        _ if flags & OPTIONAL == 0 => {
            // RFC 4271 section 6.3: a well-known attribute that is not known; the data is the attribute.
            let mut data = Vec::with_capacity(value.len() + 4);
            push_attribute(&mut data, flags & !LONG, type_code, |out| out.extend_from_slice(value));
            return Err(Trouble::Reset(Notification::with_data(reason::UNKNOWN_WELL_KNOWN, &data)));
        }
        _ => return Ok(()),
    };
    match (flags & (OPTIONAL | TRANSITIVE) == expected, type_code) {
        (true, _) => Ok(()),
        // RFC 6793 section 6: whatever is wrong about these two, the route stays.
        (false, AS4_PATH | AS4_AGGREGATOR) => Err(Discard("wrong flags")),
        (false, _) => Err(Withdraw("wrong flags")),
    }
}

fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// RFC 4271 section 6.3: the next hop has to be the address of a host.
fn next_hop_v4(value: &[u8]) -> Result<Ipv4Addr, &'static str> {
    let octets: [u8; 4] = value.try_into().map_err(|_| "not four octets")?;
    match octets[0] {
        0 | 127 | 224.. => Err("not the address of a host"),
        1..=126 | 128..=223 => Ok(Ipv4Addr::from(octets)),
    }
}

fn aggregator(value: &[u8], width: AsWidth) -> Result<Aggregator, &'static str> {
    let (asn, address) = match (width, value) {
        (AsWidth::Two, &[a, b, ref address @ ..]) => (u32::from(u16::from_be_bytes([a, b])), address),
        (AsWidth::Four, &[a, b, c, d, ref address @ ..]) => (u32::from_be_bytes([a, b, c, d]), address),
        (AsWidth::Two | AsWidth::Four, _) => return Err("wrong length"),
    };
    let address: [u8; 4] = address.try_into().map_err(|_| "wrong length")?;
    if asn == 0 {
        return Err("AS 0");
    }
    Ok(Aggregator { asn: Asn(asn), address: address.into() })
}

/// The items of a list attribute. RFC 7606 sections 7.8, 7.10, 7.14, 7.15: neither empty nor with a rest.
fn list<'a, const N: usize>(value: &'a [u8], rest: &'static str) -> Result<&'a [[u8; N]], Trouble> {
    match value.as_chunks() {
        ([], []) => Err(Withdraw("empty")),
        (items, []) => Ok(items),
        (_, _) => Err(Withdraw(rest)),
    }
}

/// RFC 8092 section 5: repetitions are silently removed.
fn large_communities(value: &[u8]) -> Result<Box<[LargeCommunity]>, Trouble> {
    let communities = list::<12>(value, "not a multiple of 12")?;
    let mut unique: Vec<LargeCommunity> = Vec::with_capacity(communities.len());
    for octets in communities {
        let (words, _) = octets.as_chunks();
        let mut words = words.iter().copied().map(u32::from_be_bytes);
        let community = LargeCommunity(std::array::from_fn(|_| words.next().unwrap_or_default()));
        if !unique.contains(&community) {
            unique.push(community);
        }
    }
    Ok(unique.into())
}

fn reset(reason: Reason) -> Trouble {
    Trouble::Reset(Notification::new(reason))
}

/// `None`: the family was not negotiated.
fn mp_reach(value: &[u8], context: UpdateContext) -> Result<Option<(NextHop, Paths)>, Trouble> {
    let broken = || reset(reason::BAD_OPTIONAL_ATTRIBUTE);
    let mut reader = Reader::new(value);
    let afi = reader.u16().ok_or_else(broken)?;
    let safi = reader.u8().ok_or_else(broken)?;
    let length = reader.u8().ok_or_else(broken)?;
    let next_hop = reader.take(usize::from(length)).ok_or_else(broken)?;
    reader.u8().ok_or_else(broken)?; // reserved
    let Some(family) = negotiated(afi, safi, context) else {
        return Ok(None);
    };
    // RFC 7606 section 7.11: "If the Length of Next Hop Network Address field is inconsistent with that which was
    // expected, ... session reset".
    let next_hop = match (family, next_hop.len()) {
        (Family::Ipv4Unicast, 4) => next_hop_v4(next_hop).map(NextHop::V4),
        (Family::Ipv6Unicast, 16 | 32) => next_hop_v6(next_hop),
        // RFC 8950 section 3: for those who have agreed on it.
        (Family::Ipv4Unicast, 16 | 32) if context.ipv6_next_hops.contains(family) => next_hop_v6(next_hop),
        (Family::Ipv4Unicast | Family::Ipv6Unicast, _) => return Err(broken()),
    };
    let prefixes = nlri::decode(reader.rest(), family, context.add_path.contains(family))
        .map_err(|_| reset(reason::BAD_NETWORK))?;
    match next_hop {
        Ok(next_hop) => Ok(Some((next_hop, prefixes))),
        // The routes are known, only not where they lead: they are taken with a placeholder and withdrawn by `update`.
        Err(_) => Ok(Some((NextHop::V4(Ipv4Addr::UNSPECIFIED), prefixes))),
    }
}

/// RFC 2545 section 3. Some speakers without a global address send `::` in its place.
fn next_hop_v6(value: &[u8]) -> Result<NextHop, &'static str> {
    let (addresses, _) = value.as_chunks::<16>();
    let mut addresses = addresses.iter().map(|octets| Ipv6Addr::from(*octets));
    let address = addresses.next().unwrap_or(Ipv6Addr::UNSPECIFIED);
    let link_local = addresses.next().filter(Ipv6Addr::is_unicast_link_local);
    match link_local {
        Some(link_local) if address.is_unspecified() => {
            Ok(NextHop::V6 { address: link_local, link_local: None })
        }
        Some(_) | None if address.is_unspecified() || address.is_loopback() || address.is_multicast() => {
            Err("not the address of a host")
        }
        Some(_) | None => {
            Ok(NextHop::V6 { address, link_local: link_local.filter(|other| *other != address) })
        }
    }
}

/// `None`: the family was not negotiated.
fn mp_unreach(value: &[u8], context: UpdateContext) -> Result<Option<(Family, Paths)>, Trouble> {
    let broken = || reset(reason::BAD_OPTIONAL_ATTRIBUTE);
    let mut reader = Reader::new(value);
    let afi = reader.u16().ok_or_else(broken)?;
    let safi = reader.u8().ok_or_else(broken)?;
    let Some(family) = negotiated(afi, safi, context) else {
        return Ok(None);
    };
    let prefixes = nlri::decode(reader.rest(), family, context.add_path.contains(family))
        .map_err(|_| reset(reason::BAD_NETWORK))?;
    Ok(Some((family, prefixes)))
}

fn negotiated(afi: u16, safi: u8, context: UpdateContext) -> Option<Family> {
    Family::from_wire(afi, safi).filter(|family| context.families.contains(*family))
}
