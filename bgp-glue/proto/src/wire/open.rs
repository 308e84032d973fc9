//! OPEN: who we are and what we can do.
//!
//! ```text
//! +-----------+---------+---------------+----------------+--------------+----------------------+
//! | version   | AS (2)  | hold time (2) | identifier (4) | length (1)   | optional parameters  |
//! | (1) = 4   |         |               |                | of the rest  |                      |
//! +-----------+---------+---------------+----------------+--------------+----------------------+
//! parameter:   type (1) = 2 | length (1) | capabilities          RFC 5492, see [`super::capability`]
//! extended:    length = 255, then type 255, then length (2); parameters have lengths of two octets    RFC 9072
//! ```
//!
//! Sources: RFC 4271 sections 4.2 and 6.2, RFC 5492, RFC 4760 section 8, RFC 6793 section 3, RFC 2918, RFC 9072.
//! Unknown capabilities are kept and ignored, as RFC 5492 section 3 asks.

use std::net::Ipv4Addr;

pub use super::capability::Capability;
use super::header::{Kind, push_message};
use super::notification::{Notification, reason};
use super::reader::Reader;
use crate::types::{Asn, Families, Family, HoldTime, RouterId};

/// The only version of BGP in use.
pub const VERSION: u8 = 4;

const PARAMETER_CAPABILITIES: u8 = 2;
const PARAMETER_EXTENDED: u8 = 255;

/// The body of an OPEN message that passes every check that needs no knowledge of the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Open {
    /// The field of two octets; [`Asn::TRANS`] where the number needs four.
    pub two_octet_as: u16,
    /// The hold time that the speaker proposes.
    pub hold_time: HoldTime,
    /// The speaker's identifier.
    pub router_id: RouterId,
    /// Its capabilities in their order.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// The least that we send: families, route refresh and four-octet AS numbers.
    pub fn ours(asn: Asn, hold_time: HoldTime, router_id: RouterId, families: Families) -> Self {
        let mut capabilities: Vec<_> = families
            .iter()
            .map(|family| Capability::MultiProtocol { afi: family.afi(), safi: family.safi() })
            .collect();
        capabilities.extend([Capability::RouteRefresh, Capability::FourOctetAs(asn)]);
        Self { two_octet_as: asn.two_octets(), hold_time, router_id, capabilities }
    }

    /// The number of the capability where there is one, the field of two octets otherwise.
    pub fn asn(&self) -> Asn {
        self.four_octet_as().unwrap_or(Asn(u32::from(self.two_octet_as)))
    }

    /// The number of the four-octet capability.
    pub fn four_octet_as(&self) -> Option<Asn> {
        self.capabilities.iter().find_map(|capability| {
            if let Capability::FourOctetAs(asn) = capability { Some(*asn) } else { None }
        })
    }

    /// Whether the speaker answers ROUTE-REFRESH.
    pub fn route_refresh(&self) -> bool {
        self.capabilities.contains(&Capability::RouteRefresh)
    }

    /// The families that the speaker offers, as far as we carry them. A speaker that offers none at all by capability
    /// is an IPv4 speaker from before RFC 4760.
    pub fn families(&self) -> Families {
        let mut any = false;
        let mut families = Families::NONE;
        for capability in &self.capabilities {
            if let Capability::MultiProtocol { afi, safi } = capability {
                any = true;
                if let Some(family) = Family::from_wire(*afi, *safi) {
                    families.insert(family);
                }
            }
        }
        if any { families } else { Families::from_iter([Family::Ipv4Unicast]) }
    }

    /// Appends the whole message.
    pub fn push(&self, out: &mut Vec<u8>) {
        let mut capabilities = Vec::new();
        for capability in &self.capabilities {
            capability.push(&mut capabilities);
        }
        push_message(out, Kind::Open, |out| {
            out.push(VERSION);
            out.extend_from_slice(&self.two_octet_as.to_be_bytes());
            out.extend_from_slice(&self.hold_time.secs().to_be_bytes());
            out.extend_from_slice(&self.router_id.to_bits().to_be_bytes());
            push_parameters(out, &capabilities);
        });
    }

    /// Reads the body.
    pub fn decode(body: &[u8]) -> Result<Self, Notification> {
        let unspecific = || Notification::new(reason::OPEN_UNSPECIFIC);
        let mut reader = Reader::new(body);
        let version = reader.u8().ok_or_else(unspecific)?;
        if version != VERSION {
            // RFC 4271 section 6.2: the data is the largest version that we support.
            return Err(Notification::with_data(reason::BAD_VERSION, &[0, VERSION]));
        }
        let two_octet_as = reader.u16().ok_or_else(unspecific)?;
        let hold_secs = reader.u16().ok_or_else(unspecific)?;
        let identifier = reader.u32().ok_or_else(unspecific)?;
        let parameters_len = reader.u8().ok_or_else(unspecific)?;
        let capabilities = decode_parameters(parameters_len, reader.rest())?;

        let hold_time = HoldTime::try_from(hold_secs)
            .map_err(|_| Notification::with_data(reason::BAD_HOLD_TIME, &hold_secs.to_be_bytes()))?;
        let router_id = RouterId::try_from(Ipv4Addr::from_bits(identifier))
            .map_err(|_| Notification::with_data(reason::BAD_IDENTIFIER, &identifier.to_be_bytes()))?;
        let open = Self { two_octet_as, hold_time, router_id, capabilities };
        // RFC 7607 section 2: AS 0 in an OPEN is Bad Peer AS. RFC 6793 section 4.2.1: the short field is the number
        // itself or AS_TRANS; anything else names two ASes at once.
        let short = Asn(u32::from(two_octet_as));
        let consistent = open.four_octet_as().is_none_or(|long| short == Asn::TRANS || short == long);
        if open.asn() == Asn(0) || two_octet_as == 0 || !consistent {
            return Err(bad_peer_as(open.asn()));
        }
        Ok(open)
    }
}

