//! `show ip bgp neighbors [A]`.

use std::collections::BTreeMap;

use bgp_glue::speaker::{
    AoKeys, FamilyDetails, HoldTime, Hops, Messages, Millis, NeighborSummary, Notification, PeerKind,
    SpeakerHandle,
};
use srp_core::api::{
    BgpFamily, BgpIdle, BgpMessageCount, BgpNeighborDetails, BgpNotificationCount, Response,
};
use srp_core::config::{BfdTimers, Config, ContextConfig, NeighborConfig};

use super::{Gone, bgp, capabilities};
use crate::clock;
use crate::paths::{Owner, PathView};
use crate::show;

/// Every neighbour, or those of that address, of every context.
pub(super) async fn show(
    speakers: &BTreeMap<String, SpeakerHandle>,
    config: &Config,
    paths: &[PathView],
    name: Option<&str>,
) -> Result<Response, Gone> {
    let mut all = Vec::new();
    for context in &config.contexts {
        let Some(speaker) = speakers.get(&context.name) else { continue };
        let summary = speaker.summary().await.map_err(|_| Gone)?;
        let wanted = summary.neighbors.iter();
        let wanted =
            wanted.filter(|neighbor| name.is_none_or(|name| bgp::is_named(&neighbor.neighbor, name)));
        all.extend(wanted.map(|neighbor| details(context, neighbor, paths)));
    }
    Ok(match name {
        Some(name) if all.is_empty() => bgp::nobody(name),
        Some(_) | None => Response::BgpNeighbors(all),
    })
}

fn details(context: &ContextConfig, neighbor: &NeighborSummary, paths: &[PathView]) -> BgpNeighborDetails {
    let details = &neighbor.details;
    let configured = configured(context, neighbor);
    let hold_time = neighbor.hold_time.map(|hold| hold.limit().map_or(0, Millis::get));
    let kind = match neighbor.kind {
        PeerKind::External => "external",
        PeerKind::Internal => "internal",
    };
    let owner = Owner::Neighbor { context: context.name.clone(), key: neighbor.neighbor.clone() };
    let notifications = [(true, &details.notifications_sent), (false, &details.notifications_received)];
    BgpNeighborDetails {
        context: context.name.clone(),
        address: neighbor.neighbor.to_string(),
        found: show::found(neighbor),
        dynamic: neighbor.dynamic,
        group: configured.and_then(|configured| configured.group.clone()),
        remote_as: neighbor.remote_as.0,
        local_as: details.local_as.0,
        kind: kind.to_owned(),
        state: neighbor.state.to_string(),
        since_us: clock::wall_us_of(neighbor.since),
        established: neighbor.established_count,
        lost: details.lost_count,
        last_loss_us: details.last_loss.as_ref().map(|(_, at)| clock::wall_us_of(*at)),
        last_loss: details.last_loss.as_ref().map(|(reason, _)| reason.to_string()),
        last_error: neighbor.last_error.as_ref().map(ToString::to_string),
        router_id: neighbor.router_id.map(|id| id.to_string()),
        local: details.local.map(|end| end.to_string()),
        remote: details.remote.map(|end| end.to_string()),
        opened_by_us: details.opened_by_us,
        passive: details.config.passive,
        hold_time_ms: details.config.hold_time.limit().map_or(0, Millis::get),
        negotiated_hold_time_ms: hold_time,
        keepalive_ms: neighbor.hold_time.and_then(HoldTime::keepalive_interval).map(Millis::get),
        send_hold_time_ms: details.config.send_hold.map(Millis::get),
        delay_open_ms: details.config.delay_open.get(),
        ttl: ttl(details.config.hops, neighbor.kind),
        md5: details.config.md5_key.is_some(),
        ao_keys: details.config.ao_keys.iter().flat_map(AoKeys::as_slice).map(ToString::to_string).collect(),
        bfd: configured.and_then(|configured| configured.bfd).map(bfd),
        bfd_session: paths.iter().find(|path| path.owner == owner).map(show::bfd_session),
        messages: messages(&details.received, &details.sent),
        families: details.families.iter().map(|counts| family(neighbor, counts)).collect(),
        prefixes_received: neighbor.prefixes_received,
        prefixes_accepted: neighbor.prefixes_accepted,
        limit_action: if neighbor.limits.inbound.ends { "end" } else { "warn" }.to_owned(),
        idle: details.barred.then_some(BgpIdle { until_us: details.barred_until.map(clock::wall_us_of) }),
        capabilities: capabilities::of_both(&details.our_open, details.their_open.as_ref()),
        attributes_discarded: neighbor.malformed_attributes - details.treated_as_withdrawn,
        treated_as_withdrawn: details.treated_as_withdrawn,
        notifications: notifications
            .into_iter()
            .flat_map(|(sent, counts)| {
                counts.iter().map(move |(reason, count)| notification(sent, reason, count))
            })
            .collect(),
        queued_octets: neighbor.queued_octets as u64,
    }
}

