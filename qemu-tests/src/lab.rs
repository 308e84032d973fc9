//! A running lab: namespaces, wires, routers, chassis and client of a [`Topology`], and one folder that holds all its files.
//!
//! Dropping the value takes everything down: first the processes, then the namespaces (and with them every link).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;

use crate::bridge::{Bridge, Plug, joined};
use crate::cleanup;
use crate::error::LabError;
use crate::namespace::{Namespace, Port, Programs};
use crate::netns::{self, Netns};
use crate::node::{Job, Node};
use crate::routing::Routing;
use crate::topology::{Link, NodeSpec, Role, Topology, Wire};
use crate::vlan;

/// Interface indices start here. The two ends of a wire get different ones on purpose: the kernel reports a lost carrier
/// at once only where they differ, and otherwise up to a second later (its link watch holds such news back).
const FIRST_INDEX: u32 = 100;
/// First routing table of the client's source rules.
const FIRST_TABLE: u32 = 201;

/// Makes nodes that are not namespaces.
pub trait Machines: Sync {
    /// Whether it makes this one.
    fn makes(&self, spec: &NodeSpec) -> bool;

    /// Plugs in a link that has a machine at one end or at both. Where `far` is given, that end is in a namespace: make a
    /// device there with the name and index of the port (its addresses and its state are set afterwards by others).
    fn wire(&self, link: &Link, far: Option<(&Netns, &Port)>) -> Result<(), LabError>;

    /// Starts the machine `spec`, all of whose links are wired, and returns when it can be used as a node.
    fn start(&self, topology: &Topology, spec: &NodeSpec, folder: &Path) -> Result<Arc<dyn Node>, LabError>;
}

/// What a lab is made from.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes and links.
    pub topology: Topology,
    /// Folder for all files of the lab; made if it is not there.
    pub out: PathBuf,
    /// The programs of this repository.
    pub programs: Programs,
}

/// A router with its node.
pub struct Router {
    /// A namespace or a machine.
    pub node: Arc<dyn Node>,
    /// The routing software in it.
    pub routing: Routing,
}

impl Router {
    /// The node that the kernel would send a packet for `prefix` to; `None` without a route.
    pub fn leads_to(&self, topology: &Topology, prefix: &IpNetwork) -> Result<Option<String>, LabError> {
        let job =
            Job::new("ip", ["-j".to_owned(), "route".to_owned(), "get".to_owned(), prefix.ip().to_string()]);
        let output = self.node.run(&job, Duration::from_secs(5))?;
        if output.code != 0 {
            return Ok(None); // "Network is unreachable"
        }
        let routes: Vec<KernelRoute> = serde_json::from_slice(&output.stdout)
            .map_err(|error| LabError::Answer { command: job.line(), reason: error.to_string() })?;
        let device = routes.into_iter().next().map(|route| route.dev);
        let end = topology.ends(self.node.name()).find(|(own, _)| Some(&own.name) == device.as_ref());
        Ok(end.map(|(_, far)| far.node.clone()))
    }
}

#[derive(serde::Deserialize)]
struct KernelRoute {
    dev: String,
}

/// A lab that runs.
pub struct Lab {
    /// What it was made from.
    pub topology: Topology,
    /// The folder of its files.
    pub out: PathBuf,
    /// The chassis, in the topology's order.
    pub chassis: Vec<Arc<dyn Node>>,
    /// The routers, in the topology's order.
    pub routers: Vec<Router>,
    /// The client.
    pub client: Arc<Namespace>,
    /// The host on a subnet of the chassis, where the topology has one.
    pub host: Option<Arc<Namespace>>,
    /// The bridges, each with the link that it is in.
    bridges: Vec<(Link, Bridge)>,
}

