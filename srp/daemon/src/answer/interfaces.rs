//! `show ip interface` and `show port`: the links that the configuration names, as the kernel has them now.

use netlink::{Counts, FoundPort, PortAddress, Ports};
use srp_core::api::{Interface, InterfaceAddress, InterfaceCounts, LinkState, Response};
use srp_core::config::{Config, InterfaceConfig};

/// The answer; a name that is not configured is refused with those that are.
pub async fn show(config: &Config, context: Option<&str>, name: Option<&str>) -> Response {
    let wanted = match choose(config, context, name) {
        Ok(wanted) => wanted,
        Err(why) => return refused(why),
    };
    let protocol = config.kernel.protocol;
    // Drivers are waited for, so not here.
    match tokio::task::spawn_blocking(move || Ports::open(protocol)?.read()).await {
        Ok(Ok(found)) => Response::Interfaces(all(&wanted, &found)),
        Ok(Err(error)) => refused(format!("the kernel does not tell its links: {error}")),
        Err(error) => refused(format!("the kernel was not asked: {error}")),
    }
}

/// The interfaces that are asked for, each with its context; or that there is none, and which there are.
fn choose(
    config: &Config,
    context: Option<&str>,
    name: Option<&str>,
) -> Result<Vec<(String, InterfaceConfig)>, String> {
    let mut known = Vec::new();
    let mut wanted = Vec::new();
    for of in &config.contexts {
        for interface in &of.interfaces {
            known.push(format!("{} of context {}", interface.name, of.name));
            if context.is_none_or(|wanted| wanted == of.name)
                && name.is_none_or(|name| name == interface.name)
            {
                wanted.push((of.name.clone(), interface.clone()));
            }
        }
    }
    if wanted.is_empty() && (context.is_some() || name.is_some()) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(format!("the configuration has no such interface; it has: {known}"));
    }
    Ok(wanted)
}

fn all(wanted: &[(String, InterfaceConfig)], found: &[FoundPort]) -> Vec<Interface> {
    let interface = |(context, interface): &(String, InterfaceConfig)| {
        let found = found.iter().find(|port| port.name.as_str() == interface.name);
        interface_of(context, interface, found)
    };
    wanted.iter().map(interface).collect()
}

fn refused(reason: String) -> Response {
    Response::Error { reasons: vec![reason] }
}

fn interface_of(context: &str, wanted: &InterfaceConfig, found: Option<&FoundPort>) -> Interface {
    let configured: Vec<PortAddress> = wanted
        .addresses
        .iter()
        .map(|address| PortAddress { ip: address.ip(), len: address.prefix() })
        .collect();
    let has = |address: &PortAddress| found.is_some_and(|found| found.addresses.contains_key(address));
    let address = |address: &PortAddress, configured| InterfaceAddress {
        address: address.to_string(),
        configured,
        present: has(address),
    };
    let others = found.into_iter().flat_map(|found| found.addresses.keys());
    let others = others.filter(|address| !configured.contains(address));
    Interface {
        context: context.to_owned(),
        name: wanted.name.clone(),
        shutdown: wanted.shutdown,
        state: found.map_or(LinkState::Absent, state),
        description: found.map(|found| found.alias.clone()).filter(|alias| !alias.is_empty()),
        mac: found.and_then(|found| found.mac).map(|mac| mac.to_string()),
        mtu: found.map(|found| found.mtu),
        speed: found.and_then(|found| found.speed).map(|speed| speed.to_string()),
        addresses: configured
            .iter()
            .map(|own| address(own, true))
            .chain(others.map(|other| address(other, false)))
            .collect(),
        received: found.map(|found| counts(found.traffic.received)).unwrap_or_default(),
        sent: found.map(|found| counts(found.traffic.sent)).unwrap_or_default(),
    }
}

fn state(found: &FoundPort) -> LinkState {
    match (found.up, found.carrier) {
        (false, _) => LinkState::Down,
        (true, false) => LinkState::NoCarrier,
        (true, true) => LinkState::Up,
    }
}

fn counts(Counts { octets, packets, errors, dropped }: Counts) -> InterfaceCounts {
    InterfaceCounts { octets, packets, errors, dropped }
}
