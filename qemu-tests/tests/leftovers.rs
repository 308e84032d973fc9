//! A lab that is interrupted leaves nothing; one that is killed leaves what the next one removes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::cleanup;
use lab::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);

/// A lab that is about to come up: its namespaces are there, its routers are starting.
fn begin(out: &Path) -> Child {
    // No program of the pair is started before the routers answer, so any program will do.
    let lab = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["demo", "--srpd", "/bin/true", "--srpctl", "/bin/true", "--out"])
        .arg(out.join("out"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lab starts");
    let zebra = out.join("out/nodes/r1/zebra.pid");
    wait::until_true("the first router's zebra", LIMIT, LOOK, || Ok(zebra.exists())).expect("comes up");
    assert!(!namespaces(lab.id()).is_empty());
    lab
}

fn namespaces(pid: u32) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let own = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&format!("srplab-{pid}-")) || name.starts_with(&format!("srplab-{pid}."))
    };
    entries.map(|entry| entry.path()).filter(own).collect()
}

/// Whether a process still has `folder` as its working directory, as every daemon of a lab does.
fn works_in(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok())
        .any(|cwd| cwd.starts_with(folder))
}

fn signal(lab: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(lab.id()).expect("a process id")), signal).expect("sent");
}

#[test]
fn an_interrupted_lab_leaves_nothing() {
    for sent in [Signal::SIGINT, Signal::SIGTERM] {
        let out = tempfile::tempdir().expect("a folder");
        let lab = begin(out.path());
        signal(&lab, sent);
        let pid = lab.id();
        let output = lab.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("interrupted"), "{}: {said}", output.status);
        assert_eq!(namespaces(pid), Vec::<PathBuf>::new(), "after {sent}");
        assert!(!works_in(out.path()), "a process lives on after {sent}");
    }
}

#[test]
fn a_killed_lab_is_removed_by_the_next_one() {
    let out = tempfile::tempdir().expect("a folder");
    let mut lab = begin(out.path());
    let pid = lab.id();
    cleanup::sweep();
    assert!(!namespaces(pid).is_empty(), "a lab that lives was swept away");
    signal(&lab, Signal::SIGKILL);
    lab.wait().expect("ends");
    // The kernel kills the daemons with their parent, each when it is next scheduled.
    wait::until_true("the end of its daemons", LIMIT, LOOK, || Ok(!works_in(out.path()))).expect("they end");
    cleanup::sweep();
    assert_eq!(namespaces(pid), Vec::<PathBuf>::new());
}
