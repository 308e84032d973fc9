//! A node of a lab: something with processes, files and links that can be powered off.
//!
//! What holds for every kind of node:
//! - The scenario knows nodes only by this trait, so that namespaces and virtual machines run the same scenario.
//! - All processes were started by the node on request and end with it: [`Node::power_off`] and `Drop` leave none behind.
//! - After [`Node::power_on`] a node is bare: its links are up with the addresses of the topology, no process of ours runs,
//!   and files put before may be gone. The caller puts its files and starts its processes again.
//! - Links are named as in the topology (`topology::End::name`), on every kind of node.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use crate::clock::Time;
use crate::namespace::Namespace;
use crate::vm::Machine;

/// What a node is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A network namespace of this host.
    Namespace,
    /// A virtual machine under QEMU, of the development image.
    Machine,
    /// A virtual machine under QEMU that starts from its disk: configuration, keys and `srpd` are its own.
    Appliance,
}

/// Programs of this repository that a node can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The redundancy daemon.
    Srpd,
    /// The operator's commands.
    Srpctl,
    /// This program (`lab probe respond` runs on the chassis).
    Lab,
}

/// The process id inside the node (in a namespace that of the host, in a machine that of its own kernel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// What to start: a program with its arguments and surroundings.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The program as the node sees it: a path, or a name to be found in the node's `PATH`.
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub args: Vec<String>,
    /// Environment variables added to the node's own.
    pub env: Vec<(String, String)>,
    /// File name (no folder) that takes standard output and standard error of a spawned job, appended, in the node's
    /// folder; `None` throws both away. Not used by [`Node::run`], which returns both.
    pub log: Option<String>,
}

impl Job {
    /// A job without environment and log.
    pub fn new<A: Into<String>>(program: impl Into<PathBuf>, args: impl IntoIterator<Item = A>) -> Self {
        Self { program: program.into(), args: args.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// The same job writing to `log` in the node's folder.
    #[must_use]
    pub fn logged(mut self, log: impl Into<String>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Program and arguments in one line, for messages.
    pub fn line(&self) -> String {
        let mut line = self.program.display().to_string();
        for arg in &self.args {
            line.push(' ');
            line.push_str(arg);
        }
        line
    }
}

/// What a finished job left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128 + signal number for a job that a signal ended.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text, octets that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The exit code of `status` by the shell's convention.
    pub fn code_of(status: ExitStatus) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
    }
}

/// Signals that the lab sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: stop in good order.
    Terminate,
    /// SIGKILL: gone at once.
    Kill,
    /// SIGHUP: read the configuration again.
    Hangup,
    /// SIGSTOP: stand still.
    Stop,
    /// SIGCONT: go on.
    Continue,
}

/// Why a node did not do what it was asked. Each names the node, what was tried, and the cause.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The node is powered off.
    #[error("node {node} is powered off: it cannot {doing}")]
    Off {
        /// Name of the node.
        node: String,
        /// What was asked of it.
        doing: String,
    },
    /// A program could not be started.
    #[error("node {node}: cannot start `{line}`: {source}")]
    Start {
        /// Name of the node.
        node: String,
        /// Program and arguments.
        line: String,
        /// The cause.
        source: io::Error,
    },
    /// A job ended with an exit code other than zero.
    #[error("node {node}: `{line}` ended with exit code {code}: {stderr}")]
    Failed {
        /// Name of the node.
        node: String,
        /// Program and arguments.
        line: String,
        /// Exit code.
        code: i32,
        /// What it said on standard error, trimmed.
        stderr: String,
    },
    /// A job did not end in time and was killed.
    #[error("node {node}: `{line}` did not end within {limit:?} and was killed")]
    TooLong {
        /// Name of the node.
        node: String,
        /// Program and arguments.
        line: String,
        /// The time it was given.
        limit: Duration,
    },
    /// A file could not be read or written.
    #[error("node {node}: file {path}: {source}")]
    File {
        /// Name of the node.
        node: String,
        /// The path inside the node.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A link could not be changed.
    #[error("node {node}: link {link}: cannot {doing}: {reason}")]
    Link {
        /// Name of the node.
        node: String,
        /// The link's name inside the node.
        link: String,
        /// What was tried.
        doing: String,
        /// The cause.
        reason: String,
    },
    /// The node itself could not be made, reached or ended (machines: QEMU, its control channel, its boot).
    #[error("node {node}: cannot {doing}: {reason}")]
    Machine {
        /// Name of the node.
        node: String,
        /// What was tried.
        doing: String,
        /// The cause and, where there is one, the remedy.
        reason: String,
    },
    /// The lab was interrupted (SIGINT, SIGTERM) while the node was waited for.
    #[error("interrupted")]
    Interrupted,
}

/// A namespace or a machine. All methods block; none returns before what it did has taken hold.
pub trait Node: Send + Sync {
    /// The node's name in the topology.
    fn name(&self) -> &str;

    /// What the node is made of.
    fn kind(&self) -> Kind;

    /// A folder for the node's files and logs, as the node sees it. It exists and can be written while the node is on.
    fn folder(&self) -> &Path;

    /// Where the node finds one of our programs.
    fn program(&self, program: Program) -> PathBuf;

    /// Starts a job and returns at once; it runs until it ends, is signalled, or the node goes.
    fn spawn(&self, job: &Job) -> Result<ProcessId, NodeError>;

    /// Whether a spawned process still runs (a zombie does not).
    fn is_running(&self, process: ProcessId) -> Result<bool, NodeError>;

    /// Sends a signal to a spawned process. A process that is gone already is no error.
    fn signal(&self, process: ProcessId, signal: Signal) -> Result<(), NodeError>;

    /// Runs a job to its end and returns what it printed, whatever its exit code; kills it after `limit`.
    fn run(&self, job: &Job, limit: Duration) -> Result<Output, NodeError>;

    /// Writes a whole file with permission bits `mode`, making its folders.
    fn put_file(&self, path: &Path, contents: &[u8], mode: u32) -> Result<(), NodeError>;

    /// Reads a whole file.
    fn get_file(&self, path: &Path) -> Result<Vec<u8>, NodeError>;

    /// Sets one link up or down at this node's end; the other end sees its carrier go with it.
    fn set_link(&self, link: &str, up: bool) -> Result<(), NodeError>;

    /// Takes the power away: processes stand still, all links lose their carrier at once, processes are gone. Returns the
    /// instant at which the node was dead to the world. Powering off twice is no error.
    fn power_off(&self) -> Result<Time, NodeError>;

    /// Gives the power back; returns when commands can be run and all links are up with their addresses.
    fn power_on(&self) -> Result<(), NodeError>;

    /// Whether the node has power.
    fn is_on(&self) -> bool;

    /// By how many nanoseconds the node's `CLOCK_MONOTONIC` is ahead of the host's (negative: behind).
    fn clock_ahead(&self) -> Result<i64, NodeError>;

    /// The namespace that it is, where it is one.
    fn namespace(&self) -> Option<&Namespace> {
        None
    }

    /// The machine that it is, where it is one.
    fn machine(&self) -> Option<&Machine> {
        None
    }

    /// As [`Node::run`], but an exit code other than zero is an error that carries what the job said.
    fn run_ok(&self, job: &Job, limit: Duration) -> Result<Output, NodeError> {
        let output = self.run(job, limit)?;
        if output.code == 0 {
            return Ok(output);
        }
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        Err(NodeError::Failed {
            node: self.name().to_owned(),
            line: job.line(),
            code: output.code,
            stderr: String::from_utf8_lossy(said).trim().to_owned(),
        })
    }
}
