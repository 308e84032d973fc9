//! `docs/commands.md` names no command that `srpctl` does not have, and leaves none out.

use std::collections::BTreeSet;

use clap::{CommandFactory, Parser};

use super::Args;

const PAGE: &str = include_str!("../../../../docs/commands.md");

/// First words of what is a command of `srpctl`.
const FIRST: [&str; 5] = ["srp ", "show ", "save ", "configure ", "clear "];

/// Commands of the boot stack and of files, which have a page of their own.
const ELSEWHERE: [&str; 3] = ["show boot", "show version", "show build"];

/// The commands in the second column.
fn commands() -> Vec<&'static str> {
    let rows = PAGE.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_matches('|').split_once('|').map(|(_, here)| here));
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    quoted.filter(|text| FIRST.iter().any(|first| text.starts_with(first))).collect()
}

/// Every command that has no commands of its own, such as `show srp info`, below these words.
fn leaves(command: &clap::Command, words: &str, found: &mut BTreeSet<String>) {
    let inner: Vec<_> = command.get_subcommands().filter(|inner| inner.get_name() != "help").collect();
    if inner.is_empty() || command.get_arguments().any(clap::Arg::is_positional) {
        found.insert(words.trim().to_owned());
    }
    for inner in inner {
        leaves(inner, &format!("{words} {}", inner.get_name()), found);
    }
}

#[test]
fn every_command_of_the_page_is_one_of_srpctl() {
    let commands = commands();
    assert!(commands.len() > 50, "{}", commands.len());
    for line in commands {
        let words = std::iter::once("srpctl").chain(line.split_whitespace());
        Args::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn every_exec_and_show_command_of_srpctl_is_on_the_page() {
    let mut all = BTreeSet::new();
    for first in ["srp", "show", "save", "configure", "clear"] {
        let command = Args::command();
        leaves(command.find_subcommand(first).expect(first), first, &mut all);
    }
    let commands = commands();
    // What is to be filled in may stand between the words.
    let has = |line: &&str, leaf: &str| {
        let mut words = line.split_whitespace();
        leaf.split_whitespace().all(|word| words.any(|other| other == word))
    };
    let is_there = |leaf: &String| commands.iter().any(|line| has(line, leaf));
    let is_elsewhere = |leaf: &String| ELSEWHERE.iter().any(|other| leaf.starts_with(other));
    let missing: Vec<_> = all.iter().filter(|leaf| !is_there(leaf) && !is_elsewhere(leaf)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
