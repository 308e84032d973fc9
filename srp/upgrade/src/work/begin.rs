//! Before the first step: who is Standby, what runs, what would be done, and what is in its way.

use std::path::Path;

use serde_json::Value;

use super::{BGP, BOOT, DIRECTORY, INFO, Pair, Stop, VERSION, acts, ask};
use crate::facts::{Bgp, Boot, Counts, Directory, Info, Release, Running, read};
use crate::judge;
use crate::plan::{Act, Side, Step, Wishes, rollback, upgrade};
use crate::progress::{Before, Both, Kind, Outcome, State};

/// Octets that stand in an image file, and beside it, in addition to its members.
const BESIDE_MEMBERS: u64 = 64 * 1024;

/// What an operator asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Tells it from others.
    pub id: String,
    /// The image: a path here, or a URL.
    pub source: String,
    /// The other chassis, as ssh is asked for it.
    pub peer: String,
    /// Command for test calls.
    pub test: Option<String>,
    /// The one that was Active becomes Active again.
    pub switch_back: bool,
    /// The image may be older than what runs.
    pub older: bool,
}

/// What a step found that was only looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The step.
    pub step: Step,
    /// What was found; nothing for a step that cannot be looked at beforehand.
    pub found: Option<String>,
    /// What is in its way.
    pub doubts: Vec<String>,
}

/// Looks at both chassis, and says what is to be done to upgrade them; changes nothing.
///
/// # Errors
/// There is no pair to upgrade, or not to this image.
pub fn begin<P: Pair>(pair: &mut P, wish: &Wish) -> Result<State, Stop> {
    let judged = if is_path(&wish.source) {
        Some(of_report(pair.ask(Side::Here, &["show", "version", &wish.source])?)?)
    } else {
        None // known once it is here
    };
    let (release, octets) = judged.unzip();
    let (first, before) = look(pair)?;
    let state = State {
        id: wish.id.clone(),
        kind: Kind::Upgrade,
        peer: wish.peer.clone(),
        source: wish.source.clone(),
        image: name(&wish.source, &before.here.flash)?,
        release,
        octets,
        test: wish.test.clone(),
        older: wish.older,
        first,
        before,
        steps: upgrade(first, Wishes { switch_back: wish.switch_back, test: wish.test.is_some() }),
        done: Vec::new(),
        waiting: None,
        began_us: pair.now_us(),
        changed_us: pair.now_us(),
        outcome: Outcome::Running,
    };
    if let Some(release) = &state.release {
        fits(&state, release)?;
    }
    Ok(state)
}

/// Says what is to be done to go back from the image of `last` (OPS-8); changes nothing.
///
/// # Errors
/// There is no pair, or it does not run that image.
pub fn back<P: Pair>(pair: &mut P, last: &State, wish: &Wish) -> Result<State, Stop> {
    let (first, now) = look(pair)?;
    let ran_it = |side| last.before.of(side).image == last.on_flash(side);
    let on_new: Vec<Side> = Side::BOTH
        .into_iter()
        .filter(|side| now.of(*side).image == last.on_flash(*side) && !ran_it(*side))
        .collect();
    let mut entered = !on_new.is_empty();
    for side in Side::BOTH {
        let boot: Boot = ask(pair, side, &BOOT)?;
        entered |= !ran_it(side) && boot.entries.iter().any(|entry| entry.image == last.on_flash(side));
    }
    if !entered {
        return Err(Stop::doubt(format!(
            "neither chassis runs {}, or has it in its boot stack: there is nothing to go back from",
            last.image
        )));
    }
    let mut before = last.before.clone();
    for side in Side::BOTH {
        let (kept, now) = (before.of_mut(side), now.of(side));
        (kept.counts, kept.life) = (now.counts, now.life.clone());
    }
    let wishes = Wishes { switch_back: wish.switch_back, test: wish.test.is_some() };
    Ok(State {
        id: wish.id.clone(),
        kind: Kind::Rollback,
        peer: wish.peer.clone(),
        test: wish.test.clone(),
        first,
        before,
        steps: rollback(first, &on_new, wishes),
        done: Vec::new(),
        waiting: None,
        began_us: pair.now_us(),
        changed_us: pair.now_us(),
        outcome: Outcome::Running,
        ..last.clone()
    })
}

