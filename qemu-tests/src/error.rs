//! What can go wrong with a lab as a whole, in words for the person who started it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::node::{Node, NodeError};

/// Lines of a log that an error shows.
const LOG_LINES: usize = 5;

/// An error of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// SIGINT or SIGTERM.
    #[error("interrupted")]
    Interrupted,
    /// A node failed.
    #[error(transparent)]
    Node(NodeError),
    /// A condition did not come true in time.
    #[error("waited {limit:?} in vain for {what}; last seen: {last}")]
    Waited {
        /// The condition.
        what: String,
        /// The time it was given.
        limit: Duration,
        /// What was seen when the time was up.
        last: String,
    },
    /// The lab needs a right that this user lacks.
    #[error("{what} needs root: run as root, or `sudo make demo`")]
    NotRoot {
        /// What was to be made.
        what: String,
    },
    /// A program is missing on this host.
    #[error("`{tool}` is not on this host: {remedy}")]
    ToolMissing {
        /// Name or path of the program.
        tool: String,
        /// How to get it.
        remedy: String,
    },
    /// A file or folder of the lab.
    #[error("{doing} {path}: {source}")]
    File {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The kernel refused a part of the network.
    #[error("network of the lab: cannot {doing}: {reason}")]
    Network {
        /// What was tried.
        doing: String,
        /// What the kernel or `ip` said.
        reason: String,
    },
    /// A program answered something that cannot be read.
    #[error("answer of `{command}` cannot be read: {reason}")]
    Answer {
        /// The command that was run.
        command: String,
        /// What is wrong with its answer.
        reason: String,
    },
    /// A program that must run has ended.
    #[error("{program} on {node} has ended; the end of its log:\n{log}")]
    Ended {
        /// The program.
        program: String,
        /// The node that it ran on.
        node: String,
        /// The last lines that it wrote.
        log: String,
    },
    /// A topology file is no TOML, or has keys that nobody knows.
    #[error("{file}: {reason}\ndocs/lab.md lists the keys of a topology file")]
    TopologySyntax {
        /// The file.
        file: PathBuf,
        /// Line, what is written there, and what is wrong with it.
        reason: String,
    },
    /// A value in a topology file cannot be used.
    #[error("{file}: {key} = {value}: {reason}: {remedy}")]
    TopologyFile {
        /// The file.
        file: PathBuf,
        /// The key, with its place in lists that are counted from 0.
        key: String,
        /// What is written there.
        value: String,
        /// What is wrong with it.
        reason: String,
        /// What to write instead.
        remedy: String,
    },
    /// A command on a lab that is left up cannot be carried out as things are.
    #[error("{reason}: {remedy}")]
    Refused {
        /// How things are.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// The topology contradicts itself or lacks a part that was asked for.
    #[error("topology {topology}: {reason}")]
    Topology {
        /// Name of the topology.
        topology: String,
        /// The contradiction.
        reason: String,
    },
}

impl From<NodeError> for LabError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Interrupted => Self::Interrupted,
            other => Self::Node(other),
        }
    }
}

impl LabError {
    /// A [`LabError::Ended`] with the end of the log file `log` in the node's folder.
    pub fn ended(node: &dyn Node, program: &str, log: &str) -> Self {
        // Without a log there is nothing to show but that it ended.
        let octets = node.get_file(Path::new(log)).unwrap_or_default();
        let text = String::from_utf8_lossy(&octets);
        let lines: Vec<&str> = text.lines().collect();
        let log = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        Self::Ended { program: program.to_owned(), node: node.name().to_owned(), log }
    }

    /// A [`LabError::File`] from an I/O error.
    pub fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
