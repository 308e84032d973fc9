//! `show ip bgp [PREFIX]` and the routes of one neighbour: a line a path, and below it what made it win or lose.

use std::collections::BTreeSet;

use srp_core::api::{BgpAdvertised, BgpPath, BgpTable};

use super::clean;
use super::table::{Edge, indented, table};

pub fn tables(tables: &[BgpTable]) -> String {
    if tables.is_empty() {
        return "No context runs BGP.\n".into();
    }
    tables.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn one(routes: &BgpTable) -> String {
    let head = format!("Context {}\n", clean(&routes.context));
    if routes.paths.is_empty() {
        return head + "No such route.\n";
    }
    let header = [
        ("", Edge::Left),
        ("Network", Edge::Left),
        ("Next Hop", Edge::Left),
        ("Neighbor", Edge::Left),
        ("LocPrf", Edge::Right),
        ("Metric", Edge::Right),
        ("Path", Edge::Left),
        ("Verdict", Edge::Left),
    ];
    let rows: Vec<_> = routes.paths.iter().map(row).collect();
    let legend = "Mark: > in use, S stale, * changed by policy\n";
    let below = below(&routes.paths);
    [head, legend.into(), table(&header, &rows), below].concat()
}

fn row(path: &BgpPath) -> Vec<String> {
    let marks = [(path.used, '>'), (path.stale, 'S'), (path.changed_by_policy, '*')];
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let origin = match path.origin.as_str() {
        "IGP" => "i",
        "EGP" => "e",
        _ => "?",
    };
    vec![
        marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect(),
        path.prefix.clone(),
        path.next_hop.clone(),
        match path.path_id {
            Some(id) => format!("{} path {id}", path.neighbor),
            None => path.neighbor.clone(),
        },
        number(path.local_preference),
        number(path.med),
        format!("{} {origin}", path.as_path).trim_start().to_owned(),
        path.verdict.clone(),
    ]
}

/// How the next hops are reached, and the communities. Only where there are few paths: nobody reads them under a full table.
fn below(paths: &[BgpPath]) -> String {
    const FEW: usize = 32;
    if paths.len() > FEW {
        return String::new();
    }
    let next_hops: BTreeSet<String> = paths
        .iter()
        .filter_map(|path| Some(format!("Next hop {}: {}", path.next_hop, clean(path.reached.as_ref()?))))
        .collect();
    let communities = paths.iter().filter(|path| !path.communities.is_empty()).map(|path| {
        format!("Communities of {} by {}: {}", path.prefix, path.neighbor, path.communities.join(" "))
    });
    indented("", next_hops.into_iter().chain(communities))
}

pub fn advertised(neighbors: &[BgpAdvertised]) -> String {
    let one = |neighbor: &BgpAdvertised| {
        let head = format!("Context {}, neighbor {}\n", clean(&neighbor.context), clean(&neighbor.neighbor));
        let header = [
            ("Network", Edge::Left),
            ("Prepends", Edge::Right),
            ("LocPrf", Edge::Right),
            ("Metric", Edge::Right),
            ("Next Hop", Edge::Left),
            ("Communities", Edge::Left),
        ];
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        let rows: Vec<_> = neighbor
            .routes
            .iter()
            .map(|route| {
                vec![
                    route.prefix.clone(),
                    route.prepends.to_string(),
                    number(route.local_preference),
                    number(route.med),
                    route.next_hop.clone().unwrap_or_else(|| "self".into()),
                    route.communities.join(" "),
                ]
            })
            .collect();
        if rows.is_empty() { head + "Nothing is advertised.\n" } else { head + &table(&header, &rows) }
    };
    neighbors.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use srp_core::api::BgpAnnouncement;

    use super::*;

    fn path(neighbor: &str, used: bool, verdict: &str) -> BgpPath {
        BgpPath {
            prefix: "10.9.0.0/16".into(),
            neighbor: neighbor.into(),
            path_id: None,
            used,
            verdict: verdict.into(),
            stale: !used,
            next_hop: neighbor.into(),
            reached: used.then(|| "on eth1".into()),
            as_path: "65101 65200".into(),
            origin: "IGP".into(),
            local_preference: used.then_some(200),
            med: None,
            communities: vec!["65101:1".into()],
            changed_by_policy: used,
        }
    }

    #[test]
    fn every_loser_says_why() {
        let paths = vec![
            path("10.2.1.2", true, "best"),
            path("10.2.2.2", false, "lost at step: local preference 100 < 200"),
        ];
        let expected = "\
Context destination
Mark: > in use, S stale, * changed by policy
    Network      Next Hop  Neighbor  LocPrf  Metric  Path           Verdict
>*  10.9.0.0/16  10.2.1.2  10.2.1.2     200          65101 65200 i  best
S   10.9.0.0/16  10.2.2.2  10.2.2.2                  65101 65200 i  lost at step: local preference 100 < 200
Next hop 10.2.1.2: on eth1
Communities of 10.9.0.0/16 by 10.2.1.2: 65101:1
Communities of 10.9.0.0/16 by 10.2.2.2: 65101:1
";
        assert_eq!(tables(&[BgpTable { context: "destination".into(), paths }]), expected);
        let none = BgpTable { context: "d".into(), paths: Vec::new() };
        assert_eq!(tables(&[none]), "Context d\nNo such route.\n");
        assert_eq!(tables(&[]), "No context runs BGP.\n");
    }

    #[test]
    fn paths_of_one_neighbour_have_a_number() {
        let second = BgpPath { path_id: Some(2), ..path("10.2.1.2", false, "lost at step: path id 2 > 1") };
        let text = tables(&[BgpTable { context: "d".into(), paths: vec![second] }]);
        assert!(text.contains("  10.2.1.2 path 2  "), "{text}");
    }

    #[test]
    fn what_a_neighbour_is_told() {
        let route = BgpAnnouncement {
            prefix: "203.0.113.1/32".into(),
            prepends: 1,
            local_preference: Some(999),
            med: Some(5),
            communities: vec!["no-export".into(), "1:2:3".into()],
            next_hop: None,
        };
        let neighbor = |routes| BgpAdvertised { context: "d".into(), neighbor: "10.2.1.2".into(), routes };
        let expected = "\
Context d, neighbor 10.2.1.2
Network         Prepends  LocPrf  Metric  Next Hop  Communities
203.0.113.1/32         1     999       5  self      no-export 1:2:3
";
        assert_eq!(advertised(&[neighbor(vec![route])]), expected);
        assert!(advertised(&[neighbor(Vec::new())]).ends_with("Nothing is advertised.\n"));
    }
}
