//! `srpd` and `srpctl` on the chassis of a lab.
//!
//! Everything is asked of the programs as an operator would ask: `srpctl ... --json`, with the types of the control API.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use srp_core::api::{BgpContext, SrpInfo, SrpStatistics, Switchover};

use crate::error::LabError;
use crate::node::{Job, Kind, Node, ProcessId, Program, Signal};
use crate::wait::{self, Seen};

const ANSWER: Duration = Duration::from_secs(10);
/// A planned switchover has a bound of its own inside `srpd`.
const SWITCHOVER: Duration = Duration::from_mins(1);
const START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// The built-in configuration of a chassis of the demonstration pair. Machines get slower timers: their processor is
/// emulated where the host has no usable KVM, and stands still for longer than a fast dead interval.
pub fn configuration(chassis: &str, kind: Kind) -> Option<&'static str> {
    match (chassis, kind) {
        ("east", Kind::Namespace) => Some(include_str!("../labs/pair/east.toml")),
        ("west", Kind::Namespace) => Some(include_str!("../labs/pair/west.toml")),
        ("east", Kind::Machine | Kind::Appliance) => Some(include_str!("../labs/machines/east.toml")),
        ("west", Kind::Machine | Kind::Appliance) => Some(include_str!("../labs/machines/west.toml")),
        _ => None, // the pair has no third chassis
    }
}

/// Keys and certificates of a pair, made by `srpctl keygen`.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// Makes them in `folder`.
    pub fn make(srpctl: &Path, folder: &Path, names: &[&str]) -> Result<Self, LabError> {
        std::fs::create_dir_all(folder).map_err(LabError::file("making", folder))?;
        let mut command = Command::new(srpctl);
        command.arg("keygen").arg("--out").arg(folder).args(names).stdin(Stdio::null());
        let line = format!("{} keygen --out {} {}", srpctl.display(), folder.display(), names.join(" "));
        let output = command.output().map_err(|_| LabError::ToolMissing {
            tool: srpctl.display().to_string(),
            remedy: "cargo build -p srpctl -p srpd, or name it with --srpctl".to_owned(),
        })?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(LabError::Answer { command: line, reason });
        }
        Ok(Self { folder: folder.to_owned() })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, LabError> {
        let path = self.folder.join(name);
        std::fs::read(&path).map_err(LabError::file("reading", &path))
    }
}

/// `srpd` on one chassis.
pub struct Srpd<'a> {
    node: &'a dyn Node,
    run: Run,
}

/// Who runs `srpd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// The lab: this process, with its control socket in the node's folder.
    Process(ProcessId),
    /// The appliance's own init.
    Service,
}

/// Where an appliance's init keeps the id of its `srpd`.
const SERVICE_PID: &str = "/var/run/srpd.pid";

impl<'a> Srpd<'a> {
    /// Puts configuration and keys onto the node, has `srpd check` look at them, and starts `srpd`. Does not wait.
    pub fn start(node: &'a dyn Node, configuration: &str, keys: &Keys, peer: &str) -> Result<Self, LabError> {
        let name = node.name();
        let file = format!("{name}.toml");
        node.put_file(Path::new(&file), configuration.as_bytes(), 0o644)?;
        for (key, mode) in
            [(format!("{name}.key"), 0o600), (format!("{name}.crt"), 0o644), (format!("{peer}.crt"), 0o644)]
        {
            node.put_file(&Path::new("keys").join(&key), &keys.read(&key)?, mode)?;
        }
        node.run_ok(&Job::new("mkdir", ["-p".to_owned(), inside(node, "run")]), ANSWER)?;
        let path = inside(node, &file);
        node.run_ok(&Job::new(node.program(Program::Srpd), ["check".to_owned(), path.clone()]), ANSWER)?;
        let job = Job::new(node.program(Program::Srpd), ["run".to_owned(), path]).logged("srpd.log");
        let process = node.spawn(&job)?;
        Ok(Self { node, run: Run::Process(process) })
    }

    /// The one that an appliance has started itself, with what lies on its disk.
    pub fn of_appliance(node: &'a dyn Node) -> Self {
        Self { node, run: Run::Service }
    }

