//! A JSON Schema of the configuration, for editors: completion, types and ranges while one writes.
//!
//! It is made of what the reader asks for, so it cannot drift: the example that has every table is read, and each key that is
//! asked for is noted with its kind. Rules between keys are not in it; `srpd check` has the last word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use toml::de::DeTable;

use super::reader::{KeyFacts, Reader};

/// A file that has every table.
const EXAMPLE: &str = include_str!("tests/full.toml");

/// What the reader asked for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Keys by their path without names, each with the schema of its value.
    pub keys: BTreeMap<String, (KeyFacts, Value)>,
    /// Tables by their path, each with whether there may be several.
    pub tables: BTreeMap<String, bool>,
    /// Tables that have the keys of another one as well: their path, and that of the other.
    pub alike: BTreeSet<(String, String)>,
}

/// The schema, in the form of draft 7, which editors understand.
pub fn json_schema() -> Value {
    let reader = Reader::new(Path::new("srp.toml"), EXAMPLE);
    let (document, _) = DeTable::parse_recoverable(EXAMPLE);
    // Its faults do not matter here; that it has none is a test of its own.
    let _config = super::read_document(&reader, document.get_ref());
    let asked = reader.into_asked();
    let mut schema = table("", &asked);
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!("Configuration of srpd"));
    schema.insert("required".into(), json!(["srp"]));
    Value::Object(schema)
}

fn table(path: &str, asked: &Asked) -> Map<String, Value> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (shape, (facts, schema)) in &asked.keys {
        let Some(name) = child(path, shape) else { continue };
        properties.insert(name.to_owned(), described(schema, facts));
        if facts.default == "required" {
            required.push(name);
        }
    }
    for (shape, several) in &asked.tables {
        let Some(name) = child(path, shape) else { continue };
        let inner = Value::Object(table(shape, asked));
        let inner = if *several { json!({"type": "array", "items": inner}) } else { inner };
        properties.insert(name.to_owned(), inner);
    }
    for (_, other) in asked.alike.iter().filter(|(own, _)| own == path) {
        let Some(Value::Object(others)) = table(other, asked).remove("properties") else { continue };
        for (name, schema) in others {
            properties.entry(name).or_insert(schema);
        }
    }
    // What a table has may also be in the group that it names.
    if asked.alike.iter().any(|(_, other)| other == path) {
        required.clear();
    }
    let mut schema = Map::new();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("additionalProperties".into(), json!(false));
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    schema
}

/// The schema of a value, with range and default in words.
fn described(schema: &Value, facts: &KeyFacts) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(fields) = &mut schema {
        let text = match facts.default.as_str() {
            "required" => format!("{}; required", facts.wanted),
            default => format!("{}; default: {default}", facts.wanted),
        };
        fields.insert("description".into(), json!(text));
    }
    schema
}

/// The name of what is directly in the table.
fn child<'s>(path: &str, shape: &'s str) -> Option<&'s str> {
    let name = if path.is_empty() { shape } else { shape.strip_prefix(path)?.strip_prefix('.')? };
    (!name.contains('.')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: &str = include_str!("../../../../docs/srp.schema.json");

    #[test]
    fn the_copy_for_editors_is_the_one_of_the_code() {
        let copy: Value = serde_json::from_str(COPY).expect("JSON");
        assert_eq!(copy, json_schema(), "run `srpd schema > docs/srp.schema.json`");
    }

    #[test]
    fn types_ranges_and_words_are_in_it() {
        let schema = json_schema();
        let of = |path: &str| schema.pointer(path).unwrap_or_else(|| panic!("{path}")).clone();
        let srp = "/properties/srp/properties";
        assert_eq!(of(&format!("{srp}/priority/type")), json!("integer"));
        assert_eq!(of(&format!("{srp}/priority/maximum")), json!(255));
        assert_eq!(of(&format!("{srp}/chassis-mode/enum")), json!(["primary", "backup"]));
        assert_eq!(of(&format!("{srp}/hello-interval/type")), json!("string"));
        assert_eq!(of("/properties/srp/required"), json!(["bind-address", "peer-ip-address"]));
        let context = "/properties/context/items/properties";
        assert_eq!(of(&format!("{context}/pool/items/required")), json!(["name"]));
        assert_eq!(
            of(&format!("{context}/bgp/properties/group/items/properties/hold-time/type")),
            json!("string")
        );
        assert_eq!(of(&format!("{context}/interface/items/properties/addresses/type")), json!("array"));
    }
}