impl Lab {
    /// Builds everything up to routers that answer. All nodes are namespaces but for those that `machines` makes. No program of
    /// ours runs on chassis yet.
    pub fn build(plan: Plan, machines: Option<&dyn Machines>) -> Result<Self, LabError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(LabError::NotRoot { what: "a lab of network namespaces".to_owned() });
        }
        plan.topology.software.check_installed()?;
        cleanup::sweep();
        plan.topology.check()?;
        std::fs::create_dir_all(&plan.out).map_err(LabError::file("making", &plan.out))?;
        let out = plan.out.canonicalize().map_err(LabError::file("resolving", &plan.out))?;
        let Plan { topology, programs, .. } = plan;

        let is_machine = |spec: &NodeSpec| machines.is_some_and(|machines| machines.makes(spec));
        let prefix = netns::next_prefix();
        let mut spaces = BTreeMap::new();
        for spec in topology.nodes.iter().filter(|spec| !is_machine(spec)) {
            let netns = Netns::create(format!("{prefix}{}", spec.name))?;
            netns.sysctl(&settings(&spec.role))?;
            spaces.insert(spec.name.clone(), (netns, Vec::new()));
        }
        let bridges = wire(&topology, &prefix, &mut spaces, machines)?;

        let mut nodes = BTreeMap::new();
        for (name, (netns, ports)) in spaces {
            let folder = out.join("nodes").join(&name);
            let ports = match topology.node(&name)?.role {
                Role::Host { .. } => vec![joined(&netns, &ports)?],
                Role::Chassis { .. } | Role::Router { .. } | Role::Client => ports,
            };
            let node = Namespace::new(&name, netns, ports, folder, programs.clone())?;
            nodes.insert(name, Arc::new(node));
        }
        let space = |name: &str| nodes.get(name).cloned().ok_or_else(|| missing(&topology, name));
        let client = match topology.clients().as_slice() {
            [one] => space(one)?,
            others => return Err(missing(&topology, &format!("single client (there are {})", others.len()))),
        };
        set_ways(&topology, &client)?;
        let host = topology.hosts().first().map(|name| space(name)).transpose()?;
        let started = |is: fn(&Role) -> bool| started(&topology, is, &nodes, machines, &out);
        let routers = started(|role| matches!(role, Role::Router { .. }))?;
        let routing = |node| Ok(Router { routing: Routing::start(&topology, &node)?, node });
        let routers = routers.into_iter().map(routing).collect::<Result<Vec<_>, LabError>>()?;
        // Last: what a chassis does of itself when it starts, it does with its neighbours there.
        let chassis = started(|role| matches!(role, Role::Chassis { .. }))?;
        Ok(Self { topology, out, chassis, routers, client, host, bridges })
    }

    /// The bridge in the link that is called `link` on `node`.
    pub fn bridge(&self, node: &str, link: &str) -> Result<&Bridge, LabError> {
        let found = self.bridges.iter().find(|(joined, _)| {
            [&joined.a, &joined.b].iter().any(|end| end.node == node && end.name == link)
        });
        let bridge = found.map(|(_, bridge)| bridge);
        bridge.ok_or_else(|| missing(&self.topology, &format!("bridge in link {link} of {node}")))
    }

    /// The chassis called `name`.
    pub fn chassis(&self, name: &str) -> Result<&Arc<dyn Node>, LabError> {
        self.chassis.iter().find(|node| node.name() == name).ok_or_else(|| missing(&self.topology, name))
    }

    /// The router called `name`.
    pub fn router(&self, name: &str) -> Result<&Router, LabError> {
        self.routers
            .iter()
            .find(|router| router.node.name() == name)
            .ok_or_else(|| missing(&self.topology, name))
    }
}

