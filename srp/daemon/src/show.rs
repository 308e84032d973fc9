//! Answers to `show`: the chassis thread's snapshot and the speakers' summaries as the API's types.

pub mod probes;

use bgp_glue::speaker::{MonitorSummary, NeighborSummary, Originated, SpeakerSummary};
use srp_core::api::{
    BfdSession, BgpContext, BgpNeighbor, BgpOnlooker, Counter, LastSwitch, MessageCount, Monitor,
    MonitorFailure, Monitors, OriginatedPrefix, PeerInfo, ReasonCount, SrpInfo, SrpStatistics,
};
use srp_core::chassis::{Failure, MonitorId, Monitored, Monitoring, Watched};
use srp_core::config::{Config, ContextConfig, Security};

use crate::bfd::Hops;
use crate::clock;
use crate::events::Herald;
use crate::inbox::Snapshot;
use crate::paths::PathView;

/// `show srp info`.
pub fn srp_info(config: &Config, snapshot: &Snapshot, kernel_refused: Vec<String>) -> SrpInfo {
    let srp = &config.srp;
    let settings = snapshot.chassis.settings();
    let now = clock::now();
    let peer = snapshot.peer.as_ref().map(|(hello, heard)| PeerInfo {
        state: hello.state,
        mode: hello.mode,
        priority: hello.priority.0,
        mac: hello.mac.to_string(),
        route_modifier: hello.modifier.0,
        release: hello.release.clone(),
        boot_id: hello.boot.to_string(),
        bgp_established: hello.bgp_established,
        bgp_neighbors: hello.bgp_neighbors,
        last_hello_ms: now.since(*heard).as_millis_f64(),
    });
    let unprotected = || match srp.security {
        Security::Tls { .. } => "mutual TLS 1.3, pinned".to_owned(),
        Security::Plaintext => "PLAINTEXT, NOT PROTECTED".to_owned(),
    };
    SrpInfo {
        context: srp.context.clone(),
        release: settings.release.clone(),
        chassis_state: snapshot.chassis.state(),
        chassis_mode: settings.identity.mode,
        chassis_priority: settings.identity.priority.0,
        chassis_mac: settings.identity.mac.to_string(),
        local_address: srp.bind_address.to_string(),
        route_modifier: snapshot.chassis.modifier().0,
        route_modifier_threshold: settings.threshold,
        boot_id: settings.identity.boot.to_string(),
        peer_address: srp.peer_address.to_string(),
        peer,
        connection_state: snapshot.connection.clone(),
        connection_security: snapshot.security.clone().unwrap_or_else(unprotected),
        certificate: snapshot.credentials.as_ref().map(|held| held.ours().to_string()),
        pinned_certificates: snapshot
            .credentials
            .iter()
            .flat_map(|held| held.pinned().iter().map(ToString::to_string))
            .collect(),
        connection_since_us: clock::wall_us(snapshot.connection_since),
        connection_ups: snapshot.counts.link_ups,
        hello_interval_ms: settings.hello_interval.as_millis_f64(),
        dead_interval_ms: settings.dead_interval.as_millis_f64(),
        hellos_sent: snapshot.counts.hellos().0,
        hellos_received: snapshot.counts.hellos().1,
        round_trip_ms: snapshot.round_trip_ms,
        configuration_state: configuration_state(snapshot),
        last_validate_switchover_status: snapshot.last_validation.clone(),
        last_validate_configuration_status: String::new(), // the answers know it
        last_switch: snapshot.last_switch.map(|(at, from, to, reason)| LastSwitch {
            at_us: clock::wall_us(at),
            from,
            to,
            reason: reason.number(),
            reason_text: reason.to_string(),
        }),
        switchovers: snapshot.switchover_count,
        link_counters: counters(&snapshot.link_counters).collect(),
        kernel_refused,
        bfd_sessions: snapshot.paths.iter().map(bfd_session).collect(),
        bfd_ignores_dead_interval: settings.peer_bfd.is_some_and(|bfd| bfd.ignore_dead_interval),
        bfd_disagreement: snapshot.chassis.disagreement().map(|found| found.to_string()),
    }
}

/// A BFD session.
pub fn bfd_session(path: &PathView) -> BfdSession {
    let session = &path.session;
    let millis = |span: srp_core::types::Span| span.as_millis_f64();
    BfdSession {
        watches: path.owner.name(),
        peer_address: session.settings.peer.to_string(),
        local_address: session.settings.local_address.to_string(),
        interface: session.settings.interface.clone(),
        vrf: session.settings.vrf.clone(),
        multihop: session.settings.hops != Hops::Single,
        state: session.state.to_string(),
        remote_state: session.remote.map(|remote| remote.state.to_string()),
        since_us: clock::wall_us(session.since),
        transmit_interval_ms: session.transmit_interval.map(millis),
        detection_time_ms: session.detection_time.map(millis),
        ups: session.counters.ups,
        downs: session.counters.downs,
        last_down: path.last_down.map(|(_, cause)| cause.to_string()),
        last_down_us: path.last_down.map(|(at, _)| clock::wall_us(at)),
    }
}

/// Counters of the link that count what is meant to happen.
const NO_ERRORS: [&str; 7] = ["accepted", "collision", "dialled", "down", "received", "sent", "up"];

