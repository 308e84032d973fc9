//! `lab up`, `run`, `report`, `status` and `down`, as a person types them.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use lab::keeper::state::State;
use lab::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// A folder for one lab, which is down when the value goes, also after a panic.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        support::programs();
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn lab(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(words).arg("--folder").arg(self.lab()).output().expect("lab starts")
    }

    /// What it printed; it must have ended with `code`.
    fn says(&self, words: &[&str], code: i32) -> String {
        let output = self.run(words);
        let said = [output.stdout, output.stderr]
            .map(|octets| String::from_utf8_lossy(&octets).into_owned())
            .concat();
        assert_eq!(output.status.code(), Some(code), "lab {}: {said}", words.join(" "));
        said
    }

    fn state(&self) -> State {
        State::read(&self.lab()).expect("read").expect("a lab is up")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.run(&["down"]);
    }
}

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("labs").join(name).display().to_string()
}

fn namespaces(pid: u32) -> Vec<String> {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&format!("srplab-{pid}-"))).collect()
}

/// Whether a process still works in `folder`, as every daemon of a lab does.
fn works_in(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let folders = processes.filter_map(|entry| std::fs::read_link(entry.path().join("cwd")).ok());
    folders.into_iter().any(|cwd| cwd.starts_with(folder))
}

#[test]
fn a_lab_from_a_file_stays_up_runs_scenarios_and_leaves_a_report_with_pictures() {
    let site = Site::new();
    let pair = example("pair.toml");
    let said = site.says(&["run", "power-off"], 2);
    assert!(said.contains("no lab is up in") && said.contains("lab up TOPOLOGY.toml"), "{said}");
    let said = site.says(&["up", &pair], 0);
    assert!(said.contains("start of both chassis") && said.contains("To look around"), "{said}");
    let state = site.state();
    assert!(state.up && !namespaces(state.pid).is_empty());

    // Its holder is in a session of its own: no terminal's end is its end.
    let said = site.says(&["up", &pair], 0);
    assert!(
        said.contains("is up in") && said.contains("east Active") && said.contains("west Standby"),
        "{said}"
    );
    assert_eq!(site.state(), state, "the same lab");
    let said = site.says(&["up", &example("one-router-bird.toml")], 2);
    assert!(said.contains("pair.toml is up in") && said.contains("lab down"), "{said}");

    let said = site.says(&["run", "earthquake"], 2);
    assert!(said.contains("no scenario is called earthquake"), "{said}");
    let said = site.says(&["run", "power-on"], 2);
    assert!(said.contains("east Active") && said.contains("`lab run power-off` first"), "{said}");
    let said = site.says(&["run", "planned-switchover"], 0);
    assert!(said.contains("2. planned switchover from east to west  [PASS]"), "{said}");
    let said = site.says(&["run", "power-off", "--json"], 0);
    let step: lab::report::Step = serde_json::from_str(said.trim()).expect("one step");
    assert!(step.passed && step.phases.is_some() && step.title.contains("west"), "{said}");
    let said = site.says(&["status"], 0);
    assert!(said.contains("west has no power") && said.contains("east Active"), "{said}");
    let said = site.says(&["run", "planned-switchover"], 2);
    assert!(said.contains("west without power") && said.contains("`lab run power-on` first"), "{said}");
    site.says(&["run", "power-on"], 0);

    site.says(&["report"], 0);
    let page = std::fs::read_to_string(site.lab().join("report.html")).expect("the page");
    for part in
        ["4 steps, all passed", "power cut of west", "Lost probes", "planned switchover from east to west"]
    {
        assert!(page.contains(part), "no {part:?} in the page");
    }
    // A timeline for each step, and the picture of losses.
    assert_eq!(page.matches("<svg").count(), 5);

    let said = site.says(&["down"], 0);
    assert!(said.contains("lab pair is down"), "{said}");
    assert_eq!((namespaces(state.pid), works_in(&site.lab())), (Vec::new(), false));
    assert!(site.lab().join("report.html").exists(), "logs and report stay");
    let said = site.says(&["down"], 0);
    assert!(said.contains("no lab is up"), "{said}");
}

#[test]
fn a_lab_whose_holder_was_killed_is_cleared_away_and_can_be_up_again_at_once() {
    let site = Site::new();
    let one = example("one-router-bird.toml");
    site.says(&["up", &one], 0);
    let state = site.state();
    kill(Pid::from_raw(i32::try_from(state.pid).expect("an id")), Signal::SIGKILL).expect("sent");
    // The kernel kills the daemons with their parent, each when it is next scheduled.
    let gone = || Ok(!state.is_running() && !works_in(&site.lab()));
    wait::until_true("the end of the holder and its daemons", LIMIT, LOOK, gone).expect("they end");
    assert!(!namespaces(state.pid).is_empty());
    let said = site.says(&["run", "power-off"], 2);
    assert!(said.contains("no lab is up in"), "{said}");
    let said = site.says(&["up", &one], 0);
    assert!(said.contains("BIRD"), "{said}");
    assert_eq!(namespaces(state.pid), Vec::<String>::new());
    let again = site.state();
    kill(Pid::from_raw(i32::try_from(again.pid).expect("an id")), Signal::SIGKILL).expect("sent");
    let said = site.says(&["down"], 0);
    assert!(said.contains("had lost its holder"), "{said}");
    assert_eq!((namespaces(again.pid), works_in(&site.lab())), (Vec::new(), false));
}

#[test]
fn a_file_that_is_wrong_starts_nothing_and_one_that_fails_later_leaves_nothing() {
    let site = Site::new();
    let wrong = site.folder.path().join("wrong.toml");
    let pair = std::fs::read_to_string(example("pair.toml")).expect("the example");
    std::fs::write(&wrong, pair.replacen("10.1.1.1/30", "10.1.1.1/40", 1)).expect("written");
    let said = site.says(&["up", &wrong.display().to_string()], 2);
    assert!(said.contains("wrong.toml: link[1].a.addresses[0] = 10.1.1.1/40"), "{said}");
    assert!(!site.lab().exists());

    // srpd itself refuses these timers, when namespaces and routers are there already.
    std::fs::write(&wrong, pair.replacen("\"150ms\"", "\"60ms\"", 1)).expect("written");
    let said = site.says(&["up", &wrong.display().to_string()], 2);
    assert!(said.contains("dead-interval") && said.contains("holder.log"), "{said}");
    assert_eq!((State::read(&site.lab()).expect("read"), works_in(&site.lab())), (None, false));
    let said = site.says(&["down"], 0);
    assert!(said.contains("no lab is up"), "{said}");
}
