//! Bulk statistics: a row of counts at each interval, to a file of its own in `[bulk-statistics] folder`.
//!
//! When there is something to write is decided in [`Gatherer`], which knows no clock and no disk; what stands in a row, in
//! `row`. The disk is written by a thread of the runtime's pool: one that is full or does not answer is an event and a
//! count, and its rows wait (as many as files are kept) until it takes them.

mod gatherer;
mod row;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use srp_core::config::BulkConfig;
use srp_core::events::Observation;
use srp_core::types::{ChassisState, Time};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{debug, info};

use crate::answer::Answers;
use crate::clock;
use crate::whole_file;

pub use gatherer::{Due, Gatherer};
pub use row::{HEADER, Row};

/// The task; ends with its value.
#[derive(Default)]
pub struct Bulk {
    running: Option<(BulkConfig, AbortHandle)>,
}

impl Bulk {
    /// Gathers as the configuration says, or not at all. A changed configuration begins a new interval.
    pub fn change(&mut self, wanted: Option<&BulkConfig>, answers: &Arc<Answers>) {
        if self.running.as_ref().map(|(config, _)| config) == wanted {
            return;
        }
        if let Some((_, task)) = self.running.take() {
            task.abort();
        }
        if let Some(config) = wanted {
            info!(folder = %config.folder.display(), interval = %config.interval, "bulk statistics");
            let task = tokio::spawn(gather(config.clone(), Arc::clone(answers)));
            self.running = Some((config.clone(), task.abort_handle()));
        }
    }
}

impl Drop for Bulk {
    fn drop(&mut self) {
        if let Some((_, task)) = &self.running {
            task.abort();
        }
    }
}

async fn gather(config: BulkConfig, answers: Arc<Answers>) {
    let mut states: watch::Receiver<ChassisState> = answers.herald.states();
    let state = *states.borrow_and_update();
    let mut gatherer = Gatherer::new(clock::now(), state, &config);
    loop {
        let due = gatherer.due(clock::now(), *states.borrow_and_update());
        if due == Due::Row
            && let Ok(details) = answers.details().await
        {
            gatherer.add(Row::of(&details));
        }
        let rows = gatherer.pending();
        if !rows.is_empty() {
            let (config, to_write) = (config.clone(), rows.len());
            let written = tokio::task::spawn_blocking(move || write_all(&config, &rows)).await;
            let (written, failure) = written.unwrap_or_else(|error| (0, Some(error.to_string())));
            debug!(written, of = to_write, "bulk statistics");
            gatherer.written(written);
            answers.herald.bulk_written(written as u64, failure.is_some());
            answers.herald.tell(Observation::BulkStatistics { failure });
        }
        tokio::select! {
            () = until(gatherer.next_deadline(clock::now())) => {}
            changed = states.changed() => if changed.is_err() { return },
        }
    }
}

/// Until then; for ever if there is no such time.
async fn until(at: Option<Time>) {
    match at {
        Some(at) => tokio::time::sleep(Duration::from(at.since(clock::now()))).await,
        None => std::future::pending().await,
    }
}

/// Writes rows, oldest first, until one fails; tells how many are on the disk, and why not all.
fn write_all(config: &BulkConfig, rows: &[Row]) -> (usize, Option<String>) {
    for (written, row) in rows.iter().enumerate() {
        if let Err(error) = write(&config.folder, row) {
            return (written, Some(format!("{}: {error}", config.folder.display())));
        }
    }
    // A file too many is no failure: the next row tries again.
    let _ = remove_oldest(&config.folder, usize::from(config.keep));
    (rows.len(), None)
}

fn write(folder: &Path, row: &Row) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    whole_file::write(&folder.join(row.file_name()), row.text())
}

fn remove_oldest(folder: &Path, keep: usize) -> io::Result<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| row::is_file_name(path))
        .collect();
    files.sort(); // names begin with the time
    let too_many = files.len().saturating_sub(keep);
    files.iter().take(too_many).try_for_each(fs::remove_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path, keep: u16) -> BulkConfig {
        BulkConfig {
            folder: folder.to_owned(),
            interval: srp_core::types::Span::secs(1),
            keep,
            gather_on_standby: true,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_the_last_files_stay_and_what_is_not_ours_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("notes.txt"), "mine").expect("a file");
        let rows: Vec<Row> = (1..=4).map(|second| Row::at(second * 1_000_000)).collect();
        assert_eq!(write_all(&config(folder.path(), 2), &rows), (4, None));
        let expected = ["notes.txt", "srp-19700101T000003.000Z.csv", "srp-19700101T000004.000Z.csv"];
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn a_disk_that_refuses_is_told_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file");
        let (written, failure) = write_all(&config(&file, 2), &[Row::at(1)]);
        assert_eq!(written, 0);
        assert!(failure.is_some_and(|failure| failure.contains("file")));
        assert_eq!(names(folder.path()), ["file"]);
    }
}
