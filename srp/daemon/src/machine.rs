//! What only this machine can tell of a configuration: its interfaces, addresses, tables, and who it is.

use netlink::Kernel;
use srp_core::config::Config;
use srp_core::types::{BootId, Mac};
use tracing::warn;

use crate::key_files;
use crate::section;
use crate::start::StartError;

/// What may be meant, and often is not.
pub fn warn_of_slips(config: &Config, kernel: &Kernel) {
    warn_of_local_addresses(config, kernel);
    key_files::warn_of_exposed(config);
}

/// Our ends of sessions that no link has. It may come yet: a router whose link is down has to start all the same. But
/// often it is a slip of the pen, and then nothing else says why a neighbour stays down.
fn warn_of_local_addresses(config: &Config, kernel: &Kernel) {
    let links = kernel.links();
    let is_here = |ip| links.iter().any(|link| link.addresses.iter().any(|address| address.ip == ip));
    for context in &config.contexts {
        let neighbors = context.bgp.iter().flat_map(|bgp| &bgp.neighbors);
        for (neighbor, local) in
            neighbors.filter_map(|neighbor| Some((neighbor.name(), neighbor.local_address?)))
        {
            if !is_here(local) {
                warn!(
                    context = context.name, %neighbor,
                    "local-address = \"{local}\" is on no interface: the session comes up when it is; \
                     `ip address add {local} ...`, or correct it"
                );
            }
        }
    }
}

/// What only this machine can tell: interfaces exist, addresses and tables are usable.
pub fn check_machine(config: &Config, kernel: &Kernel) -> Result<(), StartError> {
    let mut faults = Vec::new();
    for context in &config.contexts {
        for loopback in &context.loopbacks {
            let name = format!("context {}, loopback {}", context.name, loopback.name);
            match section::address(loopback) {
                Err(error) => faults.push(format!("{name}: {error}")),
                Ok(address) if !kernel.has_interface(address.link()) => faults.push(format!(
                    "{name}: interface \"{}\" does not exist on this machine: create it \
                     (`ip link add {} type dummy`), or use \"lo\"",
                    loopback.interface, loopback.interface
                )),
                Ok(_) => {}
            }
        }
        for pool in &context.pools {
            for prefix in pool.prefixes().filter(|prefix| section::route(context, pool, *prefix).is_none()) {
                faults.push(format!(
                    "context {}, pool {}: table {} or prefix {prefix} cannot be used: table 255 is the kernel's own",
                    context.name, pool.name, context.table
                ));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(StartError::Machine(faults.join("\n"))) }
}

/// The configured MAC, else that of the interface with the bind address, else of the first that has one.
pub fn chassis_mac(config: &Config, kernel: &Kernel, boot: BootId) -> Mac {
    if let Some(mac) = config.srp.mac {
        return mac;
    }
    if let Some(mac) = kernel.mac_of_address(config.srp.bind_address) {
        return Mac(mac.0);
    }
    let bind = config.srp.bind_address;
    if let Some(mac) = kernel.links().iter().find_map(|link| link.mac) {
        warn!(%bind, %mac, "no interface has srp.bind-address yet: another one's MAC is the tie-break");
        return Mac(mac.0);
    }
    let mut mac = Mac([0x02; 6]); // locally administered
    mac.0[1..].copy_from_slice(&boot.0.to_be_bytes()[..5]);
    warn!(%bind, %mac, "no interface has a MAC address: the tie-break is a random one; set srp.mac");
    mac
}