/// The nodes of a role, in the topology's order. Those that are machines start at the same time.
fn started(
    topology: &Topology,
    is: fn(&Role) -> bool,
    nodes: &BTreeMap<String, Arc<Namespace>>,
    machines: Option<&dyn Machines>,
    out: &Path,
) -> Result<Vec<Arc<dyn Node>>, LabError> {
    let specs = topology.nodes.iter().filter(|spec| is(&spec.role));
    let make = |spec: &NodeSpec| match (nodes.get(&spec.name), machines) {
        (Some(node), _) => Ok(Arc::clone(node) as Arc<dyn Node>),
        (None, Some(machines)) => machines.start(topology, spec, &out.join("nodes").join(&spec.name)),
        (None, None) => Err(missing(topology, &spec.name)),
    };
    std::thread::scope(|scope| {
        let started: Vec<_> = specs.map(|spec| scope.spawn(move || make(spec))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        started.into_iter().map(join).collect()
    })
}

fn missing(topology: &Topology, what: &str) -> LabError {
    LabError::Topology { topology: topology.name.clone(), reason: format!("no {what}") }
}

/// Kernel settings of a node, under `/proc/sys/net`.
fn settings(role: &Role) -> Vec<(&'static str, &'static str)> {
    // No duplicate address detection: a wire with two known ends has no duplicates, and it costs a second at every start.
    let mut settings = vec![
        ("ipv6/conf/all/accept_dad", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv6/conf/all/accept_ra", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
    ];
    match role {
        Role::Chassis { .. } | Role::Router { .. } => {
            settings.extend([("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")]);
        }
        // Root may ask for ICMP echoes as everybody may ask by UDP.
        Role::Client | Role::Host { .. } => settings.push(("ipv4/ping_group_range", "0 0")),
    }
    settings
}

fn wire(
    topology: &Topology,
    prefix: &str,
    spaces: &mut BTreeMap<String, (Netns, Vec<Port>)>,
    machines: Option<&dyn Machines>,
) -> Result<Vec<(Link, Bridge)>, LabError> {
    let (mut lines, mut bridges) = (Vec::new(), Vec::new());
    for (link, index) in topology.links.iter().zip((FIRST_INDEX..).step_by(2)) {
        let port = |end: &crate::topology::End, index| Port {
            name: end.name.clone(),
            index,
            addresses: end.addresses.clone(),
        };
        let (a, b) = (port(&link.a, index), port(&link.b, index + 1));
        if link.wire == Wire::Bridge && machines.is_some() {
            return Err(missing(topology, "bridge in a link of a machine: silent death is for namespaces"));
        }
        let inside = [&link.a.node, &link.b.node].map(|node| spaces.get(node).map(|(netns, _)| netns));
        match (inside, machines) {
            ([Some(left), Some(right)], _) if link.wire == Wire::Bridge => {
                let name = format!("{prefix}{}.{}", link.a.node, link.b.node);
                let left = Plug { netns: left, name: &a.name, index: a.index };
                let right = Plug { netns: right, name: &b.name, index: b.index };
                let bridge = Bridge::between(name, &[left, right])?;
                bridges.push((link.clone(), bridge));
            }
            ([Some(left), Some(right)], _) => lines.push(format!(
                "link add {} index {} netns {} type veth peer name {} index {} netns {}",
                a.name,
                a.index,
                left.name(),
                b.name,
                b.index,
                right.name()
            )),
            ([Some(left), None], Some(machines)) => machines.wire(link, Some((left, &a)))?,
            ([None, Some(right)], Some(machines)) => machines.wire(link, Some((right, &b)))?,
            ([None, None], Some(machines)) => machines.wire(link, None)?,
            (_, None) => return Err(missing(topology, &format!("both ends of the link {}", link.a.name))),
        }
        for (node, port) in [(&link.a.node, a), (&link.b.node, b)] {
            if let Some((_, ports)) = spaces.get_mut(node) {
                ports.push(port);
            }
        }
    }
    netns::batch(None, &lines)?;
    for (name, (netns, ports)) in spaces.iter() {
        for port in ports {
            if let Some(id) = topology.vlan(name, &port.name) {
                vlan::untagged(netns, port.index, id)?;
            }
        }
    }
    Ok(bridges)
}

/// The client answers and asks on the leg that its source address belongs to.
fn set_ways(topology: &Topology, client: &Namespace) -> Result<(), LabError> {
    let mut lines = Vec::new();
    for (way, table) in topology.ways(client.name()).iter().zip(FIRST_TABLE..) {
        let family = if way.source.is_ipv6() { "-6 " } else { "" };
        lines.push(format!("{family}rule add from {} table {table}", way.source.ip()));
        lines.push(format!("{family}route add default via {} dev {} table {table}", way.gateway, way.link));
    }
    // `ip -batch` takes no family per line, so that the lines of each family make a batch of their own.
    for v6 in [false, true] {
        let own = |line: &&String| line.starts_with("-6 ") == v6;
        let batch: Vec<String> =
            lines.iter().filter(own).map(|line| line.trim_start_matches("-6 ").to_owned()).collect();
        if v6 { netns::batch_v6(client.netns().name(), &batch)? } else { client.netns().ip(&batch)? }
    }
    Ok(())
}
