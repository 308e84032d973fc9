//! What a BGP instance is refused for, each with the text that an operator reads; and what its neighbours come to.

use super::{SHORT, parse, read};

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
];

#[test]
fn each_fault_is_said_with_its_line_value_reason_and_remedy() {
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
        assert_eq!(said, expected, "{}", row.fact);
    }
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
