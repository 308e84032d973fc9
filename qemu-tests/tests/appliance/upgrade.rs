//! One command upgrades two appliances beside FRR, and another one takes both back, under streams of pings.
//!
//! The pings are answered by the kernel of whichever chassis is Active: nothing of the lab has to run on one that restarts.

use std::path::Path;
use std::time::Duration;

use lab::error::LabError;
use lab::report::{self, Step};
use lab::scenario::stage::Stage;
use lab::scenario::{steps, upgrade};
use lab::topology::Topology;
use serde_json::Value;
use srp_core::types::ChassisState;

use crate::pair::Site;
use crate::prepared::done;

/// Longest wait for a command at a console.
const LIMIT: Duration = Duration::from_mins(2);

impl Site {
    /// At the console of a chassis: a command that has to succeed, and what it printed.
    pub fn type_at(&self, name: &str, command: &str) -> String {
        let ran = done(self.machine(name).run_at_console(command, LIMIT));
        assert_eq!(ran.code, 0, "{name}: {command}: {}", ran.text);
        ran.text
    }

    /// The same, of a command that has to be refused.
    pub fn refused_at(&self, name: &str, command: &str) -> String {
        let ran = done(self.machine(name).run_at_console(command, LIMIT));
        assert_ne!(ran.code, 0, "{name}: {command}: {}", ran.text);
        ran.text
    }

    /// How it stands, by the word of a chassis.
    pub fn status(&self, name: &str) -> Value {
        let text = self.type_at(name, "srpctl --json upgrade status");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

#[test]
fn ops_1_one_command_upgrades_a_pair_and_ops_8_another_takes_it_back_and_no_ping_is_lost() {
    let out = tempfile::tempdir().expect("a folder");
    let site = Site::start(out.path(), Topology::pair());
    let mut stage = done(Stage::new(&site.lab, site.settings.clone()));
    let shown = |number, step: Result<Step, LabError>| {
        let step = done(step);
        print!("{}", report::text::step(number, &step));
        assert!(step.passed);
    };
    shown(1, steps::start(&mut stage));
    let appliances = done(stage.appliances()).clone();
    done(appliances.reach.acquaint(&site.lab));
    // Whichever is first is Active; the image lies on east.
    if stage.view("east").is_ok_and(|view| view.state != ChassisState::Active) {
        site.type_at("west", "srpctl srp initiate-switchover");
        done(stage.until_settled("east"));
    }
    let next = &appliances.next;
    let refused = site.refused_at("east", &format!("srpctl upgrade {next} --peer ssh://root@192.0.2.9 2>&1"));
    assert!(refused.contains("the peer cannot be reached"), "{refused}");
    let plan = site.type_at("east", &format!("srpctl upgrade {next} --switch-back --dry-run"));
    println!("{plan}");
    site.refuses_before_the_first_step(next);
    site.stops_without_its_peer_and_goes_on_and_is_given_up(next);

    shown(2, upgrade::upgrade(&mut stage));
    assert_eq!(site.status("east")["outcome"], "done");
    shown(3, upgrade::rollback(&mut stage));
    let name = Path::new(next).file_name().expect("a name").to_string_lossy();
    for chassis in ["east", "west"] {
        let boot = site.type_at(chassis, "srpctl show boot");
        assert!(!boot.contains(&*name), "{chassis}: {boot}");
    }
}
