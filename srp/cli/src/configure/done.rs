//! What a change of the file did: lines for people, or JSON.

use std::fmt::{self, Display};
use std::path::PathBuf;

use serde::Serialize;

use crate::render;

/// What a command did. `docs/configure.md` has the fields.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// `set`, `delete` and `discard`.
    Candidate {
        /// There is one now.
        candidate: bool,
    },
    /// `rollback`.
    Taken {
        /// Commits that it goes back.
        rollback: u8,
    },
    /// `compare` and `edit`.
    Compared {
        /// What a commit would change.
        changes: Vec<Change>,
        /// Comments or order are other ones.
        text_differs: bool,
    },
    /// `check`.
    Checked {
        /// The candidate, which is right.
        checked: PathBuf,
    },
    /// `commit`.
    Committed {
        /// What has changed.
        changes: Vec<String>,
        /// What became of it.
        outcome: Outcome,
    },
    /// `history`.
    History {
        /// The newest first.
        commits: Vec<Past>,
    },
    /// `save configuration`.
    Saved {
        /// The file of srpd, if it was another one than what runs.
        rewritten: Option<PathBuf>,
        /// The second place.
        written: Option<String>,
    },
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The running srpd has taken it over.
    TakenOver,
    /// No srpd runs: the next one takes it over.
    AtTheNextStart,
    /// The candidate was the file.
    Unchanged,
}

/// A change of the configuration.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Key, old and new value.
    pub what: String,
    /// A reload cannot take it over.
    pub needs_restart: bool,
}

/// A commit that can be taken back.
#[derive(Debug, Serialize)]
pub struct Past {
    /// For `rollback`.
    pub number: usize,
    /// When, microseconds since 1970.
    pub at_us: u64,
    /// By whom.
    pub by: String,
    /// Why.
    pub comment: String,
}

impl Done {
    /// For programs.
    pub fn to_json(&self) -> String {
        // Texts, numbers and lists of them always have a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Candidate { candidate: _ } => Ok(()),
            Self::Taken { rollback: _ } => {
                writeln!(f, "The candidate is the configuration of then: `compare`, then `commit`.")
            }
            Self::Compared { changes, text_differs } => {
                for change in changes {
                    let mark = if change.needs_restart { " (needs a restart of srpd)" } else { "" };
                    writeln!(f, "{}{mark}", render::clean(&change.what))?;
                }
                match (changes.is_empty(), text_differs) {
                    (false, _) => Ok(()),
                    (true, false) => writeln!(f, "Nothing is changed."),
                    (true, true) => writeln!(f, "Nothing but comments or order is changed."),
                }
            }
            Self::Checked { checked } => writeln!(f, "{}: no errors", checked.display()),
            Self::Committed { changes, outcome } => {
                for change in changes {
                    writeln!(f, "{}", render::clean(change))?;
                }
                match outcome {
                    Outcome::TakenOver => Ok(()),
                    Outcome::AtTheNextStart => {
                        writeln!(f, "srpd does not run: it takes this over when it starts.")
                    }
                    Outcome::Unchanged => {
                        writeln!(f, "Nothing is changed: there is no candidate any more.")
                    }
                }
            }
            Self::History { commits } => {
                for past in commits {
                    let (at, by) = (render::wall(past.at_us), render::clean(&past.by));
                    writeln!(f, "{:>2}  {at}  {by}  {}", past.number, render::clean(&past.comment))?;
                }
                Ok(())
            }
            Self::Saved { rewritten, written } => {
                if let Some(file) = rewritten {
                    writeln!(f, "{}: written as it runs; it was another one", file.display())?;
                }
                written.as_ref().map_or(Ok(()), |place| writeln!(f, "{}: written", render::clean(place)))
            }
        }
    }
}
