//! `context NAME`: interfaces, pools and the BGP router.

use std::net::IpAddr;

use super::address;
use super::found::{Bgp, Context, Interface, Neighbor, set};
use super::lines::Line;
use super::pool;
use super::walk::{Mode, Taken};

/// A line of the context itself; `at` is its place in the list.
pub fn line(context: &mut Context, at: usize, line: &Line) -> Taken {
    let words = &line.words;
    match (line.keyword(0).as_str(), line.keyword(1).as_str()) {
        ("interface", _) if words.len() > 1 => {
            let named = context.interfaces.iter().position(|interface| interface.name == words[1]);
            let of = named.unwrap_or_else(|| {
                context.interfaces.push(Interface {
                    line: line.number,
                    name: words[1].clone(),
                    loopback: line.keyword(2) == "loopback",
                    ..Interface::default()
                });
                context.interfaces.len() - 1
            });
            Taken::Opens(Mode::Interface(at, of))
        }
        ("no", "interface") => {
            context.interfaces.retain(|interface| Some(&interface.name) != words.get(2));
            Taken::Yes
        }
        ("ip" | "ipv6", "pool") => match pool::read(line) {
            Err(why) => Taken::No(why),
            Ok((pool, unknown)) => {
                context.pools.retain(|known| known.name != pool.name);
                context.pools.push(pool);
                if unknown.is_empty() {
                    Taken::Yes
                } else {
                    Taken::Check(format!("taken without `{}`, for which there is no key", unknown.join(" ")))
                }
            }
        },
        ("no", "ip" | "ipv6") if line.keyword(2) == "pool" => {
            context.pools.retain(|pool| Some(&pool.name) != words.get(3));
            Taken::Yes
        }
        ("router", "bgp") => {
            let Some(local_as) = words.get(2).and_then(|number| number.parse().ok()) else {
                return Taken::No("its AS number is not understood".into());
            };
            let bgp = context.bgp.get_or_insert_with(|| Bgp { line: line.number, ..Bgp::default() });
            bgp.local_as = local_as;
            Taken::Opens(Mode::Bgp(at))
        }
        ("no", "router") if line.keyword(2) == "bgp" => {
            context.bgp = None;
            Taken::Yes
        }
        ("ip" | "ipv6", "route") => Taken::No("static routes are the system's: `ip route add`".into()),
        ("radius" | "aaa" | "diameter", _) => Taken::No(
            "AAA of subscribers: monitors of AAA are written by hand, see docs/configuration.md".into(),
        ),
        ("subscriber" | "apn", _) => Taken::No("srpd has no subscribers".into()),
        (service, _) if service.ends_with("-service") => Taken::No("srpd has no services of sessions".into()),
        _other => Taken::Unknown,
    }
}

/// A line of `interface NAME`.
pub fn interface(interface: &mut Interface, line: &Line) -> Taken {
    let undoes = line.keyword(0) == "no";
    let from = usize::from(undoes);
    let behind = match (line.keyword(from).as_str(), line.keyword(from + 1).as_str()) {
        ("ip" | "ipv6", "address") => from + 2,
        ("ip-address" | "ipv6-address", _) => from + 1,
        ("ip", "mtu") if !undoes => {
            interface.mtu = line.words.get(2).and_then(|mtu| mtu.parse().ok());
            return if interface.mtu.is_some() { Taken::Yes } else { Taken::No("not an MTU".into()) };
        }
        ("ip" | "ipv6", _) => return Taken::No("srpd has no such setting of an interface".into()),
        _other => return Taken::Unknown,
    };
    let Some((address, count)) = address::with_mask(line.words.get(behind..).unwrap_or_default()) else {
        return Taken::No("the address is not understood".into());
    };
    interface.addresses.retain(|(known, _)| known.ip() != address.ip());
    if undoes {
        return Taken::Yes;
    }
    let options = line.words.get(behind + count..).unwrap_or_default();
    let activate = options.iter().any(|word| word.eq_ignore_ascii_case("srp-activate"));
    interface.addresses.push((address, activate));
    if activate && !interface.loopback {
        return Taken::Check("taken without srp-activate, which is for loopbacks and pools".into());
    }
    Taken::Yes
}

