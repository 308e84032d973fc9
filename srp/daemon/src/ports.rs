//! The links that the configuration names, made as it says (`[[context.interface]]`), at a start and at a reload.
//!
//! What is made waits for the kernel, so it has a thread of its own. The whole of it is made or nothing.

use std::fmt::Write as _;

use netlink::{Done, Port, PortAddress, PortError, Ports, Speed};
use srp_core::config::{Config, Duplex, InterfaceConfig, LinkSpeed};
use tracing::info;

/// Why links are not as wanted: each link with its reason, one a line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PortsError(String);

/// Makes all named links as wanted. A link that is not named loses the addresses that an earlier configuration gave it. True if there
/// was anything to do.
///
/// # Errors
/// Every reason against it; nothing is changed then.
pub async fn make(config: &Config) -> Result<bool, PortsError> {
    let (want, protocol) = (wanted(config), config.kernel.protocol);
    let made = tokio::task::spawn_blocking(move || make_all(&want, protocol));
    let done = made.await.map_err(|error| PortsError(format!("interfaces: {error}")))??;
    for (link, op) in &done {
        info!(interface = %link, "{op}");
    }
    Ok(!done.is_empty())
}

fn make_all(want: &[Port], protocol: u8) -> Result<Done, PortsError> {
    let mut ports = Ports::open(protocol).map_err(|error| PortsError(format!("interfaces: {error}")))?;
    ports.make(want).map_err(|errors| PortsError(lines(&errors)))
}

fn lines(errors: &[PortError]) -> String {
    let mut text = String::new();
    for error in errors {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = write!(text, "{gap}{error}"); // a String takes every line
    }
    text
}

fn wanted(config: &Config) -> Vec<Port> {
    config.contexts.iter().flat_map(|context| &context.interfaces).filter_map(port).collect()
}

/// `None` for a name that no link can have, which the configuration refuses.
fn port(interface: &InterfaceConfig) -> Option<Port> {
    Some(Port {
        link: interface.name.parse().ok()?,
        up: !interface.shutdown,
        mtu: interface.mtu.map(u32::from),
        alias: interface.description.clone(),
        speed: interface.speed.map(speed),
        addresses: interface
            .addresses
            .iter()
            .map(|address| PortAddress { ip: address.ip(), len: address.prefix() })
            .collect(),
    })
}

fn speed(speed: LinkSpeed) -> Speed {
    match speed {
        LinkSpeed::Auto => Speed::Auto,
        LinkSpeed::Fixed { megabits, duplex } => {
            Speed::Fixed { megabits, full_duplex: duplex == Duplex::Full }
        }
    }
}
