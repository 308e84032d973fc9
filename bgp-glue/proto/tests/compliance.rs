//! `docs/compliance.md` names tests that there are, and every clause of it has one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../../../docs/compliance.md");
const UPDATES: &str = include_str!("cases/updates.txt");

/// How many rows the two lists have: fifty clauses, and twenty-six things that users of other speakers ran into.
const CLAUSES: usize = 50;
const TROUBLES: usize = 26;

/// Every function of the workspace's sources, tests among them.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<_> =
        ["bgp-glue", "netlink", "srp", "bfd"].iter().map(|folder| root.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let names = text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next());
                found.extend(names.map(str::to_owned));
            }
        }
    }
    found
}

/// The numbered rows under a heading: number and the last cell, which names the tests.
fn rows(heading: &str) -> Vec<(usize, &'static str)> {
    let (_, section) = PAGE.split_once(heading).unwrap_or_else(|| panic!("there is no {heading}"));
    let section = section.split("\n## ").next().unwrap_or(section);
    let cells = section.lines().filter_map(|line| line.strip_prefix("| "));
    let row = |line: &'static str| {
        let number = line.split(" | ").next()?.parse().ok()?;
        Some((number, line.trim_end_matches(" |").rsplit(" | ").next()?))
    };
    cells.filter_map(row).collect()
}

#[test]
fn every_clause_and_every_trouble_has_a_test_that_exists() {
    let functions = functions();
    let mut missing = Vec::new();
    for (heading, count) in [("## Clause by clause", CLAUSES), ("## What others ran into", TROUBLES)] {
        let rows = rows(heading);
        let numbers: Vec<_> = rows.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "{heading}");
        for (number, cell) in rows {
            let names: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "{heading}, {number} names no test");
            for name in names {
                let exists = match name.strip_prefix("updates ") {
                    Some(clause) => UPDATES
                        .lines()
                        .any(|line| line.split('|').next().is_some_and(|first| first.trim() == clause)),
                    None => functions.contains(name),
                };
                if !exists {
                    missing.push(format!("{heading}, {number}: {name}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
}
