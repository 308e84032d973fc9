//! `show ip bgp summary`, in the columns that operators know from other routers.

use srp_core::api::{BgpContext, BgpNeighbor, BgpOnlooker, OriginatedPrefix};

use super::clean;
use super::table::{Edge, indented, table};
use super::time::age;

pub fn summary(contexts: &[BgpContext], now_us: u64) -> String {
    if contexts.is_empty() {
        return "No context runs BGP.\n".into();
    }
    contexts.iter().map(|context| one(context, now_us)).collect::<Vec<_>>().join("\n")
}

fn one(context: &BgpContext, now_us: u64) -> String {
    let vrf = context.vrf.as_ref().map(|vrf| format!(", VRF {}", clean(vrf))).unwrap_or_default();
    let head = format!(
        "Context {}{vrf}, BGP router identifier {}, local AS number {}\n",
        clean(&context.context),
        clean(&context.router_id),
        context.local_as
    );
    let dynamic = context.neighbors.iter().filter(|neighbor| neighbor.dynamic).count();
    let dynamic =
        if dynamic == 0 { String::new() } else { format!("* - dynamic neighbor, {dynamic} of them\n") };
    let count = format!("{dynamic}Total number of neighbors {}\n", context.neighbors.len());
    let errors = context.neighbors.iter().filter_map(|neighbor| {
        neighbor.last_error.as_ref().map(|error| format!("{}: {error}", neighbor.address))
    });
    let errors = indented("  ", errors);
    let errors = if errors.is_empty() { errors } else { format!("Last errors:\n{errors}\n") };
    let mut parts =
        vec![head, neighbors(&context.neighbors, now_us), errors + &count, originated(&context.originated)];
    if !context.onlookers.is_empty() {
        parts.push(onlookers(&context.onlookers));
    }
    parts.join("\n")
}

fn neighbors(neighbors: &[BgpNeighbor], now_us: u64) -> String {
    let header = [
        ("Neighbor", Edge::Left),
        ("V", Edge::Right),
        ("AS", Edge::Right),
        ("MsgRcvd", Edge::Right),
        ("MsgSent", Edge::Right),
        ("Up/Down", Edge::Right),
        ("State/PfxRcd", Edge::Right),
        ("PfxAcc", Edge::Right),
        ("PfxSnt", Edge::Right),
    ];
    let rows: Vec<_> = neighbors
        .iter()
        .map(|neighbor| {
            let state = match neighbor.state.as_str() {
                "Established" => neighbor.prefixes_received.to_string(),
                state => state.to_owned(),
            };
            let mark = if neighbor.dynamic { "*" } else { "" };
            vec![
                format!("{mark}{}{}", neighbor.address, found(neighbor.found.as_deref())),
                "4".to_owned(),
                neighbor.remote_as.to_string(),
                neighbor.messages_received.to_string(),
                neighbor.messages_sent.to_string(),
                age(neighbor.since_us, now_us),
                state,
                neighbor.prefixes_accepted.to_string(),
                neighbor.prefixes_sent.to_string(),
            ]
        })
        .collect();
    table(&header, &rows)
}

/// Where a neighbor is that is known by its interface.
pub fn found(address: Option<&str>) -> String {
    address.map(|address| format!(" ({address})")).unwrap_or_default()
}

fn originated(prefixes: &[OriginatedPrefix]) -> String {
    if prefixes.is_empty() {
        return "Nothing is originated.\n".into();
    }
    let rows: Vec<_> =
        prefixes.iter().map(|route| vec![route.prefix.clone(), route.prepends.to_string()]).collect();
    table(&[("Originated", Edge::Left), ("Prepends", Edge::Right)], &rows)
}

fn onlookers(all: &[BgpOnlooker]) -> String {
    let header =
        [("MRT and BMP", Edge::Left), ("Written", Edge::Right), ("Lost", Edge::Right), ("State", Edge::Left)];
    let rows = all
        .iter()
        .map(|one| vec![one.name.clone(), one.written.to_string(), one.lost.to_string(), one.state.clone()]);
    table(&header, &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbor(address: &str, state: &str, last_error: Option<&str>) -> BgpNeighbor {
        BgpNeighbor {
            address: address.into(),
            found: None,
            remote_as: 4_200_000_001,
            dynamic: address.starts_with("10.5."),
            state: state.into(),
            since_us: 1,
            messages_received: 12,
            messages_sent: 1_234,
            prefixes_received: 3,
            prefixes_accepted: 1,
            prefixes_sent: 4,
            last_error: last_error.map(Into::into),
        }
    }

    #[test]
    fn neighbours_then_what_is_announced() {
        let context = BgpContext {
            context: "destination".into(),
            vrf: None,
            router_id: "192.0.2.1".into(),
            local_as: 65_001,
            onlookers: vec![BgpOnlooker {
                name: "BMP 198.51.100.9:5000".into(),
                works: true,
                state: "connected".into(),
                written: 12,
                lost: 0,
            }],
            originated: vec![
                OriginatedPrefix { prefix: "172.18.0.0/16".into(), prepends: 1 },
                OriginatedPrefix { prefix: "2001:db8:113::1/128".into(), prepends: 1 },
            ],
            neighbors: vec![
                neighbor("10.1.1.2", "Established", None),
                neighbor("2001:db8:1:1::2", "Active", Some("hold timer expired\n")),
                neighbor("10.5.0.7", "Established", None),
            ],
        };
        let expected = "\
Context destination, BGP router identifier 192.0.2.1, local AS number 65001

Neighbor         V          AS  MsgRcvd  MsgSent   Up/Down  State/PfxRcd  PfxAcc  PfxSnt
10.1.1.2         4  4200000001       12     1234  00:01:00             3       1       4
2001:db8:1:1::2  4  4200000001       12     1234  00:01:00        Active       1       4
*10.5.0.7        4  4200000001       12     1234  00:01:00             3       1       4

Last errors:
  2001:db8:1:1::2: hold timer expired?

* - dynamic neighbor, 1 of them
Total number of neighbors 3

Originated           Prepends
172.18.0.0/16               1
2001:db8:113::1/128         1

MRT and BMP            Written  Lost  State
BMP 198.51.100.9:5000       12     0  connected
";
        assert_eq!(summary(&[context], 60_000_001), expected);
    }

    #[test]
    fn a_standby_that_announces_nothing_says_so() {
        let context = BgpContext {
            context: "d".into(),
            vrf: Some("blue".into()),
            router_id: "192.0.2.1".into(),
            local_as: 1,
            onlookers: Vec::new(),
            originated: Vec::new(),
            neighbors: Vec::new(),
        };
        let text = summary(&[context], 0);
        assert!(text.starts_with("Context d, VRF blue, BGP router identifier"), "{text}");
        assert!(text.ends_with("Total number of neighbors 0\n\nNothing is originated.\n"));
        assert_eq!(summary(&[], 0), "No context runs BGP.\n");
    }
}
