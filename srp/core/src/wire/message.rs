//! The messages, one struct each; field numbers are for ever, a new field takes the next free one and is optional.
//!
//! | Message | From | To | Says |
//! |---|---|---|---|
//! | [`Hello`] | either | peer | what I am, what I last heard of you; each hello-interval and on every change |
//! | [`ConfigItems`] | either | peer | what my configuration digest was made of |
//! | [`SwitchoverRequest`] | Pending-Standby | Standby | take over, make before break |
//! | [`SwitchoverAbort`] | either | peer | the switchover of this number is off, and why |
//! | [`TerminatePostProcess`] | Active | Standby | stop forwarding for routers that have not yet turned away |
//! | [`Close`] | either | peer | I close the link, and why |

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::frame::{OLDEST_VERSION, VERSION};
use crate::types::{BootId, ChassisMode, ChassisState, Identity, Mac, Priority, RouteModifier, Span, Time};

/// A message of the SRP link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// State, configuration digest and priority of the sender (CH-2 .. CH-4).
    Hello(Hello),
    /// The items behind the configuration digest (CH-12).
    ConfigItems(ConfigItems),
    /// Asks the Standby to take over.
    SwitchoverRequest(SwitchoverRequest),
    /// The switchover is off.
    SwitchoverAbort(SwitchoverAbort),
    /// The link is about to close.
    Close(Close),
    /// An operator ends what is left to do after a switchover.
    TerminatePostProcess(TerminatePostProcess),
    /// A message type from a newer release: counted, otherwise ignored.
    Unknown(u8),
}

/// State of the sender, and what it last heard of the receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    /// Counts up by one with each Hello of one connection, from 1; the greeting before them is number 0.
    #[n(0)]
    pub sequence: u64,
    /// The sender's clock when it sent this; only its own echo has a meaning.
    #[n(1)]
    pub sent_at: Time,
    /// `sent_at` of the last Hello that the sender received on this connection, for the round-trip time.
    #[n(2)]
    pub echo_sent_at: Option<Time>,
    /// Life of the sender.
    #[n(3)]
    pub boot: BootId,
    /// Release of the sender, as text.
    #[n(4)]
    pub release: String,
    /// State of the sender.
    #[n(5)]
    pub state: ChassisState,
    /// Configured role of the sender.
    #[n(6)]
    pub mode: ChassisMode,
    /// Priority of the sender.
    #[n(7)]
    pub priority: Priority,
    /// MAC address of the sender.
    #[n(8)]
    pub mac: Mac,
    /// Route modifier that the sender's routes carry now; a new one is named only once routers have it.
    #[n(9)]
    pub modifier: RouteModifier,
    /// Number of the sender's present standing: counts up with every change of state or modifier.
    #[n(10)]
    pub standing: u64,
    /// Number of the receiver's standing that the sender last heard of.
    #[n(11)]
    pub echo_standing: Option<u64>,
    /// What the sender believes of the receiver; survives the receiver's restart, so that it can vouch.
    #[n(12)]
    pub view: Option<PeerView>,
    /// SHA-256 over the configuration items that must be equal on both chassis.
    #[cbor(n(13), with = "minicbor::bytes")]
    #[serde(with = "crate::hex")]
    pub config_digest: [u8; 32],
    /// Session managers configured on the sender.
    #[n(14)]
    pub session_managers: u32,
    /// Session managers of the sender that are connected to the receiver's.
    #[n(15)]
    pub session_managers_connected: u32,
    /// BGP neighbours configured on the sender.
    #[n(16)]
    pub bgp_neighbors: u32,
    /// BGP neighbours of the sender that are Established.
    #[n(17)]
    pub bgp_established: u32,
    /// The lowest octet is the newest protocol version that the sender speaks, less one. The other bits are for what
    /// later releases can do; unknown ones are ignored.
    #[n(18)]
    pub capabilities: u64,
    /// How long the sender held that Hello before it sent this one: no part of the round trip.
    #[n(19)]
    pub echo_held: Option<Span>,
    /// Sets of monitors of the sender that have failed, of those that count; absent if it watches nothing.
    #[n(20)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitors_failed: Option<u32>,
    /// Sets that had failed when it was Active last, of what it cannot see as Standby; absent if it watches nothing.
    #[n(21)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitors_remembered: Option<u32>,
}

impl Hello {
    /// What this release says of itself.
    pub const CAPABILITIES: u64 = VERSION as u64 - 1;

    /// The newest protocol version that the sender and this release speak.
    pub fn common_version(&self) -> u8 {
        let [newest, ..] = self.capabilities.to_le_bytes();
        newest.saturating_add(1).clamp(OLDEST_VERSION, VERSION)
    }

    /// Who sent it.
    pub fn identity(&self) -> Identity {
        Identity { mode: self.mode, priority: self.priority, mac: self.mac, boot: self.boot }
    }
}

/// What a chassis believes of its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct PeerView {
    /// Last state heard of the peer's established life.
    #[n(0)]
    pub state: ChassisState,
    /// Last modifier heard with it.
    #[n(1)]
    pub modifier: RouteModifier,
}

/// One line of the part of the configuration that must be equal on both chassis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct ConfigItem {
    /// Where it stands, such as `pool dynamic`.
    #[n(0)]
    pub key: String,
    /// What it says, such as `172.18.0.0/16`.
    #[n(1)]
    pub value: String,
}

/// All items behind the sender's configuration digest, in configured order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct ConfigItems {
    /// The items.
    #[n(0)]
    pub items: Vec<ConfigItem>,
}

/// Asks the Standby to take over (SW-1); its Hello that says Active is the confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct SwitchoverRequest {
    /// Number of this switchover, of the sender's choice; every answer repeats it.
    #[n(0)]
    pub id: u64,
    /// The operator skipped validation.
    #[n(1)]
    pub force: bool,
    /// Public number of the reason (0 ..= 12).
    #[n(2)]
    pub reason: u8,
}

/// A switchover ends where it began: the old Active stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct SwitchoverAbort {
    /// Number of the switchover.
    #[n(0)]
    pub id: u64,
    /// Why, for the operator on the other side.
    #[n(1)]
    pub why: String,
}

/// Ends the drain of the chassis that has stepped down (SW-13). It says nothing beyond that.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct TerminatePostProcess {}

/// The sender closes the link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct Close {
    /// Why.
    #[n(0)]
    pub reason: CloseReason,
    /// Particulars, for the log on the other side.
    #[n(1)]
    pub text: String,
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Encode, Decode)]
#[cbor(index_only)]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// The sender stops in good order: it has withdrawn and no longer serves.
    #[n(0)]
    Stopping,
    /// The other connection of a collision stays.
    #[n(1)]
    Collision,
    /// The sender does not speak the receiver's protocol version.
    #[n(2)]
    Version,
    /// The receiver sent something that is not a message, or out of order.
    #[n(3)]
    Protocol,
    /// No Hello within the dead-interval.
    #[n(4)]
    Silent,
    /// The sender's configuration changed in a way that needs a new link.
    #[n(5)]
    Reconfigured,
}
