//! Communities: marks that routes carry and policies read.
//!
//! | kind | attribute | octets | written | source |
//! |---|---|---|---|---|
//! | standard | 8 | 4 | `65000:1`, or the name of a well-known one | RFC 1997 |
//! | extended | 16 | 8 | `rt:65000:1`, `ro:65000:1`, or 16 hexadecimal digits | RFC 4360, RFC 5668 |
//! | large | 32 | 12 | `4200000001:1:2` | RFC 8092 |

use std::fmt;
use std::str::FromStr;

/// A community of RFC 1997, written `65000:1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// The link or router behind the route is about to go: it is to be the last choice (RFC 8326 section 5).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);
    /// The route is stale and kept only for want of a better one (RFC 9494 section 3.3).
    pub const LLGR_STALE: Self = Self(0xffff_0006);
    /// The route is not to be kept when it becomes stale (RFC 9494 section 3.3).
    pub const NO_LLGR: Self = Self(0xffff_0007);
    /// Traffic to the prefix is to be dropped (RFC 7999 section 5).
    pub const BLACKHOLE: Self = Self(0xffff_029a);
    /// Not to be told outside of the AS or confederation (RFC 1997).
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// Not to be told to anybody (RFC 1997).
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// Not to be told to any external neighbor, not even inside a confederation (RFC 1997).
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::GRACEFUL_SHUTDOWN, "graceful-shutdown"),
        (Self::LLGR_STALE, "llgr-stale"),
        (Self::NO_LLGR, "no-llgr"),
        (Self::BLACKHOLE, "blackhole"),
        (Self::NO_EXPORT, "no-export"),
        (Self::NO_ADVERTISE, "no-advertise"),
        (Self::NO_EXPORT_SUBCONFED, "no-export-subconfed"),
    ];
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(known, _)| known == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

impl fmt::Debug for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not a community.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a community: write {form}")]
pub struct BadCommunity {
    /// What was given.
    pub text: String,
    /// What could have been.
    pub form: &'static str,
}

impl FromStr for Community {
    type Err = BadCommunity;

    fn from_str(text: &str) -> Result<Self, BadCommunity> {
        if let Some((known, _)) = Self::NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*known);
        }
        let halves = || {
            let (high, low) = text.split_once(':')?;
            let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
            Some(Self(u32::from(high) << 16 | u32::from(low)))
        };
        halves().ok_or_else(|| BadCommunity {
            text: text.to_owned(),
            form: "two numbers from 0 to 65535, as in 65000:1, or a well-known name, as no-export",
        })
    }
}

/// An extended community of RFC 4360: two octets of type, six of value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// Whether the community may cross the border of an AS (RFC 4360 section 2: bit T is 0).
    pub const fn is_transitive(self) -> bool {
        self.0[0] & 0x40 == 0
    }
}

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u64::from_be_bytes(self.0);
        let [kind, subtype, ..] = self.0;
        let what = match subtype {
            2 => "rt",
            3 => "ro",
            _ => return write!(f, "{value:016x}"),
        };
        // The six octets of the value are a global administrator and a number of its own.
        match kind {
            0 => write!(f, "{what}:{}:{}", value >> 32 & 0xffff, value & 0xffff_ffff),
            1 => {
                let address = std::net::Ipv4Addr::from([self.0[2], self.0[3], self.0[4], self.0[5]]);
                write!(f, "{what}:{address}:{}", value & 0xffff)
            }
            2 => write!(f, "{what}:{}:{}", value >> 16 & 0xffff_ffff, value & 0xffff),
            _ => write!(f, "{value:016x}"),
        }
    }
}

impl fmt::Debug for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A large community of RFC 8092, written `4200000001:1:2`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity(pub [u32; 3]);

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [global, one, two] = self.0;
        write!(f, "{global}:{one}:{two}")
    }
}

impl fmt::Debug for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LargeCommunity {
    type Err = BadCommunity;

    fn from_str(text: &str) -> Result<Self, BadCommunity> {
        let numbers: Option<Vec<u32>> = text.split(':').map(|number| number.parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).map(Self).ok_or_else(|| BadCommunity {
            text: text.to_owned(),
            form: "three numbers from 0 to 4294967295, as in 4200000001:1:2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_are_read_as_they_are_written() {
        for text in ["65000:1", "0:0", "65535:65535", "no-export", "graceful-shutdown", "llgr-stale"] {
            assert_eq!(text.parse::<Community>().unwrap().to_string(), text);
        }
        assert_eq!("65535:0".parse(), Ok(Community::GRACEFUL_SHUTDOWN));
        for bad in ["", "65536:0", "1:65536", "1", "1:2:3", "no-exports", "1:-1"] {
            assert!(bad.parse::<Community>().is_err(), "{bad}");
        }
        assert_eq!("4200000001:1:2".parse(), Ok(LargeCommunity([4_200_000_001, 1, 2])));
        for bad in ["1:2", "1:2:3:4", "4294967296:0:0", "a:b:c"] {
            assert!(bad.parse::<LargeCommunity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn extended_communities_print_as_routers_print_them() {
        let rows = [
            ([0, 2, 0xfd, 0xe8, 0, 0, 0, 1], "rt:65000:1", true),
            ([1, 3, 192, 0, 2, 1, 0, 7], "ro:192.0.2.1:7", true),
            ([2, 2, 0xfa, 0x56, 0xea, 1, 0, 9], "rt:4200000001:9", true),
            ([0x43, 0, 0, 0, 0, 0, 0, 1], "4300000000000001", false),
        ];
        for (octets, text, transitive) in rows {
            let community = ExtendedCommunity(octets);
            assert_eq!((community.to_string().as_str(), community.is_transitive()), (text, transitive));
        }
    }
}
