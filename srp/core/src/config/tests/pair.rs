//! `[srp]`: who the two are and how they hear each other (CFG-2 .. CFG-5). The faults are in `faults.rs`, with their texts.

use super::{parse, read};
use crate::config::Config;
use crate::types::{ChassisMode, Priority, Span};

/// A pair with these lines in `[srp]`.
fn with(lines: &str) -> Result<Config, Vec<String>> {
    read(&format!(
        "[srp]\nbind-address = \"192.0.2.1\"\npeer-ip-address = \"192.0.2.2\"\nplaintext = true\n{lines}\n"
    ))
}

#[test]
fn cfg_2_chassis_mode_is_one_of_two_and_backup_by_default() {
    let mode = |lines| with(lines).map(|config| config.srp.chassis_mode);
    assert_eq!(mode(""), Ok(ChassisMode::Backup));
    assert_eq!(mode("chassis-mode = \"primary\""), Ok(ChassisMode::Primary));
    assert_eq!(mode("chassis-mode = \"backup\""), Ok(ChassisMode::Backup));
    assert!(mode("chassis-mode = \"standby\"").is_err());
}

#[test]
fn cfg_3_priority_is_1_to_255_and_need_not_be_equal_on_both() {
    let priority = |lines| with(lines).map(|config| config.srp.priority);
    assert_eq!(priority(""), Ok(Priority(125)));
    assert_eq!(priority("priority = 1"), Ok(Priority(1)));
    assert_eq!(priority("priority = 255"), Ok(Priority(255)));
    assert!(priority("priority = 0").is_err() && priority("priority = 256").is_err());
    let items = |lines| with(lines).map(|config| config.comparison_items());
    assert_eq!(items("priority = 10"), items("priority = 20"));
}

#[test]
fn cfg_4_the_peer_is_an_address_of_either_family_and_must_be_there() {
    let ends = |bind: &str, peer: &str| {
        let file =
            format!("[srp]\nbind-address = \"{bind}\"\npeer-ip-address = \"{peer}\"\nplaintext = true\n");
        read(&file).map(|config| config.srp.peer_address.to_string())
    };
    assert_eq!(ends("192.0.2.1", "192.0.2.2"), Ok("192.0.2.2".into()));
    assert_eq!(ends("2001:db8::1", "2001:db8::2"), Ok("2001:db8::2".into()));
    assert!(ends("192.0.2.1", "2001:db8::2").is_err());
    let missing = read("[srp]\nbind-address = \"192.0.2.1\"\nplaintext = true\n").expect_err("no peer");
    assert!(missing[0].contains("peer-ip-address"), "{missing:?}");
}

#[test]
fn cfg_5_a_dead_interval_holds_three_hellos_as_in_the_sources_example() {
    let timers = |lines| with(lines).map(|config| (config.srp.hello_interval, config.srp.dead_interval));
    let example = "hello-interval = \"10s\"\ndead-interval = \"30s\"";
    assert_eq!(timers(example), Ok((Span::secs(10), Span::secs(30))));
    assert_eq!(timers(""), Ok((Span::millis(100), Span::millis(300))));
    assert!(timers("hello-interval = \"10s\"\ndead-interval = \"29s\"").is_err());
    let items = |lines| with(lines).map(|config| config.comparison_items());
    assert_ne!(items(example), items(""), "they must be equal on both chassis");
    assert_eq!(parse(&with(example).expect("right").to_toml()).srp.dead_interval, Span::secs(30));
}
