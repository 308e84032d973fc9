//! A file on a disk as the loader sees it: read by GRUB's own code, which replays no journal.

use std::path::Path;

use crate::error::ImageError;
use crate::tool::Tool;

const GRUB_FSTEST: Tool = Tool::new("grub-fstest", "grub-common");

/// Where on a disk the file system is, as GRUB names places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volume {
    /// In the partition of an appliance's disk that is `/flash`.
    Flash,
    /// The file is the file system.
    Whole,
}

/// The file `path`, which begins with a slash; `None` if GRUB finds none of this name.
///
/// # Errors
/// What GRUB says of a disk that it cannot read, or that it is not installed.
pub fn read_as_loader(disk: &Path, volume: Volume, path: &str) -> Result<Option<Vec<u8>>, ImageError> {
    let device = match volume {
        Volume::Flash => "(loop0,gpt3)",
        Volume::Whole => "(loop0)",
    };
    let mut command = GRUB_FSTEST.command();
    command.arg(disk).args(["cat", &format!("{device}{path}")]);
    match GRUB_FSTEST.output(&mut command) {
        Ok(octets) => Ok(Some(octets)),
        Err(ImageError::Tool { said, .. }) if said.contains(&format!("file `{path}' not found")) => Ok(None),
        Err(error) => Err(error),
    }
}
