//! The report as a JSON file.

use std::path::Path;

use super::{FORMAT, Report};
use crate::error::LabError;

/// Writes `report` to `path`, readable by people too.
pub fn write(report: &Report, path: &Path) -> Result<(), LabError> {
    let mut text = serde_json::to_string_pretty(report)
        .map_err(|error| LabError::Answer { command: "the report".to_owned(), reason: error.to_string() })?;
    text.push('\n');
    std::fs::write(path, text).map_err(LabError::file("writing", path))
}

/// Reads a report that [`write`] has written.
pub fn read(path: &Path) -> Result<Report, LabError> {
    let text = std::fs::read(path).map_err(LabError::file("reading", path))?;
    let wrong = |reason: String| LabError::Answer { command: path.display().to_string(), reason };
    let report: Report = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if report.format == FORMAT {
        return Ok(report);
    }
    Err(wrong(format!(
        "its format is {}, this program reads {FORMAT}: take the one that wrote it",
        report.format
    )))
}
