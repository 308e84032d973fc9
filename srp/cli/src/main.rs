//! Operator commands of the redundancy pair, over the control socket of srpd.
//!
//! A command line becomes a request (`args`), the request goes over the socket and an answer comes back (`client`), and
//! the answer becomes text (`render`, pure). `keygen` and `import` (pure but for its file) work without srpd, and
//! `configure` with the file itself, `flash` with this machine's disk; `upgrade` asks both chassis. Exit status: 0 done,
//! 1 refused or failed with the reasons on standard error, 2 wrong usage.

mod args;
mod client;
mod configure;
mod flash;
mod import;
mod keygen;
mod live;
mod manual;
mod owner;
mod render;
mod support;
mod transfer;
mod upgrade;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use srp_core::api::Response;

use args::{Args, Command, Show, ShowSupport};
use configure::{ConfigureError, Done};

fn main() -> ExitCode {
    // The public word has one dash, which would be a bundle of letters here.
    let words =
        std::env::args_os().map(|word| if word == "-noconfirm" { "--noconfirm".into() } else { word });
    let args = Args::parse_from(words);
    if let Some(said) = flash::run(&args) {
        let text = if args.json { render::pretty(&said.json) } else { said.text };
        return finish(&text, &said.reasons);
    }
    match &args.command {
        Command::Keygen { out, names } => done(keygen::keygen(out, names)),
        Command::Import { file } => imported(file, args.json),
        Command::Configure { file, action } => {
            let (socket, file) = (args.socket(), file.as_deref());
            configured(&args, configure::configure(&configure::Place { socket: &socket, file }, action))
        }
        Command::Save { what } => {
            let socket = args.socket();
            configured(&args, configure::save(&configure::Place { socket: &socket, file: None }, what))
        }
        Command::Upgrade(asked) => upgraded(&args, asked),
        Command::Completion { shell } => finish(&manual::completion(*shell), &[]),
        Command::Man { folder } => done(manual::pages(folder)),
        Command::Show { what: Show::Support { what: ShowSupport::Details { scope: _, file } } } => {
            done(support::write(&args, file))
        }
        Command::Show { .. }
        | Command::Clear { .. }
        | Command::Dump { .. }
        | Command::Srp { .. }
        | Command::Boot { .. }
        | Command::No { .. }
        | Command::Directory { .. }
        | Command::Copy { .. }
        | Command::Filesystem { .. }
        | Command::Reload { .. } => ask(&args),
    }
}

fn done(result: Result<String, impl std::error::Error>) -> ExitCode {
    match result {
        Ok(text) => finish(&text, &[]),
        Err(error) => finish("", &error.to_string().lines().map(str::to_owned).collect::<Vec<_>>()),
    }
}

/// Prints what a change of the file did, or why it did nothing.
fn configured(args: &Args, result: Result<Done, ConfigureError>) -> ExitCode {
    match result {
        Ok(done) if args.json => finish(&done.to_json(), &[]),
        Ok(done) => finish(&done.to_string(), &[]),
        Err(error) => {
            let reasons: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
            let text = if args.json {
                render::json(&Response::Error { reasons: reasons.clone() })
            } else {
                String::new()
            };
            finish(&text, &reasons)
        }
    }
}

/// Carries out, or tells of, an upgrade of the pair.
fn upgraded(args: &Args, asked: &args::upgrade::Upgrade) -> ExitCode {
    let said = upgrade::run(args, asked).unwrap_or_else(Into::into);
    let text = if args.json { render::pretty(&said.json) } else { said.text };
    finish(&text, &said.reasons)
}

/// Prints our configuration of a text in the other form, and on standard error what to know of it.
fn imported(file: &Path, json: bool) -> ExitCode {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read(file).map(|octets| String::from_utf8_lossy(&octets).into_owned())
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => return finish("", &[format!("cannot read {}: {error}", file.display())]),
    };
    match import::import(&text) {
        Err(error) => finish("", &[format!("{}: {error}", file.display())]),
        Ok(imported) if json => finish(&imported.to_json(), &[]),
        Ok(imported) => {
            for note in &imported.notes {
                eprintln!("{}", render::clean(&note.to_string()));
            }
            finish(&imported.configuration, &[])
        }
    }
}

/// Sends the request of the command line to srpd and prints what comes back.
fn ask(args: &Args) -> ExitCode {
    let Some((request, view)) = args.request() else { return ExitCode::from(2) };
    if let Some(seconds) = args.watch {
        if !matches!(args.command, Command::Show { .. }) {
            eprintln!("srpctl: --watch is for `show`: nothing is done again and again");
            return ExitCode::from(2);
        }
        let limit = args.time_limit(&request);
        let socket = args.socket();
        let watched = live::Watched { socket: &socket, request, view, json: args.json, limit };
        let words: Vec<String> = std::env::args().skip(1).collect();
        return live::watch(&watched, &words.join(" "), Duration::from_secs(seconds));
    }
    let response = match client::ask(&args.socket(), &request, args.time_limit(&request)) {
        Ok(response) => response,
        Err(error) => return finish("", &[error.to_string()]),
    };
    let reasons = reasons(&response);
    let text = if args.json {
        render::json(&response)
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        render::text(&response, view, u64::try_from(now.as_micros()).unwrap_or(u64::MAX))
    };
    finish(&text, &reasons)
}

/// Why the command failed; nothing if it did not.
fn reasons(response: &Response) -> Vec<String> {
    match response {
        Response::Error { reasons } if reasons.is_empty() => vec!["srpd refused and gave no reason".into()],
        Response::Error { reasons } => reasons.clone(),
        Response::Validation(validation) => {
            let failed = validation.checks.iter().filter(|check| !check.passed);
            failed.map(|check| format!("{}: {}", check.name, check.detail)).collect()
        }
        Response::SrpInfo(_)
        | Response::Monitors(_)
        | Response::AuthServers(_)
        | Response::DiameterPeers(_)
        | Response::BgpSummary(_)
        | Response::BgpNeighbors(_)
        | Response::BgpRoutes(_)
        | Response::BgpAdvertised(_)
        | Response::BgpCleared(_)
        | Response::BgpDumped(_)
        | Response::Interfaces(_)
        | Response::Switchovers(_)
        | Response::Events(_)
        | Response::SrpStatistics(_)
        | Response::SrpDetails(_)
        | Response::Configuration(_)
        | Response::Reloaded(_)
        | Response::SwitchoverDone(_)
        | Response::PostProcessTerminated(_)
        | Response::MonitorReset(_) => Vec::new(),
    }
}

/// Prints, and says by the exit status whether there were reasons against.
fn finish(text: &str, reasons: &[String]) -> ExitCode {
    // Whoever reads may have gone (`srpctl ... | head -1`), and that is not an error of ours.
    let _ = std::io::stdout().write_all(text.as_bytes());
    for reason in reasons {
        eprintln!("srpctl: {}", render::clean(reason));
    }
    if reasons.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
