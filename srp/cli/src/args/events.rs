//! `show events ...` and `show snmp ...`.

use clap::{Subcommand, ValueEnum};
use srp_core::api::Request;
use srp_core::events::Severity;

use crate::render::View;

/// Without `last`: srpd keeps fewer.
const ALL: usize = u32::MAX as usize;

/// `show events ...`.
#[derive(Debug, Subcommand)]
pub enum EventFilter {
    /// This bad and worse, with what clears such events
    #[command(infer_subcommands = true)]
    Severity {
        /// info, cleared, warning, minor, major or critical
        #[arg(value_name = "SEVERITY", value_parser = severity)]
        least: Severity,
        /// How many; all if absent.
        #[command(subcommand)]
        last: Option<Last>,
    },
    /// The last N
    Last {
        /// How many
        #[arg(value_name = "N")]
        count: u32,
    },
}

/// `show events severity S ...`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Last {
    /// The last N of them
    Last {
        /// How many
        #[arg(value_name = "N")]
        count: u32,
    },
}

/// `show snmp ...`.
#[derive(Debug, Subcommand)]
pub enum ShowSnmp {
    /// Notifications
    #[command(infer_subcommands = true)]
    Trap {
        /// What of them.
        #[command(subcommand)]
        what: ShowTrap,
    },
}

/// `show snmp trap ...`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ShowTrap {
    /// Those since srpd started, oldest first
    History {
        /// With severity and number
        #[arg(value_enum)]
        verbose: Option<Verbose>,
    },
}

/// The word `verbose`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Verbose {
    /// With severity and number
    Verbose,
}

fn severity(text: &str) -> Result<Severity, String> {
    let found = Severity::WORDS.iter().find(|(word, _)| *word == text);
    found.map(|(_, severity)| *severity).ok_or_else(|| {
        let words: Vec<_> = Severity::WORDS.iter().map(|(word, _)| *word).collect();
        format!("not one of: {}", words.join(", "))
    })
}

/// The request for `show events`.
pub fn request(filter: Option<&EventFilter>) -> Request {
    let (severity, last) = match filter {
        None => (Severity::Info, ALL),
        Some(EventFilter::Last { count }) => (Severity::Info, *count as usize),
        Some(EventFilter::Severity { least, last: None }) => (*least, ALL),
        Some(EventFilter::Severity { least, last: Some(Last::Last { count }) }) => (*least, *count as usize),
    };
    Request::ShowEvents { severity, last, traps: false }
}

/// The request for `show snmp trap history`, and how it is shown.
pub fn traps(what: &ShowSnmp) -> (Request, View) {
    let ShowSnmp::Trap { what: ShowTrap::History { verbose } } = what;
    let request = Request::ShowEvents { severity: Severity::Info, last: ALL, traps: true };
    (request, View::Traps { verbose: verbose.is_some() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Args;

    fn asked(line: &str) -> Option<(Request, View)> {
        Args::try_parse_from(std::iter::once("srpctl").chain(line.split_whitespace())).ok()?.request()
    }

    #[test]
    fn events_are_filtered_by_severity_and_number() {
        for (line, severity, last) in [
            ("show events", Severity::Info, ALL),
            ("show events last 5", Severity::Info, 5),
            ("show events severity major", Severity::Major, ALL),
            ("show ev sev minor la 20", Severity::Minor, 20),
        ] {
            let request = Request::ShowEvents { severity, last, traps: false };
            assert_eq!(asked(line), Some((request, View::Plain)), "{line}");
        }
        assert_eq!(asked("show events severity bad"), None);
    }

    #[test]
    fn the_trap_history_has_a_verbose_form() {
        let request = Request::ShowEvents { severity: Severity::Info, last: ALL, traps: true };
        for (line, verbose) in [("show snmp trap history", false), ("show snmp trap history verbose", true)] {
            assert_eq!(asked(line), Some((request.clone(), View::Traps { verbose })), "{line}");
        }
    }
}
