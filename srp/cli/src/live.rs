//! `--watch`: the same `show` again and again, with a live picture where a terminal is there.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use srp_core::api::Request;

use crate::client;
use crate::render::{self, View};

/// Cursor to the upper left corner, and everything from there on cleared.
const HOME: &str = "\u{1b}[H\u{1b}[J";

/// What is asked, of whom, and how long an answer may take.
pub struct Watched<'a> {
    /// The socket of srpd.
    pub socket: &'a std::path::Path,
    /// The question.
    pub request: Request,
    /// How its answer is shown.
    pub view: View,
    /// An answer as JSON, a line each.
    pub json: bool,
    /// Longest wait for an answer.
    pub limit: Duration,
}

/// Asks every `interval` until whoever reads goes away. A srpd that does not answer is asked again.
pub fn watch(watched: &Watched<'_>, command: &str, interval: Duration) -> ExitCode {
    let mut out = std::io::stdout();
    let picture = out.is_terminal() && !watched.json;
    loop {
        let text = match client::ask(watched.socket, &watched.request, watched.limit) {
            Ok(response) if watched.json => {
                // A line each, so that a reader knows where one answer ends.
                let value: serde_json::Value =
                    serde_json::from_str(&render::json(&response)).unwrap_or_default();
                format!("{value}\n")
            }
            Ok(response) => render::text(&response, watched.view, now_us()),
            Err(error) => format!("srpctl: {error}\n"),
        };
        let text = if picture {
            format!("{HOME}srpctl {command}, every {} s; Ctrl-C ends\n\n{text}", interval.as_secs())
        } else {
            text
        };
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return ExitCode::SUCCESS; // the reader has gone
        }
        std::thread::sleep(interval);
    }
}

fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}
