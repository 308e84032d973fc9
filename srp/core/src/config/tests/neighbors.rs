//! What a BGP instance is refused for, each with the text that an operator reads; and what its neighbours come to.

use super::{SHORT, parse, read};
use crate::config::NeighborConfig;
use crate::types::Span;

/// Line of the first key after [`CONTEXT`].
const FIRST: usize = 11;
const CONTEXT: &str = "[[context]]\nname = \"a\"\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.1\"\n";
const NEIGHBOR: &str = "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\n";

struct Row {
    fact: &'static str,
    /// What follows the head of the context.
    text: &'static str,
    /// `line|key = value|why|remedy`, lines counted from the first of `text`.
    said: &'static [&'static str],
}

const ROWS: &[Row] = &[
    Row {
        fact: "AS 0",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 0\n",
        said: &[
            "3|context[a].bgp.neighbor[10.1.1.2].remote-as = 0|AS 0 is reserved and cannot be used by a speaker|\
             write a number from 1 to 4294967294, other than 23456",
        ],
    },
    Row {
        fact: "segments signed twice",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\nmd5-key-file = \"/a\"\nao-key-file = \"/b\"\n",
        said: &["5|context[a].bgp.neighbor[10.1.1.2].ao-key-file = \"/b\"|a segment has one signature, and \
             context[a].bgp.neighbor[10.1.1.2].md5-key-file (line 13) signs it already|keep the one that the neighbour has too"],
    },
    Row {
        fact: "prepends that do not rise",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\nprepends = [1, 3, 3, 4]\n",
        said: &[
            "4|context[a].bgp.neighbor[10.1.1.2].prepends[2] = 3|a router would not prefer the chassis with the \
             lower route modifier, as the entry before is 3|write 4 or more: entries are strictly increasing",
        ],
    },
    Row {
        fact: "prepends that fall",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\nprepends = [2, 0]\n",
        said: &[
            "4|context[a].bgp.neighbor[10.1.1.2].prepends[1] = 0|a router would not prefer the chassis with the \
             lower route modifier, as the entry before is 2|write 3 or more: entries are strictly increasing",
        ],
    },
    Row {
        fact: "prepends beyond what a path can carry",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\nprepends = [101]\n",
        said: &[
            "4|context[a].bgp.neighbor[10.1.1.2].prepends[0] = 101|out of range|allowed: integer 0 .. 100",
        ],
    },
    Row {
        fact: "prepends outside an array",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\nprepends = 2\n",
        said: &[
            "4|context[a].bgp.neighbor[10.1.1.2].prepends = 2|a TOML integer, where this is wanted: array of: \
             integer 0 .. 100|write it like this: [1, 2, 3, 5]",
        ],
    },
    Row {
        fact: "prepends that an internal neighbour does not see",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65001\nprepends = [1, 2]\n",
        said: &[
            "4|context[a].bgp.neighbor[10.1.1.2].prepends[0] = 1|an internal neighbour sees no prepends: the route \
             modifier is its LOCAL_PREF|remove it, or correct remote-as",
        ],
    },
    Row {
        fact: "a group that is not there",
        text: "[[context.bgp.group]]\nname = \"transit\"\n[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\n\
               remote-as = 65101\ngroup = \"transt\"\n",
        said: &[
            "6|context[a].bgp.neighbor[10.1.1.2].group = \"transt\"|no group of this name is configured in this \
             instance|write one of: transit",
        ],
    },
    Row {
        fact: "no group at all",
        text: "[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\ngroup = \"x\"\n",
        said: &[
            "4|context[a].bgp.neighbor[10.1.1.2].group = \"x\"|no group of this name is configured in this \
             instance|add a [[context.bgp.group]] table",
        ],
    },
    Row {
        fact: "an AS that is neither here nor in the group",
        text: "[[context.bgp.group]]\nname = \"x\"\n[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\ngroup = \"x\"\n",
        said: &["3|context[a].bgp.neighbor[10.1.1.2].remote-as|missing|add remote-as to this table: \
             integer 1 .. 4294967294, not 23456"],
    },
    Row {
        fact: "a wrong value of a group is said once, whoever has it",
        text: "[[context.bgp.group]]\nname = \"x\"\nremote-as = 0\n\
               [[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\ngroup = \"x\"\n\
               [[context.bgp.neighbor]]\naddress = \"10.1.2.2\"\ngroup = \"x\"\n",
        said: &["3|context[a].bgp.group[x].remote-as = 0|AS 0 is reserved and cannot be used by a speaker|\
             write a number from 1 to 4294967294, other than 23456"],
    },
    Row {
        fact: "a wrong value of a group that nobody is in",
        text: "[[context.bgp.group]]\nname = \"x\"\nhold-time = \"1s\"\nhold = 3\n",
        said: &[
            "3|context[a].bgp.group[x].hold-time = \"1s\"|RFC 4271 allows no such hold time|\
             write \"0s\" (never expires) or whole seconds from \"3s\" to \"65535s\"",
            "4|context[a].bgp.group[x].hold = 3|unknown key|did you mean hold-time?",
        ],
    },
    Row {
        fact: "the address of one neighbour in a group",
        text: "[[context.bgp.group]]\nname = \"x\"\naddress = \"10.1.1.2\"\n",
        said: &["3|context[a].bgp.group[x].address = \"10.1.1.2\"|has no meaning here: each of its \
                 neighbours has its own|remove it, or name the neighbour in [[context.bgp.neighbor]]"],
    },
    Row {
        fact: "two groups of one name",
        text: "[[context.bgp.group]]\nname = \"x\"\n[[context.bgp.group]]\nname = \"x\"\n",
        said: &[
            "4|context[a].bgp.group[x].name = \"x\"|the same name as context[a].bgp.group[x].name (line 11)|\
             give each its own name, or remove one of the two",
        ],
    },
    Row {
        fact: "BFD of a group at a neighbour that has no address of ours",
        text: "[[context.bgp.group]]\nname = \"x\"\n[context.bgp.group.bfd]\nmultiplier = 5\n\
               [[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\ngroup = \"x\"\n",
        said: &[
            "5|context[a].bgp.neighbor[10.1.1.2].bfd|a BFD session with a neighbour, and nothing says from which \
             address|add local-address to this neighbour",
        ],
    },
    Row {
        fact: "what only a named neighbour has, at a range",
        text: "[[context.bgp.range]]\nprefix = \"10.5.0.0/16\"\nremote-as = 65105\npassive = true\nport = 1179\n\
               [context.bgp.range.bfd]\n",
        said: &[
            "4|context[a].bgp.range[10.5.0.0/16].passive = true|has no meaning here: its neighbours are waited \
             for in any case|remove it, or name the neighbour in [[context.bgp.neighbor]]",
            "5|context[a].bgp.range[10.5.0.0/16].port = 1179|has no meaning here: its neighbours are not called|\
             remove it, or name the neighbour in [[context.bgp.neighbor]]",
            "6|context[a].bgp.range[10.5.0.0/16].bfd|has no meaning here: BFD needs a neighbour that is named|\
             remove it, or name the neighbour in [[context.bgp.neighbor]]",
        ],
    },
    Row {
        fact: "a range with room for nobody, our own AS among external ones, and host bits",
        text: "[[context.bgp.range]]\nprefix = \"10.5.0.0/16\"\nlimit = 0\nremote-as = 65105\nalternate-as = [65001]\n\
               [[context.bgp.range]]\nprefix = \"10.6.0.1/16\"\nremote-as = 65105\n",
        said: &[
            "3|context[a].bgp.range[10.5.0.0/16].limit = 0|out of range|allowed: integer 1 .. 5000",
            "5|context[a].bgp.range[10.5.0.0/16].alternate-as[0] = 65001|our own AS among those of external \
             neighbours: a session is internal or external before it begins|remove it; internal neighbours have a \
             range of their own",
            "7|context[a].bgp.range[10.6.0.1/16].prefix = \"10.6.0.1/16\"|the address has bits to the right of its /16 \
             mask|write \"10.6.0.0/16\"",
        ],
    },
    Row {
        fact: "two ranges of one prefix",
        text: "[[context.bgp.range]]\nprefix = \"10.5.0.0/16\"\nremote-as = 65105\n\
               [[context.bgp.range]]\nprefix = \"10.5.0.0/16\"\nremote-as = 65106\n",
        said: &["5|context[a].bgp.range[10.5.0.0/16].prefix = \"10.5.0.0/16\"|the same prefix as \
             context[a].bgp.range[10.5.0.0/16].prefix (line 11)|give each its own prefix, or remove one of the two"],
    },
    Row {
        fact: "two instances that both listen everywhere",
        text: "[[context]]\nname = \"b\"\ntable = 300\n[context.bgp]\nas = 65002\nrouter-id = \"192.0.2.2\"\n",
        said: &[
            "4|context[b].bgp|listens on every address, port 179, and so would context[a].bgp (line 7): the two cannot \
             tell who is meant|add listen = [\"ADDRESS\"] to both, or give one of them another port",
        ],
    },
    Row {
        fact: "an end of a session where nobody listens",
        text: "listen = [\"10.1.1.1\"]\n[[context.bgp.neighbor]]\naddress = \"10.1.2.2\"\nremote-as = 65101\n\
               local-address = \"10.1.2.1\"\n",
        said: &[
            "5|context[a].bgp.neighbor[10.1.2.2].local-address = \"10.1.2.1\"|the instance does not listen on this \
             address, so the neighbour could not connect|add it to listen, or write one that is there",
        ],
    },
    Row {
        fact: "a link-local address to listen on",
        text: "listen = [\"10.1.1.1\", \"fe80::1\"]\n",
        said: &[
            "1|context[a].bgp.listen[1] = \"fe80::1\"|a link-local address, which means nothing without an interface|\
             write an IPv4, a global or a unique-local IPv6 address",
        ],
    },
    Row {
        fact: "one address of two instances, and one neighbour that cannot be told apart",
        text: "listen = [\"10.1.1.1\"]\n[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\n\
               [[context]]\nname = \"b\"\ntable = 300\n[context.bgp]\nas = 65002\nrouter-id = \"192.0.2.2\"\n\
               listen = [\"10.1.1.1\"]\n[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\n",
        said: &[
            "11|context[b].bgp.listen[0] = \"10.1.1.1\"|the same address to listen on as context[a].bgp.listen[0] \
             (line 10)|remove one of the two",
            "13|context[b].bgp.neighbor[10.1.1.2].address = \"10.1.1.2\"|the neighbour of another context, \
             context[a].bgp.neighbor[10.1.1.2].address (line 12), and the two sessions have no ends of their own|\
             give both a local-address, each another one",
        ],
    },
];

