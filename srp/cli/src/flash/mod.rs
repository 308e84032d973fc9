//! Commands on `/flash` and the boot stack: they work here alone, with srpd or without.
//!
//! Each returns what it says as text and as JSON (`Said`), with the reasons against where there are some. What is done to the disk
//! is in crate `image`; here are the words for it.

mod copy;
mod reload;
mod show;

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use image::boot::{BootFile, Entry, FileError, FlashPath, PathError, StackError, file};
use image::booted::Booted;
use image::bundle::Version;
use image::flash::{Flash, FlashError, NewEntry};
use image::signature::{Keys, KeysError};
use serde_json::{Value, json};

use crate::args::flash::{Boot, Filesystem, No, NoBoot};
use crate::args::{Args, Command, Show};
use crate::render::clean;
use crate::render::table::indented;
use crate::transfer::{PlaceError, TransferError};

/// Where files are, and who signs.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// Where the data partition is mounted.
    pub flash: &'a Path,
    /// Key ring of the loader.
    pub keys: &'a Path,
    /// The kernel's command line.
    pub command_line: &'a Path,
}

/// What a command says.
#[derive(Debug, Default)]
pub struct Said {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// Why it failed; nothing if it did not.
    pub reasons: Vec<String>,
}

impl Said {
    fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, reasons: Vec::new() }
    }
}

impl From<CommandError> for Said {
    fn from(error: CommandError) -> Self {
        let reasons: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        Self { text: String::new(), json: json!({ "reasons": reasons }), reasons }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Flash(#[from] FlashError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// How large a file elsewhere is, is known once it is here.
    #[error("{source}; there were {free} octets free for it")]
    Brought { source: Box<TransferError>, free: u64 },
    /// What stands on standard input did not become a file.
    #[error("standard input was not copied to {}: {source}; {free} octets are free there", .to.display())]
    Input { to: PathBuf, source: io::Error, free: u64 },
    /// Neither end is this machine.
    #[error("{from} and {to} are both elsewhere: copy the file here first")]
    Elsewhere { from: String, to: String },
    /// The source has no file name.
    #[error("{from} has no file name to copy to: name a file")]
    NoName { from: String },
    /// A folder cannot be listed.
    #[error("cannot list {}: {source}", .folder.display())]
    List { folder: PathBuf, source: io::Error },
    /// Nobody said yes.
    #[error("{what}: nothing was done; answer yes, or add -noconfirm")]
    Unconfirmed { what: String },
    /// The machine is not the appliance.
    #[error(
        "this machine was not booted from an image by the appliance's loader, so there is nothing to reload: \
         use its own `reboot`"
    )]
    NoAppliance,
    /// The program that reboots does not do it.
    #[error("cannot run reboot: {0}; use the machine's own way")]
    Reboot(String),
}

impl Args {
    /// The places of the command line, else the usual ones.
    fn places(&self) -> Places<'_> {
        Places { flash: &self.flash, keys: &self.keys, command_line: &self.command_line }
    }
}

/// Does what the command line says; `None` for a command that is not of these.
pub fn run(args: &Args) -> Option<Said> {
    let places = args.places();
    let said = match &args.command {
        Command::Boot {
            what: Boot::System { at, image, config, priority: _, image_word: _, config_word: _ },
        } => places.enter(*at, image, config),
        Command::Boot { what: Boot::Rebuild } => places.rebuild(),
        Command::No { what: No::Boot { what: NoBoot::System { priority, word: _ } } } => {
            places.delete(*priority)
        }
        Command::Directory { folder } => show::directory(folder.as_deref().unwrap_or(places.flash)),
        Command::Copy { from, to, octets, noconfirm: _ } if from == "-" => {
            copy::from_input(places.flash, to, *octets)
        }
        Command::Copy { from, to, octets: _, noconfirm } => copy::copy(places.flash, from, to, *noconfirm),
        Command::Filesystem { what: Filesystem::Synchronize { scope: _ } } => places.synchronise(),
        Command::Reload { noconfirm } => reload::reload(&places, *noconfirm),
        Command::Show { what: Show::Boot } => return Some(show::boot(&places)),
        Command::Show { what: Show::Version { file: None } } => return Some(show::version(&places)),
        Command::Show { what: Show::Version { file: Some(file) } } => show::version_of(&places, file),
        Command::Show { what: Show::Build } => return Some(show::build(&places)),
        Command::Show { .. }
        | Command::Clear { .. }
        | Command::Dump { .. }
        | Command::Srp { .. }
        | Command::Configure { .. }
        | Command::Save { .. }
        | Command::Import { .. }
        | Command::Keygen { .. }
        | Command::Upgrade(_)
        | Command::Completion { .. }
        | Command::Man { .. } => return None,
    };
    Some(said.unwrap_or_else(Said::from))
}

