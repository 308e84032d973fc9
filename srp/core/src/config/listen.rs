//! `listen` of a BGP instance: where it waits for neighbours.
//!
//! Contexts of one VRF, and those of none, have one network stack between them, so two instances can listen on one port only at addresses of their own,
//! and a session with one neighbour in each of two contexts is known by our end of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::across::{ContextClaims, Ledger, is_link_local, report_twice};
use super::bgp::Instance;
use super::fault::{Fault, Place};
use super::instance_fault::InstanceFault;
use super::kind::Address;
use super::reader::{Found, Reader, Reported, Section};

pub(super) fn read(
    s: &Section<'_, '_>,
    port: &Result<Found<u16>, Reported>,
    claims: &mut ContextClaims,
) -> Result<Vec<IpAddr>, Reported> {
    let addresses = s.list("listen", &Address, "[\"10.1.1.1\", \"2001:db8:1:1::1\"]")?;
    report_twice(s, "address", &addresses);
    for address in addresses.iter().filter(|address| is_link_local(address.value)) {
        s.report(&address.at, Fault::LinkLocalEnd);
    }
    if let Ok(port) = port {
        claims.listens =
            Some(Listens { port: port.value, addresses: addresses.clone(), at: s.place().clone() });
    }
    Ok(addresses.into_iter().map(|address| address.value).collect())
}

/// Where an instance listens.
pub(super) struct Listens {
    port: u16,
    /// Everywhere if empty.
    addresses: Vec<Found<IpAddr>>,
    at: Place,
}

/// A neighbour of some context, and our end of the session.
struct Known<'l> {
    context: usize,
    neighbor: &'l Found<IpAddr>,
    local: Option<IpAddr>,
}

/// A neighbour that connects to our end of the session has to find somebody there.
pub(super) fn check(
    s: &Section<'_, '_>,
    neighbor: &Found<IpAddr>,
    local: &Result<Option<Found<IpAddr>>, Reported>,
    instance: &Instance,
) {
    let Ok(Some(local)) = local else { return };
    let is_heard = instance.listen.is_empty() || instance.listen.contains(&local.value);
    if !is_heard && local.value != neighbor.value {
        s.report(&local.at, InstanceFault::NotListened.into());
    }
}

/// Between contexts of one network: one listener at an address and port, and neighbours that can be told apart.
pub(super) fn check_contexts<'l>(reader: &Reader<'_>, ledger: &'l Ledger) {
    let of_context = |context: &'l ContextClaims| Some((context.vrf(), context.listens.as_ref()?));
    let listens: Vec<_> = ledger.contexts.iter().filter_map(of_context).collect();
    for (index, (vrf, second)) in listens.iter().enumerate() {
        let others = listens[..index].iter().filter(|(of, first)| of == vrf && first.port == second.port);
        for (_, first) in others {
            if first.addresses.is_empty() || second.addresses.is_empty() {
                let everywhere = if second.addresses.is_empty() { second } else { first };
                let other = if second.addresses.is_empty() { first } else { second };
                let fault = InstanceFault::ListensEverywhere { port: second.port, other: other.at.clone() };
                reader.report(&everywhere.at, fault.into());
                continue;
            }
            for address in &second.addresses {
                if let Some(same) = first.addresses.iter().find(|other| other.value == address.value) {
                    reader.report(
                        &address.at,
                        Fault::Twice { what: "address to listen on", first: same.at.clone() },
                    );
                }
            }
        }
    }
    let mut seen: BTreeMap<(Option<&str>, IpAddr), Vec<Known<'_>>> = BTreeMap::new();
    for (context, claims) in ledger.contexts.iter().enumerate() {
        for (neighbor, local) in &claims.sessions {
            let known = seen.entry((claims.vrf(), neighbor.value)).or_default();
            let alike = known.iter().find(|Known { context: other, local: other_local, .. }| {
                let apart = local.is_some() && other_local.is_some() && local != other_local;
                // Neighbours of one table are compared elsewhere.
                *other != context && ledger.contexts[*other].table != claims.table && !apart
            });
            if let Some(first) = alike {
                let first = first.neighbor.at.clone();
                reader.report(&neighbor.at, InstanceFault::NotToldApart { first }.into());
            }
            known.push(Known { context, neighbor, local: *local });
        }
    }
}
