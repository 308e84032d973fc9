use bgp_speaker::{NeighborConfig, Offer};

use super::case::{confirming, external};
use super::octets::{keepalive, message, open, route_refresh};
use super::{Case, Expect, Octets, opening, run};
use Expect::{Ends, EndsWith, Stays};

#[test]
fn framing() {
    run(&table());
}

fn table() -> Vec<Case> {
    let long = || message(2, &[0; 4077]);
    vec![
        // RFC 4271 section 4.1: the marker "MUST be set to all ones".
        external("4271 §6.1", "marker begins with a zero", keepalive().with(0, &[0]), Ends(1, 1)),
        external("4271 §6.1", "marker ends with a zero", keepalive().with(15, &[0]), Ends(1, 1)),
        external("4271 §6.1", "marker has one zero bit", keepalive().with(7, &[0xfe]), Ends(1, 1)),
        external("4271 §6.1", "marker of zeros", keepalive().with(0, &[0; 16]), Ends(1, 1)),
        opening("4271 §6.1", "marker of the first message", open(&[0]).with(3, &[0]), Ends(1, 1)),
        confirming("4271 §6.1", "marker in OpenConfirm", keepalive().with(3, &[0]), Ends(1, 1)),
        // "The Data field MUST contain the erroneous Length field."
        external("4271 §6.1", "length 0", keepalive().length(0), EndsWith(1, 2, vec![0, 0])),
        external("4271 §6.1", "length 18", keepalive().length(18), EndsWith(1, 2, vec![0, 18])),
        external("4271 §6.1", "length 4097", long().length(4097), EndsWith(1, 2, vec![16, 1]))
            .config(short_messages),
        external("4271 §6.1", "length 65535", long().length(65535), EndsWith(1, 2, vec![255, 255]))
            .config(short_messages),
        // RFC 8654 section 4: who offers it has to take long messages, whether or not the other side offers it too.
        external("8654 §4", "UPDATE of 4097 octets", long_update(4097), Stays),
        external("8654 §4", "UPDATE of 65535 octets", long_update(65535), Stays),
        external("8654 §4", "KEEPALIVE of 4097 octets", message(4, &[0; 4078]), EndsWith(1, 2, vec![16, 1])),
        external("8654 §4", "OPEN of 4097 octets", message(1, &[0; 4078]), EndsWith(1, 2, vec![16, 1])),
        opening("8654 §4", "OPEN of 4097 octets first", message(1, &[4; 4078]), EndsWith(1, 2, vec![16, 1])),
        confirming(
            "8654 §4",
            "KEEPALIVE of 65535 octets next",
            message(4, &vec![0; 65516]),
            EndsWith(1, 2, vec![255, 255]),
        ),
        external("4271 §6.1", "KEEPALIVE of 20", message(4, &[0]), EndsWith(1, 2, vec![0, 20])),
        external("4271 §6.1", "KEEPALIVE of 4096", message(4, &[0; 4077]), EndsWith(1, 2, vec![16, 0])),
        external("4271 §6.1", "UPDATE of 22", message(2, &[0; 3]), EndsWith(1, 2, vec![0, 22])),
        external("4271 §6.1", "UPDATE of 19", message(2, &[]), EndsWith(1, 2, vec![0, 19])),
        external("4271 §6.1", "NOTIFICATION of 20", message(3, &[6]), EndsWith(1, 2, vec![0, 20])),
        external("4271 §6.1", "NOTIFICATION of 19", message(3, &[]), EndsWith(1, 2, vec![0, 19])),
        opening("4271 §6.1", "OPEN of 28", open(&[0]).length(28).cut(28), EndsWith(1, 2, vec![0, 28])),
        opening("4271 §6.1", "OPEN of 19", message(1, &[]), EndsWith(1, 2, vec![0, 19])),
        opening("4271 §6.1", "KEEPALIVE of 20 first", message(4, &[0]), EndsWith(1, 2, vec![0, 20])),
        confirming("4271 §6.1", "KEEPALIVE of 21 next", message(4, &[0; 2]), EndsWith(1, 2, vec![0, 21])),
        // "The Data field MUST contain the erroneous Type field."
        external("4271 §6.1", "type 0", message(0, &[]), EndsWith(1, 3, vec![0])),
        external("4271 §6.1", "type 6", message(6, &[]), EndsWith(1, 3, vec![6])),
        external(
            "4271 §6.1",
            "type 128, once ROUTE-REFRESH",
            message(128, &[0, 1, 0, 1]),
            EndsWith(1, 3, vec![128]),
        ),
        external("4271 §6.1", "type 255", message(255, &[]), EndsWith(1, 3, vec![255])),
        opening("4271 §6.1", "type 0 as the first message", message(0, &[]), EndsWith(1, 3, vec![0])),
        confirming("4271 §6.1", "type 7 in OpenConfirm", message(7, &[]), EndsWith(1, 3, vec![7])),
        // Cutting the stream.
        external(
            "4271 §4.1",
            "a header of a wrong length is not waited for",
            keepalive().length(9999).cut(19),
            EndsWith(1, 2, vec![0x27, 0x0f]),
        ),
        external(
            "4271 §4.1",
            "many messages at once",
            keepalive().then(keepalive()).then(keepalive()),
            Stays,
        ),
        external(
            "4271 §4.1",
            "a good message before a bad one",
            route_refresh(1, 0, 1).then(message(9, &[])),
            EndsWith(1, 3, vec![9]),
        ),
        external("4271 §4.1", "longest UPDATE: treated, not reset", long_update(4096), Stays),
    ]
}

fn short_messages(config: NeighborConfig) -> NeighborConfig {
    NeighborConfig { offer: Offer { extended_message: false, ..config.offer }, ..config }
}

/// An UPDATE of so many octets that withdraws the default route again and again.
fn long_update(length: u16) -> Octets {
    let withdrawn = length - 19 - 4;
    let mut body = withdrawn.to_be_bytes().to_vec();
    body.resize(2 + usize::from(withdrawn) + 2, 0);
    message(2, &body)
}
