//! The way into the chassis thread from every other one.

use std::io;
use std::net::IpAddr;
use std::sync::mpsc;

use mio::Waker;
use srp_core::api::Switchover;
use srp_core::chassis::{Answer, Event, Probed, Settings};
use srp_core::types::{SwitchReason, Time};
use srp_core::wire::{ConfigItem, Hello};
use tokio::sync::oneshot;

use crate::bfd::BfdError;
use crate::counts::Counts;
use crate::link::Credentials;
use crate::paths::{PathView, Wanted};
use crate::record::Recorder;

/// Something for the chassis thread.
pub enum Input {
    /// An event for the state machine, with the steps of the journal that it brings.
    Event(Event, Vec<Noted>),
    /// `srp initiate-switchover`.
    InitiateSwitchover {
        /// Skip validation.
        force: bool,
        /// Where the answer goes.
        reply: oneshot::Sender<Answer>,
    },
    /// `srp validate-switchover`.
    ValidateSwitchover(oneshot::Sender<Answer>),
    /// Our items go to the peer, which compares them with its own.
    CompareConfiguration,
    /// `srp terminate-post-process`.
    TerminatePostProcess(oneshot::Sender<Answer>),
    /// `srp reset-auth-probe-fail`, `srp reset-diameter-fail`.
    ResetMonitor {
        /// Of what.
        kind: Probed,
        /// Where the answer goes.
        reply: oneshot::Sender<Answer>,
    },
    /// What it knows, for `show`.
    Snapshot(oneshot::Sender<Box<Snapshot>>),
    /// The configuration was reloaded.
    Reconfigured(Box<Settings>, Vec<ConfigItem>),
    /// BFD sessions of a reloaded configuration; the answer says whether they could be had.
    Bfd(Vec<Wanted>, oneshot::Sender<Result<(), BfdError>>),
    /// A link has lost its carrier, or is gone.
    LinkDown {
        /// Index of the interface.
        interface: u32,
    },
    /// An address of ours is gone.
    AddressGone {
        /// The address.
        address: IpAddr,
        /// The VRF that it was in.
        vrf: Option<String>,
    },
    /// Keys and certificates for new connections of the link.
    Credentials(Box<Credentials>),
    /// From here on the state machine is recorded so, or not at all.
    Record(Option<Box<Recorder>>),
}

/// A step for the journal of switchovers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: Time,
    /// Stable name in kebab case, as `srp_core::api::SwitchoverStep` lists them.
    pub step: &'static str,
    /// For people.
    pub detail: String,
}

/// The chassis thread's knowledge at one instant.
pub struct Snapshot {
    /// State, modifier and settings are read from a copy of the state machine.
    pub chassis: srp_core::chassis::Chassis,
    /// The peer's last Hello and its age's start.
    pub peer: Option<(Hello, Time)>,
    /// What new connections prove themselves with.
    pub credentials: Option<Credentials>,
    /// What protects the link, while it is up.
    pub security: Option<String>,
    /// Last reason for which the link is not up.
    pub connection: String,
    /// When the link came up or went down.
    pub connection_since: Time,
    /// What happened how often.
    pub counts: Counts,
    /// Steps in the record, and steps that it has lost.
    pub recorded: (u64, u64),
    /// When the chassis thread began.
    pub started: Time,
    /// BFD sessions.
    pub paths: Vec<PathView>,
    /// Last round trip of a Hello.
    pub round_trip_ms: Option<f64>,
    /// Differences of configuration, once the peer's items are known.
    pub differences: Option<Vec<String>>,
    /// Result of the last validation.
    pub last_validation: String,
    /// Last change of state.
    pub last_switch:
        Option<(Time, srp_core::types::ChassisState, srp_core::types::ChassisState, SwitchReason)>,
    /// Newest first.
    pub switchovers: Vec<Switchover>,
    /// Switchovers since start.
    pub switchover_count: u64,
    /// Counters of the link.
    pub link_counters: Vec<(String, u64)>,
    /// BFD packets that were not taken, by reason.
    pub bfd_counters: Vec<(String, u64)>,
}

/// The sender; cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    inputs: mpsc::Sender<Input>,
    waker: std::sync::Arc<Waker>,
}

impl Inbox {
    /// The two ends.
    pub fn new(waker: Waker) -> (Self, mpsc::Receiver<Input>) {
        let (inputs, receiver) = mpsc::channel();
        (Self { inputs, waker: std::sync::Arc::new(waker) }, receiver)
    }

    /// Hands it over and wakes the thread. An error means that the thread is gone.
    pub fn send(&self, input: Input) -> io::Result<()> {
        self.inputs.send(input).map_err(|_| io::Error::other("the chassis thread has ended"))?;
        self.waker.wake()
    }
}
