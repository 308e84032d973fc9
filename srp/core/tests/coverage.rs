//! `docs/coverage.md` says which test holds which row of the source: every row is there, every named test exists, and
//! each row has a test that carries its id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rows of the source's feature table that have to be covered: name, first and last number.
const ROWS: &[(&str, u32, u32)] = &[
    ("CH", 1, 16),
    ("BGP", 1, 8),
    ("SW", 1, 2),
    ("SW", 13, 13),
    ("QOS", 1, 1),
    ("CFG", 1, 1),
    ("SHOW", 6, 6),
    ("BULK", 1, 1),
    ("OPS", 6, 6),
    ("OPS", 10, 10),
    ("MON", 1, 8),
    ("GRD", 1, 4),
    ("SHOW", 2, 2),
    ("CFG", 2, 8),
    ("CTX", 1, 1),
    ("EXEC", 1, 4),
    ("POOL", 1, 2),
    ("SHOW", 1, 1),
    ("SHOW", 9, 11),
    ("IMG", 1, 5),
    ("OPS", 1, 5),
    ("OPS", 7, 9),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every test of the workspace: functions under a test attribute or in a property block, and stories.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![workspace()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() {
                if !(name.starts_with('.') || ["target", "out", "buildroot-ext"].contains(&name.as_str())) {
                    folders.push(path);
                }
            } else if let Some(name) = name.strip_suffix(".rs") {
                assert!(!name.is_empty());
                let text = std::fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.extend(functions(&text));
            } else if let Some(story) =
                name.strip_suffix(".txt").filter(|_| folder.ends_with("tests/scenarios"))
            {
                found.insert(story.to_owned());
            }
        }
    }
    found
}

/// Names of the functions that stand under `#[test]` or an attribute like it.
fn functions(text: &str) -> Vec<String> {
    let mut under_test = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") || line.starts_with("//") {
            under_test |= line.starts_with("#[test") || line.starts_with("#[tokio::test");
            continue;
        }
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let name = name.and_then(|name| name.split(['(', '<']).next());
        names.extend(name.filter(|_| under_test).map(str::to_owned));
        under_test = false;
    }
    names
}

/// The rows of the page: what each means, and its tests.
fn page() -> BTreeMap<String, (String, Vec<String>)> {
    let text = std::fs::read_to_string(workspace().join("docs/coverage.md")).expect("docs/coverage.md");
    let rows = text.lines().skip_while(|line| !line.starts_with("| Id |")).skip(2);
    let mut page = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [id, meaning, tests] = cells[..] else { panic!("three cells, not: {row}") };
        let tests = tests.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect();
        let twice = page.insert(id.to_owned(), (meaning.to_owned(), tests));
        assert!(twice.is_none(), "{id} stands twice");
    }
    page
}

#[test]
fn every_row_is_there_and_every_test_exists() {
    let (page, tests) = (page(), tests());
    let wanted =
        ROWS.iter().flat_map(|(name, first, last)| (*first..=*last).map(move |n| format!("{name}-{n}")));
    let mut wrong = Vec::new();
    for id in wanted {
        let Some((meaning, named)) = page.get(&id) else {
            wrong.push(format!("{id}: no row"));
            continue;
        };
        if meaning.is_empty() {
            wrong.push(format!("{id}: what does it mean?"));
        }
        let mark = format!("{}_", id.to_lowercase().replace('-', "_"));
        let carries = |name: &String| name.starts_with(&mark) || name.contains(&format!("_{mark}"));
        if !named.iter().any(carries) {
            wrong.push(format!("{id}: no test is named {mark}..."));
        }
        wrong.extend(
            named.iter().filter(|name| !tests.contains(*name)).map(|name| format!("{id}: no test {name}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
