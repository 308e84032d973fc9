//! A key as error messages write it, and a candidate that is changed by it.
//!
//! `context[destination].pool[subscribers].prefix`: the table of an array is named by what tells it from the others. What
//! is not there is made; comments and order stay as they are.

use std::fmt;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TableLike, Value};

/// Keys that can name the table of an array; the first is for those that no array here is known for.
const LABELS: &[&str] = &["name", "address", "prefix", "peer-address", "interface", "context"];

/// Arrays whose tables are named by another key than `name`.
const LABELLED: &[(&str, &str)] = &[
    ("neighbor", "address"),
    ("bgp", "address"),
    ("bmp", "address"),
    ("bfd", "peer-address"),
    ("range", "prefix"),
    ("network", "prefix"),
];

/// One step of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    label: Option<String>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Vec<Step>);

/// Why a candidate is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key.
    #[error(
        "\"{0}\" is not a key: write it as in `srpctl show configuration srp`, such as srp.hello-interval or context[destination].pool[subscribers].prefix"
    )]
    Malformed(String),
    /// There is nothing of the kind.
    #[error("{0} is not in the candidate")]
    Absent(String),
    /// A table where a value is wanted, or the other way round.
    #[error("{key} is {what}")]
    Other {
        /// The key so far.
        key: String,
        /// What it is.
        what: &'static str,
    },
    /// Which one of an array?
    #[error("{0} are several: name one as {0}[NAME]")]
    Several(String),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Step { name, label }) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match label {
                Some(label) => write!(f, "{dot}{name}[{label}]")?,
                None => write!(f, "{dot}{name}")?,
            }
        }
        Ok(())
    }
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// What is none.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed(text.to_owned());
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        let mut steps = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            if !is_name(name) {
                return Err(malformed());
            }
            let (label, behind) = match behind.strip_prefix('[') {
                None => (None, behind),
                Some(inside) => {
                    let (label, behind) = inside.split_once(']').ok_or_else(malformed)?;
                    (Some(label.to_owned()).filter(|label| !label.is_empty()), behind)
                }
            };
            steps.push(Step { name: name.to_owned(), label });
            match behind.strip_prefix('.') {
                Some(more) => rest = more,
                None if behind.is_empty() => return Ok(Self(steps)),
                None => return Err(malformed()),
            }
        }
    }

    fn so_far(&self, count: usize) -> String {
        Self(self.0[..count].to_vec()).to_string()
    }

    /// Gives the key a value: TOML, or else a word as it is. Tables on the way that are not there are made.
    ///
    /// # Errors
    /// A key that leads through a value, or ends at a table.
    pub fn set(&self, document: &mut DocumentMut, value: &str) -> Result<(), KeyError> {
        let mut table: &mut dyn TableLike = document.as_table_mut();
        let (last, on_the_way) = self.0.split_last().ok_or_else(|| KeyError::Malformed(String::new()))?;
        for (index, step) in on_the_way.iter().enumerate() {
            table = enter(table, step, true).map_err(|error| self.at(index + 1, error))?;
        }
        if last.label.is_some() {
            return Err(self.at(self.0.len(), Entering::Table));
        }
        let value: Value = value.parse().unwrap_or_else(|_| Value::from(value));
        match table.get_mut(&last.name) {
            None => drop(table.insert(&last.name, Item::Value(value))),
            Some(Item::Value(old)) => {
                // A comment behind the old value stays.
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            Some(Item::Table(_) | Item::ArrayOfTables(_) | Item::None) => {
                return Err(self.at(self.0.len(), Entering::Table));
            }
        }
        Ok(())
    }

    /// Takes the key away: a value, a table, or one table of an array.
    ///
    /// # Errors
    /// A key that is not there.
    pub fn delete(&self, document: &mut DocumentMut) -> Result<(), KeyError> {
        let absent = || KeyError::Absent(self.to_string());
        let mut table: &mut dyn TableLike = document.as_table_mut();
        let (last, on_the_way) = self.0.split_last().ok_or_else(absent)?;
        for (index, step) in on_the_way.iter().enumerate() {
            table = enter(table, step, false).map_err(|error| self.at(index + 1, error))?;
        }
        let Some(label) = &last.label else {
            return table.remove(&last.name).map(drop).ok_or_else(absent);
        };
        let Some(Item::ArrayOfTables(array)) = table.get_mut(&last.name) else { return Err(absent()) };
        let at = position(array, label).ok_or_else(absent)?;
        array.remove(at);
        if array.is_empty() {
            table.remove(&last.name);
        }
        Ok(())
    }

    fn at(&self, count: usize, error: Entering) -> KeyError {
        let key = self.so_far(count);
        match error {
            Entering::Absent => KeyError::Absent(key),
            Entering::Value => KeyError::Other { key, what: "a value, not a table" },
            Entering::Table => KeyError::Other { key, what: "a table, not a value: name a key of it" },
            Entering::Several => KeyError::Several(key),
        }
    }
}

