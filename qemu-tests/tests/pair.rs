//! The pair in its lab: the scenario of the demonstration, as a test. What must hold is checked; no time is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use lab::lab::{Lab, Plan};
use lab::namespace::Programs;
use lab::node::Kind;
use lab::scenario::stage::Settings;
use lab::topology::Topology;
use lab::{pair, report, scenario};

/// `srpd` and `srpctl` of this very source, beside the lab's own program.
fn programs() -> Programs {
    static BUILT: OnceLock<()> = OnceLock::new();
    let lab = PathBuf::from(env!("CARGO_BIN_EXE_lab"));
    BUILT.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "-p", "srpd", "-p", "srpctl"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if lab.parent().is_some_and(|folder| folder.ends_with("release")) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "srpd and srpctl do not build");
    });
    Programs { srpd: lab.with_file_name("srpd"), srpctl: lab.with_file_name("srpctl"), lab }
}

fn build(out: &Path) -> (Lab, Settings) {
    let (topology, programs) = (Topology::pair(), programs());
    let configurations: BTreeMap<String, String> = topology
        .chassis()
        .into_iter()
        .map(|name| {
            (name.to_owned(), pair::configuration(name, Kind::Namespace).expect("is there").to_owned())
        })
        .collect();
    let settings = Settings { srpctl: programs.srpctl.clone(), configurations, leave_running: false };
    let lab = Lab::build(Plan { topology, out: out.to_owned(), programs }, None).expect("the lab comes up");
    (lab, settings)
}

#[test]
fn the_whole_demonstration_passes() {
    let out = tempfile::tempdir().expect("a folder");
    let (lab, settings) = build(out.path());
    let mut number = 0;
    let report = scenario::demo(&lab, settings, &mut |_, step| {
        number += 1;
        print!("{}", report::text::step(number, step));
    })
    .expect("runs");
    report::json::write(&report, &out.path().join("report.json")).expect("writes");
    report::svg::write(&report, out.path()).expect("draws");
    assert!(report.passed, "{}", report::text::verdict(&report));
}
