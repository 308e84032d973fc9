//! What `show events` and `show snmp trap history` answer.

use serde::{Deserialize, Serialize};

use crate::events::{Entry, Severity};
use crate::types::SwitchReason;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Counts up from 1 since srpd started, without gaps.
    pub sequence: u64,
    /// When.
    pub at_us: u64,
    /// `CLOCK_MONOTONIC` microseconds of the same moment, to line it up with `show switchover`.
    pub monotonic_us: u64,
    /// Stable name; `docs/events.md` lists them.
    pub name: String,
    /// Last number of its public notification, if it has one.
    pub trap: Option<u32>,
    /// How bad it is.
    pub severity: Severity,
    /// Context: the redundancy context, or that of a BGP neighbour.
    pub context: Option<String>,
    /// Our end of the SRP link.
    pub srp_address: Option<String>,
    /// Port of the SRP link.
    pub port: Option<u16>,
    /// The other end: of the link, of BGP or of BFD.
    pub peer: Option<String>,
    /// Public number of the reason, 0 ..= 12.
    pub reason: Option<u8>,
    /// Public name of the reason.
    pub reason_text: Option<String>,
    /// For people.
    pub detail: Option<String>,
}

/// One who is told of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTarget {
    /// `snmp-2c`, `snmp-3`, the same with `-inform`, `syslog-udp` or `syslog-tcp`.
    pub kind: String,
    /// Address and port.
    pub target: String,
    /// Events that it was sent; of informs each time that one was sent.
    pub sent: u64,
    /// Informs that it has acknowledged; `None` for who acknowledges nothing.
    pub acknowledged: Option<u64>,
    /// Events that could not be sent, or were not acknowledged.
    pub lost: u64,
    /// Why not, until one can be sent again.
    pub trouble: Option<String>,
}

impl From<&Entry> for EventRecord {
    fn from(entry: &Entry) -> Self {
        let occurrence = &entry.occurrence;
        Self {
            sequence: entry.sequence,
            at_us: entry.wall_us,
            monotonic_us: entry.at.0,
            name: occurrence.name.text().to_owned(),
            trap: occurrence.name.trap(),
            severity: occurrence.name.severity(),
            context: occurrence.context.clone(),
            srp_address: occurrence.srp_address.map(|address| address.to_string()),
            port: occurrence.port,
            peer: occurrence.peer.clone(),
            reason: occurrence.reason.map(SwitchReason::number),
            reason_text: occurrence.reason.map(|reason| reason.to_string()),
            detail: occurrence.detail.clone(),
        }
    }
}
