//! Exhaustive model checking of two chassis: `model/mod.rs` says what is real and what is abstract.
//!
//! `SRP_MODEL_DEPTH=3 cargo test --release -p srp-core --test model -- --nocapture` allows three faults in each story
//! instead of the usual number.

#[allow(dead_code, reason = "the rules broken on purpose are those of the simulator")]
#[path = "sim/mod.rs"]
mod sim;

#[path = "model/mod.rs"]
mod model;

use model::driver::TICK;
use model::search::{Seen, explore};
use model::words::tell;
use model::world::{Pair, World};
use sim::sabotage::Sabotage;
use srp_core::chassis::Settings;
use srp_core::types::{BootId, ChassisMode, Identity, Mac, Priority, Span};

fn depth() -> Option<u8> {
    std::env::var("SRP_MODEL_DEPTH").ok()?.parse().ok()
}

fn pair(sabotage: Sabotage, advertise_in_standby: bool, drain_ticks: u64) -> Pair {
    let side = |mode, last| Settings {
        identity: Identity {
            mode,
            priority: Priority(125),
            mac: Mac([2, 0, 0, 0, 0, last]),
            boot: BootId(0),
        },
        release: String::new(),
        hello_interval: TICK,
        dead_interval: TICK.times(3),
        delay_interval: Span::ZERO,
        threshold: 2,
        advertise_in_standby,
        drain_interval: TICK.times(drain_ticks),
        switchover_timeout: TICK.times(4),
        config_digest: [7; 32],
    };
    let mut settings = [side(ChassisMode::Primary, 1), side(ChassisMode::Backup, 2)];
    settings[0].dead_interval = sabotage.dead_interval(settings[0].dead_interval);
    Pair { settings, sabotage, settles_within: 20, faults_when_settled: false }
}

fn show(name: &str, seen: &Seen) {
    println!(
        "{name}: {} states, {} steps, nothing new after {} ticks, {:.1} s",
        seen.states,
        seen.steps,
        seen.ticks,
        seen.took.as_secs_f64()
    );
}

fn holds(name: &str, pair: Pair, faults: u8) {
    let root = World::new(pair, faults);
    let seen = explore(&root);
    show(name, &seen);
    if let Some((acts, broken)) = seen.broken {
        let told = tell(&root, &acts).join("\n");
        panic!("{name}: {broken}\n{told}");
    }
}

#[test]
fn invariants_hold_whatever_happens() {
    let faults = depth().unwrap_or(1);
    holds("the Standby is silent", pair(Sabotage::None, false, 1), faults);
}

#[test]
fn invariants_hold_whatever_happens_where_the_standby_announces() {
    let faults = depth().unwrap_or(1);
    holds("the Standby announces", pair(Sabotage::None, true, 1), faults);
}
