//! `[metrics]` and `[bulk-statistics]`: who reads counts, and where.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::kind::{Address, Duration, FilePath, Flag, Integer};
use super::reader::{Reported, Section};
use crate::types::Span;

/// Default port of the metrics: IANA has assigned none of 4489 .. 4499 to anybody.
pub const DEFAULT_METRICS_PORT: u16 = 4495;

/// The Prometheus endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The only address that is listened on.
    pub address: IpAddr,
    /// TCP port; default [`DEFAULT_METRICS_PORT`].
    pub port: u16,
}

/// Counts at an interval, to files (BULK-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkConfig {
    /// The folder of the files.
    pub folder: PathBuf,
    /// 1 s ..= 24 h; default 15 min: one file each.
    pub interval: Span,
    /// How many files stay, 1 ..= 10000; default 96.
    pub keep: u16,
    /// Standby gathers too; default true.
    pub gather_on_standby: bool,
}

pub(super) fn read_metrics(s: Option<Section<'_, '_>>) -> Result<Option<MetricsConfig>, Reported> {
    let Some(s) = s else { return Ok(None) };
    s.read(|s| {
        let address = s.required("address", &Address);
        let port = s.or("port", &Integer::<u16>::new(1, 65_535), DEFAULT_METRICS_PORT);
        Ok(Some(MetricsConfig { address: address?.value, port: port?.value }))
    })
}

pub(super) fn read_bulk(s: Option<Section<'_, '_>>, base: &Path) -> Result<Option<BulkConfig>, Reported> {
    let Some(s) = s else { return Ok(None) };
    s.read(|s| {
        let interval = Duration { min: Span::secs(1), max: Span::secs(86_400) };
        let folder = s.required("folder", &FilePath { base });
        let interval = s.or("interval", &interval, Span::secs(900));
        let keep = s.or("keep", &Integer::<u16>::new(1, 10_000), 96);
        let gather_on_standby = s.or("gather-on-standby", &Flag, true);
        Ok(Some(BulkConfig {
            folder: folder?.value,
            interval: interval?.value,
            keep: keep?.value,
            gather_on_standby: gather_on_standby?.value,
        }))
    })
}
