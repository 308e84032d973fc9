//! `context.table`, `context.vrf`: where the routes of a context are.

use super::fault::Fault;
use super::kind::{Integer, Interface};
use super::reader::{Found, Reported, Section};

/// The table that the kernel uses unless told otherwise.
const MAIN_TABLE: u32 = 254;
/// The table that the kernel fills with its local addresses.
const LOCAL_TABLE: u32 = 255;

/// The kernel routing table of a context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextTable {
    /// A table of the network that all contexts outside of VRFs share, 1 ..= `u32::MAX` without 255; default 254, the main one.
    Number(u32),
    /// That of the VRF device with this name, in which the context's sockets are, too.
    Vrf(String),
}

impl ContextTable {
    /// The kernel's main table.
    pub const MAIN: Self = Self::Number(MAIN_TABLE);

    /// The name of the VRF, if it is that of one.
    pub fn vrf(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Vrf(name) => Some(name),
        }
    }
}

impl Default for ContextTable {
    fn default() -> Self {
        Self::MAIN
    }
}

/// `table` or `vrf`: a VRF has a table of its own.
pub(super) fn read(s: &Section<'_, '_>) -> Result<Found<ContextTable>, Reported> {
    let table = s.or("table", &Integer::<u32>::new(1, u32::MAX), MAIN_TABLE);
    let vrf = s.optional("vrf", &Interface);
    let (table, vrf) = (table?, vrf?);
    let Some(vrf) = vrf else {
        if table.value == LOCAL_TABLE {
            return Err(s.report(&table.at, Fault::LocalTable));
        }
        return Ok(Found { value: ContextTable::Number(table.value), at: table.at });
    };
    if table.at.written.is_some() {
        return Err(s.report(&table.at, Fault::TableBesideVrf { vrf: vrf.at }));
    }
    Ok(Found { value: ContextTable::Vrf(vrf.value), at: vrf.at })
}
