//! Our configuration of what was found.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::net::{IpAddr, Ipv4Addr};

use ipnetwork::IpNetwork;

use super::found::{Bgp, Bulk, Context, Found, Interface, Port, Srp};
use super::{Kind, Note};

/// The text; what it leaves out or takes for granted goes to `notes`.
pub fn write(found: &Found, notes: &mut Vec<Note>) -> String {
    let mut out = Out { text: String::new(), notes };
    let none = Srp::default();
    out.srp(found.srp.as_ref().unwrap_or(&none), found);
    if let Some(bulk) = &found.bulk {
        out.bulk(bulk);
    }
    for context in &found.contexts {
        out.context(context, found);
    }
    for port in found.ports.iter().filter(|port| bound(found, port).is_none()) {
        out.left_out(port.line, &format!("port ethernet {}", port.number), "no interface is bound to it");
    }
    out.text
}

/// The interface that a port has.
fn bound<'f>(found: &'f Found, port: &Port) -> Option<&'f Interface> {
    let (name, context) = port.bound.as_ref()?;
    let context = found.contexts.iter().find(|known| known.name == *context)?;
    context.interfaces.iter().find(|interface| interface.name == *name && !interface.loopback)
}

struct Out<'n> {
    text: String,
    notes: &'n mut Vec<Note>,
}