/// Why a table cannot be entered.
#[derive(Clone, Copy)]
enum Entering {
    Absent,
    Value,
    Table,
    Several,
}

fn enter<'t>(
    table: &'t mut dyn TableLike,
    step: &Step,
    make: bool,
) -> Result<&'t mut dyn TableLike, Entering> {
    if make && table.get(&step.name).is_none() {
        let item = if step.label.is_some() {
            Item::ArrayOfTables(ArrayOfTables::new())
        } else {
            let mut inner = Table::new();
            // Its header is written only where it has keys of its own.
            inner.set_implicit(true);
            Item::Table(inner)
        };
        table.insert(&step.name, item);
    }
    match (table.get_mut(&step.name).ok_or(Entering::Absent)?, &step.label) {
        (Item::ArrayOfTables(array), Some(label)) => {
            let at = match position(array, label) {
                Some(at) => at,
                None if make => {
                    let key = LABELLED
                        .iter()
                        .find(|(name, _)| *name == step.name)
                        .map_or(LABELS[0], |(_, key)| key);
                    let mut element = Table::new();
                    element.insert(key, toml_edit::value(label.as_str()));
                    array.push(element);
                    array.len() - 1
                }
                None => return Err(Entering::Absent),
            };
            array.get_mut(at).map(|table| table as &mut dyn TableLike).ok_or(Entering::Absent)
        }
        (Item::ArrayOfTables(_), None) => Err(Entering::Several),
        (item, None) => item.as_table_like_mut().ok_or(Entering::Value),
        (_, Some(_)) => Err(Entering::Absent),
    }
}

/// The table of an array that is named so.
fn position(array: &ArrayOfTables, label: &str) -> Option<usize> {
    let is_named = |table: &Table, key: &str| table.get(key).and_then(Item::as_str) == Some(label);
    LABELS.iter().find_map(|key| array.iter().position(|table| is_named(table, key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# the pair\n[srp]\npriority = 10 # lower wins\n\n[[context]]\nname = \"a\"\n\n# addresses\n[[context.pool]]\nname = \"p\"\nprefix = \"10.0.0.0/8\"\n";

    fn document() -> DocumentMut {
        TEXT.parse().expect("TOML")
    }

    fn set(key: &str, value: &str) -> Result<String, String> {
        let mut document = document();
        let done = Key::read(key).and_then(|key| key.set(&mut document, value));
        done.map(|()| document.to_string()).map_err(|error| error.to_string())
    }

    fn delete(key: &str) -> Result<String, String> {
        let mut document = document();
        let done = Key::read(key).and_then(|key| key.delete(&mut document));
        done.map(|()| document.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_changes_and_everything_around_it_stays() {
        assert_eq!(set("srp.priority", "20"), Ok(TEXT.replace("10 #", "20 #")));
        assert_eq!(set("context[a].pool[p].prefix", "10.0.0.0/9"), Ok(TEXT.replace("/8", "/9")));
    }

    #[test]
    fn what_is_not_there_is_made() {
        let text = set("srp.hello-interval", "50ms").expect("set");
        assert!(text.contains("priority = 10 # lower wins\nhello-interval = \"50ms\"\n"), "{text}");
        let text = set("context[a].bgp.neighbor[10.1.1.2].remote-as", "65101").expect("set");
        assert!(
            text.contains("[[context.bgp.neighbor]]\naddress = \"10.1.1.2\"\nremote-as = 65101\n"),
            "{text}"
        );
        let text = set("context[a].pool[q].srp-activate", "true").expect("set");
        assert!(text.contains("[[context.pool]]\nname = \"q\"\nsrp-activate = true\n"), "{text}");
        let text = set("log.level", "debug").expect("set");
        assert!(text.contains("[log]\nlevel = \"debug\"\n"), "{text}");
        let text = set("context[a].bgp.listen", "[\"10.0.0.1\"]").expect("set");
        assert!(text.contains("[context.bgp]\nlisten = [\"10.0.0.1\"]"), "{text}");
    }

    #[test]
    fn a_value_a_table_and_one_of_several_go() {
        assert!(!delete("srp.priority").expect("deleted").contains("priority"));
        assert!(!delete("context[a].pool[p]").expect("deleted").contains("pool"));
        assert!(!delete("context[a]").expect("deleted").contains("context"));
    }

    #[test]
    fn what_cannot_be_is_said() {
        let rows = [
            (delete("srp.mac"), "srp.mac is not in the candidate"),
            (delete("context[b].pool[p]"), "context[b] is not in the candidate"),
            (set("context.name", "b"), "context are several: name one as context[NAME]"),
            (set("srp.priority.more", "1"), "srp.priority is a value, not a table"),
            (set("srp", "1"), "srp is a table, not a value: name a key of it"),
        ];
        for (said, expected) in rows {
            assert_eq!(said, Err(expected.to_owned()));
        }
        for malformed in ["", ".", "srp.", "srp..x", "a[b", "a[b]c", "a b"] {
            assert!(Key::read(malformed).is_err(), "{malformed:?}");
        }
    }
}
