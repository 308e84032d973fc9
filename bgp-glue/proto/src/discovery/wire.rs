//! Router Advertisements and Router Solicitations (RFC 4861 sections 4.1 and 4.2), as far as a router needs them to be found.
//!
//! ```text
//!  0       1       2               4               8               12              16
//!  +-------+-------+---------------+---------------+
//!  |  133  |   0   |   checksum    |   reserved    | options ...                        Router Solicitation
//!  +-------+-------+---------------+---------------+---------------+---------------+
//!  |  134  |   0   |   checksum    |hops|flags|life|reachable time | retrans timer | options ...
//!  +-------+-------+---------------+---------------+---------------+---------------+    Router Advertisement
//!  option: type, length in units of 8 octets, value; 1 is the source link-layer address
//! ```
//!
//! The checksum is the kernel's, both ways: a raw `ICMPv6` socket writes and checks it (RFC 3542 section 3.1). So is the hop
//! limit, which has to be 255: only a packet that no router has forwarded comes with it.

use std::net::Ipv6Addr;

/// `ICMPv6` type of a Router Solicitation.
pub const SOLICITATION: u8 = 133;
/// `ICMPv6` type of a Router Advertisement.
pub const ADVERTISEMENT: u8 = 134;

/// Octets before the options.
const SOLICITATION_LEN: usize = 8;
const ADVERTISEMENT_LEN: usize = 16;

/// Option with the link-layer address of who sends (RFC 4861 section 4.6.1).
const SOURCE_LINK_LAYER: u8 = 1;
/// Options count in these.
const UNIT: usize = 8;

/// A link-layer address of six octets, as Ethernet has them. Others are not read and not sent: the option is optional.
pub type LinkLayer = [u8; 6];

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A router is there.
    Advertisement(Option<LinkLayer>),
    /// Somebody asks for routers.
    Solicitation,
}

/// Why a message is not looked at (RFC 4861 sections 6.1.1 and 6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Neither of the two types, or another code than 0.
    #[error("neither a Router Advertisement nor a Router Solicitation")]
    OtherType,
    /// Shorter than its fields.
    #[error("shorter than its fields")]
    Short,
    /// An option of length zero, or beyond the end.
    #[error("an option of length zero, or beyond the end of the message")]
    BadOption,
    /// An advertisement that does not come from a link-local address.
    #[error("a Router Advertisement from an address that is not link-local")]
    NotLinkLocal,
    /// A solicitation with a source link-layer address, but without a source.
    #[error("a Router Solicitation without a source that has a link-layer address")]
    NoSource,
}

/// Reads a message from its `ICMPv6` type on.
pub fn read(from: Ipv6Addr, octets: &[u8]) -> Result<Message, Ignored> {
    match octets {
        [ADVERTISEMENT, 0, ..] => {
            let options = octets.get(ADVERTISEMENT_LEN..).ok_or(Ignored::Short)?;
            if !from.is_unicast_link_local() {
                return Err(Ignored::NotLinkLocal);
            }
            source_link_layer(options).map(Message::Advertisement)
        }
        [SOLICITATION, 0, ..] => {
            let options = octets.get(SOLICITATION_LEN..).ok_or(Ignored::Short)?;
            match source_link_layer(options)? {
                Some(_) if from.is_unspecified() => Err(Ignored::NoSource),
                Some(_) | None => Ok(Message::Solicitation),
            }
        }
        _ => Err(Ignored::OtherType),
    }
}

/// An advertisement of a router that is nobody's default router (router lifetime 0), and leaves every parameter to the host.
pub fn advertisement(link_layer: Option<LinkLayer>) -> Vec<u8> {
    written(ADVERTISEMENT, ADVERTISEMENT_LEN, link_layer)
}

/// A solicitation. It may have a link-layer address only if it is sent from an address.
pub fn solicitation(link_layer: Option<LinkLayer>) -> Vec<u8> {
    written(SOLICITATION, SOLICITATION_LEN, link_layer)
}

fn written(kind: u8, fields: usize, link_layer: Option<LinkLayer>) -> Vec<u8> {
    let mut octets = vec![0; fields];
    octets[0] = kind;
    if let Some(address) = link_layer {
        octets.extend([SOURCE_LINK_LAYER, 1]);
        octets.extend(address);
    }
    octets
}

