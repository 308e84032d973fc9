//! Steps that change who serves, or wait for a chassis.

use super::{BGP, BOOT, INFO, MONITORS, Pair, Stop, TRAPS, Trouble, VERSION, ask, keep};
use crate::facts::{Bgp, Boot, Counts, Event, Info, Monitors, Running};
use crate::judge;
use crate::plan::{Act, Side, Step};
use crate::progress::{Done, State};

/// Between two looks, milliseconds.
const LOOK_MS: u64 = 1000;
/// From a restart to an image that was found good: three boots of one that is not, and a slow machine.
const RUNNING_MS: u64 = 15 * 60 * 1000;
/// A chassis that has not begun to restart by then is told again, once.
const AGAIN_MS: u64 = 60 * 1000;
/// Until neighbours and routes are back.
const SETTLED_MS: u64 = 5 * 60 * 1000;
/// Until roles have changed and what is announced is announced.
const TAKEN_MS: u64 = 60 * 1000;

/// Looks until it is so; what is not so yet when the time is over are the doubts.
fn until<P: Pair>(
    pair: &mut P,
    state: &mut State,
    limit_ms: u64,
    mut look: impl FnMut(&mut P, &mut State, u64) -> Result<Result<String, Vec<String>>, Stop>,
) -> Result<String, Stop> {
    let began_us = pair.now_us();
    loop {
        let spent_ms = pair.now_us().saturating_sub(began_us) / 1000;
        let not_yet = match look(pair, state, spent_ms)? {
            Ok(found) => return Ok(found),
            Err(not_yet) => not_yet,
        };
        if spent_ms >= limit_ms {
            let mut doubts = not_yet;
            doubts.push(format!("that is so {} s after it should have changed", limit_ms / 1000));
            return Err(Stop::Doubts(doubts));
        }
        let waiting = Some(not_yet.join("; "));
        if state.waiting != waiting {
            state.waiting = waiting;
            keep(pair, state)?;
        }
        pair.pause(LOOK_MS)?;
    }
}

/// An answer, or `Err(Ok(..))` with why there is none yet.
fn yet<T>(answer: Result<T, Trouble>) -> Result<Result<T, Vec<String>>, Stop> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Trouble::Told) => Err(Stop::Told),
        Err(other @ (Trouble::Unreachable { .. } | Trouble::Refused { .. } | Trouble::Kept(_))) => {
            Ok(Err(other.lines()))
        }
    }
}

/// The value, or out of the closure with what is not so yet.
macro_rules! now {
    ($answer:expr) => {
        match yet($answer)? {
            Ok(answer) => answer,
            Err(not_yet) => return Ok(Err(not_yet)),
        }
    };
}

/// Restarts a chassis, if it is Standby beside an Active that hears it.
fn restart<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<(), Stop> {
    let (own, other): (Info, Info) = (ask(pair, side, &INFO)?, ask(pair, side.other(), &INFO)?);
    let mut doubts = judge::link(side, &own, "Standby");
    doubts.extend(judge::link(side.other(), &other, "Active"));
    if !doubts.is_empty() {
        return Err(Stop::Doubts(doubts));
    }
    state.before.of_mut(side).life = own.boot_id;
    keep(pair, state)?;
    match pair.ask(side, &["reload", "--noconfirm"]) {
        // It may have gone down before it could say so.
        Ok(_) | Err(Trouble::Unreachable { .. }) => Ok(()),
        Err(other @ (Trouble::Refused { .. } | Trouble::Kept(_) | Trouble::Told)) => Err(other.into()),
    }
}

/// The one step that is written down before it is done: whoever carries it out may be what restarts.
pub fn reload<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<String, Stop> {
    let began_us = pair.now_us();
    let step = Step { side, act: Act::Reload };
    let running: Running = ask(pair, side, &VERSION)?;
    let note = |state: &mut State, found: &str| {
        state.done.push(Done { step, at_us: began_us, took_ms: 0, found: found.to_owned() });
    };
    if running.image.as_ref() == Some(&state.target(side)) {
        note(state, "it runs it already");
        return Ok(String::new());
    }
    note(state, "restarting");
    let restarted = restart(pair, state, side).and_then(|()| {
        if side == Side::Here {
            // The restart ends this program; what comes up after it goes on.
            until(pair, state, AGAIN_MS, |_, _, _| Ok(Err(vec![format!("{side} was told to restart")])))?;
        }
        Ok(String::new())
    });
    if restarted.is_err() {
        state.done.pop();
    }
    restarted
}

