//! UPDATE, as it is received. What writes it is [`super::pack`].
//!
//! ```text
//! +---------------------+-------------------+---------------------+------------------+---------------------+
//! | withdrawn len (2)   | withdrawn (IPv4)  | attributes len (2)  | attributes       | routes (IPv4)       |
//! +---------------------+-------------------+---------------------+------------------+---------------------+
//! ```
//!
//! Other families stand in the attributes MP_REACH_NLRI and MP_UNREACH_NLRI. Sources: RFC 4271 sections 4.3 and 6.3,
//! RFC 4760, RFC 7606, RFC 4724 section 2 (End-of-RIB).

use std::fmt;

use super::attribute::{self, Collected};
use super::nlri;
use super::notification::{Notification, reason};
use super::path_ids::{PathIds, Paths};
use super::reader::Reader;
use crate::attributes::{Attributes, NextHop};
use crate::prefix::Prefix;
use crate::types::{Families, Family, PeerKind};

pub use super::as_path::AsWidth;

/// What an UPDATE means depends on the session that it comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateContext {
    /// How wide AS numbers are.
    pub as_width: AsWidth,
    /// Internal or external: some attributes are for one kind only.
    pub kind: PeerKind,
    /// Routes of other families are ignored.
    pub families: Families,
    /// The families whose prefixes carry path identifiers (RFC 7911).
    pub add_path: Families,
    /// The families that may have IPv6 next hops although they are not IPv6 (RFC 8950).
    pub ipv6_next_hops: Families,
}

impl UpdateContext {
    /// Without path identifiers, and with next hops of the routes' own family.
    pub const fn new(as_width: AsWidth, kind: PeerKind, families: Families) -> Self {
        Self { as_width, kind, families, add_path: Families::NONE, ipv6_next_hops: Families::NONE }
    }
}

/// What an UPDATE says. `withdrawn` comes before `announced`: a prefix that stands in both is announced (RFC 4271
/// section 4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Prefixes that are no longer reachable by this neighbor, or whose announcement is malformed.
    pub withdrawn: Vec<Prefix>,
    /// Which of the neighbor's paths to them.
    pub withdrawn_ids: PathIds,
    /// Routes, at most two groups: those of MP_REACH_NLRI and those of the classic field.
    pub announced: Vec<Announcement>,
    /// The neighbor has sent all that it had of this family.
    pub end_of_rib: Option<Family>,
    /// What was malformed and handled without ending the session.
    pub faults: Vec<Fault>,
}

/// Routes that share their attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The attributes.
    pub attributes: Attributes,
    /// The prefixes.
    pub prefixes: Vec<Prefix>,
    /// Which of the neighbor's paths to them.
    pub path_ids: PathIds,
}

/// A malformed attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The type code, where it is known.
    pub attribute: Option<u8>,
    /// What is done about it.
    pub disposition: Disposition,
    /// What is wrong.
    pub what: &'static str,
}

/// How a malformed attribute is handled when the session can stay (RFC 7606 section 2), the weaker way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disposition {
    /// As if the attribute were not there.
    AttributeDiscard,
    /// As if the routes were withdrawn.
    TreatAsWithdraw,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute {
            Some(attribute) => write!(f, "attribute {attribute} {}: ", self.what)?,
            None => write!(f, "{}: ", self.what)?,
        }
        f.write_str(match self.disposition {
            Disposition::AttributeDiscard => "attribute discarded",
            Disposition::TreatAsWithdraw => "routes treated as withdrawn",
        })
    }
}

