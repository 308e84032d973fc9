//! What only this machine can tell of a configuration: its interfaces, addresses, tables, and who it is.

use netlink::{Kernel, LinkName, Links, Prefix, TableId};
use srp_core::config::{Config, ContextConfig};
use srp_core::types::{BootId, Mac};
use tracing::warn;

use crate::context_network::{ContextNetwork, is_here};
use crate::key_files;
use crate::section;
use crate::start::StartError;

/// What may be meant, and often is not.
pub fn warn_of_slips(config: &Config, kernel: &Kernel) {
    warn_of_local_addresses(config, kernel);
    warn_of_vrfs(config, kernel);
    key_files::warn_of_exposed(config);
}

/// Our ends of sessions that no link has. It may come yet: a router whose link is down has to start all the same. But
/// often it is a slip of the pen, and then nothing else says why a neighbour stays down.
fn warn_of_local_addresses(config: &Config, kernel: &Kernel) {
    let links = kernel.links();
    for context in &config.contexts {
        let network = ContextNetwork::of(context);
        let of_vrf = network.vrf().map(|vrf| format!(" of VRF {vrf}")).unwrap_or_default();
        let neighbors = context.bgp.iter().flat_map(|bgp| &bgp.neighbors);
        for (neighbor, local) in
            neighbors.filter_map(|neighbor| Some((neighbor.name(), neighbor.local_address?)))
        {
            if !is_here(&links, network.vrf(), local) {
                warn!(
                    context = context.name, %neighbor,
                    "local-address = \"{local}\" is on no interface{of_vrf}: the session comes up when it is; \
                     `ip address add {local} ...`, or correct it"
                );
            }
        }
    }
}

/// What is in a VRF and says so only half: sockets, or an interface, are elsewhere; and where networks are not kept apart.
fn warn_of_vrfs(config: &Config, kernel: &Kernel) {
    let links = kernel.links();
    if config.contexts.iter().any(|context| context.vrf().is_some()) {
        for name in ["tcp_l3mdev_accept", "udp_l3mdev_accept"] {
            let value = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
            // A kernel without VRFs has neither.
            if value.is_ok_and(|value| value.trim() != "0") {
                warn!(
                    "net.ipv4.{name} is not 0: what listens outside of VRFs takes what arrives in them, or keeps those in them from \
                     listening: `sysctl -w net.ipv4.{name}=0`"
                );
            }
        }
    }
    for context in &config.contexts {
        let network = ContextNetwork::of(context);
        let of_vrf = |table: TableId| links.iter().find(|link| link.vrf_table == Some(table));
        if let ContextNetwork::Main(table) = network
            && let Some(vrf) = of_vrf(table)
        {
            warn!(
                context = context.name,
                "table = {table} is that of VRF {vrf}, and the sockets of this context are not in it: write vrf = \"{vrf}\" instead",
                vrf = vrf.name
            );
        }
        for interface in &context.interfaces {
            let link = interface.name.parse().ok().and_then(|name| links.by_name(&name));
            let vrf = link.and_then(|link| links.vrf_of(link)).map(|vrf| &vrf.name);
            if link.is_some() && vrf != network.vrf() {
                warn!(
                    context = context.name,
                    interface = interface.name,
                    "the interface is in {}, and the context in {}: `ip link set {} {}`, or name it in the other context",
                    in_words(vrf),
                    in_words(network.vrf()),
                    interface.name,
                    network.vrf().map_or("nomaster".to_owned(), |vrf| format!("master {vrf}"))
                );
            }
        }
    }
}

fn in_words(vrf: Option<&LinkName>) -> String {
    vrf.map_or("no VRF".to_owned(), |vrf| format!("VRF {vrf}"))
}

/// What only this machine can tell: interfaces exist, addresses and tables are usable.
pub fn check_machine(config: &Config, kernel: &Kernel) -> Result<(), StartError> {
    let mut faults = Vec::new();
    let links = kernel.links();
    for context in &config.contexts {
        let network = ContextNetwork::of(context);
        if network.table(&links).is_none() {
            faults.push(no_vrf(context));
            continue;
        }
        for loopback in &context.loopbacks {
            let fault = match section::address(loopback) {
                Ok(address) => not_there(address.link(), &network, &links),
                Err(error) => Some(error),
            };
            let name = || format!("context {}, loopback {}", context.name, loopback.name);
            faults.extend(fault.map(|fault| format!("{}: {fault}", name())));
        }
        for pool in &context.pools {
            let refused = pool.prefixes().filter_map(|prefix| Prefix::try_from(prefix).err());
            faults.extend(
                refused.map(|error| format!("context {}, pool {}: {error}", context.name, pool.name)),
            );
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(StartError::Machine(faults.join("\n"))) }
}

/// What keeps a link from carrying an address of a context.
fn not_there(name: &LinkName, network: &ContextNetwork, links: &Links) -> Option<String> {
    let Some(link) = links.by_name(name) else {
        let instead = if network.vrf().is_some() { "remove interface" } else { "use \"lo\"" };
        return Some(format!(
            "interface \"{name}\" does not exist on this machine: create it (`ip link add {name} type dummy`), or {instead}"
        ));
    };
    let (is, wanted) = (links.vrf_of(link).map(|vrf| &vrf.name), network.vrf()?);
    (is != Some(wanted)).then(|| {
        format!(
            "interface \"{name}\" is in {}, and the context in VRF {wanted}: `ip link set {name} master {wanted}`, \
             or remove interface",
            in_words(is)
        )
    })
}

/// What is wrong with the VRF of a context.
pub fn no_vrf(context: &ContextConfig) -> String {
    let vrf = context.vrf().unwrap_or_default();
    format!(
        "context {}: there is no VRF \"{vrf}\" on this machine: create it \
         (`ip link add {vrf} type vrf table NUMBER`, `ip link set {vrf} up`) and put its interfaces into it \
         (`ip link set INTERFACE master {vrf}`), or correct vrf",
        context.name
    )
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
