//! `[[srp.monitor.bfd]]` and `[[srp.monitor.interface]]`: routers watched by BFD, and interfaces.

use std::net::IpAddr;

use super::across::{Ledger, report_twice};
use super::fault::Fault;
use super::kind::{Address, Integer, Interface, Name};
use super::reader::{Reader, Reported, Section};
use super::text::Table;

/// A router whose BFD session the pair watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorBfd {
    /// Context of the BGP neighbour that has the session.
    pub context: String,
    /// Its address.
    pub address: IpAddr,
    /// Group, if any.
    pub group: Option<u32>,
}

/// An interface that the pair watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorInterface {
    /// Its name.
    pub name: String,
    /// Group, if any: all of it have to be down.
    pub group: Option<u32>,
}

fn group() -> Integer<u32> {
    Integer::new(1, 65_535)
}

/// `[[srp.monitor.bfd]]`; whether the neighbour has BFD is checked across sections.
pub(super) fn read_bfd(s: &Section<'_, '_>, ledger: &mut Ledger) -> Result<Vec<MonitorBfd>, Reported> {
    let mut one = |s: &Section<'_, '_>| {
        let context = s.required("context", &Name);
        let address = s.required("address", &Address);
        let group = s.optional("group", &group());
        let (context, address) = (context?, address?);
        let group = group?.map(|group| group.value);
        let monitor = MonitorBfd { context: context.value.clone(), address: address.value, group };
        ledger.monitored_bfd.push((context, address));
        Ok(monitor)
    };
    let all: Vec<_> = s.tables("bfd", "address")?.into_iter().map(|bfd| bfd.read(&mut one)).collect();
    all.into_iter().collect()
}

/// `[[srp.monitor.interface]]`.
pub(super) fn read_interfaces(s: &Section<'_, '_>) -> Result<Vec<MonitorInterface>, Reported> {
    let mut names = Vec::new();
    let mut one = |s: &Section<'_, '_>| {
        let name = s.required("name", &Interface);
        let group = s.optional("group", &group());
        let name = name?;
        names.push(name.clone());
        Ok(MonitorInterface { name: name.value, group: group?.map(|group| group.value) })
    };
    let all: Vec<_> =
        s.tables("interface", "name")?.into_iter().map(|interface| interface.read(&mut one)).collect();
    report_twice(s, "interface", &names);
    all.into_iter().collect()
}

/// Who is watched by BFD has it.
pub(super) fn check_bfd(reader: &Reader<'_>, ledger: &Ledger) {
    for (context, address) in &ledger.monitored_bfd {
        let is_named = |name: &super::reader::Found<String>| name.value == context.value;
        let mut contexts = ledger.contexts.iter().filter(|claims| claims.name.as_ref().is_some_and(is_named));
        let known = contexts.find(|claims| {
            !claims.neighbors_unread && claims.neighbors.iter().any(|known| known.value == address.value)
        });
        if known.is_some_and(|claims| !claims.bfd.iter().any(|bfd| bfd.is_with(address.value))) {
            reader.report(&address.at, Fault::NeighborWithoutBfd { context: context.value.clone() });
        }
    }
}

/// As text.
pub(super) fn bfd_table(monitor: &MonitorBfd) -> Table {
    Table::element("srp.monitor.bfd", format!("{} {}", monitor.context, monitor.address), "")
        .text("context", &monitor.context)
        .text("address", monitor.address)
        .maybe_bare("group", monitor.group)
}

/// As text.
pub(super) fn interface_table(monitor: &MonitorInterface) -> Table {
    Table::element("srp.monitor.interface", &monitor.name, "")
        .text("name", &monitor.name)
        .maybe_bare("group", monitor.group)
}
