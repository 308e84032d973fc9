//! The built-in configuration of a chassis, fitted to another topology and to other timers. Pure.
//!
//! What the topology knows (a router's autonomous system, whether it watches by BFD) is taken from there, so that a router and
//! the chassis that it talks to cannot be configured to contradict each other.

use std::net::IpAddr;

use toml::{Table, Value};

use crate::error::LabError;
use crate::topology::{Role, Topology, Watch};

/// Timers of the SRP link, as `srpd` reads them: a number and its unit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LinkTimers {
    /// Time between Hellos.
    pub hello: String,
    /// Silence after which the peer is dead.
    pub dead: String,
}

impl LinkTimers {
    /// Timers of `hello` and `dead`, both like `50ms`.
    pub fn new(hello: &str, dead: &str) -> Self {
        Self { hello: hello.to_owned(), dead: dead.to_owned() }
    }
}

/// `text`, a chassis' configuration, for `topology` and with `timers` where they are given. What `srpd` refuses is said by
/// `srpd check` when the lab starts it.
pub fn fitted(text: &str, topology: &Topology, timers: Option<&LinkTimers>) -> Result<String, LabError> {
    let wrong =
        |reason: String| LabError::Answer { command: "the chassis' configuration".to_owned(), reason };
    let written: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let mut table = written.clone();
    if let Some(timers) = timers {
        let srp = table.get_mut("srp").and_then(Value::as_table_mut);
        let srp = srp.ok_or_else(|| wrong("no table [srp]".to_owned()))?;
        srp.insert("hello-interval".to_owned(), Value::String(timers.hello.clone()));
        srp.insert("dead-interval".to_owned(), Value::String(timers.dead.clone()));
    }
    for neighbor in neighbors(&mut table) {
        let address = neighbor.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
        if let Some(asn) = address.and_then(|address| router_asn(topology, address)) {
            neighbor.insert("remote-as".to_owned(), Value::Integer(asn.into()));
        }
        match topology.watch {
            Watch::HoldTime { .. } => {}
            Watch::Bfd { interval_ms, multiplier } => {
                let mut bfd = Table::new();
                let interval = Value::String(format!("{interval_ms}ms"));
                bfd.insert("transmit-interval".to_owned(), interval.clone());
                bfd.insert("receive-interval".to_owned(), interval);
                bfd.insert("detect-multiplier".to_owned(), Value::Integer(multiplier.into()));
                neighbor.insert("bfd".to_owned(), Value::Table(bfd));
            }
        }
    }
    // What fits already stays as it is written, with its comments.
    Ok(if table == written { text.to_owned() } else { table.to_string() })
}

fn neighbors(table: &mut Table) -> impl Iterator<Item = &mut Table> {
    let contexts = table.get_mut("context").and_then(Value::as_array_mut).into_iter().flatten();
    contexts
        .filter_map(|context| context.get_mut("bgp")?.get_mut("neighbor")?.as_array_mut())
        .flatten()
        .filter_map(Value::as_table_mut)
}

fn router_asn(topology: &Topology, address: IpAddr) -> Option<u32> {
    let ends = topology.links.iter().flat_map(|link| [&link.a, &link.b]);
    let mut owners = ends.filter(|end| end.addresses.iter().any(|own| own.ip() == address));
    match topology.node(&owners.next()?.node).ok()?.role {
        Role::Router { asn, .. } => Some(asn),
        Role::Chassis { .. } | Role::Client => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Kind;
    use crate::pair;

    fn east(topology: &Topology, timers: Option<&LinkTimers>) -> String {
        let text = pair::configuration("east", Kind::Namespace).expect("is built in");
        fitted(text, topology, timers).expect("fits")
    }

    #[test]
    fn what_fits_already_stays_as_it_is_written() {
        let text = pair::configuration("east", Kind::Namespace).expect("is built in");
        assert_eq!(east(&Topology::pair(), None), text);
    }

    #[test]
    fn timers_and_autonomous_systems_are_those_asked_for() {
        let timers = LinkTimers::new("10ms", "30ms");
        let text = east(&Topology::pair().with_internal("r1"), Some(&timers));
        assert!(
            text.contains("hello-interval = \"10ms\"") && text.contains("dead-interval = \"30ms\""),
            "{text}"
        );
        let of = |asn: u32| text.lines().filter(|line| *line == format!("remote-as = {asn}")).count();
        assert_eq!((of(65001), of(65101), of(65102)), (2, 0, 2), "{text}");
    }

    #[test]
    fn where_routers_watch_by_bfd_so_does_the_chassis() {
        let text = east(&Topology::silent_pair(Watch::Bfd { interval_ms: 50, multiplier: 3 }), None);
        assert_eq!(text.matches("transmit-interval = \"50ms\"").count(), 4, "{text}");
    }
}