/// A line of `router bgp`.
pub fn bgp(context: &mut Context, at: usize, line: &Line) -> Taken {
    let Some(bgp) = &mut context.bgp else { return Taken::Unknown };
    let words = &line.words;
    let undoes = matches!(line.keyword(0).as_str(), "no" | "default");
    let from = usize::from(undoes);
    let number = |index: usize| words.get(index).and_then(|number| number.parse::<u32>().ok());
    match (line.keyword(from).as_str(), line.keyword(from + 1).as_str()) {
        ("network", _) => match address::prefix(words.get(from + 1..).unwrap_or_default()) {
            None => return Taken::No("the prefix is not understood".into()),
            Some((prefix, _)) => {
                bgp.networks.retain(|(_, known)| *known != prefix);
                bgp.networks.extend((!undoes).then_some((line.number, prefix)));
            }
        },
        ("neighbor", _) => return neighbor(bgp, undoes, line),
        ("router-id", _) => {
            bgp.router_id = words.get(from + 1).filter(|_| !undoes).and_then(|id| id.parse().ok());
        }
        ("bgp", "router-id") => {
            bgp.router_id = words.get(from + 2).filter(|_| !undoes).and_then(|id| id.parse().ok());
        }
        ("timers", "bgp") => bgp.hold_time = number(from + 3).filter(|_| !undoes),
        ("address-family", _) => return Taken::Opens(Mode::BgpFamily(at)),
        ("exit-address-family", _) => {}
        ("redistribute", _) => {
            return Taken::No(
                "srp-activated loopbacks and pools are announced by themselves; others by `network`".into(),
            );
        }
        ("bgp" | "distance" | "ip" | "scan-time" | "accept-zero-as-rd", _) => {
            return Taken::No(
                "srpd has no such setting of BGP, or another default: see docs/configuration.md".into(),
            );
        }
        _other => return Taken::Unknown,
    }
    Taken::Yes
}

fn neighbor(bgp: &mut Bgp, undoes: bool, line: &Line) -> Taken {
    let from = 1 + usize::from(undoes);
    let Some(address) = line.words.get(from).and_then(|text| text.parse::<IpAddr>().ok()) else {
        return Taken::No("the address of the neighbour is not understood".into());
    };
    let (what, value) = (line.keyword(from + 1), line.words.get(from + 2));
    if undoes && (what.is_empty() || what == "remote-as") {
        bgp.neighbors.retain(|neighbor| neighbor.address != address);
        return Taken::Yes;
    }
    let known = bgp.neighbors.iter().position(|neighbor| neighbor.address == address);
    let index = known.unwrap_or_else(|| {
        let (remote_as, keys) = (None, Vec::new());
        bgp.neighbors.push(Neighbor { line: line.number, address, remote_as, keys });
        bgp.neighbors.len() - 1
    });
    let neighbor = &mut bgp.neighbors[index];
    let number = value.and_then(|value| value.parse::<u32>().ok());
    let address = value.and_then(|value| value.parse::<IpAddr>().ok());
    let (key, written) = match what.as_str() {
        "remote-as" => {
            neighbor.remote_as = number;
            return if number.is_some() { Taken::Yes } else { Taken::No("not an AS number".into()) };
        }
        "activate" => return Taken::Yes,
        "ebgp-multihop" => {
            let hops = line.words.get(from + 3).and_then(|value| value.parse::<u8>().ok());
            ("multihop", Some(hops.or(number.and_then(|n| n.try_into().ok())).unwrap_or(254).to_string()))
        }
        "update-source" => ("local-address", address.map(|address| format!("\"{address}\""))),
        "passive" => ("passive", Some("true".to_owned())),
        "timers" => {
            let hold = line.words.iter().filter_map(|word| word.parse::<u32>().ok()).next_back();
            ("hold-time", hold.map(|hold| format!("\"{hold}s\"")))
        }
        "max-prefix" | "maximum-prefix" => ("maximum-prefixes", number.map(|most| most.to_string())),
        _other => {
            return Taken::No(
                "a setting of neighbours that is not taken over: see docs/configuration.md".into(),
            );
        }
    };
    if undoes {
        neighbor.keys.retain(|(name, _)| *name != key);
        return Taken::Yes;
    }
    match written {
        Some(written) => set(&mut neighbor.keys, key, written),
        None => return Taken::No("its value is not understood".into()),
    }
    Taken::Yes
}

/// `busyout ip pool [name] NAME`, whose exact form is not public.
pub fn busyout(contexts: &mut [Context], line: &Line) -> Taken {
    let named = line.words.iter().skip(3).find(|word| !word.eq_ignore_ascii_case("name"));
    let pools = contexts.iter_mut().flat_map(|context| &mut context.pools);
    match pools.into_iter().find(|pool| Some(&pool.name) == named) {
        None => Taken::No("no pool of that name is above this line".into()),
        Some(pool) => {
            set(&mut pool.keys, "busyout", "true".into());
            Taken::Yes
        }
    }
}
