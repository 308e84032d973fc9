//! Labs with the real `srpd`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use lab::lab::{Lab, Machines, Plan};
use lab::namespace::Programs;
use lab::node::Kind;
use lab::scenario::stage::{LIMIT, Settings, Stage};
use lab::topology::Topology;
use lab::{pair, variant, wait};

/// How often what offers no event is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// `srpd` and `srpctl` of this very source, beside the lab's own program.
pub fn programs() -> Programs {
    static BUILT: OnceLock<()> = OnceLock::new();
    let lab = PathBuf::from(env!("CARGO_BIN_EXE_lab"));
    let (srpd, srpctl) = (lab.with_file_name("srpd"), lab.with_file_name("srpctl"));
    BUILT.get_or_init(|| {
        // A run of the whole workspace under nextest has built both; a run of this package alone has not.
        if std::env::var_os("NEXTEST").is_some() && srpd.exists() && srpctl.exists() {
            return;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "-p", "srpd", "-p", "srpctl"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if lab.parent().is_some_and(|folder| folder.ends_with("release")) {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "srpd and srpctl do not build");
    });
    Programs { srpd, srpctl, lab }
}

/// A lab of `topology` with the built-in configuration of the pair, fitted to it.
#[allow(dead_code, reason = "not every test of labs builds one itself")]
pub fn build(topology: Topology, out: &Path, machines: Option<&dyn Machines>) -> (Lab, Settings) {
    let programs = programs();
    let kind = if machines.is_some() { Kind::Machine } else { Kind::Namespace };
    let configurations: BTreeMap<String, String> = topology
        .chassis()
        .into_iter()
        .map(|name| {
            let text = pair::configuration(name, kind).expect("is there");
            (name.to_owned(), variant::fitted(text, &topology, None).expect("fits"))
        })
        .collect();
    let srpctl = programs.srpctl.clone();
    let settings = Settings { srpctl, configurations, leave_running: false, appliances: None };
    let plan = Plan { topology, out: out.to_owned(), programs };
    (Lab::build(plan, machines).expect("the lab comes up"), settings)
}

/// Both `srpd` run: east Active, west Standby, every session up, and each knows it of the other.
#[allow(dead_code, reason = "not every test of labs begins so")]
pub fn start(lab: &Lab, settings: Settings) -> Stage<'_> {
    let mut stage = Stage::new(lab, settings).expect("a stage");
    for chassis in stage.names() {
        stage.start(&chassis).expect("starts");
        stage.srpd(&chassis).expect("is known").answers().expect("answers");
    }
    stage.until_settled("east").expect("settles");
    for chassis in stage.names() {
        stage.until_bgp_established(&chassis).expect("has its sessions");
    }
    // A Hello has said so as well, without which a switchover would be refused.
    for chassis in stage.names() {
        let srpd = stage.srpd(&chassis).expect("is known");
        wait::until_true(&format!("{chassis} to know of its peer's BGP sessions"), LIMIT, LOOK, || {
            Ok(srpd.info()?.peer.is_some_and(|peer| peer.bgp_established == peer.bgp_neighbors))
        })
        .expect("is told");
    }
    stage.until_routes_lead_to("east").expect("routers follow");
    stage
}
