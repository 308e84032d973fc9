//! The states of a chassis with the data that only they need.

use serde::{Deserialize, Serialize};

use super::presence::Ticket;
use crate::types::{ChassisState, SwitchReason, Time};

/// What the chassis is, and what it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Role {
    /// Until the peer is heard, or is dead.
    Init,
    /// Until the Active is dead, or hands over.
    Standby,
    /// Until everything is installed and announced.
    PendingActive { until: Time, take_over: TakeOver },
    /// Until told otherwise.
    Active,
    /// Until the peer serves and our announcements are gone.
    PendingStandby { until: Time, reason: SwitchReason, step: HandOver },
}

/// Why it takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum TakeOver {
    /// Nobody serves.
    Unplanned(SwitchReason),
    /// The Active asked, under this number.
    Planned { id: u64, force: bool, reason: SwitchReason },
}

/// How far it has stepped down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum HandOver {
    /// Waits for critical checkpoints to reach the peer.
    Flushing { id: u64, ticket: Ticket, force: bool, asked: Option<Asked> },
    /// Has asked the peer to take over, and still serves.
    Waiting { id: u64, asked: Option<Asked> },
    /// The peer serves, or nobody shall: waits for the withdraw.
    Leaving,
}

/// The operator's request behind a switchover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) request: u64,
    pub(super) at: Time,
}

impl Role {
    pub(super) fn state(&self) -> ChassisState {
        match self {
            Self::Init => ChassisState::Init,
            Self::Standby => ChassisState::Standby,
            Self::PendingActive { .. } => ChassisState::PendingActive,
            Self::Active => ChassisState::Active,
            Self::PendingStandby { .. } => ChassisState::PendingStandby,
        }
    }
}

impl TakeOver {
    pub(super) fn reason(self) -> SwitchReason {
        match self {
            Self::Unplanned(reason) | Self::Planned { reason, .. } => reason,
        }
    }
}
