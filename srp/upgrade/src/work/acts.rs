//! Steps that are done at once.

use super::begin::{fits, is_path, of_report};
use super::{BGP, BOOT, DIRECTORY, INFO, MONITORS, Pair, Stop, TRAPS, ask};
use crate::facts::{Bgp, Boot, Directory, Event, Info, Monitors};
use crate::judge::{self, Place};
use crate::plan::Side;
use crate::progress::State;

fn no_doubts(doubts: Vec<String>, found: impl Into<String>) -> Result<String, Stop> {
    if doubts.is_empty() { Ok(found.into()) } else { Err(Stop::Doubts(doubts)) }
}

fn mib(octets: u64) -> String {
    format!("{}.{} MiB", octets >> 20, ((octets & 0xf_ffff) * 10) >> 20)
}

pub fn room<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    let directory: Directory = ask(pair, side, &DIRECTORY)?;
    place(pair, state, side)?;
    let free = directory.free;
    let target = state.on_flash(side);
    // The image may lie there already, from an operator or from an attempt before.
    let source = side == Side::Here && state.source == target;
    if source || pair.ask(side, &["show", "version", &target]).is_ok() {
        return Ok(format!("{} free, and the image is there", mib(free)));
    }
    // One that comes from elsewhere is known once it is here: until then its copying says what is too large.
    match state.octets {
        Some(need) if need > free => Err(Stop::doubt(format!(
            "/flash of {side} has {} free, and {} needs {}: delete files there that are not needed, see `directory /flash`",
            mib(free),
            state.image,
            mib(need)
        ))),
        Some(need) => Ok(format!("{} free, {} needed", mib(free), mib(need))),
        None => Ok(format!("{} free", mib(free))),
    }
}

/// Where the image stands in the boot stack of a chassis, or can.
fn place<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<(Place, Boot), Stop> {
    let boot: Boot = ask(pair, side, &BOOT)?;
    let config = &state.before.of(side).config;
    let place = judge::place(side, &boot, &state.on_flash(side), config).map_err(Stop::Doubts)?;
    Ok((place, boot))
}

pub fn copy<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    let target = state.on_flash(side);
    let source = match side {
        Side::Here => state.source.clone(),
        Side::Peer => state.on_flash(Side::Here),
    };
    if side == Side::Here && source == target {
        return Ok("it is there".to_owned());
    }
    // What is sound there and the same is not brought again.
    if is_path(&source)
        && let Ok(there) = pair.ask(side, &["show", "version", &target])
        && there["manifest"] == pair.ask(Side::Here, &["show", "version", &source])?["manifest"]
    {
        return Ok("it is there".to_owned());
    }
    match side {
        Side::Here => {
            pair.ask(side, &["copy", &source, &target, "--noconfirm"])?;
        }
        // Its signature first: an image is never there without one.
        Side::Peer => {
            for suffix in [".sig", ""] {
                pair.send(&format!("{source}{suffix}"), &format!("{target}{suffix}"))?;
            }
        }
    }
    Ok(target)
}

pub fn verify<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<String, Stop> {
    let target = state.on_flash(side);
    let (release, octets) = of_report(pair.ask(side, &["show", "version", &target])?)?;
    match &state.release {
        Some(known) if known != &release => {
            return Err(Stop::doubt(format!("{side} has {release} as {target}, and not {known}")));
        }
        Some(_) => {}
        None => {
            fits(state, &release)?;
            (state.release, state.octets) = (Some(release.clone()), Some(octets));
        }
    }
    Ok(format!("{release}, sound"))
}

pub fn save<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    let before = state.before.of(side);
    let copy =
        format!("{}.before-{}", before.config, state.release.as_ref().map_or("upgrade", |new| &new.version));
    pair.ask(side, &["save", "configuration", &copy])?;
    Ok(copy)
}

