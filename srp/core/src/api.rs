//! The control API: one JSON object a line each way over a Unix socket, request then response.
//!
//! `srpctl` renders these types as text and `--json` prints them as they are, so their field names are an interface:
//! `docs/control-api.md` lists them, and a test holds it against this code.
//! Times are wall time, microseconds since 1970 UTC (`*_us`), spans are milliseconds (`*_ms`).

mod bgp;
mod events;
mod info;
mod interfaces;
mod monitor;
mod neighbors;
#[cfg(test)]
mod page;
mod probes;
mod statistics;
mod switchover;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::events::Severity;

pub use bgp::{
    BgpAdvertised, BgpAnnouncement, BgpCleared, BgpContext, BgpDumped, BgpNeighbor, BgpOnlooker, BgpPath,
    BgpTable, OriginatedPrefix,
};
pub use events::{EventRecord, EventTarget};
pub use info::{BfdSession, LastSwitch, PeerInfo, SrpInfo};
pub use interfaces::{Interface, InterfaceAddress, InterfaceCounts, LinkState};
pub use monitor::{Monitor, MonitorFailure, MonitorReset, Monitors};
pub use neighbors::{
    BgpCapability, BgpFamily, BgpIdle, BgpMessageCount, BgpNeighborDetails, BgpNotificationCount,
};
pub use probes::{AuthServer, DiameterPeer};
pub use statistics::{MessageCount, ReasonCount, SrpStatistics};
pub use switchover::{Check, PostProcessTerminated, Switchover, SwitchoverDone, SwitchoverStep, Validation};

/// What an operator can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "request")]
pub enum Request {
    /// `show srp info`.
    ShowSrpInfo,
    /// `show srp statistics`.
    ShowSrpStatistics,
    /// `show srp details`.
    ShowSrpDetails,
    /// `show srp monitor [all | bgp | ...]`.
    ShowSrpMonitor,
    /// `show srp monitor authentication-probe`.
    ShowSrpMonitorAuthenticationProbe,
    /// `show srp monitor diameter [debug]`.
    ShowSrpMonitorDiameter,
    /// `show ip bgp summary`.
    ShowBgpSummary,
    /// `show ip bgp neighbors [A]`.
    ShowBgpNeighbors {
        /// Its address; all neighbours if absent.
        neighbor: Option<String>,
    },
    /// `show ip bgp [PREFIX | ADDRESS]`.
    ShowBgpRoutes {
        /// A prefix, or an address for the longest prefix that holds it; all routes if absent.
        to: Option<String>,
    },
    /// `show ip bgp neighbors A received-routes`.
    ShowBgpReceived {
        /// Its address.
        neighbor: String,
    },
    /// `show ip bgp neighbors A advertised-routes`.
    ShowBgpAdvertised {
        /// Its address.
        neighbor: String,
    },
    /// `clear ip bgp A [soft in | soft out]`.
    ClearBgp {
        /// Its address.
        neighbor: String,
        /// What of it.
        what: ClearBgp,
    },
    /// `dump bgp CONTEXT FILE`.
    DumpBgp {
        /// Name of the context.
        context: String,
        /// Where srpd writes it; an absolute path.
        file: PathBuf,
    },
    /// `show ip interface ...` and `show port ...`.
    ShowInterfaces {
        /// Those of one context; of all if absent.
        context: Option<String>,
        /// The one of this name; all if absent.
        name: Option<String>,
    },
    /// `show switchover [last | all]`.
    ShowSwitchover {
        /// How many, newest first.
        last: usize,
    },
    /// `show events [severity S] [last N]` and `show snmp trap history`.
    ShowEvents {
        /// This bad and worse; what clears such an event is among them.
        severity: Severity,
        /// How many, the last ones.
        last: usize,
        /// Only those that have a public number.
        traps: bool,
    },
    /// `show configuration srp`.
    ShowConfiguration,
    /// `configure commit`: the file is read again, as on SIGHUP.
    Reload,
    /// `srp initiate-switchover [force]`.
    InitiateSwitchover {
        /// Skip validation, never ordering.
        force: bool,
    },
    /// `srp validate-switchover`.
    ValidateSwitchover,
    /// `srp validate-configuration`.
    ValidateConfiguration,
    /// `srp terminate-post-process`.
    TerminatePostProcess,
    /// `srp reset-auth-probe-fail`.
    ResetAuthProbeFail,
    /// `srp reset-diameter-fail`.
    ResetDiameterFail,
}

