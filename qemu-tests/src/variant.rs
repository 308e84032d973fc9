//! The built-in configuration of a chassis, fitted to another topology and to other timers. Pure.
//!
//! What the topology knows (a router's autonomous system, whether it watches by BFD) is taken from there, so that a router and
//! the chassis that it talks to cannot be configured to contradict each other.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;
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
    /// Time between the packets of BFD with the peer, on the same link, where it watches as well: the faster detector.
    pub bfd: Option<String>,
}

/// Packets of BFD in a row that either chassis misses before it takes the peer for dead.
const MULTIPLIER: u8 = 3;

impl LinkTimers {
    /// Timers of `hello` and `dead`, both like `50ms`, without BFD.
    pub fn new(hello: &str, dead: &str) -> Self {
        Self { hello: hello.to_owned(), dead: dead.to_owned(), bfd: None }
    }

    /// The same with BFD beside the Hellos.
    #[must_use]
    pub fn with_bfd(self, interval: &str) -> Self {
        Self { bfd: Some(interval.to_owned()), ..self }
    }
}

/// `hello 50ms dead 150ms`, and BFD where there is one.
impl fmt::Display for LinkTimers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hello {} dead {}", self.hello, self.dead)?;
        match &self.bfd {
            Some(interval) => write!(f, " BFD {interval} x {MULTIPLIER}"),
            None => Ok(()),
        }
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
        if let Some(interval) = &timers.bfd {
            let mut session = bfd(interval, MULTIPLIER);
            for (ours, its) in [("bind-address", "local-address"), ("peer-ip-address", "peer-address")] {
                let address = srp.get(ours).cloned().ok_or_else(|| wrong(format!("no {ours} in [srp]")))?;
                session.insert(its.to_owned(), address);
            }
            srp.insert("bfd".to_owned(), Value::Array(vec![Value::Table(session)]));
        }
    }
    for neighbor in neighbors(&mut table) {
        let address = neighbor.get("address").and_then(Value::as_str).and_then(|text| text.parse().ok());
        if let Some(asn) = address.and_then(|address| router_asn(topology, address)) {
            neighbor.insert("remote-as".to_owned(), Value::Integer(asn.into()));
        }
        match (topology.watch, address.and_then(|address| chassis_end(topology, address))) {
            (Watch::Bfd { interval_ms, multiplier }, Some(local)) => {
                neighbor.insert("local-address".to_owned(), Value::String(local.to_string()));
                let session = bfd(&format!("{interval_ms}ms"), multiplier);
                neighbor.insert("bfd".to_owned(), Value::Table(session));
            }
            (Watch::Bfd { .. }, None) | (Watch::HoldTime { .. }, _) => {}
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

/// A session with these packets.
fn bfd(interval: &str, multiplier: u8) -> Table {
    let mut session = Table::new();
    session.insert("interval".to_owned(), Value::String(interval.to_owned()));
    session.insert("multiplier".to_owned(), Value::Integer(multiplier.into()));
    session
}

/// The address of the chassis at the other end of the wire of a router's `address`, in the same family.
fn chassis_end(topology: &Topology, address: IpAddr) -> Option<IpAddr> {
    let ends = topology.links.iter().flat_map(|link| [(&link.a, &link.b), (&link.b, &link.a)]);
    let mut wires = ends.filter(|(own, _)| own.addresses.iter().any(|one| one.ip() == address));
    let (_, far) = wires.next()?;
    far.addresses.iter().map(IpNetwork::ip).find(|one| one.is_ipv4() == address.is_ipv4())
}

fn router_asn(topology: &Topology, address: IpAddr) -> Option<u32> {
    let ends = topology.links.iter().flat_map(|link| [&link.a, &link.b]);
    let mut owners = ends.filter(|end| end.addresses.iter().any(|own| own.ip() == address));
    match topology.node(&owners.next()?.node).ok()?.role {
        Role::Router { asn, .. } => Some(asn),
        Role::Chassis { .. } | Role::Client | Role::Host { .. } => None,
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
        assert_eq!(text.matches("interval = \"50ms\"\nmultiplier = 3").count(), 4, "{text}");
        for local in ["10.1.1.1", "10.1.2.1", "2001:db8:1:1::1", "2001:db8:1:2::1"] {
            assert!(text.contains(&format!("local-address = \"{local}\"")), "{text}");
        }
    }

    #[test]
    fn bfd_with_the_peer_runs_between_the_ends_of_the_srp_link() {
        let timers = LinkTimers::new("50ms", "150ms").with_bfd("20ms");
        assert_eq!(timers.to_string(), "hello 50ms dead 150ms BFD 20ms x 3");
        let table: Table = east(&Topology::pair(), Some(&timers)).parse().expect("TOML");
        let session = &table["srp"]["bfd"][0];
        assert_eq!(session["peer-address"].as_str(), Some("192.0.2.2"));
        assert_eq!(
            (session["local-address"].as_str(), session["interval"].as_str()),
            (Some("192.0.2.1"), Some("20ms"))
        );
    }
}
