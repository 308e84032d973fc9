//! `[context.bgp.mrt]` and `[[context.bgp.bmp]]`: who looks on at BGP.

use std::net::IpAddr;
use std::path::PathBuf;

use super::fault::{Fault, Place};
use super::kind::{Address, Duration, FilePath, Integer, Size};
use super::model::Octets;
use super::reader::{Found, Reported, Section};
use crate::types::Span;

/// A dump of what neighbours say (RFC 6396).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MrtConfig {
    /// The file; older ones are beside it, with `.1` and so on added to its name.
    pub file: PathBuf,
    /// The longest that one file gets, 64 KiB ..= 16 GiB; default 64 MiB.
    pub max_size: Octets,
    /// How many older files stay, 0 ..= 99; default 3.
    pub keep: u8,
}

/// A monitoring station (RFC 7854).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BmpConfig {
    /// Its address.
    pub address: IpAddr,
    /// The TCP port that it listens on.
    pub port: u16,
    /// How often it is told counters, 1 s ..= 1 h; default 60 s.
    pub statistics_interval: Span,
}

pub(super) fn read_mrt(s: &Section<'_, '_>) -> Result<Option<MrtConfig>, Reported> {
    let Some(table) = s.table("mrt")? else { return Ok(None) };
    table.read(|s| {
        let size = Size { min: Octets::kib(64), max: Octets::gib(16) };
        let file = s.required("file", &FilePath { base: s.base() });
        let max_size = s.or("max-size", &size, Octets::mib(64));
        let keep = s.or("keep", &Integer::<u8>::new(0, 99), 3);
        Ok(Some(MrtConfig { file: file?.value, max_size: max_size?.value, keep: keep?.value }))
    })
}

pub(super) fn read_bmp(s: &Section<'_, '_>) -> Result<Vec<BmpConfig>, Reported> {
    let mut seen: Vec<(IpAddr, u16, Place)> = Vec::new();
    let stations: Vec<_> = s
        .tables("bmp", "address")?
        .into_iter()
        .map(|station| station.read(|station| read_station(station, &mut seen)))
        .collect();
    stations.into_iter().collect()
}

fn read_station(s: &Section<'_, '_>, seen: &mut Vec<(IpAddr, u16, Place)>) -> Result<BmpConfig, Reported> {
    let interval = Duration { min: Span::secs(1), max: Span::secs(3600) };
    let address: Result<Found<IpAddr>, _> = s.required("address", &Address);
    let port = s.required("port", &Integer::<u16>::new(1, 65_535));
    let statistics_interval = s.or("statistics-interval", &interval, Span::secs(60));
    let (address, port) = (address?, port?);
    let same = seen.iter().find(|(other, number, _)| (*other, *number) == (address.value, port.value));
    if let Some((_, _, first)) = same {
        return Err(s.report(&address.at, Fault::Twice { what: "station", first: first.clone() }));
    }
    seen.push((address.value, port.value, address.at.clone()));
    Ok(BmpConfig {
        address: address.value,
        port: port.value,
        statistics_interval: statistics_interval?.value,
    })
}
