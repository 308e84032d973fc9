//! Neighbours that have an interface and no address.

use super::{SHORT, parse, read};

const CONTEXT: &str = "[[context]]\nname = \"a\"\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.1\"\n";
const ON_ETH1: &str = "[[context.bgp.neighbor]]\ninterface = \"eth1\"\nremote-as = 65101\n";

/// What is said of a context with this text behind it: key, reason and remedy.
fn said(text: &str) -> Vec<String> {
    let faults = read(&format!("{SHORT}{CONTEXT}{text}")).err().unwrap_or_default();
    faults.into_iter().filter_map(|fault| fault.split_once(": ").map(|(_, said)| said.to_owned())).collect()
}

#[test]
fn neighbour_without_an_address_has_both_families_and_ipv6_next_hops() {
    let config = parse(&format!("{SHORT}{CONTEXT}{ON_ETH1}"));
    let neighbor = &config.contexts[0].bgp.as_ref().expect("it has BGP").neighbors[0];
    assert_eq!((neighbor.address, neighbor.name().as_str()), (None, "eth1"));
    assert!(neighbor.ipv4 && neighbor.ipv6 && neighbor.extended_next_hop);
    let text = config.to_toml();
    assert!(text.contains("[[context.bgp.neighbor]]\ninterface = \"eth1\"\nremote-as = 65101\n"), "{text}");
    assert_eq!(parse(&text), config);
    let less = parse(&format!("{SHORT}{CONTEXT}{ON_ETH1}ipv4 = false\nextended-next-hop = false\n"));
    let changes = crate::config::changes(&config, &less).changes;
    let what: Vec<_> = changes.iter().map(|change| (change.what.as_str(), change.live)).collect();
    assert_eq!(
        what,
        [
            ("context[a].bgp.neighbor[eth1].ipv4: true -> false", true),
            ("context[a].bgp.neighbor[eth1].extended-next-hop: true -> false", true),
        ]
    );
}

#[test]
fn link_of_a_neighbour_without_an_address_is_its_own_in_all_contexts() {
    let named = "[[context.bgp.neighbor]]\naddress = \"fe80::2\"\ninterface = \"eth1\"\nremote-as = 65101\n";
    let elsewhere = "[[context]]\nname = \"b\"\ntable = 300\n[context.bgp]\nas = 65001\nport = 1179\nrouter-id = \"192.0.2.1\"\n";
    let rows = [
        ("twice", format!("{ON_ETH1}{ON_ETH1}")),
        ("one with an address behind it", format!("{ON_ETH1}{named}")),
        ("one with an address before it", format!("{named}{ON_ETH1}")),
        ("one in another context", format!("{ON_ETH1}{elsewhere}{ON_ETH1}")),
    ];
    for (name, text) in rows {
        let said = said(&text);
        assert_eq!(said.len(), 1, "{name}: {said:?}");
        assert!(said[0].contains("interface = \"eth1\": the link of another neighbour"), "{name}: {said:?}");
        assert!(said[0].ends_with("add address to both, or remove one"), "{name}: {said:?}");
    }
    let two = said(&format!("{ON_ETH1}{}", ON_ETH1.replace("eth1", "eth2")));
    assert!(two.is_empty(), "{two:?}");
}

#[test]
fn what_needs_an_address_is_refused_by_name() {
    let group = "[[context.bgp.group]]\nname = \"x\"\nmd5-key-file = \"/k\"\n";
    let rows = [
        (
            "local-address = \"fe80::1\"\n",
            "our end of the session is the link-local address of the interface",
        ),
        ("multihop = 2\n", "a neighbour that is found on its link is one hop away"),
        ("md5-key-file = \"/k\"\n", "the kernel wants to know whose key it is before the neighbour connects"),
        ("[context.bgp.neighbor.bfd]\n", "a BFD session is between two configured addresses"),
        (&format!("group = \"x\"\n{group}"), "the kernel wants to know whose key it is"),
    ];
    for (keys, why) in rows {
        let said = said(&format!("{ON_ETH1}{keys}"));
        assert_eq!(said.len(), 1, "{keys}: {said:?}");
        assert!(said[0].contains(&format!("needs the neighbour's address: {why}")), "{said:?}");
    }
}

#[test]
fn interface_belongs_to_a_link_local_address_or_to_none() {
    let with = |address: &str| ON_ETH1.replace("remote-as", &format!("address = \"{address}\"\nremote-as"));
    assert!(said(&with("fe80::2")).is_empty());
    let global = said(&with("10.1.1.2"));
    assert!(global.len() == 1 && global[0].contains("interface = \"eth1\""), "{global:?}");
    let neither = said(&ON_ETH1.replace("interface = \"eth1\"\n", ""));
    assert!(neither.len() == 1 && neither[0].contains("address: missing"), "{neither:?}");
}
