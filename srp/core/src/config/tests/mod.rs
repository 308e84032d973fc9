//! Tests of the whole way from text to configuration and back.

mod every_key;
mod faults;
mod interfaces;
mod neighbors;
mod outlets;
mod pair;
mod pools;
mod probe;
mod reference;
mod round_trip;
mod unnumbered;
mod vrf;

use std::path::Path;

use super::*;

/// A file that has every key.
pub(super) const FULL: &str = include_str!("full.toml");

/// Reads a text that is right.
pub(super) fn parse(text: &str) -> Config {
    read(text).unwrap_or_else(|faults| panic!("{}", faults.join("\n")))
}

/// Reads a text; each fault as it is printed.
fn read(text: &str) -> Result<Config, Vec<String>> {
    Config::from_toml(text, Path::new("srp.toml"))
        .map_err(|faults| faults.iter().map(ConfigError::to_string).collect())
}

#[test]
fn a_short_file_gets_the_documented_defaults() {
    let config =
        parse("[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\nplaintext = true\n");
    let expected = "\
[srp]
context = \"srp\"
chassis-mode = \"backup\"
priority = 125
bind-address = \"192.0.2.1\"
peer-ip-address = \"192.0.2.2\"
port = 4493
hello-interval = \"100ms\"
dead-interval = \"300ms\"
delay-interval = \"0s\"
configuration-interval = \"3600s\"
route-modifier-threshold = 16
delta-route-modifier = 1
advertise-routes-in-standby-state = false
drain-interval = \"2s\"
switchover-timeout = \"5s\"
num-internal-switchover-retry = 3
internal-switchover-retry-interval = \"10s\"
bfd-mon-ignore-dead-interval = false
dscp-control = \"be\"
plaintext = true

[srp.guard-timer.aaa-switchover-timers]
damping-period = \"60s\"
guard-period = \"60s\"

[srp.guard-timer.diameter-switchover-timers]
damping-period = \"60s\"
guard-period = \"60s\"

[srp.guard-timer.srp-redundancy-timers.aaa]
damping-period = \"60s\"
guard-period = \"60s\"

[srp.guard-timer.srp-redundancy-timers.bgp]
damping-period = \"60s\"
guard-period = \"60s\"

[srp.guard-timer.srp-redundancy-timers.diam]
damping-period = \"60s\"
guard-period = \"60s\"

[control]
socket = \"/run/srp/srpd.sock\"

[log]
level = \"info\"
format = \"text\"

[kernel]
protocol = 83
metric = 8
learned-metric = 83
";
    assert_eq!(config.to_toml(), expected);
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let config = Config::from_toml(FULL, Path::new("/etc/srp/east.toml")).expect("the example is right");
    assert_eq!(config.control.socket, Path::new("/etc/srp/run/east.sock"));
    let Security::Tls { key, certificate, .. } = config.srp.security else { panic!("the example has TLS") };
    assert_eq!(key, Path::new("/etc/srp/keys/east.key"));
    assert_eq!(certificate, Path::new("/srv/east.crt"));
}

#[test]
fn the_files_of_the_demonstration_pair_are_right_and_agree() {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../qemu-tests/labs/pair");
    let [east, west] = ["east.toml", "west.toml"].map(|name| {
        let file = labs.join(name);
        let text = std::fs::read_to_string(&file).expect("the file is part of the repository");
        Config::from_toml(&text, &file).unwrap_or_else(|faults| panic!("{faults:?}"))
    });
    let (east, west) = (east.comparison_items(), west.comparison_items());
    assert_eq!(differences(&east, &west), Vec::<String>::new());
    assert_eq!(digest(&east), digest(&west));
}

const SHORT: &str =
    "[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\nplaintext = true\n";

fn said_of(more: &str) -> Vec<String> {
    read(&format!("{SHORT}{more}")).expect_err("a fault")
}

#[test]
fn the_dead_interval_cannot_be_ignored_without_bfd() {
    assert_eq!(
        said_of("bfd-mon-ignore-dead-interval = true\n"),
        [
            "srp.toml:5: srp.bfd-mon-ignore-dead-interval = true: there is no [[srp.bfd]], so the dead-interval is all there is\n    \
             add [[srp.bfd]] with peer-address and local-address, or leave this out"
        ]
    );
}

#[test]
fn bfd_sessions_that_cannot_work_are_refused() {
    let session = |keys: &str| said_of(&format!("[[srp.bfd]]\n{keys}"));
    let rows = [
        ("peer-address = \"10.9.0.1\"\nlocal-address = \"10.9.0.1\"\n", "an address of this chassis itself"),
        ("peer-address = \"10.9.0.2\"\nlocal-address = \"2001:db8::1\"\n", "of another address family"),
        ("peer-address = \"fe80::2\"\nlocal-address = \"fe80::1\"\n", "nothing says on which interface"),
        (
            "peer-address = \"10.9.0.2\"\nlocal-address = \"10.9.0.1\"\nleast-ttl = 254\n",
            "no other TTL than 255",
        ),
        ("peer-address = \"10.9.0.2\"\nlocal-address = \"10.9.0.1\"\nmultiplier = 1\n", "out of range"),
        ("peer-address = \"10.9.0.2\"\nlocal-address = \"10.9.0.1\"\ninterval = \"9ms\"\n", "out of range"),
    ];
    for (keys, fault) in rows {
        let said = session(keys);
        assert!(said.len() == 1 && said[0].contains(fault), "{keys}: {said:?}");
    }
}

#[test]
fn one_path_has_one_bfd_session_whoever_asked_for_it() {
    let chassis = "[[srp.bfd]]\npeer-address = \"10.9.0.2\"\nlocal-address = \"10.9.0.1\"\n";
    let neighbor = "[[context]]\nname = \"a\"\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.1\"\n\
                    [[context.bgp.neighbor]]\naddress = \"10.9.0.2\"\nremote-as = 65002\n";
    let said =
        said_of(&format!("{chassis}{neighbor}local-address = \"10.9.0.1\"\n[context.bgp.neighbor.bfd]\n"));
    assert!(said.len() == 1 && said[0].contains("the same BFD session as"), "{said:?}");
    let said = said_of(&format!("{neighbor}[context.bgp.neighbor.bfd]\n"));
    assert!(said.len() == 1 && said[0].contains("add local-address to this neighbour"), "{said:?}");
}

#[test]
fn instance_of_which_nothing_is_said_but_who_it_is_has_the_documented_defaults() {
    let text =
        format!("{SHORT}[[context]]\nname = \"a\"\n[context.bgp]\nas = 65001\nrouter-id = \"192.0.2.1\"\n");
    let instance = parse(&text).contexts.remove(0).bgp;
    assert_eq!(instance, Some(BgpConfig::new(65_001, [192, 0, 2, 1].into())));
}
