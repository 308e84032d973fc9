//! `show srp monitor authentication-probe` and `show srp monitor diameter [debug]`.

use srp_core::api::{AuthServer, Counter, DiameterPeer};

use super::table::{Edge, fields, table};
use super::time::age;

/// AAA servers: a table, then each with its reason and counters.
pub fn servers(servers: &[AuthServer], now_us: u64) -> String {
    if servers.is_empty() {
        return "No AAA servers are probed.\n".into();
    }
    let header = [
        ("Context", Edge::Left),
        ("Server", Edge::Left),
        ("Mode", Edge::Left),
        ("State", Edge::Left),
        ("Since", Edge::Right),
        ("RTT", Edge::Right),
        ("Sent", Edge::Right),
        ("Answered", Edge::Right),
        ("Timeouts", Edge::Right),
        ("Bad", Edge::Right),
    ];
    let row = |server: &AuthServer| {
        let answered = server.accepts + server.rejects + server.challenges;
        let bad: u64 = server.bad_answers.iter().map(|counter| counter.count).sum();
        vec![
            server.context.clone(),
            endpoint(&server.address, server.port),
            server.mode.clone(),
            server.state.clone(),
            age(server.since_us, now_us),
            round_trip(server.round_trip_ms),
            server.sent.to_string(),
            answered.to_string(),
            server.timeouts.to_string(),
            bad.to_string(),
        ]
    };
    let rows: Vec<_> = servers.iter().map(row).collect();
    let details: String = servers.iter().map(server_details).collect();
    let up = servers.iter().filter(|server| server.state == "Up").count();
    format!("{}\n{details}\nTotal servers {}, up {up}\n", table(&header, &rows), servers.len())
}

fn server_details(server: &AuthServer) -> String {
    let name = endpoint(&server.address, server.port);
    let answers =
        format!("{} accepted, {} rejected, {} challenged", server.accepts, server.rejects, server.challenges);
    let lines = [
        ("Reason", server.reason.clone()),
        ("Unanswered in a row", server.failures.to_string()),
        ("Answers", answers),
        ("Ignored", ignored(&server.bad_answers)),
        ("Times down", server.downs.to_string()),
    ];
    format!("Server {}\n{}", super::clean(&name), indented(&lines))
}

fn ignored(counters: &[Counter]) -> String {
    if counters.is_empty() {
        return "none".into();
    }
    let counters = counters.iter().map(|counter| format!("{} {}", counter.count, counter.name));
    counters.collect::<Vec<_>>().join(", ")
}

/// Diameter peers: a table; with `debug` each with its connection and counters.
pub fn peers(peers: &[DiameterPeer], debug: bool, now_us: u64) -> String {
    if peers.is_empty() {
        return "No Diameter peers are watched.\n".into();
    }
    let header = [
        ("Context", Edge::Left),
        ("Peer", Edge::Left),
        ("Group", Edge::Right),
        ("State", Edge::Left),
        ("Since", Edge::Right),
        ("Connection", Edge::Left),
        ("RTT", Edge::Right),
        ("Reason", Edge::Left),
    ];
    let row = |peer: &DiameterPeer| {
        vec![
            peer.context.clone(),
            endpoint(&peer.address, peer.port),
            peer.group.map_or("-".to_owned(), |group| group.to_string()),
            peer.state.clone(),
            age(peer.since_us, now_us),
            peer.connection.clone(),
            round_trip(peer.round_trip_ms),
            peer.reason.clone(),
        ]
    };
    let rows: Vec<_> = peers.iter().map(row).collect();
    let details: String = peers.iter().filter(|_| debug).map(peer_details).collect();
    let gap = if details.is_empty() { "" } else { "\n" };
    let up = peers.iter().filter(|peer| peer.state == "Up").count();
    format!("{}{gap}{details}\nTotal peers {}, up {up}\n", table(&header, &rows), peers.len())
}

