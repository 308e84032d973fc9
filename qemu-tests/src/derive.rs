//! The configuration of a chassis, derived from a topology: what `srpd` reads where a topology file names no file of its own. Pure.
//!
//! Everything follows from what the topology says anyway: the SRP link, the routers and what they announce, the services. The
//! first chassis is the primary one.

use ipnetwork::IpNetwork;
use toml::{Table, Value};

use crate::error::LabError;
use crate::topology::{Role, Topology, Watch};
use crate::variant::{self, LinkTimers};

/// Hold time of sessions that BFD watches beside it.
const BESIDE_BFD_S: u16 = 9;

/// The configuration of `chassis`.
pub fn configuration(topology: &Topology, chassis: &str, timers: &LinkTimers) -> Result<String, LabError> {
    let lacks = |what: &str| LabError::Topology {
        topology: topology.name.clone(),
        reason: format!("{chassis} has no {what}"),
    };
    let names = topology.chassis();
    let number =
        names.iter().position(|name| *name == chassis).ok_or_else(|| lacks("place among the chassis"))?;
    let peer = names.into_iter().find(|name| *name != chassis).ok_or_else(|| lacks("peer"))?;
    let link = topology.srp_link()?;
    let ends = topology.ends(chassis).find(|(own, far)| own.name == link && far.node == peer);
    let (own, far) = ends.ok_or_else(|| lacks("SRP link"))?;
    let (Some(bind), Some(other)) = (own.addresses.first(), far.addresses.first()) else {
        return Err(lacks("address on the SRP link"));
    };
    let Role::Chassis { asn } = topology.node(chassis)?.role else { return Err(lacks("autonomous system")) };

    let mut srp = Table::new();
    put(&mut srp, "chassis-mode", if number == 0 { "primary" } else { "backup" });
    put(&mut srp, "priority", i64::try_from(10 * (number + 1)).unwrap_or(i64::MAX));
    put(&mut srp, "bind-address", bind.ip().to_string());
    put(&mut srp, "peer-ip-address", other.ip().to_string());
    put(&mut srp, "hello-interval", timers.hello.as_str());
    put(&mut srp, "dead-interval", timers.dead.as_str());
    let mut tls = Table::new();
    put(&mut tls, "key", format!("keys/{chassis}.key"));
    put(&mut tls, "certificate", format!("keys/{chassis}.crt"));
    put(&mut tls, "peer-certificate", format!("keys/{peer}.crt"));
    put(&mut srp, "tls", tls);

    let neighbors = neighbors(topology, chassis)?;
    // Both families of a router fail together: it is enough to watch one of them.
    let watched: Vec<_> = neighbors.iter().filter(|(address, _)| address.is_ipv4()).collect();
    let watched = if watched.is_empty() { neighbors.iter().collect() } else { watched };
    let monitors = watched.into_iter().map(|(address, _)| {
        let mut monitor = Table::new();
        put(&mut monitor, "context", CONTEXT);
        put(&mut monitor, "address", address.ip().to_string());
        Value::Table(monitor)
    });
    let mut monitor = Table::new();
    put(&mut monitor, "bgp", monitors.collect::<Vec<_>>());
    put(&mut srp, "monitor", monitor);

    let mut bgp = Table::new();
    put(&mut bgp, "as", i64::from(asn));
    let identifier =
        topology.ends(chassis).flat_map(|(own, _)| &own.addresses).find(|address| address.is_ipv4());
    let identifier = if bind.is_ipv4() { Some(bind) } else { identifier };
    put(
        &mut bgp,
        "router-id",
        identifier.ok_or_else(|| lacks("IPv4 address to be its router-id"))?.ip().to_string(),
    );
    put(
        &mut bgp,
        "neighbor",
        neighbors.into_iter().map(|(_, neighbor)| Value::Table(neighbor)).collect::<Vec<_>>(),
    );

    let mut context = Table::new();
    put(&mut context, "name", CONTEXT);
    let (loopbacks, pools): (Vec<_>, Vec<_>) = topology.services.iter().partition(|service| is_host(service));
    put(&mut context, "loopback", services("loopback", "address", &loopbacks));
    put(&mut context, "pool", services("pool", "prefix", &pools));
    put(&mut context, "bgp", bgp);

    let mut control = Table::new();
    put(&mut control, "socket", format!("run/{chassis}.sock"));
    let mut file = Table::new();
    put(&mut file, "srp", srp);
    put(&mut file, "control", control);
    put(&mut file, "context", vec![Value::Table(context)]);
    variant::fitted(&file.to_string(), topology, Some(timers))
}

