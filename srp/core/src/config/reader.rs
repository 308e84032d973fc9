//! Walks a TOML document table by table and collects every fault instead of stopping at the first.
//!
//! Invariant: a value that is [`Reported`] has its fault in the list, so whoever meets one stays silent about it, and
//! what nobody asked for is reported as unknown when its table has been read.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{ConfigError, Fault, Place};
use super::kind::Kind;
use super::nearest::nearest;
use super::schema::Asked;

/// Proof that a fault is in the list, or that there is nothing to blame. Made by [`Reader::report`] and [`Reported::already`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported(());

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Place,
}

/// What the code knows of a key; the reference page is held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyFacts {
    /// Type and range in words.
    pub wanted: String,
    /// The default as it would be written; `required`, or `none` if it may be absent.
    pub default: String,
}

/// One file being read: its text, and all that was found wrong with it so far.
pub(super) struct Reader<'d> {
    file: &'d Path,
    text: &'d str,
    /// Offset of the first octet of each line after the first.
    line_starts: Vec<usize>,
    faults: RefCell<Vec<ConfigError>>,
    /// What was asked for.
    asked: RefCell<Asked>,
}

impl Reported {
    /// For a value that is not there and that nobody is to be blamed for.
    pub const fn already() -> Self {
        Self(())
    }
}

impl<'d> Reader<'d> {
    pub fn new(file: &'d Path, text: &'d str) -> Self {
        let line_starts = text.match_indices('\n').map(|(newline, _)| newline + 1).collect();
        Self { file, text, line_starts, faults: RefCell::default(), asked: RefCell::default() }
    }

    /// The folder of the file, where relative paths start.
    pub fn folder(&self) -> &'d Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// Adds a fault of the value at `place`, once: what a group of neighbours has is read for each of them.
    pub fn report(&self, place: &Place, fault: Fault) -> Reported {
        let error = ConfigError {
            file: self.file.to_owned(),
            line: place.line,
            key: place.key.clone(),
            value: place.written.clone(),
            fault,
        };
        let mut faults = self.faults.borrow_mut();
        if !faults.contains(&error) {
            faults.push(error);
        }
        Reported(())
    }

    /// True for the default of a key that was written with a slip of the pen, which is reported already.
    pub fn is_mistyped(&self, place: &Place) -> bool {
        let (table, key) = place.key.rsplit_once('.').unwrap_or(("", &place.key));
        place.written.is_none()
            && self.faults.borrow().iter().any(|error| {
                let is_nearest =
                    matches!(&error.fault, Fault::UnknownKey { nearest: Some(n), .. } if *n == key);
                is_nearest && error.key.rsplit_once('.').map_or("", |(path, _)| path) == table
            })
    }

    /// The faults in the order of their lines.
    pub fn into_faults(self) -> Vec<ConfigError> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| fault.line);
        faults
    }

    /// Every key and table that was asked for.
    pub fn into_asked(self) -> Asked {
        self.asked.into_inner()
    }

    /// The whole document as a section without a name.
    pub fn root<'r>(&'r self, table: &'r DeTable<'d>) -> Section<'r, 'd> {
        let place = Place { key: String::new(), line: 1, written: None };
        let (shape, behind, is_part) = (String::new(), None, false);
        Section { reader: self, place, shape, table, behind, is_part, known: RefCell::default() }
    }

    /// Line of the octet at `offset`, counted from 1.
    pub fn line(&self, offset: usize) -> usize {
        1 + self.line_starts.partition_point(|&start| start <= offset)
    }

    /// The text at `span` on one line, cut where it gets long.
    fn written(&self, span: Range<usize>) -> String {
        const LONGEST: usize = 60;
        let text = self.text.get(span).unwrap_or_default();
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(LONGEST) {
            Some((cut, _)) => format!("{}...", &line[..cut]),
            None => line,
        }
    }
}