fn peer_details(peer: &DiameterPeer) -> String {
    let watchdogs = format!(
        "{} sent, {} answered, {} missed, {} received",
        peer.watchdogs_sent, peer.watchdogs_answered, peer.watchdogs_missed, peer.watchdogs_received
    );
    let lines = [
        ("Wanted host", peer.host.clone().unwrap_or_else(|| "any".into())),
        ("Origin-Host", peer.origin_host.clone()),
        ("Connections", format!("{} tried, {} opened", peer.attempts, peer.opened)),
        ("Watchdogs", watchdogs),
        ("Requests refused", peer.requests_refused.to_string()),
        ("Unexpected messages", peer.unexpected.to_string()),
        ("Malformed", peer.malformed.to_string()),
        ("Times down", peer.downs.to_string()),
    ];
    format!("Peer {}\n{}", super::clean(&endpoint(&peer.address, peer.port)), indented(&lines))
}

fn indented(lines: &[(&str, String)]) -> String {
    fields(lines).lines().fold(String::new(), |text, line| text + "  " + line + "\n")
}

fn endpoint(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn round_trip(ms: Option<f64>) -> String {
    ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_server_and_what_is_behind_it() {
        let up = AuthServer {
            context: "aaa".into(),
            address: "10.9.1.1".into(),
            port: 1812,
            mode: "access-request".into(),
            state: "Up".into(),
            since_us: 1,
            reason: "answers with Access-Reject".into(),
            failures: 0,
            round_trip_ms: Some(1.26),
            sent: 12,
            accepts: 0,
            rejects: 11,
            challenges: 0,
            timeouts: 1,
            downs: 0,
            bad_answers: vec![Counter { name: "late".into(), count: 1 }],
        };
        let expected = "\
Context  Server         Mode            State     Since     RTT  Sent  Answered  Timeouts  Bad
aaa      10.9.1.1:1812  access-request  Up     00:00:09  1.3 ms    12        11         1    1

Server 10.9.1.1:1812
  Reason:               answers with Access-Reject
  Unanswered in a row:  0
  Answers:              0 accepted, 11 rejected, 0 challenged
  Ignored:              1 late
  Times down:           0

Total servers 1, up 1
";
        assert_eq!(servers(&[up], 9_000_001), expected);
        assert_eq!(servers(&[], 0), "No AAA servers are probed.\n");
    }

    #[test]
    fn a_line_for_each_peer_and_more_with_debug() {
        let down = DiameterPeer {
            context: "policy".into(),
            address: "2001:db8::1".into(),
            port: 3868,
            group: Some(2),
            host: None,
            origin_host: "gateway.example".into(),
            state: "Down".into(),
            since_us: 0,
            reason: "no connection: Connection refused".into(),
            connection: "INITIAL".into(),
            round_trip_ms: None,
            attempts: 3,
            opened: 0,
            watchdogs_sent: 0,
            watchdogs_answered: 0,
            watchdogs_missed: 0,
            watchdogs_received: 0,
            requests_refused: 0,
            unexpected: 0,
            malformed: 0,
            downs: 1,
        };
        let head = "\
Context  Peer                Group  State  Since  Connection  RTT  Reason
policy   [2001:db8::1]:3868      2  Down   never  INITIAL       -  no connection: Connection refused
";
        let debug = "
Peer [2001:db8::1]:3868
  Wanted host:          any
  Origin-Host:          gateway.example
  Connections:          3 tried, 0 opened
  Watchdogs:            0 sent, 0 answered, 0 missed, 0 received
  Requests refused:     0
  Unexpected messages:  0
  Malformed:            0
  Times down:           1
";
        let end = "\nTotal peers 1, up 0\n";
        let all = [down];
        assert_eq!(peers(&all, false, 9_000_001), format!("{head}{end}"));
        assert_eq!(peers(&all, true, 9_000_001), format!("{head}{debug}{end}"));
        assert_eq!(peers(&[], true, 0), "No Diameter peers are watched.\n");
    }
}
