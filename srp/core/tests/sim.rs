//! Seeded simulation of two chassis: thousands of stories of faults, each with the invariants of `sim/check.rs`.
//!
//! `SRP_SIM_SEED=17 cargo test -p srp-core --test sim one_seed -- --nocapture` tells one story line by line;
//! `SRP_SIM_SEEDS=1000000` runs that many instead of the usual ten thousand.

#[allow(dead_code, reason = "shared with the scenarios, each uses its part")]
#[path = "sim/mod.rs"]
mod sim;

use sim::chaos::tell;
use sim::sabotage::Sabotage;
use sim::script;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.replace('_', "").parse().ok()
}

/// Prints the whole story of a seed.
fn print_story(seed: u64) -> Option<String> {
    let world = tell(seed, Sabotage::None, true, true);
    for line in world.trace.into_iter().flatten() {
        println!("{line}");
    }
    world.check.broken
}

#[test]
fn one_seed_told_line_by_line() {
    if let Some(seed) = number("SRP_SIM_SEED") {
        let broken = print_story(seed);
        assert_eq!(broken, None, "seed {seed}");
    }
}

#[test]
fn invariants_hold_over_many_seeds() {
    let seeds = number("SRP_SIM_SEEDS").unwrap_or(10_000);
    let first = number("SRP_SIM_FIRST").unwrap_or(0);
    let (mut dual_active, mut heard_both) = (0, 0);
    let mut failed = 0;
    for seed in first..first + seeds {
        let world = tell(seed, Sabotage::None, false, seed % 16 == 0);
        dual_active += world.check.dual_active;
        heard_both += world.check.heard_both;
        if let Some(broken) = world.check.broken {
            if number("SRP_SIM_SURVEY").is_some() {
                println!("seed {seed}: {broken}");
                failed += 1;
                continue;
            }
            print_story(seed);
            panic!(
                "seed {seed}: {broken}\nreplay: SRP_SIM_SEED={seed} cargo test -p srp-core --test sim one_seed -- --nocapture"
            );
        }
    }
    assert_eq!(failed, 0);
    println!(
        "{seeds} seeds; {dual_active} steps with two Active, {heard_both} looks at a router that hears both"
    );
    assert!(seeds < 1_000 || (dual_active > 0 && heard_both > 0), "the simulator sees too little");
}

#[test]
fn every_broken_rule_is_caught() {
    for sabotage in Sabotage::ALL {
        let caught =
            (0..20_000).find_map(|seed| Some((seed, tell(seed, sabotage, false, false).check.broken?)));
        let Some((seed, broken)) = caught else { panic!("{sabotage:?} breaks a rule and nothing notices") };
        println!("{sabotage:?}: caught in story {seed}: {broken}");
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
    let mut reached = vec![false; rows.len()];
    for seed in 0..3_000 {
        for (from, to, reason) in tell(seed, Sabotage::None, false, false).check.changes {
            let (from, to, reason) = (from.to_string(), to.to_string(), reason.number());
            let row = rows.iter().position(|row| row.0 == from && row.1 == to && row.2.contains(&reason));
            let Some(row) = row else { panic!("seed {seed}: {from} -> {to} ({reason}) is not in the table") };
            reached[row] = true;
        }
    }
    for (row, reached) in rows.iter().zip(reached) {
        assert!(reached, "no story reaches {} -> {} ({:?})", row.0, row.1, row.2);
    }
}

#[test]
fn ch_5_a_link_that_flaps_at_any_period_moves_no_router() {
    for period_ms in [1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 290, 300, 310, 400, 500, 1_000, 3_000, 10_000]
    {
        let world = script::play(&format!(
            "pair east=primary west=backup advertise-in-standby=yes\n> start both; run 1s\n{}> run 2s\n",
            format!("> cut; run {period_ms}ms\n> heal; run {period_ms}ms\n").repeat(20)
        ));
        let told = world.unwrap_or_else(|broken| panic!("flaps every {period_ms} ms: {broken}"));
        let summaries: Vec<&str> = told.lines().filter(|line| line.starts_with("   = ")).collect();
        for summary in &summaries {
            assert!(summary.ends_with("routers prefer east east"), "flaps every {period_ms} ms: {summary}");
        }
        assert_eq!(summaries.last(), Some(&"   = east Active 1, west Standby 2, routers prefer east east"));
    }
}
