//! `show boot`, `show version`, `show build` and `directory`.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use image::boot::{BootFile, Entry, Fate, FlashPath, fates};
use image::bundle::{self, BundleError, Manifest, Report, Version, examine};
use image::signature::Keys;
use nix::sys::statvfs::statvfs;
use serde_json::{Value, json};

use super::copy::names;
use super::{CommandError, Places, Said};
use crate::render::table::{Edge, fields, table};
use crate::render::time::ctime;

/// What was booted, what was passed over and why, and what is next.
pub fn boot(places: &Places<'_>) -> Said {
    let booted = places.booted();
    let on_flash = |path: &Option<String>| path.as_ref().map(|path| on_flash(places, path));
    let (image, config) = (on_flash(&booted.image), on_flash(&booted.config));
    let at_boot = match &image {
        None => "not from an image by the appliance's loader".to_owned(),
        Some(image) if booted.uncounted => format!("{image}, as last resort: no boot entry could be booted"),
        Some(image) => {
            let config = config.as_deref().unwrap_or("the configuration of the machine");
            format!("{image} with {config}")
        }
    };
    let booted_json = image.as_ref().map(|image| {
        json!({ "image": image, "config": config, "slot": booted.slot, "last-resort": booted.uncounted })
    });
    let block = match BootFile::read(places.flash) {
        Ok(block) => block,
        Err(error) => {
            let reasons = vec![error.to_string()];
            let json = json!({ "booted": booted_json, "next": null, "entries": [], "reasons": reasons });
            return Said { text: fields(&[("Booted", at_boot)]), json, reasons };
        }
    };
    let next = block.stack.next_boot();
    let next_text = next.map_or_else(
        || "the first signed image that the loader finds: no entry has tries left".to_owned(),
        |entry| format!("priority {}, {}", entry.priority, places.shown(&entry.image)),
    );
    let fates = fates(&block.stack, &booted);
    let rows = block.stack.entries().iter().zip(&fates).map(|(entry, fate)| row(places, entry, fate));
    let rows: Vec<_> = rows.collect();
    let header = [
        ("Priority", Edge::Right),
        ("Image", Edge::Left),
        ("Configuration", Edge::Left),
        ("State", Edge::Left),
        ("Tries", Edge::Right),
        ("Last Boot", Edge::Left),
    ];
    let entries: Vec<_> = block
        .stack
        .entries()
        .iter()
        .zip(&fates)
        .map(|(entry, fate)| entry_json(places, entry, fate))
        .collect();
    let next_json = next.map(|entry| places.entry(entry));
    let text = fields(&[("Booted", at_boot), ("Next", next_text)]);
    let text = if rows.is_empty() {
        text + "\nThe boot stack is empty: enter an image with `boot system priority`.\n"
    } else {
        text + "\n" + &table(&header, &rows)
    };
    Said::new(text, json!({ "booted": booted_json, "next": next_json, "entries": entries }))
}

/// A path of the loader as an operator writes it.
fn on_flash(places: &Places<'_>, path: &str) -> String {
    places.flash.join(path.trim_start_matches('/')).display().to_string()
}

fn state(entry: &Entry) -> &'static str {
    match (entry.good, entry.will_be_tried()) {
        (true, _) => "good",
        (false, true) => "new",
        (false, false) => "bad",
    }
}

fn row(places: &Places<'_>, entry: &Entry, fate: &Fate) -> Vec<String> {
    let tries = if entry.good { "-".to_owned() } else { entry.tries.number().to_string() };
    let fate = match fate {
        Fate::Booted => "booted".to_owned(),
        Fate::PassedOver(why) => format!("passed over: {why}"),
        Fate::Waiting => String::new(),
    };
    let (image, config) = (places.shown(&entry.image), places.shown(&entry.config));
    vec![entry.priority.to_string(), image, config, state(entry).to_owned(), tries, fate]
}

fn entry_json(places: &Places<'_>, entry: &Entry, fate: &Fate) -> Value {
    let mut json = places.entry(entry);
    json["state"] = state(entry).into();
    json["tries"] = entry.tries.number().into();
    json["booted"] = (*fate == Fate::Booted).into();
    json["why"] = match fate {
        Fate::PassedOver(why) => why.word().into(),
        Fate::Booted | Fate::Waiting => Value::Null,
    };
    json
}

/// The image that runs, where one does and can be read.
fn running(places: &Places<'_>) -> (Option<FlashPath>, Result<Manifest, String>) {
    match places.running() {
        None => (None, Err("none: this machine was not booted from an image".to_owned())),
        Some(image) => {
            let read = bundle::read(&image.on(places.flash));
            (Some(image), read.map(|bundle| bundle.manifest).map_err(|error| error.to_string()))
        }
    }
}

fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

/// Release and build of what runs.
pub fn version(places: &Places<'_>) -> Said {
    let (image, manifest) = running(places);
    let mut lines = vec![("Version", Version::ours().to_string())];
    match &manifest {
        Ok(manifest) => {
            lines = vec![("Version", manifest.version.to_string()), ("Build", manifest.build.clone())];
            lines.extend(image.as_ref().map(|image| ("Image", places.shown(image))));
        }
        Err(why) => lines.push(("Image", why.clone())),
    }
    lines.push(("Kernel", kernel()));
    Said::new(fields(&lines), running_json(places, image.as_ref(), &manifest))
}

