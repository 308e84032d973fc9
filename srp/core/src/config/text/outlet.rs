//! `[snmp]` and `[[syslog]]` as text.

use toml::Value;

use super::Table;
use crate::config::outlet::{
    EventFilter, Inform, OutletConfig, SnmpSecurity, SnmpTarget, SyslogTarget, facility_word,
};

/// Their tables, in the order of the reference page.
pub(super) fn tables(outlets: &OutletConfig) -> Vec<Table> {
    let engine = outlets.engine_id.iter().map(|engine| Table::new("snmp").text("engine-id", engine));
    let targets = outlets.snmp.iter().map(target);
    engine.chain(targets).chain(outlets.syslog.iter().map(collector)).collect()
}

fn target(target: &SnmpTarget) -> Table {
    let label = format!("{} {}", target.address, target.port);
    let table =
        Table::element("snmp.target", label, "").text("address", target.address).bare("port", target.port);
    let table = match &target.security {
        SnmpSecurity::V2c { community_file } => {
            table.text("version", "2c").text("community-file", community_file.display())
        }
        SnmpSecurity::V3 { user, auth, privacy_file } => {
            let table = table.text("version", "3").text("user", user);
            let table = match auth {
                Some((digest, file)) => table.text("auth", digest).text("auth-file", file.display()),
                None => table,
            };
            table.maybe("privacy-file", privacy_file.as_ref().map(|file| file.display()))
        }
    };
    let table = match target.inform {
        Some(Inform { retries, timeout }) => {
            table.bare("inform", true).bare("retries", retries).text("timeout", timeout)
        }
        None => table.bare("inform", false),
    };
    filter(table.maybe("source-address", target.source_address), &target.filter)
}

fn collector(collector: &SyslogTarget) -> Table {
    let label = format!("{} {} {}", collector.address, collector.port, collector.transport);
    let table = Table::element("syslog", label, "")
        .text("address", collector.address)
        .bare("port", collector.port)
        .text("transport", collector.transport)
        .text("facility", facility_word(collector.facility))
        .maybe("source-address", collector.source_address);
    filter(table, &collector.filter)
}

fn filter(table: Table, filter: &EventFilter) -> Table {
    let table = table.text("severity", filter.severity);
    if filter.names.is_empty() {
        return table;
    }
    let names = filter.names.iter().map(|name| Value::String(name.to_string()));
    table.bare("events", Value::Array(names.collect()))
}
