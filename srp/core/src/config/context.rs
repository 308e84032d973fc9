//! `[[context]]`: loopbacks, pools and the BGP instance of a routing domain.

use super::across::{Claim, ContextClaims, Ledger, report_twice};
use super::bgp;
use super::fault::{Fault, Place};
use super::interface;
use super::kind::{Flag, HostAddress, Interface, Name};
use super::model::{ContextConfig, LoopbackConfig};
use super::pool;
use super::reader::{Found, Reported, Section};
use super::table::{self, ContextTable};

pub(super) fn read(s: &Section<'_, '_>, ledger: &mut Ledger) -> Result<ContextConfig, Reported> {
    let name = s.required("name", &Name);
    let table = table::read(s);
    let mut claims = ContextClaims {
        name: name.clone().ok(),
        table: table.as_ref().map_or(ContextTable::MAIN, |table| table.value.clone()),
        table_at: table.as_ref().ok().map(|table| table.at.clone()),
        ..ContextClaims::default()
    };
    let interfaces = interface::read_all(s, &mut claims);
    let loopbacks = read_loopbacks(s, table.as_ref().ok(), &mut claims);
    let pools = pool::read_all(s, &mut claims);
    let bgp = match s.table("bgp") {
        Ok(None) => Ok(None),
        Ok(Some(bgp)) => bgp.read(|bgp| bgp::read(bgp, &mut claims)).map(Some),
        Err(reported) => {
            claims.neighbors_unread = true;
            Err(reported)
        }
    };
    ledger.contexts.push(claims);
    Ok(ContextConfig {
        name: name?.value,
        table: table?.value,
        interfaces: interfaces?,
        loopbacks: loopbacks?,
        pools: pools?,
        bgp: bgp?,
    })
}

fn read_loopbacks(
    s: &Section<'_, '_>,
    table: Option<&Found<ContextTable>>,
    claims: &mut ContextClaims,
) -> Result<Vec<LoopbackConfig>, Reported> {
    let vrf = table.and_then(|table| Some((table.value.vrf()?, &table.at)));
    let mut names = Vec::new();
    let loopbacks: Vec<_> = s
        .tables("loopback", "name")?
        .into_iter()
        .map(|loopback| loopback.read(|loopback| read_loopback(loopback, vrf, claims, &mut names)))
        .collect();
    report_twice(s, "name", &names);
    loopbacks.into_iter().collect()
}

fn read_loopback(
    s: &Section<'_, '_>,
    vrf: Option<(&str, &Place)>,
    claims: &mut ContextClaims,
    names: &mut Vec<Found<String>>,
) -> Result<LoopbackConfig, Reported> {
    let name = s.required("name", &Name);
    let address = s.required("address", &HostAddress);
    let usual = vrf.map_or("lo", |(name, _)| name).to_owned();
    let interface = s.or_derived("interface", &Interface, usual, "\"lo\", in a VRF the VRF");
    if let (Ok(Found { value, at }), Some((_, vrf))) = (&interface, vrf)
        && value == "lo"
        && at.written.is_some()
    {
        s.report(at, Fault::LoOutsideVrf { vrf: vrf.clone() });
    }
    let srp_activate = s.or("srp-activate", &Flag, false);
    let layer_2 = s.or("layer-2", &Flag, false);
    names.extend(name.clone());
    check_layer_2(s, vrf.map(|(name, _)| name), &layer_2, &interface, &srp_activate, claims);
    if let Ok(address) = &address {
        claims.prefixes.push(Claim { prefix: address.value, is_loopback: true, at: address.at.clone() });
    }
    Ok(LoopbackConfig {
        name: name?.value,
        address: address?.value,
        interface: interface?.value,
        srp_activate: srp_activate?.value,
        layer_2: layer_2?.value,
    })
}

/// An address that moves between two chassis of one subnet: on a link with hosts, and only while Active.
fn check_layer_2(
    s: &Section<'_, '_>,
    vrf: Option<&str>,
    layer_2: &Result<Found<bool>, Reported>,
    interface: &Result<Found<String>, Reported>,
    srp_activate: &Result<Found<bool>, Reported>,
    claims: &mut ContextClaims,
) {
    let Ok(Found { value: true, at }) = layer_2 else { return };
    if interface.as_ref().is_ok_and(|interface| interface.value == "lo") {
        s.report(at, Fault::Layer2OnLo);
    }
    if vrf.is_some() && interface.as_ref().is_ok_and(|interface| Some(interface.value.as_str()) == vrf) {
        s.report(at, Fault::Layer2OnVrf);
    }
    if srp_activate.as_ref().is_ok_and(|srp_activate| !srp_activate.value) {
        s.report(at, Fault::Layer2NotActivated);
    }
    claims.layer_2.push(at.clone());
}