/// What `clear ip bgp` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearBgp {
    /// End the session and begin anew.
    Session,
    /// Judge what the neighbour has told us again; the session stays.
    SoftIn,
    /// Tell the neighbour everything again; the session stays.
    SoftOut,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "response", content = "body")]
pub enum Response {
    /// To `ShowSrpInfo`.
    SrpInfo(Box<SrpInfo>),
    /// To `ShowSrpStatistics`.
    SrpStatistics(Box<SrpStatistics>),
    /// To `ShowSrpDetails`.
    SrpDetails(Box<SrpDetails>),
    /// To `ShowSrpMonitor`.
    Monitors(Monitors),
    /// To `ShowSrpMonitorAuthenticationProbe`.
    AuthServers(Vec<AuthServer>),
    /// To `ShowSrpMonitorDiameter`.
    DiameterPeers(Vec<DiameterPeer>),
    /// To `ShowBgpSummary`.
    BgpSummary(Vec<BgpContext>),
    /// To `ShowBgpNeighbors`.
    BgpNeighbors(Vec<BgpNeighborDetails>),
    /// To `ShowBgpRoutes` and `ShowBgpReceived`.
    BgpRoutes(Vec<BgpTable>),
    /// To `ShowBgpAdvertised`.
    BgpAdvertised(Vec<BgpAdvertised>),
    /// To `ClearBgp`: done.
    BgpCleared(BgpCleared),
    /// To `DumpBgp`: done.
    BgpDumped(BgpDumped),
    /// To `ShowInterfaces`, in configured order.
    Interfaces(Vec<Interface>),
    /// To `ShowSwitchover`, newest first.
    Switchovers(Vec<Switchover>),
    /// To `ShowEvents`, oldest first.
    Events(Vec<EventRecord>),
    /// To `ShowConfiguration`.
    Configuration(Configuration),
    /// To `Reload`: taken over.
    Reloaded(Reloaded),
    /// To `InitiateSwitchover`: done.
    SwitchoverDone(SwitchoverDone),
    /// To `ValidateSwitchover` and `ValidateConfiguration`.
    Validation(Validation),
    /// To `ResetAuthProbeFail` and `ResetDiameterFail`.
    MonitorReset(MonitorReset),
    /// To `TerminatePostProcess`.
    PostProcessTerminated(PostProcessTerminated),
    /// The request was understood and refused, or failed.
    Error {
        /// One line each: what is in the way and what to do.
        reasons: Vec<String>,
    },
}

/// `show srp details`: everything at once, for support.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SrpDetails {
    /// When it was put together.
    pub at_us: u64,
    /// As `show srp info`.
    pub info: SrpInfo,
    /// As `show srp statistics`.
    pub statistics: SrpStatistics,
    /// As `show srp monitor`.
    pub monitors: Monitors,
    /// As `show ip bgp summary`.
    pub bgp: Vec<BgpContext>,
    /// As `show switchover all`, newest first.
    pub switchovers: Vec<Switchover>,
    /// As `show configuration srp`.
    pub configuration: Configuration,
}

/// `show configuration srp`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The running configuration in TOML, every default filled in; it names key files and holds no keys.
    pub text: String,
    /// What differs from the peer, item by item; `None` while the peer's is not known.
    pub differences: Option<Vec<String>>,
    /// The file that srpd was started with; an absolute path.
    pub file: PathBuf,
}

/// `configure commit`, taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// What has changed, one line each; empty if nothing has.
    pub changes: Vec<String>,
}

/// A named counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Name.
    pub name: String,
    /// Value since start.
    pub count: u64,
}
