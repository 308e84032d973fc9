//! AS_PATH and AS4_PATH as octets, and putting the two together.
//!
//! ```text
//! +-----------+------------+------------------------------+
//! | kind (1)  | count (1)  | count x AS (2 or 4 octets)   |   repeated
//! +-----------+------------+------------------------------+
//! ```
//!
//! Sources: RFC 4271 section 4.3, RFC 6793 sections 4.2.2 and 4.2.3, RFC 7606 section 7.2, RFC 7607 section 2.

use super::reader::Reader;
use crate::attributes::{AsPath, AsPathBuilder, Segment, SegmentKind};
use crate::types::Asn;

/// How wide AS numbers are in AS_PATH and AGGREGATOR on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsWidth {
    /// The peer has not said that it knows four octets.
    Two,
    /// Both sides know four octets.
    Four,
}

impl AsWidth {
    pub(crate) const fn octets(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

/// Reads the value; the text says what is malformed about it.
pub(crate) fn decode(value: &[u8], width: AsWidth) -> Result<AsPath, &'static str> {
    let mut path = AsPathBuilder::default();
    let mut asns = Vec::new();
    let mut reader = Reader::new(value);
    while let Some(kind) = reader.u8() {
        let count = reader.u8().ok_or("one octet is left over")?;
        let octets = reader
            .take(usize::from(count) * width.octets())
            .ok_or("a segment is longer than the attribute")?;
        let kind = SegmentKind::from_wire(kind).ok_or("unknown kind of segment")?;
        if count == 0 {
            return Err("a segment without AS numbers");
        }
        asns.clear();
        match width {
            AsWidth::Two => {
                asns.extend(octets.as_chunks().0.iter().map(|asn| Asn(u32::from(u16::from_be_bytes(*asn)))));
            }
            AsWidth::Four => {
                asns.extend(octets.as_chunks().0.iter().map(|asn| Asn(u32::from_be_bytes(*asn))));
            }
        }
        if asns.contains(&Asn(0)) {
            return Err("AS 0");
        }
        path.push(kind, &asns);
    }
    Ok(path.build())
}

/// Appends the value.
pub(crate) fn push(out: &mut Vec<u8>, path: &AsPath, width: AsWidth) {
    match width {
        AsWidth::Four => out.extend_from_slice(path.as_octets()),
        AsWidth::Two => {
            let mut rest = path.as_octets();
            for segment in path.segments() {
                let asns = segment.asns();
                out.extend_from_slice(&rest[..2]);
                rest = &rest[2 + asns.len() * 4..];
                out.extend(asns.flat_map(|asn| asn.two_octets().to_be_bytes()));
            }
        }
    }
}

/// The path as it was before a two-octet speaker shortened it (RFC 6793 section 4.2.3): AS4_PATH, preceded by as many
/// leading numbers of AS_PATH as it is shorter.
pub(crate) fn merge(as_path: AsPath, as4_path: &AsPath) -> AsPath {
    // RFC 6793: "If the number of AS numbers in the AS_PATH attribute is less than the number of AS numbers in the
    // AS4_PATH attribute, then the AS4_PATH attribute SHALL be ignored".
    let Some(mut missing) = as_path.decision_length().checked_sub(as4_path.decision_length()) else {
        return as_path;
    };
    let mut merged = AsPathBuilder::default();
    for segment in as_path.segments() {
        let asns: Vec<_> = segment.asns().collect();
        match segment.kind {
            _ if missing == 0 => break,
            SegmentKind::Set => {
                merged.push(SegmentKind::Set, &asns);
                missing -= 1;
            }
            SegmentKind::Sequence => {
                let taken = asns.len().min(missing);
                merged.push(SegmentKind::Sequence, &asns[..taken]);
                missing -= taken;
            }
        }
    }
    for segment in as4_path.segments() {
        let Segment { kind, .. } = segment;
        merged.push(kind, &segment.asns().collect::<Vec<_>>());
    }
    joined(&merged.build())
}

/// Neighbouring sequences as one, as far as 255 numbers go: the cut between the two attributes is no boundary.
fn joined(path: &AsPath) -> AsPath {
    let mut result = AsPathBuilder::default();
    let mut sequence = Vec::new();
    for segment in path.segments() {
        match segment.kind {
            SegmentKind::Sequence => sequence.extend(segment.asns()),
            SegmentKind::Set => {
                result.push(SegmentKind::Sequence, &sequence);
                sequence.clear();
                result.push(SegmentKind::Set, &segment.asns().collect::<Vec<_>>());
            }
        }
    }
    result.push(SegmentKind::Sequence, &sequence);
    result.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(asns: &[u32]) -> AsPath {
        AsPath::sequence(&asns.iter().map(|asn| Asn(*asn)).collect::<Vec<_>>())
    }

    #[test]
    fn malformed_paths_are_named() {
        let rows: [(&[u8], &str); 5] = [
            (&[2], "one octet is left over"),
            (&[2, 2, 0, 1], "a segment is longer than the attribute"),
            (&[3, 1, 0, 1], "unknown kind of segment"),
            (&[2, 0], "a segment without AS numbers"),
            (&[2, 2, 0, 1, 0, 0], "AS 0"),
        ];
        for (octets, what) in rows {
            assert_eq!(decode(octets, AsWidth::Two), Err(what));
        }
    }

    #[test]
    fn two_octet_form_hides_large_numbers() {
        let mut out = Vec::new();
        push(&mut out, &sequence(&[4_200_000_001, 65001]), AsWidth::Two);
        assert_eq!(out, [2, 2, 0x5b, 0xa0, 0xfd, 0xe9]);
        assert_eq!(decode(&out, AsWidth::Two), Ok(sequence(&[23456, 65001])));
    }

    #[test]
    fn paths_merge_as_rfc_6793_says() {
        let rows: [(&[u32], &[u32], &[u32]); 5] = [
            (&[23456, 23456], &[70000, 80000], &[70000, 80000]),
            (&[65001, 23456], &[80000], &[65001, 80000]),
            (&[23456], &[70000, 80000], &[23456]),
            (&[1, 2, 3], &[], &[1, 2, 3]),
            (&[], &[], &[]),
        ];
        for (short, long, merged) in rows {
            assert_eq!(merge(sequence(short), &sequence(long)), sequence(merged));
        }
    }

    #[test]
    fn set_counts_as_one_when_merging() {
        let mut short = AsPathBuilder::default();
        short.push(SegmentKind::Sequence, &[Asn(65001)]);
        short.push(SegmentKind::Set, &[Asn(23456), Asn(2)]);
        let mut long = AsPathBuilder::default();
        long.push(SegmentKind::Set, &[Asn(70000), Asn(2)]);
        assert_eq!(merge(short.build(), &long.build()).to_string(), "65001 {70000,2}");
    }
}