pub fn check<P: Pair>(pair: &mut P, side: Side) -> Result<String, Stop> {
    let mut doubts = Vec::new();
    let mut neighbors = 0;
    for (side, state) in [(side, "Standby"), (side.other(), "Active")] {
        let info: Info = ask(pair, side, &INFO)?;
        let monitors: Monitors = ask(pair, side, &MONITORS)?;
        let boot: Boot = ask(pair, side, &BOOT)?;
        let contexts: Vec<Bgp> = ask(pair, side, &BGP)?;
        let events: Vec<Event> = ask(pair, side, &TRAPS)?;
        doubts.extend(judge::health(side, &info, &monitors, &boot));
        doubts.extend(judge::link(side, &info, state));
        doubts.extend(judge::bgp(side, &contexts));
        doubts.extend(judge::aaa(side, &events));
        neighbors += contexts.iter().map(|context| context.neighbors.len()).sum::<usize>();
    }
    no_doubts(doubts, format!("health, SRP and {neighbors} BGP neighbors of both chassis are good"))
}

pub fn would_enter<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    let (place, boot) = place(pair, state, side)?;
    Ok(match (place, boot.entries.first()) {
        (Place::First(priority), _) => format!("boot priority {priority} is it already"),
        (Place::Free, Some(first)) if first.priority > 1 => format!("boot priority {}", first.priority - 1),
        (Place::Free, Some(_)) => "before all others, which are numbered anew".to_owned(),
        (Place::Free, None) => "the only entry".to_owned(),
    })
}

pub fn enter<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    if let (Place::First(priority), _) = place(pair, state, side)? {
        return Ok(format!("boot priority {priority} is it already"));
    }
    let (image, config) = (state.on_flash(side), &state.before.of(side).config);
    let answer =
        pair.ask(side, &["boot", "system", "priority", "next", "image", &image, "config", config])?;
    Ok(format!("boot priority {} is {image} with {config}", answer["priority"]))
}

/// Priorities of the entries that go, and what that leaves.
pub fn would_remove<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<(Vec<u8>, String), Stop> {
    let boot: Boot = ask(pair, side, &BOOT)?;
    let (image, before) = (state.on_flash(side), state.before.of(side));
    if before.image == image {
        return Ok((Vec::new(), "it ran this image before, and keeps it".to_owned()));
    }
    let goes: Vec<u8> =
        boot.entries.iter().filter(|entry| entry.image == image).map(|entry| entry.priority).collect();
    let stays = boot.entries.iter().find(|entry| entry.image != image && entry.state != "bad");
    match stays {
        Some(entry) if entry.image == before.image => {
            let found = match goes.as_slice() {
                [] => format!("{} is not entered; {} is first", state.image, entry.image),
                goes => format!("boot priority {} goes, and {} is first", listed(goes), entry.image),
            };
            Ok((goes, found))
        }
        Some(entry) => Err(Stop::doubt(format!(
            "{side} would boot {} then, and ran {} before: `boot system priority next image {} config {}` there first",
            entry.image, before.image, before.image, before.config
        ))),
        None => Err(Stop::doubt(format!(
            "no other entry of {side} can be booted: `boot system priority next image {} config {}` there first",
            before.image, before.config
        ))),
    }
}

fn listed(priorities: &[u8]) -> String {
    priorities.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

pub fn remove<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    let (goes, found) = would_remove(pair, state, side)?;
    for priority in &goes {
        pair.ask(side, &["no", "boot", "system", "priority", &priority.to_string()])?;
    }
    Ok(found)
}

pub fn synchronize<P: Pair>(pair: &mut P, side: Side) -> Result<String, Stop> {
    pair.ask(side, &["filesystem", "synchronize", "all"])?;
    Ok("the disk has everything, also for the loader".to_owned())
}

pub fn may_switch<P: Pair>(pair: &mut P, active: Side) -> Result<String, Stop> {
    pair.ask(active, &["srp", "validate-switchover"])?;
    Ok("a planned switchover would be accepted".to_owned())
}

pub fn test<P: Pair>(pair: &mut P, state: &State, side: Side) -> Result<String, Stop> {
    let Some(command) = &state.test else { return Ok("nothing to run".to_owned()) };
    pair.test(command, side)?;
    Ok(format!("`{command}` said yes"))
}
