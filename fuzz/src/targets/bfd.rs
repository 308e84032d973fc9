//! The decoder of BFD packets.

use ::bfd::Discard;
use ::bfd::packet::decode;

use super::Target;
use crate::feedback::Features;

pub(super) const TARGET: Target = Target { name: "bfd", seeds: packets, run: packet };

/// RFC 5880 section 4.1: up, and down with a poll; the second one is authenticated.
fn packets() -> Vec<Vec<u8>> {
    let up = [&[0x20, 0xc0, 3, 24, 0, 0, 0, 1, 0, 0, 0, 2][..], &[0, 0, 0xc3, 0x50].repeat(3)].concat();
    let down = [&[0x21, 0x64, 3, 27, 0, 0, 0, 9, 0, 0, 0, 0][..], &[0; 12], &[1, 3, 7]].concat();
    vec![up, down]
}

fn packet(octets: &[u8], features: &mut Features) {
    match decode(octets) {
        Ok(received) => {
            features.meet((received.packet.state, received.packet.your_discriminator.is_some()));
            features.meet((received.packet.diagnostic, received.authentication.is_some()));
            let again = decode(&received.packet.encode()).expect("what we write can be read");
            assert_eq!(again.packet, received.packet);
        }
        Err(discard) => {
            assert!(Discard::NAMES.contains(&discard.name()), "it is counted");
            features.meet(discard.name());
        }
    }
}
