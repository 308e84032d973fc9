use super::case::{confirming, external, internal};
use super::octets::{message, notification};
use super::{Case, Expect, opening, run};
use Expect::HangsUp;

#[test]
fn notification_message() {
    run(&table());
}

/// RFC 4271 section 6: there is no answer to a NOTIFICATION, be it right or wrong; the connection ends.
fn table() -> Vec<Case> {
    let text = |text: &[u8]| [&[u8::try_from(text.len()).expect("a short text")], text].concat();
    let shutdown = |data: &[u8]| notification(6, 2, data);
    vec![
        opening("4271 §6", "Cease before OPEN", notification(6, 0, &[]), HangsUp),
        opening("4271 §6.2", "version refused", notification(2, 1, &[0, 4]), HangsUp),
        opening("4271 §6.2", "AS refused", notification(2, 2, &[]), HangsUp),
        confirming("4271 §6.7", "Cease in OpenConfirm", notification(6, 5, &[]), HangsUp),
        confirming("4271 §6.8", "collision in OpenConfirm", notification(6, 7, &[]), HangsUp),
        confirming("4271 §6.5", "hold timer in OpenConfirm", notification(4, 0, &[]), HangsUp),
        external("4271 §6.7", "Cease", notification(6, 0, &[]), HangsUp),
        external("4271 §6.5", "hold timer expired", notification(4, 0, &[]), HangsUp),
        external("4271 §6.3", "UPDATE error with data", notification(3, 1, &[0x40, 1, 1, 0]), HangsUp),
        external("4271 §6.6", "state machine error", notification(5, 3, &[2]), HangsUp),
        external("4271 §4.5", "unknown code 200", notification(200, 9, &[1, 2, 3]), HangsUp),
        external("4271 §4.5", "code 0", notification(0, 0, &[]), HangsUp),
        external("4271 §4.5", "longest", message(3, &[6; 4077]), HangsUp),
        external(
            "4486 §3",
            "maximum number of prefixes",
            notification(6, 1, &[0, 1, 1, 0, 0, 0, 9]),
            HangsUp,
        ),
        external("4486 §3", "peer de-configured", notification(6, 3, &[]), HangsUp),
        external("4486 §3", "other configuration change", notification(6, 6, &[]), HangsUp),
        external("4486 §3", "out of resources", notification(6, 8, &[]), HangsUp),
        external("4486 §4", "unknown Cease subcode", notification(6, 99, &[]), HangsUp),
        external("9003 §2", "shutdown with a text", shutdown(&text(b"see you at noon")), HangsUp),
        external("9003 §2", "shutdown without a text", shutdown(&[]), HangsUp),
        external("9003 §2", "shutdown with an empty text", shutdown(&[0]), HangsUp),
        external("9003 §2", "text of 255 octets", shutdown(&text(&[b'x'; 255])), HangsUp),
        external("9003 §3", "text longer than the message", shutdown(&[200, b'x']), HangsUp),
        external("9003 §3", "text that is not UTF-8", shutdown(&text(&[0xff, 0xc0, 0x80])), HangsUp),
        external("9003 §3", "text that is to move the cursor", shutdown(&text(b"\x1b[2J\r\n")), HangsUp),
        external("9003 §2", "reset with a text", notification(6, 4, &text(b"reset")), HangsUp),
        external("8538 §3", "hard reset with what it is about", notification(6, 9, &[6, 2]), HangsUp),
        external("9384 §3", "BFD down", notification(6, 10, &[]), HangsUp),
        external("9687 §4", "send hold timer expired", notification(8, 0, &[]), HangsUp),
        external("7313 §5", "ROUTE-REFRESH error", notification(7, 1, &[0, 1]), HangsUp),
        external("9234 §4.2", "role mismatch after the fact", notification(2, 11, &[]), HangsUp),
        internal("4271 §6.7", "Cease by an internal neighbor", notification(6, 2, &[]), HangsUp),
    ]
}
