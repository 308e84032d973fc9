//! `ip pool NAME ...`.

use super::address;
use super::found::{Pool, set};
use super::lines::Line;

/// A pool, and the words behind it that have no place here; an error says what is not understood.
pub fn read(line: &Line) -> Result<(Pool, Vec<String>), String> {
    let mut pool =
        Pool { name: line.words.get(2).cloned().ok_or("a pool without a name")?, keys: Vec::new() };
    let mut rest = line.words.get(3..).unwrap_or_default();
    if rest.first().is_some_and(|word| word.eq_ignore_ascii_case("prefix")) {
        rest = &rest[1..];
    }
    if rest.first().is_some_and(|word| word.eq_ignore_ascii_case("range")) {
        let [_, first, last, behind @ ..] = rest else { return Err("a range without its two ends".into()) };
        pool.keys.push(("prefixes", format!("[\"{first}-{last}\"]")));
        rest = behind;
    } else {
        let (prefix, count) = address::prefix(rest).ok_or("addresses that are not understood")?;
        pool.keys.push(("prefix", format!("\"{prefix}\"")));
        rest = &rest[count..];
    }
    let mut unknown = Vec::new();
    while let Some((word, behind)) = rest.split_first() {
        rest = behind;
        let mut value =
            |pool: &mut Pool, key: &'static str, write: &dyn Fn(&str) -> String| match behind.first() {
                Some(value) if !value.is_empty() => {
                    set(&mut pool.keys, key, write(value));
                    rest = &behind[1..];
                }
                Some(_) | None => {}
            };
        match word.to_ascii_lowercase().as_str() {
            "static" => set(&mut pool.keys, "kind", "\"static\"".into()),
            kind @ ("public" | "private") => {
                set(&mut pool.keys, "kind", format!("\"{kind}\""));
                if behind.first().is_some_and(|word| word.parse::<u8>().is_ok()) {
                    value(&mut pool, "priority", &str::to_owned);
                }
            }
            "srp-activate" => set(&mut pool.keys, "srp-activate", "true".into()),
            "group-name" => value(&mut pool, "group-name", &|name| format!("\"{name}\"")),
            "address-hold-timer" => value(&mut pool, "address-hold-timer", &|s| format!("\"{s}s\"")),
            "address-quarantine-timer" => {
                value(&mut pool, "address-quarantine-timer", &|s| format!("\"{s}s\""));
            }
            _other => unknown.push(word.clone()),
        }
    }
    Ok((pool, unknown))
}
