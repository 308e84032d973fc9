//! `show support details icsr`: one archive with what support asks for. It holds no key and no password: the configuration names
//! the files that do.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use flate2::Compression;
use flate2::write::GzEncoder;
use image::boot::BootFile;
use srp_core::api::Response;

use crate::args::Args;
use crate::client;
use crate::flash::{self, Said};
use crate::render;

/// Every question that is asked, as it would be typed.
const COMMANDS: [&str; 15] = [
    "show srp info",
    "show srp statistics",
    "show srp monitor all",
    "show srp monitor bgp",
    "show srp monitor diameter",
    "show srp monitor authentication-probe",
    "show ip interface",
    "show port info",
    "show switchover all",
    "show events",
    "show snmp trap history verbose",
    "show ip bgp summary",
    "show ip bgp neighbors",
    "show configuration srp",
    "show srp details",
];

/// Files of the machine that say what it is.
const MACHINE: [&str; 5] =
    ["/proc/version", "/etc/os-release", "/proc/uptime", "/proc/loadavg", "/proc/meminfo"];

/// The longest record that is taken along, octets.
const LONGEST_RECORD: u64 = 64 * 1024 * 1024;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}; name another file", .file.display())]
pub struct SupportError {
    file: PathBuf,
    source: io::Error,
}

/// Writes the archive, or replaces it as a whole. What cannot be had is a line in it, and no failure.
pub fn write(args: &Args, file: &Path) -> Result<String, SupportError> {
    let failed = |source| SupportError { file: file.to_owned(), source };
    let partial = file.with_extension("partial");
    let written = fill(args, &partial).and_then(|missing| {
        std::fs::rename(&partial, file)?;
        Ok(missing)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&partial); // it may never have been made
    }
    let missing = written.map_err(failed)?;
    let size = std::fs::metadata(file).map_err(failed)?.len();
    let mut text = format!("Written: {}, {size} octets.\n", file.display());
    for line in missing {
        let _ = writeln!(text, "Not in it: {}", render::clean(&line)); // a String takes every line
    }
    Ok(text)
}

fn fill(args: &Args, file: &Path) -> io::Result<Vec<String>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let folder = format!("srp-support-{}", now.as_secs());
    let mut archive = Archive::new(file, &folder, now)?;
    let mut missing = Vec::new();
    archive.add("versions.txt", format!("srpctl {}\n", env!("CARGO_PKG_VERSION")).as_bytes())?;
    for (number, command) in (1..).zip(COMMANDS) {
        let name = format!("{number:02}-{}", command.replace(' ', "-"));
        match ask(args, command) {
            Ok((response, text)) => {
                archive.add(&format!("{name}.txt"), text.as_bytes())?;
                archive.add(&format!("{name}.json"), render::json(&response).as_bytes())?;
                if let Response::Configuration(configuration) = &response
                    && let Some(record) = record_of(&configuration.text)
                    && let Err(why) = archive.add_record(&record)?
                {
                    missing.push(format!("the record {}: {why}", record.display()));
                }
            }
            Err(why) => missing.push(format!("{command}: {why}")),
        }
    }
    if BootFile::path(&args.flash).exists() {
        for command in ["show boot", "show build"] {
            if let Some(said) = local(args, command) {
                let name = command.replace(' ', "-");
                archive.add(&format!("{name}.txt"), said.text.as_bytes())?;
                archive.add(&format!("{name}.json"), render::pretty(&said.json).as_bytes())?;
            }
        }
    }
    for path in MACHINE {
        match std::fs::read(path) {
            Ok(octets) => archive.add(&format!("machine{}", path.replace('/', "-")), &octets)?,
            Err(error) => missing.push(format!("{path}: {error}")),
        }
    }
    archive.add("missing.txt", missing.join("\n").as_bytes())?;
    archive.finish()?;
    Ok(missing)
}

/// What a command says that asks nobody.
fn local(args: &Args, command: &str) -> Option<Said> {
    let mut words: Vec<OsString> = vec!["srpctl".into(), "--flash".into(), args.flash.clone().into()];
    words.extend(["--command-line".into(), args.command_line.clone().into()]);
    words.extend(command.split(' ').map(OsString::from));
    flash::run(&Args::try_parse_from(words).ok()?)
}

fn ask(args: &Args, command: &str) -> Result<(Response, String), String> {
    let words = std::iter::once("srpctl").chain(command.split(' '));
    let parsed = Args::try_parse_from(words).map_err(|error| error.to_string())?;
    let Some((request, view)) = parsed.request() else { return Err("no question for srpd".into()) };
    let limit = args.time_limit(&request).max(Duration::from_secs(1));
    let response = client::ask(&args.socket(), &request, limit).map_err(|error| error.to_string())?;
    if let Response::Error { reasons } = &response {
        return Err(reasons.join("; "));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let text = render::text(&response, view, u64::try_from(now.as_micros()).unwrap_or(u64::MAX));
    Ok((response, text))
}

/// Where the configuration says that the state machine is recorded.
fn record_of(configuration: &str) -> Option<PathBuf> {
    let behind = configuration.split("\n[record]\n").nth(1)?;
    let line = behind.lines().next()?.strip_prefix("file = ")?;
    Some(PathBuf::from(line.trim_matches(['"', '\''])))
}

/// A gzipped tar with one folder.
struct Archive<'a> {
    tar: tar::Builder<GzEncoder<std::fs::File>>,
    folder: &'a str,
    now: Duration,
}

impl<'a> Archive<'a> {
    fn new(file: &Path, folder: &'a str, now: Duration) -> io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let encoder = GzEncoder::new(options.open(file)?, Compression::default());
        Ok(Self { tar: tar::Builder::new(encoder), folder, now })
    }

    fn add(&mut self, name: &str, octets: &[u8]) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(octets.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(self.now.as_secs());
        self.tar.append_data(&mut header, format!("{}/{name}", self.folder), octets)
    }

    /// The record, if it can be read and is not too long; an outer error is one of the archive.
    fn add_record(&mut self, record: &Path) -> io::Result<Result<(), String>> {
        let known = std::fs::metadata(record).map(|metadata| metadata.len());
        match known {
            Err(error) => Ok(Err(error.to_string())),
            Ok(length) if length > LONGEST_RECORD => Ok(Err(format!("{length} octets are too many"))),
            Ok(_) => match std::fs::read(record) {
                Ok(octets) => self.add("record.trace", &octets).map(Ok),
                Err(error) => Ok(Err(error.to_string())),
            },
        }
    }

    fn finish(self) -> io::Result<()> {
        self.tar.into_inner()?.finish()?.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_one_of_srpctl() {
        for command in COMMANDS {
            let words = std::iter::once("srpctl").chain(command.split(' '));
            let parsed = Args::try_parse_from(words).unwrap_or_else(|error| panic!("{command}: {error}"));
            assert!(parsed.request().is_some(), "{command}");
        }
    }

    #[test]
    fn the_record_is_found_where_the_configuration_says() {
        let text =
            "[kernel]\nprotocol = 83\n\n[record]\nfile = \"/run/srp/east.trace\"\nmax-size = \"16MiB\"\n";
        assert_eq!(record_of(text), Some(PathBuf::from("/run/srp/east.trace")));
        assert_eq!(record_of("[kernel]\nprotocol = 83\n"), None);
    }
}
