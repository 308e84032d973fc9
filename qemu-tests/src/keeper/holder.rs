//! The process that holds a lab: it brings it up, says so to whoever started it, and runs scenarios until it is told to end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::state::State;
use super::talk::{self, Reply, Request};
use crate::error::LabError;
use crate::lab::{Lab, Machines, Plan};
use crate::machines::{self, Built};
use crate::namespace::Programs;
use crate::report::{self, Report};
use crate::scenario::stage::{Settings, Stage};
use crate::scenario::{self, catalogue, stage, steps};
use crate::topology_file::{self, Wanted};
use crate::{cleanup, derive, folder, interrupt, look};

/// How often an idle holder looks for a signal to end.
const LOOK_MS: u16 = 100;
/// Time for a command to say what it wants.
const QUESTION: Duration = Duration::from_secs(5);

/// What a holder is started with.
#[derive(Clone, Debug)]
pub struct Order {
    /// The lab's folder.
    pub folder: PathBuf,
    /// The topology file.
    pub file: PathBuf,
    /// The programs of this repository.
    pub programs: Programs,
    /// What cargo has built, for the image of machines.
    pub built: Built,
}

/// Holds a lab until SIGTERM or SIGINT. `starter` hears how it comes up, up to [`Reply::Done`] or [`Reply::Failed`]; when it goes
/// away before, so does the lab.
pub fn run(order: &Order, mut starter: impl Write) -> Result<(), LabError> {
    interrupt::install();
    cleanup::on_abort();
    // Out of the session of the terminal that it was started from, whose end is none of its business.
    if let Err(error) = nix::unistd::setsid() {
        eprintln!("lab: the holder stays in its terminal's session: {error}");
    }
    let result = hold(order, &mut starter);
    if let Err(error) = &result {
        // Nobody may be left to hear it.
        let _ = talk::say(&mut starter, &Reply::Failed(error.to_string()));
    }
    result
}

fn hold(order: &Order, starter: &mut impl Write) -> Result<(), LabError> {
    let wanted = topology_file::read(&order.file)?;
    let _claim = folder::claim(&order.folder)?;
    let folder = order.folder.canonicalize().map_err(LabError::file("resolving", &order.folder))?;
    log_to(&folder.join(talk::LOG))?;
    let mut state = State::own(&wanted.topology.name, &order.file)?;
    state.write(&folder)?;
    let ended = bring_up(order, &wanted, &folder, &mut state, starter);
    State::remove(&folder)?;
    ended
}

fn bring_up(
    order: &Order,
    wanted: &Wanted,
    folder: &Path,
    state: &mut State,
    starter: &mut impl Write,
) -> Result<(), LabError> {
    let mut tell =
        |reply: &Reply| talk::say(starter, reply).map_err(LabError::file("telling who started", folder));
    let said = |text: String| Reply::Said(text);
    let configurations = configurations(wanted)?;
    let topology = wanted.topology.clone();
    let machines::Made { factory: machines, appliances, said: what } =
        machines::made(wanted.kind, wanted.routers, &order.built, &topology, &configurations, folder)?;
    if let Some(what) = what {
        tell(&said(what))?;
    }
    let plan = Plan { topology, out: folder.to_owned(), programs: order.programs.clone() };
    let settings =
        Settings { srpctl: order.programs.srpctl.clone(), configurations, leave_running: true, appliances };
    let lab = Lab::build(plan, machines.as_ref().map(|factory| factory as &dyn Machines))?;
    tell(&said("nodes, links and routers are there; srpd starts on both chassis".to_owned()))?;
    let mut held = Held { stage: Stage::new(&lab, settings)?, report: scenario::begun(&lab)? };
    let step = steps::ALL[0].taken(&mut held.stage)?;
    held.report.timers = held.stage.timers;
    held.report.steps.push(step.clone());
    held.write(&lab)?;
    tell(&Reply::Begun(Box::new(held.report.clone())))?;
    let passed = step.passed;
    tell(&Reply::Step(1, Box::new(step)))?;
    let mut ways_in = Vec::new();
    if let Ok(appliances) = held.stage.appliances() {
        tell(&said("the chassis learn to know each other by SSH".to_owned()))?;
        appliances.reach.acquaint(&lab)?;
        for name in held.stage.names() {
            ways_in.push(appliances.reach.command(&lab, &name)?);
            ways_in.push(look::console(&lab, &name));
        }
    }
    if !passed {
        return Err(LabError::Refused {
            reason: "the pair did not come up as it should".to_owned(),
            remedy: format!("see the checks above, and the logs in {}", folder.join("nodes").display()),
        });
    }
    let listener = talk::listen(folder)?;
    state.up = true;
    state.commands = match lab.chassis.first() {
        Some(chassis) => look::commands(&lab, chassis.as_ref())?,
        None => Vec::new(),
    };
    state.commands.extend(ways_in);
    state.write(folder)?;
    tell(&Reply::Done(true))?;
    held.serve(&lab, &listener)
}

