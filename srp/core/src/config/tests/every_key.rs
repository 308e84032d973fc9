//! Every key with a value of the wrong type, beyond its range, twice, and away; made from what the reader asks for, so that a
//! new key is among them without being named here.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeTable;

use super::{FULL, parse, read};
use crate::config::reader::{KeyFacts, Reader};

/// A line `key = value` of the full example with every default written out.
struct Written {
    /// Counted from 1.
    line: usize,
    key: String,
    value: String,
    facts: KeyFacts,
}

fn keys() -> BTreeMap<String, KeyFacts> {
    let reader = Reader::new(Path::new("srp.toml"), FULL);
    let document = DeTable::parse(FULL).expect("the example is TOML");
    let config = crate::config::read_document(&reader, document.get_ref());
    assert!(config.is_ok());
    reader.into_asked().keys.into_iter().map(|(key, (facts, _))| (key, facts)).collect()
}

/// The text, and each of its keys. Those of a range are those of a neighbour.
fn written() -> (Vec<String>, Vec<Written>) {
    let (text, keys) = (parse(FULL).to_toml(), keys());
    let mut header = String::new();
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            header = line.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, value)) = line.split_once(" = ") {
            let facts = [header.as_str(), "context.bgp.neighbor"]
                .iter()
                .find_map(|of| keys.get(&format!("{of}.{key}")));
            let facts = facts.unwrap_or_else(|| panic!("{header}.{key} is printed and never read")).clone();
            all.push(Written { line: index + 1, key: key.to_owned(), value: value.to_owned(), facts });
        }
    }
    (text.lines().map(str::to_owned).collect(), all)
}

/// What is said of the text with another line in the place of one.
fn said_with(lines: &[String], line: usize, other: &str) -> Vec<String> {
    let mut lines = lines.to_vec();
    other.clone_into(&mut lines[line - 1]);
    read(&(lines.join("\n") + "\n")).err().unwrap_or_default()
}

/// One of the faults is at that line, names that key, and says that.
fn has(said: &[String], line: usize, key: &str, what: &str) -> bool {
    said.iter().any(|fault| {
        let (place, text) = fault.split_once(": ").unwrap_or_default();
        place == format!("srp.toml:{line}")
            && text.contains(key)
            && text.contains(what)
            && text.contains("\n    ")
    })
}

#[test]
fn every_key_says_which_type_it_wants() {
    let (lines, all) = written();
    assert!(all.len() > 150, "{}", all.len());
    for Written { line, key, value, facts } in all {
        let (wrong, found) = if value.starts_with('"') || value.starts_with('[') {
            ("7.5", "float")
        } else {
            ("\"x\"", "string")
        };
        let said = said_with(&lines, line, &format!("{key} = {wrong}"));
        let what = format!("{key} = {wrong}: a TOML {found}, where this is wanted: {}", facts.wanted);
        assert!(has(&said, line, &key, &what), "{what}: {said:#?}");
    }
}

#[test]
fn every_number_and_duration_has_its_ends() {
    let (lines, all) = written();
    let mut tried = 0;
    for Written { line, key, facts, .. } in all {
        let beyond: Vec<String> = if let Some((least, most)) = bounds(&facts.wanted, "integer ", "") {
            let (least, most): (u64, u64) =
                (least.parse().expect("a number"), most.parse().expect("a number"));
            least.checked_sub(1).into_iter().chain([most + 1]).map(|number| number.to_string()).collect()
        } else if let Some((least, _)) = bounds(&facts.wanted, "duration ", "\"") {
            let below = (least != "0s").then(|| "\"0s\"".to_owned());
            below.into_iter().chain(["\"999999h\"".to_owned()]).collect()
        } else {
            continue;
        };
        for value in beyond {
            let said = said_with(&lines, line, &format!("{key} = {value}"));
            let what = format!("{key} = {value}: out of range\n    allowed: {}", facts.wanted);
            assert!(has(&said, line, &key, &what), "{what}: {said:#?}");
            tried += 1;
        }
    }
    assert!(tried > 80, "{tried}");
}

/// The two ends of `integer 1 .. 255`; none of a list, or of what has more rules than these.
fn bounds<'w>(wanted: &'w str, kind: &str, quote: &str) -> Option<(&'w str, &'w str)> {
    let (least, most) = wanted.strip_prefix(kind)?.split_once(" .. ")?;
    let bare = |end: &'w str| end.strip_prefix(quote)?.strip_suffix(quote);
    Some((bare(least)?, bare(most)?)).filter(|(_, most)| !most.contains(' '))
}

#[test]
fn every_key_stands_once() {
    let (lines, all) = written();
    for Written { line, key, value, .. } in all {
        let twice = format!("{key} = {value}\n{key} = {value}");
        let said = said_with(&lines, line, &twice);
        assert!(has(&said, line + 1, &key, "this key or table stands twice"), "{key}: {said:#?}");
    }
}

#[test]
fn every_key_that_has_to_be_there_is_missed() {
    let (lines, all) = written();
    let required = all.into_iter().filter(|written| written.facts.default == "required");
    let mut missed = 0;
    for Written { line, key, .. } in required {
        let said = said_with(&lines, line, "");
        let what = format!("{key}: missing\n    add {key} to this table: ");
        assert!(said.iter().any(|fault| fault.contains(&what)), "{what}: {said:#?}");
        missed += 1;
    }
    assert!(missed > 20, "{missed}");
}

#[test]
fn every_table_knows_its_keys() {
    let (lines, _) = written();
    for (index, header) in lines.iter().enumerate().filter(|(_, line)| line.starts_with('[')) {
        let said = said_with(&lines, index + 1, &format!("{header}\nno-such-thing = 1"));
        assert!(has(&said, index + 2, "no-such-thing = 1", "unknown key"), "{header}: {said:#?}");
    }
}
