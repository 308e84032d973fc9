//! One command upgrades two appliances beside FRR, and another one takes both back, under a stream of pings a millisecond apart.
//!
//! The pings are answered by the kernel of whichever chassis is Active: nothing of the lab has to run on one that restarts.

use std::time::Duration;

use image::bundle::{self, Version};
use lab::node::{Job, Node, ProcessId, Signal};
use lab::scenario::stage::Stage;
use lab::scenario::steps;
use lab::wait::{self, Seen};
use serde_json::Value;

use crate::pair::Site;
use crate::prepared::{Prepared, done};

/// Longest wait for a command at a console.
const LIMIT: Duration = Duration::from_mins(2);
/// Longest wait for a whole upgrade, on a host that is busy with something else.
const WHOLE: Duration = Duration::from_mins(12);
/// The image that follows.
const NEXT: &str = "srp-0.2.0.bin";

impl Site {
    /// At the console of a chassis: a command that has to succeed, and what it printed.
    fn type_at(&self, name: &str, command: &str) -> String {
        let ran = done(self.machine(name).run_at_console(command, LIMIT));
        assert_eq!(ran.code, 0, "{name}: {command}: {}", ran.text);
        ran.text
    }

    /// The same, of a command that has to be refused.
    fn refused_at(&self, name: &str, command: &str) -> String {
        let ran = done(self.machine(name).run_at_console(command, LIMIT));
        assert_ne!(ran.code, 0, "{name}: {command}: {}", ran.text);
        ran.text
    }

    /// What an operator does once: SSH on the SRP link, each chassis' key on the other one, and a first look.
    fn acquaint(&self) {
        let address = |name| if name == "east" { "192.0.2.1" } else { "192.0.2.2" };
        for (name, peer) in [("east", "west"), ("west", "east")] {
            let key = self.type_at(name, "cat /flash/etc/dropbear/id_dropbear.pub");
            self.type_at(peer, &format!("echo '{}' >>/flash/etc/authorized_keys", key.trim()));
            self.type_at(name, &format!("echo 'ssh-listen = {}' >>/flash/etc/system.conf", address(name)));
            self.type_at(name, "/etc/init.d/S60ssh start");
        }
        for (name, peer) in [("east", "west"), ("west", "east")] {
            let port =
                format!("until nc -w 2 {} 22 </dev/null | grep -q SSH; do sleep 1; done", address(peer));
            self.type_at(name, &port);
            let machine = self.machine(name);
            done(machine.type_line(&format!("dbclient root@{} true; echo ended=$?", address(peer))));
            done(machine.hear("continue connecting? (y/n)", LIMIT));
            done(machine.type_line("y"));
            done(machine.hear("ended=0", LIMIT));
            let said = self.type_at(name, &format!("dbclient root@{} srpctl show srp info", address(peer)));
            assert!(said.contains("Chassis State"), "{said}");
        }
    }

    /// Starts pings to the service from the client, by every router; their logs are those of `what`.
    fn pings(&self, what: &str) -> Vec<Pings> {
        let streams = done(lab::probe::run::streams(&self.lab.topology));
        let client = &self.lab.client;
        let start = |stream: lab::probe::send::StreamSpec| {
            let (log, source) = (format!("ping-{what}-{}.log", stream.name), stream.source.to_string());
            let arguments =
                ["-n", "-i", "0.001", "-I", &source, &stream.destination.to_string()].map(str::to_owned);
            let process = done(client.spawn(&Job::new("ping", arguments).logged(&log)));
            Pings { name: stream.name, log, process }
        };
        streams.into_iter().map(start).collect()
    }

    /// Ends pings: how many were answered, and how many between the first and the last answer were not.
    fn lost(&self, pings: &Pings) -> (usize, usize) {
        let client = &self.lab.client;
        done(client.signal(pings.process, Signal::Terminate));
        done(wait::until_true("the end of ping", LIMIT, Duration::from_millis(20), || {
            Ok(!client.is_running(pings.process)?)
        }));
        let text =
            String::from_utf8_lossy(&done(client.get_file(&client.folder().join(&pings.log)))).into_owned();
        let mut seen: Vec<u64> = text
            .lines()
            .filter_map(|line| line.split_once("icmp_seq=")?.1.split_once(' ')?.0.parse().ok())
            .collect();
        // The counter of a ping has sixteen bits.
        let mut round = 0;
        for at in 0..seen.len() {
            let value = seen[at] + round;
            let turned = at > 0 && value + 0x8000 < seen[at - 1];
            round += if turned { 0x1_0000 } else { 0 };
            seen[at] += round;
        }
        seen.sort_unstable();
        seen.dedup();
        let span = seen.last().zip(seen.first()).map_or(0, |(last, first)| last - first + 1);
        (seen.len(), usize::try_from(span).unwrap_or(usize::MAX) - seen.len())
    }

