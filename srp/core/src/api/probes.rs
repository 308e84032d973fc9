//! What is probed: AAA servers and Diameter peers.

use serde::{Deserialize, Serialize};

use super::Counter;

/// An AAA server of `show srp monitor authentication-probe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuthServer {
    /// Context in which it is reached.
    pub context: String,
    /// Its address.
    pub address: String,
    /// Its UDP port.
    pub port: u16,
    /// `access-request` or `status-server`.
    pub mode: String,
    /// `Unknown`, `Up` or `Down`; `Unknown` on a chassis that is not Active.
    pub state: String,
    /// When it became this; 0 if it never was anything else than `Unknown`.
    pub since_us: u64,
    /// Why, in one line.
    pub reason: String,
    /// Requests in a row that were not answered.
    pub failures: u32,
    /// Round trip of the last answer.
    pub round_trip_ms: Option<f64>,
    /// Requests since it is configured, repeats among them.
    pub sent: u64,
    /// Access-Accepts.
    pub accepts: u64,
    /// Access-Rejects.
    pub rejects: u64,
    /// Access-Challenges.
    pub challenges: u64,
    /// Requests that were not answered in time.
    pub timeouts: u64,
    /// Times that it became `Down`.
    pub downs: u64,
    /// Datagrams that were ignored, by reason; those that came never are left out.
    pub bad_answers: Vec<Counter>,
}

/// A Diameter peer of `show srp monitor diameter`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiameterPeer {
    /// Context in which it is reached.
    pub context: String,
    /// Its address.
    pub address: String,
    /// Its TCP port.
    pub port: u16,
    /// Group, if any.
    pub group: Option<u32>,
    /// The identity that it has to have.
    pub host: Option<String>,
    /// Our identity.
    pub origin_host: String,
    /// `Unknown`, `Up` or `Down`; `Unknown` on a chassis that is not Active.
    pub state: String,
    /// When it became this; 0 if it never was anything else than `Unknown`.
    pub since_us: u64,
    /// Why, in one line.
    pub reason: String,
    /// State of the connection: `OKAY`, `SUSPECT`, `REOPEN`, `DOWN` and `INITIAL` are those of RFC 3539.
    pub connection: String,
    /// Round trip of the last watchdog.
    pub round_trip_ms: Option<f64>,
    /// Attempts to connect since it is configured.
    pub attempts: u64,
    /// Connections that were opened by Capabilities-Exchange.
    pub opened: u64,
    /// Device-Watchdog-Requests of ours.
    pub watchdogs_sent: u64,
    /// Answers to them.
    pub watchdogs_answered: u64,
    /// Those that were not answered within Tw.
    pub watchdogs_missed: u64,
    /// Device-Watchdog-Requests of the peer.
    pub watchdogs_received: u64,
    /// Requests for applications, refused.
    pub requests_refused: u64,
    /// Messages that answer nothing, or came before their time: ignored.
    pub unexpected: u64,
    /// Connections that ended with octets that are no Diameter.
    pub malformed: u64,
    /// Times that it became `Down`.
    pub downs: u64,
}
