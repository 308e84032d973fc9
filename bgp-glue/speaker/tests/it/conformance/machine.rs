use super::case::{confirming, external};
use super::octets::{keepalive, message, open, route_refresh};
use super::{Case, Expect, opening, run};
use Expect::{Ends, EndsWith, Opens, Stays};

#[test]
fn state_machine() {
    run(&table());
}

/// RFC 6608 section 4: the subcode names the state, and the data is the type of the message.
fn table() -> Vec<Case> {
    let end_of_rib = || message(2, &[0; 4]);
    let route = || {
        let attributes = [0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9, 0x40, 3, 4, 192, 0, 2, 2];
        message(2, &[&[0, 0, 0, 20][..], &attributes, &[8, 10]].concat())
    };
    vec![
        opening("6608 §3", "KEEPALIVE in OpenSent", keepalive(), Ends(5, 1)),
        opening("6608 §3", "UPDATE in OpenSent", end_of_rib(), Ends(5, 1)),
        opening("6608 §3", "a route in OpenSent", route(), Ends(5, 1)),
        opening("6608 §3", "ROUTE-REFRESH in OpenSent", route_refresh(1, 0, 1), Ends(5, 1)),
        opening("6608 §3", "a second OPEN", open(&[0]).then(open(&[0])), Ends(5, 2)),
        opening("6608 §3", "OPEN and UPDATE without KEEPALIVE", open(&[0]).then(route()), Ends(5, 2)),
        confirming("6608 §3", "OPEN in OpenConfirm", open(&[0]), Ends(5, 2)),
        confirming("6608 §3", "UPDATE in OpenConfirm", end_of_rib(), Ends(5, 2)),
        confirming("6608 §3", "a route in OpenConfirm", route(), Ends(5, 2)),
        confirming("6608 §3", "ROUTE-REFRESH in OpenConfirm", route_refresh(1, 0, 1), Ends(5, 2)),
        external("6608 §3", "OPEN in Established", open(&[0]), Ends(5, 3)),
        external("6608 §3", "malformed OPEN in Established", message(1, &[9; 10]), Ends(5, 3)),
        confirming("4271 §8.2.2", "KEEPALIVE in OpenConfirm", keepalive(), Stays),
        external("4271 §8.2.2", "KEEPALIVE in Established", keepalive(), Stays),
        external("4271 §8.2.2", "a hundred KEEPALIVEs", keepalive_times(100), Stays),
        opening("4271 §8.2.2", "OPEN and KEEPALIVE in one piece", usual().then(keepalive()), Opens),
        external(
            "4271 §8.2.2",
            "a route after a KEEPALIVE",
            keepalive().then(route()),
            Expect::Routes(&["10.0.0.0/8"]),
        ),
        external(
            "4271 §6.1",
            "nothing is taken after an error",
            message(9, &[]).then(route()),
            EndsWith(1, 3, vec![9]),
        ),
        opening("4271 §8.2.2", "HTTP", b"GET / HTTP/1.1\r\nHost: bgp\r\n\r\n".to_vec(), Ends(1, 1)),
        opening("4271 §8.2.2", "TLS", [&[22, 3, 1, 0, 200, 1, 0, 0, 196][..], &[0; 40]].concat(), Ends(1, 1)),
        opening("4271 §8.2.2", "SSH", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n".to_vec(), Ends(1, 1)),
    ]
}

fn usual() -> super::Octets {
    use super::octets::{AS4, IPV4, IPV6, REFRESH, capabilities};
    open(&capabilities(&[IPV4, IPV6, REFRESH, AS4]))
}

fn keepalive_times(count: usize) -> Vec<u8> {
    Vec::from(keepalive()).repeat(count)
}