pub fn running<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<String, Stop> {
    let target = state.target(side);
    let mut told_again = false;
    until(pair, state, RUNNING_MS, |pair, state, spent_ms| {
        let running: Running = now!(ask(pair, side, &VERSION));
        let info: Info = now!(ask(pair, side, &INFO));
        let boot: Boot = now!(ask(pair, side, &BOOT));
        if running.image.as_ref() == Some(&target) {
            let good = boot.entries.iter().any(|entry| entry.image == target && entry.state == "good");
            let release = running.manifest.map_or_else(|| target.clone(), |release| release.to_string());
            return Ok(if good {
                Ok(release)
            } else {
                Err(vec![format!("{target} of {side} is not found good yet")])
            });
        }
        if info.boot_id != state.before.of(side).life {
            return Err(Stop::doubt(judge::passed_over(side, &boot, &target)));
        }
        if spent_ms >= AGAIN_MS && !told_again {
            told_again = true;
            restart(pair, state, side)?;
        }
        Ok(Err(vec![format!("{side} has not restarted yet")]))
    })
}

pub fn settled<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<String, Stop> {
    until(pair, state, SETTLED_MS, |pair, state, _| {
        let own: Info = now!(ask(pair, side, &INFO));
        let other: Info = now!(ask(pair, side.other(), &INFO));
        let contexts: Vec<Bgp> = now!(ask(pair, side, &BGP));
        // What it announced when it was Active, it does not as Standby.
        let before = Counts { announced: 0, ..state.before.of(side).counts };
        let now = Counts::of(&contexts);
        let mut doubts = judge::link(side, &own, "Standby");
        doubts.extend(judge::link(side.other(), &other, "Active"));
        doubts.extend(judge::counts(side, &before, &now));
        Ok(if doubts.is_empty() { Ok(counted(now)) } else { Err(doubts) })
    })
}

fn counted(counts: Counts) -> String {
    let Counts { established, received, announced } = counts;
    format!("{established} BGP neighbors Established, {received} prefixes received, {announced} announced")
}

pub fn take_over<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<String, Stop> {
    let active = side.other();
    let (own, other): (Info, Info) = (ask(pair, side, &INFO)?, ask(pair, active, &INFO)?);
    let mut said = String::from("it is Active already");
    if own.chassis_state != "Active" {
        let mut doubts = judge::link(side, &own, "Standby");
        doubts.extend(judge::link(active, &other, "Active"));
        if !doubts.is_empty() {
            return Err(Stop::Doubts(doubts));
        }
        let answer = pair.ask(active, &["srp", "initiate-switchover"])?;
        said = answer["took_ms"].as_f64().map_or_else(String::new, |ms| format!("switchover in {ms:.0} ms"));
    }
    let announced = state.before.of(state.first.other()).counts.announced;
    let counted = until(pair, state, TAKEN_MS, |pair, _, _| {
        let own: Info = now!(ask(pair, side, &INFO));
        let other: Info = now!(ask(pair, active, &INFO));
        let contexts: Vec<Bgp> = now!(ask(pair, side, &BGP));
        let now = Counts::of(&contexts);
        let mut doubts = judge::link(side, &own, "Active");
        doubts.extend(judge::link(active, &other, "Standby"));
        doubts.extend(judge::counts(side, &Counts { announced, ..Counts::default() }, &now));
        Ok(if doubts.is_empty() { Ok(counted(now)) } else { Err(doubts) })
    })?;
    Ok(format!("{said}; {counted}"))
}

pub fn aaa<P: Pair>(pair: &mut P, state: &mut State, side: Side) -> Result<String, Stop> {
    until(pair, state, TAKEN_MS, |pair, _, _| {
        let monitors: Monitors = now!(ask(pair, side, &MONITORS));
        let events: Vec<Event> = now!(ask(pair, side, &TRAPS));
        let doubts = judge::aaa(side, &events);
        if !doubts.is_empty() {
            return Err(Stop::Doubts(doubts));
        }
        let unknown = judge::aaa_unknown(&monitors);
        let watched = monitors.monitors.iter().filter(|monitor| monitor.kind == "AAA").count();
        Ok(match (watched, unknown.as_slice()) {
            (0, _) => Ok("no AAA server is watched".to_owned()),
            // One that answers is enough: they stand for each other.
            (all, down) if down.len() < all => {
                Ok(format!("{} of {all} AAA servers answer", all - down.len()))
            }
            (_, down) => Err(vec![format!("no AAA server has answered {side} yet: {}", down.join(", "))]),
        })
    })
}
