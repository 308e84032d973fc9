//! `show ip bgp neighbors [A]`.

use std::collections::BTreeMap;
use std::fmt::Display;

use bgp_glue::speaker::{
    Capability, Families, Family, HoldTime, Hops, Messages, Millis, NeighborSummary, Notification, Open,
    PeerKind, SpeakerHandle,
};
use srp_core::api::{
    BgpCapability, BgpFamily, BgpMessageCount, BgpNeighborDetails, BgpNotificationCount, Response,
};
use srp_core::config::{BfdTimers, Config, ContextConfig, NeighborConfig};

use super::{Gone, bgp};
use crate::clock;

/// Every neighbour, or those of that address, of every context.
pub(super) async fn show(
    speakers: &BTreeMap<String, SpeakerHandle>,
    config: &Config,
    name: Option<&str>,
) -> Result<Response, Gone> {
    let mut all = Vec::new();
    for context in &config.contexts {
        let Some(speaker) = speakers.get(&context.name) else { continue };
        let summary = speaker.summary().await.map_err(|_| Gone)?;
        let wanted = summary.neighbors.iter().filter(|neighbor| {
            let key = &neighbor.neighbor;
            name.is_none_or(|name| key.to_string() == name || key.address.to_string() == name)
        });
        all.extend(wanted.map(|neighbor| details(context, neighbor)));
    }
    Ok(match name {
        Some(name) if all.is_empty() => bgp::nobody(name),
        Some(_) | None => Response::BgpNeighbors(all),
    })
}

