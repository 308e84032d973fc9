//! The policy of `deny.toml` and the arrows between our crates, checked on what cargo resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What a crate that calls itself pure must not reach, by any path of normal dependencies.
const IMPURE: [&str; 8] = ["getrandom", "libc", "mio", "nix", "rand", "rustls", "socket2", "tokio"];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"])
        .args(["x86_64-unknown-linux-gnu", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_the_registry() {
    let policy = include_str!("../../../deny.toml");
    let policy: toml::Table = policy.parse().expect("deny.toml is TOML");
    let allowed: BTreeSet<&str> = policy["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let is_allowed = |requirement: &spdx::LicenseReq| allowed.contains(requirement.to_string().as_str());

    let metadata = metadata();
    let mut checked = 0;
    for package in list(&metadata["packages"]) {
        let name = text(package, "name");
        if package["source"].is_null() {
            continue; // ours
        }
        let source = text(package, "source");
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = text(package, "license");
        let expression = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX)
            .unwrap_or_else(|error| panic!("{name}: licence \"{licence}\" cannot be read: {error}"));
        assert!(expression.evaluate(is_allowed), "{name}: licence \"{licence}\" is not among {allowed:?}");
        checked += 1;
    }
    assert!(checked > 50, "only {checked} packages seen: is this the whole workspace?");
}

/// Normal dependencies of each package, by name.
fn dependencies(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let names: BTreeMap<&str, &str> =
        list(&metadata["packages"]).map(|package| (text(package, "id"), text(package, "name"))).collect();
    let is_normal = |dependency: &Value| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
    list(&metadata["resolve"]["nodes"])
        .map(|node| {
            let needs = list(&node["deps"])
                .filter(|dependency| is_normal(dependency))
                .map(|dependency| names[text(dependency, "pkg")].to_owned());
            (names[text(node, "id")].to_owned(), needs.collect())
        })
        .collect()
}

#[test]
fn cores_reach_no_clock_socket_runtime_or_chance() {
    let graph = dependencies(&metadata());
    for core in ["bfd", "bgp-proto", "probe", "srp-core"] {
        let mut seen = BTreeSet::new();
        let mut open = vec![core.to_owned()];
        while let Some(name) = open.pop() {
            if seen.insert(name.clone()) {
                assert!(!IMPURE.contains(&name.as_str()), "{core} reaches {name}");
                open.extend(graph.get(&name).into_iter().flatten().cloned());
            }
        }
        assert!(graph.contains_key(core), "{core} is not in the workspace");
    }
}

#[test]
fn arrows_between_our_crates_point_one_way() {
    let graph = dependencies(&metadata());
    let ours: BTreeSet<&str> =
        ["bfd", "bgp-glue", "bgp-proto", "bgp-speaker", "netlink", "probe", "srp-core", "srpctl", "srpd"]
            .into();
    let arrows = |name: &str| -> Vec<&str> {
        graph[name].iter().map(String::as_str).filter(|dependency| ours.contains(dependency)).collect()
    };
    assert_eq!(arrows("srpd"), ["bfd", "bgp-glue", "netlink", "probe", "srp-core"]);
    assert_eq!(arrows("srpctl"), ["srp-core"]);
    assert_eq!(arrows("bgp-glue"), ["bgp-speaker", "srp-core"]);
    assert_eq!(arrows("bgp-speaker"), ["bgp-proto"]);
    for leaf in ["bfd", "bgp-proto", "netlink", "probe", "srp-core"] {
        assert_eq!(arrows(leaf), [""; 0], "{leaf}");
    }
}