impl Out<'_> {
    fn line(&mut self, line: impl Display) {
        let _ = writeln!(self.text, "{line}"); // a String takes every line
    }

    fn key(&mut self, key: &str, value: impl Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn left_out(&mut self, line: usize, text: &str, why: &str) {
        self.note(line, text, Kind::LeftOut, why);
    }

    fn note(&mut self, line: usize, text: &str, kind: Kind, why: &str) {
        self.notes.push(Note { line, text: text.to_owned(), kind, why: why.to_owned() });
    }

    fn fill_in(&mut self, why: &str) {
        self.note(0, "", Kind::ToCheck, why);
    }

    fn srp(&mut self, srp: &Srp, found: &Found) {
        self.line("[srp]");
        if !srp.context.is_empty() {
            self.key("context", name(&srp.context));
        }
        for (key, value) in &srp.keys {
            self.key(key, value);
        }
        for key in ["bind-address", "peer-ip-address"] {
            if !srp.keys.iter().any(|(known, _)| *known == key) {
                self.line(format_args!("# {key} = \"ADDRESS\""));
                self.fill_in(&format!("srp.{key} is not in the text, and has no default: fill it in"));
            }
        }
        self.line("\n[srp.tls]\nkey = \"keys/this.key\"\ncertificate = \"keys/this.crt\"\npeer-certificate = \"keys/peer.crt\"");
        self.fill_in(
            "the link is protected here, and the keys are not in the text: `srpctl keygen --out keys this` on each \
             chassis, and copy this.crt to the other one as peer.crt; or plaintext = true instead of [srp.tls]",
        );
        for (table, keys) in srp.guards.iter().filter(|(_, keys)| !keys.is_empty()) {
            self.line(format_args!("\n[srp.guard-timer.{table}]"));
            for (key, value) in keys {
                self.key(key, value);
            }
        }
        for monitor in &srp.monitors {
            let is_it = |context: &&Context| context.name == monitor.context;
            let mut neighbors =
                found.contexts.iter().filter(is_it).filter_map(|context| context.bgp.as_ref());
            let is_there = neighbors.any(|bgp| {
                bgp.neighbors.iter().any(|n| n.address == monitor.address && n.remote_as.is_some())
            });
            if !is_there {
                let text = format!("monitor bgp context {} {}", monitor.context, monitor.address);
                self.left_out(monitor.line, &text, "that context has no such neighbour in the text");
                continue;
            }
            self.line("\n[[srp.monitor.bgp]]");
            self.key("context", name(&monitor.context));
            self.key("address", format_args!("\"{}\"", monitor.address));
            if let Some(group) = monitor.group {
                self.key("group", group);
            }
        }
    }

    fn bulk(&mut self, bulk: &Bulk) {
        self.line("\n[bulk-statistics]");
        self.key("folder", "\"/var/lib/srp/bulk\"");
        for (key, value) in &bulk.keys {
            self.key(key, value);
        }
        let why = "files go to a folder of this machine: taken as /var/lib/srp/bulk";
        self.note(bulk.line, "bulkstat mode", Kind::ToCheck, why);
    }

    fn context(&mut self, context: &Context, found: &Found) {
        self.line("\n[[context]]");
        self.key("name", name(&context.name));
        for interface in &context.interfaces {
            if interface.loopback {
                self.loopback(interface);
            } else {
                self.interface(context, interface, found);
            }
        }
        for pool in &context.pools {
            self.line("\n[[context.pool]]");
            self.key("name", name(&pool.name));
            for (key, value) in &pool.keys {
                self.key(key, value);
            }
        }
        if let Some(bgp) = &context.bgp {
            self.bgp(bgp, context, found);
        }
    }

    fn loopback(&mut self, interface: &Interface) {
        for (index, (address, srp_activate)) in interface.addresses.iter().enumerate() {
            let label =
                if index == 0 { interface.name.clone() } else { format!("{}-{}", interface.name, index + 1) };
            let host = IpNetwork::from(address.ip());
            if host != *address {
                let why = format!("a loopback carries one address: taken as {host}");
                self.note(
                    interface.line,
                    &format!("interface {} loopback", interface.name),
                    Kind::ToCheck,
                    &why,
                );
            }
            self.line("\n[[context.loopback]]");
            self.key("name", name(&label));
            self.key("address", format_args!("\"{host}\""));
            self.key("srp-activate", srp_activate);
        }
    }

    fn interface(&mut self, context: &Context, interface: &Interface, found: &Found) {
        let is_its = |port: &&Port| {
            port.bound.as_ref().is_some_and(|(name, of)| *name == interface.name && *of == context.name)
        };
        let port = found.ports.iter().find(is_its);
        let link = link_name(&interface.name);
        let at = port.map_or_else(|| "no port".to_owned(), |port| format!("port {}", port.number));
        let why = format!("{at} is not a name of Linux: taken as link {link}; write what `ip link` calls it");
        self.note(interface.line, &format!("interface {}", interface.name), Kind::ToCheck, &why);
        self.line("\n[[context.interface]]");
        self.key("name", format_args!("\"{link}\""));
        let addresses: Vec<_> = interface.addresses.iter().map(|(ip, _)| format!("\"{ip}\"")).collect();
        self.key("addresses", format_args!("[{}]", addresses.join(", ")));
        if let Some(mtu) = interface.mtu {
            self.key("mtu", mtu);
        }
        let Some(port) = port else { return };
        for (key, value) in &port.medium {
            self.key(key, value);
        }
        if !port.is_up {
            self.key("shutdown", true);
        }
        if let Some(description) = &port.description {
            self.key("description", quoted(description));
        }
    }

    fn bgp(&mut self, bgp: &Bgp, context: &Context, found: &Found) {
        let line = format!("router bgp {}", bgp.local_as);
        self.line("\n[context.bgp]");
        self.key("as", bgp.local_as);
        if let Some(id) = bgp.router_id.or_else(|| some_address(context, found)) {
            self.key("router-id", format_args!("\"{id}\""));
            if bgp.router_id.is_none() {
                let why = format!("without a router-id: taken as {id}, the first IPv4 address of the text");
                self.note(bgp.line, &line, Kind::ToCheck, &why);
            }
        } else {
            self.line("# router-id = \"ADDRESS\"");
            let why = "without a router-id, and no address to take: fill it in";
            self.note(bgp.line, &line, Kind::ToCheck, why);
        }
        self.listen(bgp, context, found);
        for neighbor in &bgp.neighbors {
            let Some(remote_as) = neighbor.remote_as else {
                let text = format!("neighbor {}", neighbor.address);
                self.left_out(neighbor.line, &text, "a neighbour without remote-as");
                continue;
            };
            self.line("\n[[context.bgp.neighbor]]");
            self.key("address", format_args!("\"{}\"", neighbor.address));
            self.key("remote-as", remote_as);
            let of_all = bgp.hold_time.filter(|_| !neighbor.keys.iter().any(|(key, _)| *key == "hold-time"));
            if let Some(hold_time) = of_all {
                self.key("hold-time", format_args!("\"{hold_time}s\""));
            }
            for (key, value) in &neighbor.keys {
                self.key(key, value);
            }
            self.key("import", "[\"any\"]");
            let why = "it accepts all routes there, and so here: name those that are wanted in import";
            self.note(neighbor.line, &format!("neighbor {}", neighbor.address), Kind::ToCheck, why);
        }
        let own: BTreeSet<IpNetwork> = originated(context).collect();
        for (line, network) in &bgp.networks {
            if own.contains(network) {
                let why = "a loopback or pool of this context, which is announced by itself";
                self.left_out(*line, &format!("network {network}"), why);
                continue;
            }
            self.line("\n[[context.bgp.network]]");
            self.key("prefix", format_args!("\"{network}\""));
        }
    }

    /// Two instances on one port have addresses of their own.
    fn listen(&mut self, bgp: &Bgp, context: &Context, found: &Found) {
        if found.contexts.iter().filter(|context| context.bgp.is_some()).count() < 2 {
            return;
        }
        let own: BTreeSet<IpAddr> = context
            .interfaces
            .iter()
            .filter(|interface| !interface.loopback)
            .flat_map(|interface| interface.addresses.iter().map(|(address, _)| address.ip()))
            .collect();
        if own.is_empty() {
            let why = "another context has a router as well, and this one no interface in the text: add listen = [\"ADDRESS\"]";
            self.note(bgp.line, &format!("router bgp {}", bgp.local_as), Kind::ToCheck, why);
            return;
        }
        let own: Vec<_> = own.iter().map(|address| format!("\"{address}\"")).collect();
        self.key("listen", format_args!("[{}]", own.join(", ")));
    }
}

