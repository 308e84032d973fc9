//! `show srp monitor authentication-probe` and `show srp monitor diameter`.

use std::time::Duration;

use ::probe::radius::{Bad, Question};
use ::probe::{Standing, State};
use srp_core::api::{AuthServer, Counter, DiameterPeer};
use srp_core::types::Time;

use crate::clock;
use crate::probes::Probes;

/// AAA servers, in configured order.
pub fn servers(probes: &Probes) -> Vec<AuthServer> {
    let server = |(settings, view): (crate::probes::ServerSettings, crate::probes::ServerView)| {
        let counters = view.counters;
        let bad = Bad::NAMES.iter().zip(counters.bad).filter(|(_, count)| *count > 0);
        AuthServer {
            context: settings.context,
            address: settings.server.ip().to_string(),
            port: settings.server.port(),
            mode: match settings.settings.question {
                Question::AccessRequest { .. } => "access-request",
                Question::StatusServer => "status-server",
            }
            .into(),
            state: view.standing.state.to_string(),
            since_us: since_us(&view.standing),
            reason: view.standing.reason,
            failures: view.failures,
            round_trip_ms: view.round_trip.map(millis),
            sent: counters.sent,
            accepts: counters.accepts,
            rejects: counters.rejects,
            challenges: counters.challenges,
            timeouts: counters.timeouts,
            downs: counters.downs,
            bad_answers: bad.map(|(name, count)| Counter { name: (*name).to_owned(), count }).collect(),
        }
    };
    probes.servers().into_iter().map(server).collect()
}

/// Diameter peers, in configured order.
pub fn peers(probes: &Probes) -> Vec<DiameterPeer> {
    let peer = |(settings, view): (crate::probes::PeerSettings, crate::probes::PeerView)| DiameterPeer {
        context: settings.context,
        address: settings.peer.ip().to_string(),
        port: settings.peer.port(),
        group: settings.group,
        host: settings.settings.host,
        origin_host: settings.settings.origin_host,
        state: view.standing.state.to_string(),
        since_us: since_us(&view.standing),
        reason: view.standing.reason,
        connection: view.connection.to_owned(),
        round_trip_ms: view.round_trip.map(millis),
        attempts: view.counters.attempts,
        opened: view.counters.opened,
        watchdogs_sent: view.counters.watchdogs_sent,
        watchdogs_answered: view.counters.watchdogs_answered,
        watchdogs_missed: view.counters.watchdogs_missed,
        watchdogs_received: view.counters.watchdogs_received,
        requests_refused: view.counters.requests_refused,
        unexpected: view.counters.unexpected,
        malformed: view.counters.malformed,
        downs: view.counters.downs,
    };
    probes.peers().into_iter().map(peer).collect()
}

/// 0 for one that has been nothing but Unknown.
fn since_us(standing: &Standing) -> u64 {
    match (standing.state, standing.since) {
        (State::Unknown, ::probe::Time(0)) => 0,
        (State::Unknown | State::Up | State::Down, since) => clock::wall_us(Time(since.0)),
    }
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
