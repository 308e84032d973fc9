//! Programs of this host inside a machine, with the shared libraries that it lacks.
//!
//! The image of a machine has libraries of Debian 12; a host whose programs need later ones is told so by the programs themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::LabError;
use crate::node::{Job, Node};

const ANSWER: Duration = Duration::from_secs(30);

/// Puts each program, a file of this host, to where it is to be in the machine.
pub fn carry<'a>(
    node: &dyn Node,
    programs: impl IntoIterator<Item = (&'a Path, &'a str)>,
) -> Result<(), LabError> {
    for (program, to) in programs {
        put(node, program, to)?;
        for library in libraries(program)? {
            let path = library.display().to_string();
            // Its own ones fit each other.
            if node.run(&Job::new("test", ["-e", &path]), ANSWER)?.code != 0 {
                put(node, &library, &path)?;
            }
        }
    }
    Ok(())
}

fn put(node: &dyn Node, file: &Path, to: &str) -> Result<(), LabError> {
    let octets = fs::read(file).map_err(LabError::file("reading", file))?;
    Ok(node.put_file(Path::new(to), &octets, 0o755)?)
}

/// The files of the shared libraries that a program of this host is linked with; none of a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>, LabError> {
    let told = Command::new("ldd").arg(program).output();
    let told = told.map_err(LabError::file("starting", Path::new("ldd")))?;
    let told = String::from_utf8_lossy(&told.stdout);
    if told.contains("=> not found") {
        let (command, reason) = (format!("ldd {}", program.display()), told.trim().to_owned());
        return Err(LabError::Answer { command, reason });
    }
    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)"
    let file = |line: &str| Some(line.split_once(" => ")?.1.split_whitespace().next()?.into());
    Ok(told.lines().filter_map(file).collect())
}
