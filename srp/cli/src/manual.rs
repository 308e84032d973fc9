//! Shell completion and manual pages, both made from the command line's own description.

use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;

/// Why there are no manual pages.
#[derive(Debug, thiserror::Error)]
#[error("cannot write manual pages to {}: {source}; name a folder that you may write to", .folder.display())]
pub struct ManualError {
    folder: PathBuf,
    source: io::Error,
}

/// The script that a shell reads.
pub fn completion(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "srpctl", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// A page for each command, in `folder`, which is made if it does not exist. Returns what was written.
pub fn pages(folder: &Path) -> Result<String, ManualError> {
    let failed = |source| ManualError { folder: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(Args::command(), folder).map_err(failed)?;
    let count = std::fs::read_dir(folder).map_err(failed)?.count();
    Ok(format!("{count} pages in {}; read one with `man {0}/srpctl.1`.\n", folder.display()))
}
