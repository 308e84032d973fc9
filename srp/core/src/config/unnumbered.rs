//! A neighbour that has an interface and no address: it is found there.
//!
//! Whoever advertises itself on the link is the neighbour, so it is the only one there, of all contexts. What has to be set up by
//! an address before the neighbour is known cannot be had.

use std::net::{IpAddr, Ipv6Addr};

use super::across::Ledger;
use super::fault::Fault;
use super::instance_fault::InstanceFault;
use super::kind::{Address, Kind as _};
use super::reader::{Found, Reader, Reported, Section};

/// Keys that such a neighbour cannot have, its own or those of its group, and why.
const NEED_ADDRESS: &[(&str, &str)] = &[
    ("local-address", "our end of the session is the link-local address of the interface"),
    ("multihop", "a neighbour that is found on its link is one hop away"),
    ("md5-key-file", "the kernel wants to know whose key it is before the neighbour connects"),
    ("ao-key-file", "the kernel wants to know whose key it is before the neighbour connects"),
    ("bfd", "a BFD session is between two configured addresses"),
];

/// A neighbour on an interface.
pub(super) struct LinkClaim {
    pub interface: Found<String>,
    /// It has no address of its own.
    pub is_unnumbered: bool,
}

/// The interface of a neighbour without an address; a fault if it has neither.
pub(super) fn interface(
    s: &Section<'_, '_>,
    interface: &Result<Option<Found<String>>, Reported>,
) -> Result<Found<String>, Reported> {
    let Some(interface) = interface.as_ref().map_err(|reported| *reported)? else {
        let wanted = Address.wanted();
        return Err(s.report(&s.place_of_absent("address"), Fault::Missing { key: "address", wanted }));
    };
    for (key, why) in NEED_ADDRESS {
        if let Some(at) = s.place_in_force(key) {
            s.report(&at, InstanceFault::NeedsAddress { why }.into());
        }
    }
    Ok(interface.clone())
}

/// What stands for its address while the other keys are checked: a link-local one that no machine has.
pub(super) fn stand_in(interface: &Found<String>) -> Found<IpAddr> {
    let anycast = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
    Found { value: anycast.into(), at: interface.at.clone() }
}

/// No two neighbours on a link where one of them is whoever is found.
pub(super) fn check_links(reader: &Reader<'_>, ledger: &Ledger) {
    let claims: Vec<_> = ledger.contexts.iter().flat_map(|context| &context.links).collect();
    for (index, claim) in claims.iter().enumerate() {
        let shared = |first: &&&LinkClaim| {
            first.interface.value == claim.interface.value && (first.is_unnumbered || claim.is_unnumbered)
        };
        if let Some(first) = claims[..index].iter().find(shared) {
            let first = first.interface.at.clone();
            reader.report(&claim.interface.at, InstanceFault::LinkShared { first }.into());
        }
    }
}
