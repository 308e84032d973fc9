//! The report as a JSON file.

use std::path::Path;

use super::Report;
use crate::error::LabError;

/// Writes `report` to `path`, readable by people too.
pub fn write(report: &Report, path: &Path) -> Result<(), LabError> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|error| LabError::Answer { command: "the report".to_owned(), reason: error.to_string() })?;
    text.push('\n');
    std::fs::write(path, text).map_err(LabError::file("writing", path))
}