impl Update {
    /// Reads the body of the message. An error ends the session.
    pub fn decode(body: &[u8], context: UpdateContext) -> Result<Self, Notification> {
        let malformed = || Notification::new(reason::MALFORMED_ATTRIBUTES);
        let mut reader = Reader::new(body);
        let withdrawn = field(&mut reader).ok_or_else(malformed)?;
        let attributes = field(&mut reader).ok_or_else(malformed)?;
        let routes = reader.rest();

        // RFC 7606 section 5.3: prefixes that cannot be read end the session, whatever the attributes are.
        let bad_network = |_| Notification::new(reason::BAD_NETWORK);
        let add_path = context.add_path.contains(Family::Ipv4Unicast);
        let withdrawn_v4 = nlri::decode(withdrawn, Family::Ipv4Unicast, add_path).map_err(bad_network)?;
        let routes_v4 = nlri::decode(routes, Family::Ipv4Unicast, add_path).map_err(bad_network)?;
        let collected = Collected::decode(attributes, context)?;
        if body.len() == 4 && context.families.contains(Family::Ipv4Unicast) {
            return Ok(Self { end_of_rib: Some(Family::Ipv4Unicast), ..Self::default() });
        }
        Self::assemble(withdrawn_v4, routes_v4, collected, context)
    }

    fn assemble(
        mut withdrawn: Paths,
        mut routes_v4: Paths,
        mut collected: Collected,
        context: UpdateContext,
    ) -> Result<Self, Notification> {
        let classic_is_empty = withdrawn.is_empty() && routes_v4.is_empty();
        if !classic_is_empty && !context.families.contains(Family::Ipv4Unicast) {
            let what = "IPv4 routes although the family was not negotiated";
            collected.fault(None, Disposition::AttributeDiscard, what);
            collected.foreign = true;
            withdrawn = Paths::default();
            routes_v4 = Paths::default();
        }
        let mut end_of_rib = None;
        if let Some((family, prefixes)) = collected.mp_unreach.take() {
            let alone = collected.count == 1 && withdrawn.is_empty() && routes_v4.is_empty();
            end_of_rib = (prefixes.is_empty() && alone).then_some(family);
            withdrawn.extend(prefixes);
        }
        let (mp_next_hop, mp_routes) = collected
            .mp_reach
            .take()
            .map_or((None, Paths::default()), |(next_hop, routes)| (Some(next_hop), routes));
        let reachable = !routes_v4.is_empty() || !mp_routes.is_empty();
        if reachable {
            collected.check_mandatory(!routes_v4.is_empty());
            collected.merge_four_octet_attributes();
            if mp_next_hop.is_some_and(|next_hop| next_hop.address().is_unspecified()) {
                let what = "next hop is not the address of a host";
                collected.fault(Some(attribute::MP_REACH), Disposition::TreatAsWithdraw, what);
            }
        }
        let harmless =
            collected.faults.iter().all(|fault| fault.disposition == Disposition::AttributeDiscard);
        if !harmless && !reachable && !collected.foreign {
            // RFC 7606 section 5.2: without routes to withdraw, an error that asks for it leaves only the reset.
            return Err(Notification::new(reason::MALFORMED_ATTRIBUTES));
        }
        let mut announced = Vec::new();
        match (collected.origin, &collected.as_path) {
            (Some(origin), Some(as_path)) if harmless => {
                let classic = collected.next_hop.map(NextHop::V4).map(|next_hop| (next_hop, routes_v4));
                let groups = mp_next_hop.map(|next_hop| (next_hop, mp_routes)).into_iter().chain(classic);
                announced.extend(groups.filter(|(_, paths)| !paths.is_empty()).map(|(next_hop, paths)| {
                    Announcement {
                        attributes: collected.attributes(origin, as_path, next_hop),
                        prefixes: paths.prefixes,
                        path_ids: paths.ids,
                    }
                }));
            }
            (_, _) => {
                withdrawn.extend(mp_routes);
                withdrawn.extend(routes_v4);
            }
        }
        let Paths { prefixes: withdrawn, ids: withdrawn_ids } = withdrawn;
        Ok(Self { withdrawn, withdrawn_ids, announced, end_of_rib, faults: collected.faults })
    }
}

fn field<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let length = reader.u16()?;
    reader.take(usize::from(length))
}

#[cfg(test)]
mod negotiated_tests;
#[cfg(test)]
mod tests;