fn running_json(
    places: &Places<'_>,
    image: Option<&FlashPath>,
    manifest: &Result<Manifest, String>,
) -> Value {
    json!({
        "program": Version::ours(),
        "image": image.map(|image| places.shown(image)),
        "manifest": manifest.as_ref().ok(),
        "kernel": kernel(),
    })
}

/// Everything that is known of what runs: which build, out of which members.
pub fn build(places: &Places<'_>) -> Said {
    let (image, manifest) = running(places);
    let mut lines = vec![("srpctl", Version::ours().to_string()), ("Kernel", kernel())];
    let mut members = String::new();
    match &manifest {
        Ok(manifest) => {
            lines.extend(of_manifest(manifest));
            lines.extend(image.as_ref().map(|image| ("Image", places.shown(image))));
            members = String::from("\n") + &members_table(manifest);
        }
        Err(why) => lines.push(("Image", why.clone())),
    }
    Said::new(fields(&lines) + &members, running_json(places, image.as_ref(), &manifest))
}

fn of_manifest(manifest: &Manifest) -> [(&'static str, String); 5] {
    [
        ("Product", manifest.product.clone()),
        ("Architecture", manifest.architecture.clone()),
        ("Version", manifest.version.to_string()),
        ("Build", manifest.build.clone()),
        ("Follows", format!("{} and later", manifest.minimum_version)),
    ]
}

fn members_table(manifest: &Manifest) -> String {
    let row = |(name, member): (&String, &bundle::Member)| {
        vec![name.clone(), member.size.to_string(), member.sha256.clone()]
    };
    let rows: Vec<_> = manifest.members.iter().map(row).collect();
    table(&[("Member", Edge::Left), ("Octets", Edge::Right), ("SHA-256", Edge::Left)], &rows)
}

/// Everything that is right and wrong with an image: what the loader will say of it, before it has to.
pub fn version_of(places: &Places<'_>, file: &Path) -> Result<Said, CommandError> {
    let keys = Keys::read(places.keys)?;
    let file = if file.exists() || file.is_absolute() { file.to_owned() } else { places.flash.join(file) };
    Ok(judged(&examine(&file, &keys, Version::ours())))
}

fn judged(report: &Report) -> Said {
    let mut lines = vec![("File", report.file.display().to_string())];
    if let Some(bundle) = &report.bundle {
        lines.extend(of_manifest(&bundle.manifest));
        let wrong = report.faults.iter().filter(|fault| matches!(fault, BundleError::Member { .. })).count();
        let checked = bundle.manifest.members.len();
        let checksums =
            if wrong == 0 { format!("good, {checked} members") } else { format!("{wrong} wrong") };
        lines.push(("Checksums", checksums));
    }
    let signature = report.signer.map_or_else(|| "not good".to_owned(), |key| format!("good, by key {key}"));
    lines.push(("Signature", signature));
    let verdict = match (report.is_sound(), report.loader_boots()) {
        (true, _) => "sound: the loader will boot it",
        (false, true) => "refused here, though the loader would boot it",
        (false, false) => "refused: the loader will not boot it",
    };
    lines.push(("Verdict", verdict.to_owned()));
    let reasons: Vec<_> = report.faults.iter().map(ToString::to_string).collect();
    let faults = report.faults.iter().zip(&reasons);
    let faults: Vec<_> = faults.map(|(fault, text)| json!({ "name": fault.name(), "text": text })).collect();
    let json = json!({
        "file": report.file,
        "manifest": report.bundle.as_ref().map(|bundle| &bundle.manifest),
        "signer": report.signer.map(|key| key.to_string()),
        "sound": report.is_sound(),
        "loader-boots": report.loader_boots(),
        "faults": faults,
    });
    Said { text: fields(&lines), json, reasons }
}

/// Files of a folder, and the room beside them.
pub fn directory(folder: &Path) -> Result<Said, CommandError> {
    let failed = |source| CommandError::List { folder: folder.to_owned(), source };
    let mut rows = Vec::new();
    let mut files = Vec::new();
    for (name, path) in names(folder).map_err(failed)? {
        // A link is shown as what it is, and a file that went away meanwhile is not shown.
        let Ok(facts) = fs::symlink_metadata(&path) else { continue };
        let since = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = since.map_or(0, |since| since.as_secs());
        let name = name.to_string_lossy().into_owned();
        let (size, shown) = if facts.is_dir() {
            (String::new(), format!("{name}/"))
        } else {
            (facts.len().to_string(), name.clone())
        };
        rows.push(vec![size, ctime(changed.saturating_mul(1_000_000)), shown]);
        files.push(
            json!({ "name": name, "folder": facts.is_dir(), "octets": facts.len(), "changed": changed }),
        );
    }
    let room = statvfs(folder).map_err(|errno| failed(errno.into()))?;
    let free = room.blocks_available() * room.fragment_size();
    let all = room.blocks() * room.fragment_size();
    let text = table(&[("Octets", Edge::Right), ("Changed (UTC)", Edge::Left), ("Name", Edge::Left)], &rows);
    let text = format!("{text}\n{free} octets free of {all}\n");
    Ok(Said::new(text, json!({ "folder": folder, "files": files, "free": free, "size": all })))
}