    /// How it stands, by the word of a chassis.
    fn status(&self, name: &str) -> Value {
        let text = self.type_at(name, "srpctl --json upgrade status");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// West restarted while nobody watched; both run the image that has this release.
    fn both_run(&self, image: &str, release: &str) {
        done(self.machine("west").hear(&format!("srp: slot 1: /{image}"), LIMIT));
        done(self.machine("west").back(LIMIT));
        for name in ["east", "west"] {
            let version = self.type_at(name, "srpctl show version");
            assert!(version.contains(release) && version.contains(image), "{name}: {version}");
        }
    }

    /// Ends pings; every one that was sent between the first and the last answer has its own.
    fn nothing_lost(&self, pings: &[Pings]) {
        for stream in pings {
            let (answered, lost) = self.lost(stream);
            println!("{}: {answered} answered, {lost} lost", stream.name);
            assert!(answered > 10_000 && lost == 0, "{}: {answered} answered, {lost} lost", stream.name);
        }
    }

    /// Waits until what `name` carries out is done; its own restart is on the way.
    fn until_done(&self, name: &str, image: &str) -> Value {
        let machine = self.machine(name);
        done(machine.hear(&format!("srp: slot 1: {image}"), WHOLE));
        // The last word that the console says of itself: behind it there is nothing between a command and its output.
        done(machine.hear("srp-boot: boot entry", LIMIT));
        done(machine.type_line(""));
        done(machine.back(LIMIT));
        let last = wait::until("the upgrade's end", WHOLE, Duration::from_secs(1), || {
            let now = self.status(name);
            Ok(if now["outcome"] == "running" { Seen::NotYet(now.to_string()) } else { Seen::Done(now) })
        });
        let last = done(last);
        assert_eq!(last["outcome"], "done", "{}", self.type_at(name, "srpctl upgrade status"));
        last
    }
}

struct Pings {
    name: String,
    log: String,
    process: ProcessId,
}

/// Seconds between its beginning and its end, and of each step.
fn print(state: &Value) {
    for step in state["done"].as_array().expect("steps") {
        let seconds = step["took_ms"].as_f64().unwrap_or_default() / 1000.0;
        println!("  {seconds:6.1}  {} on {}: {}", step["act"], step["side"], step["found"]);
    }
    let us = |key: &str| state[key].as_f64().unwrap_or_default();
    println!("  {:6.1}  all", (us("changed_us") - us("began_us")) / 1e6);
}

#[test]
fn ops_1_one_command_upgrades_a_pair_and_ops_8_another_takes_it_back_and_no_ping_is_lost() {
    let out = tempfile::tempdir().expect("a folder");
    let prepared = Prepared::get();
    let site = Site::start_with(out.path(), &mut |name, flash| {
        if name == "east" {
            let next = prepared.parts.recipe("0.2.0".parse().expect("a version"), Version::ours(), "next");
            done(bundle::write(&next, &prepared.key, &flash.join(NEXT)));
        }
        Ok(())
    });
    let mut stage = done(Stage::new(&site.lab, site.settings.clone()));
    assert!(done(steps::start(&mut stage)).passed);
    // Whichever is first is Active; the image lies on east.
    if stage.view("east").is_ok_and(|view| view.state != srp_core::types::ChassisState::Active) {
        site.type_at("west", "srpctl srp initiate-switchover");
        done(stage.until_settled("east"));
    }
    site.acquaint();
    let refused =
        site.refused_at("east", &format!("srpctl upgrade /flash/{NEXT} --peer ssh://root@192.0.2.9 2>&1"));
    assert!(refused.contains("the peer cannot be reached"), "{refused}");
    let plan = site.type_at("east", &format!("srpctl upgrade /flash/{NEXT} --switch-back --dry-run"));
    println!("{plan}");

    let pings = site.pings("upgrade");
    println!("{}", site.type_at("east", &format!("srpctl upgrade /flash/{NEXT} --switch-back --detach")));
    // One at a time, whoever begins.
    let refused = site.refused_at("west", "srpctl upgrade /flash/srp.bin 2>&1");
    assert!(refused.contains("is in hand, carried out by the peer"), "{refused}");
    print(&site.until_done("east", &format!("/{NEXT}")));
    site.both_run(NEXT, "0.2.0");
    assert!(site.type_at("east", "srpctl show srp info").contains("Active"));
    site.nothing_lost(&pings);

    let pings = site.pings("rollback");
    site.type_at("east", "srpctl upgrade rollback --detach");
    print(&site.until_done("east", "/srp.bin"));
    site.both_run("srp.bin", &Version::ours().to_string());
    for name in ["east", "west"] {
        let boot = site.type_at(name, "srpctl show boot");
        assert!(!boot.contains(NEXT), "{name}: {boot}");
    }
    site.nothing_lost(&pings);
}
