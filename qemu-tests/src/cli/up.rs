//! `lab up`, and the process behind it; `lab status`; `lab down`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Args;
use lab::error::LabError;
use lab::folder;
use lab::keeper::holder::{self, Order};
use lab::keeper::state::State;
use lab::keeper::talk::{self, Reply, Request};
use lab::keeper::{end, end::Ended};
use lab::machines::Built;
use lab::namespace::Programs;
use lab::report;
use lab::topology_file;

use super::demo::program;

/// The folder of a lab that is left up.
#[derive(Args)]
pub struct Folder {
    /// Folder of the lab: its state, report and logs.
    #[arg(long, default_value = "out/lab", value_name = "DIR")]
    pub folder: PathBuf,
}

/// Arguments of `lab up`.
#[derive(Args)]
pub struct Up {
    /// What the lab is to be; qemu-tests/labs has examples.
    #[arg(value_name = "TOPOLOGY.toml")]
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    /// `srpd`; by default the one beside this program.
    #[arg(long)]
    srpd: Option<PathBuf>,
    /// `srpctl`; by default the one beside this program.
    #[arg(long)]
    srpctl: Option<PathBuf>,
}

/// Starts a holder, shows how it comes up, and leaves it.
pub fn up(arguments: &Up) -> Result<ExitCode, LabError> {
    let folder = &arguments.folder.folder;
    let file = arguments.file.canonicalize().map_err(LabError::file("reading", &arguments.file))?;
    let wanted = topology_file::read(&file)?;
    if let Some(state) = State::read(folder)?
        && folder::is_claimed(folder)?
    {
        if state.file != file {
            return Err(LabError::Refused {
                reason: format!("{} is up in {}", state.file.display(), folder.display()),
                remedy: "`lab down` first, or choose another folder with --folder".to_owned(),
            });
        }
        return status(&arguments.folder);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(LabError::NotRoot { what: "a lab of network namespaces".to_owned() });
    }
    // A lab whose holder was killed has left something behind.
    end::down(folder)?;
    let own = std::env::current_exe().map_err(LabError::file("finding", Path::new("lab")))?;
    let mut command = Command::new(own);
    command.arg("hold").arg(&file).arg("--folder").arg(folder);
    for (option, path) in [("--srpd", &arguments.srpd), ("--srpctl", &arguments.srpctl)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    // Its end of the pipe is all that it has of us: when we are interrupted, it notices and takes the lab down.
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(LabError::file("starting", Path::new("lab hold")))?;
    let Some(words) = child.stdout.take() else {
        return Err(LabError::Refused {
            reason: "the holder has no voice".to_owned(),
            remedy: "try again".to_owned(),
        });
    };
    println!("lab {} comes up in {}", wanted.topology.name, folder.display());
    if let Err(error) = talk::hear(words, folder, &mut |reply| show(reply, false)) {
        // It clears away what there was of the lab, then it ends.
        child.wait().map_err(LabError::file("waiting for", Path::new("lab hold")))?;
        return Err(error);
    }
    if let Some(state) = State::read(folder)? {
        look_around(&state);
    }
    println!("`lab run --list` names scenarios; `lab down` ends it.");
    Ok(ExitCode::SUCCESS)
}

/// The holder itself.
pub fn hold(arguments: &Up) -> Result<ExitCode, LabError> {
    let own = std::env::current_exe().map_err(LabError::file("finding", Path::new("lab")))?;
    let programs = Programs {
        srpd: program(arguments.srpd.as_deref(), &own, "srpd")?,
        srpctl: program(arguments.srpctl.as_deref(), &own, "srpctl")?,
        lab: own,
    };
    let (folder, file) = (arguments.folder.folder.clone(), arguments.file.clone());
    holder::run(&Order { folder, file, programs, built: Built::of(Path::new("")) }, std::io::stdout())?;
    Ok(ExitCode::SUCCESS)
}

/// Says how the lab stands.
pub fn status(arguments: &Folder) -> Result<ExitCode, LabError> {
    let folder = &arguments.folder;
    let state = State::read(folder)?.ok_or_else(|| talk::not_up(folder))?;
    println!(
        "lab {} ({}) is {} in {}, held by process {}",
        state.lab,
        state.file.display(),
        if state.up { "up" } else { "coming up" },
        folder.display(),
        state.pid
    );
    if state.up {
        talk::ask(folder, &Request::Status, |reply| show(reply, false))?;
        look_around(&state);
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends the lab.
pub fn down(arguments: &Folder) -> Result<ExitCode, LabError> {
    let folder = arguments.folder.display();
    match end::down(&arguments.folder)? {
        Ended::Nothing => println!("no lab is up in {folder}"),
        Ended::Orderly(lab) => println!("lab {lab} is down; its report and logs stay in {folder}"),
        Ended::Cleared(lab, removed) => {
            println!("lab {lab} had lost its holder; removed what was left: {} namespaces", removed.len());
            println!("its report and logs stay in {folder}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows one of a holder's words: text for people, or each step as a line of JSON.
pub fn show(reply: &Reply, json: bool) {
    match reply {
        Reply::Step(_, step) if json => println!("{}", serde_json::to_string(step).unwrap_or_default()),
        Reply::Said(text) if !json => println!("{text}"),
        Reply::Begun(report) if !json => print!("{}", report::text::header(report)),
        Reply::Step(number, step) => print!("{}", report::text::step(*number, step)),
        Reply::Said(_) | Reply::Begun(_) | Reply::Done(_) | Reply::Failed(_) => {}
    }
}

fn look_around(state: &State) {
    println!("\nTo look around, as root:");
    for command in &state.commands {
        println!("  {command}");
    }
}
