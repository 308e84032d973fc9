//! Exhaustive model checking of two chassis: `model/mod.rs` says what is real and what is abstract.
//!
//! `SRP_MODEL_DEPTH=3 cargo test --release -p srp-core --test model -- --nocapture` allows three faults in each story
//! instead of the usual number.

#[allow(dead_code, reason = "the rules broken on purpose are those of the simulator")]
#[path = "sim/mod.rs"]
mod sim;

#[path = "model/mod.rs"]
mod model;

use model::alike::compare;
use model::driver::TICK;
use model::faults::Fault;
use model::search::explore;
use model::words::tell;
use model::world::{Budget, Pair, World};
use sim::sabotage::Sabotage;
use srp_core::chassis::Settings;
use srp_core::types::{BootId, ChassisMode, Identity, Mac, Priority};

/// Threshold and step of the route modifier: the smallest there are.
const USUAL: (u16, u16) = (2, 1);

fn pair(sabotage: Sabotage, advertise_in_standby: bool, modifiers: (u16, u16)) -> Pair {
    let (threshold, delta_route_modifier) = modifiers;
    let side = |mode, last| Settings {
        hello_interval: TICK,
        dead_interval: TICK.times(4),
        threshold,
        delta_route_modifier,
        advertise_in_standby,
        drain_interval: TICK,
        switchover_timeout: TICK.times(10),
        ..Settings::new(Identity {
            mode,
            priority: Priority(125),
            mac: Mac([2, 0, 0, 0, 0, last]),
            boot: BootId(0),
        })
    };
    let mut settings = [side(ChassisMode::Primary, 1), side(ChassisMode::Backup, 2)];
    settings[0].dead_interval = sabotage.dead_interval(settings[0].dead_interval);
    Pair { settings, sabotage, may_happen: |_| true, settles_within: 24 }
}

/// The number of an environment variable, or the usual one.
fn number(variable: &str, usual: u8) -> u8 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Everything that can follow from two chassis that are off holds the invariants.
fn holds(name: &str, advertise_in_standby: bool, modifiers: (u16, u16)) {
    let left = Budget { faults: number("SRP_MODEL_DEPTH", 1), delays: number("SRP_MODEL_DELAYS", 1) };
    let root = World::new(pair(Sabotage::None, advertise_in_standby, modifiers), left);
    report(name, left, &root);
}

fn report(name: &str, left: Budget, root: &World) {
    let seen = explore(root);
    println!("{name}, {} fault(s), {} delay(s): {seen}", left.faults, left.delays);
    if let Some((acts, broken)) = seen.broken {
        panic!("{name}: {broken}\n{}", tell(root, &acts).join("\n"));
    }
}

#[test]
fn invariants_hold_whatever_happens() {
    holds("silent Standby", false, USUAL);
}

#[test]
fn invariants_hold_whatever_happens_where_the_standby_announces() {
    holds("announcing Standby", true, USUAL);
}

#[test]
fn bgp_4_invariants_hold_with_a_step_of_two_that_meets_the_threshold() {
    holds("silent Standby, threshold 3, step 2", false, (3, 2));
}

#[test]
fn bgp_4_invariants_hold_with_a_step_of_two_that_passes_the_threshold() {
    holds("announcing Standby, threshold 4, step 2", true, (4, 2));
}

/// East stops in good order, and west, which takes over, is suspended meanwhile: two faults and a delay, which for all
/// kinds of faults are too many for a test.
fn west_is_suspended(fault: Fault) -> bool {
    matches!(fault, Fault::Freeze(1) | Fault::Stop(0))
}

#[test]
fn sw_1_a_new_active_that_is_suspended_in_a_hand_over_leaves_no_gap() {
    let left = Budget { faults: 2, delays: 1 };
    let pair = Pair { may_happen: west_is_suspended, ..pair(Sabotage::None, false, USUAL) };
    report("west suspended, east stops", left, &World::new(pair, left));
}

#[test]
fn every_broken_rule_is_caught() {
    for sabotage in Sabotage::ALL {
        let caught = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0)].into_iter().find_map(|(faults, delays)| {
            let root = World::new(pair(sabotage, true, USUAL), Budget { faults, delays });
            let seen = explore(&root);
            let (acts, broken) = seen.broken.as_ref()?;
            let told = tell(&root, acts).join("\n");
            Some(format!("{sabotage:?}, {faults} fault(s), {delays} delay(s): {seen}; {broken}\n{told}\n"))
        });
        let Some(story) = caught else { panic!("{sabotage:?} breaks a rule and nothing notices") };
        println!("{story}");
    }
}

#[test]
fn states_that_differ_only_in_clocks_and_counters_have_one_future() {
    for (faults, delays) in [(1, 0), (0, 2)] {
        for advertise_in_standby in [false, true] {
            let root =
                World::new(pair(Sabotage::None, advertise_in_standby, USUAL), Budget { faults, delays });
            let pairs = compare(&root, 2).unwrap_or_else(|differ| panic!("{differ}"));
            println!("{faults} fault(s), {delays} delay(s): {pairs} pairs compared");
            assert!(pairs > 500, "too few to tell");
        }
    }
}