/// One table being read.
pub(super) struct Section<'r, 'd> {
    reader: &'r Reader<'d>,
    /// Path with names, such as `context[destination].bgp`, and the line of its header.
    place: Place,
    /// Path without names, such as `context.bgp`.
    shape: String,
    table: &'r DeTable<'d>,
    /// Where a key is looked for that this table does not have.
    behind: Option<Behind<'r, 'd>>,
    /// What is required may be absent: others will have it.
    is_part: bool,
    known: RefCell<Vec<&'static str>>,
}

/// A table that others take keys from.
#[derive(Clone, Debug)]
pub(super) struct Behind<'r, 'd> {
    /// Path with names, such as `context[destination].bgp.group[transit]`.
    path: String,
    table: &'r DeTable<'d>,
    /// Keys that are its own.
    own: &'static [&'static str],
}

/// A key of a table or of the one behind it.
struct Entry<'p, 'r, 'd> {
    /// Path of the table that has it.
    path: &'p str,
    at: Range<usize>,
    value: &'r Spanned<DeValue<'d>>,
}

impl<'r, 'd> Section<'r, 'd> {
    /// This table for others to take keys from, all but `own`.
    pub fn behind(&self, own: &'static [&'static str]) -> Behind<'r, 'd> {
        Behind { path: self.place.key.clone(), table: self.table, own }
    }

    /// This table with another one behind it: what is written here goes before what is written there.
    pub fn over(self, behind: Option<Behind<'r, 'd>>) -> Self {
        Self { behind, ..self }
    }

    /// The text of a key of this table, before it is read.
    pub fn peek(&self, key: &str) -> Option<&'r str> {
        self.table.get(key).and_then(|value| value.get_ref().as_str())
    }

    /// An address of this table or the one behind it, before it is read; none if it is none.
    pub fn peek_address(&self, key: &str) -> Option<std::net::IpAddr> {
        self.find(key)?.value.get_ref().as_str()?.parse().ok()
    }

    /// Reads more of this table, under the name that the reference page has for such keys. `is_part`: what is required there
    /// may be absent here.
    pub fn read_like<T>(&self, shape: &str, is_part: bool, body: impl FnOnce(&Self) -> T) -> T {
        let like = Self {
            reader: self.reader,
            place: self.place.clone(),
            shape: shape.to_owned(),
            table: self.table,
            behind: self.behind.clone(),
            is_part,
            known: RefCell::default(),
        };
        if shape != self.shape {
            let alike = (self.shape.clone(), shape.to_owned());
            self.reader.asked.borrow_mut().alike.insert(alike);
        }
        let value = body(&like);
        self.known.borrow_mut().append(&mut like.known.borrow_mut());
        value
    }

    /// Whether a value stands in this table, not in the one behind it.
    pub fn is_own(&self, place: &Place) -> bool {
        place.key.strip_prefix(&self.place.key).is_some_and(|rest| rest.starts_with('.'))
    }

    /// Reads the table with `body`, then reports every key that `body` did not ask for.
    pub fn read<T>(self, body: impl FnOnce(&Self) -> T) -> T {
        let value = body(&self);
        let known = self.known.borrow();
        for (key, entry) in self.table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let mut place = self.place_of(name, key.span(), entry);
                if entry.get_ref().is_table() || entry.get_ref().is_array() {
                    place.written = None;
                }
                let fault = Fault::UnknownKey { nearest: nearest(name, &known), known: known.clone() };
                self.reader.report(&place, fault);
            }
        }
        drop(known);
        value
    }

    /// The folder of the file: relative paths start there.
    pub fn base(&self) -> &Path {
        self.reader.folder()
    }

    /// A value that must be there.
    pub fn required<K: Kind>(&self, key: &'static str, kind: &K) -> Result<Found<K::Value>, Reported> {
        self.note(key, kind, "required");
        self.take(key, kind)?.ok_or_else(|| {
            if self.is_part {
                return Reported(());
            }
            let place = self.place_of_absent(key);
            self.reader.report(&place, Fault::Missing { key, wanted: kind.wanted() })
        })
    }

    /// A value that may be absent.
    pub fn optional<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
    ) -> Result<Option<Found<K::Value>>, Reported> {
        self.note(key, kind, "none");
        self.take(key, kind)
    }

    /// A value that is `default` if absent.
    pub fn or<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
        default: K::Value,
    ) -> Result<Found<K::Value>, Reported> {
        let shown = kind.write(&default);
        self.or_derived(key, kind, default, &shown)
    }

    /// A value whose default follows from others, as `shown` says.
    pub fn or_derived<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
        default: K::Value,
        shown: &str,
    ) -> Result<Found<K::Value>, Reported> {
        self.note(key, kind, shown);
        Ok(self.take(key, kind)?.unwrap_or_else(|| Found { value: default, at: self.place_of_absent(key) }))
    }

    /// An array of values, each checked for itself; empty if absent.
    pub fn list<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
        example: &'static str,
    ) -> Result<Vec<Found<K::Value>>, Reported> {
        self.known.borrow_mut().push(key);
        let facts = KeyFacts { wanted: format!("array of: {}", kind.wanted()), default: "[]".into() };
        let schema = serde_json::json!({"type": "array", "items": kind.schema()});
        self.reader.asked.borrow_mut().keys.insert(self.shape_of(key), (facts, schema));
        let Some(entry) = self.find(key) else { return Ok(Vec::new()) };
        let Some(elements) = entry.value.get_ref().as_array() else {
            let fault = Fault::WrongType {
                found: entry.value.get_ref().type_str(),
                wanted: format!("array of: {}", kind.wanted()),
                example,
            };
            return Err(self.reader.report(&self.place_in(&entry, key), fault));
        };
        let values: Vec<_> = elements
            .iter()
            .enumerate()
            .map(|(index, element)| {
                let element = Entry { path: entry.path, at: element.span(), value: element };
                self.value(element.value, kind, self.place_in(&element, &format!("{key}[{index}]")))
            })
            .collect();
        values.into_iter().collect()
    }

    /// A table inside this one, if it is there.
    pub fn table(&self, key: &'static str) -> Result<Option<Section<'r, 'd>>, Reported> {
        self.known.borrow_mut().push(key);
        self.reader.asked.borrow_mut().tables.insert(self.shape_of(key), false);
        let Some(entry) = self.find(key) else { return Ok(None) };
        let place = Place { written: None, ..self.place_in(&entry, key) };
        let Some(table) = entry.value.get_ref().as_table() else {
            return Err(self.reader.report(&place, self.wrong_table(key, entry.value, "[", "]")));
        };
        // A table inside of both: that of the one behind is behind that of this one.
        let behind = self.behind.as_ref().filter(|_| self.is_own(&place)).and_then(|behind| {
            let table = behind.table.get(key)?.get_ref().as_table()?;
            Some(Behind { path: format!("{}.{key}", behind.path), table, own: &[] })
        });
        Ok(Some(self.section(key, place, table).over(behind)))
    }

    /// The tables of an array inside this one, each named in error messages by its key `label`; none if absent.
    pub fn tables(&self, key: &'static str, label: &str) -> Result<Vec<Section<'r, 'd>>, Reported> {
        self.known.borrow_mut().push(key);
        self.reader.asked.borrow_mut().tables.insert(self.shape_of(key), true);
        let Some((name, entry)) = self.table.get_key_value(key) else { return Ok(Vec::new()) };
        let wrong = |entry: &Spanned<DeValue<'_>>| {
            let place = Place { written: None, ..self.place_of(key, name.span(), entry) };
            self.reader.report(&place, self.wrong_table(key, entry, "[[", "]]"))
        };
        let elements = entry.get_ref().as_array().ok_or_else(|| wrong(entry))?;
        let sections: Vec<_> = elements
            .iter()
            .enumerate()
            .map(|(index, element)| {
                let table = element.get_ref().as_table().ok_or_else(|| wrong(element))?;
                let label = table.get(label).or_else(|| table.get("interface"));
                let label = label.and_then(|value| value.get_ref().as_str());
                let label = label.map_or_else(|| index.to_string(), str::to_owned);
                let place = self.place_of(&format!("{key}[{label}]"), element.span(), element);
                Ok(self.section(key, Place { written: None, ..place }, table))
            })
            .collect();
        sections.into_iter().collect()
    }

    /// Where this table stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where `key` of this table stands, if it does; what is said of it is that it has no business there, so it counts as known.
    pub fn own_place(&self, key: &'static str) -> Option<Place> {
        self.known.borrow_mut().push(key);
        let (name, value) = self.table.get_key_value(key)?;
        let place = self.place_of(key, name.span(), value);
        let is_table = value.get_ref().is_table() || value.get_ref().is_array();
        Some(if is_table { Place { written: None, ..place } } else { place })
    }

    /// Where `key` of this table, or of the one behind it, stands, if it does; it counts as known.
    pub fn place_in_force(&self, key: &'static str) -> Option<Place> {
        self.own_place(key).or_else(|| Some(self.place_in(&self.find(key)?, key)))
    }

    /// Where `key` of this table would stand if it were there.
    pub fn place_of_absent(&self, key: &str) -> Place {
        Place { key: join(&self.place.key, key), line: self.place.line, written: None }
    }

    /// Adds a fault of the value at `place`.
    pub fn report(&self, place: &Place, fault: Fault) -> Reported {
        self.reader.report(place, fault)
    }

    fn section(&self, key: &str, place: Place, table: &'r DeTable<'d>) -> Section<'r, 'd> {
        let shape = self.shape_of(key);
        let (behind, is_part) = (None, self.is_part);
        Section { reader: self.reader, place, shape, table, behind, is_part, known: RefCell::default() }
    }

    fn wrong_table(&self, key: &str, entry: &Spanned<DeValue<'_>>, open: &str, close: &str) -> Fault {
        let header = format!("a table under the header {open}{}{close}", self.shape_of(key));
        let example = if open == "[" {
            "a header in [one pair of brackets]"
        } else {
            "a header in [[two pairs of brackets]]"
        };
        Fault::WrongType { found: entry.get_ref().type_str(), wanted: header, example }
    }

    fn note<K: Kind>(&self, key: &'static str, kind: &K, default: &str) {
        self.known.borrow_mut().push(key);
        let facts = KeyFacts { wanted: kind.wanted(), default: default.to_owned() };
        self.reader.asked.borrow_mut().keys.insert(self.shape_of(key), (facts, kind.schema()));
    }

    fn take<K: Kind>(&self, key: &str, kind: &K) -> Result<Option<Found<K::Value>>, Reported> {
        let Some(entry) = self.find(key) else { return Ok(None) };
        self.value(entry.value, kind, self.place_in(&entry, key)).map(Some)
    }

    fn find<'s>(&'s self, key: &str) -> Option<Entry<'s, 'r, 'd>> {
        let of = |path, (name, value): (&Spanned<_>, _)| Entry { path, at: name.span(), value };
        let own = self.table.get_key_value(key).map(|found| of(self.place.key.as_str(), found));
        own.or_else(|| {
            let behind = self.behind.as_ref().filter(|behind| !behind.own.contains(&key))?;
            Some(of(&behind.path, behind.table.get_key_value(key)?))
        })
    }

    fn value<K: Kind>(
        &self,
        entry: &Spanned<DeValue<'_>>,
        kind: &K,
        at: Place,
    ) -> Result<Found<K::Value>, Reported> {
        match kind.read(entry.get_ref()) {
            Ok(value) => Ok(Found { value, at }),
            Err(fault) => Err(self.reader.report(&at, fault)),
        }
    }

    fn place_of(&self, name: &str, at: Range<usize>, value: &Spanned<DeValue<'d>>) -> Place {
        self.place_in(&Entry { path: &self.place.key, at, value }, name)
    }

    fn place_in(&self, entry: &Entry<'_, '_, 'd>, name: &str) -> Place {
        let written = Some(self.reader.written(entry.value.span()));
        Place { key: join(entry.path, name), line: self.reader.line(entry.at.start), written }
    }

    fn shape_of(&self, key: &str) -> String {
        join(&self.shape, key)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