const CONTEXT: &str = "destination";

fn put(table: &mut Table, key: &str, value: impl Into<Value>) {
    table.insert(key.to_owned(), value.into());
}

fn is_host(prefix: &IpNetwork) -> bool {
    prefix.prefix() == if prefix.is_ipv4() { 32 } else { 128 }
}

fn services(kind: &str, key: &str, prefixes: &[&IpNetwork]) -> Vec<Value> {
    let one = |(at, prefix): (usize, &&IpNetwork)| {
        let mut service = Table::new();
        put(&mut service, "name", format!("{kind}-{}", at + 1));
        put(&mut service, key, prefix.to_string());
        put(&mut service, "srp-activate", true);
        Value::Table(service)
    };
    prefixes.iter().enumerate().map(one).collect()
}

/// The routers' addresses on this chassis' links, IPv4 first, each with its table.
fn neighbors(topology: &Topology, chassis: &str) -> Result<Vec<(IpNetwork, Table)>, LabError> {
    let hold = match topology.watch {
        Watch::HoldTime { seconds } => seconds,
        Watch::Bfd { .. } => BESIDE_BFD_S,
    };
    let mut neighbors = Vec::new();
    for (_, far) in topology.ends(chassis) {
        let Role::Router { asn, announces, .. } = &topology.node(&far.node)?.role else { continue };
        for address in &far.addresses {
            let import = announces.iter().filter(|network| network.is_ipv4() == address.is_ipv4());
            let mut neighbor = Table::new();
            put(&mut neighbor, "address", address.ip().to_string());
            put(&mut neighbor, "remote-as", i64::from(*asn));
            put(&mut neighbor, "hold-time", format!("{hold}s"));
            put(
                &mut neighbor,
                "import",
                import.map(|network| Value::String(network.to_string())).collect::<Vec<_>>(),
            );
            neighbors.push((*address, neighbor));
        }
    }
    neighbors.sort_by_key(|(address, _)| address.is_ipv6());
    Ok(neighbors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Kind;
    use crate::pair;

    /// Without what people call things.
    fn nameless(text: &str) -> Table {
        let mut table: Table = text.parse().expect("TOML");
        let contexts = table["context"].as_array_mut().expect("contexts");
        for kind in ["loopback", "pool"] {
            for service in contexts[0][kind].as_array_mut().expect("services") {
                assert!(service.as_table_mut().expect("a table").remove("name").is_some());
            }
        }
        table
    }

    #[test]
    fn what_is_derived_for_the_pair_is_what_its_files_say() {
        for (chassis, kind, timers) in [
            ("east", Kind::Namespace, LinkTimers::new("50ms", "150ms")),
            ("west", Kind::Namespace, LinkTimers::new("50ms", "150ms")),
            ("east", Kind::Machine, LinkTimers::new("1s", "3s")),
        ] {
            let derived = configuration(&Topology::pair(), chassis, &timers).expect("derived");
            let written = pair::configuration(chassis, kind).expect("is built in");
            assert_eq!(nameless(&derived), nameless(written), "{chassis}");
        }
    }

    #[test]
    fn bfd_is_on_both_sides_where_routers_watch_by_it() {
        let topology = Topology::silent_pair(Watch::Bfd { interval_ms: 50, multiplier: 3 });
        let text = configuration(&topology, "west", &LinkTimers::new("10ms", "30ms")).expect("derived");
        assert_eq!(text.matches("interval = \"50ms\"\nmultiplier = 3").count(), 4, "{text}");
        assert!(
            text.contains("chassis-mode = \"backup\"") && text.contains("hello-interval = \"10ms\""),
            "{text}"
        );
    }

    #[test]
    fn a_chassis_without_an_srp_link_is_refused() {
        let mut topology = Topology::pair();
        topology.links.remove(0);
        let error = configuration(&topology, "east", &LinkTimers::new("50ms", "150ms")).expect_err("refused");
        assert!(error.to_string().contains("no link joins two chassis"), "{error}");
    }
}
