//! DSCP values by their names.

/// A differentiated services code point (RFC 2474), 0 ..= 63; best effort by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dscp(u8);

impl Dscp {
    /// Every name with its value: assured forwarding (RFC 2597 section 6: class 1 .. 4, drop precedence 1 .. 3), best
    /// effort and the class selectors (RFC 2474 section 4.2.2), expedited forwarding (RFC 3246 section 2.7).
    pub const ALL: [(&'static str, Self); 21] = [
        ("af11", Self(10)),
        ("af12", Self(12)),
        ("af13", Self(14)),
        ("af21", Self(18)),
        ("af22", Self(20)),
        ("af23", Self(22)),
        ("af31", Self(26)),
        ("af32", Self(28)),
        ("af33", Self(30)),
        ("af41", Self(34)),
        ("af42", Self(36)),
        ("af43", Self(38)),
        ("be", Self(0)),
        ("cs1", Self(8)),
        ("cs2", Self(16)),
        ("cs3", Self(24)),
        ("cs4", Self(32)),
        ("cs5", Self(40)),
        ("cs6", Self(48)),
        ("cs7", Self(56)),
        ("ef", Self(46)),
    ];

    /// The number.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// The name.
    pub fn name(self) -> &'static str {
        // Whoever has a value took it from the table.
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("be", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_their_classes() {
        for (name, dscp) in Dscp::ALL {
            let digit = |at: usize| name.as_bytes().get(at).map_or(0, |octet| octet - b'0');
            let expected = match &name[..2] {
                "af" => 8 * digit(2) + 2 * digit(3),
                "cs" => 8 * digit(2),
                "ef" => 0b10_1110,
                _ => 0,
            };
            assert_eq!(dscp.value(), expected, "{name}");
            assert_eq!(dscp.name(), name);
        }
    }
}