/// `show srp statistics`.
pub fn statistics(snapshot: &Snapshot, herald: &Herald) -> SrpStatistics {
    let counts = &snapshot.counts;
    let (hellos, configurations, resources) = (counts.hellos(), counts.configurations(), counts.resources());
    SrpStatistics {
        since_us: clock::wall_us(snapshot.started),
        hello_messages_sent: hellos.0,
        hello_messages_received: hellos.1,
        hello_messages_missed: counts.hellos_missed,
        configuration_validation_messages_sent: configurations.0,
        configuration_validation_messages_received: configurations.1,
        configuration_mismatches: counts.configuration_mismatches,
        resource_messages_sent: resources.0,
        resource_messages_received: resources.1,
        messages: counts
            .messages()
            .map(|(message, sent, received)| MessageCount { message: message.into(), sent, received })
            .collect(),
        link_ups: counts.link_ups,
        link_downs: counts.link_downs,
        peer_restarts: counts.peer_restarts,
        switchovers: snapshot.switchover_count,
        switchovers_aborted: counts.aborted,
        switchovers_by_reason: counts
            .switchovers()
            .map(|(reason, count)| ReasonCount {
                reason: reason.number(),
                reason_text: reason.to_string(),
                count,
            })
            .collect(),
        state_changes: counts.state_changes,
        route_modifier_changes: counts.modifier_changes,
        validations_passed: counts.validations_passed,
        validations_failed: counts.validations_failed,
        kernel_refusals: counts.kernel_refusals,
        suspensions: counts.suspensions,
        cut_offs: counts.cut_offs,
        errors: counters(&snapshot.link_counters)
            .filter(|counter| !NO_ERRORS.contains(&counter.name.as_str()))
            .chain(counters(&snapshot.bfd_counters).filter(|counter| counter.count > 0))
            .collect(),
        recorded_steps: snapshot.recorded.0,
        record_lost_steps: snapshot.recorded.1,
        events_lost: herald.lost(),
        bulk_files_written: herald.bulk().0,
        bulk_write_failures: herald.bulk().1,
        event_targets: herald.targets(),
    }
}

fn counters(named: &[(String, u64)]) -> impl Iterator<Item = Counter> {
    named.iter().map(|(name, count)| Counter { name: name.clone(), count: *count })
}

fn configuration_state(snapshot: &Snapshot) -> String {
    match (snapshot.chassis.config_in_sync(), &snapshot.differences) {
        (Some(true), _) => "In sync".into(),
        (Some(false), Some(differences)) => format!("Out of sync ({} differences)", differences.len()),
        (Some(false), None) => "Out of sync".into(),
        (None, _) => "Unknown".into(),
    }
}

/// `show srp monitor`.
pub fn monitors(snapshot: &Snapshot) -> Monitors {
    let now = clock::now();
    let Monitoring { watched, failures, held, past_failures, peer_failures, peer_past_failures } =
        snapshot.chassis.monitoring(now);
    let monitor = |watched: Watched| {
        let Monitored { id: MonitorId { kind, context, name }, group } = watched.monitored;
        Monitor {
            kind: kind.to_string(),
            context,
            name,
            group,
            state: watched.state.to_string(),
            since_us: clock::wall_us(watched.since),
        }
    };
    let failure = |failure: Failure| MonitorFailure {
        kind: failure.kind.to_string(),
        what: failure.what,
        since_us: clock::wall_us(failure.since),
        damped_ms: (failure.due > now).then(|| failure.due.since(now).0 / 1_000),
        disregarded: failure.disregarded.map(|why| why.to_string()),
    };
    Monitors {
        monitors: watched.into_iter().map(monitor).collect(),
        failures: failures.into_iter().map(failure).collect(),
        stays: held.map(|held| held.to_string()),
        past_failures,
        peer_failures,
        peer_past_failures,
    }
}

/// `show ip bgp summary` of one context.
pub fn bgp_context(
    context: &ContextConfig,
    summary: &SpeakerSummary,
    originated: &[Originated],
) -> BgpContext {
    let originated = originated
        .iter()
        .map(|route| OriginatedPrefix { prefix: route.prefix.to_string(), prepends: route.prepend.into() });
    let neighbors = summary.neighbors.iter().map(|neighbor| BgpNeighbor {
        address: neighbor.neighbor.to_string(),
        found: found(neighbor),
        remote_as: neighbor.remote_as.0,
        dynamic: neighbor.dynamic,
        state: neighbor.state.to_string(),
        since_us: clock::wall_us_of(neighbor.since),
        messages_received: neighbor.messages_in,
        messages_sent: neighbor.messages_out,
        prefixes_received: neighbor.prefixes_received,
        prefixes_accepted: neighbor.prefixes_accepted,
        prefixes_sent: neighbor.prefixes_sent,
        last_error: neighbor.last_error.as_ref().map(ToString::to_string),
    });
    BgpContext {
        context: context.name.clone(),
        vrf: context.vrf().map(str::to_owned),
        router_id: summary.router_id.to_string(),
        local_as: summary.local_as.0,
        originated: originated.collect(),
        onlookers: summary.monitors.iter().map(onlooker).collect(),
        neighbors: neighbors.collect(),
    }
}

/// Where a neighbour is that is known by its interface alone.
pub fn found(neighbor: &NeighborSummary) -> Option<String> {
    let found = neighbor.details.config.address.filter(|_| neighbor.neighbor.address.is_none());
    found.map(|address| address.to_string())
}

fn onlooker(monitor: &MonitorSummary) -> BgpOnlooker {
    BgpOnlooker {
        name: monitor.name.clone(),
        works: monitor.works,
        state: monitor.state.clone(),
        written: monitor.written,
        lost: monitor.lost,
    }
}