/// Configuration text by chassis: its own file, or what follows from the topology.
fn configurations(wanted: &Wanted) -> Result<BTreeMap<String, String>, LabError> {
    let text = |chassis: &str| {
        let own = wanted.configurations.iter().find(|(name, _)| name == chassis);
        match own {
            Some((_, path)) => std::fs::read_to_string(path).map_err(LabError::file("reading", path)),
            None => derive::configuration(&wanted.topology, chassis, &wanted.timers),
        }
    };
    wanted.topology.chassis().into_iter().map(|name| Ok((name.to_owned(), text(name)?))).collect()
}

/// From here on standard error is a file: what goes wrong later has no terminal any more.
fn log_to(file: &Path) -> Result<(), LabError> {
    let opened = File::create(file).map_err(LabError::file("making", file))?;
    nix::unistd::dup2_stderr(opened.as_fd()).map_err(|error| LabError::file("writing to", file)(error.into()))
}

/// A lab with everything that was measured in it.
struct Held<'a> {
    stage: Stage<'a>,
    report: Report,
}

impl Held<'_> {
    /// Answers commands, one after the other, until a signal comes.
    fn serve(&mut self, lab: &Lab, listener: &UnixListener) -> Result<(), LabError> {
        let broken = |error: io::Error| LabError::file("listening in", &lab.out)(error);
        while !interrupt::came() {
            let mut ready = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
            match poll(&mut ready, PollTimeout::from(LOOK_MS)) {
                Ok(0) | Err(Errno::EINTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(broken(error.into())),
            }
            let (stream, _) = listener.accept().map_err(broken)?;
            match self.answer(lab, stream) {
                Ok(()) => {}
                Err(LabError::Interrupted) => break,
                Err(error) => eprintln!("lab: {error}"),
            }
        }
        Ok(())
    }

    /// Answers one command. What it asked for is done to its end also when it has gone meanwhile.
    fn answer(&mut self, lab: &Lab, mut stream: UnixStream) -> Result<(), LabError> {
        let broken = |error: io::Error| LabError::file("talking to a command in", &lab.out)(error);
        stream.set_read_timeout(Some(QUESTION)).map_err(broken)?;
        stream.set_write_timeout(Some(QUESTION)).map_err(broken)?;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).map_err(broken)?;
        let mut tell = |reply: &Reply| {
            let _ = talk::say(&mut stream, reply);
        };
        let result = match serde_json::from_str(&line) {
            Ok(Request::Status) => {
                self.status(&mut tell);
                Ok(true)
            }
            Ok(Request::Run { scenario, image }) => {
                self.stage.image = image;
                self.scenario(lab, &scenario, &mut tell)
            }
            Err(error) => {
                Err(LabError::Answer { command: "a command".to_owned(), reason: error.to_string() })
            }
        };
        match result {
            Ok(passed) => tell(&Reply::Done(passed)),
            Err(error) => {
                tell(&Reply::Failed(error.to_string()));
                return Err(error);
            }
        }
        Ok(())
    }

    fn status(&self, tell: &mut dyn FnMut(&Reply)) {
        for chassis in &self.stage.lab.chassis {
            let name = chassis.name();
            let how = if chassis.is_on() {
                // An srpd that has ended is what a person asks for the status to find out.
                self.stage.view(name).map_or_else(
                    |error| error.to_string(),
                    |view| stage::tell(&BTreeMap::from([(name.to_owned(), view)])),
                )
            } else {
                format!("{name} has no power")
            };
            tell(&Reply::Said(how));
        }
    }

    fn scenario(&mut self, lab: &Lab, name: &str, tell: &mut dyn FnMut(&Reply)) -> Result<bool, LabError> {
        let scenario = catalogue::find(name)?;
        scenario.check(&self.stage)?;
        for act in scenario.acts {
            tell(&Reply::Said(format!("{} ...", act.id)));
            let step = act.taken(&mut self.stage)?;
            let passed = step.passed;
            self.report.steps.push(step.clone());
            self.write(lab)?;
            tell(&Reply::Step(self.report.steps.len(), Box::new(step)));
            if !passed {
                // What follows would start from an unknown state.
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the report in all its forms, after each step: it is there however the holder ends.
    fn write(&mut self, lab: &Lab) -> Result<(), LabError> {
        self.report.passed = self.report.steps.iter().all(|step| step.passed);
        report::json::write(&self.report, &lab.out.join("report.json"))?;
        report::svg::write(&self.report, &lab.out)
    }
}
