//! Seeded simulation of two chassis: a hundred thousand stories of faults, each with the invariants of `sim/check.rs`.
//!
//! `SRP_SIM_SEED=17 cargo test -p srp-core --test sim one_story -- --nocapture` tells one story line by line, and with
//! `SRP_SIM_KEEP` a part of it; a story that fails prints what to write. `SRP_SIM_SEEDS=10_000_000` tells that many
//! instead of the usual number, `SRP_SIM_FIRST` begins at another seed, `SRP_SIM_SURVEY=1` goes on after a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

#[allow(dead_code, reason = "shared with the scenarios, each uses its part")]
#[path = "sim/mod.rs"]
mod sim;

use sim::check::Change;
use sim::many::on_every_core;
use sim::sabotage::Sabotage;
use sim::script;
use sim::shrink::shrink;
use sim::story::{Kept, Story};
use srp_core::types::SwitchReason;

/// Stories of one run.
const SEEDS: u64 = 100_000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.replace('_', "").parse().ok()
}

/// Prints the whole story; what it broke, if anything.
fn print_story(story: &Story) -> Option<String> {
    println!("{story}");
    let world = story.tell(Sabotage::None, true, true);
    for line in world.trace.into_iter().flatten() {
        println!("{line}");
    }
    world.check.broken
}

#[test]
fn one_story_told_line_by_line() {
    let Some(seed) = number("SRP_SIM_SEED") else { return };
    let story = match std::env::var("SRP_SIM_KEEP") {
        Ok(kept) => Story::parse(seed, &kept).unwrap_or_else(|error| panic!("SRP_SIM_KEEP: {error}")),
        Err(_) => Story::of_seed(seed),
    };
    assert_eq!(print_story(&story), None, "seed {seed}");
}

/// What many stories came to.
#[derive(Default)]
struct Sum {
    dual_active: u64,
    heard_both: u64,
    vouched_for: u64,
    /// By seed.
    broken: BTreeMap<u64, String>,
    changes: BTreeSet<Change>,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.dual_active += other.dual_active;
        self.heard_both += other.heard_both;
        self.vouched_for += other.vouched_for;
        self.broken.extend(other.broken);
        self.changes.extend(other.changes);
    }
}

fn tell_many(seeds: std::ops::Range<u64>) -> Sum {
    let tell = |seed, sum: &mut Sum| {
        let check = Story::of_seed(seed).tell(Sabotage::None, false, seed % 16 == 0).check;
        sum.add(Sum {
            dual_active: check.dual_active,
            heard_both: check.heard_both,
            vouched_for: check.vouched_for,
            broken: check.broken.into_iter().map(|broken| (seed, broken)).collect(),
            changes: check.changes,
        });
    };
    on_every_core(seeds, tell, Sum::add)
}

