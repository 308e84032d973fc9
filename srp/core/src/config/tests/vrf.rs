//! Contexts in VRFs: what they may have in common, and what not.

use super::{SHORT, parse, read};
use crate::config::ContextTable;

/// A context of one name with a BGP instance that has one loopback, one neighbour and one interface; `vrf` is a line of its table.
fn context(name: &str, vrf: &str) -> String {
    format!(
        "[[context]]\nname = \"{name}\"\n{vrf}\n\
         [[context.interface]]\nname = \"to-{name}\"\naddresses = [\"10.1.1.1/30\"]\n\
         [[context.loopback]]\nname = \"gateway\"\naddress = \"203.0.113.1/32\"\n\
         [[context.pool]]\nname = \"p\"\nprefix = \"172.18.0.0/16\"\n\
         [context.bgp]\nas = 65001\nrouter-id = \"203.0.113.1\"\nlisten = [\"10.1.1.1\"]\n\
         [[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\nlocal-address = \"10.1.1.1\"\n\
         [context.bgp.neighbor.bfd]\n"
    )
}

/// The first line of each fault, without file and line.
fn faults(text: &str) -> Vec<String> {
    let said = read(text).err().unwrap_or_default();
    said.iter()
        .map(|fault| {
            let fault = fault.lines().next().unwrap_or_default();
            fault.split_once(": ").map_or(fault, |(_, fault)| fault).to_owned()
        })
        .collect()
}

#[test]
fn contexts_of_two_networks_have_nothing_to_share() {
    let rows =
        [("", "vrf = \"blue\""), ("vrf = \"blue\"", "vrf = \"red\""), ("table = 300", "vrf = \"blue\"")];
    for (first, second) in rows {
        let text = format!("{SHORT}{}{}", context("a", first), context("b", second));
        assert_eq!(faults(&text), Vec::<String>::new(), "{first} and {second}");
    }
    let everywhere = |vrf: &str| context(&vrf[7..10], vrf).replace("listen = [\"10.1.1.1\"]\n", "");
    let text = format!("{SHORT}{}{}", everywhere("vrf = \"blue\""), everywhere("vrf = \"red\""));
    assert_eq!(faults(&text), Vec::<String>::new());
}

#[test]
fn contexts_of_one_network_share_its_addresses_and_ports() {
    for vrf in ["", "vrf = \"blue\""] {
        let text = format!("{SHORT}{}{}", context("a", vrf), context("b", vrf));
        let said = faults(&text).join("\n");
        for expected in [
            "context[b].interface[to-b].addresses[0] = \"10.1.1.1/30\": the same address as",
            "context[b].loopback[gateway].address = \"203.0.113.1/32\": the same prefix as",
            "context[b].pool[p].prefix = \"172.18.0.0/16\": the same prefix as",
            "context[b].bgp.listen[0] = \"10.1.1.1\": the same address to listen on as",
            "context[b].bgp.neighbor[10.1.1.2].address = \"10.1.1.2\": the same neighbour as",
            "context[b].bgp.neighbor[10.1.1.2].address = \"10.1.1.2\": the same BFD session as",
        ] {
            assert!(said.contains(expected), "{vrf}: no {expected} in\n{said}");
        }
    }
}

#[test]
fn addresses_and_port_of_the_srp_link_are_free_in_a_vrf() {
    let with = |vrf: &str| {
        let text = format!("{SHORT}{}", context("a", vrf));
        // Those of the link.
        let text = text.replace("10.1.1.1", "192.0.2.1").replace("10.1.1.2", "192.0.2.2");
        text.replace("as = 65001", "as = 65001\nport = 4493")
    };
    assert_eq!(faults(&with("vrf = \"blue\"")), Vec::<String>::new());
    assert!(!faults(&with("")).is_empty());
}

#[test]
fn redundancy_context_is_in_no_vrf() {
    let said =
        |vrf: &str| faults(&format!("{SHORT}{}", context("srp", vrf)).replace("10.1.1.1/30", "192.0.2.1/30"));
    assert_eq!(said(""), Vec::<String>::new());
    assert_eq!(
        said("vrf = \"blue\""),
        ["context[srp].vrf = \"blue\": this is the redundancy context, and the SRP link is in no VRF"]
    );
}

#[test]
fn loopbacks_are_on_the_vrf_unless_they_say_otherwise() {
    let config = parse(&format!("{SHORT}{}", context("a", "vrf = \"blue\"")));
    let context = &config.contexts[0];
    assert_eq!((&context.table, context.vrf()), (&ContextTable::Vrf("blue".into()), Some("blue")));
    assert_eq!(context.loopbacks[0].interface, "blue");
    let text = format!("{SHORT}{}", super::vrf::context("a", "vrf = \"blue\""));
    let on = |link: &str| text.replace("/32\"\n", &format!("/32\"\ninterface = \"{link}\"\n"));
    assert_eq!(parse(&on("dummy0")).contexts[0].loopbacks[0].interface, "dummy0");
    assert_eq!(
        faults(&on("lo")),
        ["context[a].loopback[gateway].interface = \"lo\": lo is in no VRF, and this context is in one: \
          context[a].vrf (line 7)"]
    );
    let layer_2 = text.replace("/32\"\n", "/32\"\nsrp-activate = true\nlayer-2 = true\n");
    assert_eq!(
        faults(&layer_2),
        [
            "context[a].loopback[gateway].layer-2 = true: on a VRF there are no hosts that could find this address"
        ]
    );
}

#[test]
fn a_vrf_has_its_own_table_and_a_name_that_a_link_can_have() {
    let said = |lines: &str| faults(&format!("{SHORT}{}", context("a", lines)));
    assert_eq!(
        said("vrf = \"blue\"\ntable = 1000"),
        ["context[a].table = 1000: the table of this context is that of its VRF: context[a].vrf (line 7)"]
    );
    for bad in ["", "blue/red", "sixteen-letters-"] {
        assert!(said(&format!("vrf = \"{bad}\""))[0].starts_with("context[a].vrf"), "{bad}");
    }
}
