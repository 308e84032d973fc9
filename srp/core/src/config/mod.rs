//! The configuration of one chassis, checked: whoever holds a [`Config`] never checks again.
//!
//! [`Config::from_toml`] reads the text table by table (`reader`, with the kinds of value in `kind`), checks each value
//! where it stands, fields of one table against each other beside that table (`srp`, `context`, `bgp`, `host`), and
//! tables against each other in `across`. Every fault goes to one list, so that one run shows them all (`fault` has the
//! texts). Nothing here opens a file: a path is text until `srpd` uses it.
//!
//! Beside it: what both chassis must have in common (`compare`), what a reload changes (`reload`), and the running
//! configuration as text (`text`). `docs/configuration.md` lists every key; a test holds it against this code.

mod across;
mod add_path;
mod bfd;
mod bgp;
mod compare;
mod context;
mod dscp;
mod fault;
mod group;
mod guard;
mod host;
mod instance_fault;
mod interface;
mod kind;
mod limits;
mod listen;
mod measure;
mod model;
mod monitored;
mod nearest;
mod onlooker;
mod outlet;
mod pool;
mod prepends;
mod probe;
mod range;
mod reader;
mod reload;
mod restart;
mod schema;
mod srp;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod unnumbered;
mod watched;

use std::path::Path;

use toml::de::DeTable;

pub use add_path::AddPath;
pub use compare::{differences, digest};
pub use dscp::Dscp;
pub use fault::{ConfigError, Fault, Place};
pub use group::GroupConfig;
pub use host::DEFAULT_SOCKET;
pub use instance_fault::InstanceFault;
pub use interface::{Duplex, InterfaceConfig, InterfaceFault, LinkSpeed};
pub use limits::{LimitAction, PrefixLimits};
pub use measure::{BulkConfig, DEFAULT_METRICS_PORT, MetricsConfig};
pub use model::{
    Action, BfdConfig, BfdTimers, BgpConfig, BgpRole, Community, Config, ContextConfig, ControlConfig,
    KernelConfig, LogConfig, LogFormat, LoopbackConfig, MonitorBgp, NeighborConfig, NetworkConfig, Octets,
    PolicyRule, RecordConfig, Security, SrpConfig,
};
pub use monitored::{announcement_monitor, bfd_monitor, interface_monitor, kernel_monitor};
pub use onlooker::{BmpConfig, MrtConfig};
pub use outlet::{
    EngineId, EventFilter, Inform, OutletConfig, SnmpAuth, SnmpSecurity, SnmpTarget, SyslogTarget,
    SyslogTransport,
};
pub use pool::{PoolConfig, PoolFault, PoolKind, PoolRange};
pub use probe::{AuthProbeConfig, AuthQuestion, AuthServerConfig, DiameterConfig, SignedAnswers};
pub use range::RangeConfig;
pub use reload::{Change, Reload, changes};
pub use restart::{RestartConfig, RestartMode};
pub use schema::json_schema;
pub use table::ContextTable;
pub use watched::{MonitorBfd, MonitorInterface};

use across::Ledger;
use reader::{Reader, Reported, Section};

/// TCP port of the control connection of the SRP link. IANA has assigned none of 4489 .. 4499 to anybody; 4494 is kept
/// for the session connections.
pub const DEFAULT_PORT: u16 = 4493;

impl Config {
    /// Reads and checks a configuration. `file` is named in errors, and relative paths start at its folder; it is not
    /// opened.
    ///
    /// # Errors
    /// Every fault of the text, in the order of its lines. A text that is not TOML is not checked any further.
    pub fn from_toml(text: &str, file: &Path) -> Result<Self, Vec<ConfigError>> {
        let reader = Reader::new(file, text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut is_sound = true;
        for error in errors {
            let offset = error.span().map_or(text.len(), |span| span.start);
            let line = reader.line(offset);
            // A repeated key leaves the rest of the document as it is; anything else may have moved keys elsewhere.
            let (key, fault) = if error.message() == "duplicate key" {
                let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
                (key.to_owned(), Fault::RepeatedKey)
            } else {
                is_sound = false;
                (String::new(), Fault::Syntax { what: error.message().to_owned() })
            };
            reader.report(&Place { key, line, written: None }, fault);
        }
        if !is_sound {
            return Err(reader.into_faults());
        }
        let config = read_document(&reader, document.get_ref());
        let faults = reader.into_faults();
        match config {
            Ok(config) if faults.is_empty() => Ok(config),
            Ok(_) | Err(_) => Err(faults),
        }
    }
}

fn read_document<'d>(reader: &Reader<'d>, document: &DeTable<'d>) -> Result<Config, Reported> {
    let mut ledger = Ledger::default();
    let base = reader.folder();
    let config = reader.root(document).read(|root| read_root(root, base, &mut ledger));
    across::check(reader, &ledger);
    config
}

fn read_root(root: &Section<'_, '_>, base: &Path, ledger: &mut Ledger) -> Result<Config, Reported> {
    let srp = match root.table("srp") {
        Ok(Some(srp)) => srp.read(|srp| srp::read(srp, base, ledger)),
        Ok(None) => {
            let wanted = "[srp] with at least bind-address and peer-ip-address".into();
            Err(root.report(&root.place_of_absent("srp"), Fault::Missing { key: "srp", wanted }))
        }
        Err(reported) => Err(reported),
    };
    let control = root.table("control").and_then(|control| host::read_control(control, base));
    let log = root.table("log").and_then(host::read_log);
    let kernel = root.table("kernel").and_then(host::read_kernel);
    let record = root.table("record").and_then(|record| host::read_record(record, base));
    let outlets = outlet::read(root, base);
    let metrics = root.table("metrics").and_then(measure::read_metrics);
    let bulk = root.table("bulk-statistics").and_then(|bulk| measure::read_bulk(bulk, base));
    let contexts = match root.tables("context", "name") {
        Ok(contexts) => {
            let contexts: Vec<_> =
                contexts.into_iter().map(|s| s.read(|s| context::read(s, ledger))).collect();
            contexts.into_iter().collect()
        }
        Err(reported) => {
            ledger.contexts_unread = true;
            Err(reported)
        }
    };
    Ok(Config {
        srp: srp?,
        control: control?,
        log: log?,
        kernel: kernel?,
        record: record?,
        outlets: outlets?,
        metrics: metrics?,
        bulk_statistics: bulk?,
        contexts: contexts?,
    })
}
