//! Every fault, with the text that an operator reads.

use super::{FULL, read};

/// One edit of the full example, and what is then said.
struct Row {
    fact: &'static str,
    from: &'static str,
    to: &'static str,
    said: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        fact: "neighbours that keep nothing keep nothing long",
        from: "router-id = \"192.0.2.1\"",
        to: "router-id = \"192.0.2.1\"\nlong-lived-time = \"60s\"",
        said: &[
            "srp.toml:65: context[destination].bgp.long-lived-time = \"60s\": this has no effect without graceful-restart = \"on\"\n    set graceful-restart = \"on\", or remove this",
        ],
    },
    Row {
        fact: "a text that is not TOML is not checked further",
        from: "priority = 10",
        to: "priority 10",
        said: &[
            "srp.toml:5: this is not TOML: key with no value, expected `=`\n    correct this line; keys and values are checked once the file is TOML",
        ],
    },
    Row {
        fact: "a repeated key",
        from: "priority = 10",
        to: "priority = 10\npriority = 300",
        said: &[
            "srp.toml:6: priority: this key or table stands twice\n    keep one of the two; lists of tables have [[two brackets]]",
        ],
    },
    Row {
        fact: "a mistyped key names the nearest one",
        from: "hello-interval",
        to: "helo-interval",
        said: &["srp.toml:9: srp.helo-interval = \"50ms\": unknown key\n    did you mean hello-interval?"],
    },
    Row {
        fact: "an unknown key far from all others lists them",
        from: "group = \"operators\"",
        to: "colour = \"red\"",
        said: &["srp.toml:36: control.colour = \"red\": unknown key\n    known here: socket, group"],
    },
    Row {
        fact: "an unknown table",
        from: "[log]",
        to: "[logging]",
        said: &[
            "srp.toml:38: logging: unknown key\n    known here: srp, control, log, kernel, record, snmp, syslog, metrics, bulk-statistics, context",
        ],
    },
    Row {
        fact: "a required key that is missing",
        from: "bind-address = \"192.0.2.1\"\n",
        to: "",
        said: &[
            "srp.toml:2: srp.bind-address: missing\n    add bind-address to this table: IPv4 or IPv6 address",
        ],
    },
    Row {
        fact: "a table where an array of tables belongs",
        from: "[[context.pool]]",
        to: "[context.pool]",
        said: &[
            "srp.toml:56: context[destination].pool: a TOML table, where this is wanted: a table under the header [[context.pool]]\n    write it like this: a header in [[two pairs of brackets]]",
        ],
    },
    Row {
        fact: "an array of tables where a table belongs",
        from: "[context.bgp]",
        to: "[[context.bgp]]",
        said: &[
            "srp.toml:62: context[destination].bgp: a TOML array, where this is wanted: a table under the header [context.bgp]\n    write it like this: a header in [one pair of brackets]",
        ],
    },
    Row {
        fact: "a value of the wrong type",
        from: "priority = 10",
        to: "priority = \"10\"",
        said: &[
            "srp.toml:5: srp.priority = \"10\": a TOML string, where this is wanted: integer 1 .. 255\n    write it like this: 10 (without quotes)",
        ],
    },
    Row {
        fact: "a flag in quotes",
        from: "passive = false",
        to: "passive = \"no\"",
        said: &[
            "srp.toml:73: context[destination].bgp.neighbor[10.1.1.2].passive = \"no\": a TOML string, where this is wanted: true or false\n    write it like this: true (without quotes)",
        ],
    },
    Row {
        fact: "an integer out of range",
        from: "priority = 10",
        to: "priority = 256",
        said: &["srp.toml:5: srp.priority = 256: out of range\n    allowed: integer 1 .. 255"],
    },
    Row {
        fact: "an integer that no type can hold",
        from: "table = 254",
        to: "table = 99999999999999999999999999",
        said: &[
            "srp.toml:48: context[destination].table = 99999999999999999999999999: out of range\n    allowed: integer 1 .. 4294967295",
        ],
    },
    Row {
        fact: "a duration out of range",
        from: "hello-interval = \"50ms\"",
        to: "hello-interval = \"5ms\"",
        said: &[
            "srp.toml:9: srp.hello-interval = \"5ms\": out of range\n    allowed: duration \"10ms\" .. \"60s\"",
        ],
    },
    Row {
        fact: "a duration without a unit",
        from: "delay-interval = \"10s\"",
        to: "delay-interval = 10",
        said: &[
            "srp.toml:11: srp.delay-interval = 10: a duration without a unit\n    write a unit: \"10s\" or \"10ms\"",
        ],
    },
    Row {
        fact: "a duration without a unit, in quotes",
        from: "delay-interval = \"10s\"",
        to: "delay-interval = \"10\"",
        said: &[
            "srp.toml:11: srp.delay-interval = \"10\": a duration without a unit\n    write a unit: \"10s\" or \"10ms\"",
        ],
    },
    Row {
        fact: "a duration with an unknown unit",
        from: "delay-interval = \"10s\"",
        to: "delay-interval = \"10 sec\"",
        said: &[
            "srp.toml:11: srp.delay-interval = \"10 sec\": cannot be read as a duration\n    write it like this: \"50ms\" (units: us, ms, s, m, h)",
        ],
    },
    Row {
        fact: "a way back from an end that nothing brings about",
        from: "remote-as = 65101\n",
        to: "remote-as = 65101\nmaximum-prefixes-restart = \"5m\"\n",
        said: &[
            "srp.toml:70: context[destination].bgp.neighbor[10.1.1.2].maximum-prefixes-restart = \"5m\": this has no effect without maximum-prefixes\n    set maximum-prefixes, or remove this",
        ],
    },
    Row {
        fact: "a way back from a limit that only warns",
        from: "remote-as = 65101\n",
        to: "remote-as = 65101\nmaximum-prefixes = 10\nmaximum-prefixes-action = \"warn\"\nmaximum-prefixes-restart = \"5m\"\n",
        said: &[
            "srp.toml:72: context[destination].bgp.neighbor[10.1.1.2].maximum-prefixes-restart = \"5m\": this has no effect without maximum-prefixes-action = \"end\"\n    set maximum-prefixes-action = \"end\", or remove this",
        ],
    },
    Row {
        fact: "IPv6 next hops for IPv4 routes that are not exchanged",
        from: "interface = \"eth1\"\n",
        to: "interface = \"eth1\"\nextended-next-hop = true\n",
        said: &[
            "srp.toml:83: context[destination].bgp.neighbor[fe80::2].extended-next-hop = true: IPv4 unicast is not exchanged with this neighbour, so this has no effect\n    set ipv4 = true, or remove this",
        ],
    },
    Row {
        fact: "a word that is not in the list",
        from: "chassis-mode = \"primary\"",
        to: "chassis-mode = \"Primary\"",
        said: &[
            "srp.toml:4: srp.chassis-mode = \"Primary\": not a word that is known here\n    write one of: primary, backup",
        ],
    },
    Row {
        fact: "an empty name",
        from: "name = \"destination\"",
        to: "name = \"\"",
        said: &[
            "srp.toml:47: context[].name = \"\": out of range\n    allowed: name: 1 .. 79 letters, digits, `-`, `_`, `.`",
        ],
    },
    Row {
        fact: "ch_5 the dead-interval holds three Hellos",
        from: "dead-interval = \"150ms\"",
        to: "dead-interval = \"149ms\"",
        said: &[
            "srp.toml:10: srp.dead-interval = \"149ms\": dead-interval 149ms is shorter than three times hello-interval 50ms\n    set srp.dead-interval to \"150ms\" or more, or srp.hello-interval to less",
        ],
    },
    Row {
        fact: "bgp_5 the first Standby is below the threshold",
        from: "delta-route-modifier = 2",
        to: "delta-route-modifier = 16",
        said: &[
            "srp.toml:14: srp.delta-route-modifier = 16: a Standby beside the Active's first route modifier, 1, would have 17, past route-modifier-threshold 16\n    set srp.delta-route-modifier to 15 or less, or srp.route-modifier-threshold to 17 or more",
        ],
    },
    Row {
        fact: "bgp_5 a step of nothing would leave both chassis level",
        from: "route-modifier-threshold = 16\ndelta-route-modifier = 2",
        to: "route-modifier-threshold = 2\ndelta-route-modifier = 0",
        said: &["srp.toml:14: srp.delta-route-modifier = 0: out of range\n    allowed: integer 1 .. 31"],
    },
    Row {
        fact: "ch_5 said at the hello-interval where the dead-interval is a default",
        from: "hello-interval = \"50ms\"\ndead-interval = \"150ms\"",
        to: "hello-interval = \"200ms\"",
        said: &[
            "srp.toml:9: srp.hello-interval = \"200ms\": dead-interval 300ms is shorter than three times hello-interval 200ms\n    set srp.dead-interval to \"600ms\" or more, or srp.hello-interval to less",
        ],
    },
    Row {
        fact: "a hello-interval that is wrong in itself is not compared",
        from: "hello-interval = \"50ms\"",
        to: "hello-interval = \"90s\"",
        said: &[
            "srp.toml:9: srp.hello-interval = \"90s\": out of range\n    allowed: duration \"10ms\" .. \"60s\"",
        ],
    },
    Row {
        fact: "ends of two families",
        from: "peer-ip-address = \"192.0.2.2\"",
        to: "peer-ip-address = \"2001:db8::2\"",
        said: &[
            "srp.toml:7: srp.peer-ip-address = \"2001:db8::2\": of another address family than srp.bind-address (line 6)\n    write two IPv4 addresses or two IPv6 addresses",
        ],
    },
    Row {
        fact: "equal ends",
        from: "peer-ip-address = \"192.0.2.2\"",
        to: "peer-ip-address = \"192.0.2.1\"",
        said: &[
            "srp.toml:7: srp.peer-ip-address = \"192.0.2.1\": the same address as srp.bind-address (line 6)\n    bind-address is this chassis, peer-ip-address the other one",
        ],
    },
    Row {
        fact: "a link-local end",
        from: "bind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"",
        to: "bind-address = \"fe80::1\"\npeer-ip-address = \"2001:db8::2\"",
        said: &[
            "srp.toml:6: srp.bind-address = \"fe80::1\": a link-local address, which means nothing without an interface\n    write an IPv4, a global or a unique-local IPv6 address",
        ],
    },
    Row {
        fact: "an address that is none",
        from: "peer-ip-address = \"192.0.2.2\"",
        to: "peer-ip-address = \"192.0.2\"",
        said: &[
            "srp.toml:7: srp.peer-ip-address = \"192.0.2\": cannot be read as an address\n    write it like this: \"192.0.2.1\" or \"2001:db8::1\"",
        ],
    },
    Row {
        fact: "a multicast address",
        from: "peer-ip-address = \"192.0.2.2\"",
        to: "peer-ip-address = \"224.0.0.18\"",
        said: &[
            "srp.toml:7: srp.peer-ip-address = \"224.0.0.18\": 224.0.0.18 is a multicast address\n    write a unicast address or prefix that can be reached from elsewhere",
        ],
    },
    Row {
        fact: "a MAC address that is none",
        from: "02:00:5e:10:00:01",
        to: "02:00:5e:10:00",
        said: &[
            "srp.toml:20: srp.mac = \"02:00:5e:10:00\": cannot be read as a MAC address\n    write it like this: \"02:00:5e:10:00:01\"",
        ],
    },
    Row {
        fact: "a MAC address of a group",
        from: "02:00:5e:10:00:01",
        to: "01:00:5e:00:00:12",
        said: &[
            "srp.toml:20: srp.mac = \"01:00:5e:00:00:12\": not the MAC address of one interface\n    write that of an interface, or leave it out to take the one with bind-address",
        ],
    },
    Row {
        fact: "no protection is chosen",
        from: "[srp.tls]\nkey = \"keys/east.key\"\ncertificate = \"/srv/east.crt\"\npeer-certificate = \"keys/west.crt\"\n",
        to: "",
        said: &[
            "srp.toml:2: srp.tls: nothing says how the link to the peer is protected\n    run `srpctl keygen --out DIR NAME` on both chassis and add [srp.tls], or write plaintext = true if the link needs no protection",
        ],
    },
    Row {
        fact: "two protections are chosen",
        from: "plaintext = false",
        to: "plaintext = true",
        said: &[
            "srp.toml:21: srp.plaintext = true: contradicts srp.tls (line 24)\n    remove plaintext to protect the link, or the [srp.tls] table",
        ],
    },
    Row {
        fact: "a certificate that pins itself",
        from: "peer-certificate = \"keys/west.crt\"",
        to: "peer-certificate = \"/srv/east.crt\"",
        said: &[
            "srp.toml:27: srp.tls.peer-certificate = \"/srv/east.crt\": the same file as srp.tls.certificate (line 26)\n    key and certificate are this chassis' own, peer-certificate is the certificate file copied from the peer",
        ],
    },
    Row {
        fact: "a socket path that no socket can have",
        from: "socket = \"run/east.sock\"",
        to: "socket = \"/ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss\"",
        said: &[
            "srp.toml:35: control.socket = \"/ssssssssssssssssssssssssssssssssssssssssssssssssssssssssss...: 111 octets, and the path of a socket may have 107\n    choose a shorter path, such as \"/run/srp/srpd.sock\"",
        ],
    },
    Row {
        fact: "a routing protocol number that is BIRD's",
        from: "protocol = 85",
        to: "protocol = 12",
        said: &[
            "srp.toml:43: kernel.protocol = 12: protocol number 12 marks the routes of BIRD; srpd would remove them as stale\n    write a number that /etc/iproute2/rt_protos does not list",
        ],
    },
    Row {
        fact: "one metric for two kinds of route",
        from: "protocol = 85",
        to: "protocol = 85\nlearned-metric = 20",
        said: &[
            "srp.toml:44: kernel.learned-metric = 20: the same as kernel.metric, and the metric tells a learned route from one of this chassis\n    write another number, such as 83",
        ],
    },
    Row {
        fact: "the local table",
        from: "table = 254",
        to: "table = 255",
        said: &[
            "srp.toml:48: context[destination].table = 255: table 255 holds the kernel's own local addresses\n    write 254 (the main table) or a table of its own",
        ],
    },
    Row {
        fact: "a loopback that is a network",
        from: "203.0.113.1/32",
        to: "203.0.113.1/24",
        said: &[
            "srp.toml:52: context[destination].loopback[gateway].address = \"203.0.113.1/24\": a loopback carries one address, not a network\n    write \"203.0.113.1/32\"",
        ],
    },
    Row {
        fact: "a loopback with the address of the link",
        from: "203.0.113.1/32",
        to: "192.0.2.2/32",
        said: &[
            "srp.toml:52: context[destination].loopback[gateway].address = \"192.0.2.2/32\": this address is in use: srp.peer-ip-address (line 7)\n    choose an address that nothing else has",
        ],
    },
    Row {
        fact: "a pool with host bits",
        from: "172.18.0.0/16",
        to: "172.18.0.0/12",
        said: &[
            "srp.toml:58: context[destination].pool[subscribers].prefix = \"172.18.0.0/12\": the address has bits to the right of its /12 mask\n    write \"172.16.0.0/12\"",
        ],
    },
    Row {
        fact: "a pool without a mask",
        from: "172.18.0.0/16",
        to: "172.18.0.0",
        said: &[
            "srp.toml:58: context[destination].pool[subscribers].prefix = \"172.18.0.0\": a prefix without a mask length\n    write \"172.18.0.0/32\" for this one address, or a shorter mask",
        ],
    },
    Row {
        fact: "two pools of one name",
        from: "[context.bgp]",
        to: "[[context.pool]]\nname = \"subscribers\"\nprefix = \"10.9.0.0/16\"\n\n[context.bgp]",
        said: &[
            "srp.toml:63: context[destination].pool[subscribers].name = \"subscribers\": the same name as context[destination].pool[subscribers].name (line 57)\n    give each its own name, or remove one of the two",
        ],
    },
    Row {
        fact: "a network that is also a pool",
        from: "prefix = \"198.51.100.0/24\"",
        to: "prefix = \"172.18.0.0/16\"",
        said: &[
            "srp.toml:86: context[destination].bgp.network[172.18.0.0/16].prefix = \"172.18.0.0/16\": the same prefix as context[destination].pool[subscribers].prefix (line 58)\n    give each its own prefix, or remove one of the two",
        ],
    },
    Row {
        fact: "two contexts of one name",
        from: "[[context]]",
        to: "[[context]]\nname = \"destination\"\n\n[[context]]",
        said: &[
            "srp.toml:50: context[destination].name = \"destination\": the same name as context[destination].name (line 47)\n    give each its own name, or remove one of the two",
        ],
    },
    Row {
        fact: "AS_TRANS",
        from: "as = 65001",
        to: "as = 23456",
        said: &[
            "srp.toml:63: context[destination].bgp.as = 23456: AS 23456 is reserved and cannot be used by a speaker\n    write a number from 1 to 4294967294, other than 23456",
        ],
    },
    Row {
        fact: "an AS in asdot",
        from: "as = 65001",
        to: "as = 1.10",
        said: &[
            "srp.toml:63: context[destination].bgp.as = 1.10: a TOML float, where this is wanted: integer 1 .. 4294967294, not 23456\n    write it like this: 65001 (asplain, RFC 5396)",
        ],
    },
    Row {
        fact: "rfc_6286 the identifier is not zero",
        from: "router-id = \"192.0.2.1\"",
        to: "router-id = \"0.0.0.0\"",
        said: &[
            "srp.toml:64: context[destination].bgp.router-id = \"0.0.0.0\": 0.0.0.0 is not a BGP identifier\n    write an IPv4 address of this chassis that no other BGP speaker uses",
        ],
    },
    Row {
        fact: "rfc_4271_4_2 a hold time of two seconds",
        from: "hold-time = \"9s\"",
        to: "hold-time = \"2s\"",
        said: &[
            "srp.toml:72: context[destination].bgp.neighbor[10.1.1.2].hold-time = \"2s\": RFC 4271 allows no such hold time\n    write \"0s\" (never expires) or whole seconds from \"3s\" to \"65535s\"",
        ],
    },
    Row {
        fact: "a hold time that is no whole second",
        from: "hold-time = \"9s\"",
        to: "hold-time = \"3500ms\"",
        said: &[
            "srp.toml:72: context[destination].bgp.neighbor[10.1.1.2].hold-time = \"3500ms\": RFC 4271 allows no such hold time\n    write \"0s\" (never expires) or whole seconds from \"3s\" to \"65535s\"",
        ],
    },
    Row {
        fact: "two neighbours of one address",
        from: "address = \"fe80::2\"\ninterface = \"eth1\"",
        to: "address = \"10.1.1.2\"",
        said: &[
            "srp.toml:81: context[destination].bgp.neighbor[10.1.1.2].address = \"10.1.1.2\": the same neighbour as context[destination].bgp.neighbor[10.1.1.2].address (line 68)\n    remove one of the two",
        ],
    },
    Row {
        fact: "a neighbour that is this chassis",
        from: "address = \"fe80::2\"\ninterface = \"eth1\"",
        to: "address = \"192.0.2.1\"",
        said: &[
            "srp.toml:81: context[destination].bgp.neighbor[192.0.2.1].address = \"192.0.2.1\": an address of this chassis itself: srp.bind-address (line 6)\n    write the address of the neighbour",
        ],
    },
    Row {
        fact: "a neighbour that is its own end",
        from: "local-address = \"10.1.1.1\"",
        to: "local-address = \"10.1.1.2\"",
        said: &[
            "srp.toml:68: context[destination].bgp.neighbor[10.1.1.2].address = \"10.1.1.2\": an address of this chassis itself: context[destination].bgp.neighbor[10.1.1.2].local-address (line 70)\n    write the address of the neighbour",
        ],
    },
    Row {
        fact: "a local address of the other family",
        from: "local-address = \"10.1.1.1\"",
        to: "local-address = \"2001:db8::1\"",
        said: &[
            "srp.toml:70: context[destination].bgp.neighbor[10.1.1.2].local-address = \"2001:db8::1\": of another address family than context[destination].bgp.neighbor[10.1.1.2].address (line 68)\n    write two IPv4 addresses or two IPv6 addresses",
        ],
    },
    Row {
        fact: "a link-local neighbour without an interface",
        from: "interface = \"eth1\"\n",
        to: "",
        said: &[
            "srp.toml:81: context[destination].bgp.neighbor[fe80::2].address = \"fe80::2\": a link-local neighbour, and nothing says on which interface\n    add interface = \"NAME\" to this neighbour",
        ],
    },
    Row {
        fact: "an interface for a neighbour that is not link-local",
        from: "local-address = \"10.1.1.1\"",
        to: "interface = \"eth0\"",
        said: &[
            "srp.toml:70: context[destination].bgp.neighbor[10.1.1.2].interface = \"eth0\": an interface has a meaning for link-local neighbours only, and 10.1.1.2 is not one\n    remove it",
        ],
    },
    Row {
        fact: "nothing to exchange",
        from: "ipv4 = true\nipv6 = true\nnext-hop-ipv4 = \"10.1.1.1\"\nnext-hop-ipv6 = \"2001:db8:1:1::1\"\nimport = [\"10.201.0.0/16 le 24\", \"2001:db8:201::/48\"]",
        to: "ipv4 = false",
        said: &[
            "srp.toml:74: context[destination].bgp.neighbor[10.1.1.2].ipv4 = false: with ipv4 and ipv6 both false, nothing is exchanged with this neighbour\n    set one of them to true, or remove the neighbour",
        ],
    },
    Row {
        fact: "the other family without a next hop",
        from: "next-hop-ipv6 = \"2001:db8:1:1::1\"\n",
        to: "",
        said: &[
            "srp.toml:75: context[destination].bgp.neighbor[10.1.1.2].ipv6 = true: IPv6 routes go to a neighbour whose session is of the other family, and have no next hop\n    add next-hop-ipv6 = \"ADDRESS\", an address of this chassis",
        ],
    },
    Row {
        fact: "settings of a family that is not exchanged",
        from: "ipv6 = true",
        to: "ipv6 = false",
        said: &[
            "srp.toml:77: context[destination].bgp.neighbor[10.1.1.2].next-hop-ipv6 = \"2001:db8:1:1::1\": IPv6 unicast is not exchanged with this neighbour, so this has no effect\n    set ipv6 = true, or remove this",
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import[1] = \"2001:db8:201::/48\": IPv6 unicast is not exchanged with this neighbour, so this has no effect\n    set ipv6 = true, or remove this",
        ],
    },
    Row {
        fact: "an import rule out of order",
        from: "10.201.0.0/16 le 24",
        to: "10.201.0.0/16 ge 25 le 24",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import[0] = \"10.201.0.0/16 ge 25 le 24\": mask lengths must be in the order /16 <= ge 25 <= le 24 <= 32\n    leave out ge and le to accept exactly the prefix",
        ],
    },
    Row {
        fact: "an import rule with another word",
        from: "10.201.0.0/16 le 24",
        to: "10.201.0.0/16 up to 24",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import[0] = \"10.201.0.0/16 up to 24\": cannot be read as a rule\n    write it like this: \"10.0.0.0/8 ge 16 le 24\" or \"any community 65001:1 set preference 200\"",
        ],
    },
    Row {
        fact: "the same import rule twice",
        from: "\"10.201.0.0/16 le 24\"",
        to: "\"10.201.0.0/16\", \"10.201.0.0/16\"",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import[1] = \"10.201.0.0/16\": the same rule as context[destination].bgp.neighbor[10.1.1.2].import[0] (line 78)\n    remove one of the two",
        ],
    },
    Row {
        fact: "a rule behind one that takes all its routes",
        from: "\"10.201.0.0/16 le 24\"",
        to: "\"10.201.0.0/16 le 24\", \"10.201.1.0/24 community 65001:1 set preference 200\"",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import[1] = \"10.201.1.0/24 community 65001:1 set preference 200\": never matches: every route that it is for is taken by context[destination].bgp.neighbor[10.1.1.2].import[0] (line 78)\n    put it before the other one, or remove it",
        ],
    },
    Row {
        fact: "prepends on import",
        from: "10.201.0.0/16 le 24",
        to: "10.201.0.0/16 le 24 set prepend 2",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import[0] = \"10.201.0.0/16 le 24 set prepend 2\": `prepend` is for export: a received path is not made longer\n    remove `prepend` from this rule, or remove the rule",
        ],
    },
    Row {
        fact: "the path of a route that begins here",
        from: "import = [\"10.201.0.0/16 le 24\", \"2001:db8:201::/48\"]",
        to: "export = [\"any from-as 65001\"]",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].export[0] = \"any from-as 65001\": `from-as` is for import, and never matches a route of this chassis\n    remove `from-as` from this rule, or remove the rule",
        ],
    },
    Row {
        fact: "import rules outside an array",
        from: "import = [\"10.201.0.0/16 le 24\", \"2001:db8:201::/48\"]",
        to: "import = \"any\"",
        said: &[
            "srp.toml:78: context[destination].bgp.neighbor[10.1.1.2].import = \"any\": a TOML string, where this is wanted: array of: `[reject] PREFIX [ge N] [le N] [CONDITION ...] [set CHANGE ...]`\n    write it like this: [\"10.0.0.0/8 le 24\", \"2001:db8::/32\"]",
        ],
    },
    Row {
        fact: "BGP on the port of the link",
        from: "port = 4493",
        to: "port = 179",
        said: &[
            "srp.toml:65: context[destination].bgp.port = 179: the port of the SRP link, srp.port (line 8), is the same\n    choose another port for one of the two",
        ],
    },
    Row {
        fact: "a monitor of an unknown context",
        from: "context = \"destination\"",
        to: "context = \"source\"",
        said: &[
            "srp.toml:30: srp.monitor.bgp[10.1.1.2].context = \"source\": no context of this name is configured\n    write one of: destination",
        ],
    },
    Row {
        fact: "a monitor of an unknown neighbour",
        from: "address = \"10.1.1.2\"\ngroup",
        to: "address = \"10.1.1.3\"\ngroup",
        said: &[
            "srp.toml:31: srp.monitor.bgp[10.1.1.3].address = \"10.1.1.3\": context destination has no neighbour of this address\n    write one of: 10.1.1.2, fe80::2, 10.1.3.2",
        ],
    },
    Row {
        fact: "a monitor of a neighbour whose address cannot be read is not blamed",
        from: "address = \"10.1.1.2\"\nremote-as",
        to: "address = \"10.1.1\"\nremote-as",
        said: &[
            "srp.toml:68: context[destination].bgp.neighbor[10.1.1].address = \"10.1.1\": cannot be read as an address\n    write it like this: \"192.0.2.1\" or \"2001:db8::1\"",
        ],
    },
    Row {
        fact: "a monitor that stands twice",
        from: "[control]",
        to: "[[srp.monitor.bgp]]\ncontext = \"destination\"\naddress = \"10.1.1.2\"\n\n[control]",
        said: &[
            "srp.toml:36: srp.monitor.bgp[10.1.1.2].address = \"10.1.1.2\": the same neighbour as srp.monitor.bgp[10.1.1.2].address (line 31)\n    remove one of the two",
        ],
    },
    Row {
        fact: "a word that is not in the list",
        from: "dscp-control = \"cs6\"",
        to: "dscp-control = \"cs8\"",
        said: &[
            "srp.toml:22: srp.dscp-control = \"cs8\": not a word that is known here\n    write one of: af11, af12, af13, af21, af22, af23, af31, af32, af33, af41, af42, af43, be, cs1, cs2, cs3, cs4, cs5, cs6, cs7, ef",
        ],
    },
    Row {
        fact: "a size without a unit",
        from: "\"32MiB\"",
        to: "\"32\"",
        said: &[
            "srp.toml:90: record.max-size = \"32\": cannot be read as a size\n    write it like this: \"16MiB\" (units: KiB, MiB, GiB)",
        ],
    },
    Row {
        fact: "a size beyond its bounds",
        from: "\"32MiB\"",
        to: "\"32KiB\"",
        said: &[
            "srp.toml:90: record.max-size = \"32KiB\": out of range\n    allowed: size \"64KiB\" .. \"16GiB\"",
        ],
    },
    Row {
        fact: "a layer-2 address where there are no hosts, and one that both chassis would have",
        from: "interface = \"lo\"\nsrp-activate = true",
        to: "srp-activate = false\nlayer-2 = true",
        said: &[
            "srp.toml:54: context[destination].loopback[gateway].layer-2 = true: on lo there are no hosts that could find this address\n    add interface = \"NAME\", the link to the subnet of this address",
            "srp.toml:54: context[destination].loopback[gateway].layer-2 = true: both chassis would have this address at once on one link, as it is not srp-activated\n    set srp-activate = true, or remove layer-2",
        ],
    },
    Row {
        fact: "a layer-2 address that the Standby would have too",
        from: "advertise-routes-in-standby-state = false",
        to: "advertise-routes-in-standby-state = true",
        said: &[
            "srp.toml:97: context[destination].loopback[on-link].layer-2 = true: the Standby would have this address too: srp.advertise-routes-in-standby-state (line 15)\n    remove advertise-routes-in-standby-state, or layer-2 from this loopback",
        ],
    },
];

#[test]
fn each_fault_is_said_with_its_line_value_reason_and_remedy() {
    for row in ROWS {
        assert!(FULL.contains(row.from), "{}: the example has no {:?}", row.fact, row.from);
        let said = read(&FULL.replacen(row.from, row.to, 1)).err().unwrap_or_default();
        assert_eq!(said, row.said, "{}", row.fact);
    }
}