/// The refusal of an AS number, with that number as data where it fits the two octets that receivers expect.
pub fn bad_peer_as(asn: Asn) -> Notification {
    Notification::with_data(reason::BAD_PEER_AS, &asn.two_octets().to_be_bytes())
}

/// The capabilities that announce families, as they stand in an OPEN.
pub(crate) fn family_capabilities(families: Families) -> Vec<u8> {
    let mut octets = Vec::new();
    for family in families.iter() {
        Capability::MultiProtocol { afi: family.afi(), safi: family.safi() }.push(&mut octets);
    }
    octets
}

fn push_parameters(out: &mut Vec<u8>, capabilities: &[u8]) {
    match (u8::try_from(capabilities.len()), u8::try_from(capabilities.len() + 2)) {
        (Ok(0), _) => out.push(0),
        (Ok(len), Ok(total)) if total < PARAMETER_EXTENDED => {
            out.extend_from_slice(&[total, PARAMETER_CAPABILITIES, len]);
        }
        (_, _) => {
            let len = u16::try_from(capabilities.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&[PARAMETER_EXTENDED, PARAMETER_EXTENDED]);
            out.extend_from_slice(&len.saturating_add(3).to_be_bytes());
            out.push(PARAMETER_CAPABILITIES);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(capabilities);
}

fn decode_parameters(length: u8, field: &[u8]) -> Result<Vec<Capability>, Notification> {
    let malformed = || Notification::new(reason::OPEN_UNSPECIFIC);
    let mut reader = Reader::new(field);
    // RFC 9072 section 2: it is the type that announces the extended form; the short length is then any but zero.
    let extended = length != 0 && field.first() == Some(&PARAMETER_EXTENDED);
    let length = if extended {
        reader.u8();
        usize::from(reader.u16().ok_or_else(malformed)?)
    } else {
        usize::from(length)
    };
    if reader.rest().len() != length {
        return Err(malformed());
    }
    let mut capabilities = Vec::new();
    while let Some(kind) = reader.u8() {
        let length = if extended { reader.u16().map(usize::from) } else { reader.u8().map(usize::from) };
        let value = length.and_then(|length| reader.take(length)).ok_or_else(malformed)?;
        if kind != PARAMETER_CAPABILITIES {
            return Err(Notification::new(reason::BAD_PARAMETER));
        }
        let mut values = Reader::new(value);
        while !values.is_empty() {
            capabilities.push(Capability::decode(&mut values).ok_or_else(malformed)?);
        }
    }
    Ok(capabilities)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::header::first_frame;
    use super::super::notification::Reason;
    use super::*;

    fn ours() -> Open {
        let router_id = Ipv4Addr::new(192, 0, 2, 1).try_into().unwrap();
        Open::ours(Asn(4_200_000_001), HoldTime::DEFAULT, router_id, Families::ALL)
    }

    /// The octets that tcpdump shows for such a speaker.
    const OCTETS: [u8; 32] = [
        4, 0x5b, 0xa0, 0, 90, 192, 0, 2, 1, 22, 2, 20, 1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 65, 4, 0xfa,
        0x56, 0xea, 1,
    ];

    #[test]
    fn octets_are_those_of_the_standard() {
        let mut out = Vec::new();
        ours().push(&mut out);
        assert_eq!(first_frame(&out, 4096).unwrap().unwrap().body, OCTETS);
        assert_eq!(Open::decode(&OCTETS), Ok(ours()));
        assert_eq!(ours().asn(), Asn(4_200_000_001));
    }

    /// A name, where to write which octets, and what the answer has to be.
    type Damage = (&'static str, usize, &'static [u8], Reason);

    #[test]
    fn wrong_fields_have_their_own_errors() {
        let rows: [Damage; 7] = [
            ("version 3", 0, &[3], reason::BAD_VERSION),
            ("hold time 2", 3, &[0, 2], reason::BAD_HOLD_TIME),
            ("identifier 0", 5, &[0, 0, 0, 0], reason::BAD_IDENTIFIER),
            ("AS 0", 1, &[0, 0], reason::BAD_PEER_AS),
            ("two different ASes", 1, &[0, 7], reason::BAD_PEER_AS),
            ("parameter 1", 10, &[1], reason::BAD_PARAMETER),
            ("capability overruns", 13, &[21], reason::OPEN_UNSPECIFIC),
        ];
        for (name, at, octets, expected) in rows {
            let mut body = OCTETS;
            body[at..at + octets.len()].copy_from_slice(octets);
            let error = Open::decode(&body).unwrap_err();
            assert!(error.is(expected), "{name}: {error}");
        }
    }

    #[test]
    fn speaker_without_capabilities_is_an_ipv4_speaker() {
        let open = Open::decode(&[4, 0xfd, 0xe8, 0, 90, 192, 0, 2, 1, 0]).unwrap();
        assert_eq!(open.asn(), Asn(65000));
        assert_eq!(open.families(), Families::from_iter([Family::Ipv4Unicast]));
        assert!(!open.route_refresh());
    }

    #[test]
    fn capabilities_may_come_one_per_parameter() {
        let mut body = OCTETS[..9].to_vec();
        body.extend([16, 2, 6, 1, 4, 0, 2, 0, 1, 2, 6, 65, 4, 0, 0, 0x5b, 0xa0]);
        let open = Open::decode(&body).unwrap();
        assert_eq!(open.families(), Families::from_iter([Family::Ipv6Unicast]));
    }

    #[test]
    fn extended_parameters_are_read() {
        let mut body = OCTETS[..9].to_vec();
        body.extend([255, 255, 0, 11, 2, 0, 8, 1, 4, 0, 1, 0, 1, 2, 0]);
        let open = Open::decode(&body).unwrap();
        assert!(open.route_refresh());
        body[12] = 12;
        assert!(Open::decode(&body).unwrap_err().is(reason::OPEN_UNSPECIFIC));
    }

    #[test]
    fn many_capabilities_go_out_extended() {
        let mut open = ours();
        let value: Box<[u8]> = [7; 200].into();
        open.capabilities.extend([240, 241].map(|code| Capability::Unknown { code, value: value.clone() }));
        let mut out = Vec::new();
        open.push(&mut out);
        assert_eq!(Open::decode(first_frame(&out, 4096).unwrap().unwrap().body), Ok(open));
    }

    fn any_open() -> impl Strategy<Value = Open> {
        let capability = prop_oneof![
            (any::<u16>(), any::<u8>()).prop_map(|(afi, safi)| Capability::MultiProtocol { afi, safi }),
            Just(Capability::RouteRefresh),
            (72_u8..=255, proptest::collection::vec(any::<u8>(), 0..40))
                .prop_map(|(code, value)| Capability::Unknown { code, value: value.into() }),
        ];
        (1_u32.., 3_u16.., 1_u32.., proptest::collection::vec(capability, 0..20)).prop_map(
            |(asn, hold, id, mut capabilities)| {
                capabilities.push(Capability::FourOctetAs(Asn(asn)));
                Open {
                    two_octet_as: Asn(asn).two_octets(),
                    hold_time: hold.try_into().unwrap(),
                    router_id: Ipv4Addr::from_bits(id).try_into().unwrap(),
                    capabilities,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(open in any_open()) {
            let mut out = Vec::new();
            open.push(&mut out);
            prop_assert_eq!(Open::decode(first_frame(&out, 4096).unwrap().unwrap().body), Ok(open));
        }

        #[test]
        fn decode_never_panics(octets: Vec<u8>, at in 0..32_usize, octet: u8) {
            let _ = Open::decode(&octets);
            let mut damaged = OCTETS;
            damaged[at] = octet;
            let _ = Open::decode(&damaged);
            let _ = Open::decode(&damaged[..at]);
        }
    }
}