#[test]
fn invariants_hold_over_many_seeds() {
    let seeds = number("SRP_SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("SRP_SIM_FIRST").unwrap_or(0);
    let begin = Instant::now();
    let sum = tell_many(first..first + seeds);
    let took = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let rate = seeds as f64 / took;
    println!(
        "{seeds} seeds in {took:.1} s, {rate:.0} a second; {} steps with two Active, {} looks at a route that a router hears of both, {} steps at which BFD alone holds a Standby back",
        sum.dual_active, sum.heard_both, sum.vouched_for
    );
    if number("SRP_SIM_SURVEY").is_some() {
        sum.broken.iter().for_each(|(seed, broken)| println!("seed {seed}: {broken}"));
        assert!(sum.broken.is_empty(), "{} stories break an invariant", sum.broken.len());
    }
    if let Some((seed, broken)) = sum.broken.first_key_value() {
        let told = Story::of_seed(*seed);
        let small = shrink(&told, Sabotage::None);
        let (was, is) = (told.happenings.len(), small.happenings.len());
        print_story(&small);
        panic!(
            "seed {seed}: {broken}\n{is} of {was} faults are enough, see above\n\
             replay: SRP_SIM_SEED={seed} SRP_SIM_KEEP={} cargo test -p srp-core --test sim one_story -- --nocapture",
            Kept(&small)
        );
    }
    assert!(
        seeds < 1_000 || (sum.dual_active > 0 && sum.heard_both > 0 && sum.vouched_for > 0),
        "the simulator sees too little"
    );
}

/// The first story that notices.
fn caught(sabotage: Sabotage) -> Option<Story> {
    let mut stories = (0..20_000).map(Story::of_seed);
    stories.find(|story| story.tell(sabotage, false, false).check.broken.is_some())
}

#[test]
fn every_broken_rule_is_caught_and_its_story_made_small() {
    for sabotage in Sabotage::ALL.into_iter().chain(Sabotage::OF_BFD).chain(Sabotage::OF_MONITORS) {
        let Some(told) = caught(sabotage) else { panic!("{sabotage:?} breaks a rule and nothing notices") };
        let small = shrink(&told, sabotage);
        // What is printed is enough to tell it again.
        let again = Story::parse(told.seed, &Kept(&small).to_string()).expect("what was printed");
        let broken = again.tell(sabotage, false, false).check.broken.expect("the small story fails too");
        let (was, is) = (told.happenings.len(), small.happenings.len());
        println!("{sabotage:?}: caught in story {}: {broken}", told.seed);
        println!("{is} of {was} faults: SRP_SIM_KEEP={}\n{small}", Kept(&small));
        assert!(is <= 8, "{sabotage:?}: a broken rule needs a few faults, not {is}");
    }
}

/// The rows of the table in the document: from, to, reasons.
fn documented() -> Vec<(String, String, Vec<u8>)> {
    let text = include_str!("../../../docs/state-machine.md");
    let rows = text.lines().skip_while(|line| !line.starts_with("| From | To | Reason |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let reasons = cells[2].split(',').map(|number| number.trim().parse().expect("a reason number"));
        (cells[0].to_owned(), cells[1].to_owned(), reasons.collect())
    });
    rows.collect()
}

#[test]
fn the_table_of_states_is_what_the_cores_do() {
    let rows = documented();
    // Each reason of each row.
    let mut missing: BTreeSet<(usize, u8)> = (0..)
        .zip(&rows)
        .flat_map(|(row, (.., reasons))| reasons.iter().map(move |reason| (row, *reason)))
        .collect();
    let batch = 5_000;
    // Some rows need a rare story.
    for first in (0..SEEDS).step_by(usize::try_from(batch).expect("a batch")) {
        for (from, to, reason) in tell_many(first..first + batch).changes {
            let (from, to, reason) = (from.to_string(), to.to_string(), reason.number());
            let row = rows.iter().position(|row| row.0 == from && row.1 == to && row.2.contains(&reason));
            let Some(row) = row else { panic!("{from} -> {to} ({reason}) is not in the table") };
            missing.remove(&(row, reason));
        }
        if missing.is_empty() {
            return;
        }
    }
    for (row, reason) in &missing {
        println!("no story reaches {} -> {} ({reason})", rows[*row].0, rows[*row].1);
    }
    assert!(missing.is_empty(), "{} changes of the table are in no story", missing.len());
}

/// From 1 ms to 10 s, each some three in a hundred longer than the one before; around the dead-interval each millisecond.
fn periods() -> Vec<u64> {
    let mut periods: BTreeSet<u64> = (280..=340).collect();
    let mut period = 1;
    while period < 10_000 {
        periods.insert(period);
        period += 1 + period / 32;
    }
    periods.insert(10_000);
    periods.into_iter().collect()
}

#[test]
fn ch_5_a_link_that_flaps_at_any_period_moves_no_router() {
    let periods = periods();
    assert!(periods.len() > 200, "too few to mean every period");
    let tell = |number: u64, wrong: &mut Vec<String>| {
        let period = periods[usize::try_from(number).expect("an index")];
        for announces in ["yes", "no"] {
            let flap = format!("> cut; run {period}ms\n> heal; run {period}ms\n").repeat(20);
            let told = script::play(&format!(
                "pair east=primary west=backup advertise-in-standby={announces}\n> start both; run 1s\n{flap}> run 2s\n"
            ));
            let told = told.unwrap_or_else(|broken| panic!("flaps every {period} ms: {broken}"));
            let summaries: Vec<&str> = told.lines().filter(|line| line.starts_with("   = ")).collect();
            let strays = summaries.iter().filter(|summary| !summary.ends_with("routers prefer east east"));
            wrong.extend(strays.map(|summary| format!("flaps every {period} ms: {summary}")));
            if summaries.last() != Some(&"   = east Active 1, west Standby 2, routers prefer east east") {
                wrong.push(format!("flaps every {period} ms, ends: {:?}", summaries.last()));
            }
        }
    };
    let wrong = on_every_core(0..periods.len() as u64, tell, |all: &mut Vec<String>, more| all.extend(more));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Reasons 0 to 12 of the public list, each with what brings it about; `None` where nothing here does.
const REASONS: [(SwitchReason, Option<&str>); 13] = [
    (SwitchReason::NotDefined, Some("an election, a peer that vouches, a return")),
    (SwitchReason::AaaFailure, Some("no AAA server answers")),
    (SwitchReason::BgpFailure, Some("all BGP neighbours of a context or group are down")),
    (SwitchReason::BfdFailure, Some("BFD with all routers of a context or group has failed")),
    (SwitchReason::DiameterFailure, Some("all Diameter peers of a context or group are down")),
    (SwitchReason::HsrpSwitchover, None),
    (SwitchReason::ChassisChassisBfdFailure, Some("BFD has failed and Hellos are overdue")),
    (SwitchReason::DualActive, Some("two Active that hear each other")),
    (SwitchReason::DualStandby, Some("two Standby that hear each other")),
    (SwitchReason::DeadTimerExpiry, Some("no Hello for a dead-interval")),
    (SwitchReason::ForceStateChange, Some("an orderly stop")),
    (SwitchReason::ManualSwitchover, Some("an operator")),
    (SwitchReason::EgqcFailure, None),
];

#[test]
fn ch_1_every_switch_reason_is_produced_but_those_of_other_hardware() {
    let produced: BTreeSet<u8> =
        tell_many(0..2_000).changes.iter().map(|(_, _, reason)| reason.number()).collect();
    for (number, (reason, cause)) in (0..).zip(REASONS) {
        assert_eq!(reason.number(), number);
        assert_eq!(produced.contains(&number), cause.is_some(), "{reason}: {cause:?}");
    }
}
