//! Steps that need machines: the SRP link delays and loses what crosses it, and the disk of the Active goes.

use std::time::Duration;

use serde_json::Value;

use super::measure::{self, STEADY};
use super::stage::{LIMIT, Stage};
use super::steps::active;
use crate::clock::Time;
use crate::error::LabError;
use crate::node::{Job, Node};
use crate::report::Step;
use crate::vm::Machine;
use crate::wait;

/// Between looks at a machine's devices.
const LOOK: Duration = Duration::from_millis(100);

/// What an SRP link does to the frames that leave a chassis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impairment {
    /// Each frame is late by this, in milliseconds, at either end: a round trip takes twice as long.
    pub delay_ms: u32,
    /// Percent of the frames that do not arrive, drawn at random at either end.
    pub loss_percent: u8,
}

/// The SRP link gets worse and stays so: for the time of `answers` probes nobody may take over. The impairment is left in place.
pub fn impaired_srp_link(
    stage: &mut Stage<'_>,
    impairment: Impairment,
    answers: u32,
) -> Result<Step, LabError> {
    let from = active(stage)?;
    let other = stage.peer_of(&from);
    let link = stage.lab.topology.srp_link()?.to_owned();
    let Impairment { delay_ms, loss_percent } = impairment;
    let title =
        format!("{delay_ms} ms and {loss_percent} % loss each way on the SRP link: {from} stays Active");
    let before = stage.views()?;
    let mut lost = 0;
    let mut measured =
        measure::step(stage, "impaired-srp-link", &title, "the SRP link is worse", |stage, notes, probe| {
            let zero = Time::now();
            for chassis in [&from, &other] {
                let line =
                    format!("qdisc replace dev {link} root netem delay {delay_ms}ms loss {loss_percent}%");
                stage.lab.chassis(chassis)?.run_ok(&Job::new("tc", line.split_whitespace()), LIMIT)?;
                notes.did(Time::now(), "impaired", format!("{chassis}: tc {line}"));
            }
            probe.flows(answers, Some(&from), LIMIT + 2 * Duration::from_millis(answers.into()))?;
            for chassis in [&from, &other] {
                lost += dropped(stage.lab.chassis(chassis)?.as_ref(), &link)?;
            }
            Ok(zero)
        })?;
    measured.serves(stage, &from);
    for (name, view) in &before {
        measured.not_switched(name, view);
    }
    measured.step.check("the SRP link did lose frames", lost > 0, format!("{lost}, at both ends"));
    measured.undisturbed(stage, &from);
    Ok(measured.judged())
}

/// The SRP link is bad for a minute, and is mended.
pub fn impaired_and_mended(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let step = impaired_srp_link(stage, Impairment { delay_ms: 100, loss_percent: 5 }, 60_000);
    let link = stage.lab.topology.srp_link()?;
    for chassis in &stage.lab.chassis {
        chassis.run_ok(&Job::new("tc", ["qdisc", "del", "dev", link, "root"]), LIMIT)?;
    }
    step
}

/// The disk of the chassis that is Active goes.
pub fn disk_of_active_pulled(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let machine = stage.machine(&active(stage)?)?;
    disk_pulled(stage, machine)
}

/// How many frames the scheduler of `link` has dropped since it was set.
fn dropped(node: &dyn Node, link: &str) -> Result<u64, LabError> {
    let job = Job::new("tc", ["-s", "-j", "qdisc", "show", "dev", link, "root"]);
    let output = node.run_ok(&job, LIMIT)?;
    let shown: Option<Value> = serde_json::from_slice(&output.stdout).ok();
    let drops = shown.as_ref().and_then(|shown| shown.pointer("/0/drops")?.as_u64());
    drops.ok_or_else(|| LabError::Answer {
        command: format!("{} on {}", job.line(), node.name()),
        reason: output.text().trim().to_owned(),
    })
}

/// The disk of the Active, `machine`, goes: it serves on, and says what it cannot do any longer.
pub fn disk_pulled(stage: &mut Stage<'_>, machine: &Machine) -> Result<Step, LabError> {
    let from = active(stage)?;
    let title = format!("the disk of {from}, which is Active, is pulled out");
    let before = disks(machine)?;
    let mut refused = None;
    let mut measured =
        measure::step(stage, "disk-pulled", &title, "the disk is pulled out", |stage, notes, probe| {
            let zero = machine.pull_disk()?;
            notes.did(zero, "disk-pulled", from.clone());
            wait::until_true("the kernel to miss the disk", LIMIT, LOOK, || Ok(disks(machine)? < before))?;
            notes.did(Time::now(), "disk-gone", "as the kernel says");
            refused = Some(machine.run(&Job::new("srpctl", ["filesystem", "synchronize", "all"]), LIMIT)?);
            // No file of the root may be what is kept of it by chance.
            let forget = Job::new("/bin/sh", ["-c", "echo 3 >/proc/sys/vm/drop_caches"]);
            machine.run_ok(&forget, LIMIT)?;
            // The first program that is used again is unpacked again, which takes an emulated machine longer than an answer may take.
            machine.run_ok(&Job::new("srpctl", ["show", "srp", "info"]), LIMIT)?;
            notes.did(Time::now(), "root-read-again", "by srpctl");
            stage.until_bgp_established(&from)?;
            probe.flows(2 * STEADY, Some(&from), LIMIT)?;
            Ok(zero)
        })?;
    measured.serves(stage, &from);
    measured.undisturbed(stage, &from);
    if let Some(output) = refused {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        measured.step.check("`srpctl filesystem synchronize all` fails and says why", output.code != 0, said);
    }
    Ok(measured.judged())
}

/// How many disks the machine's kernel has.
fn disks(machine: &Machine) -> Result<usize, LabError> {
    // It fails when a disk goes between its being listed and its being looked at; the list is right then, too.
    let blocks = machine.run(&Job::new("ls", ["/sys/block"]), LIMIT)?;
    Ok(blocks.text().split_whitespace().filter(|name| name.starts_with("sd")).count())
}