/// What each step finds that can be looked at beforehand; changes nothing.
pub fn survey<P: Pair>(pair: &mut P, state: &State) -> Vec<Finding> {
    let mut findings = Vec::new();
    for step in &state.steps {
        let first = step.side == state.first;
        let looked = match (step.act, state.kind) {
            (Act::Room, _) => Some(acts::room(pair, state, step.side)),
            (Act::Verify, _) if step.side == Side::Here => {
                state.release.as_ref().map(|release| Ok(release.to_string()))
            }
            (Act::Check, Kind::Upgrade) if first => Some(acts::check(pair, step.side)),
            (Act::Enter, _) => Some(acts::would_enter(pair, state, step.side)),
            (Act::Remove, _) => Some(acts::would_remove(pair, state, step.side).map(|(_, found)| found)),
            (Act::TakeOver, Kind::Upgrade) if first => Some(acts::may_switch(pair, step.side.other())),
            (
                Act::Copy
                | Act::Verify
                | Act::Save
                | Act::Check
                | Act::Synchronize
                | Act::Reload
                | Act::Running
                | Act::Settled
                | Act::TakeOver
                | Act::Aaa
                | Act::Test,
                _,
            ) => None,
        };
        let (found, doubts) = match looked {
            None => (None, Vec::new()),
            Some(Ok(found)) => (Some(found), Vec::new()),
            Some(Err(Stop::Doubts(doubts))) => (None, doubts),
            Some(Err(Stop::Told)) => (None, vec!["somebody asked to stop".to_owned()]),
        };
        findings.push(Finding { step: *step, found, doubts });
    }
    findings
}

/// Whether it is a file here, and not a URL.
pub(super) fn is_path(source: &str) -> bool {
    !source.contains("://")
}

/// What an answer to `show version FILE` says of a sound image: its release, and the octets that it needs on `/flash`.
pub(super) fn of_report(mut report: Value) -> Result<(Release, u64), Stop> {
    let members = report["manifest"]["members"].as_object().into_iter().flat_map(serde_json::Map::values);
    let octets = members.filter_map(|member| member["size"].as_u64()).sum::<u64>() + BESIDE_MEMBERS;
    let release = read(report["manifest"].take())
        .map_err(|why| Stop::doubt(format!("its manifest cannot be read: {why}")))?;
    Ok((release, octets))
}

/// Doubts about an image that should follow what runs.
pub(super) fn fits(state: &State, release: &Release) -> Result<(), Stop> {
    let mut doubts = Vec::new();
    let runs = |side| state.before.of(side).image == state.on_flash(side);
    let same = |side| &state.before.of(side).release == release;
    if Side::BOTH.into_iter().all(|side| runs(side) && same(side)) {
        return Err(Stop::doubt(format!("both chassis run {} already, as {}", release, state.image)));
    }
    for side in Side::BOTH {
        if runs(side) && !same(side) {
            doubts.push(format!(
                "{side} runs another image of that name, {}: give the file another one",
                state.before.of(side).release
            ));
        }
        doubts.extend(judge::follows(side, &state.before.of(side).release, release, state.older));
    }
    if doubts.is_empty() { Ok(()) } else { Err(Stop::Doubts(doubts)) }
}

/// Who is Standby, and what both are.
fn look<P: Pair>(pair: &mut P) -> Result<(Side, Both<Before>), Stop> {
    let here: Info = ask(pair, Side::Here, &INFO)?;
    let peer: Info = ask(pair, Side::Peer, &INFO)?;
    let first = judge::standby(&here, &peer).map_err(Stop::Doubts)?;
    let before = Both { here: before(pair, Side::Here, here)?, peer: before(pair, Side::Peer, peer)? };
    Ok((first, before))
}

fn before<P: Pair>(pair: &mut P, side: Side, info: Info) -> Result<Before, Stop> {
    let boot: Boot = ask(pair, side, &BOOT)?;
    let running: Running = ask(pair, side, &VERSION)?;
    let directory: Directory = ask(pair, side, &DIRECTORY)?;
    let contexts: Vec<Bgp> = ask(pair, side, &BGP)?;
    let booted = boot.booted.and_then(|booted| Some((booted.image, booted.config?)));
    let (Some((image, config)), Some(release)) = (booted, running.manifest) else {
        return Err(Stop::doubt(format!(
            "{side} was not booted from an entry of its boot stack: see `show boot` there; there is nothing to upgrade that way"
        )));
    };
    let counts = Counts::of(&contexts);
    Ok(Before { flash: directory.folder, image, release, config, life: info.boot_id, counts })
}

/// Name of the image on `/flash`: where it is there already, else its last name.
fn name(source: &str, flash: &str) -> Result<String, Stop> {
    let there = source.strip_prefix(flash).and_then(|rest| rest.strip_prefix('/'));
    let plain = if is_path(source) { source } else { source.split(['?', '#']).next().unwrap_or(source) };
    let name = there.or_else(|| plain.rsplit('/').next()).unwrap_or_default();
    if Path::new(name).extension().is_some_and(|extension| extension == "bin") {
        Ok(name.to_owned())
    } else {
        Err(Stop::doubt(format!("{source} is no image: its name should end in .bin")))
    }
}
