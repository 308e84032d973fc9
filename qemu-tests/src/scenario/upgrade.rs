//! Upgrade and way back of a pair of appliances, each by the one command that an operator gives, under probes that the kernel of
//! whichever chassis is Active answers: nothing of the lab has to run on one that restarts.

use std::path::Path;
use std::time::Duration;

use upgrade::progress::Done;
use upgrade::{Act, Kind, Outcome, Side, State};

use super::collect::Notes;
use super::measure;
use super::stage::{LIMIT, Stage};
use super::steps::{self, active};
use crate::clock::Time;
use crate::error::LabError;
use crate::node::{Job, Node, Program};
use crate::probe::send::Ask;
use crate::report::{LaneKind, Step};
use crate::timeline::{Moment, lane};
use crate::vm::Machine;
use crate::wait::{self, Seen};

/// Longest wait for a whole upgrade, on a host that is busy with something else.
const WHOLE: Duration = Duration::from_mins(15);
/// Longest wait for a command on a chassis.
const COMMAND: Duration = Duration::from_mins(2);
/// Longest start of a chassis, from the loader's first word on.
const START: Duration = Duration::from_mins(5);
/// Answers in a row after it, per stream.
const STEADY: u32 = 500;
/// How long the console is listened to between looks at the state.
const LISTEN: Duration = Duration::from_secs(2);
/// What the loader says first of what it boots.
const BOOTS: &str = "srp: slot ";
/// The last word that the console of a chassis says of itself: behind it nothing gets between a command and its output.
const STARTED: &str = "srp-boot: boot entry";

/// Start, upgrade and way back.
pub const ALL: [steps::Act; 3] = [steps::ALL[0], UPGRADE, ROLLBACK];
/// The upgrade.
pub const UPGRADE: steps::Act = steps::Act { id: "upgrade", run: upgrade };
/// The way back.
pub const ROLLBACK: steps::Act = steps::Act { id: "rollback", run: rollback };

/// The first chassis upgrades both: to the image of [`Stage::image`], or to the one that lies on its disk for that. In the end the
/// one serves that served.
pub fn upgrade(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let [first, _] = stage.names();
    let settings = stage.appliances()?;
    let path = match &stage.image {
        None => settings.next.clone(),
        Some(file) => {
            settings.reach.acquaint(stage.lab)?;
            carry(stage, &first, file)?
        }
    };
    let name = Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let title = format!("{first} upgrades both chassis to {name}, and service comes back to where it was");
    walk(stage, "upgrade", &title, &["upgrade", &path, "--switch-back"])
}

/// The first chassis takes both back to what ran before its upgrade.
pub fn rollback(stage: &mut Stage<'_>) -> Result<Step, LabError> {
    let [first, _] = stage.names();
    let title =
        format!("{first} takes both chassis back to what ran before, and service comes back to where it was");
    walk(stage, "rollback", &title, &["upgrade", "rollback", "--switch-back"])
}

/// Brings an image and its signature from the host onto a chassis; its path there.
fn carry(stage: &Stage<'_>, chassis: &str, file: &Path) -> Result<String, LabError> {
    let signature = image::bundle::signature_of(file);
    let reach = &stage.appliances()?.reach;
    let to = |file: &Path| format!("/flash/{}", file.file_name().unwrap_or_default().to_string_lossy());
    for one in [&signature, file] {
        if !one.exists() {
            return Err(LabError::Refused {
                reason: format!("{} is not there", one.display()),
                remedy: "name an image with --image; its signature lies beside it".to_owned(),
            });
        }
        reach.copy(stage.lab, chassis, one, &to(one))?;
    }
    Ok(to(file))
}

/// Gives the command on the first chassis, and waits until both have come through it.
fn walk(stage: &mut Stage<'_>, id: &str, title: &str, words: &[&str]) -> Result<Step, LabError> {
    let serving = active(stage)?;
    stage.appliances()?.reach.acquaint(stage.lab)?;
    let [here, peer] = stage.names();
    let command = format!("srpctl {}", words.join(" "));
    let (mut last, mut refused) = (None, None);
    let mut measured =
        measure::step_asking(Ask::Kernel, stage, id, title, &command, |stage, notes, probe| {
            let machine = stage.machine(&here)?;
            let before = machine.wall_ahead()?;
            let zero = Time::now();
            notes.did(zero, "command-given", format!("{command} on {here}"));
            let words = words.iter().copied().chain(["--detach"]);
            machine.run_ok(&Job::new(machine.program(Program::Srpctl), words), COMMAND)?;
            // One at a time, whoever begins.
            let second = Job::new("srpctl", ["upgrade", "/flash/srp.bin"]);
            refused = Some(stage.machine(&peer)?.run(&second, COMMAND)?);
            let (state, came_back) = until_over(machine)?;
            let peer_came_back = restarted(stage.machine(&peer)?, LISTEN)?;
            for (name, again) in [(&here, came_back), (&peer, peer_came_back)] {
                if again {
                    stage.start(name)?;
                    notes.did(Time::now(), "reached-again", name.clone());
                }
            }
            let after = stage.machine(&here)?.wall_ahead()?;
            tell(notes, &state, [&here, &peer], [before, after]);
            last = Some(state);
            let serves = stage.until_one_serves()?;
            stage.until_settled(&serves)?;
            stage.until_routes_lead_to(&serves)?;
            for name in [&here, &peer] {
                stage.until_bgp_established(name)?;
            }
            notes.did(Time::now(), "settled", format!("{serves} Active, by both"));
            probe.flows(STEADY, None, LIMIT)?;
            Ok(zero)
        })?;
    let state = last.ok_or_else(|| LabError::Answer {
        command: format!("{command} on {here}"),
        reason: "it left no state".to_owned(),
    })?;
    let found = match &state.outcome {
        Outcome::Done => {
            let seconds = state.changed_us.saturating_sub(state.began_us) / 1_000_000;
            format!("{} steps in {seconds} s", state.done.len())
        }
        Outcome::Stopped { reasons } => format!("stopped: {}", reasons.join("; ")),
        Outcome::Running => "it still runs".to_owned(),
        Outcome::Aborted => "somebody gave it up".to_owned(),
    };
    measured.step.check(format!("`{command}` comes to its end"), state.outcome == Outcome::Done, found);
    if let Some(output) = refused {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let good = output.code != 0 && said.contains("is in hand, carried out by the peer");
        measured.step.check(format!("{peer} begins no other one meanwhile"), good, said);
    }
    for (name, side) in [(&here, Side::Here), (&peer, Side::Peer)] {
        let (expected, image) = runs(&state, side);
        let job = Job::new("srpctl", ["show", "version"]);
        let version = stage.machine(name)?.run_ok(&job, COMMAND)?.text();
        let first = version.lines().next().unwrap_or_default().to_owned();
        let runs = version.contains(&expected) && version.contains(&image);
        measured.step.check(format!("{name} runs {image}, release {expected}"), runs, first);
    }
    measured.serves(stage, &serving);
    measured.handed_over(stage);
    Ok(measured.judged())
}

