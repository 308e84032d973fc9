//! `srpctl import FILE`: a StarOS-style configuration becomes ours, with a list of what of it has no place there.
//!
//! Pure: text in, text and notes out. `lines` cuts the text into commands, `walk` knows in which mode each stands and gives
//! it to `context`, `srp` or `pool`, which fill `found`; `write` makes our text of that, and the reader of `srpd` has the
//! last word on it. Every line of the source has an effect, or a note that says why not. Keywords are the same in any
//! case; `no` and `default` undo what an earlier line set.

mod address;
mod bulk;
mod context;
mod found;
mod lines;
mod pool;
mod srp;
#[cfg(test)]
mod tests;
mod walk;
mod write;

use std::fmt;
use std::path::Path;

use srp_core::config::Config;

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Our configuration.
    pub configuration: String,
    /// What to know of it, in the order of the lines.
    pub notes: Vec<Note>,
}

impl Imported {
    /// The same for programs, as one line of JSON.
    pub fn to_json(&self) -> String {
        let kind = |kind| match kind {
            Kind::LeftOut => "left-out",
            Kind::ToCheck => "to-check",
        };
        let notes: Vec<_> = self
            .notes
            .iter()
            .map(|note| serde_json::json!({"line": note.line, "text": note.text, "kind": kind(note.kind), "why": note.why}))
            .collect();
        format!("{}\n", serde_json::json!({"configuration": self.configuration, "notes": notes}))
    }
}

/// Something to know, with the line that it is about; line 0 is the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Line of the source, counted from 1.
    pub line: usize,
    /// The line as it is written; empty for the whole.
    pub text: String,
    /// What became of it.
    pub kind: Kind,
    /// Why.
    pub why: String,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has no effect on the result.
    LeftOut,
    /// It was taken, with something that the text does not say.
    ToCheck,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::LeftOut => "left out",
            Kind::ToCheck => "to check",
        };
        match self.line {
            0 => write!(f, "{kind}: {}", self.why),
            line => write!(f, "line {line}: {kind}: {}: {}", self.text, self.why),
        }
    }
}

/// Why a text is not imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no `context NAME` in it: this is not a configuration in the form of `show configuration`")]
pub struct NotSuch;

/// Our configuration of a text in the other form.
///
/// # Errors
/// A text without any context.
pub fn import(text: &str) -> Result<Imported, NotSuch> {
    let (found, mut notes) = walk::walk(&lines::lines(text));
    if found.contexts.is_empty() {
        return Err(NotSuch);
    }
    let configuration = write::write(&found, &mut notes);
    if let Err(faults) = Config::from_toml(&configuration, Path::new("imported")) {
        let line = |fault: &srp_core::config::ConfigError| format!("{}: {}", fault.key, fault.fault);
        notes.extend(faults.iter().map(|fault| Note {
            line: 0,
            text: String::new(),
            kind: Kind::ToCheck,
            why: format!("srpd check will say: {}", line(fault)),
        }));
    }
    // Stable: what is said of one line stays in its order, and what is said of the whole comes last.
    notes.sort_by_key(|note| if note.line == 0 { usize::MAX } else { note.line });
    Ok(Imported { configuration, notes })
}
