//! Address pools in the configuration.

use super::{SHORT, parse, read};
use crate::config::{Config, PoolKind, differences};

fn with(pools: &str) -> String {
    format!("{SHORT}[[context]]\nname = \"destination\"\n{pools}")
}

fn config(pools: &str) -> Config {
    parse(&with(pools))
}

/// The pools and the loopback that the source shows in `show configuration srp`.
const SOURCE: &str = "[[context.loopback]]\nname = \"haservice\"\naddress = \"172.17.1.1/32\"\nsrp-activate = true\n\
    [[context.pool]]\nname = \"dynamic\"\nprefix = \"172.18.0.0/16\"\nkind = \"public\"\npriority = 0\nsrp-activate = true\n\
    [[context.pool]]\nname = \"static\"\nprefix = \"172.19.0.0/20\"\nkind = \"static\"\nsrp-activate = true\n";

#[test]
fn pool_1_the_sample_pools_and_loopback_of_the_source() {
    let config = config(SOURCE);
    let pools = &config.contexts[0].pools;
    let kinds: Vec<_> = pools.iter().map(|pool| (pool.name.as_str(), pool.kind)).collect();
    assert_eq!(kinds, [("dynamic", PoolKind::Public(0)), ("static", PoolKind::Static)]);
    let items: Vec<_> =
        config.comparison_items().iter().map(|item| format!("{}: {}", item.key, item.value)).collect();
    for wanted in [
        "context destination loopback haservice: 172.17.1.1/32",
        "context destination pool dynamic: 172.18.0.0/16 blackhole public priority 0",
        "context destination pool static: 172.19.0.0/20 blackhole static",
    ] {
        assert!(items.iter().any(|item| item == wanted), "{wanted}: {items:#?}");
    }
}

#[test]
fn several_prefixes_and_ranges_of_both_families_are_one_pool() {
    let text = "[[context.pool]]\nname = \"p\"\nprefixes = [\"10.1.0.0/16\", \"10.2.0.10-10.2.0.13\", \"2001:db8::-2001:db8::1\"]\n";
    let prefixes: Vec<_> =
        config(text).contexts[0].pools[0].prefixes().map(|prefix| prefix.to_string()).collect();
    assert_eq!(prefixes, ["10.1.0.0/16", "10.2.0.10/31", "10.2.0.12/31", "2001:db8::/127"]);
}

#[test]
fn pool_2_what_is_busied_out_and_in_which_order_is_compared() {
    let pool = |name: &str, net: u8, more: &str| {
        format!(
            "[[context.pool]]\nname = \"{name}\"\nprefix = \"10.{net}.0.0/16\"\nsrp-activate = true\n{more}"
        )
    };
    let items = |text: &str| config(text).comparison_items();
    let busy = "busyout = true\n";
    let (one, two) = (pool("one", 1, ""), pool("two", 2, ""));
    let here = items(&(pool("one", 1, busy) + &two));
    assert_eq!(
        differences(&here, &items(&(one.clone() + &pool("two", 2, busy)))),
        [
            "context destination pool one: 10.1.0.0/16 blackhole busyout here, 10.1.0.0/16 blackhole on the peer",
            "context destination pool two: 10.2.0.0/16 blackhole here, 10.2.0.0/16 blackhole busyout on the peer"
        ]
    );
    assert_eq!(
        differences(&here, &items(&(two + &pool("one", 1, busy)))),
        [
            "order: context destination pool one before context destination pool two here, after it on the peer"
        ]
    );
    let timers = "group-name = \"g\"\naddress-hold-timer = \"60s\"\naddress-quarantine-timer = \"20s\"\npriority = 3\n";
    assert_eq!(
        differences(&items(&one), &items(&pool("one", 1, timers))),
        ["context destination pool one: 10.1.0.0/16 blackhole here, \
             10.1.0.0/16 blackhole private priority 3 group g hold 60s quarantine 20s on the peer"]
    );
}

#[test]
fn pools_that_cannot_be_are_refused() {
    let rows = [
        (
            "",
            "srp.toml:7: context[destination].pool[p].prefix: nothing says which addresses it has\n    \
             add prefix = \"10.0.0.0/16\", or prefixes with several or ranges",
        ),
        (
            "prefix = \"10.0.0.0/8\"\nprefixes = [\"11.0.0.0/8\"]\n",
            "srp.toml:10: context[destination].pool[p].prefixes[0] = \"11.0.0.0/8\": contradicts context[destination].pool[p].prefix (line 9)\n    \
             put that one into prefixes, or remove one of the two",
        ),
        (
            "prefixes = [\"10.0.0.9-10.0.0.1\"]\n",
            "srp.toml:9: context[destination].pool[p].prefixes[0] = \"10.0.0.9-10.0.0.1\": not from a first address to a last one of the same family\n    \
             write it like this: \"10.0.0.10-10.0.0.99\"",
        ),
        (
            "prefixes = [\"10.0.0.9-x\"]\n",
            "srp.toml:9: context[destination].pool[p].prefixes[0] = \"10.0.0.9-x\": cannot be read as a range of addresses\n    \
             write it like this: \"10.2.0.0/16\" or \"10.2.0.10-10.2.0.99\"",
        ),
        (
            "prefixes = [\"2001:db8::1-2001:db8:ffff:ffff:ffff:ffff:ffff:fffe\"]\n",
            "srp.toml:9: context[destination].pool[p].prefixes[0] = \"2001:db8::1-2001:db8:ffff:ffff:ffff:ffff:ffff:fffe\": 190 routes, the fewest that hold exactly these addresses\n    \
             write bounds at which a prefix begins and ends",
        ),
        (
            "prefixes = [\"10.0.0.0/8\", \"10.0.0.0-10.255.255.255\"]\n",
            "srp.toml:9: context[destination].pool[p].prefixes[1] = \"10.0.0.0-10.255.255.255\": the same prefix as context[destination].pool[p].prefixes[0] (line 9)\n    \
             give each its own prefix, or remove one of the two",
        ),
        (
            "prefix = \"10.0.0.0/8\"\nkind = \"static\"\npriority = 1\n",
            "srp.toml:11: context[destination].pool[p].priority = 1: a static pool is not chosen by priority\n    \
             remove priority, or write kind = \"private\" or \"public\"",
        ),
        (
            "prefix = \"10.0.0.0/8\"\npriority = 11\n",
            "srp.toml:10: context[destination].pool[p].priority = 11: out of range\n    allowed: integer 0 .. 10",
        ),
        (
            "prefix = \"10.0.0.0/8\"\naddress-quarantine-timer = \"19s\"\n",
            "srp.toml:10: context[destination].pool[p].address-quarantine-timer = \"19s\": out of range\n    \
             allowed: duration \"20s\" .. \"86400s\"",
        ),
    ];
    for (keys, said) in rows {
        let text = with(&format!("[[context.pool]]\nname = \"p\"\n{keys}"));
        assert_eq!(read(&text), Err(vec![said.to_owned()]), "{keys}");
    }
}