#[test]
fn each_fault_is_said_with_its_line_value_reason_and_remedy() {
    let mut wrong = Vec::new();
    for row in ROWS {
        let said = read(&format!("{SHORT}{CONTEXT}{}", row.text)).err().unwrap_or_default();
        let expected: Vec<_> = row
            .said
            .iter()
            .map(|said| {
                let parts: Vec<&str> = said.splitn(4, '|').collect();
                let [line, key, why, remedy] = parts.as_slice() else { panic!("{said}") };
                let line = line.parse::<usize>().expect("a line") + FIRST - 2;
                format!("srp.toml:{line}: {key}: {why}\n    {remedy}")
            })
            .collect();
        if said != expected {
            wrong.push(format!("{}:\n{}\nnot:\n{}", row.fact, said.join("\n"), expected.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn both_chassis_have_the_same_prepends_towards_an_as() {
    let items = |keys: &str| parse(&format!("{SHORT}{CONTEXT}{NEIGHBOR}{keys}")).comparison_items();
    let (plain, short) = (items(""), items("prepends = [0, 1]\n"));
    let more =
        items("prepends = [0, 1]\n[[context.bgp.neighbor]]\naddress = \"10.1.2.2\"\nremote-as = 65101\n");
    assert_eq!(
        crate::config::differences(&short, &plain),
        ["context a bgp prepends towards AS 65101: 0 1 here, missing on the peer"]
    );
    assert_eq!(
        crate::config::differences(&short, &more),
        ["context a bgp prepends towards AS 65101: 0 1 here, as the route modifier, 0 1 on the peer"]
    );
}

#[test]
fn neighbour_has_what_it_says_itself_and_else_what_its_group_says() {
    let config = parse(&format!(
        "{SHORT}{CONTEXT}[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\ngroup = \"x\"\nhold-time = \"3s\"\n\
         local-address = \"10.1.1.1\"\nimport = [\"10.0.0.0/8\"]\n[context.bgp.neighbor.bfd]\ninterval = \"20ms\"\n\
         [[context.bgp.neighbor]]\naddress = \"2001:db8::2\"\ngroup = \"x\"\nlocal-address = \"2001:db8::1\"\n\
         [[context.bgp.group]]\nname = \"x\"\nremote-as = 65101\nhold-time = \"30s\"\nprepends = [0]\n\
         import = [\"any\"]\nexport = [\"198.51.100.0/24\", \"2001:db8:1::/48\"]\n[context.bgp.group.bfd]\nmultiplier = 7\n"
    ));
    let bgp = config.contexts[0].bgp.as_ref().expect("it has BGP");
    let [first, second] = bgp.neighbors.as_slice() else { panic!("two neighbours") };
    assert_eq!(
        (first.remote_as, first.hold_time, first.prepends.as_slice()),
        (65_101, Span::secs(3), &[0][..])
    );
    assert_eq!(first.import.len(), 1);
    assert_eq!(first.import[0].to_string(), "10.0.0.0/8");
    let exports =
        |neighbor: &NeighborConfig| neighbor.export.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (exports(first), exports(second)),
        (vec!["198.51.100.0/24".into()], vec!["2001:db8:1::/48".into()])
    );
    let timers = |neighbor: &NeighborConfig| {
        neighbor.bfd.map(|timers| (timers.interval, timers.multiplier)).expect("its group has BFD")
    };
    assert_eq!(timers(first), (Span::millis(20), 7), "each key of it for itself");
    assert_eq!((second.hold_time, timers(second)), (Span::secs(30), (Span::millis(50), 7)));
    assert_eq!((second.ipv4, second.ipv6), (false, true), "defaults are the neighbour's");
    let text = config.to_toml();
    assert!(text.contains("[[context.bgp.group]]\nname = \"x\"\n"), "{text}");
    assert_eq!(parse(&text), config);
}

#[test]
fn change_of_a_group_is_a_change_of_the_neighbours_that_have_the_key_from_it() {
    let text = |hold: &str| {
        format!(
            "{SHORT}{CONTEXT}[[context.bgp.group]]\nname = \"x\"\nhold-time = \"{hold}\"\n\
             [[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\ngroup = \"x\"\n\
             [[context.bgp.neighbor]]\naddress = \"10.1.2.2\"\nremote-as = 65101\ngroup = \"x\"\nhold-time = \"3s\"\n"
        )
    };
    let changes = crate::config::changes(&parse(&text("30s")), &parse(&text("60s"))).changes;
    let what: Vec<_> = changes.iter().map(|change| (change.what.as_str(), change.live)).collect();
    assert_eq!(what, [("context[a].bgp.neighbor[10.1.1.2].hold-time: \"30s\" -> \"60s\"", true)]);
}

#[test]
fn monitor_may_name_a_neighbour_that_comes_by_a_range() {
    let monitored = |address: &str| {
        read(&format!(
            "{SHORT}[[srp.monitor.bgp]]\ncontext = \"a\"\naddress = \"{address}\"\n{CONTEXT}\
             [[context.bgp.range]]\nprefix = \"10.5.0.0/16\"\nremote-as = 65105\n"
        ))
    };
    assert!(monitored("10.5.0.7").is_ok());
    let said = monitored("10.6.0.7").expect_err("nobody comes from there");
    assert!(said[0].contains("context a has no neighbour of this address"), "{said:?}");
}
