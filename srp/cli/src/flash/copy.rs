//! `copy FROM TO`: files to and from here; what goes to `/flash` goes there so that the loader sees it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use image::boot::FlashPath;
use image::bundle::signature_of;
use image::flash::Flash;
use serde_json::json;

use super::{CommandError, Said, confirm};
use crate::render::clean;
use crate::transfer::{self, Place};

/// Copies standard input to a file on `/flash`; fewer `octets` than were promised are refused.
pub fn from_input(flash: &Path, to: &str, octets: Option<u64>) -> Result<Said, CommandError> {
    let place = FlashPath::of_operator(Path::new(to), flash)?;
    let held = Flash::hold(flash)?;
    held.may_replace(&place)?;
    let temporary = held.incoming(&place)?;
    let (free, at) = (held.free()?, place.on(flash));
    let failed = |source| CommandError::Input { to: at.clone(), source, free };
    if let Some(need) = octets.filter(|need| *need > free) {
        return Err(failed(io::Error::other(format!("it has {need} octets"))));
    }
    let brought = File::create(&temporary).and_then(|mut file| io::copy(&mut io::stdin().lock(), &mut file));
    let brought = brought.map_err(failed).and_then(|found| match octets {
        Some(promised) if promised != found => {
            Err(failed(io::Error::other(format!("it ended after {found} octets of {promised}"))))
        }
        Some(_) | None => Ok(held.settle(&temporary, &place, None, |_| {}).map(|()| found)?),
    });
    if brought.is_err() {
        let _ = fs::remove_file(&temporary); // it may never have been made
    }
    Ok(copied(&at.display().to_string(), brought?, &[]))
}

/// Copies one file; with an image for `/flash` comes its signature.
pub fn copy(flash: &Path, from: &str, to: &str, noconfirm: bool) -> Result<Said, CommandError> {
    let (source, target): (Place, Place) = (from.parse()?, to.parse()?);
    let target = match target {
        Place::File(target) => target,
        elsewhere @ (Place::Sftp(_) | Place::Web { .. }) => {
            let Place::File(source) = source else {
                return Err(CommandError::Elsewhere { from: from.to_owned(), to: to.to_owned() });
            };
            transfer::put(&source, &elsewhere)?;
            return Ok(copied(
                &elsewhere.to_string(),
                fs::metadata(&source).map_or(0, |facts| facts.len()),
                &[],
            ));
        }
    };
    let target = if target.is_dir() || to.ends_with('/') { target.join(name(from)?) } else { target };
    if target.exists() && !noconfirm {
        confirm(&format!("{} exists and would be replaced", target.display()))?;
    }
    let notes = if target.starts_with(flash) {
        onto_flash(flash, &source, &target)?
    } else {
        transfer::get(&source, &target)?;
        Vec::new()
    };
    let octets = fs::metadata(&target).map_or(0, |facts| facts.len());
    Ok(copied(&target.display().to_string(), octets, &notes))
}

fn copied(to: &str, octets: u64, notes: &[String]) -> Said {
    let text = format!("Copied: {}, {octets} octets.\n", clean(to));
    let text = notes.iter().fold(text, |text, note| text + &clean(note) + "\n");
    Said::new(text, json!({ "copied": to, "octets": octets, "notes": notes }))
}

/// The last name of a path or a URL.
fn name(from: &str) -> Result<String, CommandError> {
    let plain = from.split(['?', '#']).next().filter(|_| from.contains("://")).unwrap_or(from);
    match plain.rsplit('/').next() {
        Some(name) if !matches!(name, "" | "." | "..") => Ok(name.to_owned()),
        Some(_) | None => Err(CommandError::NoName { from: from.to_owned() }),
    }
}

/// Brings the file, with an image its signature first: an image is never seen without one that could be had.
fn onto_flash(flash: &Path, from: &Place, to: &Path) -> Result<Vec<String>, CommandError> {
    let place = FlashPath::of_operator(to, flash)?;
    let held = Flash::hold(flash)?;
    let mut notes = Vec::new();
    if to.extension().is_some_and(|extension| extension == "bin") {
        held.may_replace(&place)?;
        let signature = FlashPath::of_operator(&signature_of(to), flash)?;
        match bring(&held, &signed(from), &signature) {
            Ok(()) => notes.push("Its signature came with it; `show version FILE` verifies both.".to_owned()),
            Err(why) => notes.push(format!("Not signed yet, and the loader boots nothing unsigned: {why}")),
        }
    }
    bring(&held, from, &place)?;
    Ok(notes)
}

/// Where the signature of a file is.
fn signed(place: &Place) -> Place {
    match place {
        Place::File(path) => Place::File(signature_of(path)),
        Place::Sftp(sftp) => {
            let mut sftp = sftp.clone();
            sftp.path.push_str(".sig");
            Place::Sftp(sftp)
        }
        Place::Web { scheme, url } => {
            let end = url.find(['?', '#']).unwrap_or(url.len());
            let (file, query) = url.split_at(end);
            Place::Web { scheme, url: format!("{file}.sig{query}") }
        }
    }
}

fn bring(held: &Flash, from: &Place, to: &FlashPath) -> Result<(), CommandError> {
    match from {
        Place::File(path) => {
            held.copy_in(path, to, |_| {})?;
        }
        Place::Sftp(_) | Place::Web { .. } => {
            let temporary = held.incoming(to)?;
            let free = held.free()?;
            let failed = |source| CommandError::Brought { source: Box::new(source), free };
            let brought = transfer::get(from, &temporary).map_err(failed);
            let brought = brought.and_then(|()| Ok(held.settle(&temporary, to, None, |_| {})?));
            if brought.is_err() {
                let _ = fs::remove_file(&temporary); // it may never have been made
            }
            brought?;
        }
    }
    Ok(())
}

/// A listing in its order: folders last, by name.
pub(super) fn names(folder: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let mut names: Vec<_> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| (entry.file_name(), entry.path())))
        .collect::<Result<_, _>>()?;
    names.sort_by_key(|(name, path)| (path.is_dir(), name.clone()));
    Ok(names)
}
