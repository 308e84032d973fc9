//! A router's `gobgpd.toml` from the topology. Pure text. The same policy as FRR's ([`crate::frr::config`]): the pair's services
//! in, the router's own networks out.

use std::fmt::Write;

use crate::error::LabError;
use crate::topology::{Neighbor, Role, Topology, Watch};

/// The word for a family in GoBGP's commands.
pub fn family(v6: bool) -> &'static str {
    if v6 { "ipv6" } else { "ipv4" }
}

/// `gobgpd.toml` of `router`.
pub fn gobgpd(topology: &Topology, router: &str) -> Result<String, LabError> {
    let wrong = |reason: String| LabError::Topology { topology: topology.name.clone(), reason };
    let Role::Router { asn, router_id, announces } = &topology.node(router)?.role else {
        return Err(wrong(format!("{router} is no router")));
    };
    let Watch::HoldTime { seconds } = topology.watch else {
        return Err(wrong("routers that watch by BFD are FRR".to_owned()));
    };
    let mut text = format!(
        "[global.config]\nas = {asn}\nrouter-id = \"{router_id}\"\n[global.apply-policy.config]\n\
         import-policy-list = [\"services\", \"own\"]\ndefault-import-policy = \"reject-route\"\n\
         export-policy-list = [\"own\"]\ndefault-export-policy = \"reject-route\"\n"
    );
    // Writing to a String cannot fail, here and below.
    for (name, prefixes) in [("services", &topology.services), ("own", announces)] {
        for v6 in [false, true] {
            let _ =
                writeln!(text, "[[defined-sets.prefix-sets]]\nprefix-set-name = \"{name}-{}\"", family(v6));
            for prefix in prefixes.iter().filter(|prefix| prefix.is_ipv6() == v6) {
                let _ = writeln!(text, "[[defined-sets.prefix-sets.prefix-list]]\nip-prefix = \"{prefix}\"");
            }
        }
    }
    for name in ["services", "own"] {
        let _ = writeln!(text, "[[policy-definitions]]\nname = \"{name}\"");
        for v6 in [false, true] {
            let _ = writeln!(
                text,
                "[[policy-definitions.statements]]\n[policy-definitions.statements.conditions.match-prefix-set]\n\
                 prefix-set = \"{name}-{}\"\n[policy-definitions.statements.actions]\n\
                 route-disposition = \"accept-route\"",
                family(v6)
            );
        }
    }
    for Neighbor { address, asn, .. } in topology.neighbors(router) {
        let _ = writeln!(
            text,
            "[[neighbors]]\n[neighbors.config]\nneighbor-address = \"{address}\"\npeer-as = {asn}\n\
             [neighbors.timers.config]\nhold-time = {seconds}\nkeepalive-interval = {}\nconnect-retry = 1\n\
             idle-hold-time-after-reset = 1\n[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n\
             afi-safi-name = \"{}-unicast\"",
            seconds / 3,
            family(address.is_ipv6())
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_knows_its_neighbours_and_its_networks() {
        let text = gobgpd(&Topology::pair(), "r1").expect("renders");
        let table: toml::Table = text.parse().expect("TOML");
        let neighbors = table["neighbors"].as_array().expect("a list");
        let first = &neighbors[0];
        assert_eq!(neighbors.len(), 4);
        assert_eq!(first["config"]["neighbor-address"].as_str(), Some("10.1.1.1"));
        assert_eq!(first["afi-safis"][0]["config"]["afi-safi-name"].as_str(), Some("ipv4-unicast"));
        let sets = table["defined-sets"]["prefix-sets"].as_array().expect("a list");
        assert_eq!(sets[0]["prefix-list"][0]["ip-prefix"].as_str(), Some("203.0.113.1/32"));
        assert_eq!(sets[3]["prefix-list"][0]["ip-prefix"].as_str(), Some("2001:db8:201::/48"));
    }
}
