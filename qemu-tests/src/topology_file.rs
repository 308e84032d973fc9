//! A topology file: TOML in, a [`Topology`] and what its chassis are made of out. Pure but for reading the file.
//!
//! The file becomes raw tables first, in which a key that nobody knows is an error, and then checked values. What is wrong is told
//! with the file, the key, its value, and what to write instead. docs/lab.md lists the keys.

mod raw;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnetwork::IpNetwork;

use crate::appliances;
use crate::error::LabError;
use crate::node::Kind;
use crate::routing::Software;
use crate::scenario::stage::made_of;
use crate::topology::{End, Link, NodeSpec, Role, Topology, Watch, Wire};
use crate::variant::LinkTimers;

use raw::{MadeOf, Raw, RawChassis, RawEnd, RawLink, RawNode, RawRouters, RawWire, RoutersMadeOf};

/// Longest name of a node: it is part of a namespace's, and a link may be called after it.
const LONGEST_NAME: usize = 12;

/// What a topology file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Nodes and links.
    pub topology: Topology,
    /// What the chassis are made of.
    pub kind: Kind,
    /// What the routers are made of: namespaces or machines.
    pub routers: Kind,
    /// Timers of the SRP link.
    pub timers: LinkTimers,
    /// Configuration files of chassis that have one of their own, by name; the others' follow from the topology.
    pub configurations: Vec<(String, PathBuf)>,
}

/// Reads and checks a file.
pub fn read(file: &Path) -> Result<Wanted, LabError> {
    let text = std::fs::read_to_string(file).map_err(LabError::file("reading", file))?;
    parse(&text, file)
}

/// Checks the text of `file`, which is for messages and for the folder in which other files are looked for.
pub fn parse(text: &str, file: &Path) -> Result<Wanted, LabError> {
    let raw: Raw = toml::from_str(text).map_err(|error| LabError::TopologySyntax {
        file: file.to_owned(),
        reason: error.to_string().trim_end().to_owned(),
    })?;
    let place = Place { file };
    let folder = file.parent().unwrap_or(Path::new("."));
    place.name("name", &raw.name)?;
    let mut nodes = Vec::new();
    let mut configurations = Vec::new();
    for (at, node) in raw.node.iter().enumerate() {
        let key = |field: &str| format!("node[{at}].{field}");
        place.name(&key("name"), node.name())?;
        if raw.node[..at].iter().any(|other| other.name() == node.name()) {
            return Err(place.wrong(
                &key("name"),
                node.name(),
                "is the name of another node too",
                "give it one of its own",
            ));
        }
        let role = match node {
            RawNode::Chassis { name, asn, configuration } => {
                configurations.extend(configuration.iter().map(|path| (name.clone(), folder.join(path))));
                Role::Chassis { asn: *asn }
            }
            RawNode::Router { asn, router_id, announces, .. } => Role::Router {
                asn: *asn,
                router_id: place.value(&key("router-id"), router_id, "an IPv4 address, like 10.201.0.1")?,
                announces: place.networks(&key("announces"), announces)?,
            },
            RawNode::Client { .. } => Role::Client,
        };
        nodes.push(NodeSpec { name: node.name().to_owned(), role });
    }
    let links = raw.link.iter().enumerate().map(|(at, link)| place.link(at, link, &nodes));
    let links = links.collect::<Result<Vec<_>, _>>()?;
    let topology = Topology {
        name: raw.name.clone(),
        nodes,
        links,
        services: place.networks("services", &raw.services)?,
        watch: place.watch(&raw.routers)?,
        software: raw.routers.software,
    };
    place.whole(&topology)?;
    let kind = match raw.chassis.made_of {
        MadeOf::Namespaces => Kind::Namespace,
        MadeOf::Machines => Kind::Machine,
        MadeOf::Appliances => Kind::Appliance,
    };
    let routers = match raw.routers.made_of {
        RoutersMadeOf::Namespaces => Kind::Namespace,
        RoutersMadeOf::Machines => Kind::Machine,
    };
    for (key, kind) in [("chassis.made-of", kind), ("routers.made-of", routers)] {
        if kind != Kind::Namespace && topology.links.iter().any(|link| link.wire == Wire::Bridge) {
            let reason = "a machine's links are cables: silent deaths are for namespaces";
            return Err(place.wrong(
                key,
                made_of(kind),
                reason,
                "leave `wire = \"bridge\"` out of all links",
            ));
        }
    }
    if routers == Kind::Machine && topology.software != Software::Frr {
        let (software, reason) = (topology.software.to_string(), "stands beside `made-of = \"machines\"`");
        let remedy = "take \"frr\": a machine gets that of this host";
        return Err(place.wrong("routers.software", &software, reason, remedy));
    }
    place.vlans(&topology, kind, routers)?;
    let topology = match kind {
        Kind::Namespace | Kind::Machine => topology,
        Kind::Appliance => place.cards(topology, &raw.link)?,
    };
    // Emulated routers take processors away from chassis that are none.
    let slowest = if kind == Kind::Namespace { routers } else { kind };
    Ok(Wanted { timers: place.timers(&raw.chassis, slowest)?, topology, kind, routers, configurations })
}

