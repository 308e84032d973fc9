//! `reload`: an orderly restart into what the boot stack says.

use std::process::Command;

use image::boot::BootFile;
use image::flash::Flash;
use serde_json::json;

use super::{CommandError, Places, Said, confirm};

/// Synchronises `/flash`, then has init restart the machine: srpd hands over to a healthy Standby on the way down.
pub fn reload(places: &Places<'_>, noconfirm: bool) -> Result<Said, CommandError> {
    if places.running().is_none() {
        return Err(CommandError::NoAppliance);
    }
    // A damaged or missing stack stops nobody: the loader boots something all the same, and the operator is told.
    let next = match BootFile::read(places.flash) {
        Ok(block) => block.stack.next_boot().map_or_else(
            || "no boot entry has tries left, so the loader takes the first signed image it finds".to_owned(),
            |entry| format!("boot priority {} is next, {}", entry.priority, places.shown(&entry.image)),
        ),
        Err(error) => error.to_string(),
    };
    if !noconfirm {
        confirm(&format!("This chassis restarts; {next}"))?;
    }
    // The lock, too: a copy that is under way would be cut off.
    let held = Flash::hold(places.flash)?;
    held.synchronise()?;
    let output = Command::new("reboot").output().map_err(|error| CommandError::Reboot(error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(CommandError::Reboot(format!("{} ({said})", output.status)));
    }
    Ok(Said::new(format!("Restarting; {next}.\n"), json!({ "restarting": true, "next": next })))
}
