//! Links that the configuration names.

use serde::{Deserialize, Serialize};

/// A link of `show ip interface` and `show port`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its context.
    pub context: String,
    /// Its name.
    pub name: String,
    /// The configuration sets it down.
    pub shutdown: bool,
    /// As it is; of one that is absent all that follows is empty.
    pub state: LinkState,
    /// Its alias in the kernel.
    pub description: Option<String>,
    /// Its hardware address.
    pub mac: Option<String>,
    /// The longest packet, octets.
    pub mtu: Option<u32>,
    /// `auto`, or Mbit/s and duplex; `None` where the driver says nothing.
    pub speed: Option<String>,
    /// The configured ones first, then what else the link has.
    pub addresses: Vec<InterfaceAddress>,
    /// From others.
    pub received: InterfaceCounts,
    /// To others.
    pub sent: InterfaceCounts,
}

/// What a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// This machine has no such link.
    Absent,
    /// Set down.
    Down,
    /// Set up, without carrier.
    NoCarrier,
    /// Set up, with carrier.
    Up,
}

/// An address of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// With its mask length.
    pub address: String,
    /// The configuration names it.
    pub configured: bool,
    /// The link has it.
    pub present: bool,
}

/// One direction, since the driver counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceCounts {
    /// Octets.
    pub octets: u64,
    /// Packets.
    pub packets: u64,
    /// Packets that were bad, or could not be sent.
    pub errors: u64,
    /// Packets for which there was no room.
    pub dropped: u64,
}
