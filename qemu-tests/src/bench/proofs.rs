//! Figures that other programs of the workspace print: the model checker, the simulator, the stopwatch of the core.
//!
//! They are run by cargo as a person would, and what they print is shown and kept as it is. Without cargo or the source
//! (`lab` runs on a machine of its own) the report has the command instead of its answer.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::clock::Time;
use crate::error::LabError;

/// A command with figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What it shows.
    pub title: &'static str,
    /// Which program of `srp-core` it is.
    pub program: Program,
    /// Lines with one of these words are the figures.
    pub words: &'static [&'static str],
}

/// A program of `srp-core`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The tests of this binary whose names contain the second word.
    Test(&'static str, &'static str),
    /// An example.
    Example(&'static str),
}

/// All of them.
pub const ALL: [Proof; 3] = [
    Proof {
        title: "model checker: states, and seconds",
        program: Program::Test("model", ""),
        words: &[" states, "],
    },
    Proof {
        title: "simulator: seeds",
        program: Program::Test("sim", "invariants_hold_over_many_seeds"),
        words: &[" seeds"],
    },
    Proof {
        title: "core: time from event to last action",
        program: Program::Example("core_time"),
        words: &["p99", "per second", "prefixes"],
    },
];

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proved {
    /// What it shows.
    pub title: String,
    /// The command line.
    pub command: String,
    /// It was run and ended well.
    pub passed: bool,
    /// How long it ran, seconds, after it was built.
    pub seconds: f64,
    /// The lines with figures, or why there are none.
    pub lines: Vec<String>,
}

/// What every build has: the flags of a release, and the crate.
const RELEASE: [&str; 5] = ["--release", "--locked", "--quiet", "-p", "srp-core"];

impl Program {
    /// The arguments of cargo that build it.
    fn build(self) -> Vec<&'static str> {
        match self {
            Self::Test(binary, _) => [&["test"][..], &RELEASE, &["--test", binary, "--no-run"]].concat(),
            Self::Example(name) => [&["build"][..], &RELEASE, &["--example", name]].concat(),
        }
    }

    /// Those that run it.
    fn run(self) -> Vec<&'static str> {
        match self {
            Self::Test(binary, tests) => {
                let mut words = [&["test"][..], &RELEASE, &["--test", binary, "--", "--nocapture"]].concat();
                words.extend((!tests.is_empty()).then_some(tests));
                words
            }
            Self::Example(name) => [&["run"][..], &RELEASE, &["--example", name]].concat(),
        }
    }
}

impl Proof {
    /// The command line.
    pub fn command(&self) -> String {
        format!("cargo {}", self.program.run().join(" "))
    }

    /// Builds and runs it in the workspace `source`.
    pub fn run(&self, source: &Path) -> Result<Proved, LabError> {
        let not_run = |why: String| Proved {
            title: self.title.to_owned(),
            command: self.command(),
            passed: false,
            seconds: 0.0,
            lines: vec![why],
        };
        if !source.join("srp/core/Cargo.toml").exists() {
            return Ok(not_run(format!("not run: {} is not the workspace", source.display())));
        }
        let failed =
            |error: std::io::Error| LabError::Answer { command: self.command(), reason: error.to_string() };
        let cargo = |args: &[&str]| {
            let mut command = Command::new("cargo");
            command.args(args).current_dir(source);
            command.stdin(Stdio::null()).stderr(Stdio::inherit());
            command
        };
        // Built first, so that the time is its own.
        match cargo(&self.program.build()).stdout(Stdio::null()).status() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(not_run("not run: there is no cargo".to_owned()));
            }
            status => {
                if !status.map_err(failed)?.success() {
                    return Ok(not_run("not run: it does not build".to_owned()));
                }
            }
        }
        let began = Time::now();
        let output = cargo(&self.program.run()).output().map_err(failed)?;
        let seconds = Time::now().since(began).as_secs_f64();
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(Proved {
            title: self.title.to_owned(),
            command: self.command(),
            passed: output.status.success(),
            seconds,
            lines: self.figures(&text),
        })
    }

    fn figures(&self, text: &str) -> Vec<String> {
        let has = |line: &&str| self.words.iter().any(|word| line.contains(word));
        text.lines().filter(has).map(|line| line.trim().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_figures_are_kept() {
        let text = "running 1 test\n10000 seeds; 3 steps with two Active\ntest invariants ... ok\n";
        assert_eq!(ALL[1].figures(text), ["10000 seeds; 3 steps with two Active"]);
    }

    #[test]
    fn what_cannot_run_leaves_its_command() {
        let folder = tempfile::tempdir().expect("a folder");
        let proved = ALL[2].run(folder.path()).expect("is told");
        assert!(!proved.passed && proved.lines[0].contains("not the workspace"), "{proved:?}");
        assert_eq!(proved.command, "cargo run --release --locked --quiet -p srp-core --example core_time");
    }
}
