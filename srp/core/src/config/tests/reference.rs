//! The reference page lists the keys, ranges and defaults of the code.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use super::FULL;
use crate::config::across::Ledger;
use crate::config::reader::{KeyFacts, Reader};

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// Rows of the page: `| key | value | default | meaning |` under a heading that names the table in back-quotes.
fn documented() -> BTreeMap<String, KeyFacts> {
    let mut table = String::new();
    let mut rows = BTreeMap::new();
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let header = heading.split('`').nth(1).unwrap_or_default();
            table = header.trim_matches(['[', ']']).to_owned();
        }
        let Some(row) = line.strip_prefix("| `") else { continue };
        let cells: Vec<&str> = row.split(" | ").map(|cell| cell.trim_matches(['`', ' ', '|'])).collect();
        let [key, wanted, default, _meaning] = cells.as_slice() else {
            panic!("not four columns: {line}");
        };
        let facts = KeyFacts { wanted: wanted.replace('`', ""), default: default.replace('`', "") };
        rows.insert(format!("{table}.{key}"), facts);
    }
    rows
}

#[test]
fn the_page_has_every_key_with_its_range_and_default() {
    let file = Path::new("srp.toml");
    let reader = Reader::new(file, FULL);
    let document = DeTable::parse(FULL).expect("the example is TOML");
    let root = reader.root(document.get_ref());
    let config = root.read(|root| crate::config::read_root(root, Path::new(""), &mut Ledger::default()));
    assert!(config.is_ok());
    let code = reader.into_asked().keys.into_iter().map(|(key, (facts, _))| {
        (key, KeyFacts { wanted: facts.wanted.replace('`', ""), default: facts.default })
    });
    let (code, page) = (code.collect::<BTreeMap<_, _>>(), documented());
    for (key, facts) in &code {
        assert_eq!(page.get(key), Some(facts), "docs/configuration.md, {key}: left the page, right the code");
    }
    let extra: Vec<_> = page.keys().filter(|key| !code.contains_key(*key)).collect();
    assert!(extra.is_empty(), "docs/configuration.md has keys that the code does not know: {extra:?}");
}
