//! `[[srp.bfd]]` and `[context.bgp.neighbor.bfd]`: BFD with the peer chassis and with BGP neighbours.

use std::net::IpAddr;

use super::across::{BfdClaim, Ledger, is_link_local};
use super::fault::Fault;
use super::kind::{Address, Duration, Flag, Integer, Interface};
use super::model::{BfdConfig, BfdTimers};
use super::reader::{Found, Reported, Section};
use crate::types::Span;

/// FRR's `minimum-ttl` default: one router between.
const LEAST_TTL: u8 = 254;

/// `[[srp.bfd]]`.
pub(super) fn read_peers(s: &Section<'_, '_>, ledger: &mut Ledger) -> Result<Vec<BfdConfig>, Reported> {
    let sessions: Vec<_> = s
        .tables("bfd", "peer-address")?
        .into_iter()
        .map(|session| session.read(|session| read_peer(session, ledger)))
        .collect();
    sessions.into_iter().collect()
}

/// `bfd-mon-ignore-dead-interval`: nothing to wait for without a session.
pub(super) fn read_ignore(
    s: &Section<'_, '_>,
    sessions: Result<&[BfdConfig], Reported>,
) -> Result<bool, Reported> {
    let ignore = s.or("bfd-mon-ignore-dead-interval", &Flag, false)?;
    if ignore.value && sessions?.is_empty() {
        return Err(s.report(&ignore.at, Fault::NoBfd));
    }
    Ok(ignore.value)
}

fn read_peer(s: &Section<'_, '_>, ledger: &mut Ledger) -> Result<BfdConfig, Reported> {
    let peer = s.required("peer-address", &Address);
    let local = s.required("local-address", &Address);
    let interface = s.optional("interface", &Interface);
    let timers = read_timers(s);
    let (peer, local, interface, timers) = (peer?, local?, interface?, timers?);
    if peer.value == local.value {
        return Err(s.report(&peer.at, Fault::OurOwnAddress { ours: local.at }));
    }
    if peer.value.is_ipv4() != local.value.is_ipv4() {
        return Err(s.report(&local.at, Fault::FamiliesDiffer { other: peer.at }));
    }
    let config = BfdConfig {
        peer_address: peer.value,
        local_address: local.value,
        interface: interface.map(|interface| interface.value),
        timers,
    };
    check_link_local(s, &peer, config.interface.as_ref(), timers)?;
    ledger.bfd.push(BfdClaim::new(&config, peer.at));
    Ok(config)
}

/// `[context.bgp.neighbor.bfd]`, if it is there: the ends are those of the BGP session.
pub(super) fn read_neighbor(
    s: &Section<'_, '_>,
    neighbor: &Result<Found<IpAddr>, Reported>,
    local: &Result<Option<Found<IpAddr>>, Reported>,
    interface: &Result<Option<Found<String>>, Reported>,
    claims: &mut Vec<BfdClaim>,
) -> Result<Option<BfdTimers>, Reported> {
    let Some(table) = s.table("bfd")? else { return Ok(None) };
    let at = table.place().clone();
    let timers = table.read(read_timers)?;
    let (Ok(neighbor), Ok(local), Ok(interface)) = (neighbor, local, interface) else {
        return Ok(Some(timers));
    };
    let Some(local) = local else {
        // Where the group has it, the neighbour is to be blamed.
        let at = if s.is_own(&at) { at } else { s.place_of_absent("bfd") };
        return Err(s.report(&at, Fault::BfdWithoutLocalAddress));
    };
    let interface = interface.as_ref().map(|interface| interface.value.clone());
    check_link_local(s, neighbor, interface.as_ref(), timers)?;
    let config = BfdConfig { peer_address: neighbor.value, local_address: local.value, interface, timers };
    claims.push(BfdClaim::new(&config, neighbor.at.clone()));
    Ok(Some(timers))
}

fn read_timers(s: &Section<'_, '_>) -> Result<BfdTimers, Reported> {
    let range = Duration { min: Span::millis(10), max: Span::secs(10) };
    let interval = s.or("interval", &range, Span::millis(50));
    let multiplier = s.or("multiplier", &Integer::<u8>::new(2, 50), 3);
    let multihop = s.or("multihop", &Flag, false);
    let least = s.or("least-ttl", &Integer::<u8>::new(1, 255), LEAST_TTL);
    let (interval, multiplier, multihop, least) = (interval?, multiplier?, multihop?, least?);
    if least.at.written.is_some() && !multihop.value {
        return Err(s.report(&least.at, Fault::TtlOfOneHop));
    }
    Ok(BfdTimers {
        interval: interval.value,
        multiplier: multiplier.value,
        multihop: multihop.value.then_some(least.value),
    })
}

fn check_link_local(
    s: &Section<'_, '_>,
    peer: &Found<IpAddr>,
    interface: Option<&String>,
    timers: BfdTimers,
) -> Result<(), Reported> {
    match (is_link_local(peer.value), timers.multihop, interface) {
        (true, Some(_), _) => Err(s.report(&peer.at, Fault::LinkLocalEnd)),
        (true, None, None) => Err(s.report(&peer.at, Fault::InterfaceMissing)),
        (true, None, Some(_)) | (false, _, _) => Ok(()),
    }
}