/// Release and image that a side runs when all is done.
fn runs(state: &State, side: Side) -> (String, String) {
    let before = state.before.of(side);
    let (release, image) = match state.kind {
        Kind::Upgrade => (state.release.as_ref(), &state.image),
        Kind::Rollback => (Some(&before.release), &before.image),
    };
    let version = release.map_or("unknown", |release| release.version.as_str());
    (version.to_owned(), Path::new(image).file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Waits until what a machine carries out has come to an end, over a restart of its own; its state, and whether it has restarted.
fn until_over(machine: &Machine) -> Result<(State, bool), LabError> {
    let mut again = false;
    let state = wait::until("the end of the upgrade", WHOLE, Duration::ZERO, || {
        if !again && restarted(machine, LISTEN)? {
            again = true;
        }
        // It may be about to restart: what it does not answer now is asked again.
        let now = match state(machine) {
            Ok(state) => state,
            Err(LabError::Interrupted) => return Err(LabError::Interrupted),
            Err(error) => return Ok(Seen::NotYet(error.to_string())),
        };
        let on_the_way = now.outcome == Outcome::Running;
        if !again && now.next().is_some_and(before_restart) {
            // What is asked of a chassis that goes down is lost: from here on it is listened to.
            again = restarted(machine, COMMAND)?;
        }
        Ok(if on_the_way { Seen::NotYet(format!("{} steps done", now.done.len())) } else { Seen::Done(now) })
    })?;
    Ok((state, again))
}

/// Whether a step is the restart of the chassis itself, or one of the quick ones before it.
fn before_restart(step: upgrade::Step) -> bool {
    step.side == Side::Here && matches!(step.act, Act::Enter | Act::Remove | Act::Synchronize | Act::Reload)
}

/// Whether a machine starts again within `limit`; when it has started, the lab's agent runs in it again.
fn restarted(machine: &Machine, limit: Duration) -> Result<bool, LabError> {
    if machine.hear(BOOTS, limit).is_err() {
        crate::interrupt::check()?;
        return Ok(false);
    }
    machine.hear(STARTED, START)?;
    machine.type_line("")?;
    machine.back(COMMAND)?;
    Ok(true)
}

/// How the upgrade stands that this chassis carries out.
pub fn state(node: &dyn Node) -> Result<State, LabError> {
    let job = Job::new("srpctl", ["--json", "upgrade", "status"]);
    let output = node.run_ok(&job, Duration::from_secs(10))?;
    serde_json::from_slice(&output.stdout).map_err(|error| LabError::Answer {
        command: format!("{} on {}", job.line(), node.name()),
        reason: format!("{error} in: {}", output.text().trim()),
    })
}

/// Puts the steps that are done onto the timeline. `names` are this chassis and its peer; `ahead` is by how many microseconds this
/// chassis' wall clock was ahead of our clock before its own restart, and after it.
fn tell(notes: &mut Notes, state: &State, names: [&str; 2], ahead: [i64; 2]) {
    let restart = |done: &Done| done.step.act == Act::Reload && done.step.side == Side::Here;
    let restart = state.done.iter().position(restart).unwrap_or(state.done.len());
    for (at, done) in state.done.iter().enumerate() {
        let clock = if at <= restart { ahead[0] } else { ahead[1] };
        let micros = done.at_us.saturating_add_signed(clock.saturating_neg());
        let name = if done.step.side == Side::Here { names[0] } else { names[1] };
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of an upgrade")]
        let seconds = done.took_ms as f64 / 1000.0;
        notes.saw(Moment {
            at: Time(micros.saturating_mul(1000)),
            lane: lane(LaneKind::Chassis, name),
            event: format!("upgrade-{}", done.step.act.name()),
            detail: format!("took {seconds:.1} s: {}", done.found),
        });
    }
}