fn family(neighbor: &NeighborSummary, counts: &FamilyDetails) -> BgpFamily {
    let limits = &neighbor.limits;
    let exchanged = neighbor.details.config.families.contains(counts.family);
    let limit = limits.inbound.of(counts.family).filter(|_| exchanged);
    BgpFamily {
        family: counts.family.to_string(),
        agreed: neighbor.families.contains(counts.family),
        received: counts.received,
        accepted: counts.accepted,
        announced: counts.announced,
        limit,
        warning_above: limit.and_then(|limit| limits.inbound.warning_above(limit)),
        limit_warnings: counts.limit_warnings,
        limit_exceeded: counts.limit_exceeded,
        limit_out: limits.outbound.filter(|_| exchanged),
        held_back: if exchanged { counts.held_back } else { 0 },
    }
}

/// The configuration of a named neighbour, or of the range that a dynamic one came by.
fn configured<'c>(context: &'c ContextConfig, neighbor: &NeighborSummary) -> Option<&'c NeighborConfig> {
    let bgp = context.bgp.as_ref()?;
    let key = &neighbor.neighbor;
    let named = || {
        bgp.neighbors.iter().find(|named| {
            named.address == key.address && named.interface.as_deref() == key.interface.as_deref()
        })
    };
    let ranges = || {
        let ranges = bgp
            .ranges
            .iter()
            .filter(|range| key.address.is_some_and(|address| range.prefix.contains(address)));
        ranges.max_by_key(|range| range.prefix.prefix()).map(|range| &range.session)
    };
    if neighbor.dynamic { ranges() } else { named() }
}

fn ttl(hops: Hops, kind: PeerKind) -> String {
    match (hops, kind) {
        (Hops::Secured(hops), _) => format!("255, at least {} received", 256 - u32::from(hops.max(1))),
        (Hops::UpTo(hops), _) => hops.to_string(),
        (Hops::Usual, PeerKind::External) => "1".to_owned(),
        (Hops::Usual, PeerKind::Internal) => "255".to_owned(),
    }
}

fn bfd(timers: BfdTimers) -> String {
    format!("interval {} multiplier {}", timers.interval, timers.multiplier)
}

fn messages(received: &Messages, sent: &Messages) -> Vec<BgpMessageCount> {
    let rows = [
        ("OPEN", received.open, sent.open),
        ("UPDATE", received.update, sent.update),
        ("NOTIFICATION", received.notification, sent.notification),
        ("KEEPALIVE", received.keepalive, sent.keepalive),
        ("ROUTE-REFRESH", received.route_refresh, sent.route_refresh),
    ];
    rows.into_iter()
        .map(|(kind, received, sent)| BgpMessageCount { kind: kind.to_owned(), received, sent })
        .collect()
}

fn notification(sent: bool, reason: (u8, u8), count: u64) -> BgpNotificationCount {
    let (code, subcode) = reason;
    BgpNotificationCount { sent, code, subcode, name: Notification::new(reason).name().to_owned(), count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_is_said_as_it_is_sent_and_taken() {
        assert_eq!(ttl(Hops::Usual, PeerKind::External), "1");
        assert_eq!(ttl(Hops::UpTo(5), PeerKind::External), "5");
        assert_eq!(ttl(Hops::Secured(1), PeerKind::External), "255, at least 255 received");
        assert_eq!(ttl(Hops::Secured(3), PeerKind::Internal), "255, at least 253 received");
    }
}