    /// The chassis.
    pub fn node(&self) -> &'a dyn Node {
        self.node
    }

    /// The process, where the lab has started it.
    pub fn process(&self) -> Option<ProcessId> {
        match self.run {
            Run::Process(process) => Some(process),
            Run::Service => None,
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> Result<bool, LabError> {
        match self.run {
            Run::Process(process) => Ok(self.node.is_running(process)?),
            Run::Service => {
                let look = shell(&format!("kill -0 \"$(cat {SERVICE_PID})\" 2>/dev/null"));
                Ok(self.node.run(&look, ANSWER)?.code == 0)
            }
        }
    }

    /// Ends it (SIGKILL); its kernel goes on.
    pub fn kill(&self) -> Result<(), LabError> {
        match self.run {
            Run::Process(process) => self.node.signal(process, Signal::Kill)?,
            Run::Service => {
                self.node.run_ok(&shell(&format!("kill -KILL \"$(cat {SERVICE_PID})\"")), ANSWER)?;
            }
        }
        Ok(())
    }

    /// Waits until `srpd` answers.
    pub fn answers(&self) -> Result<SrpInfo, LabError> {
        wait::until(&format!("srpd on {} to answer", self.node.name()), START, LOOK, || {
            self.alive()?;
            match self.info() {
                Ok(info) => Ok(Seen::Done(info)),
                Err(LabError::Interrupted) => Err(LabError::Interrupted),
                Err(error) => Ok(Seen::NotYet(error.to_string())),
            }
        })
    }

    /// `show srp info`.
    pub fn info(&self) -> Result<SrpInfo, LabError> {
        self.ask(&["show", "srp", "info"])
    }

    /// `show srp statistics`.
    pub fn statistics(&self) -> Result<SrpStatistics, LabError> {
        self.ask(&["show", "srp", "statistics"])
    }

    /// `show ip bgp summary`.
    pub fn bgp(&self) -> Result<Vec<BgpContext>, LabError> {
        self.ask(&["show", "ip", "bgp", "summary"])
    }

    /// `show switchover last`; `None` before the first one.
    pub fn last_switchover(&self) -> Result<Option<Switchover>, LabError> {
        let found: OneOrMany<Switchover> = self.ask(&["show", "switchover", "last"])?;
        Ok(found.into_first())
    }

    /// `srp initiate-switchover`: returns when it is done or refused.
    pub fn initiate_switchover(&self) -> Result<(), LabError> {
        let job = self.srpctl(&["srp", "initiate-switchover"], false);
        self.node.run_ok(&job, SWITCHOVER)?;
        Ok(())
    }

    /// Asks it to end (SIGTERM). Does not wait.
    pub fn terminate(&self) -> Result<(), LabError> {
        match self.run {
            Run::Process(process) => self.node.signal(process, Signal::Terminate)?,
            Run::Service => {
                self.node.run_ok(&shell(&format!("kill -TERM \"$(cat {SERVICE_PID})\"")), ANSWER)?;
            }
        }
        Ok(())
    }

    /// Asks it to end and waits until it has.
    pub fn stop(&self) -> Result<(), LabError> {
        self.terminate()?;
        wait::until_true(&format!("the end of srpd on {}", self.node.name()), START, LOOK, || {
            Ok(!self.is_running()?)
        })
    }

    /// An error, with the end of its log, when `srpd` has ended.
    pub fn alive(&self) -> Result<(), LabError> {
        if self.is_running()? {
            return Ok(());
        }
        let log = match self.run {
            Run::Process(_) => "srpd.log",
            Run::Service => "/var/log/srpd.log",
        };
        Err(LabError::ended(self.node, "srpd", log))
    }

    /// The `srpctl` command line as a person at the chassis would type it.
    pub fn srpctl(&self, words: &[&str], json: bool) -> Job {
        let mut args = match self.run {
            Run::Process(_) => {
                vec!["--socket".to_owned(), inside(self.node, &format!("run/{}.sock", self.node.name()))]
            }
            Run::Service => Vec::new(),
        };
        args.extend(words.iter().map(|&word| word.to_owned()));
        if json {
            args.push("--json".to_owned());
        }
        Job::new(self.node.program(Program::Srpctl), args)
    }

    fn ask<T: DeserializeOwned>(&self, words: &[&str]) -> Result<T, LabError> {
        let job = self.srpctl(words, true);
        let output = self.node.run_ok(&job, ANSWER)?;
        serde_json::from_slice(&output.stdout).map_err(|error| LabError::Answer {
            command: format!("{} on {}", job.line(), self.node.name()),
            reason: format!("{error} in: {}", output.text().trim()),
        })
    }
}

fn shell(script: &str) -> Job {
    Job::new("/bin/sh", ["-c", script])
}

/// A path in the node's folder, as the node sees it.
fn inside(node: &dyn Node, name: &str) -> String {
    node.folder().join(name).display().to_string()
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(Box<T>),
}

impl<T> OneOrMany<T> {
    fn into_first(self) -> Option<T> {
        match self {
            Self::Many(many) => many.into_iter().next(),
            Self::One(one) => Some(*one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_differ_from_namespaces_in_their_timers_alone() {
        for chassis in ["east", "west"] {
            let text = |kind| configuration(chassis, kind).expect("is there");
            let (slow, fast) = (text(Kind::Machine), text(Kind::Namespace));
            assert_eq!(slow.lines().count(), fast.lines().count());
            let different: Vec<&str> = slow
                .lines()
                .zip(fast.lines())
                .filter(|(slow, fast)| slow != fast)
                .map(|(slow, _)| slow)
                .collect();
            assert_eq!(different.len(), 2, "{different:?}");
            assert!(
                different[0].starts_with("hello-interval = ") && different[1].starts_with("dead-interval = ")
            );
        }
    }
}