fn source_link_layer(mut options: &[u8]) -> Result<Option<LinkLayer>, Ignored> {
    let mut found = None;
    while !options.is_empty() {
        let &[kind, units, ..] = options else { return Err(Ignored::BadOption) };
        let (option, rest) = options.split_at_checked(usize::from(units) * UNIT).ok_or(Ignored::BadOption)?;
        if option.is_empty() {
            return Err(Ignored::BadOption);
        }
        if kind == SOURCE_LINK_LAYER && option.len() == UNIT {
            found = option[2..].try_into().ok();
        }
        options = rest;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    const LINK_LAYER: LinkLayer = [2, 0, 0x5e, 0x10, 0, 1];

    /// An advertisement with a hop limit of 64 for hosts and a router lifetime of 30 s.
    const HEARD: &[u8] = &[
        134, 0, 0x3c, 0x8d, 64, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0, // fields
        1, 1, 2, 0, 0x5e, 0x10, 0, 1, // source link-layer address
    ];

    #[test]
    fn advertisement_of_a_router_says_its_link_layer_address() {
        assert_eq!(read(ROUTER, HEARD), Ok(Message::Advertisement(Some(LINK_LAYER))));
        assert_eq!(read(ROUTER, &HEARD[..16]), Ok(Message::Advertisement(None)));
    }

    #[test]
    fn we_are_nobodys_default_router() {
        let expected = [&[134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1][..], &LINK_LAYER].concat();
        assert_eq!(advertisement(Some(LINK_LAYER)), expected);
        assert_eq!(solicitation(None), [133, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for link_layer in [None, Some(LINK_LAYER)] {
            assert_eq!(read(ROUTER, &advertisement(link_layer)), Ok(Message::Advertisement(link_layer)));
            assert_eq!(read(ROUTER, &solicitation(link_layer)), Ok(Message::Solicitation));
        }
        assert_eq!(read(Ipv6Addr::UNSPECIFIED, &solicitation(None)), Ok(Message::Solicitation));
    }

    #[test]
    fn what_rfc_4861_section_6_1_discards_is_discarded() {
        let global = "2001:db8::2".parse().unwrap();
        let with = |options: &[u8]| [&HEARD[..16], options].concat();
        let rows: [(&str, Ipv6Addr, Vec<u8>, Ignored); 8] = [
            ("not link-local", global, HEARD.to_vec(), Ignored::NotLinkLocal),
            ("short", ROUTER, HEARD[..15].to_vec(), Ignored::Short),
            ("another code", ROUTER, [&[134, 1], &HEARD[2..]].concat(), Ignored::OtherType),
            ("another type", ROUTER, [&[135, 0], &HEARD[2..]].concat(), Ignored::OtherType),
            ("nothing", ROUTER, Vec::new(), Ignored::OtherType),
            ("option of length zero", ROUTER, with(&[1, 0, 0, 0, 0, 0, 0, 0]), Ignored::BadOption),
            ("option beyond the end", ROUTER, with(&[3, 2, 0, 0, 0, 0, 0, 0]), Ignored::BadOption),
            ("no source", Ipv6Addr::UNSPECIFIED, solicitation(Some(LINK_LAYER)), Ignored::NoSource),
        ];
        for (name, from, octets, why) in rows {
            assert_eq!(read(from, &octets), Err(why), "{name}");
        }
    }

    #[test]
    fn other_options_are_passed_over() {
        let mut octets = HEARD[..16].to_vec();
        octets.extend([5, 1, 0, 0, 0, 0, 5, 220]); // MTU
        octets.extend([24, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // route information
        octets.extend(&HEARD[16..]);
        assert_eq!(read(ROUTER, &octets), Ok(Message::Advertisement(Some(LINK_LAYER))));
    }

    proptest! {
        #[test]
        fn reading_never_panics(kind in 132_u8..136, octets in any::<Vec<u8>>()) {
            let octets = [&[kind, 0], &octets[..]].concat();
            let _any_outcome = read(ROUTER, &octets);
        }
    }
}