impl Places<'_> {
    /// As an operator writes it.
    fn shown(&self, path: &FlashPath) -> String {
        path.on(self.flash).display().to_string()
    }

    /// What the loader said; nothing where the machine was not booted by it.
    fn booted(&self) -> Booted {
        Booted::read(&std::fs::read_to_string(self.command_line).unwrap_or_default())
    }

    /// The image that runs; `None` where the machine was not booted by the loader.
    fn running(&self) -> Option<FlashPath> {
        FlashPath::new(self.booted().image?).ok()
    }

    fn entry(&self, entry: &Entry) -> Value {
        json!({
            "priority": entry.priority.number(),
            "image": self.shown(&entry.image),
            "config": self.shown(&entry.config),
        })
    }

    fn enter(&self, at: image::flash::At, image: &Path, config: &Path) -> Result<Said, CommandError> {
        let image = FlashPath::of_operator(image, self.flash)?;
        let config = FlashPath::of_operator(config, self.flash)?;
        let keys = Keys::read(self.keys)?;
        let held = Flash::hold(self.flash)?;
        let new = NewEntry { image: &image, config: &config, at };
        let entered = held.enter(new, &keys, Version::ours(), |_| {})?;
        let (shown, manifest) = (self.shown(&image), entered.manifest);
        Ok(Said::new(
            format!(
                "Boot priority {} is {shown}, release {} ({}), with {}. The next reload tries it.\n",
                entered.priority,
                manifest.version,
                clean(&manifest.build),
                self.shown(&config)
            ),
            json!({
                "priority": entered.priority.number(),
                "image": shown,
                "config": self.shown(&config),
                "version": manifest.version,
                "build": manifest.build,
            }),
        ))
    }

    fn delete(&self, priority: image::boot::Priority) -> Result<Said, CommandError> {
        let gone = file::change::<_, CommandError>(self.flash, |block| Ok(block.stack.remove(priority)?))?;
        let text =
            format!("Boot priority {priority} is no more; {} is still there.\n", self.shown(&gone.image));
        Ok(Said::new(text, json!({ "deleted": self.entry(&gone) })))
    }

    fn rebuild(&self) -> Result<Said, CommandError> {
        let mut held = BootFile::hold(self.flash)?;
        let (block, faults) = held.salvage()?;
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        if !faults.is_empty() {
            held.write(&block)?;
        }
        let kept = block.stack.entries().len();
        let outcome = match (faults.is_empty(), kept) {
            (true, _) => "The boot stack is whole; nothing was changed.\n".to_owned(),
            (false, 0) => "No entry could be kept: enter one with `boot system priority`.\n".to_owned(),
            (false, kept) => format!("Entries kept: {kept}; see `show boot`.\n"),
        };
        let left_out = faults.iter().map(|fault| format!("Left out: {fault}"));
        let text = indented("", left_out) + &outcome;
        Ok(Said::new(text, json!({ "faults": faults, "kept": kept })))
    }

    fn synchronise(&self) -> Result<Said, CommandError> {
        Flash::hold(self.flash)?.synchronise()?;
        let text = format!("{}: the disk has everything, also for the loader.\n", self.flash.display());
        Ok(Said::new(text, json!({ "synchronized": self.flash })))
    }
}

/// Asks a person; whoever is no terminal has to say so beforehand.
fn confirm(question: &str) -> Result<(), CommandError> {
    let no = || CommandError::Unconfirmed { what: question.to_owned() };
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(no());
    }
    eprint!("{} [y/N] ", clean(question));
    let _ = io::stderr().flush(); // a question that cannot be seen is answered with no
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|_| no())?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(no()) }
}
