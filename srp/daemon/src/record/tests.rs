//! The bound holds, and what is lost is told where it is lost.

use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::sync::mpsc::Receiver;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use srp_core::config::Octets;
use srp_core::trace::{Summary, replay};
use srp_core::types::{BootId, ChassisMode, Identity, Mac, Priority, Span};

use super::file::older;
use super::writer::Writer;
use super::*;

fn settings() -> Settings {
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let identity = Identity { mode: ChassisMode::Primary, priority: Priority(10), mac, boot: BootId(1) };
    Settings {
        release: "0.1.0".into(),
        hello_interval: Span::millis(50),
        dead_interval: Span::millis(150),
        drain_interval: Span::ZERO,
        switchover_timeout: Span::millis(500),
        config_digest: [7; 32],
        ..Settings::new(identity)
    }
}

/// A chassis that is recorded, and the writer in the test's own hands.
struct Recorded {
    chassis: Chassis,
    recorder: Recorder,
    entries: Receiver<Entry>,
    writer: Writer,
    now: Time,
}

impl Recorded {
    fn new(file: &Path, max_size: Octets, queue: usize) -> Self {
        let (sender, entries) = mpsc::sync_channel(queue);
        let shared = Arc::new(Shared::default());
        let config = RecordConfig { file: file.to_owned(), max_size };
        let mut writer = Writer::new(&config, Arc::clone(&shared));
        writer.open();
        let mut recorder = Recorder::new(sender, shared);
        let now = Time(0);
        recorder.start(now, &settings());
        Self { chassis: Chassis::new(now, settings()), recorder, entries, writer, now }
    }

    fn live(&mut self, steps: u32) {
        for step in 0..steps {
            let event = match step % 3 {
                0 => Event::LinkUp,
                1 => Event::DeadlineReached,
                _ => Event::LinkDown,
            };
            self.now = self.now + Span::millis(50);
            self.recorder.before(&self.chassis);
            self.chassis.handle(self.now, event.clone());
            let actions = std::iter::from_fn(|| self.chassis.poll_action()).collect();
            self.recorder.step(self.now, event, actions, self.chassis.next_deadline());
        }
    }

    fn write(&mut self) {
        while let Ok(entry) = self.entries.try_recv() {
            self.writer.take(entry);
        }
        self.writer.flush();
    }

    fn end(mut self) -> (u64, u64) {
        self.write();
        let Self { recorder, writer, .. } = self;
        let counters = recorder.counters();
        writer.finish();
        counters
    }
}

fn replayed(file: &Path) -> Summary {
    let trace = BufReader::new(fs::File::open(file).expect("a record"));
    replay(trace, |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_queue_that_runs_over_leaves_a_gap_of_the_right_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace");
    let mut recorded = Recorded::new(&file, Octets::mib(1), 10);
    recorded.live(20); // the start and nine steps fit
    recorded.write();
    recorded.live(5);
    recorded.write();
    recorded.live(12); // and there is no room to say so
    assert_eq!(recorded.end(), (9 + 5 + 10, 11 + 2));
    let summary = replayed(&file);
    assert_eq!((summary.steps, summary.gaps), (24, (2, 13)));
}

#[test]
fn the_older_half_goes_and_what_stays_replays_without_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace");
    let mut recorded = Recorded::new(&file, Octets::kib(64), 4096);
    for _ in 0..200 {
        recorded.live(3);
        recorded.write();
        for half in [&file, &older(&file)] {
            assert!(fs::metadata(half).map_or(0, |half| half.len()) <= 32 * 1024, "{}", half.display());
        }
    }
    assert_eq!(recorded.end(), (600, 0));
    let (old, new) = (replayed(&older(&file)), replayed(&file));
    assert_eq!((old.gaps, new.gaps), ((0, 0), (0, 0)));
    assert!(old.steps > 10 && old.steps + new.steps < 600, "{old:?} {new:?}");
}

#[test]
fn a_writer_that_is_behind_does_not_break_the_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace");
    let mut recorded = Recorded::new(&file, Octets::kib(64), 4096);
    recorded.live(600);
    recorded.write();
    recorded.live(10);
    let (written, lost) = recorded.end();
    assert_eq!(written + lost, 610);
    let (old, new) = (replayed(&older(&file)), replayed(&file));
    assert_eq!((old.steps + new.steps, new.gaps), (written, (1, lost)));
}

#[test]
fn a_full_disk_is_a_gap_and_recording_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    // A file system of its own, in a mount namespace that ends with the thread.
    let full_disk = move || {
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace (needs root)");
        let none = None::<&Path>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).expect("a tmpfs");
        let (file, filler) = (path.join("trace"), path.join("filler"));
        let mut recorded = Recorded::new(&file, Octets::mib(1), 4096);
        recorded.live(3);
        recorded.write();
        fs::write(&filler, vec![0; 64 * 1024]).expect_err("the rest of the disk");
        recorded.live(30);
        recorded.write();
        assert!(recorded.recorder.counters().1 > 0, "{:?}", recorded.recorder.counters());

        fs::remove_file(&filler).expect("the filler");
        recorded.writer.open();
        recorded.live(3);
        recorded.write();
        recorded.live(3);
        let (written, lost) = recorded.end();
        let summary = replayed(&file);
        assert_eq!((written + lost, summary.steps), (39, written));
        assert_eq!((summary.gaps, summary.parts), ((1, lost), 2));
    };
    std::thread::spawn(full_disk).join().expect("the test on the full disk");
}