fn details(context: &ContextConfig, neighbor: &NeighborSummary) -> BgpNeighborDetails {
    let details = &neighbor.details;
    let configured = configured(context, neighbor);
    let hold_time = neighbor.hold_time.map(|hold| hold.limit().map_or(0, Millis::get));
    let kind = match neighbor.kind {
        PeerKind::External => "external",
        PeerKind::Internal => "internal",
    };
    let agreed = neighbor.families;
    let family = |(family, announced): &(Family, u64)| BgpFamily {
        family: family.to_string(),
        agreed: agreed.contains(*family),
        announced: *announced,
    };
    let notifications = [(true, &details.notifications_sent), (false, &details.notifications_received)];
    BgpNeighborDetails {
        context: context.name.clone(),
        address: neighbor.neighbor.to_string(),
        dynamic: neighbor.dynamic,
        group: configured.and_then(|configured| configured.group.clone()),
        remote_as: neighbor.remote_as.0,
        local_as: details.local_as.0,
        kind: kind.to_owned(),
        state: neighbor.state.to_string(),
        since_us: clock::wall_us(clock::of_instant(neighbor.since)),
        established: neighbor.established_count,
        lost: details.lost_count,
        last_loss_us: details.last_loss.as_ref().map(|(_, at)| clock::wall_us(clock::of_instant(*at))),
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
        bfd: configured.and_then(|configured| configured.bfd).map(bfd),
        messages: messages(&details.received, &details.sent),
        families: details.announced.iter().map(family).collect(),
        prefixes_received: neighbor.prefixes_received,
        prefixes_accepted: neighbor.prefixes_accepted,
        capabilities: capabilities(&details.our_open, details.their_open.as_ref()),
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
        let ranges = bgp.ranges.iter().filter(|range| range.prefix.contains(key.address));
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

fn capabilities(ours: &Open, theirs: Option<&Open>) -> Vec<BgpCapability> {
    let mut rows: Vec<BgpCapability> = Vec::new();
    let all = ours.capabilities.iter().map(|capability| (true, capability));
    let all =
        all.chain(theirs.iter().flat_map(|open| &open.capabilities).map(|capability| (false, capability)));
    for (is_ours, capability) in all {
        let (name, value) = words(capability);
        let row = if let Some(known) = rows.iter_mut().find(|row| row.name == name) {
            known
        } else {
            rows.push(BgpCapability { name, ours: None, theirs: None });
            let Some(new) = rows.last_mut() else { continue };
            new
        };
        let side = if is_ours { &mut row.ours } else { &mut row.theirs };
        match side {
            Some(told) => *told = format!("{told}, {value}"),
            None => *side = Some(value),
        }
    }
    rows
}

/// A capability and what it says.
fn words(capability: &Capability) -> (String, String) {
    let yes = || "yes".to_owned();
    let (name, value) = match capability {
        Capability::MultiProtocol { afi, safi } => {
            let known = Family::ALL.into_iter().find(|family| (family.afi(), family.safi()) == (*afi, *safi));
            ("families", known.map_or_else(|| format!("AFI {afi} SAFI {safi}"), |family| family.to_string()))
        }
        Capability::RouteRefresh => ("route refresh", yes()),
        Capability::ExtendedNextHop(families) => ("IPv6 next hops", list(*families)),
        Capability::ExtendedMessage => ("extended messages", yes()),
        Capability::Role(role) => ("role", role.to_string()),
        Capability::GracefulRestart(restart) => ("graceful restart", format!("{} s", restart.time_secs)),
        Capability::FourOctetAs(asn) => ("four-octet AS", asn.to_string()),
        Capability::AddPath { receive, send } => {
            ("several paths", format!("receive {}, send {}", list(*receive), list(*send)))
        }
        Capability::EnhancedRouteRefresh => ("enhanced route refresh", yes()),
        Capability::LongLived(long) => {
            let of = |name: &str, secs: Option<u32>| secs.map(|secs| format!("{name} {secs} s"));
            let families = [of("ipv4-unicast", long.ipv4_secs), of("ipv6-unicast", long.ipv6_secs)];
            ("long-lived restart", join(families.into_iter().flatten()))
        }
        Capability::Unknown { code, value } => {
            return (format!("code {code}"), format!("{} octets", value.len()));
        }
    };
    (name.to_owned(), value)
}

fn list(families: Families) -> String {
    join(families.iter())
}

fn join<T: Display>(values: impl Iterator<Item = T>) -> String {
    let values: Vec<_> = values.map(|value| value.to_string()).collect();
    if values.is_empty() { "none".to_owned() } else { values.join(", ") }
}

#[cfg(test)]
mod tests {
    use bgp_glue::speaker::{Asn, Role, RouterId};

    use super::*;

    #[test]
    fn capabilities_of_both_stand_beside_each_other() {
        let id = RouterId::try_from(std::net::Ipv4Addr::new(192, 0, 2, 1)).expect("an identifier");
        let ours = Open::ours(Asn(65001), HoldTime::DEFAULT, id, Families::ALL);
        let mut theirs =
            Open::ours(Asn(65101), HoldTime::DEFAULT, id, Families::from_iter([Family::Ipv4Unicast]));
        theirs.capabilities.push(Capability::Role(Role::Provider));
        theirs.capabilities.push(Capability::Unknown { code: 73, value: [1, 2].into() });
        let rows: Vec<_> = capabilities(&ours, Some(&theirs))
            .into_iter()
            .map(|row| [row.name, row.ours.unwrap_or_default(), row.theirs.unwrap_or_default()].join("|"))
            .collect();
        let expected = [
            "families|ipv4-unicast, ipv6-unicast|ipv4-unicast",
            "route refresh|yes|yes",
            "four-octet AS|65001|65101",
            "role||provider",
            "code 73||2 octets",
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn ttl_is_said_as_it_is_sent_and_taken() {
        assert_eq!(ttl(Hops::Usual, PeerKind::External), "1");
        assert_eq!(ttl(Hops::UpTo(5), PeerKind::External), "5");
        assert_eq!(ttl(Hops::Secured(1), PeerKind::External), "255, at least 255 received");
        assert_eq!(ttl(Hops::Secured(3), PeerKind::Internal), "255, at least 253 received");
    }
}
