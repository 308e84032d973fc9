use super::case::{external, internal};
use super::octets::message;
use super::{Case, Expect, Octets, run};
use Expect::{Ends, Routes, Stays};

#[test]
fn update_message() {
    run(&table());
}

const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
/// AS 65001.
const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe9];
const NEXT_HOP: &[u8] = &[0x40, 3, 4, 10, 99, 0, 2];
/// 10.1.0.0/16.
const ROUTE: &[u8] = &[16, 10, 1];

/// An UPDATE with these parts.
fn update(withdrawn: &[u8], attributes: &[&[u8]], routes: &[u8]) -> Octets {
    let attributes = attributes.concat();
    let length = |octets: &[u8]| u16::try_from(octets.len()).expect("a short message").to_be_bytes();
    message(2, &[&length(withdrawn)[..], withdrawn, &length(&attributes), &attributes, routes].concat())
}

fn table() -> Vec<Case> {
    let good = || update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], ROUTE);
    vec![
        external("4271 §4.3", "a route", good(), Routes(&["10.1.0.0/16"])),
        internal("4271 §4.3", "a route of an internal neighbor", good(), Routes(&["10.1.0.0/16"])),
        external("4271 §4.3", "End-of-RIB", update(&[], &[], &[]), Stays),
        external(
            "7606 §5.3",
            "prefix of 33 bits",
            update(&[], &[ORIGIN, AS_PATH, NEXT_HOP], &[33, 10, 1, 0, 0, 0]),
            Ends(3, 10),
        ),
    ]
}
