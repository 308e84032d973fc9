//! Where the two codecs differ, and which RFC has us do as we do.

use super::cases::{Outcome, Session};
use super::updates::Reading;
use crate::wire::reader::Reader;

/// An UPDATE, and what both have made of it.
pub(super) struct Compared<'a> {
    pub session: Session,
    pub body: &'a [u8],
    pub ours: &'a Reading,
    pub other: &'a Reading,
}

/// A difference that is meant.
pub(super) struct Difference {
    /// What we do.
    pub name: &'static str,
    /// Whether it can be the cause.
    pub applies: fn(&Compared<'_>) -> bool,
}

const RESET_BAD_FLAGS: Outcome = Outcome::Reset { code: 3, subcode: 4 };
const RESET_UNKNOWN: Outcome = Outcome::Reset { code: 3, subcode: 2 };

/// Attributes of other RFCs that the other codec knows, as far as the IANA registry goes.
const NOT_OURS: [std::ops::RangeInclusive<u8>; 4] = [11..=13, 19..=31, 33..=34, 36..=128];

/// Every difference.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "an unknown well-known attribute ends the session (RFC 4271 section 6.3; RFC 7606 leaves that as it is)",
        applies: |it| it.ours.outcome == RESET_UNKNOWN,
    },
    Difference {
        name: "wrong flags of MP_(UN)REACH_NLRI cost the routes, which can be read (RFC 7606 section 3 c and 5.3); \
               Partial is not among these flags",
        applies: |it| {
            it.other.outcome == RESET_BAD_FLAGS
                && it.has(|attribute| matches!(attribute.kind, 14 | 15) && attribute.flags & 0xe0 != 0x80)
        },
    },
    Difference {
        name: "routes of a family that was not negotiated are ignored (RFC 4760 section 7)",
        applies: |it| {
            it.has(|attribute| {
                matches!(attribute.kind, 14 | 15) && !matches!(attribute.value, [0, 1 | 2, 1, ..])
            })
        },
    },
    Difference {
        name: "LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST of an external neighbor are discarded by the codec (RFC \
               7606 sections 7.5, 7.9, 7.10); the other leaves that to its daemon",
        applies: |it| {
            !it.session.internal
                && it.ours.outcome == Outcome::Discard
                && it.has(|attribute| matches!(attribute.kind, 5 | 9 | 10))
        },
    },
    Difference {
        name: "AS4_PATH and AS4_AGGREGATOR never cost a route, whatever is wrong with them (RFC 6793 section 6)",
        applies: |it| {
            it.other.outcome == Outcome::Withdraw && it.has(|attribute| matches!(attribute.kind, 17 | 18))
        },
    },
    Difference {
        name: "AS4_AGGREGATOR without AGGREGATOR says nothing (RFC 6793 section 4.2.3 completes one that is there)",
        applies: |it| it.session.two_octets && it.has(|attribute| attribute.kind == 18),
    },
    Difference {
        name: "NEXT_HOP is missed in routes of internal neighbors too (RFC 4271 section 5.1.3, RFC 7606 section 3 d)",
        applies: |it| {
            it.session.internal
                && it.ours.outcome == Outcome::Withdraw
                && !it.has(|attribute| attribute.kind == 3)
        },
    },
    Difference {
        name: "NEXT_HOP is the address of a host: not in 0.0.0.0/8, and not of class E (RFC 4271 section 6.3, RFC 1122 \
               section 3.2.1.3, RFC 1112 section 4)",
        applies: |it| {
            it.ours.outcome == Outcome::Withdraw
                && it.has(|attribute| attribute.kind == 3 && matches!(attribute.value, [0 | 240..=255, ..]))
        },
    },
    Difference {
        name: "NEXT_HOP that no route of the message uses is not judged: it is not malformed, and there is no route to \
               ignore (RFC 4271 section 6.3, RFC 7606 section 7.3)",
        applies: |it| it.ours.outcome == Outcome::Ignored && it.has(|attribute| attribute.kind == 3),
    },
    Difference {
        name: "Partial on an optional non-transitive attribute does not make it malformed: RFC 7606 section 3 c names \
               the Optional and the Transitive bit",
        applies: |it| {
            it.ours.outcome == Outcome::Announced
                && it.has(|attribute| matches!(attribute.kind, 4 | 9 | 10) && attribute.flags & 0xe0 == 0xa0)
        },
    },
    Difference {
        name: "attributes of RFCs that we do not implement are unknown ones (RFC 4271 section 5)",
        applies: |it| it.has(|attribute| NOT_OURS.iter().any(|assigned| assigned.contains(&attribute.kind))),
    },
    Difference {
        name: "which subcode a reset has: 3/9 for what cannot be read of MP_(UN)REACH_NLRI (RFC 4760 section 7), 3/10 \
               for its prefixes (RFC 7606 section 5.3), 3/1 for malformed attributes without routes (section 5.2)",
        applies: |it| {
            matches!(it.ours.outcome, Outcome::Reset { code: 3, .. })
                && matches!(it.other.outcome, Outcome::Reset { code: 3, .. })
        },
    },
];

/// One attribute as it stands in the message.
struct Raw<'a> {
    flags: u8,
    kind: u8,
    value: &'a [u8],
}

impl Compared<'_> {
    fn has(&self, wanted: impl Fn(Raw<'_>) -> bool) -> bool {
        let mut reader = Reader::new(self.body);
        let mut field = || {
            let length = reader.u16()?;
            reader.take(usize::from(length))
        };
        let (_, Some(attributes)) = (field(), field()) else { return false };
        let mut reader = Reader::new(attributes);
        let mut next = || {
            let (flags, kind) = (reader.u8()?, reader.u8()?);
            let length = if flags & 0x10 == 0 { u16::from(reader.u8()?) } else { reader.u16()? };
            Some(Raw { flags, kind, value: reader.take(usize::from(length))? })
        };
        std::iter::from_fn(&mut next).any(wanted)
    }
}
