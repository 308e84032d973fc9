//! Links of this machine in the configuration.

use super::{SHORT, parse, read};
use crate::config::{Duplex, LinkSpeed};

/// A file with the redundancy context and one more.
fn with(redundancy: &str, more: &str) -> String {
    format!("{SHORT}[[context]]\nname = \"srp\"\n{redundancy}\n[[context]]\nname = \"source\"\n{more}")
}

const LINK: &str = "[[context.interface]]\nname = \"eth1\"\naddresses = [\"192.0.2.1/30\"]\n";

#[test]
fn cfg_1_bind_address_is_one_of_the_redundancy_context_where_that_has_interfaces() {
    let config = parse(&with(LINK, ""));
    assert_eq!(config.contexts[0].interfaces[0].addresses, ["192.0.2.1/30".parse().expect("an address")]);
    assert!(read(&with("", LINK)).is_ok(), "the redundancy context leaves its interfaces to the system");
    assert_eq!(
        read(&with(&LINK.replace("192.0.2.1", "192.0.2.9"), "")),
        Err(vec![
            "srp.toml:2: srp.bind-address = \"192.0.2.1\": no interface of context srp, the redundancy context, has this address\n    \
             add it, with its mask, to addresses of the interface that leads to the peer"
                .to_owned()
        ])
    );
}

#[test]
fn cfg_6_medium_is_agreed_upon_or_said_and_a_port_can_be_shut_down() {
    let of = |keys: &str| {
        let mut config = parse(&with(&format!("{LINK}{keys}"), ""));
        config.contexts.remove(0).interfaces.remove(0)
    };
    assert_eq!(of("").speed, None);
    assert_eq!(of("speed = \"auto\"").speed, Some(LinkSpeed::Auto));
    let fixed = |megabits, duplex| Some(LinkSpeed::Fixed { megabits, duplex });
    assert_eq!(of("speed = \"100\"").speed, fixed(100, Duplex::Full));
    assert_eq!(of("speed = \"10\"\nduplex = \"half\"").speed, fixed(10, Duplex::Half));
    assert_eq!((of("").shutdown, of("shutdown = true").shutdown), (false, true));
}

#[test]
fn what_no_link_or_only_one_can_have_is_refused() {
    let eth2 = LINK.replace("eth1", "eth2");
    let rows: &[(String, &str)] = &[
        (
            with(&format!("{LINK}duplex = \"half\"\n"), ""),
            "srp.toml:10: context[srp].interface[eth1].duplex = \"half\": this has no effect without speed = \"10\", \"100\" or \"1000\"\n    \
             set speed = \"10\", \"100\" or \"1000\", or remove this",
        ),
        (
            with(&format!("{LINK}speed = \"2500\"\n"), ""),
            "srp.toml:10: context[srp].interface[eth1].speed = \"2500\": not a word that is known here\n    \
             write one of: auto, 10, 100, 1000",
        ),
        (
            with(&LINK.replace("/30\"", "/30\", \"192.0.2.4/30\""), ""),
            "srp.toml:9: context[srp].interface[eth1].addresses[1] = \"192.0.2.4/30\": the first address of its subnet, which no host can have\n    \
             write the address of this machine and the mask of the subnet",
        ),
        (
            with(LINK, "[[context.interface]]\nname = \"eth2\"\naddresses = [\"10.0.0.7/29\"]\n"),
            "srp.toml:15: context[source].interface[eth2].addresses[0] = \"10.0.0.7/29\": the broadcast address of its subnet, which no host can have\n    \
             write the address of this machine and the mask of the subnet",
        ),
        (
            with(
                LINK,
                "[[context.interface]]\nname = \"eth2\"\nmtu = 1279\naddresses = [\"2001:db8::1/64\"]\n",
            ),
            "srp.toml:15: context[source].interface[eth2].mtu = 1279: IPv6, which context[source].interface[eth2].addresses[0] (line 16) needs, does not work on a link with less than 1280 octets\n    \
             write 1280 or more, or remove the address",
        ),
        (
            with(LINK, "[[context.interface]]\nname = \"lo\"\n"),
            "srp.toml:14: context[source].interface[lo].name = \"lo\": lo is no port: its addresses are loopbacks\n    \
             write a [[context.loopback]] table for each address",
        ),
        (
            with(LINK, "[[context.interface]]\nname = \"eth1\"\n"),
            "srp.toml:14: context[source].interface[eth1].name = \"eth1\": the same interface as context[srp].interface[eth1].name (line 8)\n    \
             remove one of the two",
        ),
        (
            with(LINK, &eth2),
            "srp.toml:15: context[source].interface[eth2].addresses[0] = \"192.0.2.1/30\": the same address as context[srp].interface[eth1].addresses[0] (line 9)\n    \
             remove one of the two",
        ),
        (
            with(LINK, &eth2.replace("192.0.2.1", "192.0.2.2")),
            "srp.toml:15: context[source].interface[eth2].addresses[0] = \"192.0.2.2/30\": this address is in use: srp.peer-ip-address (line 3)\n    \
             choose an address that nothing else has",
        ),
        (
            with(
                LINK,
                &format!(
                    "{}[[context.loopback]]\nname = \"a\"\naddress = \"10.0.0.1/32\"\n",
                    eth2.replace("192.0.2.1", "10.0.0.1")
                ),
            ),
            "srp.toml:15: context[source].interface[eth2].addresses[0] = \"10.0.0.1/30\": this address is in use: context[source].loopback[a].address (line 18)\n    \
             choose an address that nothing else has",
        ),
        (
            with(&format!("{LINK}description = \"\"\n"), ""),
            "srp.toml:10: context[srp].interface[eth1].description = \"\": out of range\n    \
             allowed: text: 1 .. 255 octets on one line",
        ),
    ];
    for (text, said) in rows {
        assert_eq!(read(text), Err(vec![(*said).to_owned()]), "{text}");
    }
}