/// What a context announces without being told to.
fn originated(context: &Context) -> impl Iterator<Item = IpNetwork> + '_ {
    let loopbacks = context.interfaces.iter().filter(|interface| interface.loopback);
    let hosts =
        loopbacks.flat_map(|interface| interface.addresses.iter().map(|(a, _)| IpNetwork::from(a.ip())));
    let pools = context.pools.iter().flat_map(|pool| &pool.keys).filter(|(key, _)| *key == "prefix");
    hosts.chain(pools.filter_map(|(_, prefix)| prefix.trim_matches('"').parse().ok()))
}

/// The first IPv4 address of the context, else of the text.
fn some_address(context: &Context, found: &Found) -> Option<Ipv4Addr> {
    let of = |context: &Context| {
        let addresses = context.interfaces.iter().flat_map(|interface| &interface.addresses);
        addresses.into_iter().find_map(|(address, _)| match address.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        })
    };
    let bind = || {
        let keys = &found.srp.as_ref()?.keys;
        let (_, address) = keys.iter().find(|(key, _)| *key == "bind-address")?;
        address.trim_matches('"').parse().ok()
    };
    of(context).or_else(bind).or_else(|| found.contexts.iter().find_map(of))
}

/// A name in quotes, of characters that names have here.
fn name(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = text.chars().take(79).map(|c| if fits(c) { c } else { '-' }).collect();
    format!("\"{name}\"")
}

/// What a link could be called.
fn link_name(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(15).collect()
}

/// A text in quotes. What JSON escapes, TOML escapes alike.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