/// Where a value stands, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Path,
}

impl Place<'_> {
    fn wrong(self, key: &str, value: &str, reason: &str, remedy: &str) -> LabError {
        LabError::TopologyFile {
            file: self.file.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            reason: reason.to_owned(),
            remedy: remedy.to_owned(),
        }
    }

    fn name(self, key: &str, name: &str) -> Result<(), LabError> {
        let good = name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
        if good && (1..=LONGEST_NAME).contains(&name.len()) {
            return Ok(());
        }
        let remedy = format!("take 1 to {LONGEST_NAME} of a-z, 0-9 and -");
        Err(self.wrong(key, name, "is no name", &remedy))
    }

    fn value<T: FromStr<Err: Display>>(self, key: &str, text: &str, like: &str) -> Result<T, LabError> {
        text.parse()
            .map_err(|error: T::Err| self.wrong(key, text, &error.to_string(), &format!("write {like}")))
    }

    fn networks(self, key: &str, texts: &[String]) -> Result<Vec<IpNetwork>, LabError> {
        let one = |(at, text): (usize, &String)| {
            let key = format!("{key}[{at}]");
            let network: IpNetwork =
                self.value(&key, text, "an address and a prefix length, like 203.0.113.1/32")?;
            if network.network() != network.ip() {
                let right = format!("write {}/{}", network.network(), network.prefix());
                return Err(self.wrong(&key, text, "has bits behind its prefix length", &right));
            }
            Ok(network)
        };
        texts.iter().enumerate().map(one).collect()
    }

    fn link(self, at: usize, link: &RawLink, nodes: &[NodeSpec]) -> Result<Link, LabError> {
        let end = |side: &str, own: &RawEnd, far: &RawEnd| {
            let key = |field: &str| format!("link[{at}].{side}.{field}");
            if !nodes.iter().any(|node| node.name == own.node) {
                let known: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
                let remedy = format!("name one of {}", known.join(", "));
                return Err(self.wrong(&key("node"), &own.node, "is no node of this file", &remedy));
            }
            let address = |(number, text): (usize, &String)| {
                let key = format!("{}[{number}]", key("addresses"));
                let address: IpNetwork =
                    self.value(&key, text, "an address and a prefix length, like 10.1.1.1/30")?;
                Ok(address)
            };
            let addresses = own.addresses.iter().enumerate().map(address).collect::<Result<_, LabError>>()?;
            let name = own.name.as_ref().unwrap_or(&far.node).clone();
            self.name(&key("name"), &name)?;
            Ok(End { node: own.node.clone(), name, addresses })
        };
        let wire = match (link.vlan, link.wire) {
            (None, RawWire::Cable) => Wire::Cable,
            (None, RawWire::Bridge) => Wire::Bridge,
            (Some(id @ 1..=4094), RawWire::Cable) => Wire::Vlan(id),
            (Some(id), wire) => {
                let (reason, remedy) = match wire {
                    RawWire::Cable => ("is no number of a VLAN", "write 1 to 4094"),
                    RawWire::Bridge => ("stands beside `wire = \"bridge\"`", "leave one of both out"),
                };
                return Err(self.wrong(&format!("link[{at}].vlan"), &id.to_string(), reason, remedy));
            }
        };
        Ok(Link { a: end("a", &link.a, &link.b)?, b: end("b", &link.b, &link.a)?, wire })
    }

    /// A VLAN is on a card of an appliance, its other end that of a switch without tags, or of another appliance.
    fn vlans(self, topology: &Topology, kind: Kind, routers: Kind) -> Result<(), LabError> {
        let chassis = topology.chassis();
        for (at, link) in topology.links.iter().enumerate() {
            let Wire::Vlan(id) = link.wire else { continue };
            let on_a_card = [&link.a, &link.b].iter().any(|end| chassis.contains(&end.node.as_str()));
            if kind != Kind::Appliance || !on_a_card {
                let reason = "is on no card of an appliance";
                let remedy =
                    "leave it out, or take a link of a chassis and `chassis.made-of = \"appliances\"`";
                return Err(self.wrong(&format!("link[{at}].vlan"), &id.to_string(), reason, remedy));
            }
            let to_a_router =
                [&link.a, &link.b].iter().any(|end| topology.routers().contains(&end.node.as_str()));
            if routers == Kind::Machine && to_a_router {
                let reason = "leads to a router that is a machine, which has no switch before it";
                let remedy = "leave it out, or `routers.made-of`";
                return Err(self.wrong(&format!("link[{at}].vlan"), &id.to_string(), reason, remedy));
            }
        }
        Ok(())
    }

    /// The kernel of an appliance calls its cards eth0, eth1 and so on, in the order of the links; the SRP link comes first.
    fn cards(self, mut topology: Topology, links: &[RawLink]) -> Result<Topology, LabError> {
        let chassis: Vec<String> = topology.chassis().into_iter().map(str::to_owned).collect();
        let named = links.iter().enumerate().flat_map(|(at, link)| [(at, "a", &link.a), (at, "b", &link.b)]);
        for (at, side, end) in named {
            if let Some(name) = end.name.as_ref().filter(|_| chassis.contains(&end.node)) {
                let reason = "a card of an appliance is called by its kernel: eth0 is the SRP link, then in the order of the links";
                let key = format!("link[{at}].{side}.name");
                return Err(self.wrong(&key, name, reason, "leave it out"));
            }
        }
        topology
            .links
            .sort_by_key(|link| !(chassis.contains(&link.a.node) && chassis.contains(&link.b.node)));
        Ok(Topology { name: topology.name.clone(), ..appliances::topology(topology) })
    }

    fn watch(self, raw: &RawRouters) -> Result<Watch, LabError> {
        if let Some(text) = &raw.bfd_interval {
            if raw.hold_time.is_some() {
                return Err(self.wrong(
                    "routers.bfd-interval",
                    text,
                    "stands beside hold-time",
                    "leave one of both out",
                ));
            }
            let interval_ms = self.span("routers.bfd-interval", text, "ms", 10, 60_000)?;
            return Ok(Watch::Bfd { interval_ms, multiplier: 3 });
        }
        let text = raw.hold_time.as_deref().unwrap_or("9s");
        Ok(Watch::HoldTime { seconds: self.span("routers.hold-time", text, "s", 3, u16::MAX)? })
    }

    fn span(self, key: &str, text: &str, unit: &str, least: u16, most: u16) -> Result<u16, LabError> {
        let number = text.strip_suffix(unit).and_then(|number| number.parse().ok());
        number.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            let remedy = format!("write {least}{unit} to {most}{unit}");
            self.wrong(key, text, "is no such span of time", &remedy)
        })
    }

    /// By default those with which such chassis were measured: an emulated processor stands still for longer than a fast dead
    /// interval. What `srpd` thinks of them is said when it starts.
    fn timers(self, raw: &RawChassis, kind: Kind) -> Result<LinkTimers, LabError> {
        let (hello, dead) = match (&raw.hello_interval, &raw.dead_interval, kind) {
            (Some(hello), Some(dead), _) => (hello.as_str(), dead.as_str()),
            (None, None, Kind::Namespace) => ("50ms", "150ms"),
            (None, None, Kind::Machine | Kind::Appliance) => ("1s", "3s"),
            (Some(one), None, _) => {
                return Err(self.wrong(
                    "chassis.hello-interval",
                    one,
                    "stands alone",
                    "add dead-interval, 3 times as long",
                ));
            }
            (None, Some(one), _) => {
                return Err(self.wrong(
                    "chassis.dead-interval",
                    one,
                    "stands alone",
                    "add hello-interval, a third of it",
                ));
            }
        };
        let timers = LinkTimers::new(hello, dead);
        Ok(match &raw.bfd_interval {
            Some(interval) => timers.with_bfd(interval),
            None => timers,
        })
    }

    /// What only the topology as a whole shows.
    fn whole(self, topology: &Topology) -> Result<(), LabError> {
        let count = |what: &str, found: &[&str], good: bool, remedy: &str| {
            if good {
                return Ok(());
            }
            let names = if found.is_empty() { "none".to_owned() } else { found.join(", ") };
            Err(self.wrong("node", &names, &format!("are the {what} of this file"), remedy))
        };
        let (chassis, routers, clients) = (topology.chassis(), topology.routers(), topology.clients());
        count("chassis", &chassis, chassis.len() == 2, "name two of role chassis")?;
        count("routers", &routers, !routers.is_empty(), "name one or more of role router")?;
        count("clients", &clients, clients.len() == 1, "name one of role client")?;
        if topology.loopback(false).is_err() && topology.loopback(true).is_err() {
            let shown: Vec<String> = topology.services.iter().map(ToString::to_string).collect();
            let remedy = "add a host's, like 203.0.113.1/32: probes need an address";
            return Err(self.wrong("services", &shown.join(", "), "has prefixes of networks alone", remedy));
        }
        let reason = topology.check().and_then(|()| topology.srp_link().map(|_| ()));
        reason.map_err(|error| match error {
            LabError::Topology { reason, .. } => self.wrong(
                "link",
                &topology.name,
                &reason,
                "let both ends of each link agree, and one link join the chassis",
            ),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &str = include_str!("../labs/pair.toml");

    fn refused(text: &str) -> String {
        parse(text, Path::new("my.toml")).expect_err("refused").to_string()
    }

    #[test]
    fn the_example_of_the_pair_is_the_pair_of_the_demonstration() {
        let wanted = parse(PAIR, Path::new("labs/pair.toml")).expect("whole");
        assert_eq!(wanted.topology, Topology::pair());
        assert_eq!((wanted.kind, wanted.timers), (Kind::Namespace, LinkTimers::new("50ms", "150ms")));
        assert_eq!(wanted.configurations, []);
    }

    #[test]
    fn what_is_wrong_is_told_with_file_key_value_and_remedy() {
        for (right, wrong, told) in [
            (
                "\"203.0.113.1/32\"",
                "\"203.0.113.300/32\"",
                ["services[0] = 203.0.113.300/32", "write an address"],
            ),
            (
                "\"172.18.0.0/16\"",
                "\"172.18.1.0/16\"",
                ["services[1] = 172.18.1.0/16", "write 172.18.0.0/16"],
            ),
            ("name = \"r1\"\nrole", "name = \"r 1\"\nrole", ["node[2].name = r 1", "take 1 to 12"]),
            ("name = \"west\"", "name = \"east\"", ["node[1].name = east", "one of its own"]),
            ("router-id = \"10.201.0.1\"", "router-id = \"x\"", ["node[2].router-id = x", "an IPv4 address"]),
            (
                "a = { node = \"client\"",
                "a = { node = \"clint\"",
                ["link[5].a.node = clint", "name one of east, west"],
            ),
            (
                "\"10.1.1.1/30\"",
                "\"10.1.1.1/33\"",
                ["link[1].a.addresses[0] = 10.1.1.1/33", "like 10.1.1.1/30"],
            ),
            (
                "\"10.1.1.1/30\"",
                "\"10.9.9.1/30\"",
                ["10.9.9.1/30 of east has no partner", "both ends of each link"],
            ),
            (
                "role = \"client\"",
                "role = \"router\"\nas = 7\nrouter-id = \"1.1.1.1\"\nannounces = []",
                ["node = none", "role client"],
            ),
            ("hold-time = \"9s\"", "hold-time = \"2s\"", ["routers.hold-time = 2s", "write 3s to"]),
            (
                "hold-time = \"9s\"",
                "hold-time = \"9s\"\nbfd-interval = \"50ms\"",
                ["routers.bfd-interval = 50ms", "leave one"],
            ),
            (
                "software = \"frr\"",
                "software = \"bird\"\nmade-of = \"machines\"",
                ["routers.software = BIRD", "take \"frr\""],
            ),
            ("dead-interval = \"150ms\"", "", ["chassis.hello-interval = 50ms", "add dead-interval"]),
        ] {
            assert!(PAIR.contains(right), "{right}");
            let text = refused(&PAIR.replacen(right, wrong, 1));
            for part in ["my.toml", told[0], told[1]] {
                assert!(text.contains(part), "no {part:?} in: {text}");
            }
        }
    }

    #[test]
    fn what_is_no_toml_or_no_key_is_told_with_its_line() {
        for (right, wrong, told) in [
            ("services =", "service =", "unknown field `service`"),
            ("software = \"frr\"", "software = \"quagga\"", "unknown variant `quagga`"),
            ("role = \"client\"", "role = \"server\"", "unknown variant `server`"),
            ("[chassis]", "[chassis", "unclosed table"),
        ] {
            let text = refused(&PAIR.replacen(right, wrong, 1));
            assert!(text.contains("my.toml") && text.contains("line ") && text.contains(told), "{text}");
        }
    }

    #[test]
    fn cards_of_appliances_are_called_by_their_kernel() {
        let text = include_str!("../labs/pair-appliances.toml");
        let wanted = parse(text, Path::new("a.toml")).expect("whole");
        let topology =
            Topology { name: wanted.topology.name.clone(), ..appliances::topology(Topology::pair()) };
        assert_eq!((wanted.kind, wanted.topology), (Kind::Appliance, topology));
        let text =
            refused(&text.replacen("a = { node = \"east\",", "a = { node = \"east\", name = \"srp\",", 1));
        assert!(text.contains("link[0].a.name = srp") && text.contains("leave it out"), "{text}");
    }

    #[test]
    fn a_vlan_is_on_a_card_of_an_appliance() {
        const TEXT: &str = include_str!("../labs/pair-appliances.toml");
        const LINK: &str = "b = { node = \"r1\", addresses = [\"10.1.1.2/30\", \"2001:db8:1:1::2/64\"] }";
        let with = |text: &str, vlan: &str| {
            assert!(text.contains(LINK));
            text.replacen(LINK, &format!("{LINK}\n{vlan}"), 1)
        };
        let wanted = parse(&with(TEXT, "vlan = 8"), Path::new("a.toml")).expect("whole");
        let vlans: Vec<_> = wanted.topology.links.iter().map(|link| &link.wire).collect();
        assert_eq!(vlans[..3], [&Wire::Cable, &Wire::Vlan(8), &Wire::Cable]);
        assert_eq!(wanted.topology.vlan("east", "eth1"), Some(8));
        for (text, told) in [
            (with(TEXT, "vlan = 4095"), ["link[1].vlan = 4095", "write 1 to 4094"]),
            (with(TEXT, "vlan = 8\nwire = \"bridge\""), ["link[1].vlan = 8", "leave one of both out"]),
            (
                with(&TEXT.replace("made-of = \"appliances\"", "made-of = \"machines\""), "vlan = 8"),
                ["link[1].vlan = 8", "made-of = \"appliances\""],
            ),
        ] {
            let refused = refused(&text);
            assert!(told.iter().all(|part| refused.contains(part)), "{refused}");
        }
    }

    #[test]
    fn machines_have_slow_timers_and_no_bridges() {
        let machines = PAIR
            .replace("made-of = \"namespaces\"", "made-of = \"machines\"")
            .replace("hello-interval = \"50ms\"\ndead-interval = \"150ms\"", "");
        let wanted = parse(&machines, Path::new("m.toml")).expect("whole");
        assert_eq!((wanted.kind, wanted.timers.hello.as_str()), (Kind::Machine, "1s"));
        let text = refused(&machines.replacen(
            "b = { node = \"r1\", name = \"client\"",
            "wire = \"bridge\"\nb = { node = \"r1\", name = \"client\"",
            1,
        ));
        assert!(text.contains("chassis.made-of = machines"), "{text}");
    }

    #[test]
    fn routers_can_be_machines_beside_chassis_of_every_kind() {
        let with = |text: &str| text.replacen("[routers]", "[routers]\nmade-of = \"machines\"", 1);
        let slow = PAIR.replace("hello-interval = \"50ms\"\ndead-interval = \"150ms\"", "");
        let wanted = parse(&with(&slow), Path::new("m.toml")).expect("whole");
        assert_eq!(
            (wanted.kind, wanted.routers, wanted.timers.hello.as_str()),
            (Kind::Namespace, Kind::Machine, "1s")
        );
        let appliances = include_str!("../labs/pair-appliances.toml");
        let wanted = parse(&with(appliances), Path::new("m.toml")).expect("whole");
        assert_eq!((wanted.kind, wanted.routers), (Kind::Appliance, Kind::Machine));
        let vlan =
            with(appliances).replacen("2001:db8:1:1::2/64\"] }", "2001:db8:1:1::2/64\"] }\nvlan = 8", 1);
        let text = refused(&vlan);
        assert!(text.contains("link[1].vlan = 8") && text.contains("a router that is a machine"), "{text}");
        let silent = include_str!("../labs/pair-silent.toml").replacen(
            "[routers]",
            "[routers]\nmade-of = \"machines\"",
            1,
        );
        assert!(refused(&silent).contains("routers.made-of = machines"));
    }
}
