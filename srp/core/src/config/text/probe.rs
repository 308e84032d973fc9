//! What is probed, as text.

use std::path::Path;

use super::Table;
use crate::config::probe::{AuthProbeConfig, AuthQuestion, AuthServerConfig, DiameterConfig};

pub(super) fn authentication(probe: &AuthProbeConfig) -> Vec<Table> {
    let head = Table::new("srp.monitor.authentication-probe").text("mode", probe.question.word());
    let head = match &probe.question {
        AuthQuestion::StatusServer => head,
        AuthQuestion::AccessRequest { user, password_file } => {
            head.text("user", user).text("password-file", password_file.display())
        }
    };
    let head = head
        .text("nas-identifier", &probe.nas_identifier)
        .maybe("nas-ip-address", probe.nas_ip_address)
        .span("probe-interval", probe.probe_interval)
        .span("retry-interval", probe.retry_interval)
        .bare("max-retries", probe.max_retries)
        .text("require-message-authenticator", probe.require_message_authenticator);
    std::iter::once(head).chain(probe.servers.iter().map(server)).collect()
}

fn server(server: &AuthServerConfig) -> Table {
    let label = format!("{} {} {}", server.context, server.address, server.port);
    Table::element("srp.monitor.authentication-probe.server", label, "")
        .text("context", &server.context)
        .text("address", server.address)
        .bare("port", server.port)
        .maybe("source-address", server.source_address)
        .text("secret-file", Path::display(&server.secret_file))
}

pub(super) fn diameter(peer: &DiameterConfig) -> Table {
    let label = format!("{} {} {}", peer.context, peer.address, peer.port);
    Table::element("srp.monitor.diameter", label, "")
        .text("context", &peer.context)
        .text("address", peer.address)
        .bare("port", peer.port)
        .maybe("local-address", peer.local_address)
        .maybe_bare("group", peer.group)
        .maybe("host", peer.host.as_ref())
        .text("origin-host", &peer.origin_host)
        .text("origin-realm", &peer.origin_realm)
        .bare("application-id", peer.application_id)
        .maybe_bare("application-vendor-id", peer.application_vendor_id)
        .span("watchdog-interval", peer.watchdog_interval)
        .span("reconnect-interval", peer.reconnect_interval)
}
