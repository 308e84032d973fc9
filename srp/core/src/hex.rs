//! Octets as hexadecimal text, for `#[serde(with)]`: a digest as people know it, not as a list of numbers.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer, const N: usize>(
    octets: &[u8; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Text(octets))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[u8; N], D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format_args!("not {N} octets in hexadecimal: {text:?}")))
}

/// Prints octets as hexadecimal.
pub(crate) struct Text<'o>(pub &'o [u8]);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (octet, pair) in octets.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16).and_then(|d| u8::try_from(d).ok());
        *octet = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back_and_nothing_else() {
        let octets = [0x00, 0x9f, 0xff];
        let text = Text(&octets).to_string();
        assert_eq!(text, "009fff");
        assert_eq!(parse(&text), Some(octets));
        for wrong in ["", "009ff", "009fff0", "009ffg", "+09fff", "0\u{e9}9ff"] {
            assert_eq!(parse::<3>(wrong), None, "{wrong}");
        }
    }
}
