//! `srpd replay FILE`: the events of a record, and what this release makes of them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use srp_core::trace::{ReplayError, Summary, Told, replay};
use srp_core::types::Time;

/// Why a file does not replay.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .file.display())]
pub struct FileError {
    file: PathBuf,
    source: ReplayError,
}

/// Replays a file and prints, unless `quiet`, each event with its line and time, and each action after it.
///
/// # Errors
/// The first line that differs, or why the file cannot be replayed.
pub fn print(file: &Path, quiet: bool) -> Result<Summary, FileError> {
    let failed = |source| FileError { file: file.to_owned(), source };
    let trace = File::open(file).map_err(|error| failed(error.into()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut printing = Ok(());
    let replayed = replay(BufReader::new(trace), |told| {
        let tells_of_loss = matches!(told, Told::Lost(..) | Told::CutShort(_));
        // A reader who has seen enough (`| head`) still gets the exit code.
        if printing.is_ok() && (!quiet || tells_of_loss) {
            printing = tell(&mut out, &told);
        }
    });
    if let Ok(summary) = &replayed {
        let Summary { steps, parts, gaps: (gaps, lost), state } = summary;
        let state = state.map_or_else(|| "unknown".into(), |state| state.to_string());
        let missing = match gaps {
            0 => "no gap".to_owned(),
            _ => format!("{gaps} gap(s) of {lost} steps in all"),
        };
        let _ = writeln!(
            out,
            "{}: {steps} steps in {parts} part(s) replayed, the same actions; {missing}; at the end {state}",
            file.display()
        );
    }
    let _ = out.flush(); // the same reader
    replayed.map_err(failed)
}

fn tell(out: &mut impl Write, told: &Told<'_>) -> io::Result<()> {
    match told {
        Told::Head(line, head) => {
            writeln!(out, "{line:>7}  recorded by release {}, wall time {} us", head.release, head.wall_us)
        }
        Told::Start(line, at) => writeln!(out, "{line:>7}  {}  start", seconds(*at)),
        Told::Resume(line, state) => writeln!(out, "{line:>7}  goes on as {state}"),
        Told::Step(line, at, event, actions) => {
            writeln!(out, "{line:>7}  {}  {}", seconds(*at), json(event))?;
            actions.iter().try_for_each(|action| writeln!(out, "{:>7}  {:>17}  -> {}", "", "", json(action)))
        }
        Told::Lost(line, steps) => {
            writeln!(
                out,
                "{line:>7}  GAP: {steps} steps were lost here; replayed again from the state after it"
            )
        }
        Told::CutShort(line) => {
            writeln!(out, "{line:>7}  cut short: srpd was killed while it wrote this line")
        }
    }
}

/// The monotonic clock, as `began_monotonic_us` of a switchover has it.
fn seconds(at: Time) -> String {
    format!("{:>10}.{:06}", at.0 / 1_000_000, at.0 % 1_000_000)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
